//! What messaging and ticket systems are told about an approval: one row per provider.

use cavra_connect::Provider;
use cavra_model::members::text;
use cavra_model::{Object, Timestamp, approval_summary, is_unverified};
use serde_json::{Value, json};

use crate::CoreError;

/// A provider: its name, a stand-in for its address, the stand-in for its credential, and its message.
struct Row {
    name: &'static str,
    url: &'static str,
    authorization: Option<&'static str>,
    message: fn(&Object) -> Value,
}

/// All providers, by name.
const PROVIDERS: [Row; 5] = [
    Row {
        name: "jira",
        url: "https://jira.example.invalid/rest/api/2/issue",
        authorization: Some("Bearer ${JIRA_TOKEN}"),
        message: jira,
    },
    Row {
        name: "servicenow",
        url: "https://servicenow.example.invalid/api/now/table/change_request",
        authorization: Some("Bearer ${SERVICENOW_TOKEN}"),
        message: servicenow,
    },
    Row {
        name: "slack",
        url: "https://slack.example.invalid/services/placeholder",
        authorization: None,
        message: slack,
    },
    Row {
        name: "teams",
        url: "https://teams.example.invalid/webhook/placeholder",
        authorization: None,
        message: teams,
    },
    Row { name: "webhook", url: "https://webhook.example.invalid/cavra", authorization: None, message: webhook },
];

/// The systems that approvals are delivered to, by name.
pub(crate) const APPROVAL_PROVIDERS: [Provider; 5] =
    [Provider::Jira, Provider::ServiceNow, Provider::Slack, Provider::Teams, Provider::Webhook];

/// The message about an approval for a provider; `None` if it gets none.
pub(crate) fn approval_message(record: &Object, provider: &str) -> Option<Value> {
    let row = PROVIDERS.iter().find(|row| row.name == provider)?;
    Some((row.message)(record))
}

/// The messages about an approval, for one provider or for `all`.
///
/// # Errors
/// [`CoreError::BadRequest`] for an unknown provider.
pub fn approval_messages(record: &Object, provider: &str) -> Result<Vec<(&'static str, Value)>, CoreError> {
    let chosen = choose(provider)?;
    Ok(chosen.into_iter().map(|provider| (provider.name, (provider.message)(record))).collect())
}

/// The requests that would carry the messages, with stand-ins for addresses and credentials.
///
/// # Errors
/// [`CoreError::BadRequest`] for an unknown provider.
pub fn approval_requests(record: &Object, provider: &str) -> Result<Vec<(&'static str, Value)>, CoreError> {
    let request = |provider: &Row| {
        let mut headers = json!({ "content-type": "application/json" });
        if let (Some(value), Value::Object(headers)) = (provider.authorization, &mut headers) {
            headers.insert("authorization".to_owned(), json!(value));
        }
        let body = (provider.message)(record);
        (provider.name, json!({ "method": "POST", "url": provider.url, "headers": headers, "body": body }))
    };
    Ok(choose(provider)?.into_iter().map(request).collect())
}

fn choose(name: &str) -> Result<Vec<&'static Row>, CoreError> {
    static ALL: &[Row] = &PROVIDERS;
    let chosen: Vec<_> = ALL.iter().filter(|provider| name == "all" || provider.name == name).collect();
    if chosen.is_empty() {
        let names = ALL.iter().map(|provider| provider.name).collect::<Vec<_>>().join(", ");
        return Err(CoreError::BadRequest(format!("unknown provider; known are {names}, all")));
    }
    Ok(chosen)
}

/// What is said of an approval whose decision is not recorded.
const UNVERIFIED: &str = "unverified: cavra has no record of this decision, nobody but the requester vouches for it";

fn title(record: &Object) -> String {
    let mark = if is_unverified(record) { " (unverified)" } else { "" };
    format!("CAVRA approval {}{mark}: {}", text(record, "state"), text(record, "decision_id"))
}

/// What only some approvals have: label and text.
fn remarks(record: &Object) -> impl Iterator<Item = (&'static str, String)> {
    let note = Some(text(record, "request_note")).filter(|note| !note.is_empty());
    let warning = is_unverified(record).then(|| ("Warning", UNVERIFIED.to_owned()));
    warning.into_iter().chain(note.map(|note| ("Requester's own words", note.to_owned())))
}

fn summary_text(record: &Object) -> String {
    let mut summary = approval_summary(record);
    if let Value::Object(summary) = &mut summary {
        summary.extend(remarks(record).map(|(label, text)| (label.to_owned(), json!(text))));
    }
    serde_json::to_string_pretty(&summary).unwrap_or_default()
}

fn slack(record: &Object) -> Value {
    let of = |member| text(record, member);
    let field = |label: &str, value: &str| {
        let value = if value.is_empty() { "-" } else { value };
        json!({ "type": "mrkdwn", "text": format!("*{label}*\n{value}") })
    };
    let mut fields = vec![
        field("Approver group", of("approver_group")),
        field("State", of("state")),
        field("Requested by", of("requested_by")),
        field("External reference", of("external_ref")),
    ];
    fields.extend(remarks(record).map(|(label, text)| field(label, &text)));
    json!({
        "text": title(record),
        "blocks": [
            { "type": "header", "text": { "type": "plain_text", "text": title(record) } },
            { "type": "section", "fields": fields },
        ],
    })
}

fn teams(record: &Object) -> Value {
    let reason = record.get("decision_reason").or_else(|| record.get("decision")?.get("reason"));
    let reason = reason.and_then(Value::as_str).unwrap_or_default();
    let color = if text(record, "state") == "pending" { "E3A008" } else { "3F8F5B" };
    let mut facts = vec![
        json!({ "name": "Approver group", "value": text(record, "approver_group") }),
        json!({ "name": "State", "value": text(record, "state") }),
        json!({ "name": "Reason", "value": reason }),
    ];
    facts.extend(remarks(record).map(|(name, value)| json!({ "name": name, "value": value })));
    json!({
        "@type": "MessageCard",
        "@context": "https://schema.org/extensions",
        "summary": title(record),
        "themeColor": color,
        "sections": [{ "activityTitle": title(record), "facts": facts }],
    })
}

fn jira(record: &Object) -> Value {
    json!({ "fields": {
        "summary": title(record),
        "description": summary_text(record),
        "labels": ["cavra", "ai-agent-approval", text(record, "state")],
    } })
}

fn servicenow(record: &Object) -> Value {
    json!({
        "short_description": title(record),
        "description": summary_text(record),
        "assignment_group": text(record, "approver_group"),
        "correlation_id": record.get("correlation_id"),
    })
}

fn webhook(record: &Object) -> Value {
    json!({
        "schema_version": "cavra.approval.notification.v1",
        "product": "CAVRA",
        "event_type": format!("cavra.approval.{}", text(record, "state")),
        "timestamp": Timestamp::now(),
        "payload": record,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the provider, whoever reads the message is told that nobody vouches for it, and whose words are whose.
    #[test]
    fn every_message_says_who_vouches() {
        let mut record = Object::new();
        record.insert("state".into(), json!("pending"));
        record.insert("decision_id".into(), json!("dec_1"));
        record.insert("request_note".into(), json!("just a typo"));
        for (provider, message) in approval_messages(&record, "all").unwrap() {
            let shown = message.to_string();
            assert!(shown.contains("just a typo") && !shown.contains("unverified"), "{provider}: {shown}");
        }
        record.insert("unverified".into(), json!(true));
        for (provider, message) in approval_messages(&record, "all").unwrap() {
            assert!(message.to_string().contains("unverified"), "{provider}: {message}");
        }
    }
}
