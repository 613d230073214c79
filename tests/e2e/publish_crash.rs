//! A crash while packs are published leaves the old pack or the new one, whole and signed. Contract 20, section 4.2.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::approvals::string;
use crate::support::{Backend, Connection, Home, Server};

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
    let bodies: Vec<_> = (0..2)
        .map(|version| {
            let asked = server.post("/policy-packs/publish-request", &json!({"draft": draft(version)})).ok();
            let id = string(&asked["approval"]["approval_id"]);
            server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": "fine"})).ok();
            json!({"draft": draft(version), "approval_id": id}).to_string()
        })
        .collect();
    for body in &bodies {
        server.request("POST", "/policy-packs/publish", body.as_bytes()).ok();
    }
    drop(server);
    home.write("packs/cavra-mine/notes.txt", "kept");
    let (mut published, mut interrupted, mut seen) = (0, 0, [0, 0]);
    for round in 0..ROUNDS {
        let server = serve(&home);
        let (pid, address) = (server.pid(), server.address);
        let (told, hears) = mpsc::channel();
        published += thread::scope(|scope| {
            let publishers: Vec<_> = (0..PUBLISHERS)
                .map(|publisher| {
                    let (bodies, told) = (&bodies, told.clone());
                    scope.spawn(move || {
                        let mut acknowledged = 0;
                        let Ok(mut connection) = Connection::open(address) else { return 0 };
                        for body in bodies.iter().cycle().skip(publisher) {
                            match connection.exchange("POST", "/policy-packs/publish", body.as_bytes()) {
                                Ok(answer) => drop(answer.ok()),
                                Err(_) => break,
                            }
                            acknowledged += 1;
                            // Nobody hears but the first.
                            let _ = told.send(());
                        }
                        acknowledged
                    })
                })
                .collect();
            // The load is on; then a moment that no two rounds share.
            hears.recv_timeout(Duration::from_secs(60)).unwrap();
            thread::sleep(Duration::from_micros(round * 7_919 % 90_000));
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            publishers.into_iter().map(|publisher| publisher.join().unwrap()).sum::<usize>()
        });
        server.wait();
        let drafts = std::fs::read_dir(home.join("packs"))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().contains(".draft-"));
        interrupted += usize::from(drafts.count() > 0);
        seen[whole(&home, round)] += 1;
    }
    println!("{published} publications, {interrupted} of {ROUNDS} crashes in the middle of one, versions {seen:?}");
    assert!(published >= 40 && interrupted > 0, "the load was no load: {published} {interrupted}");
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
    // The next publication clears what the crashes left.
    let server = serve(&home);
    server.request("POST", "/policy-packs/publish", bodies[0].as_bytes()).ok();
    let names: Vec<_> =
        std::fs::read_dir(home.join("packs")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name == "cavra-mine" || name == ".publish.lock"), "{names:?}");
    assert_eq!(whole(&home, ROUNDS), 0);
    assert_eq!(server.decide_on("read_file", "secrets-0/7/x", "cavra-mine")["decision"], "block");
}
