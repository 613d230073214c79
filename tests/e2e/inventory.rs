//! Repositories. docs/reference/approvals-identity-authoring.md, sections 1 and 5; and what both kinds of the inventory store have in common.

use std::sync::{Arc, Barrier};
use std::thread;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::approvals::string;
use crate::support::{BASELINE, Backend, Home, Server, assert_timestamp, on_both};

/// A server whose inventory is in a store of that kind.
pub fn serve(home: &Home, backend: Backend, more: &[(&str, &str)]) -> Server {
    let (name, file) = match backend {
        Backend::Json => ("CAVRA_INVENTORY_STORE", home.at("data/inventory.json")),
        Backend::Sqlite => ("CAVRA_INVENTORY_DB", home.at("data/inventory.db")),
    };
    home.serve(&[&[(name, file.as_str())], more].concat())
}

/// A record without its times.
fn timeless(mut record: Value) -> Value {
    for member in ["created_at", "updated_at"] {
        assert_timestamp(record[member].as_str().unwrap());
        record.as_object_mut().unwrap().remove(member);
    }
    record
}

fn ids(server: &Server, query: &str) -> Vec<String> {
    let list = server.get(&format!("/repositories{query}")).ok();
    let items: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| string(&item["repository_id"])).collect();
    assert_eq!(list, json!({"items": list["items"], "total": items.len()}), "unpaged");
    items
}

#[test]
fn repositories_are_registered_with_defaults() {
    on_both(|backend| {
        let home = Home::new();
        let server = serve(&home, backend, &[]);
        let wanted = |id: &str, name: &str| {
            json!({
                "schema_version": "cavra.repository.v1", "product": "CAVRA", "repository_id": id, "repository": name,
                "provider": "github", "default_branch": "main", "owner": "unassigned", "business_unit": "engineering",
                "environment": "development", "policy_pack": BASELINE, "risk_tier": "medium", "status": "active",
                "protected_branches": ["main"], "required_checks": [], "evidence_refs": [],
            })
        };
        for (body, id, name) in [
            (json!({"repository": "payments/api"}), "payments/api", "payments/api"),
            (json!({"name": "web", "tenant_id": "", "workspace_id": null, "unknown": {"kept": false}}), "web", "web"),
            (json!({"repository_id": "r-1"}), "r-1", "r-1"),
            (json!({"repository": "a", "name": "b", "repository_id": "r-2"}), "r-2", "a"),
        ] {
            let stored = server.post("/repositories", &body).ok();
            assert_eq!(timeless(stored.clone()), wanted(id, name), "{body}");
            assert_eq!(stored["created_at"], stored["updated_at"]);
        }
        let full = json!({
            "repository_id": "full", "repository": "org/full", "provider": "gitlab", "default_branch": "trunk",
            "owner": "team", "business_unit": "retail", "environment": "production", "policy_pack": "cavra-x",
            "risk_tier": "tier-0", "status": "archived", "protected_branches": [], "required_checks": "ci",
            "evidence_refs": ["a", "b"], "tenant_id": "t", "workspace_id": "w",
        });
        let mut expected = full.clone();
        expected["required_checks"] = json!(["ci"]);
        expected["schema_version"] = json!("cavra.repository.v1");
        expected["product"] = json!("CAVRA");
        assert_eq!(timeless(server.post("/repositories", &full).ok()), expected);
        let before = server.get("/repositories").ok();
        drop(server);
        assert_eq!(serve(&home, backend, &[]).get("/repositories").ok(), before, "it survives a restart");
    });
}

#[test]
fn posting_again_replaces_all_but_the_beginning() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let first = server.post("/repositories", &json!({"repository": "r", "owner": "team", "tenant_id": "t"})).ok();
        let second = server.post("/repositories", &json!({"repository": "r", "provider": "gitlab"})).ok();
        assert_eq!((&second["owner"], &second["provider"]), (&json!("unassigned"), &json!("gitlab")));
        assert!(second.get("tenant_id").is_none());
        assert_eq!(second["created_at"], first["created_at"]);
        assert!(string(&second["updated_at"]) > string(&first["updated_at"]));
        assert_eq!(ids(&server, ""), ["r"]);
        assert_eq!(server.get("/repositories/r").ok(), second);
    });
}

#[test]
fn wrong_repositories_are_refused_and_change_nothing() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        server.post("/repositories", &json!({"repository": "r"})).ok();
        let before = server.get("/repositories").ok();
        for (member, value) in [
            ("repository", json!("")),
            ("repository", json!({})),
            ("repository", json!("x".repeat(300))),
            ("repository", json!("a\u{7}b")),
            ("status", json!("gone")),
            ("status", json!("Active")),
            ("status", json!(1)),
            ("owner", json!([])),
            ("risk_tier", json!({})),
            ("provider", json!(false)),
            ("protected_branches", json!({})),
            ("protected_branches", json!(3)),
            ("required_checks", json!([1])),
            ("required_checks", json!([["a"]])),
            ("evidence_refs", json!(true)),
            ("tenant_id", json!(5)),
        ] {
            let mut body = json!({"repository": "r", "owner": "changed"});
            body[member] = value.clone();
            server.post("/repositories", &body).refused(&[400, 422]);
        }
        server.post("/repositories", &json!({})).refused(&[400]);
        for unreadable in ["", "[]", "null", "{", "7"] {
            server.request("POST", "/repositories", unreadable.as_bytes()).refused(&[400, 422]);
        }
        server.post("/repositories", &json!({"repository": "r", "note": "x".repeat(1_100_000)})).refused(&[413]);
        assert_eq!(server.get("/repositories").ok(), before);
    });
}

#[test]
fn repositories_are_found_by_id_and_name_with_slashes() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        for (id, name) in
            [("payments/api", "payments/api"), ("r-1", "org/team/web"), ("org/x", "first"), ("y", "org/x")]
        {
            server.post("/repositories", &json!({"repository_id": id, "repository": name})).ok();
        }
        for (path, id) in [
            ("payments/api", "payments/api"),
            ("payments%2Fapi", "payments/api"),
            ("org/team/web", "r-1"),
            ("org%2Fteam/web", "r-1"),
            ("r-1", "r-1"),
            // An id counts more than a name.
            ("org/x", "org/x"),
        ] {
            assert_eq!(server.get(&format!("/repositories/{path}")).ok()["repository_id"], id, "{path}");
        }
        for missing in ["nobody", "payments", "payments/api/x", "payments%2fAPI", "org//x", "%ff"] {
            server.get(&format!("/repositories/{missing}")).refused(&[400, 404]);
        }
    });
}

#[test]
fn repositories_are_listed_by_name_and_filtered_exactly() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        for (id, name, owner, tier) in
            [("3", "b", "x", "high"), ("1", "c", "x", "low"), ("2", "a", "y", "high"), ("4", "B", "y", "low")]
        {
            let body = json!({"repository_id": id, "repository": name, "owner": owner, "risk_tier": tier,
                "policy_pack": format!("cavra-{owner}"), "provider": "gitlab", "status": "disabled"});
            server.post("/repositories", &body).ok();
        }
        for (query, wanted) in [
            ("", vec!["4", "2", "3", "1"]),
            ("?owner=x", vec!["3", "1"]),
            ("?owner=X", vec![]),
            ("?owner=&status=", vec!["4", "2", "3", "1"]),
            ("?risk_tier=high&owner=y", vec!["2"]),
            ("?policy_pack=cavra-y", vec!["4", "2"]),
            ("?provider=gitlab&status=disabled", vec!["4", "2", "3", "1"]),
            ("?status=active", vec![]),
            ("?status=nonsense", vec![]),
            ("?unknown=1&limit=1&offset=2", vec!["4", "2", "3", "1"]),
        ] {
            assert_eq!(ids(&server, query), wanted, "{query}");
        }
    });
}

/// More records than a page has: the list is whole.
#[test]
fn lists_of_the_inventory_are_whole() {
    on_both(|backend| {
        let server = Arc::new(serve(&Home::new(), backend, &[]));
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let server = Arc::clone(&server);
                thread::spawn(move || {
                    let mut connection = server.connect();
                    for n in 0..70 {
                        let body = json!({"repository": format!("r-{writer}-{n}")}).to_string();
                        connection.exchange("POST", "/repositories", body.as_bytes()).unwrap().ok();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(ids(&server, "").len(), 560);
    });
}

#[test]
fn concurrent_replacements_are_whole() {
    on_both(|backend| {
        let server = Arc::new(serve(&Home::new(), backend, &[]));
        let created = server.post("/repositories", &json!({"repository": "r"})).ok()["created_at"].clone();
        let barrier = Arc::new(Barrier::new(8));
        let writers: Vec<_> = (0..8)
            .map(|n| {
                let (server, barrier) = (Arc::clone(&server), Arc::clone(&barrier));
                thread::spawn(move || {
                    let who = format!("w{n}");
                    barrier.wait();
                    server.post("/repositories", &json!({"repository": "r", "owner": who, "business_unit": who})).ok()
                })
            })
            .collect();
        let answers: Vec<_> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        let stored = server.get("/repositories/r").ok();
        assert!(answers.contains(&stored), "{stored}");
        assert_eq!((&stored["owner"], &stored["created_at"]), (&stored["business_unit"], &created));
        assert!(answers.iter().all(|answer| answer["created_at"] == created));
    });
}

#[test]
fn the_json_store_is_a_sorted_file() {
    let home = Home::new();
    let server = serve(&home, Backend::Json, &[]);
    server.post("/repositories", &json!({"repository": "naïve"})).ok();
    server.post("/policy-rollouts", &json!({"repository": "r", "policy_pack": "p"})).ok();
    let text = home.read("data/inventory.json");
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(text, format!("{}\n", serde_json::to_string_pretty(&document).unwrap()), "indent, order, newline");
    let members: Vec<_> = document.as_object().unwrap().keys().cloned().collect();
    assert!(
        members.contains(&"policy_rollouts".to_owned()) && members.contains(&"repositories".to_owned()),
        "{members:?}"
    );
    assert!(text.contains("naïve"));
}

/// The files of the existing product, without our additions, in both forms.
#[test]
fn old_stores_load() {
    let repository = json!({"schema_version": "cavra.repository.v1", "product": "CAVRA", "repository_id": "old",
        "repository": "org/old", "provider": "github", "owner": "o", "policy_pack": "p", "risk_tier": "low",
        "status": "active", "updated_at": "2021-01-01T00:00:00+00:00", "created_at": "2020-01-01T00:00:00Z", "extra": [1]});
    let rollout = json!({"schema_version": "cavra.policy_rollout.v1", "rollout_id": "org/old:p", "repository": "org/old",
        "policy_pack": "p", "state": "active", "mode": "audit_only", "owner": "o", "coverage_percent": 100,
        "updated_at": "2021-01-01T00:00:00+00:00"});
    on_both(|backend| {
        let home = Home::new();
        match backend {
            Backend::Json => {
                home.write(
                    "data/inventory.json",
                    json!({"repositories": [repository], "policy_rollouts": [rollout]}).to_string(),
                );
            }
            Backend::Sqlite => {
                home.write("data/inventory.db", "");
                let database = Connection::open(home.join("data/inventory.db")).unwrap();
                database
                    .execute_batch(
                        "CREATE TABLE inventory_repositories (repository_id TEXT PRIMARY KEY, repository TEXT NOT NULL,
                             provider TEXT NOT NULL, owner TEXT NOT NULL, policy_pack TEXT NOT NULL, risk_tier TEXT NOT NULL,
                             status TEXT NOT NULL, updated_at TEXT NOT NULL, payload TEXT NOT NULL);
                         CREATE TABLE inventory_policy_rollouts (rollout_id TEXT PRIMARY KEY, repository TEXT NOT NULL,
                             policy_pack TEXT NOT NULL, state TEXT NOT NULL, mode TEXT NOT NULL, owner TEXT NOT NULL,
                             updated_at TEXT NOT NULL, payload TEXT NOT NULL);",
                    )
                    .unwrap();
                database
                    .execute(
                        "INSERT INTO inventory_repositories VALUES ('old','org/old','github','o','p','low','active','2021',?1)",
                        [repository.to_string()],
                    )
                    .unwrap();
                database
                    .execute(
                        "INSERT INTO inventory_policy_rollouts VALUES ('org/old:p','org/old','p','active','audit_only','o','2021',?1)",
                        [rollout.to_string()],
                    )
                    .unwrap();
            }
        }
        let server = serve(&home, backend, &[]).with_old_records();
        assert_eq!(server.get("/repositories/org/old").ok(), repository);
        assert_eq!(ids(&server, "?owner=o"), ["old"]);
        assert_eq!(server.get("/policy-rollouts/org/old:p").ok(), rollout);
        let replaced = server.post("/repositories", &json!({"repository_id": "old", "repository": "org/old"})).ok();
        assert_eq!(replaced["created_at"], "2020-01-01T00:00:00Z", "kept as it was");
    });
}

#[test]
fn a_broken_inventory_is_left_alone() {
    let home = Home::new();
    home.write("data/inventory.json", "{ half");
    let run = home.cavra(&["serve", "--port", "0"]).env("CAVRA_INVENTORY_STORE", home.at("data/inventory.json")).run();
    assert!(run.fails().stderr.contains("inventory.json"));
    assert_eq!(home.read("data/inventory.json"), "{ half");
}
