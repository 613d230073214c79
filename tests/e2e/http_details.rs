//! What a client may rely on besides paths and bodies: codings, validators, headers, and refusals that are written before
//! anything is routed.

use std::sync::{Arc, Barrier};
use std::thread;

use serde_json::json;

use super::artifacts::{bundle, serve};
use crate::support::{Backend, Home, Response, Server, Shared};

static SERVER: Shared = Shared::new();

fn server() -> Arc<Server> {
    SERVER.get(|| Home::new().serve(&[]))
}

#[test]
fn a_body_in_a_coding_is_refused_by_name() {
    let server = server();
    let body = json!({"action_type": "read_file", "target": "a"}).to_string();
    for path in ["/decisions", "/sessions", "/evidence", "/approvals", "/approvals/x/expire"] {
        for coding in ["gzip", "br", "zstd", "deflate", "gzip, identity", "x"] {
            let answer = server.request_with("POST", path, &[("content-encoding", coding)], body.as_bytes());
            let detail = answer.refused(&[415]);
            assert!(detail.as_str().unwrap().contains(coding), "{detail}");
            assert_eq!(answer.header("accept-encoding"), Some("identity"));
        }
    }
    server.request_with("POST", "/decisions", &[("content-encoding", "Identity")], body.as_bytes()).ok();
}

#[test]
fn an_artifact_that_the_client_has_is_not_sent_again() {
    let home = Home::new();
    let server = serve(&home, Backend::Json);
    bundle(&home, "s");
    server.post("/evidence", &json!({"session_id": "s"})).ok();
    for path in ["/evidence/s/artifacts/evidence.json", "/evidence/s/artifact-bundle"] {
        let whole = server.get(path);
        assert_eq!(whole.status, 200, "{}", whole.text());
        let tag = whole.header("etag").unwrap();
        assert_eq!(whole.header("cache-control"), Some("private, no-cache"));
        for given in [tag.to_owned(), format!("\"x\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
            for method in ["GET", "HEAD"] {
                let known = raw(&server, method, path, &[("if-none-match", &given)]);
                assert_eq!((known.status, known.header("etag")), (304, Some(tag)), "{given}");
                assert!(known.body.is_empty());
            }
        }
        for given in ["\"x\"", "x", tag.trim_matches('"')] {
            let other = server.request_with("GET", path, &[("if-none-match", given)], b"");
            assert_eq!((other.status, &other.body), (200, &whole.body), "{given}");
        }
        let part = server.request_with("GET", path, &[("range", "bytes=0-3"), ("if-none-match", "\"x\"")], b"");
        assert_eq!((part.status, part.body.as_slice()), (206, &whole.body[..4]));
    }
}

/// As it is sent, without a body, whatever the answer announces.
fn raw(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut connection = server.connect();
    connection.send(format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n").as_bytes()).unwrap();
    connection.receive().unwrap()
}

#[test]
fn every_answer_tells_browsers_what_it_is() {
    let server = server();
    for (method, path) in [
        ("GET", "/health"),
        ("GET", "/decisions"),
        ("GET", "/nothing"),
        ("PUT", "/decisions"),
        ("POST", "/decisions"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/docs/"),
    ] {
        let answer = server.request(method, path, b"");
        let header = |name| answer.header(name).unwrap_or_default();
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        let policy = header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(policy.contains("default-src 'none'"), path != "/docs/", "{path}: {policy}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
    }
    let foreign = server.request_with("GET", "/health", &[("host", "evil.example")], b"");
    assert!(foreign.status >= 400 && foreign.header("x-content-type-options") == Some("nosniff"));
}

#[test]
fn what_decides_stands_in_a_request_once() {
    let server = server();
    for (name, one, other) in [
        ("authorization", "Bearer a", "Bearer b"),
        ("host", "localhost", "127.0.0.1"),
        ("range", "bytes=0-1", "bytes=2-3"),
    ] {
        let mut connection = server.connect();
        let host = if name == "host" { "" } else { "host: localhost\r\n" };
        connection
            .send(format!("GET /health HTTP/1.1\r\n{host}{name}: {one}\r\n{name}: {other}\r\n\r\n").as_bytes())
            .unwrap();
        let detail = connection.receive().unwrap().refused(&[400]);
        assert!(detail.as_str().unwrap().contains(name), "{detail}");
    }
}

#[test]
fn a_slash_at_the_end_makes_no_other_path() {
    let server = server();
    let decided = server
        .request("POST", "/decisions/", json!({"action_type": "read_file", "target": "a"}).to_string().as_bytes())
        .ok();
    let id = decided["decision_id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/decisions/{id}/")).ok(), decided);
    assert_eq!(server.get("/decisions/?limit=1").ok()["limit"], 1);
    server.get("/decisions//").refused(&[404]);
    server.get("/nothing/").refused(&[404]);
    assert_eq!(server.get("/docs/").status, 200);
}

/// What is no request that could be routed is refused with a body, too.
#[test]
fn refusals_before_routing_have_bodies() {
    let server = server();
    let long = "x".repeat(70_000);
    let wide = "x".repeat(600_000);
    for (request, status) in [
        ("GET /health HTTP/1.1\r\nhost localhost\r\n\r\n".to_owned(), 400),
        ("GET /he alth HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(), 400),
        ("POST /decisions HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n".to_owned(), 400),
        (format!("GET /{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"), 414),
        (format!("GET /health HTTP/1.1\r\nhost: localhost\r\nx: {wide}\r\n\r\n"), 431),
        (format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(150)), 431),
    ] {
        let mut connection = server.connect();
        // A server that has refused already may have stopped reading.
        let _ = connection.send(request.as_bytes());
        let answer = connection.receive().unwrap();
        let detail = answer.refused(&[status]);
        assert!(detail.is_string(), "{detail}");
        assert_eq!(answer.header("connection"), Some("close"));
    }
    server.get("/health").ok();
}

/// Many large bodies at once take no more memory than a few: the rest wait, and are refused if that takes too long.
#[test]
fn large_bodies_take_turns() {
    // The largest body sets the room.
    let server = Home::new().serve(&[("CAVRA_MAX_INVENTORY_BYTES", "1048576")]);
    let body = json!({"session_id": "large", "note": "x".repeat(7 << 20)}).to_string();
    let small = json!({"action_type": "read_file", "target": "a"});
    let start = Barrier::new(13);
    thread::scope(|scope| {
        let posts: Vec<_> = (0..12)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    server.request("POST", "/evidence", body.as_bytes())
                })
            })
            .collect();
        start.wait();
        server.decide(&small);
        let mut stored = 0;
        for post in posts {
            let answer = post.join().unwrap();
            match answer.status {
                200 => stored += 1,
                _ => {
                    answer.refused(&[503]);
                    assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
                }
            }
        }
        assert!(stored >= 4, "{stored}");
    });
}

/// Bodies that are announced and do not come hold up other large ones at most, and those are told when to ask again.
#[test]
fn room_that_is_taken_is_refused_with_a_time() {
    // The largest body sets the room.
    let server = Home::new().serve(&[("CAVRA_MAX_INVENTORY_BYTES", "1048576")]);
    let head = "POST /evidence HTTP/1.1\r\nhost: localhost\r\ncontent-length: 8388608\r\n\r\n{";
    let silent: Vec<_> = (0..4)
        .map(|_| {
            let mut connection = server.connect();
            connection.send(head.as_bytes()).unwrap();
            connection
        })
        .collect();
    let large = json!({"session_id": "s", "note": "x".repeat(1 << 20)}).to_string();
    // The connections above may not have been accepted yet.
    let refused =
        (0..20).map(|_| server.request("POST", "/evidence", large.as_bytes())).find(|answer| answer.status != 200);
    let refused = refused.unwrap();
    refused.refused(&[503]);
    assert!(refused.header("retry-after").is_some());
    server.decide(&json!({"action_type": "read_file", "target": "a"}));
    server.post("/evidence", &json!({"session_id": "small"})).ok();
    drop(silent);
    let taken = (0..20).any(|_| server.request("POST", "/evidence", large.as_bytes()).status == 200);
    assert!(taken, "room that is given back is there");
}
