//! MCP calls through the API: the trust registry decides, the pack's block list adds. docs/reference/decisions-and-policy.md, section 4.4; 50, section 5.

use serde_json::{Value, json};

use crate::support::{BASELINE, Home, Server, Shared, pack_yaml, text};

static SERVER: Shared = Shared::new();

fn entry(id: &str, tier: &str, state: &str) -> Value {
    json!({
        "schema_version": "cavra.mcp_server.v1", "server_id": id, "name": format!("name of {id}"), "trust_tier": tier,
        "approval_state": state, "capabilities": [], "allowed_tools": [], "owner": "unassigned",
        "last_seen": "2027-01-01T00:00:00+00:00", "created_at": "2027-01-01T00:00:00+00:00",
        "updated_at": "2027-01-01T00:00:00+00:00", "evidence_refs": [],
    })
}

fn with(mut entry: Value, members: Value) -> Value {
    entry.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    entry
}

fn registry() -> Value {
    let mut servers = Vec::new();
    for tier in ["trusted", "approved", "experimental", "blocked", "unknown"] {
        for state in ["approved", "pending", "denied", "not_required"] {
            servers.push(entry(&format!("{tier}-{state}"), tier, state));
        }
    }
    servers.push(with(entry("tools", "trusted", "approved"), json!({"allowed_tools": ["read", "list"]})));
    servers.push(with(entry("capable", "approved", "approved"), json!({"capabilities": ["filesystem", "network"]})));
    let narrow = json!({"allowed_tools": ["read"], "capabilities": ["filesystem"]});
    servers.push(with(entry("narrow", "trusted", "approved"), narrow.clone()));
    servers.push(with(entry("narrow-pending", "trusted", "pending"), narrow));
    // Two entries with one name, and one whose id is another's name.
    servers.push(with(entry("twin-a", "trusted", "approved"), json!({"name": "twins"})));
    servers.push(with(entry("twin-b", "trusted", "approved"), json!({"name": "twins"})));
    servers.push(with(entry("impostor", "blocked", "denied"), json!({"name": "tools"})));
    servers.push(entry("listed-blocked", "trusted", "approved"));
    servers.push(with(entry("mcp_1", "trusted", "approved"), json!({"name": "evil-fs"})));
    servers.push(with(entry("mcp_2", "trusted", "approved"), json!({"name": "worse-fs"})));
    // Entries that say too little or nonsense: an error must not open anything.
    servers.push(json!({"server_id": "bare"}));
    servers.push(with(entry("strange-tier", "splendid", "approved"), json!({})));
    servers.push(with(entry("strange-state", "trusted", "splendid"), json!({})));
    servers
        .push(with(entry("strange-types", "trusted", "approved"), json!({"allowed_tools": "read", "trust_tier": 5})));
    json!({ "agents": [], "mcp_servers": servers })
}

fn server() -> std::sync::Arc<Server> {
    SERVER.get(|| {
        let home = Home::new();
        let file = home.write("data/registry.json", serde_json::to_string_pretty(&registry()).unwrap());
        home.pack("cavra-mcp", &pack_yaml("cavra-mcp", "mcp:\n  allowed_servers: [nobody-registered, denied-allowed, listed-blocked]\n  blocked_servers: [listed-blocked, both, evil-fs, mcp_2]\n"));
        let (name, packs) = home.packs();
        home.serve(&[(name, &packs), ("CAVRA_REGISTRY_STORE", file.to_str().unwrap())])
    })
}

fn call(server: &str, tool: &str, capability: Option<&str>, pack: &str) -> Value {
    json!({"action_type": "mcp_tool_call", "server": server, "tool": tool, "capability": capability, "policy_pack": pack})
}

#[track_caller]
fn expect(server: &Server, body: &Value, rule: &str) {
    let record = server.decide(body);
    let (decision, severity, approver) = match rule {
        "mcp.registry.allow" => ("allow", "low", json!(null)),
        "mcp.registry.unknown" | "mcp.registry.blocked" | "mcp.server.trust.block_unknown" => {
            ("block", "high", json!(null))
        }
        _ => ("require_approval", "medium", json!("AI Governance")),
    };
    assert_eq!((text(&record, "rule_id"), text(&record, "decision")), (rule, decision), "{body}: {record}");
    assert_eq!((text(&record, "severity"), &record["approver_group"]), (severity, &approver), "{body}");
}

#[test]
fn tiers_and_states() {
    let server = server();
    for tier in ["trusted", "approved", "experimental", "blocked", "unknown"] {
        for state in ["approved", "pending", "denied", "not_required"] {
            let rule = if tier == "blocked" || state == "denied" {
                "mcp.registry.blocked"
            } else if state == "pending" || tier == "unknown" || tier == "experimental" {
                "mcp.registry.requires_approval"
            } else {
                "mcp.registry.allow"
            };
            expect(&server, &call(&format!("{tier}-{state}"), "t", None, BASELINE), rule);
        }
    }
}

#[test]
fn scopes() {
    let server = server();
    for (name, tool, capability, rule) in [
        ("nobody-registered", "t", None, "mcp.registry.unknown"),
        ("", "t", None, "mcp.registry.unknown"),
        ("tools", "read", None, "mcp.registry.allow"),
        ("tools", "write", None, "mcp.registry.tool_scope"),
        ("tools", "READ", None, "mcp.registry.tool_scope"),
        ("tools", "read", Some("shell"), "mcp.registry.allow"),
        ("capable", "t", None, "mcp.registry.allow"),
        ("capable", "t", Some("network"), "mcp.registry.allow"),
        ("capable", "t", Some("shell"), "mcp.registry.capability_scope"),
        ("narrow", "write", Some("shell"), "mcp.registry.tool_scope"),
        ("narrow", "read", Some("shell"), "mcp.registry.capability_scope"),
        ("narrow", "read", Some("filesystem"), "mcp.registry.allow"),
        ("narrow-pending", "write", Some("shell"), "mcp.registry.requires_approval"),
        ("name of trusted-approved", "t", None, "mcp.registry.allow"),
        ("name of blocked-approved", "t", None, "mcp.registry.blocked"),
        ("twins", "t", None, "mcp.registry.unknown"),
        ("Trusted-Approved", "t", None, "mcp.registry.unknown"),
        ("trusted-approved ", "t", None, "mcp.registry.unknown"),
    ] {
        expect(&server, &call(name, tool, capability, BASELINE), rule);
    }
}

#[test]
fn the_pack_adds_and_never_lifts() {
    let server = server();
    expect(&server, &call("listed-blocked", "t", None, BASELINE), "mcp.registry.allow");
    expect(&server, &call("listed-blocked", "t", None, "cavra-mcp"), "mcp.server.trust.block_unknown");
    expect(&server, &call("nobody-registered", "t", None, "cavra-mcp"), "mcp.registry.unknown");
    expect(&server, &call("trusted-denied", "t", None, "cavra-mcp"), "mcp.registry.blocked");
    expect(&server, &call("trusted-approved", "t", None, "cavra-mcp"), "mcp.registry.allow");
    for name in ["mcp_1", "evil-fs", "mcp_2", "worse-fs"] {
        expect(&server, &call(name, "t", None, BASELINE), "mcp.registry.allow");
        expect(&server, &call(name, "t", None, "cavra-mcp"), "mcp.server.trust.block_unknown");
    }
    assert_eq!(server.decide(&call("both", "t", None, "cavra-mcp"))["decision"], "block");
}

#[test]
fn malformed_entries_never_allow() {
    let server = server();
    for name in ["bare", "strange-tier", "strange-state", "strange-types"] {
        let decision = server.decide(&call(name, "t", None, BASELINE))["decision"].clone();
        assert!(decision == "block" || decision == "require_approval", "{name}: {decision}");
    }
}

#[test]
fn the_command_line_asks_the_pack() {
    let server = server();
    let (name, packs) = server.home.packs();
    for (target, pack, decision, rule) in [
        ("nobody-registered", "cavra-mcp", "allow", "mcp.server.trust.allow"),
        ("listed-blocked", "cavra-mcp", "block", "mcp.server.trust.block_unknown"),
        ("trusted-approved", "cavra-mcp", "block", "mcp.server.trust.block_unknown"),
        ("trusted-approved", BASELINE, "block", "mcp.server.trust.block_unknown"),
        ("Nobody-Registered", "cavra-mcp", "block", "mcp.server.trust.block_unknown"),
    ] {
        let output = server.home.cavra(&["evaluate", "mcp_tool_call", target, "--policy-pack", pack, "--json"]);
        let record = output.env(name, &packs).run().ok().json();
        assert_eq!((text(&record, "decision"), text(&record, "rule_id")), (decision, rule), "{target} {pack}");
        assert_eq!(text(&record, "target"), format!("{target}:unknown"));
        assert_eq!(record["requested_operation"], "filesystem");
    }
    // Without the default of `block_unknown_servers` only the block list counts.
    let open = pack_yaml(
        "cavra-open",
        "mcp:\n  block_unknown_servers: false\n  blocked_servers: [bad]\n  allowed_servers: [bad]\n",
    );
    server.home.pack("cavra-open", &open);
    for (target, decision) in [("anything", "allow"), ("bad", "block")] {
        let output = server.home.cavra(&["evaluate", "mcp_tool_call", target, "--policy-pack", "cavra-open", "--json"]);
        assert_eq!(output.env(name, &packs).run().ok().json()["decision"], decision, "{target}");
    }
}

#[test]
fn a_registry_edited_by_another_program_counts_at_once() {
    let home = Home::new();
    let write = |state: &str| {
        let document = json!({ "mcp_servers": [entry("edited", "trusted", state)] });
        home.write(".cavra/api/registry.json", document.to_string())
    };
    write("approved");
    let server = home.serve(&[]);
    expect(&server, &call("edited", "t", None, BASELINE), "mcp.registry.allow");
    let replacement =
        home.write("new.json", json!({ "mcp_servers": [entry("edited", "trusted", "denied")] }).to_string());
    std::fs::rename(replacement, home.join(".cavra/api/registry.json")).unwrap();
    expect(&server, &call("edited", "t", None, BASELINE), "mcp.registry.blocked");
}
