//! The registry over HTTP: agents, MCP servers, what is known of both, and what a call of a tool would come to.

use serde_json::{Value, json};

use super::approvals::string;
use super::evidence_log::{assert_digest, leaves};
use crate::support::{Backend, Home, Server, assert_timestamp, keys, on_both, strings};

fn serve(home: &Home, backend: Backend) -> Server {
    let (variable, file) = match backend {
        Backend::Json => ("CAVRA_REGISTRY_STORE", home.at("data/registry.json")),
        Backend::Sqlite => ("CAVRA_REGISTRY_DB", home.at("data/registry.db")),
    };
    home.serve(&[(variable, &file)])
}

fn ids(list: &Value, member: &str) -> Vec<String> {
    let items = list["items"].as_array().unwrap();
    assert_eq!(list["total"], items.len(), "{list}");
    assert_eq!(keys(list), ["items", "total"]);
    items.iter().map(|item| string(&item[member])).collect()
}

#[test]
fn agents_are_registered_listed_and_replaced() {
    on_both(|backend| {
        let home = Home::new();
        let server = serve(&home, backend);
        assert_eq!(server.get("/agents").ok(), json!({"items": [], "total": 0}));
        let made =
            server.post("/agents", &json!({"id": "codex", "owner": "pay", "scopes": ["git", null, 5], "x": 1})).ok();
        for (member, wanted) in [
            ("schema_version", json!("cavra.agent.v1")),
            ("agent_id", json!("codex")),
            ("type", json!("coding-agent")),
            ("vendor", json!("unknown")),
            ("version", json!("unknown")),
            ("capabilities", json!([])),
            ("scopes", json!(["git", "5"])),
            ("allowed_repositories", json!([])),
            ("allowed_tools", json!([])),
            ("risk_tier", json!("medium")),
            ("owner", json!("pay")),
            ("status", json!("active")),
            ("evidence_refs", json!([])),
        ] {
            assert_eq!(made[member], wanted, "{member}");
        }
        assert!(made.get("x").is_none());
        for member in ["last_seen", "created_at", "updated_at"] {
            assert_timestamp(made[member].as_str().unwrap());
        }
        server.post("/agents", &json!({"agent_id": "a/b", "status": "retired"})).ok();
        // A replacement is whole: what it does not say takes its default again; when it began stays.
        let again = server.post("/agents", &json!({"agent_id": "codex", "status": "disabled"})).ok();
        assert_eq!((&again["owner"], &again["created_at"]), (&json!("unassigned"), &made["created_at"]));
        assert_eq!(ids(&server.get("/agents").ok(), "agent_id"), ["a/b", "codex"]);
        assert_eq!(ids(&server.get("/agents?status=disabled").ok(), "agent_id"), ["codex"]);
        assert_eq!(ids(&server.get("/agents?owner=unassigned&status=retired").ok(), "agent_id"), ["a/b"]);
        assert_eq!(ids(&server.get("/agents?status=&owner=nobody").ok(), "agent_id"), Vec::<String>::new());
        for path in ["/agents/a/b", "/agents/a%2Fb"] {
            assert_eq!(server.get(path).ok()["status"], "retired");
        }
        server.get("/agents/nobody").refused(&[404]);
        for wrong in [
            json!({}),
            json!({"agent_id": ""}),
            json!({"agent_id": 5}),
            json!({"agent_id": "profiles"}),
            json!({"agent_id": "x", "status": "suspended"}),
            json!({"agent_id": "x", "scopes": {"a": 1}}),
            json!({"agent_id": "x", "scopes": [[]]}),
            json!({"agent_id": "x".repeat(257)}),
            json!({"agent_id": "a\u{0}b"}),
            json!({"agent_id": "x", "last_seen": "yesterday"}),
        ] {
            server.post("/agents", &wrong).refused(&[400, 422]);
        }
        assert_eq!(server.get("/agents").ok()["total"], 2);
        let log = leaves(&server, "registry");
        assert_eq!(log.iter().map(|leaf| string(&leaf["event"])).collect::<Vec<_>>(), ["agent_changed"; 3]);
        assert_digest(&log, "codex", &again);
        drop(server);
        assert_eq!(serve(&home, backend).get("/agents/codex").ok(), again, "it survives a restart");
    });
}

#[test]
fn profiles_and_classifications_are_known() {
    let server = Home::new().serve(&[]);
    let profiles = server.get("/agents/profiles").ok();
    let known = ["aws-q-developer", "claude-code", "codex", "cursor", "gemini-cli", "github-copilot"];
    assert_eq!(ids(&profiles, "profile_id"), known);
    let codex = &profiles["items"][2];
    assert_eq!(
        (&codex["display_name"], &codex["vendor"], &codex["risk_tier"]),
        (&json!("OpenAI Codex"), &json!("OpenAI"), &json!("high"))
    );
    assert_eq!(strings(&codex["recommended_tools"]), ["cavra", "git", "pytest", "node"]);
    let all = server.get("/mcp/tool-classifications").ok();
    let known = ["cloud", "database", "filesystem", "network", "repository", "saas", "shell"];
    assert_eq!(ids(&all, "capability"), known);
    let shell = server.get("/mcp/tool-classifications?capability=%20SHELL%20").ok();
    assert_eq!((&shell, &shell["default_decision"]), (&all["items"][6], &json!("require_approval")));
    server.get("/mcp/tool-classifications?capability=telepathy").refused(&[404]);
    assert_eq!(server.get("/mcp/tool-classifications?capability=").ok(), all);
}

#[test]
fn servers_are_registered_and_trusted_as_they_are_registered() {
    on_both(|backend| {
        let home = Home::new();
        let server = serve(&home, backend);
        let made = server.post("/mcp/servers", &json!({"name": "files"})).ok();
        for (member, wanted) in [
            ("schema_version", "cavra.mcp_server.v1"),
            ("server_id", "files"),
            ("name", "files"),
            ("trust_tier", "unknown"),
            ("approval_state", "pending"),
            ("owner", "unassigned"),
        ] {
            assert_eq!(made[member], wanted, "{member}");
        }
        let post = |body: Value| server.post("/mcp/servers", &body).ok();
        post(json!({"server_id": "gh", "name": "github", "trust_tier": "trusted", "capabilities": ["repository"]}));
        post(
            json!({"server_id": "gl", "trust_tier": "approved", "allowed_tools": ["read"], "capabilities": ["repository", "saas"]}),
        );
        post(json!({"server_id": "bad", "trust_tier": "blocked"}));
        post(json!({"server_id": "no", "trust_tier": "trusted", "approval_state": "denied"}));
        post(json!({"server_id": "maybe", "trust_tier": "experimental"}));
        post(json!({"server_id": "fine", "trust_tier": "approved", "approval_state": "not_required"}));
        post(json!({"server_id": "t1", "name": "twin", "trust_tier": "trusted"}));
        post(json!({"server_id": "t2", "name": "twin", "trust_tier": "trusted"}));
        post(json!({"server_id": "thief", "name": "gh", "trust_tier": "blocked"}));
        let list = |query: &str| ids(&server.get(&format!("/mcp/servers{query}")).ok(), "server_id");
        assert_eq!(list("?capability=repository"), ["gh", "gl"]);
        assert_eq!(list("?capability=repository&trust_tier=approved"), ["gl"]);
        assert_eq!(list("?approval_state=pending"), ["files", "maybe"]);
        assert_eq!(list("?capability=repo"), Vec::<String>::new());
        assert_eq!(server.get("/mcp/servers/github").ok()["server_id"], "gh", "by name");
        assert_eq!(server.get("/mcp/servers/gh").ok()["name"], "github", "an id wins over a name");
        server.get("/mcp/servers/twin").refused(&[404]);
        for (question, rule) in [
            ("server=nobody", "unknown"),
            ("server=twin", "unknown"),
            ("server=bad&tool=x", "blocked"),
            ("server=no", "blocked"),
            ("server=files", "requires_approval"),
            ("server=maybe", "requires_approval"),
            ("server=gl", "tool_scope"),
            ("server=gl&tool=read", "allow"),
            ("server=gl&tool=read&capability=shell", "capability_scope"),
            ("server=gh&capability=shell", "capability_scope"),
            ("server=gh&capability=", "allow"),
            ("server=github&tool=anything", "allow"),
            ("server=fine", "allow"),
        ] {
            let answer = server.get(&format!("/mcp/trust?{question}")).ok();
            let (decision, severity, group) = match rule {
                "unknown" | "blocked" => ("block", "high", Value::Null),
                "allow" => ("allow", "low", Value::Null),
                _ => ("require_approval", "medium", json!("AI Governance")),
            };
            assert_eq!(answer["rule_id"], format!("mcp.registry.{rule}"), "{question}");
            assert_eq!(
                (&answer["decision"], &answer["severity"], &answer["approver_group"]),
                (&json!(decision), &json!(severity), &group)
            );
            assert!(!answer["reason"].as_str().unwrap().is_empty() && keys(&answer).len() == 5, "{answer}");
        }
        for missing in ["", "?tool=x", "?server="] {
            server.get(&format!("/mcp/trust{missing}")).refused(&[422]);
        }
        for wrong in [
            json!({}),
            json!({"server_id": "x", "trust_tier": "Trusted"}),
            json!({"server_id": "x", "approval_state": "maybe"}),
            json!({"server_id": "x", "allowed_tools": {}}),
        ] {
            server.post("/mcp/servers", &wrong).refused(&[400]);
        }
        // What is registered counts for the next decision.
        let call = |name: &str| {
            server.decide(&json!({"action_type": "mcp_tool_call", "server": name, "tool": "read"}))["rule_id"].clone()
        };
        assert_eq!(call("maybe"), "mcp.registry.requires_approval");
        post(json!({"server_id": "maybe", "trust_tier": "blocked"}));
        assert_eq!(call("maybe"), "mcp.registry.blocked");
    });
}

/// A registry of the existing product.
#[test]
fn files_of_the_existing_product_load() {
    let home = Home::new();
    let agent = json!({"agent_id": "old", "status": "active", "owner": "x", "capabilities": ["shell"]});
    let entry = json!({"server_id": "s", "name": "S", "trust_tier": "trusted", "approval_state": "approved", "capabilities": ["saas"], "allowed_tools": []});
    home.write("data/registry.json", json!({"agents": [agent], "mcp_servers": [entry]}).to_string());
    let server = serve(&home, Backend::Json).with_old_records();
    assert_eq!(server.get("/agents/old").ok(), agent);
    assert_eq!(server.get("/mcp/servers/S").ok(), entry);
    assert_eq!(ids(&server.get("/mcp/servers?capability=saas").ok(), "server_id"), ["s"]);
    assert_eq!(server.get("/mcp/trust?server=S").ok()["decision"], "allow");
}
