//! Putting a directory in place as a whole: written beside, made durable, renamed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use cavra_model::random_hex;
use thiserror::Error;

use crate::bundle::MANIFEST;
use crate::files::sync_directory;

/// A bundle was not written.
#[derive(Debug, Error)]
pub enum BundleError {
    /// The directory is in use for something else. Nothing in it was changed.
    #[error("{} already holds `{entry}`, which is no part of an evidence bundle; choose an empty or new directory", path.display())]
    Foreign {
        /// The directory asked for.
        path: PathBuf,
        /// Name of an entry that does not belong to a bundle.
        entry: String,
    },
    /// The path is a file, a link, or has no name of its own, such as `..`.
    #[error("{} is no directory that a bundle could replace", .0.display())]
    NotADirectory(PathBuf),
    /// The file system refused.
    #[error("cannot write the evidence bundle {}", path.display())]
    Io {
        /// The directory asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Makes `directory` hold exactly `files`. What it replaces may only be an earlier set of the same files.
pub fn replace_directory(directory: &Path, files: &[(&'static str, String)]) -> Result<(), BundleError> {
    let failed = |source| BundleError::Io { path: directory.to_owned(), source };
    let (Some(name), Some(parent)) = (directory.file_name(), directory.parent()) else {
        return Err(BundleError::NotADirectory(directory.to_owned()));
    };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    check_replaceable(directory, &names)?;

    fs::create_dir_all(parent).map_err(failed)?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.new", random_hex(6).map_err(|error| failed(io::Error::other(error)))?));
    let draft = parent.join(hidden);
    let written = fill(&draft, files).map_err(failed).and_then(|()| put_in_place(&draft, directory, &names));
    // On success this is what was replaced. On failure the first error is the one to report, whether or not this works.
    discard(&draft, &names);
    written.and_then(|()| sync_directory(parent).map_err(failed))
}

/// How often somebody else may come first.
const ATTEMPTS: usize = 8;

/// Puts `draft` where `directory` is or is to be; afterwards `draft` is what stood there.
fn put_in_place(draft: &Path, directory: &Path, names: &[&str]) -> Result<(), BundleError> {
    let mut outcome = Ok(());
    for _ in 0..ATTEMPTS {
        let exists = check_replaceable(directory, names)?;
        outcome = if exists { exchange(draft, directory) } else { move_to_free_place(draft, directory) };
        let raced = |error: &io::Error| {
            let kinds = [io::ErrorKind::AlreadyExists, io::ErrorKind::DirectoryNotEmpty, io::ErrorKind::NotFound];
            kinds.contains(&error.kind())
        };
        if !outcome.as_ref().is_err_and(raced) {
            break;
        }
    }
    outcome.map_err(|source| BundleError::Io { path: directory.to_owned(), source })
}

/// Whether there is a directory to replace, after checking that it may be replaced.
fn check_replaceable(directory: &Path, names: &[&str]) -> Result<bool, BundleError> {
    let failed = |source| BundleError::Io { path: directory.to_owned(), source };
    match fs::symlink_metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.is_dir() => return Err(BundleError::NotADirectory(directory.to_owned())),
        Ok(_) => {}
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_file = entry.file_type().map_err(failed)?.is_file();
        entries.push((entry.file_name().to_string_lossy().into_owned(), is_file));
    }
    let complete = entries.iter().any(|(entry, _)| entry == MANIFEST);
    let foreign =
        entries.into_iter().find(|(entry, is_file)| !(complete && *is_file && names.contains(&entry.as_str())));
    match foreign {
        None => Ok(true),
        Some((entry, _)) => Err(BundleError::Foreign { path: directory.to_owned(), entry }),
    }
}

fn fill(draft: &Path, files: &[(&'static str, String)]) -> io::Result<()> {
    fs::create_dir(draft)?;
    for (name, text) in files {
        let mut file = File::create_new(draft.join(name))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    sync_directory(draft)
}

/// Exchanges two directories in one step, or in three where the file system cannot do that.
fn exchange(draft: &Path, directory: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    match rename_with(draft, directory, rustix::fs::RenameFlags::EXCHANGE) {
        Err(error) if !is_unsupported(&error) => return Err(error),
        Ok(()) => return Ok(()),
        Err(_) => {}
    }
    let mut old = draft.as_os_str().to_owned();
    old.push(".old");
    let old = Path::new(&old);
    fs::rename(directory, old)?;
    if let Err(error) = fs::rename(draft, directory) {
        fs::rename(old, directory)?;
        return Err(error);
    }
    fs::rename(old, draft)
}

/// Moves the draft to a place where nothing is; a directory that somebody else put there meanwhile stays.
fn move_to_free_place(draft: &Path, directory: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    match rename_with(draft, directory, rustix::fs::RenameFlags::NOREPLACE) {
        Err(error) if !is_unsupported(&error) => return Err(error),
        Ok(()) => return Ok(()),
        Err(_) => {}
    }
    fs::rename(draft, directory)
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn rename_with(from: &Path, to: &Path, flags: rustix::fs::RenameFlags) -> io::Result<()> {
    Ok(rustix::fs::renameat_with(rustix::fs::CWD, from, rustix::fs::CWD, to, flags)?)
}

/// Whether the file system does not know the way of renaming.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn is_unsupported(error: &io::Error) -> bool {
    [rustix::io::Errno::INVAL, rustix::io::Errno::NOSYS, rustix::io::Errno::NOTSUP]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Removes a bundle by the names of its files, never recursively: what somebody else put there in the meantime stays.
fn discard(directory: &Path, names: &[&str]) {
    for name in names {
        let _ = fs::remove_file(directory.join(name));
    }
    let _ = fs::remove_dir(directory);
}
