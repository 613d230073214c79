//! Evidence metadata over HTTP. docs/reference/evidence-and-promotion.md, sections 0, 1, 9, 11 and 13.

use std::sync::{Arc, Barrier};
use std::thread;

use serde_json::{Value, json};

use crate::support::{Backend, Home, Server, assert_timestamp, keys, on_both, text};

/// The settings that choose the metadata store and the approval store.
pub fn stores(home: &Home, backend: Backend) -> Vec<(&'static str, String)> {
    match backend {
        Backend::Json => vec![
            ("CAVRA_EVIDENCE_METADATA_STORE", home.at("data/metadata.json")),
            ("CAVRA_APPROVAL_STORE", home.at("data/approvals.json")),
            ("CAVRA_ACTIVITY_STORE", home.at("data/activity.json")),
        ],
        Backend::Sqlite => vec![
            ("CAVRA_EVIDENCE_METADATA_DB", home.at("data/metadata.db")),
            ("CAVRA_APPROVAL_DB", home.at("data/approvals.db")),
            ("CAVRA_ACTIVITY_DB", home.at("data/activity.db")),
        ],
    }
}

/// A server whose evidence is in stores of that kind.
pub fn serve(home: &Home, backend: Backend, more: &[(&str, &str)]) -> Server {
    let stores = stores(home, backend);
    let stores: Vec<_> = stores.iter().map(|(name, value)| (*name, value.as_str())).collect();
    home.serve(&[&stores, more].concat())
}

/// The ids of a list, in its order.
#[track_caller]
pub fn ids(server: &Server, path: &str) -> Vec<String> {
    let page = server.get(path).ok();
    assert_eq!(keys(&page).iter().filter(|key| ["items", "total", "limit", "offset"].contains(key)).count(), 4);
    page["items"].as_array().unwrap().iter().map(|item| text(item, "session_id").to_owned()).collect()
}

#[test]
fn a_record_is_replaced_as_a_whole() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let first = server
            .post(
                "/evidence",
                &json!({"session_id": "s/1 ü", "schema_version": "mine", "product": "mine", "signer": "ann",
                    "blocked_count": 2, "extra": {"kept": [1, 1.0, null, "ü"]}, "decision_count": null}),
            )
            .ok();
        assert_eq!((text(&first, "schema_version"), text(&first, "product")), ("cavra.evidence.metadata.v1", "CAVRA"));
        assert_timestamp(text(&first, "created_at"));
        assert_eq!(first["extra"].to_string(), r#"{"kept":[1,1.0,null,"ü"]}"#);
        assert_eq!(server.get("/evidence/s%2F1%20%C3%BC").ok(), first);
        let second = server.post("/evidence", &json!({"session_id": "s/1 ü", "other": true})).ok();
        assert_eq!(
            second,
            json!({"schema_version": "cavra.evidence.metadata.v1", "product": "CAVRA", "session_id": "s/1 ü",
                "created_at": first["created_at"], "other": true})
        );
        let dated = json!({"session_id": "s/1 ü", "created_at": "2031-02-03T04:05:06Z"});
        assert_eq!(server.post("/evidence", &dated).ok()["created_at"], dated["created_at"]);
        assert_eq!(server.total("/evidence"), 1);
        assert_eq!(server.get("/evidence/nothing").refused(&[404]), "evidence metadata not found");
        assert_eq!(server.get("/evidence/s%252F1%2520").refused(&[404]), "evidence metadata not found");
    });
}

#[test]
fn what_is_wrong_is_refused_and_changes_nothing() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let kept = server.post("/evidence", &json!({"session_id": "s", "blocked_count": 1})).ok();
        for body in [
            json!({}),
            json!({"session_id": ""}),
            json!({"session_id": null}),
            json!({"session_id": 7}),
            json!({"session_id": {}}),
            json!({"session_id": "."}),
            json!({"session_id": ".."}),
            json!({"session_id": "a\u{7}b"}),
            json!({"session_id": "x".repeat(257)}),
            json!({"session_id": "s", "blocked_count": -1}),
            json!({"session_id": "s", "decision_count": "1"}),
            json!({"session_id": "s", "approval_required_count": 0.5}),
            json!({"session_id": "s", "deployment_targets": "mac"}),
            json!({"session_id": "s", "deployment_targets": [1]}),
            json!({"session_id": "s", "blocked_count": serde_json::from_str::<Value>("18446744073709551616").unwrap()}),
        ] {
            server.post("/evidence", &body).refused(&[400, 422]);
        }
        for body in ["", "[]", "4", "nonsense", "null"] {
            server.request("POST", "/evidence", body.as_bytes()).refused(&[422]);
        }
        // An identity that is sent must verify; here nothing could.
        server.post("/evidence", &json!({"session_id": "s", "actor_token": "a.b.c"})).refused(&[400, 401]);
        assert_eq!(server.get("/evidence").ok()["items"], json!([kept]));
    });
}

#[test]
fn records_may_be_large_here_and_only_here() {
    let server = serve(&Home::new(), Backend::Sqlite, &[]);
    let of = |size: usize| json!({"session_id": "s", "decisions": "x".repeat(size)});
    server.post("/evidence", &of(7 * 1024 * 1024)).ok();
    let detail = server.post("/evidence", &of(8 * 1024 * 1024)).refused(&[413]);
    assert!(detail.as_str().unwrap().contains(&(8 * 1024 * 1024).to_string()), "{detail}");
    server.post("/sessions", &of(1024 * 1024)).refused(&[413]);
    assert_eq!(server.get("/evidence/s").ok()["decisions"].as_str().unwrap().len(), 7 * 1024 * 1024);
}

fn fill(server: &Server) {
    for record in [
        json!({"session_id": "a%_1", "created_at": "2031-01-01T00:00:00Z", "signer": "Ann", "blocked_count": 2,
            "metadata_kind": "managed-endpoint-rollout", "rollout_status": "staged", "environment": "prod",
            "deployment_targets": ["mac", "win"]}),
        json!({"session_id": "b", "created_at": "2031-01-01T02:00:00.5+02:00", "signer": "ann",
            "approval_required_count": 1, "deployment_targets": []}),
        json!({"session_id": "rpe_1", "created_at": "2031-01-01T00:00:00.250000+00:00",
            "metadata_kind": "rollout-promotion-execution", "rollout_id": "r-9", "target_ring": "broad",
            "approval_state": "approved", "promotion_execution_status": "executed", "deployment_targets": ["mac"]}),
        json!({"session_id": "rre_1", "created_at": "2031-01-02T00:00:00Z", "metadata_kind": "rollout-rollback-execution",
            "rollback_execution_status": "executed"}),
        json!({"session_id": "rcp_1", "created_at": "2031-01-03T00:00:00Z", "metadata_kind": "release-channel-promotion-request",
            "channel": "stable", "target_ring": "enterprise", "approval_state": "pending", "approval_id": "apr_none"}),
        json!({"session_id": "rcd-1", "created_at": "2031-01-04T00:00:00Z", "metadata_kind": "release-connector-delivery",
            "event_type": "cavra.rollout_promotion_execution", "event_id": "rpe_1", "providers": ["jira", "splunk"],
            "delivery_success": true}),
        json!({"session_id": "rcd-2", "created_at": "2031-01-04T00:00:01Z", "metadata_kind": "release-connector-delivery",
            "event_type": "cavra.rollout_rollback_execution", "event_id": "rre_1", "providers": ["jira"],
            "failed_providers": ["jira"], "delivery_success": false}),
        json!({"session_id": "undated", "created_at": "one day"}),
    ] {
        server.post("/evidence", &record).ok();
    }
}

#[test]
fn lists_are_filtered_ordered_and_paged() {
    on_both(|backend| {
        let home = Home::new();
        let server = serve(&home, backend, &[]);
        fill(&server);
        let all = ["rcd-2", "rcd-1", "rcp_1", "rre_1", "b", "rpe_1", "a%_1", "undated"];
        let cases: &[(&str, &[&str])] = &[
            ("/evidence", &all),
            ("/evidence?session_id=&signer=&unknown=x", &all),
            ("/evidence?session_id=%25", &["a%_1"]),
            ("/evidence?session_id=_1", &["rcp_1", "rre_1", "rpe_1", "a%_1"]),
            ("/evidence?session_id=RPE", &[]),
            ("/evidence?signer=ann", &["b"]),
            ("/evidence?min_blocked=1", &["a%_1"]),
            ("/evidence?min_blocked=99999999999999999999999", &[]),
            ("/evidence?has_approvals=TRUE", &["b"]),
            ("/evidence?has_approvals=off&metadata_kind=managed-endpoint-rollout", &["a%_1"]),
            ("/evidence?metadata_kind=release-connector-delivery", &["rcd-2", "rcd-1"]),
            ("/evidence?rollout_status=staged", &["a%_1"]),
            ("/evidence?environment=prod", &["a%_1"]),
            ("/evidence?target_ring=broad", &["rpe_1"]),
            ("/evidence?approval_state=approved", &["rpe_1"]),
            ("/evidence?approval_state=pending", &["rcp_1"]),
            ("/evidence?promotion_execution_status=executed", &["rpe_1"]),
            ("/evidence?rollback_execution_status=executed", &["rre_1"]),
            ("/evidence?deployment_target=mac", &["rpe_1", "a%_1"]),
            ("/evidence?deployment_target=mac&signer=Ann", &["a%_1"]),
            ("/promotion-executions", &["rpe_1"]),
            ("/promotion-executions?rollout_id=r-9&target_ring=broad&deployment_target=mac", &["rpe_1"]),
            ("/promotion-executions?approval_state=approved&promotion_execution_status=executed", &["rpe_1"]),
            ("/promotion-executions?rollout_id=r-8", &[]),
            ("/release-channel-promotions", &["rcp_1"]),
            ("/release-channel-promotions?channel=stable&approval_id=apr_none&approval_state=pending", &["rcp_1"]),
            ("/release-channel-promotions?target_ring=broad", &[]),
            ("/release-connector-deliveries", &["rcd-2", "rcd-1"]),
            ("/release-connector-deliveries?provider=splunk", &["rcd-1"]),
            ("/release-connector-deliveries?success=no", &["rcd-2"]),
            ("/release-connector-deliveries?event_id=re_", &["rcd-2"]),
            ("/release-connector-deliveries?event_type=cavra.rollout_promotion_execution", &["rcd-1"]),
        ];
        for (path, wanted) in cases {
            assert_eq!(ids(&server, path), *wanted, "{path}");
        }
        let page = server.get("/evidence?limit=2&offset=3").ok();
        assert_eq!((&page["total"], &page["limit"], &page["offset"]), (&json!(8), &json!(2), &json!(3)));
        assert_eq!(ids(&server, "/evidence?limit=2&offset=3"), all[3..5]);
        let page = server.get("/evidence?limit=0&offset=-2").ok();
        assert_eq!((&page["limit"], &page["offset"]), (&json!(1), &json!(0)));
        for path in [
            "/evidence?min_blocked=x",
            "/evidence?min_blocked=1.5",
            "/evidence?has_approvals=maybe",
            "/evidence?limit=x",
            "/release-connector-deliveries?success=2",
            "/promotion-executions?offset=x",
        ] {
            assert!(server.get(path).refused(&[422]).is_array(), "{path}");
        }
        drop(server);
        assert_eq!(ids(&serve(&home, backend, &[]), "/evidence"), all, "after a restart");
    });
}

#[test]
fn a_detail_is_of_its_kind() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        fill(&server);
        for (path, found) in [
            ("/promotion-executions/rpe_1", true),
            ("/promotion-executions/rre_1", false),
            ("/rollback-executions/rre_1", true),
            ("/rollback-executions/rpe_1", false),
            ("/release-channel-promotions/rcp_1", true),
            ("/release-channel-promotions/b", false),
            ("/release-channel-promotions/none", false),
            ("/evidence/rcd-1", true),
        ] {
            let response = server.get(path);
            if found {
                assert_eq!(text(&response.ok(), "session_id"), path.rsplit('/').next().unwrap());
            } else {
                assert!(text(&response.json(), "detail").ends_with(" not found"), "{path}");
                response.refused(&[404]);
            }
        }
    });
}

#[test]
fn deliveries_have_a_schema_and_a_dashboard() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let empty = server.get("/release-connector-deliveries/dashboard").ok();
        assert_eq!((text(&empty, "alert_level"), &empty["total_deliveries"]), ("warning", &json!(0)));
        fill(&server);
        let list = server.get("/release-connector-deliveries").ok();
        assert_eq!(text(&list, "schema_version"), "cavra.release.connector_delivery_history.v1");
        assert_eq!(text(&list, "product"), "CAVRA");
        let board = server.get("/release-connector-deliveries/dashboard").ok();
        assert_eq!(text(&board, "schema_version"), "cavra.release.connector_delivery_dashboard.v1");
        assert_eq!(text(&board, "alert_level"), "critical");
        assert_eq!(board["providers"], json!({"jira": 2, "splunk": 1}));
        assert_eq!((&board["successful_deliveries"], &board["failed_deliveries"]), (&json!(1), &json!(1)));
    });
}

#[test]
fn the_state_of_an_approval_is_shown_as_it_is_now() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let decision = |id: &str| {
            json!({"decision_id": id, "session_id": "r-9", "action_type": "release_promote_endpoint_rollout",
                "target": "r-9->broad", "decision": "require_approval", "approver_group": "CAB"})
        };
        let asked = |id: &str| {
            text(
                &server.post("/approvals", &json!({"decision": decision(id), "approver_group": "CAB"})).ok(),
                "approval_id",
            )
            .to_owned()
        };
        let (first, second) = (asked("d1"), asked("d2"));
        for (id, approval) in [("rcp_1", &first), ("rcp_2", &second), ("rcp_3", &"apr_unknown".to_owned())] {
            server
                .post(
                    "/evidence",
                    &json!({"session_id": id, "metadata_kind": "release-channel-promotion-request",
                        "created_at": format!("2031-01-01T00:00:0{}Z", &id[4..]), "approval_id": approval,
                        "approval_state": "pending", "request": {"approval": {"state": "pending"}}}),
                )
                .ok();
        }
        server.post(&format!("/approvals/{first}/approve"), &json!({"actor": "ann", "reason": "fine"})).ok();
        let shown = server.get("/release-channel-promotions/rcp_1").ok();
        assert_eq!(text(&shown, "approval_state"), "approved");
        assert_eq!(shown["request"]["approval"]["state"], "pending");
        assert_eq!(text(&server.get("/evidence/rcp_1").ok(), "approval_state"), "approved");
        for list in ["/evidence", "/release-channel-promotions"] {
            assert_eq!(ids(&server, &format!("{list}?approval_state=approved")), ["rcp_1"]);
            assert_eq!(ids(&server, &format!("{list}?approval_state=pending")), ["rcp_3", "rcp_2"]);
            assert_eq!(server.get(list).ok()["items"][2]["approval_state"], "approved");
        }
        server.post(&format!("/approvals/{second}/deny"), &json!({"actor": "ann", "reason": "no"})).ok();
        assert_eq!(ids(&server, "/release-channel-promotions?approval_state=denied"), ["rcp_2"]);
        assert_eq!(ids(&server, "/release-channel-promotions?approval_state=pending"), ["rcp_3"]);
    });
}

#[test]
fn parallel_posts_lose_nothing() {
    on_both(|backend| {
        let home = Home::new();
        let server = Arc::new(serve(&home, backend, &[]));
        let (threads, each) = (8, 12);
        let start = Arc::new(Barrier::new(threads));
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                let (server, start) = (Arc::clone(&server), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    for number in 0..each {
                        server.post("/evidence", &json!({"session_id": format!("s-{worker}-{number}")})).ok();
                    }
                })
            })
            .collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        Arc::into_inner(server).unwrap().kill();
        assert_eq!(serve(&home, backend, &[]).all("/evidence").len(), threads * each);
    });
}

/// What the existing product wrote is served; what cannot be read is never overwritten.
#[test]
fn files_of_the_existing_product_load() {
    let old =
        json!({"session_id": "old", "created_at": "2026-01-01T00:00:00+00:00", "signer": "local", "decision_count": 1});
    let home = Home::new();
    home.write("data/metadata.json", json!({"items": [old]}).to_string());
    let server = serve(&home, Backend::Json, &[]);
    assert_eq!(server.get("/evidence/old").ok(), old);
    server.post("/evidence", &json!({"session_id": "new", "created_at": "2031-01-01T00:00:00Z"})).ok();
    let file = home.read("data/metadata.json");
    let parsed: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(file, format!("{}\n", serde_json::to_string_pretty(&parsed).unwrap()));
    assert_eq!((keys(&parsed), parsed["items"].as_array().unwrap().len()), (vec!["evidence_log", "items"], 2));
    drop(server);

    home.write("data/metadata.db", "");
    let database = rusqlite::Connection::open(home.join("data/metadata.db")).unwrap();
    database
        .execute_batch(&format!(
            "CREATE TABLE evidence_metadata (session_id TEXT PRIMARY KEY, created_at TEXT, signer TEXT, \
             decision_count INTEGER NOT NULL, blocked_count INTEGER NOT NULL, approval_required_count INTEGER NOT NULL, \
             payload TEXT NOT NULL); \
             INSERT INTO evidence_metadata VALUES ('old', '2026-01-01T00:00:00+00:00', 'local', 1, 0, 0, '{old}')"
        ))
        .unwrap();
    drop(database);
    let server = serve(&home, Backend::Sqlite, &[]);
    assert_eq!(server.get("/evidence/old").ok(), old);
    assert_eq!(ids(&server, "/evidence?signer=local"), ["old"]);
    drop(server);

    let broken = "{\"items\": [";
    home.write("data/metadata.json", broken);
    home.cavra(&["serve", "--port", "0"])
        .env("CAVRA_EVIDENCE_METADATA_STORE", home.at("data/metadata.json"))
        .run()
        .fails();
    assert_eq!(home.read("data/metadata.json"), broken);
}

#[test]
fn the_console_knows() {
    for (backend, mode) in [(Backend::Json, "json"), (Backend::Sqlite, "sqlite")] {
        let server = serve(&Home::new(), backend, &[]);
        let config = server.get("/console/config").ok();
        assert_eq!((text(&config, "metadata_mode"), text(&config, "evidence_artifacts")), (mode, "disabled"));
        for (key, path) in [
            ("evidence", "/evidence"),
            ("evidence_item", "/evidence/{session_id}"),
            ("promotion_executions", "/promotion-executions"),
            ("promotion_execution", "/promotion-executions/{execution_id}"),
            ("rollback_execution", "/rollback-executions/{rollback_id}"),
            ("release_channel_promotions", "/release-channel-promotions"),
            ("release_channel_promotion", "/release-channel-promotions/{request_id}"),
            ("release_connector_deliveries", "/release-connector-deliveries"),
            ("release_connector_delivery_dashboard", "/release-connector-deliveries/dashboard"),
        ] {
            assert_eq!(config["endpoints"][key], path);
        }
    }
}

#[test]
fn bundles_are_indexed_and_found_by_the_command_line() {
    let home = Home::new();
    home.cavra(&["evidence", "bundle", "--output", "bundle", "--signer", "ann"]).run().ok();
    let record = home.cavra(&["evidence", "index", "bundle", "--sqlite", "data/metadata.db"]).run().ok().json();
    for (member, wanted) in [
        ("schema_version", json!("cavra.evidence.metadata.v1")),
        ("product", json!("CAVRA")),
        ("session_id", json!("demo-session")),
        ("signer", json!("ann")),
        ("decision_count", json!(7)),
        ("blocked_count", json!(4)),
        ("approval_required_count", json!(1)),
        ("approval_outcomes", json!([])),
        ("approved_count", json!(0)),
        ("denied_count", json!(0)),
        ("break_glass_count", json!(0)),
    ] {
        assert_eq!(record[member], wanted, "{member}");
    }
    assert_eq!(record["manifest_signature"]["algorithm"], "SHA256");
    assert_eq!(record["retention"]["retention_days"], 2555);
    assert!(text(&record, "bundle_dir").ends_with("/bundle"));
    // Once more: replaced, not added.
    home.cavra(&["evidence", "index", "bundle", "--sqlite", "data/metadata.db"]).run().ok();
    home.cavra(&["evidence", "index", "bundle"]).run().ok();
    assert_eq!(home.json(".cavra/evidence/metadata.json")["items"].as_array().unwrap().len(), 1);

    // The server shares the store.
    let server = serve(&home, Backend::Sqlite, &[]);
    assert_eq!(server.get("/evidence/demo-session").ok(), record);
    fill(&server);
    let search = |arguments: &[&str]| {
        let found =
            home.cavra(&[&["evidence", "search", "--sqlite", "data/metadata.db"], arguments].concat()).run().ok();
        let page = found.json();
        let known: Vec<_> = keys(&page).into_iter().filter(|key| *key != "next_cursor").collect();
        assert_eq!(known, ["items", "limit", "offset", "total"]);
        page["items"].as_array().unwrap().iter().map(|item| text(item, "session_id").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(search(&["--min-blocked", "3"]), ["demo-session"]);
    assert_eq!(search(&["--session-id", "%"]), ["a%_1"]);
    assert_eq!(search(&["--has-approvals"]).len(), 2);
    assert_eq!(search(&["--no-has-approvals", "--signer", "Ann"]), ["a%_1"]);
    assert_eq!(
        search(&["--metadata-kind", "managed-endpoint-rollout", "--rollout-status", "staged", "--environment", "prod"]),
        ["a%_1"]
    );
    assert_eq!(search(&["--deployment-target", "mac", "--target-ring", "broad"]), ["rpe_1"]);
    assert_eq!(search(&["--approval-state", "approved", "--promotion-execution-status", "executed"]), ["rpe_1"]);
    assert_eq!(search(&["--rollback-execution-status", "executed"]), ["rre_1"]);
    assert_eq!(search(&["--limit", "2", "--offset", "1"]), ids(&server, "/evidence?limit=2&offset=1"));
    home.cavra(&["evidence", "search", "--min-blocked", "x"]).run().exits(2);
    home.cavra(&["evidence", "index", "nowhere"]).run().fails();
    home.write("broken/evidence.json", "{");
    home.write("broken/manifest.json", "{}");
    home.cavra(&["evidence", "index", "broken"]).run().fails();
}

#[test]
fn databases_are_migrated() {
    let home = Home::new();
    let migrate = |arguments: &[&str]| home.cavra(&[&["evidence", "migrate"], arguments].concat()).run();
    let first = migrate(&[]).ok().json();
    assert_eq!(first["database"], ".cavra/evidence/metadata.db");
    assert_eq!((&first["applied"], &first["skipped"]), (&json!(["0001_evidence_metadata.sql"]), &json!([])));
    let second = migrate(&[]).ok().json();
    assert_eq!((&second["applied"], &second["skipped"]), (&json!([]), &json!(["0001_evidence_metadata.sql"])));

    home.write("mine/002.sql", "INSERT INTO t VALUES (2); INSERT INTO t VALUES (3);");
    home.write("mine/001.sql", "CREATE TABLE t (n INTEGER);");
    home.write("mine/notes.txt", "no SQL");
    let arguments = ["--sqlite", "m.db", "--migrations-dir", "mine"];
    let done = migrate(&arguments).ok().json();
    assert_eq!((&done["applied"], &done["migrations_dir"]), (&json!(["001.sql", "002.sql"]), &json!("mine")));
    // One that fails leaves nothing of itself, and those before it.
    home.write("mine/003.sql", "INSERT INTO t VALUES (4); INSERT INTO nothing VALUES (5);");
    assert!(migrate(&arguments).fails().stderr.contains("003.sql"));
    let wrapped = "BEGIN; INSERT INTO t VALUES (8); COMMIT; INSERT INTO nothing VALUES (5);";
    home.write("mine/003.sql", wrapped);
    migrate(&arguments).fails();
    let database = rusqlite::Connection::open(home.join("m.db")).unwrap();
    let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM t"), 2);
    assert_eq!(count("SELECT count(*) FROM schema_migrations WHERE applied_at LIKE '%+00:00'"), 2);
    home.write(
        "mine/003.sql",
        "-- as others write them\nBEGIN;\nINSERT INTO t VALUES (6);\nCOMMIT;\nPRAGMA user_version;\n",
    );
    assert_eq!(migrate(&arguments).ok().json()["applied"], json!(["003.sql"]));
    assert_eq!(count("SELECT count(*) FROM t"), 3);
    home.write("empty/notes.txt", "");
    migrate(&["--migrations-dir", "empty"]).fails();
    migrate(&["--migrations-dir", "nowhere"]).fails();
    // A local directory is taken if nothing is said.
    home.write("migrations/sqlite/1.sql", "CREATE TABLE local (n);");
    assert_eq!(migrate(&["--sqlite", "l.db"]).ok().json()["applied"], json!(["1.sql"]));
}
