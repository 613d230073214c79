//! The matcher against its reference, through the public interface, so that the index is on the way.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::string_slice, reason = "a test that panics has failed")]

mod support;

use cavra_rules::{Action, Outcome, Policy};
use proptest::prelude::*;
use serde_json::json;
use support::reference_matches;

fn matches(pattern: &str, value: &str) -> bool {
    let policy = Policy::compile(&json!({ "filesystem": { "block_read": [pattern] } })).unwrap();
    let findings = policy.evaluate(&Action::ReadFile(value), false);
    assert_eq!(findings.len(), 1);
    findings[0].outcome == Outcome::Block
}

#[test]
fn examples_of_the_contract() {
    let cases = [
        ("deploy/*", "deploy/eu/app.yml", true),
        ("pytest*", "python -m pytest", false),
        ("kubectl delete*", "kubectl deleteX", true),
        ("**/vault.*", "vault.yml", true),
        ("**/vault.*", "a/b/vault.yml", true),
        ("**/vault.*", "a/myvault.yml", false),
        ("a/**/b", "a/b", true),
        ("a/**/b", "a/x/y/b", true),
        ("a/**/b", "a/xb", false),
        ("a**/b", "a/b", true),
        ("a**/b", "ab", false),
        ("**/", "a/", true),
        ("**/", "a", false),
        ("**", "", true),
        ("**/*", "", true),
        ("***/a", "a", false),
        ("***/a", "/a", true),
        ("a?c", "abc", false),
        ("[ab]", "a", false),
        ("A", "a", false),
        ("ä*ö", "äxö", true),
        ("*ä", "xä", true),
        ("a*ab", "aab", true),
        ("a*ab", "ab", false),
    ];
    for (pattern, value, expected) in cases {
        assert_eq!(matches(pattern, value), expected, "{pattern:?} on {value:?}");
        assert_eq!(reference_matches(pattern, value), expected, "reference: {pattern:?} on {value:?}");
    }
}

#[test]
fn hostile_lengths_are_linear() {
    let pattern = ["**/", &"a".repeat(1_000), "b*", &"a/".repeat(500), "**/c"].concat();
    let value = "a/".repeat(32_000) + &"a".repeat(64_000);
    assert!(!matches(&pattern, &value));
    assert!(!matches(&"*a".repeat(1_000), &"b".repeat(64_000)));
}

/// Few letters, so that literals repeat and overlap.
fn pattern() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "/", "*", "**/", "ab", "ä", "aaaa", "/**/"]), 1..9)
        .prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "/", "*", "ab", "ä", "aaaa"]), 0..10)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn agrees_with_the_reference(pattern in pattern(), value in value()) {
        prop_assert_eq!(matches(&pattern, &value), reference_matches(&pattern, &value));
    }

    /// Random pairs rarely match; a value made from the pattern always does.
    #[test]
    fn matches_what_was_made_to_match(pattern in pattern(), fillers in prop::collection::vec(value(), 9)) {
        let mut value = String::new();
        let mut fillers = fillers.into_iter();
        let mut rest = pattern.as_str();
        while let Some(next) = rest.chars().next() {
            let opens_segment = rest.len() == pattern.len() || pattern[..pattern.len() - rest.len()].ends_with('/');
            if let Some(behind) = rest.strip_prefix("**/").filter(|_| opens_segment) {
                if let Some(filler) = fillers.next().filter(|filler| !filler.is_empty()) {
                    value.push_str(&filler);
                    value.push('/');
                }
                rest = behind;
            } else if let Some(behind) = rest.strip_prefix('*') {
                value.push_str(&fillers.next().unwrap_or_default());
                rest = behind;
            } else {
                value.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        prop_assert!(matches(&pattern, &value), "{:?} on {:?}", pattern, value);
    }
}
