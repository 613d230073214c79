//! Rows of managed endpoints: lists, numbers, and the nine operations.

use axum::routing::{MethodRouter, post};
use cavra_core::{
    AUTOMATION_DASHBOARD, App, ArtifactRoute, EXPORT_DASHBOARD, EndpointDashboard, FRESHNESS_DASHBOARD,
    HANDOFF_DASHBOARD, HANDOFF_STATUS_DASHBOARD, INGESTION_DASHBOARD, LogEvent, PUBLICATION_DASHBOARD,
    RECONCILIATION_DASHBOARD, REMEDIATION_DASHBOARD,
};
use cavra_identity::Scope;
use cavra_model::{
    ENDPOINT_AUTOMATIONS, ENDPOINT_EXPORTS, ENDPOINT_FRESHNESS, ENDPOINT_HANDOFF_STATUSES, ENDPOINT_HANDOFFS,
    ENDPOINT_INGESTIONS, ENDPOINT_PUBLICATIONS, ENDPOINT_RECONCILIATIONS, ENDPOINT_REMEDIATIONS,
};

use super::evidence::{list, one};
use crate::access::Access;
use crate::documents::{self, ENDPOINT_DASHBOARD};
use crate::endpoint::{Effect, Endpoint, named};
use crate::handlers::{artifacts, fleet};

/// Files of exports.
static EXPORTED: ArtifactRoute = ArtifactRoute { kind: &ENDPOINT_EXPORTS, prefix: "/endpoint-management-exports" };

/// The rows.
pub(super) fn rows() -> Vec<Endpoint> {
    let mut rows = exports();
    rows.extend(inventories());
    rows.extend(remediations());
    rows
}

fn dashboard(path: &'static str, operation: &'static str, row: &'static EndpointDashboard) -> Endpoint {
    Endpoint::get(Access::READ, path, operation, fleet::dashboard(row))
        .answers(documents::dashboard(row.view, &ENDPOINT_DASHBOARD))
        .long()
}

/// An operation that is recorded.
fn act(access: Access, path: &'static str, operation: &'static str, handler: MethodRouter<App>) -> Endpoint {
    Endpoint::post(access, Effect::Changes(&[LogEvent::EvidenceRecorded]), path, operation, handler)
}

/// An operation that is recorded and asks for an approval.
fn ask(path: &'static str, operation: &'static str, handler: MethodRouter<App>) -> Endpoint {
    let effect = Effect::Changes(&[LogEvent::EvidenceRecorded, LogEvent::ApprovalRequested]);
    Endpoint::post(Access::in_person(Scope::Evidence), effect, path, operation, handler)
}

fn exports() -> Vec<Endpoint> {
    vec![
        list("/endpoint-management-exports", "list_endpoint_management_exports", &ENDPOINT_EXPORTS)
            .about("endpoints", "Exports for endpoint management, newest first.")
            .console("endpoint_management_exports"),
        dashboard("/endpoint-management-exports/dashboard", "endpoint_management_export_dashboard", &EXPORT_DASHBOARD)
            .about("endpoints", "Exports for endpoint management in numbers.")
            .console("endpoint_management_export_dashboard"),
        one("/endpoint-management-exports/{export_id}", "get_endpoint_management_export", &ENDPOINT_EXPORTS)
            .about("endpoints", "One export for endpoint management.")
            .console("endpoint_management_export"),
        Endpoint::get(
            Access::READ,
            "/endpoint-management-exports/{export_id}/artifacts",
            "list_endpoint_management_export_artifacts",
            artifacts::listing(&EXPORTED),
        )
        .about("endpoints", "The files of an export, and whether they are intact.")
        .answers(named("ArtifactList"))
        .console("endpoint_management_export_artifacts")
        .refuses(&[404, 409]),
        Endpoint::get(
            Access::READ,
            "/endpoint-management-exports/{export_id}/artifacts/{artifact_name}",
            "get_endpoint_management_export_artifact",
            artifacts::one(&EXPORTED),
        )
        .about("endpoints", "One file of an export; ranges are served.")
        .console("endpoint_management_export_artifact")
        .answers_with_file("*/*")
        .refuses(&[404, 409]),
        Endpoint::get(
            Access::READ,
            "/endpoint-management-exports/{export_id}/artifact-bundle",
            "get_endpoint_management_export_bundle",
            artifacts::bundle(&EXPORTED),
        )
        .about("endpoints", "All files of an export as one ZIP.")
        .console("endpoint_management_export_artifact_bundle")
        .long()
        .answers_with_file("application/zip")
        .refuses(&[404, 409]),
        act(
            Access::in_person(Scope::Evidence),
            "/endpoint-management-exports/{export_id}/publish",
            "publish_endpoint_management_export",
            post(fleet::publish),
        )
        .about("endpoints", "Sends an export to the endpoint-management tools that it was made for.")
        .takes("ExportPublishRequest")
        .answers(named("ExportPublishResult"))
        .console("endpoint_management_export_publish")
        .refuses(&[404, 409]),
        list("/endpoint-management-publications", "list_endpoint_management_publications", &ENDPOINT_PUBLICATIONS)
            .about("endpoints", "Publications of exports, newest first.")
            .console("endpoint_management_publications"),
        dashboard(
            "/endpoint-management-publications/dashboard",
            "endpoint_management_publication_dashboard",
            &PUBLICATION_DASHBOARD,
        )
        .about("endpoints", "Publications of exports in numbers.")
        .console("endpoint_management_publication_dashboard"),
    ]
}

fn inventories() -> Vec<Endpoint> {
    vec![
        act(
            Access::feeds(Scope::Evidence),
            "/endpoint-inventory/ingest",
            "ingest_endpoint_inventory",
            post(fleet::ingest),
        )
        .exact(&["inventory", "payload", "inventory_text"])
        .takes_inventory()
        .about("endpoints", "Reads a vendor's inventory export as observations of endpoints.")
        .takes("InventoryIngest")
        .answers(named("EndpointResult"))
        .console("endpoint_inventory_ingest"),
        list("/endpoint-inventory-ingestions", "list_endpoint_inventory_ingestions", &ENDPOINT_INGESTIONS)
            .about("endpoints", "Inventories that were ingested, newest first.")
            .console("endpoint_inventory_ingestions"),
        dashboard("/endpoint-inventory-ingestions/dashboard", "endpoint_inventory_dashboard", &INGESTION_DASHBOARD)
            .about("endpoints", "Inventories that were ingested in numbers.")
            .console("endpoint_inventory_dashboard"),
        act(
            Access::records(Scope::Evidence),
            "/endpoint-inventory/freshness-report",
            "report_endpoint_inventory_freshness",
            post(fleet::freshness),
        )
        .about("endpoints", "Reports how old the newest inventory of each scope is.")
        .takes("FreshnessRequest")
        .answers(named("EndpointResult"))
        .console("endpoint_inventory_freshness_report")
        .long(),
        list("/endpoint-inventory-freshness", "list_endpoint_inventory_freshness", &ENDPOINT_FRESHNESS)
            .about("endpoints", "Reports of how old inventories are, newest first.")
            .console("endpoint_inventory_freshness"),
        dashboard(
            "/endpoint-inventory-freshness/dashboard",
            "endpoint_inventory_freshness_dashboard",
            &FRESHNESS_DASHBOARD,
        )
        .about("endpoints", "Reports of how old inventories are in numbers.")
        .console("endpoint_inventory_freshness_dashboard"),
        act(
            Access::records(Scope::Evidence),
            "/endpoint-deployment/reconcile",
            "reconcile_endpoint_deployment",
            post(fleet::reconcile),
        )
        .exact(&["desired_manifest", "desired_manifest_text", "desired_manifest_signature", "observed_inventory"])
        .takes_inventory()
        .about("endpoints", "Compares a desired manifest with observations of endpoints.")
        .takes("ReconcileRequest")
        .answers(named("EndpointResult"))
        .console("endpoint_deployment_reconcile"),
        ask(
            "/endpoint-inventory-ingestions/{inventory_id}/reconcile",
            "reconcile_endpoint_inventory",
            post(fleet::reconcile_ingestion),
        )
        .exact(&["desired_manifest", "desired_manifest_text", "desired_manifest_signature"])
        .takes_inventory()
        .about(
            "endpoints",
            "Compares an ingested inventory with a desired manifest; on drift, asks for its remediation.",
        )
        .takes("ReconcileRequest")
        .answers(named("EndpointResult"))
        .console("endpoint_inventory_reconcile")
        .refuses(&[404, 409]),
        list("/endpoint-reconciliations", "list_endpoint_reconciliations", &ENDPOINT_RECONCILIATIONS)
            .about("endpoints", "Comparisons of endpoints with releases, newest first.")
            .console("endpoint_reconciliations"),
        dashboard(
            "/endpoint-reconciliations/dashboard",
            "endpoint_reconciliation_dashboard",
            &RECONCILIATION_DASHBOARD,
        )
        .about("endpoints", "Comparisons of endpoints with releases in numbers.")
        .console("endpoint_reconciliation_dashboard"),
        list("/endpoint-reconciliation-automations", "list_endpoint_reconciliation_automations", &ENDPOINT_AUTOMATIONS)
            .about("endpoints", "Inventories that were reconciled with what that opened, newest first.")
            .console("endpoint_reconciliation_automations"),
        dashboard(
            "/endpoint-reconciliation-automations/dashboard",
            "endpoint_reconciliation_automation_dashboard",
            &AUTOMATION_DASHBOARD,
        )
        .about("endpoints", "Inventories that were reconciled in numbers.")
        .console("endpoint_reconciliation_automation_dashboard"),
    ]
}

fn remediations() -> Vec<Endpoint> {
    vec![
        ask(
            "/endpoint-reconciliations/{reconciliation_id}/remediation-request",
            "request_endpoint_remediation",
            post(fleet::request),
        )
        .about("endpoints", "Asks for the approval of a plan against the drift of a reconciliation.")
        .takes("RemediationRequest")
        .answers(named("EndpointResult"))
        .console("endpoint_remediation_request")
        .refuses(&[404, 409]),
        list("/endpoint-remediations", "list_endpoint_remediations", &ENDPOINT_REMEDIATIONS)
            .about("endpoints", "Requests to remedy drift, and their executions, newest first.")
            .console("endpoint_remediations"),
        dashboard("/endpoint-remediations/dashboard", "endpoint_remediation_dashboard", &REMEDIATION_DASHBOARD)
            .about("endpoints", "Remediations in numbers.")
            .console("endpoint_remediation_dashboard"),
        act(
            Access::in_person(Scope::Evidence),
            "/endpoint-remediations/{request_id}/execute",
            "execute_endpoint_remediation",
            post(fleet::execute),
        )
        .about("endpoints", "Records that an approved remediation is executed, once.")
        .takes("Execution")
        .answers(named("EndpointResult"))
        .console("endpoint_remediation_execute")
        .refuses(&[404, 409]),
        act(
            Access::in_person(Scope::Evidence),
            "/endpoint-remediations/{request_id}/handoff",
            "hand_off_endpoint_remediation",
            post(fleet::hand_off),
        )
        .about("endpoints", "Packages a remediation for systems of tickets, chats and queues.")
        .takes("HandoffRequest")
        .answers(named("EndpointResult"))
        .console("endpoint_remediation_handoff")
        .refuses(&[404, 409]),
        list("/endpoint-remediation-handoffs", "list_endpoint_remediation_handoffs", &ENDPOINT_HANDOFFS)
            .about("endpoints", "Packaged remediations, newest first.")
            .console("endpoint_remediation_handoffs"),
        dashboard(
            "/endpoint-remediation-handoffs/dashboard",
            "endpoint_remediation_handoff_dashboard",
            &HANDOFF_DASHBOARD,
        )
        .about("endpoints", "Packaged remediations in numbers.")
        .console("endpoint_remediation_handoff_dashboard"),
        act(
            Access::feeds(Scope::Evidence),
            "/endpoint-remediation-handoffs/{handoff_id}/status",
            "record_endpoint_remediation_handoff_status",
            post(fleet::status),
        )
        .exact(&["callback_payload", "external_url"])
        .about("endpoints", "Records what a provider or an operator says became of a packaged remediation.")
        .takes("HandoffStatus")
        .answers(named("EndpointResult"))
        .console("endpoint_remediation_handoff_status")
        .refuses(&[404, 409]),
        list(
            "/endpoint-remediation-handoff-statuses",
            "list_endpoint_remediation_handoff_statuses",
            &ENDPOINT_HANDOFF_STATUSES,
        )
        .about("endpoints", "What became of packaged remediations, newest first.")
        .console("endpoint_remediation_handoff_statuses"),
        dashboard(
            "/endpoint-remediation-handoff-statuses/dashboard",
            "endpoint_remediation_handoff_status_dashboard",
            &HANDOFF_STATUS_DASHBOARD,
        )
        .about("endpoints", "What became of packaged remediations in numbers.")
        .console("endpoint_remediation_handoff_status_dashboard"),
    ]
}
