//! What git would do in a directory beyond what its arguments say.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use cavra_normalize::GitFacts;

use crate::git_config::programs;
use crate::roots::{common_directory, git_directory};

/// Longest `HEAD` that is read.
const MOST_BYTES: u64 = 8 * 1024;

/// The repository that git finds from a directory.
struct Found {
    /// Its own directory: `HEAD` lies there.
    git: PathBuf,
    /// What its worktrees share: `config` lies there.
    common: PathBuf,
    /// Its working tree; none for a bare one, which is how a folder with the files of a repository is taken.
    tree: Option<PathBuf>,
}

/// The branch that is checked out; none if a commit is, or if there is no repository.
pub(crate) fn head(directory: &Path) -> Option<String> {
    let head = find(directory)?.git.join("HEAD");
    let metadata = fs::metadata(&head).ok()?;
    if metadata.len() > MOST_BYTES {
        return None;
    }
    let text = fs::read_to_string(head).ok()?;
    Some(text.trim_end().strip_prefix("ref: refs/heads/")?.to_owned())
}

/// Whose repository git finds, and which programs its configuration and the user's name. `None` if that cannot be told.
pub(crate) fn facts(
    directory: &Path,
    roots: &[String],
    home: &str,
    trusted: impl Fn(&str) -> bool,
) -> Option<GitFacts> {
    let Some(found) = find(directory) else {
        // Without a repository only the settings of user and system count.
        let mut programs = programs(of_user(home), home)?;
        programs.retain(|key| !trusted(key));
        return Some(GitFacts { own: is_below(directory, roots), programs });
    };
    let own = found.tree.as_deref().is_some_and(|tree| is_root(tree, roots));
    let mut files = of_user(home);
    files.extend([found.common.join("config"), found.git.join("config.worktree")]);
    let mut programs = programs(files, home)?;
    programs.retain(|key| !trusted(key));
    Some(GitFacts { own, programs })
}

/// Git looks for `.git` in each folder from the directory upwards, and takes a folder that looks like a repository's
/// inside for a bare one.
fn find(directory: &Path) -> Option<Found> {
    let directory = directory.canonicalize().ok()?;
    directory.ancestors().find_map(|folder| {
        let dot_git = folder.join(".git");
        if let Some(git) = git_directory(&dot_git).filter(|git| is_repository(git)) {
            let common = common_directory(&dot_git)?;
            return Some(Found { git, common, tree: Some(folder.to_owned()) });
        }
        is_repository(folder).then(|| Found { git: folder.to_owned(), common: folder.to_owned(), tree: None })
    })
}

/// `HEAD`, and objects and references or the name of the directory that has them.
fn is_repository(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).exists();
    fs::symlink_metadata(folder.join("HEAD")).is_ok() && (has("commondir") || (has("objects") && has("refs")))
}

fn is_root(tree: &Path, roots: &[String]) -> bool {
    roots.iter().any(|root| Path::new(root) == tree || Path::new(root).canonicalize().is_ok_and(|root| root == tree))
}

fn is_below(directory: &Path, roots: &[String]) -> bool {
    roots.iter().any(|root| directory.starts_with(root))
}

/// The configuration of the system and of the user.
fn of_user(home: &str) -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("/etc/gitconfig")];
    if !home.is_empty() {
        files.push(Path::new(home).join(".gitconfig"));
    }
    let xdg = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let xdg = xdg.or_else(|| (!home.is_empty()).then(|| Path::new(home).join(".config")));
    files.extend(xdg.map(|folder| folder.join("git/config")));
    files
}
