//! What the first-party connectors have in common. Each of them is a [`Row`]: where it sends to, what lets it in, and the
//! form in which it tells an event and an approval. One request carries one message.

extern crate self as connector;

#[doc(hidden)]
pub mod bindings {
    //! Generated from the contract, where the documentation is.
    #![allow(missing_docs, reason = "generated")]

    wit_bindgen::generate!({
        path: "../../../wit/connector/1.0.0",
        world: "connector",
        pub_export_macro: true,
        export_macro_name: "export_bindings",
        default_bindings_module: "connector::bindings",
        runtime_path: "::connector::wit_bindgen::rt",
        additional_derives: [PartialEq],
    });
}

#[doc(hidden)]
pub use wit_bindgen;

mod approval;
mod message;
mod outcome;

pub use approval::{Answer, Approval};
pub use bindings::cavra::connector::types;
pub use message::Message;

use serde_json::{Map, Value};
use types::{
    Context, Credential, CredentialKind, Description, Endpoint, Exchange, Header, Next, Patience, Request, Setting,
    Subject, SubjectKind, Verdict,
};

/// Members of a JSON object.
pub type Object = Map<String, Value>;

/// The credential that lets a message in, and the one that it is signed with.
const ACCESS: &str = "access";
const SIGNATURE: &str = "signature";

/// The one endpoint.
const RECEIVER: &str = "receiver";

/// What is particular about a connector.
pub struct Row {
    /// Its name.
    pub id: &'static str,
    /// The same for people.
    pub title: &'static str,
    /// What is at the endpoint.
    pub meaning: &'static str,
    /// What its address may look like.
    pub example: &'static str,
    /// The form of a message depends on the path.
    pub reads_path: bool,
    /// Nothing is sent without a credential.
    pub needs_credential: bool,
    /// Stands before a token.
    pub scheme: &'static str,
    /// The header of an API key.
    pub key_header: &'static str,
    /// What the receiver is asked to answer with, where it has a choice.
    pub accept: Option<&'static str>,
    /// Every message names itself as Standard Webhooks describes, signed or not.
    pub is_own_receiver: bool,
    /// The body that tells an event.
    pub event: fn(&Message<'_>) -> Value,
    /// The body that tells an approval, where people are asked there.
    pub approval: Option<fn(&Approval<'_>) -> Value>,
    /// What the receiver calls what it made, by its answer.
    pub reference: Option<fn(&Object) -> Option<String>>,
    /// What follows from an answer with 2xx that says itself that it is none.
    pub denial: Option<fn(&Object) -> Option<Verdict>>,
}

impl Row {
    /// What most have in common.
    pub const PLAIN: Self = Self {
        id: "",
        title: "",
        meaning: "",
        example: "",
        reads_path: false,
        needs_credential: false,
        scheme: "Bearer",
        key_header: "x-api-key",
        accept: None,
        is_own_receiver: false,
        event: |_| Value::Null,
        approval: None,
        reference: None,
        denial: None,
    };
}

/// Texts that an operator may set: name, meaning, and the values it may have.
const SETTINGS: [(&str, &str, &[&str]); 8] = [
    ("title", "title of messages and tickets, in place of the event's own", &[]),
    ("approval_page", "address of a page about an approval, with {approval_id} in it", &[]),
    ("channel", "Slack's channel, where the address is that of chat.postMessage", &[]),
    ("index", "Splunk's index", &[]),
    ("service", "Datadog's service", &[]),
    ("project_key", "Jira's project", &[]),
    ("issue_type", "Jira's type of issue, in a project", &[]),
    ("payload_style", "the body that the vendor takes, or cavra's older one for a relay", &["vendor", "compat"]),
];

/// What a connector says about itself. Called by [`export_connector!`].
#[doc(hidden)]
#[must_use]
pub fn describe(row: &Row, version: &str) -> Description {
    let mut subjects = vec![SubjectKind::Event, SubjectKind::Document];
    subjects.extend(row.approval.map(|_| SubjectKind::Approval));
    let access = vec![
        CredentialKind::Token(row.scheme.to_owned()),
        CredentialKind::Basic,
        CredentialKind::Header(row.key_header.to_owned()),
        CredentialKind::Oauth2ClientCredentials,
    ];
    let credential = |name: &str, kinds, required, reason: &str| Credential {
        name: name.to_owned(),
        kinds,
        required,
        reason: reason.to_owned(),
    };
    let setting = |(name, meaning, values): (&str, &str, &[&str])| Setting {
        name: name.to_owned(),
        meaning: meaning.to_owned(),
        values: values.iter().map(|&value| value.to_owned()).collect(),
    };
    Description {
        id: row.id.to_owned(),
        title: row.title.to_owned(),
        version: version.to_owned(),
        subjects,
        endpoints: vec![Endpoint {
            name: RECEIVER.to_owned(),
            meaning: row.meaning.to_owned(),
            example: row.example.to_owned(),
            path_visible: row.reads_path,
        }],
        credentials: vec![
            credential(ACCESS, access, row.needs_credential, "lets messages in"),
            credential(SIGNATURE, vec![CredentialKind::StandardWebhooks], false, "shows who a message is from"),
        ],
        settings: SETTINGS.map(setting).into(),
    }
}

/// What a connector does next: one request, and then it is done. Called by [`export_connector!`].
///
/// # Errors
/// What it was asked to tell is none of what it tells.
#[doc(hidden)]
pub fn step(row: &Row, subject: &Subject, context: &Context, exchanges: &[Exchange]) -> Result<Next, String> {
    if let Some(last) = exchanges.last() {
        return Ok(Next::Done(outcome::of(row, last)));
    }
    let body = match subject {
        Subject::Event(event) => (row.event)(&Message::new(object(event)?, context)).to_string(),
        Subject::Approval(record) => {
            let tell = row.approval.ok_or("it tells no approvals")?;
            tell(&Approval::new(&object(record)?, context)).to_string()
        }
        Subject::Document(document) => document.clone(),
    };
    Ok(Next::Send(vec![request(row, context, body.into_bytes())]))
}

fn object(text: &str) -> Result<Object, String> {
    serde_json::from_str(text).map_err(|error| format!("it is no JSON object: {error}"))
}

fn request(row: &Row, context: &Context, body: Vec<u8>) -> Request {
    let header = |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned() };
    let mut headers = vec![header("content-type", "application/json")];
    headers.extend(row.accept.map(|accept| header("accept", accept)));
    let id = &context.message_id;
    if !id.is_empty() {
        headers.push(header("idempotency-key", id));
        if row.is_own_receiver || context.credentials.iter().any(|name| name == SIGNATURE) {
            let seconds = context.now.micros.div_euclid(1_000_000).to_string();
            headers.extend([header("webhook-id", id), header("webhook-timestamp", &seconds)]);
        }
    }
    Request {
        method: "POST".to_owned(),
        endpoint: RECEIVER.to_owned(),
        path: String::new(),
        headers,
        body,
        credentials: vec![ACCESS.to_owned(), SIGNATURE.to_owned()],
        patience: Patience::Long,
    }
}

/// The first characters of a text.
#[must_use]
pub fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// What the operator set.
#[must_use]
pub fn setting<'a>(context: &'a Context, name: &str) -> Option<&'a str> {
    context.settings.iter().find(|(set, _)| set == name).map(|(_, value)| value.as_str())
}

/// A text member that is not empty.
pub(crate) fn filled<'a>(members: &'a Object, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Exports a [`Row`] from the crate as the component's two functions. Use it once, in a `cdylib`.
#[macro_export]
macro_rules! export_connector {
    ($row:expr) => {
        const _: () = {
            struct Exported;

            impl $crate::bindings::Guest for Exported {
                fn describe() -> $crate::types::Description {
                    $crate::describe(&$row, env!("CARGO_PKG_VERSION"))
                }

                fn step(
                    subject: $crate::types::Subject,
                    context: $crate::types::Context,
                    exchanges: ::std::vec::Vec<$crate::types::Exchange>,
                ) -> ::std::result::Result<$crate::types::Next, ::std::string::String> {
                    $crate::step(&$row, &subject, &context, &exchanges)
                }
            }

            #[cfg(target_family = "wasm")]
    $crate::bindings::export_bindings!(Exported with_types_in $crate::bindings);
        };
    };
}
