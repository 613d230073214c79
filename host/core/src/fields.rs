//! Members of request bodies, read with their limits. docs/reference/decisions-and-policy.md and 20, section 1 each.

use cavra_model::Object;
use serde_json::Value;

use crate::CoreError;

/// Longest text of any single field, in bytes.
pub const FIELD_LIMIT: usize = 64 * 1024;
/// Longest id, in characters.
pub const ID_LIMIT: usize = 256;

/// A text as it was given; absent, null and empty are all "not given".
pub(crate) fn text(body: &Object, field: &str, limit: usize) -> Result<Option<String>, CoreError> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() > limit => {
            Err(CoreError::BadRequest(format!("{field} is longer than {limit} bytes")))
        }
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(CoreError::BadRequest(format!("{field} must be a text"))),
    }
}

/// A text without the blanks around it; blank is "not given" too.
pub(crate) fn trimmed(body: &Object, field: &str, limit: usize) -> Result<Option<String>, CoreError> {
    let text = text(body, field, limit)?;
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// A truth value of a query or of a setting. docs/reference/evidence-and-promotion.md, section 0.
pub(crate) fn truth(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// A short text for people, trimmed, without control characters.
pub(crate) fn label(body: &Object, field: &str) -> Result<Option<String>, CoreError> {
    let value = trimmed(body, field, FIELD_LIMIT)?;
    if let Some(value) = &value {
        check_id(field, value)?;
    }
    Ok(value)
}

/// A whole number; what is below 0 counts as 0.
pub(crate) fn whole_number(body: &Object, field: &str) -> Result<Option<u64>, CoreError> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => {
            Ok(Some(number.as_u64().unwrap_or_default()))
        }
        Some(_) => Err(CoreError::BadRequest(format!("{field} must be a whole number"))),
    }
}

/// Refuses an id that is too long or holds control characters.
///
/// # Errors
/// [`CoreError::BadRequest`] naming `field`.
pub fn check_id(field: &str, value: &str) -> Result<(), CoreError> {
    check_text(field, value, ID_LIMIT)
}

/// As [`check_id`] with another limit, in characters.
pub(crate) fn check_text(field: &str, value: &str, limit: usize) -> Result<(), CoreError> {
    if value.chars().count() > limit {
        Err(CoreError::BadRequest(format!("{field} is longer than {limit} characters")))
    } else if value.chars().any(char::is_control) {
        Err(CoreError::BadRequest(format!("{field} holds control characters")))
    } else {
        Ok(())
    }
}
