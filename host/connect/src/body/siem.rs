//! Splunk's collector, Microsoft Sentinel and Datadog.

use cavra_model::Timestamp;
use serde_json::{Value, json};

use crate::event::Event;
use crate::target::Style;

/// Source types of events that are told apart in Splunk, by the ends of their types.
const SOURCE_TYPES: [(&str, &str); 2] = [
    (".acknowledgement_audit_delivery", "cavra:rollback_drill_ack_audit"),
    (".acknowledgement_audit_worker_health_alert", "cavra:rollback_drill_ack_worker_health"),
];

/// The collector's envelope: one event for each request.
pub(super) fn splunk(event: Event<'_>, style: &Style, now: Timestamp) -> Value {
    let special = SOURCE_TYPES.iter().find(|(end, _)| event.is_notification() && event.kind().ends_with(end));
    json!({
        "time": seconds(event.time().unwrap_or(now)),
        "host": "cavra",
        "source": "cavra:evidence",
        "sourcetype": special.map_or("cavra:evidence:json", |(_, source_type)| *source_type),
        "index": style.index.as_deref().unwrap_or("cavra"),
        "event": event.members,
    })
}

/// Seconds since 1970 with their fraction, exact to the microsecond.
fn seconds(time: Timestamp) -> Value {
    let micros = time.as_micros();
    let (whole, rest) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let text = if rest == 0 || whole < 0 { whole.to_string() } else { format!("{whole}.{rest:06}") };
    serde_json::from_str(&text).unwrap_or_else(|_| json!(whole))
}

/// Logs Ingestion takes a list of records; a relay may want the older object.
pub(super) fn sentinel(event: Event<'_>, style: &Style, now: Timestamp) -> Value {
    let record = json!({
        "TimeGenerated": event.time().unwrap_or(now),
        "SourceSystem": "CAVRA",
        "EventName": event.kind(),
        "ProductName": "CAVRA",
        "SessionId": event.session(),
        "DecisionCount": event.count("decision_count"),
        "BlockedCount": event.count("blocked_count"),
        "ApprovalRequiredCount": event.count("approval_required_count"),
        "Severity": graded(event, ["High", "High", "Medium", "Low", "Informational"]),
        "RawEvent": event.members,
    });
    if style.is_compatible { json!({ "records": [record] }) } else { json!([record]) }
}

/// A log of the intake's second version; a relay may want the older object.
pub(super) fn datadog(event: Event<'_>, style: &Style) -> Value {
    let session = event.session().unwrap_or("n/a");
    let tags =
        ["product:cavra".to_owned(), format!("session_id:{session}"), format!("max_severity:{}", event.severity())];
    let message = format!(
        "CAVRA {} of session {session}: {} decisions, {} blocked, {} need approval",
        event.kind(),
        event.count("decision_count"),
        event.count("blocked_count"),
        event.count("approval_required_count"),
    );
    let service = style.service.as_deref().unwrap_or("cavra");
    let status = graded(event, ["error", "error", "warning", "info", "info"]);
    if style.is_compatible {
        return json!({ "events": [{
            "ddsource": "cavra", "service": service, "status": status, "tags": tags, "message": message,
            "attributes": event.members,
        }] });
    }
    json!([{
        "ddsource": "cavra", "service": service, "hostname": "cavra", "status": status, "ddtags": tags.join(","),
        "message": message, "attributes": event.members,
    }])
}

/// The word for the event's severity: of critical, high, medium, low, and any other.
fn graded(event: Event<'_>, words: [&'static str; 5]) -> &'static str {
    let [.., other] = words;
    // Alerts are warnings where events are of medium severity.
    let wanted = if event.severity() == "warning" { "medium" } else { event.severity() };
    crate::event::SEVERITIES
        .iter()
        .zip(words)
        .find(|(severity, _)| **severity == wanted)
        .map_or(other, |(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::super::tests::event;
    use super::*;

    fn now() -> Timestamp {
        "2040-01-01T00:00:00.25Z".parse().unwrap()
    }

    #[test]
    fn splunk_gets_the_time_of_the_event() {
        let mut members = event();
        let style = Style { index: Some("main".into()), ..Style::default() };
        let body = splunk(Event { members: &members }, &style, now());
        assert_eq!((body["time"].to_string(), &body["index"]), ("1925089445".to_owned(), &json!("main")));
        assert_eq!((&body["sourcetype"], &body["event"]), (&json!("cavra:evidence:json"), &json!(members)));
        members.insert("event_type".into(), json!("cavra.go_backend.rollback_drill.acknowledgement_audit_delivery"));
        members.insert("timestamp".into(), json!("soon"));
        let body = splunk(Event { members: &members }, &Style::default(), now());
        assert_eq!((body["time"].to_string(), &body["index"]), ("2208988800.250000".to_owned(), &json!("cavra")));
        assert_eq!(body["sourcetype"], "cavra:rollback_drill_ack_audit");
    }

    #[test]
    fn severities_have_the_words_of_each_system() {
        for (severity, sentinel_word, datadog_word) in [
            ("critical", "High", "error"),
            ("high", "High", "error"),
            ("medium", "Medium", "warning"),
            ("warning", "Medium", "warning"),
            ("low", "Low", "info"),
            ("odd", "Informational", "info"),
        ] {
            let mut members = event();
            members.insert("max_severity".into(), json!(severity));
            let event = Event { members: &members };
            assert_eq!(sentinel(event, &Style::default(), now())[0]["Severity"], sentinel_word);
            assert_eq!(datadog(event, &Style::default())[0]["status"], datadog_word);
        }
    }

    #[test]
    fn a_relay_gets_the_older_objects() {
        let members = event();
        let (event, style) = (Event { members: &members }, Style { is_compatible: true, ..Style::default() });
        assert_eq!(sentinel(event, &style, now())["records"][0]["SessionId"], "s<1>");
        assert_eq!(datadog(event, &style)["events"][0]["tags"][0], "product:cavra");
        let log = &datadog(event, &Style::default())[0];
        assert_eq!(log["ddtags"], "product:cavra,session_id:s<1>,max_severity:high");
        assert!(log["message"].as_str().unwrap().contains("s<1>: 3 decisions, 1 blocked, 0 need approval"));
    }
}
