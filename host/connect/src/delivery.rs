//! Delivering an event: which systems get it, how often it is tried, and what came of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cavra_model::{Object, Timestamp};
use cavra_plugins::PluginHost;
use cavra_plugins::connector::{Subject, SubjectKind};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::task::JoinSet;

use crate::attempt::{Attempted, Verdict};
use crate::callback::Once;
use crate::certificates;
use crate::config::{Environment, SettingError, bounded};
use crate::conversation::{Message, tell};
use crate::event::Event;
use crate::loading::Loading;
use crate::message::new_id;
use crate::network::Network;
use crate::plug::Plug;
use crate::redact::shown_url;
use crate::send::{Attempt, Outbound};
use crate::target::{LARGEST_BUNDLE, Target};
use crate::{Config, Provider};

/// Most attempts after the first.
const MOST_RETRIES: i64 = 10;

/// Longest and shortest time for one attempt, in seconds.
const LONGEST: f64 = 60.0;
const SHORTEST: f64 = 0.1;

/// Longest that a receiver may ask a caller of ours to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Bodies that a caller must not bring along: they would be sent with the operator's credentials.
const PROVIDER_PAYLOADS: &str = "provider_payloads";

/// Why nothing is sent. The sentence is for whoever asked.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryError {
    /// There is no connector of that name, or it is switched off.
    #[error("connector provider is not configured: {0}")]
    NotConfigured(String),
    /// A connector cannot be used as it is configured.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Its connector tells other things than this.
    #[error("connector {0}: by its description it is told nothing of this kind")]
    NotTaken(String),
    /// An option is out of its kind.
    #[error("{0}")]
    Option(&'static str),
    /// A component cannot be run. The sentence is for the log.
    #[error("{0}")]
    Component(String),
}

/// Which failures are worth another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Those that may well pass by themselves.
    Passing,
    /// All of them.
    Any,
}

/// How an event is delivered.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// `all`, or names separated by commas.
    pub provider: String,
    /// Attempts after the first.
    pub retries: u32,
    /// Time for one attempt.
    pub timeout: Duration,
    /// What is tried again.
    pub persistence: Persistence,
}

impl Options {
    /// Reads `provider`, `retries` and `timeout_seconds`.
    ///
    /// # Errors
    /// [`DeliveryError::Option`].
    pub fn of(body: &Object, default_provider: &str) -> Result<Self, DeliveryError> {
        let provider = match body.get("provider") {
            None | Some(Value::Null) => default_provider,
            Some(Value::String(name)) if !name.trim().is_empty() => name,
            Some(_) => return Err(DeliveryError::Option("provider must be a name, several with commas, or all")),
        };
        let retries = match body.get("retries") {
            None | Some(Value::Null) => 2,
            Some(number) => number.as_i64().ok_or(DeliveryError::Option("retries must be a whole number"))?,
        };
        let seconds = match body.get("timeout_seconds") {
            None | Some(Value::Null) => 10.0,
            Some(Value::Number(number)) => number.as_f64().filter(|seconds| seconds.is_finite()).unwrap_or(LONGEST),
            Some(_) => return Err(DeliveryError::Option("timeout_seconds must be a number")),
        };
        Ok(Self {
            provider: provider.to_owned(),
            retries: u32::try_from(retries.clamp(0, MOST_RETRIES)).unwrap_or(0),
            timeout: Duration::from_secs_f64(seconds.clamp(SHORTEST, LONGEST)),
            persistence: Persistence::Passing,
        })
    }
}

/// Where an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A caller made it.
    Caller,
    /// The server made it; it may bring bodies for single providers.
    Server,
}

/// Delivers events to the systems of a connector file.
#[derive(Clone)]
pub struct Connectors {
    config: Arc<Config>,
    outbound: Arc<Outbound>,
    plugins: PluginHost,
    /// Connectors that were needed so far.
    plugs: Loading<Provider, Plug, DeliveryError>,
    /// What was signed in chats, each once.
    once: Arc<Once>,
}

impl Connectors {
    /// The systems of a file, reached as `network` says. Their connectors run in `plugins`, which loads each when it is first
    /// needed.
    #[must_use]
    pub fn new(config: Config, network: Network, plugins: PluginHost) -> Self {
        Self {
            config: Arc::new(config),
            outbound: Arc::new(Outbound::new(network)),
            plugins,
            plugs: Loading::default(),
            once: Arc::default(),
        }
    }

    /// With what was signed in chats for the systems of a file that was read `before`: none of it counts once more.
    #[must_use]
    pub fn after(self, before: &Self) -> Self {
        Self { once: Arc::clone(&before.once), ..self }
    }

    /// What the file says.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The way out.
    pub(crate) fn outbound(&self) -> &Outbound {
        &self.outbound
    }

    /// What was signed in chats.
    pub(crate) fn once(&self) -> &Once {
        &self.once
    }

    /// One system, ready to be sent to.
    pub(crate) async fn target(&self, provider: Provider) -> Result<Target, DeliveryError> {
        let [target] = <[Target; 1]>::try_from(self.targets(provider.as_str(), &variable).await?)
            .map_err(|_| DeliveryError::NotConfigured(provider.to_string()))?;
        Ok(target)
    }

    /// The systems that an event can be sent to, by name.
    #[must_use]
    pub fn enabled(&self) -> Vec<Provider> {
        self.config.enabled()
    }

    /// The files of certificates that it names, each with the end of every certificate in it.
    #[must_use]
    pub fn certificates(&self) -> Vec<(String, Timestamp)> {
        let files = self.entries().filter_map(|entry| entry.get("ca_file")?.as_str());
        let held = |file: &str| bounded(Path::new(file), LARGEST_BUNDLE).unwrap_or_default();
        let ends = files.map(|file| (file, certificates::ends(&String::from_utf8_lossy(&held(file)))));
        ends.flat_map(|(file, ends)| ends.into_iter().map(|end| (file.to_owned(), end))).collect()
    }

    /// What the file says about each of them.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Value> {
        self.config.entries()
    }

    /// Delivers an event; answers `cavra.connector.delivery.v1`. That a system did not take it is no error.
    ///
    /// # Errors
    /// [`DeliveryError`]; then nothing was sent.
    pub async fn deliver(&self, mut event: Object, source: Source, options: &Options) -> Result<Object, DeliveryError> {
        let payloads = event.remove(PROVIDER_PAYLOADS).filter(|_| source == Source::Server);
        let text = json!(event).to_string();
        let subject = |provider: Provider| match payloads.as_ref().and_then(|payloads| payloads.get(provider.as_str()))
        {
            Some(document) => Subject::Document(document.to_string()),
            None => Subject::Event(text.clone()),
        };
        let now = Timestamp::now();
        let deliveries = self.each(options, Event { members: &event }.time(), &subject).await?;
        let success = deliveries.iter().all(|delivery| delivery["success"] == true);
        let event = Event { members: &event };
        let document = json!({
            "schema_version": "cavra.connector.delivery.v1",
            "product": "CAVRA",
            "event_type": event.kind(),
            "event_id": event.id(),
            "session_id": event.session(),
            "generated_at": now,
            "success": success,
            "deliveries": deliveries,
        });
        Ok(cavra_model::members::built(document))
    }

    /// Sends a server's event to one system, once. A receiver that gets it again with the same `id` knows that it has it.
    ///
    /// # Errors
    /// [`DeliveryError`]; then nothing was sent.
    pub async fn attempt(
        &self,
        provider: Provider,
        event: &Object,
        id: &str,
        timeout: Duration,
    ) -> Result<Attempted, DeliveryError> {
        let target = self.target(provider).await?;
        if !target.plug.takes(SubjectKind::Event) {
            return Err(DeliveryError::NotTaken(provider.to_string()));
        }
        let message = Message {
            id: id.to_owned(),
            subject: Subject::Event(json!(event).to_string()),
            happened: Event { members: event }.time(),
        };
        let once = Options { provider: String::new(), retries: 0, timeout, persistence: Persistence::Passing };
        let (shown, verdict) = tried(&self.outbound, &target, &message, &once).await;
        Ok(Attempted { shown: cavra_model::members::built(shown), verdict })
    }

    /// Whether events can be sent to a system as it is configured: its settings, and where its address leads. Nothing is
    /// sent. Answers the address as it may be shown.
    ///
    /// # Errors
    /// A sentence without secrets.
    pub async fn check(&self, provider: Provider) -> Result<String, String> {
        let targets = self.targets(provider.as_str(), &variable).await.map_err(|error| error.to_string())?;
        let target = targets.first().ok_or("it is not configured")?;
        for place in &target.places {
            match self.outbound.network.route(&place.url, &place.grant).await {
                Ok(_) => {}
                Err(Attempt::Unreachable) => return Err("the name of its host leads nowhere".to_owned()),
                Err(_) => {
                    return Err(
                        "its host has an address that events are not sent to; see allow_private_network".to_owned()
                    );
                }
            }
        }
        Ok(target.first().map(|place| shown_url(&place.url)).unwrap_or_default())
    }

    /// Tells the systems that are asked for about an approval; answers what came of it, by name.
    ///
    /// # Errors
    /// [`DeliveryError`]; then nothing was sent.
    pub async fn tell_approval(&self, record: &Object, options: &Options) -> Result<Vec<Value>, DeliveryError> {
        let subject = |provider: Provider| {
            let mut told = record.clone();
            told.extend(self.answers(provider, record).map(|answers| ("answers".to_owned(), answers)));
            Subject::Approval(Value::Object(told).to_string())
        };
        self.each(options, None, &subject).await
    }

    async fn each(
        &self,
        options: &Options,
        happened: Option<Timestamp>,
        subject: &(dyn Fn(Provider) -> Subject + Sync),
    ) -> Result<Vec<Value>, DeliveryError> {
        let mut told = Vec::new();
        for target in self.targets(&options.provider, &variable).await? {
            let subject = subject(target.provider);
            if target.plug.takes(kind_of(&subject)) {
                told.push((target, subject));
            } else if options.provider.trim() != "all" {
                return Err(DeliveryError::NotTaken(target.provider.to_string()));
            }
        }
        if told.is_empty() {
            return Err(DeliveryError::NotConfigured(options.provider.trim().to_owned()));
        }
        let mut under_way = JoinSet::new();
        for (target, subject) in told {
            let message = Message { id: new_id(), subject, happened };
            let (outbound, options) = (self.outbound.clone(), options.clone());
            // A task of its own, in the trace of whoever asked.
            let trace = cavra_trace::current();
            under_way.spawn(cavra_trace::in_context(trace, async move {
                (target.provider, tried(&outbound, &target, &message, &options).await.0)
            }));
        }
        let mut deliveries = under_way.join_all().await;
        deliveries.sort_by_key(|(provider, _)| *provider);
        Ok(deliveries.into_iter().map(|(_, delivery)| delivery).collect())
    }

    /// The systems that are asked for, ready to be sent to.
    async fn targets(&self, names: &str, environment: Environment<'_>) -> Result<Vec<Target>, DeliveryError> {
        let mut targets = Vec::new();
        for provider in self.chosen(names)? {
            let entry = self.config.entry(provider).unwrap_or(&Value::Null);
            let plug = self.plug(provider, entry).await?;
            targets.push(Target::resolve(provider, plug, entry, &self.outbound.network, environment)?);
        }
        Ok(targets)
    }

    /// The connector of a provider: the operator's, else the binary's. It may take longer to compile than one attempt waits;
    /// the next one finds it ready.
    async fn plug(&self, provider: Provider, entry: &Value) -> Result<Plug, DeliveryError> {
        let load = || {
            let (plugins, entry) = (self.plugins.clone(), entry.clone());
            async move {
                match Plug::of_the_operator(&plugins, provider, &entry).await? {
                    Some(plug) => Ok(plug),
                    None => Plug::of_the_binary(&plugins, provider).await,
                }
            }
        };
        let unfinished = || Err(DeliveryError::Component(format!("connector {provider}: it could not be loaded")));
        self.plugs.get(provider, load).await.unwrap_or_else(unfinished)
    }

    /// Compiles the operator's components, so that nobody waits for them later. That one cannot be used is said in the log, and
    /// again when something is sent there.
    pub async fn prepare(&self) {
        for provider in self.config.enabled() {
            let entry = self.config.entry(provider).unwrap_or(&Value::Null);
            let is_own = entry.get("component").is_some_and(|path| path.is_string());
            if is_own && let Err(error) = self.plug(provider, entry).await {
                tracing::warn!(provider = provider.as_str(), %error, "a component of the operator cannot be used");
            }
        }
    }

    fn chosen(&self, names: &str) -> Result<Vec<Provider>, DeliveryError> {
        let enabled = self.config.enabled();
        let chosen: Vec<Provider> = if names.trim() == "all" {
            enabled
        } else {
            let mut chosen: Vec<Provider> = Vec::new();
            let mut missing: Vec<&str> = Vec::new();
            for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                match name.parse::<Provider>().ok().filter(|provider| enabled.contains(provider)) {
                    Some(provider) if chosen.contains(&provider) => {}
                    Some(provider) => chosen.push(provider),
                    None => missing.push(name),
                }
            }
            if !missing.is_empty() {
                return Err(DeliveryError::NotConfigured(missing.join(", ")));
            }
            chosen
        };
        if chosen.is_empty() {
            return Err(DeliveryError::NotConfigured(names.trim().to_owned()));
        }
        Ok(chosen)
    }
}

const fn kind_of(subject: &Subject) -> SubjectKind {
    match subject {
        Subject::Event(_) => SubjectKind::Event,
        Subject::Approval(_) => SubjectKind::Approval,
        Subject::Document(_) => SubjectKind::Document,
    }
}

/// A variable of the process's environment.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Tries until it succeeds or makes no sense any more; answers what is shown of it, and what follows from the last attempt.
async fn tried(outbound: &Outbound, target: &Target, message: &Message, options: &Options) -> (Value, Verdict) {
    let mut attempts = 0;
    let (started, last) = loop {
        let started = Timestamp::now();
        let told = tell(outbound, target, message, options.timeout).await;
        attempts += 1;
        let is_worth_it = told.is_passing || options.persistence == Persistence::Any;
        if told.verdict == Verdict::Accepted || !is_worth_it || attempts > options.retries {
            break (started, told);
        }
        tokio::time::sleep(pause(told.wait, attempts)).await;
    };
    let mut shown = json!({
        "provider": target.provider.as_str(),
        "success": last.verdict == Verdict::Accepted,
        "status_code": last.status,
        "attempt_count": attempts,
        "started_at": started,
        "completed_at": Timestamp::now(),
        "error": last.error,
        "request": last.request,
    });
    if let (Some(reference), Some(shown)) = (last.reference, shown.as_object_mut()) {
        shown.insert("reference".to_owned(), json!(reference));
    }
    (shown, last.verdict)
}

/// How long to wait after the attempt of this number: as long as the receiver wishes, else a little longer each time.
fn pause(wish: Option<Duration>, number: u32) -> Duration {
    let own = Duration::from_millis(250).saturating_mul(number).min(Duration::from_secs(1));
    wish.filter(|wish| *wish <= LONGEST_WAIT).map_or(own, |wish| wish.max(own))
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
pub(crate) mod tests;
