//! Rollback drills: people are told that one is due, and answer. docs/reference/connectors-drills-ops-registry.md, section 3.

mod audits;
mod rows;
mod tables;
mod worker;

use std::collections::{BTreeMap, BTreeSet};

use cavra_model::{Object, Timestamp, members};
use cavra_notify::{
    Asking, DrillPolicy, DrillSlo, Making, StageKind, drill_escalation, drill_event, drill_plan, routes,
};
use serde_json::{Value, json};

use super::records::document;
use super::request::Request;
use super::sending::{Sending, nobody_set_up, outcome, route_keys};
use super::{Call, Desk};
use crate::pilot::drill_schedule;
use crate::{CoreError, DeliveryEvidence};

pub use tables::{
    DRILL_ALERTS, DRILL_ALERTS_BOARD, DRILL_NOTIFICATIONS, DRILL_NOTIFICATIONS_BOARD, DRILL_RUNS, DRILL_RUNS_BOARD,
};

/// `schema_version` of the event about a drill.
const EVENT: &str = "cavra.go-backend-pilot.rollback-drill-notification.v1";

impl Desk<'_> {
    /// The report on the schedule; its files are read now.
    pub fn drill_report(self, now: Timestamp) -> Object {
        members::built(drill_schedule(&self.app.settings.pilot, now))
    }

    /// Tells people that a drill is due.
    pub async fn notify_drill(self, call: Call) -> Result<Object, CoreError> {
        let connectors = self.app.connectors()?;
        let request = self.request(call)?;
        let report = self.drill_report(request.now);
        let schedule = members::object(&report, "schedule").cloned().unwrap_or_default();
        let policy = DrillPolicy::read(request.value("routing_policy"), "routing_policy", &schedule)?;
        let providers = request.providers_named("provider")?;
        let (force, options, by) = (request.flag("force")?, request.options()?, request.generated_by()?);
        let enabled: Vec<String> = connectors.enabled().into_iter().map(|provider| provider.to_string()).collect();
        let id = members::text(&schedule, "schedule_id").to_owned();
        let source = self.family.sources.notification;
        let _turn = self.app.reservations.hold(&format!("{source} {id}")).await;
        let asking = Asking {
            family: self.family,
            stage: self.stage(StageKind::NotificationPlan)?,
            report: &report,
            policy: &policy,
            providers: providers.as_deref(),
            enabled: Some(&enabled),
            force,
            generated_by: &by,
            now: request.now,
        };
        let (plan, stuck) = drill_plan(asking);
        if stuck {
            return Err(nobody_set_up());
        }
        let since = self.since(&plan.id, request.now).await?;
        let record = self.stage(StageKind::NotificationPlan)?.record(&plan, &since.to_string(), &by);
        let told = self.told_by_run(&request, source).await?;
        let targets: Vec<String> = members::texts(&plan.content, "selected_providers")
            .into_iter()
            .filter(|name| !told.contains(*name))
            .map(ToOwned::to_owned)
            .collect();
        let (kept, delivered) = if targets.is_empty() {
            (self.app.evidence.put_own(vec![record], &request.caller).await?, None)
        } else {
            let told: Vec<&Object> = members::objects(&plan.content, "route_decisions")
                .into_iter()
                .filter(|decision| members::text(decision, "action") == "deliver")
                .collect();
            let evidence = DeliveryEvidence::of(source)
                .with("schedule_id", id.as_str())
                .with("plan_id", plan.id.as_str())
                .with("alert_level", members::text(&plan.content, "alert_level"))
                .with("route_keys", route_keys(self.family, &told))
                .beside([record]);
            let making = Making { family: self.family, generated_by: &by, now: request.now };
            let event = drill_event(making, EVENT, &report, &plan.content);
            let delivered = self.send(Sending { event, targets, options, evidence }, &request).await?;
            (delivered.beside.clone(), Some(delivered))
        };
        let mut answer = members::built(json!({
            "schedule": report,
            "plan": plan.content,
            "plan_metadata": kept.first(),
            "event_id": if id.is_empty() { &plan.id } else { &id },
            "actor": request.actor(),
        }));
        answer.extend(outcome(delivered.as_ref()));
        Ok(answer)
    }

    /// Since when people are waited for by a plan: while nobody has answered, since it was made first.
    async fn since(self, plan_id: &str, now: Timestamp) -> Result<Timestamp, CoreError> {
        let facts = self.facts(self.family.told_by).await?;
        let told = facts.notices.iter().filter(|notice| notice.plan_id == plan_id);
        let states = routes(&facts);
        let waits = |subject: &str, provider: &str| {
            let state = states.iter().find(|state| state.subject == subject && state.provider == provider);
            state.is_some_and(|state| !state.is_acknowledged())
        };
        let first = told.filter(|notice| waits(&notice.subject, &notice.provider)).map(|notice| notice.at).min();
        Ok(first.unwrap_or(now))
    }

    /// Which notices about drills were not answered in time.
    pub async fn plan_drill_escalation(self, call: Call) -> Result<Object, CoreError> {
        let request = self.request(call)?;
        let slo = DrillSlo::read(request.value("policy"))?;
        let by = request.generated_by()?;
        let states = routes(&self.facts(self.family.told_by).await?);
        let plans = self.latest_drill_plans().await?;
        let stage = self.stage(StageKind::EscalationPlan)?;
        let plan = drill_escalation(stage, &plans, &states, &slo, &by, request.now);
        self.keep_plan(StageKind::EscalationPlan, &plan, &by, &request).await
    }

    /// The plan of each schedule by which somebody was told last. The record of a plan that is made again keeps the time at
    /// which it was made first, so it is the document that says when.
    async fn latest_drill_plans(self) -> Result<Vec<Object>, CoreError> {
        let (stage, counted) = (self.stage(StageKind::NotificationPlan)?, self.counted().await?);
        let mut latest: BTreeMap<String, (Option<Timestamp>, Object)> = BTreeMap::new();
        self.each(stage.metadata_kind, |record| {
            let plan = Some(&record).filter(|record| counted.counts(record)).cloned();
            let plan = plan.and_then(|record| document(stage, record));
            if let Some(plan) = plan.filter(|plan| !members::list(plan, "selected_providers").is_empty()) {
                let told: Option<Timestamp> = members::text(&plan, "generated_at").parse().ok();
                let known = latest.entry(members::text(&plan, "schedule_id").to_owned());
                let kept = known.or_insert_with(|| (told, plan.clone()));
                if told > kept.0 {
                    *kept = (told, plan);
                }
            }
            true
        })
        .await?;
        Ok(latest.into_values().map(|(_, plan)| plan).collect())
    }

    /// Refuses a schedule that is neither configured nor that of a plan.
    pub async fn is_schedule(self, id: &str) -> Result<(), CoreError> {
        self.are_schedules(&BTreeSet::from([id])).await
    }

    /// Refuses schedules of which one is neither configured nor that of a plan. Files and plans are read once.
    pub async fn are_schedules(self, ids: &BTreeSet<&str>) -> Result<(), CoreError> {
        let report = self.drill_report(Timestamp::now());
        let configured = members::object(&report, "schedule").map(|schedule| members::text(schedule, "schedule_id"));
        let is_open = |id: &&str| id.is_empty() || configured != Some(*id);
        let mut open: BTreeSet<&str> = ids.iter().copied().filter(is_open).collect();
        if open.is_empty() {
            return Ok(());
        }
        let stage = self.stage(StageKind::NotificationPlan)?;
        self.each(stage.metadata_kind, |record| {
            if let Some(plan) = members::object(&record, stage.payload) {
                open.remove(members::text(plan, "schedule_id"));
            }
            !open.is_empty()
        })
        .await?;
        if open.is_empty() { Ok(()) } else { Err(CoreError::NotFound("rollback drill schedule")) }
    }
}

/// A document whose absent texts are empty ones.
pub(super) fn with_empty_texts(document: &mut Object) {
    for name in ["plan_id", "external_ref", "notes", "delivery_id", "audit_id"] {
        if let Some(value) = document.get_mut(name).filter(|value| value.is_null()) {
            *value = Value::String(String::new());
        }
    }
}

impl Request {
    /// Texts that filter routes.
    pub(super) fn filters(&self) -> Result<cavra_notify::Filters, CoreError> {
        Ok(cavra_notify::Filters {
            schedule_id: self.name("schedule_id")?,
            provider: self
                .name("provider")?
                .map(|name| cavra_notify::provider_name(&name))
                .filter(|name| name != "all"),
            owner: self.name("owner")?,
        })
    }
}
