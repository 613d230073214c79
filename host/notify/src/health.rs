//! Health: whether the scheduled worker does its work.

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::facts::Facts;
use crate::family::{Family, Stage, StageKind};
use crate::policy::{moment, sorted};
use crate::{Document, count, id_of};

/// Statuses of a pass that broke.
pub(crate) const BROKEN: [&str; 4] = ["failed", "error", "timeout", "cancelled"];
/// Documents that a working worker keeps making.
const EXPECTED: [(StageKind, &str); 4] = [
    (StageKind::RecurrencePlan, "recurrence_plan"),
    (StageKind::RetryPlan, "retry_plan"),
    (StageKind::OwnerDigest, "owner_digest"),
    (StageKind::SuppressionTrend, "suppression_trend"),
];
/// Most records and failures that are written out.
const SHOWN: usize = 10;

/// How often a pass is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthLimits {
    /// Minutes between two passes.
    pub expected_interval_minutes: u64,
    /// Age from which on documents are stale, in minutes; at least the former.
    pub stale_metadata_minutes: u64,
}

/// What is known of a worker, newest first.
#[derive(Clone, Debug, Default)]
pub struct Watched<'a> {
    /// Records of its passes.
    pub runs: Vec<&'a Object>,
    /// The newest record of each expected kind, by `metadata_kind`.
    pub newest: Vec<&'a Object>,
}

/// The health of a worker.
#[must_use]
pub fn health(family: &Family, watched: &Watched<'_>, facts: &Facts, limits: HealthLimits, now: Timestamp) -> Document {
    let limits = HealthLimits {
        stale_metadata_minutes: limits.stale_metadata_minutes.max(limits.expected_interval_minutes),
        ..limits
    };
    let runs: Vec<&Object> = watched.runs.iter().filter_map(|record| payload(family, record)).collect();
    let latest = runs.first();
    let latest_at = latest.and_then(|run| moment(members::text(run, "generated_at")));
    let age = latest_at.map(|at| whole_minutes(at, now));
    let missed_after = limits.expected_interval_minutes.saturating_mul(2);
    let missed = age.is_none_or(|age| age > missed_after);
    let failed = runs.iter().take_while(|run| BROKEN.contains(&members::text(run, "status"))).count();
    let disabled = runs.iter().take_while(|run| is_disabled(run)).count();
    let stale = stale(family, watched, limits, now);
    let failures = facts.unbroken_failures(family.sources.digest);
    let mut alerts = Vec::new();
    let mut alert = |holds: bool, severity: &str, category: &str, message: String| {
        if holds {
            alerts.push(json!({ "severity": severity, "category": category, "message": message }));
        }
    };
    alert(missed, "critical", "missed_run", format!("no pass within {missed_after} minutes"));
    alert(failed > 0, "critical", "failed_job", format!("the latest {failed} passes failed"));
    alert(
        !failures.is_empty(),
        "critical",
        "connector_failure",
        format!("{} digests did not reach their connector", failures.len()),
    );
    alert(
        !stale.is_empty(),
        "warning",
        "stale_metadata",
        format!("{} kinds of documents are stale or missing", stale.len()),
    );
    alert(disabled > 0, "warning", "disabled_schedule", "the schedule is switched off".to_owned());
    let has =
        |severity: &str| alerts.iter().any(|alert| alert.get("severity").and_then(Value::as_str) == Some(severity));
    let level = ["critical", "warning"].into_iter().find(|severity| has(severity)).unwrap_or("healthy");
    let categories = sorted(alerts.iter().filter_map(|alert| alert.get("category").and_then(Value::as_str)));
    let latest_id = latest.map(|run| members::text(run, "run_id"));
    let id = id_of(family.health_prefix, 16, &json!([latest_id, level, categories]));
    let shown_failures: Vec<_> = failures
        .iter()
        .rev()
        .take(SHOWN)
        .map(|failure| {
            json!({
                "delivery_id": failure.id, "event_id": failure.event_id, "provider": failure.provider,
                "created_at": failure.at, "status_code": failure.status_code,
            })
        })
        .collect();
    let content = members::built(json!({
        "schema_version": family.health_schema,
        "product": "CAVRA",
        "health_id": id,
        "generated_at": now,
        "alert_level": level,
        "expected_interval_minutes": limits.expected_interval_minutes,
        "missed_after_minutes": missed_after,
        "stale_metadata_minutes": limits.stale_metadata_minutes,
        "run_count": runs.len(),
        "missed_run_count": u64::from(missed),
        "failed_job_count": failed,
        "disabled_schedule_count": disabled,
        "stale_metadata_count": stale.len(),
        "connector_delivery_failure_count": failures.len(),
        "latest_run_id": latest_id,
        "latest_run_at": latest_at,
        "latest_run_age_minutes": age,
        "stale_metadata": stale,
        "failed_deliveries": shown_failures,
        "alerts": alerts,
        "recommendations": categories.iter().map(|category| recommendation(category)).collect::<Vec<_>>(),
        "latest": watched.runs.iter().take(SHOWN).collect::<Vec<_>>(),
    }));
    let counts = [count(runs.len()), count(failed), 0];
    Document { id, content, counts, warnings: Vec::new() }
}

fn payload<'a>(family: &Family, record: &'a Object) -> Option<&'a Object> {
    let stage: &Stage = family.stage(StageKind::AutomationRun)?;
    members::object(record, stage.payload)
}

pub(crate) fn is_disabled(run: &Object) -> bool {
    let schedule = members::object(run, "schedule");
    schedule.and_then(|schedule| schedule.get("enabled")).and_then(Value::as_bool) == Some(false)
}

pub(crate) fn whole_minutes(earlier: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.as_micros().saturating_sub(earlier.as_micros()) / 60_000_000).unwrap_or(0)
}

fn stale(family: &Family, watched: &Watched<'_>, limits: HealthLimits, now: Timestamp) -> Vec<Value> {
    let mut found = Vec::new();
    for (kind, name) in EXPECTED {
        let Some(stage) = family.stage(kind) else { continue };
        let newest = watched.newest.iter().find(|record| members::text(record, "metadata_kind") == stage.metadata_kind);
        let age =
            newest.and_then(|record| moment(members::text(record, "created_at"))).map(|at| whole_minutes(at, now));
        match (newest, age) {
            (Some(record), Some(age)) if age > limits.stale_metadata_minutes => found.push(json!({
                "kind": name, "metadata_kind": stage.metadata_kind, "state": "stale", "age_minutes": age,
                "latest_id": members::text(record, "session_id"),
            })),
            (Some(_), Some(_)) => {}
            _ => found.push(json!({
                "kind": name, "metadata_kind": stage.metadata_kind, "state": "missing", "age_minutes": null,
            })),
        }
    }
    found
}

fn recommendation(category: &str) -> &'static str {
    match category {
        "missed_run" => "Start a pass, and see why the scheduler did not.",
        "failed_job" => "Read the log of the latest pass.",
        "connector_failure" => "Test the connector and try the digests again.",
        "stale_metadata" => "Run the steps whose documents are stale.",
        "disabled_schedule" => "Switch the schedule on again, or say why it is off.",
        _ => "Look at the latest pass.",
    }
}
