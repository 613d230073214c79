//! What a pass of a worker has made: records that wait to be stored with the next thing that is, and those that are stored.

use std::collections::BTreeMap;

use cavra_model::{EVIDENCE_METADATA, Object, members};
use serde_json::{Value, json};

/// Records of a pass.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    waiting: Vec<Object>,
    stored: BTreeMap<String, Object>,
    /// Something could not be done after something else was.
    pub broken: bool,
}

impl Ledger {
    /// Takes a record that has to be stored.
    pub fn add(&mut self, record: Object) {
        self.waiting.push(record);
    }

    /// The records that are not stored yet.
    pub fn waiting(&self) -> &[Object] {
        &self.waiting
    }

    /// The same, for whoever stores them now.
    pub fn take(&mut self) -> Vec<Object> {
        std::mem::take(&mut self.waiting)
    }

    /// Notes records that were stored.
    pub fn note(&mut self, records: Vec<Object>) {
        let id = |record: &Object| members::text(record, EVIDENCE_METADATA.id).to_owned();
        self.stored.extend(records.into_iter().map(|record| (id(&record), record)));
    }

    /// Whether nothing is stored yet.
    pub fn is_untouched(&self) -> bool {
        self.stored.is_empty()
    }

    /// A record that was stored, as answers show it.
    pub fn stored(&self, id: &str) -> Value {
        json!(self.stored.get(id))
    }
}
