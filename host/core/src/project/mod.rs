//! The project that commands work in, for all of them the same, and the roots of its repository.

mod config;
mod git;
mod roots;

use std::path::{Path, PathBuf};

pub use cavra_surroundings::cleaned;
pub use config::ProjectConfig;
pub use git::GitTree;
pub use roots::Roots;

use crate::CoreError;

/// The project's own policy.
pub const PROJECT_POLICY: &str = ".cavra/policy.yaml";

/// The project's settings.
pub const PROJECT_CONFIG: &str = ".cavra/config.yaml";

/// A project with a policy or settings of its own.
#[derive(Clone, Debug)]
pub struct Project {
    /// The directory that holds `.cavra`.
    pub root: PathBuf,
    /// The policy file that decides where none is named.
    pub policy: Option<PathBuf>,
    /// The settings, if there are any: those of the repository's main tree where the project is in another one, because
    /// the trees of a repository share their stores.
    pub config: Option<ProjectConfig>,
}

impl Project {
    /// The project around a directory.
    ///
    /// # Errors
    /// [`CoreError::Configuration`] for settings that cannot be used.
    pub fn find(directory: &Path) -> Result<Option<Self>, CoreError> {
        let directory = directory.canonicalize().unwrap_or_else(|_| cleaned(directory));
        let Some(root) = nearest(&directory) else { return Ok(None) };
        let in_main_tree = GitTree::around(&root).and_then(|tree| {
            let within = root.strip_prefix(&tree.top).ok()?;
            Some(tree.main_tree()?.join(within))
        });
        let shared = in_main_tree.filter(|main| is_there(&main.join(PROJECT_CONFIG)));
        let settled = shared.or_else(|| is_there(&root.join(PROJECT_CONFIG)).then(|| root.clone()));
        let config = settled.map(|root| ProjectConfig::read(&root)).transpose()?;
        let named = config.as_ref().and_then(|config| config.policy_in(&root));
        let own = root.join(PROJECT_POLICY);
        let policy = named.or_else(|| is_there(&own).then_some(own));
        Ok(Some(Self { root, policy, config }))
    }

    /// What the project says for a variable, unless that or another variable in its place is set.
    pub(crate) fn value(&self, name: &str, is_set: impl Fn(&str) -> bool) -> Option<String> {
        if name == "CAVRA_POLICY" {
            return self.policy.as_ref().filter(|_| !is_set(name)).map(|policy| policy.display().to_string());
        }
        self.config.as_ref()?.value(name, is_set)
    }
}

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
        let found = Project::find(&deep).unwrap().unwrap();
        assert_eq!((&found.root, found.policy), (&home.join("a/b"), Some(home.join("a/b/.cavra/policy.yaml"))));
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
        write(main.join(".cavra/config.yaml"), "stores: {activity: a.db}\npolicy: .cavra/policy.yaml\n");
        let found = Project::find(&tree.join("src")).unwrap().unwrap();
        assert_eq!((&found.root, &found.config.unwrap().root), (&main, &main));
        // Its own copy of the policy, and the stores that are shared.
        write(tree.join(".cavra/policy.yaml"), "");
        write(tree.join(".cavra/config.yaml"), "stores: {activity: b.db}\n");
        assert_eq!(project_around(&tree.join("src")), tree);
        let found = Project::find(&tree.join("src")).unwrap().unwrap();
        assert_eq!((&found.root, &found.config.unwrap().root), (&tree, &main));
        assert_eq!(found.policy, Some(tree.join(".cavra/policy.yaml")));
    }
}
