//! Safe listening, and clients that misbehave.

use std::io::{ErrorKind, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Connection, Home, Response, Server, Shared};

static SERVER: Shared = Shared::new();

fn server() -> std::sync::Arc<Server> {
    SERVER.get(|| Home::new().serve(&[]))
}

#[test]
fn an_open_address_needs_an_explicit_word() {
    let home = Home::new();
    for host in ["0.0.0.0", "::", "192.0.2.1"] {
        let output = home.cavra(&["serve", "--host", host, "--port", "0"]).run().fails();
        assert!(output.stderr.contains("loopback") && output.stdout.is_empty(), "{output:?}");
    }
    home.cavra(&["serve", "--host", "nowhere.example", "--port", "0"]).run().exits(2);
    assert!(!home.exists(".cavra"), "refused before anything was opened");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert!(home.cavra(&["serve", "--port", &port]).run().fails().stderr.contains(&port));
}

#[test]
fn localhost_is_an_address() {
    let server = Server::start_with(&Home::new(), &["--host", "LocalHost"], &[]);
    assert_eq!(server.address.ip(), std::net::Ipv4Addr::LOCALHOST);
    server.get("/health").ok();
}

#[test]
fn with_the_word_any_host_is_served() {
    let home = Home::new();
    let server = Server::start_with(&home, &["--host", "0.0.0.0", "--allow-unauthenticated"], &[]);
    let mut connection = Connection::open(([127, 0, 0, 1], server.address.port()).into()).unwrap();
    connection.send(b"GET /health HTTP/1.1\r\nhost: cavra.example\r\n\r\n").unwrap();
    assert_eq!(connection.receive().unwrap().status, 200);
}

#[test]
fn foreign_hosts_are_refused() {
    let server = server();
    let port = server.address.port();
    for (host, status) in [
        ("evil.example".to_owned(), 403),
        (format!("evil.example:{port}"), 403),
        ("localhost.evil.example".to_owned(), 403),
        ("127.0.0.1.evil.example".to_owned(), 403),
        ("10.0.0.1".to_owned(), 403),
        (String::new(), 403),
        ("localhost".to_owned(), 200),
        (format!("127.0.0.1:{port}"), 200),
        (format!("[::1]:{port}"), 200),
    ] {
        for path in ["/health", "/decisions", "/openapi.json", "/metrics", "/docs/"] {
            let mut connection = server.connect();
            connection.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).unwrap();
            let answer = connection.receive().unwrap();
            assert_eq!(answer.status, status, "{host:?} {path}");
            if status == 403 {
                answer.refused(&[403]);
            }
        }
    }
    // The other tests decide on this server at the same time.
    let body = json!({"action_type": "read_file", "target": "a", "agent_id": "rebound"}).to_string();
    let mut connection = server.connect();
    let head =
        format!("POST /decisions HTTP/1.1\r\nHost: evil.example\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    connection.send(head.as_bytes()).unwrap();
    connection.receive().unwrap().refused(&[403]);
    assert_eq!(server.total("/decisions?agent_id=rebound"), 0);
}

/// It was answered, or the server hung up; both on its own account.
#[track_caller]
fn harmless(answer: std::io::Result<Response>) {
    match answer {
        Ok(answer) => assert!(answer.status < 500, "{}", answer.status),
        Err(error) => {
            let hung_up = matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset);
            assert!(hung_up, "neither an answer nor the end: {error}");
        }
    }
}

#[test]
fn malformed_requests_do_no_harm() {
    let server = server();
    for bytes in [
        &b"\xff\xfe\xfd\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET /he\xff\xffalth HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /decisions?agent_id=%ff%fe&limit=%ff HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: \xff\xff\r\n\r\n",
        b"POST /decisions HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n",
        b"POST /decisions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n{}",
        b"POST /decisions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let mut connection = server.connect();
        connection.send(bytes).unwrap();
        harmless(connection.receive());
        assert_eq!(server.get("/health").status, 200);
    }
    let huge =
        [b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: ".to_vec(), b"x".repeat(2_000_000), b"\r\n\r\n".to_vec()]
            .concat();
    let mut connection = server.connect();
    let _ = connection.send(&huge);
    harmless(connection.receive());
    assert_eq!(server.get("/health").status, 200);
    assert_eq!(server.total("/decisions?agent_id=%ff%fe"), 0);
}

#[test]
fn slow_and_silent_clients_hold_nobody_up() {
    let server = server();
    let mut idle = Vec::new();
    for start in [&b""[..], b"G", b"POST /decisions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 50\r\n\r\n{\"act"] {
        for _ in 0..100 {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.write_all(start).unwrap();
            idle.push(stream);
        }
    }
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(server.decide(&json!({"action_type": "read_file", "target": "a"}))["decision"], "allow");
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn one_connection_serves_many_requests() {
    let server = server();
    let mut connection = server.connect();
    for n in 0..20 {
        let (path, status) = if n % 2 == 0 { ("/health", 200) } else { ("/nothing", 404) };
        assert_eq!(connection.exchange("GET", path, b"").unwrap().status, status);
    }
    let body = json!({"action_type": "read_file", "target": "a"}).to_string();
    let chunked = format!(
        "POST /decisions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    connection.send(chunked.as_bytes()).unwrap();
    assert_eq!(connection.receive().unwrap().ok()["decision"], "allow");
}

/// Who asks first whether so much is wanted need not send it; who does not ask gets an answer too.
#[test]
fn a_body_that_is_announced_too_large_is_refused_at_once() {
    let server = server();
    let head = "POST /decisions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 30000000\r\n";
    let mut connection = server.connect();
    connection.send(format!("{head}expect: 100-continue\r\n\r\n").as_bytes()).unwrap();
    connection.receive().unwrap().refused(&[413]);
    let mut connection = server.connect();
    connection.send(format!("{head}\r\n").as_bytes()).unwrap();
    connection.send(&vec![b' '; 30_000_000]).unwrap();
    connection.receive().unwrap().refused(&[413]);
}
