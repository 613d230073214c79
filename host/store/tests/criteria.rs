//! Questions beyond equality of a filter column, over both backends: they must answer alike. And files of the existing
//! product, which must become ours by being opened.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "tests"
)]

use std::path::Path;

use cavra_model::{EVIDENCE_METADATA, EVIDENCE_ORIGINS, Kind, Object};
use cavra_store::{Criterion, Location, Query, RecordStore, StoreError, Test};
use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value, json};

static KINDS: [&Kind; 2] = [&EVIDENCE_METADATA, &EVIDENCE_ORIGINS];

fn locations(directory: &Path) -> [Location; 2] {
    [Location::Json(directory.join("store.json")), Location::Sqlite(directory.join("store.db"))]
}

fn object(value: Value) -> Object {
    value.as_object().cloned().unwrap()
}

fn records() -> Vec<Object> {
    [
        json!({"session_id": "a%_1", "created_at": "2031-01-01T00:00:00Z", "signer": "Ann", "blocked_count": 2,
            "metadata_kind": "x", "approval_id": "apr_1", "approval_state": "pending", "deployment_targets": ["mac", "win"]}),
        json!({"session_id": "b", "created_at": "2031-01-01T02:00:00.5+02:00", "signer": "ann", "approval_required_count": 1,
            "approval_id": "apr_2", "approval_state": "pending", "deployment_targets": "mac", "delivery_success": true}),
        json!({"session_id": "C", "created_at": "2031-01-01T00:00:00.250000+00:00", "metadata_kind": "x", "blocked_count": 7,
            "approval_state": "approved", "deployment_targets": [4, "ma"], "delivery_success": false,
            "latest_ingestions": [{"provider": 4}, {"provider": "jamf", "channel": "beta"}, "jamf", ["provider"]]}),
        json!({"session_id": "d", "metadata_kind": ["x"], "signer": null, "decision_count": 1.5, "delivery_success": "true"}),
        json!({"session_id": "abc", "created_at": "soon", "approval_id": "apr_1", "approval_state": "approved"}),
        json!({"session_id": "é", "created_at": "2031-01-01T00:00:00", "metadata_kind": "y", "event_id": "rpe_1",
            "signer": "o'; DROP TABLE evidence_metadata; --"}),
    ]
    .map(object)
    .to_vec()
}

fn ask(member: &'static str, test: Test) -> Criterion {
    Criterion { member, test }
}

async fn filled(location: Location) -> RecordStore {
    let store = RecordStore::open(location, &KINDS).unwrap();
    store
        .transact(|tx| records().into_iter().try_for_each(|record| tx.insert(&EVIDENCE_METADATA, record)))
        .await
        .unwrap();
    store
}

async fn ids(store: &RecordStore, criteria: Vec<Criterion>) -> Vec<String> {
    let page = store.list(&EVIDENCE_METADATA, Query { criteria, limit: 50, ..Query::default() }).await.unwrap();
    assert_eq!(page.total, page.items.len() as u64);
    page.items.iter().map(|item| item["session_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_operator() {
    let text = |text: &str| text.to_owned();
    let overruled = |known: &[(&str, bool)], otherwise: &str| Test::Overruled {
        by: "approval_id",
        known: known.iter().map(|(id, verdict)| ((*id).to_owned(), *verdict)).collect(),
        otherwise: otherwise.to_owned(),
    };
    let cases: Vec<(Vec<Criterion>, &[&str])> = vec![
        (vec![], &["b", "C", "a%_1", "é", "abc", "d"]),
        (vec![ask("metadata_kind", Test::Equals(text("x")))], &["C", "a%_1"]),
        (vec![ask("metadata_kind", Test::Equals(text("[\"x\"]")))], &[]),
        (vec![ask("metadata_kind", Test::OneOf(vec![text("y"), text("x")]))], &["C", "a%_1", "é"]),
        (vec![ask("metadata_kind", Test::OneOf(vec![]))], &[]),
        (vec![ask("latest_ingestions.provider", Test::Has(text("jamf")))], &["C"]),
        (vec![ask("latest_ingestions.provider", Test::Has(text("4")))], &[]),
        (vec![ask("latest_ingestions.channel", Test::Has(text("beta")))], &["C"]),
        (vec![ask("latest_ingestions.channel", Test::Has(text("jamf")))], &[]),
        (vec![ask("signer", Test::Equals(text("Ann")))], &["a%_1"]),
        (vec![ask("signer", Test::Equals(text("o'; DROP TABLE evidence_metadata; --")))], &["é"]),
        (vec![ask("session_id", Test::Contains(text("c")))], &["abc"]),
        (vec![ask("session_id", Test::Contains(text("C")))], &["C"]),
        (vec![ask("session_id", Test::Contains(text("%")))], &["a%_1"]),
        (vec![ask("session_id", Test::Contains(text("_")))], &["a%_1"]),
        (vec![ask("session_id", Test::Contains(text("é")))], &["é"]),
        (vec![ask("session_id", Test::Equals(text("b")))], &["b"]),
        (vec![ask("event_id", Test::Contains(text("pe_")))], &["é"]),
        (vec![ask("blocked_count", Test::AtLeast(2))], &["C", "a%_1"]),
        (vec![ask("blocked_count", Test::AtLeast(-1))], &["b", "C", "a%_1", "é", "abc", "d"]),
        (vec![ask("approval_required_count", Test::Positive(true))], &["b"]),
        (vec![ask("approval_required_count", Test::Positive(false))], &["C", "a%_1", "é", "abc", "d"]),
        (vec![ask("deployment_targets", Test::Has(text("mac")))], &["a%_1"]),
        (vec![ask("deployment_targets", Test::Has(text("4")))], &[]),
        (vec![ask("delivery_success", Test::Is(true))], &["b"]),
        (vec![ask("delivery_success", Test::Is(false))], &["C"]),
        (vec![ask("approval_state", overruled(&[], "approved"))], &["C", "abc"]),
        (vec![ask("approval_state", overruled(&[("apr_1", true)], "approved"))], &["C", "a%_1", "abc"]),
        (vec![ask("approval_state", overruled(&[("apr_1", false), ("apr_2", true)], "approved"))], &["b", "C"]),
        (vec![ask("metadata_kind", Test::Equals(text("x"))), ask("blocked_count", Test::AtLeast(3))], &["C"]),
    ];
    let directory = tempfile::tempdir().unwrap();
    for location in locations(directory.path()) {
        let store = filled(location.clone()).await;
        for (criteria, wanted) in &cases {
            assert_eq!(ids(&store, criteria.clone()).await, *wanted, "{location:?} {criteria:?}");
        }
        let page = Query {
            criteria: vec![ask("metadata_kind", Test::Equals(text("x")))],
            limit: 1,
            offset: 1,
            ..Query::default()
        };
        let page = store.list(&EVIDENCE_METADATA, page).await.unwrap();
        assert_eq!((page.total, page.items[0]["session_id"].as_str().unwrap()), (2, "a%_1"));
    }
}

/// A page ends before the record that goes beyond; where the next one begins nothing is left out.
#[tokio::test]
async fn pages_are_bounded_in_bytes() {
    let directory = tempfile::tempdir().unwrap();
    for location in locations(directory.path()) {
        let store = RecordStore::open(location, &KINDS).unwrap();
        let sizes = [100, 400, 100, 900, 100, 100, 100];
        let change = move |tx: &mut dyn cavra_store::Transaction| {
            sizes.iter().enumerate().try_for_each(|(at, size)| {
                let id = format!("r{at}");
                tx.insert(&EVIDENCE_METADATA, object(json!({"session_id": id, "text": "x".repeat(*size)})))
            })
        };
        store.transact(change).await.unwrap();
        for (limit, bytes, wanted) in [
            // Besides its text a record has fewer than 100 bytes.
            (50, Some(650), &["r0r1", "r2", "r3", "r4r5r6"][..]),
            (2, Some(650), &["r0r1", "r2", "r3", "r4r5", "r6"]),
            (50, Some(0), &["r0", "r1", "r2", "r3", "r4", "r5", "r6"]),
            (50, Some(1 << 20), &["r0r1r2r3r4r5r6"]),
            (50, None, &["r0r1r2r3r4r5r6"]),
        ] {
            let mut pages = Vec::new();
            let mut offset = 0;
            while offset < 7 {
                let query = Query { limit, offset, bytes, ..Query::default() };
                let page = store.list(&EVIDENCE_METADATA, query).await.unwrap();
                assert_eq!(page.total, 7);
                let taken = page.items.len() as u64;
                assert_eq!(page.full, taken < limit.min(7 - offset), "{limit} {bytes:?} {offset}");
                offset += taken;
                pages.push(page.items.iter().map(|item| item["session_id"].as_str().unwrap()).collect::<String>());
            }
            assert_eq!(pages, wanted, "{limit} {bytes:?}");
        }
    }
}

#[tokio::test]
async fn only_declared_members_in_their_way() {
    let directory = tempfile::tempdir().unwrap();
    for location in locations(directory.path()) {
        let store = filled(location).await;
        for criterion in [
            ask("nothing", Test::Equals(String::new())),
            ask("created_at", Test::Equals(String::new())),
            ask("blocked_count", Test::Equals(String::new())),
            ask("signer", Test::AtLeast(1)),
            ask("deployment_targets", Test::Contains(String::new())),
        ] {
            let query = Query { criteria: vec![criterion], limit: 1, ..Query::default() };
            assert!(matches!(store.list(&EVIDENCE_METADATA, query).await, Err(StoreError::Refused(_))));
        }
        assert!(store.values(&EVIDENCE_METADATA, "nothing").await.is_err());
        let mut known = store.values(&EVIDENCE_METADATA, "approval_id").await.unwrap();
        known.sort();
        assert_eq!(known, ["apr_1", "apr_2"]);
        let some = ["b", "none", "C"].map(ToOwned::to_owned).to_vec();
        assert_eq!(store.get_many(&EVIDENCE_METADATA, some).await.unwrap().len(), 2);
    }
}

/// The table is the contract's to the letter, and the record is kept as it came.
#[tokio::test]
async fn the_database_is_that_of_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let [_, location] = locations(directory.path());
    filled(location).await.close().await;
    let database = Connection::open(directory.path().join("store.db")).unwrap();
    let mut columns =
        database.prepare("SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo('evidence_metadata')").unwrap();
    let columns: Vec<(String, String, bool, bool)> = columns
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let wanted = [
        ("session_id", "TEXT", false, true),
        ("created_at", "TEXT", false, false),
        ("signer", "TEXT", false, false),
        ("decision_count", "INTEGER", true, false),
        ("blocked_count", "INTEGER", true, false),
        ("approval_required_count", "INTEGER", true, false),
        ("payload", "TEXT", true, false),
    ];
    assert_eq!(columns, wanted.map(|(name, kind, null, key)| (name.to_owned(), kind.to_owned(), null, key)));
    let payload: String = database
        .query_row("SELECT payload FROM evidence_metadata WHERE session_id = 'b'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(serde_json::from_str::<Value>(&payload).unwrap(), Value::Object(records()[1].clone()));
}

#[tokio::test]
async fn files_of_the_existing_product_are_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let [json, sqlite] = locations(directory.path());
    let items: Vec<Value> = records().into_iter().map(Value::Object).collect();
    std::fs::write(directory.path().join("store.json"), json!({ "items": items }).to_string()).unwrap();
    let database = Connection::open(directory.path().join("store.db")).unwrap();
    database
        .execute_batch(
            "CREATE TABLE evidence_metadata (session_id TEXT PRIMARY KEY, created_at TEXT, signer TEXT, \
             decision_count INTEGER NOT NULL, blocked_count INTEGER NOT NULL, approval_required_count INTEGER NOT NULL, \
             payload TEXT NOT NULL)",
        )
        .unwrap();
    for record in records() {
        let count = |member: &str| record.get(member).and_then(Value::as_i64).unwrap_or(0);
        let text = |member: &str| record.get(member).and_then(Value::as_str);
        database
            .execute(
                "INSERT INTO evidence_metadata VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    text("session_id"),
                    text("created_at"),
                    text("signer"),
                    count("decision_count"),
                    count("blocked_count"),
                    count("approval_required_count"),
                    Value::Object(record.clone()).to_string(),
                ),
            )
            .unwrap();
    }
    drop(database);
    for location in [json, sqlite] {
        let store = RecordStore::open(location.clone(), &KINDS).unwrap();
        assert_eq!(ids(&store, vec![]).await, ["b", "C", "a%_1", "é", "abc", "d"], "{location:?}");
        let at_least = vec![ask("blocked_count", Test::AtLeast(1))];
        assert_eq!(ids(&store, at_least).await, ["C", "a%_1"], "{location:?}");
    }
}

/// A JSON store without server-written records is exactly what the existing product writes.
#[tokio::test]
async fn what_is_kept_beside_shows_only_when_it_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let [location, _] = locations(directory.path());
    let store = filled(location).await;
    let members = || {
        let text = std::fs::read_to_string(directory.path().join("store.json")).unwrap();
        object(serde_json::from_str(&text).unwrap()).keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(members(), ["items"]);
    store.transact(|tx| tx.insert(&EVIDENCE_ORIGINS, object(json!({"subject": "b"})))).await.unwrap();
    assert_eq!(members(), ["items", "origins"]);
}

fn any_record() -> impl Strategy<Value = Value> {
    let word = || prop::sample::select(vec!["", "a", "A", "ab", "%", "_", "é"]);
    let value = prop_oneof![
        word().prop_map(Value::from),
        Just(Value::Null),
        Just(json!(true)),
        (-2i64..3).prop_map(Value::from),
        prop::collection::vec(word(), 0..3).prop_map(|list| json!(list)),
        Just(json!({"a": 1})),
    ];
    let time = prop::sample::select(vec![
        "2031-01-01T00:00:00Z",
        "2031-01-01T00:00:00.5Z",
        "2031-01-01T01:00:00.25+01:00",
        "2030-12-31T23:00:00-01:00",
        "",
        "x",
    ]);
    (time, value.clone(), value.clone(), value.clone(), value.clone(), value).prop_map(|(time, a, b, c, d, e)| {
        json!({"created_at": time, "signer": a, "blocked_count": b, "metadata_kind": c, "deployment_targets": d,
            "delivery_success": e})
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn both_backends_answer_alike(records in prop::collection::vec(any_record(), 1..12)) {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answers: Vec<Vec<Vec<String>>> = locations(directory.path()).map(|location| runtime.block_on(async {
            let store = RecordStore::open(location, &KINDS).unwrap();
            let numbered: Vec<Object> = records.iter().enumerate().map(|(index, record)| {
                let mut record = object(record.clone());
                record.insert("session_id".to_owned(), json!(format!("s{index}")));
                record
            }).collect();
            store.transact(move |tx| numbered.iter().try_for_each(|record| tx.put(&EVIDENCE_METADATA, record.clone()))).await.unwrap();
            let mut found = Vec::new();
            for word in ["a", "A", "%", "[\"a\"]", "1", "true"] {
                for test in [Test::Equals(word.to_owned()), Test::Contains(word.to_owned())] {
                    found.push(ids(&store, vec![ask("metadata_kind", test)]).await);
                }
                found.push(ids(&store, vec![ask("signer", Test::Equals(word.to_owned()))]).await);
                found.push(ids(&store, vec![ask("deployment_targets", Test::Has(word.to_owned()))]).await);
            }
            for flag in [true, false] {
                found.push(ids(&store, vec![ask("delivery_success", Test::Is(flag))]).await);
                found.push(ids(&store, vec![ask("blocked_count", Test::Positive(flag))]).await);
            }
            found.push(ids(&store, vec![ask("blocked_count", Test::AtLeast(1))]).await);
            found.push(ids(&store, vec![]).await);
            found
        })).to_vec();
        prop_assert_eq!(&answers[0], &answers[1]);
    }
}
