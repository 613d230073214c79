//! What holds for the records of every kind of the model: the same in both backends, and whatever somebody else writes
//! into a database.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::redundant_clone,
    clippy::needless_pass_by_value,
    reason = "tests"
)]

use cavra_model::{Column, ColumnType, Direction, KINDS, Kind, Object};
use cavra_store::{Location, Query, RecordStore, StoreError, Unreadable, Walk};
use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use serde_json::{Value, json};

/// What stands in a payload column and is no record of that row.
fn broken_payloads(kind: &Kind) -> Vec<(&'static str, Cell)> {
    let text = |text: &str| Cell::Text(text.to_owned());
    vec![
        ("no JSON", text("{broken")),
        ("nothing", text("")),
        ("a list", text("[]")),
        ("a number", text("5")),
        ("null", text("null")),
        ("no UTF-8", Cell::Blob(b"{\"a\": \"\xff\xfe\"}".to_vec())),
        ("bytes", Cell::Blob(vec![0x9c, 0, 1])),
        ("no key", text("{}")),
        ("a key that is no text", text(&json!({ kind.id: 7 }).to_string())),
        ("the key of another", text(&json!({ kind.id: "other" }).to_string())),
        ("not JSON to the letter", text(&format!("{{{}: 'b1',}}", kind.id))),
    ]
}

fn only(kind: &'static &'static Kind) -> &'static [&'static Kind] {
    std::slice::from_ref(kind)
}

/// A record with a value in every column; those of a higher number come later in time and alphabet.
fn record(kind: &Kind, number: u32) -> Object {
    let mut record = Object::new();
    for column in kind.columns {
        record.insert(column.name.to_owned(), value(column, number));
    }
    record.insert(kind.id.to_owned(), json!(format!("r{number}")));
    record
}

fn value(column: &Column, number: u32) -> Value {
    match column.kind {
        ColumnType::Text => json!(format!("{} {number}", column.name)),
        ColumnType::Integer => json!(number),
        ColumnType::Instant => json!(format!("2031-01-01T00:00:0{number}.000000+00:00")),
        ColumnType::List => json!([format!("{} {number}", column.name)]),
        ColumnType::Flag => json!(number.is_multiple_of(2)),
    }
}

async fn put(store: &RecordStore, kind: &'static Kind, record: Object) {
    store.transact(move |tx| tx.put(kind, record.clone())).await.unwrap();
}

fn skipping(limit: u64) -> Query {
    Query { limit, unreadable: Unreadable::Skip, ..Query::default() }
}

#[tokio::test]
async fn every_kind_is_kept_alike() {
    for kind in &KINDS {
        for sqlite in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("store");
            let location = if sqlite { Location::Sqlite(path) } else { Location::Json(path) };
            let store = RecordStore::open(location.clone(), only(kind)).unwrap();
            let records: Vec<_> = (1..=4).map(|number| record(kind, number)).collect();
            let first = records.clone();
            store
                .transact(move |tx| first.iter().try_for_each(|record| tx.insert(kind, record.clone())))
                .await
                .unwrap();
            let again = records[0].clone();
            assert_eq!(store.transact(move |tx| tx.insert(kind, again.clone())).await, Err(StoreError::Exists));
            store.close().await;
            let store = RecordStore::open(location, only(kind)).unwrap();
            let mut wanted = records.clone();
            if kind.order.direction == Direction::Descending {
                wanted.reverse();
            }
            let page = store.list(kind, Query { limit: 9, ..Query::default() }).await.unwrap();
            assert_eq!((page.items, page.places, page.total), (wanted, 4, 4), "{}", kind.table);
            for column in kind.columns.iter().filter(|column| column.filters()) {
                let filters = vec![(column.name, records[2][column.name].as_str().unwrap().to_owned())];
                let page = store.list(kind, Query { filters, limit: 9, ..Query::default() }).await.unwrap();
                assert_eq!((page.items, page.total), (vec![records[2].clone()], 1), "{} {}", kind.table, column.name);
            }
            let mut changed = records[1].clone();
            changed.insert("more".to_owned(), json!({"a": [1, null]}));
            put(&store, kind, changed.clone()).await;
            assert_eq!(store.get(kind, "r2").await.unwrap(), Some(changed));
            assert_eq!(store.get(kind, "r5").await.unwrap(), None);
        }
    }
}

/// A database as another product leaves it: a table with the barest columns.
fn foreign(kind: &Kind, path: &std::path::Path, payload: &Cell) {
    let database = Connection::open(path).unwrap();
    let good = record(kind, 1);
    database
        .execute_batch(&format!("CREATE TABLE {} ({} TEXT PRIMARY KEY, payload TEXT)", kind.table, kind.id))
        .unwrap();
    let insert = format!("INSERT INTO {} VALUES (?1, ?2)", kind.table);
    database.execute(&insert, ("r1", Value::Object(good).to_string())).unwrap();
    database.execute(&insert, ("b1", payload)).unwrap();
}

/// Writes the payload under a key into a table of ours, with columns like those of another record.
fn write_broken(kind: &Kind, path: &std::path::Path, payload: &Cell) {
    let columns: Vec<_> = kind.table_columns().map(|column| format!("\"{}\"", column.name)).collect();
    let database = Connection::open(path).unwrap();
    let sql = format!(
        "INSERT INTO {table} ({id}, {columns}, payload) SELECT 'b1', {columns}, ?1 FROM {table} WHERE {id} = 'r1'",
        table = kind.table,
        id = kind.id,
        columns = columns.join(", ")
    );
    database.execute(&sql, [payload]).unwrap();
}

async fn check(kind: &'static Kind, store: &RecordStore, case: &str) {
    let case = format!("{} {case}", kind.table);
    let broken = |outcome: Result<(), StoreError>| match outcome {
        Err(error @ StoreError::Broken { .. }) => {
            assert!(error.to_string().contains(&format!("record `b1` of table {}", kind.table)), "{error}");
            assert!(!error.public().contains('/'), "{error}");
        }
        other => panic!("{case}: {other:?}"),
    };
    assert_eq!(store.get(kind, "r1").await.unwrap().unwrap(), record(kind, 1), "{case}");
    broken(store.get(kind, "b1").await.map(drop));
    broken(store.transact(|tx| tx.get(kind, "b1")).await.map(drop));
    assert_eq!(store.transact(|tx| tx.replaced(kind, "b1")).await, Ok(None), "{case}");
    // What decides does not take it for missing.
    broken(store.list(kind, Query { limit: 9, ..Query::default() }).await.map(drop));
    broken(store.walk(kind, Walk::default(), |_| true).await);
    let page = store.list(kind, skipping(9)).await.unwrap();
    assert_eq!((page.items, page.places, page.total), (vec![record(kind, 1)], 2, 2), "{case}");
    for offset in 0..2 {
        let page = store.list(kind, Query { offset, ..skipping(1) }).await.unwrap();
        assert_eq!((page.places, page.total), (1, 2), "{case}");
    }
    for column in kind.columns.iter().filter(|column| column.filters()) {
        let filters = vec![(column.name, record(kind, 1)[column.name].as_str().unwrap().to_owned())];
        let any_of = Some((column.name, vec![filters[0].1.clone(), "another".to_owned()]));
        for query in [Query { filters, ..skipping(9) }, Query { any_of, ..skipping(9) }] {
            let page = store.list(kind, query).await.unwrap();
            assert_eq!(page.items, [record(kind, 1)], "{case} {}", column.name);
        }
        let value = record(kind, 1)[column.name].as_str().unwrap().to_owned();
        let gathered = store.gather(kind, (column.name, value), kind.id, 9).await.unwrap();
        assert!(gathered.contains(&json!("r1")), "{case} {gathered:?}");
    }
    for column in kind.columns.iter().filter(|column| column.answers() && column.kind == ColumnType::Text) {
        assert_eq!(store.values(kind, column.name).await.unwrap(), [format!("{} 1", column.name)], "{case}");
    }
    let found = store.get_many(kind, vec!["b1".to_owned(), "r1".to_owned()]).await.unwrap();
    assert_eq!(found, [record(kind, 1)], "{case}");
    let mut whole = record(kind, 2);
    whole.insert(kind.id.to_owned(), json!("b1"));
    put(store, kind, whole.clone()).await;
    assert_eq!(store.get(kind, "b1").await.unwrap(), Some(whole), "{case}");
    assert_eq!(store.list(kind, Query { limit: 9, ..Query::default() }).await.unwrap().items.len(), 2, "{case}");
}

#[tokio::test]
async fn a_broken_record_stops_nothing() {
    for kind in &KINDS {
        for (case, payload) in broken_payloads(kind) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("store");
            let location = Location::Sqlite(path.clone());
            let store = RecordStore::open(location.clone(), only(kind)).unwrap();
            put(&store, kind, record(kind, 1)).await;
            // While it is open, and opened again.
            write_broken(kind, &path, &payload);
            assert_eq!(store.list(kind, skipping(9)).await.unwrap().items.len(), 1);
            store.close().await;
            check(kind, &RecordStore::open(location, only(kind)).unwrap(), case).await;
        }
    }
}

#[tokio::test]
async fn a_broken_record_of_another_product_stops_nothing() {
    for kind in &KINDS {
        for (case, payload) in broken_payloads(kind).into_iter().chain([("no value", Cell::Null)]) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("store");
            foreign(kind, &path, &payload);
            let store = RecordStore::open(Location::Sqlite(path), only(kind)).unwrap();
            check(kind, &store, &format!("{case}, of another product")).await;
        }
    }
}

/// Keys and columns may be anything too.
#[tokio::test]
async fn strange_keys_and_columns_stop_nothing() {
    for kind in &KINDS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let store = RecordStore::open(Location::Sqlite(path.clone()), only(kind)).unwrap();
        put(&store, kind, record(kind, 1)).await;
        store.close().await;
        let database = Connection::open(&path).unwrap();
        let columns: Vec<_> = kind.table_columns().map(|column| format!("\"{}\"", column.name)).collect();
        let insert = format!("INSERT INTO {} ({}, {}, payload) VALUES (", kind.table, kind.id, columns.join(", "));
        let values =
            |key: &str, value: &str| format!("{insert}{key}, {}, '{{}}')", vec![value; columns.len()].join(", "));
        for (key, value) in [("NULL", "'x'"), ("x'ff'", "x'ff'"), ("CAST(x'ff41' AS TEXT)", "CAST(x'ff41' AS TEXT)")] {
            database.execute_batch(&values(key, value)).unwrap();
        }
        drop(database);
        let store = RecordStore::open(Location::Sqlite(path), only(kind)).unwrap();
        let page = store.list(kind, skipping(9)).await.unwrap();
        assert_eq!((page.items, page.places), (vec![record(kind, 1)], 4), "{}", kind.table);
    }
}

#[test]
fn a_json_store_says_which_record_is_none() {
    for kind in &KINDS {
        let good = Value::Object(record(kind, 1));
        for bad in [json!(5), json!([]), json!(null), json!({}), json!({ kind.id: 5 })] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("store");
            let document = json!({ kind.collection: [good, good, bad] });
            std::fs::write(&path, document.to_string()).unwrap();
            let error = RecordStore::open(Location::Json(path), only(kind)).unwrap_err().to_string();
            assert!(error.contains(&format!("`{}[2]`: ", kind.collection)), "{error}");
            assert!(error.contains(&kind.one_record()), "{error}");
        }
    }
}
