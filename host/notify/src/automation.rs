//! Automation: one pass of a scheduled worker, as a document.

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::family::Stage;
use crate::policy::{PolicyError, Section};
use crate::{Document, count, id_of, later, member};

/// What a pass did.
#[derive(Clone, Copy, Debug)]
pub struct Pass<'a> {
    /// Nothing was sent.
    pub dry_run: bool,
    /// Who asked.
    pub generated_by: &'a str,
    /// Its schedule.
    pub schedule: Schedule,
    /// Its retry plan.
    pub retry: &'a Object,
    /// Its trend.
    pub trend: &'a Object,
    /// Its digests.
    pub digests: &'a [Object],
    /// Ids of the recurrence plans that it looked at.
    pub plans: &'a [String],
    /// What became of each digest.
    pub deliveries: &'a [Value],
    /// `completed` or `failed`.
    pub status: &'a str,
}

/// How often a worker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Minutes between two passes.
    pub interval_minutes: u64,
    /// Whether it is on.
    pub enabled: bool,
}

impl Schedule {
    /// The schedule in a request.
    ///
    /// # Errors
    /// [`PolicyError`] for the first member that cannot be used.
    pub fn read(value: Option<&Value>) -> Result<Self, PolicyError> {
        let schedule = Section::of(value, "schedule")?;
        let interval = schedule.number(&["interval_minutes", "schedule_interval_minutes"], 1)?;
        Ok(Self { interval_minutes: interval.unwrap_or(60), enabled: schedule.flag(&["enabled"])?.unwrap_or(true) })
    }
}

/// The window of a schedule that holds a moment: multiples of its interval since 1970.
#[must_use]
pub fn window_of(schedule: Schedule, now: Timestamp) -> (Timestamp, Timestamp) {
    let interval = i64::try_from(schedule.interval_minutes.max(1)).unwrap_or(i64::MAX).saturating_mul(60_000_000);
    let start = Timestamp::from_micros(now.as_micros() - now.as_micros().rem_euclid(interval));
    (start, later(start, schedule.interval_minutes))
}

/// Id of the pass that does this work in this window.
#[must_use]
pub fn run_id(
    stage: &Stage,
    start: Timestamp,
    generated_by: &str,
    dry_run: bool,
    plans: &[String],
    failed: &[String],
) -> String {
    id_of(stage.id_prefix, 16, &json!([start, generated_by, dry_run, plans, failed]))
}

/// The document of a pass.
#[must_use]
pub fn automation_run(stage: &Stage, pass: Pass<'_>, now: Timestamp) -> Document {
    let (start, end) = window_of(pass.schedule, now);
    let decisions = members::objects(pass.retry, "retry_decisions");
    let failed: Vec<String> =
        decisions.iter().map(|decision| members::text(decision, "latest_delivery_id").to_owned()).collect();
    let id = run_id(stage, start, pass.generated_by, pass.dry_run, pass.plans, &failed);
    let number = |document: &Object, name: &str| document.get(name).and_then(Value::as_u64).unwrap_or(0);
    let routes: u64 = pass.digests.iter().map(|digest| number(digest, "unresolved_route_count")).sum();
    let follow_ups = follow_ups(&decisions, pass.digests, pass.trend);
    let events = number(pass.trend, "suppression_event_count");
    let (retryable, suppressed) = (number(pass.retry, "retryable_count"), number(pass.retry, "suppressed_count"));
    let content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "run_id": id,
        "generated_at": now,
        "generated_by": pass.generated_by,
        "dry_run": pass.dry_run,
        "status": pass.status,
        "schedule": {
            "interval_minutes": pass.schedule.interval_minutes, "window_start": start, "window_end": end,
            "enabled": pass.schedule.enabled,
        },
        "retryable_count": retryable,
        "owner_digest_count": pass.digests.len(),
        "suppression_event_count": events,
        "summary": {
            "recurrence_plan_count": pass.plans.len(),
            "retry_plan_count": 1,
            "retryable_count": retryable,
            "waiting_retry_count": number(pass.retry, "waiting_count"),
            "suppressed_retry_count": suppressed,
            "owner_digest_count": pass.digests.len(),
            "owner_digest_route_count": routes,
            "suppression_event_count": events,
            "follow_up_action_count": follow_ups.len(),
        },
        "retry_plan": pass.retry,
        "owner_digest_events": pass.digests,
        "suppression_trend": pass.trend,
        "follow_up_actions": follow_ups,
        "deliveries": pass.deliveries,
        "controls": ["dry-run-first", "one-run-per-window", "no-connector-secrets"],
    }));
    let counts = [count(follow_ups.len()), suppressed, count(pass.digests.len())];
    Document { id, content, counts, warnings: Vec::new() }
}

fn follow_ups(retries: &[&Object], digests: &[Object], trend: &Object) -> Vec<Value> {
    let retry = |decision: &&Object| {
        json!({
            "kind": "recurrence_retry", "action": member(decision, "action"),
            "recurrence_plan_id": member(decision, "recurrence_plan_id"), "provider": member(decision, "provider"),
            "reason": member(decision, "reason"), "next_retry_at": member(decision, "next_retry_at"),
            "delivery_id": member(decision, "latest_delivery_id"),
        })
    };
    let digest = |digest: &Object| {
        json!({
            "kind": "owner_digest", "action": "deliver", "digest_id": member(digest, "digest_id"),
            "recurrence_plan_id": member(digest, "recurrence_plan_id"), "owner_count": member(digest, "owner_count"),
            "unresolved_route_count": member(digest, "unresolved_route_count"),
        })
    };
    let event = |event: &Object| {
        json!({
            "kind": "suppression_trend", "action": "review", "category": member(event, "category"),
            "owner": member(event, "owner"), "provider": member(event, "provider"), "reason": member(event, "reason"),
        })
    };
    let events = members::objects(trend, "latest_events");
    retries.iter().map(retry).chain(digests.iter().map(digest)).chain(events.into_iter().map(event)).collect()
}
