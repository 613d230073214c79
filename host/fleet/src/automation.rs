//! Automation: a stored ingestion, reconciled, and on drift the remediation request that it opened, as one record.

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::ids::of_document;
use crate::record::{Documented, Header, member, record};

/// `metadata_kind` of its record.
pub const AUTOMATION_KIND: &str = "endpoint-reconciliation-automation";

/// What was reconciled, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Automation<'a> {
    /// Who asked.
    pub requested_by: &'a str,
    /// The ingestion's record.
    pub ingestion: &'a Object,
    /// The reconciliation report.
    pub report: &'a Object,
    /// The remediation request and its approval, on drift.
    pub request: Option<(&'a Object, &'a Object)>,
}

/// The automation's document and record.
#[must_use]
pub fn automation(about: Automation<'_>, now: Timestamp) -> Documented {
    let report = about.report;
    let reconciliation = members::text(report, "reconciliation_id");
    let inventory_id = member(about.ingestion, "inventory_id");
    let request_id = about.request.map(|(request, _)| members::text(request, "request_id"));
    let approval_id = about.request.map(|(_, approval)| members::text(approval, "approval_id"));
    let approval_state = about.request.map(|(_, approval)| members::text(approval, "state"));
    let release = members::object(report, "release").cloned().unwrap_or_default();
    let id = of_document(
        "era_",
        &json!({
            "version": member(&release, "version"), "commit": member(&release, "commit"),
            "inventory_id": inventory_id, "reconciliation_id": reconciliation, "request_id": request_id,
        }),
    );
    let mut references = vec![format!("endpoint-reconciliation://{reconciliation}")];
    references.extend(request_id.map(|id| format!("endpoint-remediation-request://{id}")));
    references.extend(approval_id.map(|id| format!("approval://{id}")));
    let shared = members::built(json!({
        "automation_id": id,
        "reconciliation_id": reconciliation,
        "drift_status": member(report, "drift_status"),
        "alert_level": member(report, "alert_level"),
        "release": release,
        "channel": member(report, "channel"),
        "inventory_id": inventory_id,
        "provider": member(about.ingestion, "provider"),
        "observed_at": member(about.ingestion, "observed_at"),
        "approval_id": approval_id,
        "approval_state": approval_state,
        "summary": member(report, "summary"),
        "evidence_refs": references,
    }));
    let mut document = members::built(json!({
        "schema_version": "cavra.endpoint-reconciliation-automation.v1",
        "product": "CAVRA",
        "created_at": now,
        "requested_by": about.requested_by,
        "remediation_request_id": request_id,
        "controls": [
            "inventory-ingestion-reconciled-against-signed-manifest",
            "drift-opens-approval-bound-remediation-request",
            "automation-records-governance-evidence-only",
            "private-connectors-required-for-endpoint-mutation",
        ],
        "reconciliation_report": report,
        "remediation_request": about.request.map(|(request, _)| request),
    }));
    document.extend(shared.clone());
    let summary = members::object(report, "summary").cloned().unwrap_or_default();
    let count = |name: &str| summary.get(name).and_then(Value::as_u64).unwrap_or(0);
    let header = Header {
        kind: AUTOMATION_KIND,
        id: &id,
        created_at: now,
        signer: about.requested_by,
        decisions: u64::from(about.request.is_some()),
        blocked: count("drifted_endpoint_count") + count("missing_target_count"),
        approvals: u64::from(approval_state == Some("pending")),
    };
    let mut content = shared;
    content.insert("request_id".to_owned(), json!(request_id));
    content.insert("automation".to_owned(), Value::Object(document.clone()));
    let record = record(&header, Value::Object(content));
    Documented { id, document: Value::Object(document), record, warnings: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector() {
        let material = json!({"version": "3.2.0", "commit": "c0ffee1", "inventory_id": "eii_0123456789ab",
            "reconciliation_id": "mer_0123456789ab", "request_id": null});
        assert_eq!(of_document("era_", &material), "era_a3c2705487f1");
    }
}
