//! The decision record. docs/reference/decisions-and-policy.md, sections 3, 4.6, 5 and 6.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::{
    BASELINE, Home, Server, Shared, assert_id, assert_timestamp, canonical, keys, pack_yaml, sha256, text,
};

static SERVER: Shared = Shared::new();

fn server() -> std::sync::Arc<Server> {
    SERVER.get(|| Home::new().serve(&[]))
}

const FIELDS: [&str; 22] = [
    "action_type",
    "actor",
    "agent_id",
    "approver_group",
    "component_digests",
    "correlation_id",
    "decision",
    "decision_id",
    "evidence_refs",
    "pack_version",
    "policy_digest",
    "policy_id",
    "policy_pack",
    "reason",
    "repository",
    "requested_operation",
    "rule_id",
    "schema_version",
    "session_id",
    "severity",
    "target",
    "timestamp",
];

#[test]
fn every_field_has_its_form() {
    let server = server();
    let record = server.decide(&json!({"action_type": "read_file", "target": ".env"}));
    assert_eq!(keys(&record), FIELDS);
    for (member, value) in [
        ("schema_version", "cavra.decision.v1"),
        ("session_id", "local"),
        ("agent_id", "unknown-agent"),
        ("actor", "ai-agent"),
        ("repository", "local"),
        ("policy_pack", BASELINE),
        ("policy_id", BASELINE),
    ] {
        assert_eq!(record[member], value, "{member}");
    }
    assert_id(text(&record, "decision_id"), "dec_", 12);
    assert_id(text(&record, "correlation_id"), "corr_", 12);
    assert_timestamp(text(&record, "timestamp"));
    assert_eq!(record["evidence_refs"], json!([format!("evidence://local/{}", text(&record, "decision_id"))]));
    assert!(text(&record, "reason").contains(".env"), "names the matched pattern: {record}");
    let stored = server.get(&format!("/decisions/{}", text(&record, "decision_id"))).ok();
    assert_eq!(stored, record);
}

#[test]
fn what_the_caller_says_about_itself_is_kept() {
    let server = server();
    let said = json!({
        "session_id": "Sitzung ü/1", "agent_id": "claude", "actor": "ada@example.com", "repository": "pay/api",
        "policy_pack": "cavra-hipaa", "correlation_id": "trace-1",
    });
    let mut body = json!({"action_type": "write_file", "target": "src/a.rs"});
    body.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    let record = server.decide(&body);
    for (member, value) in said.as_object().unwrap() {
        assert_eq!(&record[member], value, "{member}");
    }
    assert_eq!(record["policy_id"], "cavra-hipaa");
    assert_eq!(record["evidence_refs"], json!([format!("evidence://Sitzung ü/1/{}", text(&record, "decision_id"))]));
    let nothing = json!({
        "action_type": "read_file", "target": "a", "session_id": "", "agent_id": null, "actor": "", "repository": "",
        "policy_pack": "", "correlation_id": null, "operation": null,
    });
    let record = server.decide(&nothing);
    assert_eq!((&record["session_id"], &record["repository"]), (&json!("local"), &json!("local")));
    assert_eq!((&record["agent_id"], &record["policy_pack"]), (&json!("unknown-agent"), &json!(BASELINE)));
    assert_eq!(
        server.decide(&json!({"action_type": "read_file", "target": "a", "policy_pack": null}))["policy_pack"],
        BASELINE
    );
    let longest = "c".repeat(128);
    let kept = server.decide(&json!({"action_type": "read_file", "target": "a", "correlation_id": longest}));
    assert_eq!(kept["correlation_id"], longest);
    server
        .post("/decisions", &json!({"action_type": "read_file", "target": "a", "correlation_id": "c".repeat(129)}))
        .refused(&[400, 422]);
}

/// docs/reference/decisions-and-policy.md, section 3: what the record shows of an action.
#[test]
fn targets_and_operations() {
    let server = server();
    let rows = [
        (json!({"action_type": "read_file", "target": "./src//a/../b.txt/"}), "src/b.txt", "read"),
        (json!({"action_type": "read_file", "target": "../x/./y"}), "../x/y", "read"),
        (json!({"action_type": "read_file", "target": "a/../../x"}), "../x", "read"),
        (json!({"action_type": "write_file", "target": "a\\b\\c.txt"}), "a/b/c.txt", "write"),
        (json!({"action_type": "write_file", "target": "/etc//passwd"}), "/etc/passwd", "write"),
        (json!({"action_type": "execute_command", "target": "  pytest -q \n"}), "pytest -q", "pytest -q"),
        (json!({"action_type": "git_operation", "target": "origin/x"}), "origin/x", "push"),
        (json!({"action_type": "git_operation", "target": "origin/x", "operation": "fetch"}), "origin/x", "fetch"),
        (json!({"action_type": "git_operation"}), "push", "push"),
        (json!({"action_type": "git_operation", "target": "", "operation": "status"}), "status", "status"),
        (json!({"action_type": "mcp_tool_call"}), "unknown:unknown", "unknown"),
        (json!({"action_type": "mcp_tool_call", "server": "s", "tool": "t"}), "s:t", "t"),
        (json!({"action_type": "mcp_tool_call", "server": "s", "tool": "t", "capability": "c"}), "s:t", "c"),
        (json!({"action_type": "mcp_tool_call", "tool": "t"}), "unknown:t", "t"),
    ];
    for (body, target, operation) in rows {
        let record = server.decide(&body);
        assert_eq!((text(&record, "target"), text(&record, "requested_operation")), (target, operation), "{body}");
        assert_eq!(record["action_type"], body["action_type"]);
    }
    let without_server = server.decide(&json!({"action_type": "mcp_tool_call"}));
    assert_eq!(without_server["decision"], "block");
}

/// docs/reference/decisions-and-policy.md, section 4.6: one row per rule id that packs give.
#[test]
fn rules_severities_and_approvers() {
    let home = Home::new();
    let rules = "filesystem:\n  block_read: [\"no-read/*\"]\n  block_write: [\"no-write/*\"]\n  \
        require_approval_write: [\"ask-write/*\", \"no-write/x\"]\n\
        commands:\n  block: [\"danger*\", \"both*\", \"kubectl delete*\"]\n  require_approval: [\"ask*\", \"both*\"]\n  allow: [\"fine*\", \"both*\", \"ask twice\"]\n\
        git:\n  block_push_branches: [release]\n";
    home.pack("cavra-table", &pack_yaml("cavra-table", rules));
    let (name, packs) = home.packs();
    let server = home.serve(&[(name, &packs)]);
    let platform = json!("Platform Security");
    let owners = json!("Repository Owners");
    let rows = [
        ("read_file", "no-read/a", "filesystem.read.block", "block", "high", json!(null)),
        ("read_file", "no-write/a", "filesystem.read.allow", "allow", "low", json!(null)),
        ("read_file", "ask-write/a", "filesystem.read.allow", "allow", "low", json!(null)),
        ("write_file", "no-read/a", "filesystem.write.allow", "allow", "low", json!(null)),
        ("write_file", "no-write/x", "filesystem.write.block", "block", "high", json!(null)),
        (
            "write_file",
            "ask-write/a",
            "filesystem.write.require_approval",
            "require_approval",
            "high",
            platform.clone(),
        ),
        ("execute_command", "danger", "commands.block", "block", "high", json!(null)),
        ("execute_command", "danger apply", "commands.block", "block", "critical", json!(null)),
        ("execute_command", "kubectl delete x", "commands.block", "block", "critical", json!(null)),
        ("execute_command", "both", "commands.block", "block", "high", json!(null)),
        ("execute_command", "ask twice", "commands.require_approval", "require_approval", "high", platform),
        ("execute_command", "fine thing", "commands.allow", "allow", "low", json!(null)),
        ("execute_command", "else", "commands.default.require_approval", "require_approval", "medium", owners),
        ("git_operation", "origin/main", "git.protected_branch.block_direct_push", "block", "high", json!(null)),
        ("git_operation", "origin/release", "git.protected_branch.block_direct_push", "block", "high", json!(null)),
        ("git_operation", "origin/x", "git.allow", "allow", "low", json!(null)),
    ];
    for (action_type, target, rule, decision, severity, approver) in rows {
        let record = server.decide_on(action_type, target, "cavra-table");
        let found = (text(&record, "rule_id"), text(&record, "decision"), text(&record, "severity"));
        assert_eq!(found, (rule, decision, severity), "{action_type} {target}");
        assert_eq!(record["approver_group"], approver, "{action_type} {target}");
        // What the target alone does not say is kept beside it.
        let input = ["git_operation", "execute_command"].contains(&action_type).then_some("input");
        let mut fields: Vec<_> = FIELDS.into_iter().chain(input).collect();
        fields.sort_unstable();
        assert_eq!(keys(&record), fields);
        assert_eq!(record["pack_version"], "3.2.1");
    }
}

#[test]
fn the_policy_digest_is_that_of_the_compiled_policy() {
    let home = Home::new();
    home.pack(
        "cavra-mine",
        &pack_yaml(
            "cavra-mine",
            "  inherits: [cavra-hipaa, cavra-pci-dss]\n  note: naïve\ncommands:\n  allow: [zz, aa]\n",
        ),
    );
    let (name, packs) = home.packs();
    let server = home.serve(&[(name, &packs)]);
    for pack in [BASELINE, "cavra-hipaa", "cavra-mine"] {
        let compiled = home.cavra(&["policy", "compile", "--policy-pack", pack]).env(name, &packs).run().ok().json();
        let record = server.decide_on("read_file", "a", pack);
        assert_eq!(record["policy_digest"], sha256(canonical(&compiled)), "{pack}");
        assert_eq!(record["pack_version"], compiled["metadata"]["version"], "{pack}");
    }
}

#[test]
fn ids_are_unique_and_time_goes_on() {
    let server = server();
    let records: Vec<Value> =
        (0..100).map(|_| server.decide(&json!({"action_type": "read_file", "target": "a"}))).collect();
    for member in ["decision_id", "correlation_id"] {
        assert_eq!(records.iter().map(|record| text(record, member)).collect::<HashSet<_>>().len(), 100, "{member}");
    }
    assert!(records.is_sorted_by_key(|record| text(record, "timestamp").to_owned()));
}

/// docs/reference/decisions-and-policy.md, section 6, through `policy_mode` of `POST /decisions`.
#[test]
fn the_mode_is_an_overlay() {
    let server = server();
    let (allow, block) = ("README.md", ".env");
    let rows = [
        ("enforce", allow, "enforce", "allow", false),
        ("enforce", block, "enforce", "block", true),
        ("audit_only", block, "audit_only", "audit_only", true),
        ("Audit-Only", allow, "audit_only", "audit_only", true),
        ("strict", allow, "strict", "require_approval", true),
        ("strict", block, "strict", "block", true),
        ("strict_regulated", allow, "strict", "require_approval", true),
        ("Strict regulated repository", allow, "strict", "require_approval", true),
        ("break_glass", allow, "break_glass", "block", true),
        ("Break Glass", block, "break_glass", "block", true),
    ];
    for (given, target, mode, effective, evidence) in rows {
        let body = json!({"action_type": "read_file", "target": target, "policy_mode": given});
        let mut answer = server.decide(&body);
        assert_eq!((text(&answer, "mode"), text(&answer, "effective_decision")), (mode, effective), "{body}");
        assert_eq!(answer["evidence_required"], evidence, "{body}");
        assert!(!text(&answer, "mode_reason").is_empty());
        assert_eq!(answer["decision"], if target == allow { "allow" } else { "block" }, "the decision stays");
        let stored = server.get(&format!("/decisions/{}", text(&answer, "decision_id"))).ok();
        assert_eq!(keys(&stored), FIELDS, "the mode is not stored");
        answer.as_object_mut().unwrap().retain(|member, _| FIELDS.contains(&member.as_str()));
        assert_eq!(stored, answer);
    }
    server
        .post("/decisions", &json!({"action_type": "read_file", "target": "a", "policy_mode": "lenient"}))
        .refused(&[400, 422]);
}
