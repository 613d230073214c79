//! Every change leaves a leaf in the evidence log, which says who made it.

use serde_json::{Value, json};

use super::approvals::string;
use super::evidence_log::{assert_digest, leaves};
use crate::support::{Backend, Home, Issuer, Server, on_both};

/// Who changes something, and what is recorded of them.
fn callers(issuer: &Issuer, machine: &str) -> [(Option<String>, Value); 3] {
    [
        (None, Value::Null),
        (Some(machine.to_owned()), json!({"actor": "ci", "via": "api_token"})),
        (
            Some(issuer.token("ann", &["IAM"])),
            json!({"actor": "ann@x.example", "subject": "ann", "issuer": "https://issuer.example", "via": "token"}),
        ),
    ]
}

/// Path, body, member with the id, log and event of changes.
fn changes() -> [(&'static str, Value, &'static str, &'static str, &'static str); 5] {
    let rollout = json!({"changes": {"repository": "pay/web", "policy_pack": "p"}});
    [
        ("/repositories", json!({"repository": "pay/api"}), "repository_id", "inventory", "repository_changed"),
        (
            "/policy-rollouts",
            json!({"repository": "pay/api", "policy_pack": "p"}),
            "rollout_id",
            "inventory",
            "rollout_changed",
        ),
        ("/policy-rollouts/apply-change", rollout, "rollout_id", "inventory", "rollout_changed"),
        ("/sessions", json!({"session_id": "s1"}), "session_id", "activity", "session_reported"),
        ("/evidence", json!({"session_id": "e1"}), "session_id", "evidence", "evidence_received"),
    ]
}

fn serve(home: &Home, backend: Backend, issuer: &Issuer) -> (Server, String) {
    home.write("oidc.json", issuer.config(&json!({"allow_anonymous_mutations": true})).to_string());
    let arguments =
        ["token", "create", "--name", "ci", "--scope", "inventory", "--scope", "decide", "--scope", "evidence"];
    let made = home.cavra(&[&arguments[..], &["--json"]].concat()).run().ok().json();
    let suffix = if backend == Backend::Json { ("STORE", "json") } else { ("DB", "db") };
    let place = |area: &str| (format!("CAVRA_{area}_{}", suffix.0), home.at(&format!("data/{area}.{}", suffix.1)));
    let mut settings = ["ACTIVITY", "INVENTORY", "EVIDENCE_METADATA"].map(place).to_vec();
    settings.push(("CAVRA_APPROVAL_OIDC_CONFIG".to_owned(), home.at("oidc.json")));
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    (home.serve(&settings), string(&made["token"]))
}

#[test]
fn changes_leave_a_leaf_and_say_who_made_them() {
    on_both(|backend| {
        let (home, issuer) = (Home::new(), Issuer::new());
        let (server, machine) = serve(&home, backend, &issuer);
        let mut written = 0;
        for (token, author) in callers(&issuer, &machine) {
            for (path, body, id, log, event) in changes() {
                let in_person = path.ends_with("apply-change");
                if in_person && author["via"] != "token" {
                    continue;
                }
                let answer = match &token {
                    Some(token) => server.post_as(token, path, &body).ok(),
                    None => server.post(path, &body).ok(),
                };
                let list = path.trim_end_matches("/apply-change");
                let shown = if in_person { &answer["rollout"] } else { &answer };
                let key = string(&shown[id]);
                let stored = server.get(&format!("{list}/{key}")).ok();
                // Nobody asks which person reports a session.
                let unread = author["via"] == "token" && path == "/sessions";
                let log = leaves(&server, log);
                let newest = log.iter().rfind(|leaf| leaf["id"] == key.as_str()).unwrap();
                assert_eq!(newest["event"], event, "{path}");
                assert_eq!(newest["author"], if unread { Value::Null } else { author.clone() }, "{path}");
                if path != "/sessions" {
                    assert_digest(&log, &key, &stored);
                }
                written += 1;
            }
        }
        assert_eq!(written, 13);
    });
}

/// A rollout that somebody changed in the store, around the server, is found.
#[test]
fn a_rollout_that_was_changed_in_its_store_is_found() {
    let home = Home::new();
    let server = home.serve(&[]);
    server
        .post(
            "/policy-rollouts",
            &json!({"repository": "pay", "policy_pack": "p", "mode": "strict", "state": "active"}),
        )
        .ok();
    leaves(&server, "inventory");
    assert!(server.terminate().success());
    let verify = || home.cavra(&["evidence", "log", "verify", "--log", "inventory", "--records", "--json"]).run();
    verify().ok();
    let file = ".cavra/api/inventory.json";
    home.write(file, home.read(file).replace("\"strict\"", "\"audit_only\""));
    let output = verify().exits(1);
    assert!(output.stdout.contains("pay:p") && output.stdout.contains("changed"), "{}", output.stdout);
}
