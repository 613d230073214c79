//! The request to promote a rollout to the next ring. docs/reference/evidence-and-promotion.md, section 7.

use cavra_model::{Object, Timestamp};
use serde_json::{Value, json};

use super::PROMOTION;
use crate::ids::promotion_request_id;
use crate::members::{built, filled, objects, texts};
use crate::rollout::{ROLLOUT_EVIDENCE, VerifiedRollout};
use crate::summary::Summary;

/// Schema of the request.
pub const PROMOTION_REQUEST_SCHEMA: &str = "cavra.go-runtime.endpoint-rollout-promotion-request.v1";
/// Who approves promotions unless somebody else is named.
pub const CHANGE_BOARD: &str = "Change Advisory Board";

/// What keeps a rollout from being promoted, beside what is wrong with its evidence.
#[must_use]
pub fn promotion_refusals(rollout: &VerifiedRollout, target_ring: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let status = filled(&rollout.evidence, "status").unwrap_or_default();
    if !["staged", "succeeded"].contains(&status) {
        problems.push(format!("rollout status must be staged or succeeded to promote, not {status:?}"));
    }
    match filled(&rollout.evidence, "rollout_ring") {
        None => problems.push(format!("{ROLLOUT_EVIDENCE}: rollout_ring is missing")),
        Some(ring) if ring == target_ring => problems.push(format!("the rollout is in ring {ring} already")),
        Some(_) => {}
    }
    problems
}

/// The decision that has to be approved. Checks that the requester left out stand in it, so that approvers see them.
#[must_use]
pub fn promotion_decision(
    rollout: &VerifiedRollout,
    target_ring: &str,
    requested_by: &str,
    relaxed: &[&str],
) -> Object {
    let evidence = &rollout.evidence;
    let member = |name: &str| evidence.get(name).cloned().unwrap_or(Value::Null);
    let rollout_id = &rollout.report.rollout_id;
    let request_id = promotion_request_id(rollout_id, target_ring);
    let (ring, change) = (filled(evidence, "rollout_ring").unwrap_or_default(), filled(evidence, "change_record"));
    let mut metadata = built(json!({
        "rollout_id": rollout_id,
        "current_ring": ring,
        "target_ring": target_ring,
        "environment": member("environment"),
        "rollout_status": member("status"),
        "change_record": member("change_record"),
        "deployment_targets": rollout.report.deployment_targets,
        "verified_artifacts": rollout.report.verified_artifacts,
        "release": member("release"),
    }));
    if !relaxed.is_empty() {
        metadata.insert("relaxed_checks".to_owned(), json!(relaxed));
    }
    built(json!({
        "decision_id": format!("{request_id}:decision"),
        "session_id": rollout_id,
        "correlation_id": request_id,
        "action_type": PROMOTION.operation,
        "target": format!("{rollout_id}->{target_ring}"),
        "decision": "require_approval",
        "severity": "high",
        "rule_id": "release.rollout.promotion.require_approval",
        "reason": format!("promoting rollout {rollout_id} from ring {ring} to {target_ring} needs an approval"),
        "actor": requested_by,
        "policy_pack": "cavra-release-integrity",
        "repository": evidence.get("release").and_then(|release| release.get("repository")),
        "evidence_refs": [
            format!("rollout://{rollout_id}"),
            format!("evidence://{rollout_id}/{ROLLOUT_EVIDENCE}"),
            format!("change://{}", change.unwrap_or_default()),
        ],
        "metadata": metadata,
    }))
}

/// The request, not signed yet, with the approval it waits for.
#[must_use]
pub fn promotion_request(rollout: &VerifiedRollout, target_ring: &str, approval: &Object, now: Timestamp) -> Object {
    let evidence = &rollout.evidence;
    let member = |name: &str| evidence.get(name).cloned().unwrap_or(Value::Null);
    let rollout_id = &rollout.report.rollout_id;
    built(json!({
        "schema_version": PROMOTION_REQUEST_SCHEMA,
        "product": "CAVRA",
        "request_id": promotion_request_id(rollout_id, target_ring),
        "created_at": now,
        "rollout_id": rollout_id,
        "environment": member("environment"),
        "current_ring": member("rollout_ring"),
        "target_ring": target_ring,
        "rollout_status": member("status"),
        "change_record": member("change_record"),
        "release": member("release"),
        "deployment_targets": rollout.report.deployment_targets,
        "rollback_evidence_refs": rollback_refs(rollout_id, evidence),
        "verified_artifacts": rollout.report.verified_artifacts,
        "approval": approval,
    }))
}

/// One reference per step back of every target, in the evidence's order.
fn rollback_refs(rollout_id: &str, evidence: &Object) -> Vec<Value> {
    let mut refs = Vec::new();
    for target in objects(evidence, "deployment_targets") {
        let id = filled(target, "id").unwrap_or_default();
        for (index, step) in texts(target, "rollback_steps").into_iter().enumerate() {
            let reference = format!("rollback://{rollout_id}/{id}/{}", index + 1);
            refs.push(json!({ "target": id, "ref": reference, "step": step }));
        }
    }
    refs
}

/// A request or execution for people.
#[must_use]
pub fn request_summary(title: &str, document: &Object) -> String {
    let names = [
        "request_id",
        "execution_id",
        "rollback_id",
        "promotion_execution_id",
        "approval_id",
        "rollout_id",
        "channel",
        "environment",
        "execution_environment",
        "executed_by",
        "current_ring",
        "target_ring",
        "rollout_status",
        "execution_status",
        "rollback_status",
        "rollback_reason",
        "change_record",
        "created_at",
        "notes",
    ];
    let approval = document.get("approval").and_then(Value::as_object).cloned().unwrap_or_default();
    let waits =
        ["approval_id", "approver_group", "state"].map(|name| filled(&approval, name).unwrap_or("-").to_owned());
    Summary::of(title, document)
        .members(&names)
        .release()
        .list("Approval (id, group, state)", waits)
        .list("Deployment targets", texts(document, "deployment_targets"))
        .list("Controls", texts(document, "controls"))
        .list("Evidence", texts(document, "evidence_refs"))
        .text()
}
