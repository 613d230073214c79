//! Receivers of one's own: a webhook, and the relays that publish to endpoint-management tools. The event stands in an
//! envelope, or bare where receivers expect it so. Every message names itself as Standard Webhooks describes.

use connector::{Approval, Message, Row};
use serde_json::{Value, json};

static RECEIVER: Row = Row {
    id: "receiver",
    title: "A receiver of one's own",
    meaning: "the receiver",
    example: "https://webhook.example.invalid/cavra",
    is_own_receiver: true,
    event,
    approval: Some(approval),
    ..Row::PLAIN
};

connector::export_connector!(RECEIVER);

fn event(message: &Message<'_>) -> Value {
    if message.is_notification() {
        let mut bare = message.members.clone();
        bare.insert("provider".to_owned(), json!(message.context.connector));
        return Value::Object(bare);
    }
    json!({
        "schema_version": "cavra.webhook.evidence.v1",
        "product": "CAVRA",
        "event_type": message.kind(),
        "timestamp": message.members.get("timestamp"),
        "payload": message.members,
    })
}

fn approval(approval: &Approval<'_>) -> Value {
    json!({
        "schema_version": "cavra.approval.notification.v1",
        "product": "CAVRA",
        "event_type": format!("cavra.approval.{}", approval.text("state")),
        "timestamp": approval.context.now.text,
        "payload": approval.record,
    })
}
