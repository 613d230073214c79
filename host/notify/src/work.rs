//! Work items: what was handed to somebody and is not done yet, measured against how long it may take.

use std::collections::{BTreeMap, BTreeSet};

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::family::{Family, Stage};
use crate::policy::moment;
use crate::{Document, count, id_of, member};

/// From how many hours on work is at risk, and late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkLimits {
    /// At risk.
    pub warning_hours: u64,
    /// Late.
    pub critical_hours: u64,
}

/// States in which there is nothing left to do.
const TERMINAL: [&str; 2] = ["completed", "cancelled"];
/// States in which somebody is stuck, however young the work is.
const STUCK: [&str; 2] = ["failed", "blocked"];

struct Item {
    severity: &'static str,
    age: f64,
    document: Object,
}

/// The report over hand-offs and what became of them, both as records.
#[must_use]
pub fn work_report(
    family: &Family,
    stage: &Stage,
    handoffs: &[Object],
    statuses: &[Object],
    limits: WorkLimits,
    generated_by: &str,
    now: Timestamp,
) -> Document {
    let mut warnings = Vec::new();
    let latest = latest_statuses(statuses);
    let mut items: Vec<Item> =
        handoffs.iter().flat_map(|handoff| items_of(handoff, &latest, limits, now, &mut warnings)).collect();
    if handoffs.is_empty() {
        warnings.push("there is no hand-off: nothing is tracked".to_owned());
    }
    let rank = |severity: &str| ["critical", "warning", "healthy"].iter().position(|known| *known == severity);
    items.sort_by(|left, right| {
        let key = |item: &Item| {
            let text = |name: &str| members::text(&item.document, name).to_owned();
            (text("handoff_id"), text("provider"))
        };
        (rank(left.severity), right.age, key(left))
            .partial_cmp(&(rank(right.severity), left.age, key(right)))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let of = |severity: &str| items.iter().filter(|item| item.severity == severity).count();
    let (breached, at_risk, tracked) = (of("critical"), of("warning"), items.len());
    let completed = items.iter().filter(|item| members::text(&item.document, "status") == "completed").count();
    let providers: BTreeSet<_> = items
        .iter()
        .filter(|item| item.severity == "critical")
        .map(|item| members::text(&item.document, "provider").to_owned())
        .collect();
    let channels: BTreeSet<_> = handoffs.iter().filter_map(|handoff| members::filled(handoff, "channel")).collect();
    let level = match (breached, at_risk) {
        (1.., _) => "critical",
        (0, 1..) => "warning",
        (0, 0) => "healthy",
    };
    let escalations: Vec<Value> =
        items.iter().filter(|item| item.severity != "healthy").map(|item| escalation(&item.document)).collect();
    let documents: Vec<_> = items.iter().map(|item| Value::Object(item.document.clone())).collect();
    let references = references(family, handoffs, &latest);
    let summary = json!({
        "tracked_work_item_count": tracked,
        "completed_count": completed,
        "at_risk_count": at_risk,
        "breached_count": breached,
        "completion_rate": rate(completed, tracked),
        "critical_provider_count": providers.len(),
        "release_channels": channels,
    });
    let id = id_of(stage.id_prefix, 12, &json!([now, generated_by, documents, limits.warning_hours]));
    let content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "report_id": id,
        "generated_at": now,
        "generated_by": generated_by,
        "warning_hours": limits.warning_hours,
        "critical_hours": limits.critical_hours,
        "alert_level": level,
        "executive_summary": summary,
        "work_items": documents,
        "escalation_count": escalations.len(),
        "escalations": escalations,
        "escalation_payloads": payloads(&id, breached, at_risk),
        "controls": ["age-measured-from-hand-off", "latest-status-counts", "no-connector-secrets"],
        "evidence_refs": references,
    }));
    Document { id, content, counts: [count(tracked), count(breached), count(at_risk)], warnings }
}

/// The newest status record of each hand-off and connector.
fn latest_statuses(statuses: &[Object]) -> BTreeMap<(&str, &str), (Timestamp, &Object)> {
    let mut latest: BTreeMap<(&str, &str), (Timestamp, &Object)> = BTreeMap::new();
    for status in statuses {
        let Some(at) = members::filled(status, "created_at").and_then(moment) else { continue };
        let key = (members::text(status, "handoff_id"), members::text(status, "provider"));
        let newer = |(stored, other): &(Timestamp, &Object)| {
            (*stored, members::text(other, "status_id")) < (at, members::text(status, "status_id"))
        };
        if latest.get(&key).is_none_or(newer) {
            latest.insert(key, (at, status));
        }
    }
    latest
}

fn items_of(
    handoff: &Object,
    latest: &BTreeMap<(&str, &str), (Timestamp, &Object)>,
    limits: WorkLimits,
    now: Timestamp,
    warnings: &mut Vec<String>,
) -> Vec<Item> {
    let id = members::text(handoff, "handoff_id");
    let created = members::filled(handoff, "created_at").and_then(moment);
    if created.is_none() {
        warnings.push(format!("hand-off {id} has no usable created_at; its age counts as none"));
    }
    let providers: BTreeSet<_> = members::texts(handoff, "providers").into_iter().collect();
    providers
        .into_iter()
        .map(|provider| item(handoff, provider, created, latest.get(&(id, provider)), limits, now))
        .collect()
}

fn item(
    handoff: &Object,
    provider: &str,
    created: Option<Timestamp>,
    latest: Option<&(Timestamp, &Object)>,
    limits: WorkLimits,
    now: Timestamp,
) -> Item {
    let status = latest.map_or("not_started", |(_, record)| members::text(record, "handoff_status"));
    let terminal = TERMINAL.contains(&status);
    let until = latest.filter(|_| terminal).map_or(now, |(at, _)| *at);
    let age = created.map_or(0.0, |created| hours(created, until));
    let (severity, state) = if STUCK.contains(&status) || (!terminal && age >= limits.critical_hours as f64) {
        ("critical", "breached")
    } else if !terminal && age >= limits.warning_hours as f64 {
        ("warning", "at_risk")
    } else {
        ("healthy", "met")
    };
    let overdue = match severity {
        "critical" => (age - limits.critical_hours as f64).max(0.0),
        "warning" => (age - limits.warning_hours as f64).max(0.0),
        _ => 0.0,
    };
    let of_status = |name: &str| latest.map_or(Value::Null, |(_, record)| member(record, name));
    let mut document = members::built(json!({
        "provider": provider,
        "status": status,
        "severity": severity,
        "sla_state": state,
        "age_hours": age,
        "overdue_hours": (overdue * 100.0).round() / 100.0,
        "warning_hours": limits.warning_hours,
        "critical_hours": limits.critical_hours,
        "latest_status_at": latest.map(|(at, _)| at),
        "external_ref": of_status("external_ref"),
        "external_url": of_status("external_url"),
        "recommended_action": recommended(status, severity),
    }));
    for name in [
        "handoff_id",
        "request_id",
        "reconciliation_id",
        "created_at",
        "approval_id",
        "approval_state",
        "action_count",
        "release",
        "channel",
    ] {
        document.insert(name.to_owned(), member(handoff, name));
    }
    Item { severity, age, document }
}

fn recommended(status: &str, severity: &str) -> &'static str {
    match (status, severity) {
        ("failed", _) => "Find out why it failed and hand it off again.",
        ("blocked", _) => "Remove what blocks it, or choose another way.",
        ("completed" | "cancelled", _) => "Nothing is left to do.",
        ("not_started", "critical") => "Nobody has started: call the owner.",
        (_, "critical") => "It is late: call the owner.",
        (_, "warning") => "It is getting late: ask the owner.",
        _ => "It is on its way.",
    }
}

fn escalation(item: &Object) -> Value {
    let names = [
        "severity",
        "handoff_id",
        "request_id",
        "provider",
        "status",
        "age_hours",
        "overdue_hours",
        "external_ref",
        "external_url",
        "recommended_action",
    ];
    Value::Object(names.iter().map(|name| ((*name).to_owned(), member(item, name))).collect())
}

/// Bodies for people who forward the report by hand.
fn payloads(id: &str, breached: usize, at_risk: usize) -> Value {
    let message = format!("{breached} work items are late, {at_risk} are at risk");
    let title = format!("CAVRA work report {id}");
    json!({
        "executive_summary":
            { "report_id": id, "critical_count": breached, "warning_count": at_risk, "message": message },
        "slack": { "text": format!("{title}: {message}") },
        "teams": { "title": title, "text": message },
        "jira": { "summary": title, "description": message, "labels": ["cavra"] },
    })
}

fn references(
    family: &Family,
    handoffs: &[Object],
    latest: &BTreeMap<(&str, &str), (Timestamp, &Object)>,
) -> Vec<String> {
    let handoffs = handoffs.iter().filter_map(|handoff| members::filled(handoff, "handoff_id"));
    let statuses = latest.values().filter_map(|(_, status)| members::filled(status, "status_id"));
    let [work, status] = family.work_references;
    handoffs.map(|id| format!("{work}://{id}")).chain(statuses.map(|id| format!("{status}://{id}"))).collect()
}

fn hours(from: Timestamp, until: Timestamp) -> f64 {
    let micros = until.as_micros().saturating_sub(from.as_micros()).max(0);
    (micros as f64 / 36_000_000.0).round() / 100.0
}

/// A share with four decimals; none of nothing.
fn rate(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0 }
}
