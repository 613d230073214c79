//! `cavra policy backtest`: stored decisions decided again by another pack, from process start to exit.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::fill::fill;
use crate::report::{head, row};

/// The most decisions that a plan decides again.
const STORED: u64 = 100_000;
const RUNS: usize = 3;
/// Packs that decide: a plain one, and one that inherits.
const CANDIDATES: [&str; 2] = ["cavra-ai-agent-baseline", "cavra-pci-dss"];

pub fn run(cavra: &Path) -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let database = home.path().join("activity.db");
    fill(&database, STORED)?;
    head("policy backtest", &["candidate", "decisions", "fastest", "slowest", "decisions/s"]);
    for candidate in CANDIDATES {
        let mut took = Vec::with_capacity(RUNS);
        // The first run compiles the pack and is not counted.
        for run in 0..=RUNS {
            let started = Instant::now();
            let output = Command::new(cavra)
                .args(["policy", "backtest", candidate, "--days", "366", "--json"])
                .current_dir(home.path())
                .env_clear()
                .env("HOME", home.path())
                .env("CAVRA_ACTIVITY_DB", &database)
                .output()
                .context("cannot run the backtest")?;
            let elapsed = started.elapsed();
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let report: Value = serde_json::from_slice(&output.stdout)?;
            ensure!(report.get("decided").and_then(Value::as_u64) == Some(STORED), "not all were decided: {report}");
            if run > 0 {
                took.push(elapsed.as_secs_f64());
            }
        }
        took.sort_by(f64::total_cmp);
        let (fastest, slowest) = (took.first().copied().unwrap_or(0.0), took.last().copied().unwrap_or(0.0));
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
