//! Large parts of records: read as they were written, in both engines, stored once, and gone with their last record.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cavra_model::{EVIDENCE_DOCUMENT_USES, EVIDENCE_DOCUMENTS, EVIDENCE_METADATA, Kind, Object, members};
use cavra_store::{Location, LogFile, Parts, Query, RecordStore, StoreError, Unreadable, Walk};
use proptest::prelude::*;
use serde_json::{Value, json};

static KINDS: [&Kind; 3] = [&EVIDENCE_METADATA, &EVIDENCE_DOCUMENTS, &EVIDENCE_DOCUMENT_USES];

fn places(folder: &Path) -> [Location; 2] {
    [Location::Json(folder.join("a.json")), Location::Sqlite(folder.join("a.db"))]
}

fn open(place: &Location) -> RecordStore {
    RecordStore::open(place.clone(), &KINDS).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn whole() -> Query {
    Query { limit: 100, ..Query::default() }
}

/// A fleet of so many endpoints; of a hundred on it is large.
fn fleet(count: usize, version: &str) -> Value {
    (0..count).map(|n| json!({"endpoint_id": format!("lap-{n}"), "installed_version": version, "of": count, "pad": "x".repeat(99)})).collect()
}

fn record(id: &str, more: Value) -> Object {
    let mut record = members::built(
        json!({"session_id": id, "created_at": format!("2031-01-01T00:00:00.0000{:02}+00:00", id.len()),
        "decision_count": 0, "blocked_count": 0, "approval_required_count": 0, "metadata_kind": "k"}),
    );
    record.extend(members::built(more));
    record
}

fn put(store: &RecordStore, record: &Object) {
    let record = record.clone();
    store.transact_blocking(move |tx| tx.put(&EVIDENCE_METADATA, record.clone())).unwrap();
}

fn count(store: &RecordStore, kind: &'static Kind) -> u64 {
    block_on(store.list(kind, whole())).unwrap().total
}

fn get(store: &RecordStore, id: &str) -> Option<Object> {
    block_on(store.get(&EVIDENCE_METADATA, id)).unwrap()
}

#[test]
fn what_several_records_have_is_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    for place in places(folder.path()) {
        let store = open(&place);
        let (endpoints, other) = (fleet(2_000, "3.1.0"), fleet(300, "3.2.0"));
        let records = [
            record(
                "a",
                json!({"inventory": {"endpoints": endpoints}, "ingestion": {"inventory": {"endpoints": endpoints}}}),
            ),
            record("bb", json!({"report": {"observed": {"endpoints": endpoints}, "drift": other, "a/b~c": [[other]]}})),
            record(
                "ccc",
                json!({"small": fleet(10, "1"), "deployment_targets": (0..5_000).map(|n| format!("t{n}")).collect::<Vec<_>>()}),
            ),
        ];
        for record in &records {
            put(&store, record);
        }
        assert_eq!((count(&store, &EVIDENCE_DOCUMENTS), count(&store, &EVIDENCE_DOCUMENT_USES)), (2, 3));
        drop(store);
        let (Location::Json(path) | Location::Sqlite(path)) = &place;
        let size = std::fs::metadata(path).unwrap().len();
        assert!(size < 900_000, "{size}: once is some 400 kB");
        let store = open(&place);
        for record in &records {
            assert_eq!(get(&store, record["session_id"].as_str().unwrap()).as_ref(), Some(record));
        }
        let listed = block_on(store.list(&EVIDENCE_METADATA, whole())).unwrap().items;
        assert!(records.iter().all(|record| listed.contains(record)) && listed.len() == 3);
        let named = block_on(store.list(&EVIDENCE_METADATA, Query { parts: Parts::Named, ..whole() })).unwrap().items;
        let first = named.iter().find(|record| record["session_id"] == "a").unwrap();
        assert_eq!(first["inventory"]["endpoints"], first["ingestion"]["inventory"]["endpoints"]);
        assert!(first["inventory"]["endpoints"]["bytes"].as_u64() > Some(100_000), "{first:?}");
        assert!(named.iter().all(|record| !record.contains_key("$documents")));
        // A page holds so many bytes of what it shows.
        let paged = block_on(store.list(&EVIDENCE_METADATA, Query { bytes: Some(100_000), ..whole() })).unwrap();
        assert!(paged.full && paged.next_cursor.is_some() && paged.items.len() < 3);
        let within = Query { bytes: Some(200_000), parts: Parts::Named, ..whole() };
        assert_eq!(block_on(store.list(&EVIDENCE_METADATA, within)).unwrap().items.len(), 3);
        // In a unit of work, in a walk and in an audit it is whole too.
        let seen = store.transact_blocking(|tx| tx.get(&EVIDENCE_METADATA, "a")).unwrap();
        assert_eq!(seen.as_ref(), Some(&records[0]));
        let mut audited = BTreeSet::new();
        LogFile::open(&place, &KINDS)
            .unwrap()
            .audit(&EVIDENCE_METADATA, |found| {
                assert!(found.differing.is_empty() && records.contains(&found.record.unwrap()));
                audited.insert(found.id);
            })
            .unwrap();
        assert_eq!(audited.len(), 3);
        let walked = std::sync::Arc::new(std::sync::Mutex::new(0));
        let (counter, all) = (walked.clone(), records.clone());
        let visit = move |record| {
            *counter.lock().unwrap() += usize::from(all.contains(&record));
            true
        };
        block_on(store.walk(&EVIDENCE_METADATA, Walk::default(), visit)).unwrap();
        assert_eq!(*walked.lock().unwrap(), 3);
        // It goes with the last that has it.
        put(&store, &record("bb", json!({"report": {"observed": {"endpoints": endpoints}}})));
        assert_eq!(count(&store, &EVIDENCE_DOCUMENTS), 1);
        for (id, left) in [("a", 1), ("bb", 0)] {
            store.transact_blocking(move |tx| tx.remove(&EVIDENCE_METADATA, id)).unwrap();
            assert_eq!((count(&store, &EVIDENCE_DOCUMENTS), count(&store, &EVIDENCE_DOCUMENT_USES)), (left, left));
        }
    }
}

/// A unit of work that fails leaves no part behind.
#[test]
fn parts_are_in_the_unit_of_work_of_their_record() {
    let folder = tempfile::tempdir().unwrap();
    for place in places(folder.path()) {
        let store = open(&place);
        let large = record("a", json!({"report": fleet(400, "1")}));
        let refused = store.transact_blocking(move |tx| {
            tx.put(&EVIDENCE_METADATA, large.clone())?;
            tx.insert(&EVIDENCE_METADATA, large.clone())
        });
        assert_eq!(refused, Err(StoreError::Exists));
        assert_eq!((count(&store, &EVIDENCE_DOCUMENTS), count(&store, &EVIDENCE_METADATA)), (0, 0));
    }
}

/// What is missing is said, not left out; who only shows passes the record over.
#[test]
fn a_record_without_its_parts_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    for place in places(folder.path()) {
        let store = open(&place);
        put(&store, &record("a", json!({"report": fleet(400, "1")})));
        let ids = block_on(store.list(&EVIDENCE_DOCUMENTS, whole())).unwrap().items;
        let sha = ids[0]["sha256"].as_str().unwrap().to_owned();
        let changed = members::built(json!({"sha256": sha, "bytes": 2, "document": []}));
        store.transact_blocking(move |tx| tx.remove(&EVIDENCE_DOCUMENTS, &sha)).unwrap();
        let is_broken = |found: Result<bool, StoreError>| matches!(found, Err(StoreError::Broken { .. }));
        assert!(is_broken(block_on(store.get(&EVIDENCE_METADATA, "a")).map(|_| true)));
        assert!(is_broken(block_on(store.list(&EVIDENCE_METADATA, whole())).map(|_| true)));
        assert!(is_broken(store.transact_blocking(|tx| tx.get(&EVIDENCE_METADATA, "a")).map(|_| true)));
        let skipping = Query { unreadable: Unreadable::Skip, ..whole() };
        assert_eq!(block_on(store.list(&EVIDENCE_METADATA, skipping)).unwrap().items.len(), 0);
        // Who writes it anew repairs it.
        put(&store, &record("a", json!({"report": fleet(400, "1")})));
        assert!(get(&store, "a").is_some());
        // So does another record that has the part.
        store.transact_blocking(move |tx| tx.put(&EVIDENCE_DOCUMENTS, changed.clone())).unwrap();
        let other = record("bb", json!({"report": fleet(400, "1")}));
        put(&store, &other);
        assert_eq!(get(&store, "bb"), Some(other));
        assert_eq!(get(&store, "a"), Some(record("a", json!({"report": fleet(400, "1")}))));
    }
}

/// A store without a place for parts keeps records whole.
#[test]
fn without_a_place_for_parts_records_stay_whole() {
    static ALONE: [&Kind; 1] = [&EVIDENCE_METADATA];
    let folder = tempfile::tempdir().unwrap();
    for place in places(folder.path()) {
        let large = record("a", json!({"report": fleet(400, "1"), "$documents": [1]}));
        put(&RecordStore::open(place.clone(), &ALONE).unwrap(), &large);
        assert_eq!(get(&open(&place), "a"), Some(large));
    }
}

fn part() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i32>().prop_map(Value::from),
        "[a-z/~]{0,6}".prop_map(Value::from),
        (1_usize..4).prop_map(|n| fleet(n * 120, "v")),
        (1_usize..3).prop_map(|n| json!({"endpoints": fleet(n * 130, "w")})),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c/~]{1,2}", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is written, removed and written again: what is read is what was written, and nothing is left that no record has.
    #[test]
    fn any_record(steps in prop::collection::vec((0_usize..3, "report|request|\\$documents|a/b|~", part(), any::<bool>()), 1..8)) {
        let folder = tempfile::tempdir().unwrap();
        for place in places(folder.path()) {
            let (store, mut expected) = (open(&place), BTreeMap::new());
            for (id, member, value, keep) in &steps {
                let id = ["a", "bb", "ccc"][*id];
                if *keep {
                    let written = record(id, json!({ member.as_str(): value, "small": 1 }));
                    put(&store, &written);
                    expected.insert(id, written);
                } else {
                    store.transact_blocking(move |tx| tx.remove(&EVIDENCE_METADATA, id)).unwrap();
                    expected.remove(id);
                }
            }
            for (id, written) in &expected {
                prop_assert_eq!(&get(&store, id), &Some(written.clone()));
            }
            let uses = block_on(store.list(&EVIDENCE_DOCUMENT_USES, whole())).unwrap().items;
            let used: BTreeSet<_> = uses.iter().map(|used| used["sha256"].clone().to_string()).collect();
            let kept = block_on(store.list(&EVIDENCE_DOCUMENTS, whole())).unwrap().items;
            let kept: BTreeSet<_> = kept.iter().map(|kept| kept["sha256"].to_string()).collect();
            prop_assert_eq!(used, kept);
            prop_assert!(uses.iter().all(|used| expected.contains_key(used["record_id"].as_str().unwrap())));
        }
    }
}
