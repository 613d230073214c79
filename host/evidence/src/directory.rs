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
    let exists = check_replaceable(directory, &names)?;

    fs::create_dir_all(parent).map_err(failed)?;
    let sibling = |suffix: &str| {
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.{suffix}", random_hex(6)));
        parent.join(hidden)
    };
    let draft = sibling("new");
    let written = fill(&draft, files)
        .and_then(|()| swap(&draft, directory, exists.then(|| sibling("old")).as_deref(), &names))
        .and_then(|()| sync_directory(parent));
    if written.is_err() {
        // The first error is the one to report, whether or not the clean-up works.
        discard(&draft, &names);
    }
    written.map_err(failed)
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

/// Renames `draft` to `directory`; what stood there goes to `old` first and is put back if the draft cannot follow.
fn swap(draft: &Path, directory: &Path, old: Option<&Path>, names: &[&str]) -> io::Result<()> {
    let Some(old) = old else { return fs::rename(draft, directory) };
    fs::rename(directory, old)?;
    if let Err(error) = fs::rename(draft, directory) {
        fs::rename(old, directory)?;
        return Err(error);
    }
    discard(old, names);
    Ok(())
}

/// Removes a bundle by the names of its files, never recursively: what somebody else put there in the meantime stays.
fn discard(directory: &Path, names: &[&str]) {
    for name in names {
        let _ = fs::remove_file(directory.join(name));
    }
    let _ = fs::remove_dir(directory);
}
