//! The audit of notices and answers: a package of routes with what was answered, and its delivery to other systems.

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use super::views::RouteRow;
use crate::events::Making;
use crate::facts::{Answer, Facts};
use crate::family::Stage;
use crate::{Document, count, id_of, member};

/// What a package is about; nothing is everything.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    /// The schedule.
    pub schedule_id: Option<String>,
    /// The connector.
    pub provider: Option<String>,
    /// Part of the name of an owner, or of whom an owner escalates to.
    pub owner: Option<String>,
}

impl Filters {
    /// Whether a route is asked for.
    #[must_use]
    pub fn fit(&self, route: &Object) -> bool {
        let is = |wanted: &Option<String>, name: &str| {
            wanted.as_ref().is_none_or(|wanted| members::text(route, name) == wanted)
        };
        let named = |part: &String| {
            let part = part.to_lowercase();
            ["owner", "escalation_owner"].iter().any(|name| members::text(route, name).to_lowercase().contains(&part))
        };
        is(&self.schedule_id, "schedule_id") && is(&self.provider, "provider") && self.owner.as_ref().is_none_or(named)
    }

    /// As documents show them.
    #[must_use]
    pub fn document(&self) -> Value {
        json!({ "schedule_id": self.schedule_id, "provider": self.provider, "owner": self.owner })
    }
}

/// A route of a package.
#[derive(Clone, Debug)]
pub struct AuditRoute(Object);

/// The routes that people were told about, with the latest answer to each. An answer before the notice is about an earlier
/// one.
#[must_use]
pub fn audit_routes(rows: &[RouteRow], facts: &Facts) -> Vec<AuditRoute> {
    let told = rows.iter().filter(|row| members::text(&row.row, "action") == "deliver");
    told.map(|row| entry(row, facts)).collect()
}

fn entry(row: &RouteRow, facts: &Facts) -> AuditRoute {
    let text = |name: &str| members::text(&row.row, name);
    let answers = |answer: &&Answer| {
        answer.subject == text("schedule_id") && answer.provider == text("provider") && answer.at >= row.at
    };
    let answer = facts.answers.iter().rev().find(answers);
    let state = answer.map_or("outstanding", |answer| answer.state.as_str());
    let acknowledged = ["acknowledged", "resolved"].contains(&state);
    let said = |name: &str| answer.map_or(json!(""), |answer| json!(answer.said(name)));
    AuditRoute(members::built(json!({
        "route_id": row.id,
        "schedule_id": member(&row.row, "schedule_id"),
        "plan_id": member(&row.row, "plan_id"),
        "provider": member(&row.row, "provider"),
        "owner": member(&row.row, "owner"),
        "escalation_owner": member(&row.row, "escalation_owner"),
        "route_action": "deliver",
        "route_created_at": member(&row.row, "created_at"),
        "acknowledgement_state": state,
        "acknowledged": acknowledged,
        "acknowledged_by": said("acknowledged_by"),
        "acknowledged_at": answer.map(|answer| answer.at),
        "external_ref": said("external_ref"),
        "notes": said("notes"),
        "acknowledgement_id": answer.map(|answer| &answer.id),
    })))
}

/// The package.
#[must_use]
pub fn audit_package(
    stage: &Stage,
    routes: &[AuditRoute],
    filters: &Filters,
    generated_by: &str,
    now: Timestamp,
) -> Document {
    let in_state =
        |state: &str| routes.iter().filter(|route| members::text(&route.0, "acknowledgement_state") == state).count();
    let answered = routes.iter().filter(|route| !member(&route.0, "acknowledgement_id").is_null()).count();
    let open = routes.iter().filter(|route| route.0.get("acknowledged") != Some(&json!(true))).count();
    let escalated = in_state("escalated");
    let shown: Vec<&Object> = routes.iter().map(|route| &route.0).collect();
    let id = id_of(stage.id_prefix, 16, &json!([filters.document(), shown, generated_by]));
    let content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "audit_id": id,
        "generated_at": now,
        "generated_by": generated_by,
        "filters": filters.document(),
        "route_count": routes.len(),
        "acknowledgement_count": answered,
        "acknowledged_count": in_state("acknowledged"),
        "resolved_count": in_state("resolved"),
        "escalated_count": escalated,
        "dismissed_count": in_state("dismissed"),
        "outstanding_count": open,
        "alert_level": if open > 0 || escalated > 0 { "critical" } else { "healthy" },
        "routes": shown,
        "controls": ["latest-answer-counts", "no-connector-secrets"],
    }));
    let counts = [count(routes.len()), count(open + escalated), count(open)];
    Document { id, content, counts, warnings: Vec::new() }
}

/// How a package is delivered.
#[derive(Clone, Copy, Debug)]
pub struct Delivering<'a> {
    /// The word for the connectors that are asked for.
    pub requested: &'a str,
    /// The connectors that it goes to.
    pub targets: &'a [String],
    /// How often: `on_demand`, `retry`.
    pub cadence: &'a str,
    /// What asked for it.
    pub schedule_ref: &'a str,
    /// When it goes out next.
    pub next_delivery_at: Option<&'a str>,
}

/// The plan of a package's delivery.
#[must_use]
pub fn delivery_plan(
    stage: &Stage,
    package: &Object,
    delivering: Delivering<'_>,
    generated_by: &str,
    now: Timestamp,
) -> Document {
    let audit = members::text(package, "audit_id");
    let Delivering { requested, targets, cadence, schedule_ref, next_delivery_at } = delivering;
    let material = json!([audit, targets, generated_by, cadence, schedule_ref, next_delivery_at]);
    let id = id_of(stage.id_prefix, 16, &material);
    let asked: Vec<&str> = requested.split(',').filter(|name| *name != "all").collect();
    let content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "delivery_id": id,
        "audit_id": audit,
        "generated_at": now,
        "generated_by": generated_by,
        "cadence": cadence,
        "schedule_ref": schedule_ref,
        "next_delivery_at": next_delivery_at.unwrap_or_default(),
        "requested_provider": requested,
        "requested_providers": asked,
        "selected_providers": targets,
        "destination_count": targets.len(),
        "route_count": member(package, "route_count"),
        "outstanding_count": member(package, "outstanding_count"),
        "escalated_count": member(package, "escalated_count"),
        "alert_level": member(package, "alert_level"),
        "filters": member(package, "filters"),
        "controls": ["routes-without-notes", "no-connector-secrets"],
    }));
    Document { id, content, counts: [count(targets.len()), 0, 0], warnings: Vec::new() }
}

/// The event of a delivery: the package without what people noted.
#[must_use]
pub fn audit_event(making: Making<'_>, schema: &str, package: &Object, plan: &Object) -> Object {
    let number = |name: &str| package.get(name).and_then(Value::as_u64).unwrap_or(0);
    let blocked = number("outstanding_count") + number("escalated_count");
    let routes: Vec<Object> = members::objects(package, "routes")
        .into_iter()
        .map(|route| {
            let mut route = route.clone();
            route.remove("notes");
            route
        })
        .collect();
    let mut summary = Object::new();
    for name in [
        "audit_id",
        "route_count",
        "acknowledgement_count",
        "acknowledged_count",
        "resolved_count",
        "escalated_count",
        "dismissed_count",
        "outstanding_count",
        "filters",
    ] {
        summary.insert(name.to_owned(), member(package, name));
    }
    for name in ["delivery_id", "cadence", "schedule_ref", "next_delivery_at"] {
        summary.insert(name.to_owned(), member(plan, name));
    }
    members::built(json!({
        "schema_version": schema,
        "product": "CAVRA",
        "event_type": making.family.event_types.recurrence,
        "session_id": member(plan, "delivery_id"),
        "title": format!("CAVRA {}: {} answers outstanding", making.family.title, number("outstanding_count")),
        "timestamp": making.now,
        "generated_at": making.now,
        "generated_by": making.generated_by,
        "alert_level": member(package, "alert_level"),
        "max_severity": if blocked > 0 { "high" } else { "low" },
        "decision_count": number("route_count"),
        "blocked_count": blocked,
        "approval_required_count": number("outstanding_count"),
        "audit_package_summary": summary,
        "delivery_plan": plan,
        "routes": routes,
        "controls": ["routes-without-notes", "no-connector-secrets"],
    }))
}
