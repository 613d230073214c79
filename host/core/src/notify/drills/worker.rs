//! The worker that repeats deliveries of audits, its health, and who is told about that.

use cavra_connect::Options;
use cavra_model::{Object, Timestamp, members};
use cavra_notify::{
    Backoff, Delivering, Document, DrillPass, DrillWatched, HealthLimits, Making, Schedule, StageKind, audit_event,
    delivery_plan, drill_health, drill_health_subject, drill_retries, drill_run, health_event, run_word,
};
use serde_json::{Value, json};

use super::audits::{EVENT, provider_of};
use crate::CoreError;
use crate::notify::alerts::{ALERTS, query_limits, request_limits};
use crate::notify::ledger::Ledger;
use crate::notify::notices::{Notice, Wanted};
use crate::notify::records::document;
use crate::notify::request::Request;
use crate::notify::sending::{Sending, enabled};
use crate::notify::{Call, Desk};

/// Most deliveries that are repeated in a pass, and how many there may be.
const RETRIES: (u64, (u64, u64)) = (5, (1, 25));
/// `schema_version` of the event about the worker's health.
const HEALTH_EVENT: &str =
    "cavra.go-backend-pilot.rollback-drill-acknowledgement-audit-delivery-worker-health-alert.v1";

/// What a pass is asked to do.
struct Pass {
    dry_run: bool,
    policy: Backoff,
    schedule: Schedule,
    cadence: String,
    most: usize,
    asked: Option<Vec<String>>,
    /// Connectors that are set up; nothing without a config.
    enabled: Option<Vec<String>>,
    options: Options,
    by: String,
}

/// What became of a decision.
struct Outcome {
    decision: Object,
    plan: Option<Document>,
    delivery: Option<Object>,
    metadata: Option<Object>,
    skipped: Option<&'static str>,
}

impl Desk<'_> {
    /// Which deliveries of audits are tried again; sends nothing.
    pub async fn plan_drill_retries(self, call: Call) -> Result<Object, CoreError> {
        let request = self.request(call)?;
        let policy = Backoff::read(request.value("retry_policy"))?;
        let by = request.generated_by()?;
        let facts = self.facts(&[]).await?;
        let plan = drill_retries(self.family, self.stage(StageKind::RetryPlan)?, &facts, &policy, &by, request.now);
        self.keep_plan(StageKind::RetryPlan, &plan, &by, &request).await
    }

    /// Does a pass: repeats deliveries whose time has come.
    pub async fn run_drill_worker(self, call: Call) -> Result<Object, CoreError> {
        let request = self.request(call)?;
        let pass = self.drill_pass(&request)?;
        let _turn = self.app.reservations.hold(&format!("{} pass", self.family.sources.recurrence)).await;
        let facts = self.facts(&[]).await?;
        let stage = self.stage(StageKind::RetryPlan)?;
        let retry = drill_retries(self.family, stage, &facts, &pass.policy, &pass.by, request.now);
        let selected: Vec<Object> = members::objects(&retry.content, "retry_decisions")
            .into_iter()
            .filter(|decision| members::text(decision, "action") == "retry")
            .filter(|decision| pass.asked.as_ref().is_none_or(|asked| asked.contains(&provider_of(decision))))
            .take(pass.most)
            .cloned()
            .collect();
        let stage = self.stage(StageKind::AutomationRun)?;
        let run = run_word(stage, request.now, &pass.by, pass.dry_run, &selected);
        let mut ledger = Ledger::default();
        ledger.add(self.record(StageKind::RetryPlan, &retry, &pass.by)?);
        let mut outcomes = Vec::new();
        for decision in &selected {
            outcomes.push(self.repeat(decision, &pass, (&run, &retry.id), &mut ledger, &request).await?);
        }
        let done = DrillPass {
            id: &run,
            dry_run: pass.dry_run,
            generated_by: &pass.by,
            schedule: pass.schedule,
            cadence: &pass.cadence,
            retry: &retry.content,
            selected: &selected,
            status: if ledger.broken { "failed" } else { "completed" },
        };
        let run = drill_run(stage, done, request.now);
        ledger.add(self.record(StageKind::AutomationRun, &run, &pass.by)?);
        let waiting = ledger.take();
        let stored = self.app.evidence.put_own(waiting, &request.caller).await?;
        ledger.note(stored);
        let results = outcomes.iter().map(|outcome| outcome.document(&ledger));
        Ok(members::built(json!({
            "run": run.content,
            "metadata": ledger.stored(&run.id),
            "retry_metadata": ledger.stored(&retry.id),
            "retry_results": results.collect::<Vec<_>>(),
            "actor": request.actor(),
        })))
    }

    fn drill_pass(self, request: &Request) -> Result<Pass, CoreError> {
        let dry_run = request.flag_if_any("dry_run")?;
        let execute = request.flag("execute")?;
        let schedule = Schedule::read(request.value("schedule"))?;
        let cadence = request.value("schedule").and_then(|schedule| schedule.get("cadence"));
        let cadence = match cadence {
            None | Some(Value::Null) => format!("every_{}_minutes", schedule.interval_minutes),
            Some(Value::String(cadence)) => cadence.clone(),
            Some(_) => return Err(CoreError::BadRequest("schedule.cadence must be a text".to_owned())),
        };
        let (default, limits) = RETRIES;
        let connectors = self.app.outgoing.events.as_ref();
        Ok(Pass {
            dry_run: dry_run.unwrap_or(!execute),
            policy: Backoff::read(request.value("retry_policy"))?,
            schedule,
            cadence,
            most: usize::try_from(request.count("max_retry_deliveries", default, limits)?).unwrap_or(usize::MAX),
            asked: request.providers("provider", self.family.follow_ups)?,
            enabled: connectors.map(|connectors| enabled(connectors, self.family.follow_ups)),
            options: request.options()?,
            by: request.generated_by()?,
        })
    }

    /// Repeats a delivery. With the first one that is sent, everything is stored that the pass has made so far.
    async fn repeat(
        self,
        decision: &Object,
        pass: &Pass,
        (run, retry): (&str, &str),
        ledger: &mut Ledger,
        request: &Request,
    ) -> Result<Outcome, CoreError> {
        let mut outcome =
            Outcome { decision: decision.clone(), plan: None, delivery: None, metadata: None, skipped: None };
        let package = match self.named(StageKind::AuditPackage, members::text(decision, "audit_id")).await {
            Ok(package) => package,
            Err(CoreError::NotFound(_)) => {
                outcome.skipped = Some("audit_package_not_found");
                return Ok(outcome);
            }
            Err(error) => return Err(error),
        };
        let provider = provider_of(decision);
        let targets = vec![provider.clone()];
        let (reference, of) = (format!("retry:{run}"), members::text(decision, "delivery_id"));
        let delivering = Delivering {
            requested: &provider,
            targets: &targets,
            cadence: "retry",
            schedule_ref: &reference,
            next_delivery_at: None,
        };
        let stage = self.stage(StageKind::AuditDeliveryPlan)?;
        let plan = delivery_plan(stage, &package, delivering, &pass.by, request.now);
        ledger.add(self.record(StageKind::AuditDeliveryPlan, &plan, &pass.by)?);
        let set_up = pass.enabled.as_ref().is_some_and(|enabled| enabled.contains(&provider));
        if pass.dry_run || !set_up {
            outcome.skipped = Some(if pass.dry_run { "dry_run" } else { "connector_config_not_configured" });
            outcome.plan = Some(plan);
            return Ok(outcome);
        }
        let making = Making { family: self.family, generated_by: &pass.by, now: request.now };
        let event = audit_event(making, EVENT, &package, &plan.content);
        let evidence = self
            .audit_evidence(&package, &plan)
            .with("retry_of", of)
            .with("retry_plan_id", retry)
            .with("worker_run_id", run)
            .beside(ledger.waiting().to_vec());
        outcome.plan = Some(plan);
        match self.send(Sending { event, targets, options: pass.options.clone(), evidence }, request).await {
            Ok(sent) => {
                ledger.take();
                ledger.note(sent.beside);
                (outcome.delivery, outcome.metadata) = (Some(sent.delivery), Some(sent.metadata));
            }
            // Nothing has happened yet: the call is refused.
            Err(error) if ledger.is_untouched() => return Err(error),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a delivery could not be repeated");
                ledger.broken = true;
            }
        }
        Ok(outcome)
    }

    /// The health of the worker at this moment; nothing is kept.
    pub async fn drill_health(self, call: &Call) -> Result<Object, CoreError> {
        self.observe_drills(query_limits(&call.body)?, Timestamp::now()).await
    }

    /// Tells people about it.
    pub async fn alert_drill_health(self, call: Call) -> Result<Object, CoreError> {
        let connectors = self.app.connectors()?;
        let request = self.request(call)?;
        let limits = request_limits(&request)?;
        let enabled = enabled(connectors, self.family.conversations);
        let asked = request.providers_named("provider")?;
        let window = request.count("suppression_window_minutes", 60, (1, u64::MAX))?;
        let wanted = Wanted {
            policy: cavra_notify::RoutingPolicy::default(),
            providers: Some(
                enabled.into_iter().filter(|name| asked.as_ref().is_none_or(|asked| asked.contains(name))).collect(),
            ),
            word: Request::provider_word(asked.as_ref()),
            window: Some(window),
            force: request.flag("force")?,
            most: usize::try_from(request.count("max_alerts", ALERTS.0, ALERTS.1)?).unwrap_or(usize::MAX),
            options: request.options()?,
            generated_by: request.generated_by()?,
        };
        let observed = self.observe_drills(limits, request.now).await?;
        let subject = drill_health_subject(&observed);
        let making = Making { family: self.family, generated_by: &wanted.generated_by, now: request.now };
        let summary = members::object(&subject.shown, "summary").cloned().unwrap_or_default();
        let mut event = health_event(making, &observed, &summary, wanted.most);
        event.insert("schema_version".to_owned(), json!(HEALTH_EVENT));
        let notice = Notice {
            event,
            subject,
            stage: StageKind::HealthAlertPlan,
            source: self.family.sources.health_alert,
            may_be_nobody: true,
        };
        let mut answer = self.give_notice(notice, wanted, &request).await?;
        answer.insert("health".to_owned(), json!(observed));
        Ok(answer)
    }

    async fn observe_drills(self, limits: HealthLimits, now: Timestamp) -> Result<Object, CoreError> {
        let counted = self.counted().await?;
        let (runs, plans) = (self.stage(StageKind::AutomationRun)?, self.stage(StageKind::RetryPlan)?);
        let (mut documents, mut latest) = (Vec::new(), Vec::new());
        self.each(runs.metadata_kind, |record| {
            if counted.counts(&record) {
                if latest.len() < 10 {
                    latest.push(record.clone());
                }
                let slim = |mut run: Object| {
                    run.retain(|name, _| {
                        !["retry_plan", "selected_retries", "follow_up_actions"].contains(&name.as_str())
                    });
                    run
                };
                documents.extend(document(runs, record).map(slim));
            }
            true
        })
        .await?;
        let (mut retry_plans, mut retry_plan) = (0, None);
        self.each(plans.metadata_kind, |record| {
            if counted.counts(&record) {
                retry_plans += 1;
                if retry_plan.is_none() {
                    retry_plan = document(plans, record);
                }
            }
            true
        })
        .await?;
        let facts = self.facts(&[]).await?;
        let watched = DrillWatched {
            runs: documents.iter().collect(),
            latest: latest.iter().collect(),
            retry_plans,
            retry_plan: retry_plan.as_ref(),
            facts: &facts,
        };
        Ok(drill_health(self.family, &watched, limits, now).content)
    }
}

impl Outcome {
    fn document(&self, ledger: &Ledger) -> Value {
        json!({
            "decision": self.decision,
            "delivery_plan": self.plan.as_ref().map(|plan| &plan.content),
            "plan_metadata": self.plan.as_ref().map(|plan| ledger.stored(&plan.id)),
            "delivery": self.delivery,
            "delivery_metadata": self.metadata,
            "skipped": self.skipped,
        })
    }
}
