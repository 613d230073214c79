//! Members of bodies about endpoints, beyond those of all bodies.

use std::collections::BTreeMap;

use cavra_model::Object;
use serde_json::Value;

use crate::CoreError;

/// A whole number, as JSON writes it or as a text of digits; what is below 0 counts as 0.
pub(super) fn integer(body: &Object, field: &str) -> Result<Option<u64>, CoreError> {
    let read = match body.get(field) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_i64().map(|number| u64::try_from(number).unwrap_or(0)),
        Some(Value::String(text)) => text.trim().parse::<i64>().ok().map(|number| u64::try_from(number).unwrap_or(0)),
        Some(_) => None,
    };
    read.map(Some).ok_or_else(|| CoreError::BadRequest(format!("{field} must be a whole number")))
}

/// An object, taken out of the body.
pub(super) fn taken(body: &mut Object, field: &str) -> Result<Option<Object>, CoreError> {
    match body.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(CoreError::BadRequest(format!("{field} must be an object"))),
    }
}

/// An object whose values are texts.
pub(super) fn texts(body: &Object, field: &str) -> Result<BTreeMap<String, String>, CoreError> {
    let wrong = || CoreError::BadRequest(format!("{field} must be an object of texts"));
    match body.get(field) {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(map)) => {
            map.iter().map(|(name, value)| Ok((name.clone(), value.as_str().ok_or_else(wrong)?.to_owned()))).collect()
        }
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_numbers() {
        for (value, read) in [
            (json!(7), Some(Some(7))),
            (json!("7"), Some(Some(7))),
            (json!(-1), Some(Some(0))),
            (json!(null), Some(None)),
            (json!(true), None),
            (json!(1.5), None),
            (json!("soon"), None),
            (json!([]), None),
        ] {
            let body = Object::from_iter([("n".to_owned(), value.clone())]);
            assert_eq!(integer(&body, "n").ok(), read, "{value}");
        }
    }
}
