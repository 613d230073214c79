//! The cases beside the shipped packs, through HTTP and through the command line.

use std::fs;

use serde_json::{Value, json};

use crate::support::{BASELINE, Home, Server, Shared, repository, text};

static SERVER: Shared = Shared::new();

fn server() -> std::sync::Arc<Server> {
    SERVER.get(|| Home::new().serve(&[]))
}

/// Packs with their cases.
fn suites() -> Vec<(String, Vec<Value>)> {
    let mut suites: Vec<_> = fs::read_dir(repository().join("policies"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| {
            let file: Value = serde_norway::from_str(&fs::read_to_string(path.join("tests.yaml")).unwrap()).unwrap();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), file["cases"].as_array().unwrap().clone())
        })
        .collect();
    suites.sort_by(|left, right| left.0.cmp(&right.0));
    suites
}

fn over_http(server: &Server, pack: &str, case: &Value) -> Value {
    let mut body = case.clone();
    let members = body.as_object_mut().unwrap();
    members.retain(|name, _| !matches!(name.as_str(), "name" | "expect" | "rule_id"));
    members.insert("policy_pack".to_owned(), json!(pack));
    server.decide(&body)
}

fn over_cli(home: &Home, pack: &str, case: &Value) -> Value {
    let given = |name: &str| case[name].as_str();
    let mut arguments = vec!["evaluate", "--json", "--exit-code", "--policy-pack", pack];
    for (option, member) in [("--operation", "operation"), ("--tool", "tool"), ("--capability", "capability")] {
        arguments.extend(given(member).map(|value| [option, value]).into_iter().flatten());
    }
    let target = if case["action_type"] == "mcp_tool_call" { given("server") } else { given("target") };
    arguments.extend(["--", given("action_type").unwrap(), target.unwrap_or_default()]);
    let output = home.cavra(&arguments).run();
    let record = output.json();
    let code = match text(&record, "decision") {
        "block" => 20,
        "require_approval" => 10,
        _ => 0,
    };
    assert_eq!(output.code, code, "{arguments:?}");
    record
}

fn check(pack: &str, case: &Value, record: &Value) {
    assert_eq!(record["decision"], case["expect"], "{pack}: {}: {record}", case["name"]);
    if case["rule_id"].is_string() {
        assert_eq!(record["rule_id"], case["rule_id"], "{pack}: {}: {record}", case["name"]);
    }
}

#[test]
fn every_case_over_http() {
    let server = server();
    for (pack, cases) in suites() {
        for case in &cases {
            let record = over_http(&server, &pack, case);
            if case["action_type"] == "mcp_tool_call" {
                // Nothing is registered here, and a pack's allow list never lifts the registry's refusal.
                assert_eq!(record["decision"], "block", "{pack}: {}", case["name"]);
            } else {
                check(&pack, case, &record);
            }
        }
    }
}

fn same_over_cli(pack: &str, cases: &[Value], server: &Server) {
    let home = Home::new();
    for case in cases {
        let local = over_cli(&home, pack, case);
        check(pack, case, &local);
        if case["action_type"] == "mcp_tool_call" {
            continue;
        }
        let remote = over_http(server, pack, case);
        for member in [
            "action_type",
            "target",
            "requested_operation",
            "policy_pack",
            "policy_id",
            "rule_id",
            "decision",
            "severity",
            "reason",
            "approver_group",
            "pack_version",
            "policy_digest",
        ] {
            // Here a disk is looked at, there is none at the server's end: what a command is not known to do may differ.
            if member == "reason" && case["action_type"] == "execute_command" {
                continue;
            }
            assert_eq!(local[member], remote[member], "{pack}: {}: {member}", case["name"]);
        }
    }
}

#[test]
fn every_baseline_case_over_the_command_line() {
    let (pack, cases) = suites().into_iter().find(|(pack, _)| pack == BASELINE).unwrap();
    same_over_cli(&pack, &cases, &server());
}

#[test]
fn a_sample_of_the_other_cases_over_the_command_line() {
    for (index, (pack, cases)) in suites().into_iter().enumerate() {
        if pack != BASELINE {
            let sample: Vec<_> = cases.into_iter().skip(index % 5).step_by(9).collect();
            same_over_cli(&pack, &sample, &server());
        }
    }
}

/// docs/reference/decisions-and-policy.md, section 11: what every shipped pack does, whatever its own cases say.
#[test]
fn promises_of_every_shipped_pack() {
    let server = server();
    let suites = suites();
    assert_eq!(suites.len(), 17);
    for (pack, _) in suites {
        let outcome = |action_type, target| server.decide_on(action_type, target, &pack)["decision"].clone();
        assert_eq!(outcome("read_file", ".env"), "block", "{pack}");
        assert_ne!(outcome("execute_command", "terraform apply -auto-approve"), "allow", "{pack}");
        assert_eq!(outcome("git_operation", "origin/main"), "block", "{pack}");
        let unlisted =
            over_cli(&server.home, &pack, &json!({"action_type": "mcp_tool_call", "server": "nobody-lists-this"}));
        assert_eq!(unlisted["decision"], "block", "{pack}");
    }
}

/// docs/reference/decisions-and-policy.md, section 11: outcomes of the baseline and of packs that it names.
#[test]
fn outcomes_the_contract_names() {
    let server = server();
    let read =
        ["a/b/.env", "x.pem", "deep/id_rsa", "kubeconfig", "terraform.tfstate", "secrets.json", "a/secrets.toml"];
    let table = [
        ("read_file", &read[..], "block"),
        ("write_file", &[".github/workflows/ci.yml", ".github/workflows/a/b.yml"][..], "block"),
        ("write_file", &["iam/x.tf", "security/a/b", "policies/p/policy.yaml"], "require_approval"),
        (
            "execute_command",
            &[
                "terraform apply",
                "terraform apply plan.out",
                "kubectl delete ns prod",
                "aws iam create-access-key --user-name u",
                "az role assignment create --assignee a",
                "gcloud projects add-iam-policy-binding p --member m",
                "git push origin main",
                "git push origin master",
                "cat .env",
            ],
            "block",
        ),
        (
            "execute_command",
            &["terraform plan", "terraform fmt -check", "terraform validate", "pytest -q", "npm test"],
            "allow",
        ),
        ("execute_command", &["make all", "git status", "python -m pytest", "ls"], "require_approval"),
        ("read_file", &["README.md", "docs/a.md", "src/main.rs"], "allow"),
        ("write_file", &["README.md", "docs/a.md", "src/main.rs"], "allow"),
    ];
    for (action_type, targets, expected) in table {
        for target in targets {
            assert_eq!(server.decide_on(action_type, target, BASELINE)["decision"], expected, "{action_type} {target}");
        }
    }
    let banking = server.decide_on("write_file", "iam/admin-role.tf", "cavra-banking-baseline");
    assert_eq!(banking["decision"], "require_approval");
    let enterprise = json!({"action_type": "mcp_tool_call", "server": "unknown-filesystem"});
    assert_eq!(over_cli(&server.home, "cavra-mcp-enterprise", &enterprise)["decision"], "block");
}
