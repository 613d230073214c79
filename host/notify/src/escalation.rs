//! Escalation: which routes are late, and who is told when they are.

use std::collections::BTreeMap;

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::family::{Family, Stage};
use crate::slo::{ClockState, SloPolicy};
use crate::state::RouteState;
use crate::{Document, count, id_of, later, minutes_between};

/// The plan of an escalation over routes as they stand.
#[must_use]
pub fn escalation_plan(
    family: &Family,
    stage: &Stage,
    subject_member: &str,
    routes: &[RouteState],
    policy: &SloPolicy,
    generated_by: &str,
    now: Timestamp,
) -> Document {
    let considered = routes.iter().filter(|route| !policy.is_default || route.acknowledgement_required);
    let mut statuses: Vec<Object> =
        considered.map(|route| route_status(family, subject_member, route, policy, now)).collect();
    statuses.sort_by_key(|status| {
        let text = |name: &str| members::text(status, name).to_owned();
        (!is_active(status), text("owner"), text("provider"), text(subject_member))
    });
    let breached = |name: &str| statuses.iter().filter(|status| members::text(status, name) == "breached").count();
    let (acknowledgements, resolutions) = (breached("acknowledgement_slo_state"), breached("resolution_slo_state"));
    let active = statuses.iter().filter(|status| is_active(status)).count();
    let owners = owners(&statuses);
    let routes: Vec<_> = statuses.into_iter().map(Value::Object).collect();
    let id = id_of(stage.id_prefix, 16, &json!([now, generated_by, routes]));
    let content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "plan_id": id,
        "generated_at": now,
        "generated_by": generated_by,
        "alert_level": if active > 0 { "critical" } else { "healthy" },
        "route_count": routes.len(),
        "active_escalation_count": active,
        "acknowledgement_breach_count": acknowledgements,
        "resolution_breach_count": resolutions,
        "owner_count": owners.len(),
        "owners": owners,
        "route_statuses": routes,
        "controls": ["clocks-start-at-first-notice", "resolved-routes-never-escalate", "no-connector-secrets"],
    }));
    let counts = [count(routes.len()), count(active), count(acknowledgements)];
    Document { id, content, counts, warnings: Vec::new() }
}

/// The routes of an escalation plan that are escalated, in its order.
#[must_use]
pub fn active_routes(plan: &Object) -> Vec<&Object> {
    members::objects(plan, "route_statuses").into_iter().filter(|route| is_active(route)).collect()
}

fn is_active(status: &Object) -> bool {
    status.get("active_escalation").and_then(Value::as_bool) == Some(true)
}

fn route_status(
    family: &Family,
    subject_member: &str,
    route: &RouteState,
    policy: &SloPolicy,
    now: Timestamp,
) -> Object {
    let owner = [route.owner.as_str(), policy.owner.as_deref().unwrap_or_default(), family.fallback_owner];
    let owner = owner.into_iter().find(|owner| !owner.is_empty()).unwrap_or_default();
    let targets = policy.targets(owner, &route.provider, &route.alert_level);
    let acknowledgement =
        ClockState::of(route.is_acknowledged(), route.acknowledgement_since, targets.acknowledgement, now);
    let resolution = ClockState::of(route.is_resolved(), route.resolution_since, targets.resolution, now);
    let age = minutes_between(route.resolution_since, now);
    let rung = policy.ladder.rung(owner, &route.provider, &route.alert_level, age).filter(|_| !route.is_resolved());
    let late = [acknowledgement, resolution].contains(&ClockState::Breached);
    let active = !route.is_resolved() && (late || rung.is_some());
    let sentence = match (active, route.is_acknowledged()) {
        (true, false) => "Nobody has answered in time: call the owner.",
        (true, true) => "It was taken on and is not done in time: ask the owner.",
        (false, false) => "An answer is waited for.",
        (false, true) => "It is being worked on, or done.",
    };
    let mut status = members::built(json!({
        "route_key": family.route_key(&route.subject, &route.provider, owner),
        "plan_id": route.plan_id,
        "provider": route.provider,
        "owner": owner,
        "alert_level": route.alert_level,
        "age_minutes": age,
        "acknowledgement_state": route.answer,
        "acknowledgement_slo_state": acknowledgement.as_str(),
        "resolution_slo_state": resolution.as_str(),
        "acknowledgement_minutes": targets.acknowledgement,
        "resolution_minutes": targets.resolution,
        "acknowledgement_due_at": later(route.acknowledgement_since, targets.acknowledgement),
        "resolution_due_at": later(route.resolution_since, targets.resolution),
        "acknowledgement_id": route.answer_id,
        "escalation_level": rung.map(|rung| &rung.level),
        "escalation_after_minutes": rung.map(|rung| rung.after_minutes),
        "escalation_action": rung.and_then(|rung| rung.action.as_ref()),
        "escalation_providers": rung.map(|rung| rung.providers.clone()).unwrap_or_default(),
        "active_escalation": active,
        "recommended_action": rung.and_then(|rung| rung.action.as_deref()).unwrap_or(sentence),
    }));
    status.insert(subject_member.to_owned(), json!(route.subject));
    status
}

/// Owners with what they have open, most active first.
fn owners(statuses: &[Object]) -> Vec<Value> {
    #[derive(Default)]
    struct Owned {
        routes: usize,
        active: usize,
        acknowledgements: usize,
        resolutions: usize,
        providers: std::collections::BTreeSet<String>,
    }
    let mut owners: BTreeMap<&str, Owned> = BTreeMap::new();
    for status in statuses {
        let owned = owners.entry(members::text(status, "owner")).or_default();
        let breached = |name: &str| usize::from(members::text(status, name) == "breached");
        owned.routes += 1;
        owned.active += usize::from(is_active(status));
        owned.acknowledgements += breached("acknowledgement_slo_state");
        owned.resolutions += breached("resolution_slo_state");
        owned.providers.insert(members::text(status, "provider").to_owned());
    }
    let mut owners: Vec<_> = owners.into_iter().collect();
    owners.sort_by_key(|(name, owned)| (std::cmp::Reverse(owned.active), *name));
    let shown = |(name, owned): (&str, Owned)| {
        json!({
            "owner": name, "route_count": owned.routes, "active_escalation_count": owned.active,
            "acknowledgement_breach_count": owned.acknowledgements, "resolution_breach_count": owned.resolutions,
            "providers": owned.providers,
        })
    };
    owners.into_iter().map(shown).collect()
}
