//! Whatever is done to a store behind cavra's back: the server does not start on it, and the command line says what is
//! wrong.

use std::fs;

use serde_json::{Value, json};

use crate::support::{BASELINE, Backend, Home, on_both};

/// What somebody does to the leaves and records.
const DEEDS: [(&str, &str, &str); 6] = [
    ("cut", "DELETE FROM evidence_log WHERE leaf_index >= 5", "was cut"),
    ("empty", "DELETE FROM evidence_log", "was cut"),
    (
        "reorder",
        "UPDATE evidence_log SET leaf_index = -1 WHERE leaf_index = 2;
         UPDATE evidence_log SET leaf_index = 2 WHERE leaf_index = 3;
         UPDATE evidence_log SET leaf_index = 3 WHERE leaf_index = -1",
        "have been changed",
    ),
    ("edit", "UPDATE evidence_log SET leaf = replace(leaf, 'dec_', 'Dec_') WHERE leaf_index = 4", "have been changed"),
    (
        "forge",
        "UPDATE evidence_log SET leaf = (SELECT leaf FROM evidence_log WHERE leaf_index = 0) WHERE leaf_index = 7",
        "have been changed",
    ),
    (
        "take one out",
        "DELETE FROM evidence_log WHERE leaf_index = 1;
         UPDATE evidence_log SET leaf_index = leaf_index - 1 WHERE leaf_index > 1",
        "was cut",
    ),
];

fn tamper(home: &Home, backend: Backend, deed: (&str, &str, &str)) {
    match backend {
        Backend::Sqlite => {
            let database = rusqlite::Connection::open(home.join(backend.file())).unwrap();
            database.execute_batch(deed.1).unwrap();
        }
        Backend::Json => {
            let mut store = home.json(backend.file());
            let leaves = store["evidence_log"].as_array_mut().unwrap();
            match deed.0 {
                "cut" => leaves.truncate(5),
                "empty" => leaves.clear(),
                "reorder" => leaves.swap(2, 3),
                "edit" => leaves[4] = json!(leaves[4].as_str().unwrap().replace("dec_", "Dec_")),
                "forge" => leaves[7] = leaves[0].clone(),
                _ => drop(leaves.remove(1)),
            }
            home.write(backend.file(), store.to_string());
        }
    }
}

/// A home in which nine decisions were made, and everything signed.
fn decided(backend: Backend) -> Home {
    let home = Home::new();
    let server = backend.serve(&home);
    for n in 0..9 {
        server.decide_on("read_file", &format!("f{n}"), BASELINE);
    }
    assert!(server.terminate().success());
    home
}

fn verify(home: &Home, backend: Backend) -> crate::support::Output {
    let (name, value) = backend.setting(home);
    home.cavra(&["evidence", "log", "verify", "--records", "--json"]).env(name, &value).run()
}

#[test]
fn a_log_that_was_tampered_with_is_refused() {
    on_both(|backend| {
        for deed in DEEDS {
            let home = decided(backend);
            let clean = verify(&home, backend).ok().json();
            assert_eq!((&clean["size"], &clean["signed_size"], &clean["valid"]), (&json!(9), &json!(9), &json!(true)));
            tamper(&home, backend, deed);
            let (name, value) = backend.setting(&home);
            let refused = home.cavra(&["serve", "--port", "0"]).env(name, &value).run().fails();
            assert!(refused.stderr.contains(deed.2), "{}: {refused:?}", deed.0);
            assert!(refused.stderr.contains("cavra evidence log accept-restore --log activity"), "{refused:?}");
            let found = verify(&home, backend).exits(1).json();
            assert!(
                found["valid"] == false && !found["problems"].as_array().unwrap().is_empty(),
                "{}: {found}",
                deed.0
            );
        }
    });
}

#[test]
fn a_record_that_was_changed_is_found() {
    on_both(|backend| {
        let home = decided(backend);
        match backend {
            Backend::Sqlite => {
                let database = rusqlite::Connection::open(home.join(backend.file())).unwrap();
                let change = "UPDATE activity_decisions SET payload = replace(payload, '\"f3\"', '\"f4\"')";
                database.execute_batch(change).unwrap();
            }
            Backend::Json => {
                let changed = home.read(backend.file()).replace("\"f3\"", "\"f4\"");
                home.write(backend.file(), changed);
            }
        }
        let found = verify(&home, backend).exits(1).json();
        let faults = found["records"]["faults"].as_array().unwrap();
        assert_eq!(
            (faults.len(), &faults[0]["fault"], &found["records"]["matching"]),
            (1, &json!("changed"), &json!(8))
        );
    });
}

/// Lists are filtered by columns, so a record whose column was changed is hidden from them.
#[test]
fn a_column_that_was_changed_is_found() {
    let home = Home::new();
    let file = |name: &str| home.at(&format!("data/{name}.db"));
    let settings = [
        ("CAVRA_ACTIVITY_DB", file("activity")),
        ("CAVRA_APPROVAL_DB", file("approvals")),
        ("CAVRA_EVIDENCE_METADATA_DB", file("evidence")),
    ];
    let server = home.serve(&settings.each_ref().map(|(name, value)| (*name, value.as_str())));
    let action = json!({"action_type": "write_file", "target": "iam/admin.tf", "session_id": "s"});
    let decision = server.decide(&action);
    let decision_id = decision["decision_id"].as_str().unwrap().to_owned();
    let approval = server.post("/approvals", &json!({"decision": decision})).ok();
    let approval_id = approval["approval_id"].as_str().unwrap().to_owned();
    let posted = json!({"session_id": "e", "signer": "me", "created_at": "2031-01-01T00:00:00Z", "decision_count": 3});
    server.post("/evidence", &posted).ok();
    assert!(server.terminate().success());
    for (log, table, id, column, value) in [
        ("activity", "activity_decisions", decision_id.as_str(), "decision", "'allow'"),
        ("activity", "activity_decisions", &decision_id, "timestamp", "''"),
        ("activity", "activity_decisions", &decision_id, "severity", "NULL"),
        ("activity", "activity_decisions", &decision_id, "agent_id", "x'00'"),
        ("activity", "activity_sessions", "s", "state", "'deleted'"),
        ("activity", "activity_sessions", "s", "decision_count", "0"),
        ("approvals", "approvals", &approval_id, "state", "'expired'"),
        ("approvals", "approvals", &approval_id, "break_glass", "1"),
        ("evidence", "evidence_metadata", "e", "created_at", "'2001-01-01T00:00:00.000000+00:00'"),
        ("evidence", "evidence_metadata", "e", "signer", "'you'"),
        ("evidence", "evidence_metadata", "e", "decision_count", "0"),
    ] {
        let run = |arguments: &[&str]| {
            let run = home.cavra(arguments);
            settings.iter().fold(run, |run, (name, value)| run.env(name, value)).run()
        };
        let verify = || run(&["evidence", "log", "verify", "--log", log, "--records", "--json"]);
        run(&["evidence", "log", "checkpoint", "--log", log]).ok();
        verify().ok();
        let database = rusqlite::Connection::open(file(log)).unwrap();
        let before: rusqlite::types::Value =
            database.query_row(&format!("SELECT {column} FROM {table}"), [], |row| row.get(0)).unwrap();
        database.execute_batch(&format!("UPDATE {table} SET {column} = {value}")).unwrap();
        let found = verify().exits(1).json();
        let wanted = json!([{"id": id, "fault": "column", "column": column}]);
        assert_eq!(found["records"]["faults"], wanted, "{table} {column}: {found}");
        let problem = format!("record {id}: its column {column} does not say what the record does");
        assert_eq!(found["problems"], json!([problem]), "{table} {column}");
        database.execute(&format!("UPDATE {table} SET {column} = ?1"), [before]).unwrap();
    }
}

#[test]
fn an_older_store_is_refused_and_can_be_accepted() {
    on_both(|backend| {
        let home = decided(backend);
        let file = home.join(backend.file());
        let (name, value) = backend.setting(&home);
        if backend == Backend::Sqlite {
            let database = rusqlite::Connection::open(&file).unwrap();
            database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        }
        fs::copy(&file, home.join("backup")).unwrap();
        let server = backend.serve(&home);
        server.decide_on("read_file", "later", BASELINE);
        let before = server.get("/log/activity/checkpoint").text().to_owned();
        assert!(server.terminate().success());
        for more in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{more}", file.display()));
        }
        fs::copy(home.join("backup"), &file).unwrap();
        let refused = home.cavra(&["serve", "--port", "0"]).env(name, &value).run().fails();
        assert!(refused.stderr.contains("has 9 leaves, but 10 have been signed"), "{refused:?}");
        assert!(!refused.stderr.contains("panicked"));

        let accept = ["evidence", "log", "accept-restore", "--reason", "the disk broke", "--json"];
        let accepted = home.cavra(&accept).env(name, &value).run().ok().json();
        assert_eq!((&accepted["log"], &accepted["restored_size"]), (&json!("activity"), &json!(9)));
        home.cavra(&accept).env(name, &value).run().fails();
        let server = backend.serve(&home);
        server.decide_on("read_file", "after", BASELINE);
        let leaves: Vec<Value> =
            crate::evidence_log::leaves(&server, "activity").iter().map(|leaf| leaf["event"].clone()).collect();
        assert_eq!((leaves.len(), &leaves[9]), (11, &json!("store_restored")));
        let now = server.get("/log/activity/checkpoint").text().to_owned();
        assert_ne!(now.lines().next(), before.lines().next(), "the log has another name");
        assert!(server.terminate().success());
        let found = verify(&home, backend).ok().json();
        assert!(found["closed_logs"][0].as_str().unwrap().contains("the disk broke"), "{found}");
    });
}
