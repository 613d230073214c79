//! Remediation requests: the plan, bound to an approval that has to be given first.

use cavra_model::{Digest, Object, Timestamp, canonical, members};
use serde_json::{Value, json};

use crate::Refusal;
use crate::ids::request_id;
use crate::plan::{STRATEGIES, actions};
use crate::record::{Documented, Header, member, record};

/// `metadata_kind` of its record.
pub const REQUEST_KIND: &str = "endpoint-drift-remediation-request";
/// `action_type` of the decision that has to be approved.
pub const OPERATION: &str = "endpoint_drift_remediation";
/// Who approves unless somebody else is named.
pub const APPROVER_GROUP: &str = "Endpoint Change Advisory Board";
/// Schema of reconciliation reports.
const REPORT_SCHEMA: &str = "cavra.endpoint-reconciliation.v1";
/// Schema of requests.
pub const REQUEST_SCHEMA: &str = "cavra.endpoint-drift-remediation-request.v1";
/// Counters that a request takes over from its report.
const COUNTERS: [&str; 3] = ["drifted_endpoint_count", "missing_target_count", "stale_endpoint_count"];

/// A plan that waits for its approval.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestedRemediation {
    /// Id of the request.
    pub id: String,
    /// The report that it is about.
    pub report: Object,
    /// How drift is treated.
    pub strategy: String,
    /// The actions.
    pub actions: Value,
}

impl RequestedRemediation {
    /// The plan for a report.
    ///
    /// # Errors
    /// [`Refusal::Request`] for an unknown strategy or a report of another schema.
    pub fn plan(report: &Object, strategy: &str) -> Result<Self, Refusal> {
        if !STRATEGIES.contains(&strategy) {
            return Err(Refusal::Request(format!("strategy must be one of {}", STRATEGIES.join(", "))));
        }
        if members::text(report, "schema_version") != REPORT_SCHEMA {
            return Err(Refusal::Request(format!("the report's schema_version is not {REPORT_SCHEMA}")));
        }
        let actions = json!(actions(report, strategy));
        let id = request_id(members::text(report, "reconciliation_id"), strategy, &actions);
        Ok(Self { id, report: report.clone(), strategy: strategy.to_owned(), actions })
    }

    /// How many actions it has.
    #[must_use]
    pub fn action_count(&self) -> usize {
        self.actions.as_array().map_or(0, Vec::len)
    }

    fn reconciliation(&self) -> &str {
        members::text(&self.report, "reconciliation_id")
    }
}

/// Digest of what is approved: the actions, under which strategy, for which reconciliation.
pub fn actions_digest(reconciliation: &str, strategy: &str, actions: &Value) -> String {
    let material = json!({"reconciliation_id": reconciliation, "strategy": strategy, "actions": actions});
    Digest::of(canonical(&material)).hex().to_owned()
}

/// Digest of a document's compact canonical form.
pub fn digest_of(document: &Object) -> String {
    Digest::of(canonical(&Value::Object(document.clone()))).hex().to_owned()
}

/// The decision that has to be approved before the plan is executed.
#[must_use]
pub fn remediation_decision(plan: &RequestedRemediation, requested_by: &str) -> Object {
    let report = &plan.report;
    let (id, reconciliation, count) = (&plan.id, plan.reconciliation(), plan.action_count());
    let mut metadata = members::built(json!({
        "request_id": id,
        "reconciliation_id": reconciliation,
        "strategy": plan.strategy,
        "action_count": count,
        "drift_status": member(report, "drift_status"),
        "actions_sha256": actions_digest(reconciliation, &plan.strategy, &plan.actions),
        "reconciliation_sha256": digest_of(report),
    }));
    let summary = members::object(report, "summary").cloned().unwrap_or_default();
    metadata.extend(COUNTERS.iter().map(|name| ((*name).to_owned(), member(&summary, name))));
    members::built(json!({
        "decision_id": format!("{id}:decision"),
        "session_id": reconciliation,
        "correlation_id": id,
        "decision": "require_approval",
        "action_type": OPERATION,
        "rule_id": "release.endpoint_remediation.require_approval",
        "severity": member(report, "alert_level"),
        "target": reconciliation,
        "reason": format!("{count} actions against the drift of {reconciliation} need an approval"),
        "actor": requested_by,
        "policy_pack": "cavra-release-integrity",
        "evidence_refs": [format!("endpoint-reconciliation://{reconciliation}")],
        "metadata": metadata,
    }))
}

/// The request, with the approval it waits for.
#[must_use]
pub fn request_document(plan: &RequestedRemediation, approval: &Object, requested_by: &str, now: Timestamp) -> Object {
    let report = &plan.report;
    let reconciliation = plan.reconciliation();
    members::built(json!({
        "schema_version": REQUEST_SCHEMA,
        "product": "CAVRA",
        "request_id": plan.id,
        "reconciliation_id": reconciliation,
        "created_at": now,
        "requested_by": requested_by,
        "strategy": plan.strategy,
        "drift_status": member(report, "drift_status"),
        "alert_level": member(report, "alert_level"),
        "release": member(report, "release"),
        "channel": member(report, "channel"),
        "summary": member(report, "summary"),
        "action_count": plan.action_count(),
        "actions": plan.actions,
        "approval": {
            "approval_id": member(approval, "approval_id"),
            "state": member(approval, "state"),
            "approver_group": member(approval, "approver_group"),
            "decision_id": format!("{}:decision", plan.id),
        },
        "controls": [
            "endpoint-drift-actions-derived-from-reconciliation",
            "approval-required-before-remediation",
            "public-repo-records-governance-only",
            "private-connectors-required-for-endpoint-mutation",
        ],
        "evidence_refs": [
            format!("endpoint-reconciliation://{reconciliation}"),
            format!("approval://{}", members::text(approval, "approval_id")),
        ],
        "reconciliation_sha256": digest_of(report),
        "reconciliation_report": report,
    }))
}

/// The record of a request. `superseded` are approvals of the same request that came to nothing.
#[must_use]
pub fn request_record(request: &Object, superseded: &[String], now: Timestamp) -> Documented {
    let id = members::text(request, "request_id").to_owned();
    let approval = members::object(request, "approval").cloned().unwrap_or_default();
    let header = Header {
        kind: REQUEST_KIND,
        id: &id,
        created_at: now,
        signer: members::text(request, "requested_by"),
        decisions: 1,
        blocked: 0,
        approvals: 1,
    };
    let mut content = members::built(json!({
        "approval_id": member(&approval, "approval_id"),
        "approval_state": member(&approval, "state"),
        "request": request,
    }));
    for name in [
        "request_id",
        "reconciliation_id",
        "drift_status",
        "alert_level",
        "strategy",
        "action_count",
        "release",
        "channel",
        "actions",
        "evidence_refs",
    ] {
        content.insert(name.to_owned(), member(request, name));
    }
    let summary = members::object(request, "summary").cloned().unwrap_or_default();
    content.extend(COUNTERS.iter().map(|name| ((*name).to_owned(), member(&summary, name))));
    if !superseded.is_empty() {
        content.insert("superseded_approval_ids".to_owned(), json!(superseded));
    }
    let record = record(&header, Value::Object(content));
    Documented { id, document: Value::Object(request.clone()), record, warnings: Vec::new() }
}
