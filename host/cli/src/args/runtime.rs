//! `cavra runtime …`. docs/reference/connectors-drills-ops-registry.md, section 3.4.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Json;

#[derive(Subcommand)]
pub enum RuntimeCommand {
    /// Print whether the schedule of rollback drills can be relied on, and when the next drill is due.
    #[command(name = "go-rollback-drill-schedule")]
    Schedule(DrillScheduleArgs),
    /// Print who would be told about a drill; sends and stores nothing.
    #[command(name = "go-rollback-drill-notification-plan")]
    NotificationPlan(DrillPlanArgs),
    /// Print an answer to a notice about a drill.
    #[command(name = "go-rollback-drill-notification-ack")]
    NotificationAck(DrillAckArgs),
    /// Find out which notices were not answered in time.
    #[command(name = "go-rollback-drill-escalation-plan")]
    EscalationPlan(DrillEscalationArgs),
}

/// Where the files of drills are, and how they are judged. What is not said here is not taken from the environment.
#[derive(Args, Clone)]
pub struct DrillFilesArgs {
    /// How far the backend has taken over: disabled, shadow, enforce or promoted.
    #[arg(long, default_value = "disabled")]
    pub mode: String,
    /// The drills there were.
    #[arg(long, value_name = "FILE")]
    pub rollback_drill_history_path: Option<PathBuf>,
    /// When drills are due.
    #[arg(long, value_name = "FILE")]
    pub rollback_drill_schedule_path: Option<PathBuf>,
}

#[derive(Args)]
pub struct DrillScheduleArgs {
    #[command(flatten)]
    pub files: DrillFilesArgs,
    /// Days after which the latest drill is too old.
    #[arg(long, value_name = "DAYS")]
    pub rollback_drill_max_age_days: Option<f64>,
    /// Days before a drill is due in which it is due soon.
    #[arg(long, value_name = "DAYS")]
    pub rollback_drill_due_soon_days: Option<f64>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct DrillPlanArgs {
    #[command(flatten)]
    pub files: DrillFilesArgs,
    /// Who is told on whose behalf, JSON or YAML.
    #[arg(long, value_name = "FILE")]
    pub routing_policy: Option<PathBuf>,
    /// Connectors by name, with commas, or all.
    #[arg(long, default_value = "all")]
    pub provider: String,
    /// Tell them although the schedule is in order.
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct DrillAckArgs {
    /// Id of the schedule.
    pub schedule_id: String,
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
pub struct DrillEscalationArgs {
    /// Minutes in which somebody has to answer, whatever the policy says; without, 60 where it says nothing.
    #[arg(long, allow_negative_numbers = true)]
    pub acknowledgement_minutes: Option<i64>,
    /// Who is told on whose behalf, JSON or YAML.
    #[arg(long, value_name = "FILE")]
    pub routing_policy: Option<PathBuf>,
    #[command(flatten)]
    pub json: Json,
}
