//! The roots of a repository: a file of it has the same name below each of them.

use std::fs;
use std::path::{Path, PathBuf};

/// Worktrees of a repository that count.
const MOST_WORKTREES: usize = 256;

/// Longest file of git that names a directory.
const MOST_BYTES: u64 = 8 * 1024;

/// The roots of the repository that a directory belongs to: the project that is named, else the repository that git finds
/// from the directory, with the main working tree and all worktrees of it, each also without links. If the directory lies
/// in another repository, that one is not among them.
#[must_use]
pub fn repository_roots(project: Option<&Path>, directory: &Path) -> Vec<PathBuf> {
    let found = working_tree(directory);
    let project = project.map(Path::to_owned).or(found).unwrap_or_else(|| directory.to_owned());
    let mut roots = vec![project.clone()];
    if let Some(tree) = working_tree(&project) {
        roots.extend(family(&tree));
    }
    let real: Vec<PathBuf> = roots.iter().filter_map(|root| root.canonicalize().ok()).collect();
    for root in real {
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    roots
}

/// The working tree that the directory lies in: the nearest folder with a `.git`.
fn working_tree(directory: &Path) -> Option<PathBuf> {
    directory.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned)
}

/// The main working tree of a repository and its worktrees.
fn family(tree: &Path) -> Vec<PathBuf> {
    let Some(common) = common_directory(&tree.join(".git")) else { return Vec::new() };
    let main = common.file_name().filter(|name| *name == ".git").and_then(|_| common.parent()).map(Path::to_owned);
    let mut trees: Vec<PathBuf> = main.into_iter().collect();
    let entries = fs::read_dir(common.join("worktrees")).into_iter().flatten().take(MOST_WORKTREES);
    for entry in entries.flatten() {
        // The worktree's `.git`, as an absolute path.
        let file = named_in(&entry.path().join("gitdir"), "");
        trees.extend(file.and_then(|file| Some(entry.path().join(file).parent()?.to_owned())));
    }
    trees
}

/// The directory of a repository that its worktrees share.
pub(crate) fn common_directory(dot_git: &Path) -> Option<PathBuf> {
    let own = git_directory(dot_git)?;
    match named_in(&own.join("commondir"), "") {
        Some(common) => own.join(common).canonicalize().ok(),
        None => Some(own),
    }
}

/// The directory that a `.git` is or names.
pub(crate) fn git_directory(dot_git: &Path) -> Option<PathBuf> {
    if dot_git.is_dir() {
        return Some(dot_git.to_owned());
    }
    let named = named_in(dot_git, "gitdir: ")?;
    Some(dot_git.parent()?.join(named))
}

/// The path that a small file holds behind a word.
fn named_in(file: &Path, word: &str) -> Option<PathBuf> {
    if !fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MOST_BYTES) {
        return None;
    }
    let text = fs::read_to_string(file).ok()?;
    let named = text.trim_end().strip_prefix(word)?;
    (!named.is_empty()).then(|| PathBuf::from(named))
}
