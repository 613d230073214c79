//! Conditions on records, as data.

use serde_json::Value;

use crate::Object;

/// What must hold of a record. Members are named by paths with dots.
#[derive(Clone, Copy, Debug)]
pub enum Condition {
    /// Nothing.
    Always,
    /// The member is this text.
    Is(&'static str, &'static str),
    /// The member is one of these texts.
    OneOf(&'static str, &'static [&'static str]),
    /// The member is this truth value; a missing one is `false`.
    Flag(&'static str, bool),
    /// The member is a number of at least this; a missing one is 0.
    AtLeast(&'static str, i64),
    /// The member is a list that has this text.
    Has(&'static str, &'static str),
    /// The member is there and neither null nor empty.
    Present(&'static str),
    /// The member is a time before another member, which is one too.
    Before(&'static str, &'static str),
    /// None of it holds.
    Not(&'static Self),
    /// All of them hold.
    All(&'static [Self]),
    /// One of them holds.
    Any(&'static [Self]),
}

impl Condition {
    /// Whether it holds for a record.
    #[must_use]
    pub fn holds(&self, record: &Object) -> bool {
        let text = |path: &str| at(record, path).and_then(Value::as_str);
        match self {
            Self::Always => true,
            Self::Is(path, wanted) => text(path) == Some(wanted),
            Self::OneOf(path, wanted) => text(path).is_some_and(|found| wanted.contains(&found)),
            Self::Flag(path, wanted) => at(record, path).and_then(Value::as_bool).unwrap_or(false) == *wanted,
            Self::AtLeast(path, bound) => at(record, path).and_then(Value::as_i64).unwrap_or(0) >= *bound,
            Self::Has(path, element) => {
                let list = at(record, path).and_then(Value::as_array);
                list.is_some_and(|list| list.iter().any(|found| found.as_str() == Some(element)))
            }
            Self::Present(path) => at(record, path).is_some_and(|found| match found {
                Value::Null => false,
                Value::String(text) => !text.is_empty(),
                Value::Array(list) => !list.is_empty(),
                _ => true,
            }),
            Self::Before(path, other) => match (text(path), text(other)) {
                (Some(left), Some(right)) => left < right,
                _ => false,
            },
            Self::Not(inner) => !inner.holds(record),
            Self::All(inner) => inner.iter().all(|condition| condition.holds(record)),
            Self::Any(inner) => inner.iter().any(|condition| condition.holds(record)),
        }
    }
}

/// The member at a path.
pub(super) fn at<'a>(record: &'a Object, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => record.get(path),
        Some((first, rest)) => at(record.get(first)?.as_object()?, rest),
    }
}
