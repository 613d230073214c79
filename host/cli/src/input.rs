//! Documents and keys in files that the user names.

use std::path::Path;

use anyhow::{Context as _, bail};
use cavra_evidence::{PublicKey, SigningKey, read_file};
use cavra_model::{Object, read_json};
use serde_json::Value;

/// No key, signature or trust root comes near this.
pub const MAX_KEY_BYTES: u64 = 1 << 20;

/// The JSON value in a file of at most `limit` bytes.
pub fn json_file(file: &Path, limit: u64) -> anyhow::Result<Value> {
    read_json(&read_file(file, limit)?).with_context(|| file.display().to_string())
}

/// The JSON object in a file of at most `limit` bytes.
pub fn object_file(file: &Path, limit: u64) -> anyhow::Result<Object> {
    match json_file(file, limit)? {
        Value::Object(object) => Ok(object),
        _ => bail!("{} is no JSON object", file.display()),
    }
}

/// The decision that an object is, or holds under `decision` or `base_decision`. docs/reference/decisions-and-policy.md, section 12.
pub fn decision_in(mut object: Object) -> Object {
    // A decision's own `decision` is a text.
    let wrapper =
        ["decision", "base_decision"].into_iter().find(|member| object.get(*member).is_some_and(Value::is_object));
    match wrapper {
        Some(wrapper) if !object.get("decision").is_some_and(Value::is_string) => match object.remove(wrapper) {
            Some(Value::Object(decision)) => decision,
            _ => object,
        },
        _ => object,
    }
}

/// The text in a file of at most `limit` bytes.
pub fn text_file(file: &Path, limit: u64) -> anyhow::Result<String> {
    String::from_utf8(read_file(file, limit)?).with_context(|| format!("{} is not text", file.display()))
}

/// The private key in a PEM file.
pub fn signing_key_file(file: &Path) -> anyhow::Result<SigningKey> {
    SigningKey::from_pem(&text_file(file, MAX_KEY_BYTES)?).with_context(|| file.display().to_string())
}

/// The public key in a PEM file.
pub fn public_key_file(file: &Path) -> anyhow::Result<PublicKey> {
    PublicKey::from_pem(&text_file(file, MAX_KEY_BYTES)?).with_context(|| file.display().to_string())
}
