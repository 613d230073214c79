//! The approval: a state machine over one record, `cavra.approval.v1`.
//!
//! Records stay JSON objects, so that members another product wrote survive. Nothing here looks at the clock: every
//! function is told what time it is.

use std::str::FromStr;

use serde_json::{Value, json};
use thiserror::Error;

use crate::approval_shown::contradictions;
use crate::members::{built, filled, texts};
use crate::{Digest, NoRandomness, Object, Person, Timestamp, random_hex};

/// State of an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalState {
    /// Waits for a decision.
    Pending,
    /// Somebody approved.
    Approved,
    /// Somebody denied.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// The glass was broken.
    BreakGlass,
}

impl ApprovalState {
    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::BreakGlass => "break_glass",
        }
    }
}

impl FromStr for ApprovalState {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        [Self::Pending, Self::Approved, Self::Denied, Self::Expired, Self::BreakGlass]
            .into_iter()
            .find(|state| state.as_str() == name)
            .ok_or(())
    }
}

/// What a decider can make of a pending approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Let it happen.
    Approve,
    /// Do not let it happen.
    Deny,
    /// Give up waiting.
    Expire,
}

impl Ruling {
    /// The state it leads to.
    #[must_use]
    pub const fn state(self) -> ApprovalState {
        match self {
            Self::Approve => ApprovalState::Approved,
            Self::Deny => ApprovalState::Denied,
            Self::Expire => ApprovalState::Expired,
        }
    }
}

/// A request for approval.
#[derive(Clone, Debug)]
pub struct ApprovalRequest {
    /// The decision it is about; has a `decision_id`.
    pub decision: Object,
    /// Who may approve.
    pub approver_group: String,
    /// Who asks.
    pub requested_by: String,
    /// The person who does.
    pub requester: Person,
    /// What the requester has to say about it, shown as theirs.
    pub note: Option<String>,
    /// Nobody but the requester vouches for the decision: no record of it is known.
    pub unverified: bool,
    /// Hours until it lapses.
    pub ttl_hours: u64,
    /// How many different people have to approve.
    pub quorum: u64,
    /// Digest of the action it is bound to.
    pub action_digest: Option<Digest>,
}

/// Somebody's ruling.
#[derive(Clone, Debug)]
pub struct DecidedBy {
    /// Name that is recorded.
    pub actor: String,
    /// The person.
    pub person: Person,
    /// Why.
    pub reason: String,
    /// Ticket or message elsewhere.
    pub external_ref: Option<String>,
}

impl DecidedBy {
    /// How the name was established: `token`, `claims`, `slack`, `teams` or `anonymous`.
    #[must_use]
    pub const fn via(&self) -> &'static str {
        self.person.known_by().as_str()
    }
}

/// An approval cannot take this ruling.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ApprovalConflict {
    /// Only pending approvals can be decided.
    #[error("the approval is {0}; only a pending one can be decided")]
    NotPending(&'static str),
    /// One person counts once.
    #[error("this person has approved already; the approval needs different people")]
    SamePerson,
    /// It is another one than somebody was shown.
    #[error("the approval is not what was shown any more; look at it as it is now")]
    Changed,
    /// A decision names another one.
    #[error("the approval belongs to another decision")]
    OtherDecision,
    /// A decision says something else than the one that was approved.
    #[error("this is not what the approval is about: it differs in {0}")]
    OtherContent(String),
}

/// Member of an approval whose decision nobody but the requester vouches for.
const UNVERIFIED: &str = "unverified";

/// Whether nobody but the requester vouches for what the approval, or what was written about it, says.
#[must_use]
pub fn is_unverified(record: &Object) -> bool {
    record.get(UNVERIFIED).and_then(Value::as_bool).unwrap_or(false)
}

/// A new pending approval.
///
/// # Errors
/// [`NoRandomness`].
pub fn request_approval(request: ApprovalRequest, now: Timestamp) -> Result<Object, NoRandomness> {
    let ApprovalRequest { decision, approver_group, requested_by, requester, ttl_hours, quorum, action_digest, .. } =
        request;
    let approval_id = format!("apr_{}", random_hex(6)?);
    let refs = [format!("approval://{approval_id}")]
        .into_iter()
        .chain(texts(&decision, "evidence_refs").into_iter().map(ToOwned::to_owned));
    let mut record = built(json!({
        "schema_version": "cavra.approval.v1",
        "product": "CAVRA",
        "decision_id": filled(&decision, "decision_id"),
        "session_id": filled(&decision, "session_id").unwrap_or("local"),
        "correlation_id": filled(&decision, "correlation_id"),
        "state": ApprovalState::Pending.as_str(),
        "approver_group": approver_group,
        "requested_by": requested_by,
        "requested_at": now,
        "expires_at": now.plus_hours(ttl_hours),
        "action_digest": action_digest,
        "history": [event("requested", &requested_by, &requester, now, decision.get("reason").unwrap_or(&Value::Null))],
        "evidence_refs": refs.collect::<Vec<_>>(),
    }));
    record.insert("approval_id".to_owned(), Value::String(approval_id));
    requester.note(&mut record, "requested_by");
    if let Some(note) = request.note {
        record.insert("request_note".to_owned(), Value::String(note));
    }
    if request.unverified {
        record.insert(UNVERIFIED.to_owned(), json!(true));
    }
    if quorum > 1 {
        record.insert("required_approvals".to_owned(), json!(quorum));
        record.insert("approvals".to_owned(), json!([]));
    }
    record.insert("decision".to_owned(), Value::Object(decision));
    Ok(record)
}

/// A new approval made by breaking the glass: asked for, approved and used as an exception by one person.
///
/// # Errors
/// [`NoRandomness`].
pub fn break_glass_approval(request: ApprovalRequest, by: &DecidedBy, now: Timestamp) -> Result<Object, NoRandomness> {
    let mut record = request_approval(request, now)?;
    push_history(&mut record, decision_event("approved", by, now));
    push_history(&mut record, decision_event("break_glass", by, now));
    record.insert("break_glass".to_owned(), json!(true));
    record.insert("break_glass_reason".to_owned(), json!(by.reason));
    settle(&mut record, ApprovalState::BreakGlass, by, now);
    Ok(record)
}

/// Member that says when the time of a broken glass was seen to be over.
const ENDED: &str = "break_glass_ended_at";

/// Whether the time of an approval has run out. A moment that cannot be read has passed; an end that is recorded stays,
/// whatever the clock says.
#[must_use]
pub fn has_lapsed(record: &Object, now: Timestamp) -> bool {
    if record.contains_key(ENDED) {
        return true;
    }
    let expires = filled(record, "expires_at").and_then(|moment| moment.parse::<Timestamp>().ok());
    expires.is_none_or(|expires| expires <= now)
}

/// Makes a pending approval that has run out `expired`; answers whether it did.
pub fn expire_if_lapsed(record: &mut Object, now: Timestamp) -> bool {
    if state(record) != Some(ApprovalState::Pending) || !has_lapsed(record, now) {
        return false;
    }
    let moment = filled(record, "expires_at").and_then(|moment| moment.parse().ok()).unwrap_or(now);
    let clock = DecidedBy {
        actor: "system".to_owned(),
        person: Person::named("system"),
        reason: "nobody decided in time".to_owned(),
        external_ref: None,
    };
    push_history(record, decision_event("expired", &clock, moment));
    settle(record, ApprovalState::Expired, &clock, moment);
    true
}

/// Marks a broken glass that has run out as ended; answers whether it did. It stays a `break_glass` approval.
pub fn end_break_glass(record: &mut Object, now: Timestamp) -> bool {
    let broken = state(record) == Some(ApprovalState::BreakGlass);
    if !broken || record.contains_key(ENDED) || !has_lapsed(record, now) {
        return false;
    }
    let moment = filled(record, "expires_at").and_then(|moment| moment.parse().ok()).unwrap_or(now);
    record.insert(ENDED.to_owned(), json!(moment));
    push_history(
        record,
        event("break_glass_ended", "system", &Person::named("system"), moment, &json!("the time for it has run out")),
    );
    true
}

/// Applies a ruling to a pending approval. An approval that needs several people stays pending until enough have
/// approved; one denial is enough to deny.
///
/// # Errors
/// [`ApprovalConflict`]; the record is unchanged then.
pub fn rule_on(record: &mut Object, ruling: Ruling, by: &DecidedBy, now: Timestamp) -> Result<(), ApprovalConflict> {
    match state(record) {
        Some(ApprovalState::Pending) if !has_lapsed(record, now) => {}
        Some(ApprovalState::Pending) => return Err(ApprovalConflict::NotPending("expired")),
        other => return Err(ApprovalConflict::NotPending(other.map_or("in an unknown state", ApprovalState::as_str))),
    }
    let needed = record.get("required_approvals").and_then(Value::as_u64).unwrap_or(1);
    if ruling == Ruling::Approve && needed > 1 {
        let mut votes = record.get("approvals").and_then(Value::as_array).cloned().unwrap_or_default();
        if votes.iter().any(|vote| voted(vote, &by.person)) {
            return Err(ApprovalConflict::SamePerson);
        }
        let mut vote = built(json!({ "actor": by.actor, "person": by.person.key(), "decided_via": by.via(),
            "timestamp": now, "reason": by.reason, "external_ref": by.external_ref }));
        by.person.note(&mut vote, "actor");
        votes.push(Value::Object(vote));
        let enough = votes.len() as u64 >= needed;
        record.insert("approvals".to_owned(), Value::Array(votes));
        if !enough {
            push_history(record, decision_event("approval_counted", by, now));
            return Ok(());
        }
    }
    push_history(record, decision_event(ruling.state().as_str(), by, now));
    settle(record, ruling.state(), by, now);
    Ok(())
}

/// Whether a vote may be that person's.
fn voted(vote: &Value, person: &Person) -> bool {
    let Value::Object(vote) = vote else { return true };
    // A vote that was counted before identities were written down has this key only.
    let keyed = filled(vote, "person") == Some(person.key().as_str());
    keyed || Person::noted(vote, "actor").is_none_or(|voter| voter.may_be(person))
}

/// Whether the approval lets something happen at this moment: approved or break-glass, and not run out.
#[must_use]
pub fn authorizes(record: &Object, now: Timestamp) -> bool {
    matches!(state(record), Some(ApprovalState::Approved | ApprovalState::BreakGlass)) && !has_lapsed(record, now)
}

/// Whether the approval has let its action happen already. Approvals of actions are for once.
#[must_use]
pub fn is_used(record: &Object) -> bool {
    record.contains_key("used_at")
}

/// Longest time between two decisions about one tool call, in seconds: every hook that is installed is asked about it, all of
/// them at once.
const ONE_CALL: i64 = 60;

/// Whether the approval was used for this very tool call, of which one more hook asks.
#[must_use]
pub fn is_used_for(record: &Object, tool_use_id: &str, now: Timestamp) -> bool {
    let used_at = filled(record, "used_at").and_then(|moment| moment.parse::<Timestamp>().ok());
    let age = used_at.map(|used_at| now.as_micros().saturating_sub(used_at.as_micros()));
    filled(record, "used_by_tool_use") == Some(tool_use_id)
        && age.is_some_and(|age| (0..=ONE_CALL.saturating_mul(1_000_000)).contains(&age))
}

/// Marks the approval as used by a decision, of the tool call that the agent names so.
pub fn mark_used(record: &mut Object, decision_id: &str, tool_use_id: Option<&str>, now: Timestamp) {
    record.insert("used_at".to_owned(), json!(now));
    record.insert("used_by_decision".to_owned(), json!(decision_id));
    if let Some(tool_use_id) = tool_use_id {
        record.insert("used_by_tool_use".to_owned(), json!(tool_use_id));
    }
    push_history(
        record,
        event("used", "system", &Person::named("system"), now, &json!(format!("let {decision_id} happen"))),
    );
}

/// The state of a record, if it is a known one.
#[must_use]
pub fn state(record: &Object) -> Option<ApprovalState> {
    filled(record, "state").and_then(|name| name.parse().ok())
}

/// The short form that other documents embed.
#[must_use]
pub fn approval_summary(record: &Object) -> Value {
    let mut summary = Object::new();
    for member in [
        "approval_id",
        "decision_id",
        "session_id",
        "state",
        "approver_group",
        "requested_by",
        "requested_at",
        "expires_at",
        "decided_by",
        "decided_at",
        "external_ref",
        "break_glass",
        "evidence_refs",
    ] {
        summary.insert(member.to_owned(), record.get(member).cloned().unwrap_or(Value::Null));
    }
    if summary.get("break_glass").is_none_or(Value::is_null) {
        summary.insert("break_glass".to_owned(), json!(false));
    }
    if is_unverified(record) {
        summary.insert(UNVERIFIED.to_owned(), json!(true));
    }
    Value::Object(summary)
}

/// `decision` with the approval's summary and references. The caller has checked that the decision's references are texts.
///
/// # Errors
/// [`ApprovalConflict::OtherDecision`] if the decision has an id and the approval is for another one,
/// [`ApprovalConflict::OtherContent`] if it says something else than what was approved.
pub fn attach_approval(mut decision: Object, record: &Object) -> Result<Object, ApprovalConflict> {
    let id = decision.get("decision_id").filter(|id| !id.is_null() && **id != json!(""));
    if id.is_some_and(|id| record.get("decision_id") != Some(id)) {
        return Err(ApprovalConflict::OtherDecision);
    }
    if let Some(Value::Object(known)) = record.get("decision") {
        let differing = contradictions(&decision, known);
        if !differing.is_empty() {
            return Err(ApprovalConflict::OtherContent(differing.join(", ")));
        }
    }
    let mut refs: Vec<&str> = Vec::new();
    for reference in [texts(&decision, "evidence_refs"), texts(record, "evidence_refs")].concat() {
        if !refs.contains(&reference) {
            refs.push(reference);
        }
    }
    let refs = json!(refs);
    decision.insert("evidence_refs".to_owned(), refs);
    decision.insert("approval".to_owned(), approval_summary(record));
    Ok(decision)
}

fn settle(record: &mut Object, state: ApprovalState, by: &DecidedBy, now: Timestamp) {
    record.insert("state".to_owned(), json!(state.as_str()));
    record.insert("decided_by".to_owned(), json!(by.actor));
    record.insert("decided_at".to_owned(), json!(now));
    record.insert("decided_via".to_owned(), json!(by.via()));
    by.person.note(record, "decided_by");
    record.insert("decision_reason".to_owned(), json!(by.reason));
    if let Some(external_ref) = &by.external_ref {
        record.insert("external_ref".to_owned(), json!(external_ref));
    }
}

fn event(name: &str, actor: &str, person: &Person, now: Timestamp, reason: &Value) -> Value {
    let mut event = built(json!({ "event": name, "actor": actor, "timestamp": now, "reason": reason }));
    person.note(&mut event, "actor");
    Value::Object(event)
}

fn decision_event(name: &str, by: &DecidedBy, now: Timestamp) -> Value {
    let mut event = event(name, &by.actor, &by.person, now, &json!(by.reason));
    if let Value::Object(event) = &mut event {
        event.insert("external_ref".to_owned(), json!(by.external_ref));
    }
    event
}

fn push_history(record: &mut Object, event: Value) {
    match record.get_mut("history") {
        Some(Value::Array(history)) => history.push(event),
        _ => {
            record.insert("history".to_owned(), json!([event]));
        }
    }
}

#[cfg(test)]
#[path = "approval_tests.rs"]
mod tests;
