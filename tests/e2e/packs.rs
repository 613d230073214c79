//! Packs: where they come from, listing, catalog, compliance mappings, inheritance, edits. docs/reference/decisions-and-policy.md, sections 2 and 10.

use serde_json::{Value, json};

use crate::support::{BASELINE, Home, Server, Shared, keys, pack_yaml, repository, strings, text};

static SERVER: Shared = Shared::new();

fn server() -> std::sync::Arc<Server> {
    SERVER.get(|| Home::new().serve(&[]))
}

fn with_packs(home: &Home) -> Server {
    let (name, packs) = home.packs();
    home.serve(&[(name, &packs)])
}

fn ids(listed: &Value) -> Vec<&str> {
    listed.as_array().unwrap().iter().map(|pack| text(pack, "id")).collect()
}

fn item<'a>(items: &'a Value, id: &str) -> &'a Value {
    items.as_array().unwrap().iter().find(|item| item["id"] == id).unwrap_or_else(|| panic!("{id} is not listed"))
}

#[test]
fn shipped_packs_are_listed_as_written() {
    let server = server();
    let listed = server.get("/policy-packs").ok();
    assert_eq!(listed, server.get("/policies").ok());
    let mut sorted = ids(&listed);
    sorted.sort_unstable();
    assert_eq!((ids(&listed), sorted.len()), (sorted, 17));
    for pack in listed.as_array().unwrap() {
        let id = text(pack, "id");
        let written: Value = serde_norway::from_str(
            &std::fs::read_to_string(repository().join(format!("policies/{id}/policy.yaml"))).unwrap(),
        )
        .unwrap();
        assert_eq!(pack["policy"], written, "{id}");
        for member in ["title", "description", "version"] {
            assert_eq!(pack[member], written["metadata"][member], "{id} {member}");
        }
        assert!(["description", "id", "policy", "title", "version"].iter().all(|key| keys(pack).contains(key)));
    }
}

/// Counts as section 10 says, written anew here.
fn count(section: &Value) -> u64 {
    match section {
        Value::Array(items) => items.len() as u64,
        Value::Object(members) => members.values().map(count).sum(),
        Value::Null => 0,
        Value::Bool(flag) => u64::from(*flag),
        Value::Number(number) => u64::from(number.as_f64() != Some(0.0)),
        Value::String(text) => u64::from(!text.is_empty()),
    }
}

#[test]
fn the_catalog_counts_rules() {
    let home = Home::new();
    let yaml = "  inherits: cavra-hipaa\n  mode: audit_only\n\
        filesystem:\n  block_read: [a, b, c]\n  block_write: []\n\
        commands:\n  allow: [x]\n  block: [y, z]\n\
        git:\n  require_pull_request: true\n  require_human_reviewer: false\n  block_push_branches: [r, s]\n  note: \"\"\n\
        mcp:\n  block_unknown_servers: false\n  allowed_servers: [m]\n  risk_scoring: {m: low, n: high}\n  zero: 0\n  five: 5\n\
        approvals:\n  levels: {a: [1, 2], b: {c: [3], d: null}}\n\
        evidence: {}\n";
    home.pack("cavra-counted", &pack_yaml("cavra-counted", yaml));
    let server = with_packs(&home);
    let catalog = server.get("/policy-pack-catalog").ok();
    assert_eq!(keys(&catalog), ["items", "product", "schema_version", "total"]);
    assert_eq!(
        (text(&catalog, "schema_version"), text(&catalog, "product")),
        ("cavra.policy_pack.catalog.v1", "CAVRA")
    );
    assert_eq!(catalog["total"], 18);
    assert_eq!(ids(&catalog["items"]), ids(&server.get("/policy-packs").ok()));
    let counted = item(&catalog["items"], "cavra-counted");
    let expected = json!({
        "policy_id": "cavra-counted", "title": "Title of cavra-counted", "version": "3.2.1", "inherits": "cavra-hipaa",
        "mode": "audit_only",
        "rule_counts": {"filesystem": 3, "commands": 3, "git": 3, "mcp": 4, "approvals": 3, "evidence": 0, "compliance": 0},
    });
    assert_eq!(counted["summary"], expected);
    assert_eq!((&counted["title"], &counted["version"]), (&expected["title"], &expected["version"]));
    assert_eq!(counted["description"], "For a test");
    let listed = server.get("/policy-packs").ok();
    for catalogued in catalog["items"].as_array().unwrap() {
        let policy = &item(&listed, text(catalogued, "id"))["policy"];
        let summary = &catalogued["summary"];
        assert_eq!(
            keys(&summary["rule_counts"]),
            ["approvals", "commands", "compliance", "evidence", "filesystem", "git", "mcp"]
        );
        for (section, found) in summary["rule_counts"].as_object().unwrap() {
            assert_eq!(found, count(&policy[section]), "{} {section}", catalogued["id"]);
        }
        assert_eq!(summary["inherits"], policy["metadata"]["inherits"]);
        assert_eq!(summary["mode"], policy["metadata"]["mode"].as_str().unwrap_or("enforce"));
    }
    assert_eq!(item(&catalog["items"], BASELINE)["summary"]["inherits"], json!(null), "null if none");
}

#[test]
fn compliance_mappings_name_the_controls() {
    let server = server();
    let listed = server.get("/policy-packs").ok();
    let expected: Vec<Value> = listed
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|pack| {
            let controls = pack["policy"]["compliance"]["maps_to"].as_array().cloned().unwrap_or_default();
            controls
                .into_iter()
                .map(|control| json!({"policy_pack": pack["id"], "title": pack["title"], "control": control}))
        })
        .collect();
    assert_eq!(server.get("/compliance/mappings").ok(), json!(expected));
    let hipaa: Vec<_> = expected.iter().filter(|item| item["policy_pack"] == "cavra-hipaa").cloned().collect();
    assert!(!hipaa.is_empty());
    assert_eq!(server.get("/compliance/mappings?policy_pack=cavra-hipaa").ok(), json!(hipaa));
    assert_eq!(server.get("/compliance/mappings?policy_pack=").ok(), json!(expected));
    assert_eq!(server.get("/compliance/mappings?policy_pack=nobody").ok(), json!([]));
    for pack in [
        "hipaa",
        "iso27001",
        "nist-ssdf",
        "owasp-llm-agentic",
        "pci-dss",
        "sox-change-control",
        "eu-ai-act",
        "cloud-iam",
        "kubernetes-prod",
        "agentic-delivery",
    ] {
        assert!(expected.iter().any(|item| item["policy_pack"] == format!("cavra-{pack}")), "{pack}");
    }
}

#[test]
fn odd_directories_do_not_break_the_listing() {
    let home = Home::new();
    home.pack("cavra-good", &pack_yaml("cavra-good", ""));
    home.pack("bare", "metadata: {}\n");
    home.pack("list", "- a\n");
    home.pack("broken", "metadata: [\n");
    home.write("packs/no-policy/readme.txt", "nothing");
    home.write("packs/file.yaml", "metadata: {id: cavra-file}\n");
    std::fs::create_dir_all(home.join("packs/directory/policy.yaml")).unwrap();
    home.pack("malformed", &pack_yaml("cavra-malformed", "commands:\n  block: terraform\n"));
    let server = with_packs(&home);
    let listed = server.get("/policy-packs").ok();
    let found = ids(&listed);
    assert!(found.contains(&"cavra-good") && found.contains(&BASELINE), "{found:?}");
    assert!(!found.contains(&"list") && !found.contains(&"no-policy") && !found.contains(&"cavra-file"), "{found:?}");
    let bare = item(&listed, "bare");
    assert_eq!((&bare["title"], &bare["description"], &bare["version"]), (&json!(null), &json!(null), &json!(null)));
    for name in ["broken", "cavra-malformed"] {
        if let Some(pack) = listed.as_array().unwrap().iter().find(|pack| pack["id"] == name) {
            assert_eq!(pack["valid"], false, "{pack}");
            assert!(!strings(&pack["errors"]).is_empty(), "{pack}");
        }
    }
    assert_eq!(server.get("/policy-pack-catalog").ok()["items"].as_array().unwrap().len(), found.len());
    assert_eq!(server.get("/compliance/mappings").status, 200);
}

/// What is invalid is listed as such and decides nothing, wherever it is asked for. docs/reference/decisions-and-policy.md, section 2.
#[test]
fn an_invalid_pack_decides_nowhere() {
    let home = Home::new();
    let metadata = |member: &str| format!("metadata: {{{member}}}\nfilesystem: {{block_read: [x]}}\n");
    let deep = |level: usize| match level {
        1 => metadata("id: cavra-x"),
        _ => metadata(&format!("inherits: deep-{}", level - 1)),
    };
    let mut invalid = vec![
        ("no-metadata", "filesystem: {block_read: [x]}\n".to_owned()),
        ("bad-metadata", "metadata: []\n".to_owned()),
        ("bad-mode", metadata("mode: weird")),
        ("parent-twice", metadata("inherits: [cavra-hipaa, cavra-hipaa]")),
        ("entry-twice", "metadata: {}\ncommands: {allow: [x, x]}\n".to_owned()),
        ("bad-controls", "metadata: {}\ncompliance: {maps_to: 5}\n".to_owned()),
        ("no-parent", metadata("inherits: nobody")),
        ("own-parent", metadata("inherits: own-parent")),
        ("cycle-a", metadata("inherits: cycle-b")),
        ("cycle-b", metadata("inherits: cycle-a")),
        ("broken-parent", metadata("inherits: bad-mode")),
        ("deep-17", deep(17)),
    ];
    // Texts for readers do not decide.
    let mut valid = vec![
        ("bare", metadata("")),
        ("blank", metadata("title: , version: null")),
        ("odd-texts", metadata("id: Evil, version: 1.0, title: ''")),
    ];
    let names: Vec<String> = (0..17).map(|level| format!("deep-{level}")).collect();
    valid.extend((1..17).map(|level| (names[level].as_str(), deep(level))));
    for (name, yaml) in invalid.iter().chain(&valid) {
        home.pack(name, yaml);
    }
    invalid.push(("unparsable", String::new()));
    home.pack("unparsable", "metadata: [");
    home.write("packs/no-component/policy.wasm", "no component");
    for (name, inherits) in [("no-component", ""), ("of-no-component", "inherits: no-component")] {
        home.pack(name, &metadata(inherits));
        invalid.push((name, String::new()));
    }
    let server = with_packs(&home);
    let (variable, packs) = home.packs();
    for (list, key) in [(server.get("/policy-packs").ok(), ""), (server.get("/policy-pack-catalog").ok(), "items")] {
        let rows = if key.is_empty() { &list } else { &list[key] };
        let row = |name: &str| rows.as_array().unwrap().iter().find(|row| text(row, "id") == name).unwrap();
        for (name, _) in &invalid {
            let row = row(name);
            assert!(row["valid"] == false && !strings(&row["errors"]).is_empty(), "{name}: {row}");
        }
        assert_eq!(rows.as_array().unwrap().iter().filter(|row| row["valid"] == false).count(), invalid.len());
    }
    let listed = home.cavra(&["policy", "list", "--json"]).env(variable, &packs).run().ok().json();
    assert_eq!(listed.as_array().unwrap().iter().filter(|row| row["valid"] == false).count(), invalid.len());
    for (name, _) in &invalid {
        let body = json!({"action_type": "read_file", "target": "a", "policy_pack": name});
        let answer = server.post("/decisions", &body);
        assert_eq!(answer.status, 409, "{name}: {answer:?}");
    }
    for name in ["no-metadata", "bad-mode", "own-parent", "broken-parent", "unparsable"] {
        for command in
            [&["evaluate", "read_file", "a", "--policy-pack", name][..], &["policy", "compile", "--policy-pack", name]]
        {
            let output = home.cavra(command).env(variable, &packs).run().exits(1);
            assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{name}: {output:?}");
        }
        let file = home.at(&format!("packs/{name}/policy.yaml"));
        let output = home.cavra(&["policy", "validate", &file]).env(variable, &packs).run().exits(1);
        assert!(output.stdout.lines().all(|line| line.contains(": ")), "{name}: {output:?}");
        home.cavra(&["evaluate", "read_file", "a"]).env(variable, &packs).env("CAVRA_POLICY", &file).run().exits(1);
    }
    assert_eq!(server.get("/decisions").ok()["total"], 0);
    for name in ["bare", "blank", "odd-texts", "deep-16"] {
        assert_eq!(server.decide_on("read_file", "x", name)["decision"], "block", "{name}");
    }
}

#[test]
fn a_root_lies_over_the_shipped_packs() {
    let home = Home::new();
    home.pack("cavra-hipaa", &pack_yaml("cavra-hipaa", "filesystem:\n  block_read: [\"only-this\"]\n"));
    home.pack("cavra-child", &pack_yaml("cavra-child", "  inherits: cavra-hipaa\n"));
    let server = with_packs(&home);
    assert_eq!(ids(&server.get("/policy-packs").ok()).len(), 18);
    assert_eq!(server.decide_on("read_file", "only-this", "cavra-hipaa")["decision"], "block");
    assert_eq!(server.decide_on("read_file", ".env", "cavra-hipaa")["decision"], "allow", "shadowed as a whole");
    assert_eq!(server.decide_on("read_file", "only-this", "cavra-child")["decision"], "block", "for its children too");
    assert_eq!(server.decide_on("read_file", ".env", BASELINE)["decision"], "block");
    drop(server);
    // Without the variable, `./policies` is the root; a directory that does not exist is none.
    home.write("policies/cavra-local/policy.yaml", pack_yaml("cavra-local", ""));
    for settings in [vec![], vec![("CAVRA_POLICY_DIR", "/nowhere/at/all")], vec![("CAVRA_POLICY_DIR", "")]] {
        let server = home.serve(&settings);
        assert!(ids(&server.get("/policy-packs").ok()).contains(&"cavra-local"), "{settings:?}");
        assert_eq!(server.decide_on("read_file", ".env", "cavra-hipaa")["decision"], "block");
    }
}

#[test]
fn edits_take_effect_at_once() {
    let home = Home::new();
    std::fs::create_dir_all(home.join("packs")).unwrap();
    let server = with_packs(&home);
    let outcome = |target: &str| {
        let body = json!({"action_type": "read_file", "target": target, "policy_pack": "cavra-edited"});
        let answer = server.post("/decisions", &body);
        if answer.status == 200 { text(&answer.json(), "decision").to_owned() } else { answer.status.to_string() }
    };
    let blocks = |pattern: &str| {
        home.pack(
            "cavra-edited",
            &pack_yaml("cavra-edited", &format!("  inherits: cavra-parent\nfilesystem:\n  block_read: [{pattern}]\n")),
        )
    };
    let parent = |pattern: &str| {
        home.pack("cavra-parent", &pack_yaml("cavra-parent", &format!("filesystem:\n  block_read: [{pattern}]\n")))
    };
    assert_eq!(outcome("a"), "404");
    parent("p");
    blocks("a");
    assert_eq!([outcome("a"), outcome("b"), outcome("p")], ["block", "allow", "block"], "a new pack");
    blocks("b");
    assert_eq!([outcome("a"), outcome("b")], ["allow", "block"], "an edit of the same length and second");
    parent("q");
    assert_eq!([outcome("p"), outcome("q")], ["allow", "block"], "an edited parent");
    home.pack("cavra-edited", "metadata: [\n");
    assert_eq!(outcome("b"), "block", "broken by an edit, it decides as before");
    blocks("c");
    assert_eq!([outcome("b"), outcome("c")], ["allow", "block"], "and mended");
    let replaced = home.write("new.yaml", pack_yaml("cavra-edited", "filesystem:\n  block_read: [d]\n"));
    std::fs::rename(replaced, home.join("packs/cavra-edited/policy.yaml")).unwrap();
    assert_eq!([outcome("c"), outcome("d")], ["allow", "block"], "replaced by a rename");
    std::fs::remove_dir_all(home.join("packs/cavra-edited")).unwrap();
    assert_eq!(outcome("d"), "404", "removed");
    assert!(!ids(&server.get("/policy-packs").ok()).contains(&"cavra-edited"));
}

/// docs/reference/decisions-and-policy.md, section 2.2.
#[test]
fn inheritance_merges_in_order() {
    let home = Home::new();
    home.pack("root", &pack_yaml("cavra-root", "filesystem:\n  block_read: [r, both]\nextra: {deep: {list: [1], scalar: root}, only_root: true}\nmcp:\n  block_unknown_servers: true\n  allowed_servers: [z, a]\n"));
    home.pack("left", &pack_yaml("cavra-left", "  inherits: root\n  owner: left\nextra: {deep: {list: [2, 1], scalar: left}}\ncommands:\n  allow: [left]\n"));
    home.pack("right", &pack_yaml("cavra-right", "  owner: right\n  note: null\nextra: {deep: {list: [3], scalar: right}}\nfilesystem:\n  block_read: [both, q]\n"));
    home.pack("child", &pack_yaml("cavra-child", "  inherits: [left, right]\nfilesystem:\n  block_read: [c]\nmcp:\n  block_unknown_servers: false\n  allowed_servers: [m]\n"));
    let (name, packs) = home.packs();
    let compiled = home.cavra(&["policy", "compile", "--policy-pack", "child"]).env(name, &packs).run().ok().json();
    assert_eq!(compiled["filesystem"]["block_read"], json!(["both", "c", "q", "r"]), "union, sorted");
    assert_eq!(compiled["mcp"]["allowed_servers"], json!(["a", "m", "z"]));
    assert_eq!(compiled["mcp"]["block_unknown_servers"], false, "a child flips scalars");
    assert_eq!(
        compiled["extra"],
        json!({"deep": {"list": [1, 2, 3], "scalar": "right"}, "only_root": true}),
        "the last parent is stronger; base items first"
    );
    assert_eq!(compiled["metadata"]["owner"], "right");
    assert_eq!(compiled["metadata"]["id"], "cavra-child");
    assert_eq!(compiled["commands"]["allow"], json!(["left"]));
    let server = with_packs(&home);
    for path in ["r", "both", "q", "c"] {
        assert_eq!(server.decide_on("read_file", path, "child")["decision"], "block", "{path}");
    }
    assert_eq!(server.decide_on("read_file", "c", "left")["decision"], "allow");
    let listed = server.get("/policy-packs").ok();
    assert_eq!(
        item(&listed, "cavra-child")["policy"]["filesystem"],
        json!({"block_read": ["c"]}),
        "as written, not merged"
    );
    let record = server.decide_on("read_file", "c", "child");
    assert_eq!(
        (text(&record, "policy_pack"), text(&record, "policy_id")),
        ("child", "child"),
        "the name that was asked for"
    );
}
