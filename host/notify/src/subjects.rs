//! Subjects: what is routed of a report and of a worker's health, and which conditions rules may set for it.

use std::collections::BTreeMap;

use cavra_model::{Object, members};
use serde_json::{Value, json};

use crate::member;
use crate::routing::Subject;

/// Conditions on tags of reports: their name and its spellings.
pub const REPORT_TAGS: [(&str, &[&str]); 1] = [("channels", &["channels"])];
/// Conditions on numbers of reports.
pub const REPORT_METRICS: [&str; 2] = ["min_breached", "min_at_risk"];
/// Conditions on tags of a worker's health.
pub const HEALTH_TAGS: [(&str, &[&str]); 1] = [("categories", &["categories", "alert_categories"])];
/// Conditions on numbers of a worker's health.
pub const HEALTH_METRICS: [&str; 4] =
    ["min_missed_runs", "min_failed_jobs", "min_stale_metadata", "min_connector_failures"];

/// A report as something that people are told about.
#[must_use]
pub fn report_subject(report: &Object) -> Subject {
    let summary = members::object(report, "executive_summary").cloned().unwrap_or_default();
    let number = |name: &str| summary.get(name).and_then(Value::as_u64).unwrap_or(0);
    let channels = members::texts(&summary, "release_channels").into_iter().map(ToOwned::to_owned).collect();
    let names = ["tracked_work_item_count", "completed_count", "at_risk_count", "breached_count", "release_channels"];
    let shown: Object = names.iter().map(|name| ((*name).to_owned(), member(&summary, name))).collect();
    Subject {
        id: members::text(report, "report_id").to_owned(),
        id_member: "report_id",
        alert_level: members::text(report, "alert_level").to_owned(),
        tags: BTreeMap::from([("channels", channels)]),
        untagged_matches: true,
        metrics: BTreeMap::from([("min_breached", number("breached_count")), ("min_at_risk", number("at_risk_count"))]),
        shown: members::built(json!({ "summary": shown })),
        silent_when_healthy: false,
    }
}

/// A worker's health as something that people are told about.
#[must_use]
pub fn health_subject(health: &Object) -> Subject {
    let number = |name: &str| health.get(name).and_then(Value::as_u64).unwrap_or(0);
    let alerts = members::objects(health, "alerts");
    let categories = alerts.iter().map(|alert| members::text(alert, "category").to_owned()).collect();
    let names = [
        "run_count",
        "missed_run_count",
        "failed_job_count",
        "stale_metadata_count",
        "connector_delivery_failure_count",
        "critical_block_count",
        "plugin_failure_count",
        "unsigned_log_count",
        "late_approval_count",
    ];
    let stated = names.iter().filter(|name| health.contains_key(**name));
    let mut summary: Object = stated.map(|name| ((*name).to_owned(), member(health, name))).collect();
    summary.insert("alert_count".to_owned(), json!(alerts.len()));
    Subject {
        id: members::text(health, "health_id").to_owned(),
        id_member: "health_id",
        alert_level: members::text(health, "alert_level").to_owned(),
        tags: BTreeMap::from([("categories", categories)]),
        untagged_matches: false,
        metrics: BTreeMap::from([
            ("min_missed_runs", number("missed_run_count")),
            ("min_failed_jobs", number("failed_job_count")),
            ("min_stale_metadata", number("stale_metadata_count")),
            ("min_connector_failures", number("connector_delivery_failure_count")),
        ]),
        shown: members::built(json!({
            "summary": summary, "source_health_generated_at": member(health, "generated_at"),
        })),
        silent_when_healthy: true,
    }
}
