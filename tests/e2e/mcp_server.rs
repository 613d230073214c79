//! `cavra mcp-server`: JSON-RPC 2.0, one message per line. docs/reference/decisions-and-policy.md, section 13.

use serde_json::{Value, json};

use crate::support::{BASELINE, Home, assert_id, pack_yaml, strings, text};

/// As they are listed.
const TOOLS: [&str; 13] = [
    "cavra_evaluate_action",
    "cavra_check_file_read",
    "cavra_check_file_write",
    "cavra_check_command",
    "cavra_check_git_operation",
    "cavra_check_mcp_tool_call",
    "cavra_generate_pr_attestation",
    "cavra_explain_decision",
    "cavra_export_evidence",
    "cavra_policy_list",
    "cavra_policy_validate",
    "cavra_session_start",
    "cavra_session_summary",
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

/// A client that is not answered under its own id waits for ever.
#[test]
fn what_cannot_be_read_is_refused_under_its_id() {
    let text = "x".repeat(5_000_000);
    let lines = [
        call(1, "cavra_check_command", json!({"command": text})),
        format!(
            r#"{{"jsonrpc":"2.0","method":"tools/call","params":{{"name":"x","arguments":{{"command":"{text}"}}}},"id":"last"}}"#
        ),
        format!(r#"{{"jsonrpc":"2.0","method":"notifications/x","params":{{"id":9,"x":"{text}"}}}}"#),
        r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"a","name":"b"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}"#.to_owned(),
        r#"{"jsonrpc":"1.0","id":8,"method":"ping"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":9,"method":5}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":10,"method":"ping","params":[]}"#.to_owned(),
        // An answer to a request that was never made is no request.
        r#"{"jsonrpc":"2.0","id":11,"result":{}}"#.to_owned(),
        request(12, "ping", json!({})),
    ];
    let answers = converse(&Home::new(), &lines);
    let refusals: Vec<String> =
        answers.iter().map(|answer| format!("{} {}", answer["id"], answer["error"]["code"])).collect();
    let expected = [
        "1 -32600",
        "\"last\" -32600",
        "null -32600",
        "4 -32700",
        "null -32600",
        "null -32600",
        "null -32600",
        "8 -32600",
        "9 -32600",
        "10 -32602",
        "12 null",
    ];
    assert_eq!(refusals, expected);
}

/// The versions that begin a session, and the one in which every request says what it speaks.
#[test]
fn versions_of_the_protocol() {
    let home = Home::new();
    let modern = |id: u32, method: &str, mut params: Value, version: &str| {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {},
        });
        request(id, method, params)
    };
    let lines = [
        modern(1, "server/discover", json!({}), "2026-07-28"),
        modern(2, "tools/list", json!({}), "2026-07-28"),
        modern(
            3,
            "tools/call",
            json!({"name": "cavra_check_command", "arguments": {"command": "pytest"}}),
            "2026-07-28",
        ),
        modern(4, "tools/list", json!({}), "2031-01-01"),
        modern(5, "ping", json!({}), "2026-07-28"),
        modern(6, "initialize", json!({}), "2026-07-28"),
        request(7, "server/discover", json!({})),
        request(8, "initialize", json!({"protocolVersion": "2026-07-28", "capabilities": {}})),
        request(9, "initialize", json!({"protocolVersion": "2025-06-18", "capabilities": {}})),
        request(10, "tools/list", json!({})),
    ];
    let answers = converse(&home, &lines);
    let discovered = &answers[0]["result"];
    assert_eq!(strings(&discovered["supportedVersions"])[..2], ["2026-07-28", "2025-11-25"], "{discovered}");
    assert_eq!((&discovered["resultType"], &discovered["cacheScope"]), (&json!("complete"), &json!("public")));
    assert_eq!(discovered["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "cavra-mcp-server");
    let listed = &answers[1]["result"];
    assert!(listed["resultType"] == "complete" && listed["ttlMs"].is_u64() && listed["tools"].is_array(), "{listed}");
    assert_eq!(answers[2]["result"]["resultType"], "complete");
    assert_eq!(result(&answers[2])["decision"], "allow");
    let refused = &answers[3]["error"];
    assert_eq!((&refused["code"], &refused["data"]["requested"]), (&json!(-32022), &json!("2031-01-01")));
    assert!(strings(&refused["data"]["supported"]).contains(&"2026-07-28"), "{refused}");
    let codes: Vec<&Value> = answers[4..7].iter().map(|answer| &answer["error"]["code"]).collect();
    assert_eq!(codes, [&json!(-32601), &json!(-32601), &json!(-32602)]);
    assert_eq!(answers[7]["result"]["protocolVersion"], "2025-11-25", "the newest that begins like this");
    assert_eq!(answers[8]["result"]["protocolVersion"], "2025-06-18");
    assert!(answers[9]["result"].get("resultType").is_none() && answers[9]["result"]["tools"].is_array());
}

/// Rollouts and approvals of the place count for the adapter as for every other door, and its decisions are recorded.
#[test]
fn calls_are_governed_and_recorded() {
    let home = Home::new();
    let asked = result(&one(&home, "cavra_check_file_write", json!({"path": "iam/x.tf"})));
    assert_eq!(asked["decision"], "require_approval");
    let stored = |id: &Value| {
        let decisions = home.json(".cavra/api/activity.json")["decisions"].as_array().unwrap().clone();
        decisions.into_iter().find(|record| record["decision_id"] == *id)
    };
    assert_eq!(stored(&asked["decision_id"]).unwrap()["target"], "iam/x.tf");
    home.write("decision.json", asked.to_string());
    let created = home.cavra(&["approval", "create", "decision.json", "--requested-by", "dev"]).run().ok().json();
    let approval = text(&created, "approval_id");
    home.cavra(&["approval", "approve", approval, "--actor", "sec", "--reason", "fine"]).run().ok();
    let again = |path: &str| {
        let arguments = json!({"path": path, "approval_id": approval});
        result(&one(&home, "cavra_check_file_write", arguments))
    };
    assert_eq!(again("iam/y.tf")["decision"], "require_approval", "another file");
    let allowed = again("iam/x.tf");
    assert_eq!(allowed["decision"], "allow", "{allowed}");
    assert_eq!(stored(&allowed["decision_id"]).unwrap()["approval"]["approval_id"], approval);
    assert_eq!(again("iam/x.tf")["decision"], "require_approval", "once");
    let attested = result(&one(&home, "cavra_generate_pr_attestation", json!({"target": "PR 5"})));
    assert_eq!(stored(&attested["decision_id"]).unwrap()["action_type"], "pull_request");
    let checked = home.cavra(&["mcp-server", "--check-command", "pytest"]).run().ok().json();
    assert!(stored(&checked["decision_id"]).is_some());
}

/// What an MCP call says in its arguments is judged like the agent's own tools.
#[test]
fn arguments_of_calls_are_judged() {
    let home = Home::new();
    home.pack(
        "cavra-servers",
        &pack_yaml("cavra-servers", &format!("  inherits: {BASELINE}\nmcp:\n  allowed_servers: [files, git]\n")),
    );
    let judge = |server: &str, tool: &str, arguments: Value| {
        let arguments = json!({
            "server": server, "tool": tool, "arguments": arguments, "policy_pack": "cavra-servers",
        });
        let output = home.cavra(&["mcp-server"]).env(home.packs().0, home.packs().1);
        let output = output.stdin(call(1, "cavra_check_mcp_tool_call", arguments)).run().ok();
        result(&serde_json::from_str(output.stdout.trim()).unwrap())
    };
    for (server, tool, arguments, decision, rule) in [
        ("files", "read_file", json!({"path": "README.md"}), "allow", "mcp.server.trust.allow"),
        ("files", "read_file", json!({"path": ".env"}), "block", "filesystem.read.block"),
        ("files", "write_file", json!({"path": "src/a", "content": ".env"}), "allow", "mcp.server.trust.allow"),
        ("files", "write_file", json!({"path": "iam/x"}), "require_approval", "filesystem.write.require_approval"),
        ("files", "move", json!({"source": "a", "destination": "/etc/x"}), "block", "filesystem.write.block"),
        ("files", "run", json!({"command": "terraform apply"}), "block", "commands.block"),
        ("files", "run", json!({"command": "pytest"}), "allow", "mcp.server.trust.allow"),
        ("git", "push", json!({"branch": "main"}), "block", "git.protected_branch.block_direct_push"),
        ("git", "push", json!({"branch": "feature/x"}), "allow", "mcp.server.trust.allow"),
        ("other", "read_file", json!({"path": "README.md"}), "block", "mcp.server.trust.block_unknown"),
        ("files", "read", json!({"paths": vec!["a"; 300]}), "allow", "mcp.server.trust.allow"),
        (
            "files",
            "read",
            json!({"paths": (0..300).map(|n| n.to_string()).collect::<Vec<_>>()}),
            "block",
            "policy.engine.error",
        ),
    ] {
        let record = judge(server, tool, arguments.clone());
        let found = (text(&record, "decision"), text(&record, "rule_id"));
        assert_eq!(found, (decision, rule), "{server} {tool} {arguments}: {record}");
        assert_eq!(record["target"], format!("{server}:{tool}"));
    }
    let secret = judge("files", "read_file", json!({"inner": [{"file_path": "a/.env"}]}));
    assert!(text(&secret, "reason").starts_with("argument `file_path`: "), "{secret}");
    let wrong = one(&home, "cavra_check_mcp_tool_call", json!({"server": "files", "arguments": "{}"}));
    assert_eq!(wrong["error"]["code"], -32602);
}

#[test]
fn tools_are_listed_with_their_schemas() {
    let home = Home::new();
    let listed = converse(&home, &[request(1, "tools/list", json!({}))])[0]["result"]["tools"].clone();
    let printed = home.cavra(&["mcp-server", "--list-tools"]).run().ok().json();
    assert_eq!(printed, json!({"tools": listed}));
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|tool| text(tool, "name")).collect();
    assert_eq!(names, TOOLS);
    let taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    assert!(names.iter().all(|name| name.len() <= 64 && name.chars().all(taken)), "clients load no other names");
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
    // Both names of a tool are understood; no third one is.
    let call_it = |name: &str| one(&home, name, json!({"path": ".env"}));
    assert_eq!(result(&call_it("cavra_check_file_read"))["decision"], "block");
    assert_eq!(result(&call_it("cavra.check_file_read"))["decision"], "block");
    for name in ["check_file_read", "cavra.cavra_check_file_read", "cavra-check_file_read", "cavra_", "cavra."] {
        assert_eq!(call_it(name)["error"]["code"], -32602, "{name}");
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
