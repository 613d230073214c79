//! Requests whose work grows with what is stored: few run at once, the rest are told to come back, reading goes on beside
//! them, and what nobody waits for any more stops.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Home, Server};

/// Decisions that a plan makes again: enough that it takes seconds.
const PAST: usize = 20_000;
const STORE: &str = ".cavra/api/activity.json";

/// A server with that many decisions of today.
fn server() -> Server {
    let home = Home::new();
    let server = home.serve(&[]);
    server.decide(&json!({"action_type": "execute_command", "target": "git status && ls -la | wc -l"}));
    assert!(server.terminate().success());
    let mut stored = home.json(STORE);
    let record = stored["decisions"][0].clone();
    let copy = |number: usize| {
        let mut copy = record.clone();
        copy["decision_id"] = json!(format!("dec_{number:012x}"));
        copy
    };
    stored["decisions"].as_array_mut().unwrap().extend((0..PAST).map(copy));
    home.write(STORE, stored.to_string());
    home.serve(&[])
}

fn draft() -> Value {
    json!({"id": "cavra-x", "title": "x", "description": "x", "commands": {"block": ["git *"]}})
}

/// Seconds of processor time that the server has used.
fn used(server: &Server) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid().as_raw_nonzero())).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().map(ToOwned::to_owned).collect();
    let ticks: f64 = fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

#[test]
fn long_work_takes_turns_and_ends_with_its_client() {
    let server = server();
    let body = draft().to_string();
    let head = format!(
        "POST /policy-packs/publish-plan HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let (started, before) = (Instant::now(), used(&server));
    let plan = server.post("/policy-packs/publish-plan", &draft()).ok();
    let (alone, cost) = (started.elapsed(), used(&server) - before);
    assert_eq!(plan["backtest"]["decided"], PAST + 1, "{}", plan["backtest"]);

    // More at once than are taken.
    let mut connections: Vec<_> = (0..8).map(|_| server.connect()).collect();
    for connection in &mut connections {
        connection.send(format!("{head}{body}").as_bytes()).unwrap();
    }
    let reading = Instant::now();
    for _ in 0..10 {
        server.get("/decisions?limit=1").ok();
    }
    assert!(reading.elapsed() < Duration::from_secs(10), "reading waits: {:?}", reading.elapsed());
    let answers = connections.into_iter().map(|mut connection| thread::spawn(move || connection.receive().unwrap()));
    let answers: Vec<_> = answers.collect::<Vec<_>>().into_iter().map(|answer| answer.join().unwrap()).collect();
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(done >= 2, "{done} of 8");
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        refused.refused(&[503]);
        assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    }
    // Where one alone takes longer than anybody waits for a turn, the last ones cannot have had one.
    assert!(alone < Duration::from_secs(3) || done < 8, "{alone:?}: {done}");

    // A client that leaves takes its work along.
    let before = used(&server);
    let mut leaving: Vec<_> = (0..2).map(|_| server.connect()).collect();
    for connection in &mut leaving {
        connection.send(format!("{head}{body}").as_bytes()).unwrap();
    }
    thread::sleep(Duration::from_millis(100));
    drop(leaving);
    let mut spent = used(&server);
    loop {
        thread::sleep(Duration::from_millis(500));
        let now = used(&server);
        if now - spent < 0.1 {
            break;
        }
        spent = now;
    }
    let spent = used(&server) - before;
    assert!(spent < cost, "two plans that nobody waits for cost {spent} s, one to its end {cost} s");
    server.post("/policy-packs/publish-plan", &draft()).ok();
}
