//! One action against a rule set, in process: cavra in a fresh sandbox, its peers warm and unsandboxed, and the floor
//! of instantiating and calling an empty component in a bare runtime.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use cavra_core::{DecisionPoint, DecisionRequest};
use cavra_model::{ActionType, McpRegistry, Outcome};
use cavra_normalize::ActionRequest;
use cavra_packs::{PackLibrary, PackRoot, ResolvedPack};
use cavra_plugins::{HostConfig, PluginHost};
use tokio::runtime::Runtime;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

use crate::peers::{Cedar, Peer, Regorus};
use crate::report::{Samples, head, ratio, row, show};
use crate::rules;

const WARM_UP: usize = 500;
const COUNT: usize = 20_000;
/// Peers take milliseconds on the large sets; fewer samples are enough.
const PEER_BUDGET_RULES: usize = 2_000_000;

/// cavra's decision point over one rule set.
struct Cavra {
    runtime: Runtime,
    decisions: DecisionPoint,
    pack: Arc<ResolvedPack>,
}

impl Cavra {
    fn new(n: usize) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let plugins = PluginHost::new(HostConfig::default())?;
        let library = PackLibrary::new(PackRoot::ShippedOnly);
        let pack = library.resolve_document("bench", rules::cavra(n))?;
        let decisions = DecisionPoint::new(library, plugins);
        runtime.block_on(decisions.load(&pack))?;
        Ok(Self { runtime, decisions, pack })
    }
}

impl Peer for Cavra {
    fn name(&self) -> &'static str {
        "cavra, fresh sandbox"
    }

    fn allows(&mut self, path: &str) -> anyhow::Result<bool> {
        let action = ActionRequest { target: Some(path.to_owned()), ..ActionRequest::of(ActionType::WriteFile) };
        let decided = self.decisions.decide(DecisionRequest::new(action), &self.pack, McpRegistry::NotConsulted);
        Ok(self.runtime.block_on(decided)?.record.decision == Outcome::Allow)
    }
}

pub fn run() -> anyhow::Result<()> {
    let floor = floor()?;
    head("One action against n rules, in process", &["", "rules", "p50", "p99", "p50 / floor"]);
    row(&[
        "bare wasmtime: instantiate and call an empty component".into(),
        "–".into(),
        show(floor.p50()),
        show(floor.p99()),
        "1".into(),
    ]);
    for n in [10, 200, 1_000, 10_000] {
        measure(&mut Cavra::new(n)?, n, &floor)?;
        if n <= 1_000 {
            measure(&mut Cedar::new(n)?, n, &floor)?;
            measure(&mut Regorus::new(n)?, n, &floor)?;
        }
    }
    Ok(())
}

fn measure(peer: &mut dyn Peer, n: usize, floor: &Samples) -> anyhow::Result<()> {
    let questions = rules::questions(n);
    let expected = [true, false, false, true];
    for (question, expected) in questions.iter().zip(expected) {
        ensure!(peer.allows(question)? == expected, "{} is wrong about {question}", peer.name());
    }
    let is_cavra = peer.name().starts_with("cavra");
    let count = if is_cavra { COUNT } else { (PEER_BUDGET_RULES / n.max(100)).min(COUNT) };
    let mut at = 0;
    let samples = Samples::take(WARM_UP.min(count), count, || {
        at = (at + 1) % questions.len();
        questions.get(at).context("no question").and_then(|question| peer.allows(question)).map(drop)
    })?;
    row(&[
        peer.name().to_owned(),
        n.to_string(),
        show(samples.p50()),
        show(samples.p99()),
        ratio(samples.p50(), floor.p50()),
    ]);
    Ok(())
}

/// The least that a fresh sandbox can cost on this machine.
fn floor() -> anyhow::Result<Samples> {
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(PoolingAllocationConfig::new()));
    let engine = Engine::new(&config).map_err(|error| anyhow::anyhow!("{error}"))?;
    let wasm = wat::parse_str(
        r#"(component
            (core module $m (memory (export "memory") 17) (func (export "run") (param i32) (result i32) local.get 0))
            (core instance $i (instantiate $m))
            (func (export "run") (param "x" u32) (result u32) (canon lift (core func $i "run"))))"#,
    )?;
    let fail = |error: wasmtime::Error| anyhow::anyhow!("{error}");
    let component = Component::new(&engine, wasm).map_err(fail)?;
    let pre = Linker::<()>::new(&engine).instantiate_pre(&component).map_err(fail)?;
    Samples::take(WARM_UP, COUNT, || {
        let mut store = Store::new(&engine, ());
        let instance = pre.instantiate(&mut store).map_err(fail)?;
        let run = instance.get_typed_func::<(u32,), (u32,)>(&mut store, "run").map_err(fail)?;
        run.call(&mut store, (7,)).map_err(fail)?;
        anyhow::Ok(())
    })
}
