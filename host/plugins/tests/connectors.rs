//! Connectors in the sandbox: what they may use, what they may answer, and that they keep nothing.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails here has failed")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use cavra_model::Digest;
use cavra_plugins::connector::{Context, Moment, Next, Outcome, Subject, Verdict};
use cavra_plugins::{
    CallLimits, ComponentSource, Connector, HostConfig, Limits, Origin, PluginError, PluginErrorKind, PluginHost,
};

const WIT: &str = include_str!("../../../wit/connector/1.0.0/connector.wit");

fn component(fixture: &str, wit: &str) -> Vec<u8> {
    support::component_of(&support::module("connectors", fixture), wit, "connector")
}

async fn load(host: &PluginHost, name: &str, wasm: &[u8]) -> Result<Arc<Connector>, PluginError> {
    let digest = Digest::of(wasm);
    let source = ComponentSource {
        plugin: name,
        version: "1.0.0",
        wasm,
        wasm_digest: digest.as_str(),
        origin: Origin::FirstParty,
    };
    host.connector(source).await
}

/// The usual limits, but nobody is late because the machine is busy with something else.
fn unhurried() -> Limits {
    let limits = Limits::default();
    let connector = CallLimits { time: Duration::from_secs(30), ..limits.connector };
    Limits { connector, ..limits }
}

fn host(limits: Limits) -> PluginHost {
    PluginHost::new(HostConfig { limits, pooling: false, ..HostConfig::default() }).unwrap()
}

fn context() -> Context {
    Context {
        message_id: "msg_1".to_owned(),
        now: Moment { micros: 0, text: "1970-01-01T00:00:00.000000+00:00".to_owned() },
        happened: None,
        connector: "fixture".to_owned(),
        settings: Vec::new(),
        credentials: Vec::new(),
        paths: Vec::new(),
    }
}

async fn step(connector: &Connector, event: &str) -> Result<Next, PluginError> {
    connector.step(&Subject::Event(event.to_owned()), &context(), &[]).await
}

async fn assert_good(host: &PluginHost) {
    let good = load(host, "good", &component("good", WIT)).await.unwrap();
    // It crashes if it is asked twice.
    for _ in 0..3 {
        let Next::Done(Outcome { verdict, reference, .. }) = step(&good, "{}").await.unwrap() else { panic!() };
        assert_eq!((verdict, reference.as_deref()), (Verdict::Accepted, Some("fixture")));
    }
}

#[tokio::test]
async fn each_step_runs_in_an_instance_of_its_own() {
    let host = host(unhurried());
    assert_good(&host).await;
    let good = load(&host, "good", &component("good", WIT)).await.unwrap();
    assert_eq!((good.description().id.as_str(), good.description().endpoints.len()), ("fixture", 1));
}

#[tokio::test]
async fn a_hostile_connector_meets_its_limit_and_disturbs_nobody() {
    let host = host(unhurried());
    for (fixture, kind) in [
        ("endless_loop", "fuel"),
        ("memory_bomb", "memory"),
        ("trap", "trap"),
        ("sends_nothing", "bad_answer"),
        ("sends_a_flood", "bad_answer"),
        ("sends_without_end", "bad_answer"),
        ("long_reference", "bad_answer"),
        ("bad_reference", "bad_answer"),
        ("no_such_verdict", "bad_answer"),
        ("says_no", "bad_answer"),
    ] {
        let connector = load(&host, fixture, &component(fixture, WIT)).await.unwrap();
        for _ in 0..2 {
            let error = step(&connector, "{}").await.unwrap_err();
            assert_eq!((error.plugin(), error.kind().as_str()), (fixture, kind), "{error:?}");
            assert!(!error.to_string().contains("xxxx"), "{error}");
        }
        assert_good(&host).await;
    }
}

#[tokio::test]
async fn time_input_and_output_are_bounded() {
    let limits = Limits::default();
    let connector = CallLimits {
        fuel: 10_000_000_000,
        time: Duration::from_millis(500),
        input_bytes: 1_000,
        output_bytes: 100_000,
        ..limits.connector
    };
    let host = host(Limits { connector, ..limits });
    let slow = load(&host, "endless_loop", &component("endless_loop", WIT)).await.unwrap();
    assert_eq!(*step(&slow, "{}").await.unwrap_err().kind(), PluginErrorKind::Deadline);
    let chatty = load(&host, "says_no", &component("says_no", WIT)).await.unwrap();
    assert_eq!(*step(&chatty, "{}").await.unwrap_err().kind(), PluginErrorKind::Output);
    let good = load(&host, "good", &component("good", WIT)).await.unwrap();
    assert_eq!(*step(&good, &"x".repeat(1_001)).await.unwrap_err().kind(), PluginErrorKind::Input);
    assert_good(&host).await;
}

#[tokio::test]
async fn what_is_no_connector_is_refused_at_load() {
    let host = host(unhurried());
    for fixture in ["huge_label", "no_endpoint"] {
        let error = load(&host, fixture, &component(fixture, WIT)).await.err().unwrap();
        assert_eq!(error.kind().as_str(), "bad_answer", "{error:?}");
    }
    let importing = "world connector {\n    import log: interface { write: func(line: string); }";
    let wit = WIT.replace("world connector {", importing);
    let error = load(&host, "log", &component("forbidden_import", &wit)).await.err().unwrap();
    assert_eq!(*error.kind(), PluginErrorKind::Denied("log#write".to_owned()));
    let other = WIT.replace("1.0.0", "0.9.0");
    let error = load(&host, "old", &component("good", &other)).await.err().unwrap();
    let expected = "expected cavra:connector@1.0.0, found cavra:connector@0.9.0".to_owned();
    assert_eq!(*error.kind(), PluginErrorKind::Incompatible(expected));
    let empty = wat::parse_str("(component)").unwrap();
    let error = load(&host, "empty", &empty).await.err().unwrap();
    assert!(error.to_string().contains("no connector of cavra:connector"), "{error}");
    let pack = cavra_builtin::POLICY_RULES.wasm;
    let error = load(&host, "pack", pack).await.err().unwrap();
    assert_eq!(*error.kind(), PluginErrorKind::Denied("cavra:policy/types@1.1.0".to_owned()));
    assert_good(&host).await;
}

/// Code comes from the cache, and the cache of one host serves the next.
#[tokio::test]
async fn compiled_connectors_are_kept() {
    let dir = tempfile::TempDir::new().unwrap();
    let cached = || {
        let config = HostConfig {
            limits: unhurried(),
            cache_dir: Some(dir.path().join("cache")),
            pooling: false,
            ..HostConfig::default()
        };
        PluginHost::new(config).unwrap()
    };
    let files = || {
        std::fs::read_dir(dir.path().join("cache"))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().extension().is_some())
            .count()
    };
    for _ in 0..2 {
        assert_good(&cached()).await;
        assert_eq!(files(), 1);
    }
}
