//! What approvers see of a decision: what an approval is bound to, and what nobody but cavra may say.

use serde_json::{Value, json};

use crate::members::filled;
use crate::{Digest, Object};

/// What cavra found, and about what. A requester who says it otherwise than it is recorded would be believed by whoever
/// approves.
const FOUND: [&str; 19] = [
    "decision_id",
    "session_id",
    "agent_id",
    "actor",
    "action_type",
    "target",
    "requested_operation",
    "content_digest",
    "repository",
    "repo",
    "decision",
    "severity",
    "rule_id",
    "policy_pack",
    "policy_id",
    "policy_digest",
    "approver_group",
    "reason",
    "metadata",
];

/// The members in which `said` differs from what is `known` of the same decision. What is not said contradicts nothing.
#[must_use]
pub fn contradictions(said: &Object, known: &Object) -> Vec<&'static str> {
    let given = |object: &'_ Object, member: &str| object.get(member).filter(|value| !value.is_null()).cloned();
    let differs = |member: &&str| given(said, member).is_some_and(|said| given(known, member) != Some(said));
    FOUND.into_iter().filter(differs).collect()
}

/// Digest of what a decision is about: what an approval is bound to. It is computed from what approvers see in the
/// decision, so a decision cannot show one action and bind another. `None` if the decision is about no action.
#[must_use]
pub fn action_digest(decision: &Object) -> Option<Digest> {
    shown_action(decision).map(|action| Digest::of_json(&action))
}

/// The members of a decision that say what it is about, as they are shown. `None` if it is about no action.
#[must_use]
pub fn shown_action(decision: &Object) -> Option<Value> {
    let action_type = filled(decision, "action_type")?;
    let target = filled(decision, "target")?;
    Some(json!({
        "action_type": action_type,
        "target": target,
        "requested_operation": filled(decision, "requested_operation"),
        "content_digest": filled(decision, "content_digest"),
        "repository": filled(decision, "repository"),
        "agent_id": filled(decision, "agent_id"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_that_was_found_counts() {
        let object = |value: Value| value.as_object().unwrap().clone();
        let known: Object = FOUND.into_iter().map(|member| (member.to_owned(), json!("found"))).collect();
        assert_eq!(contradictions(&known, &known), [""; 0]);
        assert_eq!(contradictions(&object(json!({"note": "mine", "reason": null})), &known), [""; 0]);
        for member in FOUND {
            for other in [json!("other"), json!(""), json!(1), json!(["found"])] {
                assert_eq!(contradictions(&object(json!({ member: other })), &known), [member], "{other}");
            }
            // What was not found cannot be added.
            assert_eq!(contradictions(&object(json!({ member: "x" })), &Object::new()), [member]);
        }
    }
}
