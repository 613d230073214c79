//! Microsoft Teams: a card for a workflow; a relay may want the card of the retired connectors.
//! <https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook>

use connector::{Approval, Message, Row};
use serde_json::{Value, json};

static TEAMS: Row = Row {
    id: "teams",
    title: "Microsoft Teams",
    meaning: "the address of a workflow; it lets in whoever knows it",
    example: "https://teams.example.invalid/webhook/placeholder",
    event,
    approval: Some(approval),
    ..Row::PLAIN
};

connector::export_connector!(TEAMS);

fn event(message: &Message<'_>) -> Value {
    let title = message.title();
    if message.is_compatible() {
        let color = if message.count("blocked_count") > 0 { "C62828" } else { "2E7D32" };
        let facts = message.facts().map(|(name, value)| json!({ "name": name, "value": value }));
        return message_card(&title, color, &json!(facts));
    }
    let facts = message.facts().map(|(name, value)| json!({ "title": name, "value": value }));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [
                    { "type": "TextBlock", "text": title, "weight": "Bolder", "wrap": true },
                    { "type": "FactSet", "facts": facts },
                ],
            },
        }],
    })
}

fn approval(approval: &Approval<'_>) -> Value {
    let reason = approval.record.get("decision_reason").or_else(|| approval.record.get("decision")?.get("reason"));
    let reason = reason.and_then(Value::as_str).unwrap_or_default();
    let color = if approval.text("state") == "pending" { "E3A008" } else { "3F8F5B" };
    let mut facts = vec![
        json!({ "name": "Approver group", "value": approval.text("approver_group") }),
        json!({ "name": "State", "value": approval.text("state") }),
        json!({ "name": "Reason", "value": reason }),
    ];
    facts.extend(approval.remarks().map(|(name, value)| json!({ "name": name, "value": value })));
    message_card(&approval.title(), color, &json!(facts))
}

fn message_card(title: &str, color: &str, facts: &Value) -> Value {
    json!({
        "@type": "MessageCard",
        "@context": "https://schema.org/extensions",
        "summary": title,
        "themeColor": color,
        "sections": [{ "activityTitle": title, "facts": facts }],
    })
}
