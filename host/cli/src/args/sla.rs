//! `cavra release … endpoint-remediation-sla …`. docs/reference/remediation-sla.md, section 13.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::sla_lists::{
    SlaActionsArgs, SlaAlertsArgs, SlaEscalationsArgs, SlaListArgs, SlaNoticesArgs, SlaRecurrencesArgs, SlaReportsArgs,
    SlaRunsArgs,
};
use super::{HistoryStoreArgs, Json, SendArgs, WayArgs};

#[derive(Subcommand)]
pub enum SlaCommand {
    /// Measure the work that was handed off against how long it may take.
    EndpointRemediationSlaReport(SlaReportArgs),
    /// Tell people about a report.
    DeliverEndpointRemediationSla(SlaNotifyArgs),
    /// Record an answer to a notification.
    AckEndpointRemediationSla(SlaAckArgs),
    /// List reports, newest first.
    EndpointRemediationSlaHistory(SlaReportsArgs),
    /// Print the newest report in numbers.
    EndpointRemediationSlaDashboard(SlaListArgs),
    /// List plans, answers and deliveries of notifications, newest first.
    EndpointRemediationSlaNotificationHistory(SlaNoticesArgs),
    /// Print notifications in numbers.
    EndpointRemediationSlaNotificationDashboard(SlaListArgs),
    /// Find out who has not answered in time.
    EndpointRemediationSlaEscalationPlan(SlaPlanArgs),
    /// List escalation plans, newest first.
    EndpointRemediationSlaEscalationHistory(SlaEscalationsArgs),
    /// Print the newest escalation plan in numbers.
    EndpointRemediationSlaEscalationDashboard(SlaListArgs),
    /// Tell people about the late routes of a plan.
    DeliverEndpointRemediationSlaEscalation(SlaFollowArgs),
    /// Record what an owner says about a late route.
    ReviewEndpointRemediationSlaEscalation(SlaReviewArgs),
    /// List everything that followed escalations, newest first.
    EndpointRemediationSlaEscalationActionHistory(SlaActionsArgs),
    /// Print what followed escalations in numbers.
    EndpointRemediationSlaEscalationActionDashboard(SlaListArgs),
    /// Find out which late routes are told again.
    EndpointRemediationSlaEscalationRecurrencePlan(SlaPlanArgs),
    /// List recurrence plans, newest first.
    EndpointRemediationSlaEscalationRecurrenceHistory(SlaRecurrencesArgs),
    /// Print the newest recurrence plan in numbers.
    EndpointRemediationSlaEscalationRecurrenceDashboard(SlaListArgs),
    /// Tell again about the routes that a plan lets through.
    DeliverEndpointRemediationSlaEscalationRecurrence(SlaFollowArgs),
    /// Write why routes of a recurrence plan are not told again.
    ExportEndpointRemediationSlaEscalationSuppressionAudit(SlaAuditArgs),
    /// Find out which deliveries are tried again.
    EndpointRemediationSlaEscalationRecurrenceRetryPlan(SlaPlanArgs),
    /// Tell owners what they have open of a recurrence plan.
    DeliverEndpointRemediationSlaEscalationOwnerDigest(SlaDigestArgs),
    /// Print how often routes were not told again.
    EndpointRemediationSlaEscalationSuppressionTrends(SlaListArgs),
    /// Do one pass of the scheduled worker.
    EndpointRemediationSlaEscalationRecurrenceAutomation(SlaAutomationArgs),
    /// List passes of the scheduled worker, newest first.
    EndpointRemediationSlaEscalationRecurrenceAutomationHistory(SlaRunsArgs),
    /// Print passes of the scheduled worker in numbers.
    EndpointRemediationSlaEscalationRecurrenceAutomationDashboard(SlaListArgs),
    /// Print whether the scheduled worker does its work.
    EndpointRemediationSlaEscalationRecurrenceAutomationHealth(SlaHealthArgs),
    /// Tell people that the scheduled worker needs attention.
    DeliverEndpointRemediationSlaEscalationRecurrenceAutomationHealthAlert(SlaAlertArgs),
    /// Record an answer to such an alert.
    AckEndpointRemediationSlaEscalationRecurrenceAutomationHealthAlert(SlaAckArgs),
    /// List plans, answers and deliveries of such alerts, newest first.
    EndpointRemediationSlaEscalationRecurrenceAutomationHealthAlertHistory(SlaAlertsArgs),
    /// Print such alerts in numbers.
    EndpointRemediationSlaEscalationRecurrenceAutomationHealthAlertDashboard(SlaListArgs),
}

impl SlaCommand {
    /// Whether it prints JSON.
    pub fn json(&self) -> Json {
        match self {
            Self::EndpointRemediationSlaReport(args) => args.by.json,
            Self::DeliverEndpointRemediationSla(args) => args.by.json,
            Self::AckEndpointRemediationSla(args)
            | Self::AckEndpointRemediationSlaEscalationRecurrenceAutomationHealthAlert(args) => args.json,
            Self::EndpointRemediationSlaEscalationPlan(args)
            | Self::EndpointRemediationSlaEscalationRecurrencePlan(args)
            | Self::EndpointRemediationSlaEscalationRecurrenceRetryPlan(args) => args.by.json,
            Self::DeliverEndpointRemediationSlaEscalation(args)
            | Self::DeliverEndpointRemediationSlaEscalationRecurrence(args) => args.by.json,
            Self::ReviewEndpointRemediationSlaEscalation(args) => args.json,
            Self::ExportEndpointRemediationSlaEscalationSuppressionAudit(args) => args.json,
            Self::DeliverEndpointRemediationSlaEscalationOwnerDigest(args) => args.by.json,
            Self::EndpointRemediationSlaEscalationRecurrenceAutomation(args) => args.by.json,
            Self::DeliverEndpointRemediationSlaEscalationRecurrenceAutomationHealthAlert(args) => args.by.json,
            // Histories, dashboards and what only looks print nothing else.
            _ => Json { json: true },
        }
    }
}

/// Stores that are written where they are named.
#[derive(Args, Clone)]
pub struct SlaStoreArgs {
    /// JSON file of evidence metadata to work in.
    #[arg(long, value_name = "PATH")]
    pub metadata_json: Option<PathBuf>,
    /// SQLite file of evidence metadata to work in; beside --metadata-json, what was made is put there too.
    #[arg(long, value_name = "PATH")]
    pub sqlite: Option<PathBuf>,
}

/// Who asks, and how the answer is printed.
#[derive(Args, Clone)]
pub struct SlaByArgs {
    /// Who asks.
    #[arg(long, value_name = "NAME", default_value = "release-manager")]
    pub generated_by: String,
    #[command(flatten)]
    pub json: Json,
}

/// Whether duplicates are sent.
#[derive(Args, Clone)]
pub struct SlaForceArgs {
    /// Tell those too who were told a moment ago.
    #[arg(long, overrides_with = "no_force")]
    pub force: bool,
    /// Do not; this is the default.
    #[arg(long, overrides_with = "force")]
    pub no_force: bool,
}

#[derive(Args)]
pub struct SlaReportArgs {
    #[command(flatten)]
    pub store: HistoryStoreArgs,
    /// Directory of the report's files.
    #[arg(long, value_name = "DIR", default_value = ".cavra/release/endpoint-remediation-sla")]
    pub output: PathBuf,
    /// Hours after which work is at risk.
    #[arg(long, default_value_t = 24, allow_negative_numbers = true)]
    pub warning_hours: i64,
    /// Hours after which work is late.
    #[arg(long, default_value_t = 48, allow_negative_numbers = true)]
    pub critical_hours: i64,
    /// JSON file of evidence metadata to put the report into.
    #[arg(long, value_name = "PATH")]
    pub index_metadata_json: Option<PathBuf>,
    /// SQLite file of evidence metadata to put the report into.
    #[arg(long, value_name = "PATH")]
    pub index_sqlite: Option<PathBuf>,
    #[command(flatten)]
    pub by: SlaByArgs,
}

#[derive(Args)]
pub struct SlaNotifyArgs {
    /// The report.
    pub report: PathBuf,
    #[command(flatten)]
    pub store: SlaStoreArgs,
    #[command(flatten)]
    pub send: SendArgs,
    /// Directory of the delivery.
    #[arg(long, value_name = "DIR", default_value = ".cavra/release/endpoint-remediation-sla-deliveries")]
    pub output: PathBuf,
    /// Who is told under which conditions, JSON or YAML.
    #[arg(long, value_name = "FILE")]
    pub routing_policy: Option<PathBuf>,
    /// Minutes in which a second notification is a duplicate.
    #[arg(long, value_name = "MINUTES", allow_negative_numbers = true)]
    pub suppression_window_minutes: Option<i64>,
    #[command(flatten)]
    pub force: SlaForceArgs,
    #[command(flatten)]
    pub by: SlaByArgs,
}

#[derive(Args)]
pub struct SlaAckArgs {
    /// Id of the report, or of the health.
    pub id: String,
    #[command(flatten)]
    pub store: SlaStoreArgs,
    /// The connector that was answered on.
    #[arg(long)]
    pub provider: String,
    /// Who answers.
    #[arg(long, value_name = "NAME")]
    pub acknowledged_by: String,
    /// acknowledged, dismissed, escalated or resolved.
    #[arg(long, default_value = "acknowledged")]
    pub acknowledgement_state: String,
    /// The plan that is answered.
    #[arg(long, value_name = "ID")]
    pub plan_id: Option<String>,
    /// Reference into another system.
    #[arg(long, value_name = "REF")]
    pub external_ref: Option<String>,
    /// What else is said.
    #[arg(long)]
    pub notes: Option<String>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct SlaReviewArgs {
    /// Id of the escalation plan.
    pub plan_id: String,
    #[command(flatten)]
    pub store: SlaStoreArgs,
    /// Report of the route.
    #[arg(long, value_name = "ID")]
    pub report_id: String,
    /// Connector of the route.
    #[arg(long)]
    pub provider: String,
    /// Owner of the route.
    #[arg(long)]
    pub owner: String,
    /// Who reviews.
    #[arg(long, value_name = "NAME")]
    pub reviewed_by: String,
    /// accepted, deferred, resolved, false_positive or escalated.
    #[arg(long, default_value = "accepted")]
    pub review_state: String,
    /// Reference into another system.
    #[arg(long, value_name = "REF")]
    pub external_ref: Option<String>,
    /// What else is said.
    #[arg(long)]
    pub notes: Option<String>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct SlaPlanArgs {
    #[command(flatten)]
    pub store: HistoryStoreArgs,
    /// The policy, JSON or YAML.
    #[arg(long, value_name = "FILE", visible_aliases = ["slo-policy", "recurrence-policy", "retry-policy"])]
    pub policy: Option<PathBuf>,
    #[command(flatten)]
    pub by: SlaByArgs,
}

#[derive(Args)]
pub struct SlaFollowArgs {
    /// The plan.
    pub plan: PathBuf,
    #[command(flatten)]
    pub store: SlaStoreArgs,
    #[command(flatten)]
    pub send: SendArgs,
    /// Directory of the delivery.
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Most routes in the event.
    #[arg(long, allow_negative_numbers = true)]
    pub max_routes: Option<i64>,
    #[command(flatten)]
    pub by: SlaByArgs,
}

#[derive(Args)]
pub struct SlaDigestArgs {
    /// The recurrence plan.
    pub plan: PathBuf,
    #[command(flatten)]
    pub store: SlaStoreArgs,
    #[command(flatten)]
    pub send: SendArgs,
    /// Directory of the delivery.
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".cavra/release/endpoint-remediation-sla-escalation-owner-digests"
    )]
    pub output: PathBuf,
    /// The retry plan.
    #[arg(long, value_name = "FILE")]
    pub retry_plan: Option<PathBuf>,
    #[command(flatten)]
    pub by: SlaByArgs,
}

#[derive(Args)]
pub struct SlaAuditArgs {
    /// The recurrence plan.
    pub plan: PathBuf,
    #[command(flatten)]
    pub store: SlaStoreArgs,
    /// Directory of the audit's files.
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".cavra/release/endpoint-remediation-sla-escalation-suppression-audit"
    )]
    pub output: PathBuf,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct SlaAutomationArgs {
    #[command(flatten)]
    pub store: HistoryStoreArgs,
    /// How deliveries are tried again, JSON or YAML.
    #[arg(long, value_name = "FILE")]
    pub retry_policy: Option<PathBuf>,
    /// Connector file, JSON or YAML.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory of the deliveries.
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".cavra/release/endpoint-remediation-sla-escalation-owner-digests"
    )]
    pub output: PathBuf,
    #[command(flatten)]
    pub way: WayArgs,
    /// Minutes between two passes.
    #[arg(long, default_value_t = 60, allow_negative_numbers = true)]
    pub schedule_interval_minutes: i64,
    /// Most recurrence plans whose owners are told.
    #[arg(long, default_value_t = 5, allow_negative_numbers = true)]
    pub max_digest_plans: i64,
    /// Send nothing; this is the default.
    #[arg(long, overrides_with = "execute")]
    pub dry_run: bool,
    /// Send what has to be sent.
    #[arg(long, overrides_with = "dry_run")]
    pub execute: bool,
    #[command(flatten)]
    pub by: SlaByArgs,
}

#[derive(Args)]
pub struct SlaHealthArgs {
    #[command(flatten)]
    pub store: SlaListArgs,
    #[command(flatten)]
    pub limits: SlaLimitArgs,
}

/// How often a pass is expected.
#[derive(Args, Clone)]
pub struct SlaLimitArgs {
    /// Minutes between two passes.
    #[arg(long, default_value_t = 30, allow_negative_numbers = true)]
    pub expected_interval_minutes: i64,
    /// Minutes after which documents are stale.
    #[arg(long, default_value_t = 120, allow_negative_numbers = true)]
    pub stale_metadata_minutes: i64,
}

#[derive(Args)]
pub struct SlaAlertArgs {
    #[command(flatten)]
    pub store: HistoryStoreArgs,
    #[command(flatten)]
    pub send: SendArgs,
    #[command(flatten)]
    pub limits: SlaLimitArgs,
    /// Directory of the delivery.
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".cavra/release/endpoint-remediation-sla-escalation-recurrence-automation-health-alerts"
    )]
    pub output: PathBuf,
    /// Who is told under which conditions, JSON or YAML.
    #[arg(long, value_name = "FILE")]
    pub routing_policy: Option<PathBuf>,
    /// Minutes in which a second alert is a duplicate.
    #[arg(long, value_name = "MINUTES", allow_negative_numbers = true)]
    pub suppression_window_minutes: Option<i64>,
    #[command(flatten)]
    pub force: SlaForceArgs,
    #[command(flatten)]
    pub by: SlaByArgs,
}
