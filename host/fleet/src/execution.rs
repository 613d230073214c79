//! Execution of a remediation request under its approval. It says what is to be done; it touches no endpoint.

use cavra_model::{Authorization, Binding, Object, Person, Timestamp, authorization_problems, members};
use serde_json::{Value, json};

use crate::ids::{execution_id, request_id};
use crate::record::{Documented, Header, member, record};
use crate::remediation::{OPERATION, REQUEST_SCHEMA, actions_digest, digest_of};

/// `metadata_kind` of its record.
pub const EXECUTION_KIND: &str = "endpoint-drift-remediation-execution";

/// Who executes, where, and what they say about it.
#[derive(Clone, Debug, Default)]
pub struct Execution<'a> {
    /// Who executes.
    pub executed_by: &'a str,
    /// The person who executes, if one is known.
    pub executor: Option<&'a Person>,
    /// Where.
    pub environment: Option<&'a str>,
    /// What they add.
    pub notes: Option<&'a str>,
}

/// Everything that keeps `approval` from letting `request` be executed now.
#[must_use]
pub fn execution_problems(request: &Object, approval: &Object, now: Timestamp) -> Vec<String> {
    let mut problems = Vec::new();
    let mut expect = |holds: bool, problem: &str| {
        if !holds {
            problems.push(problem.to_owned());
        }
    };
    let (id, reconciliation) = (members::text(request, "request_id"), members::text(request, "reconciliation_id"));
    expect(members::text(request, "schema_version") == REQUEST_SCHEMA, "schema_version is not that of a request");
    expect(!id.is_empty(), "request_id is missing");
    expect(!reconciliation.is_empty(), "reconciliation_id is missing");
    let actions = member(request, "actions");
    let strategy = members::text(request, "strategy");
    expect(id == request_id(reconciliation, strategy, &actions), "request_id is not that of the request's actions");
    let named = members::object(request, "approval").map(|approval| members::text(approval, "approval_id"));
    let used = members::text(approval, "approval_id");
    expect(named == Some(used), "the approval is not the request's");
    let report = members::object(request, "reconciliation_report");
    let report_digest = report.map(digest_of).unwrap_or_default();
    expect(
        report.is_none() || members::text(request, "reconciliation_sha256") == report_digest,
        "reconciliation_sha256 is not that of the request's report",
    );
    let decision_id = format!("{id}:decision");
    let actions_sha256 = actions_digest(reconciliation, strategy, &actions);
    let bindings = vec![
        Binding::to("/decision_id", &decision_id),
        Binding::to("/session_id", reconciliation),
        Binding::to("/decision/metadata/request_id", id),
        Binding::to("/decision/metadata/reconciliation_id", reconciliation),
        Binding::if_present("/decision/metadata/actions_sha256", &actions_sha256),
        Binding::if_present("/decision/metadata/reconciliation_sha256", &report_digest),
    ];
    let wanted = Authorization { operation: OPERATION, break_glass: false, bindings };
    problems.extend(authorization_problems(approval, &wanted, now));
    problems
}

/// What was executed: a document, and the record that holds it.
#[must_use]
pub fn execute(request: &Object, approval: &Object, said: &Execution<'_>, now: Timestamp) -> Documented {
    let (request_id, reconciliation) =
        (members::text(request, "request_id"), members::text(request, "reconciliation_id"));
    let approval_id = members::text(approval, "approval_id");
    let id = execution_id(request_id, approval_id);
    let results: Vec<_> = members::objects(request, "actions").into_iter().map(result).collect();
    let references = json!([
        format!("endpoint-reconciliation://{reconciliation}"),
        format!("endpoint-remediation-request://{request_id}"),
        format!("approval://{approval_id}"),
    ]);
    let mut document = members::built(json!({
        "schema_version": "cavra.endpoint-drift-remediation-execution.v1",
        "product": "CAVRA",
        "execution_id": id,
        "request_id": request_id,
        "approval_id": approval_id,
        "reconciliation_id": reconciliation,
        "created_at": now,
        "executed_by": said.executed_by,
        "execution_environment": said.environment,
        "execution_status": "recorded",
        "strategy": member(request, "strategy"),
        "release": member(request, "release"),
        "channel": member(request, "channel"),
        "action_results": results,
        "approval": {
            "approval_id": approval_id,
            "state": member(approval, "state"),
            "approver_group": member(approval, "approver_group"),
            "decided_by": member(approval, "decided_by"),
            "decided_at": member(approval, "decided_at"),
            "decision_reason": member(approval, "decision_reason"),
        },
        "controls": [
            "approval-state-approved",
            "approval-bound-to-reconciliation",
            "remediation-request-digest-recorded",
            "public-execution-record-does-not-mutate-endpoints",
        ],
        "request_sha256": digest_of(request),
        "evidence_refs": references,
    }));
    if let Some(executor) = said.executor {
        executor.note(&mut document, "executed_by");
    }
    if let Some(notes) = said.notes {
        document.insert("notes".to_owned(), json!(notes));
    }
    let header = Header {
        kind: EXECUTION_KIND,
        id: &id,
        created_at: now,
        signer: said.executed_by,
        decisions: 0,
        blocked: 0,
        approvals: 0,
    };
    let content = json!({
        "execution_id": id,
        "request_id": request_id,
        "reconciliation_id": reconciliation,
        "execution_status": "recorded",
        "strategy": member(request, "strategy"),
        "action_count": results.len(),
        "approval_id": approval_id,
        "approval_state": member(approval, "state"),
        "release": member(request, "release"),
        "channel": member(request, "channel"),
        "action_results": results,
        "execution": document,
        "evidence_refs": references,
    });
    let record = record(&header, content);
    Documented { id, document: Value::Object(document), record, warnings: Vec::new() }
}

fn result(action: &Object) -> Value {
    let id = members::text(action, "action_id");
    json!({
        "action_id": id,
        "action_type": member(action, "action_type"),
        "deployment_target": member(action, "deployment_target"),
        "endpoint_id": member(action, "endpoint_id"),
        "provider": member(action, "provider"),
        "status": "queued_for_private_connector_or_manual_execution",
        "public_boundary": "This record changes no endpoint: a connector or a person with access to it does.",
        "evidence_ref": format!("endpoint-remediation-action://{id}"),
    })
}
