//! The first-party connectors, in the sandbox, against recorded exchanges: what each describes for an event, an approval or a
//! document, and what it makes of the answer. A case is a row of `cases/<connector>.json`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails here has failed")]

use std::path::Path;

use cavra_builtin::Component;
use cavra_connect::Provider;
use cavra_model::{Digest, Timestamp};
use cavra_plugins::connector::{
    Context, Exchange, Moment, Next, NoResponse, Patience, Request, Response, Sent, Subject, SubjectKind, Verdict,
};
use cavra_plugins::{ComponentSource, Connector, HostConfig, Origin, PluginHost};
use serde_json::{Map, Value, json};

static CONNECTORS: [(&str, &Component); 8] = [
    ("datadog", &cavra_builtin::CONNECTOR_DATADOG),
    ("jira", &cavra_builtin::CONNECTOR_JIRA),
    ("receiver", &cavra_builtin::CONNECTOR_RECEIVER),
    ("sentinel", &cavra_builtin::CONNECTOR_SENTINEL),
    ("servicenow", &cavra_builtin::CONNECTOR_SERVICENOW),
    ("slack", &cavra_builtin::CONNECTOR_SLACK),
    ("splunk", &cavra_builtin::CONNECTOR_SPLUNK),
    ("teams", &cavra_builtin::CONNECTOR_TEAMS),
];

fn host() -> PluginHost {
    PluginHost::new(HostConfig { pooling: false, ..HostConfig::default() }).unwrap()
}

async fn load(host: &PluginHost, component: &Component) -> std::sync::Arc<Connector> {
    let source = ComponentSource {
        plugin: component.name,
        version: component.version,
        wasm: component.wasm,
        wasm_digest: component.digest,
        origin: Origin::FirstParty,
    };
    host.connector(source).await.unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

fn moment(value: &Value) -> Option<Moment> {
    let time: Timestamp = value.as_str()?.parse().unwrap();
    Some(Moment { micros: time.as_micros(), text: time.to_string() })
}

fn subject(tell: &Value) -> Subject {
    let (kind, what) = tell.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "event" => Subject::Event(what.to_string()),
        "approval" => Subject::Approval(what.to_string()),
        "document" => Subject::Document(what.to_string()),
        other => panic!("{other} is nothing that can be told"),
    }
}

fn context(said: &Value) -> Context {
    let settings = said["settings"].as_object().into_iter().flatten();
    Context {
        message_id: text(&said["message_id"]),
        now: moment(&said["now"]).unwrap(),
        happened: moment(&said["happened"]),
        connector: text(&said["connector"]),
        settings: settings.map(|(name, value)| (name.clone(), text(value))).collect(),
        credentials: texts(&said["credentials"]),
        paths: said.get("path").map(|path| ("receiver".to_owned(), text(path))).into_iter().collect(),
    }
}

/// A request as cases show it.
fn shown(request: &Request) -> Value {
    let headers: Map<String, Value> =
        request.headers.iter().map(|header| (header.name.clone(), json!(header.value))).collect();
    assert_eq!((headers.len(), request.patience), (request.headers.len(), Patience::Long));
    json!({
        "method": request.method, "endpoint": request.endpoint, "path": request.path, "headers": headers,
        "credentials": request.credentials, "body": serde_json::from_slice::<Value>(&request.body).unwrap(),
    })
}

fn exchange(request: &Request, recorded: &Value) -> Exchange {
    let response = match recorded["failure"].as_str() {
        None => Ok(Response {
            status: u16::try_from(recorded["response"]["status"].as_u64().unwrap()).unwrap(),
            retry_after: recorded["response"]["retry_after"].as_u64().map(|wait| u32::try_from(wait).unwrap()),
            body: text(&recorded["response"]["body"]).into_bytes(),
        }),
        Some("unreachable") => Err(NoResponse::Unreachable),
        Some("timed-out") => Err(NoResponse::TimedOut),
        Some("broken") => Err(NoResponse::Broken),
        Some("not-permitted") => Err(NoResponse::NotPermitted),
        Some(other) => panic!("{other} is no failure"),
    };
    let sent = Sent {
        method: request.method.clone(),
        endpoint: request.endpoint.clone(),
        path: request.path.clone(),
        body_digest: Digest::of(&request.body).as_str().to_owned(),
        body_length: request.body.len() as u64,
    };
    Exchange { request: sent, response }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted => "accepted",
        Verdict::Passing => "passing",
        Verdict::HeldUp => "held-up",
        Verdict::Refused => "refused",
    }
}

/// What Slack refuses as `invalid_blocks`, whatever else a message says.
/// <https://docs.slack.dev/reference/block-kit/blocks>, <https://docs.slack.dev/reference/block-kit/block-elements/button-element>
fn assert_blocks(name: &str, body: &Value) {
    let shorter = |value: &Value, most: usize| {
        let length = value.as_str().unwrap_or_else(|| panic!("{name}: {value} is no text")).chars().count();
        assert!((1..=most).contains(&length), "{name}: {length} characters, of at most {most}");
    };
    let list = |value: &Value, most: usize| {
        let items = value.as_array().unwrap_or_else(|| panic!("{name}: {value} is no list")).clone();
        assert!((1..=most).contains(&items.len()), "{name}: {} of at most {most}", items.len());
        items
    };
    for block in list(&body["blocks"], 50) {
        match block["type"].as_str().unwrap() {
            "header" => {
                assert_eq!(block["text"]["type"], "plain_text", "{name}");
                shorter(&block["text"]["text"], 150);
            }
            "section" => list(&block["fields"], 10).iter().for_each(|field| shorter(&field["text"], 2000)),
            "actions" => {
                for element in list(&block["elements"], 25) {
                    assert_eq!((&element["type"], &element["text"]["type"]), (&json!("button"), &json!("plain_text")));
                    shorter(&element["text"]["text"], 75);
                    shorter(&element["action_id"], 255);
                    let (value, url) = (&element["value"], &element["url"]);
                    [(value, 2000), (url, 3000)]
                        .iter()
                        .filter(|(text, _)| !text.is_null())
                        .for_each(|(t, m)| shorter(t, *m));
                    assert!(value.is_null() || url.is_null(), "{name}: a link has no value to send back");
                }
            }
            other => panic!("{name}: a block of the type {other}"),
        }
    }
}

/// What a workflow of Teams refuses: more than 28 KB, a card that is none, buttons that nobody listens to.
/// <https://learn.microsoft.com/microsoftteams/limits-specifications-teams>
fn assert_card(name: &str, body: &Value) {
    assert!(body.to_string().len() <= 28 * 1024, "{name}: {} bytes", body.to_string().len());
    let Some(card) = body.pointer("/attachments/0/content") else { return };
    assert_eq!((&card["type"], &card["version"]), (&json!("AdaptiveCard"), &json!("1.4")), "{name}");
    for part in card["body"].as_array().unwrap() {
        assert!(["TextBlock", "FactSet", "RichTextBlock"].contains(&part["type"].as_str().unwrap()), "{name}: {part}");
    }
    for action in card["actions"].as_array().into_iter().flatten() {
        assert_eq!(action["type"], "Action.OpenUrl", "{name}");
    }
}

/// Plays a case: each request has to be the recorded one, and each gets the recorded answer.
async fn play(connector: &Connector, case: &Value) {
    let name = text(&case["name"]);
    let (subject, context) = (subject(&case["tell"]), context(&case["context"]));
    let mut recorded = case["exchanges"].as_array().unwrap().iter();
    let mut exchanges = Vec::new();
    loop {
        match connector.step(&subject, &context, &exchanges).await.unwrap() {
            Next::Send(requests) => {
                for request in requests {
                    let recorded = recorded.next().unwrap_or_else(|| panic!("{name}: one request too many"));
                    let (sent, wanted) = (shown(&request), &recorded["request"]);
                    assert_eq!(sent["body"], wanted["body"], "{name}");
                    assert_eq!(sent, *wanted, "{name}");
                    match name.split(':').next() {
                        Some("slack") if !name.contains("document") => assert_blocks(&name, &sent["body"]),
                        Some("teams") if !name.contains("document") => assert_card(&name, &sent["body"]),
                        _ => {}
                    }
                    exchanges.push(exchange(&request, recorded));
                }
            }
            Next::Done(outcome) => {
                assert!(recorded.next().is_none(), "{name}: it is done too early");
                let mut said = json!({ "verdict": verdict(outcome.verdict) });
                if let Some(reference) = outcome.reference {
                    said["reference"] = json!(reference);
                }
                assert_eq!(said, case["outcome"], "{name}");
                return;
            }
        }
    }
}

#[tokio::test]
async fn connectors_keep_to_their_recorded_exchanges() {
    let host = host();
    for (name, component) in CONNECTORS {
        let connector = load(&host, component).await;
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name).with_extension("json");
        let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        assert!(cases.len() >= 6, "{name} has {} cases", cases.len());
        for case in &cases {
            play(&connector, case).await;
        }
    }
}

/// What the table of providers says of a connector, the connector says too; and the same of itself each time.
#[tokio::test]
async fn connectors_are_what_the_table_says() {
    let host = host();
    for (name, component) in CONNECTORS {
        let connector = load(&host, component).await;
        let description = connector.description();
        assert_eq!((description.id.as_str(), description.version.as_str()), (name, component.version));
        let takes_approvals = description.subjects.contains(&SubjectKind::Approval);
        let providers = Provider::ALL.into_iter().filter(|provider| match provider.as_str() {
            "jamf" | "intune" | "linux" => false,
            "webhook" => name == "receiver",
            other => name == other,
        });
        for provider in providers {
            assert_eq!(provider.takes_approvals(), takes_approvals, "{provider}");
        }
        assert!(component.wasm.len() < 160_000, "{name} has {} bytes", component.wasm.len());
    }
}

/// An event that is none, and a record where only events are told, end in an error and in nothing else.
#[tokio::test]
async fn what_cannot_be_told_is_an_error() {
    let host = host();
    let context = context(&json!({"message_id": "m", "now": "2040-01-01T00:00:00Z", "connector": "splunk"}));
    let splunk = load(&host, &cavra_builtin::CONNECTOR_SPLUNK).await;
    for subject in [Subject::Event("[]".to_owned()), Subject::Event("{".to_owned()), Subject::Approval("{}".to_owned())]
    {
        assert!(splunk.step(&subject, &context, &[]).await.is_err(), "{subject:?}");
    }
}
