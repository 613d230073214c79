//! `cavra registry …`, row by row. docs/reference/connectors-drills-ops-registry.md, section 5.

use serde_json::{Value, json};

use crate::support::{Home, assert_timestamp, keys};

/// Runs a command of `cavra registry`; answers what it prints.
fn registry(home: &Home, arguments: &[&str], store: &[&str]) -> Value {
    home.cavra(&[&["registry"], arguments, store].concat()).run().ok().json()
}

fn ids(list: &Value, member: &str) -> Vec<String> {
    let items = list["items"].as_array().unwrap();
    assert_eq!((keys(list), &list["total"]), (vec!["items", "total"], &json!(items.len())));
    items.iter().map(|item| item[member].as_str().unwrap().to_owned()).collect()
}

const STORES: [(&[&str], &str); 3] =
    [(&[], ".cavra/registry.json"), (&["--store", "x/r.json"], "x/r.json"), (&["--sqlite", "x/r.db"], "x/r.db")];

#[test]
fn agents() {
    for (store, file) in STORES {
        let home = Home::new();
        assert_eq!(registry(&home, &["agent-list"], store), json!({"items": [], "total": 0}));
        assert!(!home.exists(file), "looking makes no store");
        let made = registry(&home, &["agent-register", "zed"], store);
        for (member, value) in [
            ("schema_version", json!("cavra.agent.v1")),
            ("agent_id", json!("zed")),
            ("type", json!("coding-agent")),
            ("vendor", json!("unknown")),
            ("version", json!("unknown")),
            ("capabilities", json!([])),
            ("scopes", json!([])),
            ("allowed_repositories", json!([])),
            ("allowed_tools", json!([])),
            ("risk_tier", json!("medium")),
            ("owner", json!("unassigned")),
            ("status", json!("active")),
            ("evidence_refs", json!([])),
        ] {
            assert_eq!(made[member], value, "{member}");
        }
        assert_timestamp(made["created_at"].as_str().unwrap());
        let all = [
            "agent-register",
            "codex",
            "--agent-type",
            "t",
            "--vendor",
            "v",
            "--version",
            "1",
            "--capability",
            "a",
            "--capability",
            "b",
            "--scope",
            "s",
            "--repository",
            "r",
            "--tool",
            "x",
            "--risk-tier",
            "high",
            "--owner",
            "pay",
            "--status",
            "disabled",
        ];
        let made = registry(&home, &all, store);
        for (member, value) in [
            ("type", json!("t")),
            ("vendor", json!("v")),
            ("version", json!("1")),
            ("capabilities", json!(["a", "b"])),
            ("scopes", json!(["s"])),
            ("allowed_repositories", json!(["r"])),
            ("allowed_tools", json!(["x"])),
            ("risk_tier", json!("high")),
            ("owner", json!("pay")),
            ("status", json!("disabled")),
        ] {
            assert_eq!(made[member], value, "{member}");
        }
        assert!(home.exists(file), "{file}");
        let again = registry(&home, &["agent-register", "codex"], store);
        assert_eq!((&again["owner"], &again["created_at"]), (&json!("unassigned"), &made["created_at"]));
        assert_eq!(ids(&registry(&home, &["agent-list"], store), "agent_id"), ["codex", "zed"]);
        registry(&home, &all, store);
        assert_eq!(ids(&registry(&home, &["agent-list", "--status", "disabled"], store), "agent_id"), ["codex"]);
        assert_eq!(ids(&registry(&home, &["agent-list", "--owner", "unassigned"], store), "agent_id"), ["zed"]);
        for wrong in [&["agent-register", "x", "--status", "suspended"][..], &["agent-register", "profiles"]] {
            let refused = home.cavra(&[&["registry"], wrong, store].concat()).run().fails();
            assert!(refused.stdout.is_empty(), "{refused:?}");
        }
        assert_eq!(registry(&home, &["agent-list"], store)["total"], 2);
    }
}

#[test]
fn servers() {
    for (store, _) in STORES {
        let home = Home::new();
        let made = registry(&home, &["mcp-register", "files", "--trust-tier", "trusted"], store);
        for (member, value) in [
            ("schema_version", json!("cavra.mcp_server.v1")),
            ("server_id", json!("files")),
            ("name", json!("files")),
            ("trust_tier", json!("trusted")),
            ("approval_state", json!("pending")),
            ("capabilities", json!([])),
            ("allowed_tools", json!([])),
            ("owner", json!("unassigned")),
        ] {
            assert_eq!(made[member], value, "{member}");
        }
        let check = |arguments: &[&str]| registry(&home, &[&["mcp-check"], arguments].concat(), store);
        assert_eq!(check(&["files", "read"])["rule_id"], "mcp.registry.requires_approval");
        let unknown = check(&["nobody", "read"]);
        assert_eq!(keys(&unknown), ["approver_group", "decision", "reason", "rule_id", "severity"]);
        assert_eq!((&unknown["decision"], &unknown["rule_id"]), (&json!("block"), &json!("mcp.registry.unknown")));
        let all = [
            "mcp-register",
            "git",
            "--name",
            "Git",
            "--trust-tier",
            "approved",
            "--approval-state",
            "approved",
            "--capability",
            "repository",
            "--tool",
            "read",
            "--tool",
            "list",
            "--owner",
            "me",
        ];
        registry(&home, &all, store);
        for (arguments, rule) in [
            (&["git", "read"][..], "mcp.registry.allow"),
            (&["Git", "read"], "mcp.registry.allow"),
            (&["git", "write"], "mcp.registry.tool_scope"),
            (&["git", "read", "--capability", "shell"], "mcp.registry.capability_scope"),
            (&["git", "read", "--capability", "repository"], "mcp.registry.allow"),
        ] {
            assert_eq!(check(arguments)["rule_id"], rule, "{arguments:?}");
        }
        let list = |filter: &[&str]| ids(&registry(&home, &[&["mcp-list"], filter].concat(), store), "server_id");
        assert_eq!(list(&[]), ["files", "git"]);
        assert_eq!(list(&["--trust-tier", "trusted"]), ["files"]);
        assert_eq!(list(&["--approval-state", "approved"]), ["git"]);
        assert_eq!(list(&["--capability", "repository"]), ["git"]);
        assert_eq!(list(&["--capability", "shell"]), Vec::<String>::new());
        for wrong in [
            &["mcp-register", "x", "--trust-tier", "splendid"][..],
            &["mcp-register", "x", "--approval-state", "maybe"],
        ] {
            home.cavra(&[&["registry"], wrong, store].concat()).run().fails();
        }
    }
}

#[test]
fn what_is_known_without_a_store() {
    let home = Home::new();
    let profiles = registry(&home, &["profiles"], &[]);
    assert_eq!(
        ids(&profiles, "profile_id"),
        ["aws-q-developer", "claude-code", "codex", "cursor", "gemini-cli", "github-copilot"]
    );
    let kinds = registry(&home, &["mcp-classifications"], &[]);
    assert_eq!(
        ids(&kinds, "capability"),
        ["cloud", "database", "filesystem", "network", "repository", "saas", "shell"]
    );
    assert_eq!(registry(&home, &["mcp-classifications", "--capability", " SHELL "], &[])["risk_tier"], "critical");
    let refused = home.cavra(&["registry", "mcp-classifications", "--capability", "magic"]).run().fails();
    assert!(refused.stderr.contains("magic"), "{refused:?}");
    assert!(!home.exists(".cavra"));
}
