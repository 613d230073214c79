//! Paths into records: `general.name`, `applications[].version`. Snake case and camel case are the same member.

use cavra_json::{Members, Node};

use crate::FACT_BYTES;

/// Every value at a path, in the record's order. A segment that ends in `[]` goes through the elements of a list.
pub fn values<'a>(record: &'a Members<'a>, path: &str) -> Vec<&'a Node<'a>> {
    let mut segments = path.split('.');
    let Some(first) = segments.next() else { return Vec::new() };
    let mut found = step(record, first);
    for segment in segments {
        found = found.into_iter().filter_map(Node::as_object).flat_map(|object| step(object, segment)).collect();
    }
    found
}

/// The first value at a path that says something and is neither object nor list.
pub fn first<'a>(record: &'a Members<'a>, path: &str) -> Option<&'a Node<'a>> {
    match path.split_once('.') {
        None if !path.ends_with("[]") => member(record, path).filter(|value| says_something(value)),
        Some((outer, inner)) if !path.contains('[') => first(member(record, outer)?.as_object()?, inner),
        _ => values(record, path).into_iter().find(|value| says_something(value)),
    }
}

/// Whether a value can be a fact: not null, not empty, no object, no list, and no longer than facts are.
pub fn says_something(value: &Node<'_>) -> bool {
    match value {
        Node::Null | Node::Object(_) | Node::List(_) => false,
        Node::Text(text) => !text.is_empty() && text.len() <= FACT_BYTES,
        Node::Number(number) => number.as_str().len() <= FACT_BYTES,
        Node::Bool(_) => true,
    }
}

/// The member with this name in either spelling; the exact one first.
pub fn member<'a>(object: &'a Members<'a>, name: &str) -> Option<&'a Node<'a>> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| same_name(key, name)).map(|(_, value)| value))
}

fn step<'a>(object: &'a Members<'a>, segment: &str) -> Vec<&'a Node<'a>> {
    match segment.strip_suffix("[]") {
        Some(name) => match member(object, name) {
            Some(Node::List(items)) => items.iter().collect(),
            _ => Vec::new(),
        },
        None => member(object, segment).into_iter().collect(),
    }
}

fn same_name(left: &str, right: &str) -> bool {
    fn folded(name: &str) -> impl Iterator<Item = u8> {
        name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase())
    }
    folded(left).eq(folded(right))
}
