//! ServiceNow: a record of a table.
//! <https://www.servicenow.com/docs/r/api-reference/rest-apis/c_TableAPI.html>

use connector::{Approval, Message, Object, Row, cut};
use serde_json::{Value, json};

static SERVICENOW: Row = Row {
    id: "servicenow",
    title: "ServiceNow",
    meaning: "a table, as /api/now/table/change_request",
    example: "https://servicenow.example.invalid/api/now/table/change_request",
    needs_credential: true,
    accept: Some("application/json"),
    event,
    approval: Some(approval),
    reference: Some(reference),
    ..Row::PLAIN
};

connector::export_connector!(SERVICENOW);

/// Sizes of the columns, in characters.
const SUMMARY: usize = 160;
const CORRELATION: usize = 100;

fn event(message: &Message<'_>) -> Value {
    json!({
        "short_description": cut(&message.title(), SUMMARY),
        "description": message.pretty(),
        "category": "software",
        "correlation_id": cut(message.session().unwrap_or_else(|| message.kind()), CORRELATION),
    })
}

fn approval(approval: &Approval<'_>) -> Value {
    json!({
        "short_description": approval.title(),
        "description": approval.summary(),
        "assignment_group": approval.text("approver_group"),
        "correlation_id": approval.record.get("correlation_id"),
    })
}

fn reference(answer: &Object) -> Option<String> {
    answer.get("result")?.get("number").and_then(Value::as_str).map(str::to_owned)
}
