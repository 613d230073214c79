//! The files of the activity stores. docs/reference/decisions-and-policy.md, section 8.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::support::{Backend, Home, OldDecision, Server, on_both, text};

fn read() -> Value {
    json!({"action_type": "read_file", "target": ".env", "session_id": "s"})
}

/// JSON as the contract writes files: two blanks of indent, sorted keys, a final newline.
fn pretty(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let mut pairs: Vec<_> = members.iter().collect();
                pairs.sort_by(|left, right| left.0.cmp(right.0));
                pairs.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect()
            }
            Value::Array(items) => items.iter().map(sorted).collect(),
            other => other.clone(),
        }
    }
    format!("{}\n", serde_json::to_string_pretty(&sorted(value)).unwrap())
}

/// Who stops the server and copies its file has everything.
#[test]
fn a_stopped_server_leaves_its_database_in_one_file() {
    let (home, copied) = (Home::new(), Home::new());
    let server = Backend::Sqlite.serve(&home);
    for number in 0..3 {
        server.decide(&json!({"action_type": "read_file", "target": format!("f{number}")}));
    }
    assert!(server.terminate().success());
    copied.write(Backend::Sqlite.file(), std::fs::read(home.join(Backend::Sqlite.file())).unwrap());
    let copy = Connection::open(copied.join(Backend::Sqlite.file())).unwrap();
    let count = |table: &str| copy.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
    assert_eq!((count("activity_decisions"), count("evidence_log")), (Ok(3), Ok(3)));
}

#[test]
fn the_json_file_has_its_form() {
    let home = Home::new();
    let server = Backend::Json.serve(&home);
    assert!(!home.exists("data"), "created on first write");
    let records: Vec<Value> = (0..3).map(|_| server.decide(&read())).collect();
    let file = home.read(Backend::Json.file());
    let document: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(file, pretty(&document));
    let stored = document["decisions"].as_array().unwrap();
    for record in &records {
        assert!(stored.contains(record), "durable before the answer");
    }
    assert_eq!(document["sessions"][0]["session_id"], "s");
    assert_eq!(document["sessions"][0]["decision_count"], 3);
}

#[test]
fn json_files_of_the_existing_product_load() {
    let decision = OldDecision {
        id: 7,
        session: "old",
        agent: "a",
        repository: "r",
        decision: "warn",
        severity: "low",
        action_type: "x",
        second: 1,
    };
    let session = json!({"session_id": "lonely", "state": "failed", "updated_at": "2027-01-01T00:00:00.000000+00:00"});
    for document in [
        json!({"decisions": [decision.record()], "sessions": [session]}),
        json!({"decisions": [decision.record()]}),
        json!({"sessions": [session]}),
        json!({"decisions": [decision.record()], "sessions": [], "something_else": {"kept": true}}),
        json!({}),
    ] {
        let home = Home::new();
        home.write(Backend::Json.file(), document.to_string());
        let server = Backend::Json.serve(&home).with_old_records();
        let count = |list: &str| document[list].as_array().map_or(0, Vec::len) as u64;
        assert_eq!((server.total("/decisions"), server.total("/sessions")), (count("decisions"), count("sessions")));
        server.decide(&read());
        let after = home.json(Backend::Json.file());
        assert_eq!(after["decisions"].as_array().unwrap().len() as u64, count("decisions") + 1);
        assert_eq!(after.get("something_else"), document.get("something_else"), "what is not ours stays");
    }
}

fn open(home: &Home) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(home.join(Backend::Sqlite.file()), flags).unwrap()
}

fn columns(database: &Connection, table: &str) -> BTreeSet<String> {
    let mut statement = database.prepare(&format!("SELECT name FROM pragma_table_info('{table}')")).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn the_sqlite_file_has_its_tables() {
    let home = Home::new();
    let server = Backend::Sqlite.serve(&home);
    assert!(home.exists(Backend::Sqlite.file()), "created at start");
    let record = server.decide(&read());
    let database = open(&home);
    for (table, key, wanted) in [
        (
            "activity_sessions",
            "session_id",
            "session_id agent_id actor repository policy_pack state started_at updated_at decision_count blocked_count approval_required_count payload",
        ),
        (
            "activity_decisions",
            "decision_id",
            "decision_id session_id agent_id actor repository policy_pack action_type target rule_id decision severity timestamp correlation_id payload",
        ),
    ] {
        let found = columns(&database, table);
        let wanted: BTreeSet<String> = wanted.split(' ').map(ToOwned::to_owned).collect();
        assert!(found.is_superset(&wanted), "{table}: {found:?}");
        let primary: String = database
            .query_row(&format!("SELECT name FROM pragma_table_info('{table}') WHERE pk = 1"), [], |row| row.get(0))
            .unwrap();
        assert_eq!(primary, key);
        let payload: String =
            database.query_row(&format!("SELECT payload FROM {table}"), [], |row| row.get(0)).unwrap();
        let payload: Value = serde_json::from_str(&payload).unwrap();
        for column in wanted.iter().filter(|column| *column != "payload") {
            let value: rusqlite::types::Value =
                database.query_row(&format!("SELECT {column} FROM {table}"), [], |row| row.get(0)).unwrap();
            let value = match value {
                rusqlite::types::Value::Text(text) => json!(text),
                rusqlite::types::Value::Integer(number) => json!(number),
                other => panic!("{other:?}"),
            };
            assert_eq!(value, payload[column], "{table}.{column}");
        }
        if table == "activity_decisions" {
            assert_eq!(payload, record);
        }
    }
    for (table, column) in [
        ("activity_decisions", "session_id"),
        ("activity_decisions", "agent_id"),
        ("activity_decisions", "repository"),
        ("activity_decisions", "policy_pack"),
        ("activity_decisions", "decision"),
        ("activity_decisions", "timestamp"),
        ("activity_sessions", "agent_id"),
        ("activity_sessions", "updated_at"),
    ] {
        let indexed: i64 = database
            .query_row(
                "SELECT count(*) FROM pragma_index_list(?1) AS list, pragma_index_info(list.name) AS info WHERE info.name = ?2",
                [table, column],
                |row| row.get(0),
            )
            .unwrap();
        assert!(indexed > 0, "{table}.{column} is not indexed");
    }
}

#[test]
fn stores_are_chosen_by_the_environment() {
    let home = Home::new();
    let (database, json) = (home.at("x.db"), home.at("x.json"));
    let server = home.serve(&[("CAVRA_ACTIVITY_DB", &database), ("CAVRA_ACTIVITY_STORE", &json)]);
    server.decide(&read());
    assert!(home.exists("x.db") && !home.exists("x.json"), "the database wins");
    drop(server);
    let server = home.serve(&[("CAVRA_ACTIVITY_STORE", "deep/er/y.json"), ("CAVRA_ACTIVITY_DB", "")]);
    server.decide(&read());
    assert!(home.exists("deep/er/y.json"), "relative to the working directory, parents made");
    assert!(!home.exists(".cavra/api"), "decisions go nowhere else");
}

#[test]
fn a_restart_keeps_everything() {
    on_both(|backend| {
        let home = Home::new();
        let server = backend.serve(&home);
        for target in [".env", "a", "b"] {
            server.decide(&json!({"action_type": "read_file", "target": target, "session_id": target}));
        }
        server.post("/sessions", &json!({"session_id": "a", "state": "completed", "evidence_refs": ["x"]})).ok();
        let seen =
            |server: &Server| (server.all("/decisions"), server.all("/sessions"), server.get("/risk/events").ok());
        let before = seen(&server);
        assert!(server.terminate().success(), "a clean end");
        let server = backend.serve(&home);
        assert_eq!(seen(&server), before);
        server.kill();
        assert_eq!(seen(&backend.serve(&home)), before);
    });
}

/// A file that cannot be read stops the start and stays as it is.
#[test]
fn unreadable_stores_stop_the_start() {
    let good = Home::new();
    Backend::Sqlite.serve(&good).decide(&read());
    let database = std::fs::read(good.join(Backend::Sqlite.file())).unwrap();
    let mut scrambled = database;
    scrambled[..100].fill(b'?');
    let json = json!({"decisions": [OldDecision { id: 1, session: "s", agent: "a", repository: "r", decision: "allow", severity: "low", action_type: "x", second: 0 }.record()]}).to_string();
    let torn = json.as_bytes()[..json.len() / 2].to_vec();
    let cases: Vec<(Backend, &str, Vec<u8>)> = vec![
        (Backend::Json, "torn", torn),
        (Backend::Json, "a list", b"[]".to_vec()),
        (Backend::Json, "a text", b"\"x\"".to_vec()),
        (Backend::Json, "a wrong member", b"{\"decisions\": {}}".to_vec()),
        (Backend::Json, "a wrong item", b"{\"decisions\": [5]}".to_vec()),
        (Backend::Json, "a record without its key", b"{\"sessions\": [{\"state\": \"active\"}]}".to_vec()),
        (Backend::Json, "no UTF-8", b"{\"decisions\": [], \"x\": \"\xff\"}".to_vec()),
        (Backend::Json, "rubbish after it", b"{\"decisions\": []} x".to_vec()),
        (Backend::Json, "empty", Vec::new()),
        (Backend::Sqlite, "no database", b"this is no database, but it is long enough to be read as one".repeat(10)),
        (Backend::Sqlite, "a scrambled header", scrambled),
    ];
    for (backend, what, content) in cases {
        let home = Home::new();
        home.write(backend.file(), &content);
        let (name, value) = backend.setting(&home);
        let output = home.cavra(&["serve", "--port", "0"]).env(name, &value).run();
        assert!(output.code > 0, "{backend:?} {what}: {output:?}");
        assert!(output.stderr.contains("activity"), "names the file: {output:?}");
        assert!(!output.stderr.contains("panicked") && !output.stdout.contains("listening"), "{output:?}");
        assert_eq!(std::fs::read(home.join(backend.file())).unwrap(), content, "{backend:?} {what} is untouched");
    }
}

#[test]
fn a_store_that_cannot_be_written_refuses_decisions() {
    let home = Home::new();
    home.write("blocker", "a file where a directory is needed");
    let output = home.cavra(&["serve", "--port", "0"]).env("CAVRA_ACTIVITY_DB", home.at("blocker/x.db")).run();
    assert!(output.code > 0, "{output:?}");
    let server = home.serve(&[("CAVRA_ACTIVITY_STORE", &home.at("data/a.json"))]);
    server.decide(&read());
    // A directory in the place of the file cannot be replaced, not even by root.
    std::fs::remove_dir_all(home.join("data")).unwrap();
    home.write("data", "no directory any more");
    let response = server.post("/decisions", &read());
    response.refused(&[503]);
    assert!(!response.text().contains(home.path().to_str().unwrap()), "no server path in an answer");
}

#[test]
fn files_are_for_their_owner_only() {
    on_both(|backend| {
        let home = Home::new();
        backend.serve(&home).decide(&read());
        let mode = std::fs::metadata(home.join(backend.file())).unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0, "{mode:o}: decisions show what agents do");
    });
}

#[test]
fn an_upsert_by_an_importer_is_seen() {
    let home = Home::new();
    let server = Backend::Json.serve(&home);
    let record = server.decide(&read());
    let mut document = home.json(Backend::Json.file());
    document["decisions"].as_array_mut().unwrap().push(
        OldDecision {
            id: 9,
            session: "imported",
            agent: "a",
            repository: "r",
            decision: "warn",
            severity: "low",
            action_type: "x",
            second: 0,
        }
        .record(),
    );
    let replacement = home.write("data/new.json", pretty(&document));
    std::fs::rename(replacement, home.join(Backend::Json.file())).unwrap();
    assert_eq!(server.total("/decisions"), 2, "re-read when another process changed the file");
    server.decide(&read());
    let ids: BTreeSet<String> =
        server.all("/decisions").iter().map(|record| text(record, "decision_id").to_owned()).collect();
    assert!(
        ids.contains("dec_000000000009") && ids.contains(text(&record, "decision_id")) && ids.len() == 3,
        "{ids:?}"
    );
}
