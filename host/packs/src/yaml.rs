//! A policy document as the text of a `policy.yaml`.

use serde_json::Value;

use crate::parse::{MAX_POLICY_BYTES, parse_policy};

/// The document in block style; it loads back to the same value.
///
/// # Errors
/// A sentence, if it does not, or is larger than a pack may be.
pub fn to_yaml(policy: &Value) -> Result<String, String> {
    let text = serde_norway::to_string(policy).map_err(|error| format!("cannot be written as YAML: {error}"))?;
    if text.len() > MAX_POLICY_BYTES {
        return Err(format!("is larger than {MAX_POLICY_BYTES} bytes"));
    }
    match parse_policy(&text) {
        Ok(loaded) if loaded == *policy => Ok(text),
        Ok(_) => Err("does not survive being written as YAML".to_owned()),
        Err(problem) => Err(problem),
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
