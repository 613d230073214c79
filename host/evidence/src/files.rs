//! Files as wholes: written beside their place and renamed, read up to a limit.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use cavra_model::random_hex;
use thiserror::Error;

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
    place(path, content.as_ref(), false, |draft| fs::rename(draft, path))
}

/// As [`write_file`], for a file that only its owner may read (on systems that know owners).
///
/// # Errors
/// [`WriteError::NoName`], [`WriteError::Io`].
pub fn write_private_file(path: &Path, content: impl AsRef<[u8]>) -> Result<(), WriteError> {
    place(path, content.as_ref(), true, |draft| fs::rename(draft, path))
}

/// As [`write_private_file`], unless there is a file already: also if two try at once, one of them fails.
///
/// # Errors
/// [`WriteError::Exists`], [`WriteError::NoName`], [`WriteError::Io`].
pub fn create_private_file(path: &Path, content: impl AsRef<[u8]>) -> Result<(), WriteError> {
    let created = place(path, content.as_ref(), true, |draft| {
        // A second name for the draft is refused where the name is taken; renaming would replace.
        fs::hard_link(draft, path)?;
        fs::remove_file(draft)
    });
    match created {
        Err(WriteError::Io { path, source }) if source.kind() == io::ErrorKind::AlreadyExists => {
            Err(WriteError::Exists(path))
        }
        other => other,
    }
}

fn place(
    path: &Path,
    content: &[u8],
    private: bool,
    put: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), WriteError> {
    let failed = |source| WriteError::Io { path: path.to_owned(), source };
    let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else {
        return Err(WriteError::NoName(path.to_owned()));
    };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    fs::create_dir_all(parent).map_err(failed)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.new", random_hex(6).map_err(|error| failed(io::Error::other(error)))?));
    let draft = parent.join(hidden);
    let written = fill(&draft, content, private).and_then(|()| put(&draft)).and_then(|()| sync_directory(parent));
    if written.is_err() {
        // The first error is the one to report, whether or not the clean-up works.
        let _ = fs::remove_file(&draft);
    }
    written.map_err(failed)
}

fn fill(draft: &Path, content: &[u8], private: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = private;
    let mut file = options.open(draft)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes the names in a directory durable, on systems where a directory can be opened.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

/// The bytes of a regular file, at most `limit` of them.
///
/// # Errors
/// [`ReadError`].
pub fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let failed = |source| ReadError::Io { path: path.to_owned(), source };
    // Looked at before it is opened: opening a pipe would wait for somebody to write into it.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(ReadError::NotAFile(path.to_owned()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(ReadError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
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
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }
}
