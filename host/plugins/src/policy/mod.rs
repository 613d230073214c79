//! The world of policy packs: its description, and the one place where its versions are told apart.
//!
//! The host speaks in the nouns of the model. An adapter per version translates them for guests of that version and
//! their answers back; what an older version has no words for is left out, and only ever so that a pack gets stricter.

mod answer;
mod v1_0;
mod v1_1;

use cavra_model::{Action, Facts, Finding};
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use crate::bindings::{policy_1_0, policy_1_1};
use crate::error::Failure;
use crate::linked;
use crate::pack::Description;
use crate::store::CallState;
use crate::world::World;

pub(crate) use answer::input_bytes;

/// Policy packs.
pub(crate) static POLICY: World = World {
    package: "cavra:policy",
    noun: "policy pack",
    versions: &["1.0.0", "1.1.0"],
    exports: &["configure", "evaluate"],
};

/// A policy pack that is linked: with nothing, because the world imports nothing.
pub(crate) enum Linked {
    V1_0(policy_1_0::PolicyPackPre<CallState>),
    V1_1(policy_1_1::PolicyPackPre<CallState>),
}

/// An instance of a policy pack.
pub(crate) enum Running {
    V1_0(policy_1_0::PolicyPack),
    V1_1(policy_1_1::PolicyPack),
}

impl linked::Linked for Linked {
    type Exports = Running;

    fn world() -> &'static World {
        &POLICY
    }

    fn of(version: &str, instance: InstancePre<CallState>) -> wasmtime::Result<Self> {
        match version {
            "1.0.0" => policy_1_0::PolicyPackPre::new(instance).map(Self::V1_0),
            _ => policy_1_1::PolicyPackPre::new(instance).map(Self::V1_1),
        }
    }

    fn instance_pre(&self) -> &InstancePre<CallState> {
        match self {
            Self::V1_0(pre) => pre.instance_pre(),
            Self::V1_1(pre) => pre.instance_pre(),
        }
    }

    fn exports(&self, store: &mut Store<CallState>, instance: &Instance) -> wasmtime::Result<Running> {
        match self {
            Self::V1_0(_) => policy_1_0::PolicyPack::new(store, instance).map(Running::V1_0),
            Self::V1_1(_) => policy_1_1::PolicyPack::new(store, instance).map(Running::V1_1),
        }
    }
}

impl Running {
    /// Hands the pack its document.
    ///
    /// # Errors
    /// [`Failure`]; a rejected document is one.
    pub(crate) async fn configure(&self, store: &mut Store<CallState>, document: &str) -> Result<Description, Failure> {
        let answer = match self {
            Self::V1_0(pack) => pack.call_configure(&mut *store, document).await.map(v1_0::description),
            Self::V1_1(pack) => pack.call_configure(&mut *store, document).await,
        };
        match answer {
            Ok(answer) => answer::description(answer),
            Err(error) => Err(Failure::of_call(&error, store.data())),
        }
    }

    /// Asks the pack about an action.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) async fn evaluate(
        &self,
        store: &mut Store<CallState>,
        action: &Action,
        facts: &Facts,
        most_findings: usize,
    ) -> Result<Vec<Finding>, Failure> {
        let answer = match self {
            Self::V1_0(pack) => {
                let (action, facts) = (v1_0::action(action), v1_0::facts(facts));
                pack.call_evaluate(&mut *store, &action, &facts).await.map(v1_0::findings)
            }
            Self::V1_1(pack) => {
                let (action, facts) = (v1_1::action(action), v1_1::facts(facts));
                pack.call_evaluate(&mut *store, &action, &facts).await
            }
        };
        match answer {
            Ok(answer) => answer::findings(answer, most_findings),
            Err(error) => Err(Failure::of_call(&error, store.data())),
        }
    }
}
