//! What was acknowledged is there: after a crash, under load, with several processes. docs/reference/decisions-and-policy.md, section 1.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Backend, Connection, Home, PATIENCE, Server, on_both, text};

const CLIENTS: usize = 3;

fn body_of(round: usize, client: usize) -> Value {
    json!({"action_type": "read_file", "target": ".env", "session_id": format!("r{round}-c{client}")})
}

/// Decides as fast as it can until told to stop or cut off; answers the acknowledged ids.
fn load(server: &Server, stop: &AtomicBool) -> Vec<String> {
    let acknowledged = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let acknowledged = &acknowledged;
            let address = server.address;
            scope.spawn(move || {
                let Ok(mut connection) = Connection::open(address) else { return };
                let body = body_of(0, client);
                while !stop.load(Ordering::Relaxed) {
                    let Ok(answer) = connection.exchange("POST", "/decisions", body.to_string().as_bytes()) else {
                        return;
                    };
                    acknowledged.lock().unwrap().push(text(&answer.ok(), "decision_id").to_owned());
                }
            });
        }
    });
    acknowledged.into_inner().unwrap()
}

fn stored_ids(server: &Server) -> HashSet<String> {
    server.all("/decisions").iter().map(|record| text(record, "decision_id").to_owned()).collect()
}

/// Sessions count exactly the decisions that are stored.
fn assert_consistent(server: &Server) {
    let decisions = server.all("/decisions");
    for session in server.all("/sessions") {
        let of_session = decisions.iter().filter(|record| record["session_id"] == session["session_id"]).count();
        assert_eq!(session["decision_count"], of_session, "{session}");
        assert_eq!(session["evidence_refs"].as_array().unwrap().len(), of_session);
    }
}

/// Twenty-five crashes, each at another moment of the load.
fn crashes(backend: Backend) {
    let home = Home::new();
    let mut acknowledged: HashSet<String> = HashSet::new();
    for round in 0..25 {
        let bodies: Vec<_> = (0..CLIENTS).map(|client| vec![body_of(round, client).to_string()]).collect();
        let pause = Duration::from_millis(7 * round as u64 % 60);
        let new = backend.serve(&home).crash("/decisions", &bodies, round % 5 * 3, pause);
        acknowledged.extend(new.iter().map(|record| text(record, "decision_id").to_owned()));
        if round % 8 == 7 || round == 24 {
            let server = backend.serve(&home);
            let stored = stored_ids(&server);
            let lost: Vec<_> = acknowledged.difference(&stored).collect();
            assert!(
                lost.is_empty(),
                "{backend:?}, round {round}: {} of {} lost: {lost:?}",
                lost.len(),
                acknowledged.len()
            );
            assert_consistent(&server);
        }
    }
    assert!(acknowledged.len() >= 150, "every crash waited for its answers: {}", acknowledged.len());
}

#[test]
fn a_crash_loses_nothing_that_was_acknowledged_json() {
    crashes(Backend::Json);
}

#[test]
fn a_crash_loses_nothing_that_was_acknowledged_sqlite() {
    crashes(Backend::Sqlite);
}

#[test]
fn a_termination_drains() {
    on_both(|backend| {
        let home = Home::new();
        let server = backend.serve(&home);
        let stop = AtomicBool::new(false);
        let acknowledged = thread::scope(|scope| {
            let loading = scope.spawn(|| load(&server, &stop));
            // A request that the server has begun to read, and whose body has not arrived completely when the signal does.
            let mut late = server.connect();
            let body = json!({"action_type": "read_file", "target": "late", "session_id": "late"}).to_string();
            let length = body.len();
            let head = format!("host: localhost\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n");
            late.send(format!("POST /decisions HTTP/1.1\r\n{head}").as_bytes()).unwrap();
            assert_eq!(late.receive().unwrap().status, 100);
            late.send(&body.as_bytes()[..10]).unwrap();
            rustix::process::kill_process(server.pid(), rustix::process::Signal::TERM).unwrap();
            let asked = Instant::now();
            while Connection::open(server.address).is_ok() {
                assert!(asked.elapsed() < PATIENCE, "it goes on listening");
                thread::sleep(Duration::from_millis(2));
            }
            late.send(&body.as_bytes()[10..]).unwrap();
            let late = late.receive().unwrap().ok();
            stop.store(true, Ordering::Relaxed);
            let mut acknowledged = loading.join().unwrap();
            acknowledged.push(text(&late, "decision_id").to_owned());
            acknowledged
        });
        let status = server.wait();
        assert!(status.success(), "{status}");
        assert!(!home.read("server.log").contains("did not finish in time"), "{}", home.read("server.log"));
        let stored = stored_ids(&backend.serve(&home));
        assert!(acknowledged.iter().all(|id| stored.contains(id)), "{backend:?}");
    });
}

/// Whoever reads that it listens may ask it to stop, and it stops as it should.
#[test]
fn a_termination_is_heard_from_the_first_moment() {
    let home = Home::new();
    for _ in 0..10 {
        let status = home.serve(&[]).terminate();
        assert!(status.success(), "{status}");
    }
}

#[test]
fn concurrent_clients_lose_nothing() {
    on_both(|backend| {
        let server = backend.fresh();
        let stop = AtomicBool::new(false);
        let acknowledged = thread::scope(|scope| {
            let loading = scope.spawn(|| load(&server, &stop));
            let reader = scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(server.get("/decisions?limit=5").status, 200);
                    assert_eq!(server.get("/sessions").status, 200);
                }
            });
            let writer = scope.spawn(|| {
                for n in 0..40 {
                    let body =
                        json!({"session_id": "r0-c0", "state": "completed", "evidence_refs": [format!("mine://{n}")]});
                    server.post("/sessions", &body).ok();
                }
            });
            reader.join().unwrap();
            writer.join().unwrap();
            stop.store(true, Ordering::Relaxed);
            loading.join().unwrap()
        });
        let stored = stored_ids(&server);
        assert_eq!(stored, acknowledged.into_iter().collect(), "{backend:?}");
        let session = server.get("/sessions/r0-c0").ok();
        assert_eq!(session["state"], "completed", "decisions keep it");
        assert_eq!(session["decision_count"], server.total("/decisions?session_id=r0-c0"));
    });
}

/// A server and hook processes share the store of a project.
#[test]
fn hooks_and_a_server_on_one_store_lose_nothing() {
    on_both(|backend| {
        let home = Home::new();
        let server = backend.serve(&home);
        let (name, value) = backend.setting(&home);
        let event = |n: usize| {
            json!({
                "hook_event_name": "PreToolUse", "session_id": "hooked", "cwd": home.path(), "tool_name": "Read",
                "tool_input": {"file_path": home.at(&format!("f{n}"))},
            })
        };
        const HOOKS: usize = 12;
        let acknowledged = thread::scope(|scope| {
            let hooks: Vec<_> = (0..3)
                .map(|worker| {
                    let (home, value, event) = (&home, &value, &event);
                    scope.spawn(move || {
                        for n in (0..HOOKS).filter(|n| n % 3 == worker) {
                            let run = home.cavra(&["hook", "claude-code"]).env(name, value).stdin(event(n).to_string());
                            let answer = run.run().ok().json();
                            assert_eq!(answer, json!({}), "no objection");
                        }
                    })
                })
                .collect();
            let mut acknowledged = Vec::new();
            let mut hooks = hooks;
            while !hooks.is_empty() {
                let body = json!({"action_type": "read_file", "target": "a", "session_id": "served"});
                acknowledged.push(text(&server.decide(&body), "decision_id").to_owned());
                hooks.retain(|hook| !hook.is_finished());
            }
            acknowledged
        });
        let stored = server.all("/decisions");
        let of =
            |session: &str| stored.iter().filter(|record| record["session_id"] == session).collect::<Vec<&Value>>();
        assert_eq!(of("hooked").len(), HOOKS, "{backend:?}");
        assert_eq!(of("served").len(), acknowledged.len(), "{backend:?}");
        assert_consistent(&server);
    });
}
