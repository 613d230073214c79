//! Approvals over HTTP without identity. docs/reference/approvals-identity-authoring.md, sections 1 and 3.

use std::sync::{Arc, Barrier};
use std::thread;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Backend, Home, Server, assert_timestamp, on_both};

/// A server whose approvals are in a store of that kind.
pub fn serve(home: &Home, backend: Backend, more: &[(&str, &str)]) -> Server {
    let (name, file) = match backend {
        Backend::Json => ("CAVRA_APPROVAL_STORE", home.at("data/approvals.json")),
        Backend::Sqlite => ("CAVRA_APPROVAL_DB", home.at("data/approvals.db")),
    };
    home.serve(&[&[(name, file.as_str())], more].concat())
}

pub fn decision(id: &str) -> Value {
    json!({
        "decision_id": id, "session_id": "s1", "correlation_id": "corr_1", "action_type": "write_file",
        "target": "iam/admin.tf", "requested_operation": "write", "rule_id": "filesystem.write.require_approval",
        "severity": "high", "repository": "pay", "decision": "require_approval", "reason": "why",
        "evidence_refs": [format!("evidence://s1/{id}")],
    })
}

/// A text, or nothing.
pub fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// An approval that waits; its id.
#[track_caller]
pub fn pending(server: &Server) -> String {
    string(&server.post("/approvals", &decision("dec_1")).ok()["approval_id"])
}

const FINE: &str = r#"{"actor": "ann", "reason": "fine"}"#;

#[test]
fn an_approval_is_asked_for_and_granted() {
    on_both(|backend| {
        let home = Home::new();
        let server = serve(&home, backend, &[]);
        let body = json!({"decision": decision("dec_1"), "requested_by": "bob", "ttl_hours": 2});
        let asked = server.post("/approvals", &body).ok();
        let id = string(&asked["approval_id"]);
        assert!(id.len() == 16 && id.starts_with("apr_"), "{id}");
        for (member, wanted) in [
            ("schema_version", json!("cavra.approval.v1")),
            ("product", json!("CAVRA")),
            ("decision_id", json!("dec_1")),
            ("session_id", json!("s1")),
            ("correlation_id", json!("corr_1")),
            ("state", json!("pending")),
            ("approver_group", json!("IAM")),
            ("requested_by", json!("bob")),
            ("decision", decision("dec_1")),
            ("evidence_refs", json!([format!("approval://{id}"), "evidence://s1/dec_1"])),
        ] {
            assert_eq!(asked[member], wanted, "{member}");
        }
        assert_timestamp(asked["requested_at"].as_str().unwrap());
        assert_timestamp(asked["expires_at"].as_str().unwrap());
        assert_eq!(server.get(&format!("/approvals/{id}")).ok(), asked);

        let ruling = json!({"actor": "ann", "reason": "fine", "external_ref": "CHG-7"});
        let granted = server.post(&format!("/approvals/{id}/approve"), &ruling).ok();
        assert_eq!(granted["state"], "approved");
        assert_eq!(granted["decided_by"], "ann");
        assert_eq!(granted["decided_via"], "anonymous");
        assert_eq!(granted["decision_reason"], "fine");
        assert_eq!(granted["external_ref"], "CHG-7");
        let history = granted["history"].as_array().unwrap();
        assert_eq!(
            (history.len(), &history[0]["event"], &history[0]["reason"]),
            (2, &json!("requested"), &json!("why"))
        );
        assert_eq!((&history[1]["event"], &history[1]["external_ref"]), (&json!("approved"), &json!("CHG-7")));

        // It survives, and is the same in a new process.
        drop(server);
        let server = serve(&home, backend, &[]);
        assert_eq!(server.get(&format!("/approvals/{id}")).ok(), granted);
        for verb in ["approve", "deny", "expire"] {
            server.request("POST", &format!("/approvals/{id}/{verb}"), FINE.as_bytes()).refused(&[400, 409]);
        }
        assert_eq!(server.get(&format!("/approvals/{id}")).ok(), granted);
    });
}

#[test]
fn denying_expiring_and_breaking_the_glass() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let id = pending(&server);
        assert_eq!(server.request("POST", &format!("/approvals/{id}/deny"), FINE.as_bytes()).ok()["state"], "denied");
        for body in ["", "{}"] {
            let id = pending(&server);
            let expired = server.request("POST", &format!("/approvals/{id}/expire"), body.as_bytes()).ok();
            assert_eq!((&expired["state"], &expired["decided_by"]), (&json!("expired"), &json!("system")));
        }
        let id = pending(&server);
        let expired = server.post(&format!("/approvals/{id}/expire"), &json!({"actor": "ann"})).ok();
        assert_eq!(expired["decided_by"], "ann");
        let body = json!({"decision": decision("dec_2"), "actor": "ann", "reason": "on fire", "ttl_hours": 99});
        let broken = server.post("/approvals/break-glass", &body).ok();
        assert_eq!((&broken["state"], &broken["break_glass"]), (&json!("break_glass"), &json!(true)));
        assert_eq!(broken["break_glass_reason"], "on fire");
        assert_eq!(broken["approver_group"], "Change Advisory Board");
        assert_eq!((&broken["requested_by"], &broken["decided_by"]), (&json!("ann"), &json!("ann")));
        let events: Vec<_> =
            broken["history"].as_array().unwrap().iter().map(|event| string(&event["event"])).collect();
        assert_eq!(events, ["requested", "approved", "break_glass"]);
        // Capped at a day.
        let day = |value: &Value| string(value)[..10].to_owned();
        assert!(day(&broken["expires_at"]) > day(&broken["requested_at"]));
        for bad in [json!({"reason": "x"}), json!({"actor": "ann"}), json!({"actor": "ann", "reason": " "})] {
            let mut body = json!({"decision": decision("dec_2")});
            body.as_object_mut().unwrap().extend(bad.as_object().unwrap().clone());
            server.post("/approvals/break-glass", &body).refused(&[400]);
        }
        server.post("/approvals/break-glass", &json!({"decision": {}, "actor": "a", "reason": "r"})).refused(&[400]);
    });
}

#[test]
fn groups_are_routed() {
    let home = Home::new();
    let rules =
        "approval_routing:\n- {repository: pay, approver_group: Payments}\n- {severity: low, approver_group: Low}\n";
    home.write("routing.yaml", rules);
    let routed = home.serve(&[("CAVRA_APPROVAL_ROUTING_FILE", &home.at("routing.yaml"))]);
    let group = |server: &Server, body: &Value| server.post("/approvals", body).ok()["approver_group"].clone();
    assert_eq!(group(&routed, &decision("d")), "Payments");
    assert_eq!(group(&routed, &json!({"decision": {"decision_id": "d", "approver_group": "Own"}})), "Own");
    let explicit = json!({"decision": decision("d"), "approver_group": "Mine"});
    assert_eq!(group(&routed, &explicit), "Mine");
    // A bare decision's own group is the payload's.
    let mut bare = decision("d");
    bare["approver_group"] = json!("Bare");
    assert_eq!(group(&routed, &bare), "Bare");
    routed.post("/approvals", &json!({"decision_id": "d"})).refused(&[400]);
}

#[test]
fn a_routing_file_that_cannot_be_used_stops_the_server() {
    for (file, content) in [
        ("routing.json", "{"),
        ("routing.json", "{\"approval_routing\": [{}]}"),
        ("routing.yaml", "- 5"),
        ("routing.json", "{\"rules\": []}"),
    ] {
        let home = Home::new();
        home.write(file, content);
        let output = home.cavra(&["serve", "--port", "0"]).env("CAVRA_APPROVAL_ROUTING_FILE", home.at(file)).run();
        let output = output.fails();
        assert!(output.stderr.contains(file), "{}", output.stderr);
    }
    let home = Home::new();
    let output =
        home.cavra(&["serve", "--port", "0"]).env("CAVRA_APPROVAL_ROUTING_FILE", home.at("missing.json")).run();
    assert!(output.fails().stderr.contains("missing.json"));
}

#[test]
fn wrong_requests_change_nothing() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let id = pending(&server);
        let before = server.get(&format!("/approvals/{id}")).ok();
        let with = |member: &str, value: Value| {
            let mut body = json!({"decision": decision("d")});
            body[member] = value;
            body
        };
        for bad in [
            json!({}),
            json!({"decision": {}}),
            json!({"decision": {"decision_id": 5}}),
            with("ttl_hours", json!("soon")),
            with("ttl_hours", json!([])),
            with("ttl_hours", json!(1.5)),
            with("requested_by", json!({})),
            with("approver_group", json!(7)),
            json!({"decision_id": "d", "approver_group": "G", "evidence_refs": "x"}),
            json!({"decision_id": "d", "approver_group": "G", "target": ["a"]}),
        ] {
            server.post("/approvals", &bad).refused(&[400, 422]);
        }
        for verb in ["approve", "deny"] {
            let path = format!("/approvals/{id}/{verb}");
            for bad in [
                json!({}),
                json!({"actor": "ann"}),
                json!({"reason": "r"}),
                json!({"actor": "", "reason": "r"}),
                json!({"actor": "ann", "reason": {}}),
                json!({"actor": [], "reason": "r"}),
            ] {
                server.post(&path, &bad).refused(&[400, 422]);
            }
            for unreadable in ["", "[]", "\"x\"", "{", "null"] {
                server.request("POST", &path, unreadable.as_bytes()).refused(&[400, 422]);
            }
            server.request("POST", "/approvals/apr_000000000000/approve", FINE.as_bytes()).refused(&[404]);
        }
        server.request("POST", &format!("/approvals/{id}/expire"), b"[]").refused(&[400, 422]);
        server.get("/approvals/apr_000000000000").refused(&[404]);
        server.get("/approvals?limit=many").refused(&[400, 422]);
        assert_eq!(server.get(&format!("/approvals/{id}")).ok(), before);
        assert_eq!(server.total("/approvals"), 1);
        let large = json!({"decision": decision("d"), "note": "x".repeat(1_100_000)});
        server.post("/approvals", &large).refused(&[413]);
    });
}

#[test]
fn lists_are_filtered_and_paged_newest_first() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let ids: Vec<_> = (0..5).map(|_| pending(&server)).collect();
        server.request("POST", &format!("/approvals/{}/approve", ids[1]), FINE.as_bytes()).ok();
        let listed = |query: &str| -> Vec<String> {
            let page = server.get(&format!("/approvals{query}")).ok();
            page["items"].as_array().unwrap().iter().map(|item| string(&item["approval_id"])).collect()
        };
        let mut newest: Vec<_> = ids.iter().rev().cloned().collect();
        assert_eq!(listed(""), newest);
        assert_eq!(listed("?limit=2&offset=1"), newest[1..3]);
        assert_eq!(listed("?state=approved"), [ids[1].clone()]);
        assert_eq!(listed("?state=nonsense"), Vec::<String>::new());
        assert_eq!(listed("?approver_group=iam"), Vec::<String>::new());
        newest.retain(|id| *id != ids[1]);
        assert_eq!(listed("?state=pending&approver_group=IAM&unknown=1"), newest);
        // What only the product looks up is no filter of callers.
        assert_eq!(listed("?state=pending&decision_id=dec_none&session_id=none"), newest);
        let page = server.get("/approvals?limit=9999&offset=-3").ok();
        assert_eq!((&page["total"], &page["limit"], &page["offset"]), (&json!(5), &json!(500), &json!(0)));
    });
}

/// A record as the existing product leaves it; `expires_at` is a year of four digits.
fn old(id: u32, state: &str, year: u32) -> Value {
    let id = format!("apr_{id:012x}");
    json!({
        "schema_version": "cavra.approval.v1", "product": "CAVRA", "approval_id": id, "decision_id": "dec_1",
        "session_id": "local", "correlation_id": null, "state": state, "approver_group": "IAM",
        "requested_by": "ai-agent", "requested_at": "2021-03-04T05:06:07.000000+00:00",
        "expires_at": format!("{year}-03-05T05:06:07.000000+00:00"), "decision": decision("dec_1"), "history": [],
        "evidence_refs": [format!("approval://{id}")], "extra": {"kept": true},
    })
}

/// Writes a store as the existing product leaves it.
fn write_old(home: &Home, backend: Backend, items: &[Value]) {
    match backend {
        Backend::Json => {
            let document = serde_json::to_string_pretty(&json!({ "items": items })).unwrap();
            home.write("data/approvals.json", format!("{document}\n"));
        }
        Backend::Sqlite => {
            home.write("data/approvals.db", "");
            let mut database = Connection::open(home.join("data/approvals.db")).unwrap();
            let database = database.transaction().unwrap();
            let table = "CREATE TABLE approvals (approval_id TEXT PRIMARY KEY, decision_id TEXT NOT NULL, session_id TEXT NOT NULL,
                state TEXT NOT NULL, approver_group TEXT NOT NULL, requested_by TEXT NOT NULL, requested_at TEXT NOT NULL,
                expires_at TEXT NOT NULL, decided_by TEXT, decided_at TEXT, external_ref TEXT,
                break_glass INTEGER NOT NULL DEFAULT 0, payload TEXT NOT NULL)";
            database.execute(table, []).unwrap();
            let columns = [
                "approval_id",
                "decision_id",
                "session_id",
                "state",
                "approver_group",
                "requested_by",
                "requested_at",
                "expires_at",
            ];
            let values = columns.map(|column| format!("json_extract(?1, '$.{column}')")).join(", ");
            let insert = format!("INSERT INTO approvals ({}, payload) VALUES ({values}, ?1)", columns.join(", "));
            for item in items {
                database.execute(&insert, [item.to_string()]).unwrap();
            }
            database.commit().unwrap();
        }
    }
}

#[test]
fn the_clock_expires_and_old_stores_load() {
    on_both(|backend| {
        let home = Home::new();
        write_old(&home, backend, &[old(1, "pending", 2021), old(2, "pending", 2999), old(3, "approved", 2021)]);
        let server = serve(&home, backend, &[]);
        let lapsed = server.get("/approvals/apr_000000000001").ok();
        assert_eq!((&lapsed["state"], &lapsed["extra"]["kept"]), (&json!("expired"), &json!(true)));
        let last = lapsed["history"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&last["event"], &last["actor"]), (&json!("expired"), &json!("system")));
        for verb in ["approve", "deny", "expire"] {
            server
                .request("POST", &format!("/approvals/apr_000000000001/{verb}"), FINE.as_bytes())
                .refused(&[400, 409]);
        }
        assert_eq!(server.total("/approvals?state=pending"), 1);
        assert_eq!(server.total("/approvals?state=expired"), 1);
        assert_eq!(server.get("/approvals/apr_000000000003").ok()["state"], "approved");
        server.request("POST", "/approvals/apr_000000000002/approve", FINE.as_bytes()).ok();
        server
            .post("/approvals/break-glass", &json!({"decision": decision("dec_2"), "actor": "ann", "reason": "fire"}))
            .ok();
        drop(server);
        // What the clock did is written, and a new process finds all of it.
        let server = serve(&home, backend, &[]);
        for (state, total) in [("expired", 1), ("approved", 2), ("break_glass", 1), ("pending", 0)] {
            assert_eq!(server.total(&format!("/approvals?state={state}")), total, "{state}");
        }
        if backend == Backend::Sqlite {
            let database = Connection::open(home.join("data/approvals.db")).unwrap();
            let sum = |column: &str| -> i64 {
                database
                    .query_row(&format!("SELECT count({column}), sum(break_glass) FROM approvals"), [], |row| {
                        Ok(row.get::<_, i64>(0)? * 10 + row.get::<_, i64>(1)?)
                    })
                    .unwrap()
            };
            assert_eq!(sum("break_glass"), 41, "0 or 1 in all four rows, 1 in one");
        }
    });
}

/// Approvals that nobody looks at expire in lists of their own, too: by state, by group, page by page.
#[test]
fn many_lapsed_approvals_are_filtered_as_expired() {
    on_both(|backend| {
        let home = Home::new();
        let items: Vec<_> = (0..1200).map(|id| old(id, "pending", if id % 3 == 0 { 2999 } else { 2021 })).collect();
        write_old(&home, backend, &items);
        let server = serve(&home, backend, &[]);
        assert_eq!((server.total("/approvals?state=pending"), server.total("/approvals?state=expired")), (400, 800));
        assert_eq!(server.all("/approvals?state=expired&approver_group=IAM").len(), 800);
    });
}

#[test]
fn of_two_deciders_exactly_one_wins() {
    on_both(|backend| {
        let server = Arc::new(serve(&Home::new(), backend, &[]));
        for _ in 0..10 {
            let id = pending(&server);
            let barrier = Arc::new(Barrier::new(8));
            let deciders: Vec<_> = (0..8)
                .map(|number| {
                    let (server, barrier, id) = (Arc::clone(&server), Arc::clone(&barrier), id.clone());
                    let verb = if number % 2 == 0 { "approve" } else { "deny" };
                    thread::spawn(move || {
                        let body = json!({"actor": format!("decider {number}"), "reason": "race"});
                        barrier.wait();
                        server.post(&format!("/approvals/{id}/{verb}"), &body)
                    })
                })
                .collect();
            let answers: Vec<_> = deciders.into_iter().map(|decider| decider.join().unwrap()).collect();
            let winners: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
            assert_eq!(winners.len(), 1);
            let stored = server.get(&format!("/approvals/{id}")).ok();
            assert_eq!(stored, winners[0].json());
            assert_eq!(stored["history"].as_array().unwrap().len(), 2);
        }
        let creators: Vec<_> = (0..16)
            .map(|_| {
                let server = Arc::clone(&server);
                thread::spawn(move || pending(&server))
            })
            .collect();
        let created: std::collections::BTreeSet<_> =
            creators.into_iter().map(|creator| creator.join().unwrap()).collect();
        assert_eq!((created.len(), server.total("/approvals")), (16, 26));
    });
}

#[test]
fn a_decision_takes_an_approval_along() {
    let server = serve(&Home::new(), Backend::Json, &[]);
    let id = pending(&server);
    let path = format!("/approvals/{id}/attach-decision");
    let attached = server.post(&path, &decision("dec_1")).ok();
    assert_eq!(attached["approval"]["approval_id"], json!(id));
    assert_eq!(attached["approval"]["break_glass"], json!(false));
    assert_eq!(attached["approval"]["decided_by"], Value::Null);
    assert_eq!(attached["evidence_refs"], json!(["evidence://s1/dec_1", format!("approval://{id}")]));
    server.post(&path, &decision("dec_2")).refused(&[409]);
    server.post(&path, &json!({"decision_id": "dec_1", "evidence_refs": "x"})).refused(&[400]);
    server.post("/approvals/apr_000000000000/attach-decision", &decision("dec_1")).refused(&[404]);
    assert_eq!(server.post(&path, &json!({})).ok()["evidence_refs"].as_array().unwrap().len(), 2);
    assert_eq!(server.get(&format!("/approvals/{id}")).ok()["history"].as_array().unwrap().len(), 1);
}

#[test]
fn identity_never_reaches_a_store() {
    let home = Home::new();
    let server = serve(&home, Backend::Json, &[]);
    let mut bare = decision("dec_1");
    bare["actor_claims"] = json!({"sub": "hush-sub", "groups": ["IAM"]});
    bare["requested_by"] = json!("bob");
    bare["ttl_hours"] = json!(3);
    let stored = server.post("/approvals", &bare).ok();
    for member in ["actor_claims", "actor_token", "requested_by", "ttl_hours"] {
        assert_eq!(stored["decision"].get(member), None, "{member}");
    }
    // A token without a provider to check it is refused before anything is stored.
    bare["actor_token"] = json!("hush.hush.hush");
    server.post("/approvals", &bare).refused(&[400]);
    assert!(!home.read("data/approvals.json").contains("hush.hush"));
    assert!(!server.log().contains("hush.hush"));
}

#[test]
fn a_broken_store_is_left_alone() {
    let home = Home::new();
    home.write("data/approvals.json", "{ half");
    let output =
        home.cavra(&["serve", "--port", "0"]).env("CAVRA_APPROVAL_STORE", home.at("data/approvals.json")).run();
    assert!(output.fails().stderr.contains("approvals.json"));
    assert_eq!(home.read("data/approvals.json"), "{ half");
}
