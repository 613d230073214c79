//! Events: what a document says, as connectors take it. No event names a connector's address or a secret.

use std::collections::BTreeSet;

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::family::{Family, Watches};
use crate::{count, member};

/// Who has an event made, and when.
#[derive(Clone, Copy, Debug)]
pub struct Making<'a> {
    /// Whose event it is.
    pub family: &'a Family,
    /// Who asks.
    pub generated_by: &'a str,
    /// The present moment.
    pub now: Timestamp,
}

/// What is common to all events.
struct Head<'a> {
    event_type: &'static str,
    id: &'a str,
    title: String,
    level: &'a str,
    severity: &'a str,
    counts: [u64; 3],
    summary: Value,
}

impl Making<'_> {
    fn event(self, head: &Head<'_>, own: Value) -> Object {
        let [decisions, blocked, approvals] = head.counts;
        let mut event = members::built(json!({
            "schema_version": format!("{}.v1", head.event_type),
            "product": "CAVRA",
            "event_type": head.event_type,
            "session_id": head.id,
            "title": head.title,
            "timestamp": self.now,
            "generated_at": self.now,
            "generated_by": self.generated_by,
            "alert_level": head.level,
            "max_severity": head.severity,
            "decision_count": decisions,
            "blocked_count": blocked,
            "approval_required_count": approvals,
            "summary": head.summary,
            "controls": ["facts-from-stored-records", "no-connector-secrets"],
        }));
        event.extend(members::built(own));
        event
    }
}

/// The event about a report: its first escalations.
#[must_use]
pub fn report_event(making: Making<'_>, report: &Object, most: usize) -> Object {
    let summary = members::object(report, "executive_summary").cloned().unwrap_or_default();
    let number = |name: &str| summary.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (breached, at_risk) = (number("breached_count"), number("at_risk_count"));
    let escalations = members::list(report, "escalations");
    let shown: Vec<_> = escalations.iter().take(most).collect();
    let names = [
        "tracked_work_item_count",
        "completed_count",
        "at_risk_count",
        "breached_count",
        "critical_provider_count",
        "release_channels",
    ];
    let id = members::text(report, "report_id");
    let head = Head {
        event_type: making.family.event_types.notification,
        id,
        title: format!("CAVRA {}: {breached} late, {at_risk} at risk", making.family.title),
        level: members::text(report, "alert_level"),
        severity: match (breached, at_risk) {
            (1.., _) => "critical",
            (0, 1..) => "warning",
            (0, 0) => "low",
        },
        counts: [number("tracked_work_item_count"), breached, at_risk],
        summary: chosen(&summary, &names),
    };
    let own = json!({
        "report_id": id,
        "source_report_generated_at": member(report, "generated_at"),
        "completion_rate": member(&summary, "completion_rate"),
        "escalations": shown,
        "omitted_escalation_count": escalations.len() - shown.len(),
        "evidence_refs": member(report, "evidence_refs"),
    });
    making.event(&head, own)
}

/// The event about the escalated routes of a plan that are still open: the first of them.
#[must_use]
pub fn escalation_event(making: Making<'_>, plan: &Object, open: &[&Object], most: usize) -> Object {
    let sent: Vec<&Object> = open.iter().take(most).copied().collect();
    let breaches = |name: &str| sent.iter().filter(|route| members::text(route, name) == "breached").count();
    let late = breaches("acknowledgement_slo_state") + breaches("resolution_slo_state");
    let mut summary = members::built(chosen(
        plan,
        &["route_count", "active_escalation_count", "acknowledgement_breach_count", "resolution_breach_count"],
    ));
    let omitted = open.len() - sent.len();
    summary.extend(spread(&sent, omitted));
    let id = members::text(plan, "plan_id");
    let total = plan.get("route_count").and_then(Value::as_u64).unwrap_or(0);
    let head = Head {
        event_type: making.family.event_types.escalation,
        id,
        title: format!("CAVRA {}: {} escalated", making.family.title, routes_in_words(sent.len())),
        level: if sent.is_empty() { "healthy" } else { "critical" },
        severity: if sent.is_empty() { "low" } else { "critical" },
        counts: [total, count(sent.len()), count(late)],
        summary: Value::Object(summary),
    };
    let own = json!({
        "plan_id": id,
        "source_plan_generated_at": member(plan, "generated_at"),
        "routes": sent,
        "omitted_route_count": omitted,
    });
    making.event(&head, own)
}

/// The event about the routes that a recurrence plan tells again: the first of them.
#[must_use]
pub fn recurrence_event(making: Making<'_>, plan: &Object, due: &[&Object], most: usize) -> Object {
    let sent: Vec<&Object> = due.iter().take(most).copied().collect();
    let mut summary =
        members::built(chosen(plan, &["deliverable_route_count", "suppressed_route_count", "waiting_route_count"]));
    let omitted = due.len() - sent.len();
    summary.extend(spread(&sent, omitted));
    let id = members::text(plan, "recurrence_plan_id");
    let (routes, total) = (count(sent.len()), plan.get("route_count").and_then(Value::as_u64).unwrap_or(0));
    let head = Head {
        event_type: making.family.event_types.recurrence,
        id,
        title: format!("CAVRA {}: {} told again", making.family.title, routes_in_words(sent.len())),
        level: if sent.is_empty() { "healthy" } else { "critical" },
        severity: if sent.is_empty() { "low" } else { "critical" },
        counts: [total, routes, routes],
        summary: Value::Object(summary),
    };
    let own = json!({
        "recurrence_plan_id": id,
        "plan_id": member(plan, "plan_id"),
        "source_plan_generated_at": member(plan, "generated_at"),
        "routes": sent,
        "omitted_route_count": omitted,
    });
    making.event(&head, own)
}

/// The event about a worker's health: its first alerts.
#[must_use]
pub fn health_event(making: Making<'_>, health: &Object, summary: &Object, most: usize) -> Object {
    let alerts = members::list(health, "alerts");
    let shown: Vec<_> = alerts.iter().take(most).collect();
    let number = |name: &str| health.get(name).and_then(Value::as_u64).unwrap_or(0);
    let omitted = alerts.len() - shown.len();
    let mut summary = summary.clone();
    summary.insert("omitted_alert_count".to_owned(), json!(omitted));
    let id = members::text(health, "health_id");
    let level = members::text(health, "alert_level");
    let broken = ["missed_run_count", "failed_job_count", "connector_delivery_failure_count"].map(number);
    let blocked = ["critical_block_count", "plugin_failure_count"].map(number);
    let said = match making.family.watches {
        Watches::Worker => "the worker needs attention".to_owned(),
        Watches::Events => {
            let messages = alerts.iter().filter_map(|alert| alert.get("message").and_then(Value::as_str));
            messages.collect::<Vec<_>>().join(", ")
        }
    };
    let head = Head {
        event_type: making.family.event_types.health_alert,
        id,
        title: format!("CAVRA {}: {said} ({level})", making.family.title),
        level,
        severity: if level == "healthy" { "low" } else { level },
        counts: [
            number("run_count") + blocked.iter().sum::<u64>(),
            broken.iter().chain(&blocked).sum(),
            count(shown.len()),
        ],
        summary: Value::Object(summary),
    };
    let own = json!({
        "health_id": id,
        "source_health_generated_at": member(health, "generated_at"),
        "alerts": shown,
        "omitted_alert_count": omitted,
        "recommendations": member(health, "recommendations"),
    });
    making.event(&head, own)
}

fn chosen(document: &Object, names: &[&str]) -> Value {
    Value::Object(names.iter().map(|name| ((*name).to_owned(), member(document, name))).collect())
}

/// Over how many owners and connectors routes are spread.
fn spread(routes: &[&Object], omitted: usize) -> Object {
    let distinct = |name: &str| routes.iter().map(|route| members::text(route, name)).collect::<BTreeSet<_>>().len();
    members::built(json!({
        "selected_route_count": routes.len(),
        "owner_count": distinct("owner"),
        "provider_count": distinct("provider"),
        "omitted_route_count": omitted,
    }))
}

fn routes_in_words(number: usize) -> String {
    if number == 1 { "1 route".to_owned() } else { format!("{number} routes") }
}
