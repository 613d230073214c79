//! Files that the user names: what may be replaced, and errors that say which file it was.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use cavra_artifacts::{Access, Draft, FileError, create_file, create_parents, replace_file};
use thiserror::Error;

/// Mode of directories that are missing, less what the process's mask takes away.
pub(crate) const DIRECTORY_MODE: u32 = 0o777;

/// A file was not written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// There is a file already, which must not be lost.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// The path has no file name, such as `..`.
    #[error("{} is no file name", .0.display())]
    NoName(PathBuf),
    /// The file system refused.
    #[error("cannot write {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A file was not read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// A directory, device, pipe or socket.
    #[error("{} is no regular file", .0.display())]
    NotAFile(PathBuf),
    /// Larger than a file of its kind can be.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most it may have.
        limit: u64,
    },
    /// The file system refused.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes a file and the directories above it. A reader sees the old file or the new one, never a part, and what was
/// written is on disk when this returns.
///
/// # Errors
/// [`WriteError::NoName`], [`WriteError::Io`].
pub fn write_file(path: &Path, content: impl AsRef<[u8]>) -> Result<(), WriteError> {
    place(path, |path| replace_file(path, content.as_ref(), &Access::Mask, Draft::Unique))
}

/// As [`write_file`], for a file that only its owner may read.
///
/// # Errors
/// [`WriteError::NoName`], [`WriteError::Io`].
pub fn write_private_file(path: &Path, content: impl AsRef<[u8]>) -> Result<(), WriteError> {
    place(path, |path| replace_file(path, content.as_ref(), &Access::Owner, Draft::Unique))
}

/// As [`write_private_file`], unless there is a file already: also if two try at once, one of them fails.
///
/// # Errors
/// [`WriteError::Exists`], [`WriteError::NoName`], [`WriteError::Io`].
pub fn create_private_file(path: &Path, content: impl AsRef<[u8]>) -> Result<(), WriteError> {
    match place(path, |path| create_file(path, content.as_ref(), &Access::Owner)) {
        Err(WriteError::Io { path, source }) if source.kind() == io::ErrorKind::AlreadyExists => {
            Err(WriteError::Exists(path))
        }
        other => other,
    }
}

fn place(path: &Path, write: impl FnOnce(&Path) -> io::Result<File>) -> Result<(), WriteError> {
    if path.file_name().is_none() {
        return Err(WriteError::NoName(path.to_owned()));
    }
    let written = create_parents(path, DIRECTORY_MODE).and_then(|()| write(path));
    written.map(drop).map_err(|source| WriteError::Io { path: path.to_owned(), source })
}

/// The bytes of a regular file, at most `limit` of them.
///
/// # Errors
/// [`ReadError`].
pub fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    cavra_artifacts::read_file(path, limit).map_err(|error| {
        let path = path.to_owned();
        match error {
            FileError::NotAFile => ReadError::NotAFile(path),
            FileError::TooLarge(limit) => ReadError::TooLarge { path, limit },
            FileError::Io(source) => ReadError::Io { path, source },
        }
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_are_replaced_as_wholes_and_leave_nothing_behind() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("not/yet/there.json");
        write_file(&file, "one").unwrap();
        write_file(&file, "two").unwrap();
        assert_eq!(read_file(&file, 3).unwrap(), b"two");
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
        assert!(matches!(read_file(&file, 2), Err(ReadError::TooLarge { .. })));
        assert!(matches!(read_file(home.path(), 9), Err(ReadError::NotAFile(_))));
        assert!(matches!(write_file(Path::new(".."), ""), Err(WriteError::NoName(_))));
        // A directory in the way is an error and stays.
        assert!(matches!(write_file(&home.path().join("not"), "x"), Err(WriteError::Io { .. })));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_private_file_is_its_owners_and_is_not_replaced_by_creating() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("key.pem");
        create_private_file(&file, "one").unwrap();
        assert!(matches!(create_private_file(&file, "two"), Err(WriteError::Exists(_))));
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
        write_private_file(&file, "three").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "three");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }
}
