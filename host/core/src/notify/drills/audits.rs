//! Audits of notices about drills: answers, one or many at once, packages of them, and their delivery.

use cavra_model::{Object, members};
use cavra_notify::{
    AuditRoute, Delivering, Document, Filters, Making, Reply, StageKind, acknowledgement, audit_event, audit_package,
    audit_routes, delivery_plan, provider_name, retry_acknowledgement, route_rows,
};
use serde_json::{Value, json};

use super::with_empty_texts;
use crate::notify::request::Request;
use crate::notify::sending::{Sending, outcome};
use crate::notify::{Call, Desk};
use crate::{CoreError, DeliveryEvidence};

/// `schema_version` of the event that delivers an audit.
pub(super) const EVENT: &str = "cavra.go-backend-pilot.rollback-drill-acknowledgement-audit-delivery.v1";
/// `schema_version` of many answers at once.
const BULK: &str = "cavra.go-backend-pilot.rollback-drill-bulk-acknowledgement.v1";
/// Most answers at once.
const MOST: usize = 100;

/// What an answer says.
struct Said {
    subject: String,
    provider: String,
    plan_id: Option<String>,
    state: Option<String>,
    by: String,
    external_ref: Option<String>,
    notes: Option<String>,
}

impl Said {
    fn of(request: &Request, subject: String) -> Result<Self, CoreError> {
        Ok(Self {
            subject,
            provider: request.required("provider")?,
            plan_id: request.name("plan_id")?,
            state: request.text("acknowledgement_state")?,
            by: request.answered_by("acknowledged_by")?,
            external_ref: request.reference("external_ref")?,
            notes: request.text("notes")?,
        })
    }

    fn reply(&self, subject_member: &'static str) -> Reply<'_> {
        Reply {
            subject_member,
            subject: &self.subject,
            plan_id: self.plan_id.as_deref(),
            provider: &self.provider,
            owner: "",
            state: self.state.as_deref(),
            by: &self.by,
            external_ref: self.external_ref.as_deref(),
            notes: self.notes.as_deref(),
        }
    }
}

impl Desk<'_> {
    /// Records an answer to a notice about a drill.
    pub async fn acknowledge_drill(self, call: Call) -> Result<Object, CoreError> {
        self.is_schedule(&call.id).await?;
        let request = self.request(call)?;
        let said = Said::of(&request, request.id.clone())?;
        let stage = self.stage(StageKind::Acknowledgement)?;
        let mut answer = acknowledgement(stage, &said.reply("schedule_id"), &[], request.now)?;
        with_empty_texts(&mut answer.content);
        self.keep_answer(StageKind::Acknowledgement, &answer, &said.by, &request).await
    }

    /// Records an answer to an alert about the worker.
    pub async fn acknowledge_drill_health(self, call: Call) -> Result<Object, CoreError> {
        if !self.some_say(StageKind::HealthAlertPlan, "health_id", &call.id).await? {
            return Err(CoreError::NotFound("rollback drill health alert plan"));
        }
        let request = self.request(call)?;
        let said = Said::of(&request, request.id.clone())?;
        let stage = self.stage(StageKind::HealthAlertAcknowledgement)?;
        let mut answer = acknowledgement(stage, &said.reply("health_id"), &[], request.now)?;
        with_empty_texts(&mut answer.content);
        self.keep_answer(StageKind::HealthAlertAcknowledgement, &answer, &said.by, &request).await
    }

    /// Records what somebody says to a retry plan.
    pub async fn acknowledge_drill_retry(self, call: Call) -> Result<Object, CoreError> {
        self.named(StageKind::RetryPlan, &call.id).await?;
        let request = self.request(call)?;
        let said = Said::of(&request, request.id.clone())?;
        let (delivery, audit) = (request.name("delivery_id")?, request.name("audit_id")?);
        let stage = self.stage(StageKind::RetryAcknowledgement)?;
        let mut answer = retry_acknowledgement(stage, &said.reply("retry_plan_id"), &[], request.now)?;
        answer.content.insert("delivery_id".to_owned(), json!(delivery));
        answer.content.insert("audit_id".to_owned(), json!(audit));
        with_empty_texts(&mut answer.content);
        self.keep_answer(StageKind::RetryAcknowledgement, &answer, &said.by, &request).await
    }

    /// Records many answers, all of them or none.
    pub async fn acknowledge_drills(self, call: Call) -> Result<Object, CoreError> {
        let request = self.request(call)?;
        let wrong = || CoreError::BadRequest(format!("routes must be a list of 1 to {MOST} objects"));
        let routes = request.value("routes").and_then(Value::as_array).ok_or_else(wrong)?;
        if !(1..=MOST).contains(&routes.len()) {
            return Err(wrong());
        }
        let said: Vec<Said> = routes
            .iter()
            .map(|route| {
                let one = request.with(route.as_object().ok_or_else(wrong)?);
                Said::of(&one, one.required("schedule_id")?)
            })
            .collect::<Result<_, CoreError>>()?;
        let stage = self.stage(StageKind::Acknowledgement)?;
        let mut answers: Vec<Document> = Vec::new();
        self.are_schedules(&said.iter().map(|one| one.subject.as_str()).collect()).await?;
        for one in &said {
            let mut answer = acknowledgement(stage, &one.reply("schedule_id"), &[], request.now)?;
            with_empty_texts(&mut answer.content);
            answers.push(answer);
        }
        let records = answers.iter().zip(&said).map(|(answer, one)| self.record(stage.kind, answer, &one.by));
        let stored = self.app.evidence.put_own(records.collect::<Result<_, _>>()?, &request.caller).await?;
        let shown: Vec<&Object> = answers.iter().map(|answer| &answer.content).collect();
        let ids: Vec<&String> = answers.iter().map(|answer| &answer.id).collect();
        Ok(members::built(json!({
            "schema_version": BULK,
            "product": "CAVRA",
            "bulk_id": format!("gordbulkack-{}", digest(&json!(ids))),
            "acknowledgement_state": shown.first().and_then(|answer| answer.get("acknowledgement_state")),
            "acknowledgement_count": shown.len(),
            "acknowledgements": shown,
            "metadata": stored,
            "actor": request.actor(),
        })))
    }

    async fn keep_answer(
        self,
        kind: StageKind,
        answer: &Document,
        by: &str,
        request: &Request,
    ) -> Result<Object, CoreError> {
        let record = self.record(kind, answer, by)?;
        let stored = self.app.evidence.put_own(vec![record], &request.caller).await?;
        Ok(members::built(json!({
            "acknowledgement": answer.content, "metadata": stored.first(), "actor": request.actor(),
        })))
    }

    /// Packages the routes that people were told about with what they answered.
    pub async fn package_audit(self, call: Call) -> Result<Object, CoreError> {
        let request = self.request(call)?;
        let (filters, by) = (request.filters()?, request.generated_by()?);
        let package = self.package(&filters, &by, &request).await?;
        let record = self.record(StageKind::AuditPackage, &package, &by)?;
        let stored = self.app.evidence.put_own(vec![record], &request.caller).await?;
        Ok(members::built(json!({
            "audit_package": package.content, "metadata": stored.first(), "actor": request.actor(),
        })))
    }

    /// Packages them and sends the package to other systems.
    pub async fn deliver_audit(self, call: Call) -> Result<Object, CoreError> {
        let connectors = self.app.connectors()?;
        let request = self.request(call)?;
        let (filters, by) = (request.filters()?, request.generated_by()?);
        let member = if request.value("delivery_provider").is_some() { "delivery_provider" } else { "provider" };
        let asked = request.providers_named(member)?;
        let text =
            |name: &str, default: &str| Ok::<_, CoreError>(request.name(name)?.unwrap_or_else(|| default.to_owned()));
        let (cadence, schedule_ref) = (text("cadence", "on_demand")?, text("schedule_ref", "")?);
        let (next, options) = (request.name("next_delivery_at")?, request.options()?);
        let package = self.package(&filters, &by, &request).await?;
        let enabled = super::super::sending::enabled(connectors, self.family.follow_ups);
        let wanted = |name: &String| asked.as_ref().is_none_or(|asked| asked.contains(name));
        let targets: Vec<String> = enabled.into_iter().filter(wanted).collect();
        let delivering = Delivering {
            requested: &Request::provider_word(asked.as_ref()),
            targets: &targets,
            cadence: &cadence,
            schedule_ref: &schedule_ref,
            next_delivery_at: next.as_deref(),
        };
        let plan =
            delivery_plan(self.stage(StageKind::AuditDeliveryPlan)?, &package.content, delivering, &by, request.now);
        let records = [
            self.record(StageKind::AuditPackage, &package, &by)?,
            self.record(StageKind::AuditDeliveryPlan, &plan, &by)?,
        ];
        let (kept, delivered) = if targets.is_empty() {
            (self.app.evidence.put_own(records.to_vec(), &request.caller).await?, None)
        } else {
            let making = Making { family: self.family, generated_by: &by, now: request.now };
            let event = audit_event(making, EVENT, &package.content, &plan.content);
            let evidence = self.audit_evidence(&package.content, &plan).beside(records);
            let delivered = self.send(Sending { event, targets, options, evidence }, &request).await?;
            (delivered.beside.clone(), Some(delivered))
        };
        let mut answer = members::built(json!({
            "audit_package": package.content,
            "audit_metadata": kept.first(),
            "delivery_plan": plan.content,
            "plan_metadata": kept.get(1),
            "actor": request.actor(),
        }));
        answer.extend(outcome(delivered.as_ref()));
        if delivered.is_none() {
            answer.insert("success".to_owned(), json!(false));
        }
        Ok(answer)
    }

    /// Evidence of an audit's delivery.
    pub(super) fn audit_evidence(self, package: &Object, plan: &Document) -> DeliveryEvidence {
        DeliveryEvidence::of(self.family.sources.recurrence)
            .with("audit_id", members::text(package, "audit_id"))
            .with("delivery_id", plan.id.as_str())
            .with("alert_level", members::text(package, "alert_level"))
    }

    async fn package(self, filters: &Filters, by: &str, request: &Request) -> Result<Document, CoreError> {
        let (stage, counted) = (self.stage(StageKind::NotificationPlan)?, self.counted().await?);
        let mut rows = Vec::new();
        self.each(stage.metadata_kind, |record| {
            if counted.counts(&record)
                && let Some(plan) = members::object(&record, stage.payload)
            {
                let all = route_rows(plan, members::text(&record, "created_at"));
                rows.extend(all.into_iter().filter(|row| filters.fit(&row.row)));
            }
            true
        })
        .await?;
        let facts = self.facts(&[StageKind::Acknowledgement]).await?;
        let routes: Vec<AuditRoute> = audit_routes(&rows, &facts);
        Ok(audit_package(self.stage(StageKind::AuditPackage)?, &routes, filters, by, request.now))
    }
}

fn digest(value: &Value) -> String {
    let digest = cavra_model::Digest::of(cavra_model::canonical(value));
    digest.hex().chars().take(16).collect()
}

impl Request {
    /// The same call about one of many: what is said of that one wins.
    fn with(&self, own: &Object) -> Self {
        let mut one = self.clone();
        for (name, value) in own {
            if !["acknowledged_by", "acknowledgement_state"].contains(&name.as_str()) {
                one.put(name, value.clone());
            }
        }
        one
    }
}

/// The one spelling of a connector's name in a decision.
pub(super) fn provider_of(decision: &Object) -> String {
    provider_name(members::text(decision, "provider"))
}
