//! JSON from outside, read so that it means one thing to every reader: readers differ in which of two members of one
//! name they take (RFC 8725, section 2), and in how many digits of an integer they keep (RFC 8259, section 6). A signed,
//! digested or approved document must not say one thing to who decides and another to who acts.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;

use crate::Object;

/// Why a text is not read. It says nothing of the content, so that it can be shown and logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{fault} (line {line}, column {column})")]
pub struct JsonError {
    fault: Fault,
    line: usize,
    column: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("not JSON")]
    Syntax,
    #[error("an object with two members of the same name")]
    Duplicate,
    #[error("an integer that needs more than 64 bits")]
    WideInteger,
}

/// Reads a value in which no object has two members of the same name and no integer needs more than 64 bits.
///
/// # Errors
/// What is wrong and where.
pub fn read_json(bytes: &[u8]) -> Result<Value, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    let value = value.map_err(|error| JsonError {
        fault: if error.classify() == Category::Data { Fault::Duplicate } else { Fault::Syntax },
        line: error.line(),
        column: error.column(),
    })?;
    match wide_integer(bytes) {
        None => Ok(value),
        Some(before) => Err(JsonError {
            fault: Fault::WideInteger,
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            column: 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count(),
        }),
    }
}

/// What stands before the first integer of a JSON text that would be read as a float.
fn wide_integer(json: &[u8]) -> Option<&[u8]> {
    let mut rest = json;
    while let Some((&first, after)) = rest.split_first() {
        rest = match first {
            b'"' => after_string(after),
            b'-' | b'0'..=b'9' => {
                let length = rest.iter().take_while(|byte| b"+-.eE0123456789".contains(byte)).count();
                let (number, after) = rest.split_at(length);
                if is_wide_integer(number) {
                    return json.get(..json.len() - rest.len());
                }
                after
            }
            _ => after,
        };
    }
    None
}

/// What follows a string whose opening quote has been read.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            b'"' => return after,
            b'\\' => after.get(1..).unwrap_or_default(),
            _ => after,
        };
    }
    rest
}

fn is_wide_integer(number: &[u8]) -> bool {
    // Every integer of so few digits fits.
    const SAFE_LENGTH: usize = 18;
    number.len() > SAFE_LENGTH
        && number.iter().all(|byte| matches!(byte, b'-' | b'0'..=b'9'))
        && std::str::from_utf8(number).is_ok_and(|text| text.parse::<i64>().is_err() && text.parse::<u64>().is_err())
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Object::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.insert(name, members.next_value_seed(Self)?).is_some() {
                return Err(A::Error::custom("duplicate"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
            "[-\\\\\"0-9]{0,30}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c]{1,2}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_what_everybody_reads(value in value()) {
            let text = value.to_string();
            prop_assert_eq!(read_json(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
        }

        /// Python, whose integers have no bounds, is the reader to agree with.
        #[test]
        fn an_integer_stays_an_integer_or_is_refused(digits in "-?[1-9][0-9]{0,40}", before in "[ \n]{0,3}") {
            let text = format!("{before}[\"\\\"9\", {digits}]");
            match read_json(text.as_bytes()) {
                Ok(value) => prop_assert_eq!(value.to_string(), format!("[\"\\\"9\",{digits}]")),
                Err(error) => prop_assert!(
                    digits.parse::<i128>().map_or(true, |number| i64::try_from(number).is_err() && u64::try_from(number).is_err()),
                    "{}: {}", text, error
                ),
            }
        }
    }

    #[test]
    fn one_name_one_value() {
        const TWICE: Option<&str> = Some("an object with two members of the same name");
        const SYNTAX: Option<&str> = Some("not JSON");
        for (text, fault) in [
            (r#"{"a":1,"b":{"a":2}}"#, None),
            (r#"{"a": 1, "b": {"c": [1.5, null, true, -2, "x"]}}"#, None),
            (r#"{"a":1,"a":1}"#, TWICE),
            (r#"{"a":1,"\u0061":2}"#, TWICE),
            (r#"[{"b":{"a":1,"a":2}}]"#, TWICE),
            (r#"{"a":1} x"#, SYNTAX),
            ("{", SYNTAX),
            ("", SYNTAX),
        ] {
            let said = read_json(text.as_bytes()).err().map(|error| error.to_string());
            assert_eq!(said.as_deref().and_then(|said| said.split_once(" (")).map(|said| said.0), fault, "{text}");
        }
        let deep = "[".repeat(1 << 20);
        assert!(read_json(deep.as_bytes()).is_err(), "not an overflow of the stack");
    }

    #[test]
    fn integers_are_read_whole() {
        for (text, place) in [
            ("18446744073709551615", None),
            ("-9223372036854775808", None),
            ("18446744073709551616", Some("line 1, column 1")),
            ("-9223372036854775809", Some("line 1, column 1")),
            ("{\"a\": [1,\n \"\\\\\", 99999999999999999999]}", Some("line 2, column 8")),
            (r#"{"99999999999999999999": "\"99999999999999999999"}"#, None),
            ("[1e30, 99999999999999999999.0, 1.0000000000000000000001]", None),
        ] {
            let said = read_json(text.as_bytes()).err().map(|error| error.to_string());
            let wanted = place.map(|place| format!("an integer that needs more than 64 bits ({place})"));
            assert_eq!(said, wanted, "{text}");
        }
    }
}
