//! `cavra ops …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Json;

/// What an operator does with the stores.
#[derive(Subcommand)]
pub enum OpsCommand {
    /// Show where the stores are, who says so, and how large they are.
    Stores(Json),
    /// Copy every store as it is at one moment, while servers go on, into a directory with a manifest.
    Backup(BackupArgs),
    /// Put the stores of a backup back; everything is checked before the first byte is written.
    Restore(RestoreArgs),
    /// Check whether a backup could be put back.
    Verify {
        /// The backup's manifest.
        manifest: PathBuf,
        #[command(flatten)]
        json: Json,
    },
    /// Write down how long the stores are to be kept; changes nothing.
    RetentionPlan(RetentionPlanArgs),
    /// Remove what has been kept as long as the retention rule says, under an approval of exactly that rule.
    RetentionApply(RetentionApplyArgs),
    /// Move the records of JSON files into the databases that the settings name, where these are new.
    Import(Json),
}

#[derive(Args)]
pub struct BackupArgs {
    /// Directory of the backup.
    #[arg(long, default_value = ".cavra/backups/latest", value_name = "DIR")]
    pub output: PathBuf,
    /// Stores that are not there are in it too, empty.
    #[arg(long)]
    pub include_missing: bool,
    /// Always so: the answer is one JSON value.
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct RestoreArgs {
    /// The backup's manifest.
    pub manifest: PathBuf,
    /// Directory to put the stores into; default is where the settings say that they are.
    #[arg(long, value_name = "DIR")]
    pub target_dir: Option<PathBuf>,
    /// Replace stores that are there.
    #[arg(long)]
    pub overwrite: bool,
    /// Rehearse: restore into a folder that is gone afterwards, look at what came of it and record that; changes no store.
    #[arg(long, conflicts_with_all = ["target_dir", "overwrite"])]
    pub dry_run: bool,
    /// Always so: the answer is one JSON value.
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct RetentionPlanArgs {
    /// Directory of the plan.
    #[arg(long, default_value = ".cavra/operations/retention", value_name = "DIR")]
    pub output: PathBuf,
    /// Days, 1 to 36500.
    #[arg(long, default_value_t = 2555, allow_negative_numbers = true, value_name = "DAYS")]
    pub retention_days: i64,
    /// Class of the records.
    #[arg(long, default_value = "regulated-sdlc", value_name = "NAME")]
    pub classification: String,
    /// They are kept until a hold is lifted.
    #[arg(long)]
    pub legal_hold: bool,
    /// Always so: the answer is one JSON value.
    #[command(flatten)]
    pub json: Json,
}

#[derive(Args)]
pub struct RetentionApplyArgs {
    /// Days, 1 to 36500.
    #[arg(long, default_value_t = 2555, allow_negative_numbers = true, value_name = "DAYS")]
    pub retention_days: i64,
    /// Class of the records that go.
    #[arg(long, default_value = "regulated-sdlc", value_name = "NAME")]
    pub classification: String,
    /// They are kept until a hold is lifted: nothing is removed.
    #[arg(long)]
    pub legal_hold: bool,
    /// What is older goes; default is the begin of the day that is so many days ago. Never what is younger than that.
    #[arg(long, value_name = "TIME")]
    pub before: Option<String>,
    /// The approval of exactly this rule.
    #[arg(long, value_name = "ID")]
    pub approval_id: Option<String>,
    /// Only say what would be removed, and what the approval has to be asked with.
    #[arg(long)]
    pub dry_run: bool,
    /// Always so: the answer is one JSON value.
    #[command(flatten)]
    pub json: Json,
}
