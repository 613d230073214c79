//! The files that govern identity, read once at start-up. Contract 20, sections 1, 2.2 and 2.3.
//!
//! A file that is missing, cannot be parsed or does not say what it has to is an error: a control must never be off
//! because its file is wrong.

use std::path::{Path, PathBuf};

use cavra_artifacts::read_file;
use cavra_model::read_json;
use serde_json::Value;
use thiserror::Error;

use crate::Rbac;
use crate::discovery::{Discovery, KeySource};
use crate::jwk::parse_keys;
use crate::jwt::Expectations;

/// Seconds by which clocks may differ unless the file says otherwise.
const DEFAULT_LEEWAY: i64 = 60;
/// Most seconds by which clocks may be said to differ.
const MAX_LEEWAY: i64 = 3600;

/// A file that governs identity cannot be used.
#[derive(Debug, Error)]
#[error("{}: {problem}", file.display())]
pub struct ConfigError {
    file: PathBuf,
    problem: String,
}

/// The OpenID Connect configuration.
#[derive(Debug)]
pub(crate) struct Oidc {
    pub(crate) expected: Expectations,
    pub(crate) keys: KeySource,
    /// Unsigned claims are accepted: a proxy in front authenticates.
    pub(crate) trust_actor_claims: bool,
    /// Every endpoint that changes something needs an identity.
    pub(crate) require_identity_for_all_mutations: bool,
    /// What can loosen is open to everybody.
    pub(crate) allow_anonymous_mutations: bool,
    /// Nobody approves their own request; unset means: where identity is verified.
    pub(crate) forbid_self_approval: Option<bool>,
}

/// Everything the configuration may say.
const KEYS: [&str; 9] = [
    "allow_anonymous_mutations",
    "issuer",
    "audience",
    "jwks",
    "jwks_path",
    "leeway_seconds",
    "trust_actor_claims",
    "require_identity_for_all_mutations",
    "forbid_self_approval",
];

impl Oidc {
    pub(crate) fn load(file: &Path) -> Result<Self, ConfigError> {
        let document = read(file)?;
        let wrong = |problem: &str| ConfigError { file: file.to_owned(), problem: problem.to_owned() };
        let members = document.as_object().ok_or_else(|| wrong("must be an object"))?;
        for unknown in members.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            tracing::warn!(file = %file.display(), key = unknown, "unknown key in the OpenID Connect configuration");
        }
        let text = |key: &str| {
            let value = members.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
            value.map(ToOwned::to_owned).ok_or_else(|| wrong(&format!("{key} must be a text")))
        };
        let flag = |key: &str| match members.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(wrong(&format!("{key} must be true or false"))),
        };
        let leeway = match members.get("leeway_seconds") {
            None | Some(Value::Null) => DEFAULT_LEEWAY,
            Some(value) => value
                .as_i64()
                .filter(|seconds| (0..=MAX_LEEWAY).contains(seconds))
                .ok_or_else(|| wrong("leeway_seconds must be a whole number from 0 to 3600"))?,
        };
        let issuer = text("issuer")?;
        let keys = key_source(file, &issuer, members.get("jwks"), members.get("jwks_path"))?;
        Ok(Self {
            expected: Expectations { issuer, audience: text("audience")?, leeway },
            keys,
            trust_actor_claims: flag("trust_actor_claims")?.unwrap_or(false),
            require_identity_for_all_mutations: flag("require_identity_for_all_mutations")?.unwrap_or(false),
            allow_anonymous_mutations: flag("allow_anonymous_mutations")?.unwrap_or(false),
            forbid_self_approval: flag("forbid_self_approval")?,
        })
    }
}

/// Keys in the file, else in the file it names, else those the issuer publishes.
fn key_source(
    file: &Path,
    issuer: &str,
    jwks: Option<&Value>,
    jwks_path: Option<&Value>,
) -> Result<KeySource, ConfigError> {
    let wrong = |problem: &str| ConfigError { file: file.to_owned(), problem: problem.to_owned() };
    let given = |value: Option<&Value>| value.filter(|value| !value.is_null()).cloned();
    if let Some(set) = given(jwks) {
        return parse_keys(&set).map(KeySource::fixed).ok_or_else(|| wrong("jwks must be an object with a list keys"));
    }
    if let Some(path) = given(jwks_path) {
        let path = path.as_str().filter(|path| !path.is_empty()).ok_or_else(|| wrong("jwks_path must be a text"))?;
        let path = file.parent().unwrap_or(Path::new("")).join(path);
        let set = read(&path).map_err(|error| wrong(&format!("jwks_path: {error}")))?;
        return parse_keys(&set)
            .map(KeySource::fixed)
            .ok_or_else(|| wrong(&format!("jwks_path: {}: must be an object with a list keys", path.display())));
    }
    Discovery::new(issuer)
        .map(KeySource::Discovered)
        .ok_or_else(|| wrong("without jwks and jwks_path the issuer must be an https address (http on loopback)"))
}

/// Reads an RBAC file.
pub(crate) fn load_rbac(file: &Path) -> Result<Rbac, ConfigError> {
    Rbac::parse(&read(file)?).map_err(|problem| ConfigError { file: file.to_owned(), problem })
}

fn read(file: &Path) -> Result<Value, ConfigError> {
    read_document(file).map_err(|problem| ConfigError { file: file.to_owned(), problem })
}

/// Largest file that governs access, in bytes.
const MAX_DOCUMENT: u64 = 4 << 20;

/// The document in a file that governs access: YAML by its suffix, else JSON.
///
/// # Errors
/// What is wrong, without the name of the file.
pub fn read_document(file: &Path) -> Result<Value, String> {
    let bytes = read_file(file, MAX_DOCUMENT).map_err(|error| error.to_string())?;
    let yaml = file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if yaml {
        serde_norway::from_slice(&bytes).map_err(|error| error.to_string())
    } else {
        read_json(&bytes).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_files_of_some_size_in_either_language() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str| {
            let file = home.path().join(name);
            fs::write(&file, text).unwrap();
            file
        };
        assert_eq!(read_document(&at("a.json", "{\"a\": [1]}")), Ok(json!({"a": [1]})));
        assert_eq!(read_document(&at("a.yml", "a: [1]")), Ok(json!({"a": [1]})));
        assert!(read_document(&at("b.json", "a: [1]")).is_err(), "the suffix says the language");
        let large = at("large.json", "{}");
        fs::File::options().write(true).open(&large).unwrap().set_len(MAX_DOCUMENT + 1).unwrap();
        assert_eq!(read_document(&large), Err(format!("larger than {MAX_DOCUMENT} bytes")));
        assert_eq!(read_document(home.path()), Err("no regular file".to_owned()));
        assert!(read_document(&home.path().join("none")).is_err());
    }
}
