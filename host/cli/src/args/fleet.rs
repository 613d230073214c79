//! `cavra release …-endpoint-…`: managed endpoints.

use std::path::PathBuf;

use cavra_model::{
    ENDPOINT_AUTOMATIONS, ENDPOINT_FRESHNESS, ENDPOINT_HANDOFF_STATUSES, ENDPOINT_HANDOFFS, ENDPOINT_INGESTIONS,
    ENDPOINT_PUBLICATIONS, ENDPOINT_RECONCILIATIONS, ENDPOINT_REMEDIATIONS, MetadataKind, Operator,
};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, Subcommand};

use super::release::{ApprovalTargetArgs, HistoryStoreArgs, MetadataArgs, PackageFlags};
use super::{ExecutionArgs, Json, SendArgs};

#[derive(Subcommand)]
pub enum EndpointCommand {
    /// Write what endpoint-management tools need to install a release.
    ExportEndpointManagement(ExportArgs),
    /// Send an export to endpoint-management tools.
    DeliverEndpointExport(DeliverExportArgs),
    /// Read a vendor's inventory export as observations of endpoints.
    IngestEndpointInventory(IngestArgs),
    /// Report how old the newest inventory of each scope is.
    EndpointInventoryFreshness(FreshnessArgs),
    /// Compare the deployment manifest of a package with observations.
    ReconcileEndpointDeployment(ReconcileArgs),
    /// Compare it with an ingested inventory; on drift, ask for its remediation.
    AutomateEndpointReconciliation(AutomateArgs),
    /// Ask for the remediation of a reconciliation's drift.
    RequestEndpointRemediation(RemediationArgs),
    /// Record an approved remediation as executed.
    ExecuteEndpointRemediation(ExecuteRemediationArgs),
    /// Package a remediation for systems of tickets, chats and queues.
    ExportEndpointRemediationHandoff(HandoffArgs),
    /// Record what became of a packaged remediation.
    RecordEndpointRemediationHandoffStatus(HandoffStatusArgs),
    /// List publications of exports, newest first.
    EndpointPublicationHistory(EndpointHistory<0>),
    /// List ingested inventories, newest first.
    EndpointInventoryHistory(EndpointHistory<1>),
    /// List reports of how old inventories are, newest first.
    EndpointInventoryFreshnessHistory(EndpointHistory<2>),
    /// List reconciliations, newest first.
    EndpointReconciliationHistory(EndpointHistory<3>),
    /// List reconciled inventories with what that opened, newest first.
    EndpointReconciliationAutomationHistory(EndpointHistory<4>),
    /// List remediations and their executions, newest first.
    EndpointRemediationHistory(EndpointHistory<5>),
    /// List packaged remediations, newest first.
    EndpointRemediationHandoffHistory(EndpointHistory<6>),
    /// List what became of packaged remediations, newest first.
    EndpointRemediationHandoffStatusHistory(EndpointHistory<7>),
    /// Print publications of exports in numbers.
    EndpointPublicationDashboard(DashboardArgs),
    /// Print ingested inventories in numbers.
    EndpointInventoryDashboard(DashboardArgs),
    /// Print reports of how old inventories are in numbers.
    EndpointInventoryFreshnessDashboard(DashboardArgs),
    /// Print reconciliations in numbers.
    EndpointReconciliationDashboard(DashboardArgs),
    /// Print reconciled inventories in numbers.
    EndpointReconciliationAutomationDashboard(DashboardArgs),
    /// Print remediations in numbers.
    EndpointRemediationDashboard(DashboardArgs),
    /// Print packaged remediations in numbers.
    EndpointRemediationHandoffDashboard(DashboardArgs),
    /// Print what became of packaged remediations in numbers.
    EndpointRemediationHandoffStatusDashboard(DashboardArgs),
}

impl EndpointCommand {
    /// Whether it prints JSON.
    pub fn json(&self) -> Json {
        match self {
            Self::ExportEndpointManagement(args) => args.json,
            Self::DeliverEndpointExport(args) => args.json,
            Self::IngestEndpointInventory(args) => args.json,
            Self::EndpointInventoryFreshness(args) => args.json,
            Self::ReconcileEndpointDeployment(args) => args.json,
            Self::AutomateEndpointReconciliation(args) => args.json,
            Self::RequestEndpointRemediation(args) => args.json,
            Self::ExecuteEndpointRemediation(args) => args.execution.json,
            Self::ExportEndpointRemediationHandoff(args) => args.json,
            Self::RecordEndpointRemediationHandoffStatus(args) => args.json,
            _ => Json { json: true },
        }
    }
}

#[derive(Args)]
pub struct ExportArgs {
    /// Directory of the package.
    pub package: PathBuf,
    /// Directory for the files.
    #[arg(long, default_value = ".cavra/release/endpoint-management-export", value_name = "DIR")]
    pub output: PathBuf,
    /// Channel.
    #[arg(long, default_value = "stable", value_name = "NAME")]
    pub channel: String,
    /// jamf, intune, linux or all.
    #[arg(long, default_value = "all", value_name = "NAME")]
    pub provider: String,
    /// Signed request to promote the channel.
    #[arg(long, value_name = "FILE")]
    pub promotion_request: Option<PathBuf>,
    #[command(flatten)]
    pub metadata: MetadataArgs,
    #[command(flatten)]
    pub strict: PackageFlags,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct DeliverExportArgs {
    /// Manifest of the export; its files lie beside it.
    pub manifest: PathBuf,
    /// Directory for what came of it.
    #[arg(long, default_value = ".cavra/release/endpoint-publication-deliveries", value_name = "DIR")]
    pub output: PathBuf,
    #[command(flatten)]
    pub send: SendArgs,
    /// Who publishes.
    #[arg(long, default_value = "release-manager", value_name = "NAME")]
    pub requested_by: String,
    #[command(flatten)]
    pub metadata: MetadataArgs,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct IngestArgs {
    /// File with the export.
    pub file: PathBuf,
    /// jamf, intune, linux or edr.
    #[arg(long, default_value = "linux", value_name = "NAME")]
    pub provider: String,
    /// Directory for the documents.
    #[arg(long, default_value = ".cavra/release/endpoint-inventory", value_name = "DIR")]
    pub output: PathBuf,
    /// Release channel of the endpoints; default is the export's own.
    #[arg(long, value_name = "NAME")]
    pub channel: Option<String>,
    /// When the export was made; default is the export's own time.
    #[arg(long, value_name = "TIME")]
    pub observed_at: Option<String>,
    /// File that says which deployment target a text of the vendor means: a JSON object of texts.
    #[arg(long, value_name = "FILE")]
    pub target_map: Option<PathBuf>,
    #[command(flatten)]
    pub metadata: MetadataArgs,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct FreshnessArgs {
    /// Directory for the report.
    #[arg(long, default_value = ".cavra/release/endpoint-inventory-freshness", value_name = "DIR")]
    pub output: PathBuf,
    #[command(flatten)]
    pub store: HistoryStoreArgs,
    /// Only inventories of this provider.
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Only inventories of this channel.
    #[arg(long, value_name = "NAME")]
    pub channel: Option<String>,
    /// Only inventories of this deployment target.
    #[arg(long, value_name = "ID")]
    pub deployment_target: Option<String>,
    /// From how many hours on an inventory is old.
    #[arg(long, default_value_t = 24, allow_negative_numbers = true, value_name = "HOURS")]
    pub max_age_hours: i64,
    /// From how many hours on that is critical.
    #[arg(long, default_value_t = 48, allow_negative_numbers = true, value_name = "HOURS")]
    pub critical_age_hours: i64,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct ReconcileArgs {
    /// Directory of the package.
    pub package: PathBuf,
    /// File with the observations.
    pub observations: PathBuf,
    /// Directory for the report.
    #[arg(long, default_value = ".cavra/release/endpoint-reconciliation", value_name = "DIR")]
    pub output: PathBuf,
    /// From how many hours on an observation is stale.
    #[arg(long, default_value_t = 24, allow_negative_numbers = true, value_name = "HOURS")]
    pub stale_after_hours: i64,
    /// The package has to verify; this is the default.
    #[arg(long, overrides_with = "skip_package_verification")]
    pub require_package_verification: bool,
    /// The package is not verified.
    #[arg(long, overrides_with = "require_package_verification")]
    pub skip_package_verification: bool,
    #[command(flatten)]
    pub metadata: MetadataArgs,
    #[command(flatten)]
    pub json: Json,
}

/// Who asks for a remediation, of whom, for how long.
#[derive(Args, Clone)]
pub struct RemediationAsk {
    /// Group that has to approve.
    #[arg(long, default_value = "Endpoint Change Advisory Board", value_name = "GROUP")]
    pub approver_group: String,
    /// Hours until the request lapses, 1 to 720.
    #[arg(long, default_value_t = 24, allow_negative_numbers = true, value_name = "HOURS")]
    pub ttl_hours: i64,
    #[command(flatten)]
    pub approvals: ApprovalTargetArgs,
}

#[derive(Args)]
pub struct AutomateArgs {
    /// Directory of the package.
    pub package: PathBuf,
    /// File with the ingestion, its record, or the observations.
    pub ingestion: PathBuf,
    /// Directory for the documents.
    #[arg(long, default_value = ".cavra/release/endpoint-reconciliation-automation", value_name = "DIR")]
    pub output: PathBuf,
    /// From how many hours on an observation is stale.
    #[arg(long, default_value_t = 24, allow_negative_numbers = true, value_name = "HOURS")]
    pub stale_after_hours: i64,
    /// mixed, republish or rollback.
    #[arg(long, default_value = "mixed", value_name = "NAME")]
    pub remediation_strategy: String,
    /// Who asks.
    #[arg(long, default_value = "release-agent", value_name = "NAME")]
    pub requested_by: String,
    #[command(flatten)]
    pub asked: RemediationAsk,
    /// The package has to verify.
    #[arg(long, overrides_with = "skip_package_verification")]
    pub require_package_verification: bool,
    /// The package is not verified; this is the default.
    #[arg(long, overrides_with = "require_package_verification")]
    pub skip_package_verification: bool,
    #[command(flatten)]
    pub metadata: MetadataArgs,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct RemediationArgs {
    /// File with the reconciliation report, or its record.
    pub report: PathBuf,
    /// Directory for the request.
    #[arg(long, default_value = ".cavra/release/endpoint-remediation", value_name = "DIR")]
    pub output: PathBuf,
    /// mixed, republish or rollback.
    #[arg(long, default_value = "mixed", value_name = "NAME")]
    pub strategy: String,
    /// Who asks.
    #[arg(long, default_value = "release-manager", value_name = "NAME")]
    pub requested_by: String,
    #[command(flatten)]
    pub asked: RemediationAsk,
    #[command(flatten)]
    pub metadata: MetadataArgs,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct ExecuteRemediationArgs {
    /// File with the request, or its record.
    pub request: PathBuf,
    /// Directory for the document.
    #[arg(long, default_value = ".cavra/release/endpoint-remediation-execution", value_name = "DIR")]
    pub output: PathBuf,
    /// Approval; default is the one the request names.
    #[arg(long, value_name = "ID")]
    pub approval_id: Option<String>,
    #[command(flatten)]
    pub execution: ExecutionArgs,
}

#[derive(Args)]
pub struct HandoffArgs {
    /// File with the request, or its record.
    pub request: PathBuf,
    /// Directory for the package.
    #[arg(long, default_value = ".cavra/release/endpoint-remediation-handoff", value_name = "DIR")]
    pub output: PathBuf,
    /// jira, servicenow, slack, teams, private_queue or all; may be repeated.
    #[arg(long, default_value = "all", value_name = "NAME")]
    pub provider: Vec<String>,
    /// Who asks.
    #[arg(long, default_value = "release-manager", value_name = "NAME")]
    pub requested_by: String,
    /// How it gets there.
    #[arg(long, default_value = "manual", value_name = "TEXT")]
    pub delivery_mode: String,
    #[command(flatten)]
    pub metadata: MetadataArgs,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct HandoffStatusArgs {
    /// File with the package, or its record.
    pub handoff: PathBuf,
    /// Which system.
    #[arg(long, default_value = "private_queue", value_name = "NAME")]
    pub provider: String,
    /// queued, delivered, acknowledged, in_progress, blocked, completed, failed or cancelled.
    #[arg(long, default_value = "delivered", value_name = "WORD")]
    pub status: String,
    /// Directory for the status.
    #[arg(long, default_value = ".cavra/release/endpoint-remediation-handoff-status", value_name = "DIR")]
    pub output: PathBuf,
    /// Id over there.
    #[arg(long, value_name = "ID")]
    pub external_ref: Option<String>,
    /// Address over there.
    #[arg(long, value_name = "URL")]
    pub external_url: Option<String>,
    /// File with what the system sent.
    #[arg(long, value_name = "FILE")]
    pub callback_json: Option<PathBuf>,
    /// Who reports.
    #[arg(long, default_value = "release-manager", value_name = "NAME")]
    pub recorded_by: String,
    /// Whatever else there is to say.
    #[arg(long, value_name = "TEXT")]
    pub notes: Option<String>,
    #[command(flatten)]
    pub metadata: MetadataArgs,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct DashboardArgs {
    #[command(flatten)]
    pub store: HistoryStoreArgs,
    #[command(flatten)]
    json: Json,
}

/// The kinds whose histories are commands, in the order of [`EndpointCommand`].
static HISTORIES: [&MetadataKind; 8] = [
    &ENDPOINT_PUBLICATIONS,
    &ENDPOINT_INGESTIONS,
    &ENDPOINT_FRESHNESS,
    &ENDPOINT_RECONCILIATIONS,
    &ENDPOINT_AUTOMATIONS,
    &ENDPOINT_REMEDIATIONS,
    &ENDPOINT_HANDOFFS,
    &ENDPOINT_HANDOFF_STATUSES,
];

/// A history: its options are the questions of its kind's list.
pub struct EndpointHistory<const ROW: usize> {
    pub store: HistoryStoreArgs,
    pub kind: &'static MetadataKind,
    pub parameters: Vec<(String, String)>,
    pub limit: i64,
    pub offset: i64,
}

fn history(row: usize) -> &'static MetadataKind {
    HISTORIES.get(row).copied().unwrap_or(&ENDPOINT_PUBLICATIONS)
}

/// Options whose names are not those of their parameters.
const OPTIONS: [(&str, &str); 12] = [
    ("alert_level", "alert-level"),
    ("approval_state", "approval-state"),
    ("deployment_target", "deployment-target"),
    ("drift_status", "drift-status"),
    ("execution_status", "execution-status"),
    ("export_id", "export-id"),
    ("external_ref", "external-ref"),
    ("handoff_id", "handoff-id"),
    ("handoff_status", "handoff-status"),
    ("metadata_kind", "metadata-kind"),
    ("reconciliation_id", "reconciliation-id"),
    ("request_id", "request-id"),
];
/// The switch that says the opposite of a parameter that is true or false.
const OPPOSITE: &str = "no-success";

/// Name of the option for a parameter.
fn option(parameter: &'static str) -> &'static str {
    OPTIONS.iter().find(|(name, _)| *name == parameter).map_or(parameter, |(_, option)| option)
}

impl<const ROW: usize> FromArgMatches for EndpointHistory<ROW> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let kind = history(ROW);
        let mut parameters = Vec::new();
        for filter in kind.filters {
            let name = filter.parameter;
            let given = if filter.operator == Operator::Is {
                let said = |id: &str| matches.get_flag(id);
                if said(name) { Some("true") } else { said(OPPOSITE).then_some("false") }.map(ToOwned::to_owned)
            } else {
                matches.get_one::<String>(name).cloned()
            };
            parameters.extend(given.map(|value| (name.to_owned(), value)));
        }
        let number = |name: &str, default| matches.get_one::<i64>(name).copied().unwrap_or(default);
        let store = HistoryStoreArgs::from_arg_matches(matches)?;
        Ok(Self { store, kind, parameters, limit: number("limit", 50), offset: number("offset", 0) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<const ROW: usize> Args for EndpointHistory<ROW> {
    fn augment_args(command: Command) -> Command {
        let mut command = HistoryStoreArgs::augment_args(command);
        for filter in history(ROW).filters {
            let name = filter.parameter;
            if filter.operator == Operator::Is {
                let flag = |id: &'static str| Arg::new(id).long(id).action(ArgAction::SetTrue);
                command = command
                    .arg(flag(name).help("Only those that succeeded.").overrides_with(OPPOSITE))
                    .arg(flag(OPPOSITE).help("Only those that did not.").overrides_with(name));
            } else {
                let arg = Arg::new(name).long(option(name)).value_name("TEXT");
                command = command.arg(arg.help(format!("Only records of this {}.", name.replace('_', " "))));
            }
        }
        let number = |name: &'static str, default: &'static str| {
            Arg::new(name)
                .long(name)
                .default_value(default)
                .allow_negative_numbers(true)
                .value_parser(clap::value_parser!(i64))
        };
        let command = command
            .arg(number("limit", "50").help("Page size, clamped to 1..500."))
            .arg(number("offset", "0").help("Start of the page."));
        Json::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
