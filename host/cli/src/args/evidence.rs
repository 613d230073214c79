//! `cavra evidence …`. docs/reference/evidence-and-promotion.md, section 14.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::log::{LogCommand, ProofArgs, VerifyProofArgs};
use super::{Json, PackArg, ReplayArgs};

#[derive(Subcommand)]
pub enum EvidenceCommand {
    /// Write an evidence bundle of decisions.
    Bundle(BundleArgs),
    /// Write a new Ed25519 key pair.
    GenerateKeypair(KeypairArgs),
    /// Write a trust root: a public key that verifiers trust, and for how long.
    TrustRoot(TrustRootArgs),
    /// Write several trust roots as one document.
    TrustBundle(TrustBundleArgs),
    /// Write a directory that carries trust roots to verifiers.
    TrustDistribution(TrustDistributionArgs),
    /// Verify a bundle; or a proof that a record is in the evidence log, as `verify-proof` does.
    Verify(VerifyArgs),
    /// Print the SIEM event of a bundle, which is JSON.
    SiemEvent {
        /// Bundle.
        bundle: PathBuf,
        #[command(flatten)]
        json: Json,
    },
    /// Write the retention rule of a bundle.
    RetentionPolicy(RetentionPolicyArgs),
    /// Write a bundle's events in the formats of SIEM systems.
    ExportSiem(ExportSiemArgs),
    /// Plan how a bundle is stored where nobody can change or delete it.
    StoragePlan(StoragePlanArgs),
    /// Check that the attestation in a bundle says what the evidence says.
    VerifyAttestation {
        /// Bundle.
        bundle: PathBuf,
        /// Directory for the report.
        #[arg(long, default_value = ".cavra/evidence/attestation", value_name = "DIR")]
        output: PathBuf,
        #[command(flatten)]
        json: Json,
    },
    /// Write an in-toto statement about a bundle, signed in a DSSE envelope, that others can verify without cavra.
    Attest(AttestArgs),
    /// Verify an in-toto statement against the bundle it is about.
    VerifyStatement(VerifyStatementArgs),
    /// Write a bundle as one document for people.
    Report(ReportArgs),
    /// Make stored decisions again with the policy and components that made them, and compare.
    Replay(ReplayArgs),
    /// Read, sign and check the evidence log.
    #[command(subcommand)]
    Log(LogCommand),
    /// Check a proof offline: that a leaf is in a log which one of the keys has signed.
    VerifyProof(VerifyProofArgs),
    /// Record a bundle in a metadata store and print the record.
    Index(IndexArgs),
    /// Search a metadata store.
    Search(Box<SearchArgs>),
    /// Bring a metadata database up to date.
    Migrate {
        /// Database.
        #[arg(long, default_value = ".cavra/evidence/metadata.db", value_name = "FILE")]
        sqlite: PathBuf,
        /// Directory of `*.sql` files, applied in the order of their names, once each; default is migrations/sqlite if
        /// there is one, else what is built in.
        #[arg(long, value_name = "DIR")]
        migrations_dir: Option<PathBuf>,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Args)]
pub struct IndexArgs {
    /// Bundle.
    pub bundle: PathBuf,
    /// JSON store.
    #[arg(long, default_value = ".cavra/evidence/metadata.json", value_name = "FILE")]
    pub store: PathBuf,
    /// SQLite store; wins over --store.
    #[arg(long, value_name = "FILE")]
    pub sqlite: Option<PathBuf>,
    #[command(flatten)]
    pub json: Json,
}

/// One option per question that a list of evidence metadata understands.
#[derive(Args)]
pub struct SearchArgs {
    /// SQLite store.
    #[arg(long, default_value = ".cavra/evidence/metadata.db", value_name = "FILE")]
    pub sqlite: PathBuf,
    /// Part of the id; letters count as they are.
    #[arg(long, value_name = "TEXT")]
    pub session_id: Option<String>,
    /// Who signed.
    #[arg(long, value_name = "NAME")]
    pub signer: Option<String>,
    /// At least so many blocked actions.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub min_blocked: Option<i64>,
    /// Only with actions that need approval.
    #[arg(long, overrides_with = "no_has_approvals")]
    pub has_approvals: bool,
    /// Only without actions that need approval.
    #[arg(long, overrides_with = "has_approvals")]
    pub no_has_approvals: bool,
    /// What it is evidence of.
    #[arg(long, value_name = "KIND")]
    pub metadata_kind: Option<String>,
    /// Status of the rollout.
    #[arg(long, value_name = "STATUS")]
    pub rollout_status: Option<String>,
    /// Environment.
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
    /// One of the deployment targets.
    #[arg(long, value_name = "ID")]
    pub deployment_target: Option<String>,
    /// Ring.
    #[arg(long, value_name = "NAME")]
    pub target_ring: Option<String>,
    /// State of the approval, as it was written.
    #[arg(long, value_name = "STATE")]
    pub approval_state: Option<String>,
    /// Status of the promotion.
    #[arg(long, value_name = "STATUS")]
    pub promotion_execution_status: Option<String>,
    /// Status of the rollback.
    #[arg(long, value_name = "STATUS")]
    pub rollback_execution_status: Option<String>,
    /// Page size, clamped to 1..500.
    #[arg(long, default_value_t = 50, allow_negative_numbers = true)]
    pub limit: i64,
    /// Start, clamped to at least 0.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub offset: i64,
    #[command(flatten)]
    pub json: Json,
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

#[derive(Args)]
pub struct TrustRootArgs {
    /// Public key, PEM file.
    pub public_key: PathBuf,
    /// File for the trust root.
    #[arg(long, default_value = ".cavra/keys/evidence-trust-root.json", value_name = "FILE")]
    pub output: PathBuf,
    /// Id of the key; default is the beginning of its fingerprint.
    #[arg(long, value_name = "ID")]
    pub key_id: Option<String>,
    /// Who answers for the key.
    #[arg(long, default_value = "platform-security", value_name = "NAME")]
    pub owner: String,
    /// active; retired, which verifies only what was signed while the root was valid; or revoked, which verifies nothing.
    #[arg(long, default_value = "active")]
    pub status: String,
    /// Beginning of its validity, RFC 3339; default is now.
    #[arg(long, value_name = "TIME")]
    pub valid_from: Option<String>,
    /// End of its validity, RFC 3339; default is none.
    #[arg(long, value_name = "TIME")]
    pub valid_until: Option<String>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct TrustBundleArgs {
    /// Trust roots.
    #[arg(value_name = "ROOT")]
    pub roots: Vec<PathBuf>,
    /// File for the bundle.
    #[arg(long, default_value = ".cavra/keys/evidence-trust-roots.json", value_name = "FILE")]
    pub output: PathBuf,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct TrustDistributionArgs {
    /// Trust roots.
    #[arg(value_name = "ROOT")]
    pub roots: Vec<PathBuf>,
    /// Directory for the distribution.
    #[arg(long, default_value = ".cavra/keys/trust-root-distribution", value_name = "DIR")]
    pub output: PathBuf,
    /// Environment whose verifiers get it.
    #[arg(long, default_value = "production", value_name = "NAME")]
    pub environment: String,
    /// Id of the distribution; default is made from the time.
    #[arg(long, value_name = "ID")]
    pub distribution_id: Option<String>,
    /// How it reaches verifiers; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub channel: Vec<String>,
    #[command(flatten)]
    pub json: Json,
}

/// What a verifier trusts; the first that is given decides.
#[derive(Args)]
pub struct TrustArgs {
    /// Key that signer and verifier share; default is CAVRA_EVIDENCE_SIGNING_KEY if no other key is given.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Ed25519 public key, PEM file.
    #[arg(long, value_name = "PEM")]
    pub public_key: Option<PathBuf>,
    /// Trust root, bundle of trust roots, or directory of a distribution.
    #[arg(long, value_name = "PATH")]
    pub trust_root: Option<PathBuf>,
    /// Key id that the signature has to name.
    #[arg(long, value_name = "ID")]
    pub key_id: Option<String>,
}

#[derive(Args)]
pub struct VerifyArgs {
    /// Bundle; or `.tlog-proof` file, which needs --vkey.
    pub bundle: PathBuf,
    #[command(flatten)]
    pub proof: ProofArgs,
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Days that the evidence has to be kept at least.
    #[arg(long, value_name = "DAYS")]
    pub minimum_retention_days: Option<i64>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct RetentionPolicyArgs {
    /// Bundle.
    pub bundle: PathBuf,
    /// Directory for the documents.
    #[arg(long, default_value = ".cavra/evidence/retention", value_name = "DIR")]
    pub output: PathBuf,
    /// Days the evidence is kept; default is what the bundle says, else 2555.
    #[arg(long, value_name = "DAYS", allow_negative_numbers = true)]
    pub retention_days: Option<i64>,
    /// Class of the evidence; default is what the bundle says, else regulated-sdlc.
    #[arg(long, value_name = "NAME")]
    pub classification: Option<String>,
    /// Keep the evidence until the hold is lifted; default is what the bundle says.
    #[arg(long, overrides_with = "no_legal_hold")]
    pub legal_hold: bool,
    /// No hold.
    #[arg(long, overrides_with = "legal_hold")]
    pub no_legal_hold: bool,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct ExportSiemArgs {
    /// Bundle.
    pub bundle: PathBuf,
    /// Directory for the exports.
    #[arg(long, default_value = ".cavra/evidence/export", value_name = "DIR")]
    pub output: PathBuf,
    /// splunk, sentinel, datadog, webhook, or all four; or ocsf, ecs, cef: one event per decision. May be repeated.
    #[arg(long, default_value = "all", value_name = "NAME", value_delimiter = ',')]
    pub provider: Vec<String>,
    /// Index of the Splunk events.
    #[arg(long, default_value = "cavra", value_name = "NAME")]
    pub splunk_index: String,
    /// Service of the Datadog events.
    #[arg(long, default_value = "cavra", value_name = "NAME")]
    pub datadog_service: String,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct StoragePlanArgs {
    /// Bundle.
    pub bundle: PathBuf,
    /// Directory for the plan.
    #[arg(long, default_value = ".cavra/evidence/storage", value_name = "DIR")]
    pub output: PathBuf,
    /// Days the store keeps the bundle.
    #[arg(long, default_value_t = 2555, value_name = "DAYS", allow_negative_numbers = true)]
    pub retention_days: i64,
    /// S3 bucket.
    #[arg(long, default_value = "cavra-evidence", value_name = "NAME")]
    pub s3_bucket: String,
    /// Prefix of the S3 keys.
    #[arg(long, default_value = "evidence/", value_name = "PREFIX")]
    pub s3_prefix: String,
    /// Azure storage account.
    #[arg(long, default_value = "cavraevidence", value_name = "NAME")]
    pub azure_account: String,
    /// Azure container.
    #[arg(long, default_value = "evidence", value_name = "NAME")]
    pub azure_container: String,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct AttestArgs {
    /// Bundle.
    pub bundle: PathBuf,
    /// Ed25519 private key, PEM file.
    #[arg(long, value_name = "PEM")]
    pub private_key: PathBuf,
    /// Id under which verifiers know the key; default is the beginning of its fingerprint.
    #[arg(long, value_name = "ID")]
    pub key_id: Option<String>,
    /// File for the envelope.
    #[arg(long, default_value = ".cavra/evidence/attestation/evidence-bundle.intoto.json", value_name = "FILE")]
    pub output: PathBuf,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct VerifyStatementArgs {
    /// Bundle.
    pub bundle: PathBuf,
    /// Envelope with the statement.
    #[arg(long, default_value = ".cavra/evidence/attestation/evidence-bundle.intoto.json", value_name = "FILE")]
    pub statement: PathBuf,
    /// Ed25519 public key, PEM file.
    #[arg(long, value_name = "PEM", required_unless_present = "trust_root")]
    pub public_key: Option<PathBuf>,
    /// Trust root, bundle of trust roots, or directory of a distribution.
    #[arg(long, value_name = "PATH")]
    pub trust_root: Option<PathBuf>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct ReportArgs {
    /// Bundle.
    pub bundle: PathBuf,
    /// Format.
    #[arg(long, default_value = "markdown")]
    pub format: ReportFormat,
    /// File for the report; default is standard output.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub json: Json,
}

/// Formats of a report.
#[derive(Clone, Copy, ValueEnum)]
pub enum ReportFormat {
    /// Markdown.
    Markdown,
    /// One HTML page that needs nothing else.
    Html,
}
