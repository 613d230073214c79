//! What callers say about approvals, checked.

use cavra_identity::Envelope;
use cavra_model::{DecidedBy, Object, Person};
use serde_json::Value;

use crate::caller::{Caller, Doer};
use crate::fields::{FIELD_LIMIT, check_id, label, trimmed, whole_number};
use crate::{CoreError, Redactor};

/// Longest life of a request for approval, in hours.
pub const MAX_TTL_HOURS: u64 = 720;
/// Longest life of a broken glass, in hours.
pub const MAX_BREAK_GLASS_HOURS: u64 = 24;
/// Who may break the glass.
pub const BREAK_GLASS_GROUP: &str = "Change Advisory Board";

/// Longest reason, in bytes.
const REASON_LIMIT: usize = 8 * 1024;

/// Members of a decision that are texts where they are given.
const TEXTS: [&str; 15] = [
    "decision_id",
    "session_id",
    "correlation_id",
    "approver_group",
    "agent_id",
    "actor",
    "repository",
    "repo",
    "action_type",
    "target",
    "requested_operation",
    "rule_id",
    "severity",
    "policy_pack",
    "content_digest",
];

/// Members of a bare body that belong to the envelope, not to the decision.
const ENVELOPE: [&str; 3] = ["requested_by", "ttl_hours", "request_note"];

/// The members of a body that are not the decision.
#[derive(Clone, Debug, Default)]
pub(super) struct Statement {
    pub(super) actor: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) approver_group: Option<String>,
    pub(super) external_ref: Option<String>,
    pub(super) requested_by: Option<String>,
    pub(super) request_note: Option<String>,
    pub(super) ttl_hours: Option<u64>,
    /// Digest of what whoever decides was shown.
    pub(super) shown_digest: Option<String>,
}

impl Statement {
    pub(super) fn read(body: &Object, redactor: Redactor) -> Result<Self, CoreError> {
        let prose = |member: &str| prose(body, member, redactor);
        let name = |member: &str| Ok::<_, CoreError>(label(body, member)?.map(|name| redactor.cleaned(name)));
        Ok(Self {
            actor: name("actor")?,
            reason: prose("reason")?,
            approver_group: name("approver_group")?,
            external_ref: prose("external_ref")?,
            requested_by: name("requested_by")?,
            request_note: request_note(body, redactor)?,
            ttl_hours: whole_number(body, "ttl_hours")?,
            shown_digest: label(body, "shown_digest")?,
        })
    }

    /// Hours until the record lapses: at least one, at most `longest`.
    pub(super) fn ttl(&self, default: u64, longest: u64) -> u64 {
        self.ttl_hours.unwrap_or(default).clamp(1, longest)
    }

    /// Who asks: a known caller, else what the body says.
    pub(super) fn requester(&self, caller: &Caller, default: &str) -> Doer {
        caller.doer(|| self.requested_by.clone().unwrap_or_else(|| default.to_owned()))
    }

    /// Who decides: a known person, else what the body says.
    pub(super) fn decided_by(&self, caller: &Caller, reason: String) -> Result<DecidedBy, CoreError> {
        let external_ref = self.external_ref.clone();
        if let Some(identity) = &caller.identity {
            let (actor, person) = (identity.actor.actor.clone(), identity.person());
            return Ok(DecidedBy { actor, person, reason, external_ref });
        }
        let actor = self.actor.clone().ok_or_else(|| CoreError::BadRequest("an actor is required".to_owned()))?;
        Ok(DecidedBy { person: Person::named(&actor), actor, reason, external_ref })
    }
}

/// A text for people, without secrets.
fn prose(body: &Object, member: &str, redactor: Redactor) -> Result<Option<String>, CoreError> {
    let mut text = trimmed(body, member, REASON_LIMIT)?;
    text.as_mut().map(|text| redactor.text(text));
    Ok(text)
}

/// What the requester has to say in their own words.
pub fn request_note(body: &Object, redactor: Redactor) -> Result<Option<String>, CoreError> {
    prose(body, "request_note", redactor)
}

/// The decision in a body: its member `decision` if that is an object, else the body itself. Identity never gets into
/// what is stored.
pub(super) fn decision_of(body: &Object) -> Result<Object, CoreError> {
    let mut decision = match body.get("decision") {
        Some(Value::Object(decision)) => decision.clone(),
        _ => {
            let mut bare = body.clone();
            bare.retain(|member, _| !ENVELOPE.contains(&member.as_str()));
            bare
        }
    };
    decision.retain(|member, _| !Envelope::FIELDS.contains(&member.as_str()));
    for member in TEXTS {
        match decision.get(member) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.len() > FIELD_LIMIT => {
                return Err(CoreError::BadRequest(format!("{member} is longer than {FIELD_LIMIT} bytes")));
            }
            Some(Value::String(_)) => {}
            Some(_) => return Err(CoreError::BadRequest(format!("{member} must be a text"))),
        }
    }
    check_refs(&decision)?;
    match decision.get("decision_id").and_then(Value::as_str) {
        Some(id) if !id.trim().is_empty() => check_id("decision_id", id)?,
        _ => return Err(CoreError::BadRequest("the decision needs a decision_id".to_owned())),
    }
    Ok(decision)
}

/// Refuses evidence references that are no list of texts.
pub(super) fn check_refs(decision: &Object) -> Result<(), CoreError> {
    match decision.get("evidence_refs") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => Ok(()),
        Some(_) => Err(CoreError::BadRequest("evidence_refs must be a list of texts".to_owned())),
    }
}

/// The repository an approval is about.
pub(super) fn repository(decision: &Object) -> Option<&str> {
    ["repository", "repo"].into_iter().find_map(|member| decision.get(member).and_then(Value::as_str))
}

/// Everybody an approval was asked for by or for: the requester, and whom the agent acts for. A name in the decision that
/// is the requester's own adds nobody: the requester is compared as the person they are known to be.
pub(super) fn askers(record: &Object) -> Vec<Person> {
    let requester = Person::noted(record, "requested_by");
    let decision = record.get("decision").and_then(Value::as_object);
    let named = ["actor", "agent_id"].map(|member| decision?.get(member)?.as_str());
    let others = named.into_iter().flatten().filter(|name| {
        requester.as_ref().is_none_or(|requester| requester.to_value().is_none() || !requester.is_called(name))
    });
    let others: Vec<_> = others.map(Person::named).collect();
    requester.into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn identity_never_gets_into_the_stored_decision() {
        let bare = json!({"decision_id": "d", "decision": "block", "actor_token": "x", "actor_claims": {"sub": "x"},
            "requested_by": "ann", "ttl_hours": 3, "request_note": "please", "target": "t"});
        let decision = decision_of(&object(bare)).unwrap();
        assert_eq!(Value::Object(decision), json!({"decision_id": "d", "decision": "block", "target": "t"}));
        let nested = json!({"decision": {"decision_id": "d", "actor_token": "x"}, "ttl_hours": 3});
        assert_eq!(Value::Object(decision_of(&object(nested)).unwrap()), json!({"decision_id": "d"}));
    }

    #[test]
    fn wrong_bodies_are_refused() {
        for bad in [
            json!({}),
            json!({"decision": {}}),
            json!({"decision_id": 4}),
            json!({"decision_id": " "}),
            json!({"decision_id": "d", "evidence_refs": "x"}),
            json!({"decision_id": "d", "evidence_refs": [1]}),
            json!({"decision_id": "d", "target": {}}),
            json!({"decision_id": "a\u{0}"}),
        ] {
            assert!(decision_of(&object(bad.clone())).is_err(), "{bad}");
        }
        for bad in [
            json!({"ttl_hours": "soon"}),
            json!({"ttl_hours": 1.5}),
            json!({"ttl_hours": true}),
            json!({"reason": {}}),
            json!({"actor": ["a"]}),
            json!({"approver_group": 4}),
        ] {
            assert!(Statement::read(&object(bad.clone()), Redactor::default()).is_err(), "{bad}");
        }
    }

    #[test]
    fn lives_are_clamped() {
        let ttl = |value: Value| {
            Statement::read(&object(json!({"ttl_hours": value})), Redactor::default()).unwrap().ttl(24, 720)
        };
        assert_eq!(
            [ttl(json!(null)), ttl(json!(0)), ttl(json!(-5)), ttl(json!(9999)), ttl(json!(7))],
            [24, 1, 1, 720, 7]
        );
    }
}
