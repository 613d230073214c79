//! Retention: a month of decisions is removed, with a leaf for each, while others are made and wait as little as possible.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use cavra_core::{
    App, Caller, DecisionRequest, Disposal, Doer, Engine, NewApproval, RetentionRequest, Settings, apply_retention,
};
use cavra_model::{ActionType, Context, Object, Ruling};
use cavra_normalize::ActionRequest;
use serde_json::{Value, json};

use crate::fill::{Span, fill_in};
use crate::report::{Samples, head, row, show};

/// Decisions under way at a time.
const CLIENTS: usize = 8;

/// How long decisions are made alone, to compare with.
const ALONE: Duration = Duration::from_secs(5);

pub fn run(stored: u64) -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let database = home.path().join("cavra.db");
    fill_in(&database, stored, Span::month(stored))?;
    let settings = settings(home.path(), &database)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (alone, meanwhile, took, removed) = runtime.block_on(measure(&settings))?;
    head(
        &format!("retention of a month of {stored} decisions, SQLite, {CLIENTS} clients deciding meanwhile"),
        &["removed", "time", "removed/s", "decisions alone p50", "p99", "meanwhile p50", "p99", "decisions meanwhile"],
    );
    row(&[
        removed.to_string(),
        format!("{:.1} s", took.as_secs_f64()),
        format!("{:.0}", removed as f64 / took.as_secs_f64()),
        show(alone.p50()),
        show(alone.p99()),
        show(meanwhile.p50()),
        show(meanwhile.p99()),
        meanwhile.len().to_string(),
    ]);
    Ok(())
}

fn settings(home: &Path, database: &Path) -> anyhow::Result<Settings> {
    let at = |name: &str| home.join(name).display().to_string();
    Ok(Settings::read(|name| match name {
        "CAVRA_DATABASE_URL" => Some(format!("sqlite:{}", database.display())),
        "CAVRA_EVIDENCE_LOG_KEY" => Some(at("log.pem")),
        "CAVRA_CACHE_DIR" => Some(at("cache")),
        _ => None,
    })?)
}

/// Decisions alone, decisions meanwhile, and how long it took to remove how many.
async fn measure(settings: &Settings) -> anyhow::Result<(Samples, Samples, Duration, u64)> {
    let app = App::open(settings, Engine::Server)?;
    app.log.start().await?;
    let alone = Clients::start(&app);
    tokio::time::sleep(ALONE).await;
    let alone = alone.end().await?;
    let plan = apply_retention(settings, &disposal(None, None)).await?;
    let before = plan.pointer("/rule/before").and_then(Value::as_str).context("no rule")?.to_owned();
    let approval = approved(&app, &plan).await?;
    let clients = Clients::start(&app);
    let started = Instant::now();
    let done = apply_retention(settings, &disposal(Some(before), Some(approval))).await?;
    let took = started.elapsed();
    let meanwhile = clients.end().await?;
    app.close().await;
    let removed = done.get("removed").and_then(Value::as_object).context("nothing was removed")?;
    Ok((alone, meanwhile, took, removed.values().filter_map(Value::as_u64).sum()))
}

/// What was made in the month before the last goes.
fn disposal(before: Option<String>, approval_id: Option<String>) -> Disposal {
    let rule = RetentionRequest { retention_days: 7, classification: "regulated-sdlc".to_owned(), legal_hold: false };
    Disposal { rule, before, dry_run: approval_id.is_none(), approval_id }
}

/// An approval of exactly that plan.
async fn approved(app: &App, plan: &Value) -> anyhow::Result<String> {
    let decision = plan.get("approval_decision").and_then(Value::as_object).context("nothing to approve")?.clone();
    let requester = Doer::named("bench".to_owned());
    let asked =
        NewApproval { decision, approver_group: Some("Records".to_owned()), requester, ttl_hours: 1, note: None };
    let asked = app.approvals.request(asked).await?;
    let id = asked.get("approval_id").and_then(Value::as_str).context("no approval")?.to_owned();
    let ruling: Object = serde_json::from_value(json!({ "actor": "ann", "reason": "measured" }))?;
    app.approvals.rule(&id, Ruling::Approve, &ruling, &Caller::default()).await?;
    Ok(id)
}

/// Clients that decide one action after the other.
struct Clients {
    tasks: Vec<tokio::task::JoinHandle<anyhow::Result<Vec<Duration>>>>,
    ended: Arc<AtomicBool>,
}

/// The next action.
static NUMBER: AtomicU64 = AtomicU64::new(0);

impl Clients {
    fn start(app: &App) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let client = |_| {
            let (app, ended) = (app.clone(), ended.clone());
            tokio::spawn(async move {
                let mut samples = Vec::new();
                while !ended.load(Ordering::Relaxed) {
                    let request = request(NUMBER.fetch_add(1, Ordering::Relaxed));
                    let started = Instant::now();
                    app.decide(request).await?;
                    samples.push(started.elapsed());
                }
                Ok(samples)
            })
        };
        Self { tasks: (0..CLIENTS).map(client).collect(), ended }
    }

    async fn end(self) -> anyhow::Result<Samples> {
        self.ended.store(true, Ordering::Relaxed);
        let mut samples = Vec::new();
        for task in self.tasks {
            samples.extend(task.await??);
        }
        Ok(Samples::of(samples))
    }
}

fn request(number: u64) -> DecisionRequest {
    let target = Some(format!("src/module-{}/lib.rs", number % 89));
    let context = Context {
        session_id: format!("young-{}", number / 40),
        agent_id: format!("agent-{}", number % 16),
        repository: format!("group/repository-{}", number % 32),
        ..Context::default()
    };
    let action = ActionRequest { target, ..ActionRequest::of(ActionType::ReadFile) };
    DecisionRequest { context, ..DecisionRequest::new(action) }
}
