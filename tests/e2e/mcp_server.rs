//! `cavra mcp-server`: JSON-RPC 2.0, one message per line. Contract 10, section 13.

use serde_json::{Value, json};

use crate::support::{BASELINE, Home, assert_id, pack_yaml, strings, text};

const TOOLS: [&str; 13] = [
    "cavra.evaluate_action",
    "cavra.check_file_read",
    "cavra.check_file_write",
    "cavra.check_command",
    "cavra.check_git_operation",
    "cavra.check_mcp_tool_call",
    "cavra.generate_pr_attestation",
    "cavra.explain_decision",
    "cavra.export_evidence",
    "cavra.policy_list",
    "cavra.policy_validate",
    "cavra.session_start",
    "cavra.session_summary",
];

/// Sends lines, answers the answers.
fn converse(home: &Home, lines: &[String]) -> Vec<Value> {
    let output = home.cavra(&["mcp-server"]).stdin(lines.join("\n") + "\n").run().ok();
    output.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

fn request(id: u32, method: &str, params: Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

fn call(id: u32, tool: &str, arguments: Value) -> String {
    request(id, "tools/call", json!({"name": tool, "arguments": arguments}))
}

/// The JSON inside a tool's result.
#[track_caller]
fn result(answer: &Value) -> Value {
    assert_eq!(answer["jsonrpc"], "2.0");
    let content = answer["result"]["content"].as_array().unwrap_or_else(|| panic!("no result: {answer}"));
    assert_eq!((content.len(), &content[0]["type"]), (1, &json!("text")));
    assert!(answer["result"]["isError"].as_bool() != Some(true), "{answer}");
    serde_json::from_str(text(&content[0], "text")).unwrap()
}

/// Calls one tool in a session of its own.
fn one(home: &Home, tool: &str, arguments: Value) -> Value {
    converse(home, &[call(1, tool, arguments)]).remove(0)
}

/// The answer has the id that was asked with, whatever number it is.
#[test]
fn ids_are_answered_as_they_came() {
    let ping = |id: &str| format!(r#"{{"jsonrpc": "2.0", "id": {id}, "method": "ping"}}"#);
    let ids = ["7", "18446744073709551616", "-99999999999999999999999", "1.5", "\"18446744073709551616\""];
    let answers = converse(&Home::new(), &ids.map(ping));
    assert_eq!(answers.iter().map(|answer| answer["id"].to_string()).collect::<Vec<_>>(), ids);
    let hidden = ping(r#"{"$serde_json::private::Number": "1"}"#);
    let answers = converse(&Home::new(), &[hidden, ping("1e999"), ping("2")]);
    let codes: Vec<_> = answers.iter().map(|answer| (&answer["id"], &answer["error"]["code"])).collect();
    assert_eq!(codes, [(&json!(null), &json!(-32700)), (&json!(null), &json!(-32700)), (&json!(2), &json!(null))]);
}

#[test]
fn the_protocol() {
    let home = Home::new();
    let answers = converse(
        &home,
        &[
            String::new(),
            request(
                1,
                "initialize",
                json!({"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}),
            ),
            json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string(),
            "   ".to_owned(),
            request(2, "tools/list", json!({})),
            "this is not JSON".to_owned(),
            "{\"jsonrpc\": \"2.0\", \"id\": 9, \"method\"".to_owned(),
            json!({"jsonrpc": "2.0", "id": "text-id", "method": "no/such/method"}).to_string(),
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {}}).to_string(),
            json!({"jsonrpc": "2.0", "id": 4, "params": {}}).to_string(),
            "[1, 2]".to_owned(),
            request(5, "ping", json!({})),
            call(6, "cavra.check_command", json!({"command": "pytest"})),
        ],
    );
    let codes: Vec<Value> = answers.iter().map(|answer| answer["error"]["code"].clone()).collect();
    assert_eq!(codes[..2], [Value::Null, Value::Null]);
    let hello = &answers[0]["result"];
    assert_eq!((&answers[0]["id"], &hello["protocolVersion"]), (&json!(1), &json!("2024-11-05")));
    assert_eq!(hello["serverInfo"], json!({"name": "cavra-mcp-server", "version": env!("CARGO_PKG_VERSION")}));
    assert_eq!(hello["capabilities"], json!({"tools": {}}));
    assert_eq!((codes[2].clone(), codes[3].clone()), (json!(-32700), json!(-32700)), "and the server goes on");
    assert_eq!(answers[2]["id"], Value::Null);
    assert_eq!((&codes[4], &answers[4]["id"]), (&json!(-32601), &json!("text-id")));
    assert_eq!((&codes[5], &answers[5]["id"]), (&json!(-32600), &json!(4)));
    assert_eq!(codes[6], -32600);
    assert_eq!((&answers[7]["id"], &answers[7]["result"]), (&json!(5), &json!({})));
    assert_eq!(result(&answers[8])["decision"], "allow");
    assert_eq!(answers.len(), 9, "notifications have no answer: {answers:#?}");
}

#[test]
fn tools_are_listed_with_their_schemas() {
    let home = Home::new();
    let listed = converse(&home, &[request(1, "tools/list", json!({}))])[0]["result"]["tools"].clone();
    let printed = home.cavra(&["mcp-server", "--list-tools"]).run().ok().json();
    assert_eq!(printed, json!({"tools": listed}));
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|tool| text(tool, "name")).collect();
    for name in TOOLS {
        assert!(names.contains(&name), "{name}");
    }
    for tool in listed.as_array().unwrap() {
        assert!(!text(tool, "description").is_empty());
        let schema = &tool["inputSchema"];
        assert_eq!(schema["type"], "object", "{tool}");
        assert!(jsonschema::meta::is_valid(schema), "{tool}");
        let properties = schema["properties"].as_object().unwrap();
        for required in schema["required"].as_array().into_iter().flatten() {
            assert!(properties.contains_key(required.as_str().unwrap()), "{tool}");
        }
    }
    let wants_pack = names.iter().zip(listed.as_array().unwrap()).take(7);
    assert!(wants_pack.into_iter().all(|(_, tool)| tool["inputSchema"]["properties"]["policy_pack"].is_object()));
}

#[test]
fn checks_are_decisions() {
    let home = Home::new();
    let rows = [
        ("cavra.evaluate_action", json!({"target": ".env"}), "read_file", ".env", "block"),
        (
            "cavra.evaluate_action",
            json!({"action_type": "write_file", "target": "iam/x"}),
            "write_file",
            "iam/x",
            "require_approval",
        ),
        (
            "cavra.evaluate_action",
            json!({"action_type": "git_operation", "target": "origin/main"}),
            "git_operation",
            "origin/main",
            "block",
        ),
        (
            "cavra.evaluate_action",
            json!({"action_type": "mcp_tool_call", "server": "s", "tool": "t"}),
            "mcp_tool_call",
            "s:t",
            "block",
        ),
        ("cavra.check_file_read", json!({"path": "./a//b"}), "read_file", "a/b", "allow"),
        ("cavra.check_file_read", json!({"target": ".env"}), "read_file", ".env", "block"),
        (
            "cavra.check_file_write",
            json!({"path": ".github/workflows/x.yml"}),
            "write_file",
            ".github/workflows/x.yml",
            "block",
        ),
        ("cavra.check_file_write", json!({"target": "iam/x"}), "write_file", "iam/x", "require_approval"),
        ("cavra.check_command", json!({"command": "pytest"}), "execute_command", "pytest", "allow"),
        ("cavra.check_command", json!({"target": "terraform apply"}), "execute_command", "terraform apply", "block"),
        ("cavra.check_git_operation", json!({"target": "origin/main"}), "git_operation", "origin/main", "block"),
        (
            "cavra.check_git_operation",
            json!({"target": "origin/main", "operation": "fetch"}),
            "git_operation",
            "origin/main",
            "allow",
        ),
        (
            "cavra.check_mcp_tool_call",
            json!({"server": "files", "tool": "read", "capability": "filesystem"}),
            "mcp_tool_call",
            "files:read",
            "block",
        ),
        (
            "cavra.check_mcp_tool_call",
            json!({"server": "docs-search", "tool": "x", "policy_pack": "cavra-mcp-enterprise"}),
            "mcp_tool_call",
            "docs-search:x",
            "allow",
        ),
        ("cavra.generate_pr_attestation", json!({"target": "PR 5"}), "pull_request", "PR 5", "allow_with_attestation"),
    ];
    let lines: Vec<String> =
        rows.iter().zip(1..).map(|((tool, arguments, ..), id)| call(id, tool, arguments.clone())).collect();
    let answers = converse(&home, &lines);
    for ((tool, arguments, action, target, decision), answer) in rows.iter().zip(&answers) {
        let record = result(answer);
        let found = (text(&record, "action_type"), text(&record, "target"), text(&record, "decision"));
        assert_eq!(found, (*action, *target, *decision), "{tool} {arguments}");
        assert_eq!(record["schema_version"], "cavra.decision.v1");
        assert_id(text(&record, "decision_id"), "dec_", 12);
        assert_eq!(record["policy_pack"], arguments["policy_pack"].as_str().unwrap_or(BASELINE));
    }
}

#[test]
fn bad_calls_are_errors_and_never_ok() {
    let home = Home::new();
    let lines = [
        call(1, "cavra.no_such_tool", json!({})),
        call(2, "cavra.check_file_read", json!({})),
        call(3, "cavra.check_file_read", json!({"path": ""})),
        call(4, "cavra.check_file_read", json!({"path": 5})),
        call(5, "cavra.check_command", json!({"command": ["ls"]})),
        call(6, "cavra.evaluate_action", json!({"action_type": "fly", "target": "x"})),
        call(7, "cavra.evaluate_action", json!({"action_type": "execute_command"})),
        call(8, "cavra.check_git_operation", json!({})),
        call(9, "cavra.check_mcp_tool_call", json!({"tool": "t"})),
        call(10, "cavra.generate_pr_attestation", json!({})),
        call(11, "cavra.explain_decision", json!({})),
        call(12, "cavra.explain_decision", json!({"decision_id": "dec_000000000000"})),
        call(13, "cavra.check_file_read", json!({"path": "a", "policy_pack": "cavra-nobody"})),
        call(14, "cavra.check_file_read", json!({"path": "a", "policy_pack": "../../etc"})),
        call(15, "cavra.policy_validate", json!({})),
        request(16, "tools/call", json!({"name": "cavra.check_file_read", "arguments": [1]})),
        request(17, "tools/call", json!({})),
        request(18, "tools/call", json!({"name": 5})),
        call(19, "cavra.check_file_read", json!({"path": "a\nb"})),
        call(20, "cavra.check_file_read", json!({"path": "x".repeat(70_000)})),
        json!({"jsonrpc": "2.0", "id": 21, "method": "tools/call"}).to_string(),
    ];
    let answers = converse(&home, &lines);
    assert_eq!(answers.len(), lines.len());
    for (answer, line) in answers.iter().zip(&lines) {
        let refused = answer["error"]["code"] == -32602 || answer["result"]["isError"] == true;
        assert!(refused, "{line:.200}: {answer}");
    }
    assert_eq!(answers[0]["error"]["code"], -32602, "an unknown tool");
}

#[test]
fn a_session_remembers() {
    let home = Home::new();
    let lines = [
        call(1, "cavra.session_start", json!({"agent_id": "claude"})),
        call(2, "cavra.check_file_read", json!({"path": ".env"})),
        call(3, "cavra.check_command", json!({"command": "make"})),
        call(4, "cavra.check_command", json!({"command": "pytest"})),
        call(5, "cavra.session_summary", json!({})),
        call(6, "cavra.generate_pr_attestation", json!({"target": "PR"})),
        call(7, "cavra.export_evidence", json!({})),
        call(8, "cavra.session_start", json!({})),
        call(9, "cavra.session_summary", json!({})),
    ];
    let answers: Vec<Value> = converse(&home, &lines).iter().map(result).collect();
    let session = text(&answers[0], "session_id").to_owned();
    assert_eq!(answers[1]["session_id"], session.as_str());
    assert_eq!(answers[1]["agent_id"], "claude");
    let summary = &answers[4];
    assert_eq!(summary["session_id"], session.as_str());
    assert_eq!(
        (&summary["decision_count"], &summary["blocked_count"], &summary["approval_required_count"]),
        (&json!(3), &json!(1), &json!(1))
    );
    let attestation = answers[5].to_string();
    assert!(
        attestation.contains("CAVRA PR Attestation") && attestation.contains("Blocked actions: 1"),
        "{attestation}"
    );
    let directory = text(&answers[6], "directory");
    let evidence = home.json(&format!("{directory}/evidence.json"));
    assert_eq!((&evidence["session_id"], evidence["decisions"].as_array().unwrap().len()), (&json!(session), 4));
    assert!(home.exists(&format!("{directory}/manifest.json")));
    assert_ne!(answers[7]["session_id"], session.as_str());
    assert_eq!(answers[8]["decision_count"], 0, "a new session");
}

#[test]
fn reading_tools_do_what_they_say() {
    let home = Home::new();
    let listed = result(&one(&home, "cavra.policy_list", json!({}))).to_string();
    assert!(listed.contains(BASELINE) && listed.contains("cavra-hipaa"));
    let valid = |policy: &str| result(&one(&home, "cavra.policy_validate", json!({"policy": policy})));
    assert_eq!(valid(&pack_yaml("cavra-x", ""))["valid"], true);
    let wrong = valid(&pack_yaml("cavra-x", "commands:\n  block: x\n"));
    assert_eq!(wrong["valid"], false);
    assert!(strings(&wrong["errors"])[0].starts_with("commands.block: "), "{wrong}");
    assert_eq!(valid("metadata: [")["valid"], false);
    let orphan = valid(&pack_yaml("cavra-x", "  inherits: cavra-nobody\n"));
    assert!(orphan["valid"] == false && strings(&orphan["errors"])[0].starts_with("metadata.inherits: "), "{orphan}");
    home.write("policies/cavra-mine/policy.yaml", pack_yaml("cavra-mine", "  inherits: cavra-mine\n"));
    home.write("policies/cavra-bad-component/policy.yaml", pack_yaml("cavra-bad-component", ""));
    home.write("policies/cavra-bad-component/policy.wasm", "no component");
    let named = |name: &str| result(&one(&home, "cavra.policy_validate", json!({"policy_pack": name})));
    assert_eq!(named("cavra-hipaa")["valid"], true);
    let own = named("cavra-mine");
    assert!(own["valid"] == false && strings(&own["errors"])[0].contains("inherits itself"), "{own}");
    let component = named("cavra-bad-component");
    assert!(component["valid"] == false && strings(&component["errors"]).len() == 1, "{component}");
    for (arguments, code) in
        [(json!({"policy_pack": "../x"}), -32602), (json!({"policy_pack": "cavra-hipaa", "policy": "a: 1"}), -32602)]
    {
        assert_eq!(one(&home, "cavra.policy_validate", arguments)["error"]["code"], code);
    }
    assert_eq!(one(&home, "cavra.policy_validate", json!({"policy_pack": "cavra-nobody"}))["result"]["isError"], true);
    let home = Home::new();
    let mut child = home
        .command(&["mcp-server"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut ask = |line: String| {
        std::io::Write::write_all(&mut input, format!("{line}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        std::io::BufRead::read_line(&mut output, &mut answer).unwrap();
        serde_json::from_str::<Value>(&answer).unwrap()
    };
    let decided = result(&ask(call(1, "cavra.check_file_read", json!({"path": ".env"}))));
    let explained =
        result(&ask(call(2, "cavra.explain_decision", json!({"decision_id": decided["decision_id"]})))).to_string();
    assert!(explained.contains("filesystem.read.block") && explained.contains(".env"), "{explained}");
    drop(input);
    assert!(child.wait().unwrap().success(), "ends with its input");
}

#[test]
fn options_and_the_default_policy() {
    let home = Home::new();
    let checked = home.cavra(&["mcp-server", "--check-command", "terraform apply"]).run().ok().json();
    assert_eq!((text(&checked, "decision"), text(&checked, "rule_id")), ("block", "commands.block"));
    home.write("policy.yaml", pack_yaml("cavra-mine", "filesystem:\n  block_read: [mine]\n"));
    let lines = [
        call(1, "cavra.check_file_read", json!({"path": "mine"})),
        call(2, "cavra.check_file_read", json!({"path": "mine", "policy_pack": BASELINE})),
    ];
    let output = home.cavra(&["mcp-server"]).env("CAVRA_POLICY", "policy.yaml").stdin(lines.join("\n")).run().ok();
    let answers: Vec<Value> = output.stdout.lines().map(|line| result(&serde_json::from_str(line).unwrap())).collect();
    assert_eq!((text(&answers[0], "decision"), text(&answers[1], "decision")), ("block", "allow"));
    home.write("broken.yaml", "metadata: [\n");
    let output = home.cavra(&["mcp-server"]).env("CAVRA_POLICY", "broken.yaml").stdin(lines.join("\n")).run();
    assert!(!output.stdout.contains("allow\\\""), "a broken default policy decides nothing: {output:?}");
}

#[test]
fn hostile_lines_do_not_end_it() {
    let home = Home::new();
    let lines = [
        "[".repeat(300_000),
        format!("\"{}\"", "x".repeat(6_000_000)),
        "\u{0}\u{1}".to_owned(),
        call(1, "cavra.check_command", json!({"command": "echo ".repeat(10_000)})),
        call(2, "cavra.check_file_read", json!({"path": ".env"})),
    ];
    let mut bytes = lines.join("\n").into_bytes();
    bytes.splice(0..0, *b"\xff\xfe\n");
    let output = home.cavra(&["mcp-server"]).stdin(bytes).run().ok();
    let last: Value = serde_json::from_str(output.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&last["id"], text(&result(&last), "decision")), (&json!(2), "block"));
}
