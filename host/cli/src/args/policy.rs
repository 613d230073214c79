//! `cavra policy …` and `cavra demo …`.

use std::path::PathBuf;

use cavra_model::ActionType;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::{ActionArgs, Json, PackArg, PolicySignArgs, PolicyVerifyArgs, action_type};

#[derive(Subcommand)]
pub enum PolicyCommand {
    /// List the packs with their titles.
    List(Json),
    /// Show a pack.
    Describe {
        /// Pack.
        id: String,
        #[command(flatten)]
        json: Json,
    },
    /// Check a policy file or pack directory.
    Validate {
        /// File or directory.
        path: PathBuf,
        /// What no engine reads is an error, not a warning.
        #[arg(long)]
        strict: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Check that a pack keeps the five promises every pack has to keep, and run the cases in the tests.yaml beside it.
    Test {
        #[command(flatten)]
        pack: PackArg,
        #[command(flatten)]
        json: Json,
    },
    /// Print the decision about one action: as a table with all that it would do where somebody looks at it, else as JSON.
    Explain {
        /// Action type.
        #[arg(value_parser = action_type)]
        action_type: ActionType,
        /// Path, command line, remote/branch, or MCP server.
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        target: String,
        #[command(flatten)]
        pack: PackArg,
        #[command(flatten)]
        action: ActionArgs,
        /// Print the table wherever it goes.
        #[arg(long, conflicts_with = "json")]
        table: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Decide the commands of a JSON Lines file and print how many come out as they should.
    Corpus {
        /// File with one command per line: `command`, and what is known of it.
        file: PathBuf,
        #[command(flatten)]
        pack: PackArg,
        /// Print each command that comes out otherwise.
        #[arg(long)]
        failures: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Print a pack merged with its parents.
    Compile {
        #[command(flatten)]
        pack: PackArg,
        /// Pack file laid over the pack; may be repeated.
        #[arg(long, value_name = "PATH")]
        overlay: Vec<PathBuf>,
        #[command(flatten)]
        json: Json,
    },
    /// Compare two packs, each a name or a path.
    Diff {
        /// Before.
        left: String,
        /// After.
        right: String,
        #[command(flatten)]
        json: Json,
    },
    /// Sign a policy; the signature is written beside it.
    Sign(PolicySignArgs),
    /// Verify the signature of a policy.
    Verify(PolicyVerifyArgs),
    /// Decide stored decisions again by another pack and report what would come out otherwise.
    Backtest {
        /// Pack, or path of a policy file or pack directory.
        candidate: String,
        /// Days of decisions, counted from now.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=366))]
        days: u64,
        /// Only decisions that were made under this pack.
        #[arg(long, value_name = "ID")]
        policy_pack: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Propose what would have spared the most questions: entries and rows to put into a pack, with what they let through.
    Learn {
        /// Days of decisions, counted from now.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=366))]
        days: u64,
        /// Only decisions that were made under this pack.
        #[arg(long, value_name = "ID")]
        made_under: Option<String>,
        #[command(flatten)]
        pack: PackArg,
        #[command(flatten)]
        json: Json,
    },
    /// Decide the demonstration's seven actions.
    #[command(visible_alias = "dry-run")]
    Simulate(ScenarioArgs),
    /// Write a starter pack.
    Init {
        /// File to write; an existing one is left alone.
        #[arg(long, default_value = ".cavra/policy.yaml", value_name = "PATH")]
        destination: PathBuf,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Subcommand)]
pub enum DemoCommand {
    /// Seven actions of an agent, decided before it acts.
    BeforeTheAgentActs(ScenarioArgs),
}

#[derive(Args)]
pub struct ScenarioArgs {
    /// Directory for the evidence bundle.
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub pack: PackArg,
    #[command(flatten)]
    pub json: Json,
}
