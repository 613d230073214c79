//! Members of JSON documents that somebody else wrote.

use cavra_model::Object;
use serde_json::Value;

/// A text that is not empty.
pub fn text<'a>(object: &'a Object, member: &str) -> Option<&'a str> {
    object.get(member).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// An object.
pub fn object<'a>(parent: &'a Object, member: &str) -> Option<&'a Object> {
    parent.get(member).and_then(Value::as_object)
}

/// The objects of a list.
pub fn objects<'a>(parent: &'a Object, member: &str) -> Vec<&'a Object> {
    list(parent, member).iter().filter_map(Value::as_object).collect()
}

/// The texts of a list.
pub fn texts<'a>(parent: &'a Object, member: &str) -> Vec<&'a str> {
    list(parent, member).iter().filter_map(Value::as_str).collect()
}

/// A list; nothing counts as an empty one.
pub fn list<'a>(parent: &'a Object, member: &str) -> &'a [Value] {
    parent.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether a flag stands as it should.
pub fn is(parent: &Object, member: &str, wanted: bool) -> bool {
    parent.get(member).and_then(Value::as_bool) == Some(wanted)
}

/// The object in a value that was built as one.
pub fn members(value: Value) -> Object {
    match value {
        Value::Object(members) => members,
        _ => Object::new(),
    }
}

/// The texts, sorted, each once.
pub fn sorted(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let unique: std::collections::BTreeSet<String> = texts.into_iter().collect();
    unique.into_iter().collect()
}

/// The first text that stands twice.
pub fn duplicate<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = std::collections::BTreeSet::new();
    texts.into_iter().find(|text| !seen.insert(*text))
}
