//! What a published pack's file says to readers of another kind: YAML 1.1, as PyYAML reads it.

use std::process::Command;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::authoring::{publish, serve, with};
use crate::support::{Backend, Home, python};

/// Reads pairs of YAML and the JSON it has to say, and prints those that say something else.
const SCRIPT: &str = r#"
import json, sys, yaml

def same(left, right):
    if type(left) is not type(right): return False
    if isinstance(left, dict): return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list): return len(left) == len(right) and all(map(same, left, right))
    return left == right

pairs = json.load(open(sys.argv[1]))
for text, wanted in pairs:
    try:
        found = yaml.safe_load(text)
    except Exception as problem:
        found = repr(problem)
    if not same(found, wanted):
        print(json.dumps([text, repr(found)]))
print("read", len(pairs))
"#;

/// Words that YAML 1.1 or 1.2 takes for something else than text.
const WORDS: [&str; 44] = [
    "y",
    "Y",
    "yes",
    "Yes",
    "YES",
    "n",
    "N",
    "no",
    "No",
    "on",
    "On",
    "off",
    "OFF",
    "true",
    "True",
    "false",
    "null",
    "Null",
    "NULL",
    "~",
    "",
    "=",
    "<<",
    "12:30",
    "1:2:3.5",
    "0o17",
    "017",
    "0x1F",
    "0b11",
    "1_000",
    "1e3",
    "1.5e+3",
    "-1",
    "+1",
    ".5",
    "1.",
    ".inf",
    "-.Inf",
    ".NaN",
    "2031-02-03",
    "2031-02-03T04:05:06Z",
    "- a",
    "a: b",
    "a #b",
];

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(&WORDS[..]).prop_map(ToOwned::to_owned),
        "[-+.0-9:_eExXoObBaAfFnNiI]{1,8}",
        "[a-zA-Z./*~ =%@&|!?,:#'\"\\\\\\[\\]{}<>`-]{0,16}",
        any::<String>(),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => texts().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(texts(), inner, 0..5)
                .prop_map(|members| members.into_iter().filter(|(name, _)| name != "<<").collect()),
        ]
    })
}

#[test]
fn other_readers_load_what_was_written() {
    let Some(python) = python() else { return };
    let mut runner = TestRunner::default();
    let mut pairs: Vec<(String, Value)> = Vec::new();
    for word in WORDS {
        let value = json!({"commands": {"allow": [word], "block": [format!("{word} *")]}, "x-of": {"key": word}});
        pairs.push((cavra_packs::to_yaml(&value).unwrap(), value));
    }
    while pairs.len() < 2_000 {
        let value = json!({ "top": values().new_tree(&mut runner).unwrap().current() });
        pairs.push((cavra_packs::to_yaml(&value).unwrap_or_else(|problem| panic!("{value}: {problem}")), value));
    }
    let home = Home::new();
    home.write("read.py", SCRIPT);
    home.write("pairs.json", json!(pairs).to_string());
    let output = Command::new(python).args([home.at("read.py"), home.at("pairs.json")]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, format!("read {}\n", pairs.len()), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_published_pack_quotes_what_readers_disagree_about() {
    let home = Home::new();
    let server = serve(&home, Backend::Json, &[]);
    publish(
        &server,
        &with(&json!({"commands": {"allow": ["yes", "12:30", "npm test"], "block": ["off", "terraform *"]}})),
    );
    let text = home.read("packs/cavra-mine/policy.yaml");
    for line in ["- 'yes'", "- '12:30'", "- npm test", "- 'off'", "- terraform *", "version: '2.0'"] {
        assert!(text.lines().any(|found| found.trim() == line), "{line}: {text}");
    }
}
