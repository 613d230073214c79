//! `cavra integration …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Json, SendArgs};

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
    #[command(flatten)]
    pub send: SendArgs,
    /// Directory of what is written down.
    #[arg(long, default_value = ".cavra/integrations/deliveries", value_name = "DIR")]
    pub output: PathBuf,
    /// Always so: the answer is one JSON value.
    #[command(flatten)]
    pub json: Json,
}
