//! Every list that the schema of policy packs offers has a consequence: what is accepted and does nothing would be trusted.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use cavra_rules::{Action, Certainty, Effects, FileEffect, FileUse, Outcome, Place, Policy};
use serde_json::{Value, json};
use support::{OwnedCommand, OwnedPart, strictest};

enum Probe {
    Read,
    Write,
    Command,
}

use Probe::{Command, Read, Write};

/// A list, an entry, and the action that it is about.
const ROWS: [(&str, &str, &str, Probe); 10] = [
    ("filesystem", "block_read", "x", Read),
    ("filesystem", "require_approval_read", "x", Read),
    ("filesystem", "block_write", "x", Write),
    ("filesystem", "require_approval_write", "x", Write),
    ("commands", "block", "cat x", Command),
    ("commands", "require_approval", "cat x", Command),
    ("commands", "allow", "cat x", Command),
    ("effects", "block", "read x", Command),
    ("effects", "require_approval", "read x", Command),
    ("effects", "allow", "read x", Command),
];

/// The rule that decides about the action, with what it says.
fn decides(document: &Value, probe: &Probe) -> Option<(&'static str, Outcome)> {
    let policy = Policy::compile(document).unwrap();
    let findings = match probe {
        Read => policy.evaluate(&Action::ReadFile("x"), false),
        Write => policy.evaluate(&Action::WriteFile("x"), false),
        Command => {
            let part = OwnedPart { spellings: vec!["cat x".to_owned()], dequoted: "cat x".to_owned(), implied: false };
            let command = OwnedCommand { text: "cat x".to_owned(), parts: vec![part], ..OwnedCommand::default() };
            let (used, place) = (FileUse::Reads, Place::Repository);
            let file = FileEffect { part: 0, used, path: "x", tree: false, pattern: false, place, why: "operand" };
            let effects = Effects { certainty: &[Certainty::Known], files: &[file], seen: true, ..Effects::default() };
            command.evaluate_with(&policy, effects)
        }
    };
    strictest(&findings).map(|finding| (finding.rule_id, finding.outcome))
}

#[test]
fn every_list_of_the_schema_has_a_consequence() {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/policy.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    for section in ["filesystem", "commands", "effects"] {
        // What `effects.programs` describes changes the effects that are judged, and is tried with the normaliser.
        let keys = schema["properties"][section]["properties"].as_object().unwrap().keys();
        for key in keys.filter(|key| *key != "programs") {
            let row = ROWS.iter().find(|(of, name, ..)| *of == section && name == key);
            assert!(row.is_some(), "nothing is known to follow from {section}.{key}");
        }
    }
    for (section, key, entry, probe) in &ROWS {
        let with = decides(&json!({ *section: { *key: [entry] } }), probe);
        assert_ne!(with, decides(&json!({}), probe), "{section}.{key}");
    }
}
