//! Records of a database that somebody broke: they stop nothing but what depends on them. docs/reference/evidence-and-promotion.md, section 0.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{BASELINE, Home, Server, text};

/// The databases of a server.
const DATABASES: [(&str, &str); 5] = [
    ("CAVRA_ACTIVITY_DB", "data/activity.db"),
    ("CAVRA_APPROVAL_DB", "data/approvals.db"),
    ("CAVRA_EVIDENCE_METADATA_DB", "data/evidence.db"),
    ("CAVRA_INVENTORY_DB", "data/inventory.db"),
    ("CAVRA_REGISTRY_DB", "data/registry.db"),
];

/// Payloads that are no record, as SQL.
const PAYLOADS: [&str; 7] =
    ["'{broken'", "'[]'", "'5'", "'null'", "CAST(x'7b22ff227d' AS TEXT)", "x'00ff'", "'{\"decision_id\": \"other\"}'"];

fn serve(home: &Home) -> Server {
    let settings = DATABASES.map(|(name, file)| (name, home.at(file)));
    home.serve(&settings.each_ref().map(|(name, value)| (*name, value.as_str())))
}

fn change(home: &Home, database: usize, sql: &str) {
    Connection::open(home.join(DATABASES[database].1)).unwrap().execute_batch(sql).unwrap();
}

/// An action that needs a human.
fn action(session: &str) -> Value {
    json!({"action_type": "write_file", "target": "iam/admin.tf", "session_id": session, "repository": "pay",
        "policy_pack": BASELINE})
}

fn rollout(state: &str, mode: &str) -> Value {
    json!({"rollout_id": "ro", "repository": "web", "policy_pack": BASELINE, "state": state, "mode": mode})
}

/// A table with the key of its records, the path of its list and what may be posted there.
struct Table {
    database: usize,
    name: &'static str,
    key: &'static str,
    path: &'static str,
    whole: Option<Value>,
}

fn tables() -> Vec<Table> {
    let table = |database, name, key, path, whole| Table { database, name, key, path, whole };
    vec![
        table(0, "activity_decisions", "decision_id", "/decisions", None),
        table(0, "activity_sessions", "session_id", "/sessions", Some(json!({"session_id": "b1"}))),
        table(1, "approvals", "approval_id", "/approvals", None),
        table(2, "evidence_metadata", "session_id", "/evidence", Some(json!({"session_id": "b1", "signer": "me"}))),
        table(
            3,
            "inventory_repositories",
            "repository_id",
            "/repositories",
            Some(json!({"repository_id": "b1", "repository": "b1"})),
        ),
        table(
            3,
            "inventory_policy_rollouts",
            "rollout_id",
            "/policy-rollouts",
            Some(json!({"rollout_id": "b1", "repository": "b1", "policy_pack": BASELINE})),
        ),
    ]
}

/// A server's databases with a good record of everything.
fn seeded() -> Home {
    let home = Home::new();
    let server = serve(&home);
    let decision = server.decide(&action("s"));
    server.post("/approvals", &json!({"decision": decision})).ok();
    server.post("/evidence", &json!({"session_id": "e", "rollout_id": "r", "approval_id": "apr_000000000000"})).ok();
    server.post("/repositories", &json!({"repository_id": "web", "repository": "web"})).ok();
    server.post("/policy-rollouts", &rollout("planned", "enforce")).ok();
    assert!(server.terminate().success());
    home
}

#[test]
fn lists_go_on_without_it_and_it_can_be_replaced() {
    for payload in PAYLOADS {
        let home = seeded();
        for table in tables() {
            let Table { database, name, key, .. } = table;
            let read = Connection::open(home.join(DATABASES[database].1)).unwrap();
            let mut statement = read.prepare(&format!("SELECT name FROM pragma_table_info('{name}')")).unwrap();
            let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
            let others: Vec<_> = names.filter(|column| column != key && column != "payload").collect();
            let others = others.join(", ");
            change(
                &home,
                database,
                &format!(
                    "INSERT INTO {name} ({key}, {others}, payload) SELECT 'b1', {others}, {payload} FROM {name} LIMIT 1"
                ),
            );
        }
        let server = serve(&home);
        for Table { name, key, path, whole, .. } in tables() {
            let list = server.get(path).ok();
            assert_eq!(list["items"].as_array().unwrap().len(), 1, "{name} {payload}: {list}");
            let item = format!("{path}/b1");
            let refused = server.get(&item).refused(&[409]);
            assert!(refused.as_str().unwrap().ends_with("is damaged and cannot be read"), "{refused}");
            let log = server.log();
            assert!(log.contains(name) && log.contains("b1"), "{log}");
            if let Some(whole) = whole {
                server.post(path, &whole).ok();
                assert_eq!(text(&server.get(&item).ok(), key), "b1", "{name} {payload}");
                assert_eq!(server.get(path).ok()["items"].as_array().unwrap().len(), 2, "{name} {payload}");
            }
        }
        for path in [
            "/evidence?rollout_id=r",
            "/evidence?approval_state=approved",
            "/evidence?deployment_target=x",
            "/decisions?decision=require_approval",
            "/sessions?state=active",
            "/release-connector-deliveries",
            "/release-connector-deliveries/dashboard",
            "/risk/events",
            "/console/config",
        ] {
            server.get(path).ok();
        }
        // Decisions are made all the same.
        assert_eq!(server.decide(&action("b1"))["decision"], "require_approval");
        assert_eq!(server.get("/sessions/b1").ok()["session_id"], "b1");
    }
}

#[test]
fn a_database_of_the_existing_product_with_a_broken_record_is_served() {
    let home = Home::new();
    home.write(DATABASES[2].1, "");
    let good = json!({"session_id": "g1", "decision_count": 1, "rollout_id": "r"});
    change(
        &home,
        2,
        &format!(
            "CREATE TABLE evidence_metadata (session_id TEXT PRIMARY KEY, created_at TEXT, signer TEXT,
                decision_count INTEGER NOT NULL, blocked_count INTEGER NOT NULL,
                approval_required_count INTEGER NOT NULL, payload TEXT NOT NULL);
             INSERT INTO evidence_metadata VALUES ('g1', NULL, NULL, 1, 0, 0, '{good}');
             INSERT INTO evidence_metadata VALUES ('b1', NULL, NULL, 0, 0, 0, '{{broken');"
        ),
    );
    let server = serve(&home);
    for path in ["/evidence", "/evidence?rollout_id=r"] {
        let list = server.get(path).ok();
        assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
        assert_eq!(list["items"][0]["session_id"], "g1");
    }
    server.get("/evidence/b1").refused(&[409]);
    server.post("/evidence", &json!({"session_id": "b1", "signer": "me"})).ok();
    assert_eq!(server.get("/evidence/b1").ok()["signer"], "me");
}

/// An approval that cannot be read authorizes nothing, whatever its columns say.
#[test]
fn a_broken_approval_lets_nothing_happen() {
    for payload in PAYLOADS {
        let home = Home::new();
        let server = serve(&home);
        let asked = server.decide(&action("s"));
        let approval = server.post("/approvals", &json!({"decision": asked})).ok();
        let id = text(&approval, "approval_id").to_owned();
        server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": "fine"})).ok();
        change(&home, 1, &format!("UPDATE approvals SET payload = {payload}"));
        assert_eq!(server.decide(&action("s"))["decision"], "require_approval", "{payload}");
        let mut named = action("s");
        named["approval_id"] = json!(id);
        server.post("/decisions", &named).refused(&[409]);
        server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": "fine"})).refused(&[409]);
    }
}

/// What would make a decision stricter is not taken for missing.
#[test]
fn what_a_decision_depends_on_is_not_missing_but_unreadable() {
    let home = Home::new();
    let server = serve(&home);
    server.post("/policy-rollouts", &rollout("active", "strict")).ok();
    let call = json!({"action_type": "mcp_tool_call", "server": "tools", "tool": "read", "capability": "filesystem"});
    let denied = server.decide(&call);
    change(&home, 3, "UPDATE inventory_policy_rollouts SET payload = '{broken'");
    // What is known of rollouts may be as old as a second.
    std::thread::sleep(std::time::Duration::from_millis(1200));
    let read = json!({"action_type": "read_file", "target": "a", "repository": "web"});
    server.post("/decisions", &read).refused(&[409]);
    server.post("/policy-rollouts/apply-change", &json!({"rollout_id": "ro", "state": "paused"})).refused(&[400, 409]);
    server.post("/policy-rollouts", &rollout("planned", "enforce")).ok();
    server.decide(&read);
    assert_ne!(denied["decision"], "allow");
    for (id, name) in [("tools", "other"), ("other", "tools")] {
        change(
            &home,
            4,
            &format!(
                "DELETE FROM registry_mcp_servers;
                 INSERT INTO registry_mcp_servers (server_id, name, trust_tier, approval_state, updated_at, payload)
                 VALUES ('{id}', '{name}', 'blocked', 'denied', '', '{{broken')"
            ),
        );
        server.post("/decisions", &call).refused(&[409]);
    }
}
