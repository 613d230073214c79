//! The world of connectors: what is to be told goes in, requests and an outcome come out. Nothing is sent here.
//!
//! The types are those of the contract, `wit/connector`.

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use crate::bindings::connector_1_0 as bound;
use crate::error::{Failure, PluginError, PluginErrorKind, clip};
use crate::limits::LABEL_BYTES;
use crate::linked::Linked;
use crate::plugin::Plugin;
use crate::store::CallState;
use crate::world::World;

pub use bound::cavra::connector::types::{
    Context, Credential, CredentialKind, Description, Endpoint, Exchange, Failure as NoResponse, Header, Moment, Next,
    Outcome, Patience, Request, Response, Sent, Setting, Subject, SubjectKind, Verdict,
};

/// Connectors.
static CONNECTOR: World =
    World { package: "cavra:connector", noun: "connector", versions: &["1.0.0"], exports: &["describe", "step"] };

/// Most requests, headers of one, and credentials, endpoints, settings and names of a description.
const MOST_ITEMS: usize = 64;
/// Longest path and header, and longest text of a description.
const TEXT_BYTES: usize = 8 * 1024;
/// Longest reference to what was made in another system.
const REFERENCE_BYTES: usize = 64;
/// Characters kept of what a connector says for the log.
const DETAIL_CHARS: usize = 500;

/// A connector that is linked.
pub(crate) struct LinkedConnector(bound::ConnectorPre<CallState>);

impl Linked for LinkedConnector {
    type Exports = bound::Connector;

    fn world() -> &'static World {
        &CONNECTOR
    }

    fn of(_version: &str, instance: InstancePre<CallState>) -> wasmtime::Result<Self> {
        bound::ConnectorPre::new(instance).map(Self)
    }

    fn instance_pre(&self) -> &InstancePre<CallState> {
        self.0.instance_pre()
    }

    fn exports(&self, store: &mut Store<CallState>, instance: &Instance) -> wasmtime::Result<bound::Connector> {
        bound::Connector::new(store, instance)
    }
}

/// A connector that is ready to be asked. Every call runs in an instance of its own.
pub struct Connector {
    plugin: Plugin<LinkedConnector>,
    description: Description,
}

impl Connector {
    /// One that has said what it is.
    pub(crate) async fn described(plugin: Plugin<LinkedConnector>) -> Result<Self, PluginError> {
        let description = describe(&plugin).await.map_err(|failure| plugin.failed(failure))?;
        Ok(Self { plugin, description })
    }

    /// What the connector says about itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// What to do next, after these exchanges. What comes back is bounded, and not yet permitted.
    ///
    /// # Errors
    /// [`PluginError`]: [`PluginErrorKind::BadAnswer`] also where the connector itself says that it cannot go on.
    pub async fn step(
        &self,
        subject: &Subject,
        context: &Context,
        exchanges: &[Exchange],
    ) -> Result<Next, PluginError> {
        self.plugin.called();
        self.try_step(subject, context, exchanges).await.map_err(|failure| self.plugin.failed(failure))
    }

    async fn try_step(&self, subject: &Subject, context: &Context, exchanges: &[Exchange]) -> Result<Next, Failure> {
        let bytes = input_bytes(subject, context, exchanges);
        let mut session = self.plugin.open(&self.plugin.limits().connector).await?;
        let (connector, store) = session.ask(bytes)?;
        let answer = connector.call_step(store, subject, context, exchanges).await;
        match session.answered(answer)? {
            Ok(next) => checked(next),
            Err(said) => {
                let kind = PluginErrorKind::BadAnswer("it cannot go on".to_owned());
                Err(Failure::new(kind, clip(&said, DETAIL_CHARS)))
            }
        }
    }
}

async fn describe(plugin: &Plugin<LinkedConnector>) -> Result<Description, Failure> {
    let mut session = plugin.open(&plugin.limits().connector).await?;
    let (connector, store) = session.ask(0)?;
    let answer = connector.call_describe(store).await;
    let description = session.answered(answer)?;
    let Description { id, title, version, subjects, endpoints, credentials, settings } = &description;
    let labels = [id, title, version].into_iter();
    let names = endpoints.iter().flat_map(|it| [&it.name, &it.meaning, &it.example]);
    let names = names.chain(credentials.iter().flat_map(|it| [&it.name, &it.reason]));
    let names = names.chain(settings.iter().flat_map(|it| [&it.name, &it.meaning]));
    if labels.chain(names).any(|text| text.len() > LABEL_BYTES) {
        return Err(bad_answer("a text of its description is longer than 512 bytes"));
    }
    let values = settings.iter().map(|it| it.values.len());
    let kinds = credentials.iter().map(|it| it.kinds.len());
    let counts = [subjects.len(), endpoints.len(), credentials.len(), settings.len()].into_iter();
    if counts.chain(values).chain(kinds).any(|count| count > MOST_ITEMS) {
        return Err(bad_answer("a list of its description has more than 64 items"));
    }
    if endpoints.is_empty() {
        return Err(bad_answer("it has no endpoint"));
    }
    Ok(description)
}

/// What a step copies into the guest.
fn input_bytes(subject: &Subject, context: &Context, exchanges: &[Exchange]) -> usize {
    let (Subject::Event(text) | Subject::Approval(text) | Subject::Document(text)) = subject;
    let pairs = context.settings.iter().chain(&context.paths).map(|(name, value)| name.len() + value.len());
    let names = context.credentials.iter().map(String::len);
    let exchanges = exchanges.iter().map(|exchange| {
        let response = exchange.response.as_ref().map_or(0, |response| response.body.len());
        exchange.request.path.len() + response
    });
    text.len() + pairs.chain(names).chain(exchanges).sum::<usize>()
}

/// An answer that is within its bounds.
fn checked(next: Next) -> Result<Next, Failure> {
    match next {
        Next::Send(requests) => {
            if requests.is_empty() || requests.len() > MOST_ITEMS {
                return Err(bad_answer("it sends nothing, or more than 64 requests at once"));
            }
            let is_large = |request: &Request| {
                let headers = request.headers.iter().map(|header| header.name.len() + header.value.len());
                let texts = [request.method.len(), request.endpoint.len(), request.path.len()];
                request.headers.len() > MOST_ITEMS
                    || request.credentials.len() > MOST_ITEMS
                    || headers.chain(texts).any(|bytes| bytes > TEXT_BYTES)
            };
            if requests.iter().any(is_large) {
                return Err(bad_answer("a request has more than 64 headers, or a path or header above 8 KiB"));
            }
            Ok(Next::Send(requests))
        }
        Next::Done(outcome) => {
            let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
            let is_name = |text: &String| (1..=REFERENCE_BYTES).contains(&text.len()) && text.bytes().all(plain);
            if !outcome.reference.as_ref().is_none_or(is_name) {
                return Err(bad_answer("a reference is not 1 to 64 of the characters A-Z a-z 0-9 . _ -"));
            }
            Ok(Next::Done(Outcome { detail: clip(&outcome.detail, DETAIL_CHARS), ..outcome }))
        }
    }
}

fn bad_answer(what: &str) -> Failure {
    PluginErrorKind::BadAnswer(what.to_owned()).into()
}
