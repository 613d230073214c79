//! The packs of the binary: complete, valid, and with cases that hold.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use cavra_builtin::PACKS;
use cavra_model::PackName;
use cavra_packs::{PackLibrary, PackRoot, catalog, compliance_mappings, listing, parse_policy, validate};
use cavra_rules::{Action, Command, Effects, Git, Outcome, Part, Policy, Spelling};
use serde_json::Value;

const IDS: [&str; 17] = [
    "cavra-agentic-delivery",
    "cavra-ai-agent-baseline",
    "cavra-banking-baseline",
    "cavra-cloud-iam",
    "cavra-developer",
    "cavra-eu-ai-act",
    "cavra-github-enterprise",
    "cavra-gitlab-enterprise",
    "cavra-hipaa",
    "cavra-iso27001",
    "cavra-kubernetes-prod",
    "cavra-mcp-enterprise",
    "cavra-nist-ssdf",
    "cavra-owasp-llm-agentic",
    "cavra-pci-dss",
    "cavra-sox-change-control",
    "cavra-terraform-prod",
];

fn library() -> PackLibrary {
    PackLibrary::new(PackRoot::ShippedOnly)
}

fn cases(pack: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies").join(pack).join("tests.yaml");
    let document = parse_policy(&fs::read_to_string(path).unwrap()).unwrap();
    document["cases"].as_array().unwrap().clone()
}

#[test]
fn all_are_there_valid_and_resolve() {
    let packs = library().list();
    assert_eq!(packs.iter().map(|pack| pack.name.as_str()).collect::<Vec<_>>(), IDS);
    for pack in &packs {
        assert_eq!((&pack.errors, validate(&pack.document)), (&vec![], vec![]), "{}", pack.name);
        assert_eq!(pack.id(), pack.name.as_str());
        for (section, keys) in [("filesystem", "block_read"), ("commands", "block")] {
            assert!(pack.document[section][keys].as_array().is_some_and(|rules| !rules.is_empty()), "{}", pack.name);
        }
        let resolved = library().resolve(&pack.name).unwrap();
        assert!(resolved.has_rules && resolved.components.is_empty());
        assert_eq!(validate(&resolved.document), Vec::<String>::new(), "{} merged", pack.name);
    }
    assert_eq!(catalog(&packs)["total"], 17);
    assert_eq!(listing(&packs).as_array().unwrap().len(), 17);
    assert_eq!(PACKS.len(), 17);
}

#[test]
fn packs_about_controls_name_them() {
    let packs = library().list();
    for id in [
        "cavra-hipaa",
        "cavra-iso27001",
        "cavra-nist-ssdf",
        "cavra-owasp-llm-agentic",
        "cavra-pci-dss",
        "cavra-sox-change-control",
        "cavra-eu-ai-act",
        "cavra-cloud-iam",
        "cavra-kubernetes-prod",
        "cavra-agentic-delivery",
    ] {
        assert!(!compliance_mappings(&packs, Some(id)).as_array().unwrap().is_empty(), "{id}");
    }
}

/// An allow rule that a stricter rule of the same merged pack always beats is a mistake.
#[test]
fn every_allow_rule_can_apply() {
    for id in IDS {
        let resolved = library().resolve(&PackName::new(id).unwrap()).unwrap();
        let policy = Policy::compile(&resolved.document).unwrap();
        for rule in resolved.document["commands"]["allow"].as_array().unwrap() {
            let text = rule.as_str().unwrap().replace('*', "x");
            assert_eq!(judge_command(&policy, &text).0, Outcome::Allow, "{id}: {text}");
        }
    }
}

/// Command lines need the shell grammar and the table of commands: they are left to the decision core's test, which runs
/// every case.
#[test]
fn cases_hold() {
    for id in IDS {
        let resolved = library().resolve(&PackName::new(id).unwrap()).unwrap();
        let policy = Policy::compile(&resolved.document).unwrap();
        let cases = cases(id);
        assert!(cases.len() >= if id == "cavra-ai-agent-baseline" { 40 } else { 12 }, "{id}");
        let names: HashSet<&str> = cases.iter().map(|case| case["name"].as_str().unwrap()).collect();
        assert_eq!(names.len(), cases.len(), "{id}: names are unique");
        for case in &cases {
            let Some((outcome, rule)) = judge(&policy, case) else { continue };
            let outcome = match outcome {
                Outcome::Allow => "allow",
                Outcome::RequireApproval => "require_approval",
                Outcome::Block => "block",
            };
            assert_eq!((outcome, rule.as_str()), (text(case, "expect"), text(case, "rule_id")), "{id}: {case}");
        }
    }
}

fn text<'c>(case: &'c Value, key: &str) -> &'c str {
    case[key].as_str().unwrap_or_default()
}

fn judge(policy: &Policy, case: &Value) -> Option<(Outcome, String)> {
    let target = text(case, "target");
    match text(case, "action_type") {
        "read_file" => strictest(policy, &Action::ReadFile(target)),
        "write_file" => strictest(policy, &Action::WriteFile(target)),
        "execute_command" => None,
        "git_operation" => strictest(policy, &Action::Git(git(text(case, "operation"), target))),
        "mcp_tool_call" => strictest(policy, &Action::Mcp { server: text(case, "server"), tool: text(case, "tool") }),
        other => panic!("{other}"),
    }
}

fn judge_command(policy: &Policy, text: &str) -> (Outcome, String) {
    let spellings = [Spelling { text, computed: &[] }];
    let part = Part { spellings: &spellings, dequoted: text, implied: false };
    let effects = Effects::default();
    let command = Command { text, parts: &[part], reads: &[], writes: &[], git: &[], unresolved: None, effects };
    strictest(policy, &Action::Command(command)).unwrap()
}

fn git<'a>(operation: &'a str, target: &'a str) -> Git<'a> {
    let word = target.rsplit([' ', ':']).next().unwrap_or_default();
    let branch = word.rsplit('/').next().unwrap_or_default();
    Git {
        operation,
        branch,
        branch_path: word.strip_prefix("origin/").unwrap_or(word),
        is_push: operation.contains("push"),
        removes_branch: operation == "delete_branch",
    }
}

fn strictest(policy: &Policy, action: &Action<'_>) -> Option<(Outcome, String)> {
    let rank = |outcome: Outcome| match outcome {
        Outcome::Allow => 0,
        Outcome::RequireApproval => 1,
        Outcome::Block => 2,
    };
    let findings = policy.evaluate(action, false);
    let finding = findings.into_iter().max_by_key(|finding| rank(finding.outcome));
    Some(finding.map(|finding| (finding.outcome, finding.rule_id.to_string())).expect("there is always a finding"))
}
