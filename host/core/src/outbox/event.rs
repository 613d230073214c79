//! Events that other systems can be told of: what a leaf of the evidence log and its record amount to.

use cavra_model::members::{filled, text};
use cavra_model::{Object, Outcome};
use cavra_release::{Action, PROMOTION, PROMOTION_EVENT, ROLLBACK, ROLLBACK_EVENT, audit_event};
use serde_json::{Value, json};

use crate::{Leaf, LogEvent};

/// The beginning of the types of decisions; the outcome follows.
const DECISION: &str = "cavra.decision.";

/// What leaves a leaf and is an event for others, with its type. A decision's type ends in its outcome.
const TYPES: [(LogEvent, &str); 25] = [
    (LogEvent::Decision, DECISION),
    (LogEvent::ApprovalRequested, "cavra.approval.pending"),
    (LogEvent::ApprovalCounted, "cavra.approval.counted"),
    (LogEvent::ApprovalApproved, "cavra.approval.approved"),
    (LogEvent::ApprovalDenied, "cavra.approval.denied"),
    (LogEvent::ApprovalExpired, "cavra.approval.expired"),
    (LogEvent::ApprovalUsed, "cavra.approval.used"),
    (LogEvent::BreakGlassStarted, "cavra.approval.break_glass"),
    (LogEvent::BreakGlassEnded, "cavra.approval.break_glass_ended"),
    (LogEvent::PolicyPublishStarted, "cavra.policy.publish_started"),
    (LogEvent::PolicyPublished, "cavra.policy.published"),
    (LogEvent::PolicyPublishFailed, "cavra.policy.publish_failed"),
    (LogEvent::EvidenceRecorded, "cavra.evidence.recorded"),
    (LogEvent::EvidenceReceived, "cavra.evidence.received"),
    (LogEvent::PromotionExecuted, PROMOTION_EVENT),
    (LogEvent::RollbackExecuted, ROLLBACK_EVENT),
    (LogEvent::RepositoryChanged, "cavra.repository.changed"),
    (LogEvent::RolloutChanged, "cavra.policy_rollout.changed"),
    (LogEvent::AgentChanged, "cavra.agent.changed"),
    (LogEvent::McpServerChanged, "cavra.mcp_server.changed"),
    (LogEvent::IntegrationChanged, "cavra.integration.changed"),
    (LogEvent::DecisionRemoved, "cavra.retention.decision_removed"),
    (LogEvent::EvidenceRemoved, "cavra.retention.evidence_removed"),
    (LogEvent::DeliveryRemoved, "cavra.retention.delivery_removed"),
    (LogEvent::KeyRotated, "cavra.evidence_log.key_rotated"),
];

/// The types of all events.
pub(super) fn known_types() -> Vec<String> {
    let of = |name: &str| match name {
        DECISION => Outcome::ALL.iter().map(|outcome| format!("{DECISION}{}", outcome.as_str())).collect(),
        name => vec![name.to_owned()],
    };
    TYPES.iter().flat_map(|(_, name)| of(name)).collect()
}

/// The type of what a leaf notes; of a decision without its record, how it begins.
pub(super) fn type_of(event: LogEvent, record: Option<&Object>) -> Option<String> {
    let (_, name) = TYPES.iter().find(|(known, _)| *known == event)?;
    let outcome = record.filter(|_| event == LogEvent::Decision).map(|record| text(record, "decision"));
    Some(format!("{name}{}", outcome.unwrap_or_default()))
}

/// What happened, as it is sent: the record as it is now, and what the log says of it.
pub(super) fn document(log: &str, index: u64, leaf: &Leaf, event_type: &str, record: Option<&Object>) -> Object {
    let audited = audited(leaf.event).zip(record).and_then(|(action, record)| {
        let document = record.get(action.payload)?.as_object()?;
        audit_event(action, document).ok()
    });
    let nothing = Object::new();
    let shown = record.unwrap_or(&nothing);
    let decision = shown.get("decision").and_then(Value::as_object).unwrap_or(shown);
    let severity = filled(decision, "severity").unwrap_or("low");
    let is =
        |outcome: Outcome| u8::from(leaf.event == LogEvent::Decision && text(shown, "decision") == outcome.as_str());
    let mut event = cavra_model::members::built(json!({
        "schema_version": "cavra.event.v1",
        "product": "CAVRA",
        "event_type": event_type,
        "timestamp": leaf.time,
        "record_id": leaf.id,
        "session_id": session(leaf, shown),
        "title": title(event_type, shown),
        "max_severity": severity,
        "decision_count": u8::from(leaf.event == LogEvent::Decision),
        "blocked_count": is(Outcome::Block),
        "approval_required_count": is(Outcome::RequireApproval),
        "repository": filled(decision, "repository"),
        "author": leaf.author,
        "log": { "name": log, "index": index, "record_sha256": leaf.record_sha256 },
        "record_is_as_logged": record.is_some_and(|record| leaf.is_of(record)),
        "record": record,
    }));
    event.extend(audited.into_iter().flatten());
    event
}

fn audited(event: LogEvent) -> Option<&'static Action> {
    match event {
        LogEvent::PromotionExecuted => Some(&PROMOTION),
        LogEvent::RollbackExecuted => Some(&ROLLBACK),
        _ => None,
    }
}

fn session(leaf: &Leaf, record: &Object) -> String {
    filled(record, "session_id").unwrap_or(&leaf.id).to_owned()
}

/// One line for people.
fn title(event_type: &str, record: &Object) -> String {
    let what = event_type.strip_prefix("cavra.").unwrap_or(event_type).replace(['.', '_'], " ");
    let subject = ["target", "decision_id", "repository", "policy_id"].iter().find_map(|member| filled(record, member));
    subject.map_or_else(|| format!("CAVRA {what}"), |subject| format!("CAVRA {what}: {subject}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cavra_model::members::built;

    #[test]
    fn a_decision_is_told_with_its_outcome() {
        let record = built(json!({"decision_id": "dec_1", "decision": "block", "severity": "high", "session_id": "s",
            "target": "rm -rf /", "repository": "pay"}));
        let leaf = Leaf::new(LogEvent::Decision, "dec_1", &record);
        let event_type = type_of(leaf.event, Some(&record)).unwrap();
        let event = document("activity", 7, &leaf, &event_type, Some(&record));
        for (member, value) in [
            ("event_type", json!("cavra.decision.block")),
            ("session_id", json!("s")),
            ("title", json!("CAVRA decision block: rm -rf /")),
            ("max_severity", json!("high")),
            ("blocked_count", json!(1)),
            ("approval_required_count", json!(0)),
            ("repository", json!("pay")),
            ("record_is_as_logged", json!(true)),
            ("record", json!(record)),
        ] {
            assert_eq!(event[member], value, "{member}");
        }
        assert_eq!(event["log"]["index"], 7);
        let later = document("activity", 7, &leaf, &event_type, Some(&built(json!({"decision": "block"}))));
        assert_eq!(later["record_is_as_logged"], false);
    }

    #[test]
    fn every_type_is_known_once() {
        let mut types = known_types();
        types.sort();
        let all = types.len();
        types.dedup();
        assert_eq!((types.len(), types.iter().all(|name| name.starts_with("cavra."))), (all, true));
        assert_eq!(type_of(LogEvent::StoreRestored, None), None);
    }
}
