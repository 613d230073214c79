//! Plans that send nothing: which routes are late, told again, tried again, and why others are not. docs/reference/remediation-sla.md, sections 5
//! to 7.

use std::collections::BTreeMap;

use cavra_model::{EVIDENCE_METADATA, Object, Timestamp, members};
use cavra_notify::{
    Backoff, Document, Planning, RecurrencePolicy, SloPolicy, StageKind, Suppressions, escalation_plan, failed_events,
    recurrence_plan, retry_plan, routes, suppression_audit,
};
use serde_json::{Value, json};

use super::records::document;
use super::request::Request;
use super::{Call, Desk};
use crate::CoreError;

/// Who makes what a call that only reads makes.
const READER: &str = "console";

impl Desk<'_> {
    /// Which routes are late.
    pub async fn plan_escalation(self, call: Call) -> Result<Object, CoreError> {
        let request = self.request(call)?;
        let policy = SloPolicy::read(request.value("slo_policy"))?;
        let by = request.generated_by()?;
        let states = routes(&self.facts(self.family.told_by).await?);
        let stage = self.stage(StageKind::EscalationPlan)?;
        let plan = escalation_plan(self.family, stage, self.family.subject, &states, &policy, &by, request.now);
        self.keep_plan(StageKind::EscalationPlan, &plan, &by, &request).await
    }

    /// Which escalated routes are told again.
    pub async fn plan_recurrence(self, call: Call) -> Result<Object, CoreError> {
        let request = self.request(call)?;
        let policy = RecurrencePolicy::read(request.value("recurrence_policy"))?;
        let by = request.generated_by()?;
        let facts = self.reviewed_facts().await?;
        let escalation = self.newest(StageKind::EscalationPlan).await?;
        let planning = Planning {
            family: self.family,
            stage: self.stage(StageKind::RecurrencePlan)?,
            facts: &facts,
            generated_by: &by,
            now: request.now,
        };
        let plan = recurrence_plan(planning, escalation.as_ref(), &routes(&facts), &policy);
        self.keep_plan(StageKind::RecurrencePlan, &plan, &by, &request).await
    }

    /// Which deliveries are tried again.
    pub async fn plan_retries(self, call: Call) -> Result<Object, CoreError> {
        let request = self.request(call)?;
        let policy = Backoff::read(request.value("retry_policy"))?;
        let by = request.generated_by()?;
        let plan = self.retries(&policy, &by, request.now).await?;
        self.keep_plan(StageKind::RetryPlan, &plan, &by, &request).await
    }

    /// The plan of what failed and is tried again.
    pub async fn retries(self, policy: &Backoff, by: &str, now: Timestamp) -> Result<Document, CoreError> {
        let source = self.family.sources.recurrence;
        let facts = self.facts(&[]).await?;
        let mut sent = BTreeMap::new();
        for event in failed_events(&facts, source) {
            match self.named(StageKind::RecurrencePlan, &event).await {
                Ok(plan) => drop(sent.insert(event, plan)),
                Err(CoreError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(retry_plan(self.stage(StageKind::RetryPlan)?, source, &facts, &sent, policy, by, now))
    }

    /// Why routes of a recurrence plan are not told again. Who only looks adds nothing by looking again.
    pub async fn audit_suppression(self, call: Call) -> Result<Object, CoreError> {
        let plan = self.named(StageKind::RecurrencePlan, &call.id).await?;
        let request = self.request(call)?;
        let audit = suppression_audit(self.stage(StageKind::SuppressionAudit)?, &plan, READER, request.now);
        let (audit, metadata) = self.look(StageKind::SuppressionAudit, audit, READER, &request).await?;
        Ok(members::built(json!({ "audit": audit, "metadata": metadata })))
    }

    /// How often routes were not told again.
    pub async fn trend_suppression(self, call: Call) -> Result<Object, CoreError> {
        let request = self.request(call)?;
        let trend = self.trend(READER, request.now).await?;
        let (trend, metadata) = self.look(StageKind::SuppressionTrend, trend, READER, &request).await?;
        Ok(members::built(json!({ "trend": trend, "metadata": metadata })))
    }

    /// The trend over all recurrence plans.
    pub async fn trend(self, by: &str, now: Timestamp) -> Result<Document, CoreError> {
        let mut seen = Suppressions::default();
        let (plans, audits) = (self.stage(StageKind::RecurrencePlan)?, self.stage(StageKind::SuppressionAudit)?);
        self.each(plans.metadata_kind, |record| {
            document(plans, record).iter().for_each(|plan| seen.add_plan(plan));
            true
        })
        .await?;
        self.each(audits.metadata_kind, |record| {
            document(audits, record).iter().for_each(|audit| seen.add_audit(audit));
            true
        })
        .await?;
        Ok(seen.trend(self.stage(StageKind::SuppressionTrend)?, by, now))
    }

    /// Keeps what somebody saw who only looks, unless the server has kept the same before; answers what is kept, and its
    /// record. So who looks again over the same data changes nothing.
    pub async fn look(
        self,
        kind: StageKind,
        seen: Document,
        by: &str,
        request: &Request,
    ) -> Result<(Object, Value), CoreError> {
        let stage = self.stage(kind)?;
        let evidence = &self.app.evidence;
        if evidence.is_ours(&seen.id).await?
            && let Some(record) = evidence.store().get(&EVIDENCE_METADATA, &seen.id).await?
            && let Some(kept) = document(stage, record.clone())
            && kept.len() == seen.content.len()
            && kept.iter().all(|(name, value)| name == "generated_at" || seen.content.get(name) == Some(value))
        {
            return Ok((kept, json!(record)));
        }
        let metadata = self.keep(kind, &seen, by, request).await?;
        Ok((seen.content, metadata))
    }

    /// Keeps a document; answers its record.
    async fn keep(self, kind: StageKind, document: &Document, by: &str, request: &Request) -> Result<Value, CoreError> {
        let record = self.record(kind, document, by)?;
        let stored = self.app.evidence.put_own(vec![record], &request.caller).await?;
        Ok(json!(stored.first()))
    }

    /// Keeps a plan; answers both.
    pub async fn keep_plan(
        self,
        kind: StageKind,
        plan: &Document,
        by: &str,
        request: &Request,
    ) -> Result<Object, CoreError> {
        let metadata = self.keep(kind, plan, by, request).await?;
        Ok(members::built(json!({
            "plan": plan.content, "metadata": metadata, "actor": request.actor(),
        })))
    }
}
