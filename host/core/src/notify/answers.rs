//! What people answer to notices, and what owners say about late routes. Nothing is sent. docs/reference/remediation-sla.md, sections 3, 5 and 11.

use cavra_model::{MetadataKind, Object, members};
use cavra_notify::{Document, Reply, Stage, StageKind, acknowledgement, provider_name, review};
use serde_json::json;

use super::request::Request;
use super::{Call, Desk};
use crate::CoreError;

/// What a reply says, before it is checked.
struct Said {
    provider: String,
    plan_id: Option<String>,
    by: String,
    state: Option<String>,
    external_ref: Option<String>,
    notes: Option<String>,
}

impl Said {
    fn of(request: &Request, by: &'static str, state: &str) -> Result<Self, CoreError> {
        Ok(Self {
            provider: request.required("provider")?,
            plan_id: request.name("plan_id")?,
            by: request.answered_by(by)?,
            state: request.text(state)?,
            external_ref: request.reference("external_ref")?,
            notes: request.text("notes")?,
        })
    }

    fn reply<'a>(&'a self, subject_member: &'static str, subject: &'a str) -> Reply<'a> {
        Reply {
            subject_member,
            subject,
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
    /// Records an answer to a notice about a report or about the worker's health.
    pub async fn acknowledge(self, kind: StageKind, call: Call) -> Result<Object, CoreError> {
        let (plans, member) = match kind {
            StageKind::HealthAlertAcknowledgement => (StageKind::HealthAlertPlan, "health_id"),
            _ => (StageKind::NotificationPlan, "report_id"),
        };
        self.is_known(plans, member, &call.id).await?;
        let request = self.request(call)?;
        let said = Said::of(&request, "acknowledged_by", "acknowledgement_state")?;
        let reply = said.reply(member, &request.id);
        let stage = self.stage(kind)?;
        let answer = acknowledgement(stage, &reply, self.family.conversations, request.now)?;
        self.is_answered(plans, member, &reply).await?;
        self.keep_reply(stage, &answer, "acknowledgement", &said.by, &request).await
    }

    /// Records what an owner says about a route of an escalation plan.
    pub async fn review(self, call: Call) -> Result<Object, CoreError> {
        let plan = self.named(StageKind::EscalationPlan, &call.id).await?;
        let request = self.request(call)?;
        let (subject, owner) = (request.required("report_id")?, request.required("owner")?);
        let said = Said::of(&request, "reviewed_by", "review_state")?;
        let reply = Reply { owner: &owner, plan_id: Some(&request.id), ..said.reply("report_id", &subject) };
        let stage = self.stage(StageKind::Review)?;
        let reviewed = review(stage, &reply, self.family.conversations, request.now)?;
        let provider = provider_name(&said.provider);
        let is_it = |route: &&Object| {
            let text = |name: &str| members::text(route, name);
            text("report_id") == subject && text("provider") == provider && text("owner") == owner
        };
        if !members::objects(&plan, "route_statuses").iter().any(is_it) {
            return Err(CoreError::BadRequest("the plan has no route of that report, provider and owner".to_owned()));
        }
        self.keep_reply(stage, &reviewed, "review", &said.by, &request).await
    }

    /// Refuses a subject that nobody was told about and that is not stored.
    async fn is_known(self, plans: StageKind, member: &str, id: &str) -> Result<(), CoreError> {
        let report = self.family.stage(StageKind::Report).filter(|_| member == "report_id");
        let report = report.map(|report| MetadataKind::of(Some(report.metadata_kind)));
        if let Some(report) = report
            && self.app.evidence.get(report, id).await.is_ok()
        {
            return Ok(());
        }
        if self.some_say(plans, member, id).await? {
            return Ok(());
        }
        let plan = MetadataKind::of(Some(self.stage(plans)?.metadata_kind));
        Err(CoreError::NotFound(report.unwrap_or(plan).name))
    }

    /// Refuses a plan that is none of the subject.
    async fn is_answered(self, plans: StageKind, member: &str, reply: &Reply<'_>) -> Result<(), CoreError> {
        let Some(id) = reply.plan_id else { return Ok(()) };
        let found = match self.named(plans, id).await {
            Ok(plan) => members::text(&plan, member) == reply.subject,
            Err(CoreError::NotFound(_)) => false,
            Err(error) => return Err(error),
        };
        if found { Ok(()) } else { Err(CoreError::BadRequest(format!("plan_id names no plan of that {member}"))) }
    }

    async fn keep_reply(
        self,
        stage: &'static Stage,
        reply: &Document,
        name: &str,
        by: &str,
        request: &Request,
    ) -> Result<Object, CoreError> {
        let record = self.record(stage.kind, reply, by)?;
        let stored = self.app.evidence.put_own(vec![record], &request.caller).await?;
        Ok(members::built(json!({
            name: reply.content, "metadata": stored.first(), "actor": request.actor(),
        })))
    }
}
