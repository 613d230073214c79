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

use crate::cursor::{Place, Standing};
use crate::engine::{Backend, Begun, Reader, Visitor};
use crate::log::{Audited, Slots, missing};
use crate::overlay::{Changes, Pending};
use crate::place::{Area, name_of};
use crate::query::{self, Cell, Condition, Conditions, Page, Query, Room, compare};
use crate::{Attachment, LargeBytes, StoreError, attachments};

use document::{Document, Entry, News};
pub(crate) use file::{Lock, resolve};

/// Opens the store; the file need not exist.
pub(crate) fn open(path: &Path, areas: &[Area]) -> Result<(JsonReader, JsonWriter), StoreError> {
    let kinds: Vec<&'static Kind> = areas.iter().copied().flatten().copied().collect();
    let areas = areas.iter().map(|area| name_of(area)).collect();
    let document = file::load(&resolve(path)?, &kinds)?;
    let shared = Arc::new(Shared { path: path.to_owned(), kinds, areas, document: RwLock::new(document) });
    let writer = JsonWriter { shared: Arc::clone(&shared), lock: Lock::default() };
    Ok((JsonReader { shared }, writer))
}

struct Shared {
    path: PathBuf,
    kinds: Vec<&'static Kind>,
    areas: Vec<&'static str>,
    document: RwLock<Document>,
}

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, Document> {
        self.document.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn write(&self) -> RwLockWriteGuard<'_, Document> {
        self.document.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The members in which the areas have their logs.
    fn slots(&self, document: &Document) -> Slots {
        Slots::of(&self.areas, |name| document.properties().get(name).cloned())
    }

    /// The document as it is in the file now.
    fn current(&self) -> Result<RwLockReadGuard<'_, Document>, StoreError> {
        let path = resolve(&self.path)?;
        let known = self.read();
        if file::is_current(&path, &known)? {
            return Ok(known);
        }
        drop(known);
        {
            let mut known = self.write();
            if !file::is_current(&path, &known)? {
                *known = file::load(&path, &self.kinds)?;
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
        // In the order of commits places never become smaller; else they only tell what was there when a walk began.
        let first = if query.committed { document.removed(kind).saturating_add(1) } else { 1 };
        let mut matches: Vec<(i64, &Entry)> = (first..)
            .zip(document.entries(kind))
            .filter(|(_, entry)| conditions.hold(entry.id(), |column| entry.cell(column)))
            .collect();
        if !query.committed {
            matches.sort_by(|(_, left), (_, right)| compare(kind, left.order(), right.order()));
        }
        let total = matches.len() as u64;
        if let Some(cursor) = &conditions.after {
            matches.retain(|(position, entry)| cursor.is_before(kind, entry.order(), *position));
        }
        let bound = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let (mut page, mut room) = (Page { total, ..Page::default() }, Room::new(query.bytes));
        let (mut last, mut more) = (None, false);
        for (position, entry) in matches.into_iter().skip(bound(query.offset)) {
            more = page.places == query.limit;
            if !more && !room.takes(entry.size(), page.items.is_empty()) {
                (page.full, more) = (true, true);
            }
            if more {
                break;
            }
            let record = entry.object(&self.shared.path)?;
            room.spend(query.bytes_apart(kind, &record));
            page.items.push(record);
            page.places += 1;
            let (order, id) = entry.order();
            let place = Place { order: order.clone(), id: id.to_owned(), position };
            if query.standings {
                page.standings.push(Standing::new(place.clone()));
            }
            last = Some(place);
        }
        if let Some(last) = last.filter(|_| more || query.committed) {
            let newest = last_place(&document, kind);
            let snapshot = conditions.after.as_ref().map_or(newest, |cursor| cursor.snapshot);
            page.next_cursor = Some(last.cursor(kind, query.committed, || Ok::<_, StoreError>(snapshot))?);
        }
        Ok(page)
    }

    fn last_place(&self, kind: &'static Kind) -> Result<i64, StoreError> {
        Ok(last_place(&*self.shared.current()?, kind))
    }

    /// There is nothing beside the records here that could say something else.
    fn audit(&self, kind: &'static Kind, visit: &mut dyn FnMut(Audited)) -> Result<Vec<String>, StoreError> {
        // Taken out first: the visitor may read, too.
        let read = |entry: &Entry| (entry.id().to_owned(), entry.object(&self.shared.path));
        let records: Vec<_> = self.shared.current()?.entries(kind).map(read).collect();
        records.into_iter().for_each(|(id, record)| visit(Audited { id, record, differing: Vec::new() }));
        Ok(Vec::new())
    }

    fn gather(&self, kind: &'static Kind, by: &Condition, member: &str, newest: u64) -> Result<Vec<Value>, StoreError> {
        let document = self.shared.current()?;
        let mut matches: Vec<_> = document.entries(kind).filter(|entry| entry.has(by.0, &by.1)).collect();
        matches.sort_by(|left, right| left.order().cmp(&right.order()));
        let (mut gathered, shown) = (Vec::new(), usize::try_from(newest).unwrap_or(usize::MAX));
        for entry in matches.iter().skip(matches.len().saturating_sub(shown)) {
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
        file::load(&resolve(&self.shared.path)?, &self.shared.kinds).map(drop)
    }

    fn log_size(&self, area: &'static str) -> Result<u64, StoreError> {
        let document = self.shared.current()?;
        Ok(document.leaves(self.shared.slots(&document).get(area)).len() as u64)
    }

    fn leaves(&self, area: &'static str, range: Range<u64>) -> Result<Vec<String>, StoreError> {
        let document = self.shared.current()?;
        let slots = self.shared.slots(&document);
        let leaves = document.leaves(slots.get(area));
        let bound = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).min(leaves.len());
        let found =
            leaves.get(bound(range.start)..bound(range.end)).ok_or_else(|| missing(&self.shared.path, range.start))?;
        Ok(found.iter().map(|leaf| leaf.as_ref().to_owned()).collect())
    }

    fn property(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(self.shared.current()?.properties().get(name).cloned())
    }

    fn attachment(&self, name: &str, limit: u64) -> Result<Attachment, StoreError> {
        attachments::read(&resolve(&self.shared.path)?, name, limit)
    }
}

/// The last place in the order of commits.
fn last_place(document: &Document, kind: &'static Kind) -> i64 {
    i64::try_from(document.entries(kind).count()).unwrap_or(i64::MAX).saturating_add(document.removed(kind))
}

/// Writes, on the writer thread.
pub(crate) struct JsonWriter {
    shared: Arc<Shared>,
    lock: Lock,
}

impl Backend for JsonWriter {
    fn begin(&mut self) -> Result<Begun, StoreError> {
        if !self.lock.take(&resolve(&self.shared.path)?)? {
            return Ok(Begun::Busy);
        }
        match self.shared.current() {
            Ok(_) => Ok(Begun::Yes),
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

    fn log_size(&mut self, area: &'static str) -> Result<u64, StoreError> {
        let document = self.shared.read();
        Ok(document.leaves(self.shared.slots(&document).get(area)).len() as u64)
    }

    fn property(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(self.shared.read().properties().get(name).cloned())
    }

    fn large_bytes(&self) -> LargeBytes {
        LargeBytes::Attached
    }

    fn attach(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        attachments::keep(&resolve(&self.shared.path)?, name, bytes)
    }

    fn commit(&mut self, changes: &Changes<'_>) -> Result<(), StoreError> {
        let committed = self.replace(changes);
        self.lock.release();
        committed
    }

    fn abort(&mut self) {
        self.lock.release();
    }
}

impl JsonWriter {
    /// Writes the new file, and only then changes what is known. Readers wait for the second part alone. One who came
    /// between the two has read the new file already: then there is nothing to change, and leaves must not be added to
    /// themselves.
    fn replace(&self, changes: &Changes<'_>) -> Result<(), StoreError> {
        let path = resolve(&self.shared.path)?;
        let entries = document::entries_of(&changes.records)?;
        let (text, before, news) = {
            let known = self.shared.read();
            let news = self.news(&known, changes, entries);
            (known.render(&self.shared.kinds, &news), known.mark(), news)
        };
        let file = file::replace(&path, text.as_bytes())?;
        let mut known = self.shared.write();
        if known.mark() == before {
            known.apply(news);
            known.source = Some(file);
        }
        Ok(())
    }

    fn news(&self, known: &Document, changes: &Changes<'_>, entries: Vec<Entry>) -> News {
        let slots = self.shared.slots(known);
        let gone =
            |(id, pending): &(&str, &Pending)| pending.record.is_none().then(|| (pending.kind, (*id).to_owned()));
        let removed = changes.records.iter().filter_map(gone).collect();
        let mut news = News { entries, removed, ..News::default() };
        known.note_removed(&mut news);
        for area in changes.logs() {
            let leaves = changes.leaves_of(area).map(Into::into).collect();
            news.logs.insert(slots.get(area).to_owned(), leaves);
        }
        if self.shared.areas.len() > 1 {
            // Which log is whose must not depend on who shares the file.
            news.properties.extend(slots.unnoted().map(|(name, slot)| (name, slot.to_owned())));
        }
        let properties = changes.properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        news.properties.extend(properties);
        news
    }
}
