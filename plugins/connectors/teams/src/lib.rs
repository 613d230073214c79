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
    let facts = message.facts();
    if message.is_compatible() {
        let color = if message.count("blocked_count") > 0 { "C62828" } else { "2E7D32" };
        return message_card(&title, color, facts);
    }
    let body = vec![heading(&title), fact_set(facts)];
    adaptive_card(&body, &[])
}

fn heading(title: &str) -> Value {
    json!({ "type": "TextBlock", "text": title, "weight": "Bolder", "wrap": true })
}

fn fact_set(facts: Vec<(String, String)>) -> Value {
    let facts: Vec<Value> = facts.into_iter().map(|(name, value)| json!({ "title": name, "value": value })).collect();
    json!({ "type": "FactSet", "facts": facts })
}

/// A fact of an approval. Whatever stands in it is shown as it is: facts of a set and text blocks read Markdown, in which a link
/// hides where it leads. <https://adaptivecards.io/explorer/TextRun.html>
fn plain(label: &str, value: &str) -> Value {
    let value = if value.is_empty() { "-" } else { value };
    json!({ "type": "RichTextBlock", "inlines": [
        { "type": "TextRun", "text": format!("{label}: "), "weight": "Bolder" },
        { "type": "TextRun", "text": value },
    ] })
}

fn adaptive_card(body: &[Value], actions: &[Value]) -> Value {
    let mut content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    });
    if let (false, Some(content)) = (actions.is_empty(), content.as_object_mut()) {
        content.insert("actions".to_owned(), json!(actions));
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": content,
        }],
    })
}

/// An approval that can be answered or opened is a card of today; the older card, which workflows may not take, has
/// nothing to press.
fn approval(approval: &Approval<'_>) -> Value {
    let reason = approval.record.get("decision_reason").or_else(|| approval.record.get("decision")?.get("reason"));
    let reason = reason.and_then(Value::as_str).unwrap_or_default();
    let known =
        [("Approver group", approval.text("approver_group")), ("State", approval.text("state")), ("Reason", reason)];
    let facts = known.into_iter().chain(approval.remarks());
    let (answers, page) = (approval.answers(), approval.page());
    if answers.is_empty() && page.is_none() && approval.setting("payload_style") != Some("vendor") {
        let color = if approval.text("state") == "pending" { "E3A008" } else { "3F8F5B" };
        let facts = facts.map(|(name, value)| (name.to_owned(), value.to_owned()));
        return message_card(&approval.title(), color, facts.collect());
    }
    let asked = ("Requested by", approval.text("requested_by"));
    let subject = approval.subject().filter(|(label, _)| *label != "Reason");
    let mut body = vec![heading(&approval.title())];
    body.extend(facts.chain([asked]).chain(subject).map(|(label, value)| plain(label, value)));
    if !answers.is_empty() {
        let how = "To decide, mention cavra's outgoing webhook in a channel of this team, followed by one of these lines; \
                   a reason may follow.";
        body.push(json!({ "type": "TextBlock", "text": how, "wrap": true, "isSubtle": true }));
        for (_, answer) in answers {
            body.push(json!({ "type": "TextBlock", "text": answer, "wrap": true, "fontType": "Monospace" }));
        }
    }
    let open = page.map(|page| json!({ "type": "Action.OpenUrl", "title": "Open", "url": page }));
    adaptive_card(&body, open.as_slice())
}

fn message_card(title: &str, color: &str, facts: Vec<(String, String)>) -> Value {
    let facts: Vec<Value> = facts.into_iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({
        "@type": "MessageCard",
        "@context": "https://schema.org/extensions",
        "summary": title,
        "themeColor": color,
        "sections": [{ "activityTitle": title, "facts": facts }],
    })
}
