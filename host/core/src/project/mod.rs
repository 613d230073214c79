//! The project that an agent works in, and the roots of its repository.

mod git;
mod roots;

use std::path::{Path, PathBuf};

pub use git::GitTree;
pub use roots::{Roots, cleaned};

/// The project's own policy.
pub const PROJECT_POLICY: &str = ".cavra/policy.yaml";

/// The project's settings.
pub const PROJECT_CONFIG: &str = ".cavra/config.yaml";

/// Where an agent works that does not say what its project is: the nearest directory upwards with a policy or settings of
/// cavra, else the main tree of its repository, else the directory.
#[must_use]
pub fn project_around(directory: &Path) -> PathBuf {
    nearest(directory).unwrap_or_else(|| match GitTree::around(directory) {
        Some(tree) => tree.main_tree().filter(|main| main.is_dir()).unwrap_or(tree.top),
        None => directory.to_owned(),
    })
}

/// The nearest directory upwards that holds a policy or settings; from the top of another tree of a repository, its main
/// tree counts as the next one upwards.
fn nearest(directory: &Path) -> Option<PathBuf> {
    let holds = |directory: &Path| [PROJECT_CONFIG, PROJECT_POLICY].iter().any(|file| is_there(&directory.join(file)));
    directory.ancestors().find_map(|above| {
        let main = || GitTree::at(above).and_then(|tree| tree.main_tree()).filter(|main| holds(main));
        if holds(above) { Some(above.to_owned()) } else { main() }
    })
}

/// Whether there is something of this name; a link to nowhere is something.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(path: PathBuf, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn the_nearest_project_upwards_counts() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let deep = home.join("a/b/c");
        fs::create_dir_all(&deep).unwrap();
        assert_eq!(project_around(&deep), deep);
        write(home.join("a/.git/HEAD"), "ref: refs/heads/main\n");
        assert_eq!(project_around(&deep), home.join("a"));
        write(home.join("a/b/.cavra/policy.yaml"), "");
        assert_eq!(project_around(&deep), home.join("a/b"));
        // A folder with records alone says nothing.
        fs::create_dir_all(deep.join(".cavra/api")).unwrap();
        assert_eq!(project_around(&deep), home.join("a/b"));
    }

    #[test]
    fn another_tree_of_a_repository_has_the_project_of_the_main_one() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let (main, tree) = (home.join("main"), home.join("tree"));
        write(main.join(".git/HEAD"), "ref: refs/heads/main\n");
        write(main.join(".git/worktrees/t/HEAD"), "ref: refs/heads/t\n");
        write(main.join(".git/worktrees/t/commondir"), "../..\n");
        write(tree.join(".git"), &format!("gitdir: {}/.git/worktrees/t\n", main.display()));
        fs::create_dir_all(tree.join("src")).unwrap();
        assert_eq!(project_around(&tree.join("src")), main);
        write(main.join(".cavra/policy.yaml"), "");
        assert_eq!(project_around(&tree.join("src")), main);
        write(tree.join(".cavra/policy.yaml"), "");
        assert_eq!(project_around(&tree.join("src")), tree);
    }
}
