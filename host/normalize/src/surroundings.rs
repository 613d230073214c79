//! What the caller knows about the place where a command would run. The normaliser asks and never looks itself, so the
//! same text in the same surroundings always gives the same action.

use std::fmt;

use crate::Programs;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A directory.
    Directory,
    /// Anything else.
    File,
}

/// What git would do in a directory beyond what its arguments say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitFacts {
    /// The repository that git finds from there is one of the project's own, not one that lies in its files.
    pub own: bool,
    /// Settings whose value names a program, such as `core.fsmonitor=./x`, without those that are trusted. The key is in
    /// lower case; the value may be left out.
    pub programs: Vec<String>,
}

/// A disk that can be asked. All paths are absolute and clean; answers have to be bounded in time and size.
pub trait Disk {
    /// What a path leads to; `None` if there is nothing.
    fn kind(&self, path: &str) -> Option<FileKind>;

    /// Where a path leads if links are followed, if that is another absolute path. This path alone may hold `..`, which
    /// then means what it means to the system. For a file that does not exist yet,
    /// its directory's real path and its name.
    fn behind_links(&self, path: &str) -> Vec<String>;

    /// The files below a folder that the policy in force protects from being read or written, as absolute paths. `None`
    /// if there are too many files to tell.
    fn protected_below(&self, folder: &str) -> Option<Vec<String>>;

    /// True if a name in the folder begins with `-`, or if that cannot be told.
    fn has_option_like_name(&self, folder: &str) -> bool;

    /// The branch that is checked out in the repository that git finds from a directory.
    fn head(&self, directory: &str) -> Option<String>;

    /// What git would do in a directory; `None` if that cannot be told.
    fn git(&self, directory: &str) -> Option<GitFacts>;
}

/// The place where a command would run.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The working directory, absolute. Empty if it is the repository's root and nothing more is known.
    pub directory: &'a str,
    /// The repository's roots, absolute: the project's own first, then its worktrees and other spellings.
    pub roots: &'a [String],
    /// The user's home directory, absolute; empty if it is not known.
    pub home: &'a str,
    /// Folders for temporary files, absolute.
    pub temporary: &'a [String],
    /// The disk, where the caller has one.
    pub disk: Option<&'a dyn Disk>,
    /// What is known about programs.
    pub programs: &'a Programs,
}

impl Surroundings<'_> {
    /// Nothing is known but the text: the command runs in the root of the repository, wherever that may be.
    #[must_use]
    pub fn unknown() -> Self {
        Self { directory: "", roots: &[], home: "", temporary: &[], disk: None, programs: Programs::built_in() }
    }
}

impl Default for Surroundings<'_> {
    fn default() -> Self {
        Self::unknown()
    }
}

impl fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("directory", &self.directory)
            .field("roots", &self.roots)
            .field("home", &self.home)
            .field("temporary", &self.temporary)
            .field("disk", &self.disk.is_some())
            .field("programs", &self.programs)
            .finish()
    }
}
