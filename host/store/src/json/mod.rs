//! The JSON backend: one readable file, for small stores. Every commit replaces the whole file.
//!
//! Writers of all processes take turns by an advisory lock on a file beside the store. Readers take no lock: the
//! file they open is always a whole one, and they read it again when it is not the one they know.
//!
//! A path that is a symbolic link means the file it points to: lock, temporary file and rename happen beside that
//! file, and the link stays.

mod document;
mod file;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cavra_model::{Column, Kind, Object};
use serde_json::Value;

use crate::log::{Audited, missing};
use crate::overlay::Changes;
use crate::query::{self, Cell, Condition, Conditions, Page, Query, Room, compare};
use crate::writer::Backend;
use crate::{Attachment, Reader, StoreError, Visitor, attachments};

use document::{Document, Entry};
use file::Lock;

/// Opens the store; the file need not exist.
pub(crate) fn open(path: &Path, kinds: &'static [&'static Kind]) -> Result<(JsonReader, JsonWriter), StoreError> {
    let document = file::load(&file::resolve(path)?, kinds)?;
    let shared = Arc::new(Shared { path: path.to_owned(), kinds, document: RwLock::new(document) });
    let writer = JsonWriter { shared: Arc::clone(&shared), lock: Lock::default() };
    Ok((JsonReader { shared }, writer))
}

struct Shared {
    path: PathBuf,
    kinds: &'static [&'static Kind],
    document: RwLock<Document>,
}

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, Document> {
        self.document.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn write(&self) -> RwLockWriteGuard<'_, Document> {
        self.document.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The document as it is in the file now.
    fn current(&self) -> Result<RwLockReadGuard<'_, Document>, StoreError> {
        let path = file::resolve(&self.path)?;
        let known = self.read();
        if file::is_current(&path, &known)? {
            return Ok(known);
        }
        drop(known);
        {
            let mut known = self.write();
            if !file::is_current(&path, &known)? {
                *known = file::load(&path, self.kinds)?;
            }
        }
        Ok(self.read())
    }
}

/// Reads.
pub(crate) struct JsonReader {
    shared: Arc<Shared>,
}

impl Reader for JsonReader {
    fn get(&self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError> {
        self.shared.current()?.get(kind, id).map(|entry| entry.object(&self.shared.path)).transpose()
    }

    fn list(&self, kind: &'static Kind, query: &Query) -> Result<Page, StoreError> {
        let Some(conditions) = Conditions::resolve(kind, query)? else { return Ok(Page::default()) };
        let document = self.shared.current()?;
        let mut matches: Vec<_> =
            document.entries(kind).filter(|entry| conditions.hold(entry.id(), |column| entry.cell(column))).collect();
        matches.sort_by(|left, right| compare(kind, left.order(), right.order()));
        let bound = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let mut page = Page { total: matches.len() as u64, ..Page::default() };
        let mut room = Room::new(query.bytes);
        for entry in matches.iter().skip(bound(query.offset)).take(bound(query.limit)) {
            if !room.takes(entry.size(), page.items.is_empty()) {
                page.full = true;
                break;
            }
            page.items.push(entry.object(&self.shared.path)?);
            page.places += 1;
        }
        Ok(page)
    }

    /// There is nothing beside the records here that could say something else.
    fn audit(&self, kind: &'static Kind, visit: &mut dyn FnMut(Audited)) -> Result<Vec<String>, StoreError> {
        for entry in self.shared.current()?.entries(kind) {
            let (id, record) = (entry.id().to_owned(), entry.object(&self.shared.path));
            visit(Audited { id, record, differing: Vec::new() });
        }
        Ok(Vec::new())
    }

    fn gather(&self, kind: &'static Kind, by: &Condition, member: &str) -> Result<Vec<Value>, StoreError> {
        let document = self.shared.current()?;
        let mut matches: Vec<_> = document.entries(kind).filter(|entry| entry.has(by.0, &by.1)).collect();
        matches.sort_by(|left, right| left.order().cmp(&right.order()));
        let mut gathered = Vec::new();
        for entry in matches {
            match entry.object(&self.shared.path)?.remove(member) {
                None | Some(Value::Null) => {}
                Some(Value::Array(values)) => gathered.extend(values),
                Some(value) => gathered.push(value),
            }
        }
        Ok(gathered)
    }

    fn walk(&self, kind: &'static Kind, path: &query::Path, visit: Visitor<'_>) -> Result<(), StoreError> {
        // Taken out first: the visitor may be slow, and writers must not wait for it.
        let records = {
            let document = self.shared.current()?;
            let is_wanted =
                |entry: &&Entry| path.filter.as_ref().is_none_or(|(column, value)| entry.has(column, value));
            let mut matches: Vec<_> = document.entries(kind).filter(is_wanted).collect();
            matches.sort_by(|left, right| compare(kind, left.order(), right.order()));
            matches.into_iter().map(|entry| entry.object(&self.shared.path)).collect::<Result<Vec<_>, _>>()?
        };
        let _ = records.into_iter().filter(|record| path.bounds(record)).all(visit);
        Ok(())
    }

    fn get_many(&self, kind: &'static Kind, ids: &[String]) -> Result<Vec<Object>, StoreError> {
        let document = self.shared.current()?;
        let entries = ids.iter().filter_map(|id| document.get(kind, id));
        entries.map(|entry| entry.object(&self.shared.path)).collect()
    }

    fn values(&self, kind: &'static Kind, column: &'static Column) -> Result<Vec<String>, StoreError> {
        let document = self.shared.current()?;
        let texts = document.entries(kind).filter_map(|entry| match entry.cell(column) {
            Cell::Text(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        });
        Ok(texts.collect::<std::collections::BTreeSet<_>>().into_iter().collect())
    }

    fn check(&self) -> Result<(), StoreError> {
        file::load(&file::resolve(&self.shared.path)?, self.shared.kinds).map(drop)
    }

    fn log_size(&self) -> Result<u64, StoreError> {
        Ok(self.shared.current()?.leaves().len() as u64)
    }

    fn leaves(&self, range: Range<u64>) -> Result<Vec<String>, StoreError> {
        let document = self.shared.current()?;
        let leaves = document.leaves();
        let bound = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).min(leaves.len());
        let found =
            leaves.get(bound(range.start)..bound(range.end)).ok_or_else(|| missing(&self.shared.path, range.start))?;
        Ok(found.iter().map(|leaf| leaf.as_ref().to_owned()).collect())
    }

    fn attachment(&self, name: &str, limit: u64) -> Result<Attachment, StoreError> {
        attachments::read(&file::resolve(&self.shared.path)?, name, limit)
    }
}

/// Writes, on the writer thread.
pub(crate) struct JsonWriter {
    shared: Arc<Shared>,
    lock: Lock,
}

impl Backend for JsonWriter {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.lock.take(&file::resolve(&self.shared.path)?)?;
        match self.shared.current() {
            Ok(_) => Ok(()),
            Err(error) => {
                self.lock.release();
                Err(error)
            }
        }
    }

    fn get(&mut self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError> {
        self.shared.read().get(kind, id).map(|entry| entry.object(&self.shared.path)).transpose()
    }

    fn exists(&mut self, kind: &'static Kind, id: &str) -> Result<bool, StoreError> {
        Ok(self.shared.read().get(kind, id).is_some())
    }

    fn tally(
        &mut self,
        kind: &'static Kind,
        by: (&'static Column, &Cell),
        group: &'static Column,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let document = self.shared.read();
        let mut counts = std::collections::BTreeMap::<String, u64>::new();
        for entry in document.entries(kind).filter(|entry| entry.has(by.0, by.1)) {
            *counts.entry(entry.cell(group).to_string()).or_default() += 1;
        }
        Ok(counts.into_iter().collect())
    }

    fn attach(&mut self, name: &str, bytes: &[u8]) -> Result<bool, StoreError> {
        attachments::keep(&file::resolve(&self.shared.path)?, name, bytes)?;
        Ok(true)
    }

    fn commit(&mut self, changes: &Changes<'_>) -> Result<(), StoreError> {
        let committed = self.replace(changes);
        self.lock.release();
        committed
    }

    fn abort(&mut self) {
        self.lock.release();
    }

    fn idle(&mut self) {}

    fn close(&mut self, _settle: bool) {}
}

impl JsonWriter {
    /// Writes the new file, and only then changes what is known. Readers wait for the second part alone. One who came
    /// between the two has read the new file already: then there is nothing to change, and leaves must not be added to
    /// themselves.
    fn replace(&self, changes: &Changes<'_>) -> Result<(), StoreError> {
        let path = file::resolve(&self.shared.path)?;
        let entries = document::entries_of(&changes.records)?;
        let (text, before) = {
            let known = self.shared.read();
            (known.render(self.shared.kinds, &entries, changes.leaves), known.mark())
        };
        let file = file::replace(&path, text.as_bytes())?;
        let mut known = self.shared.write();
        if known.mark() == before {
            known.apply(entries, changes.leaves);
            known.source = Some(file);
        }
        Ok(())
    }
}
