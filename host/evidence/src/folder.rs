//! A bundle directory as somebody else left it: a flat directory, of which only files with bare names are read.

use std::path::{Path, PathBuf};

use cavra_artifacts::{Inside, Measured, Reach, ReachError, ReadError, Tree};
use cavra_model::{JsonError, read_json};
use serde_json::Value;
use thiserror::Error;

/// The largest file of a bundle that is read.
pub const MAX_BUNDLE_FILE_BYTES: u64 = 256 << 20;

/// Why a file of a bundle was not read.
#[derive(Debug, Error)]
pub enum FileFault {
    /// Not the bare name of a file: absolute, with a separator, `.`, `..`, or with control characters.
    #[error("not a bare file name")]
    Name,
    /// The directory was not opened.
    #[error(transparent)]
    Folder(#[from] ReachError),
    /// The file was not read.
    #[error(transparent)]
    Unread(#[from] ReadError),
    /// Not JSON, or not of one meaning.
    #[error("{0}")]
    Json(JsonError),
}

impl FileFault {
    /// Whether there is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Folder(ReachError::Missing) | Self::Unread(ReadError::Missing))
    }

    /// Whether the name leads out of the bundle, or could.
    #[must_use]
    pub fn is_unsafe(&self) -> bool {
        matches!(self, Self::Name | Self::Unread(ReadError::Outside))
    }
}

/// A file of a bundle that could not be used.
#[derive(Debug, Error)]
#[error("{}: {fault}", path.display())]
pub struct BundleFileError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub fault: FileFault,
}

/// An open bundle directory.
#[derive(Debug)]
pub struct BundleFolder {
    tree: Tree,
    path: PathBuf,
}

/// The bundle in a directory that is open already.
impl From<Tree> for BundleFolder {
    fn from(tree: Tree) -> Self {
        let path = tree.absolute().to_owned();
        Self { tree, path }
    }
}

impl BundleFolder {
    /// Opens a directory. What is in it is not looked at yet.
    ///
    /// # Errors
    /// [`BundleFileError`] if it is no directory or cannot be opened.
    pub fn open(path: &Path) -> Result<Self, BundleFileError> {
        let path = path.to_owned();
        match Reach::Anywhere.open(&path) {
            Ok(tree) => Ok(Self { tree, path }),
            Err(error) => Err(BundleFileError { path, fault: error.into() }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is anything of this name, be it usable or not.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        Inside::bare(name).is_some_and(|name| self.tree.holds(&name))
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// [`FileFault`].
    pub fn read(&self, name: &str) -> Result<Vec<u8>, FileFault> {
        Ok(self.tree.read(&bare(name)?, MAX_BUNDLE_FILE_BYTES)?)
    }

    /// Digest and size of a file, without holding it in memory.
    ///
    /// # Errors
    /// [`FileFault`].
    pub fn measure(&self, name: &str) -> Result<Measured, FileFault> {
        Ok(self.tree.measure(&bare(name)?, MAX_BUNDLE_FILE_BYTES)?)
    }

    /// The JSON value in a file.
    ///
    /// # Errors
    /// [`BundleFileError`] with the path, for people.
    pub fn json(&self, name: &str) -> Result<Value, BundleFileError> {
        let read = || read_json(&self.read(name)?).map_err(FileFault::Json);
        read().map_err(|fault| BundleFileError { path: self.path.join(name), fault })
    }
}

fn bare(name: &str) -> Result<Inside, FileFault> {
    Inside::bare(name).ok_or(FileFault::Name)
}
