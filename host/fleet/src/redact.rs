//! What providers send back, without the secrets in it.

use serde_json::Value;
use url::Url;

/// What stands where a secret was.
const REDACTED: &str = "[redacted]";
/// Words in the names of members whose values are secrets, without blanks, dashes and underscores.
const SECRET_NAMES: [&str; 11] = [
    "authorization",
    "token",
    "secret",
    "password",
    "apikey",
    "webhook",
    "passwd",
    "cookie",
    "credential",
    "privatekey",
    "signature",
];
/// Authentication schemes that a secret stands behind.
const SCHEMES: [&str; 3] = ["bearer ", "basic ", "splunk "];
/// Hosts whose addresses' paths are secrets.
const SECRET_PATHS: [&str; 3] = [".webhook.office.com", ".logic.azure.com", ".api.powerplatform.com"];

/// A provider's payload without secrets, at any depth.
#[must_use]
pub fn redacted_payload(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| {
                    let value = if is_secret(name) { Value::from(REDACTED) } else { redacted_payload(value) };
                    (name.clone(), value)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(redacted_payload).collect()),
        Value::String(text) => Value::String(redacted_text(text)),
        other => other.clone(),
    }
}

fn is_secret(name: &str) -> bool {
    let folded: String =
        name.chars().filter(|c| !matches!(c, '-' | '_') && !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    SECRET_NAMES.iter().any(|word| folded.contains(word))
}

fn redacted_text(text: &str) -> String {
    let trimmed = text.trim_start();
    let starts = |scheme: &str| trimmed.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
    if SCHEMES.iter().any(|scheme| starts(scheme)) {
        return REDACTED.to_owned();
    }
    let address = ["http://", "https://"].iter().any(|scheme| starts(scheme));
    if address { redacted_url(trimmed.trim_end()).unwrap_or_else(|| REDACTED.to_owned()) } else { text.to_owned() }
}

/// An address as scheme, host and path, without who logs in and what is asked; nothing if it is no HTTP address.
#[must_use]
pub fn redacted_url(text: &str) -> Option<String> {
    let mut address = Url::parse(text).ok().filter(|address| matches!(address.scheme(), "http" | "https"))?;
    address.set_username("").ok()?;
    address.set_password(None).ok()?;
    address.set_fragment(None);
    let host = address.host_str()?.to_owned();
    if host == "hooks.slack.com" && address.path().starts_with("/services/") {
        return Some("https://hooks.slack.com/services/REDACTED".to_owned());
    }
    if SECRET_PATHS.iter().any(|ending| host.ends_with(ending)) {
        address.set_path("/REDACTED");
    }
    if address.query().is_some() {
        address.set_query(Some("REDACTED"));
    }
    Some(address.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_with_secret_names() {
        for name in [
            "authorization",
            "X-Api-Key",
            "Api Key",
            "access_token",
            "clientSecret",
            "Set-Cookie",
            "private-key",
            "webhookUrl",
            "PASSWD",
            "x_signature",
            "credentials",
        ] {
            let payload = json!({"list": [{name: {"deep": "s3cret"}}], "kept": 1});
            let redacted = redacted_payload(&payload);
            assert_eq!(redacted["list"][0][name], "[redacted]", "{name}");
            assert_eq!(redacted["kept"], 1);
        }
    }

    #[test]
    fn texts() {
        for (text, expected) in [
            ("Bearer abc", "[redacted]"),
            ("basic QWxh", "[redacted]"),
            ("https://u:p@h.example/path?sig=1#f", "https://h.example/path?REDACTED"),
            ("https://hooks.slack.com/services/T/B/x", "https://hooks.slack.com/services/REDACTED"),
            ("https://x.logic.azure.com/workflows/abc?sig=1", "https://x.logic.azure.com/REDACTED?REDACTED"),
            ("https://[broken", "[redacted]"),
            ("bearers of news", "bearers of news"),
            ("see https://h.example/?q=1", "see https://h.example/?q=1"),
        ] {
            assert_eq!(redacted_payload(&json!(text)), json!(expected), "{text}");
        }
        assert_eq!(redacted_url("ftp://h/x"), None);
        assert_eq!(redacted_url("no address"), None);
    }
}
