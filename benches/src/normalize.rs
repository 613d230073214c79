//! An inventory export read by its normalizer: in the sandbox, and the same code natively.

use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use cavra_builtin::NORMALIZER_JAMF;
use cavra_normalizer::{JAMF, Session, Settings};
use cavra_plugins::normalizer::CHUNK_BYTES;
use cavra_plugins::{ComponentSource, HostConfig, Normalizer, Origin, PluginHost};
use serde_json::json;

use crate::report::{head, ratio, row};

/// Records of the export.
const RECORDS: usize = 20_000;
/// Applications of each; Jamf Pro lists all that a computer has.
const APPLICATIONS: usize = 12;
/// How often it is read; the fastest counts.
const RUNS: usize = 5;

pub fn run() -> anyhow::Result<()> {
    let export = export();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let plugins = PluginHost::new(HostConfig { pooling: false, ..HostConfig::default() })?;
    let source = ComponentSource {
        plugin: NORMALIZER_JAMF.name,
        version: NORMALIZER_JAMF.version,
        wasm: NORMALIZER_JAMF.wasm,
        wasm_digest: NORMALIZER_JAMF.digest,
        origin: Origin::FirstParty,
    };
    let began = Instant::now();
    let normalizer = runtime.block_on(plugins.normalizer(source))?;
    let compiled = began.elapsed();
    let native = fastest(|| natively(&export))?;
    let sandboxed = fastest(|| runtime.block_on(in_sandbox(&normalizer, &export)))?;
    head("An inventory export, by its normalizer", &["", "records/s", "MB/s", "time / native"]);
    for (name, took) in [("natively", native), ("in the sandbox", sandboxed)] {
        row(&[
            name.to_owned(),
            format!("{:.0}", RECORDS as f64 / took.as_secs_f64()),
            format!("{:.0}", export.len() as f64 / took.as_secs_f64() / 1e6),
            ratio(took, native),
        ]);
    }
    println!("\n{} bytes, {RECORDS} records; compiled in {} ms", export.len(), compiled.as_millis());
    Ok(())
}

fn export() -> Vec<u8> {
    let applications: Vec<_> = (0..APPLICATIONS)
        .map(|n| {
            json!({"name": format!("Tool {n}.app"), "path": format!("/Applications/Tool {n}.app"), "version": "1.2",
            "bundleId": format!("com.example.tool{n}")})
        })
        .collect();
    let record = |n: usize| {
        json!({"id": n.to_string(), "udid": format!("UDID-{n:08}"),
            "general": {"name": format!("mac-{n}"), "lastContactTime": "2031-05-06T07:08:09Z", "platform": "Mac",
                "remoteManagement": {"managed": true}},
            "hardware": {"serialNumber": format!("C02{n:07}"), "model": "MacBook Pro"},
            "operatingSystem": {"name": "macOS", "version": "15.1"}, "applications": applications,
            "extensionAttributes": [{"name": "CAVRA Version", "values": ["3.1.0"]}],
            "groupMemberships": [{"groupName": "All"}, {"groupName": "cavra-target:mac-ring-a"}]})
    };
    let records: Vec<_> = (0..RECORDS).map(record).collect();
    json!({"totalCount": RECORDS, "results": records}).to_string().into_bytes()
}

fn fastest(mut read: impl FnMut() -> anyhow::Result<usize>) -> anyhow::Result<Duration> {
    let mut fastest = Duration::MAX;
    for _ in 0..RUNS {
        let began = Instant::now();
        ensure!(read()? == RECORDS, "not every record was read");
        fastest = fastest.min(began.elapsed());
    }
    Ok(fastest)
}

fn natively(export: &[u8]) -> anyhow::Result<usize> {
    let mut session = Session::open(&JAMF, Settings::default());
    let refused = |refusal| anyhow!("{refusal:?}");
    let mut observations = 0;
    for chunk in export.chunks(CHUNK_BYTES) {
        observations += session.chunk(chunk).map_err(refused)?.observations.len();
    }
    session.finish().map_err(refused)?;
    Ok(observations)
}

async fn in_sandbox(normalizer: &Normalizer, export: &[u8]) -> anyhow::Result<usize> {
    let mut reading = normalizer.open("{}").await?;
    let mut observations = 0;
    for chunk in export.chunks(CHUNK_BYTES) {
        observations += reading.chunk(chunk).await?.observations.len();
    }
    reading.finish().await?;
    Ok(observations)
}
