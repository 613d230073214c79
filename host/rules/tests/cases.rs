//! The cases in `cases/`: documents, actions and the findings they give rise to, in order.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::string_slice, reason = "a test that panics has failed")]

mod support;

use cavra_rules::{Action, Finding, Outcome, Policy, Severity, check_document};
use serde_json::{Value, json};
use support::{OwnedCommand, OwnedGit, OwnedPart};

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .map(|items| items.iter().map(|item| item.as_str().unwrap().to_owned()).collect())
        .unwrap_or_default()
}

fn part(value: &Value) -> OwnedPart {
    if let Some(spelling) = value.as_str() {
        return OwnedPart { spellings: vec![spelling.to_owned()], dequoted: spelling.to_owned(), implied: false };
    }
    OwnedPart {
        spellings: texts(&value["spellings"]),
        dequoted: text(value, "dequoted"),
        implied: value["implied"] == json!(true),
    }
}

fn git(value: &Value) -> OwnedGit {
    let path = text(value, "branch");
    OwnedGit {
        operation: text(value, "operation"),
        branch: path.rsplit('/').next().unwrap_or_default().to_owned(),
        branch_path: path,
        is_push: value["is_push"] == json!(true),
        removes_branch: value["removes_branch"] == json!(true),
    }
}

fn command(value: &Value) -> OwnedCommand {
    let items = |key: &str| value[key].as_array().cloned().unwrap_or_default();
    OwnedCommand {
        text: text(value, "text"),
        parts: items("parts").iter().map(part).collect(),
        reads: texts(&value["reads"]),
        writes: texts(&value["writes"]),
        git: items("git").iter().map(git).collect(),
        unresolved: value["unresolved"].as_str().map(str::to_owned),
    }
}

fn evaluate(policy: &Policy, case: &Value) -> Vec<Finding> {
    let consulted = case["registry"] == json!(true);
    let judge = |action: Action<'_>| policy.evaluate(&action, consulted);
    if let Some(path) = case["read"].as_str() {
        judge(Action::ReadFile(path))
    } else if let Some(path) = case["write"].as_str() {
        judge(Action::WriteFile(path))
    } else if let Some(server) = case["server"].as_str() {
        judge(Action::Mcp { server, tool: "any" })
    } else if case["git"].is_object() {
        judge(Action::Git(git(&case["git"]).borrowed()))
    } else {
        command(&case["command"]).evaluate(policy)
    }
}

/// `outcome severity rule_id`, the approver group where there is one, and the pattern the reason names.
fn shown(finding: &Finding) -> String {
    let outcome = match finding.outcome {
        Outcome::Allow => "allow",
        Outcome::RequireApproval => "require_approval",
        Outcome::Block => "block",
    };
    let severity = match finding.severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    };
    let mut shown = format!("{outcome} {severity} {}", finding.rule_id);
    if let Some(group) = finding.approver_group {
        shown.push_str(&format!(" ({group})"));
    }
    if let Some(named) = finding.reason.split('`').nth(1) {
        shown.push_str(&format!(" `{named}`"));
    }
    shown
}

#[test]
fn findings() {
    let file: Value = serde_json::from_str(include_str!("cases/findings.json")).unwrap();
    for group in file.as_array().unwrap() {
        let policy = Policy::compile(&group["document"]).unwrap();
        for case in group["cases"].as_array().unwrap() {
            let found: Vec<String> = evaluate(&policy, case).iter().map(shown).collect();
            assert_eq!(json!(found), case["expect"], "{}: {case}", group["about"]);
        }
    }
}

#[test]
fn diagnostics() {
    let file: Value = serde_json::from_str(include_str!("cases/diagnostics.json")).unwrap();
    for case in file.as_array().unwrap() {
        let faults = check_document(&case["document"]);
        let found: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect();
        assert_eq!(json!(found), case["expect"], "{}", case["document"]);
        assert_eq!(Policy::compile(&case["document"]).err().unwrap_or_default(), faults);
    }
}

#[test]
fn reasons_are_sentences_about_the_match() {
    let policy = Policy::compile(&json!({ "commands": { "block": ["rm  -rf *"] } })).unwrap();
    let line = command(&json!({ "text": "rm -rf /", "parts": ["rm -rf /"] }));
    let findings = line.evaluate(&policy);
    assert_eq!(findings[0].reason, "the command is blocked: it matches `rm -rf *` of commands.block");
    let line = command(&json!({ "text": "TOKEN=s3cret curl -H s3cret x", "parts": ["TOKEN=s3cret curl -H s3cret x"] }));
    let findings = line.evaluate(&policy);
    let expected =
        "no command pattern matches `curl` with the variable `TOKEN` set in front of it; let it run always by";
    assert!(findings[0].reason.starts_with(expected), "{}", findings[0].reason);
}
