//! The file of a JSON store: reading it, noticing that it changed, replacing it, and taking turns at that.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cavra_model::Kind;

use crate::StoreError;
use crate::files::{self, FILE_MODE, create_parents, sibling};

use super::document::Document;

/// How long a writer leaves the lock alone after it had it, so that the others, who look every quarter of a millisecond
/// at first, get their turn even if this one never runs out of work.
const LOCK_PAUSE: Duration = Duration::from_micros(400);

/// The file a document was read from or written to. It is kept open, so that its inode number cannot come again and
/// another inode is always another content.
#[derive(Debug)]
pub(super) struct Source {
    _file: File,
    mark: Mark,
}

/// What tells one content of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Source {
    fn new(file: File) -> io::Result<Self> {
        let mark = Mark::of(&file.metadata()?);
        Ok(Self { _file: file, mark })
    }

    /// Which content it is.
    pub(super) fn mark(&self) -> Mark {
        self.mark
    }
}

impl Mark {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// The file that is meant: what a symbolic link points to, which must exist.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => fs::canonicalize(path)
            .map_err(|error| StoreError::unavailable(path, &format!("the symbolic link leads nowhere: {error}"))),
        _ => Ok(path.to_owned()),
    }
}

/// Whether the file is still the one the document came from.
pub(super) fn is_current(path: &Path, document: &Document) -> Result<bool, StoreError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(document.source.as_ref().is_some_and(|source| source.mark == Mark::of(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(document.source.is_none()),
        Err(error) => Err(StoreError::unreadable(path, &error)),
    }
}

/// Reads the file. One that is not there is empty.
pub(super) fn load(path: &Path, kinds: &[&'static Kind]) -> Result<Document, StoreError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Document::default()),
        Err(error) => return Err(StoreError::unreadable(path, &error)),
    };
    let unreadable = |error: io::Error| StoreError::unreadable(path, &error);
    // Marked before it is read: whatever changes it meanwhile is noticed next time.
    let mark = Mark::of(&file.metadata().map_err(unreadable)?);
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(unreadable)?;
    let mut document = Document::parse(&text, kinds).map_err(|reason| StoreError::unreadable(path, &reason))?;
    document.source = Some(Source { _file: file, mark });
    Ok(document)
}

/// Replaces the file as [`files::replace`] does; it keeps its permissions.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<Source, StoreError> {
    let permissions = fs::metadata(path).ok().map(|existing| existing.permissions());
    let written = files::replace(path, content, permissions).and_then(Source::new);
    written.map_err(|error| StoreError::unavailable(path, &error))
}

/// The advisory lock of one writer.
#[derive(Debug, Default)]
pub(crate) struct Lock {
    file: Option<(PathBuf, File)>,
    released: Option<Instant>,
}

impl Lock {
    /// Takes the lock beside `path` if it is free; answers whether it was.
    pub(crate) fn take(&mut self, path: &Path) -> Result<bool, StoreError> {
        let unavailable = |error: io::Error| StoreError::unavailable(path, &error);
        if let Some(rest) = self.released.and_then(|released| LOCK_PAUSE.checked_sub(released.elapsed())) {
            std::thread::sleep(rest);
        }
        let name = sibling(path, ".lock");
        loop {
            let file = match self.file.take() {
                Some((known, file)) if known == name && is_file(&name, &file) => file,
                _ => {
                    create_parents(path).map_err(unavailable)?;
                    open_lock(&name).map_err(unavailable)?
                }
            };
            let taken = match file.try_lock() {
                Ok(()) if is_file(&name, &file) => true,
                // Somebody removed the lock file meanwhile; others lock another one.
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) => false,
                Err(TryLockError::Error(error)) => return Err(unavailable(error)),
            };
            self.file = Some((name, file));
            return Ok(taken);
        }
    }

    /// Gives it back.
    pub(crate) fn release(&mut self) {
        if let Some((_, file)) = &self.file
            && file.unlock().is_err()
        {
            // Closing the file releases the lock.
            self.file = None;
        }
        self.released = Some(Instant::now());
    }
}

fn open_lock(name: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(name)
}

/// Whether `path` still names the open `file`.
fn is_file(path: &Path, file: &File) -> bool {
    match (fs::metadata(path), file.metadata()) {
        (Ok(named), Ok(open)) => (named.dev(), named.ino()) == (open.dev(), open.ino()),
        _ => false,
    }
}
