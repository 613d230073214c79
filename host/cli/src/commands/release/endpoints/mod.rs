//! Managed endpoints on the command line: files in place of bodies and answers, the same documents and ids.

mod exports;
mod files;
mod inventories;
mod remediations;

use std::process::ExitCode;

use cavra_core::{
    AUTOMATION_DASHBOARD, EndpointDashboard, FRESHNESS_DASHBOARD, HANDOFF_DASHBOARD, HANDOFF_STATUS_DASHBOARD,
    INGESTION_DASHBOARD, PUBLICATION_DASHBOARD, PageRequest, RECONCILIATION_DASHBOARD, REMEDIATION_DASHBOARD,
};
use serde_json::json;

use super::history::location;
use super::metadata::{look, runtime};
use crate::args::{EndpointCommand, EndpointHistory, HistoryStoreArgs};
use crate::output::print_json;

pub fn run(command: &EndpointCommand) -> anyhow::Result<ExitCode> {
    use EndpointCommand as C;
    match command {
        C::ExportEndpointManagement(args) => exports::export(args),
        C::DeliverEndpointExport(args) => exports::deliver(args),
        C::IngestEndpointInventory(args) => inventories::ingest(args),
        C::EndpointInventoryFreshness(args) => inventories::freshness(args),
        C::ReconcileEndpointDeployment(args) => inventories::reconcile(args),
        C::AutomateEndpointReconciliation(args) => remediations::automate(args),
        C::RequestEndpointRemediation(args) => remediations::request(args),
        C::ExecuteEndpointRemediation(args) => remediations::execute(args),
        C::ExportEndpointRemediationHandoff(args) => remediations::hand_off(args),
        C::RecordEndpointRemediationHandoffStatus(args) => remediations::status(args),
        C::EndpointPublicationHistory(args) => history(args),
        C::EndpointInventoryHistory(args) => history(args),
        C::EndpointInventoryFreshnessHistory(args) => history(args),
        C::EndpointReconciliationHistory(args) => history(args),
        C::EndpointReconciliationAutomationHistory(args) => history(args),
        C::EndpointRemediationHistory(args) => history(args),
        C::EndpointRemediationHandoffHistory(args) => history(args),
        C::EndpointRemediationHandoffStatusHistory(args) => history(args),
        C::EndpointPublicationDashboard(args) => dashboard(&args.store, &PUBLICATION_DASHBOARD),
        C::EndpointInventoryDashboard(args) => dashboard(&args.store, &INGESTION_DASHBOARD),
        C::EndpointInventoryFreshnessDashboard(args) => dashboard(&args.store, &FRESHNESS_DASHBOARD),
        C::EndpointReconciliationDashboard(args) => dashboard(&args.store, &RECONCILIATION_DASHBOARD),
        C::EndpointReconciliationAutomationDashboard(args) => dashboard(&args.store, &AUTOMATION_DASHBOARD),
        C::EndpointRemediationDashboard(args) => dashboard(&args.store, &REMEDIATION_DASHBOARD),
        C::EndpointRemediationHandoffDashboard(args) => dashboard(&args.store, &HANDOFF_DASHBOARD),
        C::EndpointRemediationHandoffStatusDashboard(args) => dashboard(&args.store, &HANDOFF_STATUS_DASHBOARD),
    }
}

fn history<const ROW: usize>(args: &EndpointHistory<ROW>) -> anyhow::Result<ExitCode> {
    let page = PageRequest { parameters: args.parameters.clone(), limit: Some(args.limit), offset: Some(args.offset) };
    let evidence = look(location(&args.store))?;
    let found = runtime()?.block_on(evidence.list(args.kind, &page))?;
    let mut answer = page.answer(found);
    answer.insert("schema_version".to_owned(), json!(args.kind.list_schema));
    answer.insert("product".to_owned(), json!("CAVRA"));
    print_json(&answer)?;
    Ok(ExitCode::SUCCESS)
}

fn dashboard(store: &HistoryStoreArgs, row: &'static EndpointDashboard) -> anyhow::Result<ExitCode> {
    let evidence = look(location(store))?;
    print_json(&runtime()?.block_on(evidence.endpoint_dashboard(row))?)?;
    Ok(ExitCode::SUCCESS)
}
