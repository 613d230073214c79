//! Whatever is done to a table, by us or by others, the segments count what the rows say. Segments are tiny here.

use std::path::Path;

use cavra_model::{DECISIONS, Kind};
use proptest::prelude::*;
use rusqlite::{Connection, params};

use crate::query::{Cell, Condition, Conditions, Query};
use crate::sqlite::list::list;
use crate::sqlite::read::Reading;
use crate::sqlite::thresholds::Thresholds;
use crate::sqlite::{Database, schema};

use super::{check as verdict, count, hold, newest, rows, segments};

static KINDS: [&Kind; 1] = [&DECISIONS];

const TINY: Thresholds =
    Thresholds { segment: 4, fanout: 3, most_sets: 1000, look: 1, most_rows: 12, few_rows: 2, most_newest: 8 };

fn prepare(connection: &mut Connection) -> bool {
    let changed = schema::prepare(&memory(), connection).unwrap();
    fold(connection);
    changed
}

fn memory() -> Database {
    Database { thresholds: TINY, ..Database::new(Path::new("memory"), &[&KINDS]) }
}

/// All steps that are to be done.
fn fold(connection: &Connection) {
    while super::fold(connection, &DECISIONS, TINY).unwrap() {}
}

fn database() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    assert!(prepare(&mut connection));
    connection
}

fn condition(name: &str, value: &str) -> Condition {
    (DECISIONS.columns.iter().find(|column| column.name == name).unwrap(), Cell::Text(value.to_owned()))
}

fn time(second: u32) -> String {
    format!("2031-01-01T00:00:{second:02}.000000+00:00")
}

fn put(connection: &Connection, verb: &str, id: u32, second: u32, (agent, decision): (&str, Option<&str>)) {
    let sql = format!(
        "{verb} INTO activity_decisions (decision_id, agent_id, decision, timestamp, payload) \
         VALUES (?1, ?2, ?3, ?4, json_object('decision_id', ?1))"
    );
    connection.execute(&sql, params![format!("d{id}"), agent, decision, time(second)]).unwrap();
}

/// What is counted, and what a look at every row says.
fn check(connection: &Connection) {
    assert_eq!(verdict(connection, &DECISIONS).unwrap(), None);
    let questions = [
        vec![],
        vec![condition("agent_id", "a")],
        vec![condition("decision", "block")],
        vec![condition("decision", "")],
        vec![condition("agent_id", "b"), condition("decision", "allow")],
        vec![condition("agent_id", "nobody"), condition("decision", "allow")],
    ];
    for conditions in questions {
        let wheres: String =
            conditions.iter().map(|(column, cell)| format!(" AND {} = '{cell}'", column.name)).collect();
        let mut statement = connection
            .prepare(&format!("SELECT rowid FROM activity_decisions NOT INDEXED WHERE 1{wheres} ORDER BY rowid"))
            .unwrap();
        let wanted: Vec<i64> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        check_lists(connection, &conditions, &wheres, wanted.len());
        let Some(counted) = count(connection, &DECISIONS, &conditions).unwrap() else {
            assert!(!hold(connection, &DECISIONS).unwrap());
            continue;
        };
        assert_eq!(counted, wanted.len() as u64, "{wheres}");
        let mut found = rows(connection, &DECISIONS, &conditions).unwrap().unwrap();
        found.sort_unstable();
        assert_eq!(found, wanted, "{wheres}");
        for needed in [1, 2, 5] {
            let mut statement = connection
                .prepare(&format!(
                    "SELECT rowid FROM activity_decisions NOT INDEXED WHERE 1{wheres} ORDER BY timestamp DESC, decision_id \
                     LIMIT {needed}"
                ))
                .unwrap();
            let wanted: Vec<i64> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
            assert_eq!(newest(connection, &DECISIONS, &conditions, needed).unwrap(), Some(wanted), "{wheres} {needed}");
        }
    }
}

/// Pages of every way to find them, and what a sort of all rows says.
fn check_lists(connection: &Connection, conditions: &[Condition], wheres: &str, total: usize) {
    for (limit, offset) in [(1, 0), (3, 1), (2, 5), (4, 9), (50, 0)] {
        let sql = format!(
            "SELECT decision_id FROM activity_decisions NOT INDEXED WHERE 1{wheres} ORDER BY timestamp DESC, decision_id \
             LIMIT {limit} OFFSET {offset}"
        );
        let mut statement = connection.prepare(&sql).unwrap();
        let wanted: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let resolved = Conditions { all: conditions.to_vec(), any: None, asked: Vec::new(), since: None, after: None };
        let query = Query { limit, offset, ..Query::default() };
        let (database, is_current) = (memory(), true);
        let reading = Reading { connection, database: &database, is_current };
        let Ok(page) = list(&reading, &DECISIONS, &resolved, &query) else { panic!("{wheres} {limit} {offset}") };
        let found: Vec<_> = page.items.iter().map(|item| item["decision_id"].as_str().unwrap()).collect();
        assert_eq!(
            (found, page.total),
            (wanted.iter().map(String::as_str).collect(), total as u64),
            "{wheres} {limit} {offset}"
        );
    }
}

fn levels(connection: &Connection) -> Vec<i64> {
    let names = super::Names::of(&DECISIONS);
    segments(connection, &names).unwrap().unwrap().iter().map(|segment| segment.level).collect()
}

fn fill(connection: &Connection, ids: std::ops::Range<u32>) {
    for id in ids {
        put(connection, "INSERT", id, id % 60, (if id % 3 == 0 { "a" } else { "b" }, Some("allow")));
        fold(connection);
    }
}

#[test]
fn segments_of_one_size_are_united() {
    let connection = database();
    let mut seen = Vec::new();
    for at in 0..14 {
        fill(&connection, at * 4..at * 4 + 4);
        seen.push(levels(&connection));
        check(&connection);
    }
    assert_eq!(seen[1], [0, 0]);
    assert_eq!(seen[2], [1]);
    assert_eq!(seen[7], [1, 1, 0, 0]);
    assert_eq!(seen[8], [2]);
    assert_eq!(seen[13], [2, 1, 0, 0]);
}

#[test]
fn numbers_far_apart_are_in_segments_of_their_own() {
    let connection = database();
    fill(&connection, 0..6);
    connection
        .execute_batch(
            "INSERT INTO activity_decisions (rowid, decision_id, agent_id, timestamp, payload) VALUES (1 << 33, 'far', 'a', '', '{\"decision_id\": \"far\"}')",
        )
        .unwrap();
    fill(&connection, 10..20);
    check(&connection);
    assert!(levels(&connection).len() > 2);
}

#[test]
fn numbers_given_to_other_rows_are_noticed_and_mended_by_opening() {
    let mut connection = database();
    fill(&connection, 0..20);
    connection.execute_batch("DELETE FROM activity_decisions WHERE rowid IN (3, 9)").unwrap();
    check(&connection);
    // What `VACUUM` may do.
    connection.execute_batch("UPDATE activity_decisions SET rowid = rowid - 1 WHERE rowid > 3").unwrap();
    assert_eq!(count(&connection, &DECISIONS, &[]).unwrap(), None);
    fold(&connection);
    assert!(!prepare(&mut connection), "the next step has made them anew");
    assert_eq!(count(&connection, &DECISIONS, &[]).unwrap(), Some(18));
    check(&connection);
    assert!(!prepare(&mut connection));
}

#[test]
fn a_vacuum_that_moves_nothing_is_not_minded() {
    let mut connection = database();
    fill(&connection, 0..20);
    connection.execute_batch("VACUUM").unwrap();
    assert!(!prepare(&mut connection));
    assert_eq!(count(&connection, &DECISIONS, &[]).unwrap(), Some(20));
}

#[test]
fn a_missing_trigger_makes_them_untrustworthy() {
    let mut connection = database();
    fill(&connection, 0..20);
    connection
        .execute_batch("DROP TRIGGER activity_decisions_removed; DELETE FROM activity_decisions WHERE rowid < 5")
        .unwrap();
    assert!(prepare(&mut connection));
    check(&connection);
}

/// Whoever can write the database can hide rows by the sets; that is found.
#[test]
fn edited_sets_are_found() {
    let everything = "SELECT set_of_rows FROM activity_decisions_postings WHERE facet = '' ORDER BY segment LIMIT 1";
    for (change, found) in [
        (
            "DELETE FROM activity_decisions_postings WHERE facet = 'agent_id' AND value = 'a'".to_owned(),
            "agent_id is `a`",
        ),
        (
            format!("UPDATE activity_decisions_postings SET set_of_rows = ({everything}) WHERE value = 'b'"),
            "agent_id is `b`",
        ),
        ("UPDATE activity_decisions_postings SET value = 'c' WHERE value = 'a'".to_owned(), "agent_id is"),
        ("DELETE FROM activity_decisions_postings WHERE facet = ''".to_owned(), "all rows"),
        ("DELETE FROM activity_decisions_blocks".to_owned(), "block"),
        ("DELETE FROM activity_decisions_blocks WHERE last = 20".to_owned(), "block"),
        ("UPDATE activity_decisions_blocks SET newest = '' WHERE last = 8".to_owned(), "block"),
        (
            "UPDATE activity_decisions SET agent_id = 'z' WHERE rowid = 3; DELETE FROM activity_decisions_changed"
                .to_owned(),
            "agent_id is",
        ),
        (
            "DELETE FROM activity_decisions WHERE rowid = 3; DELETE FROM activity_decisions_changed".to_owned(),
            "all rows",
        ),
    ] {
        let connection = database();
        fill(&connection, 0..22);
        assert_eq!(verdict(&connection, &DECISIONS).unwrap(), None);
        connection.execute_batch(&change).unwrap();
        let wrong = verdict(&connection, &DECISIONS).unwrap();
        assert!(wrong.as_ref().is_some_and(|wrong| wrong.contains(found)), "{change}: {wrong:?}");
    }
}

#[test]
fn a_damaged_set_is_an_error() {
    let connection = database();
    fill(&connection, 0..20);
    connection.execute_batch("UPDATE activity_decisions_postings SET set_of_rows = x'0102'").unwrap();
    count(&connection, &DECISIONS, &[condition("agent_id", "a")]).unwrap_err();
}

#[test]
fn texts_that_are_none_are_not_counted() {
    let connection = database();
    for id in 0..5 {
        put(&connection, "INSERT", id, 0, ("a", None));
    }
    fold(&connection);
    connection.execute_batch("UPDATE activity_decisions SET agent_id = x'ff' WHERE rowid = 2").unwrap();
    check(&connection);
    assert_eq!(count(&connection, &DECISIONS, &[condition("decision", "")]).unwrap(), Some(0));
}

#[derive(Clone, Debug)]
enum Step {
    Put { verb: &'static str, id: u32, late: u32, values: (&'static str, Option<&'static str>) },
    Change { id: u32, agent: &'static str },
    Date { id: u32, second: u32 },
    Remove { id: u32 },
    RemoveNewest,
    Fold,
}

fn any_step() -> impl Strategy<Value = Step> {
    let agents = || proptest::sample::select(&["a", "b", "c"][..]);
    let decisions = proptest::sample::select(&[Some("allow"), Some("block"), None][..]);
    let verbs = proptest::sample::select(&["INSERT OR IGNORE", "INSERT OR REPLACE", "REPLACE"][..]);
    let put = (verbs, 0..60_u32, 0..4_u32, (agents(), decisions));
    prop_oneof![
        8 => put.prop_map(|(verb, id, late, values)| Step::Put { verb, id, late, values }),
        1 => (0..60_u32, 0..60_u32).prop_map(|(id, second)| Step::Date { id, second }),
        3 => (0..60_u32, agents()).prop_map(|(id, agent)| Step::Change { id, agent }),
        2 => (0..60_u32).prop_map(|id| Step::Remove { id }),
        1 => Just(Step::RemoveNewest),
        4 => Just(Step::Fold),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn segments_count_what_the_rows_say(steps in proptest::collection::vec(any_step(), 1..120)) {
        let mut connection = database();
        for (at, step) in (0_u32..).zip(steps) {
            match step {
                // Times are about in the order of writing.
                Step::Put { verb, id, late, values } => {
                    put(&connection, verb, id, (at / 3).saturating_sub(late), values);
                }
                Step::Date { id, second } => {
                    let sql = "UPDATE activity_decisions SET timestamp = ?2 WHERE decision_id = ?1";
                    connection.execute(sql, params![format!("d{id}"), time(second)]).unwrap();
                }
                Step::Change { id, agent } => {
                    let sql = "UPDATE OR ROLLBACK activity_decisions SET agent_id = ?2 WHERE decision_id = ?1";
                    connection.execute(sql, params![format!("d{id}"), agent]).unwrap();
                }
                Step::Remove { id } => {
                    connection.execute("DELETE FROM activity_decisions WHERE decision_id = ?1", [format!("d{id}")]).unwrap();
                }
                Step::RemoveNewest => {
                    let sql = "DELETE FROM activity_decisions WHERE rowid = (SELECT max(rowid) FROM activity_decisions)";
                    connection.execute(sql, []).unwrap();
                }
                Step::Fold => fold(&connection),
            }
            check(&connection);
        }
        prepare(&mut connection);
        prop_assert!(hold(&connection, &DECISIONS).unwrap());
        check(&connection);
    }
}
