//! Rules about the sources themselves.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{repository, sha256};

/// Files below `directory`, build output apart.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // In a worktree of git `.git` is a file.
            if matches!(name.as_str(), "target" | ".git" | "node_modules" | ".cavra") {
                continue;
            }
            if path.is_dir() && !path.is_symlink() {
                waiting.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Files that belong to the repository: what git tracks, or, where these are sources without a repository, everything.
/// What else lies about in a working tree is nobody else's concern.
fn tracked(root: &Path) -> Vec<PathBuf> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    let ours = git(&["rev-parse", "--show-toplevel"]).is_some_and(|top| Path::new(top.trim_end()) == root);
    match git(&["ls-files", "-z"]).filter(|_| ours) {
        Some(paths) => paths.split_terminator('\0').map(|path| root.join(path)).collect(),
        None => files(root),
    }
}

/// Cargo.toml without its dev-dependencies.
fn dependencies(manifest: &Path) -> String {
    let mut kept = String::new();
    let mut wanted = false;
    for line in fs::read_to_string(manifest).unwrap().lines() {
        if line.starts_with('[') {
            wanted = line.contains("dependencies") && !line.contains("dev-dependencies");
        }
        if wanted {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[test]
fn each_engine_is_named_by_one_crate() {
    let host = repository().join("host");
    let mut seen = 0;
    for crate_folder in fs::read_dir(&host).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let name = crate_folder.file_name().unwrap().to_str().unwrap().to_owned();
        let manifest = dependencies(&crate_folder.join("Cargo.toml"));
        seen += 1;
        for (word, owner) in [("wasmtime", "plugins"), ("rusqlite", "store"), ("axum", "api"), ("reqwest", "fetch")] {
            if name == owner {
                assert!(manifest.contains(word), "{owner} names {word}");
                continue;
            }
            assert!(!manifest.contains(word), "host/{name}/Cargo.toml depends on {word}");
            for source in files(&crate_folder.join("src")) {
                let text = fs::read_to_string(&source).unwrap();
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                let named = code.filter(|line| line.contains(&format!("{word}::"))).count();
                assert_eq!(named, 0, "{} names {word}", source.display());
            }
        }
    }
    assert!(seen >= 12, "{seen} crates");
}

/// The part of a source before its tests, without comments.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// What talks to databases is made from the kinds, in one crate.
#[test]
fn only_the_store_speaks_sql() {
    let host = repository().join("host");
    let speaks = |source: &Path| {
        let text = code(&fs::read_to_string(source).unwrap());
        ["CREATE TABLE", "SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM"]
            .into_iter()
            .find(|word| text.contains(word))
    };
    let (mut elsewhere, mut within) = (0, 0);
    for source in files(&host) {
        let path = source.strip_prefix(&host).unwrap().to_str().unwrap().to_owned();
        if !path.ends_with(".rs") || path.ends_with("tests.rs") || !path.split('/').any(|part| part == "src") {
            continue;
        }
        if path.starts_with("store/") {
            within += usize::from(speaks(&source).is_some());
            continue;
        }
        elsewhere += 1;
        assert_eq!(speaks(&source), None, "host/{path} speaks SQL");
    }
    assert!(elsewhere > 100 && within > 5, "{elsewhere} and {within} files");
}

/// Published contracts never change: one line per file, digest and path, as `sha256sum` writes them.
#[test]
fn published_wit_is_frozen() {
    let root = repository();
    let list = root.join("wit/published.sha256");
    let published: BTreeMap<String, String> = files(&root.join("wit"))
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "wit"))
        .filter(|path| !path.parent().unwrap().file_name().unwrap().to_str().unwrap().contains('-'))
        .map(|path| {
            let digest = sha256(fs::read(path).unwrap()).replace("sha256:", "");
            (path.strip_prefix(root.join("wit")).unwrap().to_str().unwrap().to_owned(), digest)
        })
        .collect();
    let recorded: BTreeMap<String, String> = fs::read_to_string(&list)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(digest, path)| (path.to_owned(), digest.to_owned()))
        .collect();
    for (path, digest) in &recorded {
        assert_eq!(published.get(path), Some(digest), "wit/{path} was published and has changed");
    }
    if std::env::var_os("CAVRA_BLESS").is_some() {
        // Adds what is new; what is recorded was compared above.
        let lines: String = published.iter().map(|(path, digest)| format!("{digest}  {path}\n")).collect();
        fs::write(&list, lines).unwrap();
        return;
    }
    assert_eq!(recorded, published, "run `CAVRA_BLESS=1 cargo test -p cavra architecture` to publish");
    assert!(!published.is_empty());
}

#[test]
fn copies_of_the_contract_are_equal() {
    let root = repository();
    for copy in
        files(&root.join("sdk")).iter().filter(|path| path.extension().is_some_and(|extension| extension == "wit"))
    {
        let name = copy.file_name().unwrap();
        let text = fs::read_to_string(copy).unwrap();
        let same = files(&root.join("wit"))
            .iter()
            .any(|path| path.file_name() == Some(name) && fs::read_to_string(path).unwrap() == text);
        assert!(same, "{} differs from every version in wit/", copy.display());
    }
}

#[test]
fn no_file_knows_where_it_was_written() {
    let root = repository();
    // Put together here, so that this file does not hold them.
    let homes = [["/ro", "ot/."].concat(), ["/wo", "rk/"].concat(), ["/Us", "ers/"].concat()];
    let allowed = [["/ro", "ot/.ssh"].concat(), ["/ro", "ot/.aws"].concat(), ["/ro", "ot/.kube"].concat()];
    for path in tracked(&root) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            let mut line = line.to_owned();
            for example in &allowed {
                line = line.replace(example, "");
            }
            for home in &homes {
                assert!(!line.contains(home), "{}:{}: {line}", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn every_pack_has_cases() {
    for pack in fs::read_dir(repository().join("policies"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
    {
        assert!(pack.join("policy.yaml").is_file() && pack.join("tests.yaml").is_file(), "{}", pack.display());
    }
}
