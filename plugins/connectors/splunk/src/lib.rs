//! Splunk's HTTP Event Collector: one event for each request.
//! <https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector>

use connector::types::Moment;
use connector::{Message, Row};
use serde_json::{Value, json};

static SPLUNK: Row = Row {
    id: "splunk",
    title: "Splunk HTTP Event Collector",
    meaning: "the collector, as /services/collector/event",
    example: "https://splunk.example.invalid:8088/services/collector/event",
    needs_credential: true,
    // The collector refuses any other.
    scheme: "Splunk",
    event,
    ..Row::PLAIN
};

connector::export_connector!(SPLUNK);

/// Source types of events that are told apart in Splunk, by the ends of their types.
const SOURCE_TYPES: [(&str, &str); 2] = [
    (".acknowledgement_audit_delivery", "cavra:rollback_drill_ack_audit"),
    (".acknowledgement_audit_worker_health_alert", "cavra:rollback_drill_ack_worker_health"),
];

fn event(message: &Message<'_>) -> Value {
    let special = SOURCE_TYPES.iter().find(|(end, _)| message.is_notification() && message.kind().ends_with(end));
    json!({
        "time": seconds(message.time()),
        "host": "cavra",
        "source": "cavra:evidence",
        "sourcetype": special.map_or("cavra:evidence:json", |(_, source_type)| *source_type),
        "index": message.setting("index").unwrap_or("cavra"),
        "event": message.members,
    })
}

/// Seconds since 1970 with their fraction, exact to the microsecond.
fn seconds(time: &Moment) -> Value {
    let (whole, rest) = (time.micros.div_euclid(1_000_000), time.micros.rem_euclid(1_000_000));
    let text = if rest == 0 || whole < 0 { whole.to_string() } else { format!("{whole}.{rest:06}") };
    serde_json::from_str(&text).unwrap_or_else(|_| json!(whole))
}
