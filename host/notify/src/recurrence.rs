//! Recurrence: which escalated routes are told again, and why the others are not.

use cavra_model::{Object, members};
use serde_json::{Value, json};

use crate::acknowledgement::closes;
use crate::calendar::{Calendars, Traits, Windows};
use crate::escalation::active_routes;
use crate::facts::{Facts, Review, subject, subject_of};
use crate::family::Family;
use crate::gate::{Action, Gates, gate};
use crate::known::Known;
use crate::policy::{PolicyError, Section};
use crate::state::RouteState;
use crate::{Document, Planning, count, id_of, member};

/// How often routes are told again.
#[derive(Clone, Debug, PartialEq)]
pub struct RecurrencePolicy {
    /// Minutes between two times.
    pub interval_minutes: u64,
    /// How often at most.
    pub maximum: u64,
    /// When nobody is told.
    pub windows: Windows,
    /// When owners are there.
    pub calendars: Calendars,
}

impl RecurrencePolicy {
    /// The policy in a request.
    ///
    /// # Errors
    /// [`PolicyError`] for the first member that cannot be used.
    pub fn read(value: Option<&Value>) -> Result<Self, PolicyError> {
        let policy = Section::of(value, "recurrence_policy")?;
        let interval = policy.number(&["recurrence_interval_minutes", "default_recurrence_minutes"], 1)?;
        let maximum = policy.number(&["max_recurrences_per_route", "max_recurrences"], 1)?;
        Ok(Self {
            interval_minutes: interval.unwrap_or(60),
            maximum: maximum.unwrap_or(3),
            windows: Windows::read(&policy, &["maintenance_windows", "suppression_windows"])?,
            calendars: Calendars::read(&policy, &["owner_calendars", "calendars"])?,
        })
    }
}

/// The plan for the escalated routes of an escalation plan; without one there are no routes.
#[must_use]
pub fn recurrence_plan(
    planning: Planning<'_>,
    escalation: Option<&Object>,
    states: &[RouteState],
    policy: &RecurrencePolicy,
) -> Document {
    let Planning { stage, generated_by, now, .. } = planning;
    let nothing = Object::new();
    let escalation_id = escalation.map(|plan| members::text(plan, "plan_id"));
    let routes = active_routes(escalation.unwrap_or(&nothing));
    let known = Known::of(planning.family, planning.facts, states);
    let decide = |route: &&Object| decision(planning, route, escalation_id, &known, policy);
    let decisions: Vec<Object> = routes.iter().map(decide).collect();
    let of = |action: Action| {
        decisions.iter().filter(|decision| members::text(decision, "action") == action.as_str()).count()
    };
    let (deliver, wait, suppress) = (of(Action::Deliver), of(Action::Wait), of(Action::Suppress));
    let suppressed = || decisions.iter().filter(|decision| members::text(decision, "action") == "suppress");
    let in_window = suppressed().filter(|decision| !member(decision, "maintenance_window").is_null()).count();
    let away = suppressed().filter(|decision| is_away(decision)).count();
    let level = match (deliver, wait) {
        (1.., _) => "critical",
        (0, 1..) => "warning",
        (0, 0) => "healthy",
    };
    let id = id_of(stage.id_prefix, 16, &json!([now, generated_by, escalation_id, decisions]));
    let content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "recurrence_plan_id": id,
        "plan_id": escalation_id,
        "generated_at": now,
        "generated_by": generated_by,
        "alert_level": level,
        "route_count": decisions.len(),
        "deliverable_route_count": deliver,
        "waiting_route_count": wait,
        "suppressed_route_count": suppress,
        "maintenance_suppressed_count": in_window,
        "calendar_suppressed_count": away,
        "recurrence_interval_minutes": policy.interval_minutes,
        "max_recurrences_per_route": policy.maximum,
        "route_decisions": decisions,
        "controls": ["maximum-per-route", "maintenance-and-calendars-respected", "no-connector-secrets"],
    }));
    let counts = [count(decisions.len()), count(suppress), count(deliver)];
    Document { id, content, counts, warnings: Vec::new() }
}

/// The routes that an escalation plan or a recurrence plan names and that nobody has closed since.
#[must_use]
pub fn open_routes<'a>(
    family: &Family,
    facts: &Facts,
    states: &[RouteState],
    routes: impl IntoIterator<Item = &'a Object>,
) -> Vec<&'a Object> {
    let known = Known::of(family, facts, states);
    routes.into_iter().filter(|route| !known.standing(route).is_closed()).collect()
}

/// How many routes have a latest review that leaves them open.
#[must_use]
pub fn unresolved_reviews(facts: &Facts) -> usize {
    let latest: std::collections::BTreeMap<&str, &Review> =
        facts.reviews.iter().map(|review| (review.route_key.as_str(), review)).collect();
    latest.values().filter(|review| !closes(&review.state)).count()
}

/// Whether a decision's owner is not there.
pub(crate) fn is_away(decision: &Object) -> bool {
    let availability = members::object(decision, "owner_availability");
    availability.and_then(|availability| availability.get("available")).and_then(Value::as_bool) == Some(false)
}

fn decision(
    planning: Planning<'_>,
    route: &Object,
    escalation_id: Option<&str>,
    known: &Known<'_>,
    policy: &RecurrencePolicy,
) -> Object {
    let Planning { family, now, .. } = planning;
    let (provider, owner) = (members::text(route, "provider"), members::text(route, "owner"));
    let subject_id = subject(route);
    let key = family.route_key(subject_id, provider, owner);
    let standing = known.standing(route);
    let (closed, review) = (standing.is_closed(), standing.review);
    let paced = known.paced(&key, escalation_id, standing.state);
    let plans: Vec<&str> = std::iter::once(members::text(route, "plan_id")).chain(escalation_id).collect();
    let traits = Traits { plans: &plans, subject: subject_id, provider, owner };
    let decided = gate(Gates { traits, closed, paced }, policy, now);
    let mut content = members::built(json!({
        "route_key": key,
        "plan_id": member(route, "plan_id"),
        "provider": provider,
        "owner": owner,
        "action": decided.category.action().as_str(),
        "reason": decided.category.sentence(),
        "category": decided.category.as_str(),
        "review_state": review.map(|review| &review.state),
        "latest_review_id": review.map(|review| &review.id),
        "recurrence_count": paced.delivered,
        "max_recurrences": policy.maximum,
        "recurrence_interval_minutes": policy.interval_minutes,
        "latest_delivery_at": paced.latest,
        "next_delivery_at": decided.next_at,
        "maintenance_window": decided.window_document(),
        "owner_availability": decided.availability.document(),
        "recommended_action": member(route, "recommended_action"),
    }));
    if let Some((name, id)) = subject_of(route) {
        content.insert(name.to_owned(), json!(id));
    }
    if family.recurs_by_ladder {
        content.insert("escalation_level".to_owned(), member(route, "escalation_level"));
        content.insert("escalation_providers".to_owned(), member(route, "escalation_providers"));
    }
    content
}
