//! `cavra policy sign` and `verify`. docs/reference/approvals-identity-authoring.md, section 4.3.

use std::path::PathBuf;

use clap::Args;

use super::Json;

#[derive(Args)]
pub struct PolicySignArgs {
    /// Policy file or pack directory.
    pub path: PathBuf,
    /// Who signs.
    #[arg(long, default_value = "local", value_name = "NAME")]
    pub signer: String,
    /// Shared key; without any key the signature is a checksum.
    #[arg(long, value_name = "KEY", env = "CAVRA_POLICY_SIGNING_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// Ed25519 private key, PEM file; wins over a shared key from the environment.
    #[arg(long, value_name = "PEM")]
    pub private_key: Option<PathBuf>,
    /// Id under which verifiers know the private key; default is the beginning of its fingerprint.
    #[arg(long, value_name = "ID", requires = "private_key")]
    pub key_id: Option<String>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct PolicyVerifyArgs {
    /// Policy file or pack directory.
    pub path: PathBuf,
    /// Signature; default is the file beside the policy.
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,
    /// Shared key that has to be the signer's.
    #[arg(long, value_name = "KEY", env = "CAVRA_POLICY_SIGNING_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// Ed25519 public key that has to be the signer's, PEM file.
    #[arg(long, value_name = "PEM")]
    pub public_key: Option<PathBuf>,
    #[command(flatten)]
    pub json: Json,
}
