//! Where names that differ only in case are names of one file, no spelling of a protected one gets by.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use cavra_rules::{Action, Certainty, Command, Effects, FileEffect, FileUse, Outcome, Place, Policy};
use serde_json::json;

fn policy() -> Policy {
    let document = json!({
        "filesystem": {"block_read": [".env", "**/Secrets.yaml"], "require_approval_write": ["Makefile", "iam/**"]},
        "effects": {"block": ["delete Migrations/**"], "allow": ["read repository", "write repository"]},
    });
    Policy::compile(&document).unwrap()
}

fn strictest(findings: &[cavra_rules::Finding]) -> Option<Outcome> {
    support::strictest(findings).map(|finding| finding.outcome)
}

#[test]
fn file_tools() {
    let policy = policy();
    for (action, exact, folded) in [
        (Action::ReadFile(".env"), Some(Outcome::Block), Some(Outcome::Block)),
        (Action::ReadFile(".ENV"), Some(Outcome::Allow), Some(Outcome::Block)),
        (Action::ReadFile("config/SECRETS.YAML"), Some(Outcome::Allow), Some(Outcome::Block)),
        (Action::WriteFile("makefile"), Some(Outcome::Allow), Some(Outcome::RequireApproval)),
        (Action::WriteFile("IAM/x.tf"), Some(Outcome::Allow), Some(Outcome::RequireApproval)),
        (Action::ReadFile("README.md"), Some(Outcome::Allow), None),
    ] {
        assert_eq!(strictest(&policy.evaluate(&action, false)), exact, "{action:?}");
        assert_eq!(strictest(&policy.evaluate_ignoring_case(&action)), folded, "{action:?}");
    }
}

#[test]
fn commands() {
    let policy = policy();
    let evaluate = |used, path, tree| {
        let (part, pattern, place) = (0, false, Place::Repository);
        let files = [FileEffect { part, used, path, tree, pattern, place, why: "operand" }];
        let effects = Effects { certainty: &[Certainty::Known], files: &files, seen: true, ..Effects::default() };
        let command = Command { text: "x", parts: &[], reads: &[], writes: &[], git: &[], unresolved: None, effects };
        strictest(&policy.evaluate_ignoring_case(&Action::Command(command)))
    };
    assert_eq!(evaluate(FileUse::Reads, "a/.ENV", false), None);
    assert_eq!(evaluate(FileUse::Reads, ".Env", false), Some(Outcome::Block));
    assert_eq!(evaluate(FileUse::Writes, "MAKEFILE", false), Some(Outcome::RequireApproval));
    assert_eq!(evaluate(FileUse::Deletes, "migrations", true), Some(Outcome::Block));
    assert_eq!(evaluate(FileUse::Lists, ".ENV", false), None);
    // A redirection of a command that is not understood is taken at its word.
    let (reads, writes) = ([".ENV".to_owned()], ["makefile".to_owned()]);
    for (reads, writes, outcome) in
        [(&reads[..], &[][..], Outcome::Block), (&[], &writes[..], Outcome::RequireApproval)]
    {
        let effects = Effects { certainty: &[Certainty::Unknown], ..Effects::default() };
        let command = Command { text: "x", parts: &[], reads, writes, git: &[], unresolved: None, effects };
        assert_eq!(strictest(&policy.evaluate_ignoring_case(&Action::Command(command))), Some(outcome));
    }
}
