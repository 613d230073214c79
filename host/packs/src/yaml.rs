//! A policy document as the text of a `policy.yaml`.

use serde::ser::{Error, Serialize, SerializeMap, Serializer};
use serde_json::{Number, Value};

use crate::parse::{MAX_POLICY_BYTES, parse_policy};

/// The document in block style; it loads back to the same value.
///
/// # Errors
/// A sentence, if it does not, or is larger than a pack may be.
pub fn to_yaml(policy: &Value) -> Result<String, String> {
    let text = serde_norway::to_string(&Node(policy)).map_err(|error| format!("cannot be written as YAML: {error}"))?;
    if text.len() > MAX_POLICY_BYTES {
        return Err(format!("is larger than {MAX_POLICY_BYTES} bytes"));
    }
    match parse_policy(&text) {
        Ok(loaded) if loaded == *policy => Ok(text),
        Ok(_) => Err("does not survive being written as YAML".to_owned()),
        Err(problem) => Err(problem),
    }
}

/// A value as any serializer understands it. Numbers would show themselves as texts, which only `serde_json` undoes.
struct Node<'v>(&'v Value);

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Number(number) => serialize_number(number, serializer),
            Value::String(text) => serializer.serialize_str(text),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Node)),
            Value::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                members.iter().try_for_each(|(name, member)| map.serialize_entry(name, &Node(member)))?;
                map.end()
            }
        }
    }
}

fn serialize_number<S: Serializer>(number: &Number, serializer: S) -> Result<S::Ok, S::Error> {
    if let Some(number) = number.as_u64() {
        return serializer.serialize_u64(number);
    }
    if let Some(number) = number.as_i64() {
        return serializer.serialize_i64(number);
    }
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(number) => serializer.serialize_f64(number),
        None => Err(S::Error::custom("an integer that needs more than 64 bits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn texts_that_look_like_something_else_stay_texts() {
        let policy = json!({"a": ["1.0", "true", "null", "~", "- x", "a: b", "", " ", "\n", "*x", "&x", "!x", "2031-02-03", "0x1f", "é", "#"]});
        let text = to_yaml(&policy).unwrap();
        assert!(text.starts_with("a:\n- "), "{text}");
    }

    #[test]
    fn numbers_stay_numbers() {
        let policy = json!({"a": [0, 1, -1, u64::MAX, i64::MIN, 1.0, -0.5, 1e-7, 1e300], "b": {"c": null, "d": true}});
        let text = to_yaml(&policy).unwrap();
        assert!(text.contains("- 1\n- -1\n- 18446744073709551615\n"), "{text}");
        assert_eq!(parse_policy(&text).unwrap(), policy);
        let wide = json!({"a": serde_json::from_str::<Value>("18446744073709551616").unwrap()});
        assert!(to_yaml(&wide).unwrap_err().contains("more than 64 bits"));
    }

    proptest! {
        #[test]
        fn every_text_survives(texts in proptest::collection::vec(any::<String>(), 0..8), key in "[a-z]{1,8}") {
            let policy = json!({ key: texts });
            // Control characters that YAML has no escape for may be refused, but nothing is changed silently.
            if let Ok(text) = to_yaml(&policy) {
                prop_assert_eq!(parse_policy(&text).unwrap(), policy);
            }
        }
    }
}
