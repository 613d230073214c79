//! Sessions, over both stores alike. docs/reference/decisions-and-policy.md, section 7.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::{
    BASELINE, Backend, Home, OldDecision, Server, Shared, assert_timestamp, keys, on_both, records, strings, text,
};

static SERVERS: [Shared; 2] = [Shared::new(), Shared::new()];

fn server(backend: Backend) -> Arc<Server> {
    SERVERS[backend as usize].get(|| backend.fresh())
}

const FIELDS: [&str; 14] = [
    "actor",
    "agent_id",
    "approval_required_count",
    "blocked_count",
    "decision_count",
    "evidence_ref_count",
    "evidence_refs",
    "policy_pack",
    "repository",
    "schema_version",
    "session_id",
    "started_at",
    "state",
    "updated_at",
];

fn decide(server: &Server, session: &str, target: &str) -> Value {
    server.decide(&json!({"action_type": "execute_command", "target": target, "session_id": session}))
}

fn counts(session: &Value) -> [u64; 3] {
    ["decision_count", "blocked_count", "approval_required_count"].map(|member| session[member].as_u64().unwrap())
}

#[test]
fn a_posted_session_has_every_field() {
    on_both(|backend| {
        let server = server(backend);
        let session = server.post("/sessions", &json!({"session_id": "plain", "nonsense": {"a": 1}})).ok();
        assert_eq!(keys(&session), FIELDS, "members outside the record are not stored");
        for (member, value) in [
            ("schema_version", "cavra.session.v1"),
            ("session_id", "plain"),
            ("agent_id", "unknown-agent"),
            ("actor", "ai-agent"),
            ("repository", "local"),
            ("policy_pack", BASELINE),
            ("state", "active"),
        ] {
            assert_eq!(session[member], value, "{member}");
        }
        assert_eq!((counts(&session), &session["evidence_refs"]), ([0, 0, 0], &json!([])));
        assert_timestamp(text(&session, "started_at"));
        assert_timestamp(text(&session, "updated_at"));
        assert_eq!(server.get("/sessions/plain").ok(), session);
        let said = json!({
            "session_id": "full", "agent_id": "a", "actor": "b", "repository": "c/d", "policy_pack": "cavra-hipaa",
            "state": "failed", "started_at": "2027-01-01T00:00:00.000001+00:00", "updated_at": "2027-01-02T00:00:00.000000+00:00",
            "decision_count": 5, "blocked_count": 2, "approval_required_count": 1, "evidence_refs": ["x", "y"],
        });
        let session = server.post("/sessions", &said).ok();
        for (member, value) in said.as_object().unwrap() {
            assert_eq!(&session[member], value, "{member}");
        }
        assert_eq!(session["schema_version"], "cavra.session.v1");
        let forms = json!({"session_id": "forms", "started_at": "2027-01-01T02:00:00+02:00", "updated_at": "2027-01-01T00:00:01Z"});
        let session = server.post("/sessions", &forms).ok();
        assert_eq!(session["started_at"], "2027-01-01T00:00:00.000000+00:00");
        assert_eq!(session["updated_at"], "2027-01-01T00:00:01.000000+00:00");
    });
}

#[test]
fn refusals_change_nothing() {
    on_both(|backend| {
        let server = server(backend);
        let before = server.post("/sessions", &json!({"session_id": "refused", "agent_id": "kept"})).ok();
        for body in [
            json!({}),
            json!({"agent_id": "x"}),
            json!({"session_id": null}),
            json!({"session_id": ""}),
            json!({"session_id": 5}),
            json!({"session_id": ["refused"]}),
            json!({"session_id": "x".repeat(257)}),
            json!({"session_id": "refused\n"}),
            json!({"session_id": "refused", "state": "sleeping"}),
            json!({"session_id": "refused", "state": "ACTIVE"}),
            json!({"session_id": "refused", "status": "sleeping"}),
            json!({"session_id": "refused", "state": 1}),
            json!({"session_id": "refused", "decision_count": "5"}),
            json!({"session_id": "refused", "decision_count": 1.5}),
            json!({"session_id": "refused", "blocked_count": -1}),
            json!({"session_id": "refused", "approval_required_count": []}),
            json!({"session_id": "refused", "approval_required_count": true}),
            json!({"session_id": "refused", "decision_count": 1e30}),
            json!({"session_id": "refused", "agent_id": 7}),
            json!({"session_id": "refused", "actor": {}}),
            json!({"session_id": "refused", "repository": []}),
            json!({"session_id": "refused", "policy_pack": false}),
            json!({"session_id": "refused", "evidence_refs": 5}),
            json!({"session_id": "refused", "evidence_refs": [5]}),
            json!({"session_id": "refused", "started_at": "yesterday"}),
            json!({"session_id": "refused", "updated_at": 5}),
            json!({"session_id": "refused", "agent_id": "x".repeat(70_000)}),
        ] {
            let response = server.post("/sessions", &body);
            let detail = response.refused(&[400, 422]);
            if response.status == 400 && body["session_id"] == "refused" && body["agent_id"].is_null() {
                assert!(detail.as_str().unwrap().starts_with("invalid session record"), "{detail}");
            }
        }
        assert_eq!(server.get("/sessions/refused").ok(), before);
    });
}

#[test]
fn states_follow_each_other_freely() {
    on_both(|backend| {
        let server = server(backend);
        for from in ["active", "completed", "failed", "archived"] {
            for to in ["archived", "failed", "completed", "active"] {
                for state in [from, to] {
                    let session = server.post("/sessions", &json!({"session_id": "states", "state": state})).ok();
                    assert_eq!(session["state"], state);
                }
            }
        }
        let status = |body: Value| server.post("/sessions", &body).ok()["state"].clone();
        assert_eq!(status(json!({"session_id": "status", "status": "completed"})), "completed", "another name");
        assert_eq!(status(json!({"session_id": "status", "status": "failed", "state": "archived"})), "archived");
        assert_eq!(status(json!({"session_id": "status"})), "archived", "merged, not rebuilt");
        assert!(server.get("/sessions/status").ok().get("status").is_none());
        decide(&server, "status", "pytest");
        assert_eq!(server.get("/sessions/status").ok()["state"], "archived", "a decision keeps the state");
    });
}

#[test]
fn counts_come_from_decisions_once_there_are_some() {
    on_both(|backend| {
        let server = server(backend);
        let claimed =
            json!({"session_id": "counted", "decision_count": 50, "blocked_count": 40, "approval_required_count": 30});
        assert_eq!(counts(&server.post("/sessions", &claimed).ok()), [50, 40, 30], "taken before the first decision");
        for (target, expected) in [
            ("pytest", [1, 0, 0]),
            ("terraform apply", [2, 1, 0]),
            ("make", [3, 1, 1]),
            ("terraform destroy", [4, 2, 1]),
        ] {
            decide(&server, "counted", target);
            assert_eq!(counts(&server.get("/sessions/counted").ok()), expected, "{target}");
        }
        assert_eq!(counts(&server.post("/sessions", &claimed).ok()), [4, 2, 1], "ignored afterwards");
        decide(&server, "counted", "npm test");
        assert_eq!(counts(&server.get("/sessions/counted").ok()), [5, 2, 1]);
        let merged = server.post("/sessions", &json!({"session_id": "claims", "decision_count": 3})).ok();
        assert_eq!(counts(&merged), [3, 0, 0]);
        let merged = server.post("/sessions", &json!({"session_id": "claims", "blocked_count": 2})).ok();
        assert_eq!(counts(&merged), [3, 2, 0], "merged over the stored record");
    });
}

#[test]
fn decisions_create_and_refresh_their_session() {
    on_both(|backend| {
        let server = server(backend);
        let decision = |agent: &str, actor: &str, repository: &str, pack: &str| {
            server.decide(&json!({
                "action_type": "read_file", "target": "a", "session_id": "made", "agent_id": agent, "actor": actor,
                "repository": repository, "policy_pack": pack,
            }))
        };
        let first = decision("claude", "ada", "pay/api", BASELINE);
        let session = server.get("/sessions/made").ok();
        assert_eq!(keys(&session), FIELDS);
        assert_eq!((&session["state"], counts(&session)), (&json!("active"), [1, 0, 0]));
        assert_eq!((&session["started_at"], &session["updated_at"]), (&first["timestamp"], &first["timestamp"]));
        let second = decision("codex", "grace", "web", "cavra-hipaa");
        let session = server.get("/sessions/made").ok();
        for member in ["agent_id", "actor", "repository", "policy_pack"] {
            assert_eq!(session[member], second[member], "{member}");
        }
        assert_eq!(session["started_at"], first["timestamp"], "the earliest decision");
        assert_eq!(session["updated_at"], second["timestamp"], "moves forward with every decision");
        let refs = json!([first["evidence_refs"][0], second["evidence_refs"][0]]);
        assert_eq!(session["evidence_refs"], refs);
        let posted = server.post("/sessions", &json!({"session_id": "made", "agent_id": "renamed"})).ok();
        assert_eq!((&posted["agent_id"], &posted["actor"]), (&json!("renamed"), &json!("grace")));
        assert!(text(&posted, "updated_at") > text(&session, "updated_at"), "and with every POST");
        assert_eq!((&posted["started_at"], &posted["evidence_refs"]), (&first["timestamp"], &refs));
        assert_eq!(posted, server.get("/sessions/made").ok());
        assert!(server.all("/sessions").contains(&posted), "the list shows the same");
    });
}

#[test]
fn updated_at_moves_forward_only() {
    on_both(|backend| {
        let server = server(backend);
        let post =
            |updated: &str| server.post("/sessions", &json!({"session_id": "clock", "updated_at": updated})).ok();
        assert_eq!(post("2027-01-01T00:00:00Z")["updated_at"], "2027-01-01T00:00:00.000000+00:00", "the given value");
        let far = "2099-01-01T00:00:00.000000+00:00";
        assert_eq!(post(far)["updated_at"], far);
        decide(&server, "clock", "pytest");
        assert_eq!(server.get("/sessions/clock").ok()["updated_at"], far, "never back");
    });
}

#[test]
fn evidence_refs_are_a_union_in_order() {
    on_both(|backend| {
        let server = server(backend);
        server
            .post(
                "/sessions",
                &json!({"session_id": "refs", "evidence_refs": ["mine://1", null, "mine://2", "mine://1"]}),
            )
            .ok();
        let reference = || decide(&server, "refs", "pytest")["evidence_refs"][0].clone();
        let (first, second) = (reference(), reference());
        let session = server.get("/sessions/refs").ok();
        assert_eq!(session["evidence_refs"], json!(["mine://1", "mine://2", first, second]), "null dropped, each once");
        let again = json!({"session_id": "refs", "evidence_refs": ["mine://1", "mine://2", second, "mine://3"]});
        let refs = server.post("/sessions", &again).ok()["evidence_refs"].clone();
        let mut found = strings(&refs);
        found.sort_unstable();
        let mut wanted = vec!["mine://1", "mine://2", "mine://3", first.as_str().unwrap(), second.as_str().unwrap()];
        wanted.sort_unstable();
        assert_eq!(found, wanted);
        let more = json!({"session_id": "refs", "evidence_refs": "mine://4"});
        let merged = server.post("/sessions", &more).ok()["evidence_refs"].clone();
        let wanted = json!(["mine://1", "mine://2", second, "mine://3", "mine://4", first]);
        assert_eq!(merged, wanted, "nothing that was given is lost");
        assert_eq!(server.post("/sessions", &json!({"session_id": "refs"})).ok()["evidence_refs"], wanted);
        let many: Vec<String> = (0..1001).map(|number| format!("mine://many/{number}")).collect();
        server.post("/sessions", &json!({"session_id": "refs", "evidence_refs": many})).refused(&[400, 422]);
        assert_eq!(server.get("/sessions/refs").ok()["evidence_refs"], wanted, "a refused body changes nothing");
        let single = server.post("/sessions", &json!({"session_id": "single", "evidence_refs": "mine://one"})).ok();
        assert_eq!(single["evidence_refs"], json!(["mine://one"]));
    });
}

/// What is stored of a session is what clients see, but for the references of its decisions. docs/reference/decisions-and-policy.md, section 8.
#[test]
fn a_stored_session_is_the_record() {
    on_both(|backend| {
        let home = Home::new();
        let server = backend.serve(&home);
        server.post("/sessions", &json!({"session_id": "s", "evidence_refs": ["x"], "decision_count": 7})).ok();
        let stored = || records(&home, backend, "sessions", "activity_sessions")[0].clone();
        assert_eq!(stored(), server.get("/sessions/s").ok());
        decide(&server, "s", "pytest");
        let mut seen = server.get("/sessions/s").ok();
        assert_eq!(strings(&seen["evidence_refs"]).len(), 2);
        seen["evidence_refs"] = json!(["x"]);
        assert_eq!(stored(), seen);
        drop(server);
        let server = backend.serve(&home);
        let claimed = server.post("/sessions", &json!({"session_id": "s", "decision_count": 50})).ok();
        assert_eq!(counts(&claimed), [1, 0, 0], "counted after a restart too");
        assert_eq!(keys(&stored()), FIELDS);
    });
}

#[test]
fn old_sessions_go_on() {
    on_both(|backend| {
        let home = Home::new();
        let old = |id, decision, second| {
            OldDecision {
                id,
                session: "old",
                agent: "a",
                repository: "r",
                decision,
                severity: "low",
                action_type: "read_file",
                second,
            }
            .record()
        };
        backend.write_old(&home, &[old(1, "block", 5), old(2, "allow", 9), old(3, "require_approval", 7)], &[]);
        let server = backend.serve(&home);
        decide(&server, "old", "terraform apply");
        let session = server.get("/sessions/old").ok();
        assert_eq!(counts(&session), [4, 2, 1], "decisions of before count");
        assert_eq!(session["started_at"], "2021-03-04T05:00:05.000000+00:00", "the earliest decision");
        assert_eq!(strings(&session["evidence_refs"]).len(), 4);
        let posted = server.post("/sessions", &json!({"session_id": "old", "decision_count": 99})).ok();
        assert_eq!(counts(&posted), [4, 2, 1]);
        drop(server);
        let server = backend.serve(&home);
        assert_eq!(server.get("/sessions/old").ok(), posted, "and survive a restart");
    });
}
