//! JSON from outside, read so that it means one thing to every reader: readers differ in which of two members of one
//! name they take (RFC 8725, section 2), and in what they make of numbers (RFC 8259, section 6). A signed, digested or
//! approved document must not say one thing to who decides and another to who acts.

mod node;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;

pub use node::{Members, Node};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// A JSON object.
pub type Object = serde_json::Map<String, Value>;

/// How the names begin that `serde_json` has for itself: an object with such a member is another value when it is read
/// again from a text or from a value.
const PRIVATE: &str = "$serde_json::private::";

/// How the parser shows a number that is no 64-bit integer: as an object with this member.
const NUMBER: &str = "$serde_json::private::Number";

/// Digits of the longest integer. Python, which keeps integers whole, reads no longer ones.
const MAX_DIGITS: usize = 4300;

/// Why a text is not read. What it displays says nothing of the content, so that it can be shown and logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} (line {line}, column {column})")]
pub struct JsonError {
    fault: Fault,
    line: usize,
    column: usize,
    duplicate: Option<String>,
}

impl JsonError {
    /// What is wrong, without where.
    #[must_use]
    pub fn fault(&self) -> String {
        self.fault.to_string()
    }

    /// The name of the member that is there twice, if that is what is wrong: for who wrote the document.
    #[must_use]
    pub fn duplicate(&self) -> Option<&str> {
        self.duplicate.as_deref()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("not JSON")]
    Syntax,
    #[error("an object with two members of the same name")]
    Duplicate,
    #[error("an object with a member whose name begins with `{PRIVATE}`")]
    Private,
    #[error("a number that is too large")]
    TooLarge,
    #[error("nested more than 127 levels deep")]
    TooDeep,
}

/// Whether no object may have a member of this name.
#[must_use]
pub fn is_private_name(name: &str) -> bool {
    name.starts_with(PRIVATE)
}

/// Reads a value in which no object has two members of the same name or one of a private name of the JSON library.
/// An integer stays the integer it is, of up to 4300 digits; any other number becomes the nearest 64-bit float, and is
/// refused if that is infinite.
///
/// # Errors
/// What is wrong and where.
pub fn read_json(bytes: &[u8]) -> Result<Value, JsonError> {
    read(bytes)
}

/// As [`read_json`], for what is looked at and not kept: texts are those of `bytes` as far as they have no escapes, and members
/// are a list. It takes a fraction of the time.
///
/// # Errors
/// As [`read_json`].
pub fn read_node(bytes: &[u8]) -> Result<Node<'_>, JsonError> {
    read(bytes)
}

fn read<'t, S: Shape<'t>>(bytes: &'t [u8]) -> Result<S, JsonError> {
    let found = Found::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let strict = Strict::<S>(&found, PhantomData);
    let value = strict.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| {
        // The parser gives its own limit no name but this.
        if error.to_string().starts_with("recursion limit exceeded") {
            found.fault.set(Fault::TooDeep);
        }
        let (fault, duplicate) = (found.fault.get(), found.duplicate.take());
        JsonError { fault, line: error.line(), column: error.column(), duplicate }
    })
}

/// What a text is read as.
trait Shape<'t>: Sized + From<bool> + From<i64> + From<u64> + From<Number> + From<Vec<Self>> + From<Cow<'t, str>> {
    /// Members of an object so far.
    type Members: Default;

    fn null() -> Self;

    fn is_empty(members: &Self::Members) -> bool;

    /// Whether a member of that name is known to be there.
    fn has(members: &Self::Members, name: &str) -> bool;

    fn add(members: &mut Self::Members, name: Cow<'t, str>, value: Self);

    /// The object; or the name of a member that is there twice.
    fn object(members: Self::Members) -> Result<Self, String>;
}

impl<'t> Shape<'t> for Value {
    type Members = Object;

    fn null() -> Self {
        Self::Null
    }

    fn is_empty(members: &Object) -> bool {
        members.is_empty()
    }

    fn has(members: &Object, name: &str) -> bool {
        members.contains_key(name)
    }

    fn add(members: &mut Object, name: Cow<'t, str>, value: Self) {
        members.insert(name.into_owned(), value);
    }

    fn object(members: Object) -> Result<Self, String> {
        Ok(Self::Object(members))
    }
}

/// What is wrong, if something is: the parser's own errors say less.
struct Found {
    fault: Cell<Fault>,
    duplicate: RefCell<Option<String>>,
}

impl Default for Found {
    fn default() -> Self {
        Self { fault: Cell::new(Fault::Syntax), duplicate: RefCell::default() }
    }
}

struct Strict<'f, S>(&'f Found, PhantomData<S>);

impl<S> Clone for Strict<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Strict<'_, S> {}

impl<S> Strict<'_, S> {
    fn refused<E: Error>(self, fault: Fault) -> E {
        self.0.fault.set(fault);
        E::custom(fault)
    }

    fn twice<E: Error>(self, name: String) -> E {
        self.0.duplicate.replace(Some(name));
        self.refused(Fault::Duplicate)
    }
}

impl<'de, S: Shape<'de>> DeserializeSeed<'de> for Strict<'_, S> {
    type Value = S;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Shape<'de>> Visitor<'de> for Strict<'_, S> {
    type Value = S;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<S, E> {
        Ok(S::null())
    }

    fn visit_bool<E>(self, value: bool) -> Result<S, E> {
        Ok(S::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<S, E> {
        Ok(S::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<S, E> {
        Ok(S::from(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<S, E> {
        Ok(S::from(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<S, E> {
        Ok(S::from(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<S, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(S::from(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<S, A::Error> {
        let mut object = S::Members::default();
        while let Some(name) = members.next_key_seed(Name)? {
            if name == NUMBER && S::is_empty(&object) {
                return members.next_value_seed(NumberText(self));
            }
            if is_private_name(&name) {
                return Err(self.refused(Fault::Private));
            }
            if S::has(&object, &name) {
                return Err(self.twice(name.into_owned()));
            }
            S::add(&mut object, name, members.next_value_seed(self)?);
        }
        S::object(object).map_err(|name| self.twice(name))
    }
}

/// The name of a member.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// The text of a number. Only the parser itself hands over an owned text; what stands in the document comes borrowed,
/// so whoever writes an object with that member is refused.
struct NumberText<'f, S>(Strict<'f, S>);

impl<'de, S: Shape<'de>> DeserializeSeed<'de> for NumberText<'_, S> {
    type Value = S;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S, D::Error> {
        let reader = self.0;
        // Set before, because a value of another type fails without coming here again.
        reader.0.fault.set(Fault::Private);
        let number = deserializer.deserialize_any(self)?;
        reader.0.fault.set(Fault::Syntax);
        Ok(number)
    }
}

impl<'de, S: Shape<'de>> Visitor<'de> for NumberText<'_, S> {
    type Value = S;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<S, E> {
        Err(self.0.refused(Fault::Private))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<S, E> {
        number(&text).map(S::from).ok_or_else(|| self.0.refused(Fault::TooLarge))
    }
}

/// The value of a number that is no 64-bit integer.
fn number(text: &str) -> Option<Number> {
    if text == "-0" {
        return Some(Number::from(0));
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return (digits.len() <= MAX_DIGITS).then(|| text.parse().ok()).flatten();
    }
    text.parse().ok().and_then(Number::from_f64)
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
            "-?[1-9][0-9]{17,40}".prop_map(|digits| Value::Number(digits.parse().unwrap())),
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
            prop_assert_eq!(read_node(text.as_bytes()).unwrap().to_value(), value);
        }

        /// Python, whose integers have no bounds, is the reader to agree with.
        #[test]
        fn an_integer_stays_that_integer(digits in "-?[1-9][0-9]{0,400}", before in "[ \n]{0,3}") {
            let value = read_json(format!("{before}[\"\\\"9\", {{\"a\":{digits}}}]").as_bytes()).unwrap();
            prop_assert_eq!(value.to_string(), format!("[\"\\\"9\",{{\"a\":{digits}}}]"));
            prop_assert_eq!(read_json(value.to_string().as_bytes()).unwrap(), value);
        }

        /// However it is written, a float is the nearest one, and equal floats are equal values.
        #[test]
        fn a_float_is_the_nearest_one(digits in "[1-9][0-9]{0,30}", point in 0_usize..31, exponent in -340_i32..340) {
            let point = point.min(digits.len() - 1);
            let (whole, fraction) = digits.split_at(point + 1);
            let wanted = format!("{digits}e{}", exponent - i32::try_from(fraction.len()).unwrap()).parse::<f64>().unwrap();
            for text in [format!("{whole}.{fraction}0e{exponent}"), format!("{whole}.{fraction}00E{exponent:+03}")] {
                match read_json(text.as_bytes()) {
                    Ok(value) => {
                        prop_assert_eq!(&value, &Value::from(wanted), "{}", text);
                        prop_assert_eq!(value.as_f64(), Some(wanted));
                        prop_assert_eq!(serde_json::from_str::<Value>(&value.to_string()).unwrap(), value);
                    }
                    Err(error) => prop_assert!(wanted.is_infinite(), "{}: {}", text, error),
                }
            }
        }
    }

    const SYNTAX: &str = "not JSON";
    const TWICE: &str = "an object with two members of the same name";
    const PRIVATE_NAME: &str = "an object with a member whose name begins with `$serde_json::private::`";
    const TOO_LARGE: &str = "a number that is too large";

    /// However many members an object has, and whichever of them comes twice.
    #[test]
    fn no_name_comes_twice() {
        for count in 1..40 {
            for again in 0..count {
                let members: Vec<_> = (0..count).map(|n| format!("\"m{n}\":{n}")).collect();
                let text = format!("{{{},\"m{again}\":0}}", members.join(","));
                let twice = format!("m{again}");
                assert_eq!(read_json(text.as_bytes()).unwrap_err().duplicate(), Some(twice.as_str()));
                assert_eq!(read_node(text.as_bytes()).unwrap_err().duplicate(), Some(twice.as_str()));
            }
        }
    }

    #[test]
    fn what_is_refused_and_why() {
        for (text, fault) in [
            (r#"{"a":1,"a":1}"#, TWICE),
            (r#"{"a":1,"\u0061":2}"#, TWICE),
            (r#"[{"b":{"a":1.5,"a":2}}]"#, TWICE),
            (r#"{"a":1} x"#, SYNTAX),
            ("{", SYNTAX),
            ("", SYNTAX),
            ("[1.5, 01]", SYNTAX),
            ("[1e5, .5]", SYNTAX),
            ("[1e5", SYNTAX),
            ("NaN", SYNTAX),
            ("1e400", TOO_LARGE),
            (r#"{"a":[-1.8e308]}"#, TOO_LARGE),
            (r#"{"$serde_json::private::Number":"1"}"#, PRIVATE_NAME),
            (r#"{"$serde_json::private::Number":"\u0031"}"#, PRIVATE_NAME),
            (r#"{"\u0024serde_json::private::Number":"1"}"#, PRIVATE_NAME),
            (r#"{"$serde_json::private::Number":1}"#, PRIVATE_NAME),
            (r#"{"$serde_json::private::Number":1.5}"#, PRIVATE_NAME),
            (r#"{"$serde_json::private::Number":99999999999999999999}"#, PRIVATE_NAME),
            (r#"{"$serde_json::private::Number":null}"#, PRIVATE_NAME),
            (r#"{"$serde_json::private::Number":{"a":"1"}}"#, PRIVATE_NAME),
            (r#"{"$serde_json::private::Number":["1"]}"#, PRIVATE_NAME),
            (r#"{"$serde_json::private::Number":{"$serde_json::private::Number":"1"}}"#, PRIVATE_NAME),
            (r#"{"a":[{"$serde_json::private::Number":"x","b":1}]}"#, PRIVATE_NAME),
            (r#"{"a":1,"$serde_json::private::Number":"1"}"#, PRIVATE_NAME),
            (r#"[1.5,{"$serde_json::private::RawValue":"{}"}]"#, PRIVATE_NAME),
            (r#"{"$serde_json::private::":1}"#, PRIVATE_NAME),
        ] {
            let said = read_json(text.as_bytes()).expect_err(text).to_string();
            assert_eq!(said.split_once(" (line 1, column ").map(|said| said.0), Some(fault), "{text}: {said}");
            assert_eq!(read_node(text.as_bytes()).expect_err(text).to_string(), said, "{text}");
        }
        // However deep: not an overflow of the stack. Deep is not large, and wrong is not deep.
        for (depth, fault) in [(127, None), (128, Some(Fault::TooDeep)), (1 << 20, Some(Fault::TooDeep))] {
            let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(read_json(deep.as_bytes()).err().map(|error| error.fault), fault, "{depth}");
        }
        let wrong = format!("{}x", "[".repeat(127));
        assert_eq!(read_json(wrong.as_bytes()).unwrap_err().fault, Fault::Syntax);
        let inside = format!("[{}1e400]", r#"{"a":"#.repeat(126));
        assert_eq!(read_json(inside.as_bytes()).unwrap_err().fault, Fault::TooLarge);
        let place = read_json(b"{\"a\": [1,\n \"x\", 1e999]}").unwrap_err();
        assert_eq!((place.line, place.fault), (2, Fault::TooLarge));
    }

    #[test]
    fn what_is_read() {
        let long = "9".repeat(MAX_DIGITS);
        for (text, read) in [
            (r#"{"a":1,"b":{"a":2}}"#, None),
            (r#"{"a":1,"b":{"c":[1.5,null,true,-2,"x"]}}"#, None),
            (r#""$serde_json::private::Number""#, None),
            (r#"["18446744073709551616",{"18446744073709551616":"\"1e400"}]"#, None),
            (r#"{"a":18446744073709551616,"b":2}"#, None),
            ("18446744073709551615", None),
            ("-9223372036854775809", None),
            (&long, None),
            ("-0", Some("0")),
            ("-0.0", None),
            ("1.50", Some("1.5")),
            ("15e-1", Some("1.5")),
            ("1E5", Some("100000.0")),
            ("[99999999999999999999.0,1.0000000000000000000001,1e-400]", Some("[1e+20,1.0,0.0]")),
        ] {
            let value = read_json(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(value.to_string(), read.unwrap_or(text));
        }
        assert!(read_json(format!("-{long}").as_bytes()).is_ok());
        assert!(read_json(format!("{long}9").as_bytes()).is_err());
    }
}
