//! `cavra version`, `cavra evaluate`, completions and man pages. docs/reference/decisions-and-policy.md, sections 6 and 12.

use serde_json::{Value, json};

use crate::support::{BASELINE, Home, assert_id, assert_timestamp, keys, pack_yaml, text};

#[test]
fn version_completions_and_man_pages() {
    let home = Home::new();
    for said in [&["version"], &["--version"], &["-V"]] {
        assert_eq!(home.cavra(said).run().ok().stdout, format!("cavra {}\n", env!("CARGO_PKG_VERSION")));
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = home.cavra(&["completions", shell]).run().ok().stdout;
        assert!(script.contains("cavra") && script.contains("evaluate") && script.contains("policy-pack"), "{shell}");
    }
    home.cavra(&["man", "pages/man1"]).run().ok();
    let main = home.read("pages/man1/cavra.1");
    assert!(main.contains(".TH") && main.contains("evaluate"));
    let pages = std::fs::read_dir(home.join("pages/man1")).unwrap().count();
    assert!(pages > 15, "{pages} pages");
    home.cavra(&["no-such-command"]).run().exits(2);
    home.cavra(&[]).run().exits(2);
    for help in [&["--help"][..], &["evaluate", "--help"], &["policy", "compile", "--help"]] {
        assert!(home.cavra(help).run().ok().stdout.contains("Usage"), "{help:?}");
    }
}

const SUMMARY: [&str; 7] = [
    "base_decision",
    "break_glass_actor",
    "break_glass_reason_present",
    "effective_decision",
    "evidence_required",
    "mode",
    "mode_reason",
];

#[test]
fn the_json_is_the_decision_and_the_mode_summary() {
    let home = Home::new();
    let answer = home.cavra(&["evaluate", "read_file", ".env", "--json"]).run().ok();
    assert!(answer.stderr.is_empty(), "{answer:?}");
    let record = answer.json();
    for member in SUMMARY {
        assert!(record.get(member).is_some(), "{member}");
    }
    assert_id(text(&record, "decision_id"), "dec_", 12);
    assert_timestamp(text(&record, "timestamp"));
    assert_eq!(record["schema_version"], "cavra.decision.v1");
    assert_eq!((text(&record, "session_id"), text(&record, "agent_id")), ("local", "unknown-agent"));
    assert_eq!((text(&record, "actor"), text(&record, "repository")), ("ai-agent", "local"));
    assert_eq!(record["evidence_refs"], json!([format!("evidence://local/{}", text(&record, "decision_id"))]));
    let base = &record["base_decision"];
    assert_eq!(base["schema_version"], "cavra.decision.v1");
    let decision: Vec<_> = keys(&record).into_iter().filter(|key| !SUMMARY.contains(key)).collect();
    assert_eq!(keys(base), decision, "the decision again");
    assert!(decision.iter().all(|member| base[member] == record[member]));
    assert_eq!((&record["mode"], &record["effective_decision"]), (&json!("enforce"), &json!("block")));
    assert_eq!((&record["break_glass_actor"], &record["break_glass_reason_present"]), (&json!(null), &json!(false)));
}

#[test]
fn plain_output_is_one_line() {
    let home = Home::new();
    let plain = |arguments: &[&str]| {
        let output = home.cavra(&[&["evaluate"], arguments].concat()).run().ok();
        assert_eq!(output.stdout.lines().count(), 1, "{output:?}");
        output.stdout.trim_end().to_owned()
    };
    assert!(plain(&["read_file", ".env"]).starts_with("block: "));
    assert!(plain(&["read_file", ".env"]).contains(".env"));
    assert!(plain(&["read_file", "README.md"]).starts_with("allow: "));
    assert!(plain(&["execute_command", "make"]).starts_with("require_approval: "));
    assert!(plain(&["execute_command", "make\nls"]).starts_with("require_approval: "), "a line break forges no line");
    assert!(plain(&["read_file", ".env", "--policy-mode", "audit_only"]).starts_with("audit_only: "));
    assert!(plain(&["read_file", "a", "--policy-mode", "Strict-Regulated"]).starts_with("require_approval: "));
}

#[test]
fn modes_and_exit_codes() {
    let home = Home::new();
    let glass = ["--break-glass-actor", "ada", "--break-glass-reason", "outage"];
    let rows: [(&str, &str, &[&str], &str, bool, i32); 15] = [
        ("read_file", "a", &[], "allow", false, 0),
        ("read_file", ".env", &[], "block", true, 20),
        ("execute_command", "make", &[], "require_approval", true, 10),
        ("read_file", "a", &["--policy-mode", "audit_only"], "audit_only", true, 0),
        ("read_file", ".env", &["--policy-mode", "AUDIT ONLY"], "audit_only", true, 0),
        ("read_file", "a", &["--policy-mode", "strict"], "require_approval", true, 10),
        ("read_file", ".env", &["--policy-mode", "strict"], "block", true, 20),
        ("execute_command", "make", &["--policy-mode", "strict_regulated"], "require_approval", true, 10),
        ("read_file", ".env", &["--policy-mode", "break_glass"], "block", true, 20),
        ("read_file", "a", &["--policy-mode", "break-glass"], "block", true, 20),
        ("read_file", "a", &["--policy-mode", "break_glass", "--break-glass-actor", "ada"], "block", true, 20),
        ("read_file", "a", &["--policy-mode", "break_glass", "--break-glass-reason", "outage"], "block", true, 20),
        (
            "read_file",
            "a",
            &["--policy-mode", "break_glass", "--break-glass-actor", "ada", "--break-glass-reason", "  "],
            "block",
            true,
            20,
        ),
        (
            "read_file",
            ".env",
            &["--policy-mode", "break_glass", glass[0], glass[1], glass[2], glass[3]],
            "allow_with_attestation",
            true,
            0,
        ),
        ("read_file", "a", &["--policy-mode", "enforce", glass[0], glass[1], glass[2], glass[3]], "allow", false, 0),
    ];
    for (action, target, options, effective, evidence, code) in rows {
        let arguments = [&["evaluate", action, target, "--json"], options].concat();
        let record = home.cavra(&arguments).run().ok().json();
        assert_eq!(
            (text(&record, "effective_decision"), &record["evidence_required"]),
            (effective, &json!(evidence)),
            "{arguments:?}"
        );
        assert_eq!(record["decision"], record["base_decision"]["decision"], "{arguments:?}");
        if options.contains(&"outage") {
            assert_eq!(record["break_glass_reason_present"], true);
            assert!(!record.to_string().contains("outage"), "the reason itself is not printed");
        }
        let arguments = [&["evaluate", "--exit-code", action, target], options].concat();
        home.cavra(&arguments).run().exits(code);
    }
}

#[test]
fn every_action_type_has_its_defaults() {
    let home = Home::new();
    let record = |arguments: &[&str]| home.cavra(&[&["evaluate", "--json"], arguments].concat()).run().ok().json();
    let pair = |record: &Value| (text(record, "target").to_owned(), text(record, "requested_operation").to_owned());
    let owned = |target: &str, operation: &str| (target.to_owned(), operation.to_owned());
    assert_eq!(pair(&record(&["read_file", "./a//b"])), owned("a/b", "read"));
    assert_eq!(pair(&record(&["write_file", "a/../b"])), owned("b", "write"));
    assert_eq!(pair(&record(&["execute_command", " ls "])), owned("ls", "ls"));
    assert_eq!(pair(&record(&["git_operation", "origin/x"])), owned("origin/x", "push"));
    assert_eq!(pair(&record(&["mcp_tool_call", "files"])), owned("files:unknown", "filesystem"));
    assert_eq!(pair(&record(&["git_operation", "origin/main", "--operation", "fetch"])), owned("origin/main", "fetch"));
    let called = record(&["mcp_tool_call", "files", "--tool", "read", "--capability", "network"]);
    assert_eq!(pair(&called), owned("files:read", "network"));
    let said = record(&[
        "read_file",
        "a",
        "--session-id",
        "s1",
        "--agent-id",
        "claude",
        "--actor",
        "ada",
        "--repository",
        "pay/api",
        "--policy-pack",
        "cavra-hipaa",
    ]);
    for (member, value) in [
        ("session_id", "s1"),
        ("agent_id", "claude"),
        ("actor", "ada"),
        ("repository", "pay/api"),
        ("policy_pack", "cavra-hipaa"),
    ] {
        assert_eq!(said[member], value);
    }
    assert!(!home.exists(".cavra"), "the command line stores nothing");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing at all");
}

#[test]
fn wrong_usage_and_wrong_packs() {
    let home = Home::new();
    for arguments in [
        &["evaluate"][..],
        &["evaluate", "read_file"],
        &["evaluate", "read_file", ""],
        &["policy", "explain", "read_file", ""],
        &["agent", "exec", ""],
        &["evaluate", "delete_file", "a"],
        &["evaluate", "READ_FILE", "a"],
        &["evaluate", "pull_request", "a"],
        &["evaluate", "read_file", "a", "b"],
        &["evaluate", "read_file", "a", "--no-such-option"],
        &["evaluate", "read_file", "a", "--policy-pack"],
    ] {
        let output = home.cavra(arguments).run().exits(2);
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{arguments:?}");
    }
    home.pack("cavra-broken", "metadata: [\n");
    home.pack("cavra-malformed", &pack_yaml("cavra-malformed", "commands:\n  allow: everything\n"));
    home.pack("cavra-orphan", &pack_yaml("cavra-orphan", "  inherits: cavra-nobody\n"));
    let (name, packs) = home.packs();
    for (arguments, exit_code) in [
        (&["--policy-pack", "cavra-nobody"][..], false),
        (&["--policy-pack", "cavra-broken"], true),
        (&["--policy-pack", "cavra-malformed"], true),
        (&["--policy-pack", "cavra-orphan"], true),
        (&["--policy-pack", "../cavra-broken"], false),
        (&["--policy-pack", "/etc"], false),
        (&["--policy-mode", "lenient"], false),
        (&["--policy-mode", ""], false),
    ] {
        for json in [&[][..], &["--json"]] {
            let options: &[&str] = if exit_code { &["--exit-code"] } else { &[] };
            let all = [&["evaluate", "read_file", "a"], arguments, options, json].concat();
            let output = home.cavra(&all).env(name, &packs).run().fails();
            assert!(output.stdout.is_empty(), "{all:?}: {}", output.stdout);
        }
    }
    for target in ["", "   ", "a\nb"] {
        let output = home.cavra(&["evaluate", "read_file", target, "--json"]).run();
        assert!(matches!(output.code, 1 | 2) && output.stdout.is_empty(), "{target:?}: {output:?}");
    }
    let invalid_file =
        home.cavra(&["evaluate", "read_file", "a"]).env("CAVRA_POLICY", home.at("packs/cavra-broken/policy.yaml"));
    assert!(invalid_file.run().fails().stdout.is_empty());
}

#[test]
fn packs_come_from_the_same_places_as_on_the_server() {
    let home = Home::new();
    let decision = |run: crate::support::Output| run.ok().json()["decision"].clone();
    let arguments = ["evaluate", "read_file", "mine", "--json", "--policy-pack", "cavra-mine"];
    home.pack(
        "cavra-mine",
        &pack_yaml("cavra-mine", &format!("  inherits: {BASELINE}\nfilesystem:\n  block_read: [mine]\n")),
    );
    let (name, packs) = home.packs();
    assert_eq!(decision(home.cavra(&arguments).env(name, &packs).run()), "block");
    home.cavra(&arguments).run().fails();
    home.write("policies/cavra-mine/policy.yaml", pack_yaml("cavra-mine", ""));
    assert_eq!(decision(home.cavra(&arguments).run()), "allow", "./policies");
    assert_eq!(decision(home.cavra(&arguments).env(name, &packs).run()), "block", "the variable first");
}
