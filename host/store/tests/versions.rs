//! Databases of other releases: a newer one is refused, an older one is brought up to date by whoever writes, and read as it is
//! by whoever only reads. The fixtures were written by cavra 0.1.0.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use cavra_model::{APPROVALS, COUNTED_SESSIONS, DECISIONS, Kind, POLICY_ARCHIVE, PUBLICATIONS, SESSIONS};
use cavra_store::{Area, Location, Query, RecordStore, StoreError};
use rusqlite::Connection;
use serde_json::json;

static ACTIVITY: [&Kind; 4] = [&DECISIONS, &SESSIONS, &COUNTED_SESSIONS, &POLICY_ARCHIVE];
static APPROVAL: [&Kind; 2] = [&APPROVALS, &PUBLICATIONS];

const FIXTURES: [(&str, Area); 2] = [
    (include_str!("fixtures/activity-0.1.0.sql"), &ACTIVITY),
    (include_str!("fixtures/approvals-0.1.0.sql"), &APPROVAL),
];

/// The version that this release makes.
const CURRENT: i64 = 4;

/// A database as cavra 0.1.0 left it.
fn older(folder: &Path, script: &str) -> PathBuf {
    let file = folder.join("store.db");
    let database = Connection::open(&file).unwrap();
    database.execute_batch(script).unwrap();
    file
}

fn version(file: &Path) -> i64 {
    Connection::open(file).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

/// Names and statements of all objects. SQLite quotes the name of a table that was renamed, which is no difference.
fn schema(file: &Path) -> Vec<(String, String)> {
    let database = Connection::open(file).unwrap();
    let mut statement = database.prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name").unwrap();
    statement
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?.replace('"', ""))))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

/// What a store shows of itself: lists with a filter and without, single records, the log.
fn seen(store: &RecordStore, area: Area) -> Vec<serde_json::Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut seen = Vec::new();
        for kind in area {
            let page = store.list(kind, Query { limit: 50, ..Query::default() }).await.unwrap();
            for record in &page.items {
                let id = record[kind.id].as_str().unwrap();
                assert_eq!(store.get(kind, id).await.unwrap().as_ref(), Some(record));
            }
            for column in kind.parameters() {
                let value = page.items.first().and_then(|record| record.get(column.name)?.as_str()).unwrap_or("none");
                let filters = vec![(column.name, value.to_owned())];
                let filtered = store.list(kind, Query { filters, limit: 50, ..Query::default() }).await.unwrap();
                seen.push(json!([kind.table, column.name, filtered.total, filtered.items]));
            }
            seen.push(json!([kind.table, page.total, page.items]));
        }
        seen.push(json!(store.leaves(area[0], 0..u64::MAX).await.unwrap()));
        seen
    })
}

#[test]
fn an_older_database_is_read_as_it_is_and_migrated_by_whoever_writes() {
    for (script, area) in FIXTURES {
        let folder = tempfile::tempdir().unwrap();
        let file = older(folder.path(), script);
        let before = schema(&file);
        let location = Location::Sqlite(file.clone());
        let reader = RecordStore::look(location.clone(), area).unwrap();
        let read = seen(&reader, area);
        assert!(read.len() > 3 && read.last().unwrap().as_array().unwrap().len() > 1);
        assert_eq!((version(&file), schema(&file)), (0, before), "who reads changes nothing");
        let writer = RecordStore::open(location, area).unwrap();
        assert_eq!(version(&file), CURRENT);
        assert_eq!(seen(&writer, area), read);
        assert_eq!(seen(&reader, area), read, "who had it open goes on");
        // It is as one that this release has made.
        let fresh = folder.path().join("fresh.db");
        RecordStore::open(Location::Sqlite(fresh.clone()), area).unwrap();
        assert_eq!(schema(&file), schema(&fresh));
    }
}

/// What is obsolete goes when a database is brought up to date.
#[test]
fn obsolete_objects_are_dropped() {
    let (script, area) = FIXTURES[0];
    let folder = tempfile::tempdir().unwrap();
    let file = older(folder.path(), script);
    let database = Connection::open(&file).unwrap();
    database
        .execute_batch(
            "CREATE INDEX activity_decisions_list_gone ON activity_decisions (actor);
             CREATE TABLE somebody_elses (a TEXT);",
        )
        .unwrap();
    RecordStore::open(Location::Sqlite(file.clone()), area).unwrap();
    let names: Vec<_> = schema(&file).into_iter().map(|(name, _)| name).collect();
    assert!(!names.contains(&"activity_decisions_list_gone".to_owned()));
    assert!(names.contains(&"somebody_elses".to_owned()));
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    for (script, area) in FIXTURES {
        let folder = tempfile::tempdir().unwrap();
        let file = older(folder.path(), script);
        Connection::open(&file).unwrap().execute_batch(&format!("PRAGMA user_version = {}", CURRENT + 1)).unwrap();
        let before = fs::read(&file).unwrap();
        let location = Location::Sqlite(file.clone());
        let refused = RecordStore::open(location.clone(), area).unwrap_err();
        assert!(matches!(refused, StoreError::Newer { found, known: CURRENT, .. } if found > CURRENT), "{refused}");
        assert!(refused.to_string().contains("newer release"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let looked = RecordStore::look(location, area);
        let listed = looked.and_then(|store| runtime.block_on(store.list(area[0], Query::default())));
        assert!(matches!(listed, Err(StoreError::Newer { .. })), "{listed:?}");
        assert_eq!(fs::read(&file).unwrap(), before);
    }
}

/// A change of the schema needs a new version: this text changes with it.
#[test]
fn the_schema_is_that_of_its_version() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for kind in &cavra_model::KINDS {
        let file = folder.path().join(kind.table);
        RecordStore::open(Location::Sqlite(file.clone()), std::slice::from_ref(kind)).unwrap();
        text += &format!("-- {} (version {})\n", kind.table, version(&file));
        for (_, sql) in schema(&file).into_iter().filter(|(_, sql)| !sql.is_empty()) {
            text += &format!("{sql};\n");
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schema.sql");
    if std::env::var_os("CAVRA_BLESS").is_some() {
        fs::write(&golden, &text).unwrap();
    }
    let known = fs::read_to_string(&golden).unwrap_or_default();
    assert!(known == text, "the schema has changed: raise `VERSION`, and bless {}", golden.display());
}
