//! Everything wired together from the settings.

use std::path::PathBuf;
use std::sync::Arc;

use cavra_model::{DECISIONS, Kind, MCP_SERVERS, McpRegistry, PackName, SESSIONS};
use cavra_packs::{PackLibrary, PackRoot, ResolvedPack};
use cavra_plugins::{HostConfig, PluginHost};
use cavra_store::RecordStore;

use crate::{Activity, CoreError, DecisionPoint, DecisionRequest, Registry, Settings, Verdict};
use cavra_model::ActionType;

static ACTIVITY_KINDS: [&Kind; 2] = [&DECISIONS, &SESSIONS];
static REGISTRY_KINDS: [&Kind; 1] = [&MCP_SERVERS];

/// How the plugin runtime is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Many decisions in parallel: pooled instances.
    Server,
    /// One decision and exit: minimal start-up.
    OneShot,
}

/// The application: a decision point with its stores.
#[derive(Clone)]
pub struct App {
    /// Decides.
    pub decisions: DecisionPoint,
    /// Remembers.
    pub activity: Activity,
    /// Knows MCP servers.
    pub registry: Registry,
}

impl DecisionPoint {
    /// A decision point alone, without stores: what the CLI needs.
    ///
    /// # Errors
    /// [`CoreError::Runtime`].
    pub fn from_settings(settings: &Settings, engine: Engine) -> Result<Self, CoreError> {
        let library = PackLibrary::new(PackRoot::FromEnvironment(settings.policy_dir.clone()));
        let config = HostConfig {
            pooling: engine == Engine::Server,
            cache_dir: settings.cache_dir.clone(),
            compile_worker: current_exe(),
            ..HostConfig::default()
        };
        let plugins = PluginHost::new(config).map_err(CoreError::Runtime)?;
        Ok(Self::new(library, plugins))
    }
}

fn current_exe() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

impl App {
    /// Opens the stores and starts the plugin runtime.
    ///
    /// # Errors
    /// [`CoreError::Store`] for a store that cannot be read, which is left as it is; [`CoreError::Runtime`].
    pub fn open(settings: &Settings, engine: Engine) -> Result<Self, CoreError> {
        Ok(Self {
            decisions: DecisionPoint::from_settings(settings, engine)?,
            activity: Activity::new(RecordStore::open(settings.activity.clone(), &ACTIVITY_KINDS)?),
            registry: Registry::new(RecordStore::open(settings.registry.clone(), &REGISTRY_KINDS)?),
        })
    }

    /// Decides by the named pack, with the trust registry, and records the decision; durable when it returns.
    ///
    /// # Errors
    /// Every [`CoreError`]; then nothing was stored.
    pub async fn decide(&self, request: DecisionRequest) -> Result<Verdict, CoreError> {
        let pack = self.pack(request.pack.as_ref())?;
        self.decide_by(request, &pack).await
    }

    /// As [`App::decide`], by a pack at hand.
    ///
    /// # Errors
    /// Every [`CoreError`]; then nothing was stored.
    pub async fn decide_by(&self, request: DecisionRequest, pack: &ResolvedPack) -> Result<Verdict, CoreError> {
        let registry = match &request.action.server {
            Some(server) if request.action.action_type == ActionType::McpToolCall => {
                self.registry.look_up(server).await?
            }
            _ => McpRegistry::Unregistered,
        };
        let mut verdict = self.decisions.decide(request, pack, registry).await?;
        verdict.record = self.activity.record(verdict.record).await?;
        Ok(verdict)
    }

    /// The named pack, or the default one.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Pack`].
    pub fn pack(&self, name: Option<&PackName>) -> Result<Arc<ResolvedPack>, CoreError> {
        self.decisions.pack(name)
    }

    /// Drains and flushes the stores.
    pub async fn close(&self) {
        self.activity.store().close().await;
        self.registry.store().close().await;
    }
}
