//! Which deliveries of an audit are tried again, and when.

use std::collections::BTreeMap;

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::backoff::{Backoff, Verdict};
use crate::family::{Family, Stage};
use crate::policy::moment;
use crate::{Document, count, id_of};

/// An attempt to deliver an audit to a connector.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The delivery that it belongs to, also where it repeats it.
    pub delivery_id: String,
    /// The package.
    pub audit_id: String,
    /// The connector.
    pub provider: String,
    /// Whether it got there.
    pub success: bool,
    /// When.
    pub at: Timestamp,
    /// Id of its record.
    pub id: String,
    /// What the connector's side answered.
    pub status_code: Option<i64>,
    /// The pass of the worker that made it.
    pub run: String,
}

/// The attempts that the record of a delivery tells of.
#[must_use]
pub fn attempts(family: &Family, record: &Object) -> Vec<Attempt> {
    let text = |name: &str| members::text(record, name);
    let Some(at) = moment(text("created_at")) else { return Vec::new() };
    if text("connector_delivery_source") != family.sources.recurrence {
        return Vec::new();
    }
    let failed = members::texts(record, "failed_providers");
    let all_failed = record.get("delivery_success") == Some(&json!(false)) && failed.is_empty();
    let results = members::object(record, "delivery").map(|delivery| members::objects(delivery, "deliveries"));
    let results = results.unwrap_or_default();
    let code = |provider: &str| {
        let result = results.iter().find(|result| members::text(result, "provider") == provider)?;
        result.get("status_code")?.as_i64()
    };
    let delivery = ["retry_of", "delivery_id", "event_id"].iter().find_map(|name| members::filled(record, name));
    let attempt = |provider: &str| Attempt {
        delivery_id: delivery.unwrap_or_default().to_owned(),
        audit_id: text("audit_id").to_owned(),
        provider: provider.to_owned(),
        success: !all_failed && !failed.contains(&provider),
        at,
        id: text("session_id").to_owned(),
        status_code: code(provider),
        run: text("worker_run_id").to_owned(),
    };
    members::texts(record, "providers").into_iter().map(attempt).collect()
}

/// The plan for what failed and has not succeeded since. `attempts` are in the order of time.
#[must_use]
pub fn drill_retries(
    stage: &Stage,
    attempts: &[Attempt],
    policy: &Backoff,
    generated_by: &str,
    now: Timestamp,
) -> Document {
    let mut groups: BTreeMap<(&str, &str, &str), Vec<&Attempt>> = BTreeMap::new();
    for attempt in attempts {
        let key = (attempt.delivery_id.as_str(), attempt.audit_id.as_str(), attempt.provider.as_str());
        let group = groups.entry(key).or_default();
        if attempt.success { group.clear() } else { group.push(attempt) }
    }
    groups.retain(|_, group| !group.is_empty());
    let decisions: Vec<Value> = groups.iter().map(|(key, group)| decision(*key, group, policy, now)).collect();
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

fn decision(key: (&str, &str, &str), group: &[&Attempt], policy: &Backoff, now: Timestamp) -> Value {
    let (delivery, audit, provider) = key;
    let failures = count(group.len());
    let latest = group.iter().max_by_key(|attempt| attempt.at);
    let at = latest.map_or(now, |attempt| attempt.at);
    let (verdict, next) = policy.verdict(failures, at, now);
    json!({
        "delivery_id": delivery,
        "audit_id": audit,
        "provider": provider,
        "action": verdict.as_str(),
        "reason": verdict.sentence(),
        "retry_count": failures,
        "max_retry_attempts": policy.maximum,
        "retry_delay_minutes": policy.delay_minutes(failures),
        "latest_delivery_id": latest.map(|attempt| &attempt.id),
        "latest_delivery_at": at,
        "next_retry_at": next,
        "failed_status_codes": group.iter().filter_map(|attempt| attempt.status_code).collect::<Vec<_>>(),
    })
}
