//! What the stores have to say about a decision. Before it is made: what they know of repository, agent and MCP server.
//! Once it is made: the rollout that governs it, and the approval that lets it happen. docs/reference/approvals-identity-authoring.md, sections 3 and 6.
//!
//! A rollout adds what is to be enforced beside the decision. An approval turns what would need a human into an
//! allow, once; it never lifts a block.

use cavra_model::{
    ActionType, BreakGlass, Context, DecisionRecord, Governance, McpRegistry, Object, Outcome, approval_summary,
};
use cavra_store::{StoreError, Transaction};
use serde_json::Value;

use crate::approvals::{ActionClaim, Approvals, Claim, REFUSALS, use_up};
use crate::registry::ServerIdentity;
use crate::{Attributes, CoreError, DecisionRequest, Inventory, Registry};

/// What governs decisions here.
#[derive(Clone, Copy)]
pub struct Governor<'a> {
    /// Repositories and rollouts.
    pub inventory: &'a Inventory,
    /// Approvals.
    pub approvals: &'a Approvals,
    /// Agents and MCP servers.
    pub registry: &'a Registry,
}

/// A decision with the rollout that governs it, and what may let its action happen. The approval is used up in the unit
/// of work that records the decision.
#[derive(Clone, Debug)]
pub struct Governed {
    /// The decision as it is without an approval.
    pub record: DecisionRecord,
    /// What is said to cover its action.
    pub claim: Option<ActionClaim>,
}

impl From<DecisionRecord> for Governed {
    fn from(record: DecisionRecord) -> Self {
        Self { record, claim: None }
    }
}

impl Governor<'_> {
    /// What policies are told about an action beside itself: facts about repository, rollout and agent, and what the trust
    /// registry says of an MCP server.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn facts(&self, request: &DecisionRequest, pack: &str) -> Result<(Attributes, McpRegistry), CoreError> {
        let attributes = self.attributes(&request.context, pack).await?;
        let registry = match &request.action.server {
            Some(server) if request.action.action_type == ActionType::McpToolCall => {
                let (definition, tools) = (request.action.definition.as_deref(), request.action.tools.as_deref());
                self.registry.look_up(server, ServerIdentity { definition, tools }).await?
            }
            _ => McpRegistry::Unregistered,
        };
        Ok((attributes, registry))
    }

    /// The facts about repository, rollout and agent.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn attributes(&self, context: &Context, pack: &str) -> Result<Attributes, CoreError> {
        let attributes = self.inventory.attributes(&context.repository, pack, &context.session_id).await?;
        Ok(match self.registry.agent(&context.agent_id).await? {
            Some(agent) => attributes.with_agent(&agent),
            None => attributes,
        })
    }

    /// Applies the governing rollout and, if a human is needed, looks for an approval of exactly this action: the one
    /// named, else those of the same session.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn govern(&self, mut record: DecisionRecord, approval_id: Option<&str>) -> Result<Governed, CoreError> {
        let governing = self.inventory.governing(&record.repository, &record.policy_pack, &record.session_id).await?;
        record.rollout = governing.map(|(rollout_id, mode)| Governance {
            rollout_id,
            overlay: mode.overlay(record.decision, &BreakGlass::default()),
        });
        let claim = match record.effective() {
            Outcome::RequireApproval => self.approvals.claim(&record, approval_id).await?,
            _ => None,
        };
        Ok(Governed { record, claim })
    }
}

/// The decisions of one event as they are recorded: their approvals are used up if that lets all of them happen, and none
/// of them otherwise.
pub(crate) fn redeem(tx: &mut dyn Transaction, governed: &[Governed]) -> Result<Vec<DecisionRecord>, StoreError> {
    let mut records = Vec::with_capacity(governed.len());
    let mut found = Vec::with_capacity(governed.len());
    for one in governed {
        let mut record = one.record.clone();
        let approval = match one.claim.as_ref().map(|claim| claim.find(tx)).transpose()? {
            Some(Claim::Granted(approval)) => Some(approval),
            Some(Claim::Refused(why)) => {
                let reason = record.reason.take().unwrap_or_default();
                record.reason = Some(refused(&reason, why));
                None
            }
            Some(Claim::None) | None => None,
        };
        records.push(record);
        found.push(approval);
    }
    let needs = |record: &DecisionRecord| record.effective().strictness() >= Outcome::RequireApproval.strictness();
    let all_happen = records.iter().zip(&found).all(|(record, approval)| approval.is_some() || !needs(record));
    if all_happen {
        for (record, approval) in records.iter_mut().zip(found) {
            if let Some(approval) = approval {
                let approval = use_up(tx, approval, record)?;
                let_happen(record, &approval);
            }
        }
    }
    Ok(records)
}

impl Approvals {
    /// Uses up the approval of a decision that nobody records.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn settle_unrecorded(&self, governed: Governed) -> Result<DecisionRecord, CoreError> {
        if governed.claim.is_none() {
            return Ok(governed.record);
        }
        let records = self.store().transact(move |tx| redeem(tx, std::slice::from_ref(&governed))).await?;
        records.into_iter().next().ok_or(CoreError::Store(StoreError::Closed))
    }
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
