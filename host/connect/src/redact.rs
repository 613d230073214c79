//! What is shown of a request that was sent. What may be secret is not.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use url::Url;

use crate::Secret;

const REDACTED: &str = "REDACTED";

/// Words in the names of headers whose values are not shown.
const SECRET_WORDS: [&str; 7] = ["authorization", "token", "secret", "key", "password", "cookie", "signature"];

/// Hosts whose paths let whoever knows them in, by their ends.
const SECRET_PATHS: [&str; 5] =
    [".webhook.office.com", ".logic.azure.com", ".api.powerplatform.com", "hooks.slack.com", "hooks.slack-gov.com"];

/// The request as evidence shows it. `own` is the header that the operator chose for his key.
pub(crate) fn shown(method: &str, url: &Url, headers: &BTreeMap<String, Secret>, own: &[&str]) -> Value {
    let headers: BTreeMap<&str, &str> =
        headers.iter().map(|(name, value)| (name.as_str(), shown_header(name, value, own))).collect();
    json!({ "method": method, "url": shown_url(url), "headers": headers })
}

fn shown_header<'a>(name: &str, value: &'a Secret, own: &[&str]) -> &'a str {
    let secret = own.contains(&name) || SECRET_WORDS.iter().any(|word| name.contains(word));
    if secret { REDACTED } else { value.expose() }
}

/// An address without what lets somebody in.
#[must_use]
pub fn shown_url(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    if host == "hooks.slack.com" && url.path().starts_with("/services/") {
        return format!("https://hooks.slack.com/services/{REDACTED}");
    }
    let place = match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    };
    if SECRET_PATHS.iter().any(|end| host.ends_with(end)) {
        return format!("{place}/{REDACTED}");
    }
    let query = if url.query().is_some() { "?REDACTED" } else { "" };
    format!("{place}{}{query}", url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_what_lets_in() {
        for (url, shown) in [
            ("https://hooks.slack.com/services/T0/B0/xyz", "https://hooks.slack.com/services/REDACTED"),
            ("https://hooks.slack.com/actions/T0/1/xyz", "https://hooks.slack.com/REDACTED"),
            ("https://hooks.slack.com/services/T0/B0/xyz?a=b", "https://hooks.slack.com/services/REDACTED"),
            ("https://splunk.example:8088/services/collector", "https://splunk.example:8088/services/collector"),
            ("https://a.example/x?token=hush#hush", "https://a.example/x?REDACTED"),
            ("https://user:hush@a.example/x", "https://a.example/x"),
            ("https://x.webhook.office.com/hush/hush?hush", "https://x.webhook.office.com/REDACTED"),
            (
                "https://prod-1.westeurope.logic.azure.com/workflows/hush",
                "https://prod-1.westeurope.logic.azure.com/REDACTED",
            ),
            ("http://127.0.0.1:9/x", "http://127.0.0.1:9/x"),
            ("http://[::1]:9/x", "http://[::1]:9/x"),
        ] {
            assert_eq!(shown_url(&url.parse().unwrap()), shown);
        }
    }

    #[test]
    fn headers_are_shown_if_they_cannot_be_secret() {
        let names =
            ["authorization", "x-api-key", "dd-api-key", "x-vault-token", "cookie", "x-signature", "own", "accept"];
        let headers = names.map(|name| (name.to_owned(), Secret::new("hush"))).into_iter().collect();
        let shown = shown("POST", &"https://a.example/".parse().unwrap(), &headers, &["own"]);
        for name in names {
            assert_eq!(shown["headers"][name], if name == "accept" { "hush" } else { REDACTED }, "{name}");
        }
    }
}
