//! Whether the worker that repeats deliveries of audits does its work.

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::facts::{Delivery, Facts};
use crate::family::Family;
use crate::health::{BROKEN, HealthLimits, is_disabled, whole_minutes};
use crate::policy::{moment, sorted};
use crate::routing::Subject;
use crate::{Document, count, id_of, member};

/// Most records and failures that are written out.
const SHOWN: usize = 10;

/// What is known of the worker, newest first.
#[derive(Clone, Debug)]
pub struct DrillWatched<'a> {
    /// Documents of its passes.
    pub runs: Vec<&'a Object>,
    /// The records of the newest of them.
    pub latest: Vec<&'a Object>,
    /// How many retry plans there are.
    pub retry_plans: usize,
    /// The newest one.
    pub retry_plan: Option<&'a Object>,
    /// What was sent.
    pub facts: &'a Facts,
}

/// The health of the worker.
#[must_use]
pub fn drill_health(family: &Family, watched: &DrillWatched<'_>, limits: HealthLimits, now: Timestamp) -> Document {
    let latest = watched.runs.first();
    let latest_at = latest.and_then(|run| moment(members::text(run, "generated_at")));
    let age = latest_at.map(|at| whole_minutes(at, now));
    let missed_after = limits.expected_interval_minutes.saturating_mul(2);
    let missed = age.is_none_or(|age| age > missed_after);
    let failed = watched.runs.iter().take_while(|run| BROKEN.contains(&members::text(run, "status"))).count();
    let disabled = watched.runs.iter().take_while(|run| is_disabled(run)).count();
    let plan_age = watched
        .retry_plan
        .and_then(|plan| moment(members::text(plan, "generated_at")))
        .map(|at| whole_minutes(at, now));
    let stale = plan_age.is_none_or(|age| age > limits.stale_metadata_minutes);
    let mut failures: Vec<&Delivery> =
        watched.facts.failures(family.sources.recurrence).into_values().flatten().collect();
    failures.sort_by(|left, right| (left.at, &left.id).cmp(&(right.at, &right.id)));
    let of_latest = |name: &str| latest.and_then(|run| run.get(name)).and_then(Value::as_u64).unwrap_or(0);
    let retryable = of_latest("retryable_count");
    let checks = [
        (missed, "critical", "missed_worker_run", format!("no pass within {missed_after} minutes")),
        (failed > 0, "critical", "failed_worker_run", format!("the latest {failed} passes failed")),
        (retryable > 0, "warning", "retryable_deliveries", format!("{retryable} deliveries can be tried again")),
        (
            !failures.is_empty(),
            "warning",
            "connector_failure",
            format!("{} deliveries did not reach their connector", failures.len()),
        ),
        (stale, "warning", "stale_retry_plan", "there is no recent retry plan".to_owned()),
        (disabled > 0, "warning", "disabled_schedule", "the schedule is switched off".to_owned()),
    ];
    let holding = || checks.iter().filter(|(holds, ..)| *holds);
    let alerts: Vec<Value> = holding()
        .map(|(_, severity, category, message)| {
            json!({ "severity": severity, "category": category, "message": message })
        })
        .collect();
    let level = ["critical", "warning"].into_iter().find(|level| holding().any(|(_, severity, ..)| severity == level));
    let level = level.unwrap_or("healthy");
    let categories = sorted(holding().map(|(_, _, category, _)| *category));
    let run_id = latest.map(|run| members::text(run, "run_id"));
    let id = id_of(family.health_prefix, 16, &json!([run_id, level, categories]));
    let shown: Vec<_> = failures.iter().rev().take(SHOWN).map(|failure| shown_failure(failure)).collect();
    let content = members::built(json!({
        "schema_version": family.health_schema,
        "product": "CAVRA",
        "health_id": id,
        "generated_at": now,
        "alert_level": level,
        "expected_interval_minutes": limits.expected_interval_minutes,
        "missed_after_minutes": missed_after,
        "stale_metadata_minutes": limits.stale_metadata_minutes,
        "run_count": watched.runs.len(),
        "retry_plan_count": watched.retry_plans,
        "retryable_count": retryable,
        "selected_retry_count": of_latest("selected_retry_count"),
        "missed_run_count": u64::from(missed),
        "failed_job_count": failed,
        "disabled_schedule_count": disabled,
        "stale_retry_plan_count": u64::from(stale),
        "connector_delivery_failure_count": failures.len(),
        "latest_run_id": run_id,
        "latest_run_at": latest_at,
        "latest_run_age_minutes": age,
        "latest_retry_plan_id": watched.retry_plan.map(|plan| member(plan, "retry_plan_id")),
        "latest_retry_plan_age_minutes": plan_age,
        "failed_deliveries": shown,
        "alerts": alerts,
        "recommendations": categories.iter().map(|category| recommendation(category)).collect::<Vec<_>>(),
        "latest": watched.latest.iter().take(SHOWN).collect::<Vec<_>>(),
    }));
    Document { id, content, counts: [count(watched.runs.len()), count(failed), 0], warnings: Vec::new() }
}

/// The health as something that people are told about.
#[must_use]
pub fn drill_health_subject(health: &Object) -> Subject {
    let names = ["run_count", "retryable_count", "missed_run_count", "failed_job_count"];
    let mut summary: Object = names.iter().map(|name| ((*name).to_owned(), member(health, name))).collect();
    summary.insert("alert_count".to_owned(), json!(members::list(health, "alerts").len()));
    Subject {
        id: members::text(health, "health_id").to_owned(),
        id_member: "health_id",
        alert_level: members::text(health, "alert_level").to_owned(),
        shown: members::built(json!({
            "summary": summary, "source_health_generated_at": member(health, "generated_at"),
        })),
        silent_when_healthy: true,
        ..Subject::default()
    }
}

fn shown_failure(failure: &Delivery) -> Value {
    json!({
        "delivery_id": failure.id, "event_id": failure.event_id, "provider": failure.provider,
        "created_at": failure.at, "status_code": failure.status_code,
    })
}

fn recommendation(category: &str) -> &'static str {
    match category {
        "missed_worker_run" => "Start a pass, and see why the scheduler did not.",
        "failed_worker_run" => "Read the log of the latest pass.",
        "retryable_deliveries" => "Execute a pass: it tries them again.",
        "connector_failure" => "Test the connector.",
        "stale_retry_plan" => "Make a retry plan.",
        _ => "Switch the schedule on again, or say why it is off.",
    }
}
