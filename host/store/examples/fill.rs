//! Fills a SQLite store with decisions and reports what writing and listing cost: `fill [records] [sessions] [leaves]`;
//! `leaves` 0 leaves the log out, to see what it costs.

use std::time::{Duration, Instant};

use cavra_model::{
    COUNTED_SESSIONS, Counts, DECISIONS, Digest, Kind, Object, SESSIONS, Timestamp, apply_decision, canonical,
    new_decision_id,
};
use cavra_store::{Location, Query, RecordStore, StoreError, Transaction};
use serde_json::json;

const KINDS: [&Kind; 3] = [&DECISIONS, &SESSIONS, &COUNTED_SESSIONS];
const CLIENTS: usize = 64;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().map_or(Ok(default), |text| text.parse());
    let (records, sessions, leaves) = (number(100_000)?, number(1_000)?, number(1)? > 0);
    let directory = tempfile::tempdir_in(".")?;
    let path = directory.path().join("activity.db");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    runtime.block_on(async {
        let store = RecordStore::open(Location::Sqlite(path.clone()), &KINDS)?;
        let step = (records / 5).max(1);
        for done in (0..records).step_by(step) {
            write(&store, done, step, (sessions, leaves)).await;
        }
        write(&store, records, 20_000, (sessions, leaves)).await;
        read(&store, sessions).await?;
        println!("resident: {} MB", resident());
        tokio::time::sleep(Duration::from_secs(4)).await;
        println!("resident when idle: {} MB", resident());
        store.close().await;
        Ok::<_, StoreError>(())
    })?;
    for entry in std::fs::read_dir(directory.path())? {
        let entry = entry?;
        println!("{:?}: {} MB", entry.file_name(), entry.metadata()?.len() >> 20);
    }
    single(&path)?;
    Ok(())
}

/// `CLIENTS` clients, each waiting for its decision before it sends the next.
async fn write(store: &RecordStore, done: usize, count: usize, (sessions, leaves): (usize, bool)) {
    let (started, busy) = (Instant::now(), cpu());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                for number in (client..count).step_by(CLIENTS) {
                    let decision = decision(done + number, sessions);
                    let started = Instant::now();
                    let leaf = leaves.then(|| leaf(&decision));
                    let change = move |tx: &mut dyn Transaction| {
                        leaf.iter().try_for_each(|leaf| tx.append(&DECISIONS, leaf.clone()))?;
                        record(tx, decision.clone())
                    };
                    if let Err(error) = store.transact(change).await {
                        eprintln!("{error}");
                    }
                    times.push(started.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await.unwrap_or_default());
    }
    let (took, busy) = (started.elapsed(), cpu().saturating_sub(busy));
    println!(
        "at {:>8}: {:>6.0} decisions/s, {:.1} us writer CPU each, {}",
        done + count,
        count as f64 / took.as_secs_f64(),
        busy.as_secs_f64() * 1e6 / count as f64,
        quantiles(times),
    );
}

/// As the evidence log writes it.
fn leaf(decision: &Object) -> String {
    canonical(&json!({
        "event": "decision", "id": decision.get("decision_id"), "record_sha256": Digest::of_record(decision).hex(),
        "time": Timestamp::now(),
    }))
}

fn record(tx: &mut dyn Transaction, decision: Object) -> Result<(), StoreError> {
    let id = decision.get("session_id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
    let stored = tx.get(&SESSIONS, &id)?;
    let counts = if tx.holds(&COUNTED_SESSIONS, &id)? {
        Counts::Kept
    } else {
        let noted = json!({"session_id": id, "counted_at": Timestamp::now()});
        tx.insert(&COUNTED_SESSIONS, noted.as_object().cloned().unwrap_or_default())?;
        Counts::Tally(tx.tally(&DECISIONS, ("session_id", &id), "decision")?)
    };
    let session = apply_decision(stored, &decision, &counts);
    tx.insert(&DECISIONS, decision)?;
    tx.put(&SESSIONS, session)
}

async fn read(store: &RecordStore, sessions: usize) -> Result<(), StoreError> {
    let filters: [&[(&'static str, &str)]; 8] = [
        &[],
        &[("agent_id", "agent-3")],
        &[("decision", "block")],
        &[("repository", "org/repo-17")],
        &[("decision", "block"), ("severity", "high"), ("agent_id", "agent-1")],
        &[("session_id", "session-5")],
        &[("session_id", "session-5"), ("decision", "allow")],
        &[("agent_id", "agent-3"), ("action_type", "file_write"), ("repository", "org/repo-3")],
    ];
    for filter in filters {
        for offset in [0, 5_000] {
            let mut times = Vec::new();
            let mut total = 0;
            for _ in 0..200 {
                let filters = filter.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
                let started = Instant::now();
                total = store.list(&DECISIONS, Query { filters, limit: 50, offset, ..Query::default() }).await?.total;
                times.push(started.elapsed());
            }
            println!("{filter:?} from {offset}: total {total}, {}", quantiles(times));
        }
    }
    let mut times = Vec::new();
    for number in 0..200 {
        let started = Instant::now();
        store
            .gather(&DECISIONS, ("session_id", format!("session-{}", number % sessions)), "evidence_refs", 100)
            .await?;
        times.push(started.elapsed());
    }
    println!("gather references of a session: {}", quantiles(times));
    Ok(())
}

/// What a process that stores one decision pays.
fn single(path: &std::path::Path) -> Result<(), StoreError> {
    for location in [Location::Sqlite(path.to_owned()), Location::Json(path.with_extension("json"))] {
        let mut times = Vec::new();
        for number in 0..200 {
            let decision = decision(number, 10);
            let started = Instant::now();
            let store = RecordStore::open(location.clone(), &KINDS)?;
            store.transact_blocking(move |tx| record(tx, decision.clone()))?;
            times.push(started.elapsed());
            drop(store);
        }
        println!("open, insert one: {location:?}: {}", quantiles(times));
    }
    Ok(())
}

#[expect(clippy::expect_used, reason = "a tool of developers, which may stop")]
fn decision(number: usize, sessions: usize) -> Object {
    let mix = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let pick = |shift: u32, count: u64| (mix >> shift) % count;
    let of = |names: &[&'static str], shift| {
        names.iter().cycle().nth(usize::try_from(pick(shift, 64)).unwrap_or(0)).copied()
    };
    let session = format!("session-{}", pick(3, sessions as u64));
    let id = new_decision_id().expect("randomness");
    let value = json!({
        "schema_version": "cavra.decision.v1", "decision_id": id, "session_id": session,
        "agent_id": format!("agent-{}", pick(5, 12)), "actor": "ai-agent", "repository": format!("org/repo-{}", pick(9, 40)),
        "action_type": of(&["file_write", "command", "git_push", "mcp_tool_call"], 13), "target": format!("src/module_{number}/file.rs"),
        "requested_operation": "write", "policy_pack": "cavra-ai-agent-baseline", "policy_id": "cavra-ai-agent-baseline",
        "rule_id": "filesystem.write.protected", "decision": of(&["allow", "block", "require_approval", "warn", "audit_only"], 17),
        "severity": of(&["low", "medium", "high", "critical"], 21), "reason": "path is protected by the policy of this repository",
        "evidence_refs": [format!("evidence://{session}/{id}")], "approver_group": "security",
        "timestamp": Timestamp::now(), "correlation_id": "corr_0123456789ab",
    });
    value.as_object().cloned().unwrap_or_default()
}

fn quantiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    format!("p50 {:.2?}, p99 {:.2?}, max {:.2?}", at(50), at(99), times.last().copied().unwrap_or_default())
}

/// Processor time so far of the threads that write: the writer and the one that checkpoints.
fn cpu() -> Duration {
    let mut ticks = 0;
    for entry in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if text.contains("(store-") {
            let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
            ticks += fields.skip(11).take(2).flat_map(str::parse::<u64>).sum::<u64>();
        }
    }
    Duration::from_millis(ticks * 10)
}

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4 / 1024
}
