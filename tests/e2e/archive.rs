//! The archive of a JSON store: components lie in files beside it, and nobody who changes one is believed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::components::{change_freeze, freeze, with_component};
use crate::support::{BASELINE, Backend, Home, Output, Server, sha256, text};

const STORE: Backend = Backend::Json;

/// A home with an operator's component that is larger than what a record of a JSON store holds.
fn home() -> Home {
    assert!(change_freeze().len() > 64 * 1024);
    with_component(&freeze("2000-01-01T00:00:00Z", "2999-01-01T00:00:00Z"), change_freeze())
}

fn serve(home: &Home) -> Server {
    let (name, packs) = home.packs();
    let (setting, store) = STORE.setting(home);
    home.serve(&[(name, &packs), (setting, &store)])
}

fn replay(home: &Home) -> Output {
    let (setting, store) = STORE.setting(home);
    home.cavra(&["evidence", "replay", "--json", "--days", "1"]).env(setting, store).run()
}

fn directory(home: &Home) -> PathBuf {
    home.join(&format!("{}.attachments", STORE.file()))
}

/// Where the component with this digest lies.
fn file(home: &Home, digest: &str) -> PathBuf {
    directory(home).join(digest.strip_prefix("sha256:").unwrap())
}

/// One decision by the operator's component and one by rules alone; the digests of both components.
fn decide(home: &Home) -> [String; 2] {
    let server = serve(home);
    let decided = server.decide_on("write_file", "README.md", "cavra-frozen");
    assert_eq!((&decided["decision"], &decided["policy_pack"]), (&json!("block"), &json!("cavra-frozen")));
    server.decide_on("read_file", ".env", BASELINE);
    let digests: Vec<_> = decided["component_digests"].as_array().unwrap().iter().map(Value::to_string).collect();
    let digests: [String; 2] = digests.try_into().unwrap();
    let digests = digests.map(|digest| digest.trim_matches('"').to_owned());
    assert_eq!(digests[1], sha256(change_freeze()));
    digests
}

#[test]
fn components_lie_beside_the_store_once() {
    let home = home();
    let digests = decide(&home);
    let named = || fs::read_dir(directory(&home)).unwrap().map(|entry| entry.unwrap().path()).collect::<BTreeSet<_>>();
    assert_eq!(named(), digests.iter().map(|digest| file(&home, digest)).collect());
    for digest in &digests {
        assert_eq!(sha256(fs::read(file(&home, digest)).unwrap()), *digest);
        assert_eq!(fs::metadata(file(&home, digest)).unwrap().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::metadata(directory(&home)).unwrap().mode() & 0o777, 0o700);
    assert!(home.read(STORE.file()).len() < 64 * 1024, "the store itself stays small");
    // Every process looks, and none writes again.
    let inodes = || digests.each_ref().map(|digest| fs::metadata(file(&home, digest)).unwrap().ino());
    let before = inodes();
    let event = json!({"session_id": "s", "cwd": home.at(""), "hook_event_name": "PreToolUse", "tool_name": "Bash",
        "tool_input": {"command": "make"}});
    let ((packs, folder), (setting, store)) = (home.packs(), STORE.setting(&home));
    for _ in 0..2 {
        let hook = home.cavra(&["hook", "claude-code", "--policy-pack", "cavra-frozen"]);
        hook.env(packs, &folder).env(setting, &store).stdin(event.to_string()).run().ok();
        decide(&home);
    }
    assert_eq!((inodes(), named().len()), (before, 2));
    let report = replay(&home).ok().json();
    assert_eq!((&report["decisions"], &report["equal"]), (&json!(8), &json!(8)), "{report:#}");
    // Neither the pack nor the binary that decided has to be there.
    fs::remove_dir_all(home.join("packs")).unwrap();
    assert_eq!(replay(&home).ok().json()["equal"], 8);
}

#[test]
fn whatever_becomes_of_a_file_is_named_and_never_run() {
    type Change = fn(&PathBuf, &Home);
    let changes: [(&str, Change); 7] = [
        ("missing", |file, _| fs::remove_file(file).unwrap()),
        // Another last byte, and one that is a component, too.
        ("damaged", |file, _| {
            let mut bytes = fs::read(file).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(file, bytes).unwrap();
        }),
        ("damaged", |file, home| {
            let mut others = fs::read_dir(directory(home)).unwrap().map(|entry| entry.unwrap().path());
            let other = others.find(|other| other != file).unwrap();
            fs::copy(other, file).unwrap();
        }),
        ("damaged", |file, _| fs::write(file, "").unwrap()),
        // The very bytes, but from elsewhere.
        ("damaged", |file, home| {
            fs::rename(file, home.join("elsewhere")).unwrap();
            symlink(home.join("elsewhere"), file).unwrap();
        }),
        ("damaged", |file, _| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        }),
        ("damaged", |file, _| fs::File::options().write(true).open(file).unwrap().set_len(1 << 32).unwrap()),
    ];
    for (number, (what, change)) in changes.into_iter().enumerate() {
        // Of the operator's component, then of the one that this binary carries too.
        for which in [1, 0] {
            let home = home();
            let digests = decide(&home);
            change(&file(&home, &digests[which]), &home);
            let report = replay(&home).exits(1).json();
            let said = report["faults"].as_object().unwrap();
            assert_eq!(said.get(&digests[which]), Some(&json!(what)), "{number}: {report:#}");
            assert_eq!(report["different"], 0, "{number}: {report:#}");
            let damaged = report["damaged"].as_u64().unwrap();
            assert!(damaged >= 2 - which as u64, "{number}: {report:#}");
        }
    }
    // All of them; of one decision the first is named.
    let home = home();
    let digests = decide(&home);
    fs::remove_dir_all(directory(&home)).unwrap();
    let report = replay(&home).exits(1).json();
    assert_eq!((&report["damaged"], &report["faults"]), (&json!(2), &json!({ &digests[0]: "missing" })), "{report:#}");
}

/// Whenever the server dies, there is no decision without what it was made with.
#[test]
fn a_crash_leaves_no_decision_without_its_components() {
    let mut decided = 0;
    let body = json!({"action_type": "write_file", "target": "README.md", "policy_pack": "cavra-frozen"}).to_string();
    for round in 0..20 {
        let home = home();
        // Half of the crashes come at any moment, half when something is decided already.
        let pause = Duration::from_millis(round as u64 * 10);
        serve(&home).crash("/decisions", &[vec![body.clone()]], round % 2, pause);
        let store = if home.exists(STORE.file()) { home.json(STORE.file()) } else { json!({}) };
        let Some(decisions) = store["decisions"].as_array().filter(|decisions| !decisions.is_empty()) else { continue };
        decided += 1;
        for digest in decisions.iter().flat_map(|decision| decision["component_digests"].as_array().unwrap()) {
            let digest = digest.as_str().unwrap();
            assert_eq!(sha256(fs::read(file(&home, digest)).unwrap()), digest, "round {round}");
            let archive = store["policy_archive"].as_array().unwrap();
            assert!(archive.iter().any(|part| text(part, "digest") == digest), "round {round}");
        }
        // What the crash left is in nobody's way.
        decide(&home);
        replay(&home).ok();
    }
    assert!(decided >= 10, "every second crash waited for a decision: {decided}");
}
