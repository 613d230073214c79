//! What happens when files, disks or processes fail: a clear refusal, nothing overwritten, nothing acknowledged lost.
//!
//! Tests that need a process of its own run this test binary again with [`ROLE`] set; see [`child`].

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::redundant_clone,
    reason = "tests"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cavra_model::{DECISIONS, Kind, Object, SESSIONS};
use cavra_store::{Location, Mode, Query, RecordStore, StoreError};
use serde_json::json;

static KINDS: [&Kind; 2] = [&DECISIONS, &SESSIONS];

const ROLE: &str = "STORE_TEST_ROLE";
const PLACE: &str = "STORE_TEST_PLACE";
const NAME: &str = "STORE_TEST_NAME";

type Make = fn(PathBuf) -> Location;
const BACKENDS: [Make; 2] = [Location::Json, Location::Sqlite];

fn decision(id: &str) -> Object {
    let value = json!({
        "decision_id": id, "session_id": "s", "agent_id": "a", "decision": "allow", "reason": "x".repeat(300),
        "timestamp": "2031-01-01T00:00:00.000000+00:00",
    });
    value.as_object().cloned().unwrap()
}

fn insert(store: &RecordStore, id: &str) -> Result<(), StoreError> {
    let (record, leaf) = (decision(id), id.to_owned());
    store.transact_blocking(move |tx| {
        tx.append(&DECISIONS, leaf.clone())?;
        let count = tx.get(&SESSIONS, "s")?.map_or(0, |session| session["decision_count"].as_u64().unwrap());
        tx.insert(&DECISIONS, record.clone())?;
        let session = json!({"session_id": "s", "decision_count": count + 1});
        tx.put(&SESSIONS, session.as_object().cloned().unwrap())
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn total(store: &RecordStore) -> u64 {
    let page = block_on(store.list(&DECISIONS, Query { limit: 1, ..Query::default() })).unwrap();
    page.total
}

/// Every record has its leaf in the log and every leaf its record.
#[track_caller]
fn assert_logged(store: &RecordStore, case: &str) {
    let mut leaves = block_on(store.leaves(&DECISIONS, 0..u64::MAX)).unwrap();
    assert_eq!(block_on(store.log_size(&DECISIONS)).unwrap(), leaves.len() as u64, "{case}");
    leaves.sort();
    let all = Query { limit: u64::MAX, ..Query::default() };
    let records = block_on(store.list(&DECISIONS, all)).unwrap().items;
    let mut ids: Vec<_> = records.iter().map(|record| record["decision_id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(leaves, ids, "{case}");
}

/// The content of every file below a directory, to see that nothing was touched.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

// --- files that are no store ------------------------------------------------------------------------------------

#[test]
fn torn_json_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("activity.json");
    let store = RecordStore::open(Location::Json(path.clone()), &KINDS).unwrap();
    (0..5).for_each(|number| insert(&store, &format!("d{number}")).unwrap());
    drop(store);
    let whole = fs::read(&path).unwrap();
    // The last byte is the final newline, without which the file is still whole.
    for length in (0..whole.len() - 1).step_by(37).chain([0, 1, whole.len() - 2]) {
        fs::write(&path, &whole[..length]).unwrap();
        let before = files(directory.path());
        let error = RecordStore::open(Location::Json(path.clone()), &KINDS).unwrap_err();
        assert!(matches!(error, StoreError::Unreadable { .. }), "{length}: {error}");
        assert_eq!(files(directory.path()), before, "{length}");
    }
}

#[test]
fn json_torn_while_open_is_refused_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("activity.json");
    let store = RecordStore::open(Location::Json(path.clone()), &KINDS).unwrap();
    insert(&store, "d1").unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let torn = fs::read(&path).unwrap();
    assert!(matches!(insert(&store, "d2"), Err(StoreError::Unreadable { .. })));
    assert!(matches!(block_on(store.get(&DECISIONS, "d1")), Err(StoreError::Unreadable { .. })));
    assert_eq!(fs::read(&path).unwrap(), torn);
    fs::write(&path, &whole).unwrap();
    insert(&store, "d2").unwrap();
    assert_eq!(total(&store), 2);
}

#[test]
fn a_torn_temporary_file_is_ignored_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("activity.json");
    fs::write(directory.path().join("activity.json.tmp"), "{\"decisions\": [").unwrap();
    let store = RecordStore::open(Location::Json(path.clone()), &KINDS).unwrap();
    assert_eq!(total(&store), 0);
    insert(&store, "d1").unwrap();
    assert!(!directory.path().join("activity.json.tmp").exists());
    assert_eq!(total(&store), 1);
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("activity.db");
    fs::write(&path, "no database ".repeat(1000)).unwrap();
    let before = files(directory.path());
    let error = RecordStore::open(Location::Sqlite(path), &KINDS).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert_eq!(files(directory.path()), before);
}

/// A program that says by its `application_id` that a database is its own keeps it as it is.
#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("places.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("PRAGMA application_id = 252006675; CREATE TABLE bookmarks (url TEXT)").unwrap();
    other.close().unwrap();
    let before = files(directory.path());
    let refused = RecordStore::open(Location::Sqlite(path), &KINDS).unwrap_err();
    let said = std::error::Error::source(&refused).map_or_else(|| refused.to_string(), ToString::to_string);
    assert!(said.contains("another program (application_id 0x0f055113)"), "{said}");
    assert_eq!(files(directory.path()), before);
}

#[test]
fn a_damaged_database_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("activity.db");
    let store = RecordStore::open(Location::Sqlite(path.clone()), &KINDS).unwrap();
    (0..300).for_each(|number| insert(&store, &format!("d{number}")).unwrap());
    block_on(store.close());
    drop(store);
    let whole = fs::read(&path).unwrap();
    let pages = whole.len() / 4096;
    assert!(pages > 20, "{pages}");
    for page in 0..pages {
        let mut damaged = whole.clone();
        damaged[page * 4096..][..4096].fill(0xa5);
        fs::write(&path, &damaged).unwrap();
        let _ = fs::remove_file(directory.path().join("activity.db-wal"));
        let _ = fs::remove_file(directory.path().join("activity.db-shm"));
        let error = RecordStore::open(Location::Sqlite(path.clone()), &KINDS).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "page {page}: {error}");
        assert_eq!(fs::read(&path).unwrap(), damaged, "page {page}");
    }
}

#[test]
fn a_place_that_cannot_be_written() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let inside = directory.path().join("file/activity");
    let error = RecordStore::open(Location::Sqlite(inside.clone()), &KINDS).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    let error = RecordStore::open(Location::Json(inside), &KINDS).and_then(|store| insert(&store, "d")).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. } | StoreError::Unreadable { .. }), "{error}");
    for make in BACKENDS {
        assert!(RecordStore::open(make(directory.path().to_owned()), &KINDS).is_err(), "a directory is no store");
    }
    // A file system without room for anything, not even for root.
    for make in BACKENDS {
        let opened = RecordStore::open(make(PathBuf::from("/proc/self/none/activity")), &KINDS);
        let error = opened.and_then(|store| insert(&store, "d")).unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    }
}

#[test]
fn an_existing_database_of_the_older_product_opens() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("activity.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(
        "CREATE TABLE activity_decisions (decision_id TEXT PRIMARY KEY, session_id TEXT NOT NULL, agent_id TEXT NOT NULL, \
         repository TEXT, policy_pack TEXT, decision TEXT, timestamp TEXT, extra TEXT, payload TEXT NOT NULL); \
         CREATE INDEX old ON activity_decisions (session_id);",
    )
    .unwrap();
    let old_insert = |verb: &str, id: &str, outcome: &str| {
        let payload =
            json!({"decision_id": id, "session_id": "s", "severity": "high", "decision": outcome}).to_string();
        old.execute(
            &format!("{verb} INTO activity_decisions (decision_id, session_id, agent_id, decision, timestamp, payload) VALUES (?1, 's', 'a', ?2, '2031', ?3)"),
            (id, outcome, payload),
        )
        .unwrap();
    };
    (0..10).for_each(|number| old_insert("INSERT", &format!("d{number}"), "allow"));
    let store = RecordStore::open(Location::Sqlite(path.clone()), &KINDS).unwrap();
    assert_eq!(total(&store), 10);
    let count = |filters: &[(&'static str, &str)]| {
        let filters = filters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let page = block_on(store.list(&DECISIONS, Query { filters, limit: 500, ..Query::default() })).unwrap();
        assert_eq!(page.items.len() as u64, page.total, "the counts are those of the lists");
        page.total
    };
    assert_eq!(count(&[("severity", "high")]), 10, "a column that was missing is filled from the payload");
    insert(&store, "mine").unwrap();
    // The older product goes on writing, in every way SQL has.
    old_insert("INSERT", "d10", "block");
    old_insert("INSERT OR REPLACE", "d10", "warn");
    old_insert("INSERT OR REPLACE", "d11", "warn");
    old_insert("INSERT OR REPLACE", "mine", "block");
    old_insert("INSERT OR IGNORE", "d1", "block");
    old_insert("INSERT OR REPLACE", "d1", "warn");
    old.execute("INSERT INTO activity_decisions (decision_id, session_id, agent_id, decision, payload) VALUES ('d2', 's', 'a', 'warn', '{}') ON CONFLICT DO UPDATE SET decision = 'warn'", []).unwrap();
    old.execute("UPDATE activity_decisions SET decision = 'block' WHERE decision_id = 'd3'", []).unwrap();
    old.execute("DELETE FROM activity_decisions WHERE decision_id IN ('d2', 'd4')", []).unwrap();
    old_insert("INSERT", "d2", "warn");
    assert_eq!(count(&[]), 12);
    assert_eq!(count(&[("decision", "warn")]), 4);
    assert_eq!(count(&[("decision", "block")]), 2);
    assert_eq!(count(&[("decision", "allow")]), 6);
    assert_eq!(count(&[("session_id", "s"), ("decision", "block")]), 2);
    block_on(store.close());
    RecordStore::open(Location::Sqlite(path), &KINDS).unwrap();
}

#[test]
fn a_database_without_its_payload_column_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("activity.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch("CREATE TABLE activity_decisions (decision_id TEXT PRIMARY KEY, session_id TEXT)").unwrap();
    drop(old);
    let error = RecordStore::open(Location::Sqlite(path), &KINDS).unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
}

#[test]
fn json_keeps_what_it_does_not_know() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("activity.json");
    fs::write(&path, r#"{"sessions": [{"session_id": "old"}], "zeta": {"b": 1, "a": [true]}, "alpha": null}"#).unwrap();
    let store = RecordStore::open(Location::Json(path.clone()), &KINDS).unwrap();
    insert(&store, "d1").unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let content: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(text, format!("{content:#}\n"), "two spaces, sorted keys, final newline");
    assert_eq!((&content["zeta"], &content["alpha"]), (&json!({"b": 1, "a": [true]}), &json!(null)));
    assert_eq!(content["sessions"][0]["session_id"], "old", "in the order they were first written");
    assert_eq!(content["sessions"][1]["decision_count"], 1);
}

#[test]
fn a_symbolic_link_is_written_through() {
    let directory = tempfile::tempdir().unwrap();
    let (real, link) = (directory.path().join("real/activity.json"), directory.path().join("link.json"));
    fs::create_dir(directory.path().join("real")).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let refused = RecordStore::open(Location::Json(link.clone()), &KINDS);
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "a link to nothing");
    fs::write(&real, "{}").unwrap();
    let (through, direct) = (open_json(&link), open_json(&real));
    insert(&through, "d1").unwrap();
    insert(&direct, "d2").unwrap();
    insert(&through, "d3").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!((total(&through), total(&direct)), (3, 3));
}

fn open_json(path: &Path) -> RecordStore {
    RecordStore::open(Location::Json(path.to_owned()), &KINDS).unwrap()
}

#[test]
fn files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for make in BACKENDS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/store");
        let store = RecordStore::open(make(path.clone()), &KINDS).unwrap();
        insert(&store, "d1").unwrap();
        assert_eq!((mode(&directory.path().join("a")), mode(&directory.path().join("a/b"))), (0o700, 0o700));
        for entry in fs::read_dir(directory.path().join("a/b")).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shared.json");
    fs::write(&path, "{}").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    insert(&open_json(&path), "d1").unwrap();
    assert_eq!(mode(&path), 0o640, "what the operator chose stays");
}

// --- other processes --------------------------------------------------------------------------------------------

/// The part of this binary that runs in a process of its own; without a role it does nothing.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let place = PathBuf::from(std::env::var_os(PLACE).unwrap());
    let name = std::env::var(NAME).unwrap();
    let sqlite = place.extension().is_some_and(|extension| extension == "db");
    let location = if sqlite { Location::Sqlite(place) } else { Location::Json(place) };
    let store = RecordStore::open(location, &KINDS).unwrap();
    match role.as_str() {
        "hammer" => (0..40).for_each(|number| insert(&store, &format!("{name}-{number}")).unwrap()),
        "until-killed" => load(&store, &name),
        "full" => fill_up(&store),
        "limited" => run_into_limit(&store, &name),
        other => panic!("{other}"),
    }
}

/// Four threads that say what was acknowledged, one line each, until the process is killed.
fn load(store: &RecordStore, name: &str) {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for number in 0.. {
                    let id = format!("{name}-{thread}-{number}");
                    insert(store, &id).unwrap();
                    println!("\nacknowledged {id}");
                }
            });
        }
    });
}

/// Writes until the file may not grow any more; what was acknowledged must still be readable, and no more than that.
fn fill_up(store: &RecordStore) {
    let bytes = if store.mode(&DECISIONS) == Ok(Mode::Json) { 100 * 1024 } else { 4 * 1024 * 1024 };
    let limit = rustix::process::Rlimit { current: Some(bytes), maximum: Some(bytes) };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
    let mut acknowledged = 0;
    let error = loop {
        match insert(store, &format!("d{acknowledged}")) {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(acknowledged > 20);
    assert_eq!(total(store), acknowledged, "a failed commit changes nothing");
    println!("\nacknowledged {acknowledged}");
}

/// Writes until the write that makes a file larger than it may be; that one fails, or ends the process.
fn run_into_limit(store: &RecordStore, bytes: &str) {
    let bytes = bytes.parse().unwrap();
    let limit = rustix::process::Rlimit { current: Some(bytes), maximum: Some(bytes) };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
    for number in 0..400 {
        if insert(store, &format!("d{bytes}-{number}")).is_err() {
            return;
        }
        println!("\nacknowledged d{bytes}-{number}");
    }
}

/// A write that makes a file larger than it may be fails.
const FAILS: &str = "trap '' XFSZ; exec \"$0\" \"$@\"";
/// It ends the process, whatever whoever started the tests made of the signal.
const DIES: &str = "exec env --default-signal=XFSZ \"$0\" \"$@\"";

fn spawn(role: &str, place: &Path, name: &str) -> Child {
    spawn_by(FAILS, role, place, name)
}

fn spawn_by(script: &str, role: &str, place: &Path, name: &str) -> Child {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]);
    command.env(ROLE, role).env(PLACE, place).env(NAME, name);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

fn acknowledged(line: &str) -> Option<String> {
    line.strip_prefix("acknowledged ").map(ToOwned::to_owned)
}

#[test]
fn processes_never_lose_each_others_writes() {
    for file in ["activity.json", "activity.db"] {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join(file);
        let children: Vec<_> = (0..4).map(|number| spawn("hammer", &place, &format!("p{number}"))).collect();
        let store = RecordStore::open(location(&place), &KINDS).unwrap();
        (0..40).for_each(|number| insert(&store, &format!("own-{number}")).unwrap());
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        assert_eq!(total(&store), 200, "{file}");
        let session = block_on(store.get(&SESSIONS, "s")).unwrap().unwrap();
        assert_eq!(session["decision_count"], 200, "{file}: reading and writing was one step");
        assert_logged(&store, file);
    }
}

fn location(place: &Path) -> Location {
    let sqlite = place.extension().is_some_and(|extension| extension == "db");
    if sqlite { Location::Sqlite(place.to_owned()) } else { Location::Json(place.to_owned()) }
}

#[test]
fn a_killed_process_loses_nothing_it_acknowledged() {
    for file in ["activity.json", "activity.db"] {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join(file);
        let mut known = Vec::new();
        for round in 0..10 {
            let mut child = spawn("until-killed", &place, &format!("r{round}"));
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let wanted = 5 + round * 3;
            let seen = lines.by_ref().map_while(Result::ok).filter_map(|line| acknowledged(&line)).take(wanted);
            known.extend(seen.collect::<Vec<_>>());
            child.kill().unwrap();
            child.wait().unwrap();
            // What it said before it died, which we had not read yet, but no half line.
            known.extend(
                lines
                    .map_while(Result::ok)
                    .filter_map(|line| acknowledged(&line))
                    .filter(|id| id.split('-').count() == 3),
            );
            let store = RecordStore::open(location(&place), &KINDS).unwrap();
            assert!(known.len() >= wanted);
            for id in &known {
                let found = block_on(store.get(&DECISIONS, id)).unwrap();
                // A line cut off by the kill may name the beginning of another id, which exists too.
                assert!(found.is_some(), "{file}, round {round}: {id} of {}", known.len());
            }
            let session = block_on(store.get(&SESSIONS, "s")).unwrap().unwrap();
            assert_eq!(session["decision_count"], total(&store), "{file}, round {round}: no half transaction");
            assert_logged(&store, file);
            block_on(store.check()).unwrap();
        }
    }
}

#[test]
fn a_full_disk_is_refused_and_nothing_is_lost() {
    for file in ["activity.json", "activity.db"] {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join(file);
        let child = spawn("full", &place, "");
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stdout));
        let said = String::from_utf8(output.stdout).unwrap();
        let count: u64 = said.lines().find_map(acknowledged).unwrap().parse().unwrap();
        let store = RecordStore::open(location(&place), &KINDS).unwrap();
        assert_eq!(total(&store), count, "{file}");
        insert(&store, "more").unwrap();
        assert_logged(&store, file);
        assert!(!directory.path().join("activity.json.tmp").exists());
    }
}

/// Every write of a commit is once the one that fails, and once the one in which the process dies: whichever it is, a
/// record and its leaf are both there or neither is, and what was acknowledged is.
#[test]
fn a_fault_in_any_write_leaves_record_and_leaf_or_neither() {
    for (file, limits) in
        [("activity.json", (1..30).map(|step| step * 1046).collect::<Vec<_>>()), ("activity.db", database_limits())]
    {
        for bytes in limits {
            for script in [FAILS, DIES] {
                let directory = tempfile::tempdir().unwrap();
                let place = directory.path().join(file);
                // The database is there before, so that the limit hits commits and not only its making.
                drop(RecordStore::open(location(&place), &KINDS).unwrap());
                let output = spawn_by(script, "limited", &place, &bytes.to_string()).wait_with_output().unwrap();
                // The signal comes for sure: four hundred records are more than any of the limits.
                let by = (script == DIES).then(|| rustix::process::Signal::XFSZ.as_raw());
                assert_eq!(output.status.signal(), by, "{file} at {bytes}");
                let said = String::from_utf8(output.stdout).unwrap();
                let store = RecordStore::open(location(&place), &KINDS).unwrap();
                assert_logged(&store, &format!("{file} at {bytes}"));
                for id in said.lines().filter_map(acknowledged) {
                    let found = block_on(store.get(&DECISIONS, &id)).unwrap();
                    assert!(found.is_some(), "{file} at {bytes}: {id} was acknowledged");
                }
                insert(&store, "more").unwrap();
                assert_logged(&store, &format!("{file} at {bytes}, afterwards"));
            }
        }
    }
}

/// Within the first commits every boundary of a frame of the write-ahead log and places between, later some.
fn database_limits() -> Vec<u64> {
    let frame = 4096 + 24;
    let frames = (1..20).flat_map(|number| [32 + number * frame - 1, 32 + number * frame + 2000]);
    frames.chain((4..8).map(|step| step * 101_037)).collect()
}
