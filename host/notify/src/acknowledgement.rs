//! What people answer: acknowledgements of notifications, reviews of escalated routes.

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::family::{Stage, provider_name};
use crate::policy::PolicyError;
use crate::{Document, id_of};

/// States of an acknowledgement.
const ANSWERS: [&str; 4] = ["acknowledged", "dismissed", "escalated", "resolved"];
/// States of an answer to a retry plan.
const RETRY_ANSWERS: [&str; 5] = ["accepted", "deferred", "escalated", "resolved", "dismissed"];
/// States of a review.
const REVIEWS: [&str; 5] = ["accepted", "deferred", "resolved", "false_positive", "escalated"];
/// Reviews that leave a route open.
const UNRESOLVED: [&str; 3] = ["accepted", "deferred", "escalated"];
/// Longest notes, in characters.
const NOTES_LIMIT: usize = 4000;
/// Longest reference to another system, in characters.
const REFERENCE_LIMIT: usize = 512;

/// What somebody answers.
#[derive(Clone, Debug, Default)]
pub struct Reply<'a> {
    /// Member of documents that holds the subject's id.
    pub subject_member: &'static str,
    /// The subject.
    pub subject: &'a str,
    /// The plan that is answered.
    pub plan_id: Option<&'a str>,
    /// The connector.
    pub provider: &'a str,
    /// Owner of the route; for reviews.
    pub owner: &'a str,
    /// The answer.
    pub state: Option<&'a str>,
    /// Who answers.
    pub by: &'a str,
    /// Id in another system.
    pub external_ref: Option<&'a str>,
    /// What somebody adds.
    pub notes: Option<&'a str>,
}

/// The acknowledgement of a notification. The connector is one of `known`; without any, it may be any.
///
/// # Errors
/// [`PolicyError`] for an unknown connector or state, and for texts that are too long.
pub fn acknowledgement(
    stage: &Stage,
    reply: &Reply<'_>,
    known: &[&str],
    now: Timestamp,
) -> Result<Document, PolicyError> {
    answered(stage, reply, known, &ANSWERS, now)
}

/// The answer to a retry plan.
///
/// # Errors
/// As [`acknowledgement`].
pub fn retry_acknowledgement(
    stage: &Stage,
    reply: &Reply<'_>,
    known: &[&str],
    now: Timestamp,
) -> Result<Document, PolicyError> {
    answered(stage, reply, known, &RETRY_ANSWERS, now)
}

fn answered(
    stage: &Stage,
    reply: &Reply<'_>,
    known: &[&str],
    states: &[&'static str],
    now: Timestamp,
) -> Result<Document, PolicyError> {
    let state = state(reply.state, states, "acknowledgement_state")?;
    let shared = shared(reply, known)?;
    let id = id_of(stage.id_prefix, 16, &json!([now, shared, state, reply.by]));
    let mut content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "acknowledgement_id": id,
        "acknowledgement_state": state,
        "acknowledged_by": reply.by,
        "acknowledged_at": now,
        "controls": ["records-only", "sends-nothing", "no-connector-secrets"],
    }));
    content.extend(shared);
    Ok(Document { id, content, counts: [1, 0, 0], warnings: Vec::new() })
}

/// The review of an escalated route.
///
/// # Errors
/// As [`acknowledgement`].
pub fn review(stage: &Stage, reply: &Reply<'_>, known: &[&str], now: Timestamp) -> Result<Document, PolicyError> {
    let state = state(reply.state, &REVIEWS, "review_state")?;
    let mut shared = shared(reply, known)?;
    shared.insert("owner".to_owned(), json!(reply.owner));
    let id = id_of(stage.id_prefix, 16, &json!([now, shared, state, reply.by]));
    let mut content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "review_id": id,
        "review_state": state,
        "reviewed_by": reply.by,
        "reviewed_at": now,
        "controls": ["records-only", "closes-or-keeps-the-route", "no-connector-secrets"],
    }));
    content.extend(shared);
    let escalated = u64::from(state == "escalated");
    let open = u64::from(UNRESOLVED.contains(&state));
    Ok(Document { id, content, counts: [1, escalated, open], warnings: Vec::new() })
}

/// Whether a review with this state closes its route.
#[must_use]
pub(crate) fn closes(state: &str) -> bool {
    ["resolved", "false_positive"].contains(&state)
}

fn state(given: Option<&str>, known: &[&'static str], member: &str) -> Result<&'static str, PolicyError> {
    let Some(given) = given else { return Ok(known.first().copied().unwrap_or_default()) };
    let word = provider_name(given);
    let found = known.iter().find(|state| **state == word).copied();
    found.ok_or_else(|| PolicyError(format!("{member} must be one of {}", known.join(", "))))
}

fn shared(reply: &Reply<'_>, known: &[&str]) -> Result<Object, PolicyError> {
    let provider = provider_name(reply.provider);
    if !known.is_empty() && !known.contains(&provider.as_str()) {
        return Err(PolicyError(format!("provider must be one of {}", known.join(", "))));
    }
    let within = |member: &str, text: Option<&str>, limit: usize| match text {
        Some(text) if text.chars().count() > limit => {
            Err(PolicyError(format!("{member} must not be longer than {limit} characters")))
        }
        text => Ok(text.map_or(Value::Null, Value::from)),
    };
    let mut content = members::built(json!({
        "plan_id": reply.plan_id,
        "provider": provider,
        "external_ref": within("external_ref", reply.external_ref, REFERENCE_LIMIT)?,
        "notes": within("notes", reply.notes, NOTES_LIMIT)?,
    }));
    content.insert(reply.subject_member.to_owned(), json!(reply.subject));
    Ok(content)
}
