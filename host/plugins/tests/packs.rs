//! Well-behaved packs: loading, answering, and the cache.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails here has failed")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cavra_model::{Outcome, Severity};
use cavra_plugins::{HostConfig, Limits, Origin, PluginErrorKind, PluginHost};
use support::{VERSIONS, actions, ask, assert_fresh, component, component_for, facts, host, load, load_from};
use tempfile::TempDir;

const DOCUMENT: &str = r#"{"rules":[]}"#;

fn cli() -> HostConfig {
    HostConfig { pooling: false, ..HostConfig::default() }
}

#[tokio::test]
async fn a_pack_answers_from_a_fresh_configured_instance_each_time() {
    for config in [cli(), HostConfig::default()] {
        let host = host(config);
        for fixture in ["good", "no_snapshot"] {
            let pack = load(&host, fixture, &component(fixture), DOCUMENT).await.unwrap();
            let description = pack.description();
            assert_eq!((description.id.as_str(), description.title.as_str()), ("fixture", "A fixture"));
            assert_eq!((description.version.as_str(), description.rules), ("1.2.3", 12));
            for action in actions() {
                let findings = pack.evaluate(&action, &facts()).await.unwrap();
                assert_eq!((findings[0].outcome, findings[0].severity), (Outcome::Block, Severity::High));
                assert_eq!((findings[0].reason.as_str(), &findings[0].approver_group), ("fresh", &None));
            }
        }
    }
}

/// Components that were built for an older contract run beside those of the newest.
#[tokio::test]
async fn guests_of_every_version_are_asked() {
    for config in [cli(), HostConfig::default()] {
        let host = host(config);
        for (version, wit) in VERSIONS {
            assert!(wit.contains(&format!("package cavra:policy@{version};")));
            for fixture in ["good", "no_snapshot"] {
                let pack = load(&host, version, &component_for(fixture, wit), DOCUMENT).await.unwrap();
                for action in actions() {
                    let findings = pack.evaluate(&action, &facts()).await.unwrap();
                    assert_eq!(findings[0].rule_id, "fixture.rule", "{version} {fixture}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_rejected_document_says_why() {
    let error = load(&host(cli()), "good", &component("good"), "[]").await.err().unwrap();
    let PluginErrorKind::Configure(diagnostics) = error.kind() else { panic!("{error:?}") };
    assert_eq!((diagnostics[0].path.as_str(), diagnostics[0].message.as_str()), ("<root>", "not an object"));
}

#[tokio::test]
async fn digests_are_checked_before_anything_is_compiled() {
    let (host, wasm) = (host(cli()), component("good"));
    let digest = cavra_model::Digest::of(DOCUMENT);
    let source = cavra_plugins::PackSource {
        plugin: "good",
        version: "1",
        wasm: &wasm,
        wasm_digest: digest.as_str(),
        document: DOCUMENT,
        document_digest: digest.as_str(),
        origin: Origin::FirstParty,
        within: cavra_plugins::Within::default(),
    };
    assert_eq!(*host.policy_pack(source).await.err().unwrap().kind(), PluginErrorKind::Load);
}

#[tokio::test]
async fn limits_above_their_ceiling_are_refused() {
    let limits = Limits { memory_bytes: usize::MAX, ..Limits::default() };
    let error = PluginHost::new(HostConfig { limits, ..cli() }).err().unwrap();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("memory_bytes"), "{cause}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_load_serves_all_who_ask_for_it() {
    let (host, wasm) = (host(HostConfig::default()), Arc::new(component("good")));
    let loads: Vec<_> = (0..20)
        .map(|_| {
            let (host, wasm) = (host.clone(), wasm.clone());
            tokio::spawn(async move { load(&host, "good", &wasm, DOCUMENT).await.unwrap() })
        })
        .collect();
    let first = load(&host, "good", &wasm, DOCUMENT).await.unwrap();
    for other in loads {
        assert!(Arc::ptr_eq(&first, &other.await.unwrap()));
    }
}

/// A cache with one pack in it.
struct Cached {
    dir: TempDir,
    wasm: Vec<u8>,
}

impl Cached {
    async fn new() -> Self {
        let cached = Self { dir: TempDir::new().unwrap(), wasm: component("good") };
        let pack = load(&cached.host(), "good", &cached.wasm, DOCUMENT).await.unwrap();
        assert_fresh(&pack).await;
        cached
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("plugins")
    }

    fn host(&self) -> PluginHost {
        host(HostConfig { cache_dir: Some(self.path()), ..cli() })
    }

    /// True if a new process finds the pack in the cache: it could not compile an operator's component.
    async fn hit(&self) -> bool {
        self.hit_by(&self.host()).await
    }

    async fn hit_by(&self, host: &PluginHost) -> bool {
        match load_from(host, "good", &self.wasm, DOCUMENT, Origin::Operator).await {
            Ok(pack) => {
                assert_fresh(&pack).await;
                true
            }
            Err(error) => {
                assert_eq!(*error.kind(), PluginErrorKind::Load);
                false
            }
        }
    }

    fn pack_file(&self) -> PathBuf {
        let files = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut packs = files.filter(|path| path.extension().is_some_and(|extension| extension == "pack"));
        let file = packs.next().unwrap();
        assert_eq!(packs.next(), None);
        file
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn what_one_process_compiled_another_finds() {
    let cached = Cached::new().await;
    assert!(cached.hit().await);
    let server = host(HostConfig { cache_dir: Some(cached.path()), ..HostConfig::default() });
    assert!(cached.hit_by(&server).await, "a server finds what the command line compiled");
    assert_eq!(mode(&cached.path()), 0o700);
    assert_eq!(mode(&cached.path().join("key")), 0o600);
    assert_eq!(mode(&cached.pack_file()), 0o600);
    assert_eq!(fs::read_dir(cached.path()).unwrap().count(), 2, "no temporary files stay behind");
}

#[tokio::test]
async fn a_tampered_or_torn_file_is_a_miss_and_is_replaced() {
    let cached = Cached::new().await;
    let file = cached.pack_file();
    let genuine = fs::read(&file).unwrap();
    let last = genuine.len() - 1;
    for position in [0, 7, 8, 39, 40, 43, 44, 60, 400, last / 2, last] {
        let mut bytes = genuine.clone();
        bytes[position] ^= 1;
        fs::write(&file, bytes).unwrap();
        assert!(!cached.hit().await, "byte {position}");
    }
    for length in [0, 7, 8, 40, 44, 100, last] {
        fs::write(&file, &genuine[..length]).unwrap();
        assert!(!cached.hit().await, "{length} bytes");
    }
    fs::write(&file, [genuine.as_slice(), b"x"].concat()).unwrap();
    assert!(!cached.hit().await, "longer");
    load(&cached.host(), "good", &cached.wasm, DOCUMENT).await.unwrap();
    assert!(cached.hit().await, "replaced");
}

#[tokio::test]
async fn a_genuine_file_of_another_pack_is_a_miss() {
    let cached = Cached::new().await;
    let file = cached.pack_file();
    let genuine = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    load(&cached.host(), "good", &cached.wasm, "{}").await.unwrap();
    fs::rename(cached.pack_file(), &file).unwrap();
    assert!(!cached.hit().await);
    fs::write(&file, genuine).unwrap();
    assert!(cached.hit().await);
    fs::rename(&file, cached.path().join("elsewhere")).unwrap();
    symlink(cached.path().join("elsewhere"), &file).unwrap();
    assert!(!cached.hit().await, "links are not followed");
}

#[tokio::test]
async fn a_file_under_another_key_is_a_miss() {
    let cached = Cached::new().await;
    fs::write(cached.path().join("key"), [7; 32]).unwrap();
    assert!(!cached.hit().await);
}

#[tokio::test]
async fn a_cache_that_others_can_reach_is_not_used() {
    let cached = Cached::new().await;
    let (dir, key) = (cached.path(), cached.path().join("key"));
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for open in [0o770, 0o702, 0o777] {
        set(&dir, open);
        assert!(!cached.hit().await, "directory {open:o}");
    }
    set(&dir, 0o700);
    for open in [0o640, 0o604, 0o660] {
        set(&key, open);
        assert!(!cached.hit().await, "key {open:o}");
    }
    set(&key, 0o600);
    assert!(cached.hit().await);
    for bad in [&[1; 31][..], &[1; 33][..]] {
        fs::write(&key, bad).unwrap();
        assert!(!cached.hit().await, "key of {} bytes", bad.len());
    }
    fs::remove_file(&key).unwrap();
    symlink("/dev/zero", &key).unwrap();
    assert!(!cached.hit().await, "linked key");
}

#[tokio::test]
async fn without_a_usable_cache_packs_still_load() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "no directory").unwrap();
    let host = host(HostConfig { cache_dir: Some(file), ..cli() });
    let pack = load(&host, "good", &component("good"), DOCUMENT).await.unwrap();
    assert!(ask(&pack).await.is_ok());
}
