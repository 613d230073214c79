//! Slack: blocks for an incoming webhook. Values of an event name nobody and link nowhere.
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>

use connector::{Approval, Message, Row, cut};
use serde_json::{Value, json};

static SLACK: Row = Row {
    id: "slack",
    title: "Slack",
    meaning: "an incoming webhook; its address lets in whoever knows it",
    example: "https://slack.example.invalid/services/placeholder",
    event,
    approval: Some(approval),
    ..Row::PLAIN
};

connector::export_connector!(SLACK);

/// Longest header and field that Slack takes, in characters.
const HEADER: usize = 150;
const FIELD: usize = 2000;

fn event(message: &Message<'_>) -> Value {
    let title = message.title();
    let fields = message.facts().map(
        |(name, value)| json!({ "type": "mrkdwn", "text": cut(&format!("*{name}:* {}", escaped(&value)), FIELD) }),
    );
    json!({
        "text": escaped(&title),
        "blocks": [
            { "type": "header", "text": { "type": "plain_text", "text": cut(&title, HEADER) } },
            { "type": "section", "fields": fields },
        ],
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn approval(approval: &Approval<'_>) -> Value {
    let field = |label: &str, value: &str| {
        let value = if value.is_empty() { "-" } else { value };
        json!({ "type": "mrkdwn", "text": format!("*{label}*\n{value}") })
    };
    let of = |label, member| field(label, approval.text(member));
    let mut fields = vec![
        of("Approver group", "approver_group"),
        of("State", "state"),
        of("Requested by", "requested_by"),
        of("External reference", "external_ref"),
    ];
    fields.extend(approval.remarks().map(|(label, text)| field(label, text)));
    json!({
        "text": approval.title(),
        "blocks": [
            { "type": "header", "text": { "type": "plain_text", "text": approval.title() } },
            { "type": "section", "fields": fields },
        ],
    })
}
