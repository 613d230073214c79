//! Integrations are told what they want to know: each event at least once, in order, under an id that stays the same.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Backend, Home, PATIENCE, Receiver, Server, on_both, text};

const WEBHOOK: &str = "CAVRA_CONNECTOR_CONFIG";

fn connect(home: &Home, address: &str) {
    let entry = json!({"url": address, "token": "hush", "signing_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"});
    home.write("connectors.json", json!({ "webhook": entry }).to_string());
}

fn serve(home: &Home, backend: Backend) -> Server {
    let (variable, place) = match backend {
        Backend::Json => ("CAVRA_CACHE_DIR", "cache".to_owned()),
        Backend::Sqlite => ("CAVRA_DATABASE_URL", format!("sqlite:{}", home.at("all.db"))),
    };
    home.serve(&[(WEBHOOK, "connectors.json"), (variable, &place)])
}

fn subscribe(server: &Server, more: Value) {
    let mut body =
        json!({"id": "hook", "provider": "webhook", "status": "active", "event_types": ["cavra.decision.*"]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.post("/integrations", &body).ok();
}

fn decide(server: &Server, target: &str) -> String {
    let body = json!({"action_type": "read_file", "target": target, "session_id": "s", "repository": "pay"});
    text(&server.decide(&body), "decision_id").to_owned()
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn deliveries(server: &Server, state: &str) -> Vec<Value> {
    server.all(&format!("/integration-deliveries?integration_id=hook&state={state}"))
}

fn lane(server: &Server) -> Value {
    server.get("/integration-deliveries/status").ok()["items"][0].clone()
}

fn told(receiver: &Receiver) -> Vec<String> {
    receiver.got().iter().map(|got| text(&got.json()["payload"], "record_id").to_owned()).collect()
}

#[test]
fn what_happens_is_told_in_order() {
    on_both(|backend| {
        let receiver = Receiver::answering("204 No Content");
        let home = Home::new();
        connect(&home, &receiver.at("/hook"));
        let server = serve(&home, backend);
        decide(&server, "before.txt");
        subscribe(&server, json!({}));
        let wanted: Vec<String> = (0..20).map(|number| decide(&server, &format!("{number}.txt"))).collect();
        let blocked = decide(&server, ".env");
        let got = receiver.wait_for(21);
        assert_eq!(told(&receiver), [&wanted[..], std::slice::from_ref(&blocked)].concat());
        let last = got.last().unwrap();
        let event = &last.json()["payload"];
        for (member, value) in [
            ("event_type", json!("cavra.decision.block")),
            ("session_id", json!("s")),
            ("blocked_count", json!(1)),
            ("record_is_as_logged", json!(true)),
            ("record", server.get(&format!("/decisions/{blocked}")).ok()),
        ] {
            assert_eq!(event[member], value, "{member}");
        }
        let ids: BTreeSet<_> = got.iter().map(|got| got.header("idempotency-key").unwrap().to_owned()).collect();
        assert_eq!((ids.len(), last.header("webhook-id")), (21, last.header("idempotency-key")));
        assert!(last.header("webhook-signature").unwrap().starts_with("v1,"));
        until("all of them are recorded", || deliveries(&server, "delivered").len() == 21);
        let record = deliveries(&server, "delivered").pop().unwrap();
        assert_eq!((&record["status_code"], &record["attempt_count"]), (&json!(204), &json!(1)));
        assert_eq!(record["delivery_id"], json!(last.header("webhook-id").unwrap()));
        assert_eq!(record["request"]["headers"]["authorization"], "REDACTED");
        let lane = lane(&server);
        assert_eq!((&lane["circuit"], &lane["dead_letters"]), (&json!("closed"), &json!(0)));
        // Nobody is told what they did not ask for.
        server.post("/approvals", &json!({"decision_id": "x", "session_id": "s", "approver_group": "CAB"})).ok();
        decide(&server, "last.txt");
        receiver.wait_for(22);
        assert!(!server.log().contains("hush"));
    });
}

#[test]
fn a_subscription_is_checked_and_narrows() {
    let receiver = Receiver::answering("200 OK");
    let home = Home::new();
    connect(&home, &receiver.address);
    let server = serve(&home, Backend::Json);
    for (body, word) in [
        (json!({"provider": "webhook", "event_types": ["cavra.decision.blocked"]}), "cavra.decision.blocked"),
        (json!({"provider": "Pager", "event_types": ["*"]}), "Pager"),
        (json!({"provider": "webhook", "event_types": ["*"], "min_severity": "grave"}), "min_severity"),
    ] {
        assert!(server.post("/integrations", &body).refused(&[400]).to_string().contains(word), "{body}");
    }
    subscribe(
        &server,
        json!({"event_types": ["cavra.decision.block", "cavra.approval.*"], "min_severity": "high",
        "repositories": ["pay"]}),
    );
    let elsewhere = json!({"action_type": "read_file", "target": ".env", "repository": "other"});
    server.decide(&elsewhere);
    decide(&server, "fine.txt");
    let blocked = decide(&server, ".env");
    receiver.wait_for(1);
    assert_eq!(told(&receiver), [blocked]);
    // What is paused is told later, what is disabled never.
    subscribe(&server, json!({"status": "paused"}));
    let paused = decide(&server, "paused.txt");
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(receiver.got().len(), 1);
    subscribe(&server, json!({}));
    receiver.wait_for(2);
    subscribe(&server, json!({"status": "disabled"}));
    decide(&server, "disabled.txt");
    subscribe(&server, json!({}));
    let last = decide(&server, "last.txt");
    receiver.wait_for(3);
    assert_eq!(told(&receiver)[1..], [paused, last]);
}

#[test]
fn what_fails_waits_and_what_cannot_succeed_is_put_aside() {
    let home = Home::new();
    let poison = Arc::new(AtomicBool::new(true));
    let poisoned = poison.clone();
    let receiver = Receiver::answering_by(move |number, got| match number {
        0 | 1 => "503 Busy\r\nretry-after: 1".to_owned(),
        _ if got.body.contains("poison") && poisoned.load(Ordering::Relaxed) => "422 No".to_owned(),
        _ => "200 OK".to_owned(),
    });
    connect(&home, &receiver.address);
    let server = serve(&home, Backend::Json);
    subscribe(&server, json!({}));
    let started = Instant::now();
    let (first, bad, last) = (decide(&server, "first"), decide(&server, "poison"), decide(&server, "last"));
    let got = receiver.wait_for(5);
    assert!(started.elapsed() >= Duration::from_secs(2), "as long as it was asked to wait");
    let key = |at: usize| got[at].header("idempotency-key").unwrap().to_owned();
    assert!(key(0) == key(1) && key(1) == key(2) && key(3) != key(2));
    assert_eq!(told(&receiver), [first.clone(), first.clone(), first, bad, last]);
    until("the dead letter is recorded", || deliveries(&server, "dead_letter").len() == 1);
    let dead = deliveries(&server, "dead_letter").pop().unwrap();
    assert_eq!((&dead["error"], dead["event"].is_object()), (&json!("HTTP 422"), true));
    let id = text(&dead, "delivery_id").to_owned();
    assert_eq!(lane(&server)["dead_letters"], 1);
    assert_eq!(deliveries(&server, "delivered")[0]["attempt_count"], 3);
    // Somebody has it sent again: first in vain, then not.
    server.post(&format!("/integration-deliveries/{id}/retry"), &json!({})).ok();
    receiver.wait_for(6);
    until("it is a dead letter again", || deliveries(&server, "dead_letter").len() == 1);
    poison.store(false, Ordering::Relaxed);
    let run = home.cavra(&["delivery", "retry", &id, "--json"]).run().ok();
    assert_eq!(run.json()["state"], "pending");
    assert_eq!(receiver.wait_for(7)[6].header("webhook-id"), Some(id.as_str()));
    until("it is delivered", || deliveries(&server, "delivered").len() == 3);
    for verb in ["retry", "drop"] {
        server.post(&format!("/integration-deliveries/{id}/{verb}"), &json!({})).refused(&[409]);
        server.post(&format!("/integration-deliveries/dlv_none/{verb}"), &json!({})).refused(&[404]);
        assert!(home.cavra(&["delivery", verb, &id]).run().fails().stderr.contains("delivered"));
    }
}

#[test]
fn the_command_line_looks_after_deliveries() {
    let home = Home::new();
    let receiver = Receiver::answering("400 No");
    connect(&home, &receiver.address);
    let server = serve(&home, Backend::Json);
    subscribe(&server, json!({}));
    decide(&server, "one");
    decide(&server, "two");
    until("both are dead letters", || deliveries(&server, "dead_letter").len() == 2);
    let cavra = |arguments: &[&str]| home.cavra(&[&["delivery"], arguments].concat()).run().ok();
    let listed = cavra(&["list", "--state", "dead_letter", "--integration", "hook", "--json"]).json();
    assert_eq!((&listed["total"], &listed["items"]), (&json!(2), &json!(deliveries(&server, "dead_letter"))));
    assert!(cavra(&["list"]).stdout.contains("HTTP 400"));
    let id = text(&listed["items"][0], "delivery_id");
    assert_eq!(cavra(&["show", id]).json(), listed["items"][0]);
    let status = cavra(&["status", "--json"]).json();
    assert_eq!(status["items"][0]["dead_letters"], 2);
    assert!(cavra(&["status"]).stdout.contains("2 dead letters"));
    assert!(cavra(&["drop", id]).stdout.contains("dropped"));
    assert_eq!(cavra(&["retry", "--all", "--integration", "hook", "--json"]).json(), json!({"retried": 1}));
    receiver.wait_for(3);
    assert_eq!(cavra(&["retry", "--all", "--integration", "other", "--json"]).json(), json!({"retried": 0}));
    home.cavra(&["delivery", "retry"]).run().exits(2);
    home.cavra(&["delivery", "list", "--state", "lost"]).run().exits(2);
}

/// The server is killed again and again while events happen and are delivered.
#[test]
fn nothing_is_lost_when_the_server_is_killed() {
    on_both(|backend| {
        let home = Home::new();
        let receiver = Receiver::answering_by(|number, _| {
            let busy = number % 7 == 3;
            if busy { "503 Busy".to_owned() } else { "200 OK".to_owned() }
        });
        connect(&home, &receiver.address);
        let mut server = serve(&home, backend);
        subscribe(&server, json!({}));
        let mut wanted = Vec::new();
        for round in 0..2 {
            wanted.extend((0..8).map(|number| decide(&server, &format!("{round}-{number}.txt"))));
            receiver.wait_for(round * 4 + 1);
            server.kill();
            server = serve(&home, backend);
        }
        until("all events arrived", || {
            let arrived: BTreeSet<String> = told(&receiver).into_iter().collect();
            wanted.iter().all(|id| arrived.contains(id))
        });
        // Each under one id, however often it was sent, and none before one that happened earlier had been sent.
        let got = receiver.got();
        let mut keys = std::collections::BTreeMap::new();
        let mut first = Vec::new();
        for got in &got {
            let id = text(&got.json()["payload"], "record_id").to_owned();
            let key = got.header("webhook-id").unwrap().to_owned();
            if !first.contains(&id) {
                first.push(id.clone());
            }
            assert_eq!(keys.entry(id).or_insert_with(|| key.clone()), &key);
        }
        assert_eq!(first, wanted);
        until("all of them are recorded", || deliveries(&server, "delivered").len() == wanted.len());
    });
}
