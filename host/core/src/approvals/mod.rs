//! Approvals: asked for, decided by the right people, used once.
//!
//! Every change is one transaction that reads the record again, so of two deciders exactly one wins. What has run out
//! is expired before anything is read, by the clock and by nobody's call.

mod binding;
mod chat;
mod gate;
mod intake;
mod previews;
mod publications;
mod routing;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use cavra_documents::read_document;
use cavra_identity::{Decide, DecisionSubject, Gatekeeper, Identity};
use cavra_model::{
    APPROVALS, ApprovalConflict, ApprovalRequest, ApprovalState, DecidedBy, Object, Routing, Ruling, Timestamp,
    attach_approval, break_glass_approval, end_break_glass, expire_if_lapsed, is_as_shown, request_approval, rule_on,
};
use cavra_store::{Page, Query, RecordStore, StoreError, Transaction, Unreadable, Walk};
use serde_json::Value;

use crate::caller::{Caller, Doer};
use crate::evidence_log::note;
use crate::{CoreError, LogEvent, Redactor};

use binding::Subject;
pub use gate::{ActionClaim, Claim, may_decide};
pub(crate) use gate::{REFUSALS, use_up};
pub(crate) use intake::request_note;
pub use intake::{BREAK_GLASS_GROUP, MAX_BREAK_GLASS_HOURS, MAX_TTL_HOURS};
use intake::{Statement, decision_of};
pub use previews::{approval_messages, approval_requests};
pub use publications::Publication;

/// Expired records written in one transaction.
const SWEEP: usize = 500;

/// What becomes of approvals whose time runs out.
struct Lapse {
    state: ApprovalState,
    settle: fn(&mut Object, Timestamp) -> bool,
    event: LogEvent,
}

static PENDING: Lapse =
    Lapse { state: ApprovalState::Pending, settle: expire_if_lapsed, event: LogEvent::ApprovalExpired };
static BROKEN_GLASS: Lapse =
    Lapse { state: ApprovalState::BreakGlass, settle: end_break_glass, event: LogEvent::BreakGlassEnded };

/// The approval store with its rules.
#[derive(Clone)]
pub struct Approvals {
    store: RecordStore,
    routing: Arc<Routing>,
    gatekeeper: Gatekeeper,
    redactor: Redactor,
    decisions: Option<RecordStore>,
    /// Broken glasses whose time ran out before this moment have been ended.
    glass_swept: Arc<Mutex<Option<String>>>,
}

/// What somebody asks to be approved in the name of this server.
#[derive(Clone, Debug)]
pub struct NewApproval {
    /// What it is about.
    pub decision: Object,
    /// Who has to approve; default is the group of the routing rule that matches, then the decision's own.
    pub approver_group: Option<String>,
    /// Who asks.
    pub requester: Doer,
    /// Hours until it lapses.
    pub ttl_hours: u64,
    /// What they have to say about it.
    pub note: Option<String>,
}

/// Reads a routing file.
///
/// # Errors
/// [`CoreError::Configuration`] naming the file.
pub fn read_routing(file: &Path) -> Result<Routing, CoreError> {
    let wrong = |problem: String| CoreError::Configuration(format!("routing file {}: {problem}", file.display()));
    let document = read_document(file).map_err(wrong)?;
    routing::parse(&document).map_err(|error| wrong(error.to_string()))
}

impl Approvals {
    /// Over an open store that knows [`APPROVALS`].
    #[must_use]
    pub fn new(store: RecordStore, routing: Routing, gatekeeper: Gatekeeper) -> Self {
        Self {
            store,
            routing: Arc::new(routing),
            gatekeeper,
            redactor: Redactor::default(),
            decisions: None,
            glass_swept: Arc::default(),
        }
    }

    /// The same store under other rules and other people.
    #[must_use]
    pub(crate) fn governed_by(&self, routing: Routing, gatekeeper: Gatekeeper) -> Self {
        Self { routing: Arc::new(routing), gatekeeper, ..self.clone() }
    }

    /// With another redactor than the one that is on.
    #[must_use]
    pub fn with_redactor(self, redactor: Redactor) -> Self {
        Self { redactor, ..self }
    }

    /// With the store of the decisions that approvals may be asked for. Without it, no approval can be bound to a
    /// decision that a secret was cut out of.
    #[must_use]
    pub fn with_decisions(self, decisions: RecordStore) -> Self {
        Self { decisions: Some(decisions), ..self }
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &RecordStore {
        &self.store
    }

    /// The routing rules.
    #[must_use]
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// Asks for an approval of a decision that the body names.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`]; [`CoreError::Conflict`] for a decision that is not as it is recorded;
    /// [`CoreError::Store`].
    pub async fn create(&self, body: &Object, caller: &Caller) -> Result<Object, CoreError> {
        let statement = Statement::read(body, self.redactor)?;
        let subject = self.subject(decision_of(body)?, &[]).await?;
        let request = NewApproval {
            decision: Object::new(),
            approver_group: statement.approver_group.clone(),
            requester: statement.requester(caller, "ai-agent"),
            ttl_hours: statement.ttl(24, MAX_TTL_HOURS),
            note: statement.request_note,
        };
        self.insert(self.pending(subject, request)?).await
    }

    /// Asks for an approval of what this server has found itself.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] if there is no group, [`CoreError::Store`].
    pub async fn request(&self, request: NewApproval) -> Result<Object, CoreError> {
        self.insert(self.prepare(request)?).await
    }

    /// The pending approval that [`Approvals::request`] would store; nothing is stored.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] if there is no group.
    pub fn prepare(&self, mut request: NewApproval) -> Result<Object, CoreError> {
        let subject = self.own_subject(std::mem::take(&mut request.decision));
        self.pending(subject, request)
    }

    /// As [`Approvals::prepare`], about something that follows from what a client posted: nobody but them vouches for it.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`]; [`CoreError::Conflict`] where approvals are only asked for what was recorded here.
    pub fn prepare_unverified(&self, mut request: NewApproval) -> Result<Object, CoreError> {
        if self.routing.requires_recorded_decision() {
            return Err(CoreError::Conflict(
                "a client posted what this is about; approvals are asked for what was recorded here".to_owned(),
            ));
        }
        let subject = self.own_subject(std::mem::take(&mut request.decision));
        self.pending(Subject { unverified: true, ..subject }, request)
    }

    /// Stores an approval that was prepared, with its leaf, in a unit of work that writes more than it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) fn open(tx: &mut dyn Transaction, record: &Object) -> Result<(), StoreError> {
        note(tx, LogEvent::of_approval(record), &APPROVALS, record)?;
        tx.insert(&APPROVALS, record.clone())
    }

    /// The pending approval of a subject.
    fn pending(&self, subject: Subject, request: NewApproval) -> Result<Object, CoreError> {
        let Subject { decision, action_digest, unverified, group } = subject;
        let NewApproval { approver_group, requester, ttl_hours, note, .. } = request;
        let rule = self.routing.route(&decision);
        let approver_group = approver_group
            .or_else(|| rule.map(|rule| rule.approver_group.clone()))
            .or(group)
            .ok_or_else(|| CoreError::BadRequest("no approver group applies to this decision".to_owned()))?;
        if !self.routing.admits(&approver_group, &decision) {
            return Err(CoreError::BadRequest(format!(
                "{approver_group} may not be asked for this: see approver_groups"
            )));
        }
        // Who names a group themselves does not get round the number of people the rule asks for.
        let quorum = rule.map_or(1, |rule| rule.quorum);
        let Doer { name: requested_by, person: requester } = requester;
        let request = ApprovalRequest {
            decision,
            approver_group,
            requested_by,
            requester,
            note,
            unverified,
            ttl_hours,
            quorum,
            action_digest,
        };
        Ok(request_approval(request, Timestamp::now())?)
    }

    /// Breaks the glass.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`], [`CoreError::Forbidden`], [`CoreError::Conflict`] for a decision that is not as it is
    /// recorded, [`CoreError::Store`].
    pub async fn break_glass(&self, body: &Object, caller: &Caller) -> Result<Object, CoreError> {
        let statement = Statement::read(body, self.redactor)?;
        let reason =
            statement.reason.clone().ok_or_else(|| CoreError::BadRequest("a reason is required".to_owned()))?;
        let by = statement.decided_by(caller, reason)?;
        let approver_group = statement.approver_group.clone().unwrap_or_else(|| BREAK_GLASS_GROUP.to_owned());
        let said = decision_of(body)?;
        caller.is_no_machine()?;
        // In a bare body these are the words of who breaks the glass.
        let bare = !body.get("decision").is_some_and(Value::is_object);
        let own: &[&str] = if bare { &["reason", "actor", "approver_group"] } else { &[] };
        let Subject { decision, action_digest, unverified, .. } = self.subject(said, own).await?;
        if let Some(identity) = &caller.identity {
            let repository = intake::repository(&decision);
            let subject = DecisionSubject { repository, approver_group: &approver_group, break_glass: true };
            if !self.gatekeeper.can_decide(&identity.actor, &subject, Decide::Approved) {
                return Err(forbidden("breaking the glass is for the change advisory board", identity));
            }
        }
        let ttl_hours = statement.ttl(4, MAX_BREAK_GLASS_HOURS);
        let (requested_by, requester, note) = (by.actor.clone(), by.person.clone(), statement.request_note);
        let request = ApprovalRequest {
            decision,
            approver_group,
            requested_by,
            requester,
            note,
            unverified,
            ttl_hours,
            quorum: 1,
            action_digest,
        };
        self.insert(break_glass_approval(request, &by, Timestamp::now())?).await
    }

    /// Approves, denies or expires.
    ///
    /// # Errors
    /// In this order: [`CoreError::NotFound`], [`CoreError::Conflict`] if it is not pending,
    /// [`CoreError::BadRequest`], [`CoreError::Forbidden`], [`CoreError::Store`]. Nothing is changed then.
    pub async fn rule(&self, id: &str, ruling: Ruling, body: &Object, caller: &Caller) -> Result<Object, CoreError> {
        let record = self.get(id).await?;
        let now = Timestamp::now();
        pending(&record)?;
        let statement = Statement::read(body, self.redactor)?;
        let by = statement.ruling_by(caller, ruling)?;
        caller.is_no_machine()?;
        if let Some(identity) = &caller.identity {
            self.check_decider(identity, &record, ruling)?;
        }
        let (id, shown) = (id.to_owned(), statement.shown_digest);
        let change = move |tx: &mut dyn Transaction| {
            let Some(mut record) = tx.get(&APPROVALS, &id)? else { return Ok(None) };
            let is_as_shown = shown.as_ref().is_none_or(|digest| is_as_shown(&record, digest));
            let ruled = match is_as_shown {
                true => rule_on(&mut record, ruling, &by, now),
                false => Err(ApprovalConflict::Changed),
            };
            if ruled.is_ok() || expire_if_lapsed(&mut record, now) {
                write(tx, LogEvent::of_approval(&record), record.clone())?;
            }
            Ok(Some(ruled.map(|()| record)))
        };
        match self.store.transact(change).await? {
            Some(Ok(record)) => Ok(record),
            Some(Err(conflict)) => Err(conflict.into()),
            None => Err(CoreError::NotFound(APPROVALS.name)),
        }
    }

    fn check_decider(&self, identity: &Identity, record: &Object, ruling: Ruling) -> Result<(), CoreError> {
        if !may_decide(&self.gatekeeper, identity, record, ruling) {
            return Err(forbidden("this approval is for members of another group", identity));
        }
        let person = identity.person();
        let own = ruling == Ruling::Approve && intake::askers(record).iter().any(|asker| asker.may_be(&person));
        if own && self.gatekeeper.forbids_self_approval(identity.via) {
            return Err(CoreError::Forbidden("nobody approves their own request".to_owned()));
        }
        Ok(())
    }

    /// One approval, as it stands at this moment.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Store`].
    pub async fn get(&self, id: &str) -> Result<Object, CoreError> {
        let mut record = self.store.get(&APPROVALS, id).await?.ok_or(CoreError::NotFound(APPROVALS.name))?;
        if expire_if_lapsed(&mut record, Timestamp::now()) {
            self.settle(&PENDING, vec![id.to_owned()]).await?;
        }
        Ok(record)
    }

    /// The states at this moment of those of `ids` that exist.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn states(&self, ids: Vec<String>) -> Result<BTreeMap<String, String>, CoreError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let now = Timestamp::now();
        let text = |record: &Object, member: &str| record.get(member).and_then(Value::as_str).map(ToOwned::to_owned);
        let found = self.store.get_many(&APPROVALS, ids).await?;
        let states = found.into_iter().filter_map(|mut record| {
            // Whoever looks at the approval itself writes that down.
            expire_if_lapsed(&mut record, now);
            Some((text(&record, APPROVALS.id)?, text(&record, "state")?))
        });
        Ok(states.collect())
    }

    /// One page of approvals, as they stand at this moment.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn list(&self, query: Query) -> Result<Page, CoreError> {
        self.expire_due().await?;
        Ok(self.store.list(&APPROVALS, query).await?)
    }

    /// Expires every pending approval that has run out, and ends every broken glass whose time has.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn expire_due(&self) -> Result<(), CoreError> {
        self.sweep(&PENDING, None).await?;
        // What was ended before is not looked at again.
        let since = self.glass_swept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = Timestamp::now().to_string();
        self.sweep(&BROKEN_GLASS, since).await?;
        *self.glass_swept.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        Ok(())
    }

    async fn sweep(&self, lapse: &'static Lapse, since: Option<String>) -> Result<(), CoreError> {
        loop {
            let due = self.due(lapse, since.clone()).await?;
            let full = due.len() >= SWEEP;
            if due.is_empty() || self.settle(lapse, due).await? == 0 || !full {
                return Ok(());
            }
        }
    }

    /// Ids of approvals that have run out and are not settled, at most [`SWEEP`].
    async fn due(&self, lapse: &'static Lapse, since: Option<String>) -> Result<Vec<String>, CoreError> {
        let now = Timestamp::now();
        let walk = Walk {
            filter: Some(("state", lapse.state.as_str().to_owned())),
            at_least: since.map(|since| ("expires_at", since)),
            at_most: Some(("expires_at", now.to_string())),
            // It is not in force, whatever it was.
            unreadable: Unreadable::Skip,
        };
        let found = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&found);
        let visit = move |mut record: Object| {
            let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
            if (lapse.settle)(&mut record, now) {
                sink.extend(record.get(APPROVALS.id).and_then(Value::as_str).map(ToOwned::to_owned));
            }
            sink.len() < SWEEP
        };
        self.store.walk(&APPROVALS, walk, visit).await?;
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *found))
    }

    /// Settles those of `ids` that have run out; answers how many did.
    async fn settle(&self, lapse: &'static Lapse, ids: Vec<String>) -> Result<usize, CoreError> {
        let change = move |tx: &mut dyn Transaction| {
            let mut settled = 0;
            for id in &ids {
                if let Some(mut record) = tx.get(&APPROVALS, id)?
                    && (lapse.settle)(&mut record, Timestamp::now())
                {
                    write(tx, lapse.event, record)?;
                    settled += 1;
                }
            }
            Ok(settled)
        };
        Ok(self.store.transact(change).await?)
    }

    /// The decision `body` with the approval attached; stores nothing.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::BadRequest`], [`CoreError::Conflict`].
    pub async fn attach(&self, id: &str, body: Object) -> Result<Object, CoreError> {
        let record = self.get(id).await?;
        intake::check_refs(&body)?;
        let mut decision = body;
        self.redactor.clean(&mut decision, &[])?;
        Ok(attach_approval(decision, &record)?)
    }

    /// Puts a new approval that is kept in another store here too.
    ///
    /// # Errors
    /// [`CoreError::Conflict`] if there is one with its id, [`CoreError::Store`].
    pub async fn copy(&self, record: Object) -> Result<Object, CoreError> {
        self.insert(record).await
    }

    async fn insert(&self, record: Object) -> Result<Object, CoreError> {
        let stored = record.clone();
        let insert = move |tx: &mut dyn Transaction| Self::open(tx, &stored);
        self.store.transact(insert).await.map_err(|error| match error {
            // 48 random bits: this is a broken store or a broken random source, not bad luck.
            StoreError::Exists => CoreError::Conflict("the approval id is taken; try again".to_owned()),
            other => other.into(),
        })?;
        Ok(record)
    }
}

/// Writes an approval with the leaf that says what happened to it.
fn write(tx: &mut dyn Transaction, event: LogEvent, record: Object) -> Result<(), StoreError> {
    note(tx, event, &APPROVALS, &record)?;
    tx.put(&APPROVALS, record)
}

/// The refusal of somebody who lacks a group; with the reason, if the groups were left out of their token.
pub(crate) fn forbidden(sentence: &str, identity: &Identity) -> CoreError {
    match identity.missing_groups() {
        Some(why) => CoreError::Forbidden(format!("{sentence}; {why}")),
        None => CoreError::Forbidden(sentence.to_owned()),
    }
}

/// Refuses an approval that is settled.
fn pending(record: &Object) -> Result<(), CoreError> {
    match record.get("state").and_then(Value::as_str) {
        Some("pending") => Ok(()),
        Some(state) => Err(CoreError::Conflict(format!("the approval is {state}; only a pending one can be decided"))),
        None => Err(CoreError::Conflict("the approval is in an unknown state".to_owned())),
    }
}

impl From<ApprovalConflict> for CoreError {
    fn from(conflict: ApprovalConflict) -> Self {
        Self::Conflict(conflict.to_string())
    }
}

impl Statement {
    /// Whose ruling it is. Expiring needs nobody to say anything.
    fn ruling_by(&self, caller: &Caller, ruling: Ruling) -> Result<DecidedBy, CoreError> {
        let default = |text: &str| (ruling == Ruling::Expire).then(|| text.to_owned());
        let statement = Self { actor: self.actor.clone().or_else(|| default("system")), ..self.clone() };
        let reason = statement.reason.clone().or_else(|| default("approval expired"));
        statement.decided_by(caller, reason.unwrap_or_default()).and_then(|by| {
            if by.reason.is_empty() { Err(CoreError::BadRequest("a reason is required".to_owned())) } else { Ok(by) }
        })
    }
}
