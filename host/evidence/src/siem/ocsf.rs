//! Open Cybersecurity Schema Framework 1.8.0, the newest published version.
//!
//! A command is Process Activity: Launch, a file access is File System Activity, and everything else that an agent
//! does through a tool is API Activity, an MCP call with the activity `Invoke`. A refused command is a Launch with
//! the action Denied and no Terminate. The decision is the event's `raw_data`, in canonical form and with its digest,
//! so that an event can be compared with the evidence bundle it came from.

use cavra_model::Digest;
use serde_json::{Value, json};

use super::event::{Effect, SecurityEvent};

const VERSION: &str = "1.8.0";

/// What an event has besides what all classes share.
struct Class {
    uid: u32,
    name: &'static str,
    category: (u32, &'static str),
    activity: (u32, &'static str),
    /// Names and values of the members that only this class has.
    members: Vec<(&'static str, Value)>,
}

impl Class {
    fn is_process(&self) -> bool {
        self.uid == 1001
    }
}

pub fn encode(event: &SecurityEvent<'_>) -> Value {
    let class = class(event);
    let (severity_id, severity) = severity(event.severity);
    let (action_id, action, disposition_id, disposition) = verdict(event.effect);
    let mut out = json!({
        "activity_id": class.activity.0,
        "activity_name": class.activity.1,
        "category_uid": class.category.0,
        "category_name": class.category.1,
        "class_uid": class.uid,
        "class_name": class.name,
        "type_uid": class.uid * 100 + class.activity.0,
        "type_name": format!("{}: {}", class.name, class.activity.1),
        "time": event.millis(),
        "severity_id": severity_id,
        "severity": severity,
        "action_id": action_id,
        "action": action,
        "disposition_id": disposition_id,
        "disposition": disposition,
        "is_alert": !event.effect.permits(),
        "message": event.headline(),
        "status_detail": event.reason,
        "actor": actor(event),
        "policy": { "uid": event.pack, "name": event.pack, "version": event.pack_version, "is_applied": true },
        "firewall_rule": { "uid": event.rule, "name": event.rule },
        "metadata": metadata(event, &class),
        "raw_data": event.original,
        "raw_data_size": event.original.len(),
        "raw_data_hash": { "algorithm_id": 3, "algorithm": "SHA-256", "value": Digest::of(&event.original).hex() },
        "unmapped": unmapped(event),
    });
    if let Value::Object(members) = &mut out {
        if !class.is_process() {
            let service = json!({ "name": present(event.agent) });
            let context = json!({ "uid": event.session, "service": service, "ai_role_id": 4, "ai_role": "Agent" });
            members.insert("message_context".to_owned(), context);
        }
        members.extend(class.members.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    out
}

fn actor(event: &SecurityEvent<'_>) -> Value {
    json!({
        "app_name": present(event.agent),
        "app_uid": present(event.agent),
        "user": { "name": present(event.actor), "type_id": 0, "type": "Unknown" },
        "session": { "uid": event.session },
    })
}

fn metadata(event: &SecurityEvent<'_>, class: &Class) -> Value {
    let profiles = if class.is_process() { &["security_control"][..] } else { &["security_control", "ai_operation"] };
    json!({
        "version": VERSION,
        "uid": event.id,
        "correlation_uid": event.correlation,
        "profiles": profiles,
        "product": { "name": "CAVRA", "vendor_name": "CAVRA", "version": env!("CARGO_PKG_VERSION") },
        "log_name": "cavra.decisions",
        "original_time": event.time,
    })
}

/// What the schema has no place for.
fn unmapped(event: &SecurityEvent<'_>) -> Value {
    json!({
        "cavra": {
            "repository": event.repository,
            "action_type": event.action_type,
            "decision": event.verdict,
            "approval": event.approval.map(|approval| json!({
                "uid": approval.id, "state": approval.state, "approver": approval.who,
            })),
        },
    })
}

fn class(event: &SecurityEvent<'_>) -> Class {
    // The host is not known where the decision is made; the schema wants one all the same.
    let device = || ("device", json!({ "type_id": 0, "type": "Unknown", "name": "agent workstation" }));
    let file = || {
        let name = event.target.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(event.target);
        ("file", json!({ "name": present(name), "path": event.target, "type_id": 1, "type": "Regular File" }))
    };
    let call = |operation: &str, server: &str| {
        vec![
            (
                "api",
                json!({
                    "operation": operation, "service": { "name": present(server) }, "request": { "uid": event.id },
                }),
            ),
            ("src_endpoint", json!({ "svc_name": present(event.agent) })),
        ]
    };
    const SYSTEM: (u32, &str) = (1, "System Activity");
    const APPLICATION: (u32, &str) = (6, "Application Activity");
    let of = |uid, name, category, activity, members| Class { uid, name, category, activity, members };
    match event.action_type {
        "execute_command" => {
            // It has not run, so there is no process id; the decision stands for the process that was asked for.
            let process = json!({ "uid": event.id, "cmd_line": event.target });
            of(1007, "Process Activity", SYSTEM, (1, "Launch"), vec![("process", process), device()])
        }
        "read_file" => of(1001, "File System Activity", SYSTEM, (2, "Read"), vec![file(), device()]),
        "write_file" => of(1001, "File System Activity", SYSTEM, (3, "Update"), vec![file(), device()]),
        "mcp_tool_call" => {
            let (server, tool) = event.mcp_call();
            let mut members = call("tools/call", server);
            members.push(("resources", json!([{ "type": "mcp_tool", "name": present(tool) }])));
            of(6003, "API Activity", APPLICATION, (99, "Invoke"), members)
        }
        "pull_request" => of(6003, "API Activity", APPLICATION, (1, "Create"), call("pull_request", event.repository)),
        _ => {
            let operation = format!("{} {}", event.action_type, event.operation);
            let mut members = call(operation.trim(), event.repository);
            members.push(("resources", json!([{ "type": event.action_type, "name": present(event.target) }])));
            of(6003, "API Activity", APPLICATION, (99, "Invoke"), members)
        }
    }
}

fn severity(severity: &str) -> (u32, &'static str) {
    match severity {
        "low" => (2, "Low"),
        "medium" => (3, "Medium"),
        "high" => (4, "High"),
        "critical" => (5, "Critical"),
        _ => (0, "Unknown"),
    }
}

/// Action and disposition of the profile `security_control`.
fn verdict(effect: Effect) -> (u32, &'static str, u32, &'static str) {
    match effect {
        Effect::Allowed => (1, "Allowed", 1, "Allowed"),
        Effect::Approved => (1, "Allowed", 8, "Approved"),
        Effect::Warned => (1, "Allowed", 19, "Alert"),
        Effect::Observed => (3, "Observed", 17, "Logged"),
        Effect::Held => (2, "Denied", 14, "Delayed"),
        Effect::Denied => (2, "Denied", 2, "Blocked"),
    }
}

/// Where the schema wants a name, an absent one is said to be unknown.
fn present(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}
