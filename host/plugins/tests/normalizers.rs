//! Normalizers in the sandbox: what they may use over a whole export, what they may answer, and that nothing of one export
//! remains for the next.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails here has failed")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use cavra_model::Digest;
use cavra_plugins::normalizer::{CHUNK_BYTES, NotRead, Observation, Refusal};
use cavra_plugins::{CallLimits, ComponentSource, HostConfig, Limits, Normalizer, Origin, PluginError, PluginHost};

const WIT: &str = include_str!("../../../wit/normalizer/1.0.0/normalizer.wit");
const PRELUDE: &str = include_str!("fixtures/normalizers/prelude.wat");

/// A normalizer that does this in `begin`, `chunk` and `finish`.
#[derive(Clone, Copy)]
struct Fixture<'a> {
    imports: &'a str,
    begin: &'a str,
    chunk: &'a str,
    finish: &'a str,
}

/// One observation with the first chunk; crashes at the second one and, if anything remained, in the next export.
const GOOD: Fixture<'static> = Fixture {
    imports: "",
    begin: "(call $begun)",
    chunk: "(if (global.get $asked) (then unreachable)) (global.set $asked (i32.const 1))
        (call $observe (i32.const 62)) (call $batch (i32.const 1))",
    finish: "(call $read (i64.const 1) (i32.const 0))",
};

fn component(Fixture { imports, begin, chunk, finish }: Fixture<'_>, wit: &str) -> Vec<u8> {
    let text = format!(
        "(module {imports} {PRELUDE} (global $asked (mut i32) (i32.const 0))
        (func (export \"begin\") (param i32 i32) (result i32) {begin})
        (func (export \"chunk\") (param i32 i32) (result i32) {chunk})
        (func (export \"finish\") (result i32) {finish}))"
    );
    support::component_of(&text, wit, "normalizer")
}

async fn load(host: &PluginHost, wasm: &[u8]) -> Result<Arc<Normalizer>, PluginError> {
    let digest = Digest::of(wasm);
    let source = ComponentSource {
        plugin: "fixture",
        version: "1.0.0",
        wasm,
        wasm_digest: digest.as_str(),
        origin: Origin::FirstParty,
    };
    host.normalizer(source).await
}

/// The usual limits, but nobody is late because the machine is busy with something else, and a loop ends soon.
fn host() -> PluginHost {
    let limits = Limits::default();
    let normalizer = CallLimits { fuel: 20_000_000, ..limits.normalizer };
    PluginHost::new(HostConfig { limits: Limits { normalizer, ..limits }, pooling: false, ..HostConfig::default() })
        .unwrap()
}

/// Reads an export of these chunks.
async fn read(normalizer: &Normalizer, chunks: &[&[u8]]) -> Result<(Vec<Observation>, u64), NotRead> {
    let mut reading = normalizer.open("{}").await?;
    let mut observations = Vec::new();
    for chunk in chunks {
        observations.extend(reading.chunk(chunk).await?.observations);
    }
    let summary = reading.finish().await?;
    observations.extend(summary.last.observations);
    Ok((observations, summary.records))
}

fn why(error: &NotRead) -> &'static str {
    match error {
        NotRead::Failed(error) => error.kind().as_str(),
        NotRead::Refused(_) => "refused",
    }
}

#[tokio::test]
async fn every_export_begins_anew() {
    let normalizer = load(&host(), &component(GOOD, WIT)).await.unwrap();
    assert_eq!(normalizer.description().id, "fixture");
    for _ in 0..3 {
        let (observations, records) = read(&normalizer, &[b"x"]).await.unwrap();
        assert_eq!((observations.len(), records), (1, 1));
        assert!(observations[0].payload.starts_with("{\"endpoint_id\""));
    }
    let error = read(&normalizer, &[b"x", b"y"]).await.unwrap_err();
    assert_eq!(why(&error), "trap", "one export keeps what it was given");
}

#[tokio::test]
async fn hostile_normalizers_end_with_a_reason() {
    let host = host();
    let endless = "(loop $again (br $again)) unreachable";
    let hog = "(loop $more (br_if $more (i32.ne (i32.const -1) (memory.grow $memory (i32.const 16))))) unreachable";
    let rows: [(&str, Fixture<'_>, &str); 14] = [
        ("loops in begin", Fixture { begin: endless, ..GOOD }, "fuel"),
        ("loops in a chunk", Fixture { chunk: endless, ..GOOD }, "fuel"),
        ("loops at the end", Fixture { finish: endless, ..GOOD }, "fuel"),
        ("takes all memory", Fixture { chunk: hog, ..GOOD }, "memory"),
        ("crashes in begin", Fixture { begin: "unreachable", ..GOOD }, "trap"),
        ("crashes in a chunk", Fixture { chunk: "unreachable", ..GOOD }, "trap"),
        ("crashes at the end", Fixture { finish: "unreachable", ..GOOD }, "trap"),
        ("answers from nowhere", Fixture { chunk: "(i32.const -8)", ..GOOD }, "bad_answer"),
        (
            "a list of a thousand million",
            Fixture { chunk: "(call $batch (i32.const 0x3fffffff))", ..GOOD },
            "bad_answer",
        ),
        (
            "a payload that is no text",
            Fixture {
                chunk: "(i32.store8 (i32.const 1057) (i32.const 0xff)) (call $observe (i32.const 62)) (call $batch (i32.const 1))",
                ..GOOD
            },
            "bad_answer",
        ),
        (
            "the largest answer there can be",
            Fixture {
                chunk: "(drop (memory.grow $memory (i32.const 900)))
                    (call $observe (i32.const 50000000)) (i32.store (i32.const 536) (i32.const 1))
                    (i32.store (i32.const 552) (i32.const 1056)) (i32.store (i32.const 556) (i32.const 50000000))
                    (call $batch (i32.const 2))",
                ..GOOD
            },
            "output",
        ),
        ("too many problems", Fixture { finish: "(call $read (i64.const 1) (i32.const 257))", ..GOOD }, "bad_answer"),
        (
            "no answer that there is",
            Fixture { begin: "(i32.store8 (i32.const 256) (i32.const 9)) (i32.const 256)", ..GOOD },
            "bad_answer",
        ),
        ("says no", Fixture { begin: "(call $refused (i32.const 0))", ..GOOD }, "refused"),
    ];
    for (name, fixture, wanted) in rows {
        let normalizer = load(&host, &component(fixture, WIT)).await.unwrap();
        let error = read(&normalizer, &[b"x"]).await.unwrap_err();
        assert_eq!(why(&error), wanted, "{name}: {error} {:?}", std::error::Error::source(&error));
    }
    let good = load(&host, &component(GOOD, WIT)).await.unwrap();
    assert!(read(&good, &[b"x"]).await.is_ok(), "nobody else is harmed");
}

#[tokio::test]
async fn what_a_normalizer_says_is_bounded() {
    let begin =
        "(drop (memory.grow $memory (i32.const 32))) (memory.fill (i32.const 8192) (i32.const 120) (i32.const 1000000))
        (call $refused (i32.const 1000000))";
    let normalizer = load(&host(), &component(Fixture { begin, ..GOOD }, WIT)).await.unwrap();
    let Err(NotRead::Refused(Refusal::Settings(said))) = read(&normalizer, &[]).await else { panic!() };
    assert_eq!(said.len(), 2_000);
}

#[tokio::test]
async fn what_is_no_normalizer_does_not_load() {
    let host = host();
    let imports = "(import \"log\" \"write\" (func $write (param i32 i32)))";
    let world = "export describe: func() -> description;";
    let with_import = WIT.replace(world, &format!("import log: interface {{ write: func(a: u32, b: u32); }}\n{world}"));
    let error = load(&host, &component(Fixture { imports, ..GOOD }, &with_import)).await.err().unwrap();
    assert_eq!(error.kind().as_str(), "denied", "{error}");
    let older = WIT.replace("@1.0.0", "@0.9.0");
    let error = load(&host, &component(GOOD, &older)).await.err().unwrap();
    assert_eq!(error.kind().as_str(), "incompatible", "{error}");
}

/// However long an export is, what it may cost is what its size pays for; a normalizer that does more ends.
#[tokio::test]
async fn one_budget_for_a_whole_export() {
    let limits = Limits::default();
    // Counts to a hundred thousand with every chunk.
    let chunk = "(local $count i32) (loop $more
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $count) (i32.const 100000))))
        (call $batch (i32.const 0))";
    let finish = "(call $read (i64.const 0) (i32.const 0))";
    let wasm = component(Fixture { chunk, finish, ..GOOD }, WIT);
    let wide = vec![0; CHUNK_BYTES];
    for (fuel_per_byte, chunk, wanted) in [(1, &b"x"[..], Some("fuel")), (100, &wide, None)] {
        let normalizer =
            CallLimits { fuel: 2_000_000, fuel_per_byte, time: Duration::from_secs(60), ..limits.normalizer.clone() };
        let limits = Limits { normalizer, ..limits.clone() };
        let host = PluginHost::new(HostConfig { limits, pooling: false, ..HostConfig::default() }).unwrap();
        let normalizer = load(&host, &wasm).await.unwrap();
        assert_eq!(read(&normalizer, &vec![chunk; 100]).await.err().map(|error| why(&error)), wanted);
    }
}
