//! Hand-off payloads: what tickets, chats and queues are given, ready to be sent by somebody who may.

use cavra_model::{Object, members, word};
use serde_json::{Value, json};

use crate::record::member;

/// A system that work is handed to.
#[derive(Debug)]
pub struct Destination {
    /// Its name.
    pub name: &'static str,
    /// Member of the payload with what the system takes, and how it is made.
    content: (&'static str, fn(&Facts<'_>) -> Value),
}

/// What every payload is made from.
pub struct Facts<'a> {
    /// Id of the hand-off.
    pub handoff_id: &'a str,
    /// The remediation request.
    pub request: &'a Object,
    /// Id and state of its approval, at this moment.
    pub approval_id: &'a str,
    /// State of the approval.
    pub approval_state: &'a str,
}

/// The systems, by name.
pub static DESTINATIONS: [Destination; 5] = [
    Destination { name: "jira", content: ("issue", jira) },
    Destination { name: "private_queue", content: ("queue_event", private_queue) },
    Destination { name: "servicenow", content: ("change_request", servicenow) },
    Destination { name: "slack", content: ("message", slack) },
    Destination { name: "teams", content: ("message_card", teams) },
];

/// The destination with a name in any of its spellings: case, blanks around it and dashes do not matter.
pub fn destination(name: &str) -> Option<&'static Destination> {
    let name = word(name);
    DESTINATIONS.iter().find(|destination| destination.name == name)
}

impl Destination {
    /// Its payload.
    pub fn payload(&self, facts: &Facts<'_>) -> Value {
        let request = facts.request;
        let mut payload = members::built(json!({
            "schema_version": format!("cavra.endpoint-remediation-handoff.{}.v1", self.name),
            "product": "CAVRA",
            "handoff_id": facts.handoff_id,
            "provider": self.name,
            "approval_id": facts.approval_id,
            "approval_state": facts.approval_state,
            "execution_guard": {
                "requires_approved_approval": true,
                "approval_id": facts.approval_id,
                "private_connector_must_recheck_approval": true,
            },
        }));
        for name in
            ["request_id", "reconciliation_id", "action_count", "strategy", "release", "channel", "summary", "actions"]
        {
            payload.insert(name.to_owned(), member(request, name));
        }
        let (name, content) = self.content;
        payload.insert(name.to_owned(), content(facts));
        Value::Object(payload)
    }
}

impl Facts<'_> {
    fn title(&self) -> String {
        format!("CAVRA endpoint remediation {}", members::text(self.request, "request_id"))
    }

    fn text(&self) -> String {
        let count = self.request.get("action_count").and_then(Value::as_u64).unwrap_or_default();
        let reconciliation = members::text(self.request, "reconciliation_id");
        let (id, state) = (self.approval_id, self.approval_state);
        format!("Reconciliation {reconciliation} needs {count} actions; approval {id} is {state}.")
    }

    fn alert(&self) -> &str {
        members::text(self.request, "alert_level")
    }
}

fn jira(facts: &Facts<'_>) -> Value {
    json!({
        "project": { "key": "CAVRA" },
        "issuetype": { "name": "Task" },
        "summary": facts.title(),
        "description": facts.text(),
        "labels": ["cavra", "endpoint-remediation", members::text(facts.request, "strategy")],
    })
}

fn servicenow(facts: &Facts<'_>) -> Value {
    json!({
        "short_description": facts.title(),
        "description": facts.text(),
        "category": "software",
        "subcategory": "endpoint_runtime",
        "impact": if facts.alert() == "critical" { "2" } else { "3" },
        "urgency": "2",
        "correlation_id": facts.handoff_id,
        "u_cavra_request_id": members::text(facts.request, "request_id"),
        "u_cavra_approval_id": facts.approval_id,
    })
}

fn slack(facts: &Facts<'_>) -> Value {
    let (title, text) = (escaped(&facts.title()), escaped(&facts.text()));
    json!({
        "text": title,
        "blocks": [
            { "type": "section", "text": { "type": "mrkdwn", "text": format!("*{title}*\n{text}") } },
            { "type": "context", "elements": [{ "type": "mrkdwn", "text": escaped(facts.handoff_id) }] },
        ],
    })
}

fn teams(facts: &Facts<'_>) -> Value {
    json!({
        "@type": "MessageCard",
        "@context": "https://schema.org/extensions",
        "summary": facts.title(),
        "themeColor": if facts.alert() == "warning" { "D97706" } else { "DC2626" },
        "title": facts.title(),
        "text": facts.text(),
    })
}

fn private_queue(facts: &Facts<'_>) -> Value {
    let items = members::objects(facts.request, "actions").into_iter().map(|action| {
        json!({
            "action_id": member(action, "action_id"),
            "action_type": member(action, "action_type"),
            "provider": member(action, "provider"),
            "deployment_target": member(action, "deployment_target"),
            "endpoint_id": member(action, "endpoint_id"),
            "requires_approval_id": facts.approval_id,
        })
    });
    json!({
        "event_type": "cavra.endpoint_remediation_handoff",
        "dedupe_key": facts.handoff_id,
        "status": "ready_for_private_connector",
        "work_items": items.collect::<Vec<_>>(),
    })
}

/// A text as Slack's mrkdwn takes it, so that no value can ping or link. Source: Slack, "Formatting text".
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
