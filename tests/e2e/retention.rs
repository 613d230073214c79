//! `cavra ops retention-apply`: what has been kept as long as the rule says goes, under an approval of exactly that rule, and
//! stays provable.

use serde_json::{Value, json};

use crate::support::{Backend, Home, Output, Server, on_both, text};

/// An installation, and where its stores are.
struct Site {
    home: Home,
    settings: Vec<(&'static str, String)>,
}

impl Site {
    fn new(backend: Backend) -> Self {
        let home = Home::new();
        let of = |store: &'static str, db: &'static str, name: &str| match backend {
            Backend::Json => (store, home.at(&format!("data/{name}.json"))),
            Backend::Sqlite => (db, home.at(&format!("data/{name}.db"))),
        };
        let settings = vec![
            of("CAVRA_ACTIVITY_STORE", "CAVRA_ACTIVITY_DB", "activity"),
            of("CAVRA_APPROVAL_STORE", "CAVRA_APPROVAL_DB", "approvals"),
            of("CAVRA_EVIDENCE_METADATA_STORE", "CAVRA_EVIDENCE_METADATA_DB", "evidence"),
            of("CAVRA_INTEGRATION_STORE", "CAVRA_INTEGRATION_DB", "integrations"),
        ];
        Self { home, settings }
    }

    fn serve(&self) -> Server {
        let settings: Vec<(&str, &str)> = self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.home.serve(&settings)
    }

    fn cavra(&self, arguments: &[&str]) -> Output {
        let run = self.home.cavra(arguments);
        self.settings.iter().fold(run, |run, (name, value)| run.env(name, value)).run()
    }

    fn apply(&self, more: &[&str]) -> Output {
        self.cavra(&[&["ops", "retention-apply", "--retention-days", "1"], more].concat())
    }
}

/// Evidence of three years ago, and of today.
fn post(server: &Server, id: &str, created: &str, more: Value) {
    let mut body = json!({"session_id": id, "signer": "me", "created_at": created});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.post("/evidence", &body).ok();
}

const OLD: &str = "2023-01-01T00:00:00Z";

#[test]
fn what_is_old_goes_under_an_approval_and_stays_provable() {
    on_both(|backend| {
        let site = Site::new(backend);
        let server = site.serve();
        for n in 0..230 {
            post(&server, &format!("old-{n}"), OLD, json!({}));
        }
        post(&server, "held", OLD, json!({"retention": {"legal_hold": true}}));
        // Held by either member; whatever is no `false` holds.
        post(&server, "held-later", OLD, json!({"legal_hold": true, "retention": {"legal_hold": false}}));
        post(&server, "own", OLD, json!({"retention": {"retention_days": 20_000}}));
        post(&server, "other", OLD, json!({"classification": "public"}));
        server.decide(&json!({"action_type": "read_file", "target": "a", "session_id": "young"}));
        post(&server, "young", "2099-01-01T00:00:00Z", json!({}));
        let before = server.total("/evidence");

        // Without an approval, under a hold, or for what is too young, nothing goes.
        assert!(site.apply(&[]).exits(1).stderr.contains("needs an approval"));
        assert!(site.apply(&["--legal-hold", "--approval-id", "x"]).exits(1).stderr.contains("legal hold"));
        assert!(site.apply(&["--before", "2098-01-01T00:00:00Z"]).exits(1).stderr.contains("before"));
        let planned = site.apply(&["--dry-run"]).ok().json();
        assert_eq!(planned["removed"]["evidence_metadata"], 230, "{planned}");
        assert_eq!(planned["kept"], json!({"legal_hold": 2, "own_retention": 1, "other_classification": 1}));
        assert_eq!(server.total("/evidence"), before);

        let asked = json!({"decision": planned["approval_decision"], "approver_group": "Records"});
        let approval = server.post("/approvals", &asked).ok();
        let id = text(&approval, "approval_id");
        assert!(site.apply(&["--approval-id", id]).exits(1).stderr.contains("approv"), "it is not approved yet");
        server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": "seven years"})).ok();
        let other = site.apply(&["--approval-id", id, "--classification", "public"]).exits(1);
        assert!(other.stderr.contains("retention_digest"), "{other:?}");
        assert_eq!(server.total("/evidence"), before);

        // The server goes on meanwhile.
        let walk = server.get("/evidence?order=committed&limit=500").ok();
        let cursor = text(&walk, "next_cursor").to_owned();
        let done = site.apply(&["--approval-id", id]).ok().json();
        assert_eq!((&done["removed"], &done["state"]), (&planned["removed"], &json!("completed")));
        assert_eq!(server.total("/evidence"), before - 230 + 1, "and the record of the run");
        for (id, status) in [
            ("old-0", 404),
            ("old-229", 404),
            ("held", 200),
            ("held-later", 200),
            ("own", 200),
            ("other", 200),
            ("young", 200),
        ] {
            assert_eq!(server.get(&format!("/evidence/{id}")).status, status, "{id}");
        }
        server.decide(&json!({"action_type": "read_file", "target": "b", "session_id": "young"}));
        post(&server, "later", "2099-01-01T00:00:00Z", json!({}));
        let later = server.get(&format!("/evidence?order=committed&limit=500&cursor={cursor}")).ok();
        let ids: Vec<&str> = later["items"].as_array().unwrap().iter().map(|item| text(item, "session_id")).collect();
        assert!(ids.contains(&"later") && ids.contains(&text(&done, "run_id")), "{ids:?}");

        // Every leaf is there, and says what went, by which run; the rule is in the run's record.
        let leaves = crate::evidence_log::leaves(&server, "evidence");
        let removed: Vec<&Value> = leaves.iter().filter(|leaf| leaf["event"] == "evidence_removed").collect();
        assert_eq!(removed.len(), 230);
        assert_eq!(removed[0]["author"]["actor"], done["run_id"]);
        let run = server.get(&format!("/evidence/{}", text(&done, "run_id"))).ok();
        assert_eq!(run["retention_run"]["rule"], done["rule"]);
        assert_eq!(run["retention_run"]["approval_id"], json!(id));
        let received =
            leaves.iter().find(|leaf| leaf["event"] == "evidence_received" && leaf["id"] == removed[0]["id"]);
        assert_eq!(received.unwrap()["record_sha256"], removed[0]["record_sha256"]);
        // Again, there is nothing left to do.
        let again = site.apply(&["--approval-id", id]).ok().json();
        assert_eq!(again["removed"]["evidence_metadata"].as_u64().unwrap_or(0), 0);
        assert!(server.terminate().success());
        for log in ["activity", "evidence", "approvals"] {
            site.cavra(&["evidence", "log", "verify", "--records", "--log", log]).ok();
        }
        let server = site.serve();
        assert_eq!(server.total("/evidence"), before - 230 + 3);
    });
}

/// A session goes with its decisions, and only when nobody has gone on with it.
#[test]
fn sessions_go_with_their_decisions() {
    on_both(|backend| {
        let site = Site::new(backend);
        let server = site.serve();
        for (session, number) in [("old", 120), ("kept", 3), ("young", 2)] {
            for n in 0..number {
                server.decide(&json!({"action_type": "read_file", "target": format!("f{n}"), "session_id": session}));
            }
        }
        post(&server, "kept", "2099-01-01T00:00:00Z", json!({"retention": {"legal_hold": true}}));
        assert!(server.terminate().success());
        // Times of three years ago, as if they had been decided then.
        age(&site, backend, "old");
        age(&site, backend, "kept");
        let planned = site.apply(&["--dry-run"]).ok().json();
        assert_eq!(
            (&planned["removed"]["activity_decisions"], &planned["removed"]["activity_sessions"]),
            (&json!(120), &json!(1))
        );
        let server = site.serve();
        let asked = json!({"decision": planned["approval_decision"], "approver_group": "Records"});
        let id = text(&server.post("/approvals", &asked).ok(), "approval_id").to_owned();
        server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": "seven years"})).ok();
        let decisions = server.total("/decisions");
        let done = site.apply(&["--approval-id", &id]).ok().json();
        assert_eq!(done["kept"]["legal_hold"], 1, "{done}");
        assert_eq!((server.total("/decisions"), server.total("/decisions?session_id=old")), (decisions - 120, 0));
        assert_eq!(server.total("/decisions?session_id=kept"), 3);
        server.get("/sessions/old").refused(&[404]);
        assert_eq!(server.get("/sessions/kept").ok()["decision_count"], 3);
        assert_eq!(server.total("/sessions"), 2);
    });
}

/// Makes a session and its decisions three years older in their store.
fn age(site: &Site, backend: Backend, session: &str) {
    let year = |time: &str| format!("2023{}", &time[4..]);
    match backend {
        Backend::Json => {
            let mut store = site.home.json("data/activity.json");
            for (collection, member) in [("decisions", "timestamp"), ("sessions", "updated_at")] {
                for record in store[collection].as_array_mut().unwrap().iter_mut() {
                    if record["session_id"] == session {
                        record[member] = json!(year(record[member].as_str().unwrap()));
                    }
                }
            }
            site.home.write("data/activity.json", store.to_string());
        }
        Backend::Sqlite => {
            let database = rusqlite::Connection::open(site.home.join("data/activity.db")).unwrap();
            for (table, member) in [("activity_decisions", "timestamp"), ("activity_sessions", "updated_at")] {
                let sql = format!(
                    "UPDATE {table} SET {member} = '2023' || substr({member}, 5), \
                     payload = json_set(payload, '$.{member}', '2023' || substr({member}, 5)) WHERE session_id = ?1"
                );
                database.execute(&sql, [session]).unwrap();
            }
        }
    }
}
