//! What a component costs, whatever language it was written in: compiling, loading from the cache, and being asked in a
//! fresh instance each time, through this crate with its limits.
//!
//! ```text
//! cargo run --release -p cavra-plugins --example component_cost -- connector plugin.wasm event.json
//! cargo run --release -p cavra-plugins --example component_cost -- normalizer plugin.wasm export.jsonl
//! cargo run --release -p cavra-plugins --example component_cost -- policy-pack policy.wasm document.json
//! ```

mod measured;

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use cavra_model::{Action, Digest, FileAccess};
use cavra_plugins::connector::{Context, Moment, Subject};
use cavra_plugins::normalizer::CHUNK_BYTES;
use cavra_plugins::{ComponentSource, HostConfig, Limits, Origin, PackSource, PluginHost, Within};

use self::measured::{command, facts, report};

const CALLS: usize = 500;
/// Bytes of an export that is read, by repeating it.
const EXPORT: usize = 16 * 1024 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, kind, component, input] = arguments.as_slice() else {
        return Err("usage: component_cost connector|normalizer|policy-pack COMPONENT INPUT".into());
    };
    let (wasm, input) = (std::fs::read(component)?, std::fs::read(input)?);
    println!("{component}: {} bytes", wasm.len());
    let cache = tempfile::tempdir()?;
    for pooling in [false, true] {
        println!("{}", if pooling { "pool" } else { "on demand" });
        let host = || host(cache.path(), pooling);
        match kind.as_str() {
            "connector" => connector(&host, &wasm, &input).await?,
            "normalizer" => normalizer(&host, &wasm, &input).await?,
            "policy-pack" => pack(&host, &wasm, &input).await?,
            other => return Err(format!("{other} is no kind of plugin").into()),
        }
    }
    println!("most memory of the process: {} MiB", peak()?);
    Ok(())
}

fn host(cache: &Path, pooling: bool) -> Result<PluginHost, Box<dyn Error>> {
    let limits = Limits::default();
    Ok(PluginHost::new(HostConfig { limits, pooling, cache_dir: Some(cache.join("cache")), compile_worker: None })?)
}

type Make<'a> = &'a dyn Fn() -> Result<PluginHost, Box<dyn Error>>;

fn source<'a>(wasm: &'a [u8], digest: &'a Digest) -> ComponentSource<'a> {
    let origin = Origin::FirstParty;
    ComponentSource { plugin: "measured", version: "1", wasm, wasm_digest: digest.as_str(), origin }
}

async fn connector(make: Make<'_>, wasm: &[u8], event: &[u8]) -> Result<(), Box<dyn Error>> {
    let digest = Digest::of(wasm);
    let began = Instant::now();
    make()?.connector(source(wasm, &digest)).await?;
    println!("  compiled, or from the cache: {:?}", began.elapsed());
    let began = Instant::now();
    let host = make()?;
    let connector = host.connector(source(wasm, &digest)).await?;
    println!("  from the cache, and described: {:?}", began.elapsed());
    let description = connector.description();
    let now = Moment { micros: 1_796_025_600_000_000, text: "2026-11-30T08:00:00.000000+00:00".to_owned() };
    let context = Context {
        message_id: "msg_1".to_owned(),
        now,
        happened: None,
        connector: "measured".to_owned(),
        settings: description.settings.iter().map(|it| (it.name.clone(), "!a:example.org".to_owned())).collect(),
        credentials: description.credentials.iter().map(|it| it.name.clone()).collect(),
        paths: Vec::new(),
    };
    let subject = Subject::Event(String::from_utf8(event.to_vec())?);
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let began = Instant::now();
        std::hint::black_box(connector.step(&subject, &context, &[]).await?);
        times.push(began.elapsed());
    }
    report("instantiate and step", times)
}

async fn normalizer(make: Make<'_>, wasm: &[u8], export: &[u8]) -> Result<(), Box<dyn Error>> {
    let digest = Digest::of(wasm);
    let began = Instant::now();
    make()?.normalizer(source(wasm, &digest)).await?;
    println!("  compiled, or from the cache: {:?}", began.elapsed());
    let host = make()?;
    let normalizer = host.normalizer(source(wasm, &digest)).await?;
    let (times, whole) = (EXPORT / export.len(), export.repeat(EXPORT / export.len()));
    let began = Instant::now();
    let mut reading = normalizer.open("{}").await?;
    for chunk in whole.chunks(CHUNK_BYTES) {
        reading.chunk(chunk).await?;
    }
    let records = reading.finish().await?.records;
    println!("  {times} times the export, {} bytes, {records} records: {:?}", whole.len(), began.elapsed());
    Ok(())
}

async fn pack(make: Make<'_>, wasm: &[u8], document: &[u8]) -> Result<(), Box<dyn Error>> {
    let (digest, document_digest) = (Digest::of(wasm), Digest::of(document));
    let document = String::from_utf8(document.to_vec())?;
    let source = PackSource {
        plugin: "measured",
        version: "1",
        wasm,
        wasm_digest: digest.as_str(),
        document: &document,
        document_digest: document_digest.as_str(),
        origin: Origin::FirstParty,
        within: Within::default(),
    };
    let began = Instant::now();
    make()?.policy_pack(source).await?;
    println!("  compiled, or from the cache: {:?}", began.elapsed());
    let began = Instant::now();
    let host = make()?;
    let pack = host.policy_pack(source).await?;
    println!("  from the cache: {:?}", began.elapsed());
    for (name, action) in [
        ("read_file", Action::ReadFile(file("src/main.rs"))),
        ("write_file", Action::WriteFile(file("deploy/app.yaml"))),
        ("execute_command", Action::ExecuteCommand(command())),
    ] {
        let mut times = Vec::with_capacity(CALLS);
        let mut findings = 0;
        for _ in 0..CALLS {
            let began = Instant::now();
            findings = std::hint::black_box(pack.evaluate(&action, &facts()).await?).len();
            times.push(began.elapsed());
        }
        report(&format!("instantiate and evaluate {name} ({findings} findings)"), times)?;
    }
    Ok(())
}

fn file(path: &str) -> FileAccess {
    FileAccess { path: path.to_owned(), content: None }
}

/// Most resident memory of this process, in MiB.
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? / 1024)
}
