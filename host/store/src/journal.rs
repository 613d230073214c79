//! Units of work that span several files.
//!
//! What is to be written into the other files is noted in the commit into the first one. A file that such units have
//! been written into knows where to look for that note, and which one it has taken in last. There is one note per file at a
//! time: a file is locked from before the note is made until it is taken in, so whoever locks it finds the last
//! note taken in, or takes it in first.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cavra_model::{Object, random_hex};
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::overlay::{Changes, Overlay};
use crate::place::{Layout, Location};

/// Property: where the notes for this file are.
pub(crate) const POINTER: &str = "journal";
/// Property: the unit that was taken in last.
pub(crate) const APPLIED: &str = "journal.applied";
/// Property: the name of this file in notes.
pub(crate) const STORE_ID: &str = "store_id";

/// Property with the note for the file of that id.
pub(crate) fn entry_name(id: &str) -> String {
    format!("journal.unit.{id}")
}

/// A name that nothing else has.
pub(crate) fn new_unit() -> Result<String, StoreError> {
    random_hex(16).map_err(|error| StoreError::Refused(error.to_string()))
}

/// What has to be written into one file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The unit of work.
    pub(crate) unit: String,
    /// The unit that the file had taken in last.
    after: String,
    /// Tables, keys and records; none for one that is removed.
    records: Vec<(String, String, Option<Object>)>,
    /// Areas, the number of leaves in their logs before, and the new leaves.
    logs: Vec<(String, u64, Vec<String>)>,
    /// Properties.
    properties: Vec<(String, String)>,
}

impl Entry {
    pub(crate) fn of(unit: &str, after: String, part: &Changes<'_>, sizes: &[(&'static str, u64)]) -> Self {
        let record = |(id, pending): &(&str, &crate::overlay::Pending)| {
            (pending.kind.table.to_owned(), (*id).to_owned(), pending.record.as_deref().cloned())
        };
        let log = |(area, size): &(&'static str, u64)| {
            ((*area).to_owned(), *size, part.leaves_of(area).map(ToOwned::to_owned).collect())
        };
        Self {
            unit: unit.to_owned(),
            after,
            records: part.records.iter().map(record).collect(),
            logs: sizes.iter().map(log).collect(),
            properties: part.properties.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        }
    }

    pub(crate) fn text(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|error| StoreError::Refused(error.to_string()))
    }

    pub(crate) fn parse(file: &Location, text: &str) -> Result<Self, StoreError> {
        let wrong = |error: serde_json::Error| {
            StoreError::unreadable(file.path(), &format!("the note of an interrupted unit of work: {error}"))
        };
        serde_json::from_str(text).map_err(wrong)
    }

    /// The logs it appends to, each with the number of leaves before.
    pub(crate) fn logs(&self) -> impl Iterator<Item = (&str, u64)> {
        self.logs.iter().map(|(area, size, _)| (area.as_str(), *size))
    }

    /// Whether a file in this state has not taken it in yet. An older copy of the file is none that it was made for.
    pub(crate) fn is_due(&self, applied: &str, sizes: &BTreeMap<String, u64>) -> bool {
        if self.unit == applied {
            return false;
        }
        let fits = self.after == applied && self.logs().all(|(area, size)| sizes.get(area) == Some(&size));
        if !fits {
            tracing::debug!(unit = self.unit, "an interrupted unit of work was made for another state of the store");
        }
        fits
    }

    /// What has to be written.
    pub(crate) fn overlay(&self, layout: &Layout, engine: usize) -> Result<Overlay, StoreError> {
        let kind = |table: &str| {
            let unknown = || {
                StoreError::Refused(format!("this store has no table {table}, which an interrupted unit of work needs"))
            };
            layout.kind(table).ok_or_else(unknown)
        };
        let mut overlay = Overlay::default();
        for (table, id, record) in &self.records {
            overlay.put((kind(table)?, engine), id.clone(), record.clone().map(Arc::new), false);
        }
        for (area, _, leaves) in &self.logs {
            let area = kind(area)?.table;
            leaves.iter().for_each(|leaf| overlay.append(engine, area, leaf.clone()));
        }
        for (name, value) in &self.properties {
            overlay.set_property(engine, name, value.clone());
        }
        overlay.set_property(engine, APPLIED, self.unit.clone());
        Ok(overlay)
    }
}

/// How a file names another one: relative to itself, so that both can be moved together.
pub(crate) fn pointer(own: &Location, other: &Location) -> String {
    let path = relative(own.full_name().parent().unwrap_or(Path::new("/")), &other.full_name());
    format!("{}:{}", other.mode().as_str(), path.display())
}

/// The file that another one names.
pub(crate) fn resolve(own: &Location, pointer: &str) -> Option<Location> {
    let folder = own.full_name().parent()?.to_owned();
    let at = |path: &str| {
        // The folder has no links in it, so that `..` can be taken at its word.
        Path::new(path).components().fold(folder.clone(), |mut found, part| {
            match part {
                Component::ParentDir => {
                    found.pop();
                }
                part => found.push(part),
            }
            found
        })
    };
    match pointer.split_once(':')? {
        ("json", path) => Some(Location::Json(at(path))),
        ("sqlite", path) => Some(Location::Sqlite(at(path))),
        _ => None,
    }
}

/// Whether two locations are one file.
pub(crate) fn same(left: &Location, right: &Location) -> bool {
    left.mode() == right.mode() && left.full_name() == right.full_name()
}

fn relative(from: &Path, to: &Path) -> PathBuf {
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let shared = from.iter().zip(&to).take_while(|(left, right)| left == right).count();
    let up = from.iter().skip(shared).map(|_| Component::ParentDir);
    up.chain(to.iter().skip(shared).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_name_each_other() {
        for (own, other, named) in [
            ("/p/.cavra/a.json", "/p/.cavra/api/b.json", "json:api/b.json"),
            ("/p/x/a.json", "/p/y/b.json", "json:../y/b.json"),
            ("/p/a.json", "/p/b.json", "json:b.json"),
        ] {
            let (own, other) = (Location::Json(own.into()), Location::Json(other.into()));
            assert_eq!(pointer(&own, &other), named);
            assert!(same(&resolve(&own, named).unwrap(), &other), "{named}");
        }
        assert_eq!(resolve(&Location::Json("/a".into()), "other:x"), None);
    }

    #[test]
    fn only_the_state_it_was_made_for() {
        let entry = Entry {
            unit: "u2".into(),
            after: "u1".into(),
            records: Vec::new(),
            logs: vec![("approvals".into(), 4, Vec::new())],
            properties: Vec::new(),
        };
        let sizes = |size: u64| BTreeMap::from([("approvals".to_owned(), size)]);
        assert!(entry.is_due("u1", &sizes(4)));
        for (applied, size) in [("u2", 4), ("u2", 5), ("", 4), ("u1", 3), ("u1", 5)] {
            assert!(!entry.is_due(applied, &sizes(size)), "{applied} {size}");
        }
    }
}
