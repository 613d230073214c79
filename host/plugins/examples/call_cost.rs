//! What a decision costs: instantiate and evaluate through this crate, against the bare runtime below it.
//!
//! ```text
//! cargo run --release -p cavra-plugins --example call_cost
//! ```
//!
//! Prints medians and 99th percentiles. The floor is wasmtime with the same engine settings and no limits, locks,
//! metrics or conversion: an instance of an empty component.

mod measured;

use std::error::Error;
use std::time::Instant;

use cavra_builtin::POLICY_RULES;
use cavra_model::{Action, Digest, FileAccess};
use cavra_plugins::{HostConfig, Origin, PackSource, PluginHost, PolicyPack};
use serde_json::{Value, json};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, Store};

use self::measured::{command, facts, report};

const CALLS: usize = 20_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    floor().await?;
    for (name, pooling) in [("pool", true), ("on demand", false)] {
        let cache = tempfile::tempdir()?;
        let config = || HostConfig { pooling, cache_dir: Some(cache.path().join("cache")), ..HostConfig::default() };
        for rules in [10, 200, 10_000] {
            let host = PluginHost::new(config())?;
            let began = Instant::now();
            let pack = load(&host, rules).await?;
            println!("{name}, {rules} rules: compiled in {:?}", began.elapsed());
            measure(&format!("{name}, {rules} rules, read_file"), &pack, &read_file()).await?;
            measure(&format!("{name}, {rules} rules, execute_command"), &pack, &Action::ExecuteCommand(command()))
                .await?;
            cached(config(), rules).await?;
        }
    }
    Ok(())
}

/// From the start of the engine to a pack out of the cache: what the command line pays.
async fn cached(config: HostConfig, rules: usize) -> Result<(), Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..50 {
        let began = Instant::now();
        let host = PluginHost::new(config.clone())?;
        let engine = began.elapsed();
        load(&host, rules).await?;
        times.push((began.elapsed(), engine));
    }
    times.sort_unstable();
    let (whole, engine) = times.get(times.len() / 2).ok_or("no measurements")?;
    println!("  engine and pack from the cache: {whole:?}, of which the engine {engine:?}");
    Ok(())
}

async fn load(host: &PluginHost, rules: usize) -> Result<std::sync::Arc<PolicyPack>, Box<dyn Error>> {
    let document = document(rules).to_string();
    let document_digest = Digest::of(&document);
    let source = PackSource {
        plugin: POLICY_RULES.name,
        version: POLICY_RULES.version,
        wasm: POLICY_RULES.wasm,
        wasm_digest: POLICY_RULES.digest,
        document: &document,
        document_digest: document_digest.as_str(),
        origin: Origin::FirstParty,
        within: cavra_plugins::Within::default(),
    };
    Ok(host.policy_pack(source).await?)
}

async fn measure(name: &str, pack: &PolicyPack, action: &Action) -> Result<(), Box<dyn Error>> {
    let facts = facts();
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let began = Instant::now();
        std::hint::black_box(pack.evaluate(action, &facts).await?);
        times.push(began.elapsed());
    }
    report(name, times)
}

async fn floor() -> Result<(), Box<dyn Error>> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(true)
        .async_stack_size(1024 * 1024)
        .max_wasm_stack(512 * 1024)
        .allocation_strategy(InstanceAllocationStrategy::pooling());
    let engine = Engine::new(&config)?;
    let component = Component::new(
        &engine,
        wat::parse_str(
            r#"(component
                (core module $m (memory 1) (func (export "run")))
                (core instance $i (instantiate $m))
                (func (export "run") (canon lift (core func $i "run"))))"#,
        )?,
    )?;
    let pre = Linker::new(&engine).instantiate_pre(&component)?;
    for fibre in [false, true] {
        let mut times = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let began = Instant::now();
            let mut store = Store::new(&engine, ());
            store.set_fuel(1_000_000)?;
            store.set_epoch_deadline(1);
            let instance = if fibre { pre.instantiate_async(&mut store).await? } else { pre.instantiate(&mut store)? };
            let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
            if fibre {
                run.call_async(&mut store, ()).await?;
            } else {
                run.call(&mut store, ())?;
            }
            drop(store);
            times.push(began.elapsed());
        }
        report(if fibre { "floor, on a fibre" } else { "floor" }, times)?;
    }
    Ok(())
}

fn document(rules: usize) -> Value {
    let paths: Vec<_> = (0..rules / 2).map(|number| format!("services/unit-{number}/**/secret-*.pem")).collect();
    let commands: Vec<_> = (0..rules / 2).map(|number| format!("tool-{number} delete *")).collect();
    json!({
        "metadata": { "id": "measured", "title": "Measured", "version": "1.0.0", "mode": "enforce" },
        "filesystem": { "block_read": paths },
        "commands": { "block": commands },
    })
}

fn read_file() -> Action {
    Action::ReadFile(FileAccess { path: "services/unit-7/src/main/config.yaml".to_owned(), content: None })
}
