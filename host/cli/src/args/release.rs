//! `cavra release …`. docs/reference/evidence-and-promotion.md, section 14.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{EndpointCommand, Json, SendArgs, SlaCommand};

#[derive(Subcommand)]
pub enum ReleaseCommand {
    /// Verify a release package.
    VerifyGoPackage {
        /// Directory of the package.
        package: PathBuf,
        #[command(flatten)]
        strict: PackageFlags,
        #[command(flatten)]
        json: Json,
    },
    /// Verify an air-gap archive of a release package.
    VerifyAirgapBundle(AirgapArgs),
    /// Check whether one package may follow another.
    ValidateUpgrade {
        /// Package in use.
        previous: PathBuf,
        /// Package that would follow.
        candidate: PathBuf,
        /// The same version may follow itself.
        #[arg(long)]
        allow_same_version: bool,
        #[command(flatten)]
        strict: PackageFlags,
        #[command(flatten)]
        json: Json,
    },
    /// Test the installers of a package.
    SmokeInstallers(SmokeArgs),
    /// Print the channel manifest of a verified package.
    ChannelManifest {
        /// Directory of the package.
        package: PathBuf,
        /// Only this channel.
        #[arg(long)]
        channel: Option<String>,
        #[command(flatten)]
        strict: PackageFlags,
        #[command(flatten)]
        json: Json,
    },
    /// Print the updater policy of a verified package.
    UpdaterPolicy {
        /// Directory of the package.
        package: PathBuf,
        #[command(flatten)]
        strict: PackageFlags,
        #[command(flatten)]
        json: Json,
    },
    /// Write the evidence of a package's rollout.
    CaptureRollout(CaptureArgs),
    /// Verify the evidence of a rollout.
    VerifyRollout(VerifyRolloutArgs),
    /// Ask for the approval of a rollout's promotion.
    RequestRolloutPromotion(PromotionRequestArgs),
    /// Record an approved promotion as carried out.
    ExecuteRolloutPromotion(PromotionArgs),
    /// Record an approved rollback of a promotion as carried out.
    ExecuteRolloutRollback(RollbackArgs),
    /// Write the audit event of a promotion for other systems.
    ExportPromotionAudit(AuditArgs),
    /// Send the audit event of a promotion to the systems of a connector file.
    DeliverPromotionAudit(ReleaseDeliverArgs),
    /// Send the audit event of a rollback to the systems of a connector file.
    DeliverRollbackExecution(ReleaseDeliverArgs),
    /// Ask for the approval of a release on a channel.
    RequestChannelPromotion(ChannelArgs),
    /// List deliveries of release events, newest first.
    ConnectorDeliveryHistory(HistoryArgs),
    /// Print deliveries of release events in numbers.
    ConnectorDeliveryDashboard {
        #[command(flatten)]
        store: HistoryStoreArgs,
        #[command(flatten)]
        json: Json,
    },
    #[command(flatten)]
    Endpoints(EndpointCommand),
    #[command(flatten)]
    Sla(SlaCommand),
}

impl ReleaseCommand {
    /// Whether it prints JSON.
    pub fn json(&self) -> Json {
        match self {
            Self::VerifyGoPackage { json, .. }
            | Self::ValidateUpgrade { json, .. }
            | Self::ChannelManifest { json, .. }
            | Self::UpdaterPolicy { json, .. }
            | Self::ConnectorDeliveryDashboard { json, .. } => *json,
            Self::VerifyAirgapBundle(args) => args.json,
            Self::SmokeInstallers(args) => args.json,
            Self::CaptureRollout(args) => args.json,
            Self::VerifyRollout(args) => args.json,
            Self::RequestRolloutPromotion(args) => args.json,
            Self::ExecuteRolloutPromotion(args) => args.execution.json,
            Self::ExecuteRolloutRollback(args) => args.execution.json,
            Self::ExportPromotionAudit(args) => args.json,
            Self::DeliverPromotionAudit(args) | Self::DeliverRollbackExecution(args) => args.json,
            Self::RequestChannelPromotion(args) => args.json,
            Self::ConnectorDeliveryHistory(args) => args.json,
            Self::Endpoints(command) => command.json(),
            Self::Sla(command) => command.json(),
        }
    }
}

/// How strictly a package is verified.
#[derive(Args, Clone)]
pub struct PackageFlags {
    /// Every artifact has to be signed; this is the default.
    #[arg(long, overrides_with = "allow_unsigned")]
    pub require_signatures: bool,
    /// A missing signature is a warning.
    #[arg(long, overrides_with = "require_signatures")]
    pub allow_unsigned: bool,
    /// There has to be a provenance; this is the default.
    #[arg(long, overrides_with = "allow_missing_provenance")]
    pub require_provenance: bool,
    /// A missing provenance is a warning.
    #[arg(long, overrides_with = "require_provenance")]
    pub allow_missing_provenance: bool,
    /// Trust root, or bundle of them, that the package has to be signed under.
    #[arg(long, value_name = "FILE", env = "CAVRA_RELEASE_TRUST_ROOT")]
    pub trust_root: Option<PathBuf>,
}

#[derive(Args)]
pub struct AirgapArgs {
    /// The archive.
    pub archive: PathBuf,
    /// Directory to extract a valid package into.
    #[arg(long, value_name = "DIR")]
    pub extract_dir: Option<PathBuf>,
    /// The offline bootstrap has to be there; this is the default.
    #[arg(long, overrides_with = "allow_missing_bootstrap")]
    pub require_bootstrap: bool,
    /// A missing offline bootstrap is a warning.
    #[arg(long, overrides_with = "require_bootstrap")]
    pub allow_missing_bootstrap: bool,
    #[command(flatten)]
    pub strict: PackageFlags,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct SmokeArgs {
    /// Directory of the package.
    pub package: PathBuf,
    /// Start the binary for this machine, as `BINARY --version`.
    #[arg(long, overrides_with = "skip_execution")]
    pub execute_native: bool,
    /// Start nothing; this is the default.
    #[arg(long, overrides_with = "execute_native")]
    pub skip_execution: bool,
    /// Time a started binary may take.
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS")]
    pub timeout_seconds: f64,
    #[command(flatten)]
    pub strict: PackageFlags,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct CaptureArgs {
    /// Directory of the package.
    pub package: PathBuf,
    /// Directory for the evidence.
    #[arg(long, default_value = ".cavra/release/rollout", value_name = "DIR")]
    pub output: PathBuf,
    /// Deployment target of the package; may be repeated; default is all of them.
    #[arg(long, value_name = "ID")]
    pub deployment_id: Vec<String>,
    /// Environment.
    #[arg(long, default_value = "production", value_name = "NAME")]
    pub environment: String,
    /// Id of the rollout; default is made of environment, version and time.
    #[arg(long, value_name = "ID")]
    pub rollout_id: Option<String>,
    /// Ring.
    #[arg(long, default_value = "staging", value_name = "NAME")]
    pub rollout_ring: String,
    /// planned, staged, succeeded, failed or rolled_back.
    #[arg(long, default_value = "planned")]
    pub status: String,
    /// Who rolls out.
    #[arg(long, default_value = "release-manager", value_name = "NAME")]
    pub actor: String,
    /// Change record.
    #[arg(long, default_value = "unassigned", value_name = "ID")]
    pub change_record: String,
    #[command(flatten)]
    pub strict: PackageFlags,
    #[command(flatten)]
    pub json: Json,
}

/// Where the record of what was done is put.
#[derive(Args, Clone, Default)]
pub struct MetadataArgs {
    /// JSON file of evidence metadata to put the record into.
    #[arg(long, value_name = "PATH")]
    pub metadata_json: Option<PathBuf>,
    /// SQLite file of evidence metadata to put the record into.
    #[arg(long, value_name = "PATH")]
    pub sqlite: Option<PathBuf>,
}

#[derive(Args)]
pub struct VerifyRolloutArgs {
    /// Directory of the evidence.
    pub rollout: PathBuf,
    /// Directory of the package; default is the one the evidence names.
    #[arg(long, value_name = "DIR")]
    pub package_dir: Option<PathBuf>,
    /// The package has to verify too; this is the default.
    #[arg(long, overrides_with = "skip_package_verification")]
    pub require_package_verification: bool,
    /// The package is not verified.
    #[arg(long, overrides_with = "require_package_verification")]
    pub skip_package_verification: bool,
    #[command(flatten)]
    pub metadata: MetadataArgs,
    #[command(flatten)]
    pub strict: PackageFlags,
    #[command(flatten)]
    pub json: Json,
}

/// Where a new approval is put.
#[derive(Args, Clone, Default)]
pub struct ApprovalTargetArgs {
    /// JSON file of approvals; .cavra/approvals.json if no store is named.
    #[arg(long, value_name = "PATH")]
    pub approval_store: Option<PathBuf>,
    /// SQLite file of approvals.
    #[arg(long, value_name = "PATH")]
    pub approval_sqlite: Option<PathBuf>,
}

#[derive(Args)]
pub struct PromotionRequestArgs {
    /// Directory of the evidence.
    pub rollout: PathBuf,
    /// Directory for the request.
    #[arg(long, default_value = ".cavra/release/rollout-promotion", value_name = "DIR")]
    pub output: PathBuf,
    /// Ring to promote to.
    #[arg(long, default_value = "production", value_name = "NAME")]
    pub target_ring: String,
    /// Group that has to approve.
    #[arg(long, default_value = "Change Advisory Board", value_name = "GROUP")]
    pub approver_group: String,
    #[command(flatten)]
    pub asked: AskArgs,
    /// Directory of the package; default is the one the evidence names.
    #[arg(long, value_name = "DIR")]
    pub package_dir: Option<PathBuf>,
    /// The package is not verified; the approvers see that.
    #[arg(long)]
    pub skip_package_verification: bool,
    #[command(flatten)]
    pub strict: PackageFlags,
    #[command(flatten)]
    pub json: Json,
}

/// Who asks, for how long, and who signs.
#[derive(Args, Clone)]
pub struct AskArgs {
    /// Who asks.
    #[arg(long, default_value = "release-manager", value_name = "NAME")]
    pub requested_by: String,
    /// Hours until the request lapses, 1 to 720.
    #[arg(long, default_value_t = 24, allow_negative_numbers = true, value_name = "HOURS")]
    pub ttl_hours: i64,
    /// Ed25519 private key, PEM file; default is the key in the environment.
    #[arg(long, value_name = "PEM")]
    pub signing_key: Option<PathBuf>,
    /// Who signs.
    #[arg(long, default_value = "release-manager", value_name = "NAME")]
    pub signer: String,
    #[command(flatten)]
    pub approvals: ApprovalTargetArgs,
}

/// The approval that lets something happen, and who does it.
#[derive(Args)]
pub struct ExecutionArgs {
    /// File with the approval; wins over the stores.
    #[arg(long, value_name = "FILE")]
    pub approval_json: Option<PathBuf>,
    #[command(flatten)]
    pub approvals: ApprovalTargetArgs,
    /// Who does it.
    #[arg(long, default_value = "release-manager", value_name = "NAME")]
    pub executed_by: String,
    /// Where; default is where the rollout was.
    #[arg(long, value_name = "NAME")]
    pub execution_environment: Option<String>,
    /// Whatever else there is to say.
    #[arg(long, value_name = "TEXT")]
    pub notes: Option<String>,
    #[command(flatten)]
    pub metadata: MetadataArgs,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct PromotionArgs {
    /// File with the signed request.
    pub request: PathBuf,
    /// Directory for the document.
    #[arg(long, default_value = ".cavra/release/rollout-promotion-execution", value_name = "DIR")]
    pub output: PathBuf,
    /// Approval; default is the one the request names.
    #[arg(long, value_name = "ID")]
    pub approval_id: Option<String>,
    /// Trust root, or bundle of them, that the request has to be signed under; default is the key in the environment.
    #[arg(long, value_name = "FILE")]
    pub trust_root: Option<PathBuf>,
    #[command(flatten)]
    pub execution: ExecutionArgs,
}

#[derive(Args)]
pub struct RollbackArgs {
    /// File with the promotion's document.
    pub promotion: PathBuf,
    /// Directory for the document.
    #[arg(long, default_value = ".cavra/release/rollout-rollback-execution", value_name = "DIR")]
    pub output: PathBuf,
    /// Approval; default is the one in --approval-json.
    #[arg(long, value_name = "ID")]
    pub approval_id: Option<String>,
    /// Why.
    #[arg(
        long,
        default_value = "the promotion is rolled back under an approved rollback request",
        value_name = "TEXT"
    )]
    pub rollback_reason: String,
    #[command(flatten)]
    pub execution: ExecutionArgs,
}

#[derive(Args)]
pub struct AuditArgs {
    /// File with the promotion's document.
    pub promotion: PathBuf,
    /// Directory for the event.
    #[arg(long, default_value = ".cavra/release/promotion-audit-export", value_name = "DIR")]
    pub output: PathBuf,
    /// splunk, sentinel, datadog, webhook, jira, servicenow, several separated by commas, or all.
    #[arg(long, default_value = "all")]
    pub provider: String,
    /// Splunk index.
    #[arg(long, default_value = "cavra", value_name = "NAME")]
    pub splunk_index: String,
    /// Datadog service.
    #[arg(long, default_value = "cavra", value_name = "NAME")]
    pub datadog_service: String,
    /// Project of tickets.
    #[arg(long, default_value = "CAVRA", value_name = "KEY")]
    pub itsm_project_key: String,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct ReleaseDeliverArgs {
    /// File with the document of the promotion or rollback.
    pub document: PathBuf,
    /// Directory of what is written down.
    #[arg(long, default_value = ".cavra/release/connector-deliveries", value_name = "DIR")]
    pub output: PathBuf,
    #[command(flatten)]
    pub send: SendArgs,
    #[command(flatten)]
    pub metadata: MetadataArgs,
    /// Always so: the answer is one JSON value.
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct ChannelArgs {
    /// Directory of the package.
    pub package: PathBuf,
    /// Directory for the request.
    #[arg(long, default_value = ".cavra/release/channel-promotion", value_name = "DIR")]
    pub output: PathBuf,
    /// Channel.
    #[arg(long, default_value = "stable", value_name = "NAME")]
    pub channel: String,
    /// Ring behind it.
    #[arg(long, default_value = "enterprise", value_name = "NAME")]
    pub target_ring: String,
    /// Group that has to approve.
    #[arg(long, default_value = "Endpoint Change Advisory Board", value_name = "GROUP")]
    pub approver_group: String,
    #[command(flatten)]
    pub asked: AskArgs,
    #[command(flatten)]
    pub metadata: MetadataArgs,
    #[command(flatten)]
    pub strict: PackageFlags,
    #[command(flatten)]
    pub json: Json,
}

/// Where deliveries are recorded.
#[derive(Args, Clone)]
pub struct HistoryStoreArgs {
    /// JSON file of evidence metadata; wins over --sqlite.
    #[arg(long, value_name = "PATH")]
    pub metadata_json: Option<PathBuf>,
    /// SQLite file of evidence metadata.
    #[arg(long, value_name = "PATH", default_value = ".cavra/evidence/metadata.db")]
    pub sqlite: PathBuf,
}

#[derive(Args)]
pub struct HistoryArgs {
    #[command(flatten)]
    pub store: HistoryStoreArgs,
    /// Only deliveries to this provider.
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Only this type of event.
    #[arg(long, value_name = "TYPE")]
    pub event_type: Option<String>,
    /// Only events whose id contains this text.
    #[arg(long, value_name = "TEXT")]
    pub event_id: Option<String>,
    /// Only deliveries that all succeeded, or not.
    #[arg(long, value_name = "BOOL")]
    pub success: Option<String>,
    /// Page size, clamped to 1..500.
    #[arg(long, default_value_t = 50, allow_negative_numbers = true)]
    pub limit: i64,
    /// Start of the page.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub offset: i64,
    #[command(flatten)]
    pub json: Json,
}
