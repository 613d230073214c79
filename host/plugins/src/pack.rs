//! A loaded policy pack, and one decision of it.

use std::sync::Arc;
use std::time::Instant;

use cavra_model::{Action, Facts, Finding};
use metrics::{Counter, Histogram};
use serde::{Deserialize, Serialize};

use crate::engine::Runtime;
use crate::error::{Failure, Identity, PluginError, PluginErrorKind};
use crate::limits::{Limits, Within};
use crate::linked::start;
use crate::places::Places;
use crate::policy::{self, Linked};
use crate::store::{Budget, store};

/// What a pack says about itself once its document is compiled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Id of the pack.
    pub id: String,
    /// Title for humans.
    pub title: String,
    /// Version of the document.
    pub version: String,
    /// Number of rules in force.
    pub rules: u32,
}

/// A policy pack that is ready to be asked. Every call runs in an instance of its own, which starts from what
/// `configure` left behind.
pub struct PolicyPack {
    identity: Identity,
    runtime: Arc<Runtime>,
    limits: Arc<Limits>,
    linked: Linked,
    /// For a component that could not be snapshotted: what to configure each instance with.
    document: Option<String>,
    description: Description,
    places: Places,
    meters: Meters,
}

/// Handles of the metrics, so that a call does not look them up.
struct Meters {
    calls: Counter,
    instantiate: Histogram,
    evaluate: Histogram,
}

impl Meters {
    fn new(plugin: &str) -> Self {
        let plugin = plugin.to_owned();
        Self {
            calls: metrics::counter!("cavra_plugin_calls_total", "plugin" => plugin.clone()),
            instantiate: metrics::histogram!("cavra_plugin_instantiate_seconds", "plugin" => plugin.clone()),
            evaluate: metrics::histogram!("cavra_plugin_evaluate_seconds", "plugin" => plugin),
        }
    }
}

impl PolicyPack {
    /// A pack that is linked, on a runtime with its limits and its places in the pool.
    pub(crate) fn new(
        identity: Identity,
        (runtime, limits): (Arc<Runtime>, Arc<Limits>),
        (linked, places): (Linked, Places),
        document: Option<String>,
        description: Description,
    ) -> Self {
        let meters = Meters::new(&identity.plugin);
        Self { identity, runtime, limits, linked, document, description, places, meters }
    }

    /// The same with no more of anything than is `within`.
    pub(crate) fn within(self, within: Within) -> Self {
        if within == Within::default() { self } else { Self { limits: Arc::new(within.of(&self.limits)), ..self } }
    }

    /// What the pack says about itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Asks the pack about one action. An empty answer is no opinion.
    ///
    /// Dropping the future ends the guest. Needs a tokio runtime with timers.
    ///
    /// # Errors
    /// [`PluginError`]; the caller has to treat it as a block.
    pub async fn evaluate(&self, action: &Action, facts: &Facts) -> Result<Vec<Finding>, PluginError> {
        self.meters.calls.increment(1);
        self.call(action, facts).await.map_err(|failure| {
            let error = failure.about(&self.identity);
            let (plugin, kind) = (self.identity.plugin.clone(), error.kind().as_str());
            metrics::counter!("cavra_plugin_errors_total", "plugin" => plugin, "kind" => kind).increment(1);
            error
        })
    }

    async fn call(&self, action: &Action, facts: &Facts) -> Result<Vec<Finding>, Failure> {
        let bytes = policy::input_bytes(action, facts);
        if bytes > self.limits.input_bytes {
            return Err(PluginErrorKind::Input.into());
        }
        let _turn = self.places.turn().await?;
        let began = Instant::now();
        let budget = Budget::evaluate(&self.limits, bytes);
        let mut store = store(&self.runtime, &self.limits, budget).map_err(Failure::load)?;
        let (_, running) = start(&self.linked, &mut store).await?;
        self.meters.instantiate.record(began.elapsed());
        if let Some(document) = &self.document {
            running.configure(&mut store, document).await?;
        }
        let answer = running.evaluate(&mut store, action, facts, self.limits.findings).await?;
        self.meters.evaluate.record(began.elapsed());
        Ok(answer)
    }
}
