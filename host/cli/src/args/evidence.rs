//! `cavra evidence …`. Contract 30, section 14.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Json, PackArg};

#[derive(Subcommand)]
pub enum EvidenceCommand {
    /// Write an evidence bundle of decisions.
    Bundle(BundleArgs),
    /// Write a new Ed25519 key pair.
    GenerateKeypair(KeypairArgs),
    /// Print the SIEM event of a bundle.
    SiemEvent {
        /// Bundle.
        bundle: PathBuf,
    },
}

#[derive(Args)]
pub struct BundleArgs {
    /// Directory for the bundle; an earlier bundle there is replaced.
    #[arg(long, default_value = ".cavra/evidence/latest", value_name = "DIR")]
    pub output: PathBuf,
    /// Decisions to bundle: one decision, a list, or an object with `decisions` or `items`; default is a demonstration.
    #[arg(long, value_name = "FILE")]
    pub decisions: Option<PathBuf>,
    /// Session; default is the one all decisions name, else demo-session.
    #[arg(long, value_name = "ID")]
    pub session_id: Option<String>,
    #[command(flatten)]
    pub pack: PackArg,
    /// Who makes the bundle.
    #[arg(long, default_value = "local", value_name = "NAME")]
    pub signer: String,
    /// Key that signer and verifier share; default is CAVRA_EVIDENCE_SIGNING_KEY. Without any key the manifest is only
    /// checksummed.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Ed25519 private key, PEM file.
    #[arg(long, value_name = "PEM")]
    pub private_key: Option<PathBuf>,
    /// Id under which verifiers know the private key; default is the beginning of its fingerprint.
    #[arg(long, value_name = "ID", requires = "private_key")]
    pub key_id: Option<String>,
    /// Days the evidence is kept.
    #[arg(long, default_value_t = 2555, allow_negative_numbers = true)]
    pub retention_days: i64,
    /// Class of the evidence.
    #[arg(long, default_value = "regulated-sdlc", value_name = "NAME")]
    pub classification: String,
    /// Keep the evidence until the hold is lifted.
    #[arg(long, overrides_with = "no_legal_hold")]
    pub legal_hold: bool,
    /// No hold; the default.
    #[arg(long, overrides_with = "legal_hold")]
    pub no_legal_hold: bool,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct KeypairArgs {
    /// File for the private key; only its owner can read it.
    #[arg(long, default_value = ".cavra/keys/evidence-ed25519-private.pem", value_name = "PEM")]
    pub private_key: PathBuf,
    /// File for the public key.
    #[arg(long, default_value = ".cavra/keys/evidence-ed25519-public.pem", value_name = "PEM")]
    pub public_key: PathBuf,
    /// Overwrite keys that are there.
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub json: Json,
}
