//! What other systems are told: events and approvals, delivered to where the operator's files say.

mod events;
mod evidence;

use std::path::Path;

use cavra_connect::{APPROVAL_KEYS, CONNECTOR_KEYS, Config, Connectors, DeliveryError, Network, Options, Persistence};
use cavra_model::members::{built, text};
use cavra_model::{Object, Timestamp};
use cavra_plugins::PluginHost;
use serde_json::{Value, json};

use crate::{App, CoreError, Settings};

pub use events::Delivered;
pub(crate) use evidence::JOB_RUN;
pub use evidence::{DeliveryEvidence, delivery_record};

/// The systems that are told something.
#[derive(Clone, Default)]
pub struct Outgoing {
    /// Of events.
    pub events: Option<Connectors>,
    /// Of approvals.
    pub approvals: Option<Connectors>,
}

impl Outgoing {
    /// Reads the files that the settings name. Connectors run in `plugins`.
    ///
    /// # Errors
    /// [`CoreError::Configuration`] naming a file that cannot be used.
    pub fn read(settings: &Settings, plugins: &PluginHost) -> Result<Self, CoreError> {
        let events = config(settings.connector_config.as_deref(), "CAVRA_CONNECTOR_CONFIG", CONNECTOR_KEYS)?;
        let approvals =
            config(settings.approval_provider_config.as_deref(), "CAVRA_APPROVAL_PROVIDER_CONFIG", APPROVAL_KEYS)?;
        let connectors = |config| Connectors::new(config, settings.network.clone(), plugins.clone());
        Ok(Self {
            events: events.map(connectors),
            approvals: approvals.map(|config| connectors(config.for_approvals())),
        })
    }

    /// As [`Outgoing::read`], while this one is in force: what came from a chat until now counts no second time.
    ///
    /// # Errors
    /// As [`Outgoing::read`].
    pub fn again(&self, settings: &Settings, plugins: &PluginHost) -> Result<Self, CoreError> {
        let Self { events, approvals } = Self::read(settings, plugins)?;
        let approvals = approvals.map(|approvals| match &self.approvals {
            Some(before) => approvals.after(before),
            None => approvals,
        });
        Ok(Self { events, approvals })
    }
}

impl Outgoing {
    /// The files of certificates that the operator's files name, each with the end of every certificate in it.
    pub(crate) fn certificates(&self) -> Vec<(String, Timestamp)> {
        [&self.events, &self.approvals].into_iter().flatten().flat_map(Connectors::certificates).collect()
    }
}

fn config(file: Option<&Path>, variable: &str, keys: [&str; 2]) -> Result<Option<Config>, CoreError> {
    let Some(file) = file else { return Ok(None) };
    let unusable = |error| CoreError::Configuration(format!("{variable}: {} cannot be used: {error}", file.display()));
    Config::read(file, keys).map(Some).map_err(unusable)
}

impl From<DeliveryError> for CoreError {
    fn from(error: DeliveryError) -> Self {
        match error {
            DeliveryError::Component(problem) => {
                tracing::error!(problem, "a connector cannot be run");
                Self::Unavailable("a connector cannot be run; the log says why")
            }
            error => Self::BadRequest(error.to_string()),
        }
    }
}

impl App {
    /// Delivers an approval, as it is now, to the systems that the body names; answers `cavra.approval.delivery.v1`. That a
    /// system did not take it is no error.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::BadRequest`], [`CoreError::Store`]; then nothing was sent.
    pub async fn deliver_approval(&self, id: &str, body: &Object) -> Result<Object, CoreError> {
        let approval = self.approvals.get(id).await?;
        let Some(connectors) = &self.outgoing.approvals else {
            return Err(CoreError::BadRequest("approval provider config is not configured".to_owned()));
        };
        send_approval(connectors, &approval, body).await
    }
}

/// The systems of a file in the form of `CAVRA_APPROVAL_PROVIDER_CONFIG`.
///
/// # Errors
/// [`CoreError::Configuration`] naming what cannot be used.
pub fn approval_connectors(file: &Path, network: Network, plugins: PluginHost) -> Result<Connectors, CoreError> {
    let unusable = |error| CoreError::Configuration(format!("{} cannot be used: {error}", file.display()));
    let config = Config::read(file, APPROVAL_KEYS).map_err(unusable)?;
    Ok(Connectors::new(config.for_approvals(), network, plugins))
}

/// Delivers an approval to the systems that `asked` names; answers `cavra.approval.delivery.v1`.
///
/// # Errors
/// [`CoreError::BadRequest`]; then nothing was sent.
pub async fn send_approval(connectors: &Connectors, approval: &Object, asked: &Object) -> Result<Object, CoreError> {
    let options = Options { persistence: Persistence::Any, ..Options::of(asked, "all")? };
    let deliveries = connectors.tell_approval(approval, &options).await?;
    Ok(built(json!({
        "schema_version": "cavra.approval.delivery.v1",
        "product": "CAVRA",
        "approval_id": text(approval, "approval_id"),
        "decision_id": text(approval, "decision_id"),
        "generated_at": Timestamp::now(),
        "success": deliveries.iter().all(|delivery| delivery.get("success") == Some(&Value::Bool(true))),
        "deliveries": deliveries,
    })))
}
