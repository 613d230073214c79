//! Facts from a real disk: links, roots, git, and what lies below a folder.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails here has failed")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use cavra_normalize::{Disk as _, FileKind};
use cavra_surroundings::{Guard, Here, real_path, repository_roots};
use serde_json::json;
use tempfile::TempDir;

struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn link(&self, name: &str, to: &str) -> &Self {
        symlink(to, self.path(name)).unwrap();
        self
    }

    /// A repository as `git init` makes it, as far as it is looked at.
    fn repository(&self, folder: &str, branch: &str) -> &Self {
        let git = Path::new(folder).join(".git");
        let inside = |name: &str| git.join(name).to_str().unwrap().to_owned();
        self.write(&inside("HEAD"), &format!("ref: refs/heads/{branch}\n"));
        self.write(&inside("config"), "[core]\n\tbare = false\n");
        self.write(&inside("objects/info/x"), "").write(&inside("refs/heads/x"), "")
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn links_are_followed_to_what_would_be_opened() {
    let tree = Tree::new();
    tree.write("iam/role.tf", "").write("src/x", "");
    tree.link("link.tf", "iam/role.tf").link("new.tf", "iam/new.tf").link("folder", "iam").link("circle", "circle");
    for (name, real) in [
        ("iam/role.tf", "iam/role.tf"),
        ("link.tf", "iam/role.tf"),
        ("new.tf", "iam/new.tf"),
        ("folder/deep/er", "iam/deep/er"),
        ("src/new", "src/new"),
    ] {
        assert_eq!(real_path(&tree.path(name)), Some(tree.path(real)), "{name}");
    }
    assert_eq!(real_path(&tree.path("circle")), None);
    let here = Here::at(&tree.path(""), None);
    let guarded = here.guarded(Guard::default());
    assert_eq!(guarded.behind_links(&text(&tree.path("link.tf"))), [text(&tree.path("iam/role.tf"))]);
    assert_eq!(guarded.behind_links(&text(&tree.path("src/x"))), Vec::<String>::new());
    assert_eq!(guarded.kind(&text(&tree.path("folder"))), Some(FileKind::Directory));
    assert_eq!(guarded.kind(&text(&tree.path("nothing"))), None);
}

#[test]
fn a_worktree_has_the_roots_of_its_project() {
    let tree = Tree::new();
    tree.repository("main", "main").write("main/src/x", "").write("other/x", "");
    let gitdir = tree.path("main/.git/worktrees/topic");
    tree.write("main/.git/worktrees/topic/commondir", "../..\n");
    tree.write("main/.git/worktrees/topic/HEAD", "ref: refs/heads/topic\n");
    tree.write("main/.git/worktrees/topic/gitdir", &format!("{}\n", text(&tree.path("topic/.git"))));
    tree.write("topic/.git", &format!("gitdir: {}\n", text(&gitdir)));
    let (main, topic) = (tree.path("main"), tree.path("topic"));
    for (project, directory) in [
        (None, tree.path("main/src")),
        (None, topic.clone()),
        (Some(main.clone()), topic.clone()),
        (Some(topic.clone()), main.clone()),
    ] {
        let roots = repository_roots(project.as_deref(), &directory);
        assert!(roots.contains(&main) && roots.contains(&topic), "{project:?} {directory:?}: {roots:?}");
    }
    assert_eq!(repository_roots(None, &tree.path("other")), [tree.path("other")]);
    let here = Here::at(&topic, Some(&main));
    let guarded = here.guarded(Guard::default());
    assert_eq!(guarded.head(&text(&topic)).as_deref(), Some("topic"));
    assert_eq!(guarded.head(&text(&main)).as_deref(), Some("main"));
    assert!(guarded.git(&text(&topic)).unwrap().own);
}

#[test]
fn a_repository_that_lies_in_the_files_is_not_ours() {
    let tree = Tree::new();
    tree.repository("", "main").repository("vendor", "main").write("src/x", "");
    for name in ["HEAD", "config", "objects/x", "refs/x"] {
        tree.write(&format!("sub/{name}"), if name == "config" { "[core]\nfsmonitor = ./evil\n" } else { "" });
    }
    let here = Here::at(&tree.path(""), None);
    let guarded = here.guarded(Guard::default());
    let facts = |name: &str| guarded.git(&text(&tree.path(name))).unwrap();
    assert!(facts("").own && facts("src").own);
    assert!(!facts("vendor").own);
    assert!(!facts("sub").own);
    let names = |programs: &[String], key: &str| programs.iter().any(|program| program.starts_with(key));
    assert!(names(&facts("sub").programs, "core.fsmonitor"));
    tree.write(".git/config", "[diff]\nexternal = ./x\n[filter \"lfs\"]\nclean = git-lfs\n");
    assert!(names(&facts("").programs, "diff.external"));
    let trusting = here.guarded(Guard::of(&json!({ "git": { "trusted_settings": ["filter.lfs.*"] } })));
    let programs = trusting.git(&text(&tree.path(""))).unwrap().programs;
    assert!(names(&programs, "diff.external") && !names(&programs, "filter.lfs.clean"));
}

#[test]
fn protected_files_are_found_below_a_folder() {
    let tree = Tree::new();
    tree.repository("", "main").write("src/a.ts", "").write("src/.env", "").write("iam/x.tf", "").write("keys/id", "");
    tree.link("src/alias", "../keys/id").write("-n/x", "");
    let policy =
        json!({ "filesystem": { "block_read": ["**/.env", "keys/*"], "require_approval_write": ["**/iam/*"] } });
    let here = Here::at(&tree.path(""), None);
    let guarded = here.guarded(Guard::of(&policy));
    let mut below = guarded.protected_below(&text(&tree.path(""))).unwrap();
    below.sort();
    let expected = ["iam/x.tf", "keys/id", "src/.env", "src/alias"].map(|name| text(&tree.path(name)));
    assert_eq!(below, expected);
    assert_eq!(guarded.protected_below(&text(&tree.path("iam/none"))), Some(Vec::new()));
    assert!(guarded.has_option_like_name(&text(&tree.path(""))));
    assert!(!guarded.has_option_like_name(&text(&tree.path("src"))));
    assert!(!guarded.has_option_like_name(&text(&tree.path("nothing"))));
}
