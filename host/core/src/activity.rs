//! Decisions and sessions: recorded together in one durable commit, read back through the record store.
//! docs/reference/decisions-and-policy.md, sections 5, 7 and 8.

use std::sync::Arc;

use cavra_model::members::of;
use cavra_model::{
    COUNTED_SESSIONS, Counts, DECISIONS, DecisionRecord, Kind, NoRandomness, Object, Outcome, SESSIONS, SHOWN_REFS,
    Timestamp, apply_decision, merge_session, new_decision_id, present_session,
};
use cavra_packs::ResolvedPack;
use cavra_store::{Page, Query, RecordStore, StoreError, Transaction};
use serde_json::{Value, json};

use crate::archive::{Archive, digests, keep};
use crate::evidence_log::note_by;
use crate::govern::{Governed, redeem};
use crate::{Caller, CoreError, Leaf, LogEvent, Redactor, check_id};

/// How often a fresh decision id may meet an existing one before the store is declared unusable. With 48 random
/// bits a single collision is already rare.
const ID_ATTEMPTS: usize = 4;

/// The activity store.
#[derive(Clone)]
pub struct Activity {
    store: RecordStore,
    archive: Archive,
    redactor: Redactor,
}

impl Activity {
    /// Over an open store of [`crate::ACTIVITY_KINDS`].
    #[must_use]
    pub fn new(store: RecordStore) -> Self {
        Self { store, archive: Archive::default(), redactor: Redactor::default() }
    }

    /// With another redactor than the one that is on.
    #[must_use]
    pub fn with_redactor(self, redactor: Redactor) -> Self {
        Self { redactor, ..self }
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &RecordStore {
        &self.store
    }

    /// Stores a decision by `pack` with its leaf of the evidence log and folds it into its session, and uses up the approval
    /// that lets its action happen; what decided is archived with the first decision it made. All of it is one unit of work,
    /// durable when this returns.
    ///
    /// # Errors
    /// [`CoreError::Store`]; then nothing is stored, and no approval is used up.
    pub async fn record(
        &self,
        decision: impl Into<Governed>,
        pack: &ResolvedPack,
    ) -> Result<DecisionRecord, CoreError> {
        let recorded = self.record_all(vec![decision.into()], pack).await?;
        recorded.into_iter().next().ok_or(CoreError::Store(StoreError::Closed))
    }

    /// As [`Activity::record`], for the decisions of one event. Approvals are used up only if with them nothing stands in
    /// the way of any.
    ///
    /// # Errors
    /// [`CoreError::Store`]; then nothing is stored, and no approval is used up.
    pub async fn record_all(
        &self,
        mut decisions: Vec<Governed>,
        pack: &ResolvedPack,
    ) -> Result<Vec<DecisionRecord>, CoreError> {
        for _ in 0..ID_ATTEMPTS {
            let parts = self.archive.unkept(pack);
            let digests = digests(&parts);
            let stored = if decisions.iter().all(|decision| decision.claim.is_none()) {
                // What does not depend on the store is made ready here, not on the thread that writes for everyone.
                let ready = decisions.iter().map(|one| logged(&one.record)).collect::<Result<Vec<_>, _>>()?;
                let change = move |tx: &mut dyn Transaction| {
                    keep(tx, &parts)?;
                    ready.iter().try_for_each(|one| store_logged(tx, one))
                };
                let stored = self.store.transact(change).await;
                stored.map(|()| decisions.iter().map(|one| one.record.clone()).collect())
            } else {
                let decisions = decisions.clone();
                let change = move |tx: &mut dyn Transaction| {
                    keep(tx, &parts)?;
                    let records = redeem(tx, &decisions)?;
                    for record in &records {
                        let ready = logged(record).map_err(|error| StoreError::Refused(error.to_string()))?;
                        store_logged(tx, &ready)?;
                    }
                    Ok(records)
                };
                self.store.transact(change).await
            };
            match stored {
                Err(StoreError::Exists) => decisions.iter_mut().try_for_each(|one| renew_id(&mut one.record))?,
                Err(error) => return Err(error.into()),
                Ok(records) => {
                    self.archive.note(digests);
                    return Ok(records);
                }
            }
        }
        Err(StoreError::Exists.into())
    }

    /// Stores the decisions of a session that is over already, with their leaves, all or none; durable when it returns.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn record_run(
        &self,
        session: &str,
        decisions: &[DecisionRecord],
        pack: &ResolvedPack,
    ) -> Result<(), CoreError> {
        let parts = self.archive.unkept(pack);
        let digests = digests(&parts);
        let records = decisions.iter().map(logged).collect::<Result<Vec<_>, _>>()?;
        let finished = Object::from_iter([
            (SESSIONS.id.to_owned(), json!(session)),
            ("state".to_owned(), json!("completed")),
            ("evidence_refs".to_owned(), json!([format!("sandbox://runs/{session}")])),
        ]);
        let change = move |tx: &mut dyn Transaction| {
            keep(tx, &parts)?;
            records.iter().try_for_each(|ready| store_logged(tx, ready))?;
            let id = finished.get(SESSIONS.id).and_then(Value::as_str).unwrap_or_default();
            let stored = tx.replaced(&SESSIONS, id)?;
            let counts = counts(tx, id, stored.as_ref())?;
            let session = merge_session(stored, &finished, &counts, Timestamp::now())
                .map_err(|error| StoreError::Refused(error.to_string()))?;
            tx.put(&SESSIONS, session)
        };
        self.store.transact(change).await?;
        self.archive.note(digests);
        Ok(())
    }

    /// Merges what a client says about a session over the stored record; answers the session as it is then.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] if the body is no session record, [`CoreError::Store`].
    pub async fn post_session(&self, mut body: Object, caller: &Caller) -> Result<Object, CoreError> {
        check_texts(&body)?;
        self.redactor.clean(&mut body, &[])?;
        // Checked before the writer is bothered, so that a wrong body costs no commit.
        let now = Timestamp::now();
        let author = caller.author();
        merge_session(None, &body, &Counts::Tally(Vec::new()), now)?;
        let session = self
            .store
            .transact(move |tx| {
                let id = body.get(SESSIONS.id).and_then(Value::as_str).unwrap_or_default().to_owned();
                let stored = tx.replaced(&SESSIONS, &id)?;
                let counts = counts(tx, &id, stored.as_ref())?;
                let began = if stored.is_none() { began(tx, &id, &counts)? } else { None };
                let mut session = merge_session(stored, &body, &counts, now)
                    .map_err(|error| StoreError::Refused(error.to_string()))?;
                if counts.are_of_decisions() {
                    note_counted(tx, &id, &counts)?;
                }
                if let (Some(began), None | Some(Value::Null)) = (began, body.get("started_at")) {
                    session.insert("started_at".to_owned(), Value::String(began));
                }
                tx.put(&SESSIONS, session.clone())?;
                note_by(tx, author.as_ref(), LogEvent::SessionReported, &SESSIONS, &session)?;
                Ok(session)
            })
            .await?;
        self.present(&SESSIONS, session).await
    }

    /// One record.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Store`].
    pub async fn get(&self, kind: &'static Kind, id: &str) -> Result<Object, CoreError> {
        let record = self.store.get(kind, id).await?.ok_or(CoreError::NotFound(kind.name))?;
        self.present(kind, record).await
    }

    /// One page of records.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn list(&self, kind: &'static Kind, query: Query) -> Result<Page, CoreError> {
        let mut page = self.store.list(kind, query).await?;
        for item in &mut page.items {
            *item = self.present(kind, std::mem::take(item)).await?;
        }
        Ok(page)
    }

    /// Decisions that were blocked, need approval or warned, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn risky(&self, mut query: Query, limit: u64) -> Result<Vec<Object>, CoreError> {
        let wanted =
            query.filters.iter().position(|(column, _)| *column == "decision").map(|at| query.filters.remove(at).1);
        let outcomes = [Outcome::Block, Outcome::RequireApproval, Outcome::Warn].map(Outcome::as_str);
        let outcomes = outcomes.into_iter().filter(|outcome| wanted.as_deref().is_none_or(|wanted| wanted == *outcome));
        query.any_of = Some(("decision", outcomes.map(ToOwned::to_owned).collect()));
        (query.limit, query.bytes) = (limit, None);
        Ok(self.store.list(&DECISIONS, query).await?.items)
    }

    /// The references of a session's decisions, a page of decisions at a time, and those that clients gave it.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Store`].
    pub async fn references(&self, session: &str, query: Query) -> Result<(Page, Vec<Value>), CoreError> {
        let record = self.store.get(&SESSIONS, session).await?.ok_or(CoreError::NotFound(SESSIONS.name))?;
        let query = Query { filters: vec![("session_id", session.to_owned())], ..query };
        let mut page = self.store.list(&DECISIONS, query).await?;
        for item in &mut page.items {
            item.retain(|member, _| [DECISIONS.id, "timestamp", "evidence_refs"].contains(&member.as_str()));
        }
        let given = record.get("evidence_refs").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok((page, given))
    }

    /// A record as clients see it. A session shows the newest references of its decisions, which are collected when it is
    /// read: a session of a million decisions must not be rewritten a million times.
    async fn present(&self, kind: &'static Kind, record: Object) -> Result<Object, CoreError> {
        if *kind != SESSIONS {
            return Ok(record);
        }
        let id = record.get(SESSIONS.id).and_then(Value::as_str).unwrap_or_default().to_owned();
        let refs = self.store.gather(&DECISIONS, ("session_id", id), "evidence_refs", SHOWN_REFS as u64).await?;
        let refs = refs.into_iter().filter_map(|value| value.as_str().map(ToOwned::to_owned)).collect();
        Ok(present_session(record, refs))
    }
}

/// A decision as it is stored, and its leaf.
fn logged(decision: &DecisionRecord) -> Result<(String, Arc<Object>), CoreError> {
    let object = to_object(decision)?;
    Ok((Leaf::new(LogEvent::Decision, &decision.decision_id, &object).to_text(), Arc::new(object)))
}

fn store_logged(tx: &mut dyn Transaction, (leaf, decision): &(String, Arc<Object>)) -> Result<(), StoreError> {
    tx.append(&DECISIONS, leaf.clone())?;
    store_decision(tx, decision)
}

fn store_decision(tx: &mut dyn Transaction, decision: &Arc<Object>) -> Result<(), StoreError> {
    let id = decision.get("session_id").and_then(Value::as_str).unwrap_or_default().to_owned();
    // Of a session that cannot be read, what its decisions tell is left.
    let stored = tx.replaced(&SESSIONS, &id)?;
    let counts = counts(tx, &id, stored.as_ref())?;
    let began = if stored.is_none() { began(tx, &id, &counts)? } else { None };
    let mut session = apply_decision(stored, decision, &counts);
    note_counted(tx, &id, &counts)?;
    if let Some(began) = began {
        session.insert("started_at".to_owned(), Value::String(began));
    }
    tx.insert_shared(&DECISIONS, Arc::clone(decision))?;
    tx.put(&SESSIONS, session)
}

/// Where the counts of a stored session come from. Its decisions are looked at once.
fn counts(tx: &mut dyn Transaction, session: &str, stored: Option<&Object>) -> Result<Counts, StoreError> {
    if stored.is_some() && tx.holds(&COUNTED_SESSIONS, session)? {
        return Ok(Counts::Kept);
    }
    Ok(Counts::Tally(tx.tally(&DECISIONS, ("session_id", session), "decision")?))
}

/// The session has its counts from decisions from now on.
fn note_counted(tx: &mut dyn Transaction, session: &str, before: &Counts) -> Result<(), StoreError> {
    if *before == Counts::Kept {
        return Ok(());
    }
    let noted = [(COUNTED_SESSIONS.id, json!(session)), ("counted_at", json!(Timestamp::now()))];
    tx.put(&COUNTED_SESSIONS, noted.map(|(member, value)| (member.to_owned(), value)).into_iter().collect())
}

/// When a session without a record began, if it has decisions all the same: a store written by another product may
/// hold decisions alone.
fn began(tx: &mut dyn Transaction, session: &str, counts: &Counts) -> Result<Option<String>, StoreError> {
    if !counts.are_of_decisions() {
        return Ok(None);
    }
    let times = tx.tally(&DECISIONS, ("session_id", session), "timestamp")?;
    Ok(times.into_iter().map(|(time, _)| time).min())
}

fn renew_id(decision: &mut DecisionRecord) -> Result<(), NoRandomness> {
    decision.decision_id = new_decision_id()?;
    decision.evidence_refs = vec![format!("evidence://{}/{}", decision.session_id, decision.decision_id)];
    Ok(())
}

/// The record as the JSON object that is stored.
pub(crate) fn to_object(decision: &DecisionRecord) -> Result<Object, CoreError> {
    of(decision).map_err(|_| CoreError::BadRequest("the decision cannot be written as JSON".to_owned()))
}

/// The texts of a client's record are ids and labels; members it does not have are ignored.
fn check_texts(body: &Object) -> Result<(), CoreError> {
    let texts = ["session_id", "agent_id", "actor", "repository", "policy_pack", "state", "status"];
    texts
        .into_iter()
        .filter_map(|field| body.get(field).and_then(Value::as_str).map(|text| (field, text)))
        .try_for_each(|(field, text)| check_id(field, text))
}
