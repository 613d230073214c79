//! Files beside a JSON store, for bytes that do not belong into a file that is written whole with every commit.
//!
//! A file has the SHA-256 of its content as its name: it is written once and never changed, and a crash between it and
//! the commit that needs it leaves no more than a file that nobody names. Whoever reads one must not believe it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use cavra_artifacts::{Inside, Reach, ReachError, ReadError};

use crate::StoreError;
use crate::files::{DIRECTORY_MODE, parent, replace, sibling, sync_directory};

/// What is appended to the name of the store's file.
const SUFFIX: &str = ".attachments";

/// What there is under the name of an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// A file. Its content may be another than its name says.
    Bytes(Vec<u8>),
    /// Nothing.
    Missing,
    /// No file that is read: a link that leads out of the directory, a directory, a device, or too large.
    Strange,
}

/// Whether `name` is a SHA-256 in hex.
pub(crate) fn is_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Writes an attachment of the store at `store` unless it is there; durable when this returns. The caller has the
/// store's lock.
pub(crate) fn keep(store: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let directory = sibling(store, SUFFIX);
    let file = directory.join(name);
    if is_there(&file, bytes.len()) {
        return Ok(());
    }
    let written = create(&directory).and_then(|()| replace(&file, bytes, None));
    written.map(drop).map_err(|error| StoreError::unavailable(&file, &error))
}

/// Reads an attachment of the store at `store`, if it has at most `limit` bytes.
pub(crate) fn read(store: &Path, name: &str, limit: u64) -> Result<Attachment, StoreError> {
    let directory = sibling(store, SUFFIX);
    let unavailable = |kind| StoreError::unavailable(&directory.join(name), &kind);
    let Some(path) = Inside::bare(name) else { return Ok(Attachment::Strange) };
    let reach = Reach::Under(parent(store).to_owned());
    let tree = match reach.open(&directory.file_name().map(PathBuf::from).unwrap_or_default()) {
        Ok(tree) => tree,
        Err(ReachError::Missing) => return Ok(Attachment::Missing),
        Err(ReachError::Outside) => return Ok(Attachment::Strange),
        Err(ReachError::Unreadable(kind)) => return Err(unavailable(kind)),
    };
    match tree.read(&path, limit) {
        Ok(bytes) => Ok(Attachment::Bytes(bytes)),
        Err(ReadError::Missing) => Ok(Attachment::Missing),
        Err(ReadError::Outside | ReadError::NotAFile | ReadError::TooLarge(_)) => Ok(Attachment::Strange),
        Err(ReadError::Unreadable(kind)) => Err(unavailable(kind)),
    }
}

/// Whether there is a whole file; a cheap look, as every process that decides takes it once.
fn is_there(file: &Path, length: usize) -> bool {
    fs::symlink_metadata(file).is_ok_and(|found| found.is_file() && usize::try_from(found.len()) == Ok(length))
}

/// Creates the directory, durably. Nothing is written through a link: it could lead anywhere.
fn create(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if !fs::symlink_metadata(directory)?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
        }
        created => created?,
    }
    // Whoever created it may have crashed before this.
    sync_directory(parent(directory))
}
