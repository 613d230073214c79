//! A command over a store, timed from process start to exit.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::Value;

const RUNS: usize = 3;

/// How long the runs took, in seconds.
pub struct Runs {
    pub fastest: f64,
    pub slowest: f64,
}

impl Runs {
    /// Runs `cavra` with these arguments over the store `database` in the directory `home`. Its report must have `member`
    /// equal to `count`.
    pub fn of(cavra: &Path, database: &Path, args: &[&str], (member, count): (&str, u64)) -> anyhow::Result<Self> {
        let home = database.parent().context("a store in no directory")?;
        let mut runs = Self { fastest: f64::INFINITY, slowest: 0.0 };
        // The first run compiles the pack and is not counted.
        for run in 0..=RUNS {
            let started = Instant::now();
            let output = Command::new(cavra)
                .args(args)
                .current_dir(home)
                .env_clear()
                .env("HOME", home)
                .env("CAVRA_ACTIVITY_DB", database)
                .output()
                .context("cannot run the command")?;
            let took = started.elapsed().as_secs_f64();
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let report: Value = serde_json::from_slice(&output.stdout)?;
            ensure!(report.get(member).and_then(Value::as_u64) == Some(count), "not {count} {member}: {report}");
            if run > 0 {
                runs.fastest = runs.fastest.min(took);
                runs.slowest = runs.slowest.max(took);
            }
        }
        Ok(runs)
    }
}
