//! What is computed from the records is never in their way: whatever is damaged in it, records are written, lists are right,
//! and it is made anew.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;
use std::time::{Duration, Instant};

use cavra_model::{DECISIONS, Kind, Object, SESSIONS};
use cavra_store::{Location, Query, RecordStore};
use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use serde_json::json;

static KINDS: [&Kind; 2] = [&DECISIONS, &SESSIONS];

/// Enough for two segments.
const RECORDS: u64 = 2_400;

fn decision(number: u64) -> Object {
    let record = json!({
        "decision_id": format!("d{number:06}"), "session_id": format!("s{}", number % 7),
        "agent_id": format!("a{}", number % 3), "repository": "r", "policy_pack": "p", "action_type": "command",
        "decision": if number.is_multiple_of(50) { "block" } else { "allow" }, "severity": "low",
        "timestamp": format!("2031-01-01T00:{:02}:{:02}.{:06}+00:00", number / 60_000 % 60, number / 1000 % 60, number % 1000),
    });
    record.as_object().cloned().unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn write(store: &RecordStore, numbers: std::ops::Range<u64>) {
    store
        .transact_blocking(move |tx| numbers.clone().try_for_each(|number| tx.insert(&DECISIONS, decision(number))))
        .unwrap();
}

fn segments(file: &Path) -> i64 {
    let database = Connection::open(file).unwrap();
    let count = "SELECT count(*) FROM activity_decisions_segments";
    database.query_row(count, [], |row| row.get(0)).unwrap_or(0)
}

#[track_caller]
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A database with records and all that is computed from them.
fn filled() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    let store = RecordStore::open(Location::Sqlite(file.clone()), &KINDS).unwrap();
    for start in (0..RECORDS).step_by(100) {
        write(&store, start..start + 100);
    }
    wait_for("no segments", || segments(&file) == 2);
    block_on(store.settle());
    (folder, file)
}

/// Totals and first records of some lists.
fn lists(store: &RecordStore) -> Vec<(u64, Vec<String>)> {
    let filters: [&[(&'static str, &str)]; 4] =
        [&[], &[("decision", "block")], &[("agent_id", "a1")], &[("agent_id", "a2"), ("decision", "block")]];
    let list = |filters: &[(&'static str, &str)]| {
        let filters = filters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let page = block_on(store.list(&DECISIONS, Query { filters, limit: 20, ..Query::default() })).unwrap();
        let ids = page.items.iter().map(|record| record["decision_id"].as_str().unwrap().to_owned());
        (page.total, ids.collect())
    };
    filters.into_iter().map(list).collect()
}

/// One byte of every value that is a set of rows is turned, one after the other.
#[test]
fn a_turned_byte_in_any_set() {
    let (_folder, file) = filled();
    let sets: Vec<(i64, String, String, Vec<u8>)> = {
        let database = Connection::open(&file).unwrap();
        let sql = "SELECT segment, facet, value, set_of_rows FROM activity_decisions_postings";
        let mut statement = database.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
        rows.unwrap().map(Result::unwrap).collect()
    };
    assert!(sets.len() > 10);
    let store = RecordStore::open(Location::Sqlite(file.clone()), &KINDS).unwrap();
    let right = lists(&store);
    assert_eq!((right[0].0, right[1].0), (RECORDS, RECORDS / 50));
    block_on(store.close());
    for (number, (segment, facet, value, bytes)) in sets.into_iter().enumerate() {
        let mut turned = bytes.clone();
        let at = number * 7 % bytes.len();
        turned[at] ^= 0x10;
        let put = |bytes: &[u8]| {
            let sql = "UPDATE activity_decisions_postings SET set_of_rows = ?4 WHERE segment = ?1 AND facet = ?2 AND value = ?3";
            Connection::open(&file).unwrap().execute(sql, (segment, &facet, &value, bytes)).unwrap()
        };
        if put(&turned) == 0 {
            // It has been made anew since.
            continue;
        }
        let store = RecordStore::look(Location::Sqlite(file.clone()), &KINDS).unwrap();
        assert_eq!(lists(&store), right, "{facet} {value}, byte {at}");
        put(&bytes);
    }
}

/// Whole tables are damaged, or gone: records are written all the same, and it is made anew.
#[test]
fn damaged_tables() {
    for damage in [
        "UPDATE activity_decisions_postings SET set_of_rows = x'00'",
        "UPDATE activity_decisions_postings SET set_of_rows = 'text'",
        "UPDATE activity_decisions_segments SET last_key = x'00'",
        "UPDATE activity_decisions_segments SET level = 'x'",
        "DELETE FROM activity_decisions_segments WHERE last = (SELECT max(last) FROM activity_decisions_segments)",
        "DROP TABLE activity_decisions_postings",
        "DROP TABLE activity_decisions_blocks",
        "DROP TABLE activity_decisions_segments",
        "DROP TABLE activity_decisions_changed",
    ] {
        for open in [false, true] {
            let (_folder, file) = filled();
            let location = Location::Sqlite(file.clone());
            let before = open.then(|| RecordStore::open(location.clone(), &KINDS).unwrap());
            Connection::open(&file).unwrap().execute_batch(damage).unwrap();
            let store = before.unwrap_or_else(|| RecordStore::open(location.clone(), &KINDS).unwrap());
            for start in (RECORDS..RECORDS + 200).step_by(10) {
                write(&store, start..start + 10);
                let seen = lists(&store);
                assert_eq!(seen[0].0, start + 10, "{damage} {open}");
                assert_eq!(seen[1].0, (start + 10).div_ceil(50), "{damage} {open}");
                assert_eq!(seen[0].1[0], format!("d{:06}", start + 9), "{damage} {open}");
            }
            block_on(store.close());
            let store = RecordStore::open(location, &KINDS).unwrap();
            // It begins where the first commit finds it.
            write(&store, RECORDS + 200..RECORDS + 300);
            wait_for(damage, || segments(&file) == 2);
            assert_eq!(lists(&store)[0].0, RECORDS + 300);
        }
    }
}

/// Rows that came from elsewhere, such as an import: the first commit waits for none of it.
#[test]
fn an_import_holds_nothing_up() {
    let (_folder, file) = filled();
    let mut database = Connection::open(&file).unwrap();
    let transaction = database.transaction().unwrap();
    for number in 10_000..60_000_u64 {
        let record = decision(number);
        let sql = "INSERT INTO activity_decisions (decision_id, session_id, agent_id, decision, timestamp, payload) VALUES (?1, 'i', ?2, 'allow', ?3, ?4)";
        let text = |name: &str| Cell::Text(record[name].as_str().unwrap().to_owned());
        let payload = Cell::Text(json!(record).to_string());
        // An agent of its own for each.
        let agent = Cell::Text(format!("agent{number}"));
        transaction
            .prepare_cached(sql)
            .unwrap()
            .execute([text("decision_id"), agent, text("timestamp"), payload])
            .unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    let store = RecordStore::open(Location::Sqlite(file.clone()), &KINDS).unwrap();
    let mut longest = Duration::ZERO;
    for number in RECORDS..RECORDS + 50 {
        let started = Instant::now();
        write(&store, number..number + 1);
        longest = longest.max(started.elapsed());
        assert_eq!(lists(&store)[0].0, 50_000 + number + 1);
    }
    assert!(longest < Duration::from_secs(2), "a commit took {longest:?}");
    wait_for("not all rows are in segments", || {
        let database = Connection::open(&file).unwrap();
        let sql =
            "SELECT (SELECT max(rowid) FROM activity_decisions) - (SELECT max(last) FROM activity_decisions_segments)";
        database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() < 1024
    });
    assert_eq!(lists(&store)[0].0, 50_000 + RECORDS + 50);
}
