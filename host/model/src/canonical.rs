//! Canonical JSON and digests over it. Contract 30, section 0.1.
//!
//! Keys are sorted by code point, strings are pure ASCII (`\uXXXX`, surrogate pairs), integers stay integers and
//! other numbers are the shortest round-trip decimal with a sign and two digits in the exponent.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::Object;

/// The compact spelling: separators `,` and `:`. Used for digests.
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, ",", ":");
    out
}

/// The spaced spelling: separators `, ` and `: `. Used for bundle manifests.
#[must_use]
pub fn canonical_spaced(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, ", ", ": ");
    out
}

fn write_value(out: &mut String, value: &Value, item: &str, key: &str) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, element) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(item);
                }
                write_value(out, element, item, key);
            }
            out.push(']');
        }
        Value::Object(members) => write_object(out, members, item, key),
    }
}

fn write_object(out: &mut String, members: &Object, item: &str, key: &str) {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by(|left, right| left.0.cmp(right.0));
    out.push('{');
    for (index, (name, member)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push_str(item);
        }
        write_string(out, name);
        out.push_str(key);
        write_value(out, member, item, key);
    }
    out.push('}');
}

fn write_number(out: &mut String, number: &serde_json::Number) {
    let text = number.to_string();
    match text.split_once(['e', 'E']) {
        None => out.push_str(&text),
        Some((mantissa, exponent)) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent.trim_start_matches('+')),
            };
            out.push_str(mantissa.strip_suffix(".0").unwrap_or(mantissa));
            out.push('e');
            out.push(sign);
            if digits.len() < 2 {
                out.push('0');
            }
            out.push_str(digits);
        }
    }
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='\u{7f}' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

/// A SHA-256 digest, written `sha256:` and 64 hex digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// Digest of bytes.
    #[must_use]
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        let hash = Sha256::digest(bytes);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("sha256:{hex}"))
    }

    /// Digest of a record's compact canonical form.
    #[must_use]
    pub fn of_record(record: &Object) -> Self {
        let mut out = String::new();
        write_object(&mut out, record, ",", ":");
        Self::of(out)
    }

    /// Digest of a JSON value's compact canonical form.
    #[must_use]
    pub fn of_json(value: &Value) -> Self {
        Self::of(canonical(value))
    }

    /// The text with its `sha256:` prefix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hex digits alone.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The vectors of contract 30, section 0.2.
    #[test]
    fn vectors_of_the_contract() {
        let request = json!({"rollout_id": "r-9", "target_ring": "broad", "note": "naïve/≠", "n": 3});
        assert_eq!(
            canonical(&request),
            r#"{"n":3,"note":"na\u00efve/\u2260","rollout_id":"r-9","target_ring":"broad"}"#
        );
        assert_eq!(Digest::of_json(&request).hex(), "dab13078a09d3ea46aa8ebc54020425c167d8c846ada87ee49c2f1b1d374d449");
        let manifest = json!({
            "schema_version": "cavra.evidence.bundle.v1", "product": "CAVRA",
            "created_at": "2031-02-03T04:05:06+00:00", "signer": "équipe",
            "files": [{"path": "evidence.json", "sha256": "ab".repeat(32), "bytes": 7}],
        });
        assert_eq!(
            Digest::of(canonical_spaced(&manifest)).hex(),
            "d73456ad1b488343fdabf40fbeb7640ad4361be5d8f5fb6eb9c49b9f3a194ae4"
        );
    }

    #[test]
    fn numbers_keep_their_class() {
        assert_eq!(canonical(&json!([1, -1, 1.0, 0.5, 1e16, 1e-7, 1.5e300])), "[1,-1,1.0,0.5,1e+16,1e-07,1.5e+300]");
    }

    #[test]
    fn strings_are_ascii() {
        assert_eq!(canonical(&json!("a\u{1}\u{7f}/\u{1f600}\n")), "\"a\\u0001\u{7f}/\\ud83d\\ude00\\n\"");
    }
}
