//! Microsoft Sentinel through the Logs Ingestion API, which takes a list of records.
//! <https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview>

use connector::{Message, Row};
use serde_json::{Value, json};

static SENTINEL: Row = Row {
    id: "sentinel",
    title: "Microsoft Sentinel",
    meaning: "the stream of a data collection rule, with its api-version",
    example: "https://dce.example.invalid/dataCollectionRules/dcr-0/streams/Custom-Cavra?api-version=2023-01-01",
    needs_credential: true,
    event,
    ..Row::PLAIN
};

connector::export_connector!(SENTINEL);

fn event(message: &Message<'_>) -> Value {
    let record = json!({
        "TimeGenerated": message.time().text,
        "SourceSystem": "CAVRA",
        "EventName": message.kind(),
        "ProductName": "CAVRA",
        "SessionId": message.session(),
        "DecisionCount": message.count("decision_count"),
        "BlockedCount": message.count("blocked_count"),
        "ApprovalRequiredCount": message.count("approval_required_count"),
        "Severity": message.graded(["High", "High", "Medium", "Low", "Informational"]),
        "RawEvent": message.members,
    });
    if message.is_compatible() { json!({ "records": [record] }) } else { json!([record]) }
}
