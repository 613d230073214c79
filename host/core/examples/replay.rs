//! Decides and records, then makes every decision again and reports what that cost: `replay [decisions]`.

use std::time::Instant;

use cavra_core::{ACTIVITY_KINDS, Activity, DecisionPoint, DecisionRequest, ReplayScope};
use cavra_model::{ActionType, Context, McpRegistry};
use cavra_normalize::ActionRequest;
use cavra_packs::{PackLibrary, PackRoot};
use cavra_plugins::{HostConfig, PluginHost};
use cavra_store::{Location, RecordStore};

/// Decisions under way at a time.
const CLIENTS: usize = 64;

const ACTIONS: [(ActionType, &str); 6] = [
    (ActionType::ReadFile, "src/main.rs"),
    (ActionType::WriteFile, "iam/admin-role.tf"),
    (ActionType::ExecuteCommand, "cargo test --workspace --locked 2>&1 | tee target/test.log"),
    (ActionType::ExecuteCommand, "timeout 60 bash -c \"terraform apply -auto-approve\""),
    (ActionType::ExecuteCommand, "git push origin HEAD:main"),
    (ActionType::GitOperation, "origin/main"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let directory = tempfile::tempdir_in(".")?;
    let location = Location::Sqlite(directory.path().join("activity.db"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let point =
            DecisionPoint::new(PackLibrary::new(PackRoot::ShippedOnly), PluginHost::new(HostConfig::default())?);
        let activity = Activity::new(RecordStore::open(location, &ACTIVITY_KINDS)?);
        fill(&point, &activity, count).await?;
        let began = Instant::now();
        let report = point.replay(&activity, ReplayScope::Window { since: None, until: None }, |_| {}).await?;
        let took = began.elapsed().as_secs_f64();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        println!("{} decisions, {} equal, {} different", report.decisions, report.equal, report.different);
        println!("replayed in {took:.1} s on {cores} cores: {:.0}/s", report.decisions as f64 / took);
        activity.store().close().await;
        Ok::<_, Box<dyn std::error::Error>>(())
    })
}

async fn fill(point: &DecisionPoint, activity: &Activity, count: usize) -> Result<(), Box<dyn std::error::Error>> {
    let pack = point.pack(None)?;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (point, activity, pack) = (point.clone(), activity.clone(), pack.clone());
            tokio::spawn(async move {
                for number in (client..count).step_by(CLIENTS) {
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
    Ok(())
}
