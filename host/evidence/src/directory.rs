//! Putting a directory in place as a whole: written beside, made durable, renamed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use cavra_artifacts::{Otherwise, create_parents, parent, put_directory, sync_directory, unique_sibling};
use thiserror::Error;

use crate::bundle::MANIFEST;
use crate::files::DIRECTORY_MODE;

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
    if directory.file_name().is_none() {
        return Err(BundleError::NotADirectory(directory.to_owned()));
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    check_replaceable(directory, &names)?;

    create_parents(directory, DIRECTORY_MODE).map_err(failed)?;
    let draft = unique_sibling(directory).map_err(failed)?;
    let written = fill(&draft, files).map_err(failed).and_then(|()| put_in_place(&draft, directory, &names));
    // On success this is what was replaced. On failure the first error is the one to report, whether or not this works.
    discard(&draft, &names);
    written
}

/// How often somebody else may come first.
const ATTEMPTS: usize = 8;

/// Puts `draft` where `directory` is or is to be; afterwards `draft` is what stood there.
fn put_in_place(draft: &Path, directory: &Path, names: &[&str]) -> Result<(), BundleError> {
    let failed = |source| BundleError::Io { path: directory.to_owned(), source };
    let within = File::open(parent(directory)).map_err(failed)?;
    let [draft, name] = [draft, directory].map(|path| Path::new(path.file_name().unwrap_or_default()));
    let mut outcome = Ok(());
    for _ in 0..ATTEMPTS {
        let exists = check_replaceable(directory, names)?;
        outcome = put_directory(&within, draft, name, exists, Otherwise::InSteps);
        let raced = |error: &io::Error| {
            let kinds = [io::ErrorKind::AlreadyExists, io::ErrorKind::DirectoryNotEmpty, io::ErrorKind::NotFound];
            kinds.contains(&error.kind())
        };
        if !outcome.as_ref().is_err_and(raced) {
            break;
        }
    }
    outcome.map_err(failed)
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

/// Removes a bundle by the names of its files, never recursively: what somebody else put there in the meantime stays.
fn discard(directory: &Path, names: &[&str]) {
    for name in names {
        let _ = fs::remove_file(directory.join(name));
    }
    let _ = fs::remove_dir(directory);
}
