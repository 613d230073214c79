//! `cavra plugin …`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Json;

#[derive(Subcommand)]
pub enum PluginCommand {
    /// Make the sources of a new plugin, which build and pass their own test.
    New(NewPluginArgs),
    /// Build a plugin's sources into a package.
    Build(BuildPluginArgs),
    /// Run the cases of a package's tests.yaml through this host, with its limits.
    Test(PluginArgs),
    /// Measure how long a package takes to load and to answer.
    Bench(BenchPluginArgs),
    /// Show what a package is, what it asks for, who signed it, and whether this host would load it, and why not.
    Inspect(PluginArgs),
    /// Sign a package.
    Sign(SignPluginArgs),
    /// Check who vouches for a package, and whether it gets what it asks for.
    Verify(PluginArgs),
    /// Put a package into one file, to be carried to where it is installed.
    Archive(ArchivePluginArgs),
    /// Install a package, or put the version before back.
    Install(InstallPluginArgs),
    /// Give a plugin what it asks for, or take it away.
    Grant(GrantPluginArgs),
    /// List what is installed, and whether it is loaded.
    List(Json),
    /// Remove a plugin.
    Remove {
        /// Name of the plugin.
        name: String,
        #[command(flatten)]
        json: Json,
    },
}

/// What the sources of a plugin are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PluginLanguage {
    /// Rust.
    Rust,
}

/// What a new plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NewPluginKind {
    /// Says what it thinks of an action.
    PolicyPack,
}

#[derive(Args)]
pub struct NewPluginArgs {
    /// Name of the plugin; that of a policy pack begins with `cavra-`.
    pub name: String,
    /// What it is for.
    #[arg(long, value_enum, default_value = "policy-pack")]
    pub kind: NewPluginKind,
    /// What it is written in.
    #[arg(long, value_enum, default_value = "rust")]
    pub lang: PluginLanguage,
    /// Folder for the sources; default is the name.
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct BuildPluginArgs {
    /// Folder with the sources: Cargo.toml, plugin.yaml and what else belongs to the package.
    #[arg(default_value = ".")]
    pub directory: PathBuf,
    /// Folder for the package; default is `dist` in the folder of the sources.
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct PluginArgs {
    /// Package: a folder, or an archive.
    pub source: PathBuf,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct BenchPluginArgs {
    /// Package: a folder, or an archive.
    pub source: PathBuf,
    /// Calls that are measured.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub calls: u32,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct SignPluginArgs {
    /// Folder of the package.
    pub directory: PathBuf,
    /// Ed25519 private key, PEM file, as `cavra evidence generate-keypair` makes it.
    #[arg(long, value_name = "PEM")]
    pub private_key: PathBuf,
    /// Id under which verifiers know the key; default is the beginning of its fingerprint.
    #[arg(long, value_name = "ID")]
    pub key_id: Option<String>,
    /// Until when the signature counts, such as 2031-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME", conflicts_with = "add")]
    pub expires: Option<String>,
    /// Add a signature to those that are there; the statement stays as it was signed first.
    #[arg(long)]
    pub add: bool,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct ArchivePluginArgs {
    /// Folder of the package.
    pub directory: PathBuf,
    /// File for the archive; default is NAME-VERSION.cavra-plugin.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct InstallPluginArgs {
    /// Package: a folder, or an archive. With --rollback the name of an installed plugin.
    pub source: PathBuf,
    /// Install it although a newer version is installed.
    #[arg(long, conflicts_with = "rollback")]
    pub allow_downgrade: bool,
    /// Install it although others have signed the installed version.
    #[arg(long, conflicts_with = "rollback")]
    pub accept_signer: bool,
    /// Put the version back that was installed before.
    #[arg(long)]
    pub rollback: bool,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct GrantPluginArgs {
    /// Package that the grant is for: a folder, an archive, or the name of an installed plugin.
    pub source: PathBuf,
    /// Take the grant away.
    #[arg(long)]
    pub revoke: bool,
    #[command(flatten)]
    pub json: Json,
}
