//! Views of stored decisions; they own no state.

use cavra_model::Object;
use serde_json::{Value, json};

/// A risk event: a decision that was refused, needs a human or warned. docs/reference/decisions-and-policy.md, section 10.
#[must_use]
pub fn risk_event(decision: &Object) -> Value {
    let mut event = Object::new();
    let id = decision.get("decision_id").and_then(Value::as_str).unwrap_or_default();
    event.insert("event_id".to_owned(), json!(format!("risk_{id}")));
    for field in [
        "decision_id",
        "session_id",
        "agent_id",
        "repository",
        "action_type",
        "target",
        "decision",
        "severity",
        "rule_id",
        "policy_pack",
        "reason",
        "timestamp",
    ] {
        event.insert(field.to_owned(), decision.get(field).cloned().unwrap_or(Value::Null));
    }
    Value::Object(event)
}
