//! `cavra evidence …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Json;
use super::log::LogCommand;

#[derive(Subcommand)]
pub enum EvidenceCommand {
    /// Read, sign and check the evidence log.
    #[command(subcommand)]
    Log(LogCommand),
    /// Check a proof offline: that a leaf is in a log which one of the keys has signed.
    VerifyProof(VerifyProofArgs),
}

#[derive(Args)]
pub struct VerifyProofArgs {
    /// The `.tlog-proof` file.
    pub file: PathBuf,
    /// Key of the log, of the form NAME+HASH+KEY, as `cavra evidence log show` prints it; may be repeated.
    #[arg(long, value_name = "KEY", required = true)]
    pub vkey: Vec<String>,
    /// JSON file with the record that the leaf has to be about.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    #[command(flatten)]
    pub json: Json,
}
