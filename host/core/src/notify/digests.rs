//! Digests: what owners have open. docs/reference/remediation-sla.md, section 8.

use cavra_model::{Object, Timestamp, members};
use cavra_notify::{Digest, Document, StageKind, owner_digest};
use serde_json::json;

use super::sending::{Sending, all_enabled, enabled, nobody_set_up, outcome};
use super::{Call, Desk};
use crate::{CoreError, DeliveryEvidence};

impl Desk<'_> {
    /// Tells owners what they have open of a recurrence plan.
    pub async fn digest_owners(self, call: Call) -> Result<Object, CoreError> {
        let connectors = self.app.connectors()?;
        let plan = self.deliverable(StageKind::RecurrencePlan, &call.id).await?;
        let request = self.request(call)?;
        let retry = match request.name("retry_plan_id")? {
            Some(id) => Some(self.deliverable(StageKind::RetryPlan, &id).await?),
            None => None,
        };
        let known = self.family.follow_ups;
        let (asked, set_up) = (request.providers("provider", known)?, enabled(connectors, known));
        all_enabled(asked.as_ref(), &set_up)?;
        let (options, by) = (request.options()?, request.generated_by()?);
        let digest = self.digest(&plan, retry.as_ref(), &by, request.now)?;
        let record = self.record(StageKind::OwnerDigest, &digest, &by)?;
        let (kept, delivered) = if members::list(&digest.content, "owners").is_empty() {
            (self.app.evidence.put_own(vec![record], &request.caller).await?, None)
        } else {
            let targets = asked.unwrap_or(set_up);
            if targets.is_empty() {
                return Err(nobody_set_up());
            }
            let evidence = self.digest_evidence(&digest).beside([record]);
            let sending = Sending { event: digest.content.clone(), targets, options, evidence };
            let delivered = self.send(sending, &request).await?;
            (delivered.beside.clone(), Some(delivered))
        };
        let mut answer = members::built(json!({
            "event": digest.content, "digest_metadata": kept.first(), "event_id": digest.id, "actor": request.actor(),
        }));
        answer.extend(outcome(delivered.as_ref()));
        Ok(answer)
    }

    /// The digest of a recurrence plan.
    pub fn digest(
        self,
        plan: &Object,
        retry: Option<&Object>,
        by: &str,
        now: Timestamp,
    ) -> Result<Document, CoreError> {
        let about = Digest {
            plan,
            retry,
            title: &format!("CAVRA {}: what owners have open", self.family.title),
            event_type: self.family.event_types.digest,
            generated_by: by,
        };
        Ok(owner_digest(self.stage(StageKind::OwnerDigest)?, about, now))
    }

    /// Evidence of a digest's delivery.
    pub fn digest_evidence(self, digest: &Document) -> DeliveryEvidence {
        let text = |name: &str| members::text(&digest.content, name);
        DeliveryEvidence::of(self.family.sources.digest)
            .with("digest_id", digest.id.as_str())
            .with("recurrence_plan_id", text("recurrence_plan_id"))
            .with("plan_id", text("plan_id"))
    }
}
