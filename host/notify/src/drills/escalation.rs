//! Which notices about drills were not answered in time.

use std::collections::BTreeMap;

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use super::plan::{DrillPolicy, MINUTES};
use crate::family::Stage;
use crate::policy::PolicyError;
use crate::state::RouteState;
use crate::{Document, count, id_of, member, minutes_between};

/// How long answers may take.
#[derive(Clone, Debug)]
pub struct DrillSlo(DrillPolicy);

impl DrillSlo {
    /// The policy in a request.
    ///
    /// # Errors
    /// [`PolicyError`] for the first member that cannot be used.
    pub fn read(value: Option<&Value>) -> Result<Self, PolicyError> {
        DrillPolicy::read(value, "policy", &Object::new()).map(Self)
    }
}

/// The plan over the latest plan of each schedule, and how their routes stand.
#[must_use]
pub fn drill_escalation(
    stage: &Stage,
    plans: &[Object],
    states: &[RouteState],
    slo: &DrillSlo,
    generated_by: &str,
    now: Timestamp,
) -> Document {
    let states: BTreeMap<(&str, &str), &RouteState> =
        states.iter().map(|state| ((state.subject.as_str(), state.provider.as_str()), state)).collect();
    let mut routes = Vec::new();
    for plan in plans {
        for decision in members::objects(plan, "route_decisions") {
            if members::text(decision, "action") == "deliver" {
                let key = (members::text(plan, "schedule_id"), members::text(decision, "provider"));
                routes.push(route(plan, decision, states.get(&key).copied(), slo, now));
            }
        }
    }
    let of = |name: &str| routes.iter().filter(|route| route.get(name) == Some(&json!(true))).count();
    let breached = of("breached");
    let open = routes.len() - of("acknowledged");
    let level = match (breached, open) {
        (1.., _) => "critical",
        (0, 1..) => "warning",
        (0, 0) => "healthy",
    };
    let id = id_of(stage.id_prefix, 16, &json!([now, generated_by, routes]));
    let total = routes.len();
    let content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "plan_id": id,
        "generated_at": now,
        "generated_by": generated_by,
        "alert_level": level,
        "acknowledgement_minutes": slo.0.minutes.unwrap_or(MINUTES),
        "route_count": total,
        "outstanding_count": open,
        "breached_count": breached,
        "routes": routes,
    }));
    Document { id, content, counts: [count(total), count(breached), count(open)], warnings: Vec::new() }
}

fn route(plan: &Object, decision: &Object, state: Option<&RouteState>, slo: &DrillSlo, now: Timestamp) -> Object {
    let (provider, owner) = (members::text(decision, "provider"), members::text(decision, "owner"));
    let own = decision.get("acknowledgement_minutes").and_then(Value::as_u64).filter(|minutes| *minutes > 0);
    let rule = slo.0.rule(owner).minutes_for(provider);
    let minutes = rule.or(slo.0.minutes).or(own).unwrap_or(MINUTES);
    let acknowledged = state.is_some_and(RouteState::is_acknowledged);
    let age = state.map_or(0.0, |state| minutes_between(state.acknowledgement_since, now));
    let breached = !acknowledged && age >= minutes as f64;
    let said = state.map(|state| state.answer.as_str()).filter(|answer| *answer != "pending");
    let action = match (acknowledged, breached) {
        (true, _) => "no_action",
        (false, true) => "escalate_missed_drill_notification",
        (false, false) => "wait_for_acknowledgement",
    };
    members::built(json!({
        "schedule_id": member(plan, "schedule_id"),
        "plan_id": member(plan, "plan_id"),
        "provider": provider,
        "owner": owner,
        "acknowledgement_state": said.unwrap_or("outstanding"),
        "acknowledged": acknowledged,
        "age_minutes": age,
        "acknowledgement_minutes": minutes,
        "breached": breached,
        "recommended_action": action,
    }))
}
