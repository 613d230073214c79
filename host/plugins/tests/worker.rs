//! The compile process. This test is its own compile process: started with `__compile` it is one, otherwise it tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails here has failed")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use cavra_plugins::{HostConfig, Limits, Origin, PluginError, PluginErrorKind, compile_worker};
use support::{assert_fresh, component, component_with, host, load_from};
use tempfile::TempDir;

const DOCUMENT: &str = r#"{"rules":[]}"#;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("__compile") {
        return compile_worker();
    }
    let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    executor.block_on(async {
        a_component_is_compiled_and_answers().await;
        failures_come_back_typed().await;
        a_compile_process_that_misbehaves_is_a_failed_load().await;
        the_compile_process_inherits_nothing().await;
        memory_is_limited().await;
        without_a_compile_process_operators_components_are_refused().await;
    });
    ExitCode::SUCCESS
}

async fn a_component_is_compiled_and_answers() {
    for pooling in [false, true] {
        let host = host(HostConfig { pooling, ..this_executable(Limits::default()) });
        for fixture in ["good", "no_snapshot"] {
            let pack = load_from(&host, fixture, &component(fixture), DOCUMENT, Origin::Operator).await.unwrap();
            assert_eq!(pack.description().rules, 12);
            assert_fresh(&pack).await;
        }
    }
}

async fn failures_come_back_typed() {
    let import = "world policy-pack {\n    import log: interface { write: func(line: string); }";
    let limits = Limits { configure_fuel: 10_000_000, ..Limits::default() };
    for (fixture, wasm, kind) in [
        ("endless_loop_in_configure", component("endless_loop_in_configure"), PluginErrorKind::Fuel),
        ("trap_in_configure", component("trap_in_configure"), PluginErrorKind::Trap),
        ("several_memories", component("several_memories"), PluginErrorKind::Memory),
        (
            "forbidden_import",
            component_with("forbidden_import", "world policy-pack {", import),
            PluginErrorKind::Denied("log#write".to_owned()),
        ),
        ("garbage", b"\0asm garbage".to_vec(), PluginErrorKind::Load),
    ] {
        let error = failure(this_executable(limits.clone()), &wasm).await;
        assert_eq!(*error.kind(), kind, "{fixture}: {:?}", std::error::Error::source(&error));
    }
}

async fn a_compile_process_that_misbehaves_is_a_failed_load() {
    let dir = TempDir::new().unwrap();
    let usual = Limits::default();
    let short = Limits { compile_time: Duration::from_millis(300), ..Limits::default() };
    for (name, body, limits, kind) in [
        ("silent", "exit 0", &usual, PluginErrorKind::Load),
        ("chatty", "exec cat /dev/zero", &usual, PluginErrorKind::Load),
        ("echo", "exec cat", &usual, PluginErrorKind::Load),
        ("hanging", "exec sleep 600", &short, PluginErrorKind::Deadline),
    ] {
        let config =
            HostConfig { compile_worker: Some(script(dir.path(), name, body)), ..this_executable(limits.clone()) };
        let began = Instant::now();
        assert_eq!(*failure(config, &component("good")).await.kind(), kind, "{name}");
        assert!(began.elapsed() < Duration::from_secs(300), "{name} was waited for");
    }
    let missing = HostConfig { compile_worker: Some("/does/not/exist".into()), ..this_executable(usual) };
    assert_eq!(*failure(missing, &component("good")).await.kind(), PluginErrorKind::Load);
}

async fn the_compile_process_inherits_nothing() {
    let dir = TempDir::new().unwrap();
    let worker = script(dir.path(), "environment", "export > \"$0.out\"; pwd >> \"$0.out\"");
    failure(HostConfig { compile_worker: Some(worker), ..this_executable(Limits::default()) }, &component("good"))
        .await;
    let seen = fs::read_to_string(dir.path().join("environment.out")).unwrap();
    assert!(!seen.contains("CARGO") && !seen.contains("HOME"), "{seen}");
    assert!(seen.ends_with("\n/\n"), "{seen}");
}

async fn memory_is_limited() {
    let limits = Limits { compile_memory_bytes: 4 * 1024 * 1024, ..Limits::default() };
    let error = failure(this_executable(limits), &component("good")).await;
    assert_eq!(*error.kind(), PluginErrorKind::Load);
}

async fn without_a_compile_process_operators_components_are_refused() {
    let config = HostConfig { compile_worker: None, ..this_executable(Limits::default()) };
    assert_eq!(*failure(config, &component("good")).await.kind(), PluginErrorKind::Load);
}

fn this_executable(limits: Limits) -> HostConfig {
    let executable = std::env::current_exe().unwrap();
    HostConfig { limits, pooling: false, compile_worker: Some(executable), ..HostConfig::default() }
}

async fn failure(config: HostConfig, wasm: &[u8]) -> PluginError {
    load_from(&host(config), "acme", wasm, DOCUMENT, Origin::Operator).await.err().unwrap()
}

fn script(dir: &Path, name: &str, body: &str) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{body}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}
