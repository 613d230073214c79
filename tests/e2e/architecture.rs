//! Rules about the sources themselves.

use std::collections::{BTreeMap, BTreeSet};
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

/// The crates that a manifest names in its sections of such names.
fn named<'a>(manifest: &'a str, wanted: impl Fn(&str) -> bool + 'a) -> impl Iterator<Item = &'a str> {
    let mut within = false;
    manifest.lines().filter_map(move |line| {
        if let Some(section) = line.strip_prefix('[') {
            within = wanted(section.trim_end_matches(']'));
            return None;
        }
        let name = line.split(['.', ' ', '=']).next().unwrap();
        (within && !name.is_empty() && !name.starts_with('#')).then_some(name)
    })
}

#[test]
fn each_engine_is_named_by_one_crate() {
    let host = repository().join("host");
    let mut seen = 0;
    for crate_folder in fs::read_dir(&host).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let name = crate_folder.file_name().unwrap().to_str().unwrap().to_owned();
        let manifest = fs::read_to_string(crate_folder.join("Cargo.toml")).unwrap();
        let depends = |word: &str| {
            let sections = |section: &str| section.contains("dependencies") && !section.contains("dev-dependencies");
            named(&manifest, sections).any(|other| other.starts_with(word))
        };
        seen += 1;
        for (word, owner) in [("wasmtime", "plugins"), ("rusqlite", "store"), ("axum", "api"), ("reqwest", "fetch")] {
            if name == owner {
                assert!(depends(word), "{owner} names {word}");
                continue;
            }
            assert!(!depends(word), "host/{name}/Cargo.toml depends on {word}");
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

/// The macros that print end a process whose stream is closed or full.
#[test]
fn one_module_prints() {
    let host = repository().join("host");
    let printing = host.join("cli/src/output.rs");
    let logging = host.join("cli/src/logging.rs");
    let mut seen = 0;
    for source in files(&host) {
        let path = source.display().to_string();
        let theirs = path.contains("/src/") && path.ends_with(".rs") && !path.contains("/guest-build/");
        if !theirs || source == printing || source == logging {
            continue;
        }
        seen += 1;
        let text = fs::read_to_string(&source).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for word in ["eprintln!", "eprint!", " println!", " print!", "io::stderr()"] {
            assert!(!code.contains(word), "{path} has {word}");
        }
    }
    assert!(seen > 200, "{seen} files");
}

/// The crates of the table in ARCHITECTURE.md, uppermost first, with what they must never know.
fn crate_table() -> Vec<(String, String)> {
    let text = fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `host/"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        (row.split('`').next().unwrap().to_owned(), cells[2].trim().to_owned())
    })
    .collect()
}

#[test]
fn crates_depend_downwards_only() {
    let host = repository().join("host");
    let table = crate_table();
    let place = |name: &str| {
        let found = table.iter().position(|(listed, _)| listed == name || (listed == "cli" && name == "cavra"));
        found.unwrap_or_else(|| panic!("host/{name} is not in the table of ARCHITECTURE.md"))
    };
    let folders = fs::read_dir(&host).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let places: BTreeSet<usize> = folders.map(|name| place(&name)).collect();
    assert_eq!(places.len(), table.len(), "the table has a crate that is not there");
    let mut edges = 0;
    for (name, _) in &table {
        let manifest = fs::read_to_string(host.join(name).join("Cargo.toml")).unwrap();
        for other in named(&manifest, |section| section.contains("dependencies")) {
            let Some(other) = other.strip_prefix("cavra-") else { continue };
            assert!(place(other) > place(name), "host/{name} depends on host/{other}, which stands above it");
            edges += 1;
        }
    }
    assert!(edges > 40, "{edges} edges");
}

/// What the table says a crate must never know, where that is a crate.
#[test]
fn crates_do_not_know_what_they_must_not() {
    const CRATES: [(&str, &[&str]); 9] = [
        ("stores", &["cavra-store", "rusqlite"]),
        ("packs", &["cavra-packs"]),
        ("policies", &["cavra-packs", "cavra-rules"]),
        ("records", &["cavra-store"]),
        ("HTTP", &["cavra-fetch", "cavra-api", "axum", "hyper", "reqwest"]),
        ("serving HTTP", &["cavra-api", "axum", "hyper"]),
        ("SQL", &["rusqlite"]),
        ("wasmtime", &["wasmtime", "wasmtime-wizer"]),
        ("clap", &["clap"]),
    ];
    let mut asked = 0;
    for (name, unknown) in crate_table() {
        let manifest = fs::read_to_string(repository().join("host").join(&name).join("Cargo.toml")).unwrap();
        let dependencies: Vec<&str> = named(&manifest, |section| section == "dependencies").collect();
        for what in unknown.split(", ") {
            let never: &[&str] = CRATES.iter().find(|(word, _)| *word == what).map_or(&[], |(_, crates)| crates);
            asked += never.len();
            let met = dependencies.iter().find(|crate_name| {
                never.contains(crate_name) || (what == "everything else" && crate_name.starts_with("cavra-"))
            });
            assert_eq!(met, None, "host/{name} must not know {what}");
        }
    }
    assert!(asked > 20, "{asked} crates");
}

/// Sections of a manifest whose names end with this one, without comments.
fn lints(manifest: &str) -> BTreeMap<String, Vec<String>> {
    let mut sections: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = None;
    for line in manifest.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']').trim_start_matches("workspace.");
            current = section.starts_with("lints").then(|| section.to_owned());
        } else if let Some(section) = &current {
            sections.entry(section.clone()).or_default().push(line.to_owned());
        }
    }
    sections
}

/// Members of the workspaces inherit the lints; workspaces of their own repeat them.
#[test]
fn every_crate_has_the_lints() {
    let root = repository();
    let read = |path: &Path| lints(&fs::read_to_string(path).unwrap());
    let all = read(&root.join("Cargo.toml"));
    assert!(all["lints.rust"].len() + all["lints.clippy"].len() > 15, "{all:?}");
    let inherited = BTreeMap::from([("lints".to_owned(), vec!["workspace = true".to_owned()])]);
    let manifests = tracked(&root).into_iter().filter(|path| path.ends_with("Cargo.toml"));
    let mut members = 0;
    for manifest in manifests {
        let own = read(&manifest);
        members += usize::from(own == inherited);
        assert!(own == all || own == inherited, "{}: {own:?}", manifest.display());
    }
    assert!(members > 15, "{members}");
}

/// The habit of CONTRIBUTING.md, for the dependencies that the workspace declares.
#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let section = manifest.split("[workspace.dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let lines: Vec<&str> = section.lines().filter(|line| !line.is_empty() && !line.starts_with("cavra-")).collect();
    let reason = |line: &str| line.strip_prefix("# ").is_some_and(|reason| reason.len() > 8);
    let bare: Vec<_> = lines
        .iter()
        .enumerate()
        .filter(|(place, line)| {
            !line.starts_with('#') && !place.checked_sub(1).is_some_and(|above| reason(lines[above]))
        })
        .map(|(_, line)| line)
        .collect();
    assert!(lines.len() > 60, "{}", lines.len());
    assert!(bare.is_empty(), "{bare:#?}");
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
