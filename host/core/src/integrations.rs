//! Integrations: events that a caller sends through one of them.

use cavra_connect::{Options, Source};
use cavra_model::members::text;
use cavra_model::{INTEGRATIONS, Object};
use serde_json::{Value, json};

use crate::{App, CoreError};

/// Members of a body that say how to deliver; they are not part of an event that is the body itself.
const CONTROLS: [&str; 3] = ["provider", "retries", "timeout_seconds"];

/// Members of an event that say which integration sends it, with the member of the integration's record.
const FROM_THE_RECORD: [(&str, &str); 3] =
    [("integration_id", "integration_id"), ("integration_provider", "provider"), ("integration_category", "category")];

impl App {
    /// Delivers a caller's event through an integration; answers `cavra.connector.delivery.v1`. That a system did not take
    /// it is no error.
    ///
    /// # Errors
    /// In this order: [`CoreError::NotFound`]; [`CoreError::BadRequest`] without connectors; [`CoreError::Conflict`] if it
    /// is disabled; [`CoreError::BadRequest`] for the options and for connectors that cannot be used. Nothing was sent then.
    pub async fn deliver_through(&self, id: &str, body: Object) -> Result<Object, CoreError> {
        let record = self.registry.get(&INTEGRATIONS, id).await?;
        let connectors = self.connectors()?;
        if text(&record, "status") == "disabled" {
            return Err(CoreError::Conflict("this integration is disabled".to_owned()));
        }
        let options = Options::of(&body, text(&record, "provider"))?;
        Ok(connectors.deliver(event(&record, body), Source::Caller, &options).await?)
    }
}

/// The event in a body, or which the body is, as the integration sends it.
fn event(record: &Object, mut body: Object) -> Object {
    let mut event = match body.remove("event") {
        Some(Value::Object(event)) => event,
        other => {
            body.extend(other.map(|other| ("event".to_owned(), other)));
            body.retain(|member, _| !CONTROLS.contains(&member.as_str()));
            body
        }
    };
    for (member, value) in [("event_type", "cavra.integration.delivery"), ("product", "CAVRA")] {
        let absent = event.get(member).is_none_or(Value::is_null);
        if absent {
            event.insert(member.to_owned(), json!(value));
        }
    }
    for (member, source) in FROM_THE_RECORD {
        event.insert(member.to_owned(), record.get(source).cloned().unwrap_or(Value::Null));
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use cavra_model::members::built;

    #[test]
    fn an_event_says_which_integration_sends_it() {
        let record = built(json!({"integration_id": "i", "provider": "splunk", "category": "siem"}));
        let stamp = json!({"integration_id": "i", "integration_provider": "splunk", "integration_category": "siem"});
        for (body, wanted) in [
            (json!({}), json!({"event_type": "cavra.integration.delivery", "product": "CAVRA"})),
            (
                json!({"event": {"event_type": "t", "a": 1, "integration_id": "forged"}, "provider": "jira"}),
                json!({"event_type": "t", "a": 1, "product": "CAVRA"}),
            ),
            (
                json!({"a": 1, "provider": "jira", "retries": 0, "timeout_seconds": 1, "product": "P"}),
                json!({"event_type": "cavra.integration.delivery", "a": 1, "product": "P"}),
            ),
            (
                json!({"event": "fire", "event_type": null}),
                json!({"event": "fire", "event_type": "cavra.integration.delivery", "product": "CAVRA"}),
            ),
        ] {
            let mut wanted = built(wanted);
            wanted.extend(built(stamp.clone()));
            assert_eq!(event(&record, built(body)), wanted);
        }
    }
}
