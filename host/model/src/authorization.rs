//! Does this approval, now, let that happen? One answer for every operation that is bound to an approval: publishing a
//! policy, promoting a rollout, rolling it back. docs/reference/approvals-identity-authoring.md, sections 3.1 and 9.3; docs/reference/evidence-and-promotion.md, section 8.

use serde_json::Value;

use crate::approval::{ApprovalState, has_lapsed, state};
use crate::{Object, Timestamp};

/// What an operation asks of its approval.
#[derive(Clone, Debug)]
pub struct Authorization<'a> {
    /// `action_type` of the decision that was approved.
    pub operation: &'a str,
    /// A broken glass lets it happen too.
    pub break_glass: bool,
    /// What ties the approval to the subject.
    pub bindings: Vec<Binding<'a>>,
}

/// One member of an approval that has to name the subject.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    /// JSON pointer into the approval's record.
    pub pointer: &'a str,
    /// What stands there.
    pub expected: &'a str,
    /// Absent is as good as equal.
    pub optional: bool,
}

impl<'a> Binding<'a> {
    /// A member that has to be there and equal.
    #[must_use]
    pub const fn to(pointer: &'a str, expected: &'a str) -> Self {
        Self { pointer, expected, optional: false }
    }

    /// A member that has to be equal if it is there.
    #[must_use]
    pub const fn if_present(pointer: &'a str, expected: &'a str) -> Self {
        Self { pointer, expected, optional: true }
    }

    fn holds(&self, record: &Value) -> bool {
        match record.pointer(self.pointer) {
            None | Some(Value::Null) => self.optional,
            // An empty text names nothing, so it cannot name the subject.
            Some(found) => !self.expected.is_empty() && found.as_str() == Some(self.expected),
        }
    }
}

/// All that keeps an approval from authorizing an operation at this moment; nothing if it does.
#[must_use]
pub fn authorization_problems(record: &Object, wanted: &Authorization<'_>, now: Timestamp) -> Vec<String> {
    let mut problems = Vec::new();
    match state(record) {
        Some(ApprovalState::Approved) => {}
        Some(ApprovalState::BreakGlass) if wanted.break_glass => {}
        Some(other) => problems.push(format!("the approval is {}, not approved", other.as_str())),
        None => problems.push("the approval is in an unknown state, not approved".to_owned()),
    }
    if has_lapsed(record, now) {
        problems.push("the approval has run out".to_owned());
    }
    let whole = Value::Object(record.clone());
    if !Binding::to("/decision/action_type", wanted.operation).holds(&whole) {
        problems.push(format!("the approval is not for {}", wanted.operation));
    }
    for binding in wanted.bindings.iter().filter(|binding| !binding.holds(&whole)) {
        let member = binding.pointer.trim_start_matches('/').replace('/', ".");
        problems.push(format!("the approval is not bound to this: its {member} is missing or another one"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(changes: &Value) -> Object {
        let mut record = json!({
            "state": "approved", "expires_at": "2031-01-01T00:00:00Z", "session_id": "s",
            "decision": {"action_type": "ship", "metadata": {"ring": "broad"}},
        });
        record.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        record.as_object().unwrap().clone()
    }

    #[test]
    fn an_approval_has_to_fit_in_every_respect() {
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let fits = |changes: Value, break_glass: bool| {
            let bindings = vec![
                Binding::to("/session_id", "s"),
                Binding::to("/decision/metadata/ring", "broad"),
                Binding::if_present("/decision/metadata/note", "n"),
            ];
            let wanted = Authorization { operation: "ship", break_glass, bindings };
            authorization_problems(&record(&changes), &wanted, now).len()
        };
        assert_eq!(fits(json!({}), false), 0);
        assert_eq!(fits(json!({"state": "break_glass"}), true), 0);
        for (changes, problems) in [
            (json!({"state": "break_glass"}), 1),
            (json!({"state": "pending"}), 1),
            (json!({"state": "denied"}), 1),
            (json!({"state": "expired"}), 1),
            (json!({"state": 7}), 1),
            (json!({"expires_at": "2029-12-31T23:59:59Z"}), 1),
            (json!({"expires_at": null}), 1),
            (json!({"session_id": "t"}), 1),
            (json!({"session_id": null}), 1),
            (json!({"decision": {"action_type": "ship"}}), 1),
            (json!({"decision": {"action_type": "ship", "metadata": {"ring": "broad", "note": "m"}}}), 1),
            (json!({"decision": null}), 2),
            (json!({"state": "denied", "session_id": "t", "decision": {}}), 4),
        ] {
            assert_eq!(fits(changes.clone(), false), problems, "{changes}");
        }
    }

    #[test]
    fn an_empty_subject_is_never_named() {
        let empty = record(&json!({"session_id": ""}));
        let wanted =
            Authorization { operation: "ship", break_glass: false, bindings: vec![Binding::to("/session_id", "")] };
        assert_eq!(authorization_problems(&empty, &wanted, Timestamp::from_micros(0)).len(), 1);
    }
}
