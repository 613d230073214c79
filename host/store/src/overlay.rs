//! Records written but not yet committed, and the view of the store through them that a transaction has.

use std::collections::{BTreeMap, HashMap};

use cavra_model::{Kind, Object};

use crate::attachments::is_name;
use crate::log::check_leaf;
use crate::query::{Cell, filter_column, group_column, id_of};
use crate::writer::Backend;
use crate::{StoreError, Transaction};

/// A record waiting for the commit.
#[derive(Debug)]
pub(crate) struct Pending {
    /// Its kind.
    pub(crate) kind: &'static Kind,
    /// Its newest content.
    pub(crate) record: Object,
    /// The backend is known not to have a record with this key.
    pub(crate) absent: bool,
    /// Place in the order of first writes.
    at: usize,
}

/// What a commit makes durable.
#[derive(Debug)]
pub(crate) struct Changes<'a> {
    /// Records with their keys.
    pub(crate) records: Vec<(&'a str, &'a Pending)>,
    /// Leaves to be appended to the log.
    pub(crate) leaves: &'a [String],
}

impl Changes<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.leaves.is_empty()
    }
}

/// Records and leaves waiting for the commit.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    tables: HashMap<&'static str, HashMap<String, Pending>>,
    next: usize,
    leaves: Vec<String>,
}

impl Overlay {
    /// The pending record with that key.
    fn get(&self, kind: &Kind, id: &str) -> Option<&Pending> {
        self.tables.get(kind.table)?.get(id)
    }

    fn of_kind(&self, kind: &Kind) -> impl Iterator<Item = (&String, &Pending)> {
        self.tables.get(kind.table).into_iter().flatten()
    }

    fn put(&mut self, kind: &'static Kind, id: String, record: Object, absent: bool) {
        let at = self.next;
        self.next += 1;
        self.tables
            .entry(kind.table)
            .or_default()
            .entry(id)
            .and_modify(|pending| pending.record.clone_from(&record))
            .or_insert(Pending { kind, record, absent, at });
    }

    /// Lays a later overlay over this one.
    pub(crate) fn merge(&mut self, later: Self) {
        self.leaves.extend(later.leaves);
        let mut pending: Vec<_> = later.tables.into_values().flatten().collect();
        pending.sort_by_key(|(_, pending)| pending.at);
        for (id, pending) in pending {
            self.put(pending.kind, id, pending.record, pending.absent);
        }
    }

    /// Everything pending: records in the order of first writes, and leaves.
    pub(crate) fn changes(&self) -> Changes<'_> {
        let mut records: Vec<_> = self.tables.values().flatten().map(|(id, pending)| (id.as_str(), pending)).collect();
        records.sort_by_key(|(_, pending)| pending.at);
        Changes { records, leaves: &self.leaves }
    }
}

/// What one closure sees: its own writes over those of the closures before it in the batch over the backend.
pub(crate) struct Scope<'a> {
    pub(crate) kinds: &'static [&'static Kind],
    pub(crate) backend: &'a mut dyn Backend,
    pub(crate) batch: &'a Overlay,
    pub(crate) own: Overlay,
}

impl Scope<'_> {
    fn pending(&self, kind: &Kind, id: &str) -> Option<&Pending> {
        self.own.get(kind, id).or_else(|| self.batch.get(kind, id))
    }

    fn check(&self, kind: &Kind) -> Result<(), StoreError> {
        check_kind(self.kinds, kind)
    }
}

/// A store only has the kinds it was opened with.
pub(crate) fn check_kind(kinds: &[&'static Kind], kind: &Kind) -> Result<(), StoreError> {
    if kinds.iter().any(|known| known.table == kind.table) {
        Ok(())
    } else {
        Err(StoreError::Refused(format!("this store has no {}", kind.collection)))
    }
}

impl Transaction for Scope<'_> {
    fn get(&mut self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError> {
        self.check(kind)?;
        match self.pending(kind, id) {
            Some(pending) => Ok(Some(pending.record.clone())),
            None => self.backend.get(kind, id),
        }
    }

    fn holds(&mut self, kind: &'static Kind, id: &str) -> Result<bool, StoreError> {
        self.check(kind)?;
        Ok(self.pending(kind, id).is_some() || self.backend.exists(kind, id)?)
    }

    fn insert(&mut self, kind: &'static Kind, record: Object) -> Result<(), StoreError> {
        let id = id_of(kind, &record)?.to_owned();
        if self.holds(kind, &id)? {
            return Err(StoreError::Exists);
        }
        self.own.put(kind, id, record, true);
        Ok(())
    }

    fn put(&mut self, kind: &'static Kind, record: Object) -> Result<(), StoreError> {
        self.check(kind)?;
        let id = id_of(kind, &record)?.to_owned();
        let absent = self.pending(kind, &id).is_some_and(|pending| pending.absent);
        self.own.put(kind, id, record, absent);
        Ok(())
    }

    fn tally(&mut self, kind: &'static Kind, by: (&str, &str), group: &str) -> Result<Vec<(String, u64)>, StoreError> {
        self.check(kind)?;
        let (column, group) = (filter_column(kind, by.0)?, group_column(kind, group)?);
        let Some(value) = Cell::parse(column, by.1) else { return Ok(Vec::new()) };
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        for (name, count) in self.backend.tally(kind, (column, &value), group)? {
            counts.insert(name, i64::try_from(count).unwrap_or(i64::MAX));
        }
        let mut add = |record: &Object, by: i64| {
            if Cell::of(column, record) == value {
                *counts.entry(Cell::of(group, record).to_string()).or_default() += by;
            }
        };
        let earlier = self.batch.of_kind(kind).filter(|(id, _)| self.own.get(kind, id).is_none());
        for (id, pending) in self.own.of_kind(kind).chain(earlier) {
            add(&pending.record, 1);
            if !pending.absent
                && let Some(stored) = self.backend.get(kind, id)?
            {
                add(&stored, -1);
            }
        }
        let positive = |(name, count): (String, i64)| {
            u64::try_from(count).ok().filter(|count| *count > 0).map(|count| (name, count))
        };
        Ok(counts.into_iter().filter_map(positive).collect())
    }

    fn attach(&mut self, sha256: &str, bytes: &[u8]) -> Result<bool, StoreError> {
        if !is_name(sha256) {
            return Err(StoreError::Refused("an attachment is named by its SHA-256".to_owned()));
        }
        self.backend.attach(sha256, bytes)
    }

    fn append(&mut self, leaf: String) -> Result<(), StoreError> {
        check_leaf(&leaf)?;
        self.own.leaves.push(leaf);
        Ok(())
    }
}
