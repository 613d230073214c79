//! The embedded decision point of commands, hooks and the MCP adapter: no server. It records no decision; registry, rollouts
//! and approvals of this place count where there are any.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use cavra_core::{
    Activity, Approvals, At, Attributes, DecisionPoint, DecisionRequest, Engine, Governed, Governor, Inventory,
    Protected, Registry, Settings, Verdict, look_at_store,
};
use cavra_identity::Gatekeeper;
use cavra_model::{ActionType, Context, DecisionRecord, McpRegistry, PackName, Routing};
use cavra_normalize::ActionRequest;
use cavra_packs::{Case, PackLibrary, ResolvedPack};
use cavra_store::{Location, RecordStore};
use cavra_surroundings::Here;
use tokio::runtime::{Builder, Runtime};

use crate::args::{ActionArgs, PackArg};

/// A decision point and what is needed to wait for it.
pub struct Local {
    /// The settings it was made from.
    pub settings: Settings,
    decisions: DecisionPoint,
    runtime: Runtime,
}

impl Local {
    /// From the environment and the project around the working directory.
    pub fn from_env() -> anyhow::Result<Self> {
        Self::with(Settings::from_env()?)
    }

    /// As [`Local::from_env`], with the project around a directory.
    pub fn in_directory(directory: &Path) -> anyhow::Result<Self> {
        let absolute = std::path::absolute(directory).context("the directory cannot be understood")?;
        Self::with(Settings::from_env_in(&absolute)?)
    }

    fn with(settings: Settings) -> anyhow::Result<Self> {
        let decisions = DecisionPoint::from_settings(&settings, Engine::OneShot)?;
        let runtime = Builder::new_current_thread().enable_time().build().context("cannot start the runtime")?;
        Ok(Self { settings, decisions, runtime })
    }

    /// The packs.
    pub fn library(&self) -> &PackLibrary {
        self.decisions.library()
    }

    /// The decision point.
    pub fn decisions(&self) -> &DecisionPoint {
        &self.decisions
    }

    /// The pack that is named, else the file that is named, else the one in `CAVRA_POLICY`, else the default.
    pub fn pack(&self, arg: &PackArg) -> anyhow::Result<Arc<ResolvedPack>> {
        match (&arg.policy_pack, arg.policy_file.as_ref().or(self.settings.policy_file.as_ref())) {
            (Some(name), _) => self.named(name),
            (None, Some(file)) => self.file(file),
            (None, None) => Ok(self.decisions.pack(None)?),
        }
    }

    /// The cases beside the pack that [`Local::pack`] finds.
    pub fn cases(&self, arg: &PackArg) -> anyhow::Result<Vec<Case>> {
        match (&arg.policy_pack, arg.policy_file.as_ref().or(self.settings.policy_file.as_ref())) {
            (Some(name), _) => Ok(self.library().cases(&PackName::new(name)?)?),
            (None, Some(file)) => Ok(cavra_packs::read_cases(file)?),
            (None, None) => Ok(self.library().cases(&PackName::default())?),
        }
    }

    /// The named pack.
    pub fn named(&self, name: &str) -> anyhow::Result<Arc<ResolvedPack>> {
        Ok(self.decisions.pack(Some(&PackName::new(name)?))?)
    }

    /// The pack in a file or pack directory.
    pub fn file(&self, path: &Path) -> anyhow::Result<Arc<ResolvedPack>> {
        Ok(self.library().resolve_path(path)?)
    }

    /// Decides by the pack alone.
    pub fn decide(&self, request: DecisionRequest, pack: &ResolvedPack) -> anyhow::Result<Verdict> {
        Ok(self.runtime.block_on(self.decisions.decide(request, pack, McpRegistry::NotConsulted))?)
    }

    async fn informed(
        &self,
        governor: &Governor<'_>,
        mut request: DecisionRequest,
        pack: &ResolvedPack,
    ) -> anyhow::Result<Verdict> {
        let (attributes, registry) = governor.facts(&request, &pack.name).await?;
        request.attributes = std::mem::take(&mut request.attributes).and(attributes);
        Ok(self.decisions.decide(request, pack, registry).await?)
    }

    /// What policies are told about something that no action stands for.
    pub fn attributes(
        &self,
        context: &Context,
        pack: &ResolvedPack,
        store: &RecordStore,
    ) -> anyhow::Result<Attributes> {
        let records = self.records(store);
        Ok(self.runtime.block_on(records.governor().attributes(context, &pack.name))?)
    }

    /// Decides an agent's action by the registry and under the rollouts and approvals of this place; an approval that lets it
    /// happen is used up when the decision is recorded.
    pub fn decide_governed(
        &self,
        request: DecisionRequest,
        pack: &ResolvedPack,
        store: &RecordStore,
    ) -> anyhow::Result<Governed> {
        let approval_id = request.approval_id.clone();
        let records = self.records(store);
        let governor = records.governor();
        self.runtime.block_on(async {
            let record = self.informed(&governor, request, pack).await?.record;
            Ok(governor.govern(record, approval_id.as_deref()).await?)
        })
    }

    fn records(&self, store: &RecordStore) -> Records {
        Records {
            inventory: Inventory::new(store.clone()),
            approvals: self.approvals(store),
            registry: Registry::optional(store.clone()),
        }
    }

    /// As [`Local::decide_governed`], and records the decision, as a server and hooks do: durable when this returns, in one
    /// unit of work with the approval that it uses up.
    pub fn decide_recorded(&self, request: DecisionRequest, pack: &ResolvedPack) -> anyhow::Result<Verdict> {
        let store = self.place().open()?;
        let approval_id = request.approval_id.clone();
        let records = self.records(&store);
        let governor = records.governor();
        let activity = Activity::new(store).with_redactor(self.settings.redactor);
        self.runtime.block_on(async {
            let recorded = async {
                let Verdict { record, action } = self.informed(&governor, request, pack).await?;
                let governed = governor.govern(record, approval_id.as_deref()).await?;
                anyhow::Ok(Verdict { record: activity.record(governed, pack).await?, action })
            };
            let recorded = recorded.await;
            activity.store().close().await;
            recorded
        })
    }

    /// As [`Local::decide_governed`], for a decision that is not recorded. An approval that lets the action happen is used up.
    pub fn decide_unrecorded(&self, request: DecisionRequest, pack: &ResolvedPack) -> anyhow::Result<Verdict> {
        let store = self.place().open()?;
        let approval_id = request.approval_id.clone();
        let records = self.records(&store);
        let governor = records.governor();
        self.runtime.block_on(async {
            let settled = async {
                let Verdict { record, action } = self.informed(&governor, request, pack).await?;
                let governed = governor.govern(record, approval_id.as_deref()).await?;
                anyhow::Ok(Verdict { record: self.approvals(&store).settle_unrecorded(governed).await?, action })
            };
            let settled = settled.await;
            store.close().await;
            settled
        })
    }

    /// Where this place keeps its records.
    pub fn place(&self) -> Place {
        let approvals = local_store(&self.settings, "approvals", &self.settings.approvals);
        let registry = local_store(&self.settings, "registry", &self.settings.registry);
        Place(Settings { approvals, registry, ..self.settings.clone() })
    }

    fn approvals(&self, store: &RecordStore) -> Approvals {
        // Nobody decides approvals here, so neither rules nor identity are needed.
        let approvals = Approvals::new(store.clone(), Routing::default(), Gatekeeper::open());
        approvals.with_redactor(self.settings.redactor)
    }

    /// Decides an action nobody in particular asks for, by the pack alone.
    pub fn decide_action(&self, action: ActionRequest, pack: &ResolvedPack) -> anyhow::Result<DecisionRecord> {
        Ok(self.decide(DecisionRequest::new(action), pack)?.record)
    }

    /// Which of the files the pack does not simply let be read.
    pub fn protected(&self, files: &[String], at: &At, pack: &ResolvedPack) -> anyhow::Result<Protected> {
        Ok(self.runtime.block_on(self.decisions.protected(files, at, pack))?)
    }

    /// Waits for a future.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Loads a pack's components without asking them anything.
    pub fn load(&self, pack: &ResolvedPack) -> anyhow::Result<()> {
        Ok(self.runtime.block_on(self.decisions.load(pack))?)
    }
}

/// The working directory of this process, on a disk that can be looked at.
pub fn here() -> At {
    std::env::current_dir().map_or(At::Repository, |directory| in_directory(&directory, None))
}

/// A directory of this machine, in the project that is named, else in the one around it.
pub fn in_directory(directory: &Path, project: Option<&Path>) -> At {
    At::Here(Arc::new(Here::at(directory, project)))
}

/// The store of an area that commands share: the one that environment or project name, else the area's own file.
pub fn local_store(settings: &Settings, area: &str, named: &Location) -> Location {
    if settings.placed_by.contains_key(area) {
        named.clone()
    } else {
        Location::Json(format!(".cavra/{area}.json").into())
    }
}

/// The records of this place that decisions are made with.
struct Records {
    inventory: Inventory,
    approvals: Approvals,
    registry: Registry,
}

impl Records {
    fn governor(&self) -> Governor<'_> {
        Governor { inventory: &self.inventory, approvals: &self.approvals, registry: &self.registry }
    }
}

/// Where a place keeps its decisions, approvals, rollouts, agents and MCP servers.
pub struct Place(Settings);

impl Place {
    /// Opens the store. Files that are not there are made when something is written into them.
    pub fn open(&self) -> anyhow::Result<RecordStore> {
        Ok(look_at_store(&self.0, &["activity", "approvals", "inventory", "registry"])?)
    }
}

/// An action as the command line gives it. docs/reference/decisions-and-policy.md, section 12: for an MCP call the target is the server.
pub fn action_request(action_type: ActionType, target: &str, args: &ActionArgs) -> ActionRequest {
    let target = target.to_owned();
    match action_type {
        ActionType::McpToolCall => ActionRequest {
            server: Some(target),
            tool: args.tool.clone(),
            capability: Some(args.capability.clone().unwrap_or_else(|| "filesystem".to_owned())),
            ..ActionRequest::of(action_type)
        },
        _ => {
            ActionRequest { target: Some(target), operation: args.operation.clone(), ..ActionRequest::of(action_type) }
        }
    }
}
