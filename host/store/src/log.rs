//! The log of a store: leaves in the order in which they were committed. What a leaf says, and the hashes over all of
//! them, are the business of others.

use std::ops::Range;
use std::path::{Path, PathBuf};

use cavra_model::{Kind, Object};

use crate::engine::Reader;
use crate::place::{Area, name_of};
use crate::{Location, StoreError, apart, json, sqlite};

/// Longest leaf, in bytes: formats in which logs travel write its length in two bytes.
pub const MAX_LEAF: usize = 65_535;

/// Leaves read at once when all of them are wanted.
const CHUNK: u64 = 4096;

/// How a SQLite database begins.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// What a log is called in its file if no other log of the file is: a table of a database, a member of a JSON file.
pub(crate) const SLOT: &str = "evidence_log";

/// What the logs of a file are called in it. The first area whose log nobody has named gets the plain name.
#[derive(Debug)]
pub(crate) struct Slots(Vec<(&'static str, String, bool)>);

impl Slots {
    /// The names for these areas, of which the file may have noted some.
    pub(crate) fn of(areas: &[&'static str], property: impl Fn(&str) -> Option<String>) -> Self {
        let noted: Vec<_> = areas.iter().map(|area| property(&Self::property(area))).collect();
        let owner = property(SLOT_OWNER);
        let mut is_free = owner.is_none() && !noted.iter().flatten().any(|slot| slot == SLOT);
        let name = |(area, noted): (&&'static str, Option<String>)| {
            if let Some(slot) = noted {
                return (*area, slot, true);
            }
            let plain = std::mem::take(&mut is_free) || owner.as_deref() == Some(*area);
            (*area, if plain { SLOT.to_owned() } else { format!("{SLOT}_{area}") }, false)
        };
        Self(areas.iter().zip(noted).map(name).collect())
    }

    fn property(area: &str) -> String {
        format!("log_slot:{area}")
    }

    /// The name of an area's log.
    pub(crate) fn get(&self, area: &str) -> &str {
        self.0.iter().find(|(known, _, _)| *known == area).map_or(SLOT, |(_, slot, _)| slot)
    }

    /// All names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, slot, _)| slot.as_str())
    }

    /// What the file has not noted yet: properties.
    pub(crate) fn unnoted(&self) -> impl Iterator<Item = (String, &str)> {
        let fresh = self.0.iter().filter(|(_, _, noted)| !noted);
        let owner = self.0.iter().filter(|(_, slot, noted)| !noted && slot == SLOT);
        let owner = owner.map(|(area, _, _)| (SLOT_OWNER.to_owned(), *area));
        fresh.map(|(area, slot, _)| (Self::property(area), slot.as_str())).chain(owner)
    }
}

/// Property: the area whose log has the plain name.
const SLOT_OWNER: &str = "log_slot_owner";

/// A store's file with its log and records, for those who only look at it: nothing is created or brought up to date.
/// Calls block.
pub struct LogFile {
    reader: Box<dyn Reader>,
    area: &'static str,
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
    pub fn open(location: &Location, kinds: Area) -> Result<Self, StoreError> {
        let path = location.path();
        std::fs::metadata(path).map_err(|error| StoreError::unreadable(path, &error))?;
        let reader: Box<dyn Reader> = match location {
            Location::Json(path) => Box::new(json::open(path, &[kinds])?.0),
            Location::Sqlite(path) => Box::new(sqlite::look(path, &[kinds])),
        };
        Ok(Self { reader, area: name_of(kinds), path: path.to_owned() })
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
        self.reader.log_size(self.area)
    }

    /// Shows `visit` the leaves `range`, one after the other.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a leaf is missing, or if the store cannot be read.
    pub fn walk(&self, range: Range<u64>, mut visit: impl FnMut(u64, &str)) -> Result<(), StoreError> {
        let mut next = range.start;
        while next < range.end {
            let leaves = self.reader.leaves(self.area, next..range.end.min(next.saturating_add(CHUNK)))?;
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

    /// What the file notes about itself under that name.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn property(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.reader.property(name)
    }

    /// One record.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn get(&self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError> {
        match self.reader.get(kind, id)? {
            Some(record) => apart::whole(self.reader.as_ref(), kind, record),
            None => Ok(None),
        }
    }

    /// Shows `visit` every record of a kind, with what a database keeps of it besides. Answers what is wrong with the
    /// ways in which lists find the records, in sentences.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn audit(&self, kind: &'static Kind, mut visit: impl FnMut(Audited)) -> Result<Vec<String>, StoreError> {
        let reader = self.reader.as_ref();
        reader.audit(kind, &mut |Audited { id, record, differing }| match record
            .and_then(|record| apart::whole(reader, kind, record))
        {
            Ok(Some(record)) => visit(Audited { id, record: Ok(record), differing }),
            Ok(None) => {}
            Err(error) => visit(Audited { id, record: Err(error), differing }),
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Who shares a file, and in which order, does not change which log is whose.
    #[test]
    fn logs_keep_their_names() {
        let mut noted = BTreeMap::new();
        let mut names = |areas: &[&'static str]| {
            let slots = Slots::of(areas, |name| noted.get(name).cloned());
            let news: Vec<_> = slots.unnoted().map(|(name, slot)| (name, slot.to_owned())).collect();
            noted.extend(news);
            slots.iter().map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(names(&["approvals"]), ["evidence_log"]);
        assert_eq!(names(&["activity", "approvals"]), ["evidence_log_activity", "evidence_log"]);
        assert_eq!(names(&["evidence"]), ["evidence_log_evidence"]);
        assert_eq!(names(&["evidence", "activity"]), ["evidence_log_evidence", "evidence_log_activity"]);
    }
}
