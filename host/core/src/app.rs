//! Everything wired together from the settings.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cavra_identity::Gatekeeper;
use cavra_model::{APPROVALS, DELIVERIES, DecisionRecord, Kind, Object, PackName, new_decision_id};
use cavra_packs::ResolvedPack;
use cavra_plugins::{HostConfig, PluginHost};
use cavra_store::{Page, Query, RecordStore, StoreError};
use cavra_trace::{ActiveSpan, Kind as SpanKind};
use tracing::Instrument as _;

use crate::areas::{Area, open_store};
use crate::notify::Reservations;
use crate::operations::Vitals;
use crate::outgoing::Outgoing;
use crate::reload::{Governing, Reloads};
use crate::{
    Activity, ApiTokens, Approvals, CoreError, DecisionPoint, DecisionRequest, Deliveries, Evidence, EvidenceLog,
    Governor, Inventory, Keyring, LOGS, Live, Registry, Settings, Verdict, Workers, pack_trust,
};

/// How often approvals that ran out are expired when nobody looks at them.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(30);

/// How often the evidence log is signed, if it has grown.
const SIGNING_INTERVAL: Duration = Duration::from_secs(1);

/// How the plugin runtime is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Many decisions in parallel: pooled instances.
    Server,
    /// One decision and exit: minimal start-up.
    OneShot,
}

/// The application: a decision point with its stores. Clones are handles of the same one.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of.
#[derive(Clone)]
pub struct Parts {
    /// Decides.
    pub decisions: DecisionPoint,
    /// Has everything that is recorded.
    pub store: RecordStore,
    /// Remembers.
    pub activity: Activity,
    /// Knows agents, MCP servers and integrations.
    pub registry: Registry,
    /// Waits for humans.
    pub approvals: Approvals,
    /// Knows repositories and rollouts.
    pub inventory: Inventory,
    /// Knows what evidence there is.
    pub evidence: Evidence,
    /// Knows machines.
    pub tokens: ApiTokens,
    /// Proves what happened.
    pub log: EvidenceLog,
    /// Knows what integrations were told.
    pub deliveries: Deliveries,
    /// Knows people.
    pub gatekeeper: Gatekeeper,
    /// Tells other systems.
    pub outgoing: Outgoing,
    /// Knows what this server does by itself.
    pub workers: Workers,
    /// Whose turn it is to tell somebody about something.
    pub reservations: Reservations,
    /// What came of reading the operator's files again.
    pub reloads: Reloads,
    /// How long it has been running.
    pub vitals: Vitals,
    /// What all of it was made from.
    pub settings: Arc<Settings>,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl DecisionPoint {
    /// A decision point alone, without stores: what the CLI needs.
    ///
    /// # Errors
    /// [`CoreError::Runtime`].
    pub fn from_settings(settings: &Settings, engine: Engine) -> Result<Self, CoreError> {
        let plugins = plugins(settings, engine)?;
        Ok(Self::new(pack_trust::library(settings), plugins).with_redactor(settings.redactor))
    }
}

/// The plugin runtime that the settings describe.
///
/// # Errors
/// [`CoreError::Runtime`].
pub fn plugins(settings: &Settings, engine: Engine) -> Result<PluginHost, CoreError> {
    let config = HostConfig {
        pooling: engine == Engine::Server,
        cache_dir: settings.cache_dir.clone(),
        compile_worker: current_exe(),
        ..HostConfig::default()
    };
    PluginHost::new(config).map_err(CoreError::Runtime)
}

fn current_exe() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

impl App {
    /// Opens the stores, reads the files that govern access and starts the plugin runtime.
    ///
    /// # Errors
    /// [`CoreError::Configuration`] for such a file that cannot be used; [`CoreError::Store`] for a store that cannot
    /// be read, which is left as it is; [`CoreError::Runtime`].
    pub fn open(settings: &Settings, engine: Engine) -> Result<Self, CoreError> {
        let decisions = DecisionPoint::from_settings(settings, engine)?;
        let Governing { gatekeeper, routing, outgoing, workers } =
            Governing::read(settings, decisions.plugins(), None)?;
        let store = open_store(settings)?;
        let keyring = Keyring::new(settings.evidence_log_key.clone());
        let log = EvidenceLog::new(keyring, LOGS.map(|(name, _)| (name, store.clone())).to_vec());
        let approvals = Approvals::new(store.clone(), routing, gatekeeper.clone())
            .with_redactor(settings.redactor)
            .with_decisions(store.clone());
        Ok(Self::of(Parts {
            outgoing,
            decisions,
            log,
            activity: Activity::new(store.clone()).with_redactor(settings.redactor),
            registry: Registry::new(store.clone()),
            evidence: Evidence::new(store.clone(), Some(approvals.clone())),
            approvals,
            inventory: Inventory::new(store.clone()),
            tokens: ApiTokens::new(store.clone()),
            deliveries: Deliveries::new(store.clone()),
            store,
            gatekeeper,
            workers,
            reservations: Reservations::default(),
            reloads: Reloads::default(),
            vitals: Vitals::new(),
            settings: Arc::new(settings.clone()),
        }))
    }

    pub(crate) fn of(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// One record of any kind that is listed.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Store`].
    pub async fn get(&self, kind: &'static Kind, id: &str) -> Result<Object, CoreError> {
        match Area::of(kind).map(|area| area.name) {
            Some("activity") => self.activity.get(kind, id).await,
            Some("inventory") => self.inventory.get(kind, id).await,
            Some("registry" | "integrations") if Registry::takes(kind) => self.registry.get(kind, id).await,
            Some("integrations") if *kind == DELIVERIES => self.deliveries.get(id).await,
            Some("approvals") if *kind == APPROVALS => self.approvals.get(id).await,
            _ => Err(unlisted(kind)),
        }
    }

    /// One page of records of any kind that is listed.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn list(&self, kind: &'static Kind, query: Query) -> Result<Page, CoreError> {
        match Area::of(kind).map(|area| area.name) {
            Some("activity") => self.activity.list(kind, query).await,
            Some("inventory") => self.inventory.list(kind, query).await,
            Some("registry" | "integrations") if Registry::takes(kind) => self.registry.list(kind, query).await,
            Some("integrations") if *kind == DELIVERIES => self.deliveries.list(query).await,
            Some("approvals") if *kind == APPROVALS => self.approvals.list(query).await,
            _ => Err(unlisted(kind)),
        }
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
    pub async fn decide_by(&self, mut request: DecisionRequest, pack: &ResolvedPack) -> Result<Verdict, CoreError> {
        let id = new_decision_id()?;
        request.context.decision_id = Some(id.clone());
        let mut span = cavra_trace::span("decide", SpanKind::Internal, None);
        let decided = self.decide_as(request, pack).instrument(tracing::info_span!("decision", decision_id = id)).await;
        if let Some(span) = &mut span {
            span.attribute("cavra.decision_id", id);
            match &decided {
                Ok(Verdict { record, .. }) => say(span, record),
                Err(_) => span.fail(),
            }
        }
        decided
    }

    async fn decide_as(&self, mut request: DecisionRequest, pack: &ResolvedPack) -> Result<Verdict, CoreError> {
        let pack = &*self.trusted(pack).await?;
        let governor = Governor { inventory: &self.inventory, approvals: &self.approvals, registry: &self.registry };
        let (attributes, registry) = governor.facts(&request, &pack.name).await?;
        request.attributes = attributes;
        let approval_id = request.approval_id.clone();
        let mut verdict = self.decisions.decide(request, pack, registry).await?;
        let governed = governor.govern(verdict.record, approval_id.as_deref()).await?;
        verdict.record = self.activity.record(governed, pack).await?;
        tracing::debug!(decision = verdict.record.decision.as_str(), rule = verdict.record.rule_id, "decided");
        Ok(verdict)
    }

    /// The named pack, or the default one.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Pack`].
    pub fn pack(&self, name: Option<&PackName>) -> Result<Arc<ResolvedPack>, CoreError> {
        self.decisions.pack(name)
    }

    /// Signs what has been logged, drains the stores and leaves each in its one file.
    pub async fn close(&self) {
        if let Err(error) = self.deliveries.release().await {
            tracing::error!(error = &error as &dyn std::error::Error, "deliveries are not handed over");
        }
        if let Err(error) = self.workers.release(&self.store).await {
            tracing::error!(error = &error as &dyn std::error::Error, "jobs are not handed over");
        }
        if let Err(error) = self.log.sign_all().await {
            tracing::error!(error = &error as &dyn std::error::Error, "the evidence log is not signed");
        }
        self.store.settle().await;
    }
}

impl Live {
    /// Expires approvals, signs the evidence log, tells integrations what happened, does the jobs that are turned on and looks
    /// after the policy packs, until the future is dropped.
    pub async fn keep_time(&self) {
        let expire = async {
            loop {
                tokio::time::sleep(EXPIRY_INTERVAL).await;
                if let Err(error) = self.now().approvals.expire_due().await {
                    tracing::error!(error = &error as &dyn std::error::Error, "approvals that ran out are not written");
                }
            }
        };
        let sign = async {
            let mut said = String::new();
            // What is appended while it cannot be signed is kept; whoever watches the server sees that it waits.
            let signed = metrics::gauge!("cavra_evidence_log_signed");
            signed.set(1.0);
            loop {
                tokio::time::sleep(SIGNING_INTERVAL).await;
                let outcome = self.now().log.sign_all().await;
                let problem = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
                if let (Err(error), true) = (&outcome, problem != said) {
                    tracing::error!(error = error as &dyn std::error::Error, "the evidence log is not signed");
                }
                signed.set(if outcome.is_ok() { 1.0 } else { 0.0 });
                said = problem;
            }
        };
        let prepare = async {
            let app = self.now();
            for connectors in [&app.outgoing.events, &app.outgoing.approvals].into_iter().flatten() {
                connectors.prepare().await;
            }
        };
        tokio::join!(expire, sign, prepare, self.deliver_subscribed(), self.work(), self.survey_packs());
    }
}

/// What is exported about a decision: which rule decided what about which kind of action, and never about what.
fn say(span: &mut ActiveSpan, record: &DecisionRecord) {
    span.attribute("cavra.decision", record.decision.as_str());
    span.attribute("cavra.rule_id", record.rule_id.as_str());
    span.attribute("cavra.severity", record.severity.as_str());
    span.attribute("cavra.policy_pack", record.policy_pack.as_str());
    span.attribute("cavra.action_type", record.action_type.as_str());
}

/// The records of a kind are not listed as they are: what they show takes a use case of its own.
fn unlisted(kind: &Kind) -> CoreError {
    CoreError::Store(StoreError::Refused(format!("{} are not listed", kind.collection)))
}
