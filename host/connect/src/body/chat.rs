//! Slack and Microsoft Teams.

use serde_json::{Value, json};

use super::{cut, facts};
use crate::event::Event;
use crate::target::Style;

/// Longest header and field that Slack takes, in characters.
const SLACK_HEADER: usize = 150;
const SLACK_FIELD: usize = 2000;

/// Blocks of an incoming webhook. Values of an event name nobody and link nowhere.
pub(super) fn slack(event: Event<'_>, style: &Style) -> Value {
    let title = event.title(style.title.as_deref());
    let fields = facts(event).map(|(name, value)| {
        json!({ "type": "mrkdwn", "text": cut(&format!("*{name}:* {}", escaped(&value)), SLACK_FIELD) })
    });
    json!({
        "text": escaped(&title),
        "blocks": [
            { "type": "header", "text": { "type": "plain_text", "text": cut(&title, SLACK_HEADER) } },
            { "type": "section", "fields": fields },
        ],
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A card for a workflow; a relay may want the older card of the retired connectors.
pub(super) fn teams(event: Event<'_>, style: &Style) -> Value {
    let title = event.title(style.title.as_deref());
    if style.is_compatible {
        let color = if event.count("blocked_count") > 0 { "C62828" } else { "2E7D32" };
        let facts = facts(event).map(|(name, value)| json!({ "name": name, "value": value }));
        return json!({
            "@type": "MessageCard",
            "@context": "https://schema.org/extensions",
            "summary": title,
            "themeColor": color,
            "sections": [{ "activityTitle": title, "facts": facts }],
        });
    }
    let facts = facts(event).map(|(name, value)| json!({ "title": name, "value": value }));
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

#[cfg(test)]
mod tests {
    use super::super::tests::event;
    use super::*;

    #[test]
    fn an_event_calls_nobody_in_slack() {
        let mut members = event();
        members.insert("title".into(), json!("<!channel> & co"));
        let body = slack(Event { members: &members }, &Style::default());
        assert_eq!(body["text"], "&lt;!channel&gt; &amp; co");
        assert_eq!(body["blocks"][0]["text"]["text"], "<!channel> & co", "plain text is not read");
        assert_eq!(body["blocks"][1]["fields"][1]["text"], "*Session:* s&lt;1&gt;");
        members.insert("title".into(), json!("ü".repeat(200)));
        members.insert("event_type".into(), json!("x".repeat(3000)));
        let body = slack(Event { members: &members }, &Style::default());
        let length = |value: &Value| value.as_str().unwrap().chars().count();
        assert_eq!(length(&body["blocks"][0]["text"]["text"]), 150);
        assert_eq!(length(&body["blocks"][1]["fields"][0]["text"]), 2000);
    }

    #[test]
    fn teams_gets_a_card() {
        let members = event();
        let event = Event { members: &members };
        let style = Style { title: Some("T".into()), ..Style::default() };
        let card = &teams(event, &style)["attachments"][0]["content"];
        assert_eq!((&card["body"][0]["text"], &card["body"][1]["facts"][2]["value"]), (&json!("T"), &json!("1")));
        let old = teams(event, &Style { is_compatible: true, ..Style::default() });
        assert_eq!((&old["themeColor"], &old["summary"]), (&json!("C62828"), &json!("CAVRA cavra.test")));
    }
}
