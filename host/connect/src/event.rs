//! The parts of an event that bodies are made of.

use cavra_model::members::{filled, text};
use cavra_model::{Object, Timestamp};
use serde_json::Value;

/// The event of a delivery that names none.
pub(crate) const DEFAULT_TYPE: &str = "cavra.connector.event";

/// Members of which the first that is filled names the event.
const IDS: [&str; 8] = [
    "session_id",
    "execution_id",
    "rollback_id",
    "publication_id",
    "export_id",
    "approval_id",
    "request_id",
    "event_id",
];

/// Beginnings of the types of notifications: receivers get those bare.
const NOTIFICATIONS: [&str; 2] = ["cavra.go_backend.rollback_drill.", "cavra.endpoint_remediation_sla."];

/// Ranks of severities, the gravest first.
pub(crate) const SEVERITIES: [&str; 4] = ["critical", "high", "medium", "low"];

/// An event.
#[derive(Clone, Copy)]
pub(crate) struct Event<'a> {
    pub members: &'a Object,
}

impl<'a> Event<'a> {
    pub fn kind(self) -> &'a str {
        filled(self.members, "event_type").unwrap_or(DEFAULT_TYPE)
    }

    pub fn id(self) -> &'a str {
        IDS.iter().find_map(|member| filled(self.members, member)).unwrap_or_else(|| self.kind())
    }

    pub fn session(self) -> Option<&'a str> {
        filled(self.members, "session_id")
    }

    pub fn is_notification(self) -> bool {
        NOTIFICATIONS.iter().any(|family| self.kind().starts_with(family))
    }

    pub fn count(self, member: &str) -> u64 {
        self.members.get(member).and_then(Value::as_u64).unwrap_or(0)
    }

    pub fn severity(self) -> &'a str {
        filled(self.members, "max_severity").unwrap_or("low")
    }

    /// The title in the settings, else the event's own, else one made of its type.
    pub fn title(self, set: Option<&str>) -> String {
        let own = filled(self.members, "title").map(ToOwned::to_owned);
        set.map(ToOwned::to_owned).or(own).unwrap_or_else(|| format!("CAVRA {}", self.kind()))
    }

    /// When it happened, if it says so.
    pub fn time(self) -> Option<Timestamp> {
        text(self.members, "timestamp").parse().ok()
    }

    /// The event as a text for people, its members in order.
    pub fn pretty(self) -> String {
        serde_json::to_string_pretty(self.members).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_named_by_its_first_id() {
        for (event, id) in [
            (json!({"session_id": "s", "event_id": "e"}), "s"),
            (json!({"session_id": "", "rollback_id": "r", "event_id": "e"}), "r"),
            (json!({"event_type": "t"}), "t"),
            (json!({"event_id": 5}), DEFAULT_TYPE),
        ] {
            let members = event.as_object().unwrap();
            assert_eq!(Event { members }.id(), id, "{event}");
        }
    }
}
