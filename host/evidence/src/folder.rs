//! A bundle directory as somebody else left it: files are reached through a handle that cannot leave it.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::strict::read_json;

/// The largest file of a bundle that is read.
pub const MAX_BUNDLE_FILE_BYTES: u64 = 256 << 20;

/// Why a file of a bundle was not read.
#[derive(Debug, Error)]
pub enum FileFault {
    /// Not the bare name of a file: absolute, with a separator, `.`, `..`, or with control characters.
    #[error("not a bare file name")]
    Name,
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// It leads out of the directory.
    #[error("leads out of the bundle, or nowhere")]
    Outside,
    /// A directory, device, pipe or socket.
    #[error("no regular file")]
    NotAFile,
    /// Larger than [`MAX_BUNDLE_FILE_BYTES`].
    #[error("larger than {MAX_BUNDLE_FILE_BYTES} bytes")]
    TooLarge,
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(serde_json::Error),
    /// The file system refused.
    #[error("cannot be read: {0}")]
    Io(io::Error),
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

/// Digest and size of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// SHA-256 in hex.
    pub sha256: String,
    /// Size.
    pub bytes: u64,
}

/// An open bundle directory.
#[derive(Debug)]
pub struct BundleFolder {
    directory: Dir,
    path: PathBuf,
}

impl BundleFolder {
    /// Opens a directory. What is in it is not looked at yet.
    ///
    /// # Errors
    /// [`BundleFileError`] if it is no directory or cannot be opened.
    pub fn open(path: &Path) -> Result<Self, BundleFileError> {
        let directory = Dir::open_ambient_dir(path, ambient_authority()).map_err(|error| BundleFileError {
            path: path.to_owned(),
            fault: if error.kind() == io::ErrorKind::NotFound { FileFault::Missing } else { FileFault::Io(error) },
        })?;
        Ok(Self { directory, path: path.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is anything of this name, be it usable or not.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        is_bare(name) && self.directory.symlink_metadata(name).is_ok()
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// [`FileFault`].
    pub fn read(&self, name: &str) -> Result<Vec<u8>, FileFault> {
        let mut bytes = Vec::new();
        self.stream(name, |part| bytes.extend_from_slice(part))?;
        Ok(bytes)
    }

    /// Digest and size of a file, without holding it in memory.
    ///
    /// # Errors
    /// [`FileFault`].
    pub fn measure(&self, name: &str) -> Result<Measured, FileFault> {
        let mut hash = Sha256::new();
        let mut bytes = 0_u64;
        self.stream(name, |part| {
            hash.update(part);
            bytes = bytes.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        })?;
        Ok(Measured { sha256: hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(), bytes })
    }

    /// The JSON value in a file.
    ///
    /// # Errors
    /// [`BundleFileError`] with the path, for people.
    pub fn json(&self, name: &str) -> Result<Value, BundleFileError> {
        let read = || read_json(&self.read(name)?).map_err(FileFault::Json);
        read().map_err(|fault| BundleFileError { path: self.path.join(name), fault })
    }

    fn stream(&self, name: &str, mut take: impl FnMut(&[u8])) -> Result<(), FileFault> {
        if !is_bare(name) {
            return Err(FileFault::Name);
        }
        let mut options = OpenOptions::new();
        options.read(true);
        // Opening a pipe would wait for a writer. The flag does nothing to a regular file.
        #[cfg(unix)]
        cap_std::fs::OpenOptionsExt::custom_flags(
            &mut options,
            i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0),
        );
        let file = self.directory.open_with(name, &options).map_err(|error| fault(self, name, error))?;
        let metadata = file.metadata().map_err(FileFault::Io)?;
        if !metadata.is_file() {
            return Err(FileFault::NotAFile);
        }
        if metadata.len() > MAX_BUNDLE_FILE_BYTES {
            return Err(FileFault::TooLarge);
        }
        // It may grow while it is read.
        let mut file = file.take(MAX_BUNDLE_FILE_BYTES + 1);
        let mut buffer = vec![0_u8; 1 << 16];
        let mut total = 0_u64;
        loop {
            let count = match file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(FileFault::Io(error)),
            };
            total = total.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            if total > MAX_BUNDLE_FILE_BYTES {
                return Err(FileFault::TooLarge);
            }
            take(buffer.get(..count).unwrap_or_default());
        }
    }
}

/// What a failed opening means. A link is what can lead out; the handle refuses to follow it there.
fn fault(folder: &BundleFolder, name: &str, error: io::Error) -> FileFault {
    match folder.directory.symlink_metadata(name) {
        Ok(found) if found.is_symlink() => FileFault::Outside,
        Ok(found) if !found.is_file() => FileFault::NotAFile,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => FileFault::Missing,
        _ => FileFault::Io(error),
    }
}

/// Whether a name is the bare name of a file.
fn is_bare(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\']) && !name.chars().any(char::is_control)
}
