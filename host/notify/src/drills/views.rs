//! Routes of stored plans as rows, and how often they were suppressed.

use std::collections::BTreeMap;

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::family::Stage;
use crate::policy::moment;
use crate::{Document, count, id_of, member};

/// Most events of a trend that are written out.
const LATEST: usize = 20;

/// A route of a stored plan.
#[derive(Clone, Debug)]
pub struct RouteRow {
    /// When its plan was made.
    pub at: Timestamp,
    /// Its id.
    pub id: String,
    /// The row.
    pub row: Object,
}

/// The routes of a plan, and the time of its record.
#[must_use]
pub fn route_rows(plan: &Object, created_at: &str) -> Vec<RouteRow> {
    let at = moment(created_at).unwrap_or(Timestamp::from_micros(i64::MIN));
    let row = |decision: &Object| {
        let plan_id = members::text(plan, "plan_id");
        let id = id_of("gordroute-", 16, &json!([plan_id, member(decision, "route_key")]));
        let inside = |object: &str, name: &str| {
            members::object(decision, object).and_then(|object| object.get(name)).cloned().unwrap_or(Value::Null)
        };
        let row = members::built(json!({
            "route_id": id,
            "created_at": created_at,
            "plan_id": plan_id,
            "schedule_id": member(plan, "schedule_id"),
            "alert_level": member(plan, "alert_level"),
            "provider": member(decision, "provider"),
            "owner": member(decision, "owner"),
            "escalation_owner": member(decision, "escalation_owner"),
            "action": member(decision, "action"),
            "category": category(decision),
            "reason": member(decision, "reason"),
            "acknowledgement_minutes": member(decision, "acknowledgement_minutes"),
            "maintenance_window_id": inside("maintenance_window", "window_id"),
            "maintenance_window_reason": inside("maintenance_window", "reason"),
            "owner_available": inside("owner_availability", "available"),
            "owner_availability_reason": inside("owner_availability", "reason"),
            "next_due_at": member(plan, "next_due_at"),
        }));
        RouteRow { at, id, row }
    };
    members::objects(plan, "route_decisions").into_iter().map(row).collect()
}

/// Why; older plans do not say it in a word.
fn category(decision: &Object) -> String {
    if let Some(category) = members::filled(decision, "category") {
        return category.to_owned();
    }
    let reason = members::text(decision, "reason").to_lowercase();
    let found = if members::text(decision, "action") == "deliver" {
        "deliver"
    } else if !member(decision, "maintenance_window").is_null() {
        "maintenance_window"
    } else if crate::recurrence::is_away(decision) {
        "owner_calendar"
    } else if reason.contains("healthy") || reason.contains("not due") {
        "healthy_schedule"
    } else {
        "other"
    };
    found.to_owned()
}

/// How often routes were suppressed.
#[derive(Debug, Default)]
pub struct DrillTrend {
    counts: [BTreeMap<String, usize>; 4],
    total: usize,
    latest: Vec<RouteRow>,
}

impl DrillTrend {
    /// Takes a route, if it was suppressed.
    pub fn add(&mut self, row: RouteRow) {
        if members::text(&row.row, "action") != "suppress" {
            return;
        }
        self.total += 1;
        for (counts, name) in self.counts.iter_mut().zip(["category", "owner", "provider", "schedule_id"]) {
            *counts.entry(members::text(&row.row, name).to_owned()).or_default() += 1;
        }
        self.latest.push(row);
        if self.latest.len() > LATEST * 4 {
            self.keep_latest();
        }
    }

    fn keep_latest(&mut self) {
        self.latest.sort_by(|left, right| right.at.cmp(&left.at).then_with(|| left.id.cmp(&right.id)));
        self.latest.truncate(LATEST);
    }

    /// The trend.
    #[must_use]
    pub fn trend(mut self, stage: &Stage, filters: &Value, generated_by: &str, now: Timestamp) -> Document {
        self.keep_latest();
        let total = self.total;
        let [categories, owners, providers, schedules] = self.counts;
        let id = id_of(stage.id_prefix, 16, &json!([filters, categories, owners, providers, schedules, generated_by]));
        let of = |name: &str| categories.get(name).copied().unwrap_or(0);
        let latest: Vec<_> = self.latest.into_iter().map(|row| row.row).collect();
        let content = members::built(json!({
            "schema_version": stage.schema,
            "product": "CAVRA",
            "trend_id": id,
            "generated_at": now,
            "generated_by": generated_by,
            "alert_level": if total > 0 { "warning" } else { "healthy" },
            "suppression_event_count": total,
            "maintenance_suppressed_count": of("maintenance_window"),
            "calendar_suppressed_count": of("owner_calendar"),
            "healthy_schedule_suppressed_count": of("healthy_schedule"),
            "category_counts": categories,
            "owner_counts": owners,
            "provider_counts": providers,
            "schedule_counts": schedules,
            "filters": filters,
            "latest_events": latest,
        }));
        Document { id, content, counts: [count(total), count(total), 0], warnings: Vec::new() }
    }
}
