//! A store with many decisions, made through the record store itself.

use std::path::Path;

use cavra_model::{
    Action, Context, Counts, DECISIONS, Decided, DecisionRecord, FileAccess, Finding, Kind, NoRandomness, Outcome,
    SESSIONS, Severity, Subject, Timestamp, apply_decision, stamp,
};
use cavra_store::{Location, RecordStore, StoreError, Transaction};
use serde_json::Value;

static KINDS: [&Kind; 2] = [&DECISIONS, &SESSIONS];
const BATCH: u64 = 2_000;
/// Decisions of one session.
const SESSION: u64 = 40;

/// Decisions made while an agent that is gone was still there.
const RETIRED: u64 = 50_000;

/// When decisions were made.
#[derive(Clone, Copy)]
pub struct Span {
    /// Microseconds from one to the next.
    every: i64,
    /// Microseconds from the first one to now.
    began: i64,
}

/// One every 30 seconds, a million in a year.
const YEAR: Span = Span { every: 30_000_000, began: 31_000_000_000_000 };

impl Span {
    /// So many in a month that is over for another one.
    pub fn month(count: u64) -> Self {
        let month = 30 * 24 * 60 * 60 * 1_000_000;
        Self { every: month / i64::try_from(count.max(1)).unwrap_or(i64::MAX), began: 2 * month }
    }
}

/// Stores `count` decisions of a year of work: 200 agents, 500 repositories.
pub fn fill(database: &Path, count: u64) -> anyhow::Result<()> {
    fill_in(database, count, YEAR)
}

/// As [`fill`], of another time.
pub fn fill_in(database: &Path, count: u64, span: Span) -> anyhow::Result<()> {
    eprintln!("storing {count} decisions …");
    let store = RecordStore::open(Location::Sqlite(database.to_owned()), &KINDS)?;
    let mut start = 0;
    while start < count {
        let end = (start + BATCH).min(count);
        store.transact_blocking(move |tx| (start..end).try_for_each(|number| insert(tx, number, span)))?;
        start = end;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(store.close());
    Ok(())
}

fn insert(tx: &mut dyn Transaction, number: u64, span: Span) -> Result<(), StoreError> {
    let record = record(number, span).map_err(|error| StoreError::Refused(error.to_string()))?;
    let Ok(Value::Object(decision)) = serde_json::to_value(record) else { return Ok(()) };
    let session = decision.get("session_id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let stored = tx.get(&SESSIONS, &session)?;
    let counts = if stored.is_some() { Counts::Kept } else { Counts::Tally(Vec::new()) };
    let folded = apply_decision(stored, &decision, &counts);
    tx.insert(&DECISIONS, decision)?;
    tx.put(&SESSIONS, folded)
}

fn record(number: u64, span: Span) -> Result<DecisionRecord, NoRandomness> {
    let outcome = match number % 10 {
        0 => Outcome::Block,
        1 | 2 => Outcome::RequireApproval,
        _ => Outcome::Allow,
    };
    let severity = if outcome == Outcome::Allow { Severity::Low } else { Severity::High };
    let finding = Finding {
        rule_id: format!("filesystem.write.{outcome}"),
        outcome,
        severity,
        reason: "no rule speaks about this file, so it may be written".to_owned(),
        approver_group: None,
    };
    let action =
        Action::WriteFile(FileAccess { path: format!("services/team-{}/src/lib.rs", number % 977), content: None });
    let context = Context {
        session_id: format!("session-{}", number / SESSION),
        agent_id: agent(number),
        repository: format!("group/repository-{}", scatter(number / SESSION) % 500),
        ..Context::default()
    };
    let later = i64::try_from(number).unwrap_or(0) * span.every;
    let now = Timestamp::from_micros(Timestamp::now().as_micros() - span.began + later);
    stamp(
        Decided {
            subject: Subject::of(&action, &cavra_model::McpRegistry::NotConsulted),
            finding,
            now,
            attributes: std::collections::BTreeMap::new(),
        },
        context,
    )
}

/// One of the first agents has stopped working long ago.
fn agent(number: u64) -> String {
    if number < RETIRED && number.is_multiple_of(2) {
        return "agent-retired".to_owned();
    }
    format!("agent-{}", scatter(number) % 200)
}

/// Spreads consecutive numbers.
fn scatter(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33
}
