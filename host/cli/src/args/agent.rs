//! `cavra agent …`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::{Json, PackArg};

#[derive(Subcommand)]
pub enum AgentCommand {
    /// Start an audited session.
    Start {
        #[command(flatten)]
        session: AgentArgs,
        #[command(flatten)]
        json: Json,
    },
    /// Decide a command and run it through the shell only if it is allowed.
    Exec {
        /// The command line.
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        command: String,
        /// Let the command use only what it was decided to do: those files, and the network only if it names some.
        #[arg(long)]
        sandbox: bool,
        /// Approval that lets exactly this command run once.
        #[arg(long, value_name = "ID")]
        approval: Option<String>,
        #[command(flatten)]
        session: AgentArgs,
        #[command(flatten)]
        json: Json,
    },
    /// Print the attestation of an audited session.
    Attest {
        /// Session.
        session_id: String,
        /// Directory of the audit files.
        #[arg(long, default_value = ".cavra", value_name = "DIR")]
        audit_dir: PathBuf,
        /// markdown, json or artifact; default is markdown, with --json it is json.
        #[arg(long)]
        format: Option<String>,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Args)]
pub struct AgentArgs {
    /// Name of the agent's tool.
    #[arg(long, default_value = "claude-code")]
    pub tool: String,
    /// Repository directory.
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub repo: PathBuf,
    #[command(flatten)]
    pub pack: PackArg,
    /// Directory of the audit files.
    #[arg(long, default_value = ".cavra", value_name = "DIR")]
    pub output: PathBuf,
}
