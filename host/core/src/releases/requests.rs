//! Signed requests that wait for an approval.

use cavra_evidence::SigningKey;
use cavra_model::{Object, REPLACES, Timestamp};
use cavra_release::{PROMOTION_SIGNATURE, VerifiedRollout, promotion_decision, promotion_request, sign};
use serde_json::Value;

use crate::approvals::NewApproval;
use crate::caller::Doer;
use crate::{Approvals, CoreError};

/// A promotion that may be asked for: its rollout verified and is in a state to be promoted.
#[derive(Debug)]
pub struct Promotion<'a> {
    /// The rollout.
    pub rollout: &'a VerifiedRollout,
    /// Where it goes.
    pub target_ring: &'a str,
    /// Who asks.
    pub requester: Doer,
    /// What they have to say about it.
    pub note: Option<String>,
    /// Who has to approve.
    pub approver_group: String,
    /// Hours until the request for approval lapses.
    pub ttl_hours: u64,
    /// Who signs.
    pub signer: &'a str,
    /// Checks that were left out.
    pub relaxed: &'a [&'a str],
    /// What the rollout is at this moment, where it is recorded: the promotion is of that and of nothing later.
    pub replaces: Option<String>,
}

/// Asks for the approval of a promotion; answers the signed request, with the pending approval in it.
///
/// # Errors
/// [`CoreError::Store`].
pub async fn ask_promotion(
    approvals: &Approvals,
    key: &SigningKey,
    promotion: Promotion<'_>,
) -> Result<Object, CoreError> {
    let Promotion { rollout, target_ring, requester, note, approver_group, ttl_hours, signer, relaxed, replaces } =
        promotion;
    let mut decision = promotion_decision(rollout, target_ring, &requester.name, relaxed);
    decision.extend(replaces.map(|replaces| (REPLACES.to_owned(), Value::String(replaces))));
    let asked = NewApproval { decision, approver_group: Some(approver_group), requester, ttl_hours, note };
    let approval = approvals.request(asked).await?;
    let mut request = promotion_request(rollout, target_ring, &approval, Timestamp::now());
    sign(&mut request, PROMOTION_SIGNATURE, key, signer);
    Ok(request)
}
