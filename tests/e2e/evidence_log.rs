//! The evidence log from outside: what leaves a leaf, how it is served and signed, and what others make of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::approvals::{decision, pending, serve as serve_approvals};
use crate::support::{BASELINE, Backend, Home, Server, canonical, on_both, sha256, text};

/// The leaves of a log, as it is served.
pub fn leaves(server: &Server, log: &str) -> Vec<Value> {
    let size = signed_size(server, log);
    let mut leaves = Vec::new();
    for tile in 0..size.div_ceil(256) {
        let width = (size - tile * 256).min(256);
        let suffix = if width < 256 { format!(".p/{width}") } else { String::new() };
        let answer = server.get(&format!("/log/{log}/tile/entries/{tile:03}{suffix}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
        assert!(answer.header("cache-control").unwrap().contains("immutable"));
        let mut rest = answer.body.as_slice();
        while let [high, low, after @ ..] = rest {
            let (leaf, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            leaves.push(serde_json::from_slice(leaf).unwrap());
            rest = after;
        }
    }
    leaves
}

/// Leaves of a log that are signed, once everything that is there is.
fn signed_size(server: &Server, log: &str) -> u64 {
    for _ in 0..100 {
        let logs = server.get("/log").ok();
        let found = logs["items"].as_array().unwrap().iter().find(|item| item["log"] == log).unwrap().clone();
        if found["size"] == found["signed_size"] {
            return found["size"].as_u64().unwrap();
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("the log is not signed");
}

pub fn checkpoint(server: &Server, log: &str) -> String {
    signed_size(server, log);
    let answer = server.get(&format!("/log/{log}/checkpoint"));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    answer.text().to_owned()
}

/// The keys of a log, oldest first.
pub fn keys(server: &Server, log: &str) -> Vec<String> {
    let logs = server.get("/log").ok();
    let found = logs["items"].as_array().unwrap().iter().find(|item| item["log"] == log).unwrap().clone();
    found["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()).collect()
}

fn events(server: &Server) -> Vec<(String, String)> {
    let leaves = leaves(server, "approvals");
    leaves.iter().map(|leaf| (text(leaf, "event").to_owned(), text(leaf, "id").to_owned())).collect()
}

/// The newest leaf about a record has the digest of the record as the server answers it.
#[track_caller]
pub fn assert_digest(leaves: &[Value], id: &str, record: &Value) {
    let leaf = leaves.iter().rfind(|leaf| leaf["id"] == id).unwrap_or_else(|| panic!("no leaf about {id}"));
    assert_eq!(format!("sha256:{}", text(leaf, "record_sha256")), sha256(canonical(record)), "{leaf} {record}");
}

#[test]
fn every_decision_leaves_a_leaf() {
    on_both(|backend| {
        let home = Home::new();
        let server = backend.serve(&home);
        let mut decided = Vec::new();
        for (action_type, target) in [("read_file", ".env"), ("execute_command", "make"), ("write_file", "naïve ✓")]
        {
            decided.push(server.decide_on(action_type, target, BASELINE));
        }
        server.post("/decisions", &json!({"action_type": "nothing"})).refused(&[400]);
        let event = json!({
            "hook_event_name": "PreToolUse", "session_id": "hooked", "cwd": home.path(), "tool_name": "Read",
            "tool_input": {"file_path": home.at("a")},
        });
        let (name, value) = backend.setting(&home);
        home.cavra(&["hook", "claude-code"]).env(name, &value).stdin(event.to_string()).run().ok();
        let leaves = leaves(&server, "activity");
        assert_eq!(leaves.len(), 4, "a refused request leaves none, a hook does: {leaves:?}");
        for (leaf, record) in leaves.iter().zip(&decided) {
            assert_eq!((text(leaf, "event"), &leaf["id"]), ("decision", &record["decision_id"]));
            let stored = server.get(&format!("/decisions/{}", text(record, "decision_id"))).ok();
            assert_digest(&leaves, text(record, "decision_id"), &stored);
        }
    });
}

#[test]
fn every_step_of_an_approval_leaves_a_leaf() {
    on_both(|backend| {
        let home = Home::new();
        let server = serve_approvals(&home, backend, &[]);
        let by = json!({"actor": "ann", "reason": "fine"});
        let [granted, denied, given_up] = [(); 3].map(|()| pending(&server));
        for (id, ruling) in [(&granted, "approve"), (&denied, "deny"), (&given_up, "expire")] {
            server.post(&format!("/approvals/{id}/{ruling}"), &by).ok();
        }
        let body = json!({"decision": decision("dec_2"), "actor": "ann", "reason": "fire", "approver_group": "IAM"});
        let broken = server.post("/approvals/break-glass", &body).ok();
        server.post(&format!("/approvals/{granted}/deny"), &by).refused(&[409]);

        // An approval that an action uses up.
        let action = json!({"action_type": "write_file", "target": "iam/admin.tf", "session_id": "s9"});
        let asked = server.decide(&action);
        assert_eq!(asked["decision"], "require_approval");
        let used = text(&server.post("/approvals", &asked).ok(), "approval_id").to_owned();
        server.post(&format!("/approvals/{used}/approve"), &by).ok();
        assert_eq!(server.decide(&action)["decision"], "allow");

        let wanted: Vec<(String, String)> = [
            ("approval_requested", &granted),
            ("approval_requested", &denied),
            ("approval_requested", &given_up),
            ("approval_approved", &granted),
            ("approval_denied", &denied),
            ("approval_expired", &given_up),
            ("break_glass_started", &text(&broken, "approval_id").to_owned()),
            ("approval_requested", &used),
            ("approval_approved", &used),
            ("approval_used", &used),
        ]
        .map(|(event, id)| (event.to_owned(), id.clone()))
        .to_vec();
        assert_eq!(events(&server), wanted, "{backend:?}");
        let leaves = leaves(&server, "approvals");
        for id in [&granted, &denied, &given_up, &used] {
            assert_digest(&leaves, id, &server.get(&format!("/approvals/{id}")).ok());
        }
    });
}

/// Time goes on while the server is down.
#[test]
fn what_runs_out_leaves_a_leaf() {
    let home = Home::new();
    let server = serve_approvals(&home, Backend::Json, &[]);
    let waiting = pending(&server);
    let body = json!({"decision": decision("dec_2"), "actor": "ann", "reason": "fire", "approver_group": "IAM"});
    let broken = text(&server.post("/approvals/break-glass", &body).ok(), "approval_id").to_owned();
    assert!(server.terminate().success());
    let mut store = home.json("data/approvals.json");
    for record in store["items"].as_array_mut().unwrap() {
        record["expires_at"] = json!("2021-01-01T00:00:00.000000+00:00");
    }
    home.write("data/approvals.json", store.to_string());
    let server = serve_approvals(&home, Backend::Json, &[]);
    for _ in 0..2 {
        server.get("/approvals").ok();
    }
    let ended = server.get(&format!("/approvals/{broken}")).ok();
    assert_eq!((text(&ended, "state"), text(&ended, "break_glass_ended_at").len()), ("break_glass", 32));
    let told = events(&server);
    let expected = [("approval_expired", waiting), ("break_glass_ended", broken.clone())];
    assert_eq!(told[2..], expected.map(|(event, id)| (event.to_owned(), id)), "once each");
    assert_digest(&leaves(&server, "approvals"), &broken, &ended);
}

#[test]
fn a_publication_leaves_leaves_before_and_after() {
    on_both(|backend| {
        let home = Home::new();
        let policies = home.at("policies");
        let server = serve_approvals(&home, backend, &[("CAVRA_POLICY_DIR", &policies)]);
        let draft = json!({"metadata": {"id": "cavra-team", "title": "Team", "description": "Ours", "version": "1.0.0"},
            "filesystem": {"block_read": ["**/.env"]}});
        let asked = server.post("/policy-packs/publish-request", &json!({"draft": draft})).ok();
        let id = text(&asked["approval"], "approval_id").to_owned();
        server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": "fine"})).ok();
        let body = json!({"draft": draft, "approval_id": id});
        server.post("/policy-packs/publish", &body).ok();
        // A folder that is a link is not replaced: that is refused, and the refusal leaves a leaf too.
        fs::remove_dir_all(home.join("policies/cavra-team")).unwrap();
        std::os::unix::fs::symlink("/", home.join("policies/cavra-team")).unwrap();
        server.post("/policy-packs/publish", &body).refused(&[400, 409]);
        let told: Vec<String> = events(&server).into_iter().map(|(event, _)| event).collect();
        let failed = ["policy_publish_started", "policy_publish_failed"];
        let wanted =
            [&["approval_requested", "approval_approved", "policy_publish_started", "policy_published"], &failed[..]]
                .concat();
        assert_eq!(told, wanted, "{backend:?}");
        let store = match backend {
            Backend::Json => "data/approvals.json",
            Backend::Sqlite => "data/approvals.db",
        };
        let verify = ["evidence", "log", "verify", "--log", "approvals", "--store", store, "--records", "--json"];
        let found = home.cavra(&verify).run().ok().json();
        assert_eq!((&found["size"], &found["records"]["matching"]), (&json!(6), &json!(3)), "{found}");
    });
}

/// The whole way of an auditor who has a record, a proof and a key, and no network.
#[test]
fn a_proof_is_checked_offline() {
    on_both(|backend| {
        let home = Home::new();
        let server = backend.serve(&home);
        let ids: Vec<String> = (0..20)
            .map(|n| text(&server.decide_on("read_file", &format!("f{n}"), BASELINE), "decision_id").to_owned())
            .collect();
        for id in &ids {
            let answer = server.get(&format!("/log/activity/proof/{id}"));
            assert_eq!(answer.status, 200, "{}", answer.text());
            home.write(&format!("audit/{id}.tlog-proof"), answer.text());
            home.write(&format!("audit/{id}.json"), server.get(&format!("/decisions/{id}")).ok().to_string());
        }
        let key = keys(&server, "activity").remove(0);
        server.get("/log/activity/proof/dec_000000000000").refused(&[404]);
        server.get("/log/nothing/checkpoint").refused(&[404]);
        server.get("/log/activity/tile/0/999").refused(&[404]);
        assert!(server.terminate().success());
        let verify = |proof: &str, record: &str, key: &str| {
            let (proof, record) = (format!("audit/{proof}.tlog-proof"), format!("audit/{record}.json"));
            home.cavra(&["evidence", "verify-proof", &proof, "--vkey", key, "--record", &record, "--json"]).run()
        };
        for id in &ids {
            let found = verify(id, id, &key).ok().json();
            assert_eq!((&found["leaf"]["id"], &found["record_checked"]), (&json!(id), &json!(true)));
        }
        // `verify` knows a proof when it sees one, and asks for the key it needs.
        let proof = format!("audit/{}.tlog-proof", ids[0]);
        let found = home.cavra(&["evidence", "verify", &proof, "--vkey", &key, "--json"]).run().ok().json();
        assert_eq!((&found["leaf"]["id"], &found["record_checked"]), (&json!(ids[0]), &json!(false)));
        let hint = home.cavra(&["evidence", "verify", &proof]).run().fails().stderr;
        assert!(hint.contains("--vkey"), "{hint}");
        home.cavra(&["evidence", "verify-proof", &proof]).run().exits(2);
        home.cavra(&["evidence", "verify", "audit", "--vkey", &key]).run().fails();
        let other = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        for run in [verify(&ids[0], &ids[1], &key), verify(&ids[0], &ids[0], other)] {
            assert_eq!(run.exits(1).json()["valid"], false);
        }
        let changed = home.read(&format!("audit/{}.json", ids[0])).replace("\"f0\"", "\"f1\"");
        home.write(&format!("audit/{}.json", ids[0]), changed);
        assert_eq!(verify(&ids[0], &ids[0], &key).exits(1).json()["problem"], "the leaf is about another record");
    });
}

#[test]
fn the_key_is_made_once_private_and_needed() {
    let home = Home::new();
    let server = home.serve(&[]);
    let key = home.join(".cavra/keys/evidence-log-ed25519.pem");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(home.join(".cavra/keys")).unwrap().permissions().mode() & 0o777, 0o700);
    let pem = fs::read_to_string(&key).unwrap();
    let secret = pem.lines().nth(1).unwrap();
    for path in ["/log", "/log/activity/checkpoint", "/openapi.json", "/metrics", "/console/config"] {
        assert!(!server.get(path).text().contains(secret), "{path}");
    }
    server.decide_on("read_file", "a", BASELINE);
    let keys = keys(&server, "activity");
    assert!(server.terminate().success());
    assert!(!home.read("server.log").contains(secret));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = home.cavra(&["serve", "--port", "0"]).run().fails();
    assert!(refused.stderr.contains("chmod 600"), "{refused:?}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&key, home.join("away.pem")).unwrap();
    let refused = home.cavra(&["serve", "--port", "0"]).run().fails();
    assert!(refused.stderr.contains("is missing"), "{refused:?}");
    let (name, elsewhere) = ("CAVRA_EVIDENCE_LOG_KEY", home.at("elsewhere/key.pem"));
    let refused = home.cavra(&["serve", "--port", "0"]).env(name, &elsewhere).run().fails();
    assert!(refused.stderr.contains("never signed"), "the log says whose it is: {refused:?}");
    let verified = home.cavra(&["evidence", "log", "verify"]).env(name, &elsewhere).run();
    assert!(verified.code == 1 && verified.stdout.contains("never signed"), "{verified:?}");
    home.cavra(&["evidence", "log", "accept-restore", "--reason", "the key was lost"]).env(name, &elsewhere).run().ok();
    let server = home.serve(&[(name, &elsewhere)]);
    assert_ne!(self::keys(&server, "activity"), keys, "another key, another log");
    assert!(home.exists("elsewhere/key.pem"));
}

/// A running server that cannot sign goes on deciding and says so, until it can.
#[test]
fn a_log_that_cannot_be_signed_is_noticed() {
    let home = Home::new();
    let server = home.serve(&[]);
    let watched = |value: &str| {
        let line = format!("cavra_evidence_log_signed {value}");
        for _ in 0..100 {
            if server.get("/metrics").text().lines().any(|metric| metric == line) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{}", server.get("/metrics").text());
    };
    watched("1");
    let key = home.join(".cavra/keys/evidence-log-ed25519.pem");
    fs::rename(&key, home.join("away.pem")).unwrap();
    server.decide_on("read_file", "a", BASELINE);
    watched("0");
    assert!(home.read("server.log").contains("the evidence log is not signed"));
    fs::rename(home.join("away.pem"), &key).unwrap();
    watched("1");
    assert_eq!(signed_size(&server, "activity"), 1);
}

/// A running server goes on with the new key, and what the old one signed is still what was signed.
#[test]
fn a_key_is_rotated_while_the_server_runs() {
    on_both(|backend| {
        let home = Home::new();
        let server = backend.serve(&home);
        server.decide_on("read_file", "a", BASELINE);
        home.write("old.txt", checkpoint(&server, "activity"));
        let (name, value) = backend.setting(&home);
        home.cavra(&["evidence", "log", "rotate-key"]).env(name, &value).run().ok();
        server.decide_on("read_file", "b", BASELINE);
        let new = checkpoint(&server, "activity");
        let events: Vec<Value> = leaves(&server, "activity").iter().map(|leaf| leaf["event"].clone()).collect();
        assert_eq!(events, ["decision", "key_rotated", "decision"]);
        let keys = keys(&server, "activity");
        assert_eq!(keys.len(), 2);
        home.write("new.txt", new);
        let verify = |key: &str, file: &str| {
            let verify = ["evidence", "log", "verify", "--vkey", &keys[0], "--vkey", key, "--checkpoint", file];
            home.cavra(&verify).env(name, &value).run()
        };
        verify(&keys[1], "old.txt").ok();
        verify(&keys[1], "new.txt").ok();
        let refused = verify(&keys[0], "new.txt").fails();
        assert!(refused.stderr.contains("not signed by a known key"), "{refused:?}");
    });
}

/// What was there before there were logs goes on to be read, and is said to be older.
#[test]
fn stores_without_a_log() {
    on_both(|backend| {
        let home = Home::new();
        let old = crate::support::OldDecision {
            id: 1,
            session: "s",
            agent: "a",
            repository: "r",
            decision: "allow",
            severity: "low",
            action_type: "read_file",
            second: 1,
        };
        backend.write_old(&home, &[old.record()], &[]);
        let server = backend.serve(&home);
        server.get("/log/activity/proof/dec_000000000001").refused(&[404]);
        server.decide_on("read_file", "a", BASELINE);
        assert_eq!(leaves(&server, "activity").len(), 1);
        assert!(server.terminate().success());
        let (name, value) = backend.setting(&home);
        let verify = ["evidence", "log", "verify", "--records", "--json"];
        let found = home.cavra(&verify).env(name, &value).run().ok().json();
        assert_eq!(found["records"], json!({"matching": 1, "older_than_the_log": 1, "by_clients": 0, "faults": []}));
    });
}

/// Raw parts of a signed note: the text, and the signature without the id of its key.
fn parts(note: &str) -> (String, Vec<u8>) {
    let (body, line) = note.split_once("\n\n").unwrap();
    let signature = STANDARD.decode(line.trim().rsplit_once(' ').unwrap().1).unwrap();
    (format!("{body}\n"), signature[4..].to_vec())
}

/// `openssl` knows nothing of logs; a checkpoint's signature is a plain Ed25519 signature of its text.
#[test]
fn openssl_verifies_a_checkpoint() {
    let home = Home::new();
    let server = home.serve(&[]);
    server.decide_on("read_file", "a", BASELINE);
    let (body, signature) = parts(&checkpoint(&server, "activity"));
    let key = keys(&server, "activity").remove(0);
    let key = STANDARD.decode(key.splitn(3, '+').nth(2).unwrap()).unwrap();
    let spki = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], &key[1..]].concat();
    home.write("key.der", spki);
    home.write("signature", signature);
    let verify = |text: &str| {
        home.write("text", text);
        let arguments = "pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in text -sigfile signature";
        std::process::Command::new("openssl").args(arguments.split(' ')).current_dir(home.path()).output()
    };
    let Ok(output) = verify(&body) else {
        println!("SKIPPED: openssl is not available here");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!verify(&body.replace("\n1\n", "\n2\n")).unwrap().status.success());
}

/// Crashes at any moment: every record has its leaf and every leaf its record.
#[test]
fn a_crash_leaves_record_and_leaf_or_neither() {
    on_both(|backend| {
        let home = Home::new();
        let client = |session| json!({"action_type": "read_file", "target": "a", "session_id": session}).to_string();
        let clients = ["s0", "s1", "s2"].map(|session| vec![client(session)]);
        let mut acknowledged = 0;
        for round in 0..12 {
            let pause = Duration::from_millis(13 * round as u64 % 120);
            acknowledged += backend.serve(&home).crash("/decisions", &clients, round % 3 * 5, pause).len();
            // The first crash may come before the first commit.
            if acknowledged == 0 && !home.exists(backend.file()) {
                continue;
            }
            let (name, value) = backend.setting(&home);
            let verify = ["evidence", "log", "verify", "--records", "--json"];
            let found = home.cavra(&verify).env(name, &value).run().ok().json();
            assert_eq!(found["records"]["matching"], found["size"], "{backend:?}, round {round}: {found}");
            assert!(found["size"].as_u64().unwrap() >= acknowledged as u64, "{backend:?}, round {round}: {found}");
        }
        assert!(acknowledged >= 60, "every crash waited for its answers: {acknowledged}");
    });
}
