//! How something is sent to other systems: the same options wherever a command sends.

use std::path::PathBuf;

use cavra_model::Object;
use cavra_model::members::built;
use clap::Args;
use serde_json::json;

#[derive(Args, Clone)]
pub struct SendArgs {
    /// Connector file, JSON or YAML.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    #[command(flatten)]
    pub way: WayArgs,
}

/// To whom something is sent, and how often it is tried.
#[derive(Args, Clone)]
pub struct WayArgs {
    /// Systems to send it to, separated by commas; all is every one that is configured.
    #[arg(long, default_value = "all")]
    pub provider: String,
    /// Attempts after the first, at most 10.
    #[arg(long, default_value_t = 2, allow_negative_numbers = true)]
    pub retries: i64,
    /// Time for one attempt, at most 60.
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS", allow_negative_numbers = true)]
    pub timeout_seconds: f64,
}

impl SendArgs {
    /// The options as a body asks for them.
    pub fn asked(&self) -> Object {
        self.way.asked()
    }
}

impl WayArgs {
    /// The options as a body asks for them.
    pub fn asked(&self) -> Object {
        built(json!({ "provider": self.provider, "retries": self.retries, "timeout_seconds": self.timeout_seconds }))
    }
}
