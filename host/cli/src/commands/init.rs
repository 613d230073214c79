//! `cavra init <agent>`: merges cavra into what the agent's configuration already holds. Contract 10, section 13;
//! contract 60, "What we build".

mod document;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Value, json};

use self::document::Node;
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
    let mut changed = vec![(MCP_CONFIG, with_mcp_server(read(MCP_CONFIG)?)?)];
    if install_hook {
        changed.push((CLAUDE_SETTINGS, with_hook(read(CLAUDE_SETTINGS)?)?));
    }
    fs::create_dir_all(".cavra/session").context("cannot create .cavra/session")?;
    let mut written = Vec::new();
    if write_starter(Path::new(POLICY))? {
        written.push(POLICY);
    }
    for (path, document) in changed {
        if let Some(document) = document {
            cavra_evidence::write_file(Path::new(path), format!("{}\n", serde_json::to_string_pretty(&document)?))?;
            written.push(path);
        }
    }
    if format.json {
        print_json(&json!({ "written": written }))?;
    } else if written.is_empty() {
        print_line("cavra is set up here already")?;
    } else {
        written.iter().try_for_each(|path| print_line(&format!("wrote {path}")))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The configuration with our MCP server; none if it is in there. Of an entry that is there everything stays but how
/// something else was started.
fn with_mcp_server(mut config: Node) -> anyhow::Result<Option<Node>> {
    let alone = |what: &str| format!("{MCP_CONFIG}: {what} is not an object; it was left alone");
    let servers = config.member("mcpServers", json!({})).with_context(|| alone("the document"))?;
    let entry = servers.member("cavra", json!({})).with_context(|| alone("mcpServers"))?;
    let before = entry.value();
    let starts_us = before.get("command").is_some_and(Value::is_string)
        && before.pointer("/args/0").is_some_and(|argument| argument == "mcp-server");
    for (name, value) in [("command", json!("cavra")), ("args", json!(["mcp-server"]))] {
        let member = entry.member(name, Value::Null).with_context(|| alone("mcpServers.cavra"))?;
        if !starts_us {
            *member = Node::from(value);
        }
    }
    let env = entry.member("env", json!({})).with_context(|| alone("mcpServers.cavra"))?;
    env.member("CAVRA_POLICY", json!(POLICY)).with_context(|| alone("mcpServers.cavra.env"))?;
    let unchanged = entry.value() == before;
    Ok((!unchanged).then_some(config))
}

/// The settings with the `PreToolUse` hook; none if it is in there for every tool. One that is there for some tools is
/// moved to where it sees all: beside a second one it would record everything twice, and use up an approval twice.
fn with_hook(mut settings: Node) -> anyhow::Result<Option<Node>> {
    let alone = |what: &str| format!("{CLAUDE_SETTINGS}: {what}; it was left alone");
    let hooks = settings.member("hooks", json!({})).with_context(|| alone("the document is not an object"))?;
    let groups = hooks.member("PreToolUse", json!([])).with_context(|| alone("hooks is not an object"))?;
    let groups = groups.list().with_context(|| alone("hooks.PreToolUse is not a list"))?;
    if groups.iter().map(Node::value).any(|group| sees_every_tool(&group) && hooks_of(&group).any(is_ours)) {
        return Ok(None);
    }
    let mut moved = None;
    groups.retain_mut(|group| {
        let found = hooks_of(&group.value()).find(|hook| is_ours(hook)).cloned();
        let hooks = found.is_some().then(|| group.member("hooks", json!([])).and_then(Node::list)).flatten();
        let Some(hooks) = hooks else { return true };
        moved = moved.take().or(found);
        hooks.retain(|hook| !is_ours(&hook.value()));
        !hooks.is_empty()
    });
    let hook = moved.unwrap_or_else(
        || json!({ "type": "command", "command": HOOK_COMMAND, "timeout": HOOK_TIMEOUT, "onFailure": "block" }),
    );
    groups.push(Node::from(json!({ "matcher": "*", "hooks": [hook] })));
    Ok(Some(settings))
}

fn hooks_of(group: &Value) -> impl Iterator<Item = &Value> {
    group.get("hooks").and_then(Value::as_array).into_iter().flatten()
}

fn is_ours(hook: &Value) -> bool {
    hook.get("command").and_then(Value::as_str).is_some_and(|command| command.contains("cavra hook claude-code"))
}

/// Contract 60, "Claude Code": `*`, empty or absent is all; what is no name is an unanchored regular expression.
fn sees_every_tool(group: &Value) -> bool {
    group.get("matcher").is_none_or(|matcher| matcher.as_str().is_some_and(|it| ["", "*", ".*"].contains(&it)))
}

/// A configuration file; an absent one is an empty object, an unreadable one an error.
fn read(path: &str) -> anyhow::Result<Node> {
    match fs::read_to_string(path) {
        Ok(text) => Node::read(&text).with_context(|| format!("{path} is not a JSON object; it was left alone")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Node::from(json!({}))),
        Err(error) => Err(error).with_context(|| format!("cannot read {path}; it was left alone")),
    }
}
