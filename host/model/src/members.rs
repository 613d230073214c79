//! Members of JSON objects that somebody else wrote: what is of another kind counts as not there.

use serde::Serialize;
use serde_json::Value;

use crate::Object;

/// A text; empty if there is none. For what is only compared or shown.
#[must_use]
pub fn text<'a>(object: &'a Object, member: &str) -> &'a str {
    object.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// A text that is not empty. For what has to be there.
#[must_use]
pub fn filled<'a>(object: &'a Object, member: &str) -> Option<&'a str> {
    Some(text(object, member)).filter(|text| !text.is_empty())
}

/// An object.
#[must_use]
pub fn object<'a>(parent: &'a Object, member: &str) -> Option<&'a Object> {
    parent.get(member).and_then(Value::as_object)
}

/// A list; nothing counts as an empty one.
#[must_use]
pub fn list<'a>(parent: &'a Object, member: &str) -> &'a [Value] {
    parent.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The objects of a list.
#[must_use]
pub fn objects<'a>(parent: &'a Object, member: &str) -> Vec<&'a Object> {
    list(parent, member).iter().filter_map(Value::as_object).collect()
}

/// The texts of a list.
#[must_use]
pub fn texts<'a>(parent: &'a Object, member: &str) -> Vec<&'a str> {
    list(parent, member).iter().filter_map(Value::as_str).collect()
}

/// The object in a value that was built as one.
#[must_use]
pub fn built(value: Value) -> Object {
    match value {
        Value::Object(members) => members,
        _ => Object::new(),
    }
}

/// The members of something that is written as an object.
///
/// # Errors
/// If it cannot be written as one.
pub fn of(value: &impl Serialize) -> Result<Object, serde_json::Error> {
    match serde_json::to_value(value)? {
        Value::Object(members) => Ok(members),
        _ => Err(serde::ser::Error::custom("it is no object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_of_another_kind_is_not_there() {
        let record = built(json!({"a": "text", "empty": "", "number": 3, "null": null, "list": ["x", 4, {"b": 1}]}));
        for (member, expected) in [("a", "text"), ("empty", ""), ("number", ""), ("null", ""), ("none", "")] {
            assert_eq!(text(&record, member), expected, "{member}");
            assert_eq!(filled(&record, member), Some(expected).filter(|text| !text.is_empty()), "{member}");
        }
        assert_eq!(texts(&record, "list"), ["x"]);
        assert_eq!(objects(&record, "list").len(), 1);
        assert!(list(&record, "a").is_empty() && object(&record, "list").is_none());
        assert_eq!(built(json!(["a"])), Object::new());
        assert_eq!(of(&json!({"a": 1})).unwrap(), built(json!({"a": 1})));
        assert!(of(&"text").is_err());
    }
}
