//! The log of a store: leaves in the order in which they were committed. What a leaf says, and the hashes over all of
//! them, are the business of others.

use std::ops::Range;
use std::path::{Path, PathBuf};

use cavra_model::{Kind, Object};

use crate::{Location, Reader, StoreError, json, sqlite};

/// Longest leaf, in bytes: formats in which logs travel write its length in two bytes.
pub const MAX_LEAF: usize = 65_535;

/// Leaves read at once when all of them are wanted.
const CHUNK: u64 = 4096;

/// How a SQLite database begins.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// A store's file with its log and records, for those who only look at it: nothing is created or brought up to date.
/// Calls block.
pub struct LogFile {
    reader: Box<dyn Reader>,
    path: PathBuf,
}

/// A stored record, read with distrust.
#[derive(Debug)]
pub struct Audited<E = StoreError> {
    /// Its key.
    pub id: String,
    /// The record, or why it cannot be read.
    pub record: Result<Object, E>,
    /// Columns of the database that do not say what the record does.
    pub differing: Vec<&'static str>,
}

impl LogFile {
    /// The store at `location` with records of `kinds`.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] if there is none.
    pub fn open(location: &Location, kinds: &'static [&'static Kind]) -> Result<Self, StoreError> {
        let (Location::Json(path) | Location::Sqlite(path)) = location;
        std::fs::metadata(path).map_err(|error| StoreError::unreadable(path, &error))?;
        let reader: Box<dyn Reader> = match location {
            Location::Json(path) => Box::new(json::open(path, kinds)?.0),
            Location::Sqlite(path) => Box::new(sqlite::look(path)),
        };
        Ok(Self { reader, path: path.clone() })
    }

    /// What kind of store a file is, by how it begins.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub fn find(path: &Path) -> Result<Location, StoreError> {
        use std::io::Read as _;
        let mut start = Vec::new();
        let file = std::fs::File::open(path).map_err(|error| StoreError::unreadable(path, &error))?;
        file.take(SQLITE_MAGIC.len() as u64)
            .read_to_end(&mut start)
            .map_err(|error| StoreError::unreadable(path, &error))?;
        let is_database = start == SQLITE_MAGIC;
        Ok(if is_database { Location::Sqlite(path.to_owned()) } else { Location::Json(path.to_owned()) })
    }

    /// Where the store is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of leaves.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn size(&self) -> Result<u64, StoreError> {
        self.reader.log_size()
    }

    /// Shows `visit` the leaves `range`, one after the other.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a leaf is missing, or if the store cannot be read.
    pub fn walk(&self, range: Range<u64>, mut visit: impl FnMut(u64, &str)) -> Result<(), StoreError> {
        let mut next = range.start;
        while next < range.end {
            let leaves = self.reader.leaves(next..range.end.min(next.saturating_add(CHUNK)))?;
            if leaves.is_empty() {
                return Err(missing(&self.path, next));
            }
            for leaf in &leaves {
                visit(next, leaf);
                next += 1;
            }
        }
        Ok(())
    }

    /// One record.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn get(&self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError> {
        self.reader.get(kind, id)
    }

    /// Shows `visit` every record of a kind, with what a database keeps of it besides. Answers what is wrong with the
    /// ways in which lists find the records, in sentences.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn audit(&self, kind: &'static Kind, mut visit: impl FnMut(Audited)) -> Result<Vec<String>, StoreError> {
        self.reader.audit(kind, &mut visit)
    }
}

impl std::fmt::Debug for LogFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Refuses a leaf that is too long.
pub(crate) fn check_leaf(leaf: &str) -> Result<(), StoreError> {
    if leaf.len() <= MAX_LEAF {
        Ok(())
    } else {
        Err(StoreError::Refused(format!("a leaf of the log is longer than {MAX_LEAF} bytes")))
    }
}

/// A leaf that should be there is not.
pub(crate) fn missing(path: &Path, index: u64) -> StoreError {
    StoreError::corrupt(path, &format!("leaf {index} of its log is missing"))
}
