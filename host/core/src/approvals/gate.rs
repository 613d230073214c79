//! The approval gate: does this approval, now, let that happen? Contract 20, "Shape" 3.
//!
//! Operations such as publishing a policy name their approval and may be repeated. Agents' actions find theirs by what
//! they are, and use it up.

use cavra_identity::{Decide, DecisionSubject, Gatekeeper, Identity};
use cavra_model::{
    APPROVALS, Authorization, Binding, Object, Ruling, Timestamp, authorization_problems, authorizes, is_used,
    mark_used,
};
use cavra_store::{Query, Transaction, Unreadable};
use serde_json::Value;

use super::{Approvals, intake, write};
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
    /// It is, and this approval is used up now.
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

    /// Uses up an approval for the action with this digest: the named one, else one of the same session.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn claim(&self, claim: ActionClaim<'_>) -> Result<Claim, CoreError> {
        let candidates = match claim.approval_id {
            Some(id) => vec![id.to_owned()],
            None => self.candidates(&claim).await?,
        };
        let mut outcome = Claim::None;
        for id in candidates {
            outcome = self.use_up(id, claim.digest.to_owned(), claim.decision_id.to_owned()).await?;
            if matches!(outcome, Claim::Granted(_)) {
                return Ok(outcome);
            }
        }
        Ok(if claim.approval_id.is_some() { outcome } else { Claim::None })
    }

    /// Ids of the session's approvals that seem to cover the action.
    async fn candidates(&self, claim: &ActionClaim<'_>) -> Result<Vec<String>, CoreError> {
        let now = Timestamp::now();
        let query = Query {
            filters: vec![("session_id", claim.session_id.to_owned())],
            any_of: Some(("state", vec!["approved".to_owned(), "break_glass".to_owned()])),
            limit: CANDIDATES,
            // What cannot be read authorizes nothing.
            unreadable: Unreadable::Skip,
            ..Query::default()
        };
        let found = self.store.list(&APPROVALS, query).await?.items;
        let fitting = found.iter().filter(|record| judge(record, claim.digest, now).is_ok());
        Ok(fitting.filter_map(|record| record.get(APPROVALS.id)?.as_str()).map(ToOwned::to_owned).collect())
    }

    async fn use_up(&self, id: String, digest: String, decision_id: String) -> Result<Claim, CoreError> {
        let change = move |tx: &mut dyn Transaction| {
            let Some(mut record) = tx.get(&APPROVALS, &id)? else { return Ok(Claim::Refused(UNKNOWN)) };
            let now = Timestamp::now();
            if let Err(reason) = judge(&record, &digest, now) {
                return Ok(Claim::Refused(reason));
            }
            mark_used(&mut record, &decision_id, now);
            write(tx, LogEvent::ApprovalUsed, record.clone())?;
            Ok(Claim::Granted(record))
        };
        Ok(self.store.transact(change).await?)
    }
}

/// An action that may be approved.
#[derive(Clone, Copy, Debug)]
pub struct ActionClaim<'a> {
    /// The approval the caller names, if any.
    pub approval_id: Option<&'a str>,
    /// Session of the caller.
    pub session_id: &'a str,
    /// Digest of the action.
    pub digest: &'a str,
    /// The decision about to be made.
    pub decision_id: &'a str,
}

/// Whether the approval covers the action, or why not.
fn judge(record: &Object, digest: &str, now: Timestamp) -> Result<(), &'static str> {
    if record.get("action_digest").and_then(Value::as_str) != Some(digest) {
        Err(OTHER_ACTION)
    } else if is_used(record) {
        Err(USED)
    } else if !authorizes(record, now) {
        Err(NOT_IN_FORCE)
    } else {
        Ok(())
    }
}
