//! The pack, natively: no sandbox is needed to test what it decides.
#![allow(clippy::unwrap_used, reason = "test helpers may fail loudly")]

use cavra_sdk::testing::{commands, facts_at, read_file, write_file};
use cavra_sdk::{Action, Outcome, PolicyPack};
use change_freeze::ChangeFreeze;

const DOCUMENT: &str = r#"{
    "metadata": { "id": "cavra-freeze", "title": "Freeze", "version": "1.0.0" },
    "change_freeze": {
        "windows": [{ "from": "2031-12-20T00:00:00Z", "until": "2032-01-03T00:00:00Z", "reason": "year end" }],
        "mutating_commands": ["terraform apply", "kubectl delete"]
    }
}"#;

/// 2031-12-20T00:00:00Z and 2032-01-03T00:00:00Z.
const START: i64 = 1_955_491_200_000_000;
const END: i64 = 1_956_700_800_000_000;

fn pack() -> ChangeFreeze {
    let (pack, description) = ChangeFreeze::configure(DOCUMENT).unwrap();
    assert_eq!((description.id.as_str(), description.rules), ("cavra-freeze", 3));
    pack
}

fn outcomes(action: &Action, now: i64) -> Vec<Outcome> {
    pack().evaluate(action, &facts_at(now)).iter().map(|finding| finding.outcome).collect()
}

#[test]
fn writes_are_blocked_exactly_while_it_lasts() {
    let write = write_file("README.md", "text");
    assert_eq!(outcomes(&write, START - 1), []);
    assert_eq!(outcomes(&write, START), [Outcome::Block]);
    assert_eq!(outcomes(&write, END - 1), [Outcome::Block]);
    assert_eq!(outcomes(&write, END), []);
    assert_eq!(outcomes(&read_file("README.md"), START), []);
}

#[test]
fn the_reason_says_what_and_how_long() {
    let findings = pack().evaluate(&write_file("a", ""), &facts_at(START));
    assert_eq!(
        findings[0].reason,
        "the change freeze \"year end\" is in force: files are not changed until 2032-01-03T00:00:00Z"
    );
}

#[test]
fn mutating_commands_are_blocked_however_they_are_written() {
    let blocked = |parts: &[&str]| outcomes(&Action::ExecuteCommand(commands(parts)), START) == [Outcome::Block];
    assert!(blocked(&["terraform apply"]));
    assert!(blocked(&["ls", "terraform apply -auto-approve"]));
    assert!(blocked(&["'terraform' apply"]));
    assert!(!blocked(&["terraform plan"]));
    assert!(!blocked(&["terraform applyx"]));
}

#[test]
fn redirections_and_unclear_commands_do_not_slip_through() {
    let mut command = commands(&["cat a"]);
    command.writes.push("b".to_owned());
    assert_eq!(outcomes(&Action::ExecuteCommand(command), START), [Outcome::Block]);
    let mut command = commands(&["cat 'a"]);
    command.unresolved = Some("unbalanced quotes".to_owned());
    assert_eq!(outcomes(&Action::ExecuteCommand(command), START), [Outcome::RequireApproval]);
}

#[test]
fn a_document_with_mistakes_is_refused() {
    let fault = |from: &str, to: &str| {
        let faults = ChangeFreeze::configure(&DOCUMENT.replace(from, to)).err().unwrap();
        format!("{}: {}", faults[0].path, faults[0].message)
    };
    assert_eq!(fault("2032-01-03", "2031-01-03"), "change_freeze.windows.0: must end after it starts");
    assert!(fault("2031-12-20T00:00:00Z", "soon").starts_with("change_freeze.windows.0: `soon` is not a moment"));
    assert!(fault("\"windows\"", "\"window\"").starts_with("<root>: unknown field `window`"));
    assert!(fault("terraform apply", " ").starts_with("change_freeze.mutating_commands"));
}
