//! What a machine says of the agents on it, and that the `linux` normalizer reads it as an inventory.

use serde_json::{Value, json};

use crate::release_cli::release;
use crate::release_package::sha;
use crate::support::{Home, text};

fn report(home: &Home, arguments: &[&str]) -> Value {
    home.cavra(&[&["agent-report", "--json"], arguments].concat()).run().ok().json()
}

/// The one entry of a list with this member.
fn entry<'a>(list: &'a Value, member: &str, value: &str) -> &'a Value {
    let mut found = list.as_array().unwrap().iter().filter(|entry| entry[member] == value);
    let entry = found.next().unwrap_or_else(|| panic!("{member} {value} in {list:#}"));
    assert_eq!(found.next(), None);
    entry
}

#[test]
fn a_machine_reports_itself_and_is_ingested() {
    let home = Home::new();
    let secret = ["ghp_", "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dF3hJ5"].concat();
    let servers = json!({"mcpServers": {
        "files": {"command": "mcp-files", "args": ["--root", "."], "env": {"TOKEN": secret}},
        "inline": {"command": format!("TOKEN={secret} npx mcp")},
        "tickets": {"type": "http", "url": "https://tickets.example/mcp", "headers": {"Authorization": secret}}}});
    home.write(".mcp.json", servers.to_string());
    home.write(".codex/config.toml", "model = \"x\"\n");
    home.cavra(&["init", "claude-code"]).run().ok();
    let said = report(&home, &["--endpoint-id", "box-7", "--deployment-target", "linux-a", "--channel", "beta"]);
    assert_eq!(said["schema_version"], "cavra.agent-report.v1");
    let endpoint = &said["endpoints"][0];
    assert_eq!(endpoint["binary_sha256"], sha(std::fs::read(env!("CARGO_BIN_EXE_cavra")).unwrap()));
    assert_eq!(endpoint["hooks"].as_array().map(Vec::len), Some(1), "{endpoint:#}");
    assert_eq!(endpoint["hooks"][0]["every_tool"], true);

    let line = home.cavra(&["agent-report", "--endpoint-id", "box-7"]).run().ok().stdout;
    assert!(line.starts_with("box-7: cavra ") && line.contains("hooks: 1"), "{line}");

    let configured = entry(&endpoint["agents"], "agent", "claude-code");
    let settings = home.read(".claude/settings.json");
    let written = configured["configuration"].as_array().unwrap();
    let written = written.iter().find(|file| text(file, "path").ends_with(".claude/settings.json")).unwrap();
    assert_eq!(written["sha256"], sha(settings));

    let files = entry(&endpoint["mcp_servers"], "name", "files");
    assert_eq!((&files["transport"], &files["program"]), (&json!("stdio"), &json!("mcp-files")));
    assert_eq!(entry(&endpoint["mcp_servers"], "name", "tickets")["transport"], "http");
    assert!(!said.to_string().contains(&secret));
    assert_eq!(entry(&endpoint["mcp_servers"], "name", "inline")["program"], Value::Null);
    // What cannot be read is no empty list.
    home.write(".vscode/mcp.json", "{ // of mine\n}");
    let unreadable = report(&home, &["--endpoint-id", "x"]);
    let servers_there = unreadable["endpoints"][0]["mcp_servers"].as_array().unwrap();
    let is_said = |entry: &&Value| entry["unreadable"] == true && text(entry, "path").ends_with(".vscode/mcp.json");
    assert_eq!(servers_there.iter().filter(is_said).count(), 1, "{servers_there:?}");
    // Another secret is no other server, another argument is.
    let digest = |servers: &Value| {
        home.write(".mcp.json", servers.to_string());
        let said = report(&home, &["--endpoint-id", "x"]);
        text(entry(&said["endpoints"][0]["mcp_servers"], "name", "files"), "definition_sha256").to_owned()
    };
    let mut changed = servers;
    changed["mcpServers"]["files"]["env"] = json!({});
    assert_eq!(files["definition_sha256"], digest(&changed));
    changed["mcpServers"]["files"]["args"] = json!(["--root", "/"]);
    assert_ne!(files["definition_sha256"], digest(&changed));

    let active: Vec<_> = endpoint["policies"].as_array().unwrap().iter().filter(|it| it["active"] == true).collect();
    assert_eq!(active.len(), 1, "{}", endpoint["policies"]);
    assert_eq!(text(active[0], "sha256").len(), 64);

    home.write("report.json", said.to_string());
    let ingested = release(&home, 0, &["ingest-endpoint-inventory", "report.json", "--provider", "linux"]);
    let observed = &ingested["inventory"];
    assert_eq!(observed["channel"], "beta");
    assert_eq!(observed["observed_at"], said["observed_at"]);
    let mut wanted = json!({"endpoint_id": "box-7", "deployment_target": "linux-a", "provider": "linux"});
    for fact in ["hostname", "os", "os_version", "installed_version", "binary_sha256", "last_seen_at"] {
        wanted[fact] = endpoint[fact].clone();
    }
    assert_eq!(observed["endpoints"], json!([wanted]), "and nothing else of the report");
    assert_eq!(ingested["warnings"], json!([]));
}
