//! Configured secrets, cut out of what callers write: whoever pastes a token into a note must not have it stored and sent.

use std::path::Path;

use serde_json::Value;
use url::Url;

use crate::config::held;
use crate::{Connectors, Secret};

/// Settings that hold a secret, directly or by the name of an environment variable or a file.
const SECRETS: [&str; 9] = [
    "token",
    "oauth_client_secret",
    "authorization",
    "api_key",
    "client_secret",
    "signing_secret",
    "callback_secret",
    "secret",
    "password",
];

/// Shorter values are not looked for: they stand in any text by chance.
const SHORTEST: usize = 8;

const REDACTED: &str = "REDACTED";

/// The values of the configured secrets.
#[derive(Clone, Debug, Default)]
pub struct Scrubber(Vec<Secret>);

impl Connectors {
    /// What cuts the secrets of all connectors out, as they are at this moment.
    #[must_use]
    pub fn scrubber(&self) -> Scrubber {
        Scrubber::of(self.entries(), &|name| std::env::var(name).ok())
    }
}

impl Scrubber {
    pub(crate) fn of<'a>(
        entries: impl IntoIterator<Item = &'a Value>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let mut found: Vec<String> = Vec::new();
        let sections = |entry: &'a Value| {
            let named = ["credentials", "endpoints"].into_iter().filter_map(|name| entry.get(name)?.as_object());
            named.flat_map(|sections| sections.values()).chain([entry]).collect::<Vec<_>>()
        };
        for entry in entries.into_iter().flat_map(sections) {
            let setting = |name: &str| -> Vec<String> {
                let named = entry.get(format!("{name}_env")).and_then(Value::as_str).and_then(environment);
                let direct = entry.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
                let path = entry.get(format!("{name}_file")).and_then(Value::as_str);
                let kept = path.and_then(|path| held(Path::new(path)).ok());
                direct.into_iter().chain(named).chain(kept).collect()
            };
            let headers = entry.get("headers").and_then(Value::as_object).into_iter().flatten();
            found.extend(headers.filter_map(|(_, value)| value.as_str().map(ToOwned::to_owned)));
            found.extend(SECRETS.iter().flat_map(|name| setting(name)));
            found.extend(setting("url").iter().flat_map(|url| secrets_of(url)));
        }
        // A credential may be repeated without the scheme before it.
        let bare: Vec<String> =
            found.iter().filter_map(|value| Some(value.split_once(' ')?.1.trim().to_owned())).collect();
        found.extend(bare);
        found.retain(|value| value.chars().count() >= SHORTEST);
        // The longest first, so that no part of one is left behind by a shorter one.
        found.sort_by(|left, right| right.len().cmp(&left.len()).then_with(|| left.cmp(right)));
        found.dedup();
        Self(found.into_iter().map(Secret::new).collect())
    }

    /// Cuts them out of every text of a value, names of members included.
    pub fn scrub(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.scrub(item)),
            Value::Object(members) => {
                let taken = std::mem::take(members);
                members.extend(taken.into_iter().map(|(mut name, mut value)| {
                    self.text(&mut name);
                    self.scrub(&mut value);
                    (name, value)
                }));
            }
            _ => {}
        }
    }

    fn text(&self, text: &mut String) {
        for secret in &self.0 {
            if text.contains(secret.expose()) {
                *text = text.replace(secret.expose(), REDACTED);
            }
        }
    }
}

/// What lets somebody in within an address: a password, and the values of its query as they stand there and as they are
/// meant.
fn secrets_of(text: &str) -> Vec<String> {
    let Ok(url) = text.trim().parse::<Url>() else { return Vec::new() };
    let password = url.password().map(ToOwned::to_owned);
    let written = url.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let written: Vec<String> = written.map(|(_, value)| value.to_owned()).collect();
    let meant = url.query_pairs().map(|(_, value)| value.into_owned());
    password.into_iter().chain(written).chain(meant).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn configured_secrets_are_cut_out_wherever_they_stand() {
        let entries = [
            json!({"url": "https://a.example/x?sig=query%2Dsecret&v=1", "token_env": "SET", "headers": {"x-own": "header-secret"}}),
            json!({"url": "https://u:pass-secret@b.example/", "authorization": "Basic basic-secret", "api_key": "short"}),
        ];
        let scrubber = Scrubber::of(&entries, &|name| (name == "SET").then(|| "token-secret".to_owned()));
        let mut value = json!({"notes": "see header-secret and token-secret!", "list": ["query-secret", "query%2Dsecret"],
            "basic-secret": {"a": "Basic basic-secret", "b": "pass-secret", "c": "short", "d": 1}});
        scrubber.scrub(&mut value);
        assert_eq!(
            value,
            json!({"notes": "see REDACTED and REDACTED!", "list": ["REDACTED", "REDACTED"],
                "REDACTED": {"a": "REDACTED", "b": "REDACTED", "c": "short", "d": 1}})
        );
    }
}
