//! Directories and files created so that they survive a power failure and only their owner can read them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Mode of files with records.
pub(crate) const FILE_MODE: u32 = 0o600;
/// Mode of directories with such files.
pub(crate) const DIRECTORY_MODE: u32 = 0o700;

/// The directory that holds `path`.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Creates the directories above `path` that are missing, durably.
pub(crate) fn create_parents(path: &Path) -> io::Result<()> {
    let directory = parent(path);
    let missing: Vec<&Path> =
        directory.ancestors().take_while(|at| !at.as_os_str().is_empty() && !at.exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
    missing.into_iter().try_for_each(|created| sync_directory(parent(created)))
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// `path` with `suffix` appended to its last part.
pub(crate) fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Replaces the file `path`, durably and at once: whoever opens it finds the old content or the new. The caller has the
/// lock of the store, so the one name of the temporary file is free; what a crash left there is removed.
pub(crate) fn replace(path: &Path, content: &[u8], permissions: Option<Permissions>) -> io::Result<File> {
    let temporary = sibling(path, ".tmp");
    let written = write(&temporary, content, permissions).and_then(|file| {
        fs::rename(&temporary, path)?;
        sync_directory(parent(path))?;
        Ok(file)
    });
    written.inspect_err(|_| {
        // Best effort: the next one removes it too.
        let _ = fs::remove_file(&temporary);
    })
}

fn write(temporary: &Path, content: &[u8], permissions: Option<Permissions>) -> io::Result<File> {
    match fs::remove_file(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(temporary)?;
    if let Some(permissions) = permissions {
        file.set_permissions(permissions)?;
    }
    file.write_all(content)?;
    file.sync_all()?;
    Ok(file)
}
