//! The engines that cavra is measured beside, in a process of their own (`benches/peers`).

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::report::Samples;
use crate::rules::Kind;

/// The engines, as the table names them and as the program does.
pub const ENGINES: [(&str, &str); 2] = [("cedar-policy 4", "cedar-policy"), ("regorus 0.14", "regorus")];

/// The program that runs the engines.
pub struct Peers(PathBuf);

impl Peers {
    /// Builds it as cavra is built.
    pub fn build() -> anyhow::Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--release", "--locked", "--manifest-path"])
            .arg(folder.join("Cargo.toml"))
            .env("CARGO_TARGET_DIR", &target)
            .status()
            .context("cannot run cargo")?;
        ensure!(status.success(), "the peers do not build");
        Ok(Self(target.join("release/cavra-bench-peers")))
    }

    /// How long an engine takes for each of `count` answers.
    pub fn measure(
        &self,
        engine: &str,
        kind: Kind,
        n: usize,
        (warm_up, count): (usize, usize),
    ) -> anyhow::Result<Samples> {
        let (questions, allowed): (Vec<_>, Vec<_>) = kind.questions(n).into_iter().unzip();
        let task = json!({
            "engine": engine, "patterns": kind.patterns(n), "questions": questions, "allowed": allowed,
            "warm_up": warm_up, "count": count,
        });
        let mut child = Command::new(&self.0).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child.stdin.take().context("no standard input")?.write_all(task.to_string().as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "{engine} failed");
        let nanoseconds: Vec<u64> = serde_json::from_slice(&output.stdout)?;
        Ok(Samples::of(nanoseconds.into_iter().map(Duration::from_nanos).collect()))
    }
}
