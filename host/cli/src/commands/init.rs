//! `cavra init <agent>`: merges cavra into what the agent's configuration already holds. Contract 10, section 13;
//! contract 60, "What we build".

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use cavra_model::Object;
use serde_json::{Value, json};

use super::policy::write_starter;
use crate::args::Json;
use crate::output::{print_json, print_line};

const POLICY: &str = ".cavra/policy.yaml";
const MCP_CONFIG: &str = ".mcp.json";
const CLAUDE_SETTINGS: &str = ".claude/settings.json";
/// What the hook entry runs, through a shell. The pack is named here, because the hook's environment is the agent's.
const HOOK_COMMAND: &str = r#"cavra hook claude-code --policy-file "$CLAUDE_PROJECT_DIR/.cavra/policy.yaml""#;
/// Seconds the agent waits for the hook, twice the hook's own deadline.
const HOOK_TIMEOUT: u64 = 10;

pub fn claude_code(install_hook: bool, format: Json) -> anyhow::Result<ExitCode> {
    // Everything that can be refused is read before anything is written.
    let mcp = with_mcp_server(read_object(MCP_CONFIG)?)?;
    let settings = if install_hook { Some(with_hook(read_object(CLAUDE_SETTINGS)?)?) } else { None };
    fs::create_dir_all(".cavra/session").context("cannot create .cavra/session")?;
    let mut written = vec![MCP_CONFIG];
    if write_starter(Path::new(POLICY))? {
        written.push(POLICY);
    }
    write_object(MCP_CONFIG, &mcp)?;
    if let Some(settings) = settings {
        write_object(CLAUDE_SETTINGS, &settings)?;
        written.push(CLAUDE_SETTINGS);
    }
    if format.json {
        print_json(&json!({ "written": written }))?;
    } else {
        for path in &written {
            print_line(&format!("wrote {path}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn with_mcp_server(mut config: Object) -> anyhow::Result<Object> {
    let servers = config.entry("mcpServers").or_insert_with(|| json!({}));
    let Value::Object(servers) = servers else { bail!("{MCP_CONFIG}: mcpServers is not an object; it was left alone") };
    servers.insert(
        "cavra".to_owned(),
        json!({ "command": "cavra", "args": ["mcp-server"], "env": { "CAVRA_POLICY": POLICY } }),
    );
    Ok(config)
}

/// Adds the `PreToolUse` hook unless some entry already runs it.
fn with_hook(mut settings: Object) -> anyhow::Result<Object> {
    let hooks = settings.entry("hooks").or_insert_with(|| json!({}));
    let Value::Object(hooks) = hooks else { bail!("{CLAUDE_SETTINGS}: hooks is not an object; it was left alone") };
    let groups = hooks.entry("PreToolUse").or_insert_with(|| json!([]));
    let Value::Array(groups) = groups else {
        bail!("{CLAUDE_SETTINGS}: hooks.PreToolUse is not a list; it was left alone")
    };
    let installed = groups.iter().filter_map(|group| group.get("hooks")?.as_array()).flatten().any(|hook| {
        hook.get("command").and_then(Value::as_str).is_some_and(|command| command.contains("cavra hook claude-code"))
    });
    if !installed {
        groups.push(json!({
            "matcher": "*",
            "hooks": [{
                "type": "command", "command": HOOK_COMMAND, "timeout": HOOK_TIMEOUT, "onFailure": "block",
            }],
        }));
    }
    Ok(settings)
}

/// The object in a configuration file; an absent file is an empty object, an unreadable one an error.
fn read_object(path: &str) -> anyhow::Result<Object> {
    match fs::read_to_string(path) {
        Ok(text) => {
            serde_json::from_str(&text).with_context(|| format!("{path} is not a JSON object; it was left alone"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Object::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {path}; it was left alone")),
    }
}

fn write_object(path: &str, object: &Object) -> anyhow::Result<()> {
    Ok(cavra_evidence::write_file(Path::new(path), format!("{}\n", serde_json::to_string_pretty(object)?))?)
}
