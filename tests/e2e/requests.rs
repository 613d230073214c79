//! What the server answers to requests, wrong ones above all. docs/reference/decisions-and-policy.md, sections 1, 2, 5.1 and 10.

use serde_json::{Value, json};

use crate::support::{BASELINE, Home, Server, Shared, keys, pack_yaml};

static SERVER: Shared = Shared::new();

fn server() -> std::sync::Arc<Server> {
    SERVER.get(|| Home::new().serve(&[]))
}

#[test]
fn health_and_version() {
    let server = server();
    assert_eq!(server.get("/health").ok(), json!({"status": "ok", "product": "CAVRA"}));
    let version = server.get("/version").ok();
    assert_eq!(version, json!({"version": env!("CARGO_PKG_VERSION"), "name": "CAVRA Runtime Server"}));
    let numbers: Vec<_> = version["version"].as_str().unwrap().split('.').collect();
    assert!(numbers.len() == 3 && numbers.iter().all(|part| part.parse::<u32>().is_ok()), "{version}");
    assert_eq!(server.get("/health?unknown=1").status, 200);
}

#[test]
fn unknown_places_and_methods_are_problems() {
    let server = server();
    for path in ["/", "/nothing", "/decisions/a/b", "/policy-packs/x", "/decisions%2f"] {
        server.get(path).refused(&[404]);
    }
    for (method, path) in
        [("DELETE", "/decisions"), ("PUT", "/sessions"), ("POST", "/health"), ("PATCH", "/decisions/x")]
    {
        server.request(method, path, b"").refused(&[405]);
    }
    assert_eq!(server.get("/decisions/dec_000000000000").refused(&[404]), "decision not found");
    assert_eq!(server.get("/sessions/nobody").refused(&[404]), "session not found");
    for strange in ["/decisions/%ff", "/sessions/%00", "/sessions/%2e%2e%2f", "/decisions/%"] {
        server.get(strange).refused(&[400, 404]);
    }
}

/// Bodies that are refused whatever the path.
fn unreadable() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("nothing", b"".to_vec()),
        ("half an object", b"{\"action_type\": \"read_file\"".to_vec()),
        ("an array", b"[{\"action_type\": \"read_file\", \"target\": \"a\"}]".to_vec()),
        ("a text", b"\"read_file\"".to_vec()),
        ("a number", b"5".to_vec()),
        ("null", b"null".to_vec()),
        ("two objects", b"{} {}".to_vec()),
        ("no UTF-8", b"{\"action_type\": \"read_file\", \"session_id\": \"s\", \"target\": \"\xff\xfe\"}".to_vec()),
        ("half a surrogate pair", br#"{"action_type": "read_file", "session_id": "s", "target": "\ud800"}"#.to_vec()),
        ("a deep nest", [b"[".repeat(100_000), b"]".repeat(100_000)].concat()),
        ("a deep nest inside", [b"{\"a\":".repeat(100_000), b"1".to_vec(), b"}".repeat(100_000)].concat()),
    ]
}

/// Objects that `POST /decisions` refuses.
fn wrong_decisions() -> Vec<Value> {
    let mut wrong = vec![
        json!({}),
        json!({"target": "a"}),
        json!({"action_type": "execute_command", "target": "a\u{0}b\u{0}", "session_id": "x\u{0}"}),
    ];
    for action_type in
        [json!(null), json!(""), json!("delete_file"), json!("READ_FILE"), json!("pull_request"), json!(3), json!([])]
    {
        wrong.push(json!({"action_type": action_type, "target": "a"}));
    }
    for action_type in ["read_file", "write_file", "execute_command"] {
        wrong.push(json!({"action_type": action_type}));
        for target in [json!(null), json!(""), json!(" \t "), json!(5), json!({}), json!(["a"]), json!(true)] {
            wrong.push(json!({"action_type": action_type, "target": target}));
        }
    }
    for path in ["a\u{0}b", "a\nb", "a\r\nb\n"] {
        wrong.push(json!({"action_type": "read_file", "target": path}));
        wrong.push(json!({"action_type": "write_file", "target": path}));
    }
    let good = json!({"action_type": "mcp_tool_call", "server": "s", "tool": "t", "target": "t"});
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for field in [
        "target",
        "operation",
        "server",
        "tool",
        "capability",
        "policy_pack",
        "session_id",
        "agent_id",
        "actor",
        "repository",
        "correlation_id",
    ] {
        wrong.extend([json!(5), json!([]), json!({}), json!(false)].map(|value| with(field, value)));
        wrong.push(with(field, json!("x".repeat(65_537))));
    }
    for field in ["session_id", "agent_id", "actor", "repository", "correlation_id"] {
        wrong.push(with(field, json!("é".repeat(257))));
        wrong.extend(["a\u{0}", "a\nb", "\u{1b}[31m", "a\u{7f}"].map(|value| with(field, json!(value))));
    }
    wrong
}

#[test]
fn refused_requests_change_nothing() {
    let home = Home::new();
    let server = home.serve(&[]);
    for (what, body) in unreadable() {
        for path in ["/decisions", "/sessions"] {
            let response = server.request("POST", path, &body);
            assert!(matches!(response.status, 400 | 422), "{what}: {}", response.status);
            response.refused(&[400, 422]);
        }
    }
    for body in wrong_decisions() {
        let response = server.post("/decisions", &body);
        assert!(matches!(response.status, 400 | 422), "{}: {:.300}", response.status, body.to_string());
        response.refused(&[400, 422]);
    }
    for (pack, statuses) in [
        ("cavra-nobody-wrote-this", &[404][..]),
        ("../etc", &[400, 404]),
        ("..", &[400, 404]),
        (".", &[400, 404]),
        ("/etc", &[400, 404]),
        ("a/../cavra-hipaa", &[400, 404]),
        ("cavra-hipaa/", &[400, 404]),
        ("./cavra-hipaa", &[400, 404]),
        ("cavra..hipaa", &[400, 404]),
        ("..\\cavra-hipaa", &[400, 404]),
        ("%2e%2e", &[400, 404]),
        ("CAVRA-HIPAA", &[400, 404]),
        (" cavra-hipaa", &[400, 404]),
        ("-x", &[400, 404]),
    ] {
        server
            .post("/decisions", &json!({"action_type": "read_file", "target": "a", "policy_pack": pack}))
            .refused(statuses);
    }
    let long = json!({"action_type": "read_file", "target": "a", "policy_pack": "a".repeat(129)});
    server.post("/decisions", &long).refused(&[400, 404]);
    let unknown =
        server.post("/decisions", &json!({"action_type": "read_file", "target": "a", "policy_pack": "cavra-x"}));
    assert_eq!(unknown.refused(&[404]), "policy pack not found");
    assert_eq!((server.total("/decisions"), server.total("/sessions")), (0, 0));
    assert_eq!(server.get("/risk/events").ok(), json!([]), "empty on a fresh server");
    assert!(!home.exists(".cavra/api/activity.json"), "created on first write");
    server.decide(&json!({"action_type": "read_file", "target": "a"}));
    assert!(home.exists(".cavra/api/activity.json"), "the default path");
}

#[test]
fn sizes() {
    let server = server();
    let of_size = |size: usize| {
        let mut body = json!({"action_type": "read_file", "target": "a"}).to_string().into_bytes();
        body.resize(size, b' ');
        body
    };
    for _ in 0..10 {
        for (path, size) in [("/decisions", 1_048_577), ("/sessions", 1_048_577), ("/decisions", 20_000_000)] {
            server.request("POST", path, &of_size(size)).refused(&[413]);
        }
    }
    assert_eq!(server.request("POST", "/decisions", &of_size(1_048_576)).status, 200);
    let target = "x".repeat(65_536);
    assert_eq!(server.decide(&json!({"action_type": "read_file", "target": target}))["target"], target);
    let id = "é".repeat(256);
    assert_eq!(server.decide(&json!({"action_type": "read_file", "target": "a", "session_id": id}))["session_id"], id);
}

#[test]
fn the_body_cannot_set_the_outcome() {
    let server = server();
    let ours = json!({
        "decision": "allow", "severity": "low", "rule_id": "mine", "decision_id": "dec_000000000000",
        "evidence_refs": ["evidence://mine/mine"], "timestamp": "2001-01-01T00:00:00.000000+00:00", "policy_id": "mine",
        "schema_version": "mine", "reason": "mine", "approver_group": "mine", "policy_digest": "mine", "pack_version": "mine",
        "requested_operation": "mine", "unknown_member": {"a": [1]},
    });
    let mut body = json!({"action_type": "read_file", "target": ".env"});
    body.as_object_mut().unwrap().extend(ours.as_object().unwrap().clone());
    let record = server.decide(&body);
    assert_eq!((&record["decision"], &record["rule_id"]), (&json!("block"), &json!("filesystem.read.block")));
    for (member, value) in ours.as_object().unwrap() {
        assert_ne!(record.get(member), Some(value), "{member}");
    }
    server.get("/decisions/dec_000000000000").refused(&[404]);
}

/// A pack that cannot be understood never decides. docs/reference/decisions-and-policy.md, section 2.
#[test]
fn broken_packs_decide_nothing() {
    let home = Home::new();
    let broken: Vec<(&str, String)> = vec![
        ("no-yaml", "metadata: [unclosed".to_owned()),
        ("a-list", "- a\n- b\n".to_owned()),
        ("a-text", "hello".to_owned()),
        ("empty", String::new()),
        ("commands-text", pack_yaml("cavra-commands-text", "commands:\n  block: \"terraform*\"\n")),
        ("commands-list", pack_yaml("cavra-commands-list", "commands: [a]\n")),
        ("commands-number", pack_yaml("cavra-commands-number", "commands:\n  block: [1, 2]\n")),
        ("commands-null-item", pack_yaml("cavra-commands-null-item", "commands:\n  block: [a, null]\n")),
        ("commands-mapping", pack_yaml("cavra-commands-mapping", "commands:\n  block: {a: b}\n")),
        ("files-text", pack_yaml("cavra-files-text", "filesystem:\n  block_read: \"**/.env\"\n")),
        ("files-list", pack_yaml("cavra-files-list", "filesystem: [\"**/.env\"]\n")),
        ("git-text", pack_yaml("cavra-git-text", "git:\n  block_push_branches: release\n")),
        ("mcp-text", pack_yaml("cavra-mcp-text", "mcp:\n  blocked_servers: shell\n")),
        ("mcp-boolean", pack_yaml("cavra-mcp-boolean", "mcp:\n  block_unknown_servers: \"no\"\n")),
        ("orphan", pack_yaml("cavra-orphan", "  inherits: cavra-nobody\n")),
        ("inherits-number", pack_yaml("cavra-inherits-number", "  inherits: 5\n")),
        ("inherits-path", pack_yaml("cavra-inherits-path", "  inherits: ../../etc\n")),
        ("selfish", pack_yaml("cavra-selfish", "  inherits: selfish\n")),
        ("cycle-a", pack_yaml("cavra-cycle-a", "  inherits: cycle-b\n")),
        ("cycle-b", pack_yaml("cavra-cycle-b", "  inherits: [cycle-c]\n")),
        ("cycle-c", pack_yaml("cavra-cycle-c", "  inherits: cycle-a\n")),
        ("child-of-broken", pack_yaml("cavra-child-of-broken", "  inherits: commands-text\n")),
    ];
    for (name, yaml) in &broken {
        home.pack(name, yaml);
    }
    home.write("packs/no-utf8/policy.yaml", b"metadata: {id: \xff}\n");
    for level in 0..18 {
        let parent = if level == 17 { BASELINE.to_owned() } else { format!("level-{}", level + 1) };
        home.pack(
            &format!("level-{level}"),
            &pack_yaml(&format!("cavra-level-{level}"), &format!("  inherits: {parent}\n")),
        );
    }
    let (name, packs) = home.packs();
    let server = home.serve(&[(name, &packs)]);
    for name in broken.iter().map(|(name, _)| *name).chain(["no-utf8", "level-0"]) {
        for (action_type, target) in
            [("read_file", "a"), ("write_file", "a"), ("execute_command", "pytest"), ("git_operation", "origin/x")]
        {
            let body = json!({"action_type": action_type, "target": target, "policy_pack": name});
            let response = server.post("/decisions", &body);
            assert!((400..500).contains(&response.status), "{name}: {} {}", response.status, response.text());
            response.refused(&[400, 404, 409, 422]);
        }
    }
    assert_eq!(server.total("/decisions"), 0);
    assert_eq!(server.decide_on("read_file", "a", "level-10")["decision"], "allow", "levels below the limit work");
    let listed = server.get("/policy-packs").ok();
    assert!(listed.as_array().unwrap().iter().any(|pack| pack["id"] == BASELINE), "listing goes on");
    assert_eq!(server.get("/policy-pack-catalog").status, 200);
    assert_eq!(server.get("/compliance/mappings").status, 200);
    assert_eq!(keys(&listed[0])[0], "description");
}

/// A component may look at the text; the store keeps its digest only. Other actions have none, and the member is ignored.
#[test]
fn the_text_to_be_written_is_part_of_what_is_decided() {
    let server = server();
    let asked = |action_type: &str, content: Value| {
        let body = json!({"action_type": action_type, "target": "notes.txt", "content": content});
        let record = server.decide(&body);
        assert!(!record.to_string().contains("needle"), "{record}");
        record["content_digest"].clone()
    };
    let (first, second) = (asked("write_file", json!("needle 1")), asked("write_file", json!("needle 2")));
    assert!(first.is_string() && second.is_string() && first != second);
    assert_eq!(asked("write_file", json!("needle 1")), first);
    for (action_type, content) in
        [("write_file", json!(null)), ("write_file", json!("")), ("read_file", json!("needle"))]
    {
        assert_eq!(asked(action_type, content), Value::Null, "{action_type}");
    }
}
