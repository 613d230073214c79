//! An approver sees what cavra found, not what the requester wrote.

use serde_json::{Value, json};

use super::approvals::{decision, string};
use crate::support::{Home, Server};

/// A decision that a server made and recorded.
fn recorded(server: &Server) -> Value {
    let action =
        json!({"action_type": "write_file", "target": "iam/root-admin.tf", "session_id": "s1", "repository": "pay"});
    server.post("/decisions", &action).ok()
}

/// Bodies that a decision can be sent in.
fn bodies(decision: &Value) -> [Value; 2] {
    [decision.clone(), json!({ "decision": decision })]
}

#[test]
fn a_recorded_decision_is_taken_as_recorded() {
    let server = Home::new().serve(&[]);
    let found = recorded(&server);
    for body in bodies(&found).into_iter().chain(bodies(&json!({"decision_id": found["decision_id"]}))) {
        let approval = server.post("/approvals", &body).ok();
        assert_eq!(approval["decision"], found, "{body}");
        assert_eq!(approval.get("unverified"), None);
    }
    // What is not part of what was found is not shown as if it were.
    let mut more = found.clone();
    more["note"] = json!("harmless");
    more["approver_group"] = json!(null);
    assert_eq!(server.post("/approvals", &json!({ "decision": more })).ok()["decision"], found);
}

/// Every member that an approver relies on, in every shape of body, for requests and for the glass.
#[test]
fn who_says_it_otherwise_is_refused() {
    let server = Home::new().serve(&[]);
    let found = recorded(&server);
    for (member, forged) in [
        ("reason", json!("harmless typo fix")),
        ("severity", json!("low")),
        ("rule_id", json!("commands.default")),
        ("policy_pack", json!("cavra-other")),
        ("target", json!("README.md")),
        ("action_type", json!("read_file")),
        ("requested_operation", json!("read")),
        ("repository", json!("web")),
        ("agent_id", json!("somebody")),
        ("session_id", json!("s2")),
        ("decision", json!("allow")),
        ("content_digest", json!("sha256:00")),
        ("metadata", json!({"target_ring": "broad"})),
    ] {
        let mut said = found.clone();
        said[member] = forged;
        for mut body in bodies(&said) {
            let refused = server.post("/approvals", &body).refused(&[409]);
            assert!(refused.to_string().contains(member), "{member}: {refused}");
            if body.get("decision").is_some_and(Value::is_object) {
                body["actor"] = json!("ann");
                body["reason"] = json!("on fire");
                server.post("/approvals/break-glass", &body).refused(&[409]);
            }
        }
    }
    assert_eq!(server.total("/approvals"), 0);
}

#[test]
fn the_requesters_words_are_shown_as_theirs() {
    let home = Home::new();
    let server = home.serve(&[]);
    let body = json!({"decision": recorded(&server), "request_note": "for ticket 7, token ghp_0123456789abcdefghijABCDEFGHIJ012345"});
    let approval = server.post("/approvals", &body).ok();
    let note = string(&approval["request_note"]);
    assert!(note.starts_with("for ticket 7") && !note.contains("ghp_"), "{note}");
    assert_ne!(approval["decision"]["reason"], approval["request_note"]);
    server.post("/approvals", &json!({"decision": recorded(&server), "request_note": {}})).refused(&[400]);
}

/// Accepted and marked, from the request on to what it lets happen.
#[test]
fn what_is_not_recorded_is_vouched_for_by_nobody() {
    let home = Home::new();
    let server = home.serve(&[]);
    let action =
        json!({"action_type": "write_file", "target": "iam/admin.tf", "session_id": "s1", "repository": "pay"});
    let mut foreign = server.post("/decisions", &action).ok();
    foreign["decision_id"] = json!("dec_elsewhere");
    let asked = server.post("/approvals", &json!({ "decision": foreign })).ok();
    let id = string(&asked["approval_id"]);
    assert_eq!(asked["unverified"], true);
    assert_eq!(server.get("/approvals").ok()["items"][0]["unverified"], true);
    let attached = server.post(&format!("/approvals/{id}/attach-decision"), &foreign).ok();
    assert_eq!(attached["approval"]["unverified"], true);
    let granted = server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": "fine"})).ok();
    assert_eq!(granted["unverified"], true);
    let allowed = server.post("/decisions", &action).ok();
    assert_eq!((&allowed["decision"], &allowed["approval"]["unverified"]), (&json!("allow"), &json!(true)));
    let broken = json!({"decision": decision("dec_9"), "actor": "ann", "reason": "fire"});
    assert_eq!(server.post("/approvals/break-glass", &broken).ok()["unverified"], true);
}

#[test]
fn an_operator_may_want_records() {
    let home = Home::new();
    home.write("routing.yaml", "require_recorded_decision: true\n");
    let server = home.serve(&[("CAVRA_APPROVAL_ROUTING_FILE", &home.at("routing.yaml"))]);
    for body in bodies(&decision("dec_1")) {
        server.post("/approvals", &body).refused(&[409]);
    }
    let broken = json!({"decision": decision("dec_1"), "actor": "ann", "reason": "fire"});
    server.post("/approvals/break-glass", &broken).refused(&[409]);
    assert_eq!(server.total("/approvals"), 0);
    // The built-in rules still hold, and what this server asks itself needs no record.
    assert_eq!(server.post("/approvals", &json!({"decision": recorded(&server)})).ok()["approver_group"], "IAM");
    let draft = json!({"id": "cavra-x", "title": "t", "description": "d", "commands": {"block": ["x"]}});
    let asked = server.post("/policy-packs/publish-request", &json!({"draft": draft, "request_note": "mine"})).ok();
    assert_eq!(asked["approval"].get("unverified"), None);
    assert_eq!(asked["approval"]["request_note"], "mine");
}

/// An approval is attached to what was approved and to nothing else.
#[test]
fn an_attached_decision_is_the_approved_one() {
    let server = Home::new().serve(&[]);
    let found = recorded(&server);
    let id = string(&server.post("/approvals", &json!({ "decision": found })).ok()["approval_id"]);
    let path = format!("/approvals/{id}/attach-decision");
    server.post(&path, &found).ok();
    server.post(&path, &json!({"decision_id": found["decision_id"]})).ok();
    for (member, forged) in
        [("target", "README.md"), ("reason", "harmless"), ("severity", "low"), ("decision", "allow")]
    {
        let mut said = found.clone();
        said[member] = json!(forged);
        server.post(&path, &said).refused(&[409]);
        said.as_object_mut().unwrap().remove("decision_id");
        server.post(&path, &said).refused(&[409]);
    }
}

/// Who asks may name a group, but which groups decide a publication is the operator's to say.
#[test]
fn only_listed_groups_are_asked_for_a_publication() {
    let home = Home::new();
    home.write("routing.yaml", "approver_groups:\n  policy_publish: [Platform Security]\n");
    let server = home.serve(&[("CAVRA_APPROVAL_ROUTING_FILE", &home.at("routing.yaml"))]);
    let draft = json!({"id": "cavra-x", "title": "t", "description": "d", "commands": {"block": ["x"]}});
    let friends = json!({"draft": draft, "approver_group": "My friends"});
    server.post("/policy-packs/publish-request", &friends).refused(&[400]);
    let forged = json!({"decision_id": "policy_publish:cavra-x:1", "action_type": "policy_publish", "target": "x"});
    server.post("/approvals", &json!({"decision": forged, "approver_group": "My friends"})).refused(&[400]);
    assert_eq!(server.total("/approvals"), 0);
    server.post("/policy-packs/publish-request", &json!({"draft": draft})).ok();
}
