//! The shipped interpreter on this host.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails here has failed")]

mod support;

use cavra_builtin::POLICY_RULES;
use cavra_model::{Action, FileAccess, Outcome};
use cavra_plugins::{HostConfig, Origin};
use serde_json::json;
use support::{facts, host, load_from};
use tempfile::TempDir;

/// Ten thousand rules are configured once and kept in the snapshot; each answer then starts from it.
#[tokio::test]
async fn it_is_snapshotted_and_answers_within_its_limits() {
    let dir = TempDir::new().unwrap();
    let mut patterns: Vec<_> = (0..10_000).map(|number| format!("services/unit-{number}/*.pem")).collect();
    patterns.push("**/.env".to_owned());
    let document = json!({
        "metadata": { "id": "many", "title": "Many", "version": "2.1.0", "mode": "enforce" },
        "filesystem": { "block_read": patterns },
    });
    let host = host(HostConfig { cache_dir: Some(dir.path().join("cache")), ..HostConfig::default() });
    let text = document.to_string();
    let pack = load_from(&host, POLICY_RULES.name, POLICY_RULES.wasm, &text, Origin::FirstParty);
    let pack = pack.await.unwrap();
    assert_eq!((pack.description().id.as_str(), pack.description().version.as_str()), ("many", "2.1.0"));
    for (path, blocked) in [("services/unit-77/a.pem", true), ("app/.env", true), ("src/lib.rs", false)] {
        let action = Action::ReadFile(FileAccess { path: path.to_owned(), content: None });
        let findings = pack.evaluate(&action, &facts()).await.unwrap();
        assert_eq!(findings.iter().any(|finding| finding.outcome == Outcome::Block), blocked, "{path}: {findings:?}");
    }
    let files = std::fs::read_dir(dir.path().join("cache")).unwrap().map(|entry| entry.unwrap().path());
    let file = std::fs::read(files.into_iter().find(|path| path.extension().is_some()).unwrap()).unwrap();
    let marker = br#""configured":true"#;
    assert!(file.windows(marker.len()).any(|window| window == marker), "the interpreter was not snapshotted");
}
