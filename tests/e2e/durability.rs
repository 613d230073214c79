//! What was acknowledged is there: after a crash, under load, with several processes. Contract 10, section 1.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Backend, Connection, Home, Server, on_both, text};

const CLIENTS: usize = 3;

/// Decides as fast as it can until told to stop or cut off; answers the acknowledged ids.
fn load(server: &Server, round: usize, stop: &AtomicBool) -> Vec<String> {
    let acknowledged = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let acknowledged = &acknowledged;
            let address = server.address;
            scope.spawn(move || {
                let Ok(mut connection) = Connection::open(address) else { return };
                let body =
                    json!({"action_type": "read_file", "target": ".env", "session_id": format!("r{round}-c{client}")});
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

/// Twenty-five crashes, each at another moment of the load; more where the machine is so busy that there was little load.
fn crashes(backend: Backend) {
    let home = Home::new();
    let mut acknowledged: HashSet<String> = HashSet::new();
    let mut round = 0;
    while round < 25 || (acknowledged.len() <= 100 && round < 250) {
        let server = backend.serve(&home);
        let stop = AtomicBool::new(false);
        let new = thread::scope(|scope| {
            let pid = server.pid();
            let stop = &stop;
            scope.spawn(move || {
                thread::sleep(Duration::from_millis(20 + 7 * round as u64 % 60));
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
                stop.store(true, Ordering::Relaxed);
            });
            load(&server, round, stop)
        });
        acknowledged.extend(new);
        drop(server);
        if round % 8 == 7 || round >= 24 {
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
        round += 1;
    }
    assert!(acknowledged.len() > 100, "the load was no load: {}", acknowledged.len());
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
        let (acknowledged, asked) = thread::scope(|scope| {
            let loading = scope.spawn(|| load(&server, 0, &stop));
            // A request whose body has not arrived completely when the signal does.
            let mut late = server.connect();
            let body = json!({"action_type": "read_file", "target": "late", "session_id": "late"}).to_string();
            let head = format!("POST /decisions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
            late.send(head.as_bytes()).unwrap();
            late.send(&body.as_bytes()[..10]).unwrap();
            thread::sleep(Duration::from_millis(150));
            rustix::process::kill_process(server.pid(), rustix::process::Signal::TERM).unwrap();
            let asked = Instant::now();
            thread::sleep(Duration::from_millis(50));
            late.send(&body.as_bytes()[10..]).unwrap();
            let late = late.receive().unwrap().ok();
            stop.store(true, Ordering::Relaxed);
            let mut acknowledged = loading.join().unwrap();
            acknowledged.push(text(&late, "decision_id").to_owned());
            (acknowledged, asked)
        });
        let address = server.address;
        let status = server.wait();
        assert!(status.success(), "{status}");
        assert!(asked.elapsed() < Duration::from_secs(9), "{:?}", asked.elapsed());
        assert!(Connection::open(address).is_err(), "nobody listens any more");
        let stored = stored_ids(&backend.serve(&home));
        assert!(acknowledged.iter().all(|id| stored.contains(id)), "{backend:?}");
    });
}

#[test]
fn concurrent_clients_lose_nothing() {
    on_both(|backend| {
        let server = backend.fresh();
        let stop = AtomicBool::new(false);
        let acknowledged = thread::scope(|scope| {
            let loading = scope.spawn(|| load(&server, 0, &stop));
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
                            assert_eq!(answer["hookSpecificOutput"]["permissionDecision"], "allow", "{answer}");
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
