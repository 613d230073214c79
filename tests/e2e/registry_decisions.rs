//! Whom the registry knows counts in decisions, at every door alike. docs/reference/connectors-drills-ops-registry.md, section 5.

use serde_json::{Value, json};

use crate::support::{Backend, Home, Output, on_both, pack_yaml, text};

/// The setting of a registry in a home.
fn setting(home: &Home, backend: Backend) -> (&'static str, String) {
    match backend {
        Backend::Json => ("CAVRA_REGISTRY_STORE", home.at("data/registry.json")),
        Backend::Sqlite => ("CAVRA_REGISTRY_DB", home.at("data/registry.db")),
    }
}

fn event(home: &Home, tool: &str, input: &Value) -> String {
    let event = json!({
        "session_id": "s", "cwd": home.path(), "permission_mode": "default", "hook_event_name": "PreToolUse",
        "tool_name": tool, "tool_input": input,
    });
    event.to_string()
}

fn hook(home: &Home, tool: &str, input: &Value) -> Output {
    home.cavra(&["hook", "claude-code"]).stdin(event(home, tool, input)).run()
}

#[test]
fn agents_that_are_off_are_refused() {
    on_both(|backend| {
        let home = Home::new();
        let (name, value) = setting(&home, backend);
        let server = home.serve(&[(name, &value)]);
        let read =
            |agent: &str| server.decide(&json!({"action_type": "read_file", "target": "README.md", "agent_id": agent}));
        let unknown = read("codex");
        assert_eq!((text(&unknown, "decision"), unknown.get("facts")), ("allow", None));
        for (status, decision, rule) in [
            ("active", "allow", None),
            ("disabled", "block", Some("agent.registry.disabled")),
            ("retired", "block", Some("agent.registry.retired")),
            ("active", "allow", None),
        ] {
            let agent = json!({"agent_id": "codex", "status": status, "owner": "pay", "risk_tier": "high"});
            server.post("/agents", &agent).ok();
            let record = read("codex");
            assert_eq!(text(&record, "decision"), decision, "{record}");
            if let Some(rule) = rule {
                assert_eq!((text(&record, "rule_id"), text(&record, "severity")), (rule, "high"), "{record}");
            }
            assert_eq!(record["facts"]["agent.status"], status);
            assert_eq!(record["facts"]["agent.owner"], "pay");
            assert_eq!(record["facts"]["agent.risk_tier"], "high");
        }
        // What the pack blocks is blocked, whoever is registered.
        let env = server.decide(&json!({"action_type": "read_file", "target": ".env", "agent_id": "codex"}));
        assert_eq!(text(&env, "rule_id"), "filesystem.read.block");
        // What was known of the agent then is what they are made again with.
        let replay = home.cavra(&["evidence", "replay", "--days", "7", "--json"]).run().ok().json();
        assert_eq!((&replay["equal"], &replay["decisions"]), (&json!(6), &json!(6)), "{replay}");
    });
}

/// A status that says nothing lets nothing happen.
#[test]
fn an_entry_that_somebody_broke_opens_nothing() {
    let home = Home::new();
    let agents = json!([
        {"agent_id": "strange", "status": "splendid"}, {"agent_id": "number", "status": 5}, {"agent_id": "bare"},
    ]);
    let file = home.write("data/registry.json", json!({"agents": agents, "mcp_servers": []}).to_string());
    let server = home.serve(&[("CAVRA_REGISTRY_STORE", file.to_str().unwrap())]);
    for (agent, rule) in [("strange", "agent.registry.unknown_status"), ("number", "agent.registry.unknown_status")] {
        let record = server.decide(&json!({"action_type": "read_file", "target": "README.md", "agent_id": agent}));
        assert_eq!((text(&record, "decision"), text(&record, "rule_id")), ("block", rule), "{record}");
    }
    let bare = server.decide(&json!({"action_type": "read_file", "target": "README.md", "agent_id": "bare"}));
    assert_eq!(text(&bare, "decision"), "allow");
}

#[test]
fn no_approval_lifts_it() {
    let home = Home::new();
    let server = home.serve(&[]);
    let body = json!({"action_type": "write_file", "target": "iam/a.tf", "agent_id": "codex", "session_id": "s"});
    let asked = server.decide(&body);
    assert_eq!(text(&asked, "decision"), "require_approval");
    let approval = server.post("/approvals", &json!({"decision": asked, "requested_by": "dev"})).ok();
    let approve = format!("/approvals/{}/approve", text(&approval, "approval_id"));
    server.post(&approve, &json!({"actor": "boss", "reason": "yes"})).ok();
    server.post("/agents", &json!({"agent_id": "codex", "status": "disabled"})).ok();
    assert_eq!(text(&server.decide(&body), "rule_id"), "agent.registry.disabled");
    server.post("/agents", &json!({"agent_id": "codex"})).ok();
    assert_eq!(text(&server.decide(&body), "decision"), "allow");
}

/// Hook, evaluation, MCP adapter and `agent exec` ask the registry of their place.
#[test]
fn every_door_knows_the_agents() {
    let home = Home::new();
    let register = |status: &str| {
        home.cavra(&["registry", "agent-register", "claude-code", "--status", status]).run().ok();
    };
    let read = json!({"file_path": home.at("README.md")});
    register("active");
    hook(&home, "Read", &read).ok();
    register("disabled");
    let refused = hook(&home, "Read", &read).exits(2);
    assert!(refused.stderr.contains("agent.registry.disabled"), "{refused:?}");
    // What no action stands for is refused too.
    hook(&home, "SomethingNew", &json!({})).exits(2);
    let evaluate = ["evaluate", "read_file", "README.md", "--agent-id", "claude-code", "--json"];
    assert_eq!(home.cavra(&evaluate).run().ok().json()["rule_id"], "agent.registry.disabled");
    let other = ["evaluate", "read_file", "README.md", "--agent-id", "codex", "--json"];
    assert_eq!(home.cavra(&other).run().ok().json()["decision"], "allow");
    let exec = home.cavra(&["agent", "exec", "touch ran", "--tool", "claude-code"]).run().fails();
    assert!(exec.stderr.contains("disabled") && !home.exists("ran"), "{exec:?}");
    let call = |id: u32, name: &str, arguments: Value| {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": name, "arguments": arguments}})
            .to_string()
    };
    let lines = [
        call(1, "cavra_session_start", json!({"agent_id": "claude-code"})),
        call(2, "cavra_check_file_read", json!({"path": "README.md"})),
        call(3, "cavra_generate_pr_attestation", json!({"target": "pr"})),
    ];
    let said = home.cavra(&["mcp-server"]).stdin(lines.join("\n") + "\n").run().ok().stdout;
    assert_eq!(said.lines().filter(|line| line.contains("agent.registry.disabled")).count(), 2, "{said}");
}

/// Without an MCP server in it, the local registry is none; with one, it judges as the server's does.
#[test]
fn every_door_knows_the_servers() {
    let home = Home::new();
    let (name, packs) = home.packs();
    home.pack("p", &pack_yaml("p", "mcp:\n  allowed_servers: [listed]\n  blocked_servers: [evil]\n"));
    let rule = |server: &str| {
        let arguments = ["evaluate", "mcp_tool_call", server, "--tool", "read", "--policy-pack", "p", "--json"];
        text(&home.cavra(&arguments).env(name, &packs).run().ok().json(), "rule_id").to_owned()
    };
    let register = |server: &str, more: &[&str]| {
        let arguments = [&["registry", "mcp-register", server], more].concat();
        home.cavra(&arguments).run().ok().json()
    };
    home.cavra(&["registry", "agent-register", "codex"]).run().ok();
    assert_eq!(rule("listed"), "mcp.server.trust.allow");
    assert_eq!(rule("files"), "mcp.server.trust.block_unknown");
    register("files", &["--trust-tier", "trusted", "--approval-state", "approved", "--tool", "read"]);
    assert_eq!(rule("files"), "mcp.registry.allow");
    assert_eq!(rule("listed"), "mcp.registry.unknown");
    register("files", &["--trust-tier", "trusted", "--approval-state", "approved", "--tool", "list"]);
    assert_eq!(rule("files"), "mcp.registry.tool_scope");
    register("files", &[]);
    assert_eq!(rule("files"), "mcp.registry.requires_approval");
    register("evil", &["--trust-tier", "trusted", "--approval-state", "approved"]);
    assert_eq!(rule("evil"), "mcp.server.trust.block_unknown");
    register("project:files", &["--trust-tier", "blocked"]);
    assert_eq!(rule("project:files"), "mcp.registry.blocked");
    let call = json!({
        "session_id": "s", "cwd": home.path(), "permission_mode": "default", "hook_event_name": "PreToolUse",
        "tool_name": "mcp__files__read", "tool_input": {}, "mcp_server": {"name": "files", "source": "project"},
    });
    let refused = home.cavra(&["hook", "claude-code"]).stdin(call.to_string()).run().exits(2);
    assert!(refused.stderr.contains("mcp.registry.blocked"), "{refused:?}");
}

/// A registry that cannot be read refuses; it is not taken for none.
#[test]
fn a_broken_registry_refuses() {
    let home = Home::new();
    home.write(".cavra/registry.json", "{\"agents\": [");
    hook(&home, "Read", &json!({"file_path": home.at("README.md")})).exits(2);
    home.cavra(&["evaluate", "read_file", "README.md"]).run().fails();
}

/// The project's store is that of the command line too.
#[test]
fn the_project_has_one_registry() {
    let home = Home::new();
    home.write(".cavra/config.yaml", "stores: {registry: .cavra/api/registry.db}\n");
    home.cavra(&["registry", "agent-register", "claude-code", "--status", "retired"]).run().ok();
    assert!(home.exists(".cavra/api/registry.db") && !home.exists(".cavra/registry.json"));
    let refused = hook(&home, "Read", &json!({"file_path": home.at("README.md")})).exits(2);
    assert!(refused.stderr.contains("agent.registry.retired"), "{refused:?}");
    let server = home.serve(&[]);
    assert_eq!(server.get("/agents/claude-code").ok()["status"], "retired");
}

/// A server is what launches it and what it offers, as far as the entry says so, and not what it is called.
#[test]
fn a_server_is_what_launched_it() {
    on_both(|backend| {
        let home = Home::new();
        home.pack("cavra-mcp", &pack_yaml("cavra-mcp", "mcp:\n  allowed_servers: [files]\n"));
        let ((name, value), (packs, folder)) = (setting(&home, backend), home.packs());
        let server = home.serve(&[(name, &value), (packs, &folder)]);
        let (launch, tools) = ("a".repeat(64), "b".repeat(64));
        let entry =
            json!({"server_id": "files", "trust_tier": "trusted", "definition_sha256": launch, "tools_sha256": tools});
        let stored = server.post("/mcp/servers", &entry).ok();
        assert_eq!((&stored["definition_sha256"], &stored["tools_sha256"]), (&json!(launch), &json!(tools)));
        let judged = |known: Value| {
            let mut call = json!({"action_type": "mcp_tool_call", "server": "files", "tool": "list",
                "policy_pack": "cavra-mcp"});
            call.as_object_mut().unwrap().extend(known.as_object().unwrap().clone());
            let record = server.decide(&call);
            (text(&record, "rule_id").to_owned(), text(&record, "reason").to_owned())
        };
        let known =
            |launch: &str, tools: &str| json!({"server_definition_sha256": launch, "server_tools_sha256": tools});
        let other = "c".repeat(64);
        for (known, rule, said) in [
            (known(&other, &tools), "mcp.registry.unknown", "not in the trust registry"),
            (json!({}), "mcp.registry.requires_approval", "not known what launches"),
            (known(&launch, &other), "mcp.registry.requires_approval", "describes its tools otherwise"),
        ] {
            let (found, reason) = judged(known.clone());
            assert!(found == rule && reason.contains(said), "{known}: {found} {reason}");
        }
        for fine in [
            known(&launch, &tools),
            known(&launch.to_uppercase(), &format!("sha256:{tools}")),
            json!({"server_definition_sha256": launch}),
        ] {
            let (rule, reason) = judged(fine.clone());
            assert!(
                rule != "mcp.registry.unknown" && rule != "mcp.registry.requires_approval",
                "{fine}: {rule} {reason}"
            );
        }
        // Nothing that is pinned opens what is blocked, and they are made again as they were made.
        server
            .post("/mcp/servers", &json!({"server_id": "files", "trust_tier": "blocked", "definition_sha256": launch}))
            .ok();
        assert_eq!(judged(known(&launch, &tools)).0, "mcp.registry.blocked");
        let replay = home.cavra(&["evidence", "replay", "--days", "7", "--json"]).run().ok().json();
        assert_eq!(replay["equal"], replay["decisions"], "{replay}");
        let wrong = json!({"action_type": "mcp_tool_call", "server": "files", "server_definition_sha256": 5});
        server.post("/decisions", &wrong).refused(&[400]);
    });
}

/// The hook knows what launches a server from the agent's own files.
#[test]
fn the_hook_knows_what_launches_a_server() {
    let home = Home::new();
    home.pack("cavra-mcp", &pack_yaml("cavra-mcp", "mcp:\n  allowed_servers: [\"project:files\"]\n"));
    let (packs, folder) = home.packs();
    let launch = |program: &str| {
        let servers =
            json!({"mcpServers": {"files": {"command": program, "args": ["--root", "."], "env": {"T": "hush"}}}});
        home.write(".mcp.json", servers.to_string());
    };
    launch("files-server");
    let report = home.cavra(&["agent-report", "--endpoint-id", "e", "--json"]).run().ok().json();
    let digest = text(&report["endpoints"][0]["mcp_servers"][0], "definition_sha256").to_owned();
    let register =
        ["registry", "mcp-register", "project:files", "--trust-tier", "trusted", "--approval-state", "approved"];
    home.cavra(&[&register[..], &["--definition-sha256", &digest]].concat()).run().ok();
    let called = || {
        let mut event: Value = serde_json::from_str(&event(&home, "mcp__files__list", &json!({}))).unwrap();
        event["mcp_server"] = json!({"name": "files", "source": "project"});
        let run = home.cavra(&["hook", "claude-code", "--policy-pack", "cavra-mcp"]).env(packs, &folder);
        run.stdin(event.to_string()).run().stdout
    };
    let fine = called();
    assert!(!fine.contains("not in the trust registry") && !fine.contains("not known what launches"), "{fine}");
    launch("another-server");
    assert!(called().contains("not in the trust registry"));
    std::fs::remove_file(home.join(".mcp.json")).unwrap();
    assert!(called().contains("not known what launches"));
}
