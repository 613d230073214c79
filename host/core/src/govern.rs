//! What becomes of a decision once it is made: the rollout that governs it, and the approval that lets it happen.
//! Contract 20, sections 3 and 6.
//!
//! A rollout adds what is to be enforced beside the decision. An approval turns what would need a human into an
//! allow, once; it never lifts a block.

use cavra_model::{BreakGlass, DecisionRecord, Governance, Object, Outcome, action_digest, approval_summary};
use serde_json::Value;

use crate::approvals::{ActionClaim, Approvals, Claim, REFUSALS};
use crate::{CoreError, Inventory};

/// What governs decisions here; either part may be missing where there is no such store.
#[derive(Clone, Copy, Default)]
pub struct Governor<'a> {
    /// Rollouts.
    pub inventory: Option<&'a Inventory>,
    /// Approvals.
    pub approvals: Option<&'a Approvals>,
}

impl Governor<'_> {
    /// Applies the governing rollout and, if a human is needed, uses up an approval for exactly this action: the one
    /// named, else one of the same session.
    ///
    /// # Errors
    /// [`CoreError::Store`]. An approval may be used up then without having let anything happen.
    pub async fn govern(
        &self,
        mut record: DecisionRecord,
        approval_id: Option<&str>,
    ) -> Result<DecisionRecord, CoreError> {
        if let Some(inventory) = self.inventory {
            let governing = inventory.governing(&record.repository, &record.policy_pack, &record.session_id).await?;
            record.rollout = governing.map(|(rollout_id, mode)| Governance {
                rollout_id,
                overlay: mode.overlay(record.decision, &BreakGlass::default()),
            });
        }
        if let Some(approvals) = self.approvals
            && record.effective() == Outcome::RequireApproval
        {
            redeem(approvals, &mut record, approval_id).await?;
        }
        Ok(record)
    }
}

/// Lets the action happen if an approval covers it.
async fn redeem(
    approvals: &Approvals,
    record: &mut DecisionRecord,
    approval_id: Option<&str>,
) -> Result<(), CoreError> {
    // A decision that was redacted brings the digest of the exact action along; it was made just now, by us.
    let digest = match &record.action_digest {
        Some(exact) => Some(exact.clone()),
        None => action_digest(&crate::activity::to_object(record)?),
    };
    let Some(digest) = digest else { return Ok(()) };
    let claim = ActionClaim {
        approval_id,
        session_id: &record.session_id,
        digest: digest.as_str(),
        decision_id: &record.decision_id,
    };
    match approvals.claim(claim).await? {
        Claim::None => {}
        Claim::Refused(why) => {
            let reason = record.reason.take().unwrap_or_default();
            record.reason = Some(refused(&reason, why));
        }
        Claim::Granted(approval) => let_happen(record, &approval),
    }
    Ok(())
}

/// The reason of a decision whose named approval does not cover it.
fn refused(reason: &str, why: &str) -> String {
    format!("{reason}; the named approval does not cover it: {why}")
}

/// The reason of a decision that an approval, or its summary, let happen.
fn approved(approval: &Object, reason: &str) -> String {
    let text = |member: &str| approval.get(member).and_then(Value::as_str).unwrap_or_default();
    format!("approved by {} ({}): {reason}", text("decided_by"), text("approval_id"))
}

/// The reason that a stored decision shows if the packs gave `reason`. Of the sentences that are possible, the one it
/// shows, if it is one of them.
pub(crate) fn shown_reason(record: &Object, reason: &str) -> String {
    if let Some(Value::Object(approval)) = record.get("approval") {
        return approved(approval, reason);
    }
    let shown = record.get("reason").and_then(Value::as_str).unwrap_or_default();
    let refusals = REFUSALS.iter().map(|why| refused(reason, why));
    refusals.into_iter().find(|sentence| sentence == shown).unwrap_or_else(|| reason.to_owned())
}

fn let_happen(record: &mut DecisionRecord, approval: &Object) {
    let broken = approval.get("break_glass").and_then(Value::as_bool).unwrap_or(false);
    let outcome = if broken { Outcome::AllowWithAttestation } else { Outcome::Allow };
    record.decision_before_approval = Some(record.decision);
    record.decision = outcome;
    if let Some(governance) = &mut record.rollout {
        governance.overlay.effective_decision = outcome;
        governance.overlay.evidence_required = true;
    }
    let reason = record.reason.take().unwrap_or_default();
    record.reason = Some(approved(approval, &reason));
    let refs = approval.get("evidence_refs").and_then(Value::as_array).into_iter().flatten();
    for reference in refs.filter_map(Value::as_str) {
        if !record.evidence_refs.iter().any(|known| known == reference) {
            record.evidence_refs.push(reference.to_owned());
        }
    }
    record.approval = Some(approval_summary(approval));
}
