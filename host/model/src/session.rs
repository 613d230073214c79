//! Session summaries: a fold over decisions, merged with what clients say. Contract 10, section 7.
//!
//! A stored session carries the internal member [`COUNTED`] once its counts come from decisions; members that start
//! with `_` never leave the store (see [`present_session`]).

use std::str::FromStr;

use serde_json::{Value, json};
use thiserror::Error;

use crate::decision::evidence_refs;
use crate::{DEFAULT_PACK, Object, Outcome, Timestamp};

/// Internal member: the counts were computed from decisions, so what clients say about them is ignored.
const COUNTED: &str = "_counted";

const COUNTS: [&str; 3] = ["decision_count", "blocked_count", "approval_required_count"];

/// State of a session. Any state may follow any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Going on.
    Active,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
    /// Put away.
    Archived,
}

impl SessionState {
    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Archived => "archived",
        }
    }
}

impl FromStr for SessionState {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        [Self::Active, Self::Completed, Self::Failed, Self::Archived]
            .into_iter()
            .find(|state| state.as_str() == name)
            .ok_or(())
    }
}

/// The body is no session record; the text says why.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("invalid session record: {0}")]
pub struct InvalidSession(pub String);

/// Merges what a client sent over the stored session, or starts a new one.
///
/// `tally` are the counts by outcome of the decisions already stored for this session, empty if there are none;
/// it is asked for only if the stored session does not already count decisions.
///
/// # Errors
/// [`InvalidSession`] for a missing id, an unknown state, a wrong type or a negative count.
pub fn merge_session(
    stored: Option<Object>,
    body: &Object,
    tally: impl FnOnce() -> Vec<(String, u64)>,
    now: Timestamp,
) -> Result<Object, InvalidSession> {
    let id = text(body, "session_id")?.ok_or_else(|| InvalidSession("session_id is required".to_owned()))?;
    let mut session = counted(stored.unwrap_or_else(|| empty_session(&id)), tally);
    for field in ["agent_id", "actor", "repository", "policy_pack"] {
        if let Some(value) = text(body, field)? {
            session.insert(field.to_owned(), Value::String(value));
        }
    }
    if let Some(state) = text(body, "state")?.or(text(body, "status")?) {
        state.parse::<SessionState>().map_err(|()| InvalidSession(format!("unknown state `{state}`")))?;
        session.insert("state".to_owned(), Value::String(state));
    }
    for field in COUNTS {
        let count = count(body, field)?;
        if let (Some(count), None) = (count, session.get(COUNTED)) {
            session.insert(field.to_owned(), json!(count));
        }
    }
    if !matches!(body.get("evidence_refs"), None | Some(Value::Null)) {
        let refs = evidence_refs(body.get("evidence_refs")).map_err(|error| InvalidSession(error.0.to_owned()))?;
        session.insert("evidence_refs".to_owned(), json!(refs));
    }
    if let Some(started) = time(body, "started_at")? {
        session.insert("started_at".to_owned(), json!(started));
    }
    session.entry("started_at").or_insert_with(|| json!(now));
    let updated = time(body, "updated_at")?.unwrap_or(now);
    advance(&mut session, updated);
    Ok(session)
}

/// Folds one stored decision into its session.
#[must_use]
pub fn apply_decision(stored: Option<Object>, decision: &Object, tally: impl FnOnce() -> Vec<(String, u64)>) -> Object {
    let of = |field: &str| decision.get(field).and_then(Value::as_str).unwrap_or_default();
    let moment = of("timestamp").parse().unwrap_or_else(|()| Timestamp::now());
    let mut session = counted(stored.unwrap_or_else(|| empty_session(of("session_id"))), tally);
    if session.insert(COUNTED.to_owned(), json!(true)).is_none() {
        reset_counts(&mut session);
    }
    for field in ["agent_id", "actor", "repository", "policy_pack"] {
        session.insert(field.to_owned(), json!(of(field)));
    }
    count_outcome(&mut session, of("decision"), 1);
    session.entry("started_at").or_insert_with(|| json!(moment));
    advance(&mut session, moment);
    session
}

/// The session as clients see it: internal members removed, and `decision_refs`, the references of all its
/// decisions in order, appended to the client's own.
#[must_use]
pub fn present_session(mut session: Object, decision_refs: Vec<String>) -> Object {
    session.retain(|name, _| !name.starts_with('_'));
    let mut refs = evidence_refs(session.get("evidence_refs")).unwrap_or_default();
    refs.extend(decision_refs);
    let mut seen = std::collections::HashSet::new();
    refs.retain(|reference| seen.insert(reference.clone()));
    session.insert("evidence_refs".to_owned(), json!(refs));
    session
}

/// Whether the session's counts come from decisions already, so that no tally is needed to keep them.
#[must_use]
pub fn is_counted(session: &Object) -> bool {
    session.contains_key(COUNTED)
}

fn empty_session(id: &str) -> Object {
    let mut session = Object::new();
    for (field, value) in [
        ("schema_version", "cavra.session.v1"),
        ("session_id", id),
        ("agent_id", "unknown-agent"),
        ("actor", "ai-agent"),
        ("repository", "local"),
        ("policy_pack", DEFAULT_PACK),
        ("state", SessionState::Active.as_str()),
    ] {
        session.insert(field.to_owned(), json!(value));
    }
    reset_counts(&mut session);
    session.insert("evidence_refs".to_owned(), json!([]));
    session
}

/// Makes the counts those of the stored decisions, if there are any and that has not been done yet.
fn counted(mut session: Object, tally: impl FnOnce() -> Vec<(String, u64)>) -> Object {
    if is_counted(&session) {
        return session;
    }
    let tally = tally();
    if !tally.is_empty() {
        reset_counts(&mut session);
        for (outcome, count) in tally {
            count_outcome(&mut session, &outcome, count);
        }
        session.insert(COUNTED.to_owned(), json!(true));
    }
    session
}

fn reset_counts(session: &mut Object) {
    for field in COUNTS {
        session.insert(field.to_owned(), json!(0));
    }
}

fn count_outcome(session: &mut Object, outcome: &str, by: u64) {
    let outcome_count = match outcome.parse() {
        Ok(Outcome::Block) => Some("blocked_count"),
        Ok(Outcome::RequireApproval) => Some("approval_required_count"),
        _ => None,
    };
    for field in std::iter::once("decision_count").chain(outcome_count) {
        let before = session.get(field).and_then(Value::as_u64).unwrap_or(0);
        session.insert(field.to_owned(), json!(before.saturating_add(by)));
    }
}

/// `updated_at` only moves forward.
fn advance(session: &mut Object, moment: Timestamp) {
    let before = session.get("updated_at").and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
    session.insert("updated_at".to_owned(), json!(before.map_or(moment, |before| before.max(moment))));
}

fn text(body: &Object, field: &str) -> Result<Option<String>, InvalidSession> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.trim().is_empty())),
        Some(_) => Err(InvalidSession(format!("{field} must be a text"))),
    }
}

fn count(body: &Object, field: &str) -> Result<Option<u64>, InvalidSession> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_u64()
            .filter(|count| i64::try_from(*count).is_ok())
            .map(Some)
            .ok_or_else(|| InvalidSession(format!("{field} must be a whole number of at least 0"))),
    }
}

fn time(body: &Object, field: &str) -> Result<Option<Timestamp>, InvalidSession> {
    text(body, field)?
        .map(|text| text.parse().map_err(|()| InvalidSession(format!("{field} must be an RFC 3339 time"))))
        .transpose()
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "a test reads better with `json!` in place")]
mod tests {
    use super::*;

    const NOW: &str = "2031-01-01T00:00:00.000000+00:00";

    fn object(value: Value) -> Object {
        value.as_object().cloned().unwrap()
    }

    fn decision(outcome: &str, second: u32) -> Object {
        object(json!({
            "session_id": "s", "agent_id": "claude", "actor": "ada", "repository": "pay/api",
            "policy_pack": "cavra-hipaa", "decision": outcome,
            "timestamp": format!("2031-01-01T00:00:{second:02}.000000+00:00"),
        }))
    }

    #[test]
    fn decisions_replace_client_counts_once_there_are_some() {
        let now = NOW.parse().unwrap();
        let body = object(json!({"session_id": "s", "decision_count": 7, "state": "failed"}));
        let session = merge_session(None, &body, Vec::new, now).unwrap();
        assert_eq!(session["decision_count"], 7);
        let tally = || vec![("block".to_owned(), 1)];
        let session = apply_decision(Some(session), &decision("require_approval", 5), tally);
        assert_eq!((&session["decision_count"], &session["blocked_count"]), (&json!(2), &json!(1)));
        assert_eq!((&session["state"], &session["actor"]), (&json!("failed"), &json!("ada")));
        let session = merge_session(Some(session), &body, || panic!("counted already"), now).unwrap();
        assert_eq!(session["decision_count"], 2);
        assert_eq!(session["updated_at"], "2031-01-01T00:00:05.000000+00:00", "time only moves forward");
        let shown = present_session(session, vec!["evidence://s/a".into(), "evidence://s/a".into()]);
        assert_eq!(shown["evidence_refs"], json!(["evidence://s/a"]));
        assert!(shown.keys().all(|name| !name.starts_with('_')));
    }

    #[test]
    fn a_first_decision_ignores_client_counts() {
        let body = object(json!({"session_id": "s", "decision_count": 7}));
        let session = merge_session(None, &body, Vec::new, NOW.parse().unwrap()).unwrap();
        let session = apply_decision(Some(session), &decision("block", 1), Vec::new);
        assert_eq!(session["decision_count"], 1);
    }

    #[test]
    fn refusals() {
        for bad in [
            json!({}),
            json!({"session_id": " "}),
            json!({"session_id": 4}),
            json!({"session_id": "s", "state": "sleeping"}),
            json!({"session_id": "s", "decision_count": "many"}),
            json!({"session_id": "s", "blocked_count": -1}),
            json!({"session_id": "s", "evidence_refs": 5}),
            json!({"session_id": "s", "started_at": "today"}),
        ] {
            assert!(merge_session(None, &object(bad.clone()), Vec::new, NOW.parse().unwrap()).is_err(), "{bad}");
        }
    }
}
