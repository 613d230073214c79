//! Files and directories that are there whole or not at all: written beside their place, made durable, renamed. What may
//! be replaced, and what a failure is called, is the caller's to say.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use cavra_model::random_hex;
use rustix::fs::{Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use thiserror::Error;

/// Who may read a file that is written.
#[derive(Clone, Debug)]
pub enum Access {
    /// Whoever the process lets read its files.
    Mask,
    /// Its owner alone.
    Owner,
    /// Its owner alone while it is written, and then these.
    As(Permissions),
}

/// Where a file is written before it gets its name.
#[derive(Clone, Copy, Debug)]
pub enum Draft {
    /// Under a name nobody else has.
    Unique,
    /// Under the one name `<file>.tmp`: the caller has a lock, and what a crash left there is removed.
    Locked,
}

/// A file was not read.
#[derive(Debug, Error)]
pub enum FileError {
    /// A directory, device, pipe or socket.
    #[error("no regular file")]
    NotAFile,
    /// Larger than a file of its kind can be.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Replaces the file `path`, durably and at once: whoever opens it finds the old content or the new. Answers the new
/// file.
///
/// # Errors
/// What the system said; the old content is still there.
pub fn replace_file(path: &Path, content: &[u8], access: &Access, draft: Draft) -> io::Result<File> {
    let draft = match draft {
        Draft::Unique => unique_sibling(path)?,
        Draft::Locked => {
            let draft = sibling(path, ".tmp");
            match fs::remove_file(&draft) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => draft,
            }
        }
    };
    put(path, &draft, content, access, |draft| fs::rename(draft, path))
}

/// Writes a file as [`replace_file`] does, unless there is one: also if two try at once, one of them fails.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], or what else the system said.
pub fn create_file(path: &Path, content: &[u8], access: &Access) -> io::Result<File> {
    put(path, &unique_sibling(path)?, content, access, |draft| {
        // A second name for the draft is refused where the name is taken; renaming would replace.
        fs::hard_link(draft, path)?;
        fs::remove_file(draft)
    })
}

fn put(
    path: &Path,
    draft: &Path,
    content: &[u8],
    access: &Access,
    name: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<File> {
    let written = write(draft, content, access).and_then(|file| {
        name(draft)?;
        sync_directory(parent(path))?;
        Ok(file)
    });
    written.inspect_err(|_| {
        // The first error is the one to report, whether or not this works.
        let _ = fs::remove_file(draft);
    })
}

fn write(draft: &Path, content: &[u8], access: &Access) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    if !matches!(access, Access::Mask) {
        options.mode(0o600);
    }
    let mut file = options.open(draft)?;
    if let Access::As(permissions) = access {
        file.set_permissions(permissions.clone())?;
    }
    file.write_all(content)?;
    file.sync_all()?;
    Ok(file)
}

/// How directories change places where the file system cannot exchange them in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// They do not: somebody could see that there is none for a moment, or a crash could leave none.
    Refuse,
    /// In three steps.
    InSteps,
}

/// Puts the directory `draft` where `place` is, if it is there (`exists`), or is to be; both are entries of the
/// directory `within`. Durable when this returns, and `draft` is then what stood there.
///
/// # Errors
/// What the system said, such as that there is something else at `place` by now; nothing was changed.
pub fn put_directory(
    within: impl AsFd,
    draft: &Path,
    place: &Path,
    exists: bool,
    otherwise: Otherwise,
) -> io::Result<()> {
    let within = within.as_fd();
    let how = if exists { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
    let done = match rustix::fs::renameat_with(within, draft, within, place, how) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if otherwise == Otherwise::InSteps => {
            in_steps(|from, to| rustix::fs::renameat(within, from, within, to), draft, place, exists)
        }
        done => done,
    };
    done?;
    let opened = rustix::fs::openat(within, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(rustix::fs::fsync(opened)?)
}

fn in_steps(
    rename: impl Fn(&Path, &Path) -> Result<(), Errno>,
    draft: &Path,
    place: &Path,
    exists: bool,
) -> Result<(), Errno> {
    if !exists {
        return rename(draft, place);
    }
    let old = sibling(draft, ".old");
    rename(place, &old)?;
    if let Err(error) = rename(draft, place) {
        rename(&old, place)?;
        return Err(error);
    }
    rename(&old, draft)
}

/// The directory that holds `path`.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `path` with `suffix` appended to its last part.
#[must_use]
pub fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A hidden name beside `path` that nobody else has.
///
/// # Errors
/// If `path` has no name of its own, or there is no randomness.
pub fn unique_sibling(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.new", random_hex(6).map_err(io::Error::other)?));
    Ok(parent(path).join(hidden))
}

/// The folder in which cavra keeps what belongs to a project.
const PROJECT_FOLDER: &str = ".cavra";

/// What version control sees of the folder of a project: the policy and the settings, never records and keys.
const PROJECT_IGNORED: &str =
    "# Records, keys and caches stay out of version control.\n*\n!.gitignore\n!config.yaml\n!policy.yaml\n";

/// Keeps what is in the folder `.cavra` of a project out of version control, policy and settings apart. A `.gitignore` that
/// is there is its owner's. Answers whether one was written.
///
/// # Errors
/// What the system said.
pub fn keep_out_of_version_control(folder: &Path) -> io::Result<bool> {
    match OpenOptions::new().write(true).create_new(true).open(folder.join(".gitignore")) {
        Ok(mut file) => file.write_all(PROJECT_IGNORED.as_bytes()).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Creates the directories above `path` that are missing, durably and with this mode. The folder of a project is kept out of
/// version control from its first file on.
///
/// # Errors
/// What the system said.
pub fn create_parents(path: &Path, mode: u32) -> io::Result<()> {
    let directory = parent(path);
    let missing: Vec<&Path> =
        directory.ancestors().take_while(|at| !at.as_os_str().is_empty() && !at.exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(mode).create(directory)?;
    for folder in missing.iter().filter(|created| created.file_name().is_some_and(|name| name == PROJECT_FOLDER)) {
        keep_out_of_version_control(folder)?;
    }
    missing.into_iter().try_for_each(|created| sync_directory(parent(created)))
}

/// Makes the entries of a directory durable.
///
/// # Errors
/// What the system said.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// The bytes of a regular file, at most `limit` of them. What it is, is asked of what was opened; opening a pipe or a
/// device does not wait.
///
/// # Errors
/// [`FileError`].
pub fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = opened.map_err(|error| {
        // A socket cannot be opened at all, nor can a directory without rights.
        let strange = fs::metadata(path).is_ok_and(|found| !found.is_file());
        if strange { FileError::NotAFile } else { FileError::Io(error) }
    })?;
    if !file.metadata()?.is_file() {
        return Err(FileError::NotAFile);
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit { Err(FileError::TooLarge(limit)) } else { Ok(bytes) }
}

#[cfg(test)]
#[path = "whole_tests.rs"]
mod tests;
