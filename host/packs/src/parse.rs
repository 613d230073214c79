//! `policy.yaml` as a JSON value.
//!
//! Stricter than YAML is, because what a lenient reader drops would be a rule: a key given twice, a key that is not a
//! string, a merge key and a tag are errors. Work is bounded for hostile input: size, depth, and what aliases expand to.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Largest `policy.yaml`, in bytes.
pub const MAX_POLICY_BYTES: usize = 1 << 20;

/// What a document may expand to, in units of one byte of text; an element costs [`ELEMENT`] beside its text. Every
/// document of [`MAX_POLICY_BYTES`] without aliases stays below it.
const BUDGET: usize = 20 << 20;
const ELEMENT: usize = 16;

/// Brackets that may be open at once. The reader's own bound on depth comes after scanning, and a megabyte of brackets
/// keeps its scanner busy for seconds.
const MAX_OPEN_BRACKETS: usize = 128;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Parses YAML (JSON is YAML) into a JSON value.
///
/// # Errors
/// A sentence for the author of the document, with line and column where they are known.
pub fn parse_policy(text: &str) -> Result<Value, String> {
    if text.len() > MAX_POLICY_BYTES {
        return Err(format!("is larger than {MAX_POLICY_BYTES} bytes"));
    }
    if opens_too_many_brackets(text) {
        return Err(format!("has more than {MAX_OPEN_BRACKETS} brackets open at once"));
    }
    // Editors on Windows begin a file with a byte order mark; the YAML reader takes it for a document of its own.
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let budget = Cell::new(BUDGET);
    Node(&budget).deserialize(serde_norway::Deserializer::from_str(text)).map_err(|error| error.to_string())
}

/// Counts brackets without regard to quotes. A policy has a handful; whoever has more open at once can close some.
fn opens_too_many_brackets(text: &str) -> bool {
    let mut open = 0_usize;
    text.bytes().any(|byte| {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        open > MAX_OPEN_BRACKETS
    })
}

/// Reads one node and pays for it from the document's budget.
#[derive(Clone, Copy)]
struct Node<'b>(&'b Cell<usize>);

impl Node<'_> {
    fn pay<E: Error>(self, text: usize) -> Result<(), E> {
        let left = self.0.get().checked_sub(ELEMENT + text);
        self.0.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or_else(|| E::custom("aliases expand to too much"))
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        self.pay(0)?;
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        self.pay(0)?;
        Ok(Value::from(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        self.pay(0)?;
        Ok(Value::from(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        self.pay(0)?;
        Number::from_f64(number).map(Value::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.pay(text.len())?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.pay(0)?;
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.pay(0)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        self.pay(0)?;
        let mut object = Map::new();
        while let Some(key) = members.next_key_seed(self)? {
            let Value::String(key) = key else {
                return Err(A::Error::custom("a key that is not a string; put it in quotes"));
            };
            if key == "<<" {
                return Err(A::Error::custom("the merge key `<<` is not supported; use `inherits`"));
            }
            if cavra_model::is_private_name(&key) {
                return Err(A::Error::custom(format!("no key may be `{key}`")));
            }
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{}` is there twice", crate::error::shown(&key))));
            }
            object.insert(key, members.next_value_seed(self)?);
        }
        Ok(Value::Object(object))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Value, A::Error> {
        Err(A::Error::custom("tags are not supported"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_and_json_give_the_same() {
        let yaml =
            "metadata: {id: cavra-x, version: '1.0'}\ncommands:\n  allow:\n    - npm test\n    - 'a: b'\non: yes\n";
        let value = json!({
            "metadata": {"id": "cavra-x", "version": "1.0"}, "commands": {"allow": ["npm test", "a: b"]}, "on": "yes",
        });
        assert_eq!(parse_policy(yaml), Ok(value.clone()));
        assert_eq!(parse_policy(&value.to_string()), Ok(value));
        assert_eq!(parse_policy(""), Ok(Value::Null));
    }

    #[test]
    fn what_a_lenient_reader_would_drop_is_an_error() {
        for (text, part) in [
            ("a: 1\nb: 2\na: 3\n", "twice"),
            ("commands:\n  block: [x]\n  block: []\n", "twice"),
            ("1: x\n", "not a string"),
            ("true: x\n", "not a string"),
            ("? [a]\n: x\n", "not a string"),
            ("base: &b {a: 1}\nchild:\n  <<: *b\n", "merge key"),
            ("a: !include other.yaml\n", "tags"),
            ("a: .nan\n", "finite"),
            ("a: [{$serde_json::private::Number: '1'}]\n", "no key may be"),
            ("$serde_json::private::RawValue: '{}'\n", "no key may be"),
            ("a: 1\n---\nb: 2\n", "more than one document"),
            ("a: [1\n", ""),
            ("a: *nobody\n", "unknown anchor"),
        ] {
            let error = parse_policy(text).expect_err(text);
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_byte_order_mark_says_nothing() {
        for text in ["a: [b]\n", "{\"a\": [\"b\"]}", "---\na: [b]\n"] {
            assert_eq!(parse_policy(&format!("\u{feff}{text}")), Ok(json!({"a": ["b"]})), "{text:?}");
        }
        assert_eq!(parse_policy("a: ['\u{feff}b']\n"), Ok(json!({"a": ["\u{feff}b"]})), "elsewhere it is a character");
    }

    #[test]
    fn an_anchor_is_fine() {
        let text = "a: &x [1, {b: c}]\nd: *x\n";
        assert_eq!(parse_policy(text), Ok(json!({"a": [1, {"b": "c"}], "d": [1, {"b": "c"}]})));
    }

    #[test]
    fn hostile_documents_end_soon() {
        let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..30 {
            let previous = format!("*a{}", level - 1);
            laughs.push_str(&format!("a{level}: &a{level} [{}]\n", vec![previous; 10].join(", ")));
        }
        let long = "x".repeat(500_000);
        let repeated = format!("a: &a {long}\nb: [{}]\n", vec!["*a"; 100_000].join(", "));
        let started = Instant::now();
        for text in [
            laughs,
            repeated,
            "a: &a [*a]\n".to_owned(),
            "[".repeat(MAX_POLICY_BYTES),
            "{a: ".repeat(MAX_POLICY_BYTES / 4),
            "- ".repeat(MAX_POLICY_BYTES / 2),
            "? ".repeat(MAX_POLICY_BYTES / 2),
            (0..900).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
            "x".repeat(MAX_POLICY_BYTES + 1),
        ] {
            assert!(parse_policy(&text).is_err(), "{:.40}", text);
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    }

    #[test]
    fn the_budget_lets_every_document_without_aliases_through() {
        let text = format!("[{}]", vec!["1"; MAX_POLICY_BYTES / 2 - 1].join(","));
        assert!(parse_policy(&text).is_ok());
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "\\PC*") {
            let _ = parse_policy(&text);
        }

        #[test]
        fn arbitrary_yaml_characters_never_panic(text in "[-&*!|>{}\\[\\],:?#'\"%@` \n\ta1<.~=\u{0}\u{85}\u{2028}]{0,60}") {
            let _ = parse_policy(&text);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_policy(&String::from_utf8_lossy(&bytes));
        }
    }
}
