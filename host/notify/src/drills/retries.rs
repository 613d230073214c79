//! Which deliveries of an audit are tried again, and when.

use cavra_model::{Timestamp, members};
use serde_json::{Value, json};

use crate::backoff::{Backoff, Verdict};
use crate::facts::{Delivery, Facts};
use crate::family::{Family, Stage};
use crate::{Document, count, id_of};

/// The plan for what failed and has not succeeded since, of the deliveries of audits.
#[must_use]
pub fn drill_retries(
    family: &Family,
    stage: &Stage,
    facts: &Facts,
    policy: &Backoff,
    generated_by: &str,
    now: Timestamp,
) -> Document {
    let groups = facts.failures(family.sources.recurrence);
    let decisions: Vec<Value> = groups.values().map(|group| decision(group, policy, now)).collect();
    let of = |verdict: Verdict| {
        let is = |decision: &&Value| decision.get("action").and_then(Value::as_str) == Some(verdict.as_str());
        decisions.iter().filter(is).count()
    };
    let (retry, wait, suppress) = (of(Verdict::Retry), of(Verdict::Wait), of(Verdict::Suppress));
    let level = match (retry, wait) {
        (1.., _) => "critical",
        (0, 1..) => "warning",
        (0, 0) => "healthy",
    };
    let id = id_of(stage.id_prefix, 16, &json!([now, generated_by, decisions]));
    let total = decisions.len();
    let content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "retry_plan_id": id,
        "generated_at": now,
        "generated_by": generated_by,
        "alert_level": level,
        "decision_count": total,
        "retryable_count": retry,
        "waiting_count": wait,
        "suppressed_count": suppress,
        "max_retry_attempts": policy.maximum,
        "base_retry_delay_minutes": policy.base_minutes,
        "allow_immediate_retry": policy.immediate,
        "backoff_multiplier": policy.multiplier,
        "retry_decisions": decisions,
        "controls": ["exponential-backoff", "maximum-attempts", "sends-nothing"],
    }));
    Document { id, content, counts: [count(total), count(suppress), count(retry)], warnings: Vec::new() }
}

/// What becomes of failures of one delivery to one connector.
fn decision(group: &[&Delivery], policy: &Backoff, now: Timestamp) -> Value {
    let failures = count(group.len());
    let latest = group.last();
    let at = latest.map_or(now, |delivery| delivery.at);
    let (verdict, next) = policy.verdict(failures, at, now);
    json!({
        "delivery_id": latest.map(|delivery| &delivery.event_id),
        "audit_id": latest.map(|delivery| &delivery.audit_id),
        "provider": latest.map(|delivery| &delivery.provider),
        "action": verdict.as_str(),
        "reason": verdict.sentence(),
        "retry_count": failures,
        "max_retry_attempts": policy.maximum,
        "retry_delay_minutes": policy.delay_minutes(failures),
        "latest_delivery_id": latest.map(|delivery| &delivery.id),
        "latest_delivery_at": at,
        "next_retry_at": next,
        "failed_status_codes": group.iter().filter_map(|delivery| delivery.status_code).collect::<Vec<_>>(),
    })
}
