//! `cavra integration …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Json;

#[derive(Subcommand)]
pub enum IntegrationCommand {
    /// Send an event to the systems of a connector file; prints what came of it and writes it down.
    Deliver(DeliverArgs),
    /// Send a test event through an integration; exits with 1 if it does not arrive.
    Test(IntegrationTestArgs),
}

#[derive(Args)]
pub struct IntegrationTestArgs {
    /// Id of the integration.
    pub id: String,
    /// Connector file, JSON or YAML; default is that of CAVRA_CONNECTOR_CONFIG.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Always so: the answer is one JSON value.
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct DeliverArgs {
    /// JSON file with the event.
    pub event: PathBuf,
    /// Connector file, JSON or YAML.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Systems to send it to, separated by commas; all is every one that is configured.
    #[arg(long, default_value = "all")]
    pub provider: String,
    /// Attempts after the first, at most 10.
    #[arg(long, default_value_t = 2, allow_negative_numbers = true)]
    pub retries: i64,
    /// Time for one attempt, at most 60.
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS", allow_negative_numbers = true)]
    pub timeout_seconds: f64,
    /// Directory of what is written down.
    #[arg(long, default_value = ".cavra/integrations/deliveries", value_name = "DIR")]
    pub output: PathBuf,
    /// Always so: the answer is one JSON value.
    #[command(flatten)]
    pub json: Json,
}
