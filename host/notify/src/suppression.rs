//! Suppression: why nobody was told. The ids of these documents say what they hold, not when they were made, so that looking
//! again changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use cavra_model::{Object, Timestamp, members};
use serde_json::json;

use crate::family::Stage;
use crate::policy::moment;
use crate::recurrence::is_away;
use crate::{Document, count, id_of, member};

/// Most events of a trend that are written out.
const LATEST: usize = 25;

/// The audit of a recurrence plan.
#[must_use]
pub fn suppression_audit(stage: &Stage, plan: &Object, generated_by: &str, now: Timestamp) -> Document {
    let decisions = members::objects(plan, "route_decisions");
    let of = |action: &str| -> Vec<&Object> {
        decisions.iter().filter(|decision| members::text(decision, "action") == action).copied().collect()
    };
    let (suppressed, waiting, deliverable) = (of("suppress"), of("wait"), of("deliver"));
    let because = |name: &str| suppressed.iter().filter(|decision| category(decision) == name).count();
    let in_window = suppressed.iter().filter(|decision| !member(decision, "maintenance_window").is_null()).count();
    let away = suppressed.iter().filter(|decision| is_away(decision)).count();
    let summary = json!({
        "route_count": decisions.len(),
        "deliverable_route_count": deliverable.len(),
        "suppressed_route_count": suppressed.len(),
        "waiting_route_count": waiting.len(),
        "maintenance_suppressed_count": in_window,
        "calendar_suppressed_count": away,
        "max_recurrence_suppressed_count": because("maximum_recurrence"),
        "interval_wait_count": waiting.iter().filter(|decision| category(decision) == "recurrence_interval_wait").count(),
    });
    let plan_id = members::text(plan, "recurrence_plan_id");
    let quiet = suppressed.is_empty() && waiting.is_empty();
    let id = id_of(stage.id_prefix, 16, &json!([plan_id, decisions]));
    let counts = [count(decisions.len()), count(suppressed.len()), count(waiting.len())];
    let content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "audit_id": id,
        "recurrence_plan_id": plan_id,
        "plan_id": member(plan, "plan_id"),
        "generated_at": now,
        "generated_by": generated_by,
        "alert_level": if quiet { "healthy" } else { "warning" },
        "summary": summary,
        "suppressed_routes": suppressed,
        "waiting_routes": waiting,
        "deliverable_routes": deliverable,
        "controls": ["sends-nothing", "no-connector-secrets"],
    }));
    Document { id, content, counts, warnings: Vec::new() }
}

/// How often nobody was told, over recurrence plans, and over audits whose plans are not known.
#[must_use]
pub fn suppression_trend<'a>(
    stage: &Stage,
    plans: impl IntoIterator<Item = &'a Object>,
    audits: impl IntoIterator<Item = &'a Object>,
    generated_by: &str,
    now: Timestamp,
) -> Document {
    let mut seen = BTreeSet::new();
    let mut events = Vec::new();
    for plan in plans {
        collect(plan, members::objects(plan, "route_decisions"), &mut seen, &mut events);
    }
    for audit in audits {
        let quiet = ["suppressed_routes", "waiting_routes"].iter().flat_map(|name| members::objects(audit, name));
        collect(audit, quiet.collect(), &mut seen, &mut events);
    }
    events.sort_by(|left, right| {
        let key =
            |event: &Object| (moment(members::text(event, "created_at")), members::text(event, "route_key").to_owned());
        key(right).cmp(&key(left))
    });
    let counts = |name: &str| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for event in &events {
            *counts.entry(members::text(event, name).to_owned()).or_default() += 1;
        }
        counts
    };
    let (categories, owners, providers) = (counts("category"), counts("owner"), counts("provider"));
    let total = events.len();
    let id = id_of(stage.id_prefix, 16, &json!([generated_by, events]));
    events.truncate(LATEST);
    let content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "trend_id": id,
        "generated_at": now,
        "generated_by": generated_by,
        "alert_level": if total > 0 { "warning" } else { "healthy" },
        "suppression_event_count": total,
        "category_counts": categories,
        "owner_counts": owners,
        "provider_counts": providers,
        "latest_events": events,
        "controls": ["each-decision-counts-once", "no-connector-secrets"],
    }));
    Document { id, content, counts: [count(total), count(total), 0], warnings: Vec::new() }
}

/// Adds the quiet decisions of a document, each route of a plan once.
fn collect(
    document: &Object,
    decisions: Vec<&Object>,
    seen: &mut BTreeSet<(String, String)>,
    events: &mut Vec<Object>,
) {
    let plan = members::text(document, "recurrence_plan_id");
    for decision in decisions {
        if members::text(decision, "action") == "deliver" {
            continue;
        }
        let key = members::text(decision, "route_key");
        if !seen.insert((plan.to_owned(), key.to_owned())) {
            continue;
        }
        let mut event = members::built(json!({
            "created_at": member(document, "generated_at"),
            "category": category(decision),
        }));
        for name in ["route_key", "plan_id", "report_id", "owner", "provider", "action", "reason"] {
            event.insert(name.to_owned(), member(decision, name));
        }
        events.push(event);
    }
}

/// Why a decision keeps a route quiet; older documents say it in a sentence only.
fn category(decision: &Object) -> String {
    if let Some(category) = members::filled(decision, "category") {
        return category.to_owned();
    }
    let reason = members::text(decision, "reason").to_lowercase();
    let holds = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    let found = if !member(decision, "maintenance_window").is_null() {
        "maintenance_window"
    } else if is_away(decision) {
        "owner_calendar"
    } else if holds(&["maximum recurrence"]) {
        "maximum_recurrence"
    } else if holds(&["maximum retry"]) {
        "maximum_retry"
    } else if holds(&["interval"]) {
        "recurrence_interval_wait"
    } else if holds(&["review", "resolved"]) {
        "owner_review"
    } else if members::text(decision, "action") == "wait" {
        "wait"
    } else {
        "other"
    };
    found.to_owned()
}
