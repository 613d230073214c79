//! `cavra policy …` and `cavra demo …`. docs/reference/decisions-and-policy.md, sections 9 and 12; 30, sections 3 and 4.

use serde_json::{Value, json};

use crate::support::{BASELINE, Home, assert_id, canonical, on_both, pack_yaml, repository, sha256, strings, text};

#[test]
fn list_and_describe() {
    let home = Home::new();
    let plain = home.cavra(&["policy", "list"]).run().ok().stdout;
    assert_eq!(plain.lines().count(), 17);
    assert!(plain.lines().any(|line| line.starts_with(BASELINE) && line.contains("AI agent baseline")), "{plain}");
    let listed = home.cavra(&["policy", "list", "--json"]).run().ok().json();
    assert_eq!((listed.as_array().unwrap().len(), &listed[1]["id"]), (17, &json!(BASELINE)));
    let described = home.cavra(&["policy", "describe", "cavra-hipaa"]).run().ok().stdout;
    let written: Value = serde_norway::from_str(
        &std::fs::read_to_string(repository().join("policies/cavra-hipaa/policy.yaml")).unwrap(),
    )
    .unwrap();
    for member in ["title", "version", "description"] {
        assert!(described.contains(text(&written["metadata"], member)), "{member}: {described}");
    }
    let rules: Value = serde_json::from_str(&described[described.find('{').unwrap()..]).unwrap();
    assert_eq!(rules["filesystem"], written["filesystem"]);
    let described = home.cavra(&["policy", "describe", "cavra-hipaa", "--json"]).run().ok().json();
    assert_eq!(described["rules"]["commands"], written["commands"]);
    for unknown in ["cavra-nobody", "../x", ""] {
        home.cavra(&["policy", "describe", unknown]).run().fails();
    }
}

#[test]
fn validate() {
    let home = Home::new();
    let shipped = repository().join("policies/cavra-hipaa");
    for path in [shipped.clone(), shipped.join("policy.yaml")] {
        let output = home.cavra(&["policy", "validate", path.to_str().unwrap()]).run().ok();
        assert_eq!(output.stdout, "valid cavra-hipaa\n");
    }
    let wrong = "metadata:\n  id: Wrong\n  title: \"\"\n  version: \"1\"\n  mode: lenient\n\
        filesystem:\n  block_read: x\n  surprise: [a]\ncommands:\n  allow: [a, a, 5]\n  block: [\"\"]\ncompliance:\n  maps_to: [1]\n";
    home.write("wrong.yaml", wrong);
    let output = home.cavra(&["policy", "validate", "wrong.yaml"]).run().exits(1);
    let said = format!("{}{}", output.stdout, output.stderr);
    let lines: Vec<&str> = said.lines().filter(|line| line.contains(": ")).collect();
    for path in [
        "metadata",
        "metadata.id",
        "metadata.title",
        "metadata.mode",
        "filesystem",
        "filesystem.block_read",
        "commands.allow",
        "commands.block",
        "compliance.maps_to",
    ] {
        assert!(lines.iter().any(|line| line.starts_with(path)), "{path}: {said}");
    }
    let mut sorted = lines.clone();
    sorted.sort_by_key(|line| line.split(": ").next().unwrap().to_owned());
    assert_eq!(lines, sorted, "sorted by path");
    home.write("root.yaml", "filesystem: {}\n");
    let output = home.cavra(&["policy", "validate", "root.yaml"]).run().exits(1);
    assert!(format!("{}{}", output.stdout, output.stderr).contains("<root>: "), "{output:?}");
    let errors = home.cavra(&["policy", "validate", "wrong.yaml", "--json"]).run().exits(1).json();
    assert!(errors["valid"] == false && strings(&errors["errors"]).len() >= 9, "{errors}");
    home.write("broken.yaml", "metadata: [\n");
    home.write("list.yaml", "- a\n");
    home.write("orphan.yaml", pack_yaml("cavra-orphan", "  inherits: cavra-nobody\n"));
    home.write("itself.yaml", pack_yaml("cavra-itself", "  inherits: cavra-itself\n"));
    for (path, said) in [
        ("broken.yaml", "<root>: "),
        ("missing.yaml", "<root>: "),
        ("list.yaml", "<root>: must be a mapping"),
        ("orphan.yaml", "metadata.inherits: "),
        ("itself.yaml", "metadata.inherits: policy pack `cavra-itself` inherits itself"),
    ] {
        let output = home.cavra(&["policy", "validate", path]).run().exits(1);
        assert!(output.stdout.starts_with(said), "{path}: {output:?}");
        assert_eq!(output.stdout.lines().count(), 1, "{path}: {output:?}");
    }
    home.write("bomb.yaml", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n");
    std::fs::create_dir(home.join("empty")).unwrap();
    for path in ["broken.yaml", "list.yaml", "orphan.yaml", "bomb.yaml", "missing.yaml", "empty", "no/such/dir"] {
        let output = home.cavra(&["policy", "validate", path]).run().exits(1);
        assert!(!output.stdout.is_empty() || !output.stderr.is_empty(), "{path}");
        assert!(!output.stderr.contains("panicked"), "{output:?}");
    }
    // JSON is valid YAML; unknown sections and metadata are permitted.
    home.write("json.yaml", json!({"metadata": {"id": "cavra-j", "title": "t", "description": "d", "version": "1", "owner": 5}, "extra": [1]}).to_string());
    assert_eq!(home.cavra(&["policy", "validate", "json.yaml"]).run().ok().stdout, "valid cavra-j\n");
}

/// What a policy says in vain is told; with `--strict` it is an error.
#[test]
fn validate_tells_what_no_engine_reads() {
    let home = Home::new();
    for (rest, path, word) in [
        ("filesytem: {block_read: [\"private/*\"]}\n", "filesytem: ", "`filesystem`"),
        ("inherits: cavra-ai-agent-baseline\n", "inherits: ", "`metadata.inherits`"),
        ("policy: {commands: {block: [x]}}\n", "policy: ", "`commands`"),
        ("filesystem: {block_read: [\" .env\"]}\n", "filesystem.block_read.0: ", "`.env`"),
        ("commands: {block: ['rm “x”']}\n", "commands.block.0: ", "U+201C"),
        ("git: {block_push_branchs: [x]}\n", "git.block_push_branchs: ", "`block_push_branches`"),
    ] {
        home.write("p.yaml", pack_yaml("cavra-p", rest));
        let output = home.cavra(&["policy", "validate", "p.yaml"]).run().ok();
        assert_eq!(output.stdout, "valid cavra-p\n", "{rest}");
        let told = output.stderr.lines().filter(|line| line.starts_with(&format!("warning: {path}")));
        assert!(told.clone().count() == 1 && told.clone().all(|line| line.contains(word)), "{rest}: {output:?}");
        let output = home.cavra(&["policy", "validate", "--strict", "p.yaml"]).run().exits(1);
        assert!(output.stdout.starts_with(path) && output.stdout.contains(word), "{rest}: {output:?}");
        let report = home.cavra(&["policy", "validate", "--json", "p.yaml"]).run().ok().json();
        assert!(report["valid"] == true && strings(&report["warnings"]).len() == 1, "{report}");
        let report = home.cavra(&["policy", "validate", "--json", "--strict", "p.yaml"]).run().exits(1).json();
        assert!(report["valid"] == false && strings(&report["errors"]).len() == 1, "{report}");
    }
    home.write("notes.yaml", pack_yaml("cavra-p", "x-notes: {filesystem: {block_read: [' a']}}\n"));
    let output = home.cavra(&["policy", "validate", "--strict", "notes.yaml"]).run().ok();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("valid cavra-p\n", ""));
    for shipped in std::fs::read_dir(repository().join("policies")).unwrap().map(|entry| entry.unwrap().path()) {
        if shipped.is_dir() {
            home.cavra(&["policy", "validate", "--strict", shipped.to_str().unwrap()]).run().ok();
        }
    }
    // As editors on Windows write it.
    home.write("mark.yaml", format!("\u{feff}{}", pack_yaml("cavra-p", "filesystem: {block_read: [a]}\n")));
    assert_eq!(home.cavra(&["policy", "validate", "--strict", "mark.yaml"]).run().ok().stdout, "valid cavra-p\n");
    let wide: Vec<u8> = "\u{feff}metadata: {}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    home.write("wide.yaml", wide);
    assert!(home.cavra(&["policy", "validate", "wide.yaml"]).run().exits(1).stdout.contains("save it as UTF-8"));
}

/// `policy test` runs the cases that lie beside a pack, wherever the pack is.
#[test]
fn test_runs_the_cases_beside_a_pack() {
    let home = Home::new();
    let (name, packs) = home.packs();
    home.pack(
        "cavra-own",
        &pack_yaml("cavra-own", "  inherits: cavra-ai-agent-baseline\nmcp: {allowed_servers: [docs]}\n"),
    );
    let cases = |cases: &str| home.write("packs/cavra-own/tests.yaml", format!("cases:\n{cases}"));
    cases(
        "  - {name: secrets, action_type: read_file, target: .env, expect: block, rule_id: filesystem.read.block}\n\
         \x20 - {name: server, action_type: mcp_tool_call, server: docs, tool: find, expect: allow}\n\
         \x20 - {name: branch, action_type: git_operation, operation: force_push, target: origin/main, expect: block}\n",
    );
    let by_name = ["--policy-pack", "cavra-own"];
    for reference in [by_name, ["--policy-file", "packs/cavra-own"], ["--policy-file", "packs/cavra-own/policy.yaml"]] {
        let output = home.cavra(&[&["policy", "test"][..], &reference].concat()).env(name, &packs).run().ok();
        let lines: Vec<_> = output.stdout.lines().collect();
        assert!(lines.len() == 8 && lines.iter().all(|line| line.starts_with("PASS")), "{reference:?} {output:?}");
    }
    let test = || home.cavra(&["policy", "test", "--json", by_name[0], by_name[1]]).env(name, &packs).run();
    let report = test().ok().json();
    let own: Vec<_> = report["results"].as_array().unwrap().iter().filter(|row| row["suite"] == "tests.yaml").collect();
    assert!(own.len() == 3 && own[0]["rule_id"] == "filesystem.read.block", "{report}");
    for (wrong, told) in [
        ("  - {name: a, action_type: read_file, target: x, expect: block}\n", "\"passed\": false"),
        ("  - {name: a, action_type: read_file, target: .env, expect: block, rule_id: other}\n", "\"passed\": false"),
        ("  - {name: a, action_type: read_file, expect: allow}\n", "\"passed\": false"),
        ("  - {name: a, action_type: read_file, target: .env, expects: block}\n", "unknown field `expects`"),
        ("  - {name: a, action_type: reed_file, target: .env, expect: block}\n", "unknown variant `reed_file`"),
        ("  x\n", "invalid type"),
    ] {
        cases(wrong);
        let output = test().exits(1);
        assert!(format!("{}{}", output.stdout, output.stderr).contains(told), "{wrong}: {output:?}");
    }
}

#[test]
fn test_checks_five_promises() {
    let home = Home::new();
    for pack in ["cavra-ai-agent-baseline", "cavra-banking-baseline", "cavra-mcp-enterprise"] {
        let output = home.cavra(&["policy", "test", "--policy-pack", pack]).run().ok();
        assert_eq!(output.stdout.lines().filter(|line| line.starts_with("PASS")).count(), 5, "{output:?}");
    }
    home.pack("cavra-lax", &pack_yaml("cavra-lax", "commands:\n  allow: [\"terraform *\"]\n"));
    let (name, packs) = home.packs();
    let output = home.cavra(&["policy", "test", "--policy-pack", "cavra-lax"]).env(name, &packs).run().exits(1);
    let count = |word: &str| output.stdout.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!((count("PASS"), count("FAIL")), (3, 2), "{output:?}");
    home.cavra(&["policy", "test", "--policy-pack", "cavra-nobody"]).run().fails();
}

#[test]
fn explain_is_the_decision() {
    let home = Home::new();
    for (action, target, rule) in [
        ("read_file", ".env", "filesystem.read.block"),
        ("git_operation", "origin/main", "git.protected_branch.block_direct_push"),
        ("git_operation", "origin/x", "git.allow"),
        ("mcp_tool_call", "files", "mcp.server.trust.block_unknown"),
        ("execute_command", "pytest", "commands.allow"),
    ] {
        let record = home.cavra(&["policy", "explain", action, target, "--policy-pack", BASELINE]).run().ok().json();
        assert_eq!((text(&record, "rule_id"), text(&record, "action_type")), (rule, action));
        assert_eq!(record["schema_version"], "cavra.decision.v1");
    }
    home.cavra(&["policy", "explain", "delete_file", "x"]).run().exits(2);
}

#[test]
fn compile_and_diff() {
    let home = Home::new();
    let compiled = home.cavra(&["policy", "compile"]).run().ok().json();
    let evaluated = home.cavra(&["evaluate", "read_file", "a", "--json"]).run().ok().json();
    assert_eq!(evaluated["policy_digest"], sha256(canonical(&compiled)));
    home.write(
        "one.yaml",
        pack_yaml("cavra-one", "filesystem:\n  block_read: [zz-one]\nmcp:\n  allowed_servers: [one]\n"),
    );
    home.write("two.yaml", pack_yaml("cavra-two", "filesystem:\n  block_read: [aa-two]\nextra: {deep: 1}\n"));
    let merged = home.cavra(&["policy", "compile", "--overlay", "one.yaml", "--overlay", "two.yaml"]).run().ok().json();
    let reads = strings(&merged["filesystem"]["block_read"]);
    assert!(
        reads.is_sorted() && ["zz-one", "aa-two", "**/.env"].iter().all(|wanted| reads.contains(wanted)),
        "{reads:?}"
    );
    assert_eq!((&merged["metadata"]["id"], &merged["mcp"]["allowed_servers"]), (&json!("cavra-two"), &json!(["one"])));
    home.write("bad.yaml", pack_yaml("cavra-bad", "filesystem:\n  block_read: 5\n"));
    for arguments in
        [&["--overlay", "bad.yaml"][..], &["--overlay", "missing.yaml"], &["--policy-pack", "cavra-nobody"]]
    {
        let output = home.cavra(&[&["policy", "compile"], arguments].concat()).run().fails();
        assert!(output.stdout.is_empty());
    }
    // An overlay need not say who it is; what comes of it has to be a policy that could be published.
    for (overlay, fine) in [
        ("commands: {block: [mine]}", true),
        ("metadata: {version: \"9\"}", true),
        ("metadata: {title: \"\"}", false),
        ("metadata: {mode: foo}", false),
        ("metadata: {id: Evil}", false),
        ("compliance: {maps_to: 5}", false),
        ("- a", false),
    ] {
        home.write("part.yaml", overlay);
        let output = home.cavra(&["policy", "compile", "--overlay", "part.yaml"]).run();
        assert_eq!((output.code, output.stdout.is_empty()), (i32::from(!fine), !fine), "{overlay}: {output:?}");
    }
    home.pack("cavra-zz", "metadata: {id: cavra-zz}\n");
    let (name, packs) = home.packs();
    let output = home.cavra(&["policy", "compile", "--policy-pack", "cavra-zz"]).env(name, &packs).run().exits(1);
    assert!(output.stdout.is_empty() && output.stderr.contains("`title` is missing"), "{output:?}");
    home.write(
        "left/policy.yaml",
        pack_yaml(
            "cavra-x",
            "git: {require_pull_request: true}\na: {b: {c: 1, d: 2}, gone: x}\ncommands:\n  allow: [p]\n",
        ),
    );
    home.write(
        "right/policy.yaml",
        pack_yaml(
            "cavra-x",
            "git: {require_pull_request: false}\na: {b: {c: 1, d: 3, e: 4}}\ncommands:\n  allow: [p]\n",
        ),
    );
    let diff = home.cavra(&["policy", "diff", "left", "right"]).run().ok().json();
    assert_eq!(
        diff,
        json!({"added": ["a.b.e"], "removed": ["a.gone"], "changed": ["a.b.d", "git.require_pull_request"]})
    );
    let same = home.cavra(&["policy", "diff", BASELINE, BASELINE]).run().ok().json();
    assert_eq!(same, json!({"added": [], "removed": [], "changed": []}));
    home.cavra(&["policy", "diff", BASELINE, "cavra-nobody"]).run().fails();
}

#[test]
fn a_starter_pack_is_valid_and_keeps_the_promises() {
    let home = Home::new();
    home.cavra(&["policy", "init"]).run().ok();
    assert!(home.cavra(&["policy", "validate", ".cavra/policy.yaml"]).run().ok().stdout.starts_with("valid cavra-"));
    let checked = home.cavra(&["policy", "test"]).env("CAVRA_POLICY", ".cavra/policy.yaml").run().ok().stdout;
    assert_eq!(checked.lines().filter(|line| line.starts_with("PASS")).count(), 5);
    home.write(".cavra/policy.yaml", "mine");
    home.cavra(&["policy", "init"]).run().fails();
    assert_eq!(home.read(".cavra/policy.yaml"), "mine", "an existing pack is left alone");
    home.cavra(&["policy", "init", "--destination", "a/b/mine.yaml"]).run().ok();
    home.cavra(&["policy", "validate", "a/b/mine.yaml"]).run().ok();
}

/// A pack with a row about a tool, and what it allows.
fn tool_pack(id: &str, inherits: &str, row: &str) -> String {
    pack_yaml(id, &format!("  inherits: {inherits}\neffects:\n  allow: [read repository]\n  programs: [{row}]\n"))
}

const NOTES: &str = r#"{program: notes, operands: [reads*], tests: [{args: a, reads: [a], known: true},
    {args: "a b", reads: [a, b]}, {args: -x, unknown: true}]}"#;

/// Rows of packs count wherever the pack decides, and are recorded and replayed with the decision.
#[test]
fn a_pack_describes_its_own_tools() {
    on_both(|backend| {
        let home = Home::new();
        home.pack("cavra-tools", &tool_pack("cavra-tools", BASELINE, NOTES));
        home.pack("cavra-child", &pack_yaml("cavra-child", "  inherits: cavra-tools\n"));
        let settings = [backend.setting(&home), home.packs()];
        let named: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let server = home.serve(&named);
        let decide = |pack: &str, command: &str| {
            server.decide(&json!({"action_type": "execute_command", "target": command, "policy_pack": pack}))
        };
        let mut tables = Vec::new();
        for (pack, command, decision) in [
            ("cavra-tools", "notes a.txt", "allow"),
            ("cavra-child", "cd docs && notes a.txt", "allow"),
            ("cavra-child", "notes .env", "block"),
            ("cavra-child", "notes -x a.txt", "require_approval"),
            ("cavra-child", "npx notes a.txt", "require_approval"),
            (BASELINE, "notes a.txt", "require_approval"),
        ] {
            let decided = decide(pack, command);
            assert_eq!(decided["decision"], decision, "{pack}: {command}: {decided}");
            tables.push(text(&decided["input"]["effects"], "table").to_owned());
        }
        assert!(tables[0] == tables[3] && tables[0] != tables[5], "{tables:?}");
        assert!(server.terminate().success());
        let replayed =
            named.iter().fold(home.cavra(&["evidence", "replay", "--days", "1", "--json"]), |run, (name, value)| {
                run.env(name, value)
            });
        let replayed = replayed.run().ok().json();
        assert_eq!((&replayed["equal"], &replayed["different"]), (&json!(6), &json!(0)), "{replayed}");
    });
}

#[test]
fn rows_of_tools_are_held_to_their_tests_and_to_the_table() {
    let home = Home::new();
    let packs = home.packs();
    let validate = |row: &str| {
        home.write("policy.yaml", tool_pack("cavra-tools", BASELINE, row));
        let output = home.cavra(&["policy", "validate", "policy.yaml"]).run();
        format!("{}{}", output.stdout, output.stderr)
    };
    assert_eq!(validate(NOTES), "valid cavra-tools\n");
    for (row, said) in [
        (NOTES.replace("reads*", "writes*"), "effects.programs.0: `notes a`: reads []"),
        (NOTES.replace("notes", "git"), "effects.programs.0: `git`: cavra describes `git` itself"),
        (NOTES.replace("{args: \"a b\", reads: [a, b]}, ", ""), "effects.programs.0: `notes` has fewer than 3 tests"),
        ("{program: notes, flag: q}".to_owned(), "effects.programs.0: has no key `flag`"),
    ] {
        assert!(validate(&row).contains(said), "{row}: {}", validate(&row));
    }
    // `policy test` runs them by name; a row that two packs have differently makes the pack unusable.
    home.pack("cavra-tools", &tool_pack("cavra-tools", BASELINE, NOTES));
    let test = |pack: &str| home.cavra(&["policy", "test", "--policy-pack", pack]).env(packs.0, &packs.1).run();
    assert!(test("cavra-tools").ok().stdout.starts_with("PASS `notes` does what its row says\n"));
    home.pack("cavra-tools", &tool_pack("cavra-tools", BASELINE, &NOTES.replace("reads*", "lists*")));
    assert!(test("cavra-tools").exits(1).stdout.contains("FAIL `notes` does what its row says: `notes a`: "));
    home.pack("cavra-other", &tool_pack("cavra-other", "cavra-tools", NOTES));
    let refused = test("cavra-other").fails();
    assert!(refused.stderr.contains("effects.programs.1: `notes` has two rows"), "{refused:?}");
}

const SCENARIO: [(&str, &str, &str); 7] = [
    ("read_file", ".env", "block"),
    ("write_file", "iam/admin-role.tf", "require_approval"),
    ("execute_command", "terraform plan", "allow"),
    ("execute_command", "terraform apply -auto-approve", "block"),
    ("mcp_tool_call", "unknown-filesystem:read_file", "block"),
    ("git_operation", "origin/main", "block"),
    ("pull_request", "create PR", "allow_with_attestation"),
];

#[test]
fn the_scenario_decides_seven_actions() {
    let home = Home::new();
    for command in [&["policy", "simulate"][..], &["policy", "dry-run"], &["demo", "before-the-agent-acts"]] {
        let output = home.cavra(&[command, &["--output", "bundle"]].concat()).run().ok();
        for (_, target, decision) in SCENARIO {
            let lines: Vec<_> =
                output.stdout.lines().filter(|line| line.contains(decision) && line.contains(target)).collect();
            assert_eq!(lines.len(), 1, "one line for {target}: {}", output.stdout);
        }
        assert!(output.stdout.lines().count() <= 8, "one line each: {}", output.stdout);
        std::fs::remove_dir_all(home.join("bundle")).unwrap();
    }
    home.cavra(&["policy", "simulate", "--policy-pack", "cavra-nobody"]).run().fails();
}

#[test]
fn the_demonstration_leaves_an_evidence_bundle() {
    let home = Home::new();
    let arguments = [
        "demo",
        "before-the-agent-acts",
        "--output",
        "out/bundle",
        "--policy-pack",
        "cavra-banking-baseline",
        "--json",
    ];
    let printed = home.cavra(&arguments).run().ok().json();
    let file = |name: &str| home.read(&format!("out/bundle/{name}"));
    let evidence = home.json("out/bundle/evidence.json");
    assert_eq!((&evidence["product"], &evidence["session_id"]), (&json!("CAVRA"), &printed["session_id"]));
    assert!(text(&evidence, "tagline").len() > 10);
    let decisions = evidence["decisions"].as_array().unwrap();
    assert_eq!(decisions.len(), SCENARIO.len());
    for (record, (action, target, decision)) in decisions.iter().zip(SCENARIO) {
        let found = (text(record, "action_type"), text(record, "target"), text(record, "decision"));
        assert_eq!(found, (action, target, decision));
        assert_id(text(record, "decision_id"), "dec_", 12);
        assert_eq!(record["policy_pack"], "cavra-banking-baseline");
    }
    assert_eq!(decisions[6]["rule_id"], "git.pull_request.allow_with_attestation");
    assert_eq!((&decisions[6]["severity"], &decisions[6]["requested_operation"]), (&json!("medium"), &json!("create")));
    assert_eq!(decisions[4]["rule_id"], "mcp.server.trust.block_unknown", "judged by the pack");
    let manifest = home.json("out/bundle/manifest.json");
    assert_eq!((text(&manifest, "schema_version"), text(&manifest, "product")), ("cavra.evidence.bundle.v1", "CAVRA"));
    let order = [
        "evidence.json",
        "pr-attestation.md",
        "compliance-mapping.md",
        "siem-event.json",
        "sandbox-run-summary.json",
        "retention-policy.json",
    ];
    let listed: Vec<&str> = manifest["files"].as_array().unwrap().iter().map(|entry| text(entry, "path")).collect();
    assert_eq!(listed, order);
    for entry in manifest["files"].as_array().unwrap() {
        let content = file(text(entry, "path"));
        assert_eq!(format!("sha256:{}", text(entry, "sha256")), sha256(&content));
        assert_eq!(entry["bytes"], content.len());
        assert!(
            content.ends_with('\n') && content.is_ascii()
                || content.ends_with('\n') && text(entry, "path").ends_with(".md")
        );
    }
    assert_eq!(std::fs::read_dir(home.join("out/bundle")).unwrap().count(), 7, "nothing else");
    assert_eq!(std::fs::read_dir(home.join("out")).unwrap().count(), 1, "no temporary directory left");
    let mut unsigned = manifest.clone();
    unsigned.as_object_mut().unwrap().remove("signature");
    let spaced = spaced(&unsigned);
    assert_eq!(manifest["signature"]["algorithm"], "SHA256");
    assert_eq!(format!("sha256:{}", text(&manifest["signature"], "value")), sha256(spaced));
    let attestation = file("pr-attestation.md");
    for line in ["- Allowed actions: 2", "- Blocked actions: 4", "- Approval-required actions: 1"] {
        assert!(attestation.lines().any(|found| found == line), "{line}: {attestation}");
    }
    assert!(attestation.contains("CAVRA PR Attestation") && attestation.contains(text(&printed, "session_id")));
    assert!(attestation.contains("- `read_file` `.env` -> **block** via `filesystem.read.block`"), "{attestation}");
    assert!(file("compliance-mapping.md").contains("CAVRA Compliance Mapping"));
    let siem = home.json("out/bundle/siem-event.json");
    assert_eq!((text(&siem, "event_type"), text(&siem, "max_severity")), ("cavra.evidence_bundle", "critical"));
    assert_eq!(
        (&siem["decision_count"], &siem["blocked_count"], &siem["approval_required_count"]),
        (&json!(7), &json!(4), &json!(1))
    );
    let summary = home.json("out/bundle/sandbox-run-summary.json");
    assert_eq!(
        (&summary["events"], &summary["blocked"], &summary["approval_required"]),
        (&json!(7), &json!(4), &json!(1))
    );
    let retention = home.json("out/bundle/retention-policy.json");
    assert_eq!(
        (text(&retention, "schema_version"), &retention["retention_days"]),
        ("cavra.evidence.retention.v1", &json!(2555))
    );
}

/// The spaced canonical form of docs/reference/evidence-and-promotion.md, section 0.1: as the compact one, with blanks after separators.
fn spaced(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|left, right| left.0.cmp(right.0));
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!("{}: {}", canonical(&json!(name)), spaced(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        other => canonical(other),
    }
}

/// What a command does is judged where it would run: in its directory, behind links, and with the branch that is checked out.
#[test]
fn evaluate_looks_at_the_disk() {
    let home = Home::new();
    home.write("iam/role.tf", "");
    home.write(".git/HEAD", "ref: refs/heads/main\n");
    for name in [".git/config", ".git/objects/x", ".git/refs/x"] {
        home.write(name, "");
    }
    let record =
        home.cavra(&["evaluate", "git_operation", "origin", "--operation", "push", "--json"]).run().ok().json();
    assert_eq!(record["rule_id"], "git.allow", "a target is a target: {record}");
    for operation in ["HEAD", "@"] {
        let record = home.cavra(&["evaluate", "git_operation", operation, "--json"]).run().ok().json();
        assert_eq!(record["rule_id"], "git.protected_branch.block_direct_push", "{record}");
    }
    home.write(".git/HEAD", "ref: refs/heads/topic\n");
    let record = home.cavra(&["evaluate", "git_operation", "HEAD", "--json"]).run().ok().json();
    assert_eq!((text(&record, "rule_id"), text(&record, "target")), ("git.allow", "topic"));
}

#[test]
fn explain_shows_what_a_command_does() {
    let home = Home::new();
    let table = home.cavra(&["policy", "explain", "execute_command", "cat a.txt", "--table"]).run().ok().stdout;
    assert!(table.starts_with("require_approval  commands.default.require_approval  cat a.txt"), "{table}");
    let record = home.cavra(&["policy", "explain", "execute_command", "cat a.txt", "--json"]).run().ok().json();
    assert!(record["input"]["effects"]["certainty"].is_array(), "{record}");
    home.cavra(&["policy", "explain", "execute_command", "ls", "--table", "--json"]).run().exits(2);
}

#[test]
fn corpus_prints_figures() {
    let home = Home::new();
    let lines = [
        json!({"command": "terraform validate", "verdict": "allow"}),
        json!({"command": "terraform apply", "verdict": "block"}),
        json!({"command": "make it", "verdict_developer_pack": "ask"}),
        json!({"command": "ls"}),
    ];
    let write = |name: &str, lines: &[Value]| {
        home.write(name, lines.iter().map(|line| format!("{line}\n")).collect::<String>());
    };
    write("good.jsonl", &lines);
    let answer = home.cavra(&["policy", "corpus", "good.jsonl", "--json", "--failures"]).run().ok().json();
    let figures = &answer["figures"];
    for (figure, count) in
        [("lines", 4), ("harmless", 1), ("harmless_allowed", 1), ("effectful_allowed", 0), ("must_block_only_asked", 0)]
    {
        assert_eq!(figures[figure], count, "{figure}: {answer}");
    }
    assert_eq!(answer["failures"], json!([]));
    write("bad.jsonl", &[json!({"command": "terraform validate", "verdict": "ask"})]);
    let failed = home.cavra(&["policy", "corpus", "bad.jsonl", "--failures"]).run().exits(1).stdout;
    assert!(failed.contains("ask -> allow  terraform validate"), "{failed}");
    home.write("none.jsonl", "{\"verdict\": \"allow\"}\n");
    let error = home.cavra(&["policy", "corpus", "none.jsonl"]).run().fails();
    assert!(format!("{error:?}").contains("line 1 is no command"));
}
