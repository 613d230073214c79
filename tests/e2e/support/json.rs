//! Independent readings of what the contract says about JSON, ids and times.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Canonical JSON: keys sorted, separators `,` and `:`, ASCII.
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|left, right| left.0.cmp(right.0));
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!("{}:{}", quoted(name), canonical(value))).collect();
            format!("{{{}}}", members.join(","))
        }
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    let mut ascii = String::new();
    for c in Value::from(text).to_string().chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            let mut units = [0; 2];
            ascii.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    ascii
}

/// `sha256:` and 64 hex digits.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    let digest = Sha256::digest(bytes);
    format!("sha256:{}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Member names, sorted.
pub fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> =
        value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// A text member.
#[track_caller]
pub fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("{member} is no text in {value}"))
}

/// A member that is a list of texts.
#[track_caller]
pub fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}")).iter().map(|item| item.as_str().unwrap()).collect()
}

/// `<prefix><count lowercase hex digits>`.
#[track_caller]
pub fn assert_id(id: &str, prefix: &str, count: usize) {
    let hex = id.strip_prefix(prefix).unwrap_or_else(|| panic!("{id} does not start with {prefix}"));
    let well_formed = hex.len() == count && hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    assert!(well_formed, "{id}");
}

/// `2027-03-04T05:06:07.000123+00:00`.
#[track_caller]
pub fn assert_timestamp(time: &str) {
    let form = "dddd-dd-ddTdd:dd:dd.dddddd+00:00";
    let fits = time.len() == form.len()
        && time.chars().zip(form.chars()).all(|(c, f)| if f == 'd' { c.is_ascii_digit() } else { c == f });
    assert!(fits, "{time}");
}
