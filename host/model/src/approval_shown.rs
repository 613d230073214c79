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

/// Members of an approval that change while it waits.
const OF_ITS_COURSE: [&str; 3] = ["state", "history", "approvals"];

/// Fewest hexadecimal digits by which somebody may name a digest.
const FEWEST_DIGITS: usize = 16;

/// Digest of what approvers are shown of an approval. It stays the same while others approve, and is another one as soon as
/// anything else of the approval is.
#[must_use]
pub fn shown_digest(approval: &Object) -> Digest {
    let mut shown = approval.clone();
    shown.retain(|member, _| !OF_ITS_COURSE.contains(&member.as_str()));
    Digest::of_record(&shown)
}

/// Whether `digest`, or the beginning of one, is that of what approvers are shown now.
#[must_use]
pub fn is_as_shown(approval: &Object, digest: &str) -> bool {
    let digits = Digest::digits(digest);
    digits.len() >= FEWEST_DIGITS && shown_digest(approval).hex().starts_with(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_is_as_it_was_shown_until_it_is_another_one() {
        let approval =
            json!({"approval_id": "apr_1", "state": "pending", "history": [], "decision": {"target": "make"}});
        let shown = shown_digest(approval.as_object().unwrap());
        let is_as = |member: &str, value: Value, digest: &str| {
            let mut changed = approval.clone();
            changed[member] = value;
            is_as_shown(changed.as_object().unwrap(), digest)
        };
        assert!(is_as("state", json!("pending"), shown.as_str()) && is_as("history", json!([1]), shown.hex()));
        assert!(is_as("approvals", json!([{"actor": "ann"}]), shown.hex().get(..16).unwrap()));
        for (member, value) in [("decision", json!({"target": "make all"})), ("request_note", json!("please"))] {
            assert!(!is_as(member, value, shown.as_str()), "{member}");
        }
        for digest in ["", "sha256:", shown.hex().get(..15).unwrap(), &"0".repeat(64), &format!("{shown}0")] {
            assert!(!is_as("state", json!("pending"), digest), "{digest}");
        }
    }

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
