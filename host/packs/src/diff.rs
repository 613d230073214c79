//! What changed between two policies. docs/reference/approvals-identity-authoring.md, section 4.2.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

/// Dotted paths that differ, each list sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// Paths that only the right policy has.
    pub added: Vec<String>,
    /// Paths that only the left policy has.
    pub removed: Vec<String>,
    /// Paths whose value differs.
    pub changed: Vec<String>,
}

impl Diff {
    /// True if nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// Compares two policies path by path. Mappings are descended into (an empty one gives no path), lists are leaves, and
/// lists of strings compare without order.
#[must_use]
pub fn diff(left: &Value, right: &Value) -> Diff {
    let (left, right) = (flatten(left), flatten(right));
    let mut added = BTreeSet::new();
    let mut removed = BTreeSet::new();
    let mut changed = BTreeSet::new();
    for (path, value) in &left {
        match right.get(path) {
            None => drop(removed.insert(path.join("."))),
            Some(other) if !same(value, other) => drop(changed.insert(path.join("."))),
            Some(_) => {}
        }
    }
    for path in right.keys().filter(|path| !left.contains_key(*path)) {
        added.insert(path.join("."));
    }
    let list = |paths: BTreeSet<String>| paths.into_iter().collect();
    Diff { added: list(added), removed: list(removed), changed: list(changed) }
}

fn flatten(policy: &Value) -> BTreeMap<Vec<&str>, &Value> {
    let mut leaves = BTreeMap::new();
    if let Value::Object(_) = policy {
        collect(policy, &mut Vec::new(), &mut leaves);
    }
    leaves
}

fn collect<'v>(value: &'v Value, path: &mut Vec<&'v str>, leaves: &mut BTreeMap<Vec<&'v str>, &'v Value>) {
    let Value::Object(members) = value else {
        leaves.insert(path.clone(), value);
        return;
    };
    for (key, member) in members {
        path.push(key);
        collect(member, path, leaves);
        path.pop();
    }
}

fn same(left: &Value, right: &Value) -> bool {
    match (strings(left), strings(right)) {
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    }
}

/// The items of a list of strings, sorted.
fn strings(value: &Value) -> Option<Vec<&str>> {
    let mut texts = value.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
    texts.sort_unstable();
    Some(texts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_are_sorted_and_lists_of_strings_have_no_order() {
        let left = json!({"metadata": {"id": "a", "version": "1"}, "git": {}, "commands": {"allow": ["x", "y"], "block": ["b"]}, "evidence": {"n": [1, 2]}});
        let right = json!({"metadata": {"id": "a", "version": "2"}, "commands": {"allow": ["y", "x"]}, "mcp": {"b": true, "a": []}, "evidence": {"n": [2, 1]}});
        assert_eq!(
            diff(&left, &right),
            Diff {
                added: vec!["mcp.a".into(), "mcp.b".into()],
                removed: vec!["commands.block".into()],
                changed: vec!["evidence.n".into(), "metadata.version".into()],
            }
        );
        assert!(diff(&left, &left).is_empty());
    }

    #[test]
    fn a_section_that_changes_its_kind_is_added_and_removed() {
        let change = diff(&json!({"mcp": {"a": 1}}), &json!({"mcp": "off"}));
        assert_eq!((change.added, change.removed, change.changed), (vec!["mcp".into()], vec!["mcp.a".into()], vec![]));
    }

    #[test]
    fn a_dot_in_a_key_is_not_a_level() {
        let change = diff(&json!({"a": {"b": 1}}), &json!({"a.b": 1}));
        assert_eq!((change.added, change.removed), (vec!["a.b".to_owned()], vec!["a.b".to_owned()]));
    }
}
