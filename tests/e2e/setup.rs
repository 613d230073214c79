//! `cavra init`, `cavra doctor` and what a project's commands share.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{BASELINE, Home, Output, pack_yaml, text};

fn ids(output: &Output) -> Vec<String> {
    let findings = output.json()["findings"].as_array().unwrap().clone();
    findings.iter().map(|finding| text(finding, "id").to_owned()).collect()
}

/// The levels of findings that leave nothing guarded, and those that only say something.
fn void(output: &Output) -> Vec<String> {
    let findings = output.json()["findings"].as_array().unwrap().clone();
    let void = findings.iter().filter(|finding| finding["level"] == "void");
    void.map(|finding| text(finding, "id").to_owned()).collect()
}

fn git(home: &Home, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=x", "-c", "user.email=x@corp.test"];
    let output = Command::new("git").arg("-C").arg(home.path()).args(identity).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn hook(home: &Home, tool: &str, input: Value) -> (String, i32) {
    let event = json!({"session_id": "s", "cwd": home.path(), "permission_mode": "default", "tool_name": tool,
        "tool_input": input, "hook_event_name": "PreToolUse"});
    let output = home.cavra(&["hook", "claude-code"]).stdin(event.to_string()).run();
    let said = output.json()["hookSpecificOutput"]["permissionDecision"].as_str().unwrap_or("none").to_owned();
    (said, output.code)
}

/// A table of settings in which the agent would not ask the hook, or not hear it.
#[test]
fn init_says_where_nothing_would_be_guarded() {
    let ours = |change: Value| {
        let mut entry =
            json!({"type": "command", "command": "cavra hook claude-code", "timeout": 10, "onFailure": "block"});
        entry.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({"hooks": {"PreToolUse": [{"matcher": "*", "hooks": [entry]}]}})
    };
    let other = |group: Value| json!({"hooks": {"Stop": [group]}});
    for (settings, wanted) in [
        (json!({}), &[][..]),
        (ours(json!({})), &[]),
        (json!({"disableAllHooks": true}), &["hooks_disabled"]),
        (ours(json!({"command": "cavra hook claude-code || true"})), &["answer_lost"]),
        (ours(json!({"command": "cavra hook claude-code; exit 0"})), &["answer_lost"]),
        (ours(json!({"command": "/nowhere/cavra hook claude-code"})), &["command_missing"]),
        (ours(json!({"async": true})), &["entry_switch"]),
        (ours(json!({"if": "Bash(git *)"})), &["entry_switch"]),
        (ours(json!({"timeout": 2})), &["timeout"]),
        (other(json!({"matcher": "Bash(", "hooks": []})), &["invalid_entry"]),
        (other(json!({"hooks": [{"type": "command"}]})), &["invalid_entry"]),
    ] {
        let home = Home::new();
        home.write(".claude/settings.json", settings.to_string());
        let output = home.cavra(&["init", "claude-code", "--json"]).run();
        assert_eq!(void(&output), wanted, "{settings}");
        assert_eq!((output.code, output.json()["guarded"] == true), (i32::from(!wanted.is_empty()), wanted.is_empty()));
        let doctor = home.cavra(&["doctor", "--json"]).run();
        assert_eq!((void(&doctor), doctor.code), (void(&output), output.code), "{settings}");
        let said = home.cavra(&["doctor"]).run();
        assert_eq!(said.stdout.contains("NOT GUARDED"), !wanted.is_empty(), "{}", said.stdout);
    }
}

#[test]
fn a_doctor_without_a_hook_says_so() {
    let home = Home::new();
    let output = home.cavra(&["doctor", "--json"]).run().exits(1);
    assert_eq!(void(&output), ["no_hook"]);
    home.cavra(&["init", "claude-code"]).run().ok();
    let output = home.cavra(&["doctor", "--json"]).env("CAVRA_REQUIRE_TOKENS", "true").run().ok();
    assert!(ids(&output).contains(&"unknown_variable".to_owned()), "{output:?}");
    // The person's own settings count in every project.
    home.write("user/settings.json", r#"{"disableAllHooks": true}"#);
    let output = home.cavra(&["doctor", "--json"]).env("CLAUDE_CONFIG_DIR", home.at("user")).run().exits(1);
    assert_eq!(void(&output), ["hooks_disabled"]);
    // A policy that cannot decide lets nothing happen, which is not what its owner wants either.
    home.write(".cavra/policy.yaml", "metadata: [\n");
    let output = home.cavra(&["doctor", "--json"]).run().exits(1);
    assert!(ids(&output).contains(&"policy_broken".to_owned()), "{output:?}");
    // A version that lets calls go on where the hook fails.
    let program = home.write("bin/claude", "#!/bin/sh\necho '2.1.100 (Claude Code)'\n");
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = home.command(&[]).get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap().to_owned();
    let path = format!("{}:{}", home.at("bin"), path.to_str().unwrap());
    let output = home.cavra(&["doctor", "--json"]).env("PATH", path).run();
    assert!(ids(&output).contains(&"version_fails_open".to_owned()), "{output:?}");
}

#[test]
fn init_leaves_files_as_closed_as_they_are() {
    let home = Home::new();
    let file = home
        .write(".mcp.json", "\u{feff}{\"mcpServers\": {\"x\": {\"command\": \"x\", \"env\": {\"TOKEN\": \"t\"}}}}\r\n");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    home.write("dotfiles/settings.json", "{\n\t\"model\": \"m\"\n}\n");
    std::fs::create_dir(home.join(".claude")).unwrap();
    std::os::unix::fs::symlink("../dotfiles/settings.json", home.join(".claude/settings.json")).unwrap();
    let output = home.cavra(&["init", "claude-code"]).run().ok();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = home.read(".mcp.json");
    assert!(
        text.starts_with("\u{feff}{\"mcpServers\": {\"x\": {\"command\": \"x\", \"env\": {\"TOKEN\": \"t\"}}"),
        "{text}"
    );
    assert!(text.ends_with("\r\n"), "{text:?}");
    assert!(home.join(".claude/settings.json").symlink_metadata().unwrap().is_symlink());
    assert!(home.read("dotfiles/settings.json").starts_with("{\n\t\"model\": \"m\",\n\t\"hooks\": {"));
    // A server that nobody has allowed is denied from now on, and that is said.
    assert!(output.stdout.contains("allowed_servers: [cavra, x]"), "{output:?}");
}

#[test]
fn init_leaves_the_repository_clean() {
    let home = Home::new();
    git(&home, &["init", "-q"]);
    std::fs::create_dir_all(home.join("a/b")).unwrap();
    let output = home.cavra(&["init", "claude-code"]).dir(home.join("a/b")).run().ok();
    assert!(output.stdout.contains("top of the repository"), "{output:?}");
    assert!(!home.exists("a/b/.claude") && home.exists(".claude/settings.json"));
    assert_eq!(hook(&home, "Read", json!({"file_path": home.at("a.txt")})), ("none".to_owned(), 0));
    home.cavra(&["evidence", "generate-keypair"]).run().ok();
    home.cavra(&["agent", "start", "--tool", "x"]).run().ok();
    let staged = git(&home, &["add", "-An", "."]);
    let staged: Vec<&str> =
        staged.lines().map(|line| line.trim_start_matches("add '").trim_end_matches('\'')).collect();
    let wanted =
        [".cavra/.gitignore", ".cavra/config.yaml", ".cavra/policy.yaml", ".claude/settings.json", ".mcp.json"];
    assert_eq!(staged, wanted);
    let home = Home::new();
    git(&home, &["init", "-q"]);
    std::fs::create_dir(home.join("sub")).unwrap();
    home.cavra(&["init", "claude-code", "--here"]).dir(home.join("sub")).run().ok();
    assert!(home.exists("sub/.claude/settings.json") && !home.exists(".claude"));
    // Whoever creates the folder keeps it out of version control, not only `init`.
    let home = Home::new();
    git(&home, &["init", "-q"]);
    home.cavra(&["evidence", "generate-keypair"]).run().ok();
    assert_eq!(git(&home, &["add", "-An", "."]).trim(), "add '.cavra/.gitignore'");
}

/// The policy of a project is everybody's.
#[test]
fn one_policy_decides_at_every_door() {
    let home = Home::new();
    home.cavra(&["init", "claude-code"]).run().ok();
    let rules = format!("  inherits: {BASELINE}\ncommands: {{block: [pytest, \"pytest *\"]}}\n");
    home.write(".cavra/policy.yaml", pack_yaml("cavra-t", &rules));
    std::fs::create_dir_all(home.join("deep/down")).unwrap();
    for directory in ["", "deep/down"] {
        let run = |arguments: &[&str]| home.cavra(arguments).dir(home.join(directory)).run();
        let decided = run(&["evaluate", "execute_command", "pytest -q", "--json"]).ok().json();
        assert_eq!((&decided["decision"], &decided["policy_pack"]), (&json!("block"), &json!("cavra-t")));
        run(&["agent", "exec", "pytest -q"]).fails();
        let checked = run(&["mcp-server", "--check-command", "pytest -q"]).ok().json();
        assert_eq!(checked["decision"], "block");
        let through = home.cavra(&["mcp-server", "--check-command", "pytest -q"]).dir(home.join(directory));
        assert_eq!(through.env("CAVRA_POLICY", ".cavra/policy.yaml").run().ok().json()["decision"], "block");
        let shown = run(&["config", "show", "--json"]).ok().json();
        let policy = shown.as_array().unwrap().iter().find(|setting| setting["name"] == "CAVRA_POLICY").unwrap();
        assert_eq!(policy["origin"], "project", "{policy}");
        // What is named wins.
        let named = run(&["evaluate", "execute_command", "pytest -q", "--json", "--policy-pack", BASELINE]).ok().json();
        assert_eq!(named["decision"], "allow");
    }
    assert_eq!(hook(&home, "Bash", json!({"command": "pytest -q"})), ("deny".to_owned(), 2));
    home.cavra(&["agent", "exec", "pytest -q", "--repo", &home.at("deep")]).dir("/").run().fails();
}

/// What a person approves on the server or on the command line is what the hook finds.
#[test]
fn one_store_of_approvals_serves_every_door() {
    let home = Home::new();
    home.cavra(&["init", "claude-code"]).run().ok();
    let write =
        |name: &str| hook(&home, "Write", json!({"file_path": home.at(&format!("iam/{name}")), "content": "x"})).0;
    let server = home.serve(&[]);
    assert_eq!(write("x.tf"), "ask");
    let decided = server.get("/decisions?limit=1").ok()["items"][0].clone();
    let asked = server.post("/approvals", &json!({ "decision": decided })).ok();
    let approve = format!("/approvals/{}/approve", text(&asked, "approval_id"));
    server.post(&approve, &json!({"actor": "reviewer", "reason": "fine"})).ok();
    assert_eq!(write("x.tf"), "allow");
    assert_eq!(write("x.tf"), "ask", "once");
    drop(server);
    let decided = home.cavra(&["evaluate", "write_file", "iam/y.tf", "--session-id", "s", "--json"]).run().ok();
    home.write("decision.json", decided.stdout);
    let asked = home.cavra(&["approval", "create", "decision.json"]).run().ok().json();
    let listed = home.cavra(&["approval", "list"]).dir(home.path()).run().ok().json();
    assert_eq!(listed["total"], 2, "{listed} {asked}");
}

#[test]
fn a_project_file_is_read_strictly() {
    for (content, said) in [
        ("polciy: x.yaml\n", "policy"),
        ("stores: {activities: a.db}\n", "activity"),
        ("stores: {activity: a.txt}\n", "stores.activity"),
        ("stores: {activity: a.db}\nstores: {activity: b.db}\n", "stores"),
        ("policy: [x]\n", "policy"),
    ] {
        let home = Home::new();
        home.write(".cavra/config.yaml", content);
        for arguments in [
            &["evaluate", "read_file", "x"][..],
            &["agent", "exec", "true"],
            &["serve", "--port", "0"],
            &["config", "show"],
            &["approval", "list"],
        ] {
            let output = home.cavra(arguments).run().fails();
            assert!(output.stderr.contains("config.yaml") && output.stderr.contains(said), "{arguments:?}: {output:?}");
        }
        assert_eq!(hook(&home, "Read", json!({"file_path": "x"})), ("deny".to_owned(), 2));
    }
}

/// Records that are there are not left behind.
#[test]
fn init_keeps_to_the_stores_that_have_records() {
    let home = Home::new();
    assert_eq!(hook(&home, "Read", json!({"file_path": "a"})).0, "none");
    assert!(home.exists(".cavra/api/activity.json"));
    home.cavra(&["init", "claude-code"]).run().ok();
    assert!(home.read(".cavra/config.yaml").contains("activity: .cavra/api/activity.json"));
    let home = Home::new();
    home.cavra(&["init", "claude-code", "--policy-pack", "cavra-owasp-llm-agentic"]).run().ok();
    assert!(home.read(".cavra/config.yaml").contains("activity: .cavra/api/activity.db"));
    assert!(home.read(".cavra/policy.yaml").contains("inherits: cavra-owasp-llm-agentic"));
    assert_eq!(hook(&home, "Read", json!({"file_path": "a"})).0, "none");
    assert!(home.exists(".cavra/api/activity.db") && !home.exists(".cavra/api/activity.json"));
    home.cavra(&["init", "claude-code", "--policy-pack", "cavra-nobody"]).run().fails();
}

/// A project's records lie below the project, from wherever in it a server is started.
#[test]
fn a_server_does_not_leave_records_of_its_project_behind() {
    let home = Home::new();
    assert_eq!(hook(&home, "Read", json!({"file_path": "a"})).0, "none");
    let records = home.join(".cavra/api/activity.json").canonicalize().unwrap();
    home.write(".cavra/config.yaml", "stores:\n  activity: .cavra/api/activity.db\n");
    std::fs::create_dir_all(home.join("deep/below")).unwrap();
    let serve = |directory: &str| home.cavra(&["serve", "--port", "0"]).dir(home.join(directory)).run();
    for directory in ["", "deep/below"] {
        let refused = serve(directory).fails();
        assert!(refused.stderr.contains(&records.display().to_string()), "{directory}: {refused:?}");
        assert!(refused.stderr.contains("cavra ops import"), "{directory}: {refused:?}");
    }
    let moved = home.cavra(&["ops", "import", "--json"]).dir(home.join("deep/below")).run().ok().json();
    assert_eq!(moved["moved"].as_array().map(Vec::len), Some(1), "{moved}");
    assert!(!records.exists() && home.exists(".cavra/api/activity.db"));
    let server = home.serve(&[]);
    assert!(server.total("/decisions") > 0);
}
