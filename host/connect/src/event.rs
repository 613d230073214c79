//! What the host reads in an event.

use cavra_model::members::{filled, text};
use cavra_model::{Object, Timestamp};

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

    /// When it happened, if it says so.
    pub fn time(self) -> Option<Timestamp> {
        text(self.members, "timestamp").parse().ok()
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
