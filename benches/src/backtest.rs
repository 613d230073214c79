//! `cavra policy backtest`: stored decisions decided again by another pack, from process start to exit.

use std::path::Path;

use crate::fill::fill;
use crate::report::{head, row};
use crate::runs::Runs;

/// The most decisions that a plan decides again.
const STORED: u64 = 100_000;
/// Packs that decide: a plain one, and one that inherits.
const CANDIDATES: [&str; 2] = ["cavra-ai-agent-baseline", "cavra-pci-dss"];

pub fn run(cavra: &Path) -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let database = home.path().join("activity.db");
    fill(&database, STORED)?;
    head("policy backtest", &["candidate", "decisions", "fastest", "slowest", "decisions/s"]);
    for candidate in CANDIDATES {
        let args = ["policy", "backtest", candidate, "--days", "366", "--json"];
        let Runs { fastest, slowest } = Runs::of(cavra, &database, &args, ("decided", STORED))?;
        row(&[
            candidate.to_owned(),
            STORED.to_string(),
            format!("{fastest:.2} s"),
            format!("{slowest:.2} s"),
            format!("{:.0}", STORED as f64 / slowest),
        ]);
    }
    Ok(())
}
