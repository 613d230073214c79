//! What an observation may hold.

use serde_json::Value;

use crate::Object;

/// Longest text, and longest number, of an observation, in bytes.
const LONGEST: usize = 1024;

/// Members that every observation has, as texts.
const REQUIRED: [&str; 3] = ["endpoint_id", "deployment_target", "provider"];

/// Members that an observation has as far as they are known: texts, numbers or truth values.
pub const FACTS: [&str; 8] = [
    "installed_version",
    "binary_sha256",
    "last_seen_at",
    "hostname",
    "serial_number",
    "os",
    "os_version",
    "management_state",
];

/// Checks an observation of a provider's export.
///
/// # Errors
/// What is wrong with it, without its content.
pub fn check(observation: &Object, provider: &str) -> Result<(), &'static str> {
    for name in REQUIRED {
        match observation.get(name) {
            Some(Value::String(text)) if text.len() <= LONGEST => {}
            Some(Value::String(_)) => return Err("a text longer than 1 KiB"),
            _ => return Err("an observation without id, target or provider"),
        }
    }
    if observation.get("provider").and_then(Value::as_str) != Some(provider) {
        return Err("an observation of another provider");
    }
    for (name, value) in observation {
        if REQUIRED.contains(&name.as_str()) {
            continue;
        }
        if !FACTS.contains(&name.as_str()) {
            return Err("a member that observations do not have");
        }
        match value {
            Value::Bool(_) => {}
            Value::String(text) if text.len() <= LONGEST => {}
            Value::Number(number) if number.to_string().len() <= LONGEST => {}
            Value::String(_) | Value::Number(_) => return Err("a fact longer than 1 KiB"),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                return Err("a fact that is no text, number or boolean");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_an_observation() {
        let good = json!({"endpoint_id": "a", "deployment_target": "", "provider": "jamf", "hostname": "h",
            "installed_version": 3, "management_state": true});
        let checked = |name: &str, value: Value| {
            let mut observation = good.as_object().unwrap().clone();
            observation.insert(name.to_owned(), value);
            check(&observation, "jamf")
        };
        assert_eq!(checked("os", json!("macOS")), Ok(()));
        for (name, value) in [
            ("endpoint_id", json!(7)),
            ("endpoint_id", json!("x".repeat(LONGEST + 1))),
            ("deployment_target", json!(null)),
            ("provider", json!("intune")),
            ("password", json!("hush")),
            ("os", json!({})),
            ("os", json!([])),
            ("os", json!(null)),
            ("hostname", json!("x".repeat(LONGEST + 1))),
            ("hostname", Value::Number("9".repeat(LONGEST + 1).parse().unwrap())),
        ] {
            assert!(checked(name, value.clone()).is_err(), "{name}");
        }
    }
}
