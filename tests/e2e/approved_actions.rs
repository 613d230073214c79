//! What was approved is what runs, once. Over HTTP, `evaluate` and the hook.

use serde_json::{Value, json};

use super::approvals::{serve, string};
use crate::support::{BASELINE, Backend, Home, Server, on_both};

/// An action that needs a human under the default pack.
fn action(session: &str) -> Value {
    json!({"action_type": "write_file", "target": "iam/admin.tf", "session_id": session, "repository": "pay",
        "agent_id": "claude", "policy_pack": BASELINE})
}

/// Asks for approval of a decision and approves it; the approval's id.
#[track_caller]
fn approved(server: &Server, decision: &Value) -> String {
    let id = string(&server.post("/approvals", &json!({"decision": decision})).ok()["approval_id"]);
    server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": "fine"})).ok();
    id
}

#[test]
fn an_approved_action_runs_once() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let asked = server.decide(&action("s1"));
        assert_eq!(asked["decision"], "require_approval");
        let id = approved(&server, &asked);
        let granted = server.decide(&action("s1"));
        assert_eq!(granted["decision"], "allow");
        assert_eq!(granted["decision_before_approval"], "require_approval");
        assert_eq!(granted["approval"]["approval_id"], json!(id));
        assert!(granted["evidence_refs"].as_array().unwrap().contains(&json!(format!("approval://{id}"))));
        // It is stored as it was answered, and the approval tells who used it.
        let stored = server.get(&format!("/decisions/{}", string(&granted["decision_id"]))).ok();
        assert_eq!(stored["decision"], "allow");
        let used = server.get(&format!("/approvals/{id}")).ok();
        assert_eq!((&used["state"], &used["used_by_decision"]), (&json!("approved"), &granted["decision_id"]));
        assert_eq!(server.decide(&action("s1"))["decision"], "require_approval");
    });
}

#[test]
fn another_action_does_not_pass() {
    let server = serve(&Home::new(), Backend::Sqlite, &[]);
    let id = approved(&server, &server.decide(&action("s1")));
    let with = |changes: Value| {
        let mut changed = action("s1");
        changed.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        server.decide(&changed)
    };
    for changes in [
        json!({"target": "iam/other.tf"}),
        json!({"target": "iam/other.tf", "approval_id": id}),
        json!({"repository": "web"}),
        json!({"repository": "web", "approval_id": id}),
        json!({"agent_id": "codex", "approval_id": id}),
        json!({"session_id": "s2"}),
        json!({"approval_id": "apr_000000000000"}),
    ] {
        let decided = with(changes.clone());
        assert_eq!(decided["decision"], "require_approval", "{changes}");
        if changes.get("approval_id").is_some() {
            assert!(string(&decided["reason"]).contains("does not cover"), "{decided}");
        }
    }
    // A block is never lifted.
    let blocked = json!({"action_type": "read_file", "target": ".env", "session_id": "s1", "repository": "pay"});
    let refused = server.decide(&blocked);
    assert_eq!(refused["decision"], "block");
    let mut named = blocked;
    named["approval_id"] = json!(approved(
        &server,
        &json!({"decision_id": refused["decision_id"], "session_id": "s1",
        "action_type": "read_file", "target": ".env", "requested_operation": "read", "repository": "pay",
        "agent_id": refused["agent_id"], "approver_group": "IAM"})
    ));
    assert_eq!(server.decide(&named)["decision"], "block");
    // Named, it passes in another session of the same agent.
    assert_eq!(with(json!({"session_id": "s2", "approval_id": id}))["decision"], "allow");
}

#[test]
fn only_what_is_granted_now_passes() {
    let server = serve(&Home::new(), Backend::Json, &[]);
    let asked = server.decide(&action("s1"));
    let id = string(&server.post("/approvals", &json!({"decision": asked})).ok()["approval_id"]);
    assert_eq!(server.decide(&action("s1"))["decision"], "require_approval");
    server.post(&format!("/approvals/{id}/deny"), &json!({"actor": "ann", "reason": "no"})).ok();
    assert_eq!(server.decide(&action("s1"))["decision"], "require_approval");
    let broken = json!({"decision": asked, "actor": "ann", "reason": "on fire"});
    server.post("/approvals/break-glass", &broken).ok();
    let granted = server.decide(&action("s1"));
    assert_eq!(granted["decision"], "allow_with_attestation");
    assert_eq!(server.decide(&action("s1"))["decision"], "require_approval");
}

#[test]
fn a_decision_cannot_show_one_action_and_bind_another() {
    let server = serve(&Home::new(), Backend::Json, &[]);
    let asked = server.decide(&action("s1"));
    let digest = server.post("/approvals", &json!({"decision": asked})).ok()["action_digest"].clone();
    let mut forged = asked;
    forged["target"] = json!("README.md");
    forged["action_digest"] = digest;
    server.post("/approvals", &json!({"decision": forged})).refused(&[409]);
    // One that nobody recorded binds what it shows.
    forged["decision_id"] = json!("dec_elsewhere");
    approved(&server, &forged);
    assert_eq!(server.decide(&action("s1"))["decision"], "require_approval");
}

#[test]
fn concurrent_uses_of_one_approval_let_one_pass() {
    let server = std::sync::Arc::new(serve(&Home::new(), Backend::Sqlite, &[]));
    approved(&server, &server.decide(&action("s1")));
    let uses: Vec<_> = (0..12)
        .map(|_| {
            let server = std::sync::Arc::clone(&server);
            std::thread::spawn(move || string(&server.decide(&action("s1"))["decision"]))
        })
        .collect();
    let allowed = uses.into_iter().map(|used| used.join().unwrap()).filter(|decision| decision == "allow").count();
    assert_eq!(allowed, 1);
}

#[test]
fn a_quorum_needs_different_people() {
    let home = Home::new();
    home.write("routing.json", json!([{"approver_group": "IAM", "quorum": 2}]).to_string());
    let server = serve(&home, Backend::Json, &[("CAVRA_APPROVAL_ROUTING_FILE", &home.at("routing.json"))]);
    let asked = server.decide(&action("s1"));
    // Naming a group does not get round the quorum.
    let body = json!({"decision": asked, "approver_group": "Other"});
    let id = string(&server.post("/approvals", &body).ok()["approval_id"]);
    let path = format!("/approvals/{id}/approve");
    let approve = |who: &str| server.post(&path, &json!({"actor": who, "reason": "fine"}));
    assert_eq!(approve("ann").ok()["state"], "pending");
    approve("ANN ").refused(&[409]);
    assert_eq!(server.decide(&action("s1"))["decision"], "require_approval");
    assert_eq!(approve("bob").ok()["state"], "approved");
    assert_eq!(server.decide(&action("s1"))["decision"], "allow");
}

/// The hook's event for a write into a file that needs approval.
fn event(home: &Home, content: &str, tool_use_id: Option<&str>) -> String {
    json!({"session_id": "claude-1", "cwd": home.at(""), "hook_event_name": "PreToolUse", "tool_name": "Write",
        "tool_use_id": tool_use_id, "tool_input": {"file_path": home.at("iam/admin.tf"), "content": content}})
    .to_string()
}

fn hook(home: &Home, content: &str) -> String {
    hook_on_call(home, content, None)
}

fn hook_on_call(home: &Home, content: &str, tool_use_id: Option<&str>) -> String {
    let output = home.cavra(&["hook", "claude-code"]).stdin(event(home, content, tool_use_id)).run();
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    string(&answer["hookSpecificOutput"]["permissionDecision"])
}

#[test]
fn every_hook_that_is_asked_about_one_call_has_its_approval() {
    let home = Home::new();
    let ask = |call| hook_on_call(&home, "one", call);
    assert_eq!(ask(Some("toolu_1")), "ask");
    home.write("decision.json", home.json(".cavra/api/activity.json")["decisions"][0].to_string());
    let id = string(&home.cavra(&["approval", "create", "decision.json"]).run().json()["approval_id"]);
    home.cavra(&["approval", "approve", &id, "--actor", "ann", "--reason", "fine"]).run().json();
    // The agent tries again; two entries of the hook are asked about that call.
    assert_eq!((ask(Some("toolu_2")), ask(Some("toolu_2"))), ("allow".to_owned(), "allow".to_owned()));
    let used = home.cavra(&["approval", "list"]).run().json()["items"][0].clone();
    let entries = used["history"].as_array().unwrap().iter().filter(|entry| entry["event"] == "used").count();
    assert_eq!((entries, &used["used_by_tool_use"]), (1, &json!("toolu_2")));
    for call in [Some("toolu_3"), None] {
        assert_eq!(ask(call), "ask");
    }
    assert_eq!(hook_on_call(&home, "two", Some("toolu_2")), "ask");
}

#[test]
fn evaluate_and_hook_use_the_store_of_the_command_line() {
    let home = Home::new();
    let evaluate = |session: &str, more: &[&str]| {
        let arguments = ["evaluate", "write_file", "iam/admin.tf", "--json", "--session-id", session];
        home.cavra(&[&arguments, more].concat()).run().json()
    };
    home.write("decision.json", evaluate("s1", &[]).to_string());
    let asked = home.cavra(&["approval", "create", "decision.json"]).run().json();
    let id = string(&asked["approval_id"]);
    home.cavra(&["approval", "approve", &id, "--actor", "ann", "--reason", "fine"]).run().json();
    assert_eq!(evaluate("s2", &[])["decision"], "require_approval");
    assert_eq!(evaluate("s1", &[])["decision"], "allow");
    assert_eq!(evaluate("s1", &["--approval", &id])["decision"], "require_approval");

    // The hook's approval is for what is written, not only for where.
    assert_eq!(hook(&home, "one"), "ask");
    let stored = home.json(".cavra/api/activity.json")["decisions"][0].clone();
    home.write("decision.json", stored.to_string());
    let id = string(&home.cavra(&["approval", "create", "decision.json"]).run().json()["approval_id"]);
    home.cavra(&["approval", "approve", &id, "--actor", "ann", "--reason", "fine"]).run().json();
    assert_eq!(hook(&home, "two"), "ask");
    assert_eq!(hook(&home, "one"), "allow");
    assert_eq!(hook(&home, "one"), "ask");
}
