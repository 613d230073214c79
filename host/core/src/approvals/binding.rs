//! What an approval is about: the decision as it is recorded here, and the exact action, although approvers see it without
//! its secrets.

use cavra_model::{DECISIONS, Digest, Object, action_digest, contradictions, shown_action};
use serde_json::Value;

use super::Approvals;
use crate::CoreError;

/// What somebody is asked to approve.
pub(super) struct Subject {
    /// The decision, as it may be stored and shown.
    pub(super) decision: Object,
    /// Digest of its action.
    pub(super) action_digest: Option<Digest>,
    /// Nobody but the requester vouches for it.
    pub(super) unverified: bool,
    /// The group that is asked where neither the request nor a routing rule names one.
    pub(super) group: Option<String>,
}

impl Approvals {
    /// What is asked for, from a decision that a client sent. One that is recorded here is taken as it is recorded: its
    /// approvers see what cavra found, and nothing the requester wrote. Any other is marked.
    ///
    /// `own`: members of a bare body that are the request's and not the decision's.
    ///
    /// # Errors
    /// [`CoreError::Conflict`] for a decision that says something else than its record, and for one without a record where
    /// the operator wants one; [`CoreError::BadRequest`] for one that a secret was cut out of and that has no record;
    /// [`CoreError::SecretIdentifier`];
    /// [`CoreError::Store`].
    pub(super) async fn subject(&self, mut said: Object, own: &[&str]) -> Result<Subject, CoreError> {
        let has_gap = shown_action(&said).is_some_and(|shown| texts(&shown).any(cavra_redact::has_marker));
        if let Some(record) = self.recorded(&said).await? {
            // The record is without secrets too.
            self.redactor.clean(&mut said, &[])?;
            said.retain(|member, _| !own.contains(&member.as_str()));
            // Where the decision names no group, the one in the body is the request's.
            let group = group_of(&record).or_else(|| group_of(&said));
            if group_of(&record).is_none() {
                said.remove("approver_group");
            }
            let differing = contradictions(&said, &record);
            if !differing.is_empty() {
                let differing = differing.join(", ");
                return Err(CoreError::Conflict(format!(
                    "this is not the decision that was recorded under its id: it differs in {differing}; send the \
                     decision as it was answered, and your own words as request_note"
                )));
            }
            return Ok(Subject { action_digest: exact_digest(&record), decision: record, unverified: false, group });
        }
        if self.routing.requires_recorded_decision() {
            return Err(CoreError::Conflict(
                "no decision of this id is recorded here; approvals are asked for decisions that were".to_owned(),
            ));
        }
        if has_gap {
            // A digest that a caller brings along proves nothing, and the text with the gap in it fits many actions.
            return Err(CoreError::BadRequest(
                "a secret was removed from this decision, and it is not one that was recorded here, so no approval can be \
                 bound to its action"
                    .to_owned(),
            ));
        }
        let action_digest = action_digest(&said);
        self.redactor.clean(&mut said, &[])?;
        Ok(Subject { group: group_of(&said), decision: said, action_digest, unverified: true })
    }

    /// What is asked for by this server itself, which has found all of it.
    pub(super) fn own_subject(&self, mut decision: Object) -> Subject {
        let action_digest = action_digest(&decision);
        self.redactor.object(&mut decision);
        Subject { group: group_of(&decision), decision, action_digest, unverified: false }
    }

    /// The decision of that id, as it is recorded here.
    async fn recorded(&self, decision: &Object) -> Result<Option<Object>, CoreError> {
        let id = decision.get(DECISIONS.id).and_then(Value::as_str).unwrap_or_default();
        match &self.decisions {
            Some(decisions) => Ok(decisions.get(&DECISIONS, id).await?),
            None => Ok(None),
        }
    }
}

/// The digest of the action of a recorded decision: where a secret was cut out, the one that was taken before.
fn exact_digest(record: &Object) -> Option<Digest> {
    match record.get("action_digest") {
        Some(digest) => serde_json::from_value(digest.clone()).ok(),
        None => action_digest(record),
    }
}

/// The group that a decision names.
fn group_of(decision: &Object) -> Option<String> {
    let group = decision.get("approver_group").and_then(Value::as_str).map(str::trim);
    group.filter(|group| !group.is_empty()).map(ToOwned::to_owned)
}

fn texts(shown: &Value) -> impl Iterator<Item = &str> {
    shown.as_object().into_iter().flat_map(|members| members.values()).filter_map(Value::as_str)
}
