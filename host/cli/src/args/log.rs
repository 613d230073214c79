//! `cavra evidence log …` and `cavra evidence verify-proof`.

use std::path::PathBuf;

use cavra_core::LOGS;
use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args, Subcommand};

use super::Json;

#[derive(Subcommand)]
pub enum LogCommand {
    /// Show the logs with their newest checkpoints and keys.
    Show(Json),
    /// Sign a log as far as it has come and print the checkpoint.
    Checkpoint {
        #[command(flatten)]
        log: WhichLog,
        #[command(flatten)]
        json: Json,
    },
    /// Print the proof that the newest leaf about a record is in the log.
    Proof {
        /// Id of the record.
        id: String,
        #[command(flatten)]
        log: WhichLog,
        /// File to write; default is standard output.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        json: Json,
    },
    /// Check a whole log against the checkpoints that were signed; writes nothing.
    Verify(LogVerifyArgs),
    /// Let a new key sign from here on; the rotation is logged, and the old key signs that.
    RotateKey(Json),
    /// Accept an older store that was put in place on purpose; that is logged, and its log is a new one.
    AcceptRestore {
        #[command(flatten)]
        log: WhichLog,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        json: Json,
    },
}

/// A log, by the store it is in.
#[derive(Args)]
pub struct WhichLog {
    /// The log: activity (decisions), approvals (and publications) or evidence (promotions, rollbacks, runs of the
    /// sandbox).
    #[arg(long, default_value = "activity", value_parser = PossibleValuesParser::new(LOGS.map(|(name, _)| name)))]
    pub log: String,
}

#[derive(Args)]
pub struct LogVerifyArgs {
    #[command(flatten)]
    pub log: WhichLog,
    /// Store to check, JSON or SQLite; default is the one of the settings.
    #[arg(long, value_name = "FILE")]
    pub store: Option<PathBuf>,
    /// Server that publishes the log; then everything it serves of the log is checked, and no store is looked at. Needs
    /// --vkey. If the server asks for a token, put it in CAVRA_API_TOKEN.
    #[arg(long, value_name = "URL", conflicts_with_all = ["store", "records"])]
    pub url: Option<String>,
    /// File with a signed checkpoint that the log has to continue; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Vec<PathBuf>,
    /// Key of the log, of the form NAME+HASH+KEY; default are the keys of this installation. May be repeated.
    #[arg(long, value_name = "KEY")]
    pub vkey: Vec<String>,
    /// Compare every record with the newest leaf about it.
    #[arg(long)]
    pub records: bool,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
#[command(group = ArgGroup::new("key").arg("vkey").required(true).multiple(true))]
pub struct VerifyProofArgs {
    /// The `.tlog-proof` file.
    pub file: PathBuf,
    #[command(flatten)]
    pub proof: ProofArgs,
    #[command(flatten)]
    pub json: Json,
}

/// What a proof is checked with.
#[derive(Args)]
pub struct ProofArgs {
    /// Key of the log, of the form NAME+HASH+KEY, as `cavra evidence log show` prints it; may be repeated.
    #[arg(long, value_name = "KEY")]
    pub vkey: Vec<String>,
    /// JSON file with the record that the leaf has to be about.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
}
