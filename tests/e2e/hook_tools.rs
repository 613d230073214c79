//! `cavra hook claude-code`: which action a tool is, whose tool it is, and what a search reads.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{BASELINE, Home, pack_yaml, python};

fn event(home: &Home, tool: &str, input: Value) -> Value {
    json!({
        "session_id": "s1", "cwd": home.path(), "permission_mode": "default", "hook_event_name": "PreToolUse",
        "tool_name": tool, "tool_input": input, "tool_use_id": "toolu_1",
    })
}

/// What the hook answers, `none` where it has no objection, and why.
fn answer(home: &Home, event: &Value, environment: &[(&str, &str)]) -> (String, String) {
    let run = environment.iter().fold(home.cavra(&["hook", "claude-code"]), |run, (name, value)| run.env(name, value));
    let answer = run.stdin(event.to_string()).run().json();
    let said = &answer["hookSpecificOutput"];
    let of = |member: &str, without: &str| said[member].as_str().unwrap_or(without).to_owned();
    (of("permissionDecision", "none"), of("permissionDecisionReason", ""))
}

#[track_caller]
fn check(home: &Home, event: &Value, environment: &[(&str, &str)], expected: &str) -> String {
    let (decision, reason) = answer(home, event, environment);
    assert!(expected.split('|').any(|one| one == decision), "{event}: {decision}, not {expected}: {reason}");
    reason
}

fn policy(home: &Home, rules: &str) {
    home.write("policy.yaml", pack_yaml("cavra-mine", &format!("  inherits: {BASELINE}\n{rules}")));
}

const POLICY: &[(&str, &str)] = &[("CAVRA_POLICY", "policy.yaml")];

#[test]
fn every_documented_tool_is_known() {
    let home = Home::new();
    for (tool, input, expected) in [
        ("WebFetch", json!({"url": "https://docs.rs/", "prompt": "p"}), "none"),
        ("WebSearch", json!({"query": "q"}), "none"),
        ("CronCreate", json!({"prompt": "p"}), "none"),
        ("ToolSearch", json!({"query": "q"}), "none"),
        ("Monitor", json!({"command": "terraform apply", "description": "d"}), "deny"),
        ("Monitor", json!({"command": "pytest", "description": "d"}), "allow"),
        ("LSP", json!({"operation": "hover", "filePath": home.at("src/a.rs")}), "none|allow"),
        ("LSP", json!({"operation": "hover", "filePath": home.at(".env")}), "deny"),
        ("SendUserFile", json!({"files": [home.at("a.txt"), home.at("server.pem")]}), "deny"),
        ("Artifact", json!({"file_path": home.at("secrets.json")}), "deny"),
        ("ReadMcpResourceTool", json!({"server": "notes", "uri": "notes://a"}), "deny"),
        ("Teleport", json!({"to": "mars"}), "ask"),
        ("RemoteTrigger", json!({"action": "run"}), "ask"),
    ] {
        check(&home, &event(&home, tool, input), &[], expected);
    }
}

/// What no rule of a policy is about leaves a decision behind all the same.
#[test]
fn what_no_action_stands_for_is_recorded() {
    let home = Home::new();
    for (tool, input, expected, rule) in [
        ("WebFetch", json!({"url": "https://docs.rs/x", "prompt": "p"}), "none", "network.default.allow"),
        ("Teleport", json!({"to": "mars"}), "ask", "agent.tool.unknown"),
        ("Write", json!({"content": "x"}), "deny", "agent.event.refused"),
    ] {
        check(&home, &event(&home, tool, input), &[], expected);
        let stored = home.json(".cavra/api/activity.json");
        let records = stored["decisions"].as_array().unwrap();
        let found = records.iter().filter(|record| record["rule_id"] == rule && record["session_id"] == "s1");
        assert_eq!(found.count(), 1, "{tool}: {stored}");
    }
    let stored = home.read(".cavra/api/activity.json");
    assert!(stored.contains("https://docs.rs/x") && !stored.contains("mars"), "{stored}");
}

/// The one of two statements about a server that can be chosen freely never widens.
#[test]
fn a_server_is_what_launched_it() {
    let home = Home::new();
    policy(
        &home,
        "mcp:\n  allowed_servers: [github, notion, \"plugin:Linear:linear\", \"plugin:jira\", \"project:db\"]\n  blocked_servers: [tracker]\n",
    );
    let call = |tool: &str, server: Value| {
        let mut event = event(&home, tool, json!({}));
        event["mcp_server"] = server;
        event
    };
    let from = |name: &str, source: &str| json!({"name": name, "source": source});
    for (tool, server, expected) in [
        ("mcp__github__x", Value::Null, "allow"),
        ("mcp__github__x", json!({"name": "github"}), "allow"),
        ("mcp__github__x", from("github", "user"), "allow"),
        ("mcp__github__x", from("github", "project"), "allow"),
        ("mcp__github__x", from("github", "somewhere"), "deny"),
        ("mcp__github__x", from("github", "plugin"), "deny"),
        ("mcp__github__x", from("evil", "plugin"), "deny"),
        ("mcp__github__x", from("evil", "project"), "deny"),
        ("mcp__evil__x", from("evil", "plugin"), "deny"),
        ("mcp__evil__x", from("github", "user"), "deny"),
        ("mcp__plugin_Notion_notion__x", from("notion", "plugin"), "deny"),
        ("mcp__plugin_Linear_linear__x", from("linear", "plugin"), "allow"),
        ("mcp__plugin_Linear_linear__x", from("plugin:Linear:linear", "plugin"), "allow"),
        ("mcp__plugin_Evil_linear__x", from("linear", "plugin"), "deny"),
        ("mcp__plugin_Any_jira__x", from("jira", "plugin"), "allow"),
        ("mcp__db__x", from("db", "project"), "allow"),
        ("mcp__db__x", from("db", "user"), "deny"),
        ("mcp__db__x", Value::Null, "deny"),
        ("mcp__github__evil__x", Value::Null, "deny"),
        ("mcp__github__evil__x", from("github", "user"), "allow"),
    ] {
        check(&home, &call(tool, server), POLICY, expected);
    }
    let reason = check(&home, &call("mcp__github__x", from("evil", "plugin")), POLICY, "deny");
    assert!(reason.contains("github (reported as plugin:evil)"), "{reason}");
    policy(&home, "mcp:\n  block_unknown_servers: false\n  blocked_servers: [tracker]\n");
    check(&home, &call("mcp__plugin_P_tracker__x", from("tracker", "plugin")), POLICY, "deny");
    check(&home, &call("mcp__plugin_P_other__x", from("other", "plugin")), POLICY, "none|allow");
}

/// What an allowed server is told to do is judged as if the agent did it itself.
#[test]
fn a_servers_arguments_are_judged() {
    let home = Home::new();
    policy(&home, "filesystem:\n  block_write: [\"deploy/*\"]\nmcp:\n  allowed_servers: [files]\n");
    home.write("deploy/x", "");
    home.write("src/a.rs", "");
    std::os::unix::fs::symlink("deploy", home.join("other")).unwrap();
    for (tool, input, expected) in [
        ("read_file", json!({"path": "src/a.rs"}), "allow|none"),
        ("read_file", json!({"path": ".env"}), "deny"),
        ("read_file", json!({"uri": format!("file://{}", home.at("%2eenv"))}), "deny"),
        ("read_many", json!({"files": [{"path": "a"}, {"path": "b/.env"}]}), "deny"),
        ("write_file", json!({"path": "iam/x.tf"}), "ask"),
        ("write_file", json!({"path": home.at("deploy/x")}), "deny"),
        ("write_file", json!({"path": "other/x"}), "deny"),
        ("write_file", json!({"path": "src/../deploy/y"}), "deny"),
        ("run", json!({"cmd": "terraform", "args": ["apply"]}), "deny"),
        ("push_files", json!({"branch": "main", "files": []}), "deny"),
        ("list_commits", json!({"sha": "main"}), "allow|none"),
    ] {
        let called = event(&home, &format!("mcp__files__{tool}"), input);
        check(&home, &called, POLICY, expected);
    }
}

/// A file is decided by its path, however large it is.
#[test]
fn a_large_file_is_no_reason_to_refuse() {
    let home = Home::new();
    let write = |path: &str| json!({"file_path": home.at(path), "content": "x".repeat(6_000_000)});
    check(&home, &event(&home, "Write", write("big.txt")), &[], "allow|none");
    let reason = check(&home, &event(&home, "Write", write(".github/workflows/ci.yml")), &[], "deny");
    assert!(reason.contains("filesystem.write.block"), "{reason}");
}

/// A refusal names all that is in the way, and a glob that leaves it out and nothing else.
#[test]
fn a_refused_search_says_how_to_search() {
    let home = Home::new();
    for number in 0..30 {
        home.write(&format!("tests/certs/{number}.key"), "x");
    }
    for file in ["src/a.py", "src/b.rs", "certs/server.pem", "conf/secrets.json", "conf/other.json", ".env"] {
        home.write(file, "x");
    }
    let grep = |input: Value| {
        let mut input = input;
        input["pattern"] = json!("x");
        event(&home, "Grep", input)
    };
    for input in [
        json!({"type": "py"}),
        json!({"type": "rust", "path": "src"}),
        json!({"glob": "!{*.{pem,key},.env,secrets.json}"}),
        json!({"glob": "!*.{pem,key} !.env !secrets.*"}),
        json!({"glob": "!*.pem,!*.key,!.env,!secrets.json"}),
        json!({"glob": "*.{py,rs}"}),
        json!({"glob": "src/**"}),
        json!({"glob": "*.json !secrets.json"}),
        json!({"type": "json", "glob": "!secrets.json"}),
    ] {
        check(&home, &grep(input), &[], "allow|none");
    }
    for input in [json!({"type": "json"}), json!({"type": "no-such-type"}), json!({"glob": "**/*.key", "type": "py"})] {
        check(&home, &grep(input), &[], "deny");
    }
    for (input, glob) in [
        (json!({}), "!{*.key,*.pem,.env,secrets.json}"),
        (json!({"path": "conf"}), "!secrets.json"),
        (json!({"glob": "*.json"}), "*.json !secrets.json"),
    ] {
        let reason = check(&home, &grep(input.clone()), &[], "deny");
        assert!(reason.contains(&format!("with the glob `{glob}`")), "{reason}");
        let mut again = input;
        again["glob"] = json!(glob);
        check(&home, &grep(again), &[], "allow|none");
    }
    let reason = check(&home, &grep(json!({})), &[], "deny");
    assert!(reason.contains("and 23 more"), "{reason}");
}

/// Work in the hook does not grow with the tree beyond a bound.
#[test]
fn a_search_of_a_large_tree_is_answered() {
    let home = Home::new();
    for folder in 0..210 {
        std::fs::create_dir_all(home.join(&format!("d{folder}"))).unwrap();
        for file in 0..100 {
            std::fs::write(home.join(&format!("d{folder}/f{file}.txt")), "").unwrap();
        }
    }
    let search = event(&home, "Grep", json!({"pattern": "x"}));
    check(&home, &search, &[], "allow|none|ask");
    let started = Instant::now();
    check(&home, &search, &[], "allow|none|ask");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

/// Files that ripgrep reads, called as the agent calls it.
fn ripgrep(program: &Path, home: &Home, path: &str, glob: &str, kind: Option<&str>) -> Vec<String> {
    let mut command = Command::new(program);
    command.current_dir(home.path()).args(["--hidden", "--glob", "!.git", "--files-with-matches"]);
    for word in glob.split_whitespace() {
        let parts = if word.contains('{') { vec![word] } else { word.split(',').collect() };
        command.args(parts.into_iter().flat_map(|part| ["--glob", part]));
    }
    command.args(kind.iter().flat_map(|kind| ["--type", kind]));
    let said = String::from_utf8(command.args(["needle", path]).output().unwrap().stdout).unwrap();
    let mut read: Vec<String> = said.lines().map(|line| line.trim_start_matches("./").to_owned()).collect();
    read.sort_unstable();
    read
}

/// Files that the hook says the search would read, all of which are protected.
fn modelled(home: &Home, path: &str, glob: &str, kind: Option<&str>) -> Vec<String> {
    let mut input = json!({"pattern": "needle", "path": path, "glob": glob});
    kind.iter().for_each(|kind| input["type"] = json!(kind));
    // The hook's own records are not there for ripgrep.
    let elsewhere = Home::new();
    let store = elsewhere.at("activity.json");
    let environment = [POLICY, &[("CAVRA_ACTIVITY_STORE", store.as_str())]].concat();
    let (_, reason) = answer(home, &event(home, "Grep", input), &environment);
    let named = reason.strip_prefix("the search would read ").map_or("", |rest| rest.split(": ").next().unwrap());
    let mut read: Vec<String> = named.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect();
    read.sort_unstable();
    read
}

/// The model of the agent's search against the program that the agent runs.
#[test]
fn the_model_of_a_search_is_ripgrep() {
    let Some(python) = python() else { return };
    let program = python.parent().unwrap().join("rg");
    let home = Home::new();
    // No more than a refusal names.
    for file in [
        "a.py",
        "b.rs",
        "src/c.key",
        "src/deep/d.rs",
        ".hidden/e.key",
        "ignored/f.key",
        "kept/g.key",
        "kept/h.log",
        "node/i.JSON",
        "node/j.json",
    ] {
        home.write(file, "needle");
    }
    home.write(".gitignore", "ignored/\n*.log\n");
    home.write("node/.ignore", "j.json\n");
    home.write("kept/.rgignore", "g.key\n");
    std::fs::create_dir(home.join(".git")).unwrap();
    policy(&home, "filesystem:\n  block_read: [\"*.py\", \"*.rs\", \"*.key\", \"*.log\", \"*.json\", \"*.JSON\"]\n");
    let searches = [
        (".", "", None),
        (".", "*.key", None),
        (".", "!*.{key,rs}", None),
        (".", "*.{key,py}", None),
        (".", "*.py *.rs", None),
        (".", "*.py,*.rs", None),
        (".", "!*.py,!src", None),
        (".", "src/**", None),
        (".", "/src/*.key", None),
        (".", "**/deep/*", None),
        (".", "*.key !c.key", None),
        (".", "!c.key *.key", None),
        (".", "ignored/**", None),
        (".", "*.json", None),
        (".", "[ab].*", None),
        ("src", "", None),
        ("src", "deep/*", None),
        ("src", "src/deep/*", None),
        ("ignored", "", None),
        ("node", "*.json", None),
        (".", "", Some("py")),
        (".", "!src", Some("rust")),
        (".", "*.key", Some("json")),
        (".", "", Some("all")),
    ];
    for (path, glob, kind) in searches {
        let (read, expected) = (modelled(&home, path, glob, kind), ripgrep(&program, &home, path, glob, kind));
        // Where a glob with a folder starts from is not known, so what it may be counts.
        let is_more = glob.contains('/') && path != "." && expected.iter().all(|file| read.contains(file));
        assert!(read == expected || is_more, "{path} {glob} {kind:?}: {read:?}, ripgrep {expected:?}");
    }
}

/// The rules about hosts and files hold for what is fetched, by whichever tool.
#[test]
fn what_is_fetched_is_judged_by_the_rules_about_its_host() {
    let home = Home::new();
    policy(
        &home,
        "filesystem:\n  block_read: [\"**/.env\"]\nmcp:\n  allowed_servers: [browser]\neffects:\n  allow: [network docs.rs read]\n  \
         require_approval: [\"network *.corp.test\"]\n  block: [\"network evil.example\"]\n",
    );
    for (address, fetched, navigated) in [
        ("https://docs.rs/serde", "allow", "allow"),
        ("https://other.example/", "none", "allow"),
        ("https://wiki.corp.test/x?y", "ask", "ask"),
        ("https://me:pw@EVIL.example.:8443/docs.rs", "deny", "deny"),
        ("file:///srv/.env", "deny", "deny"),
    ] {
        let fetch = event(&home, "WebFetch", json!({"url": address, "prompt": "p"}));
        check(&home, &fetch, POLICY, fetched);
        let navigate = event(&home, "mcp__browser__navigate", json!({"url": address}));
        check(&home, &navigate, POLICY, navigated);
    }
    let reason = check(&home, &event(&home, "WebFetch", json!({"url": "http://evil.example"})), POLICY, "deny");
    assert!(reason.contains("network evil.example"), "{reason}");
}
