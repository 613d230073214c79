//! Large parts of records, kept once under their digest: the observations of a fleet stand in its inventory, in the report
//! about it, in the request and in the hand-off, and are stored once.
//!
//! In the record as it is stored, null stands in a part's place, and [`MEMBER`] says what belongs there. Who reads gets the
//! record as it was written, unless they ask for it with the parts only named ([`crate::Parts::Named`]).

use cavra_model::{Digest, Kind, Object, members};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::StoreError;
use crate::engine::Reader;
use crate::query::{Page, Parts, Query, Unreadable};

/// The member of a stored record that lists its parts.
const MEMBER: &str = "$documents";

/// From this size on a part is kept apart, in bytes of JSON.
const LARGE: usize = 16 * 1024;

/// How often a record is read again whose parts went away meanwhile, because it was written anew.
const ATTEMPTS: usize = 8;

/// A part of a stored record.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// Where it belongs: a JSON pointer.
    at: String,
    /// Its digest.
    pub(crate) sha256: String,
    /// Its size.
    bytes: u64,
}

/// A part that is taken out of a record.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its digest.
    pub(crate) sha256: String,
    /// The record of the part.
    pub(crate) record: Object,
}

/// Takes large parts out of a record; nothing if it has none.
pub(crate) fn cut(kind: &Kind, record: &Object) -> Option<(Object, Vec<Document>)> {
    let is_whole = |name: &str| name == kind.id || kind.columns.iter().any(|column| column.list_path().0 == name);
    let is_large = |(name, value): (&String, &Value)| !is_whole(name) && size(value) >= LARGE;
    if !record.contains_key(MEMBER) && !record.iter().any(is_large) {
        return None;
    }
    let (mut record, mut cutter) = (record.clone(), Cutter::default());
    if let Some(own) = record.get_mut(MEMBER) {
        // What is called so but was written by somebody is a part, whatever its size.
        let pointer = format!("/{MEMBER}");
        cutter.take(own, &pointer);
    }
    for (name, value) in record.iter_mut().filter(|(name, _)| !is_whole(name) && *name != MEMBER) {
        cutter.walk(value, &format!("/{}", escaped(name)));
    }
    // What stands in another part comes behind it.
    cutter.parts.reverse();
    record.insert(MEMBER.to_owned(), json!(cutter.parts));
    Some((record, cutter.documents))
}

#[derive(Default)]
struct Cutter {
    parts: Vec<Part>,
    documents: Vec<Document>,
}

impl Cutter {
    /// Takes large parts out of a value, innermost first; answers how large the rest is.
    fn walk(&mut self, value: &mut Value, at: &str) -> usize {
        let rest = match value {
            Value::Array(items) => {
                let each = items.iter_mut().enumerate();
                each.map(|(index, item)| self.inner(item, || format!("{at}/{index}")) + 1).sum()
            }
            Value::Object(members) => members
                .iter_mut()
                .map(|(name, item)| self.inner(item, || format!("{at}/{}", escaped(name))) + name.len() + 4)
                .sum(),
            _ => return size(value),
        };
        if rest < LARGE {
            return rest;
        }
        self.take(value, at);
        4
    }

    /// As [`Cutter::walk`], without a look at what is small.
    fn inner(&mut self, value: &mut Value, at: impl FnOnce() -> String) -> usize {
        let whole = size(value);
        if whole < LARGE { whole } else { self.walk(value, &at()) }
    }

    fn take(&mut self, value: &mut Value, at: &str) {
        let document = value.take();
        let text = document.to_string();
        let (sha256, bytes) = (Digest::of(&text).hex().to_owned(), text.len() as u64);
        let record = Object::from_iter([
            ("sha256".to_owned(), json!(sha256)),
            ("bytes".to_owned(), json!(bytes)),
            ("document".to_owned(), document),
        ]);
        self.parts.push(Part { at: at.to_owned(), sha256: sha256.clone(), bytes });
        self.documents.push(Document { sha256, record });
    }
}

/// About how many bytes a value has as JSON.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(number) => number.as_str().len(),
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| size(item) + 1).sum(),
        Value::Object(members) => members.iter().map(|(name, item)| name.len() + 4 + size(item)).sum(),
    }
}

/// A member's name in a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The parts of a stored record. One that is written otherwise by somebody is a member like others.
pub(crate) fn parts(kind: &Kind, record: &Object) -> Vec<Part> {
    if kind.apart.is_none() {
        return Vec::new();
    }
    record.get(MEMBER).and_then(|parts| Vec::deserialize(parts).ok()).unwrap_or_default()
}

/// Bytes of the parts of a stored record.
pub(crate) fn bytes(kind: &Kind, record: &Object) -> u64 {
    parts(kind, record).iter().map(|part| part.bytes).sum()
}

/// A stored record with what belongs into its places; [`None`] if that is not all there.
pub(crate) fn joined(
    kind: &Kind,
    record: Object,
    mut find: impl FnMut(&Part) -> Result<Option<Value>, StoreError>,
) -> Result<Option<Object>, StoreError> {
    let (mut whole, parts) = opened(kind, record);
    for part in &parts {
        let (Some(document), Some(place)) = (find(part)?, whole.pointer_mut(&part.at)) else { return Ok(None) };
        *place = document;
    }
    Ok(Some(members::built(whole)))
}

/// A stored record with the names of its parts in their places.
pub(crate) fn named(kind: &Kind, record: Object) -> Object {
    let (mut whole, parts) = opened(kind, record);
    for part in parts {
        // What stands in another part has no place then.
        if let Some(place) = whole.pointer_mut(&part.at).filter(|place| place.is_null()) {
            *place = json!({ "sha256": part.sha256, "bytes": part.bytes });
        }
    }
    members::built(whole)
}

/// A stored record without the list of its parts, and that list.
fn opened(kind: &Kind, mut record: Object) -> (Value, Vec<Part>) {
    let parts = parts(kind, &record);
    if !parts.is_empty() {
        record.remove(MEMBER);
        // A member of that name that somebody wrote stood where the list does.
        if parts.iter().any(|part| part.at.strip_prefix('/') == Some(MEMBER)) {
            record.insert(MEMBER.to_owned(), Value::Null);
        }
    }
    (Value::Object(record), parts)
}

/// The record that was stored, as it was written. Nothing if it is gone meanwhile.
pub(crate) fn whole(
    reader: &dyn Reader,
    kind: &'static Kind,
    mut record: Object,
) -> Result<Option<Object>, StoreError> {
    let Some(apart) = kind.apart.filter(|_| record.contains_key(MEMBER)) else { return Ok(Some(record)) };
    for _ in 0..ATTEMPTS {
        let find = |part: &Part| Ok(reader.get(apart.documents, &part.sha256)?.and_then(document));
        if let Some(whole) = joined(kind, record.clone(), find)? {
            return Ok(Some(whole));
        }
        let id = record.get(kind.id).and_then(Value::as_str).unwrap_or_default();
        match reader.get(kind, id)? {
            None => return Ok(None),
            Some(now) if now == record => break,
            Some(now) => record = now,
        }
    }
    Err(broken(kind, &record))
}

/// As [`whole`]; a record whose parts are not all there may be passed over.
pub(crate) fn shown(
    reader: &dyn Reader,
    kind: &'static Kind,
    record: Object,
    unreadable: Unreadable,
) -> Result<Option<Object>, StoreError> {
    match whole(reader, kind, record) {
        Err(error @ StoreError::Broken { .. }) if unreadable == Unreadable::Skip => {
            tracing::warn!(%error, "a record is passed over");
            Ok(None)
        }
        shown => shown,
    }
}

/// The records of a page as the query wants them.
pub(crate) fn page(reader: &dyn Reader, kind: &'static Kind, query: &Query, page: &mut Page) -> Result<(), StoreError> {
    if kind.apart.is_none() {
        return Ok(());
    }
    let mut standings = std::mem::take(&mut page.standings).into_iter();
    for record in std::mem::take(&mut page.items) {
        let shown = match query.parts {
            Parts::Named => Some(named(kind, record)),
            Parts::Whole => shown(reader, kind, record, query.unreadable)?,
        };
        let standing = standings.next();
        if let Some(record) = shown {
            page.items.push(record);
            page.standings.extend(standing);
        }
    }
    Ok(())
}

/// The part in its record.
pub(crate) fn document(mut record: Object) -> Option<Value> {
    record.remove("document")
}

/// The key of the note that a record has a part.
pub(crate) fn use_of(sha256: &str, id: &str) -> String {
    format!("{sha256}/{id}")
}

/// That note.
pub(crate) fn used(sha256: &str, id: &str) -> Object {
    members::built(json!({ "document_use": use_of(sha256, id), "sha256": sha256, "record_id": id }))
}

/// What is said of a record whose parts are not all there.
pub(crate) fn broken(kind: &'static Kind, record: &Object) -> StoreError {
    let id = record.get(kind.id).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (path, reason) = (String::new(), "a document that belongs to it is missing".to_owned());
    StoreError::Broken { path, table: kind.table, name: kind.name, id, reason }
}
