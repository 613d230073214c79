//! What a store consists of is durable, and only its owner can read it.

use std::fs::{File, Permissions};
use std::io;
use std::path::Path;

use cavra_artifacts::{Access, Draft, replace_file};

pub(crate) use cavra_artifacts::{parent, sibling, sync_directory};

/// Mode of files with records.
pub(crate) const FILE_MODE: u32 = 0o600;
/// Mode of directories with such files.
pub(crate) const DIRECTORY_MODE: u32 = 0o700;

/// Creates the directories above `path` that are missing.
pub(crate) fn create_parents(path: &Path) -> io::Result<()> {
    cavra_artifacts::create_parents(path, DIRECTORY_MODE)
}

/// Replaces the file `path`. The caller has the lock of the store.
pub(crate) fn replace(path: &Path, content: &[u8], permissions: Option<Permissions>) -> io::Result<File> {
    replace_file(path, content, &permissions.map_or(Access::Owner, Access::As), Draft::Locked)
}
