//! Disposal: records that have been kept as long as the retention rule says are removed, under an approval of exactly that
//! rule. Each leaves a leaf that says what it was, so its earlier leaf and whoever has a copy can still prove it.
//!
//! Decisions go with their session, when nobody has gone on with it since. Approvals, publications of policies, archived policies and
//! registries stay: they say who let what happen, and by which rules.

use std::collections::{BTreeMap, BTreeSet};

use cavra_model::members::{built, filled, object, text};
use cavra_model::{
    COUNTED_SESSIONS, DECISIONS, DELIVERIES, Digest, EVIDENCE_METADATA, EVIDENCE_ORIGINS, Kind, Object, SESSIONS,
    Timestamp, canonical,
};
use cavra_store::{Query, RecordStore, StoreError, Transaction, Unreadable, Walk};
use serde_json::{Value, json};

use super::{PRODUCT, RetentionRequest};
use crate::areas::open_store;
use crate::caller::Author;
use crate::evidence::{Evidence, written};
use crate::evidence_log::note_by;
use crate::{Approvals, Caller, CoreError, LogEvent, MAX_LIMIT, Settings, look_at_store};

/// Records of one unit of work: it is short, so decisions that are made meanwhile hardly wait.
const UNIT: usize = 100;
/// Most records of a kind that are looked at before those that can go have gone.
const ROUND: usize = 5_000;
/// What an approval has to be of.
const OPERATION: &str = "retention_apply";
/// `metadata_kind` of the record of a run.
const RUN: &str = "retention-run";
/// Class of records that do not say theirs.
const UNCLASSIFIED: &str = "regulated-sdlc";

const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// What is to be removed, and by whose leave.
#[derive(Clone, Debug)]
pub struct Disposal {
    /// The rule.
    pub rule: RetentionRequest,
    /// What is older goes; the begin of the day that is so many days ago if it is not said.
    pub before: Option<String>,
    /// Nothing is removed.
    pub dry_run: bool,
    /// The approval.
    pub approval_id: Option<String>,
}

/// A kind of records that go one by one: the member that says how old one is, and what its leaf says.
struct Row {
    kind: &'static Kind,
    at: &'static str,
    event: LogEvent,
}

const SESSION: Row = Row { kind: &SESSIONS, at: "updated_at", event: LogEvent::SessionRemoved };
const DECISION: Row = Row { kind: &DECISIONS, at: "timestamp", event: LogEvent::DecisionRemoved };
const EVIDENCE: Row = Row { kind: &EVIDENCE_METADATA, at: "created_at", event: LogEvent::EvidenceRemoved };
const DELIVERY: Row = Row { kind: &DELIVERIES, at: "queued_at", event: LogEvent::DeliveryRemoved };

/// The rule, as records are held against it.
#[derive(Clone, Debug)]
struct Rule {
    before: Timestamp,
    classification: String,
}

/// Why a record stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kept {
    Young,
    OtherClass,
    LegalHold,
    OwnRetention,
    Unsettled,
    Last,
}

impl Kept {
    fn word(self) -> &'static str {
        match self {
            Self::Young => "younger",
            Self::OtherClass => "other_classification",
            Self::LegalHold => "legal_hold",
            Self::OwnRetention => "own_retention",
            Self::Unsettled => "unsettled",
            Self::Last => "newest_of_its_kind",
        }
    }
}

impl Rule {
    /// Why a record of a kind stays, if it does.
    fn keeps(&self, row: &Row, record: &Object) -> Option<Kept> {
        let at = filled(record, row.at).and_then(|text| text.parse::<Timestamp>().ok());
        let Some(at) = at.filter(|at| *at < self.before) else { return Some(Kept::Young) };
        if *row.kind == DELIVERIES && (filled(record, "pending_for").is_some() || text(record, "state") == "pending") {
            return Some(Kept::Unsettled);
        }
        let own = object(record, "retention");
        let said = |name: &str| own.and_then(|own| own.get(name)).or_else(|| record.get(name));
        if is_held(record) || text(record, "metadata_kind") == RUN {
            return Some(Kept::LegalHold);
        }
        // What says something of itself that cannot be read stays.
        let class = said("classification").filter(|class| !class.is_null());
        if class.map_or(Some(UNCLASSIFIED), Value::as_str) != Some(self.classification.as_str()) {
            return Some(Kept::OtherClass);
        }
        let days = said("retention_days").filter(|days| !days.is_null());
        let is_over = |days: &Value| days.as_i64().is_some_and(|days| days_after(at, days) <= Timestamp::now());
        days.is_some_and(|days| !is_over(days)).then_some(Kept::OwnRetention)
    }
}

/// Whether a record is under a legal hold, by either of the members that say so. Whatever is neither absent nor false holds it.
fn is_held(record: &Object) -> bool {
    let said = [Some(record), object(record, "retention")].into_iter().flatten();
    said.filter_map(|said| said.get("legal_hold")).any(|hold| !matches!(hold, Value::Null | Value::Bool(false)))
}

fn days_after(at: Timestamp, days: i64) -> Timestamp {
    Timestamp::from_micros(at.as_micros().saturating_add(days.saturating_mul(MICROS_PER_DAY)))
}

/// What a run did, by kind.
#[derive(Default)]
struct Tally {
    removed: BTreeMap<&'static str, u64>,
    kept: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn document(&self) -> Value {
        json!({ "removed": self.removed, "kept": self.kept })
    }
}

/// Removes what the rule says, or says what would be. `cavra.persistent_api.retention_run.v1`.
///
/// # Errors
/// [`CoreError::BadRequest`] for a rule that cannot be, [`CoreError::Conflict`] under a legal hold, without an approval or with one
/// that is of something else; then nothing was removed. [`CoreError::Store`].
pub async fn apply_retention(settings: &Settings, disposal: &Disposal) -> Result<Value, CoreError> {
    super::retention_plan(settings, &disposal.rule)?;
    let before = cutoff(disposal)?;
    let subject = json!({
        "operation": OPERATION, "retention_days": disposal.rule.retention_days,
        "classification": disposal.rule.classification, "before": before,
    });
    let digest = Digest::of(canonical(&subject));
    if disposal.rule.legal_hold {
        return Err(CoreError::Conflict("under a legal hold nothing is removed".to_owned()));
    }
    let areas = ["activity", "approvals", "evidence", "integrations"];
    let store = if disposal.dry_run { look_at_store(settings, &areas)? } else { open_store(settings)? };
    let done = run(&store, disposal, before, &subject, &digest).await;
    store.close().await;
    done
}

/// Does it in an open store.
async fn run(
    store: &RecordStore,
    disposal: &Disposal,
    before: Timestamp,
    subject: &Value,
    digest: &Digest,
) -> Result<Value, CoreError> {
    if !disposal.dry_run {
        admit(store, disposal, digest.as_str()).await?;
    }
    let created = Timestamp::now();
    let run = format!("retention-{}", short(&Digest::of(format!("{} {created}", digest.as_str()))));
    let mut disposer = Disposer {
        store: store.clone(),
        rule: Rule { before, classification: disposal.rule.classification.clone() },
        author: Author { actor: run.clone(), subject: None, issuer: None, via: "retention".to_owned() },
        dry_run: disposal.dry_run,
        tally: Tally::default(),
        last: BTreeSet::new(),
    };
    let mut document = built(json!({
        "schema_version": "cavra.persistent_api.retention_run.v1",
        "product": PRODUCT,
        "run_id": run,
        "created_at": created,
        "dry_run": disposal.dry_run,
        "rule": subject,
        "retention_digest": digest.as_str(),
        "approval_id": disposal.approval_id,
        "state": "begun",
    }));
    if !disposal.dry_run {
        keep(store, &document).await?;
    }
    disposer.run().await?;
    document.extend(built(disposer.tally.document()));
    document.insert("state".to_owned(), json!("completed"));
    if disposal.dry_run {
        document.insert("approval_decision".to_owned(), decision(subject, digest));
    } else {
        keep(store, &document).await?;
    }
    Ok(Value::Object(document))
}

/// What is older goes.
fn cutoff(disposal: &Disposal) -> Result<Timestamp, CoreError> {
    let now = Timestamp::now();
    let latest = days_after(now, disposal.rule.retention_days.saturating_neg());
    let day = Timestamp::from_micros(latest.as_micros() - latest.as_micros().rem_euclid(MICROS_PER_DAY));
    let Some(said) = &disposal.before else { return Ok(day) };
    let said: Timestamp = said.parse().map_err(|()| CoreError::BadRequest("before must be a time".to_owned()))?;
    if said > latest {
        return Err(CoreError::BadRequest(format!(
            "what is younger than {} days is kept: before must not be later than {latest}",
            disposal.rule.retention_days
        )));
    }
    Ok(said)
}

/// The decision that somebody asks the approval for.
fn decision(subject: &Value, digest: &Digest) -> Value {
    json!({
        "decision_id": format!("retention-{}", short(digest)),
        "decision": "require_approval",
        "action_type": OPERATION,
        "target": "records that have been kept as long as the rule says",
        "severity": "high",
        "reason": "removing records needs an approval",
        "retention": subject,
        "retention_digest": digest.as_str(),
    })
}

fn short(digest: &Digest) -> String {
    digest.hex().chars().take(16).collect()
}

async fn admit(store: &RecordStore, disposal: &Disposal, digest: &str) -> Result<(), CoreError> {
    let missing = || {
        CoreError::Conflict(format!(
            "removing records needs an approval of {digest}: ask for it with what --dry-run prints as approval_decision"
        ))
    };
    let id = disposal.approval_id.as_deref().ok_or_else(missing)?;
    let approval = store.get(&cavra_model::APPROVALS, id).await?.ok_or(CoreError::NotFound("approval"))?;
    Approvals::admit(&approval, OPERATION, &[("retention_digest", digest)])
}

/// Keeps the record of a run; its leaf says under which rule everything went that names the run.
async fn keep(store: &RecordStore, document: &Object) -> Result<(), CoreError> {
    let record = built(json!({
        "session_id": text(document, "run_id"), "created_at": document.get("created_at"), "signer": "cavra-retention",
        "decision_count": 0, "blocked_count": 0, "approval_required_count": 0, "metadata_kind": RUN,
        "retention_run": document,
    }));
    Evidence::new(store.clone(), None).put_own(vec![record], &Caller::default()).await.map(drop)
}

struct Disposer {
    store: RecordStore,
    rule: Rule,
    author: Author,
    dry_run: bool,
    tally: Tally,
    /// The records that were written last of their kinds.
    last: BTreeSet<String>,
}

impl Disposer {
    async fn run(&mut self) -> Result<(), CoreError> {
        for kind in [&SESSIONS, &DECISIONS, &EVIDENCE_METADATA, &DELIVERIES] {
            self.last.extend(self.last_of(kind).await?);
        }
        self.sessions().await?;
        self.one_by_one(&EVIDENCE).await?;
        self.one_by_one(&DELIVERY).await
    }

    /// The key of the record of a kind that was written last.
    async fn last_of(&self, kind: &'static Kind) -> Result<Option<String>, CoreError> {
        let page =
            |offset| Query { committed: true, limit: 1, offset, unreadable: Unreadable::Skip, ..Query::default() };
        let total = self.store.list(kind, page(0)).await?.total;
        let last = self.store.list(kind, page(total.saturating_sub(1))).await?.items.pop();
        Ok(last.map(|record| format!("{} {}", kind.table, text(&record, kind.id))))
    }

    /// Keys of records that are old enough, at most as many as one round looks at, without those in `seen`.
    async fn old(&self, row: &Row, seen: &BTreeSet<String>) -> Result<Vec<String>, CoreError> {
        let (seen, id) = (seen.clone(), row.kind.id);
        let found = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let sink = std::sync::Arc::clone(&found);
        let walk = Walk {
            at_most: Some((row.at, self.rule.before.to_string())),
            unreadable: Unreadable::Skip,
            ..Walk::default()
        };
        let visit = move |record: Object| {
            let mut found = sink.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if !seen.contains(text(&record, id)) {
                found.push(text(&record, id).to_owned());
            }
            found.len() < ROUND
        };
        self.store.walk(row.kind, walk, visit).await?;
        Ok(std::mem::take(&mut *found.lock().unwrap_or_else(std::sync::PoisonError::into_inner)))
    }

    /// Those of some records that are still there: they are not looked at again.
    async fn left(&self, row: &Row, ids: Vec<String>) -> Result<Vec<String>, CoreError> {
        let left = self.store.get_many(row.kind, ids).await?;
        Ok(left.iter().map(|record| text(record, row.kind.id).to_owned()).collect())
    }

    /// Removes records of a kind that go by themselves.
    async fn one_by_one(&mut self, row: &'static Row) -> Result<(), CoreError> {
        let mut seen = BTreeSet::new();
        loop {
            let old = self.old(row, &seen).await?;
            if old.is_empty() {
                return Ok(());
            }
            for ids in old.chunks(UNIT) {
                self.unit(row, ids.to_vec(), None).await?;
            }
            seen.extend(self.left(row, old).await?);
        }
    }

    /// Removes sessions with their decisions.
    async fn sessions(&mut self) -> Result<(), CoreError> {
        let mut seen = BTreeSet::new();
        loop {
            let old = self.old(&SESSION, &seen).await?;
            if old.is_empty() {
                return Ok(());
            }
            for session in &old {
                self.session(session).await?;
            }
            seen.extend(self.left(&SESSION, old).await?);
        }
    }

    async fn session(&mut self, id: &str) -> Result<(), CoreError> {
        let Some(session) = self.store.get(&SESSIONS, id).await? else { return Ok(()) };
        let held = self.store.get(&EVIDENCE_METADATA, id).await?.is_some_and(|evidence| is_held(&evidence));
        let kept = self.rule.keeps(&SESSION, &session).or(held.then_some(Kept::LegalHold));
        if let Some(kept) = kept.or(self.is_last(&SESSION, id).then_some(Kept::Last)) {
            *self.tally.kept.entry(kept.word()).or_default() += 1;
            return Ok(());
        }
        let mut query = Query {
            filters: vec![("session_id", id.to_owned())],
            limit: MAX_LIMIT,
            unreadable: Unreadable::Skip,
            ..Query::default()
        };
        loop {
            let page = self.store.list(&DECISIONS, query.clone()).await?;
            let ids: Vec<String> = page.items.iter().map(|decision| text(decision, DECISIONS.id).to_owned()).collect();
            if ids.iter().any(|decision| self.is_last(&DECISION, decision)) {
                *self.tally.kept.entry(Kept::Last.word()).or_default() += 1;
                return Ok(());
            }
            for ids in ids.chunks(UNIT) {
                self.unit(&DECISION, ids.to_vec(), Some(id.to_owned())).await?;
            }
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                break;
            }
        }
        // One of which a decision is kept stays, too.
        if self.dry_run || self.store.list(&DECISIONS, query).await?.total == 0 {
            self.unit(&SESSION, vec![id.to_owned()], Some(id.to_owned())).await?;
        }
        Ok(())
    }

    fn is_last(&self, row: &Row, id: &str) -> bool {
        self.last.contains(&format!("{} {id}", row.kind.table))
    }

    /// Removes some records in one unit of work. Each is looked at again in it: what has changed since stays, and so does
    /// everything of a session with which somebody has gone on, or that was put under a hold.
    async fn unit(&mut self, row: &'static Row, ids: Vec<String>, session: Option<String>) -> Result<(), CoreError> {
        let (ids, last): (Vec<String>, Vec<String>) = ids.into_iter().partition(|id| !self.is_last(row, id));
        let (rule, author, looked) = (self.rule.clone(), self.author.clone(), ids.clone());
        let work = move |tx: &mut dyn Transaction| {
            let stays = match &session {
                Some(id) if tx.get(&EVIDENCE_METADATA, id)?.is_some_and(|evidence| is_held(&evidence)) => {
                    Some(Kept::LegalHold)
                }
                Some(id) => tx.get(&SESSIONS, id)?.and_then(|session| rule.keeps(&SESSION, &session)),
                None => None,
            };
            let (mut removed, mut kept) = (0_u64, Vec::new());
            for id in &ids {
                let Some(record) = tx.replaced(row.kind, id)? else { continue };
                if let Some(why) = rule.keeps(row, &record).or(stays) {
                    kept.push(why);
                    continue;
                }
                removed += 1;
                remove(tx, row, id, &record, &author)?;
            }
            Ok((removed, kept))
        };
        let (removed, mut kept) =
            if self.dry_run { self.looked(row, &looked).await? } else { self.store.transact(work).await? };
        kept.extend(last.iter().map(|_| Kept::Last));
        *self.tally.removed.entry(row.kind.table).or_default() += removed;
        for why in kept {
            *self.tally.kept.entry(why.word()).or_default() += 1;
        }
        Ok(())
    }
}

impl Disposer {
    /// What would be removed of some records, and why others are kept.
    async fn looked(&self, row: &'static Row, ids: &[String]) -> Result<(u64, Vec<Kept>), CoreError> {
        let (mut removed, mut kept) = (0, Vec::new());
        for record in self.store.get_many(row.kind, ids.to_vec()).await? {
            match self.rule.keeps(row, &record) {
                Some(why) => kept.push(why),
                None => removed += 1,
            }
        }
        Ok((removed, kept))
    }
}

/// Removes a record with what is kept beside it, and says in the log what it was.
fn remove(tx: &mut dyn Transaction, row: &Row, id: &str, record: &Object, author: &Author) -> Result<(), StoreError> {
    note_by(tx, Some(author), row.event, row.kind, record)?;
    tx.remove(row.kind, id)?;
    if *row.kind == SESSIONS {
        tx.remove(&COUNTED_SESSIONS, id)?;
    }
    if *row.kind == EVIDENCE_METADATA {
        tx.remove(&EVIDENCE_ORIGINS, &written(id))?;
    }
    Ok(())
}
