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

use crate::peers::{ENGINES, Peers};
use crate::report::{Samples, head, ratio, row, show};
use crate::rules::{self, Kind};

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
    fn new(patterns: &[String]) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let plugins = PluginHost::new(HostConfig::default())?;
        let library = PackLibrary::new(PackRoot::ShippedOnly);
        let pack = library.resolve_document("bench", rules::cavra(patterns))?;
        let decisions = DecisionPoint::new(library, plugins);
        runtime.block_on(decisions.load(&pack))?;
        Ok(Self { runtime, decisions, pack })
    }
}

impl Cavra {
    fn allows(&self, path: &str) -> anyhow::Result<bool> {
        let action = ActionRequest { target: Some(path.to_owned()), ..ActionRequest::of(ActionType::WriteFile) };
        let decided = self.decisions.decide(DecisionRequest::new(action), &self.pack, McpRegistry::NotConsulted);
        Ok(self.runtime.block_on(decided)?.record.decision == Outcome::Allow)
    }
}

pub fn run() -> anyhow::Result<()> {
    let peers = Peers::build()?;
    let floor = floor()?;
    head("One action against n rules, in process", &["", "patterns", "rules", "p50", "p99", "p50 / floor"]);
    line("bare wasmtime: instantiate and call an empty component", ("–", "–"), &floor, &floor);
    for kind in Kind::ALL {
        for n in [10, 200, 1_000, 10_000] {
            let rules = n.to_string();
            line("cavra, fresh sandbox", (kind.name(), &rules), &cavra(kind, n)?, &floor);
            for (name, engine) in ENGINES {
                let count = (PEER_BUDGET_RULES / n.max(100)).min(COUNT);
                let samples = peers.measure(engine, kind, n, (WARM_UP.min(count), count))?;
                line(name, (kind.name(), &rules), &samples, &floor);
            }
        }
    }
    Ok(())
}

fn cavra(kind: Kind, n: usize) -> anyhow::Result<Samples> {
    let cavra = Cavra::new(&kind.patterns(n))?;
    let questions = kind.questions(n);
    for (question, allowed) in &questions {
        ensure!(cavra.allows(question)? == *allowed, "cavra is wrong about {question}");
    }
    let mut at = 0;
    Samples::take(WARM_UP, COUNT, || {
        at = (at + 1) % questions.len();
        questions.get(at).context("no question").and_then(|(question, _)| cavra.allows(question)).map(drop)
    })
}

fn line(name: &str, (patterns, rules): (&str, &str), samples: &Samples, floor: &Samples) {
    row(&[
        name.to_owned(),
        patterns.to_owned(),
        rules.to_owned(),
        show(samples.p50()),
        show(samples.p99()),
        ratio(samples.p50(), floor.p50()),
    ]);
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
