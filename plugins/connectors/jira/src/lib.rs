//! Jira: an issue. The third version of the interface takes descriptions as documents.
//! <https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post>

use connector::types::Context;
use connector::{Approval, Message, Object, Row, cut, setting};
use serde_json::{Value, json};

static JIRA: Row = Row {
    id: "jira",
    title: "Jira",
    meaning: "where issues are created, as /rest/api/3/issue",
    example: "https://jira.example.invalid/rest/api/2/issue",
    reads_path: true,
    needs_credential: true,
    event,
    approval: Some(approval),
    reference: Some(reference),
    ..Row::PLAIN
};

connector::export_connector!(JIRA);

/// Size of the column, in characters.
const SUMMARY: usize = 255;

fn event(message: &Message<'_>) -> Value {
    let label = |c: char| if c == '.' || c.is_whitespace() { '-' } else { c };
    issue(
        message.context,
        &message.title(),
        &message.pretty(),
        ["cavra", "ai-agent-governance", &message.kind().chars().map(label).collect::<String>()],
    )
}

/// An issue, in the operator's project if he names one.
fn issue(context: &Context, title: &str, text: &str, labels: [&str; 3]) -> Value {
    let summary = title.split(['\n', '\r']).collect::<Vec<_>>().join(" ");
    let path = context.paths.first().map_or("", |(_, path)| path);
    let takes_documents = path.contains("/rest/api/3/") && setting(context, "payload_style") != Some("compat");
    let mut fields = json!({
        "summary": cut(&summary, SUMMARY),
        "description": if takes_documents { document(text) } else { json!(text) },
        "labels": labels,
    });
    if let (Some(project), Some(fields)) = (setting(context, "project_key"), fields.as_object_mut()) {
        fields.insert("project".to_owned(), json!({ "key": project }));
        let kind = setting(context, "issue_type").unwrap_or("Task");
        fields.insert("issuetype".to_owned(), json!({ "name": kind }));
    }
    json!({ "fields": fields })
}

/// A document of Atlassian's format with one block of code.
fn document(text: &str) -> Value {
    json!({
        "type": "doc",
        "version": 1,
        "content": [{
            "type": "codeBlock",
            "attrs": { "language": "json" },
            "content": [{ "type": "text", "text": text }],
        }],
    })
}

fn approval(approval: &Approval<'_>) -> Value {
    let labels = ["cavra", "ai-agent-approval", approval.text("state")];
    issue(approval.context, &approval.title(), &approval.summary(), labels)
}

fn reference(answer: &Object) -> Option<String> {
    answer.get("key").and_then(Value::as_str).map(str::to_owned)
}
