//! The embedded decision point of commands, hooks and the MCP adapter: no server, no MCP trust registry. It records no
//! decision; rollouts and approvals of this place count where there are any.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use cavra_core::{
    APPROVAL_KINDS, Approvals, At, DecisionPoint, DecisionRequest, Engine, Governor, INVENTORY_KINDS, Inventory,
    Protected, Settings, Verdict,
};
use cavra_identity::Gatekeeper;
use cavra_model::{ActionType, DecisionRecord, McpRegistry, PackName, Routing};
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
    /// From the environment.
    pub fn from_env() -> anyhow::Result<Self> {
        let settings = Settings::from_env()?;
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

    /// Decides; MCP servers are judged by the pack.
    pub fn decide(&self, request: DecisionRequest, pack: &ResolvedPack) -> anyhow::Result<Verdict> {
        Ok(self.runtime.block_on(self.decisions.decide(request, pack, McpRegistry::NotConsulted))?)
    }

    /// Decides an agent's action under the rollouts and approvals of this place. Stores that are not there are not
    /// made; an approval that lets the action happen is used up.
    pub fn decide_governed(&self, request: DecisionRequest, pack: &ResolvedPack) -> anyhow::Result<DecisionRecord> {
        let approval_id = request.approval_id.clone();
        let record = self.decide(request, pack)?.record;
        let inventory = existing(&self.settings.inventory)
            .map(|location| RecordStore::open(location, &INVENTORY_KINDS).map(Inventory::new))
            .transpose()?;
        let approvals = existing(&self.approval_store())
            .map(|location| {
                let store = RecordStore::open(location, &APPROVAL_KINDS)?;
                // Nobody decides approvals here, so neither rules nor identity are needed.
                let approvals = Approvals::new(store, Routing::default(), Gatekeeper::open());
                anyhow::Ok(approvals.with_redactor(self.settings.redactor))
            })
            .transpose()?;
        let governor = Governor { inventory: inventory.as_ref(), approvals: approvals.as_ref() };
        self.runtime.block_on(async {
            let governed = governor.govern(record, approval_id.as_deref()).await;
            if let Some(approvals) = &approvals {
                approvals.store().close().await;
            }
            Ok(governed?)
        })
    }

    /// The store of approvals: the one the environment names, else the one `cavra approval` uses.
    fn approval_store(&self) -> Location {
        if self.settings.approvals_named {
            self.settings.approvals.clone()
        } else {
            Location::Json(".cavra/approvals.json".into())
        }
    }

    /// Decides an action nobody in particular asks for.
    pub fn decide_action(&self, action: ActionRequest, pack: &ResolvedPack) -> anyhow::Result<DecisionRecord> {
        Ok(self.decide(DecisionRequest::new(action), pack)?.record)
    }

    /// Which of the files the pack does not simply let be read.
    pub fn protected(&self, files: &[String], pack: &ResolvedPack) -> anyhow::Result<Protected> {
        Ok(self.runtime.block_on(self.decisions.protected(files, pack))?)
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

/// A location where there is a store.
pub fn existing(location: &Location) -> Option<Location> {
    let (Location::Json(path) | Location::Sqlite(path)) = location;
    path.exists().then(|| location.clone())
}

/// An action as the command line gives it. Contract 10, section 12: for an MCP call the target is the server.
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
