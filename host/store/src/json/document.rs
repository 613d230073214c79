//! The content of a JSON store: records as text, with their column values beside them. Text costs a third of the
//! memory of parsed records, and a commit only has to join it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use cavra_model::{Column, Kind, Object};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::StoreError;
use crate::overlay::Pending;
use crate::query::{Cell, id_of, order_cell};

use super::file::{Mark, Source};

/// How the members begin that hold the leaves of logs; they are there once there is a leaf.
const LOG: &str = crate::log::SLOT;

/// The member that holds what the file notes about itself; it is there once there is something.
const PROPERTIES: &str = "store_properties";

/// How a record of the layout starts and ends in the file.
const RECORD: (&str, &str) = ("{\n      \"", "\n    }");

/// The content of the file.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The file it was read from or written to; `None` if there was none.
    pub(super) source: Option<Source>,
    collections: HashMap<&'static str, Collection>,
    /// The leaves of the logs, in their order.
    logs: BTreeMap<String, Vec<Box<str>>>,
    /// What the file notes about itself.
    properties: BTreeMap<String, String>,
    /// Top-level members that are not collections of this store's kinds.
    rest: BTreeMap<String, Value>,
}

/// The records of one kind, in the order they were first written.
#[derive(Debug, Default)]
struct Collection {
    entries: Vec<Entry>,
    by_id: HashMap<String, usize>,
}

/// One record.
#[derive(Debug)]
pub(crate) struct Entry {
    kind: &'static Kind,
    id: String,
    order: Cell,
    /// Values of the columns that lists can be filtered by or asked for, in the order the kind declares them.
    cells: Box<[Cell]>,
    /// The record as it stands in the file.
    text: Box<str>,
}

impl Entry {
    fn new(kind: &'static Kind, record: &Object, text: Box<str>) -> Result<Self, StoreError> {
        let cells = kept(kind).map(|column| Cell::of(column, record)).collect();
        Ok(Self { kind, id: id_of(kind, record)?.to_owned(), order: order_cell(kind, record), cells, text })
    }

    /// The record.
    pub(super) fn object(&self, path: &Path) -> Result<Object, StoreError> {
        serde_json::from_str(&self.text).map_err(|error| StoreError::unreadable(path, &error))
    }

    /// Bytes of the record.
    pub(super) fn size(&self) -> usize {
        self.text.len()
    }

    /// Its key.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The value of a column that lists can be filtered by or asked for, or of the column that orders lists.
    pub(super) fn cell(&self, column: &'static Column) -> &Cell {
        const EMPTY: &Cell = &Cell::Text(String::new());
        if column.name == self.kind.order.by {
            return &self.order;
        }
        let position = kept(self.kind).position(|kept| kept.name == column.name);
        position.and_then(|position| self.cells.get(position)).unwrap_or(EMPTY)
    }

    /// Whether a filter column has that value.
    pub(super) fn has(&self, column: &'static Column, value: &Cell) -> bool {
        self.cell(column) == value
    }

    /// What it is ordered by.
    pub(super) fn order(&self) -> (&Cell, &str) {
        (&self.order, &self.id)
    }
}

fn kept(kind: &'static Kind) -> impl Iterator<Item = &'static Column> {
    kind.columns.iter().filter(|column| column.filters() || column.answers())
}

/// What a commit brings.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Records.
    pub(super) entries: Vec<Entry>,
    /// Keys of records that are removed, each with its kind.
    pub(super) removed: Vec<(&'static Kind, String)>,
    /// Leaves, by the member of their log.
    pub(super) logs: BTreeMap<String, Vec<Box<str>>>,
    /// What the file notes about itself.
    pub(super) properties: BTreeMap<String, String>,
}

/// What a member of the file's object is.
enum Member<'a> {
    Collection(&'static Kind),
    Log(&'a str),
    Properties(&'a BTreeMap<String, String>),
    Other(&'a Value),
}

/// The entries of new records.
pub(super) fn entries_of(records: &[(&str, &Pending)]) -> Result<Vec<Entry>, StoreError> {
    records
        .iter()
        .filter_map(|(_, pending)| Some((pending.kind, pending.record.as_deref()?)))
        .map(|(kind, record)| Entry::new(kind, record, render_record(record)))
        .collect()
}

impl Collection {
    fn put(&mut self, entry: Entry) {
        match self.by_id.get(&entry.id).and_then(|at| self.entries.get_mut(*at)) {
            Some(place) => *place = entry,
            None => {
                self.by_id.insert(entry.id.clone(), self.entries.len());
                self.entries.push(entry);
            }
        }
    }

    fn remove(&mut self, ids: &HashSet<&str>) {
        self.entries.retain(|entry| !ids.contains(entry.id.as_str()));
        self.by_id = self.entries.iter().enumerate().map(|(at, entry)| (entry.id.clone(), at)).collect();
    }
}

/// The keys that are removed of a kind.
fn removed_of<'a>(removed: &'a [(&'static Kind, String)], kind: &Kind) -> HashSet<&'a str> {
    removed.iter().filter(|(known, _)| known.table == kind.table).map(|(_, id)| id.as_str()).collect()
}

/// Property: how many records of a kind were removed so far.
fn removed_property(kind: &Kind) -> String {
    format!("removed.{}", kind.table)
}

impl Document {
    /// How many records of a kind were removed so far. Those that are left keep places in the order of commits that are not
    /// before the ones that they had.
    pub(super) fn removed(&self, kind: &Kind) -> i64 {
        self.properties.get(&removed_property(kind)).and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// What the file notes when some of these are removed.
    pub(super) fn note_removed(&self, news: &mut News) {
        let gone = std::mem::take(&mut news.removed);
        news.removed = gone.into_iter().filter(|(kind, id)| self.get(kind, id).is_some()).collect();
        for (kind, _) in &news.removed {
            let count = i64::try_from(removed_of(&news.removed, kind).len()).unwrap_or(i64::MAX);
            news.properties.insert(removed_property(kind), self.removed(kind).saturating_add(count).to_string());
        }
    }

    /// Reads the file's text. A key that comes twice in a collection keeps the later record.
    pub(super) fn parse(text: &str, kinds: &[&'static Kind]) -> Result<Self, String> {
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut document = Self::default();
        for (name, value) in members {
            match kinds.iter().find(|kind| kind.collection == name) {
                Some(kind) => {
                    document.collections.insert(kind.table, parse_collection(kind, value)?);
                }
                None if name.starts_with(LOG) => {
                    let leaves = serde_json::from_str(value.get()).map_err(|error| format!("`{name}`: {error}"))?;
                    document.logs.insert(name, leaves);
                }
                None if name == PROPERTIES => {
                    document.properties =
                        serde_json::from_str(value.get()).map_err(|error| format!("`{name}`: {error}"))?;
                }
                None => {
                    let value = serde_json::from_str(value.get()).map_err(|error| error.to_string())?;
                    document.rest.insert(name, value);
                }
            }
        }
        Ok(document)
    }

    /// Which content of the file it is; `None` if there was no file.
    pub(super) fn mark(&self) -> Option<Mark> {
        self.source.as_ref().map(Source::mark)
    }

    /// One record.
    pub(super) fn get(&self, kind: &Kind, id: &str) -> Option<&Entry> {
        let collection = self.collections.get(kind.table)?;
        collection.entries.get(*collection.by_id.get(id)?)
    }

    /// All records of a kind.
    pub(super) fn entries(&self, kind: &Kind) -> impl Iterator<Item = &Entry> {
        self.collections.get(kind.table).into_iter().flat_map(|collection| &collection.entries)
    }

    /// The leaves of the log in this member.
    pub(super) fn leaves(&self, slot: &str) -> &[Box<str>] {
        self.logs.get(slot).map(Vec::as_slice).unwrap_or_default()
    }

    /// What the file notes about itself.
    pub(super) fn properties(&self) -> &BTreeMap<String, String> {
        &self.properties
    }

    /// Takes over what is in the file now.
    pub(super) fn apply(&mut self, news: News) {
        for (slot, leaves) in news.logs {
            self.logs.entry(slot).or_default().extend(leaves);
        }
        self.properties.extend(news.properties);
        for (kind, _) in &news.removed {
            if let Some(collection) = self.collections.get_mut(kind.table) {
                collection.remove(&removed_of(&news.removed, kind));
            }
        }
        for entry in news.entries {
            self.collections.entry(entry.kind.table).or_default().put(entry);
        }
    }

    /// The file's text with the news in it: two spaces of indentation, sorted keys, final newline.
    pub(super) fn render(&self, kinds: &[&'static Kind], news: &News) -> String {
        let changes = &news.entries;
        let mut members: BTreeMap<&str, Member<'_>> = kinds
            .iter()
            .filter(|kind| self.shows(kind, changes))
            .map(|kind| (kind.collection, Member::Collection(kind)))
            .collect();
        members.extend(self.rest.iter().map(|(name, value)| (name.as_str(), Member::Other(value))));
        let logs = self.logs.keys().chain(news.logs.keys());
        members.extend(logs.map(|slot| (slot.as_str(), Member::Log(slot))));
        let mut properties = self.properties.clone();
        properties.extend(news.properties.clone());
        if !properties.is_empty() {
            members.insert(PROPERTIES, Member::Properties(&properties));
        }
        let mut out = String::from("{");
        for (index, (name, member)) in members.into_iter().enumerate() {
            out.push_str(if index == 0 { "\n  " } else { ",\n  " });
            out.push_str(&Value::from(name).to_string());
            out.push_str(": ");
            match member {
                Member::Collection(kind) => self.render_collection(kind, news, &mut out),
                Member::Log(slot) => self.render_log(slot, news, &mut out),
                Member::Properties(properties) => out.push_str(&pretty(Some(properties), "\n  ")),
                Member::Other(value) => out.push_str(&pretty(Some(value), "\n  ")),
            }
        }
        out.push_str("\n}\n");
        out
    }

    /// One leaf a line.
    fn render_log(&self, slot: &str, news: &News, out: &mut String) {
        out.push('[');
        let new = news.logs.get(slot).into_iter().flatten();
        for (index, leaf) in self.leaves(slot).iter().chain(new).enumerate() {
            out.push_str(if index == 0 { "\n    " } else { ",\n    " });
            out.push_str(&Value::from(leaf.as_ref()).to_string());
        }
        out.push_str("\n  ]");
    }

    /// Whether the file mentions the kind.
    fn shows(&self, kind: &Kind, changes: &[Entry]) -> bool {
        !kind.beside
            || self.entries(kind).next().is_some()
            || changes.iter().any(|entry| entry.kind.table == kind.table)
    }

    fn render_collection(&self, kind: &Kind, news: &News, out: &mut String) {
        let (changes, removed) = (&news.entries, removed_of(&news.removed, kind));
        let changed: HashMap<&str, &Entry> = changes
            .iter()
            .filter(|entry| entry.kind.table == kind.table)
            .map(|entry| (entry.id.as_str(), entry))
            .collect();
        let kept = self
            .entries(kind)
            .filter(|entry| !removed.contains(entry.id.as_str()))
            .map(|entry| changed.get(entry.id.as_str()).copied().unwrap_or(entry));
        let new = changes.iter().filter(|entry| entry.kind.table == kind.table && self.get(kind, &entry.id).is_none());
        out.push('[');
        let mut empty = true;
        for entry in kept.chain(new) {
            out.push_str(if empty { "\n    " } else { ",\n    " });
            out.push_str(&entry.text);
            empty = false;
        }
        out.push_str(if empty { "]" } else { "\n  ]" });
    }
}

fn parse_collection(kind: &'static Kind, value: &RawValue) -> Result<Collection, String> {
    let wrong = |what: String| format!("`{}`: {what}", kind.collection);
    let records: Vec<&RawValue> = serde_json::from_str(value.get()).map_err(|error| wrong(error.to_string()))?;
    let mut collection = Collection::default();
    for (index, record) in records.into_iter().enumerate() {
        let wrong = |what: String| format!("`{}[{index}]`: {what}", kind.collection);
        let object: Object = serde_json::from_str(record.get())
            .map_err(|error| wrong(format!("this is not {}: {error}", kind.one_record())))?;
        let text = record.get();
        let text =
            if text.starts_with(RECORD.0) && text.ends_with(RECORD.1) { text.into() } else { render_record(&object) };
        collection.put(Entry::new(kind, &object, text).map_err(|error| wrong(error.to_string()))?);
    }
    Ok(collection)
}

/// A record as it stands in the file.
fn render_record(record: &Object) -> Box<str> {
    pretty(Some(record), "\n    ").into()
}

/// Indented JSON for a place that is itself indented: line breaks inside texts are escaped, so every line break is
/// one of the layout.
fn pretty(value: Option<&impl serde::Serialize>, line: &str) -> String {
    serde_json::to_string_pretty(&value).unwrap_or_default().replace('\n', line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cavra_model::{DECISIONS, SESSIONS};
    use serde_json::json;

    const KINDS: &[&Kind] = &[&DECISIONS, &SESSIONS];

    /// The layout is that of a pretty printer with sorted keys, whatever the file looked like before.
    #[test]
    fn the_layout_is_kept() {
        let content = json!({
            "sessions": [{"session_id": "s", "state": "active"}],
            "decisions": [{"decision_id": "d2", "reason": "line\nbreak", "nested": {"b": [1], "a": {}}}, {"decision_id": "d1"}],
            "other": {"kept": [1, 2]},
        });
        let wanted = format!("{content:#}\n");
        for text in [content.to_string(), wanted.clone()] {
            let document = Document::parse(&text, KINDS).unwrap();
            assert_eq!(document.render(KINDS, &News::default()), wanted);
        }
    }

    #[test]
    fn missing_collections_are_written_as_empty() {
        let document = Document::parse("{}", KINDS).unwrap();
        assert_eq!(document.render(KINDS, &News::default()), "{\n  \"decisions\": [],\n  \"sessions\": []\n}\n");
    }

    #[test]
    fn leaves_and_properties_are_kept_and_appended() {
        let leaf = |leaf: &str| News {
            logs: BTreeMap::from([("evidence_log".to_owned(), vec![leaf.into()])]),
            ..News::default()
        };
        let document = Document::parse(r#"{"evidence_log": ["{\"a\":1}"], "rest": 1}"#, KINDS).unwrap();
        let text = document.render(KINDS, &leaf("b\n"));
        assert!(text.contains("\n    \"{\\\"a\\\":1}\",\n    \"b\\n\"\n  ],\n  \"rest\": 1"), "{text}");
        let mut document = Document::parse(&text, KINDS).unwrap();
        assert_eq!(document.render(KINDS, &News::default()), text);
        document.apply(leaf("c"));
        document.apply(News { properties: BTreeMap::from([("p".to_owned(), "v".to_owned())]), ..News::default() });
        let read = Document::parse(&document.render(KINDS, &News::default()), KINDS).unwrap();
        assert_eq!(
            read.leaves("evidence_log").iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
            ["{\"a\":1}", "b\n", "c"]
        );
        assert_eq!(read.properties().get("p").map(String::as_str), Some("v"));
        assert!(read.leaves("evidence_log_other").is_empty());
    }

    #[test]
    fn wrong_shapes() {
        for bad in [
            r#"{"evidence_log": {}}"#,
            r#"{"evidence_log": [4]}"#,
            r#"{"evidence_log_approvals": 4}"#,
            r#"{"store_properties": []}"#,
            r#"{"store_properties": {"a": 4}}"#,
            "",
            "[]",
            "4",
            r#"{"decisions": {}}"#,
            r#"{"decisions": null}"#,
            r#"{"decisions": [4]}"#,
            r#"{"decisions": [{}]}"#,
            r#"{"decisions": []} x"#,
        ] {
            assert!(Document::parse(bad, KINDS).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_later_of_two_records_with_one_key_counts() {
        let text = r#"{"sessions": [{"session_id": "s", "state": "a"}, {"session_id": "s", "state": "b"}]}"#;
        let document = Document::parse(text, KINDS).unwrap();
        assert_eq!(document.entries(&SESSIONS).count(), 1);
        let entry = document.get(&SESSIONS, "s").unwrap();
        assert_eq!(entry.object(Path::new("x")).unwrap()["state"], "b");
    }
}
