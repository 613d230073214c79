//! Retry: which deliveries that failed are tried again, and when.

use std::collections::{BTreeMap, BTreeSet};

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::backoff::{Backoff, Verdict};
use crate::facts::{Delivery, Facts};
use crate::family::Stage;
use crate::{Document, count, id_of};

/// The plan for what failed of a source. `plans` are the documents that were sent, by the id of their event.
#[must_use]
pub fn retry_plan(
    stage: &Stage,
    source: &str,
    facts: &Facts,
    plans: &BTreeMap<String, Object>,
    policy: &Backoff,
    generated_by: &str,
    now: Timestamp,
) -> Document {
    let failed = facts.failures(source);
    let decisions: Vec<Value> =
        failed.iter().map(|((event, provider), group)| decision(event, provider, group, plans, policy, now)).collect();
    let of = |verdict: Verdict| {
        decisions
            .iter()
            .filter(|decision| decision.get("action").and_then(Value::as_str) == Some(verdict.as_str()))
            .count()
    };
    let (retry, wait, suppress) = (of(Verdict::Retry), of(Verdict::Wait), of(Verdict::Suppress));
    let level = match (retry, wait) {
        (1.., _) => "critical",
        (0, 1..) => "warning",
        (0, 0) => "healthy",
    };
    let id = id_of(stage.id_prefix, 16, &json!([now, generated_by, decisions]));
    let content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "retry_plan_id": id,
        "generated_at": now,
        "generated_by": generated_by,
        "alert_level": level,
        "decision_count": decisions.len(),
        "retryable_count": retry,
        "waiting_count": wait,
        "suppressed_count": suppress,
        "max_retry_attempts": policy.maximum,
        "base_retry_delay_minutes": policy.base_minutes,
        "backoff_multiplier": policy.multiplier,
        "retry_decisions": decisions,
        "controls": ["exponential-backoff", "maximum-attempts", "sends-nothing"],
    }));
    let counts = [count(decisions.len()), count(suppress), count(retry)];
    Document { id, content, counts, warnings: Vec::new() }
}

/// The ids of the events of which something has failed since it last succeeded.
#[must_use]
pub fn failed_events(facts: &Facts, source: &str) -> BTreeSet<String> {
    facts.failures(source).into_keys().map(|(event, _)| event.to_owned()).collect()
}

fn decision(
    event: &str,
    provider: &str,
    group: &[&Delivery],
    plans: &BTreeMap<String, Object>,
    policy: &Backoff,
    now: Timestamp,
) -> Value {
    let failures = count(group.len());
    let latest = group.iter().max_by_key(|delivery| delivery.at);
    let at = latest.map_or(now, |delivery| delivery.at);
    let (verdict, next) = policy.verdict(failures, at, now);
    let plan = plans.get(event);
    let routes: Vec<&Object> = plan
        .map(|plan| members::objects(plan, "route_decisions"))
        .unwrap_or_default()
        .into_iter()
        .filter(|route| members::text(route, "action") == "deliver" && members::text(route, "provider") == provider)
        .collect();
    json!({
        "recurrence_plan_id": event,
        "plan_id": plan.and_then(|plan| plan.get("plan_id")),
        "provider": provider,
        "action": verdict.as_str(),
        "reason": verdict.sentence(),
        "retry_count": failures,
        "max_retry_attempts": policy.maximum,
        "retry_delay_minutes": policy.delay_minutes(failures),
        "latest_delivery_id": latest.map(|delivery| &delivery.id),
        "latest_delivery_at": at,
        "next_retry_at": next,
        "failed_status_codes": group.iter().filter_map(|delivery| delivery.status_code).collect::<Vec<_>>(),
        "route_count": routes.len(),
        "routes": routes,
    })
}
