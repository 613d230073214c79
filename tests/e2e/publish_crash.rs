//! A crash while packs are published leaves the old pack or the new one, whole and signed. docs/reference/approvals-identity-authoring.md, section 4.2.

use std::time::Duration;

use serde_json::{Value, json};

use super::approvals::string;
use crate::support::{Backend, Home, Server};

const ROUNDS: u64 = 40;
const PUBLISHERS: usize = 3;
const KEY: &str = "hush-hush";

/// One of the packs that take turns; `large`, so that writing it takes a moment.
fn draft(version: usize) -> Value {
    let block: Vec<_> = (0..400).map(|n| format!("secrets-{version}/{n}/*")).collect();
    json!({"id": "cavra-mine", "title": "Mine", "description": "For a crash", "version": version.to_string(),
        "filesystem": {"block_read": block}})
}

fn serve(home: &Home) -> Server {
    let (name, value) = home.packs();
    super::approvals::serve(home, Backend::Sqlite, &[(name, &value), ("CAVRA_POLICY_SIGNING_KEY", KEY)])
}

/// The version in the policy directory, whose files belong together.
#[track_caller]
fn whole(home: &Home, round: u64) -> usize {
    let yaml = home.read("packs/cavra-mine/policy.yaml");
    let policy: Value = serde_norway::from_str(&yaml).unwrap_or_else(|error| panic!("round {round}: {error}"));
    let version = policy["metadata"]["version"].as_str().unwrap().parse().unwrap();
    assert_eq!(policy["filesystem"], draft(version)["filesystem"], "round {round}: half a policy");
    let verified = home.cavra(&["policy", "verify", "packs/cavra-mine", "--key", KEY]).run();
    assert_eq!(verified.code, 0, "round {round}: {verified:?}");
    assert_eq!(home.read("packs/cavra-mine/notes.txt"), "kept", "round {round}");
    version
}

#[test]
fn a_crash_leaves_one_whole_pack() {
    let home = Home::new();
    let server = serve(&home);
    // Each is approved as what takes the other's place.
    let bodies: Vec<_> = [1, 0, 1]
        .map(|version| {
            let asked = server.post("/policy-packs/publish-request", &json!({"draft": draft(version)})).ok();
            let id = string(&asked["approval"]["approval_id"]);
            server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": "fine"})).ok();
            let body = json!({"draft": draft(version), "approval_id": id}).to_string();
            server.request("POST", "/policy-packs/publish", body.as_bytes()).ok();
            body
        })
        .into_iter()
        .skip(1)
        .collect();
    drop(server);
    home.write("packs/cavra-mine/notes.txt", "kept");
    // They take turns; each begins where the one before it goes on.
    let publishers: Vec<Vec<_>> = (0..PUBLISHERS)
        .map(|publisher| bodies.iter().cycle().skip(publisher).take(bodies.len()).cloned().collect())
        .collect();
    let (mut published, mut interrupted, mut seen) = (0, 0, [0, 0]);
    // How often a crash comes in the middle of a publication, and after which one, depends on the machine: on until both
    // were seen.
    let mut round = 0;
    while round < ROUNDS || ((interrupted == 0 || seen.contains(&0)) && round < 10 * ROUNDS) {
        // The load is on; then a moment that no two rounds share.
        let pause = Duration::from_micros(round * 7_919 % 90_000);
        published += serve(&home).crash("/policy-packs/publish", &publishers, 1, pause).len();
        let drafts = std::fs::read_dir(home.join("packs"))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().contains(".draft-"));
        interrupted += usize::from(drafts.count() > 0);
        seen[whole(&home, round)] += 1;
        round += 1;
    }
    println!("{published} publications, {interrupted} of {round} crashes in the middle of one, versions {seen:?}");
    assert!(interrupted > 0, "no crash came in the middle of {published} publications");
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
    // The next publication clears what the crashes left.
    let server = serve(&home);
    server.request("POST", "/policy-packs/publish", bodies[0].as_bytes()).ok();
    let names: Vec<_> =
        std::fs::read_dir(home.join("packs")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name == "cavra-mine" || name == ".publish.lock"), "{names:?}");
    assert_eq!(whole(&home, round), 0);
    assert_eq!(server.decide_on("read_file", "secrets-0/7/x", "cavra-mine")["decision"], "block");
}
