//! The indexed engine against a plain scan that follows the text of the contract.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::string_slice, reason = "a test that panics has failed")]

mod support;

use cavra_rules::{Action, Finding, Outcome, Policy, Severity};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{OwnedCommand, OwnedPart, list, reference_matches, strictest};

/// The first pattern of a list that matches one of the values.
fn first<'p>(patterns: &'p [String], values: &[&str]) -> Option<&'p String> {
    patterns.iter().find(|pattern| values.iter().any(|value| reference_matches(pattern, value)))
}

/// What counts of a file access: the rule, and the pattern its reason has to name.
fn reference_write(document: &Value, path: &str) -> (&'static str, Option<String>) {
    let block = list(document, "filesystem", "block_write");
    let approval = list(document, "filesystem", "require_approval_write");
    if let Some(pattern) = first(&block, &[path]) {
        return ("filesystem.write.block", Some(pattern.clone()));
    }
    match first(&approval, &[path]) {
        Some(pattern) => ("filesystem.write.require_approval", Some(pattern.clone())),
        None => ("filesystem.write.allow", None),
    }
}

fn reference_command(document: &Value, command: &OwnedCommand) -> (Outcome, Severity) {
    let block = list(document, "commands", "block");
    let approval = list(document, "commands", "require_approval");
    let allow = list(document, "commands", "allow");
    let critical = command.text.contains("apply") || command.text.contains("delete");
    let of_text = |patterns: &[String]| {
        let about_texts: Vec<String> = patterns.iter().filter(|pattern| pattern.contains(';')).cloned().collect();
        first(&about_texts, &[&command.text]).is_some()
    };
    let mut worst = if of_text(&block) {
        Outcome::Block
    } else if of_text(&approval) {
        Outcome::RequireApproval
    } else {
        Outcome::Allow
    };
    // Which of the two approval rules applies decides the severity.
    let mut severity_of_approval = if worst == Outcome::RequireApproval { Severity::High } else { Severity::Medium };
    if command.parts.iter().all(|part| part.implied) {
        worst = worst.max(Outcome::RequireApproval);
    }
    for part in &command.parts {
        let spelled: Vec<&str> = part.spellings.iter().map(String::as_str).collect();
        let every: Vec<&str> = spelled.iter().copied().chain([part.dequoted.as_str()]).collect();
        if first(&block, &every).is_some() {
            worst = Outcome::Block;
        } else if first(&approval, &every).is_some() {
            worst = worst.max(Outcome::RequireApproval);
            severity_of_approval = Severity::High;
        } else if !part.implied && first(&allow, &spelled).is_none() {
            worst = worst.max(Outcome::RequireApproval);
        }
    }
    let severity = match worst {
        Outcome::Block if critical => Severity::Critical,
        Outcome::Block => Severity::High,
        Outcome::RequireApproval => severity_of_approval,
        Outcome::Allow => Severity::Low,
    };
    (worst, severity)
}

/// A word list small enough that patterns meet values often.
fn words() -> impl Strategy<Value = String> {
    let pieces = vec!["run", "apply", "x", "ab", " ", "/", "delete", "a", ".env"];
    prop::collection::vec(prop::sample::select(pieces), 1..6).prop_map(|pieces| pieces.concat())
}

fn patterns() -> impl Strategy<Value = Vec<String>> {
    let pieces = vec!["run", "apply", "x", "ab", " ", "/", "delete", "a", ".env", "*", "*", "**/", "; "];
    let pattern = prop::collection::vec(prop::sample::select(pieces), 1..6).prop_map(|pieces| pieces.concat());
    // Prepared as the engine prepares them, so that the reference need not.
    let pattern = pattern.prop_map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    prop::collection::vec(pattern.prop_filter("blank", |text| !text.is_empty()), 0..12)
}

fn command() -> impl Strategy<Value = OwnedCommand> {
    let value = || words().prop_map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let part = (prop::collection::vec(value(), 1..3), value(), any::<bool>())
        .prop_map(|(spellings, dequoted, implied)| OwnedPart { spellings, dequoted, implied });
    prop::collection::vec(part, 0..4).prop_map(|parts| {
        let text = parts.iter().map(|part| part.spellings[0].as_str()).collect::<Vec<_>>().join("; ");
        OwnedCommand { text, parts, ..OwnedCommand::default() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn files(block in patterns(), approval in patterns(), path in words()) {
        let document = json!({ "filesystem": { "block_write": block, "require_approval_write": approval } });
        let policy = Policy::compile(&document).unwrap();
        let findings = policy.evaluate(&Action::WriteFile(&path), false);
        let (rule_id, pattern) = reference_write(&document, &path);
        prop_assert_eq!(findings.len(), 1);
        prop_assert_eq!(findings[0].rule_id, rule_id);
        if let Some(pattern) = pattern {
            let named = format!("`{pattern}`");
            prop_assert!(findings[0].reason.contains(&named), "{} names {}", findings[0].reason, named);
        }
    }

    #[test]
    fn commands(block in patterns(), approval in patterns(), allow in patterns(), command in command()) {
        let document = json!({ "commands": { "block": block, "require_approval": approval, "allow": allow } });
        let policy = Policy::compile(&document).unwrap();
        let findings = command.evaluate(&policy);
        let counts: Option<(Outcome, Severity)> = strictest(&findings).map(|found: &Finding| (found.outcome, found.severity));
        prop_assert_eq!(counts, Some(reference_command(&document, &command)), "{:?}", findings);
    }
}

#[test]
fn ten_thousand_rules_are_all_found() {
    let block: Vec<String> = (0..10_000).map(|n| format!("team-{}/service-{n}/**/*.k{}", n % 7, n % 13)).collect();
    let policy = Policy::compile(&json!({ "filesystem": { "block_read": block } })).unwrap();
    assert_eq!(policy.rule_count(), 10_000);
    for n in 0..10_000 {
        let path = format!("team-{}/service-{n}/deep/er/x.k{}", n % 7, n % 13);
        let found = policy.evaluate(&Action::ReadFile(&path), false);
        let named = format!("`team-{}/service-{n}/**/*.k{}`", n % 7, n % 13);
        assert!(found[0].reason.contains(&named), "{path}: {}", found[0].reason);
        let other = policy.evaluate(&Action::ReadFile(&format!("{path}x")), false);
        assert_eq!(other[0].rule_id, "filesystem.read.allow");
    }
}
