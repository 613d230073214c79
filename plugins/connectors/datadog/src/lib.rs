//! Datadog: a log of the intake's second version.
//! <https://docs.datadoghq.com/api/latest/logs/#send-logs>

use connector::{Message, Row};
use serde_json::{Value, json};

static DATADOG: Row = Row {
    id: "datadog",
    title: "Datadog Logs",
    meaning: "the intake of logs, as /api/v2/logs",
    example: "https://http-intake.logs.example.invalid/api/v2/logs",
    needs_credential: true,
    key_header: "dd-api-key",
    event,
    ..Row::PLAIN
};

connector::export_connector!(DATADOG);

fn event(message: &Message<'_>) -> Value {
    let session = message.session().unwrap_or("n/a");
    let tags =
        ["product:cavra".to_owned(), format!("session_id:{session}"), format!("max_severity:{}", message.severity())];
    let text = format!(
        "CAVRA {} of session {session}: {} decisions, {} blocked, {} need approval",
        message.kind(),
        message.count("decision_count"),
        message.count("blocked_count"),
        message.count("approval_required_count"),
    );
    let service = message.setting("service").unwrap_or("cavra");
    let status = message.graded(["error", "error", "warning", "info", "info"]);
    if message.is_compatible() {
        return json!({ "events": [{
            "ddsource": "cavra", "service": service, "status": status, "tags": tags, "message": text,
            "attributes": message.members,
        }] });
    }
    json!([{
        "ddsource": "cavra", "service": service, "hostname": "cavra", "status": status, "ddtags": tags.join(","),
        "message": text, "attributes": message.members,
    }])
}
