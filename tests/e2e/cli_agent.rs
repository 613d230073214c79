//! `cavra agent …` and `cavra init …`. docs/reference/decisions-and-policy.md, section 13; 30, section 4.4.

use serde_json::{Value, json};

use crate::support::{BASELINE, Home, assert_id, keys, pack_yaml, text};

/// The only audit file of a directory.
fn audit(home: &Home, directory: &str) -> (String, Value) {
    let mut files: Vec<_> = std::fs::read_dir(home.join(directory))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("session-"))
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let name = files.remove(0);
    let id = name.strip_prefix("session-").unwrap().strip_suffix(".json").unwrap().to_owned();
    assert_id(&id, "", 12);
    (id, home.json(&format!("{directory}/{name}")))
}

#[test]
fn start_writes_an_empty_audit() {
    let home = Home::new();
    let output = home.cavra(&["agent", "start", "--tool", "codex", "--repo", "."]).run().ok();
    let (id, audit) = audit(&home, ".cavra");
    assert!(output.stdout.contains(&id) && output.stdout.contains(&format!("session-{id}.json")), "{output:?}");
    assert_eq!(keys(&audit), ["actions", "repo", "session_id", "started_at", "tool"]);
    assert_eq!((text(&audit, "session_id"), text(&audit, "tool")), (id.as_str(), "codex"));
    assert_eq!(audit["actions"], json!([]), "only real actions");
    home.cavra(&["agent", "start", "--tool", "x", "--output", "else/where"]).run().ok();
    assert!(home.exists("else/where"));
    home.cavra(&["agent", "start", "--tool", "x", "--policy-pack", "cavra-nobody"]).run().fails();
}

/// What the refusal advises works, once, and for exactly that command.
#[test]
fn exec_runs_what_was_approved() {
    let home = Home::new();
    let exec = |more: &[&str]| home.cavra(&[&["agent", "exec"], more].concat()).run();
    let refused = exec(&["mkfifo pipe", "--json"]).exits(1);
    home.write("decision.json", &refused.stdout);
    let created = home.cavra(&["approval", "create", "decision.json", "--approver-group", "IAM"]).run().ok();
    let id = text(&created.json(), "approval_id").to_owned();
    exec(&["mkfifo pipe", "--approval", &id]).exits(1);
    let approve = ["approval", "approve", &id, "--actor", "ann", "--reason", "reviewed"];
    home.cavra(&approve).run().ok();
    exec(&["mkfifo other", "--approval", &id]).exits(1);
    assert!(!home.exists("pipe") && !home.exists("other"));
    exec(&["mkfifo pipe", "--approval", &id]).exits(0);
    assert!(home.exists("pipe"));
    let again = exec(&["mkfifo pipe", "--approval", &id]).exits(1);
    assert!(again.stderr.contains("the command was not run"), "{}", again.stderr);
}

#[test]
fn exec_runs_only_what_is_allowed() {
    let rows: [(&str, &str, i32); 4] = [
        ("echo made > made.txt && echo said", "allow", 0),
        ("touch made.txt", "require_approval", 1),
        ("terraform apply; touch made.txt", "block", 1),
        ("echo made > made.txt && false", "allow", 1),
    ];
    for (command, decision, code) in rows {
        let home = Home::new();
        home.pack(
            "cavra-run",
            &pack_yaml("cavra-run", &format!("  inherits: {BASELINE}\ncommands:\n  allow: [\"echo *\", \"false\"]\n")),
        );
        let (name, packs) = home.packs();
        let output =
            home.cavra(&["agent", "exec", command, "--policy-pack", "cavra-run"]).env(name, &packs).run().exits(code);
        assert_eq!(home.exists("made.txt"), decision == "allow", "{command}");
        assert_eq!(output.stdout.contains("said"), code == 0, "{output:?}");
        if code == 1 {
            assert!(!output.stderr.is_empty(), "a message");
        }
        let (id, audit) = audit(&home, ".cavra");
        let actions = audit["actions"].as_array().unwrap();
        assert_eq!(actions.len(), 1, "written also when refused, and only real actions");
        let action = &actions[0];
        assert_eq!(keys(action), ["decision", "evidence_refs", "reason", "rule_id", "severity", "target", "type"]);
        assert_eq!(
            (text(action, "type"), text(action, "target"), text(action, "decision")),
            ("execute_command", command, decision)
        );
        assert!(text(action, "reason").len() > 3);
        assert!(action["evidence_refs"][0].as_str().unwrap().starts_with(&format!("evidence://{id}/dec_")), "{action}");
        assert_eq!(audit["tool"], "claude-code", "the default");
    }
    let home = Home::new();
    let broken = home.cavra(&["agent", "exec", "echo x", "--policy-pack", "cavra-nobody"]).run().fails();
    assert!(!broken.stdout.contains('x'));
}

/// As a hook's decision: with its leaf and its session, before the command runs, and refused ones too.
#[test]
fn what_exec_decides_is_on_record() {
    let home = Home::new();
    home.pack("cavra-run", &pack_yaml("cavra-run", "commands:\n  allow: [\"echo *\"]\n  block: [\"terraform *\"]\n"));
    let (name, packs) = home.packs();
    let exec = |command: &str| {
        let arguments = ["agent", "exec", command, "--policy-pack", "cavra-run", "--tool", "codex", "--json"];
        home.cavra(&arguments).env(name, &packs).run()
    };
    let (allowed, blocked) = (exec("echo x").ok().json(), exec("terraform apply").exits(1).json());
    let server = home.serve(&[]);
    assert_eq!(server.total("/decisions?agent_id=codex"), 2);
    for record in [&allowed, &blocked] {
        let stored = server.get(&format!("/decisions/{}", text(record, "decision_id"))).ok();
        assert_eq!(&stored, record);
        let session = server.get(&format!("/sessions/{}", text(record, "session_id"))).ok();
        assert_eq!((&session["decision_count"], &session["agent_id"]), (&json!(1), &json!("codex")));
    }
    drop(server);
    home.cavra(&["evidence", "log", "verify", "--log", "activity", "--records"]).run().ok();
    // Where nothing can be recorded, nothing runs.
    home.write(".cavra/api/activity.json", "{");
    exec("echo x > made").fails();
    assert!(!home.exists("made"));
}

#[test]
fn a_command_runs_in_the_repository() {
    let home = Home::new();
    home.pack("cavra-run", &pack_yaml("cavra-run", "commands:\n  allow: [pwd]\n"));
    std::fs::create_dir(home.join("repo")).unwrap();
    let (name, packs) = home.packs();
    let output = home
        .cavra(&["agent", "exec", "pwd", "--policy-pack", "cavra-run", "--repo", "repo"])
        .env(name, &packs)
        .run()
        .ok();
    assert!(output.stdout.trim_end().ends_with("/repo"), "{output:?}");
}

#[test]
fn attest_renders_the_audit() {
    let home = Home::new();
    let action = |target: &str, decision: &str, reason: Value| {
        json!({
            "type": "execute_command", "target": target, "decision": decision, "reason": reason, "rule_id": "r",
            "severity": "high", "evidence_refs": ["evidence://x/y"],
        })
    };
    let document = json!({
        "session_id": "0123456789ab", "tool": "codex", "repo": "pay/api", "started_at": "2027-01-01T00:00:00.000000+00:00",
        "actions": [
            action("pytest", "allow", json!("fine")), action("terraform apply", "block", json!("production")),
            action("make", "require_approval", json!(null)), action("a`b\n- forged", "block", json!("x")),
        ],
    });
    home.write(".cavra/session-0123456789ab.json", document.to_string());
    let attest = |arguments: &[&str]| home.cavra(&[&["agent", "attest", "0123456789ab"], arguments].concat()).run();
    let markdown = attest(&[]).ok().stdout;
    for wanted in [
        "CAVRA PR Attestation",
        "Agent: codex",
        "Session: 0123456789ab",
        "Repository: pay/api",
        "Allowed actions: 1",
        "Blocked actions: 2",
        "Approval-required actions: 1",
        "- `terraform apply` — production",
        "- `make` — ",
    ] {
        assert!(markdown.contains(wanted), "{wanted}: {markdown}");
    }
    assert!(!markdown.lines().any(|line| line == "- forged" || line.starts_with("- forged")), "{markdown}");
    assert_eq!(attest(&["--format", "markdown"]).ok().stdout, markdown);
    assert_eq!(attest(&["--format", "json"]).ok().json(), document);
    let printed = attest(&["--format", "artifact"]).ok().stdout;
    assert!(printed.contains("cavra-attestation-0123456789ab.json"), "{printed}");
    assert!(home.json(".cavra/cavra-attestation-0123456789ab.json").is_object());
    assert_eq!(attest(&["--json"]).ok().json(), document);
    assert_eq!(attest(&["--format", "markdown", "--json"]).ok().json(), json!({"comment": markdown}));
    assert_eq!(attest(&["--format", "artifact", "--json"]).ok().json(), json!({"path": printed.trim_end()}));
    attest(&["--format", "pdf"]).fails();
    attest(&["--audit-dir", "elsewhere"]).fails();
    home.write("session-outside.json", document.to_string());
    home.write(".cavra/session-torn.json", "{\"session_id\": ");
    for id in ["nobody", "torn", "../session-outside", "..", "a/b", "/etc/passwd", ""] {
        home.cavra(&["agent", "attest", id]).run().fails();
    }
    let exec = home.cavra(&["agent", "exec", "make", "--output", "audits", "--json"]).run().exits(1);
    let id = text(&exec.json(), "session_id").to_owned();
    let attested = home.cavra(&["agent", "attest", &id, "--audit-dir", "audits"]).run().ok().stdout;
    assert!(attested.contains("Approval-required actions: 1") && attested.contains("`make`"), "{attested}");
}

/// What cannot be counted is not attested as nothing.
#[test]
fn a_broken_audit_is_not_attested() {
    let home = Home::new();
    let action = json!({"type": "execute_command", "target": "ls", "decision": "allow"});
    for (actions, session, sound) in [
        (json!([]), json!("s"), true),
        (json!([action]), json!("s"), true),
        (json!("x"), json!("s"), false),
        (json!([5]), json!("s"), false),
        (json!([action, {"target": "ls"}]), json!("s"), false),
        (json!([action, {"target": "ls", "decision": "Block"}]), json!("s"), false),
        (json!({}), json!("s"), false),
        (Value::Null, json!("s"), false),
        (json!([action]), json!("t"), false),
        (json!([action]), Value::Null, false),
    ] {
        let mut audit = json!({"session_id": session, "tool": "codex", "repo": "r", "actions": actions});
        audit.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        home.write(".cavra/session-s.json", audit.to_string());
        for format in ["markdown", "json", "artifact"] {
            let output = home.cavra(&["agent", "attest", "s", "--format", format]).run();
            assert_eq!(output.code, i32::from(!sound), "{audit} {format}: {output:?}");
            assert!(sound || (output.stdout.is_empty() && output.stderr.contains("session-s.json")), "{output:?}");
        }
    }
}

#[test]
fn init_sets_claude_code_up() {
    let home = Home::new();
    home.cavra(&["init", "claude-code"]).run().ok();
    assert!(home.join(".cavra/session").is_dir());
    home.cavra(&["policy", "validate", ".cavra/policy.yaml"]).run().ok();
    let entry = home.json(".mcp.json")["mcpServers"]["cavra"].clone();
    assert_eq!(entry["env"], json!({"CAVRA_POLICY": ".cavra/policy.yaml"}));
    assert!(entry["command"].is_string() && entry["args"].is_array(), "{entry}");
    // What was installed works: the server as configured speaks the protocol.
    let arguments: Vec<&str> =
        entry["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()).collect();
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}).to_string() + "\n";
    assert_eq!(text(&entry, "command"), "cavra");
    let answer = home.cavra(&arguments).env("CAVRA_POLICY", ".cavra/policy.yaml").stdin(hello).run().ok().json();
    assert_eq!(answer["result"]["serverInfo"]["name"], "cavra-mcp-server");
    let before = [home.read(".mcp.json"), home.read(".claude/settings.json"), home.read(".cavra/policy.yaml")];
    home.cavra(&["init", "claude-code"]).run().ok();
    assert_eq!(
        [home.read(".mcp.json"), home.read(".claude/settings.json"), home.read(".cavra/policy.yaml")],
        before,
        "idempotent"
    );
}

#[test]
fn init_merges_with_what_is_there() {
    let home = Home::new();
    let mcp = json!({"mcpServers": {"github": {"command": "gh-mcp", "args": ["x"]}, "cavra": {"command": "old"}}, "other": [1, {"a": null}]});
    let settings = json!({"model": "m", "hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "mine"}]}], "Stop": []}});
    home.write(".mcp.json", mcp.to_string());
    home.write(".claude/settings.json", settings.to_string());
    home.write(".cavra/policy.yaml", "# mine\n");
    home.cavra(&["init", "claude-code"]).run().ok();
    let merged = home.json(".mcp.json");
    assert_eq!((&merged["mcpServers"]["github"], &merged["other"]), (&mcp["mcpServers"]["github"], &mcp["other"]));
    assert_ne!(merged["mcpServers"]["cavra"], mcp["mcpServers"]["cavra"]);
    let merged = home.json(".claude/settings.json");
    assert_eq!((&merged["model"], &merged["hooks"]["Stop"]), (&settings["model"], &settings["hooks"]["Stop"]));
    assert_eq!(merged["hooks"]["PreToolUse"][0], settings["hooks"]["PreToolUse"][0], "the user's own hook stays");
    assert_eq!(home.read(".cavra/policy.yaml"), "# mine\n", "only if absent");
    let home = Home::new();
    home.cavra(&["init", "claude-code", "--no-hook"]).run().ok();
    assert!(home.exists(".mcp.json") && !home.exists(".claude"));
}

/// A hook for some tools is no hook for the others; beside a second one it would be asked twice.
#[test]
fn init_lets_the_hook_see_every_tool() {
    let ours = json!({"type": "command", "command": "cavra hook claude-code --policy-pack mine", "timeout": 20});
    let other = json!({"type": "command", "command": "mine"});
    let all = |hooks: Value| json!({"matcher": "*", "hooks": hooks});
    let bash = |hooks: Value| json!({"matcher": "Bash", "hooks": hooks});
    for (before, after) in [
        (json!([bash(json!([ours]))]), json!([all(json!([ours]))])),
        (
            json!([bash(json!([ours, other])), {"matcher": "x"}]),
            json!([bash(json!([other])), {"matcher": "x"}, all(json!([ours]))]),
        ),
        (json!([bash(json!([ours])), {"matcher": "Read", "hooks": [ours]}]), json!([all(json!([ours]))])),
        (json!([{"hooks": [ours]}]), json!([{"hooks": [ours]}])),
        (json!([{"matcher": "", "hooks": [other, ours]}]), json!([{"matcher": "", "hooks": [other, ours]}])),
        (json!([bash(json!([ours])), all(json!([ours]))]), json!([bash(json!([ours])), all(json!([ours]))])),
    ] {
        let home = Home::new();
        home.write(".claude/settings.json", json!({"hooks": {"PreToolUse": before}}).to_string());
        for _ in 0..2 {
            home.cavra(&["init", "claude-code"]).run().ok();
            assert_eq!(home.json(".claude/settings.json")["hooks"]["PreToolUse"], after, "{before}");
        }
    }
}

#[test]
fn init_keeps_what_is_in_our_entry() {
    let pinned = json!({"command": "/opt/cavra", "args": ["mcp-server", "--policy-pack", "mine"]});
    let mut with_policy = pinned.clone();
    with_policy["env"] = json!({"CAVRA_POLICY": ".cavra/policy.yaml"});
    for (before, after) in [
        (
            json!({"command": "cavra-mcp-server", "env": {"TOKEN": "x"}, "timeout": 5}),
            json!({"command": "cavra", "args": ["mcp-server"], "env": {"TOKEN": "x", "CAVRA_POLICY": ".cavra/policy.yaml"}, "timeout": 5}),
        ),
        (
            json!({"command": "cavra", "args": ["mcp-server"], "env": {"CAVRA_POLICY": "other.yaml"}}),
            json!({"command": "cavra", "args": ["mcp-server"], "env": {"CAVRA_POLICY": "other.yaml"}}),
        ),
        (pinned, with_policy),
    ] {
        let home = Home::new();
        home.write(".mcp.json", json!({"mcpServers": {"cavra": before}}).to_string());
        home.cavra(&["init", "claude-code"]).run().ok();
        assert_eq!(home.json(".mcp.json")["mcpServers"]["cavra"], after);
    }
}

/// Order, numbers and texts are the owner's; what needs no change is not written at all.
#[test]
fn init_writes_only_what_changes() {
    let home = Home::new();
    home.write(".mcp.json", r#"{"z": 1.50, "mcpServers": {"b": {"command": "\u0062"}, "a": {}}, "c": [1e2, "x"]}"#);
    home.cavra(&["init", "claude-code"]).run().ok();
    let text = home.read(".mcp.json");
    let places: Vec<_> = ["\"z\": 1.50", "\"b\"", "\"\\u0062\"", "\"a\": {}", "\"cavra\"", "\"c\"", "1e2"]
        .map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}")))
        .into();
    assert!(places.is_sorted(), "{text}");
    let compact = home.json(".claude/settings.json").to_string();
    home.write(".claude/settings.json", &compact);
    let said = home.cavra(&["init", "claude-code", "--json"]).run().ok().json();
    assert_eq!((&said["written"], home.read(".claude/settings.json")), (&json!([]), compact));
}

#[test]
fn init_leaves_what_it_cannot_read() {
    for (path, content) in [
        (".mcp.json", &b"{\"mcpServers\": "[..]),
        (".mcp.json", b"[]"),
        (".mcp.json", b"{\"mcpServers\": []}"),
        (".mcp.json", b"{\"mcpServers\": {\"cavra\": 5}}"),
        (".mcp.json", b"{\"mcpServers\": {\"cavra\": {\"env\": 5}}}"),
        (".mcp.json", b"{\"mcpServers\": {}, \"mcpServers\": {}}"),
        (".mcp.json", b"\xff\xfe"),
        (".mcp.json", b"{} // a comment"),
        (".claude/settings.json", b"{\"hooks\": 5}"),
        (".claude/settings.json", b"{\"hooks\": {\"PreToolUse\": {}}}"),
        (".claude/settings.json", b"not json"),
    ] {
        let home = Home::new();
        home.write(path, content);
        home.cavra(&["init", "claude-code"]).run().fails();
        assert_eq!(std::fs::read(home.join(path)).unwrap(), content, "{path} is untouched");
        let entries = std::fs::read_dir(home.path()).unwrap().count();
        assert_eq!(entries, 1, "and nothing else was written");
    }
}

/// The installed hook refuses a canary through the installed command line, as the agent would run it.
#[test]
fn the_installed_hook_refuses_a_canary() {
    let home = Home::new();
    home.cavra(&["init", "claude-code"]).run().ok();
    let settings = home.json(".claude/settings.json");
    let group = &settings["hooks"]["PreToolUse"][0];
    assert!(matches!(group["matcher"].as_str(), None | Some("" | "*")), "every tool: {group}");
    let hook = &group["hooks"][0];
    assert_eq!((text(hook, "type"), text(hook, "onFailure")), ("command", "block"));
    assert!(hook["timeout"].as_u64().unwrap() >= 10, "longer than the hook's own deadline");
    let event = json!({
        "hook_event_name": "PreToolUse", "session_id": "canary", "cwd": home.path(), "tool_name": "Read",
        "tool_input": {"file_path": home.at(".env")},
    });
    let mut shell = std::process::Command::new("/bin/sh");
    let path = home.command(&[]).get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap().to_owned();
    let mut child = shell
        .args(["-c", text(hook, "command")])
        .current_dir(home.path())
        .env_clear()
        .env("PATH", path)
        .env("HOME", home.path())
        .env("CLAUDE_PROJECT_DIR", home.path())
        .env("CAVRA_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), event.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["hookSpecificOutput"]["permissionDecision"], "deny", "{answer}");
    let server = home.serve(&[]);
    assert_eq!(server.get("/decisions?session_id=canary").ok()["total"], 1, "recorded");
}

/// Whoever ends the command that runs something ends what it runs, and what that has started.
#[test]
fn what_runs_ends_with_who_runs_it() {
    use std::io::Read as _;
    use std::process::Stdio;
    for line in ["sleep 300", "sleep 300 & sleep 300; echo late"] {
        for signal in [rustix::process::Signal::TERM, rustix::process::Signal::HUP, rustix::process::Signal::INT] {
            let home = Home::new();
            home.pack("cavra-run", &pack_yaml("cavra-run", "commands:\n  allow: [\"sleep *\", \"echo *\"]\n"));
            let (name, packs) = home.packs();
            let mut child = home
                .command(&["agent", "exec", line, "--policy-pack", "cavra-run"])
                .env(name, packs)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut stdout = child.stdout.take().unwrap();
            // The audit is written just before the command is started.
            let waited = std::time::Instant::now();
            while std::fs::read_dir(home.join(".cavra")).map_or(0, Iterator::count) < 2 {
                assert!(waited.elapsed() < crate::support::PATIENCE, "{line} is not started");
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            std::thread::sleep(std::time::Duration::from_millis(300));
            rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).unwrap();
            let status = crate::support::end_of(&mut child, || format!("{line} does not end"));
            assert!(!status.success(), "{line}");
            // Everything that was started has this stream: its end is theirs.
            let mut said = String::new();
            stdout.read_to_string(&mut said).unwrap();
            assert_eq!(said, "", "{line}");
        }
    }
}

/// What runs is read by the shell as which it was judged.
#[test]
fn a_command_runs_as_it_was_judged() {
    let home = Home::new();
    let ran = home.at("terraform-ran");
    for (name, script) in [("pytest", "exit 0".to_owned()), ("terraform", format!("touch {ran}"))] {
        let program = home.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", home.at("bin"), std::env::var("PATH").unwrap());
    for command in ["pytest &> xx terraform apply", r"pytest $'\'; terraform apply #'", "pytest -q"] {
        home.cavra(&["agent", "exec", command])
            .env("PATH", &path)
            .env("BASH_FUNC_pytest%%", "() { terraform apply; }")
            .run();
        assert!(!home.exists("terraform-ran"), "{command}");
    }
    home.cavra(&["agent", "exec", "pytest -q"]).env("PATH", &path).run().ok();
}
