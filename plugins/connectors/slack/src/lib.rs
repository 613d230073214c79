//! Slack: blocks, for an incoming webhook or for `chat.postMessage`. Values name nobody and link nowhere.
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>,
//! <https://docs.slack.dev/reference/methods/chat.postMessage>

use connector::types::Verdict;
use connector::{Answer, Approval, Message, Object, Row, cut};
use serde_json::{Value, json};

static SLACK: Row = Row {
    id: "slack",
    title: "Slack",
    meaning: "an incoming webhook, whose address lets in whoever knows it, or chat.postMessage",
    example: "https://slack.example.invalid/services/placeholder",
    event,
    approval: Some(approval),
    denial: Some(denial),
    ..Row::PLAIN
};

connector::export_connector!(SLACK);

/// Longest header and field that Slack takes, in characters.
const HEADER: usize = 150;
const FIELD: usize = 2000;

/// Most fields of a section.
const FIELDS: usize = 10;

fn event(message: &Message<'_>) -> Value {
    let title = message.title();
    let fields = message.facts().into_iter().map(|(name, value)| field(&format!("*{}:* ", escaped(&name)), &value));
    sent(message.setting("channel"), &title, &[header(&title), section(fields)])
}

fn header(title: &str) -> Value {
    json!({ "type": "header", "text": { "type": "plain_text", "text": cut(title, HEADER) } })
}

fn section(fields: impl Iterator<Item = Value>) -> Value {
    json!({ "type": "section", "fields": fields.take(FIELDS).collect::<Vec<_>>() })
}

fn field(label: &str, value: &str) -> Value {
    json!({ "type": "mrkdwn", "text": cut(&format!("{label}{}", escaped(value)), FIELD) })
}

fn sent(channel: Option<&str>, title: &str, blocks: &[Value]) -> Value {
    let mut body = json!({ "text": escaped(title), "blocks": blocks });
    if let (Some(channel), Some(body)) = (channel, body.as_object_mut()) {
        body.insert("channel".to_owned(), json!(channel));
    }
    body
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn approval(approval: &Approval<'_>) -> Value {
    let labelled = |label: &str, value: &str| {
        field(&format!("*{}*\n", escaped(label)), if value.is_empty() { "-" } else { value })
    };
    let of = |label, member| labelled(label, approval.text(member));
    let known = [
        of("Approver group", "approver_group"),
        of("State", "state"),
        of("Requested by", "requested_by"),
        of("External reference", "external_ref"),
    ];
    let remarks = approval.remarks().map(|(label, text)| labelled(label, text));
    let mut blocks = vec![header(&approval.title()), section(known.into_iter().chain(remarks))];
    // As plain text: nothing in it can be struck through or hidden.
    let plain = |(label, text): (&str, &str)| json!({ "type": "plain_text", "text": cut(&format!("{label}: {text}"), FIELD), "emoji": false });
    let subject: Vec<Value> = approval.subject().map(plain).collect();
    if !subject.is_empty() {
        blocks.push(section(subject.into_iter()));
    }
    let buttons = buttons(approval);
    if !buttons.is_empty() {
        blocks.push(json!({ "type": "actions", "block_id": "cavra_approval", "elements": buttons }));
    }
    let mut body = sent(approval.setting("channel").filter(|_| !approval.replaces()), &approval.title(), &blocks);
    if let (true, Some(body)) = (approval.replaces(), body.as_object_mut()) {
        body.insert("replace_original".to_owned(), json!(true));
    }
    body
}

/// What can be pressed. The value of a button comes back as it is, signed by Slack.
fn buttons(approval: &Approval<'_>) -> Vec<Value> {
    let button = |id: &str, label: &str| json!({ "type": "button", "action_id": id, "text": { "type": "plain_text", "text": label } });
    let mut buttons = Vec::new();
    for (answer, value) in approval.answers() {
        let (id, label, style) = match answer {
            Answer::Approve => ("cavra_approve", "Approve", "primary"),
            Answer::Deny => ("cavra_deny", "Deny", "danger"),
        };
        let mut button = button(id, label);
        if let Some(button) = button.as_object_mut() {
            button.extend([("style".to_owned(), json!(style)), ("value".to_owned(), json!(value))]);
        }
        buttons.push(button);
    }
    if let Some(page) = approval.page() {
        let mut button = button("cavra_page", "Open");
        if let Some(button) = button.as_object_mut() {
            button.insert("url".to_owned(), json!(page));
        }
        buttons.push(button);
    }
    buttons
}

/// Errors of `chat.postMessage`, which come with 200, that pass by themselves, and those of the message itself; all others
/// somebody has to mend.
const PASSING: [&str; 6] =
    ["ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"];
const OF_THE_MESSAGE: [&str; 4] = ["invalid_blocks", "msg_too_long", "no_text", "invalid_blocks_format"];

fn denial(answer: &Object) -> Option<Verdict> {
    let error = match answer.get("ok") {
        Some(Value::Bool(false)) => answer.get("error").and_then(Value::as_str).unwrap_or_default(),
        _ => return None,
    };
    Some(match error {
        error if PASSING.contains(&error) => Verdict::Passing,
        error if OF_THE_MESSAGE.contains(&error) => Verdict::Refused,
        _ => Verdict::HeldUp,
    })
}
