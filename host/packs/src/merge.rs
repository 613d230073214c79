//! Inheritance of two documents.

use std::collections::HashSet;

use serde_json::{Map, Value};

use cavra_model::canonical;

/// Lists that are a set and are kept sorted.
const SORTED: [(&str, &str); 13] = [
    ("effects", "allow"),
    ("effects", "block"),
    ("effects", "programs"),
    ("effects", "require_approval"),
    ("filesystem", "block_read"),
    ("filesystem", "require_approval_read"),
    ("filesystem", "block_write"),
    ("filesystem", "require_approval_write"),
    ("commands", "block"),
    ("commands", "require_approval"),
    ("commands", "allow"),
    ("mcp", "allowed_servers"),
    ("mcp", "blocked_servers"),
];

/// Lays `child` over `base`: the child's scalars win, lists are united, and no entry of a base list is lost.
///
/// Of `metadata` the child's values that are not null win, key by key. A document that is no mapping replaces the base.
#[must_use]
pub fn merge(base: &Value, child: &Value) -> Value {
    let (Value::Object(base_sections), Value::Object(child_sections)) = (base, child) else {
        return child.clone();
    };
    let mut merged = base_sections.clone();
    for (name, section) in child_sections {
        let combined = match (merged.get(name), section) {
            (Some(Value::Object(below)), Value::Object(above)) if name == "metadata" => merge_metadata(below, above),
            (Some(below @ Value::Object(_)), above @ Value::Object(_)) => merge_values(below, above),
            _ => section.clone(),
        };
        merged.insert(name.clone(), combined);
    }
    let mut merged = Value::Object(merged);
    normalize(&mut merged);
    merged
}

/// Sorts the lists whose order means nothing and drops what they say twice, so that equal policies have equal digests.
pub(crate) fn normalize(document: &mut Value) {
    for (section, key) in SORTED {
        if let Some(Value::Array(items)) = document.get_mut(section).and_then(|section| section.get_mut(key)) {
            items.sort_by(|left, right| match (left.as_str(), right.as_str()) {
                (Some(left), Some(right)) => left.cmp(right),
                _ => canonical(left).cmp(&canonical(right)),
            });
            items.dedup();
        }
    }
}

fn merge_metadata(base: &Map<String, Value>, child: &Map<String, Value>) -> Value {
    let mut merged = base.clone();
    for (key, value) in child.iter().filter(|(key, value)| !value.is_null() || !base.contains_key(*key)) {
        merged.insert(key.clone(), value.clone());
    }
    Value::Object(merged)
}

fn merge_values(base: &Value, child: &Value) -> Value {
    match (base, child) {
        (Value::Object(base), Value::Object(child)) => {
            let mut merged = base.clone();
            for (key, value) in child {
                let combined = merged.get(key).map_or_else(|| value.clone(), |below| merge_values(below, value));
                merged.insert(key.clone(), combined);
            }
            Value::Object(merged)
        }
        (Value::Array(base), Value::Array(child)) => union(base, child),
        (_, child) => child.clone(),
    }
}

/// Base items first, duplicates by JSON equality dropped.
fn union(base: &[Value], child: &[Value]) -> Value {
    let mut seen = HashSet::new();
    base.iter().chain(child).filter(|item| seen.insert(canonical(item))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn example_of_two_levels() {
        let base = json!({
            "metadata": {"id": "a", "version": "1", "owner": "x", "tags": {"k": 1}},
            "commands": {"block": ["z", "b"]},
            "git": {"require_pull_request": true, "block_push_branches": ["production"]},
            "approvals": {"groups": {"a": ["p"], "b": 1}},
            "mcp": {"allowed_servers": ["s"]},
        });
        let child = json!({
            "metadata": {"id": "c", "version": null, "tags": {"l": 2}},
            "commands": {"block": ["a", "b"], "allow": ["y", "x"]},
            "git": {"require_pull_request": false, "block_push_branches": ["alpha"]},
            "approvals": {"groups": {"a": ["q", "p"], "b": {"n": 1}}},
            "evidence": {"days": 1},
        });
        assert_eq!(
            merge(&base, &child),
            json!({
                "metadata": {"id": "c", "version": "1", "owner": "x", "tags": {"l": 2}},
                "commands": {"block": ["a", "b", "z"], "allow": ["x", "y"]},
                "git": {"require_pull_request": false, "block_push_branches": ["production", "alpha"]},
                "approvals": {"groups": {"a": ["p", "q"], "b": {"n": 1}}},
                "mcp": {"allowed_servers": ["s"]},
                "evidence": {"days": 1},
            })
        );
    }

    #[test]
    fn equality_is_that_of_json() {
        let merged = merge(&json!({"evidence": {"l": [1, "1", true]}}), &json!({"evidence": {"l": ["1", 1, 1.5]}}));
        assert_eq!(merged, json!({"evidence": {"l": [1, "1", true, 1.5]}}));
    }

    fn names() -> impl Strategy<Value = Vec<String>> {
        prop::collection::hash_set("[a-d*/]{1,3}", 0..6).prop_map(|names| names.into_iter().collect())
    }

    prop_compose! {
        fn policy()(
            id in "[a-c]", mode in prop::option::of("[xy]"), read in names(), block in names(), allow in names(),
            branches in names(), servers in names(), flag in any::<bool>(), sections in 0_u8..32,
        ) -> Value {
            let mut document = json!({"metadata": {"id": id, "mode": mode}});
            for (bit, name, section) in [
                (1, "filesystem", json!({"block_read": read})),
                (2, "commands", json!({"block": block, "allow": allow})),
                (4, "git", json!({"block_push_branches": branches, "require_pull_request": flag})),
                (8, "mcp", json!({"allowed_servers": servers, "block_unknown_servers": flag})),
                (16, "evidence", json!({"deep": {"list": ["k"], "flag": flag}})),
            ] {
                if sections & bit != 0 {
                    document[name] = section;
                }
            }
            document
        }
    }

    /// Every list entry with the path it lies at.
    fn entries(value: &Value, path: &str, out: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(key, member)| entries(member, &format!("{path}/{key}"), out))
            }
            Value::Array(items) => out.extend(items.iter().map(|item| (path.to_owned(), item.clone()))),
            _ => {}
        }
    }

    fn entries_of(value: &Value) -> Vec<(String, Value)> {
        let mut out = Vec::new();
        entries(value, "", &mut out);
        out
    }

    proptest! {
        #[test]
        fn no_entry_is_lost_and_none_is_invented(base in policy(), child in policy()) {
            let merged = entries_of(&merge(&base, &child));
            let sources: Vec<_> = entries_of(&base).into_iter().chain(entries_of(&child)).collect();
            for entry in &sources {
                prop_assert!(merged.contains(entry), "{entry:?} is lost");
            }
            for entry in &merged {
                prop_assert!(sources.contains(entry), "{entry:?} is new");
            }
        }

        #[test]
        fn scalars_of_the_child_win(base in policy(), child in policy()) {
            let merged = merge(&base, &child);
            prop_assert_eq!(&merged["metadata"]["id"], &child["metadata"]["id"]);
            for pointer in ["/git/require_pull_request", "/mcp/block_unknown_servers", "/evidence/deep/flag"] {
                if let Some(flag) = child.pointer(pointer) {
                    prop_assert_eq!(merged.pointer(pointer), Some(flag));
                }
            }
            let mode = if child["metadata"]["mode"].is_null() { &base["metadata"]["mode"] } else { &child["metadata"]["mode"] };
            prop_assert_eq!(&merged["metadata"]["mode"], mode);
        }

        #[test]
        fn merging_is_associative_and_idempotent(a in policy(), b in policy(), c in policy()) {
            prop_assert_eq!(merge(&merge(&a, &b), &c), merge(&a, &merge(&b, &c)));
            let once = merge(&a, &b);
            prop_assert_eq!(&merge(&once, &once), &once);
            prop_assert_eq!(&merge(&once, &b), &once);
        }

        #[test]
        fn set_lists_are_sorted_without_duplicates(a in policy(), b in policy()) {
            let merged = merge(&a, &b);
            for (section, key) in SORTED {
                if let Some(Value::Array(items)) = merged[section].get(key) {
                    let texts: Vec<_> = items.iter().filter_map(Value::as_str).collect();
                    let mut sorted = texts.clone();
                    sorted.sort_unstable();
                    sorted.dedup();
                    prop_assert_eq!(texts, sorted);
                }
            }
        }
    }
}
