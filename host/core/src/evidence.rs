//! Evidence metadata: posted by clients, written once by the server, listed and found. docs/reference/evidence-and-promotion.md, sections 1, 9, 11
//! and 13.

use std::collections::BTreeMap;

use cavra_model::{
    EVIDENCE_METADATA, EVIDENCE_ORIGINS, Filter, MetadataKind, Object, Operator, Timestamp, members, word,
};
use cavra_store::{Criterion, Page, Parts, Query, RecordStore, StoreError, Test, Transaction};
use serde_json::{Value, json};

use crate::caller::Author;
use crate::evidence_log::note_by;
use crate::fields::truth;
use crate::{Approvals, Caller, CoreError, LogEvent, MAX_LIMIT, PageRequest, check_id};

/// Members that count decisions.
const COUNTS: [&str; 3] = ["decision_count", "blocked_count", "approval_required_count"];

/// Members with documents, and with long lists out of them, beside the document that the kind of a record names. Lists can be
/// asked to leave them all out.
const BESIDE_DOCUMENTS: [&str; 6] = ["inventory", "request", "event", "drift_items", "actions", "action_results"];

/// The metadata store, with the approvals that records refer to.
#[derive(Clone)]
pub struct Evidence {
    store: RecordStore,
    approvals: Option<Approvals>,
}

/// What became of a record that is written once.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The record in the store.
    pub record: Object,
    /// It was there already, from an earlier call.
    pub repeated: bool,
    /// A client had a record under its id, which gave way.
    pub replaced: bool,
}

impl Evidence {
    /// Over an open store that knows [`crate::EVIDENCE_KINDS`]. Without approvals, their states are shown as they were written.
    #[must_use]
    pub fn new(store: RecordStore, approvals: Option<Approvals>) -> Self {
        Self { store, approvals }
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &RecordStore {
        &self.store
    }

    /// Stores what a client says, in place of what it said before. docs/reference/evidence-and-promotion.md, section 1.2.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`]; [`CoreError::Conflict`] for a record that the server wrote; [`CoreError::Store`].
    pub async fn post(&self, mut body: Object, caller: &Caller) -> Result<Object, CoreError> {
        let id = check(&body)?;
        // A token must not come to rest in a store.
        body.remove("actor_token");
        let author = caller.author();
        let now = Timestamp::now();
        let change = move |tx: &mut dyn Transaction| {
            if tx.get(&EVIDENCE_ORIGINS, &written(&id))?.is_some() {
                return Ok(None);
            }
            let stored = tx.replaced(&EVIDENCE_METADATA, &id)?;
            let record = complete(body.clone(), stored.as_ref(), now);
            tx.put(&EVIDENCE_METADATA, record.clone())?;
            note_by(tx, author.as_ref(), LogEvent::EvidenceReceived, &EVIDENCE_METADATA, &record)?;
            Ok(Some(record))
        };
        let stored = self.store.transact(change).await?;
        let stored =
            stored.ok_or_else(|| CoreError::Conflict("this record was written by the server; it stays".to_owned()))?;
        self.present_one(stored).await
    }

    /// Writes a record of the server, once: if there is one with its id that the server wrote before, that one stays
    /// and is answered. `exclusive` names something that may happen only once, whatever the record's id: a second
    /// record for it is a conflict. docs/reference/evidence-and-promotion.md, sections 8 and 10.
    ///
    /// What the server does has ids that others can compute beforehand, and clients may post records under any free id
    /// (section 1.2). So a client's record gives way: it is kept with the note of who wrote what, and only there.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] if it is no record; [`CoreError::Conflict`] if `exclusive` has happened already;
    /// [`CoreError::Store`].
    pub async fn insert_once(&self, record: Object, exclusive: Option<String>) -> Result<Written, CoreError> {
        let record = Own::checked(record)?;
        let change = move |tx: &mut dyn Transaction| {
            let foreign = match record.stored(tx)? {
                Stored::Ours(record) => return Ok(Ok(Written { record, repeated: true, replaced: false })),
                Stored::Foreign(record) => Some(record),
                Stored::Nothing => None,
            };
            if let Some(exclusive) = exclusive.as_ref().map(|what| format!("once:{what}")) {
                if tx.get(&EVIDENCE_ORIGINS, &exclusive)?.is_some() {
                    return Ok(Err(HAPPENED));
                }
                tx.insert(&EVIDENCE_ORIGINS, origin(&exclusive, &record.id, record.now))?;
            }
            let replaced = foreign.is_some();
            record.claim(tx, foreign)?;
            record.write(tx, None)?;
            Ok(Ok(Written { record: record.record.clone(), repeated: false, replaced }))
        };
        self.store.transact(change).await?.map_err(|conflict| CoreError::Conflict(conflict.to_owned()))
    }

    /// Writes records of the server, all or none; one that the server wrote before under the same id is replaced, a client's
    /// gives way as with [`Evidence::insert_once`]. Answers them as they stand in the store. docs/reference/managed-endpoints.md, section 0.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] if one is no record; [`CoreError::Store`].
    pub async fn put_own(&self, records: Vec<Object>, caller: &Caller) -> Result<Vec<Object>, CoreError> {
        self.put_own_if(records, caller, |_| Ok(())).await
    }

    /// As [`Evidence::put_own`], if `may` says so in the same unit of work.
    ///
    /// # Errors
    /// As [`Evidence::put_own`], and what `may` answers.
    pub(crate) async fn put_own_if(
        &self,
        records: Vec<Object>,
        caller: &Caller,
        may: impl Fn(&mut dyn Transaction) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<Vec<Object>, CoreError> {
        let own = records.into_iter().map(Own::checked).collect::<Result<Vec<Own>, CoreError>>()?;
        let author = caller.author();
        let change = move |tx: &mut dyn Transaction| {
            may(tx)?;
            own.iter().map(|record| record.put(tx, author.as_ref())).collect::<Result<Vec<Object>, StoreError>>()
        };
        let mut stored = self.store.transact(change).await?;
        self.present(&mut stored).await?;
        Ok(stored)
    }

    /// One record of a kind that the server itself wrote, as it stands at this moment. What a client posted under a free
    /// id is not one: nothing may follow from it.
    ///
    /// # Errors
    /// As [`Evidence::get`].
    pub async fn own(&self, kind: &'static MetadataKind, id: &str) -> Result<Object, CoreError> {
        let record = self.get(kind, id).await?;
        if self.is_ours(id).await? { Ok(record) } else { Err(CoreError::NotFound(kind.name)) }
    }

    /// Whether the server wrote the record with this id.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn is_ours(&self, id: &str) -> Result<bool, CoreError> {
        Ok(self.store.get(&EVIDENCE_ORIGINS, &written(id)).await?.is_some())
    }

    /// One record of a kind, as it stands at this moment.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], also for a record of another kind; [`CoreError::Store`].
    pub async fn get(&self, kind: &'static MetadataKind, id: &str) -> Result<Object, CoreError> {
        let found = self.store.get(&EVIDENCE_METADATA, id).await?;
        let fits = |record: &Object| kind.value.is_none() || metadata_kind(record) == kind.value;
        let record = found.filter(fits).ok_or(CoreError::NotFound(kind.name))?;
        self.present_one(record).await
    }

    /// One page of the records of a kind, newest first, as they stand at this moment.
    ///
    /// # Errors
    /// [`CoreError::Query`] for a parameter of the wrong type; [`CoreError::Store`].
    pub async fn list(&self, kind: &'static MetadataKind, request: &PageRequest) -> Result<Page, CoreError> {
        let mut query = Query { criteria: of_kind(kind), ..request.page() };
        for filter in kind.filters {
            if let Some(value) = request.parameter(filter.parameter) {
                query.criteria.push(self.criterion(filter, value).await?);
            }
        }
        let is_summary = match request.parameter(VIEW) {
            None | Some("full") => false,
            Some("summary") => true,
            Some(_) => return Err(CoreError::BadRequest(format!("{VIEW} must be full or summary"))),
        };
        if is_summary {
            query.parts = Parts::Named;
        }
        let mut page = self.page(query).await?;
        if is_summary {
            page.items.iter_mut().for_each(|record| *record = without_documents(record));
        }
        Ok(page)
    }

    /// Shows `visit` every record of a kind, newest first, as it was written, with large parts as they are asked for; none twice
    /// whatever is posted meanwhile.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn each(
        &self,
        kind: &'static MetadataKind,
        parts: Parts,
        visit: impl FnMut(&Object),
    ) -> Result<(), CoreError> {
        self.visit(kind, parts, false, visit).await
    }

    /// As [`Evidence::each`], with the states of approvals as they are now.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn each_presented(
        &self,
        kind: &'static MetadataKind,
        parts: Parts,
        visit: impl FnMut(&Object),
    ) -> Result<(), CoreError> {
        self.visit(kind, parts, true, visit).await
    }

    async fn visit(
        &self,
        kind: &'static MetadataKind,
        parts: Parts,
        presented: bool,
        mut visit: impl FnMut(&Object),
    ) -> Result<(), CoreError> {
        let request = PageRequest { limit: i64::try_from(MAX_LIMIT).ok(), ..PageRequest::default() };
        let mut query = Query { criteria: of_kind(kind), parts, ..request.page() };
        loop {
            let mut page = self.store.list(&EVIDENCE_METADATA, query.clone()).await?;
            if presented {
                self.present(&mut page.items).await?;
            }
            page.items.iter().for_each(&mut visit);
            match page.next_cursor {
                Some(cursor) => query.cursor = Some(cursor),
                None => return Ok(()),
            }
        }
    }

    async fn page(&self, query: Query) -> Result<Page, CoreError> {
        let mut page = self.store.list(&EVIDENCE_METADATA, query).await?;
        self.present(&mut page.items).await?;
        Ok(page)
    }

    async fn criterion(&self, filter: &'static Filter, value: &str) -> Result<Criterion, CoreError> {
        let wrong = |expected| CoreError::Query { parameter: filter.parameter, expected };
        let text = || value.to_owned();
        let test = match filter.operator {
            Operator::Equals => Test::Equals(text()),
            Operator::Contains => Test::Contains(text()),
            Operator::HasElement => Test::Has(text()),
            Operator::IsWord => Test::Equals(word(value)),
            Operator::HasWord => Test::Has(word(value)),
            Operator::AtLeast => {
                Test::AtLeast(PageRequest::whole_number(value).ok_or_else(|| wrong("a whole number"))?)
            }
            Operator::GreaterZero => Test::Positive(truth(value).ok_or_else(|| wrong("true or false"))?),
            Operator::Is => Test::Is(truth(value).ok_or_else(|| wrong("true or false"))?),
            Operator::CurrentApproval => {
                let ids = self.store.values(&EVIDENCE_METADATA, APPROVAL).await?;
                let states = self.states(ids).await?;
                let known = states.into_iter().map(|(id, state)| (id, state == value)).collect();
                Test::Overruled { by: APPROVAL, known, otherwise: text() }
            }
        };
        Ok(Criterion { member: filter.member, test })
    }

    async fn states(&self, ids: Vec<String>) -> Result<BTreeMap<String, String>, CoreError> {
        match &self.approvals {
            Some(approvals) => approvals.states(ids).await,
            None => Ok(BTreeMap::new()),
        }
    }

    async fn present_one(&self, record: Object) -> Result<Object, CoreError> {
        let mut records = [record];
        self.present(&mut records).await?;
        let [record] = records;
        Ok(record)
    }

    /// Shows the state of each record's approval as it is now; the documents inside stay as they were written.
    /// docs/reference/evidence-and-promotion.md, section 11.
    async fn present(&self, records: &mut [Object]) -> Result<(), CoreError> {
        let ids: Vec<String> = records.iter().filter_map(approval_id).map(ToOwned::to_owned).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let states = self.states(ids).await?;
        for record in records {
            if let Some(state) = approval_id(record).and_then(|id| states.get(id)) {
                record.insert("approval_state".to_owned(), json!(state));
            }
        }
        Ok(())
    }
}

/// A record that the server writes, checked and complete, and when that was.
///
/// It goes into a unit of work that writes more than evidence with [`Own::put`].
#[derive(Clone, Debug)]
pub(crate) struct Own {
    id: String,
    record: Object,
    now: Timestamp,
}

/// What is in the store under the id of a record of the server.
enum Stored {
    Ours(Object),
    Foreign(Object),
    Nothing,
}

impl Own {
    /// A record as it will be stored.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] if it is no record.
    pub(crate) fn checked(record: Object) -> Result<Self, CoreError> {
        let (id, now) = (check(&record)?, Timestamp::now());
        Ok(Self { id, record: complete(record, None, now), now })
    }

    /// Writes it, in place of what is there; answers what is stored then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) fn put(&self, tx: &mut dyn Transaction, author: Option<&Author>) -> Result<Object, StoreError> {
        match self.stored(tx)? {
            Stored::Ours(_) => {}
            Stored::Foreign(record) => self.claim(tx, Some(record))?,
            Stored::Nothing => self.claim(tx, None)?,
        }
        self.write(tx, author)?;
        Ok(self.record.clone())
    }

    /// As [`Own::put`], for what is evaluated again and again under one id: what earlier evaluations came to stays in
    /// `earlier_evaluations`, these members of them, the latest first.
    pub(crate) fn put_evaluation(
        &self,
        tx: &mut dyn Transaction,
        author: Option<&Author>,
        shown: &[&str],
    ) -> Result<Object, StoreError> {
        let Stored::Ours(earlier) = self.stored(tx)? else { return self.put(tx, author) };
        let latest = shown.iter().filter_map(|name| Some(((*name).to_owned(), earlier.get(*name)?.clone())));
        let latest = Value::Object(latest.collect());
        let before = members::list(&earlier, EARLIER).iter().cloned();
        let evaluations: Vec<Value> = std::iter::once(latest).chain(before).take(EVALUATIONS).collect();
        let mut own = self.clone();
        own.record.insert(EARLIER.to_owned(), Value::Array(evaluations));
        own.put(tx, author)
    }

    fn stored(&self, tx: &mut dyn Transaction) -> Result<Stored, StoreError> {
        Ok(if tx.get(&EVIDENCE_ORIGINS, &written(&self.id))?.is_some() {
            tx.get(&EVIDENCE_METADATA, &self.id)?.map_or(Stored::Nothing, Stored::Ours)
        } else {
            tx.replaced(&EVIDENCE_METADATA, &self.id)?.map_or(Stored::Nothing, Stored::Foreign)
        })
    }

    /// Notes that the server has the id; a client's record under it is kept in that note.
    fn claim(&self, tx: &mut dyn Transaction, foreign: Option<Object>) -> Result<(), StoreError> {
        let mut origin = origin(&written(&self.id), &self.id, self.now);
        origin.extend(foreign.map(|foreign| ("replaced".to_owned(), Value::Object(foreign))));
        tx.insert(&EVIDENCE_ORIGINS, origin)
    }

    fn write(&self, tx: &mut dyn Transaction, author: Option<&Author>) -> Result<(), StoreError> {
        note_by(tx, author, LogEvent::of_evidence(&self.record), &EVIDENCE_METADATA, &self.record)?;
        tx.put(&EVIDENCE_METADATA, self.record.clone())
    }
}

/// The member of a record that says what earlier evaluations came to.
const EARLIER: &str = "earlier_evaluations";
/// How many of them it names.
const EVALUATIONS: usize = 20;
/// The parameter of lists that says whether documents are left out.
const VIEW: &str = "view";
const HAPPENED: &str = "this was done already, under another approval";
const KIND: &str = "metadata_kind";
const APPROVAL: &str = "approval_id";

/// What records of a kind have in common.
fn of_kind(kind: &MetadataKind) -> Vec<Criterion> {
    let test = match (kind.value, kind.joined) {
        (None, _) => return Vec::new(),
        (Some(value), []) => Test::Equals(value.to_owned()),
        (Some(_), _) => Test::OneOf(kind.listed().map(ToOwned::to_owned).collect()),
    };
    vec![Criterion { member: KIND, test }]
}

fn approval_id(record: &Object) -> Option<&str> {
    record.get(APPROVAL).and_then(Value::as_str).filter(|id| !id.is_empty())
}

/// A record without the documents in it.
pub(crate) fn without_documents(record: &Object) -> Object {
    let own = kind_of(record).document;
    let members = record.iter().filter(|(name, _)| {
        let name = name.as_str();
        own != Some(name) && !BESIDE_DOCUMENTS.contains(&name)
    });
    members.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The kind a record says it is of.
fn metadata_kind(record: &Object) -> Option<&str> {
    record.get(KIND).and_then(Value::as_str)
}

/// The row of the record's kind.
#[must_use]
pub fn kind_of(record: &Object) -> &'static MetadataKind {
    MetadataKind::of(metadata_kind(record))
}

/// The note that the server wrote the record with this id.
pub(crate) fn written(id: &str) -> String {
    format!("record:{id}")
}

fn origin(subject: &str, record_id: &str, now: Timestamp) -> Object {
    Object::from_iter([
        ("subject".to_owned(), json!(subject)),
        ("record_id".to_owned(), json!(record_id)),
        ("written_at".to_owned(), json!(now)),
    ])
}

/// The record as it is stored: who we are, and when it was made.
fn complete(mut record: Object, stored: Option<&Object>, now: Timestamp) -> Object {
    record.insert("schema_version".to_owned(), json!("cavra.evidence.metadata.v1"));
    record.insert("product".to_owned(), json!("CAVRA"));
    if record.get("created_at").is_none_or(Value::is_null) {
        let kept = stored.and_then(|stored| stored.get("created_at")).filter(|time| !time.is_null());
        record.insert("created_at".to_owned(), kept.cloned().unwrap_or_else(|| json!(now)));
    }
    record
}

/// The record's id, if everything about it is as it must be. docs/reference/evidence-and-promotion.md, section 1.2.
fn check(record: &Object) -> Result<String, CoreError> {
    let wrong = |text: String| Err(CoreError::BadRequest(text));
    let id = match record.get(EVIDENCE_METADATA.id) {
        None | Some(Value::Null) => return wrong("session_id is required".to_owned()),
        Some(Value::String(id)) if id.is_empty() => return wrong("session_id is required".to_owned()),
        Some(Value::String(id)) => id,
        Some(_) => return wrong("session_id must be a text".to_owned()),
    };
    check_id(EVIDENCE_METADATA.id, id)?;
    if id == "." || id == ".." {
        return wrong("session_id must not be `.` or `..`".to_owned());
    }
    for member in COUNTS {
        let value = record.get(member).filter(|value| !value.is_null());
        if value.is_some_and(|value| !value.is_u64()) {
            return wrong(format!("{member} must be a whole number that is not negative"));
        }
    }
    match record.get("deployment_targets") {
        None | Some(Value::Null) => {}
        Some(Value::Array(targets)) if targets.iter().all(Value::is_string) => {}
        Some(_) => return wrong("deployment_targets must be a list of texts".to_owned()),
    }
    Ok(id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused() {
        let long = "x".repeat(257);
        for (body, fine) in [
            (json!({"session_id": "s", "decision_count": null, "deployment_targets": null}), true),
            (json!({"session_id": "a/b %_", "blocked_count": 3, "deployment_targets": ["a"]}), true),
            (json!({}), false),
            (json!({"session_id": null}), false),
            (json!({"session_id": ""}), false),
            (json!({"session_id": 4}), false),
            (json!({"session_id": "a\nb"}), false),
            (json!({"session_id": long}), false),
            (json!({"session_id": "."}), false),
            (json!({"session_id": ".."}), false),
            (json!({"session_id": "s", "decision_count": -1}), false),
            (json!({"session_id": "s", "blocked_count": "1"}), false),
            (json!({"session_id": "s", "approval_required_count": 1.5}), false),
            (json!({"session_id": "s", "decision_count": true}), false),
            (json!({"session_id": "s", "deployment_targets": "a"}), false),
            (json!({"session_id": "s", "deployment_targets": ["a", 4]}), false),
        ] {
            assert_eq!(check(body.as_object().unwrap()).is_ok(), fine, "{body}");
        }
    }
}
