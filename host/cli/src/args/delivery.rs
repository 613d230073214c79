//! `cavra delivery …`.

use clap::{Args, Subcommand};

use super::Json;

/// States of deliveries.
const STATES: [&str; 4] = ["delivered", "dead_letter", "pending", "dropped"];

#[derive(Subcommand)]
pub enum DeliveryCommand {
    /// List deliveries to integrations, the oldest first.
    List(DeliveryListArgs),
    /// Show one delivery, with the event if it has not arrived.
    Show(DeliveryArg),
    /// Have dead letters sent again.
    Retry(DeliveryRetryArgs),
    /// Decide that what has not arrived is not sent any more.
    Drop(DeliveryArg),
    /// How far each integration has been told what happened, and what keeps it.
    Status(Json),
}

#[derive(Args)]
pub struct DeliveryListArgs {
    /// Only those to this integration.
    #[arg(long, value_name = "ID")]
    pub integration: Option<String>,
    /// Only those in this state.
    #[arg(long, value_parser = STATES)]
    pub state: Option<String>,
    /// Only those of this type of event.
    #[arg(long, value_name = "TYPE")]
    pub event_type: Option<String>,
    /// Most deliveries that are listed.
    #[arg(long, default_value_t = 50)]
    pub limit: i64,
    /// Deliveries before the first one that is listed.
    #[arg(long, default_value_t = 0)]
    pub offset: i64,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct DeliveryArg {
    /// Id of the delivery, as listed.
    pub id: String,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct DeliveryRetryArgs {
    /// Id of the dead letter, as listed.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub id: Option<String>,
    /// All dead letters.
    #[arg(long)]
    pub all: bool,
    /// With --all, only those to this integration.
    #[arg(long, value_name = "ID", requires = "all")]
    pub integration: Option<String>,
    #[command(flatten)]
    pub json: Json,
}
