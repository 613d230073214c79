//! Jira and ServiceNow.

use serde_json::{Value, json};

use super::cut;
use crate::Provider;
use crate::event::Event;
use crate::target::Style;

/// Sizes of the columns, in characters.
const JIRA_SUMMARY: usize = 255;
const SERVICENOW_SUMMARY: usize = 160;
const SERVICENOW_CORRELATION: usize = 100;

/// A ticket. `is_document` says that Jira's interface takes descriptions as documents.
pub(super) fn ticket(provider: Provider, event: Event<'_>, style: &Style, is_document: bool) -> Value {
    let title = event.title(style.title.as_deref());
    if provider == Provider::ServiceNow {
        return json!({
            "short_description": cut(&title, SERVICENOW_SUMMARY),
            "description": event.pretty(),
            "category": "software",
            "correlation_id": cut(event.session().unwrap_or_else(|| event.kind()), SERVICENOW_CORRELATION),
        });
    }
    let summary = title.split(['\n', '\r']).collect::<Vec<_>>().join(" ");
    let description =
        if is_document && !style.is_compatible { document(&event.pretty()) } else { json!(event.pretty()) };
    let label = |c: char| if c == '.' || c.is_whitespace() { '-' } else { c };
    let mut fields = json!({
        "summary": cut(&summary, JIRA_SUMMARY),
        "description": description,
        "labels": ["cavra", "ai-agent-governance", event.kind().chars().map(label).collect::<String>()],
    });
    if let (Some(project), Some(fields)) = (&style.project_key, fields.as_object_mut()) {
        fields.insert("project".to_owned(), json!({ "key": project }));
        let kind = style.issue_type.as_deref().unwrap_or("Task");
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

#[cfg(test)]
mod tests {
    use super::super::tests::event;
    use super::*;

    #[test]
    fn jira_gets_what_its_version_takes() {
        let mut members = event();
        members.insert("title".into(), json!(format!("a\nb{}", "x".repeat(300))));
        members.insert("event_type".into(), json!("cavra.a b"));
        let event = Event { members: &members };
        let style = Style { project_key: Some("OPS".into()), ..Style::default() };
        let fields = &ticket(Provider::Jira, event, &style, true)["fields"];
        assert_eq!((&fields["project"]["key"], &fields["issuetype"]["name"]), (&json!("OPS"), &json!("Task")));
        assert_eq!(fields["description"]["content"][0]["type"], "codeBlock");
        assert_eq!(fields["labels"][2], "cavra-a-b");
        let summary = fields["summary"].as_str().unwrap();
        assert!(summary.starts_with("a bx") && summary.chars().count() == 255);
        let plain = &ticket(Provider::Jira, event, &Style::default(), false)["fields"];
        assert!(plain["description"].is_string() && plain.get("project").is_none());
        let compatible = Style { is_compatible: true, ..Style::default() };
        assert!(ticket(Provider::Jira, event, &compatible, true)["fields"]["description"].is_string());
    }

    #[test]
    fn servicenow_gets_what_fits() {
        let mut members = event();
        members.insert("title".into(), json!("x".repeat(300)));
        members.insert("session_id".into(), json!("s".repeat(300)));
        let body = ticket(Provider::ServiceNow, Event { members: &members }, &Style::default(), false);
        let length = |member: &str| body[member].as_str().unwrap().len();
        assert_eq!((length("short_description"), length("correlation_id")), (160, 100));
    }
}
