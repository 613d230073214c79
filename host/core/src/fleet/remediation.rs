//! Requests to remedy drift: a plan, and the approval that it waits for. While one is open, the same plan is not asked for
//! again.

use cavra_fleet::{
    APPROVER_GROUP, RequestedRemediation, execution_id, remediation_decision, request_document, request_record,
};
use cavra_model::{
    APPROVALS, ApprovalState, ENDPOINT_RECONCILIATIONS, ENDPOINT_REMEDIATIONS, EVIDENCE_METADATA, EVIDENCE_ORIGINS,
    Object, Timestamp, expire_if_lapsed, has_lapsed, members, state,
};
use cavra_store::{StoreError, Transaction};
use serde_json::{Value, json};

use super::fields::integer;
use super::reconcile::check_strategy;
use super::{CONSOLE, answer, document};
use crate::approvals::request_note;
use crate::caller::{Author, Doer};
use crate::evidence::{Own, written};
use crate::fields::label;
use crate::{App, Approvals, Caller, CoreError, MAX_TTL_HOURS, NewApproval, Redactor};

/// What somebody asks for.
pub(super) struct Asked {
    pub(super) strategy: String,
    pub(super) requester: Doer,
    approver_group: String,
    ttl_hours: u64,
    note: Option<String>,
}

impl Asked {
    /// Reads a body; the strategy is also taken from its member `named`.
    pub(super) fn read(body: &Object, named: &str, caller: &Caller, redactor: Redactor) -> Result<Self, CoreError> {
        let strategy = match label(body, named)? {
            Some(strategy) => strategy,
            None => label(body, "strategy")?.unwrap_or_else(|| "mixed".to_owned()),
        };
        check_strategy(&strategy)?;
        let requested_by = label(body, "requested_by")?.unwrap_or_else(|| CONSOLE.to_owned());
        Ok(Self {
            strategy,
            requester: caller.doer(|| requested_by),
            approver_group: label(body, "approver_group")?.unwrap_or_else(|| APPROVER_GROUP.to_owned()),
            ttl_hours: integer(body, "ttl_hours")?.unwrap_or(24).clamp(1, MAX_TTL_HOURS),
            note: request_note(body, redactor)?,
        })
    }
}

/// A plan that is about to be asked for, with the approval that it would wait for.
pub(super) struct Opening {
    plan: RequestedRemediation,
    requested_by: String,
    approval: Object,
}

/// A request as it stands: one that was there, or one that is to be written with its approval.
pub(super) struct Opened {
    pub(super) record: Object,
    pub(super) approval: Object,
    new: Option<Own>,
}

impl Opening {
    /// `is_ours` says that this server made the report that the plan follows from.
    pub(super) fn prepare(
        approvals: &Approvals,
        plan: RequestedRemediation,
        asked: &Asked,
        is_ours: bool,
    ) -> Result<Self, CoreError> {
        let requested_by = asked.requester.name.clone();
        let new = NewApproval {
            decision: remediation_decision(&plan, &requested_by),
            approver_group: Some(asked.approver_group.clone()),
            requester: asked.requester.clone(),
            ttl_hours: asked.ttl_hours,
            note: asked.note.clone(),
        };
        let approval = if is_ours { approvals.prepare(new) } else { approvals.prepare_unverified(new) }?;
        Ok(Self { plan, requested_by, approval })
    }

    /// The request of this plan that is open or was executed, else a new one. Nothing is written.
    pub(super) fn find(&self, tx: &mut dyn Transaction) -> Result<Result<Opened, CoreError>, StoreError> {
        let now = Timestamp::now();
        let earlier = match tx.get(&EVIDENCE_ORIGINS, &written(&self.plan.id))? {
            Some(_) => tx.get(&EVIDENCE_METADATA, &self.plan.id)?,
            None => None,
        };
        let mut superseded = Vec::new();
        if let Some(mut record) = earlier {
            let approval_id = members::text(&record, "approval_id").to_owned();
            if let Some(approval) = standing(tx, &self.plan.id, &approval_id, now)? {
                record.insert("approval_state".to_owned(), approval.get("state").cloned().unwrap_or(Value::Null));
                return Ok(Ok(Opened { record, approval, new: None }));
            }
            let before = members::texts(&record, "superseded_approval_ids").into_iter().map(ToOwned::to_owned);
            superseded.extend(before.chain([approval_id]));
        }
        let request = request_document(&self.plan, &self.approval, &self.requested_by, now);
        let made = request_record(&request, &superseded, now);
        Ok(Own::checked(made.record.clone()).map(|own| Opened {
            record: made.record,
            approval: self.approval.clone(),
            new: Some(own),
        }))
    }
}

/// The approval of a request, if it is still open or if the request was executed under it.
fn standing(
    tx: &mut dyn Transaction,
    request_id: &str,
    approval_id: &str,
    now: Timestamp,
) -> Result<Option<Object>, StoreError> {
    let Some(mut approval) = tx.get(&APPROVALS, approval_id)? else { return Ok(None) };
    expire_if_lapsed(&mut approval, now);
    let open = match state(&approval) {
        Some(ApprovalState::Pending) => true,
        Some(ApprovalState::Approved) => !has_lapsed(&approval, now),
        _ => false,
    };
    let execution = written(&execution_id(request_id, approval_id));
    let stands = open || tx.get(&EVIDENCE_ORIGINS, &execution)?.is_some();
    Ok(stands.then_some(approval))
}

impl Opened {
    /// The request's document.
    pub(super) fn document(&self) -> Object {
        members::object(&self.record, "request").cloned().unwrap_or_default()
    }

    /// Writes what is new; answers the record as it is stored.
    pub(super) fn write(&self, tx: &mut dyn Transaction, author: Option<&Author>) -> Result<Object, StoreError> {
        let Some(own) = &self.new else { return Ok(self.record.clone()) };
        Approvals::open(tx, &self.approval)?;
        own.put(tx, author)
    }
}

impl App {
    /// Asks for the remediation of a reconciliation's drift: the plan, and a pending approval of exactly it.
    ///
    /// # Errors
    /// In this order: [`CoreError::NotFound`]; [`CoreError::BadRequest`] for a record without a report, and for members that
    /// are not what they must be; [`CoreError::Conflict`] if there is no drift; [`CoreError::Store`].
    pub async fn request_remediation(&self, id: &str, body: &Object, caller: &Caller) -> Result<Value, CoreError> {
        let record = self.evidence.get(&ENDPOINT_RECONCILIATIONS, id).await?;
        let report = document(&ENDPOINT_RECONCILIATIONS, &record)?;
        // Else the plan of another reconciliation could be taken with this report's words.
        if members::text(report, "reconciliation_id") != id {
            return Err(CoreError::BadRequest("the report is that of another reconciliation".to_owned()));
        }
        let asked = Asked::read(body, "strategy", caller, self.settings.redactor)?;
        let plan = RequestedRemediation::plan(report, &asked.strategy)?;
        if plan.action_count() == 0 {
            return Err(CoreError::Conflict("there is no drift to remedy".to_owned()));
        }
        let is_ours = self.evidence.is_ours(id).await?;
        let opening = Opening::prepare(&self.approvals, plan, &asked, is_ours)?;
        let author = caller.author();
        let change = move |tx: &mut dyn Transaction| {
            let opened = match opening.find(tx)? {
                Ok(opened) => opened,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let metadata = opened.write(tx, author.as_ref())?;
            Ok(Ok((opened, metadata)))
        };
        let (opened, metadata) = self.store.transact(change).await??;
        tracing::info!(reconciliation = id, new = opened.new.is_some(), "remediation requested");
        Ok(answer(
            &[],
            json!({
                "reconciliation_id": id,
                "request": opened.document(),
                "approval": opened.approval,
                "metadata": metadata,
            }),
        ))
    }

    /// A stored request, and the id of its approval.
    ///
    /// # Errors
    /// [`CoreError::NotFound`]; [`CoreError::BadRequest`] for a record without a document or without an approval.
    pub(super) async fn remediation_request(
        &self,
        id: &str,
        approval_id: Option<String>,
    ) -> Result<(Object, String), CoreError> {
        let record = self.evidence.get(&ENDPOINT_REMEDIATIONS, id).await?;
        let request = document(&ENDPOINT_REMEDIATIONS, &record)?.clone();
        let named = members::object(&request, "approval").and_then(|approval| members::filled(approval, "approval_id"));
        let named = named.or_else(|| members::filled(&record, "approval_id")).map(ToOwned::to_owned);
        let approval_id =
            approval_id.or(named).ok_or_else(|| CoreError::BadRequest("approval_id is required".to_owned()))?;
        Ok((request, approval_id))
    }
}
