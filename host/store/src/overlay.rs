//! Records written but not yet committed, and the view of the store through them that a unit of work has.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use cavra_model::{Apart, Kind, Object};

use crate::attachments::is_name;
use crate::engines::Engines;
use crate::log::check_leaf;
use crate::place::name_of;
use crate::query::{Cell, filter_column, group_column, id_of};
use crate::{LargeBytes, StoreError, Transaction, apart};

/// A record waiting for the commit.
#[derive(Debug)]
pub(crate) struct Pending {
    /// Its kind.
    pub(crate) kind: &'static Kind,
    /// Its newest content; nothing if it is removed.
    pub(crate) record: Option<Arc<Object>>,
    /// The engine is known not to have a record with this key.
    pub(crate) absent: bool,
    /// The file it belongs to.
    engine: usize,
    /// Place in the order of first writes.
    at: usize,
}

/// What one engine's commit makes durable.
#[derive(Debug, Default)]
pub(crate) struct Changes<'a> {
    /// Records with their keys, in the order of first writes.
    pub(crate) records: Vec<(&'a str, &'a Pending)>,
    /// Leaves to be appended to the logs, each with its area.
    pub(crate) leaves: Vec<(&'static str, &'a str)>,
    /// What the file notes about itself.
    pub(crate) properties: Vec<(&'a str, &'a str)>,
}

impl<'a> Changes<'a> {
    /// The leaves of one log, in their order.
    pub(crate) fn leaves_of(&self, area: &str) -> impl Iterator<Item = &'a str> {
        self.leaves.iter().filter(move |(known, _)| *known == area).map(|(_, leaf)| *leaf)
    }

    /// The logs that get leaves.
    pub(crate) fn logs(&self) -> Vec<&'static str> {
        let mut logs: Vec<&'static str> = Vec::new();
        for (area, _) in &self.leaves {
            if !logs.contains(area) {
                logs.push(area);
            }
        }
        logs
    }
}

/// Records, leaves and properties waiting for the commit.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    tables: HashMap<&'static str, HashMap<String, Pending>>,
    next: usize,
    leaves: Vec<(usize, &'static str, String)>,
    properties: BTreeMap<(usize, String), String>,
}

impl Overlay {
    /// The pending record with that key.
    fn get(&self, kind: &Kind, id: &str) -> Option<&Pending> {
        self.tables.get(kind.table)?.get(id)
    }

    fn of_kind(&self, kind: &Kind) -> impl Iterator<Item = (&String, &Pending)> {
        self.tables.get(kind.table).into_iter().flatten()
    }

    /// Writes a record of a kind that is in the file `engine`.
    pub(crate) fn put(
        &mut self,
        (kind, engine): (&'static Kind, usize),
        id: String,
        record: Option<Arc<Object>>,
        absent: bool,
    ) {
        let at = self.next;
        self.next += 1;
        match self.tables.entry(kind.table).or_default().entry(id) {
            std::collections::hash_map::Entry::Occupied(mut known) => known.get_mut().record = record,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(Pending { kind, record, absent, engine, at });
            }
        }
    }

    /// Appends a leaf to the log of an area that is in the file `engine`.
    pub(crate) fn append(&mut self, engine: usize, area: &'static str, leaf: String) {
        self.leaves.push((engine, area, leaf));
    }

    /// Notes something about the file `engine`.
    pub(crate) fn set_property(&mut self, engine: usize, name: &str, value: String) {
        self.properties.insert((engine, name.to_owned()), value);
    }

    /// Lays a later overlay over this one.
    pub(crate) fn merge(&mut self, later: Self) {
        self.leaves.extend(later.leaves);
        self.properties.extend(later.properties);
        let mut pending: Vec<_> = later.tables.into_values().flatten().collect();
        pending.sort_by_key(|(_, pending)| pending.at);
        for (id, Pending { kind, record, absent, engine, .. }) in pending {
            self.put((kind, engine), id, record, absent);
        }
    }

    /// Everything pending, by file in ascending order.
    pub(crate) fn parts(&self) -> BTreeMap<usize, Changes<'_>> {
        let mut parts: BTreeMap<usize, Changes<'_>> = BTreeMap::new();
        for (id, pending) in self.tables.values().flatten() {
            parts.entry(pending.engine).or_default().records.push((id, pending));
        }
        for changes in parts.values_mut() {
            changes.records.sort_by_key(|(_, pending)| pending.at);
        }
        for (engine, area, leaf) in &self.leaves {
            parts.entry(*engine).or_default().leaves.push((area, leaf));
        }
        for ((engine, name), value) in &self.properties {
            parts.entry(*engine).or_default().properties.push((name, value));
        }
        parts
    }
}

/// What one unit of work sees: its own writes over those of the units before it in the batch over the engines.
pub(crate) struct Scope<'a> {
    pub(crate) engines: &'a mut Engines,
    pub(crate) batch: &'a Overlay,
    pub(crate) own: Overlay,
}

impl Scope<'_> {
    fn pending(&self, kind: &Kind, id: &str) -> Option<&Pending> {
        self.own.get(kind, id).or_else(|| self.batch.get(kind, id))
    }

    /// A record as it is stored.
    fn stored(&mut self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError> {
        let engine = self.engine(kind)?;
        match self.pending(kind, id) {
            Some(pending) => Ok(pending.record.as_deref().cloned()),
            None => self.engines.at(engine)?.get(kind, id),
        }
    }

    /// Where large parts of the kind's records are kept, if the store has a place for them.
    fn apart(&self, kind: &Kind) -> Option<Apart> {
        let has = |kind: &Kind| self.engines.layout.engine(kind).is_ok();
        kind.apart.filter(|apart| has(apart.documents) && has(apart.uses))
    }

    /// Keeps the large parts of a record apart that takes the place of what is stored; answers what is to be stored.
    fn kept(&mut self, kind: &'static Kind, id: &str, record: Arc<Object>) -> Result<Arc<Object>, StoreError> {
        let Some(place) = self.apart(kind) else { return Ok(record) };
        let before = self.parts(kind, id)?;
        let (record, documents) = match apart::cut(kind, &record) {
            Some((record, documents)) => (Arc::new(record), documents),
            None => (record, Vec::new()),
        };
        let kept: BTreeSet<String> = documents.iter().map(|document| document.sha256.clone()).collect();
        for apart::Document { sha256, record } in documents {
            let used = apart::use_of(&sha256, id);
            if !self.holds(place.uses, &used)? {
                self.insert(place.uses, apart::used(&sha256, id))?;
            }
            // One that somebody broke or changed would be lost, although it is at hand.
            if self.replaced(place.documents, &sha256)?.as_ref() != Some(&record) {
                self.put(place.documents, record)?;
            }
        }
        self.let_go(place, id, before.difference(&kept))?;
        Ok(record)
    }

    /// The parts that a stored record has; one that cannot be read says nothing.
    fn parts(&mut self, kind: &'static Kind, id: &str) -> Result<BTreeSet<String>, StoreError> {
        let stored = match self.stored(kind, id) {
            Err(StoreError::Broken { .. }) => None,
            stored => stored?,
        };
        let parts = stored.map(|stored| apart::parts(kind, &stored)).unwrap_or_default();
        Ok(parts.into_iter().map(|part| part.sha256).collect())
    }

    /// A record does not have these parts any more; what no record has goes.
    fn let_go<'d>(
        &mut self,
        place: Apart,
        id: &str,
        parts: impl Iterator<Item = &'d String>,
    ) -> Result<(), StoreError> {
        for sha256 in parts {
            self.remove(place.uses, &apart::use_of(sha256, id))?;
            if self.tally(place.uses, ("sha256", sha256), "sha256")?.is_empty() {
                self.remove(place.documents, sha256)?;
            }
        }
        Ok(())
    }

    /// The file of a kind. It is ours from here on: what is written has to find room in the commit.
    fn engine(&mut self, kind: &Kind) -> Result<usize, StoreError> {
        let engine = self.engines.layout.engine(kind)?;
        self.engines.at(engine)?;
        Ok(engine)
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
        let Some(record) = self.stored(kind, id)? else { return Ok(None) };
        let Some(place) = self.apart(kind) else { return Ok(Some(record)) };
        let broken = apart::broken(kind, &record);
        let find = |part: &apart::Part| Ok(self.stored(place.documents, &part.sha256)?.and_then(apart::document));
        apart::joined(kind, record, find)?.map(Some).ok_or(broken)
    }

    fn holds(&mut self, kind: &'static Kind, id: &str) -> Result<bool, StoreError> {
        let engine = self.engine(kind)?;
        match self.pending(kind, id) {
            Some(pending) => Ok(pending.record.is_some()),
            None => self.engines.at(engine)?.exists(kind, id),
        }
    }

    fn insert_shared(&mut self, kind: &'static Kind, record: Arc<Object>) -> Result<(), StoreError> {
        let id = id_of(kind, &record)?.to_owned();
        if self.holds(kind, &id)? {
            return Err(StoreError::Exists);
        }
        let (engine, record) = (self.engine(kind)?, self.kept(kind, &id, record)?);
        // One that is removed in the same commit is there until then.
        let absent = self.pending(kind, &id).is_none_or(|pending| pending.absent);
        self.own.put((kind, engine), id, Some(record), absent);
        Ok(())
    }

    fn remove(&mut self, kind: &'static Kind, id: &str) -> Result<bool, StoreError> {
        if !self.holds(kind, id)? {
            return Ok(false);
        }
        let engine = self.engine(kind)?;
        if let Some(place) = self.apart(kind) {
            let parts = self.parts(kind, id)?;
            self.let_go(place, id, parts.iter())?;
        }
        let absent = self.pending(kind, id).is_some_and(|pending| pending.absent);
        self.own.put((kind, engine), id.to_owned(), None, absent);
        Ok(true)
    }

    fn put(&mut self, kind: &'static Kind, record: Object) -> Result<(), StoreError> {
        let engine = self.engine(kind)?;
        let id = id_of(kind, &record)?.to_owned();
        let record = self.kept(kind, &id, Arc::new(record))?;
        let absent = self.pending(kind, &id).is_some_and(|pending| pending.absent);
        self.own.put((kind, engine), id, Some(record), absent);
        Ok(())
    }

    fn tally(&mut self, kind: &'static Kind, by: (&str, &str), group: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let engine = self.engine(kind)?;
        let (column, group) = (filter_column(kind, by.0)?, group_column(kind, group)?);
        let Some(value) = Cell::parse(column, by.1) else { return Ok(Vec::new()) };
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        for (name, count) in self.engines.at(engine)?.tally(kind, (column, &value), group)? {
            counts.insert(name, i64::try_from(count).unwrap_or(i64::MAX));
        }
        let mut add = |record: &Object, by: i64| {
            if Cell::of(column, record) == value {
                *counts.entry(Cell::of(group, record).to_string()).or_default() += by;
            }
        };
        let earlier = self.batch.of_kind(kind).filter(|(id, _)| self.own.get(kind, id).is_none());
        for (id, pending) in self.own.of_kind(kind).chain(earlier) {
            if let Some(record) = &pending.record {
                add(record, 1);
            }
            if !pending.absent
                && let Some(stored) = self.engines.at(engine)?.get(kind, id)?
            {
                add(&stored, -1);
            }
        }
        let positive = |(name, count): (String, i64)| {
            u64::try_from(count).ok().filter(|count| *count > 0).map(|count| (name, count))
        };
        Ok(counts.into_iter().filter_map(positive).collect())
    }

    fn append(&mut self, kind: &'static Kind, leaf: String) -> Result<(), StoreError> {
        check_leaf(&leaf)?;
        let engine = self.engine(kind)?;
        let area = name_of(self.engines.layout.area(kind)?.area);
        self.own.append(engine, area, leaf);
        Ok(())
    }

    fn large_bytes(&mut self, kind: &'static Kind) -> Result<LargeBytes, StoreError> {
        let engine = self.engine(kind)?;
        Ok(self.engines.at(engine)?.large_bytes())
    }

    fn attach(&mut self, kind: &'static Kind, sha256: &str, bytes: &[u8]) -> Result<(), StoreError> {
        if !is_name(sha256) {
            return Err(StoreError::Refused("an attachment is named by its SHA-256".to_owned()));
        }
        let engine = self.engine(kind)?;
        self.engines.at(engine)?.attach(sha256, bytes)
    }

    fn property(&mut self, kind: &'static Kind, name: &str) -> Result<Option<String>, StoreError> {
        let engine = self.engine(kind)?;
        let key = (engine, name.to_owned());
        match self.own.properties.get(&key).or_else(|| self.batch.properties.get(&key)) {
            Some(value) => Ok(Some(value.clone())),
            None => self.engines.at(engine)?.property(name),
        }
    }

    fn set_property(&mut self, kind: &'static Kind, name: &str, value: String) -> Result<(), StoreError> {
        let engine = self.engine(kind)?;
        self.own.set_property(engine, name, value);
        Ok(())
    }
}
