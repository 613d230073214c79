//! `cavra agent exec --sandbox`: a command, and the code of the project that it runs, use what was decided and no more.

use std::net::TcpListener;
use std::path::Path;

use tempfile::TempDir;

use crate::support::{Home, Output};

/// A repository with a secret, which does not lie among temporary files: code of the project may write those.
struct Site {
    home: Home,
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for (name, content) in
            [("repo/src/a.txt", "a"), ("repo/.env", "secret"), ("repo/b.txt", "b"), ("outside.txt", "o")]
        {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        std::fs::create_dir(folder.path().join("repo/.git")).unwrap();
        Self { home: Home::new(), folder }
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    /// `cavra agent exec` of a command in the repository, by the pack for everyday work.
    fn exec(&self, command: &str, options: &[&str]) -> Output {
        let repo = self.at("repo").display().to_string();
        let own = ["agent", "exec", command, "--repo", &repo, "--policy-pack", "cavra-developer"];
        self.home.cavra(&[&own, options].concat()).run()
    }

    /// Whether a script of the project succeeds, in the sandbox or out of it.
    fn script(&self, text: &str, options: &[&str]) -> bool {
        std::fs::write(self.at("repo/src/run.sh"), format!("set -e\n{text}\n")).unwrap();
        let output = self.exec("bash src/run.sh", options);
        assert!(!output.stderr.contains("was not run"), "{output:?}");
        output.code == 0
    }
}

fn content(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn code_of_the_project_uses_the_project() {
    let site = Site::new();
    let outside = site.at("outside.txt").display().to_string();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = format!("exec 3<>/dev/tcp/127.0.0.1/{}", listener.local_addr().unwrap().port());
    for (text, confined) in [
        ("cat src/a.txt b.txt > src/c.txt && rm src/c.txt", true),
        ("mkdir -p src/new && echo x > src/new/x && cat src/new/x", true),
        ("echo x > \"$(mktemp)\"", true),
        ("git --version && ls > /dev/null", true),
        ("cat .env", false),
        ("ln -s ../.env src/link; cat src/link", false),
        ("ln -f .env src/hard; cat src/hard", false),
        (&*format!("cat {outside}"), false),
        (&*format!("echo x >> {outside}"), false),
        (&*format!("mv {outside} src/"), false),
        (&*connect, false),
    ] {
        assert_eq!(site.script(text, &["--sandbox"]), confined, "{text}");
    }
    assert_eq!(content(&site.at("outside.txt")), "o");
    assert!(site.script(&format!("cat .env {outside} && {connect}"), &[]), "it is the sandbox that keeps it from that");
}

#[test]
fn a_command_does_what_it_was_decided_to_do() {
    let site = Site::new();
    for (command, file, wanted) in [
        ("cat b.txt > copy.txt", "repo/copy.txt", "b"),
        ("cp src/a.txt src/d.txt", "repo/src/d.txt", "a"),
        ("sed -i s/b/c/ b.txt", "repo/b.txt", "c"),
        ("mkdir -p deep/er && cp b.txt deep/er/", "repo/deep/er/b.txt", "c"),
    ] {
        site.exec(command, &["--sandbox"]).ok();
        assert_eq!(content(&site.at(file)), wanted, "{command}");
    }
    let refused = site.exec("cat .env", &["--sandbox"]).fails();
    assert!(refused.stderr.contains("was not run"), "{refused:?}");
    let failed = site.exec("cat nowhere.txt", &["--sandbox"]).fails();
    assert!(failed.stderr.contains("sandbox"), "{failed:?}");
}
