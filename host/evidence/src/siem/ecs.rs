//! Elastic Common Schema, with its `gen_ai` fields, which are beta.

use cavra_model::Digest;
use serde_json::{Map, Value, json};

use super::event::{Effect, SecurityEvent};

const VERSION: &str = "9.4.0";

pub fn encode(event: &SecurityEvent<'_>) -> Value {
    // Whatever an agent does, it does by calling a tool; what the call is about comes first.
    let (categories, verb): (&[&str], _) = match event.action_type {
        "execute_command" => (&["process", "api"], "start"),
        "read_file" => (&["file", "api"], "access"),
        "write_file" => (&["file", "api"], "change"),
        "mcp_tool_call" => (&["api"], "access"),
        _ => (&["api"], "change"),
    };
    let allowed = if event.effect.permits() { "allowed" } else { "denied" };
    let mut out = json!({
        "@timestamp": event.time,
        "ecs": { "version": VERSION },
        "message": event.headline(),
        "event": {
            "kind": if event.effect.permits() { "event" } else { "alert" },
            "category": categories,
            "type": [verb, allowed],
            "action": format!("{}-{}", event.action_type, event.verdict),
            // As the producer sees it: a refused action did not succeed, and of an allowed one nothing is known yet.
            "outcome": if event.effect.permits() { "unknown" } else { "failure" },
            "id": event.id,
            "module": "cavra",
            "dataset": "cavra.decisions",
            "provider": "cavra",
            "reason": event.reason,
            "severity": severity(event.severity),
            "original": event.original,
            "hash": Digest::of(&event.original).hex(),
        },
        "rule": { "id": event.rule, "name": event.rule, "ruleset": event.pack, "version": event.pack_version },
        "user": { "name": event.actor },
        "gen_ai": {
            "agent": { "id": event.agent, "name": event.agent },
            "operation": { "name": "execute_tool" },
            "tool": { "name": tool(event), "type": "function", "call": { "id": event.id } },
        },
        "observer": { "product": "CAVRA", "vendor": "CAVRA", "version": env!("CARGO_PKG_VERSION") },
        "labels": {
            "cavra_session": event.session,
            "cavra_repository": event.repository,
            "cavra_correlation": event.correlation,
            "cavra_decision": event.verdict,
            "cavra_held": event.effect == Effect::Held,
        },
    });
    let special = match event.action_type {
        "execute_command" => Some(("process", json!({ "command_line": event.target }))),
        "read_file" | "write_file" => Some(("file", json!({ "path": event.target }))),
        "mcp_tool_call" => Some(("service", json!({ "target": { "name": event.mcp_call().0 } }))),
        _ => None,
    };
    if let Value::Object(members) = &mut out {
        members.extend(special.map(|(name, value)| (name.to_owned(), value)));
        if let (Some(approval), Some(Value::Object(labels))) = (event.approval, members.get_mut("labels")) {
            labels.extend(Map::from_iter([
                ("cavra_approval".to_owned(), json!(approval.id)),
                ("cavra_approval_state".to_owned(), json!(approval.state)),
                ("cavra_approver".to_owned(), json!(approval.who)),
            ]));
        }
    }
    out
}

/// The tool that the agent used, as its kind of action says.
fn tool<'a>(event: &SecurityEvent<'a>) -> &'a str {
    let (_, tool) = event.mcp_call();
    if event.action_type == "mcp_tool_call" && !tool.is_empty() { tool } else { event.action_type }
}

/// Severities as numbers that sort, on the scale of 0 to 100 that Elastic's risk scores have.
fn severity(severity: &str) -> u32 {
    match severity {
        "low" => 21,
        "medium" => 47,
        "high" => 73,
        "critical" => 99,
        _ => 0,
    }
}
