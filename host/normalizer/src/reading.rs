//! One way to read an export: which entries are its records, what was seen among them, and what is to be said of it.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use cavra_json::{Members, Node};

use crate::path::says_something;
use crate::record::{Observed, observe};
use crate::vendors::Vendor;
use crate::warnings::{Mark, Warnings};
use crate::{Batch, MAX_RECORDS, Object, Observation, Problem, Refusal, Summary, Tool};

/// What every record is read with.
#[derive(Debug)]
pub struct Context {
    /// Whose export it is.
    pub tool: &'static Tool,
    /// Which deployment target a text of the vendor means.
    pub target_map: BTreeMap<String, String>,
    /// The form of all records, where it is known from outside.
    pub form: Option<&'static Vendor>,
}

/// A reading so far.
#[derive(Debug, Default)]
pub struct Reading {
    /// Entries, records or not.
    entries: usize,
    /// Records.
    records: usize,
    ids: HashSet<u128>,
    /// Ids that are new since the last mark.
    fresh: Vec<u128>,
    warnings: Warnings,
    incomplete: usize,
    /// Parts whose observations belong to it.
    parts: Vec<u32>,
}

/// A place in a reading to come back to.
#[derive(Debug)]
pub struct Place {
    entries: usize,
    records: usize,
    warnings: Mark,
    parts: usize,
}

impl Reading {
    /// Takes in an entry as part of `part`, and answers its observation with the batch.
    pub fn entry(&mut self, value: Node<'_>, part: u32, context: &Context, batch: &mut Batch) {
        self.entries += 1;
        let Node::Object(object) = value else { return };
        let Some(record) = rows(object) else { return };
        self.records += 1;
        if self.entries > MAX_RECORDS {
            return;
        }
        let Observed { id, payload } = observe(context, self.records, &record, &mut self.warnings);
        let digest = digest(&id);
        if self.ids.insert(digest) {
            self.fresh.push(digest);
        } else {
            let twice = || format!("endpoint {id} stands in the export more than once; all are kept");
            self.warnings.add("duplicate", twice);
        }
        if self.parts.last() != Some(&part) {
            self.parts.push(part);
        }
        let record = u64::try_from(self.records).unwrap_or(u64::MAX);
        batch.observations.push(Observation { part, record, payload });
    }

    /// An export that says it is not all there: machines that are missing would read as drift.
    pub fn incomplete(&mut self) {
        self.incomplete += 1;
    }

    /// Marks a place, in front of entries that may turn out not to count.
    pub fn place(&mut self) -> Place {
        self.fresh.clear();
        Place { entries: self.entries, records: self.records, warnings: self.warnings.mark(), parts: self.parts.len() }
    }

    /// Forgets the entries behind the place.
    pub fn back_to(&mut self, place: Place, batch: &mut Batch) {
        for digest in self.fresh.drain(..) {
            self.ids.remove(&digest);
        }
        self.entries = place.entries;
        self.records = place.records;
        self.warnings.back_to(place.warnings);
        batch.retracted.extend(self.parts.drain(place.parts.min(self.parts.len())..));
    }

    /// Gives the reading up.
    pub fn retract(self, batch: &mut Batch) {
        batch.retracted.extend(self.parts);
    }

    /// What came of it.
    ///
    /// # Errors
    /// [`Refusal::TooMany`].
    pub fn summary(self, context: &Context) -> Result<Summary, Refusal> {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        if self.entries > MAX_RECORDS {
            return Err(Refusal::TooMany { records: count(self.entries) });
        }
        let mut warnings = Warnings::default();
        for _ in 0..self.incomplete {
            let sentence = "the export looks incomplete: it says that there are more pages";
            warnings.add("incomplete", || sentence.to_owned());
        }
        let skipped = self.entries - self.records;
        if skipped > 0 {
            warnings.add("skipped", || format!("{skipped} entries of the export are no objects and were skipped"));
        }
        warnings.append(self.warnings);
        if self.records == 0 {
            warnings.add("empty", || format!("no {} records were found in the inventory", context.tool.name));
        }
        let problems: Vec<Problem> = warnings.into_problems();
        Ok(Summary {
            records: count(self.records),
            skipped: count(skipped),
            problems,
            unknown_columns: Vec::new(),
            about: Object::new(),
        })
    }
}

/// Stands for an id: millions of them need not be kept, and two that are taken for one only cause a warning.
fn digest(id: &str) -> u128 {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        (seed, id).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// A row that osquery found, with the host that it was found on; other records as they are.
pub fn rows(mut record: Members<'_>) -> Option<Members<'_>> {
    let columns = match record.get("columns") {
        Some(Node::Object(columns)) => columns,
        // A log line of an array: what is no row says nothing.
        Some(_) if record.contains_key("hostIdentifier") => return None,
        _ => return Some(record),
    };
    let facts: [(&str, &[&str]); 3] = [
        ("endpoint_id", &["host_id", "hostIdentifier"]),
        ("hostname", &["host_name", "hostname"]),
        ("last_seen_at", &["last_fetched", "unixTime"]),
    ];
    let mut found = Vec::new();
    for (output, names) in facts.into_iter().filter(|(output, _)| !record.contains_key(output)) {
        let own = columns.get(output).filter(|value| says_something(value));
        let value =
            own.or_else(|| names.iter().filter_map(|name| record.get(name)).find(|value| says_something(value)));
        found.extend(value.map(|value| (output, value.clone())));
    }
    found.into_iter().for_each(|(output, value)| record.insert(output, value));
    record.remove("name");
    Some(record)
}
