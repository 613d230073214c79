//! Secrets in what agents ask reach no store, log, answer or evidence, and approvals bind the exact action all the same.

use std::path::Path;

use serde_json::{Value, json};

use super::approvals::{serve, string};
use crate::support::{BASELINE, Backend, Home, Server, on_both};

/// Put together here: what looks like a token in a source file stops many a scanner.
fn token(prefix: &str) -> String {
    [prefix, "q7Rw2mXk9TzB4vLs", "8NfYc3HdJp6GeU5aQ1Vt"].concat()
}

const PASSWORD: &str = "hunter2-but-longer";

/// Asserts that no file below `home` holds any of `secrets`.
#[track_caller]
fn assert_nowhere(home: &Home, secrets: &[&str]) {
    let mut waiting = vec![home.join("")];
    let mut seen = 0;
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            seen += 1;
            let bytes = std::fs::read(&path).unwrap_or_default();
            for secret in secrets {
                assert!(!holds(&bytes, secret), "{} is in {}", secret, path.display());
            }
        }
    }
    assert!(seen > 0);
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// An action that needs a human and holds a secret.
fn action(password: &str) -> Value {
    json!({"action_type": "execute_command", "target": format!("deploy --password {password} now"), "session_id": "s1",
        "repository": "pay", "agent_id": "claude", "policy_pack": BASELINE})
}

fn approve(server: &Server, id: &str, reason: &str) {
    server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": reason})).ok();
}

#[test]
fn secrets_of_actions_are_nowhere() {
    on_both(|backend| {
        let home = Home::new();
        let (name, store) = backend.setting(&home);
        let server = serve(&home, backend, &[(name, &store), ("CAVRA_LOG", "trace")]);
        let (github, aws) = (token("ghp_"), ["AKIA", "Q7RW2MXK9TZB4VLS"].concat());
        let secrets = [github.as_str(), &aws, PASSWORD];
        let mut answers = Vec::new();
        for body in [
            action(PASSWORD),
            json!({"action_type": "execute_command", "target": format!("git push https://x:{github}@github.com/a/b main")}),
            json!({"action_type": "execute_command", "target": format!("AWS_ACCESS_KEY_ID={aws} aws s3 ls")}),
            json!({"action_type": "read_file", "target": format!("notes/{github}.txt"), "repository": format!("https://u:{PASSWORD}@h/r")}),
            json!({"action_type": "git_operation", "target": format!("https://{github}@github.com/a/b main"), "operation": "push"}),
            json!({"action_type": "mcp_tool_call", "server": "x", "tool": github, "capability": format!("token={github}")}),
            json!({"action_type": "read_file", "target": "a", "actor": format!("--password {PASSWORD}")}),
        ] {
            let decided = server.decide(&body);
            assert!(decided["redacted"].as_array().is_some_and(|members| !members.is_empty()), "{decided}");
            assert!(decided.to_string().contains("[REDACTED:"), "{decided}");
            answers.push(decided);
        }
        let session =
            json!({"session_id": "s2", "repository": format!("https://u:{PASSWORD}@h/r"), "evidence_refs": [github]});
        answers.push(server.post("/sessions", &session).ok());
        // Asking for approval, and deciding, may bring secrets along too.
        let foreign = json!({"decision": {"decision_id": "dec_x", "action_type": "execute_command", "requested_operation": "run",
            "target": format!("login --password {PASSWORD}"), "approver_group": "IAM", "more": {"deep": [github]}}});
        let asked = server.post("/approvals", &foreign).ok();
        approve(&server, &string(&asked["approval_id"]), &format!("the key is {aws}"));
        answers.push(asked);
        for path in ["/decisions", "/sessions", "/approvals", "/risk/events"] {
            answers.push(server.get(path).json());
        }
        for answer in answers {
            for secret in secrets {
                assert!(!answer.to_string().contains(secret), "{secret} is answered: {answer}");
            }
        }
        server.terminate();
        assert_nowhere(&home, &secrets);
    });
}

#[test]
fn an_approval_of_a_redacted_action_is_for_that_action_once() {
    on_both(|backend| {
        let home = Home::new();
        let (name, store) = backend.setting(&home);
        let server = serve(&home, backend, &[(name, &store)]);
        let asked = server.decide(&action(PASSWORD));
        assert_eq!(
            (&asked["decision"], &asked["target"]),
            (&json!("require_approval"), &json!("deploy --password [REDACTED:password] now"))
        );
        let approval = server.post("/approvals", &json!({"decision": asked})).ok();
        assert_eq!(approval["decision"]["target"], asked["target"]);
        approve(&server, &string(&approval["approval_id"]), "fine");
        // Another password, the shown text itself, and another session.
        for other in ["hunter3-but-longer", "[REDACTED:password]", ""] {
            assert_eq!(server.decide(&action(other))["decision"], "require_approval", "{other}");
        }
        assert_eq!(server.decide(&action(PASSWORD))["decision"], "allow");
        assert_eq!(server.decide(&action(PASSWORD))["decision"], "require_approval");
        server.terminate();
        assert_nowhere(&home, &[PASSWORD]);
    });
}

#[test]
fn a_gap_is_only_bound_by_the_record_of_the_decision() {
    let server = serve(&Home::new(), Backend::Sqlite, &[]);
    let asked = server.decide(&action(PASSWORD));
    let other = server.decide(&action("another-password"));
    let with = |changes: Value| {
        let mut decision = asked.clone();
        decision.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        decision
    };
    // Not recorded here, or not as it is shown here.
    for (forged, status) in [
        (with(json!({"decision_id": "dec_000000000000"})), 400),
        (with(json!({"repository": "web"})), 409),
        (with(json!({"target": "rm -rf [REDACTED:password]"})), 409),
    ] {
        let said = server.post("/approvals", &json!({"decision": forged})).refused(&[status]);
        assert!(said.to_string().contains("recorded"), "{said}");
        let broken = json!({"decision": forged, "actor": "ann", "reason": "on fire"});
        server.post("/approvals/break-glass", &broken).refused(&[status]);
    }
    // A digest that the caller brings along does not count.
    let forged = with(json!({"action_digest": other["action_digest"]}));
    let approval = server.post("/approvals", &json!({"decision": forged})).ok();
    assert_eq!(approval["action_digest"], asked["action_digest"]);
    approve(&server, &string(&approval["approval_id"]), "fine");
    assert_eq!(server.decide(&action("another-password"))["decision"], "require_approval");
    // What says it was redacted and was not is the text it is.
    let literal = server.decide(&action("[REDACTED:password]"));
    assert!(literal.get("redacted").is_none(), "{literal}");
    let approval = server.post("/approvals", &json!({"decision": literal})).ok();
    approve(&server, &string(&approval["approval_id"]), "fine");
    assert_eq!(server.decide(&action("another-password"))["decision"], "require_approval");
    assert_eq!(server.decide(&action("[REDACTED:password]"))["decision"], "allow");
}

#[test]
fn hook_audit_adapter_and_command_line_keep_no_secret() {
    let home = Home::new();
    let command = format!("terraform output --token {}", token("ghp_"));
    let event = json!({"session_id": "c1", "cwd": home.at(""), "hook_event_name": "PreToolUse", "tool_name": "Bash",
        "tool_input": {"command": command}});
    let hook = || home.cavra(&["hook", "claude-code"]).env("CAVRA_LOG", "trace").stdin(event.to_string()).run().ok();
    let mut said = vec![hook()];
    said.push(home.cavra(&["agent", "exec", &command, "--json"]).run());
    said.push(home.cavra(&["evaluate", "execute_command", &command, "--json"]).run());
    said.push(home.cavra(&["mcp-server", "--check-command", &command]).run());
    for output in &said {
        assert!(!format!("{output:?}").contains(&token("ghp_")), "{output:?}");
    }
    assert_nowhere(&home, &[&token("ghp_")]);

    // What the hook recorded can be approved on the command line; what was only evaluated cannot.
    let record = home.json(".cavra/api/activity.json")["decisions"][0].clone();
    home.write("recorded.json", record.to_string());
    home.write("evaluated.json", said[2].json().to_string());
    home.cavra(&["approval", "create", "evaluated.json"]).run().fails();
    let id = string(&home.cavra(&["approval", "create", "recorded.json"]).run().ok().json()["approval_id"]);
    home.cavra(&["approval", "approve", &id, "--actor", "ann", "--reason", "fine"]).run().ok();
    assert!(hook().stdout.contains("\"allow\""));
    assert!(!hook().stdout.contains("\"allow\""));
}

#[test]
fn a_redacted_decision_is_never_replayed_as_equal() {
    let home = Home::new();
    let (name, store) = Backend::Sqlite.setting(&home);
    let server = home.serve(&[(name, &store)]);
    let redacted = string(&server.decide(&action(PASSWORD))["decision_id"]);
    server.decide_on("read_file", "README.md", BASELINE);
    drop(server);
    let replay = |arguments: &[&str]| {
        home.cavra(&[&["evidence", "replay", "--json"], arguments].concat()).env(name, &store).run()
    };
    let report = replay(&["--days", "1"]).ok().json();
    assert_eq!((&report["equal"], &report["causes"]), (&json!(1), &json!({"redacted": 1})), "{report:#}");
    assert_eq!(replay(&[&redacted]).exits(1).json()["equal"], 0);
}

#[test]
fn redaction_can_be_switched_off() {
    let home = Home::new();
    let server = home.serve(&[("CAVRA_REDACT", "off")]);
    let decided = server.decide(&action(PASSWORD));
    assert!(string(&decided["target"]).contains(PASSWORD) && decided.get("redacted").is_none(), "{decided}");
    assert!(Path::new(&home.at(".cavra/api/activity.json")).exists());
}
