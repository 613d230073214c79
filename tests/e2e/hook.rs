//! `cavra hook claude-code`. docs/reference/decisions-and-policy.md, section 13; docs/reference/agent-hooks-and-mcp.md, "Claude Code".

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{BASELINE, Home, Output, pack_yaml, text};

fn event(home: &Home, tool: &str, input: Value) -> Value {
    json!({
        "session_id": "0b3c", "prompt_id": "p", "transcript_path": "/nowhere/t.jsonl", "cwd": home.path(),
        "permission_mode": "default", "effort": "high", "hook_event_name": "PreToolUse", "tool_name": tool,
        "tool_input": input, "tool_use_id": "toolu_1",
    })
}

/// The decision and its reason, "none" where the agent's own rules apply; asserts the form of the answer, which both
/// signals of a refusal have to give.
fn verdict(output: &Output) -> (String, String) {
    let answer = output.json();
    assert_eq!(output.stdout.trim_end().lines().count(), 1, "one object and nothing else");
    if answer == json!({}) {
        assert_eq!(output.code, 0, "{output:?}");
        return ("none".to_owned(), String::new());
    }
    let said = &answer["hookSpecificOutput"];
    assert_eq!(said["hookEventName"], "PreToolUse", "{answer}");
    let reason = text(said, "permissionDecisionReason").to_owned();
    assert!(!reason.is_empty() && reason.chars().count() <= 10_000);
    let decision = text(said, "permissionDecision");
    // Whatever becomes of its standard output, a refusal refuses.
    assert_eq!(output.code, if decision == "deny" { 2 } else { 0 }, "{output:?}");
    assert_eq!(output.stderr.trim().is_empty(), decision != "deny", "{output:?}");
    (decision.to_owned(), reason)
}

#[track_caller]
fn judged(home: &Home, event: &Value, expected: &str) -> String {
    let output = home.cavra(&["hook", "claude-code"]).stdin(event.to_string()).run();
    let (decision, reason) = verdict(&output);
    assert_eq!(decision, expected, "{event}: {reason}");
    reason
}

/// A refusal because nothing could be decided: deny in the JSON, exit code 2, the reason on standard error.
#[track_caller]
fn refused(output: &Output) {
    let (decision, reason) = verdict(output);
    assert_eq!((decision.as_str(), output.code), ("deny", 2), "{reason}");
    assert!(!output.stderr.trim().is_empty() && !output.stderr.contains("panicked"), "{output:?}");
}

#[test]
fn events_are_judged_and_recorded() {
    let home = Home::new();
    let at = |path: &str| home.at(path);
    let rows = [
        ("Read", json!({"file_path": at("README.md")}), "none"),
        ("Read", json!({"file_path": at(".env"), "offset": 1, "limit": 5}), "deny"),
        ("Read", json!({"file_path": at("a/b/.env")}), "deny"),
        ("Read", json!({"file_path": at("src/../.env")}), "deny"),
        ("Read", json!({"file_path": "/root/.ssh/id_rsa"}), "deny"),
        ("Read", json!({"file_path": ".env"}), "deny"),
        ("Write", json!({"file_path": at("src/a.rs"), "content": "x"}), "none"),
        ("Write", json!({"file_path": at(".github/workflows/ci.yml"), "content": "x"}), "deny"),
        ("Write", json!({"file_path": at("iam/role.tf"), "content": "x"}), "ask"),
        ("Edit", json!({"file_path": at("iam/role.tf"), "old_string": "a", "new_string": "b"}), "ask"),
        (
            "Edit",
            json!({"file_path": at("src/a.rs"), "old_string": "a", "new_string": "b", "replace_all": true}),
            "none",
        ),
        ("MultiEdit", json!({"file_path": at(".github/workflows/ci.yml"), "edits": []}), "deny"),
        ("NotebookEdit", json!({"notebook_path": at("iam/n.ipynb"), "new_source": "x"}), "ask"),
        ("Bash", json!({"command": "pytest -q", "description": "tests", "timeout": 1000}), "allow"),
        ("Bash", json!({"command": "make"}), "ask"),
        ("Bash", json!({"command": "pytest; terraform apply", "run_in_background": true}), "deny"),
        ("Bash", json!({"command": "echo \""}), "ask"),
        ("PowerShell", json!({"command": "pytest"}), "ask"),
        ("Grep", json!({"pattern": "x", "path": at("src")}), "none"),
        ("Grep", json!({"pattern": "KEY", "path": at(".env")}), "deny"),
        ("mcp__github__create_issue", json!({"title": "x"}), "deny"),
    ];
    let mut recorded = 0;
    for (tool, input, expected) in rows {
        let reason = judged(&home, &event(&home, tool, input), expected);
        let stored = home.json(".cavra/api/activity.json");
        let decisions = stored["decisions"].as_array().unwrap();
        assert!(decisions.len() > recorded, "{tool} is recorded");
        recorded = decisions.len();
        let known = decisions.iter().any(|record| reason.contains(text(record, "decision_id")));
        assert!(known || expected == "none", "the reason names the decision: {reason}");
    }
    let stored = home.json(".cavra/api/activity.json");
    for record in stored["decisions"].as_array().unwrap() {
        assert_eq!((text(record, "session_id"), text(record, "policy_pack")), ("0b3c", BASELINE));
    }
    let targets: Vec<&str> =
        stored["decisions"].as_array().unwrap().iter().map(|record| text(record, "target")).collect();
    for wanted in ["README.md", ".env", "a/b/.env", "/root/.ssh/id_rsa", "iam/role.tf", "make", "github:create_issue"] {
        assert!(targets.contains(&wanted), "{wanted}: {targets:?}");
    }
    assert_eq!(stored["sessions"][0]["decision_count"], recorded);
}

/// Whoever searches the contents of files reads them; which, is what ripgrep would read.
#[test]
fn a_search_reads_what_it_covers() {
    let home = Home::new();
    for file in ["src/a.rs", "deploy/.env", "deploy/notes.txt", "ignored/.env", "open/b.rs", ".git/.env", "iam/role.tf"]
    {
        home.write(file, "SECRET=1");
    }
    home.write(".gitignore", "ignored/\n");
    let grep = |input: Value| {
        let mut input = input;
        input["pattern"] = json!("SECRET");
        event(&home, "Grep", input)
    };
    for (input, expected) in [
        (json!({}), "deny"),
        (json!({"path": home.at("")}), "deny"),
        (json!({"path": "."}), "deny"),
        (json!({"path": ".", "output_mode": "content"}), "deny"),
        (json!({"path": ".", "output_mode": "count"}), "deny"),
        (json!({"path": "deploy"}), "deny"),
        (json!({"path": "src/../deploy"}), "deny"),
        (json!({"glob": ".en*"}), "deny"),
        (json!({"glob": "[.]env"}), "deny"),
        (json!({"glob": "{.env,x}"}), "deny"),
        (json!({"glob": "*.rs .env"}), "deny"),
        (json!({"glob": "*.rs,.env"}), "deny"),
        (json!({"glob": "*"}), "deny"),
        (json!({"glob": "!.env"}), "none"),
        (json!({"glob": "*.rs"}), "none"),
        (json!({"path": "src"}), "none"),
        (json!({"path": "iam"}), "none"),
        // Who names what is ignored gets it.
        (json!({"path": "ignored"}), "deny"),
        (json!({"path": "nowhere"}), "none"),
    ] {
        let file = if input["path"] == "ignored" { "ignored/.env" } else { "deploy/.env" };
        let reason = judged(&home, &grep(input.clone()), expected);
        assert_eq!(
            reason.contains(&format!("the search would read `{file}`")),
            expected == "deny",
            "{input}: {reason}"
        );
    }
    let output = home.cavra(&["hook", "claude-code"]).stdin(grep(json!({"glob": "{"})).to_string()).run();
    refused(&output);
    let stored = home.json(".cavra/api/activity.json");
    let targets: Vec<&str> = stored["decisions"].as_array().unwrap().iter().map(|it| text(it, "target")).collect();
    assert!(targets.contains(&"deploy/.env") && !targets.contains(&"deploy/notes.txt"), "{targets:?}");
    // Names alone are no contents.
    judged(&home, &event(&home, "Glob", json!({"pattern": "**/.env"})), "none");
}

/// Wherever the hook is started: the project the event names is the one whose store and packs count.
#[test]
fn the_project_is_where_the_agent_works() {
    let home = Home::new();
    let elsewhere = Home::new();
    home.write(
        "policies/cavra-ai-agent-baseline/policy.yaml",
        pack_yaml(BASELINE, "filesystem:\n  block_read: [mine.txt]\n"),
    );
    let read = event(&home, "Read", json!({"file_path": home.at("mine.txt")})).to_string();
    let output = home.cavra(&["hook", "claude-code"]).dir(elsewhere.path()).stdin(read.as_str()).run();
    assert_eq!(verdict(&output).0, "deny");
    assert!(home.exists(".cavra/api/activity.json") && !elsewhere.exists(".cavra"));
    let deeper = home.cavra(&["hook", "claude-code"]).dir(elsewhere.path()).env("CLAUDE_PROJECT_DIR", home.at(""));
    let mut inside = event(&home, "Read", json!({"file_path": home.at("mine.txt")}));
    std::fs::create_dir(home.join("src")).unwrap();
    inside["cwd"] = json!(home.at("src"));
    assert_eq!(
        verdict(&deeper.stdin(inside.to_string()).run()).0,
        "deny",
        "the project's root, not the working directory"
    );
    assert!(!home.exists("src/.cavra"));
}

fn git(directory: &std::path::Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=x", "-c", "user.email=x@corp.test"];
    let mut command = std::process::Command::new("git");
    let output = command.arg("-C").arg(directory).args(identity).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A repository has more roots than one; a rule about it holds in all of them, for every tool.
#[test]
fn rules_hold_in_every_root_of_a_repository() {
    let home = Home::new();
    std::fs::create_dir(home.join("main")).unwrap();
    let main = home.join("main");
    git(&main, &["init", "-q"]);
    git(&main, &["commit", "-q", "--allow-empty", "-m", "x"]);
    git(&main, &["worktree", "add", "-q", ".claude/worktrees/inside"]);
    git(&main, &["worktree", "add", "-q", home.at("outside").as_str()]);
    std::os::unix::fs::symlink("main", home.join("link")).unwrap();
    std::os::unix::fs::symlink("outside", home.join("outside-link")).unwrap();
    let rules = "filesystem:\n  block_read: [\"private/*\"]\n  block_write: [\"db/migrations/*\"]\nmcp:\n  allowed_servers: [files]\n";
    home.write("policy.yaml", pack_yaml("cavra-mine", &format!("  inherits: {BASELINE}\n{rules}")));
    let policy = home.at("policy.yaml");
    let roots = ["main", "main/.claude/worktrees/inside", "outside", "link", "outside-link"];
    for root in roots {
        home.write(&format!("{root}/private/key.txt"), "x");
    }
    for project in ["main", "link", "outside"] {
        for root in roots {
            let at = |path: &str| home.at(&format!("{root}/{path}"));
            for (tool, input) in [
                ("Write", json!({"file_path": at("db/migrations/2.sql"), "content": "x"})),
                ("Write", json!({"file_path": "db/migrations/2.sql", "content": "x"})),
                ("Edit", json!({"file_path": at("src/../db/migrations/2.sql"), "old_string": "a", "new_string": "b"})),
                ("NotebookEdit", json!({"notebook_path": at("db/migrations/n.ipynb"), "new_source": "x"})),
                ("Read", json!({"file_path": at("private/key.txt")})),
                ("Grep", json!({"pattern": "x", "path": at("private")})),
                ("Grep", json!({"pattern": "x"})),
                ("mcp__files__write_file", json!({"path": at("db/migrations/2.sql")})),
            ] {
                let mut event = event(&home, tool, input);
                event["cwd"] = json!(home.at(root));
                let hook = home.cavra(&["hook", "claude-code", "--policy-file", &policy]);
                let output = hook.env("CLAUDE_PROJECT_DIR", home.at(project)).stdin(event.to_string()).run();
                assert_eq!(verdict(&output).0, "deny", "{project}: {event}");
            }
        }
    }
}

/// Another agent reads the same settings and does not set the variable in them.
#[test]
fn the_project_is_found_without_the_agents_variable() {
    let home = Home::new();
    let rules = format!("  inherits: {BASELINE}\nfilesystem:\n  block_read: [mine.txt]\n");
    home.write(".cavra/policy.yaml", pack_yaml("cavra-mine", &rules));
    std::fs::create_dir_all(home.join("a/b")).unwrap();
    let older = "/.cavra/policy.yaml";
    for directory in ["", "a/b"] {
        let mut read = event(&home, "Read", json!({"file_path": home.at("mine.txt")}));
        read["cwd"] = json!(home.at(directory));
        let hook = home.cavra(&["hook", "claude-code", "--policy-file", older]).dir("/").stdin(read.to_string());
        assert_eq!(verdict(&hook.run()).0, "deny");
    }
    let elsewhere = Home::new();
    let mut read = event(&elsewhere, "Read", json!({"file_path": "x"}));
    read["cwd"] = json!(elsewhere.path());
    let output = elsewhere.cavra(&["hook", "claude-code", "--policy-file", older]).stdin(read.to_string()).run();
    refused(&output);
    assert!(verdict(&output).1.contains("CLAUDE_PROJECT_DIR"), "{output:?}");
}

/// What is recorded can be joined with what the agent keeps.
#[test]
fn records_name_the_call_and_who_made_it() {
    let home = Home::new();
    let mut read = event(&home, "Read", json!({"file_path": home.at("README.md")}));
    read["agent_id"] = json!("agent-7");
    judged(&home, &read, "none");
    let stored = home.json(".cavra/api/activity.json");
    let record = &stored["decisions"][0];
    assert_eq!((text(record, "tool_use_id"), text(record, "agent_instance_id")), ("toolu_1", "agent-7"));
    assert_eq!(text(record, "agent_id"), "claude-code");
    for (member, value) in [("tool_use_id", json!("a\nb")), ("agent_id", json!(5))] {
        let mut wrong = read.clone();
        wrong[member] = value;
        refused(&home.cavra(&["hook", "claude-code"]).stdin(wrong.to_string()).run());
    }
}

#[test]
fn what_needs_no_decision() {
    let home = Home::new();
    for tool in ["TodoWrite", "Task", "ExitPlanMode"] {
        let output = home.cavra(&["hook", "claude-code"]).stdin(event(&home, tool, json!({})).to_string()).run().ok();
        assert!(output.json()["hookSpecificOutput"]["permissionDecision"].is_null(), "no objection: {output:?}");
    }
    let mut other = event(&home, "Bash", json!({"command": "terraform apply"}));
    other["hook_event_name"] = json!("PostToolUse");
    let output = home.cavra(&["hook", "claude-code"]).stdin(other.to_string()).run().ok();
    assert_eq!(output.json(), json!({}));
}

/// A prompt that nobody sees is no control: what needs approval is refused, and says how the approval is come by.
#[test]
fn where_nobody_can_be_asked_nobody_is() {
    let home = Home::new();
    for (mode, expected) in [
        (json!("default"), "ask"),
        (json!("plan"), "ask"),
        (json!("acceptEdits"), "ask"),
        (json!("bypassPermissions"), "deny"),
        (json!("dontAsk"), "deny"),
        (json!("auto"), "deny"),
        (json!("of a later version"), "deny"),
        (json!(5), "deny"),
    ] {
        for (tool, input) in [
            ("Write", json!({"file_path": home.at("iam/x.tf"), "content": "x"})),
            ("Bash", json!({"command": "make"})),
            ("PowerShell", json!({"command": "pytest"})),
            ("Teleport", json!({})),
        ] {
            let mut event = event(&home, tool, input);
            event["permission_mode"] = mode.clone();
            judged(&home, &event, expected);
        }
    }
    let mut needs = event(&home, "Write", json!({"file_path": home.at("iam/y.tf"), "content": "y"}));
    needs["permission_mode"] = json!("bypassPermissions");
    let reason = judged(&home, &needs, "deny");
    let (_, way) = reason.split_once("`cavra approval create ").unwrap();
    let decision = way.split('`').next().unwrap();
    let asked = home.cavra(&["approval", "create", decision]).run().ok().json();
    let approve = ["approval", "approve", text(&asked, "approval_id"), "--actor", "sec", "--reason", "fine"];
    home.cavra(&approve).run().ok();
    judged(&home, &needs, "allow");
    needs["tool_use_id"] = json!("toolu_2");
    judged(&home, &needs, "deny");
    home.cavra(&["approval", "create", "dec_000000000000"]).run().fails();
}

#[test]
fn an_unknown_tool_is_never_waved_through() {
    let home = Home::new();
    for tool in ["Teleport", "bash", "Read ", "read", "mcp_github_x", "RemoteTrigger"] {
        let output =
            home.cavra(&["hook", "claude-code"]).stdin(event(&home, tool, json!({"command": "ls"})).to_string()).run();
        let (decision, _) = verdict(&output);
        assert!(decision == "ask" || decision == "deny", "{tool}: {decision}");
    }
}

#[test]
fn links_do_not_hide_a_file() {
    let home = Home::new();
    home.write(".env", "SECRET=1");
    home.write("src/lib.rs", "");
    std::fs::create_dir_all(home.join(".github/workflows")).unwrap();
    let link = |from: &str, to: &str| std::os::unix::fs::symlink(to, home.join(from)).unwrap();
    link("harmless.txt", ".env");
    link("chain.txt", "harmless.txt");
    link("flows", ".github/workflows");
    link("src/link.rs", "lib.rs");
    link("loop-a", "loop-b");
    link("loop-b", "loop-a");
    judged(&home, &event(&home, "Read", json!({"file_path": home.at("harmless.txt")})), "deny");
    judged(&home, &event(&home, "Read", json!({"file_path": home.at("chain.txt")})), "deny");
    judged(&home, &event(&home, "Write", json!({"file_path": home.at("flows/new.yml"), "content": ""})), "deny");
    judged(&home, &event(&home, "Read", json!({"file_path": home.at("src/link.rs")})), "none");
    // Resolved by its text this is harmless.txt, which is .env; resolved by the system it lies beside the linked folder.
    judged(&home, &event(&home, "Read", json!({"file_path": home.at("flows/../harmless.txt")})), "deny");
    let output = home
        .cavra(&["hook", "claude-code"])
        .stdin(event(&home, "Read", json!({"file_path": home.at("loop-a")})).to_string())
        .run();
    verdict(&output);
    // A project reached through a link is the same project.
    let outside = Home::new();
    std::os::unix::fs::symlink(home.path(), outside.join("project")).unwrap();
    let mut through = event(&home, "Write", json!({"file_path": outside.at("project/iam/x.tf"), "content": ""}));
    through["cwd"] = json!(outside.at("project"));
    judged(&home, &through, "ask");
}

#[test]
fn what_cannot_be_understood_is_refused() {
    let home = Home::new();
    let good = event(&home, "Read", json!({"file_path": home.at("README.md")}));
    let without = |member: &str| {
        let mut event = good.clone();
        event.as_object_mut().unwrap().remove(member);
        event.to_string().into_bytes()
    };
    let with = |member: &str, value: Value| {
        let mut event = good.clone();
        event[member] = value;
        event.to_string().into_bytes()
    };
    // Who judges sees one file, who acts perhaps another.
    let two_files = good.to_string().replacen("\"file_path\":", "\"file_path\":\"README.md\",\"file_path\":", 1);
    let inputs: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("blanks", b" \n".to_vec()),
        ("half", good.to_string().into_bytes()[..40].to_vec()),
        ("a list", b"[]".to_vec()),
        ("no UTF-8", b"{\"hook_event_name\": \"\xff\"}".to_vec()),
        ("two events", format!("{good}{good}").into_bytes()),
        ("two files", two_files.into_bytes()),
        (
            "a file that hides in a number",
            with("tool_input", json!({"file_path": {"$serde_json::private::Number": "1"}})),
        ),
        (
            "a file that hides in a text",
            with("tool_input", json!({"$serde_json::private::RawValue": "{\"file_path\":\"x\"}"})),
        ),
        ("a deep nest", b"[".repeat(200_000)),
        ("neither event name nor tool", json!({"session_id": "s", "cwd": home.path()}).to_string().into_bytes()),
        ("no tool", without("tool_name")),
        ("no input", without("tool_input")),
        ("a tool that is a number", with("tool_name", json!(5))),
        ("an input that is a list", with("tool_input", json!([]))),
        ("no path", with("tool_input", json!({}))),
        ("a path that is a number", with("tool_input", json!({"file_path": 5}))),
        ("a path with a NUL", with("tool_input", json!({"file_path": "a\u{0}b"}))),
        ("a path with a line break", with("tool_input", json!({"file_path": "a\nb"}))),
        ("a session with control characters", with("session_id", json!("a\u{1b}[2J"))),
        ("a long session", with("session_id", json!("s".repeat(300)))),
        ("a directory that is a file", with("cwd", json!("/etc/passwd"))),
        ("a directory without a name", with("cwd", json!(""))),
    ];
    for (what, input) in inputs {
        println!("-- {what}");
        refused(&home.cavra(&["hook", "claude-code"]).stdin(input).run());
    }
    for tool in ["Bash", "Write", "Edit", "mcp__", "mcp____x", "mcp__server"] {
        let output = home.cavra(&["hook", "claude-code"]).stdin(event(&home, tool, json!({})).to_string()).run();
        refused(&output);
    }
    let stored = home.json(".cavra/api/activity.json");
    let mut rules = stored["decisions"].as_array().unwrap().iter().map(|record| text(record, "rule_id"));
    assert!(rules.all(|rule| rule == "agent.event.refused"), "nothing was decided but the refusals: {stored}");
}

/// The four members of docs/reference/decisions-and-policy.md, section 13 are enough.
#[test]
fn an_event_without_its_name_is_the_one_before_a_tool() {
    let home = Home::new();
    for (tool, input, expected) in [
        ("Read", json!({"file_path": home.at("README.md")}), "none"),
        ("Read", json!({"file_path": home.at(".env")}), "deny"),
        ("Bash", json!({"command": "terraform apply"}), "deny"),
    ] {
        let event = json!({"session_id": "s", "cwd": home.path(), "tool_name": tool, "tool_input": input});
        judged(&home, &event, expected);
    }
}

/// An agent may work where the hook cannot look: names are judged, what only the disk could tell is asked.
#[test]
fn a_working_directory_that_is_not_here() {
    let home = Home::new();
    for (tool, input, expected) in [
        ("Read", json!({"file_path": "/nowhere/at/all/README.md"}), "none"),
        ("Read", json!({"file_path": "src/lib.rs"}), "none"),
        ("Read", json!({"file_path": "/nowhere/at/all/.env"}), "deny"),
        ("Read", json!({"file_path": ".env"}), "deny"),
        ("Read", json!({"file_path": "../../../root/.ssh/id_rsa"}), "deny"),
        ("Write", json!({"file_path": "/nowhere/at/all/.github/workflows/ci.yml", "content": "x"}), "deny"),
        ("Write", json!({"file_path": "iam/role.tf", "content": "x"}), "ask"),
        ("Bash", json!({"command": "terraform apply"}), "deny"),
        ("Bash", json!({"command": "pytest -q"}), "allow"),
        ("Grep", json!({"pattern": "x"}), "ask"),
        ("Grep", json!({"pattern": "x", "path": home.at("")}), "deny"),
    ] {
        let mut event = event(&home, tool, input);
        event["cwd"] = json!("/nowhere/at/all");
        home.write(".env", "SECRET=1");
        judged(&home, &event, expected);
    }
    let stored = home.json(".cavra/api/activity.json");
    assert_eq!(stored["decisions"][0]["repository"], "all");
    // A policy that is named and not there is no reason to fall back on another.
    let mut read = event(&home, "Read", json!({"file_path": "README.md"}));
    read["cwd"] = json!("/nowhere/at/all");
    let read = read.to_string();
    refused(&home.cavra(&["hook", "claude-code"]).env("CAVRA_POLICY", "gone.yaml").stdin(read.as_str()).run());
    refused(&home.cavra(&["hook", "claude-code"]).env("CLAUDE_PROJECT_DIR", "/nowhere").stdin(read.as_str()).run());
}

#[test]
fn large_events() {
    let home = Home::new();
    let content =
        |size: usize| event(&home, "Write", json!({"file_path": home.at("big.txt"), "content": "x".repeat(size)}));
    judged(&home, &content(3_000_000), "none");
    refused(&home.cavra(&["hook", "claude-code"]).stdin(content(40_000_000).to_string()).run());
    let command = event(&home, "Bash", json!({"command": format!("pytest {}", "x".repeat(200_000))}));
    let output = home.cavra(&["hook", "claude-code"]).stdin(command.to_string()).run();
    let (decision, _) = verdict(&output);
    assert_ne!(decision, "allow", "a command over 64 KiB");
    let many = event(&home, "Bash", json!({"command": "make;".repeat(12_000)}));
    let output = home.cavra(&["hook", "claude-code"]).stdin(many.to_string()).run();
    assert_ne!(verdict(&output).0, "allow");
}

#[test]
fn the_deadline_refuses() {
    let home = Home::new();
    let took = |milliseconds: u64, input: &str| {
        let deadline = milliseconds.to_string();
        let hook = home.cavra(&["hook", "claude-code"]).env("CAVRA_HOOK_DEADLINE_MS", &deadline);
        let output = hook.hold_stdin_open().stdin(input).run();
        refused(&output);
        assert!(verdict(&output).1.ends_with(": no decision in time"), "{output:?}");
        assert!(output.took >= Duration::from_millis(milliseconds), "{:?}", output.took);
        output.took
    };
    let short = ["", "{\"hook_event_name\": \"PreToolUse\", "].map(|input| took(300, input));
    // Longer than the default, so that it is the setting that counts.
    let long = took(8_000, "");
    assert!(short.iter().all(|short| *short < long), "{short:?} {long:?}");
    for wrong in ["soon", "-1", "1.5"] {
        let good = event(&home, "Read", json!({"file_path": home.at("README.md")})).to_string();
        refused(&home.cavra(&["hook", "claude-code"]).env("CAVRA_HOOK_DEADLINE_MS", wrong).stdin(good).run());
    }
}

#[test]
fn policies_and_stores_that_do_not_work_refuse() {
    let home = Home::new();
    let good = event(&home, "Read", json!({"file_path": home.at("README.md")})).to_string();
    home.write("broken.yaml", "metadata: [\n");
    home.write("malformed.yaml", pack_yaml("cavra-x", "filesystem:\n  block_read: x\n"));
    home.write("orphan.yaml", pack_yaml("cavra-x", "  inherits: cavra-nobody\n"));
    for policy in ["broken.yaml", "malformed.yaml", "orphan.yaml", "missing.yaml", "/dev/null", "."] {
        println!("-- {policy}");
        refused(&home.cavra(&["hook", "claude-code"]).env("CAVRA_POLICY", policy).stdin(good.as_str()).run());
        refused(&home.cavra(&["hook", "claude-code", "--policy-file", policy]).stdin(good.as_str()).run());
    }
    refused(&home.cavra(&["hook", "claude-code", "--policy-pack", "cavra-nobody"]).stdin(good.as_str()).run());
    home.write("file", "x");
    for (name, path) in
        [("CAVRA_ACTIVITY_STORE", "file/activity.json"), ("CAVRA_ACTIVITY_DB", "file/a.db"), ("CAVRA_ACTIVITY_DB", ".")]
    {
        refused(&home.cavra(&["hook", "claude-code"]).env(name, path).stdin(good.as_str()).run());
    }
    home.write("torn.json", "{\"decisions\": [");
    refused(&home.cavra(&["hook", "claude-code"]).env("CAVRA_ACTIVITY_STORE", "torn.json").stdin(good.as_str()).run());
    assert_eq!(home.read("torn.json"), "{\"decisions\": [");
    let output = home.cavra(&["hook", "claude-code"]).env("CAVRA_CACHE_DIR", "file/cache").stdin(good).run();
    assert_eq!(verdict(&output).0, "none", "a cache that cannot be written only costs time");
}

#[test]
fn the_pack_file_decides() {
    let home = Home::new();
    let rules = format!(
        "  inherits: {BASELINE}\nfilesystem:\n  block_read: [mine.txt]\nmcp:\n  allowed_servers: [github, \"my__server\"]\n"
    );
    home.write("policy.yaml", pack_yaml("cavra-mine", &rules));
    let judge = |tool: &str, input: Value| {
        let output = home
            .cavra(&["hook", "claude-code"])
            .env("CAVRA_POLICY", "policy.yaml")
            .stdin(event(&home, tool, input).to_string());
        verdict(&output.run()).0
    };
    assert_eq!(judge("Read", json!({"file_path": home.at("mine.txt")})), "deny");
    assert_eq!(judge("Read", json!({"file_path": home.at("other.txt")})), "none");
    assert_eq!(judge("mcp__github__create_issue", json!({})), "allow");
    assert_eq!(judge("mcp__gitlab__create_issue", json!({})), "deny");
    let mut named = event(&home, "mcp__my__server__tool", json!({}));
    named["mcp_server"] = json!({"name": "my__server", "source": "project"});
    let output = home.cavra(&["hook", "claude-code"]).env("CAVRA_POLICY", "policy.yaml").stdin(named.to_string());
    assert_eq!(verdict(&output.run()).0, "allow", "the event says where the name ends");
    let unknown = home.cavra(&["hook", "some-agent"]).stdin("{}").run().exits(2);
    assert!(unknown.stdout.is_empty());
}

/// docs/reference/decisions-and-policy.md, section 5: records say which policy decided by its name, not where its file lies.
#[test]
fn a_pack_file_is_called_by_its_name() {
    let home = Home::new();
    let rules = format!("  inherits: {BASELINE}\n");
    home.write("somewhere/mine.yaml", pack_yaml("cavra-mine", &rules));
    home.write("somewhere/nameless.yaml", format!("metadata:\n{rules}"));
    let mine = home.at("somewhere/mine.yaml");
    for (file, pack) in [(mine.clone(), "cavra-mine"), (home.at("somewhere/nameless.yaml"), "unnamed-policy")] {
        let hook = home.cavra(&["hook", "claude-code", "--policy-file", &file]);
        hook.stdin(event(&home, "Read", json!({"file_path": home.at(".env")})).to_string()).run().exits(2);
        let record =
            home.cavra(&["evaluate", "read_file", ".env", "--json"]).env("CAVRA_POLICY", &file).run().ok().json();
        assert_eq!([&record["policy_pack"], &record["policy_id"]], [pack, pack]);
    }
    let stored = home.read(".cavra/api/activity.json");
    assert!(!stored.contains("somewhere"), "{stored}");
    let server = home.serve(&[]);
    for (pack, decisions) in [("cavra-mine", 1), ("unnamed-policy", 1), (BASELINE, 0)] {
        let found = server.get(&format!("/decisions?policy_pack={pack}")).ok();
        assert_eq!(found["total"], decisions, "{pack}");
    }
    assert_eq!(server.get("/sessions?policy_pack=unnamed-policy").ok()["total"], 1, "of the latest decision");
    let replayed = home.cavra(&["evidence", "replay", "--days", "7", "--json"]).run().ok().json();
    assert_eq!((&replayed["equal"], &replayed["decisions"]), (&json!(2), &json!(2)), "{replayed}");
    // An approval asked for under the file covers the same action under it.
    let needs = ["evaluate", "write_file", "iam/x.tf", "--session-id", "s1", "--json"];
    let asked = home.cavra(&needs).env("CAVRA_POLICY", &mine).run().ok();
    assert_eq!(asked.json()["decision"], "require_approval");
    home.write("decision.json", &asked.stdout);
    let created = home.cavra(&["approval", "create", "decision.json", "--requested-by", "dev"]).run().ok().json();
    let approve = ["approval", "approve", text(&created, "approval_id"), "--actor", "sec", "--reason", "fine"];
    home.cavra(&approve).run().ok();
    assert_eq!(home.cavra(&needs).env("CAVRA_POLICY", &mine).run().ok().json()["decision"], "allow");
}
