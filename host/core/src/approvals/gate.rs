//! The approval gate: does this approval, now, let that happen? docs/reference/approvals-identity-authoring.md, section 9.3.
//!
//! Operations such as publishing a policy name their approval and may be repeated. Agents' actions find theirs by what
//! they are, and use it up.

use cavra_identity::{Decide, DecisionSubject, Gatekeeper, Identity};
use cavra_model::{
    APPROVALS, Authorization, Binding, DecisionRecord, Object, Ruling, Timestamp, action_digest,
    authorization_problems, authorizes, is_used, is_used_for, mark_used,
};
use cavra_store::{Query, StoreError, Transaction, Unreadable};
use serde_json::Value;

use super::{Approvals, intake, write};
use crate::activity::to_object;
use crate::{CoreError, LogEvent};

/// Approvals of one session that are looked through for an action.
const CANDIDATES: u64 = 500;

const UNKNOWN: &str = "it does not exist";
const OTHER_ACTION: &str = "it is for another action";
const USED: &str = "it has been used already";
const NOT_IN_FORCE: &str = "it is not approved, or it has run out";
/// Every reason not to accept an approval that was named.
pub(crate) const REFUSALS: [&str; 4] = [UNKNOWN, OTHER_ACTION, USED, NOT_IN_FORCE];

/// What came of the claim that an action is approved.
#[derive(Clone, Debug)]
pub enum Claim {
    /// It is, by this approval.
    Granted(Object),
    /// It is not; the named approval does not cover it, and why.
    Refused(&'static str),
    /// No approval was named and none was found.
    None,
}

/// Whether somebody may decide this approval.
#[must_use]
pub fn may_decide(gatekeeper: &Gatekeeper, identity: &Identity, record: &Object, ruling: Ruling) -> bool {
    let decision = record.get("decision").and_then(Value::as_object);
    let repository = record.get("repository").and_then(Value::as_str).or_else(|| decision.and_then(intake::repository));
    let subject = DecisionSubject {
        repository,
        approver_group: record.get("approver_group").and_then(Value::as_str).unwrap_or_default(),
        break_glass: record.get("break_glass").and_then(Value::as_bool).unwrap_or(false),
    };
    let action = match ruling {
        Ruling::Approve => Decide::Approved,
        Ruling::Deny => Decide::Denied,
        Ruling::Expire => Decide::Expired,
    };
    gatekeeper.can_decide(&identity.actor, &subject, action)
}

impl Approvals {
    /// Checks that `record`, now, authorizes `operation` on a subject that the decision's members name. A broken glass
    /// does too.
    ///
    /// # Errors
    /// [`CoreError::Conflict`] saying what does not fit.
    pub fn admit(record: &Object, operation: &str, subject: &[(&str, &str)]) -> Result<(), CoreError> {
        let pointers: Vec<_> =
            subject.iter().map(|(member, expected)| (format!("/decision/{member}"), *expected)).collect();
        let bindings = pointers.iter().map(|(pointer, expected)| Binding::to(pointer, expected)).collect();
        let wanted = Authorization { operation, break_glass: true, bindings };
        match authorization_problems(record, &wanted, Timestamp::now()).into_iter().next() {
            Some(problem) => Err(CoreError::Conflict(problem)),
            None => Ok(()),
        }
    }

    /// What can let the action of `record` happen: the named approval, else those of the same session that seem to cover
    /// it. Whether one does is found where it is used up.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn claim(
        &self,
        record: &DecisionRecord,
        approval_id: Option<&str>,
    ) -> Result<Option<ActionClaim>, CoreError> {
        // A decision that was redacted brings the digest of the exact action along; it was made just now, by us.
        let digest = match &record.action_digest {
            Some(exact) => Some(exact.clone()),
            None => action_digest(&to_object(record)?),
        };
        let Some(digest) = digest.map(|digest| digest.as_str().to_owned()) else { return Ok(None) };
        let (candidates, named) = match approval_id {
            Some(id) => (vec![id.to_owned()], true),
            None => (self.candidates(record, &digest).await?, false),
        };
        let tool_use_id = record.tool_use_id.clone();
        Ok((!candidates.is_empty()).then_some(ActionClaim { candidates, named, digest, tool_use_id }))
    }

    /// Ids of the session's approvals that seem to cover the action.
    async fn candidates(&self, decision: &DecisionRecord, digest: &str) -> Result<Vec<String>, CoreError> {
        let now = Timestamp::now();
        let query = Query {
            filters: vec![("session_id", decision.session_id.clone())],
            any_of: Some(("state", vec!["approved".to_owned(), "break_glass".to_owned()])),
            limit: CANDIDATES,
            // What cannot be read authorizes nothing.
            unreadable: Unreadable::Skip,
            ..Query::default()
        };
        let found = self.store.list(&APPROVALS, query).await?.items;
        let fitting = found.iter().filter(|record| judge(record, digest, decision.tool_use_id.as_deref(), now).is_ok());
        Ok(fitting.filter_map(|record| record.get(APPROVALS.id)?.as_str()).map(ToOwned::to_owned).collect())
    }
}

/// The claim that approvals cover an action.
#[derive(Clone, Debug)]
pub struct ActionClaim {
    candidates: Vec<String>,
    /// The caller has named the approval, and is told why it does not do.
    named: bool,
    digest: String,
    /// What the agent calls the tool call; two hooks that are asked about one call use one approval.
    tool_use_id: Option<String>,
}

impl ActionClaim {
    /// The approval that covers the action, now. Nothing is changed.
    pub(crate) fn find(&self, tx: &mut dyn Transaction) -> Result<Claim, StoreError> {
        let mut refused = Claim::None;
        for id in &self.candidates {
            let reason = match tx.get(&APPROVALS, id)? {
                None => UNKNOWN,
                Some(record) => match judge(&record, &self.digest, self.tool_use_id.as_deref(), Timestamp::now()) {
                    Ok(()) => return Ok(Claim::Granted(record)),
                    Err(reason) => reason,
                },
            };
            if self.named {
                refused = Claim::Refused(reason);
            }
        }
        Ok(refused)
    }
}

/// Uses an approval up for a decision, in the unit of work that writes the decision; answers it as it is then. One that was
/// used for the same tool call stays as it is.
pub(crate) fn use_up(
    tx: &mut dyn Transaction,
    mut approval: Object,
    decision: &DecisionRecord,
) -> Result<Object, StoreError> {
    if !is_used(&approval) {
        mark_used(&mut approval, &decision.decision_id, decision.tool_use_id.as_deref(), Timestamp::now());
        write(tx, LogEvent::ApprovalUsed, approval.clone())?;
    }
    Ok(approval)
}

/// Whether the approval covers the action, or why not.
fn judge(record: &Object, digest: &str, tool_use_id: Option<&str>, now: Timestamp) -> Result<(), &'static str> {
    let is_same_call = || tool_use_id.is_some_and(|tool_use_id| is_used_for(record, tool_use_id, now));
    if record.get("action_digest").and_then(Value::as_str) != Some(digest) {
        Err(OTHER_ACTION)
    } else if is_used(record) && !is_same_call() {
        Err(USED)
    } else if !authorizes(record, now) {
        Err(NOT_IN_FORCE)
    } else {
        Ok(())
    }
}
