//! Paths into records: `general.name`, `applications[].version`. Snake case and camel case are the same member.

use serde_json::Value;

use crate::{FACT_BYTES, Object};

/// Every value at a path, in the record's order. A segment that ends in `[]` goes through the elements of a list.
pub fn values<'a>(record: &'a Object, path: &str) -> Vec<&'a Value> {
    let mut segments = path.split('.');
    let Some(first) = segments.next() else { return Vec::new() };
    let mut found = step(record, first);
    for segment in segments {
        found = found.into_iter().filter_map(Value::as_object).flat_map(|object| step(object, segment)).collect();
    }
    found
}

/// The first value at a path that says something and is neither object nor list.
pub fn first<'a>(record: &'a Object, path: &str) -> Option<&'a Value> {
    values(record, path).into_iter().find(|value| says_something(value))
}

/// Whether a value can be a fact: not null, not empty, no object, no list, and no longer than facts are.
pub fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Object(_) | Value::Array(_) => false,
        Value::String(text) => !text.is_empty() && text.len() <= FACT_BYTES,
        Value::Number(number) => number.as_i64().is_some() || number.to_string().len() <= FACT_BYTES,
        Value::Bool(_) => true,
    }
}

/// The member with this name in either spelling; the exact one first.
pub fn member<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| same_name(key, name)).map(|(_, value)| value))
}

fn step<'a>(object: &'a Object, segment: &str) -> Vec<&'a Value> {
    match segment.strip_suffix("[]") {
        Some(name) => match member(object, name) {
            Some(Value::Array(items)) => items.iter().collect(),
            _ => Vec::new(),
        },
        None => member(object, segment).into_iter().collect(),
    }
}

fn same_name(left: &str, right: &str) -> bool {
    fn folded(name: &str) -> impl Iterator<Item = u8> {
        name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase())
    }
    left.len().abs_diff(right.len()) <= right.len() && folded(left).eq(folded(right))
}
