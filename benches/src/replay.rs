//! `cavra evidence replay`: stored decisions made again by what made them, from process start to exit.

use std::path::Path;

use cavra_core::{ACTIVITY_KINDS, Activity, DecisionPoint, DecisionRequest};
use cavra_model::{ActionType, Context, McpRegistry};
use cavra_normalize::ActionRequest;
use cavra_packs::{PackLibrary, PackRoot};
use cavra_plugins::{HostConfig, PluginHost};
use cavra_store::{Location, RecordStore};

use crate::report::{head, row};
use crate::runs::Runs;

const STORED: usize = 100_000;
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
    let args = ["evidence", "replay", "--days", "366", "--json"];
    let Runs { fastest, slowest } = Runs::of(cavra, &database, &args, ("equal", STORED as u64))?;
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
