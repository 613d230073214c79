//! Units of work that span files: whatever fails, and whenever a process is killed, all of it is there or nothing.
//!
//! The child of a test runs this binary again with [`PLACE`] set.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "tests"
)]

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cavra_model::{APPROVALS, DECISIONS, Kind, Object, SESSIONS};
use cavra_store::{Area, Location, RecordStore, StoreError, Transaction};
use rusqlite::Connection;
use serde_json::{Value, json};

static ACTIVITY: [&Kind; 2] = [&DECISIONS, &SESSIONS];
static APPROVAL: [&Kind; 1] = [&APPROVALS];

const PLACE: &str = "STORE_TEST_PLACE";
const PLACEMENT: &str = "STORE_TEST_PLACEMENT";
const UNIT: &str = "STORE_TEST_UNIT";

/// Every way to place two areas.
const PLACEMENTS: [(&str, &str); 6] = [
    ("json:activity.json", "json:approvals.json"),
    ("sqlite:activity.db", "sqlite:approvals.db"),
    ("json:activity.json", "sqlite:approvals.db"),
    ("sqlite:activity.db", "json:approvals.json"),
    ("sqlite:all.db", "sqlite:all.db"),
    ("json:all.json", "json:all.json"),
];

fn places(folder: &Path, placement: usize) -> [(Location, Area); 2] {
    let (activity, approvals) = PLACEMENTS[placement];
    let location = |text: &str| match text.split_once(':').unwrap() {
        ("json", name) => Location::Json(folder.join(name)),
        (_, name) => Location::Sqlite(folder.join(name)),
    };
    [(location(activity), &ACTIVITY), (location(approvals), &APPROVAL)]
}

fn open(folder: &Path, placement: usize) -> RecordStore {
    RecordStore::open_all(&places(folder, placement)).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn object(value: Value) -> Object {
    value.as_object().cloned().unwrap()
}

fn prepare(store: &RecordStore) {
    store
        .transact_blocking(|tx| {
            tx.append(&APPROVALS, "asked".to_owned())?;
            tx.put(&APPROVALS, object(json!({"approval_id": "a", "state": "approved"})))
        })
        .unwrap();
}

/// An approval lets a decision happen: the approval comes first, so the files are asked for in the wrong order. In both files what
/// the unit before left is removed.
fn use_up(tx: &mut dyn Transaction, unit: &str) -> Result<(), StoreError> {
    let mut approval = tx.get(&APPROVALS, "a")?.ok_or(StoreError::Closed)?;
    if let Some(before) = approval.get("used_by").and_then(Value::as_str) {
        assert!(tx.remove(&APPROVALS, &format!("left by {before}"))?);
        assert!(tx.remove(&SESSIONS, &format!("left by {before}"))?);
    }
    tx.put(&APPROVALS, object(json!({"approval_id": format!("left by {unit}")})))?;
    tx.put(&SESSIONS, object(json!({"session_id": format!("left by {unit}")})))?;
    approval.insert("used_by".to_owned(), json!(unit));
    tx.put(&APPROVALS, approval)?;
    tx.append(&APPROVALS, format!("used by {unit}"))?;
    let count = tx.get(&SESSIONS, "s")?.map_or(0, |session| session["decision_count"].as_u64().unwrap());
    tx.insert(&DECISIONS, object(json!({"decision_id": unit, "session_id": "s", "timestamp": unit})))?;
    tx.put(&SESSIONS, object(json!({"session_id": "s", "decision_count": count + 1})))?;
    tx.append(&DECISIONS, format!("decided {unit}"))
}

/// What is in both areas: who used the approval, the decisions, and the leaves.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    used_by: Option<String>,
    decisions: u64,
    counted: u64,
    leaves: (Vec<String>, Vec<String>),
    /// What the last unit left in each, beside what was there.
    left: (Vec<String>, Vec<String>),
}

fn look(store: &RecordStore) -> Seen {
    block_on(async {
        let approval = store.get(&APPROVALS, "a").await.unwrap().unwrap();
        let session = store.get(&SESSIONS, "s").await.unwrap();
        Seen {
            used_by: approval.get("used_by").and_then(Value::as_str).map(ToOwned::to_owned),
            decisions: store.list(&DECISIONS, cavra_store::Query::default()).await.unwrap().total,
            counted: session.map_or(0, |session| session["decision_count"].as_u64().unwrap()),
            leaves: (
                store.leaves(&DECISIONS, 0..u64::MAX).await.unwrap(),
                store.leaves(&APPROVALS, 0..u64::MAX).await.unwrap(),
            ),
            left: (left(store, &SESSIONS).await, left(store, &APPROVALS).await),
        }
    })
}

async fn left(store: &RecordStore, kind: &'static Kind) -> Vec<String> {
    let page = store.list(kind, cavra_store::Query { limit: 100, ..Default::default() }).await.unwrap();
    let ids = page.items.iter().map(|record| record[kind.id].as_str().unwrap().to_owned());
    ids.filter(|id| id.starts_with("left by ")).collect()
}

/// What has to be seen after these units.
fn after(units: &[&str]) -> Seen {
    Seen {
        used_by: units.last().map(ToString::to_string),
        decisions: units.len() as u64,
        counted: units.len() as u64,
        leaves: (
            units.iter().map(|unit| format!("decided {unit}")).collect(),
            std::iter::once("asked".to_owned()).chain(units.iter().map(|unit| format!("used by {unit}"))).collect(),
        ),
        left: {
            let last: Vec<String> = units.last().map(|unit| format!("left by {unit}")).into_iter().collect();
            (last.clone(), last)
        },
    }
}

#[test]
fn units_span_files() {
    for placement in 0..PLACEMENTS.len() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), placement);
        prepare(&store);
        assert_eq!(look(&store), after(&[]));
        for unit in ["u1", "u2"] {
            store.transact_blocking(move |tx| use_up(tx, unit)).unwrap();
        }
        assert_eq!(look(&store), after(&["u1", "u2"]), "{placement}");
        // One that fails at its end has changed nothing.
        let failed = store.transact_blocking(|tx| {
            use_up(tx, "u3")?;
            tx.insert(&DECISIONS, object(json!({"decision_id": "u1"})))
        });
        assert_eq!(failed, Err(StoreError::Exists));
        assert_eq!(look(&store), after(&["u1", "u2"]), "{placement}");
        block_on(store.close());
        assert_eq!(look(&open(folder.path(), placement)), after(&["u1", "u2"]), "{placement}");
    }
}

/// Commits that meet others at random, in either file: units run again, and what was not written is written later.
#[test]
fn conflicts_change_nothing() {
    for placement in 0..PLACEMENTS.len() {
        let folder = tempfile::tempdir().unwrap();
        prepare(&open(folder.path(), placement));
        let store = RecordStore::open_contended(&places(folder.path(), placement), 7 + placement as u64).unwrap();
        let units: Vec<String> = (0..12).map(|number| format!("u{number:02}")).collect();
        for unit in units.clone() {
            store.transact_blocking(move |tx| use_up(tx, &unit)).unwrap();
        }
        block_on(store.close());
        let units: Vec<&str> = units.iter().map(String::as_str).collect();
        assert_eq!(look(&open(folder.path(), placement)), after(&units), "{placement}");
    }
}

/// Another process holds one of the files: the unit waits, then fails, and nothing of it is there; meanwhile those go on
/// that do not need the file.
#[test]
fn a_file_that_somebody_holds() {
    for placement in 0..4 {
        for held in 0..2 {
            let folder = tempfile::tempdir().unwrap();
            let store = open(folder.path(), placement);
            prepare(&store);
            let places = places(folder.path(), placement);
            let lock = Held::take(&places[held].0);
            let started = Instant::now();
            let waiting = std::thread::spawn({
                let store = store.clone();
                move || store.transact_blocking(|tx| use_up(tx, "u1"))
            });
            std::thread::sleep(Duration::from_millis(50));
            let other = move |tx: &mut dyn Transaction| match held {
                0 => tx.put(&APPROVALS, object(json!({"approval_id": "b"}))),
                _ => tx.put(&SESSIONS, object(json!({"session_id": "t"}))),
            };
            store.transact_blocking(other).unwrap();
            assert!(started.elapsed() < Duration::from_secs(5), "{placement} {held}: it did not wait");
            assert!(matches!(waiting.join().unwrap(), Err(StoreError::Unavailable { .. })));
            assert_eq!(look(&store), after(&[]), "{placement} {held}");
            drop(lock);
            store.transact_blocking(|tx| use_up(tx, "u1")).unwrap();
            assert_eq!(look(&store), after(&["u1"]), "{placement} {held}");
        }
    }
}

/// The lock of a file, as another process takes it.
enum Held {
    Json { _lock: File },
    Sqlite { _connection: Connection },
}

impl Held {
    fn take(location: &Location) -> Self {
        match location {
            Location::Json(path) => {
                let lock = File::options()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .open(format!("{}.lock", path.display()))
                    .unwrap();
                lock.lock().unwrap();
                Self::Json { _lock: lock }
            }
            Location::Sqlite(path) => {
                let connection = Connection::open(path).unwrap();
                connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                Self::Sqlite { _connection: connection }
            }
        }
    }
}

// --- kill -9 ------------------------------------------------------------------------------------------------------

/// A library that stands between a process and the system, and kills it before its n-th change of a file.
const KILLER: &str = r#"
use std::ffi::{c_char, c_int, c_long, c_uint, c_void};
use std::sync::atomic::{AtomicI64, Ordering};

extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn getenv(name: *const c_char) -> *const c_char;
    fn atoi(text: *const c_char) -> c_int;
    fn getpid() -> c_int;
    fn kill(process: c_int, signal: c_int) -> c_int;
    fn access(path: *const c_char, mode: c_int) -> c_int;
}

static LEFT: AtomicI64 = AtomicI64::new(i64::MIN);

/// Counts a change; only after the file that says so is there.
unsafe fn count() {
    let armed = getenv(c"KILLER_ARMED".as_ptr());
    if armed.is_null() || access(armed, 0) != 0 {
        return;
    }
    if LEFT.load(Ordering::SeqCst) == i64::MIN {
        LEFT.store(i64::from(atoi(getenv(c"KILLER_AT".as_ptr()))), Ordering::SeqCst);
    }
    if LEFT.fetch_sub(1, Ordering::SeqCst) == 1 {
        kill(getpid(), 9);
    }
}

#[no_mangle]
pub unsafe extern "C" fn write(file: c_int, bytes: *const c_void, size: usize) -> isize {
    if file > 2 { count(); }
    syscall(1, file as c_long, bytes, size) as isize
}
#[no_mangle]
pub unsafe extern "C" fn pwrite64(file: c_int, bytes: *const c_void, size: usize, at: i64) -> isize {
    count();
    syscall(18, file as c_long, bytes, size, at) as isize
}
#[no_mangle]
pub unsafe extern "C" fn fsync(file: c_int) -> c_int { count(); syscall(74, file as c_long) as c_int }
#[no_mangle]
pub unsafe extern "C" fn fdatasync(file: c_int) -> c_int { count(); syscall(75, file as c_long) as c_int }
#[no_mangle]
pub unsafe extern "C" fn ftruncate64(file: c_int, size: i64) -> c_int { count(); syscall(77, file as c_long, size) as c_int }
#[no_mangle]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int { count(); syscall(82, from, to) as c_int }
#[no_mangle]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int { count(); syscall(87, path) as c_int }
#[no_mangle]
pub unsafe extern "C" fn mkdir(path: *const c_char, mode: c_uint) -> c_int { count(); syscall(83, path, mode as c_long) as c_int }
"#;

/// Builds the library with the compiler that has built this test.
fn killer(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("killer.rs"), folder.join("libkiller.so"));
    fs::write(&source, KILLER).unwrap();
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(compiler)
        .args(["--edition", "2021", "--crate-type", "cdylib", "-C", "panic=abort", "-A", "warnings", "-o"])
        .args([&library, &source])
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}

/// Not a test: the process that is killed.
#[test]
fn child() {
    let (Some(place), Ok(placement)) = (std::env::var_os(PLACE), std::env::var(PLACEMENT)) else { return };
    let unit = std::env::var(UNIT).unwrap();
    let store = open(Path::new(&place), placement.parse().unwrap());
    fs::write(std::env::var_os("KILLER_ARMED").unwrap(), "").unwrap();
    store.transact_blocking(move |tx| use_up(tx, &unit)).unwrap();
    block_on(store.settle());
}

/// A process is killed before each of its changes in turn, in every placement. The store is as before the unit or as after it,
/// and goes on.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn killed_at_every_write() {
    let folder = tempfile::tempdir().unwrap();
    let library = killer(folder.path());
    for placement in 0..PLACEMENTS.len() {
        let home = tempfile::tempdir().unwrap();
        prepare(&open(home.path(), placement));
        let (mut units, mut undone, mut done) = (Vec::<String>::new(), 0, 0);
        for at in 1.. {
            let (armed, unit) = (home.path().join("armed"), format!("u{at:03}"));
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "child", "--nocapture"])
                .env(PLACE, home.path())
                .env(PLACEMENT, placement.to_string())
                .env(UNIT, &unit)
                .env("KILLER_ARMED", &armed)
                .env("KILLER_AT", at.to_string())
                .env("LD_PRELOAD", &library)
                .output()
                .unwrap()
                .status;
            fs::remove_file(&armed).unwrap();
            let seen = look(&open(home.path(), placement));
            let stands = seen.used_by.as_ref() == Some(&unit);
            if stands {
                units.push(unit);
            }
            let known: Vec<&str> = units.iter().map(String::as_str).collect();
            assert_eq!(seen, after(&known), "placement {placement}, killed at change {at}");
            if status.success() {
                assert!(stands && undone > 2 && done > 0, "placement {placement}: {undone} undone, {done} done");
                break;
            }
            assert_eq!(status.signal(), Some(9), "placement {placement}, change {at}");
            *(if stands { &mut done } else { &mut undone }) += 1;
        }
    }
}
