//! Filters of the lists of `cavra release endpoint-remediation-sla-…`. docs/reference/remediation-sla.md, section 13.

use std::ops::Deref;

use clap::Args;

use super::{HistoryStoreArgs, Json};

/// Where a list or a dashboard is read from. It is printed as JSON whether `--json` is given or not.
#[derive(Args)]
pub struct SlaListArgs {
    #[command(flatten)]
    store: HistoryStoreArgs,
    #[command(flatten)]
    json: Json,
}

impl Deref for SlaListArgs {
    type Target = HistoryStoreArgs;

    fn deref(&self) -> &HistoryStoreArgs {
        &self.store
    }
}

/// A page.
#[derive(Args, Clone)]
pub struct SlaPageArgs {
    /// Page size, clamped to 1..500.
    #[arg(long, default_value_t = 50, allow_negative_numbers = true)]
    pub limit: i64,
    /// Start.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub offset: i64,
}

#[derive(Args)]
pub struct SlaReportsArgs {
    #[command(flatten)]
    pub store: SlaListArgs,
    /// Only reports of this level.
    #[arg(long, value_name = "LEVEL")]
    pub alert_level: Option<String>,
    /// Only reports with at least so many late items.
    #[arg(long, value_name = "COUNT")]
    pub min_breached: Option<String>,
    #[command(flatten)]
    pub page: SlaPageArgs,
}

/// Filters of notices.
#[derive(Args, Clone)]
pub struct SlaNoticeFilters {
    /// Only those of this connector.
    #[arg(long)]
    pub provider: Option<String>,
    /// Only this kind of record.
    #[arg(long, value_name = "KIND")]
    pub metadata_kind: Option<String>,
    /// Only answers of this state.
    #[arg(long, value_name = "STATE")]
    pub acknowledgement_state: Option<String>,
    /// Only plans that suppressed somebody.
    #[arg(long, overrides_with = "no_suppressed")]
    pub suppressed: bool,
    /// Only what suppressed nobody.
    #[arg(long, overrides_with = "suppressed")]
    pub no_suppressed: bool,
    #[command(flatten)]
    pub page: SlaPageArgs,
}

#[derive(Args)]
pub struct SlaNoticesArgs {
    #[command(flatten)]
    pub store: SlaListArgs,
    /// Only those of this report.
    #[arg(long, value_name = "ID")]
    pub report_id: Option<String>,
    #[command(flatten)]
    pub filters: SlaNoticeFilters,
}

#[derive(Args)]
pub struct SlaAlertsArgs {
    #[command(flatten)]
    pub store: SlaListArgs,
    /// Only those of this health.
    #[arg(long, value_name = "ID")]
    pub health_id: Option<String>,
    #[command(flatten)]
    pub filters: SlaNoticeFilters,
}

#[derive(Args)]
pub struct SlaEscalationsArgs {
    #[command(flatten)]
    pub store: SlaListArgs,
    /// Only plans with routes of this owner.
    #[arg(long)]
    pub owner: Option<String>,
    /// Only plans with routes of this connector.
    #[arg(long)]
    pub provider: Option<String>,
    /// Only plans of this level.
    #[arg(long, value_name = "LEVEL")]
    pub alert_level: Option<String>,
    /// Only plans with routes that are late.
    #[arg(long, overrides_with = "no_active_only")]
    pub active_only: bool,
    /// All plans; this is the default.
    #[arg(long, overrides_with = "active_only")]
    pub no_active_only: bool,
    #[command(flatten)]
    pub page: SlaPageArgs,
}

#[derive(Args)]
pub struct SlaActionsArgs {
    #[command(flatten)]
    pub store: SlaListArgs,
    /// Only what is about this plan.
    #[arg(long, value_name = "ID")]
    pub plan_id: Option<String>,
    /// Only what is about this owner.
    #[arg(long)]
    pub owner: Option<String>,
    /// Only what is about this connector.
    #[arg(long)]
    pub provider: Option<String>,
    /// Only this kind of record.
    #[arg(long, value_name = "KIND")]
    pub metadata_kind: Option<String>,
    /// Only reviews of this state.
    #[arg(long, value_name = "STATE")]
    pub review_state: Option<String>,
    #[command(flatten)]
    pub page: SlaPageArgs,
}

#[derive(Args)]
pub struct SlaRecurrencesArgs {
    #[command(flatten)]
    pub store: SlaListArgs,
    /// Only plans of this escalation plan.
    #[arg(long, value_name = "ID")]
    pub plan_id: Option<String>,
    /// Only plans with decisions about this owner.
    #[arg(long)]
    pub owner: Option<String>,
    /// Only plans with decisions about this connector.
    #[arg(long)]
    pub provider: Option<String>,
    /// Only plans with decisions to deliver, wait or suppress.
    #[arg(long)]
    pub action: Option<String>,
    #[command(flatten)]
    pub page: SlaPageArgs,
}

#[derive(Args)]
pub struct SlaRunsArgs {
    #[command(flatten)]
    pub store: SlaListArgs,
    /// Only passes that sent nothing.
    #[arg(long, overrides_with = "no_dry_run")]
    pub dry_run: bool,
    /// Only passes that were carried out.
    #[arg(long, overrides_with = "dry_run")]
    pub no_dry_run: bool,
    #[command(flatten)]
    pub page: SlaPageArgs,
}
