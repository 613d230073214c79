//! The names under which policy sees a file. A repository has more roots than one: its working trees, links and mounts
//! that lead to it, other spellings of its path. A rule about the repository holds in all of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use cavra_surroundings::{cleaned, home_directory, real_path};

use super::git::{GitTree, Identity, identity};

/// The roots of one repository, found by what they are and not by what they are called.
#[derive(Debug)]
pub struct Roots {
    /// Directories that are roots, as they are called.
    known: Vec<PathBuf>,
    identities: Vec<Identity>,
    /// The folder that the trees of the repository share.
    common: Option<Identity>,
    /// Where the project lies in its tree: below each tree, the same place is a root too.
    within: Option<PathBuf>,
    /// The user's home directory; empty if it is not known.
    home: String,
    /// What is known of directories that were looked at.
    seen: RefCell<HashMap<PathBuf, Vec<PathBuf>>>,
}

impl Roots {
    /// The roots of the project, seen by somebody who works in `directory`: the tree of that directory is one, whatever
    /// repository it belongs to.
    #[must_use]
    pub fn new(project: &Path, directory: &Path) -> Self {
        let tree = GitTree::around(project);
        let within = tree.as_ref().and_then(|tree| project.strip_prefix(&tree.top).ok()).map(Path::to_owned);
        let mut known = vec![project.to_owned()];
        known.extend(tree.as_ref().map(|tree| tree.top.clone()));
        known.extend(tree.as_ref().and_then(GitTree::main_tree));
        known.extend(GitTree::around(directory).map(|tree| tree.top));
        known.dedup();
        Self {
            identities: known.iter().filter_map(|root| identity(root)).collect(),
            known,
            common: tree.and_then(|tree| identity(&tree.common)),
            within: within.filter(|within| !within.as_os_str().is_empty()),
            home: home_directory(),
            seen: RefCell::default(),
        }
    }

    /// Every name of a file that is called `path`: relative to each root that it lies in, else as it is, and from the home
    /// directory if that lies at an unusual place; and, if links lead elsewhere, the names of the file they lead to. A
    /// program may resolve `..` before it opens a file or leave that to the system, and behind a link that makes two files
    /// of one path: both are named.
    pub fn names(&self, path: &Path) -> Vec<String> {
        let mut names = Vec::new();
        for absolute in [cleaned(path), path.to_owned()] {
            self.add_names(&absolute, &mut names);
            if let Some(real) = real_path(&absolute).filter(|real| *real != absolute) {
                self.add_names(&real, &mut names);
            }
        }
        names
    }

    /// The names of a file that is no link, in a directory that none leads to.
    pub fn names_of_real(&self, path: &Path) -> Vec<String> {
        let mut names = Vec::new();
        self.add_names(path, &mut names);
        names
    }

    fn add_names(&self, path: &Path, names: &mut Vec<String>) {
        let above = path.parent().map(|directory| self.above(directory)).unwrap_or_default();
        let inside = above.iter().filter_map(|root| path.strip_prefix(root).ok());
        let mut found: Vec<String> = inside.map(|inside| inside.to_string_lossy().into_owned()).collect();
        if found.is_empty() {
            let path = path.to_string_lossy().into_owned();
            let from_home = cavra_normalize::from_home(&path, &self.home);
            found.push(path);
            found.extend(from_home);
        }
        for name in found {
            let same = |known: &String| cavra_normalize::clean_path(known) == cavra_normalize::clean_path(&name);
            if !name.is_empty() && !names.iter().any(same) {
                names.push(name);
            }
        }
    }

    /// The roots among a directory and those above it, uppermost first.
    fn above(&self, directory: &Path) -> Vec<PathBuf> {
        if let Some(seen) = self.seen.borrow().get(directory) {
            return seen.clone();
        }
        let mut roots = directory.parent().map(|parent| self.above(parent)).unwrap_or_default();
        let is_tree = self.is_tree(directory);
        if is_tree || self.is_known(directory) {
            roots.push(directory.to_owned());
        }
        let below = self.within.as_ref().is_some_and(|within| {
            directory.ancestors().any(|above| directory.strip_prefix(above).ok() == Some(within) && self.is_tree(above))
        });
        if below && !roots.iter().any(|root| root == directory) {
            roots.push(directory.to_owned());
        }
        self.seen.borrow_mut().insert(directory.to_owned(), roots.clone());
        roots
    }

    fn is_known(&self, directory: &Path) -> bool {
        self.known.iter().any(|root| root == directory)
            || identity(directory).is_some_and(|identity| self.identities.contains(&identity))
    }

    /// Whether it is a tree of the same repository.
    fn is_tree(&self, directory: &Path) -> bool {
        self.common.is_some() && GitTree::at(directory).and_then(|tree| identity(&tree.common)) == self.common
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A repository with a working tree beside its files, as git lays them out.
    fn repository(home: &Path) -> (PathBuf, PathBuf) {
        let (main, tree) = (home.join("main"), home.join("elsewhere/feature"));
        let folder = main.join(".git/worktrees/feature");
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(main.join("db")).unwrap();
        fs::create_dir_all(tree.join("db")).unwrap();
        fs::write(main.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        fs::write(folder.join("HEAD"), "ref: refs/heads/feature\n").unwrap();
        fs::write(folder.join("commondir"), "../..\n").unwrap();
        fs::write(folder.join("gitdir"), format!("{}/.git\n", tree.display())).unwrap();
        fs::write(tree.join(".git"), format!("gitdir: {}\n", folder.display())).unwrap();
        (main, tree)
    }

    fn names(project: &Path, directory: &Path, path: impl AsRef<Path>) -> Vec<String> {
        Roots::new(project, directory).names(path.as_ref())
    }

    #[test]
    fn a_rule_about_the_repository_holds_in_every_root() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let (main, tree) = repository(&home);
        symlink(&main, home.join("link")).unwrap();
        symlink(&tree, home.join("tree-link")).unwrap();
        let here = std::env::current_dir().unwrap();
        for (project, path) in [
            (&main, main.join("db/x")),
            (&main, tree.join("db/x")),
            (&main, home.join("link/db/x")),
            (&main, home.join("tree-link/db/x")),
            (&main, home.join("tree-link/../feature/db/x")),
            (&main, main.join("../main/db/new/deep/x")),
            (&main, PathBuf::from("/proc/self/root").join(main.strip_prefix("/").unwrap()).join("db/x")),
            (&home.join("link"), main.join("db/x")),
            (&home.join("link"), tree.join("db/x")),
            (&tree, main.join("db/x")),
            (&tree, tree.join("db/x")),
        ] {
            let wanted = if path.ends_with("db/new/deep/x") { "db/new/deep/x" } else { "db/x" };
            let names = names(project, &here, &path);
            assert!(names.iter().any(|name| name == wanted), "{} in {}: {names:?}", path.display(), project.display());
        }
    }

    #[test]
    fn a_project_below_the_top_of_its_repository() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let (main, tree) = repository(&home);
        for tree in [&main, &tree] {
            fs::create_dir_all(tree.join("sub/db")).unwrap();
            assert_eq!(names(&main.join("sub"), &home, tree.join("sub/db/x")), ["sub/db/x", "db/x"]);
        }
    }

    #[test]
    fn another_repository_is_not_this_one_unless_somebody_works_in_it() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let (main, _) = repository(&home);
        let other = home.join("other");
        fs::create_dir_all(other.join(".git")).unwrap();
        fs::write(other.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        let file = other.join("db/x");
        assert_eq!(names(&main, &main, &file), [file.to_str().unwrap()]);
        assert_eq!(names(&main, &other, &file), ["db/x"]);
        let nowhere = Path::new("/nowhere/a");
        assert_eq!(names(nowhere, nowhere, "/nowhere/a/../a/b").first().map(String::as_str), Some("b"));
    }

    #[test]
    fn links_lead_to_other_names() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let (main, _) = repository(&home);
        fs::create_dir_all(main.join("real/deep")).unwrap();
        symlink(main.join("real/deep"), main.join("flows")).unwrap();
        fs::write(main.join("real/secret"), "").unwrap();
        fs::write(main.join("plain"), "").unwrap();
        assert_eq!(names(&main, &main, main.join("plain")), ["plain"]);
        assert_eq!(names(&main, &main, main.join("flows/new")), ["flows/new", "real/deep/new"]);
        // By its text this is `secret`; the system goes through the link.
        assert_eq!(names(&main, &main, main.join("flows/../secret")), ["secret", "real/secret"]);
        // A link to nothing: opening it makes the file it leads to.
        symlink(".git/hooks/pre-commit", main.join("notes")).unwrap();
        symlink("notes", main.join("more")).unwrap();
        assert_eq!(names(&main, &main, main.join("notes")), ["notes", ".git/hooks/pre-commit"]);
        assert_eq!(names(&main, &main, main.join("more")), ["more", ".git/hooks/pre-commit"]);
        symlink("round", main.join("round")).unwrap();
        assert_eq!(names(&main, &main, main.join("round")), ["round"]);
        // However deep the new file lies.
        let deep = "a/".repeat(100);
        let behind = format!("real/deep/{deep}x");
        assert!(names(&main, &main, main.join(format!("flows/{deep}x"))).contains(&behind));
    }
}
