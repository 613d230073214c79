//! Who is told about a drill, on whose behalf, and why the others are not.

use std::collections::BTreeSet;

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::calendar::{Calendars, Traits, Windows};
use crate::events::Making;
use crate::family::{Family, Stage, provider_name};
use crate::policy::{PolicyError, Section, lists, sorted};
use crate::{Document, count, id_of, member};

/// Minutes in which somebody has to answer, unless a policy says otherwise.
pub(super) const MINUTES: u64 = 60;
const OWNER_ROUTES: [&str; 2] = ["owner_routes", "routing_rules"];
const WINDOWS: [&str; 2] = ["maintenance_windows", "suppression_windows"];
const CALENDARS: [&str; 2] = ["owner_calendars", "calendars"];
const ACKNOWLEDGEMENT: [&str; 2] = ["acknowledgement_minutes", "ack_minutes"];

/// What the policy of a request says, completed by the schedule.
#[derive(Clone, Debug, Default)]
pub struct DrillPolicy {
    routes: Vec<OwnerRule>,
    windows: Windows,
    calendars: Calendars,
    /// Minutes in which somebody has to answer, where the rule of an owner does not say.
    pub minutes: Option<u64>,
}

/// What is said about an owner, or about several.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnerRule {
    owners: Vec<String>,
    providers: Vec<String>,
    minutes: Option<u64>,
    escalation_owner: Option<String>,
}

impl DrillPolicy {
    /// The policy in a request; what it leaves out is taken from the schedule, as far as that can be used.
    ///
    /// # Errors
    /// [`PolicyError`] for the first member of the request that cannot be used.
    pub fn read(value: Option<&Value>, place: &str, schedule: &Object) -> Result<Self, PolicyError> {
        let policy = Section::of(value, place)?;
        let fallback = Value::Object(schedule.clone());
        let schedule = Section::of(Some(&fallback), "schedule")?;
        let given = |names: &[&str]| policy.value(names).is_some();
        let slo = policy.section(&["default_slo"], "default_slo")?;
        let minutes = policy.number_if_any(&["acknowledgement_minutes"], 0)?;
        let minutes = minutes.or(slo.number_if_any(&["acknowledgement_minutes"], 0)?);
        Ok(Self {
            routes: if given(&OWNER_ROUTES) {
                OwnerRule::read_all(&policy)?
            } else {
                OwnerRule::read_all(&schedule).unwrap_or_default()
            },
            windows: if given(&WINDOWS) {
                Windows::read(&policy, &WINDOWS)?
            } else {
                Windows::read(&schedule, &WINDOWS).unwrap_or_default()
            },
            calendars: if given(&CALENDARS) {
                Calendars::read(&policy, &CALENDARS)?
            } else {
                Calendars::read(&schedule, &CALENDARS).unwrap_or_default()
            },
            minutes: minutes.filter(|minutes| *minutes > 0),
        })
    }

    /// What is said about an owner: of several rules for the same owner, later members win.
    pub(super) fn rule(&self, owner: &str) -> OwnerRule {
        let own = self.routes.iter().filter(|rule| lists(&rule.owners, owner));
        own.fold(OwnerRule::default(), |merged, rule| OwnerRule {
            owners: Vec::new(),
            providers: if rule.providers.is_empty() { merged.providers } else { rule.providers.clone() },
            minutes: rule.minutes.or(merged.minutes),
            escalation_owner: rule.escalation_owner.clone().or(merged.escalation_owner),
        })
    }
}

impl OwnerRule {
    fn read_all(policy: &Section<'_>) -> Result<Vec<Self>, PolicyError> {
        if let Some(Value::Array(_)) = policy.value(&OWNER_ROUTES) {
            let read = |section: &Section<'_>| Self::read(section, section.texts(&["owners"])?);
            return policy.sections(&OWNER_ROUTES, "owner_routes")?.iter().map(read).collect();
        }
        let owners = policy.section(&OWNER_ROUTES, "owner_routes")?.named_sections("owner_routes")?;
        owners.into_iter().map(|(owner, section)| Self::read(&section, vec![owner.to_owned()])).collect()
    }

    fn read(section: &Section<'_>, owners: Vec<String>) -> Result<Self, PolicyError> {
        let providers = section.texts(&["providers", "notification_providers"])?;
        Ok(Self {
            owners,
            providers: providers.iter().map(|name| provider_name(name)).collect(),
            minutes: section.number_if_any(&ACKNOWLEDGEMENT, 0)?,
            escalation_owner: section.text(&["escalation_owner", "manager"])?,
        })
    }

    /// Minutes in which somebody has to answer on a connector; the rule says so for those that it names.
    pub(super) fn minutes_for(&self, provider: &str) -> Option<u64> {
        let named = self.providers.is_empty() || self.providers.iter().any(|name| name == provider);
        self.minutes.filter(|minutes| named && *minutes > 0)
    }
}

/// How a plan is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Whose plan it is.
    pub family: &'a Family,
    /// Which document it is.
    pub stage: &'a Stage,
    /// The report on the schedule.
    pub report: &'a Object,
    /// The policy.
    pub policy: &'a DrillPolicy,
    /// The connectors that are asked for; nothing for all.
    pub providers: Option<&'a [String]>,
    /// Connectors that are set up; nothing where that does not matter.
    pub enabled: Option<&'a [String]>,
    /// A schedule that is in order is told about too.
    pub force: bool,
    /// Who asks.
    pub generated_by: &'a str,
    /// The present moment.
    pub now: Timestamp,
}

/// The plan, and whether a route was due and none of those that were due can be told because no connector is set up.
#[must_use]
pub fn drill_plan(asking: Asking<'_>) -> (Document, bool) {
    let Asking { stage, report, generated_by, now, .. } = asking;
    let schedule = members::object(report, "schedule").cloned().unwrap_or_default();
    let status = members::text(report, "status");
    let (routes, eligible, owners) = routes(asking, &schedule);
    let decisions: Vec<Object> = routes.iter().map(|route| decided(asking, status, route)).collect();
    let of = |action: &str| -> Vec<&Object> {
        decisions.iter().filter(|decision| members::text(decision, "action") == action).collect()
    };
    let (deliver, suppress) = (of("deliver"), of("suppress"));
    let names = |decisions: &[&Object]| sorted(decisions.iter().map(|decision| members::text(decision, "provider")));
    let selected = names(&deliver);
    let suppressed = if suppress.is_empty() {
        eligible.iter().filter(|name| !selected.contains(name)).cloned().collect()
    } else {
        names(&suppress)
    };
    let because =
        |category: &str| suppress.iter().filter(|decision| members::text(decision, "category") == category).count();
    let unset = because("connector_not_configured");
    let stuck = unset > 0 && deliver.is_empty();
    let level = alert_level(status);
    let id = members::text(&schedule, "schedule_id");
    // When an owner comes back is no other plan: only what is decided is.
    let told: Vec<_> = decisions
        .iter()
        .map(|decision| ["route_key", "action", "category"].map(|name| member(decision, name)))
        .collect();
    let plan_id = id_of(stage.id_prefix, 16, &json!([id, status, told, generated_by]));
    let reason = match (status, deliver.is_empty()) {
        ("needs_attention", false) => "the schedule needs attention",
        ("due_soon", false) => "a drill is due soon",
        (_, false) => "it was asked for",
        (_, true) => "nobody has to be told",
    };
    let content = members::built(json!({
        "schema_version": stage.schema,
        "product": "CAVRA",
        "plan_id": plan_id,
        "schedule_id": id,
        "generated_at": now,
        "generated_by": generated_by,
        "status": status,
        "alert_level": level,
        "eligible_providers": eligible,
        "selected_providers": selected,
        "acknowledgement_required_providers": selected,
        "suppressed_providers": suppressed,
        "owners": owners,
        "owner_routes": routes,
        "route_decisions": decisions,
        "deliverable_route_count": deliver.len(),
        "suppressed_route_count": suppress.len(),
        "maintenance_suppressed_count": because("maintenance_window"),
        "calendar_suppressed_count": because("owner_calendar"),
        "next_due_at": member(&schedule, "next_due_at"),
        "reason": reason,
        "controls": ["owners-routed-by-rules", "maintenance-and-calendars-respected", "no-connector-secrets"],
    }));
    let counts = [count(eligible.len()), u64::from(level == "critical"), u64::from(level == "warning")];
    (Document { id: plan_id, content, counts, warnings: Vec::new() }, stuck)
}

/// How grave a status is.
fn alert_level(status: &str) -> &'static str {
    match status {
        "needs_attention" => "critical",
        "due_soon" => "warning",
        _ => "healthy",
    }
}

/// The routes, the connectors that come into question, and the owners.
fn routes(asking: Asking<'_>, schedule: &Object) -> (Vec<Object>, Vec<String>, Vec<String>) {
    let narrowed = |names: Vec<String>| match asking.providers {
        Some(asked) => names.into_iter().filter(|name| asked.contains(name)).collect(),
        None => names,
    };
    let of_schedule: BTreeSet<String> =
        members::texts(schedule, "notification_providers").into_iter().map(provider_name).collect();
    let enabled = || {
        let set_up = asking.enabled.unwrap_or_default().iter();
        set_up.filter(|name| asking.family.follow_ups.contains(&name.as_str())).cloned().collect()
    };
    let candidates = [of_schedule.into_iter().collect(), enabled(), vec!["webhook".to_owned()]];
    let eligible = candidates.into_iter().find(|names| !names.is_empty()).unwrap_or_default();
    let eligible = narrowed(eligible);
    let mut owners: Vec<String> = members::texts(schedule, "owners").into_iter().map(ToOwned::to_owned).collect();
    if owners.is_empty() {
        owners.push(asking.family.fallback_owner.to_owned());
    }
    let id = members::text(schedule, "schedule_id");
    let mut routes = Vec::new();
    for owner in &owners {
        let rule = asking.policy.rule(owner);
        let named = if rule.providers.is_empty() { eligible.clone() } else { narrowed(rule.providers.clone()) };
        for provider in sorted(named.iter().map(String::as_str)) {
            let traits = Traits { plans: &[], subject: id, provider: &provider, owner };
            let window = asking.policy.windows.active(traits, asking.now);
            let availability = asking.policy.calendars.availability(owner, asking.now);
            let minutes = rule.minutes_for(&provider).or(asking.policy.minutes).unwrap_or(MINUTES);
            routes.push(members::built(json!({
                "route_key": asking.family.route_key(id, &provider, owner),
                "schedule_id": id,
                "provider": provider,
                "owner": owner,
                "acknowledgement_minutes": minutes,
                "escalation_owner": rule.escalation_owner.as_ref().unwrap_or(owner),
                "maintenance_window": window.map(crate::Window::document),
                "owner_availability": availability.flat_document(),
            })));
        }
    }
    (routes, eligible, owners)
}

/// A route with what happens to it. The first gate that is shut decides.
fn decided(asking: Asking<'_>, status: &str, route: &Object) -> Object {
    let due = asking.force || ["needs_attention", "due_soon"].contains(&status);
    let in_window = !member(route, "maintenance_window").is_null();
    let away = crate::recurrence::is_away(route);
    let provider = members::text(route, "provider");
    let set_up = asking.enabled.is_none_or(|enabled| enabled.iter().any(|name| name == provider));
    let (category, reason) = match (in_window, away, due, set_up) {
        (true, ..) => ("maintenance_window", "a maintenance window is open"),
        (_, true, ..) => ("owner_calendar", "the owner is not available"),
        (_, _, false, _) => ("healthy_schedule", "the schedule is in order"),
        (_, _, _, false) => ("connector_not_configured", "the connector is not set up"),
        _ => ("deliver", "the drill is due"),
    };
    let mut decision = route.clone();
    decision.extend(members::built(json!({
        "action": if category == "deliver" { "deliver" } else { "suppress" },
        "category": category,
        "reason": reason,
    })));
    decision
}

/// The event of a plan.
#[must_use]
pub fn drill_event(making: Making<'_>, schema: &str, report: &Object, plan: &Object) -> Object {
    let schedule = members::object(report, "schedule").cloned().unwrap_or_default();
    let history = members::object(report, "history").cloned().unwrap_or_default();
    let id = members::text(plan, "schedule_id");
    let level = members::text(plan, "alert_level");
    let status = members::text(plan, "status");
    let severity = if level == "healthy" { "low" } else { level };
    members::built(json!({
        "schema_version": schema,
        "product": "CAVRA",
        "event_type": making.family.event_types.notification,
        "session_id": if id.is_empty() { members::text(plan, "plan_id") } else { id },
        "schedule_id": id,
        "timestamp": making.now,
        "generated_at": making.now,
        "generated_by": making.generated_by,
        "alert_level": level,
        "max_severity": severity,
        "decision_count": members::list(plan, "eligible_providers").len(),
        "blocked_count": u64::from(level == "critical"),
        "approval_required_count": u64::from(level == "warning"),
        "status": status,
        "mode": member(report, "mode"),
        "title": format!("CAVRA {}: {status}", making.family.title),
        "summary": {
            "environment": member(&schedule, "environment"),
            "latest_drill_id": member(&history, "latest_drill_id"),
            "latest_executed_at": member(&history, "latest_executed_at"),
            "next_due_at": member(&schedule, "next_due_at"),
            "days_until_due": member(&schedule, "days_until_due"),
            "stale": member(&schedule, "stale"),
            "due_soon": member(&schedule, "due_soon"),
            "interval_days": member(&schedule, "interval_days"),
        },
        "owners": member(plan, "owners"),
        "notification_providers": member(&schedule, "notification_providers"),
        "owner_routes": member(plan, "owner_routes"),
        "runbook_ref": member(&schedule, "runbook_ref"),
        "evidence_refs": member(&history, "evidence_refs"),
        "controls": ["facts-from-schedule-and-history", "no-connector-secrets"],
    }))
}
