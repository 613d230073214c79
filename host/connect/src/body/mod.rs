//! Bodies: an event in the form that each system takes.

mod chat;
mod siem;
mod tickets;

use cavra_model::Timestamp;
use serde_json::{Value, json};

use crate::Provider;
use crate::event::Event;
use crate::target::Style;

/// The body for a provider. `now` stands in for the time of an event that has none.
pub(crate) fn body(provider: Provider, event: Event<'_>, style: &Style, now: Timestamp) -> Value {
    match provider {
        Provider::Splunk => siem::splunk(event, style, now),
        Provider::Sentinel => siem::sentinel(event, style, now),
        Provider::Datadog => siem::datadog(event, style),
        Provider::Slack => chat::slack(event, style),
        Provider::Teams => chat::teams(event, style),
        Provider::Jira | Provider::ServiceNow => tickets::ticket(provider, event, style, false),
        Provider::Webhook | Provider::Jamf | Provider::Intune | Provider::Linux => envelope(provider, event),
    }
}

/// As [`body`], for a target whose address says which version of an interface it is.
pub(crate) fn body_for(provider: Provider, event: Event<'_>, style: &Style, path: &str, now: Timestamp) -> Value {
    match provider {
        Provider::Jira => tickets::ticket(provider, event, style, path.contains("/rest/api/3/")),
        _ => body(provider, event, style, now),
    }
}

/// What a receiver of one's own gets: the event in an envelope, or bare where receivers expect it so.
fn envelope(provider: Provider, event: Event<'_>) -> Value {
    if event.is_notification() {
        let mut bare = event.members.clone();
        bare.insert("provider".to_owned(), json!(provider.as_str()));
        return Value::Object(bare);
    }
    json!({
        "schema_version": "cavra.webhook.evidence.v1",
        "product": "CAVRA",
        "event_type": event.kind(),
        "timestamp": event.members.get("timestamp"),
        "payload": event.members,
    })
}

/// The first characters of a text.
fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// Four facts about an event, as chats show them.
fn facts(event: Event<'_>) -> [(&'static str, String); 4] {
    [
        ("Event", event.kind().to_owned()),
        ("Session", event.session().unwrap_or("n/a").to_owned()),
        ("Blocked", event.count("blocked_count").to_string()),
        ("Severity", event.severity().to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use cavra_model::Object;

    pub(super) fn event() -> Object {
        let event = json!({
            "event_type": "cavra.test", "session_id": "s<1>", "timestamp": "2031-01-02T03:04:05Z", "decision_count": 3,
            "blocked_count": 1, "max_severity": "high",
        });
        event.as_object().cloned().unwrap()
    }

    #[test]
    fn receivers_of_ones_own_get_an_envelope() {
        let members = event();
        for provider in [Provider::Webhook, Provider::Jamf, Provider::Intune, Provider::Linux] {
            let body = body(provider, Event { members: &members }, &Style::default(), Timestamp::now());
            assert_eq!(body["schema_version"], "cavra.webhook.evidence.v1");
            assert_eq!((&body["timestamp"], &body["payload"]), (&members["timestamp"], &json!(members)));
        }
        let mut bare = event();
        bare.insert("event_type".into(), json!("cavra.go_backend.rollback_drill.notification"));
        bare.remove("timestamp");
        let body = body(Provider::Webhook, Event { members: &bare }, &Style::default(), Timestamp::now());
        assert_eq!((&body["provider"], &body["session_id"]), (&json!("webhook"), &json!("s<1>")));
    }
}
