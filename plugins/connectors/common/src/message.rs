//! The parts of an event that bodies are made of.

use serde_json::Value;

use crate::types::{Context, Moment};
use crate::{Object, filled};

/// The event of a delivery that names none.
const DEFAULT_TYPE: &str = "cavra.connector.event";

/// Beginnings of the types of notifications: receivers of one's own get those bare.
const NOTIFICATIONS: [&str; 2] = ["cavra.go_backend.rollback_drill.", "cavra.endpoint_remediation_sla."];

/// Ranks of severities, the gravest first.
const SEVERITIES: [&str; 4] = ["critical", "high", "medium", "low"];

/// An event on its way.
pub struct Message<'a> {
    /// The event.
    pub members: Object,
    /// How it is told.
    pub context: &'a Context,
}

impl<'a> Message<'a> {
    pub(crate) fn new(members: Object, context: &'a Context) -> Self {
        Self { members, context }
    }

    /// What a member says, if it says something.
    #[must_use]
    pub fn filled(&self, member: &str) -> Option<&str> {
        filled(&self.members, member)
    }

    /// The type of the event.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.filled("event_type").unwrap_or(DEFAULT_TYPE)
    }

    /// The session that the event is of.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.filled("session_id")
    }

    /// Whether it is one of cavra's notifications.
    #[must_use]
    pub fn is_notification(&self) -> bool {
        NOTIFICATIONS.iter().any(|family| self.kind().starts_with(family))
    }

    /// A number of the event, 0 if it has none.
    #[must_use]
    pub fn count(&self, member: &str) -> u64 {
        self.members.get(member).and_then(Value::as_u64).unwrap_or(0)
    }

    /// How severe it is.
    #[must_use]
    pub fn severity(&self) -> &str {
        self.filled("max_severity").unwrap_or("low")
    }

    /// The word for its severity: of critical, high, medium, low, and any other.
    #[must_use]
    pub fn graded(&self, words: [&'static str; 5]) -> &'static str {
        let [.., other] = words;
        // Alerts are warnings where events are of medium severity.
        let wanted = if self.severity() == "warning" { "medium" } else { self.severity() };
        SEVERITIES.iter().zip(words).find(|(severity, _)| **severity == wanted).map_or(other, |(_, word)| word)
    }

    /// The title in the settings, else the event's own, else one made of its type.
    #[must_use]
    pub fn title(&self) -> String {
        let title = self.setting("title").or_else(|| self.filled("title"));
        title.map_or_else(|| format!("CAVRA {}", self.kind()), str::to_owned)
    }

    /// When it happened; the moment it is sent if it does not say.
    #[must_use]
    pub fn time(&self) -> &Moment {
        self.context.happened.as_ref().unwrap_or(&self.context.now)
    }

    /// The event as a text for people, its members in order.
    #[must_use]
    pub fn pretty(&self) -> String {
        serde_json::to_string_pretty(&self.members).unwrap_or_default()
    }

    /// What the operator set.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        crate::setting(self.context, name)
    }

    /// A relay in front of the vendor wants the older body.
    #[must_use]
    pub fn is_compatible(&self) -> bool {
        self.setting("payload_style") == Some("compat")
    }

    /// Facts about the event, as chats show them: four of any event, and of a notification what its summary counts.
    #[must_use]
    pub fn facts(&self) -> Vec<(String, String)> {
        let of_all = [
            ("Event", self.kind().to_owned()),
            ("Session", self.session().unwrap_or("n/a").to_owned()),
            ("Blocked", self.count("blocked_count").to_string()),
            ("Severity", self.severity().to_owned()),
        ];
        let of_all = of_all.map(|(name, value)| (name.to_owned(), value));
        let summary = SUMMARIES.iter().find_map(|name| self.members.get(*name)?.as_object());
        let counted = summary.filter(|_| self.is_notification()).into_iter().flatten();
        let counted = counted.filter_map(|(name, value)| Some((label(name), plain(value)?)));
        of_all.into_iter().chain(counted).take(MOST_FACTS).collect()
    }
}

/// Most facts that are shown: Slack takes ten fields of a section.
const MOST_FACTS: usize = 10;

/// Where notifications sum up what they are about.
const SUMMARIES: [&str; 2] = ["summary", "audit_package_summary"];

/// The name of a member for people.
fn label(name: &str) -> String {
    let mut label = name.replace('_', " ");
    if let Some(first) = label.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    label
}

/// A value in a line; `None` for one that says nothing, or more than a line.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(if *flag { "yes" } else { "no" }.to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
