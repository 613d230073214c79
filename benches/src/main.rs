//! Benchmarks of cavra. `cargo run --release --bin cavra-bench` runs all of them and prints Markdown tables; name one or
//! more of `evaluate`, `process`, `hooks`, `decisions`, `lists`, `backtest`, `replay`, `retention`, `normalize`, `connectors`
//! to run only those.

mod backtest;
mod connectors;
mod evaluate;
mod fill;
mod hooks;
mod lists;
mod load;
mod normalize;
mod peers;
mod process;
mod receiver;
mod replay;
mod report;
mod retention;
mod rules;
mod runs;
mod server;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// One action against rule sets, in process, beside `cedar-policy`, `regorus` and bare wasmtime.
    Evaluate,
    /// `cavra evaluate` and `cavra hook` from process start to exit.
    Process,
    /// `cavra hook` over stores of a thousand to a million decisions, one by one and 16 at once.
    Hooks,
    /// `POST /decisions`, durable, 64 clients, SQLite, empty and with a million decisions.
    Decisions,
    /// Filtered lists over a million decisions.
    Lists,
    /// `cavra policy backtest` over a hundred thousand decisions.
    Backtest,
    /// `cavra evidence replay` of a hundred thousand decisions.
    Replay,
    /// Retention of a month of a million decisions, while others are made.
    Retention,
    /// An inventory export of twenty thousand records, read in the sandbox and natively.
    Normalize,
    /// A step of each connector; deliveries to a receiver on this machine, and decisions meanwhile.
    Connectors,
}

#[derive(Parser)]
struct Args {
    /// What to measure; all parts if none is named.
    parts: Vec<Part>,
    /// Stored decisions for the large-store parts.
    #[arg(long, default_value_t = 1_000_000)]
    stored: u64,
    /// Deliveries that wait while the server is down, for `connectors`.
    #[arg(long, default_value_t = 100_000)]
    queued: usize,
    /// Seconds of load for `decisions` and `connectors`.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// The binary to measure; built if not given.
    #[arg(long)]
    cavra: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let wanted = |part| args.parts.is_empty() || args.parts.contains(&part);
    report::machine();
    if wanted(Part::Evaluate) {
        evaluate::run()?;
    }
    if wanted(Part::Normalize) {
        normalize::run()?;
    }
    if wanted(Part::Connectors) {
        connectors::steps()?;
    }
    if wanted(Part::Retention) {
        retention::run(args.stored)?;
    }
    let with_binary =
        [Part::Process, Part::Hooks, Part::Decisions, Part::Lists, Part::Backtest, Part::Replay, Part::Connectors];
    let needs_binary = with_binary.into_iter().any(wanted);
    if !needs_binary {
        return Ok(());
    }
    let cavra = match args.cavra {
        Some(path) => path,
        None => build()?,
    };
    if wanted(Part::Process) {
        process::run(&cavra)?;
    }
    if wanted(Part::Hooks) {
        hooks::run(&cavra, args.stored)?;
    }
    if wanted(Part::Backtest) {
        backtest::run(&cavra)?;
    }
    if wanted(Part::Replay) {
        replay::run(&cavra)?;
    }
    if wanted(Part::Connectors) {
        connectors::deliveries(&cavra, args.seconds, args.queued)?;
    }
    if !wanted(Part::Decisions) && !wanted(Part::Lists) {
        return Ok(());
    }
    let large = tempfile::tempdir()?;
    let database = large.path().join("activity.db");
    fill::fill(&database, args.stored)?;
    if wanted(Part::Lists) {
        lists::run(&cavra, &database)?;
    }
    if wanted(Part::Decisions) {
        let empty = tempfile::tempdir()?;
        load::run(&cavra, &empty.path().join("activity.db"), 0, args.seconds)?;
        load::run(&cavra, &database, args.stored, args.seconds)?;
    }
    Ok(())
}

/// Builds the binary the way it is shipped.
fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status =
        Command::new(cargo).args(["build", "--release", "--bin", "cavra"]).status().context("cannot run cargo")?;
    ensure!(status.success(), "cavra does not build");
    let exe = std::env::current_exe()?;
    Ok(exe.parent().context("no target folder")?.join("cavra"))
}
