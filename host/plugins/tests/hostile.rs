//! Hostile guests: each meets its limit, gets its own error, and disturbs nobody else.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails here has failed")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use cavra_plugins::{HostConfig, Limits, PluginError, PluginErrorKind, PluginHost, PolicyPack};
use support::{actions, ask, assert_fresh, component, component_with, facts, host, load};

const DOCUMENT: &str = r#"{"rules":[]}"#;

/// A host with one well-behaved pack, which has to keep answering.
struct Bench {
    host: PluginHost,
    good: Arc<PolicyPack>,
}

impl Bench {
    async fn new(limits: Limits) -> Self {
        let host = host(HostConfig { limits, ..HostConfig::default() });
        let good = load(&host, "good", &component("good"), DOCUMENT).await.unwrap();
        Self { host, good }
    }

    async fn load(&self, fixture: &str) -> Result<Arc<PolicyPack>, PluginError> {
        load(&self.host, fixture, &component(fixture), DOCUMENT).await
    }

    /// The error of asking `fixture` twice; both times it is the same, and the good pack is undisturbed.
    async fn error_of(&self, fixture: &str) -> PluginError {
        let pack = self.load(fixture).await.unwrap();
        let first = ask(&pack).await.unwrap_err();
        assert_fresh(&self.good).await;
        let second = ask(&pack).await.unwrap_err();
        assert_eq!(first.kind(), second.kind());
        assert_named(&first, fixture);
        first
    }

    async fn load_error_of(&self, fixture: &str, wasm: &[u8]) -> PluginError {
        let error = load(&self.host, fixture, wasm, DOCUMENT).await.err().unwrap();
        assert_fresh(&self.good).await;
        assert_named(&error, fixture);
        error
    }
}

fn assert_named(error: &PluginError, plugin: &str) {
    assert_eq!((error.plugin(), error.version()), (plugin, "1.0.0"));
    assert!(error.digest().starts_with("sha256:"));
    assert!(error.to_string().starts_with(&format!("plugin `{plugin}` 1.0.0 (sha256:")), "{error}");
}

/// The usual limits, but nobody is late because the machine is busy with something else.
fn unhurried() -> Limits {
    Limits { evaluate_time: Duration::from_secs(10), configure_time: Duration::from_secs(60), ..Limits::default() }
}

/// Limits under which only the wall clock ends an endless loop. They hold for the good pack too, which needs a hundredth
/// of such a second.
fn only_time() -> Limits {
    Limits {
        evaluate_fuel: 10_000_000_000,
        configure_fuel: 100_000_000_000,
        evaluate_time: Duration::from_secs(1),
        configure_time: Duration::from_secs(1),
        ..Limits::default()
    }
}

#[tokio::test]
async fn an_endless_loop_runs_out_of_fuel() {
    let bench = Bench::new(unhurried()).await;
    assert_eq!(*bench.error_of("endless_loop").await.kind(), PluginErrorKind::Fuel);
}

#[tokio::test]
async fn an_endless_loop_runs_out_of_time() {
    let bench = Bench::new(only_time()).await;
    assert_eq!(*bench.error_of("endless_loop").await.kind(), PluginErrorKind::Deadline);
}

#[tokio::test]
async fn a_slow_configure_is_ended() {
    let bench = Bench::new(only_time()).await;
    let wasm = component("endless_loop_in_configure");
    let error = bench.load_error_of("endless_loop_in_configure", &wasm).await;
    assert_eq!(*error.kind(), PluginErrorKind::Deadline);
    let again = bench.load_error_of("endless_loop_in_configure", &wasm).await;
    assert!(std::ptr::eq(error.digest(), again.digest()), "a failed load is remembered, not repeated");
    let bench = Bench::new(Limits { configure_fuel: 1_000_000, ..unhurried() }).await;
    let error = bench.load_error_of("endless_loop_in_configure", &wasm).await;
    assert_eq!(*error.kind(), PluginErrorKind::Fuel);
}

#[tokio::test]
async fn memory_is_limited_in_total() {
    let bench = Bench::new(unhurried()).await;
    for fixture in ["memory_bomb", "memory_overflow_bomb", "table_bomb"] {
        assert_eq!(*bench.error_of(fixture).await.kind(), PluginErrorKind::Memory, "{fixture}");
    }
    let error = bench.load_error_of("several_memories", &component("several_memories")).await;
    assert_eq!(*error.kind(), PluginErrorKind::Memory);
}

#[tokio::test]
async fn more_memories_or_tables_than_allowed_are_refused_before_anything_runs() {
    let bench = Bench::new(Limits { memories: 2, ..unhurried() }).await;
    let error = bench.load_error_of("several_memories", &component("several_memories")).await;
    assert_eq!(*error.kind(), PluginErrorKind::Memory);
}

#[tokio::test]
async fn crashes_are_traps() {
    let bench = Bench::new(unhurried()).await;
    for fixture in ["deep_recursion", "trap_in_evaluate"] {
        assert_eq!(*bench.error_of(fixture).await.kind(), PluginErrorKind::Trap, "{fixture}");
    }
    let error = bench.load_error_of("trap_in_configure", &component("trap_in_configure")).await;
    assert_eq!(*error.kind(), PluginErrorKind::Trap);
}

#[tokio::test]
async fn answers_are_bounded() {
    let bench = Bench::new(unhurried()).await;
    assert_eq!(*bench.error_of("huge_answer").await.kind(), PluginErrorKind::Output);
    let kind = bench.error_of("huge_list").await.kind().clone();
    assert!(matches!(kind, PluginErrorKind::Output | PluginErrorKind::BadAnswer(_)), "{kind:?}");
}

#[tokio::test]
async fn malformed_answers_are_refused() {
    let bench = Bench::new(unhurried()).await;
    let pack = bench.load("malformed_answer").await.unwrap();
    for action in actions() {
        let error = pack.evaluate(&action, &facts()).await.unwrap_err();
        assert!(matches!(error.kind(), PluginErrorKind::BadAnswer(_)), "{action:?}: {error:?}");
        assert_fresh(&bench.good).await;
    }
}

#[tokio::test]
async fn input_is_bounded() {
    let bench = Bench::new(Limits { input_bytes: 1_000, document_bytes: 100, ..unhurried() }).await;
    let long = cavra_model::FileAccess { path: "a".repeat(1_000), content: None };
    let error = bench.good.evaluate(&cavra_model::Action::ReadFile(long), &facts()).await.unwrap_err();
    assert_eq!(*error.kind(), PluginErrorKind::Input);
    assert_fresh(&bench.good).await;
    let error = load(&bench.host, "good", &component("good"), &"x".repeat(101)).await.err().unwrap();
    assert_eq!(*error.kind(), PluginErrorKind::Input);
}

#[tokio::test]
async fn an_import_is_refused_by_name() {
    let bench = Bench::new(unhurried()).await;
    let wasm = component_with(
        "forbidden_import",
        "world policy-pack {",
        "world policy-pack {\n    import log: interface { write: func(line: string); }",
    );
    let error = bench.load_error_of("forbidden_import", &wasm).await;
    assert_eq!(*error.kind(), PluginErrorKind::Denied("log#write".to_owned()));
}

#[tokio::test]
async fn another_version_of_the_contract_is_refused_by_name() {
    let bench = Bench::new(unhurried()).await;
    for version in ["0.9.0", "1.0.1", "1.2.0", "2.0.0-dev.1"] {
        let wasm = component_with("good", "cavra:policy@1.1.0", &format!("cavra:policy@{version}"));
        let error = bench.load_error_of("old", &wasm).await;
        let expected = format!("expected cavra:policy@1.0.0 or 1.1.0, found cavra:policy@{version}");
        assert_eq!(*error.kind(), PluginErrorKind::Incompatible(expected));
    }
}

#[tokio::test]
async fn another_shape_of_the_contract_is_refused() {
    let bench = Bench::new(unhurried()).await;
    let wasm = component_with(
        "good",
        "        critical,\n    }\n\n    record finding",
        "        critical,\n        absurd,\n    }\n\n    record finding",
    );
    let error = bench.load_error_of("other", &wasm).await;
    assert!(matches!(error.kind(), PluginErrorKind::Incompatible(_)), "{error:?}");
    let empty = wat::parse_str("(component)").unwrap();
    let error = bench.load_error_of("empty", &empty).await;
    assert!(error.to_string().contains("no export `configure`, `evaluate`"), "{error}");
}

#[tokio::test]
async fn garbage_is_refused() {
    let bench = Bench::new(Limits { wasm_bytes: 1_000_000, ..unhurried() }).await;
    let good = component("good");
    for (name, wasm) in [("torn", &good[..good.len() / 2]), ("text", &b"hello"[..])] {
        assert_eq!(*bench.load_error_of(name, wasm).await.kind(), PluginErrorKind::Load, "{name}");
    }
    let module = bench.load_error_of("module", b"\0asm\x01\0\0\0").await;
    assert_eq!(module.kind().as_str(), "incompatible");
    let large = vec![0; 1_000_001];
    assert_eq!(*bench.load_error_of("large", &large).await.kind(), PluginErrorKind::Input);
}

/// A thousand callers of a pack that never answers: those who get a turn run out of time, the others are told that it
/// is busy, and the good pack answers throughout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_of_a_slow_pack_are_in_nobody_elses_way() {
    // Longer than one turn takes the good pack among sixteen loops on two threads.
    let limits =
        Limits { evaluate_time: Duration::from_secs(2), queue_time: Duration::from_millis(400), ..only_time() };
    let bench = Bench::new(limits).await;
    let slow = bench.load("endless_loop").await.unwrap();
    let callers: Vec<_> = (0..1_000)
        .map(|_| {
            let slow = slow.clone();
            tokio::spawn(async move { ask(&slow).await.unwrap_err().kind().clone() })
        })
        .collect();
    let mut answered = 0;
    while !callers.iter().all(tokio::task::JoinHandle::is_finished) {
        assert_fresh(&bench.good).await;
        answered += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(answered > 3, "the good pack answered {answered} times");
    let (mut late, mut busy) = (0, 0);
    for caller in callers {
        match caller.await.unwrap() {
            PluginErrorKind::Deadline => late += 1,
            PluginErrorKind::Busy => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(late + busy, 1_000);
    assert!(late >= 16 && busy > 500, "{late} late, {busy} busy");
    assert_eq!(bench.host.pool_usage().unwrap().instances, 0, "every instance is gone");
}

/// Whoever stops waiting for an answer ends the guest.
#[tokio::test]
async fn a_dropped_call_ends_the_guest() {
    let limits = Limits { evaluate_time: Duration::from_secs(10), calls_per_pack: 1, ..only_time() };
    let bench = Bench::new(limits).await;
    let slow = bench.load("endless_loop").await.unwrap();
    for _ in 0..3 {
        let call = tokio::time::timeout(Duration::from_millis(20), ask(&slow));
        assert!(call.await.is_err(), "the loop ended by itself");
        assert_eq!(bench.host.pool_usage().unwrap().instances, 0);
    }
    assert_fresh(&bench.good).await;
}
