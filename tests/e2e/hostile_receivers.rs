//! Receivers that mean harm: whatever they answer, a delivery ends in time, takes little, leads nowhere else and tells nothing.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Home, Receiver};

/// Delivers an event to a receiver from the command line, once, with two seconds of time.
fn deliver(receiver: &str, settings: Value) -> Value {
    let home = Home::new();
    let mut entry = json!({"url": receiver, "token": "hush"});
    entry.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    home.write("connectors.json", json!({ "webhook": entry }).to_string());
    home.write("event.json", json!({"event_type": "cavra.test", "session_id": "s"}).to_string());
    let arguments = ["integration", "deliver", "event.json", "--config", "connectors.json"];
    let started = Instant::now();
    let run = home.cavra(&[&arguments[..], &["--retries", "0", "--timeout-seconds", "2"]].concat()).run();
    assert!(started.elapsed() < Duration::from_secs(20), "it took {:?}", started.elapsed());
    assert!(!run.stdout.contains("hush") && !run.stderr.contains("hush"), "{run:?}");
    run.json()["deliveries"][0].clone()
}

fn write(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).is_ok()
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Receiver::answering("200 OK");
    for status in ["301 Moved", "302 Found", "303 See", "307 There", "308 For ever"] {
        let place = other.at("/stolen");
        let receiver = Receiver::answering_by(move |_, _| format!("{status}\r\nlocation: {place}"));
        let delivery = deliver(&receiver.address, json!({}));
        let code: u64 = status[..3].parse().unwrap();
        assert_eq!((&delivery["success"], &delivery["status_code"]), (&json!(false), &json!(code)));
    }
    assert!(other.got().is_empty(), "credentials went to where an answer pointed");
}

/// A body without an end: the status counts, and no more of the body is taken than a few buffers.
#[test]
fn an_endless_body_is_not_read() {
    for (head, what) in [("", "plain"), ("content-encoding: gzip\r\n", "compressed")] {
        let receiver = Receiver::with(move |_, _, stream| {
            write(stream, format!("HTTP/1.1 200 OK\r\n{head}connection: close\r\n\r\n").as_bytes());
            let piece = [b'x'; 64 * 1024];
            for _ in 0..64 * 1024 {
                if !write(stream, &piece) {
                    return;
                }
            }
        });
        assert_eq!(deliver(&receiver.address, json!({}))["status_code"], 200, "{what}");
    }
}

/// What would become a gigabyte if somebody unpacked it is never unpacked.
#[test]
fn what_is_compressed_stays_so() {
    let bomb: Vec<u8> =
        [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3].into_iter().chain(std::iter::repeat_n(0xff, 100_000)).collect();
    let receiver = Receiver::with(move |_, got, stream| {
        assert_eq!(got.header("accept-encoding"), None);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len());
        write(stream, head.as_bytes());
        write(stream, &bomb);
    });
    assert_eq!(deliver(&receiver.address, json!({}))["success"], true);
}

#[test]
fn whoever_drips_is_left() {
    let receiver = Receiver::with(|_, _, stream| {
        for byte in b"HTTP/1.1 200 OK\r\nx-long: ".iter().chain(std::iter::repeat_n(&b'a', 1000)) {
            if !write(stream, &[*byte]) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let delivery = deliver(&receiver.address, json!({}));
    assert_eq!((&delivery["error"], &delivery["status_code"]), (&json!("connector delivery timed out"), &Value::Null));
}

#[test]
fn nonsense_is_no_answer() {
    for answer in [
        "",
        "\r\n\r\n",
        "SMTP ready\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 99999 Huge\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
    ] {
        let receiver = Receiver::with(move |_, _, stream| {
            write(stream, answer.as_bytes());
        });
        let delivery = deliver(&receiver.address, json!({}));
        assert_eq!((&delivery["success"], &delivery["status_code"]), (&json!(false), &Value::Null), "{answer:?}");
        let error = delivery["error"].as_str().unwrap();
        assert!(error.starts_with("connector "), "{answer:?}: {error}");
    }
}

#[test]
fn headers_have_no_end() {
    let receiver = Receiver::with(|_, _, stream| {
        write(stream, b"HTTP/1.1 200 OK\r\n");
        let line = format!("x-{}: {}\r\n", "n".repeat(100), "v".repeat(4000));
        while write(stream, line.as_bytes()) {}
    });
    let delivery = deliver(&receiver.address, json!({}));
    assert_eq!((&delivery["success"], &delivery["status_code"]), (&json!(false), &Value::Null));
}

/// What stands in an event is data wherever it goes: no header, no address and no request of its own.
#[test]
fn an_event_cannot_add_to_its_request() {
    let receiver = Receiver::answering("200 OK");
    let home = Home::new();
    home.write("connectors.json", json!({"webhook": {"url": receiver.at("/hook")}}).to_string());
    let evil = "a\r\nx-evil: 1\r\n\r\nGET /stolen HTTP/1.1\r\n";
    home.write(
        "event.json",
        json!({"event_type": evil, "session_id": evil, "title": evil, "url": "http://x"}).to_string(),
    );
    home.cavra(&["integration", "deliver", "event.json", "--config", "connectors.json"]).run().ok();
    let got = receiver.got();
    assert_eq!((got.len(), got[0].header("x-evil")), (1, None));
    assert_eq!(got[0].json()["payload"]["title"], evil);
    for (settings, word) in [
        (json!({"token": "a\r\nx-evil: 1"}), "authorization"),
        (json!({"headers": {"x-a": "b\r\nx-evil: 1"}}), "x-a"),
        (json!({"headers": {"x-a\r\nx-evil": "1"}}), "headers"),
        (json!({"headers": {"Host": "elsewhere.example"}}), "headers"),
        (json!({"headers": {"Transfer-Encoding": "chunked"}}), "headers"),
    ] {
        let mut entry = json!({"url": receiver.address});
        entry.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        home.write("connectors.json", json!({ "webhook": entry }).to_string());
        let refused =
            home.cavra(&["integration", "deliver", "event.json", "--config", "connectors.json"]).run().fails();
        assert!(refused.stderr.contains(word), "{refused:?}");
    }
    assert_eq!(receiver.got().len(), 1);
}

/// Names and notations that lead to this machine or to what hands out its credentials.
#[test]
fn an_address_is_what_it_is_however_it_is_written() {
    let receiver = Receiver::answering("200 OK");
    let port = receiver.address.rsplit(':').next().unwrap();
    // Somebody's own address, in other notations that browsers and libraries take for one: they are that address.
    for host in ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"] {
        let delivery = deliver(&format!("http://{host}:{port}/"), json!({}));
        assert_eq!(delivery["success"], true, "{host}");
    }
    for host in ["169.254.169.254", "[::ffff:a9fe:a9fe]", "0xa9fea9fe", "0.0.0.0", "[::]", "100.100.100.200"] {
        for granted in [false, true] {
            let delivery = deliver(&format!("http://{host}:{port}/"), json!({ "allow_private_network": granted }));
            assert_eq!(delivery["error"], "connector delivery failed", "{host}");
        }
    }
}
