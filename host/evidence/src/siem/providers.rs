//! The bundle's event as four providers take it. docs/reference/evidence-and-promotion.md, section 5.

use cavra_model::members::text;
use serde_json::{Value, json};

use super::SiemExport;
use crate::documents::PRODUCT;

pub fn splunk(export: &SiemExport) -> Value {
    json!({ "events": [{
        "time": seconds(export.time.as_micros()),
        "host": "cavra",
        "source": "cavra:evidence",
        "sourcetype": "cavra:evidence:json",
        "index": export.splunk_index,
        "event": export.event,
    }] })
}

pub fn sentinel(export: &SiemExport) -> Value {
    let event = &export.event;
    json!({ "records": [{
        "TimeGenerated": event.get("timestamp"),
        "SourceSystem": "CAVRA",
        "EventName": event.get("event_type"),
        "ProductName": event.get("product"),
        "SessionId": event.get("session_id"),
        "DecisionCount": event.get("decision_count"),
        "BlockedCount": event.get("blocked_count"),
        "ApprovalRequiredCount": event.get("approval_required_count"),
        "Severity": sentinel_severity(text(event, "max_severity")),
        "RawEvent": event,
    }] })
}

fn sentinel_severity(severity: &str) -> &'static str {
    match severity {
        "critical" | "high" => "High",
        "medium" => "Medium",
        "low" => "Low",
        _ => "Informational",
    }
}

pub fn datadog(export: &SiemExport) -> Value {
    let event = &export.event;
    let (session, severity) = (text(event, "session_id"), text(event, "max_severity"));
    let count = |member: &str| event.get(member).and_then(Value::as_u64).unwrap_or_default();
    let message = format!(
        "CAVRA evidence of session {session}: {} decisions, {} blocked, {} needing approval",
        count("decision_count"),
        count("blocked_count"),
        count("approval_required_count")
    );
    json!({ "events": [{
        "ddsource": "cavra",
        "service": export.datadog_service,
        "status": datadog_status(severity),
        "message": message,
        "tags": [
            format!("product:{}", PRODUCT.to_lowercase()),
            format!("session_id:{session}"),
            format!("max_severity:{severity}"),
        ],
        "attributes": event,
    }] })
}

fn datadog_status(severity: &str) -> &'static str {
    match severity {
        "critical" | "high" => "error",
        "medium" => "warning",
        _ => "info",
    }
}

pub fn webhook(export: &SiemExport) -> Value {
    json!({
        "schema_version": "cavra.webhook.evidence.v1",
        "product": PRODUCT,
        "event_type": export.event.get("event_type"),
        "timestamp": export.event.get("timestamp"),
        "payload": export.event,
    })
}

/// Seconds since 1970 with their fraction, as Splunk's collector takes them.
fn seconds(micros: i64) -> Value {
    format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
        .parse::<f64>()
        .map_or(Value::Null, Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_of_the_providers() {
        for (severity, sentinel, datadog) in [
            ("critical", "High", "error"),
            ("high", "High", "error"),
            ("medium", "Medium", "warning"),
            ("low", "Low", "info"),
            ("", "Informational", "info"),
            ("dire", "Informational", "info"),
        ] {
            assert_eq!((sentinel_severity(severity), datadog_status(severity)), (sentinel, datadog), "{severity}");
        }
    }

    #[test]
    fn seconds_keep_their_fraction() {
        assert_eq!(seconds(1_927_944_306_000_700), json!(1_927_944_306.000_7));
        assert_eq!(seconds(0), json!(0.0));
    }
}
