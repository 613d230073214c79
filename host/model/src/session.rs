//! Session summaries: a fold over decisions, merged with what clients say. docs/reference/decisions-and-policy.md, section 7.

use std::str::FromStr;

use serde_json::{Value, json};
use thiserror::Error;

use crate::decision::evidence_refs;
use crate::{DEFAULT_PACK, Object, Outcome, Timestamp};

/// Most references that clients give a session.
const MOST_REFS: usize = 1000;

/// References that a session shows: the newest.
pub const SHOWN_REFS: usize = 100;

/// Number of all references of a session.
const REF_COUNT: &str = "evidence_ref_count";

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

/// Where the counts of a stored session come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counts {
    /// From all of its decisions: what clients say about them is ignored.
    Kept,
    /// From a client or another product; these are the numbers of its stored decisions by outcome, which replace them
    /// if there are any.
    Tally(Vec<(String, u64)>),
}

impl Counts {
    /// Whether a session has its counts from decisions once these are applied to it.
    #[must_use]
    pub fn are_of_decisions(&self) -> bool {
        match self {
            Self::Kept => true,
            Self::Tally(tally) => !tally.is_empty(),
        }
    }
}

/// The body is no session record; the text says why.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("invalid session record: {0}")]
pub struct InvalidSession(pub String);

/// Merges what a client sent over the stored session, or starts a new one. Its references are added to those it has.
///
/// # Errors
/// [`InvalidSession`] for a missing id, an unknown state, a wrong type, a negative count or too many references.
pub fn merge_session(
    stored: Option<Object>,
    body: &Object,
    counts: &Counts,
    now: Timestamp,
) -> Result<Object, InvalidSession> {
    let id = text(body, "session_id")?.ok_or_else(|| InvalidSession("session_id is required".to_owned()))?;
    let mut session = counted(stored.unwrap_or_else(|| empty_session(&id)), counts);
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
        if let (Some(count), false) = (count, counts.are_of_decisions()) {
            session.insert(field.to_owned(), json!(count));
        }
    }
    let given = evidence_refs(body.get("evidence_refs")).map_err(|error| InvalidSession(error.0.to_owned()))?;
    let known = evidence_refs(session.get("evidence_refs")).unwrap_or_default();
    let before = known.len();
    let refs = union(known, given);
    if refs.len() > MOST_REFS.max(before) {
        return Err(InvalidSession(format!("a session has at most {MOST_REFS} evidence_refs of its own")));
    }
    let count = ref_count(&session).saturating_add((refs.len() - before) as u64);
    session.insert(REF_COUNT.to_owned(), json!(count));
    session.insert("evidence_refs".to_owned(), json!(refs));
    if let Some(started) = time(body, "started_at")? {
        session.insert("started_at".to_owned(), json!(started));
    }
    session.entry("started_at").or_insert_with(|| json!(now));
    let updated = time(body, "updated_at")?.unwrap_or(now);
    advance(&mut session, updated);
    Ok(session)
}

/// Folds one decision into its session; `counts` are from before it.
#[must_use]
pub fn apply_decision(stored: Option<Object>, decision: &Object, counts: &Counts) -> Object {
    let of = |field: &str| decision.get(field).and_then(Value::as_str).unwrap_or_default();
    let moment = of("timestamp").parse().unwrap_or_else(|()| Timestamp::now());
    let mut session = counted(stored.unwrap_or_else(|| empty_session(of("session_id"))), counts);
    if !counts.are_of_decisions() {
        reset_counts(&mut session);
    }
    for field in ["agent_id", "actor", "repository", "policy_pack"] {
        session.insert(field.to_owned(), json!(of(field)));
    }
    let refs = evidence_refs(decision.get("evidence_refs")).map_or(0, |refs| refs.len() as u64);
    let count = ref_count(&session).saturating_add(refs);
    session.insert(REF_COUNT.to_owned(), json!(count));
    count_outcome(&mut session, of("decision"), 1);
    session.entry("started_at").or_insert_with(|| json!(moment));
    advance(&mut session, moment);
    session
}

/// The session as clients see it, with the newest of its references and how many there are. `decision_refs` are those of its
/// newest decisions in order, at least [`SHOWN_REFS`] where there are so many; the client's own come before.
#[must_use]
pub fn present_session(mut session: Object, decision_refs: Vec<String>) -> Object {
    let all_known = decision_refs.len() < SHOWN_REFS;
    let mut refs = union(evidence_refs(session.get("evidence_refs")).unwrap_or_default(), decision_refs);
    let known = refs.len() as u64;
    let count = if all_known { known } else { ref_count(&session).max(known) };
    refs.drain(..refs.len().saturating_sub(SHOWN_REFS));
    session.insert(REF_COUNT.to_owned(), json!(count));
    session.insert("evidence_refs".to_owned(), json!(refs));
    session
}

/// Number of a session's references. One that was written before they were counted has at least those of the client and one
/// of each decision.
fn ref_count(session: &Object) -> u64 {
    let number = |member: &str| session.get(member).and_then(Value::as_u64);
    let given = evidence_refs(session.get("evidence_refs")).map_or(0, |refs| refs.len() as u64);
    number(REF_COUNT).unwrap_or_else(|| given.saturating_add(number("decision_count").unwrap_or(0)))
}

/// In order, each once.
fn union(mut refs: Vec<String>, more: Vec<String>) -> Vec<String> {
    refs.extend(more);
    let mut seen = std::collections::HashSet::new();
    refs.retain(|reference| seen.insert(reference.clone()));
    refs
}

fn empty_session(id: &str) -> Object {
    let mut session = Object::from_iter([(REF_COUNT.to_owned(), json!(0))]);
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
fn counted(mut session: Object, counts: &Counts) -> Object {
    if let Counts::Tally(tally) = counts
        && !tally.is_empty()
    {
        reset_counts(&mut session);
        for (outcome, count) in tally {
            count_outcome(&mut session, outcome, *count);
        }
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

    const NONE: Counts = Counts::Tally(Vec::new());
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
        let session = merge_session(None, &body, &NONE, now).unwrap();
        assert_eq!(session["decision_count"], 7);
        let tally = Counts::Tally(vec![("block".to_owned(), 1)]);
        let session = apply_decision(Some(session), &decision("require_approval", 5), &tally);
        assert_eq!((&session["decision_count"], &session["blocked_count"]), (&json!(2), &json!(1)));
        assert_eq!((&session["state"], &session["actor"]), (&json!("failed"), &json!("ada")));
        let session = merge_session(Some(session), &body, &Counts::Kept, now).unwrap();
        assert_eq!(session["decision_count"], 2);
        assert_eq!(session["updated_at"], "2031-01-01T00:00:05.000000+00:00", "time only moves forward");
        let shown = present_session(session, vec!["evidence://s/a".into(), "evidence://s/a".into()]);
        assert_eq!(shown["evidence_refs"], json!(["evidence://s/a"]));
    }

    #[test]
    fn the_newest_references_are_shown_and_all_are_counted() {
        let body = object(json!({"session_id": "s", "evidence_refs": ["given"]}));
        let mut session = Some(merge_session(None, &body, &NONE, NOW.parse().unwrap()).unwrap());
        let refs: Vec<String> = (0..150).map(|number| format!("evidence://s/{number}")).collect();
        for reference in &refs {
            let mut decision = decision("allow", 1);
            decision.insert("evidence_refs".to_owned(), json!([reference]));
            let counts = if session.as_ref().unwrap()["decision_count"] == 0 { NONE } else { Counts::Kept };
            session = Some(apply_decision(session.take(), &decision, &counts));
        }
        let session = session.unwrap();
        assert_eq!(session["evidence_refs"], json!(["given"]), "those of decisions are not kept twice");
        let shown = present_session(session, refs[50..].to_vec());
        assert_eq!(shown["evidence_ref_count"], 151);
        assert_eq!(shown["evidence_refs"].as_array().unwrap().len(), SHOWN_REFS);
        assert_eq!(shown["evidence_refs"][99], "evidence://s/149");
    }

    #[test]
    fn a_first_decision_ignores_client_counts() {
        let body = object(json!({"session_id": "s", "decision_count": 7}));
        let session = merge_session(None, &body, &NONE, NOW.parse().unwrap()).unwrap();
        let session = apply_decision(Some(session), &decision("block", 1), &NONE);
        assert_eq!(session["decision_count"], 1);
    }

    #[test]
    fn references_add_up_to_a_bound() {
        let post = |stored: Option<Object>, refs: Value| {
            let body = object(json!({"session_id": "s", "evidence_refs": refs}));
            merge_session(stored, &body, &NONE, NOW.parse().unwrap())
        };
        let session = post(None, json!(["a", "b", "a"])).unwrap();
        let session = post(Some(session), json!(["c", "a"])).unwrap();
        let session = post(Some(session), json!("d")).unwrap();
        let session = post(Some(session), Value::Null).unwrap();
        assert_eq!(session["evidence_refs"], json!(["a", "b", "c", "d"]));
        let numbered: Vec<String> = (0..MOST_REFS).map(|number| number.to_string()).collect();
        assert!(post(None, json!(numbered)).is_ok());
        assert!(post(Some(session), json!(numbered)).is_err());
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
            assert!(merge_session(None, &object(bad.clone()), &NONE, NOW.parse().unwrap()).is_err(), "{bad}");
        }
    }
}
