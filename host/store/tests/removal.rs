//! Removing records: both engines, alone and in units of work that span files.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use cavra_model::{DECISIONS, Kind, Object, SESSIONS};
use cavra_store::{Location, Query, RecordStore, StoreError};
use serde_json::json;

static DECIDED: [&Kind; 1] = [&DECISIONS];
static RAN: [&Kind; 1] = [&SESSIONS];

fn decision(number: usize) -> Object {
    let record = json!({"decision_id": format!("d{number:04}"), "session_id": format!("s{}", number % 3),
        "decision": "allow", "timestamp": format!("2031-01-01T00:00:{:02}.000000+00:00", number % 60)});
    record.as_object().cloned().unwrap()
}

fn places(directory: &tempfile::TempDir, json: bool) -> Vec<(Location, &'static [&'static Kind])> {
    let at = |name: &str| {
        let path = directory.path().join(name);
        if json { Location::Json(path) } else { Location::Sqlite(path) }
    };
    vec![(at("decisions"), &DECIDED[..]), (at("sessions"), &RAN[..])]
}

async fn ids(store: &RecordStore, query: Query) -> (Vec<String>, u64) {
    let page = store.list(&DECISIONS, query).await.unwrap();
    (page.items.iter().map(|item| item["decision_id"].as_str().unwrap().to_owned()).collect(), page.total)
}

async fn remove(store: &RecordStore, wanted: Vec<String>) -> Vec<bool> {
    let work = move |tx: &mut dyn cavra_store::Transaction| wanted.iter().map(|id| tx.remove(&DECISIONS, id)).collect();
    store.transact(work).await.unwrap()
}

#[tokio::test]
async fn what_is_removed_is_gone_from_every_list() {
    for json in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let store = RecordStore::open_all(&places(&directory, json)).unwrap();
        // More than a segment of rows, so that totals come from sets, too.
        store.transact(|tx| (0..2500).try_for_each(|number| tx.put(&DECISIONS, decision(number)))).await.unwrap();
        let gone: Vec<String> = (0..1200).map(|number| format!("d{number:04}")).collect();
        assert!(remove(&store, gone.clone()).await.into_iter().all(|was_there| was_there));
        assert!(remove(&store, vec!["d0000".to_owned()]).await == [false]);
        assert_eq!(store.get(&DECISIONS, "d0007").await.unwrap(), None);
        for (session, left) in [("s0", 434), ("s1", 433), ("s2", 433)] {
            let query = Query { filters: vec![("session_id", session.to_owned())], limit: 500, ..Query::default() };
            let (found, total) = ids(&store, query).await;
            assert_eq!((found.len(), total), (left, left as u64), "{json} {session}");
            assert!(found.iter().all(|id| !gone.contains(id)));
        }
        store.settle().await;
        let store = RecordStore::open_all(&places(&directory, json)).unwrap();
        store.check().await.unwrap();
        assert_eq!(ids(&store, Query { limit: 1, ..Query::default() }).await.1, 1300);
        // A key can be given again.
        store.transact(|tx| tx.insert(&DECISIONS, decision(7))).await.unwrap();
        assert_eq!(store.get(&DECISIONS, "d0007").await.unwrap(), Some(decision(7)));
    }
}

/// Within one unit of work what is removed is not there, can be written anew, and counts nowhere.
#[tokio::test]
async fn a_unit_of_work_sees_what_it_removed() {
    for json in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let store = RecordStore::open_all(&places(&directory, json)).unwrap();
        store.transact(|tx| (0..6).try_for_each(|number| tx.put(&DECISIONS, decision(number)))).await.unwrap();
        let work = |tx: &mut dyn cavra_store::Transaction| {
            tx.remove(&DECISIONS, "d0000")?;
            let seen = (tx.holds(&DECISIONS, "d0000")?, tx.get(&DECISIONS, "d0000")?.is_some());
            let counted = tx.tally(&DECISIONS, ("session_id", "s0"), "decision")?;
            tx.insert(&DECISIONS, decision(9))?;
            tx.remove(&DECISIONS, "d0009")?;
            tx.remove(&DECISIONS, "d0003")?;
            let mut anew = decision(3);
            anew.insert("decision".to_owned(), json!("block"));
            tx.insert(&DECISIONS, anew)?;
            Ok((seen, counted))
        };
        let (seen, counted) = store.transact(work).await.unwrap();
        assert_eq!((seen, counted), ((false, false), vec![("allow".to_owned(), 1)]));
        let (mut found, total) = ids(&store, Query { limit: 10, ..Query::default() }).await;
        found.sort();
        assert_eq!((found, total), (["d0001", "d0002", "d0003", "d0004", "d0005"].map(String::from).to_vec(), 5));
        assert_eq!(store.get(&DECISIONS, "d0003").await.unwrap().unwrap()["decision"], "block");
        // One that is refused removes nothing.
        let refused = store
            .transact(|tx| {
                tx.remove(&DECISIONS, "d0001")?;
                Err::<(), _>(StoreError::Refused("no".to_owned()))
            })
            .await;
        assert!(refused.is_err());
        assert!(store.get(&DECISIONS, "d0001").await.unwrap().is_some());
    }
}

/// Records of two files are removed together, and a new one beside them is there.
#[tokio::test]
async fn removing_spans_files() {
    for json in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let store = RecordStore::open_all(&places(&directory, json)).unwrap();
        let session = |id: &str| json!({"session_id": id, "state": "active"}).as_object().cloned().unwrap();
        store
            .transact(move |tx| {
                tx.put(&DECISIONS, decision(1))?;
                tx.put(&SESSIONS, session("a"))
            })
            .await
            .unwrap();
        store
            .transact(move |tx| {
                tx.remove(&DECISIONS, "d0001")?;
                tx.remove(&SESSIONS, "a")?;
                tx.put(&SESSIONS, session("b"))
            })
            .await
            .unwrap();
        drop(store);
        let store = RecordStore::open_all(&places(&directory, json)).unwrap();
        assert_eq!(store.get(&DECISIONS, "d0001").await.unwrap(), None);
        assert_eq!(store.get(&SESSIONS, "a").await.unwrap(), None);
        assert!(store.get(&SESSIONS, "b").await.unwrap().is_some());
    }
}

/// Who walks in the order of commits misses nothing that is written after something was removed.
#[tokio::test]
async fn walks_go_on() {
    for json in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let store = RecordStore::open_all(&places(&directory, json)).unwrap();
        store.transact(|tx| (0..20).try_for_each(|number| tx.put(&DECISIONS, decision(number)))).await.unwrap();
        let committed = |cursor: Option<String>| Query { committed: true, limit: 100, cursor, ..Query::default() };
        let end = store.list(&DECISIONS, committed(None)).await.unwrap().next_cursor;
        let listed = store.list(&DECISIONS, Query { limit: 5, ..Query::default() }).await.unwrap();
        remove(&store, (3..15).map(|number| format!("d{number:04}")).collect()).await;
        store.transact(|tx| (20..25).try_for_each(|number| tx.put(&DECISIONS, decision(number)))).await.unwrap();
        let (later, _) = ids(&store, committed(end)).await;
        for number in 20..25 {
            assert!(later.contains(&format!("d{number:04}")), "{json} {later:?}");
        }
        // A walk through the list that was under way shows everything that is left.
        let mut seen: Vec<String> =
            listed.items.iter().map(|item| item["decision_id"].as_str().unwrap().to_owned()).collect();
        let rest = Query { limit: 100, cursor: listed.next_cursor, ..Query::default() };
        seen.extend(ids(&store, rest).await.0);
        for number in [0, 1, 2, 15, 16, 17, 18, 19] {
            assert!(seen.contains(&format!("d{number:04}")), "{json} {number} {seen:?}");
        }
    }
}
