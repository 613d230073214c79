//! The log of a store: in the order of commits, in the same commit as the records, over both backends.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::path::PathBuf;

use cavra_model::{DECISIONS, Kind, SESSIONS};
use cavra_store::{Location, LogFile, MAX_LEAF, RecordStore, StoreError};
use serde_json::json;

static KINDS: [&Kind; 2] = [&DECISIONS, &SESSIONS];

type Make = fn(PathBuf) -> Location;
const BACKENDS: [Make; 2] = [Location::Json, Location::Sqlite];

/// A store in a directory of its own, for each backend.
fn stores() -> impl Iterator<Item = (tempfile::TempDir, Location, RecordStore)> {
    BACKENDS.into_iter().map(|make| {
        let directory = tempfile::tempdir().unwrap();
        let location = make(directory.path().join("store"));
        let store = RecordStore::open(location.clone(), &KINDS).unwrap();
        (directory, location, store)
    })
}

async fn append(store: &RecordStore, leaves: &[&str]) {
    let leaves: Vec<String> = leaves.iter().map(|leaf| (*leaf).to_owned()).collect();
    store.transact(move |tx| leaves.iter().try_for_each(|leaf| tx.append(&DECISIONS, leaf.clone()))).await.unwrap();
}

#[tokio::test]
async fn leaves_stay_in_their_order() {
    for (_directory, location, store) in stores() {
        assert_eq!((store.log_size(&DECISIONS).await, store.leaves(&DECISIONS, 0..9).await), (Ok(0), Ok(vec![])));
        append(&store, &["a", "\"b\"\n", ""]).await;
        append(&store, &["é"]).await;
        let wanted = ["a", "\"b\"\n", "", "é"];
        assert_eq!(store.leaves(&DECISIONS, 0..u64::MAX).await.unwrap(), wanted);
        store.close().await;
        let reopened = RecordStore::open(location.clone(), &KINDS).unwrap();
        append(&reopened, &["last"]).await;
        assert_eq!(reopened.log_size(&DECISIONS).await, Ok(5));
        for (range, wanted) in [(1..3, &wanted[1..3]), (3..4, &["é"]), (4..9, &["last"]), (2..2, &[])] {
            assert_eq!(reopened.leaves(&DECISIONS, range.clone()).await.unwrap(), wanted, "{range:?}");
        }
        assert_eq!(reopened.leaves(&DECISIONS, 5..9).await, Ok(vec![]));
        let file = LogFile::open(&location, &KINDS).unwrap();
        assert_eq!((file.size(), LogFile::find(file.path())), (Ok(5), Ok(location)));
        let mut seen = Vec::new();
        file.walk(1..5, |index, leaf| seen.push((index, leaf.to_owned()))).unwrap();
        assert_eq!(seen.last().unwrap(), &(4, "last".to_owned()));
        assert!(matches!(file.walk(1..6, |_, _| {}), Err(StoreError::Corrupt { .. })));
    }
}

#[tokio::test]
async fn a_transaction_that_fails_leaves_no_leaf() {
    for (_directory, _, store) in stores() {
        let failing = store.transact::<()>(|tx| {
            tx.append(&DECISIONS, "never".to_owned())?;
            Err(StoreError::Refused("no".to_owned()))
        });
        assert!(failing.await.is_err());
        let long = store.transact(|tx| tx.append(&DECISIONS, "x".repeat(MAX_LEAF + 1)));
        assert!(matches!(long.await, Err(StoreError::Refused(_))));
        let session = json!({"session_id": "s"});
        let twice = store.transact(move |tx| {
            tx.append(&DECISIONS, "once".to_owned())?;
            tx.insert(&SESSIONS, session.as_object().cloned().unwrap())?;
            tx.insert(&SESSIONS, session.as_object().cloned().unwrap())
        });
        assert_eq!(twice.await, Err(StoreError::Exists));
        store.transact(|tx| tx.append(&DECISIONS, "x".repeat(MAX_LEAF))).await.unwrap();
        assert_eq!(store.log_size(&DECISIONS).await, Ok(1));
        assert!(store.get(&SESSIONS, "s").await.unwrap().is_none());
    }
}

/// Many writers, two of them other handles of the same file, as other processes are.
#[tokio::test(flavor = "multi_thread")]
async fn writers_share_one_order() {
    for (_directory, location, store) in stores() {
        let other = RecordStore::open(location, &KINDS).unwrap();
        let writers: Vec<_> = (0..60)
            .map(|number| {
                let store = if number % 2 == 0 { store.clone() } else { other.clone() };
                tokio::spawn(async move { append(&store, &[&number.to_string(), &number.to_string()]).await })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let leaves = store.leaves(&DECISIONS, 0..u64::MAX).await.unwrap();
        assert_eq!(leaves.len(), 120);
        assert!(leaves.chunks(2).all(|pair| pair[0] == pair[1]), "a transaction's leaves stay together: {leaves:?}");
        assert_eq!(leaves.iter().collect::<std::collections::HashSet<_>>().len(), 60);
    }
}

/// Somebody who looks all the time, also at the moment between the new file and its being known.
#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_is_there_once_whoever_looks() {
    for (_directory, _, store) in stores() {
        let reader = store.clone();
        let looking = tokio::spawn(async move {
            let mut seen = 0;
            while seen < 200 {
                let size = reader.log_size(&DECISIONS).await.unwrap();
                assert!(size >= seen, "a leaf is gone: {size} after {seen}");
                seen = size;
            }
        });
        for number in 0..200 {
            append(&store, &[&number.to_string()]).await;
        }
        looking.await.unwrap();
        let wanted: Vec<String> = (0..200).map(|number: u64| number.to_string()).collect();
        assert_eq!(store.leaves(&DECISIONS, 0..u64::MAX).await.unwrap(), wanted);
    }
}

#[tokio::test]
async fn a_missing_leaf_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = RecordStore::open(Location::Sqlite(path.clone()), &KINDS).unwrap();
    append(&store, &["a", "b", "c"]).await;
    let database = rusqlite::Connection::open(path).unwrap();
    database.execute("DELETE FROM evidence_log WHERE leaf_index = 1", []).unwrap();
    for range in [0..3, 1..3, 1..2] {
        assert!(matches!(store.leaves(&DECISIONS, range.clone()).await, Err(StoreError::Corrupt { .. })), "{range:?}");
    }
    assert_eq!(store.leaves(&DECISIONS, 2..3).await.unwrap(), ["c"]);
}

/// Looking at evidence must not change it.
#[test]
fn looking_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("old.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE activity_decisions (a)").unwrap();
    let before = std::fs::read(&path).unwrap();
    let file = LogFile::open(&LogFile::find(&path).unwrap(), &KINDS).unwrap();
    assert_eq!(file.size(), Ok(0));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    for make in BACKENDS {
        assert!(LogFile::open(&make(directory.path().join("nothing")), &KINDS).is_err());
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing was created");
}
