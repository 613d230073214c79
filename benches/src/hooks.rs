//! Hooks of one developer's agents over a store that they have filled for years, one by one and many at once.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use cavra_core::{App, DecisionRequest, Engine, Settings};
use cavra_model::{ActionType, Context};
use cavra_normalize::ActionRequest;
use serde_json::json;

use crate::report::{Samples, head, row, show};

/// Decisions that are stored before the hooks run.
const STORED: [u64; 3] = [1_000, 100_000, 1_000_000];
/// Hooks at once.
const AT_ONCE: [usize; 2] = [1, 16];
/// Hooks that are measured in each row.
const COUNT: usize = 480;
/// Decisions of one session.
const SESSION: u64 = 200;
/// Requests that fill the store at once.
const FILLERS: u64 = 64;

/// Fills up to `most` decisions and measures.
pub fn run(cavra: &Path, most: u64) -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let database = home.path().join("activity.db");
    head("Hooks over a store in use", &["stored before", "at once", "p50", "p99", "refused"]);
    let mut stored = 0;
    for goal in STORED.into_iter().filter(|goal| *goal <= most) {
        fill(&database, stored, goal)?;
        stored = goal;
        for at_once in AT_ONCE {
            let (samples, refused) = hooks(cavra, home.path(), &database, at_once)?;
            let figures = [stored.to_string(), at_once.to_string(), show(samples.p50()), show(samples.p99())];
            row(&[&figures[..], &[refused.to_string()]].concat());
        }
    }
    Ok(())
}

/// Lets the product decide and record until there are `goal` decisions.
fn fill(database: &Path, stored: u64, goal: u64) -> anyhow::Result<()> {
    let folder = database.parent().context("a store in no directory")?;
    let at = |name: &str| folder.join(name).display().to_string();
    let settings = Settings::read(|name| match name {
        "CAVRA_ACTIVITY_DB" => Some(database.display().to_string()),
        "CAVRA_APPROVAL_DB" => Some(at("approvals.db")),
        "CAVRA_INVENTORY_DB" => Some(at("inventory.db")),
        "CAVRA_REGISTRY_DB" => Some(at("registry.db")),
        "CAVRA_EVIDENCE_METADATA_DB" => Some(at("evidence.db")),
        "CAVRA_TOKEN_DB" => Some(at("tokens.db")),
        "CAVRA_EVIDENCE_LOG_KEY" => Some(at("log.pem")),
        "CAVRA_CACHE_DIR" => Some(at("cache")),
        _ => None,
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let app = App::open(&settings, Engine::Server)?;
        app.log.start().await?;
        let next = Arc::new(std::sync::atomic::AtomicU64::new(stored));
        let fillers = (0..FILLERS).map(|_| {
            let (app, next) = (app.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number >= goal {
                        return anyhow::Ok(());
                    }
                    app.decide(request(number)).await?;
                }
            })
        });
        for filler in fillers.collect::<Vec<_>>() {
            filler.await??;
        }
        app.close().await;
        anyhow::Ok(())
    })
}

fn request(number: u64) -> DecisionRequest {
    let target = Some(format!("src/module-{}/file-{}.rs", number % 97, number % 1013));
    let context = Context {
        session_id: format!("session-{}", number / SESSION),
        agent_id: "claude-code".to_owned(),
        repository: "project".to_owned(),
        ..Context::default()
    };
    DecisionRequest {
        context,
        ..DecisionRequest::new(ActionRequest { target, ..ActionRequest::of(ActionType::ReadFile) })
    }
}

/// The times of hooks, and how many of them refused.
fn hooks(cavra: &Path, home: &Path, database: &Path, at_once: usize) -> anyhow::Result<(Samples, usize)> {
    // The first one compiles the pack.
    hook(cavra, home, database, "warm-up")?;
    let outcomes = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once)
            .map(|worker| {
                scope.spawn(move || {
                    let session = format!("bench-{worker}");
                    (0..COUNT / at_once)
                        .map(|_| {
                            let started = Instant::now();
                            let allowed = hook(cavra, home, database, &session)?;
                            anyhow::Ok((started.elapsed(), allowed))
                        })
                        .collect::<anyhow::Result<Vec<_>>>()
                })
            })
            .collect();
        let joined = workers.into_iter().map(|worker| worker.join().map_err(|_| anyhow::anyhow!("a worker failed"))?);
        joined.collect::<anyhow::Result<Vec<_>>>()
    })?;
    let outcomes: Vec<_> = outcomes.into_iter().flatten().collect();
    let refused = outcomes.iter().filter(|(_, allowed)| !allowed).count();
    Ok((Samples::of(outcomes.into_iter().map(|(took, _)| took).collect()), refused))
}

/// Whether the hook had no objection.
fn hook(cavra: &Path, home: &Path, database: &Path, session: &str) -> anyhow::Result<bool> {
    let event = json!({
        "hook_event_name": "PreToolUse", "session_id": session, "cwd": home, "permission_mode": "default",
        "tool_name": "Read", "tool_input": {"file_path": home.join("src/main.rs")},
    });
    let mut child = Command::new(cavra)
        .args(["hook", "claude-code"])
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .env("CAVRA_ACTIVITY_DB", database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the hook")?;
    child.stdin.take().context("no input")?.write_all(event.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.code().is_some(), "the hook was killed");
    Ok(output.status.success() && output.stdout == b"{}\n")
}
