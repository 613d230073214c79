//! Where a directory lies in git, read from the files that git itself reads; git is not run.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Longest file of git's that names another place.
const LONGEST_LINK: u64 = 16 * 1024;

/// What tells one file of this system from every other, whatever it is called.
pub(crate) type Identity = (u64, u64);

/// The identity of what is at `path`, links followed.
pub(crate) fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// A working tree of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitTree {
    /// The uppermost directory of the tree.
    pub top: PathBuf,
    /// The folder that all trees of the repository share.
    pub common: PathBuf,
    /// The folder of this tree, in which its HEAD is.
    pub folder: PathBuf,
}

impl GitTree {
    /// The tree whose uppermost directory this is.
    #[must_use]
    pub fn at(directory: &Path) -> Option<Self> {
        let entry = directory.join(".git");
        let found = fs::metadata(&entry).ok()?;
        let folder = if found.is_dir() {
            entry
        } else {
            let named = link(&entry)?;
            directory.join(named.strip_prefix("gitdir:")?.trim_start())
        };
        // What only looks like a repository is none.
        fs::symlink_metadata(folder.join("HEAD")).ok()?;
        let common = link(&folder.join("commondir")).map_or_else(|| folder.clone(), |common| folder.join(common));
        let common = common.canonicalize().unwrap_or(common);
        Some(Self { top: directory.to_owned(), common, folder })
    }

    /// The tree that a directory lies in.
    #[must_use]
    pub fn around(directory: &Path) -> Option<Self> {
        directory.ancestors().find_map(Self::at)
    }

    /// The repository's main tree, if this is another one and there is one.
    #[must_use]
    pub fn main_tree(&self) -> Option<PathBuf> {
        let main = self.common.file_name().filter(|name| *name == ".git").and(self.common.parent())?;
        (identity(main) != identity(&self.top)).then(|| main.to_owned())
    }
}

/// The one line of a file that names a place.
fn link(file: &Path) -> Option<String> {
    let found = fs::metadata(file).ok()?;
    let text = (found.is_file() && found.len() <= LONGEST_LINK).then(|| fs::read_to_string(file).ok()).flatten()?;
    Some(text.trim_end_matches(['\n', '\r']).to_owned())
}
