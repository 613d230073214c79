//! YAML as a JSON value.
//!
//! Stricter than YAML is, because what a lenient reader drops would be a rule: a key given twice, a key that is not a
//! string, a merge key and a tag are errors. Work is bounded for hostile input: depth, and what aliases expand to; how
//! long a document may be, the caller says.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// What a document may expand to, in units of one byte of text; an element costs [`ELEMENT`] beside its text. Every
/// document of a megabyte without aliases stays below it.
const BUDGET: usize = 20 << 20;
const ELEMENT: usize = 16;

/// Brackets that may be open at once. The reader's own bound on depth comes after scanning, and a megabyte of brackets
/// keeps its scanner busy for seconds.
const MAX_OPEN_BRACKETS: usize = 128;

/// Parses YAML (JSON is YAML) into a JSON value. A byte order mark is skipped.
///
/// # Errors
/// A sentence for the author of the document, with line and column where they are known.
pub fn parse_yaml(text: &str) -> Result<Value, String> {
    let text = without_mark(text);
    if opens_too_many_brackets(text) {
        return Err(format!("has more than {MAX_OPEN_BRACKETS} brackets open at once"));
    }
    let budget = Cell::new(BUDGET);
    Node(&budget).deserialize(serde_norway::Deserializer::from_str(text)).map_err(|error| error.to_string())
}

/// The text without the byte order mark that some editors put in front.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Text from a document as it may appear in a message: without control characters, at most 80 characters.
pub fn shown(text: &str) -> String {
    let mut characters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut out: String = characters.by_ref().take(80).collect();
    if characters.next().is_some() {
        out.push('…');
    }
    out
}

/// Counts brackets without regard to quotes. A document that people write has a handful; whoever has more open at once can close some.
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
                return Err(A::Error::custom("the merge key `<<` is not supported; write the members out"));
            }
            if cavra_model::is_private_name(&key) {
                return Err(A::Error::custom(format!("no key may be `{key}`")));
            }
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{}` is there twice", shown(&key))));
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

    /// As long as a policy may be.
    const MEGABYTE: usize = 1 << 20;

    #[test]
    fn yaml_and_json_give_the_same() {
        let yaml =
            "metadata: {id: cavra-x, version: '1.0'}\ncommands:\n  allow:\n    - npm test\n    - 'a: b'\non: yes\n";
        let value = json!({
            "metadata": {"id": "cavra-x", "version": "1.0"}, "commands": {"allow": ["npm test", "a: b"]}, "on": "yes",
        });
        assert_eq!(parse_yaml(yaml), Ok(value.clone()));
        assert_eq!(parse_yaml(&value.to_string()), Ok(value));
        assert_eq!(parse_yaml(""), Ok(Value::Null));
        assert_eq!(parse_yaml("\u{feff}on: yes"), Ok(json!({"on": "yes"})), "a byte order mark");
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
            let error = parse_yaml(text).expect_err(text);
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn an_anchor_is_fine() {
        let text = "a: &x [1, {b: c}]\nd: *x\n";
        assert_eq!(parse_yaml(text), Ok(json!({"a": [1, {"b": "c"}], "d": [1, {"b": "c"}]})));
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
            "[".repeat(MEGABYTE),
            "{a: ".repeat(MEGABYTE / 4),
            "- ".repeat(MEGABYTE / 2),
            "? ".repeat(MEGABYTE / 2),
            (0..900).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
        ] {
            assert!(parse_yaml(&text).is_err(), "{:.40}", text);
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    }

    #[test]
    fn the_budget_lets_every_document_without_aliases_through() {
        let text = format!("[{}]", vec!["1"; MEGABYTE / 2 - 1].join(","));
        assert!(parse_yaml(&text).is_ok());
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "\\PC*") {
            let _ = parse_yaml(&text);
        }

        #[test]
        fn arbitrary_yaml_characters_never_panic(text in "[-&*!|>{}\\[\\],:?#'\"%@` \n\ta1<.~=\u{0}\u{85}\u{2028}]{0,60}") {
            let _ = parse_yaml(&text);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_yaml(&String::from_utf8_lossy(&bytes));
        }
    }
}
