//! A pass of the worker that repeats deliveries of audits.

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::automation::Schedule;
use crate::family::Stage;
use crate::{Document, count, id_of, later, member};

/// What a pass did.
#[derive(Clone, Copy, Debug)]
pub struct DrillPass<'a> {
    /// Its id.
    pub id: &'a str,
    /// Nothing was sent.
    pub dry_run: bool,
    /// Who asked.
    pub generated_by: &'a str,
    /// Its schedule.
    pub schedule: Schedule,
    /// How its schedule is called.
    pub cadence: &'a str,
    /// Its retry plan.
    pub retry: &'a Object,
    /// The decisions that it took up.
    pub selected: &'a [Object],
    /// `completed` or `failed`.
    pub status: &'a str,
}

/// The window of a schedule that holds a moment: of an hour or more it begins with the hour.
#[must_use]
pub fn drill_window(schedule: Schedule, now: Timestamp) -> (Timestamp, Timestamp) {
    let step = i64::try_from(schedule.interval_minutes.clamp(1, 60)).unwrap_or(60) * 60_000_000;
    let start = Timestamp::from_micros(now.as_micros() - now.as_micros().rem_euclid(step));
    (start, later(start, schedule.interval_minutes))
}

/// Id of the pass that takes up these decisions at this moment.
#[must_use]
pub fn run_word(stage: &Stage, now: Timestamp, generated_by: &str, dry_run: bool, selected: &[Object]) -> String {
    id_of(stage.id_prefix, 16, &json!([now, generated_by, dry_run, selected]))
}

/// The document of a pass.
#[must_use]
pub fn drill_run(stage: &Stage, pass: DrillPass<'_>, now: Timestamp) -> Document {
    let (start, end) = drill_window(pass.schedule, now);
    let number = |name: &str| pass.retry.get(name).and_then(Value::as_u64).unwrap_or(0);
    let follow_up = |decision: &&Object| {
        json!({
            "action": member(decision, "action"), "provider": member(decision, "provider"),
            "audit_id": member(decision, "audit_id"), "delivery_id": member(decision, "delivery_id"),
            "reason": member(decision, "reason"),
        })
    };
    let follow_ups: Vec<_> = members::objects(pass.retry, "retry_decisions").iter().map(follow_up).collect();
    let content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "run_id": pass.id,
        "generated_at": now,
        "generated_by": pass.generated_by,
        "dry_run": pass.dry_run,
        "status": pass.status,
        "schedule": {
            "interval_minutes": pass.schedule.interval_minutes, "window_start": start, "window_end": end,
            "enabled": pass.schedule.enabled, "cadence": pass.cadence,
        },
        "retryable_count": number("retryable_count"),
        "selected_retry_count": pass.selected.len(),
        "summary": {
            "retry_plan_count": 1,
            "retryable_count": number("retryable_count"),
            "waiting_retry_count": number("waiting_count"),
            "suppressed_retry_count": number("suppressed_count"),
            "selected_retry_count": pass.selected.len(),
            "follow_up_action_count": follow_ups.len(),
        },
        "retry_plan": pass.retry,
        "selected_retries": pass.selected,
        "follow_up_actions": follow_ups,
        "controls": ["dry-run-first", "decisions-checked-before-sending", "no-connector-secrets"],
    }));
    let counts = [count(follow_ups.len()), number("suppressed_count"), count(pass.selected.len())];
    Document { id: pass.id.to_owned(), content, counts, warnings: Vec::new() }
}
