//! `cavra evidence replay`: stored decisions made again by what made them, from process start to exit.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use cavra_core::{ACTIVITY_KINDS, Activity, DecisionPoint, DecisionRequest};
use cavra_model::{ActionType, Context, McpRegistry};
use cavra_normalize::ActionRequest;
use cavra_packs::{PackLibrary, PackRoot};
use cavra_plugins::{HostConfig, PluginHost};
use cavra_store::{Location, RecordStore};
use serde_json::Value;

use crate::report::{head, row};

const STORED: usize = 100_000;
const RUNS: usize = 3;
/// Decisions under way at a time while the store is filled.
const CLIENTS: usize = 64;

const ACTIONS: [(ActionType, &str); 6] = [
    (ActionType::ReadFile, "src/main.rs"),
    (ActionType::WriteFile, "iam/admin-role.tf"),
    (ActionType::ExecuteCommand, "cargo test --workspace --locked 2>&1 | tee target/test.log"),
    (ActionType::ExecuteCommand, "timeout 60 bash -c \"terraform apply -auto-approve\""),
    (ActionType::ExecuteCommand, "git push origin HEAD:main"),
    (ActionType::GitOperation, "origin/main"),
];

pub fn run(cavra: &Path) -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let database = home.path().join("activity.db");
    eprintln!("deciding and storing {STORED} actions …");
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(fill(&database))?;
    head("evidence replay", &["decisions", "fastest", "slowest", "decisions/s", "decisions/s and core"]);
    let mut took = Vec::with_capacity(RUNS);
    // The first run compiles the pack and is not counted.
    for run in 0..=RUNS {
        let started = Instant::now();
        let output = Command::new(cavra)
            .args(["evidence", "replay", "--days", "366", "--json"])
            .current_dir(home.path())
            .env_clear()
            .env("HOME", home.path())
            .env("CAVRA_ACTIVITY_DB", &database)
            .output()
            .context("cannot run the replay")?;
        let elapsed = started.elapsed();
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout)?;
        ensure!(report.get("equal").and_then(Value::as_u64) == Some(STORED as u64), "not all are equal: {report}");
        if run > 0 {
            took.push(elapsed.as_secs_f64());
        }
    }
    took.sort_by(f64::total_cmp);
    let (fastest, slowest) = (took.first().copied().unwrap_or(0.0), took.last().copied().unwrap_or(0.0));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let each_second = STORED as f64 / slowest;
    row(&[
        STORED.to_string(),
        format!("{fastest:.2} s"),
        format!("{slowest:.2} s"),
        format!("{each_second:.0}"),
        format!("{:.0}", each_second / cores as f64),
    ]);
    Ok(())
}

async fn fill(database: &Path) -> anyhow::Result<()> {
    let point = DecisionPoint::new(PackLibrary::new(PackRoot::ShippedOnly), PluginHost::new(HostConfig::default())?);
    let activity = Activity::new(RecordStore::open(Location::Sqlite(database.to_owned()), &ACTIVITY_KINDS)?);
    let pack = point.pack(None)?;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (point, activity, pack) = (point.clone(), activity.clone(), pack.clone());
            tokio::spawn(async move {
                for number in (client..STORED).step_by(CLIENTS) {
                    let (action_type, target) =
                        ACTIONS.get(number % ACTIONS.len()).copied().unwrap_or((ActionType::ReadFile, "README.md"));
                    let action = ActionRequest { target: Some(target.to_owned()), ..ActionRequest::of(action_type) };
                    let context = Context { session_id: format!("s{}", number % 1000), ..Context::default() };
                    let request = DecisionRequest { context, ..DecisionRequest::new(action) };
                    let verdict = point.decide(request, &pack, McpRegistry::NotConsulted).await?;
                    activity.record(verdict.record, &pack).await?;
                }
                Ok::<_, cavra_core::CoreError>(())
            })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    activity.store().close().await;
    Ok(())
}
