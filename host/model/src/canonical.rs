//! Canonical JSON and digests over it. docs/reference/evidence-and-promotion.md, section 0.1.
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

/// As Python's `repr` does, whose bytes other implementations sign and digest.
fn write_number(out: &mut String, number: &serde_json::Number) {
    // Decimal exponents of what is written without one.
    const PLAIN: std::ops::Range<i32> = -4..16;
    let float = number.as_f64().filter(|_| number.is_f64());
    let Some(float) = float else {
        return out.push_str(if number.as_str() == "-0" { "0" } else { number.as_str() });
    };
    // The shortest digits that are read back as the same number.
    let scientific = format!("{float:e}");
    match scientific.split_once('e').and_then(|(digits, exponent)| Some((digits, exponent.parse::<i32>().ok()?))) {
        Some((digits, exponent)) if !PLAIN.contains(&exponent) => {
            out.push_str(&format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.unsigned_abs()));
        }
        _ => out.push_str(&format!("{float:?}")),
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
        Self::digits(&self.0)
    }

    /// The hex digits of a digest that was read as a text; the text itself if it does not say that it is one.
    #[must_use]
    pub fn digits(text: &str) -> &str {
        text.strip_prefix("sha256:").unwrap_or(text)
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
    use proptest::prelude::*;
    use serde_json::json;

    /// The vectors of docs/reference/evidence-and-promotion.md, section 0.2.
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
        // As a store may have them that somebody else wrote.
        let text = "[-0,-0.0,1.50,15E-1,1e0,18446744073709551616,-99999999999999999999,100000000000000000000.0]";
        let value: Value = serde_json::from_str(text).unwrap();
        let wanted = "[0,-0.0,1.5,1.5,1.0,18446744073709551616,-99999999999999999999,1e+20]";
        assert_eq!(canonical(&value), wanted);
    }

    /// What Python 3 answers to `json.dumps`.
    #[test]
    fn floats_are_spelled_as_python_does() {
        for (number, spelled) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1e-4, "0.0001"),
            (9.9999e-5, "9.9999e-05"),
            (1e-5, "1e-05"),
            (1.5e-5, "1.5e-05"),
            (-2.5e-5, "-2.5e-05"),
            (1e-6, "1e-06"),
            (1e-7, "1e-07"),
            (123e-9, "1.23e-07"),
            (0.1, "0.1"),
            (0.3333333333333333, "0.3333333333333333"),
            (100.0, "100.0"),
            (123456789012345.6, "123456789012345.6"),
            (1234567890123456.0, "1234567890123456.0"),
            (9999999999999998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1.2e16, "1.2e+16"),
            (1e17, "1e+17"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (1e100, "1e+100"),
            (-1e-100, "-1e-100"),
            (5e-324, "5e-324"),
            (2.2250738585072014e-308, "2.2250738585072014e-308"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (9007199254740993.0, "9007199254740992.0"),
            (5.684341886080802e-14, "5.684341886080802e-14"),
            (2.2250738585072014e-308, "2.2250738585072014e-308"),
            (1.1805916207174113e+21, "1.1805916207174113e+21"),
            (1e22, "1e+22"),
            (1e23, "1e+23"),
            (4.35, "4.35"),
            (0.3, "0.3"),
            (2.675, "2.675"),
            (1e15, "1000000000000000.0"),
            (1e-3, "0.001"),
        ] {
            assert_eq!(canonical(&json!(number)), spelled);
        }
    }

    proptest! {
        /// The rule as Python has it: the fewest digits that are read back as the number, and an exponent of at least
        /// two digits if the first digit stands for less than 0.0001, or for 10 to the 16 or more.
        #[test]
        fn floats_follow_the_rule(bits in any::<u64>(), exponent in -20_i32..30, digits in -99_999_i32..99_999) {
            for number in [f64::from_bits(bits), f64::from(digits) * 10_f64.powi(exponent)] {
                if !number.is_finite() {
                    continue;
                }
                let text = canonical(&json!(number));
                prop_assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(number.to_bits()), "{}", text);
                let (mantissa, exponent) = text.split_once('e').map_or((&*text, None), |(m, e)| (m, Some(e)));
                let significant = mantissa.replace(['-', '.'], "");
                let significant = significant.trim_start_matches('0').trim_end_matches('0').len();
                if significant > 1 {
                    let shorter = format!("{number:.*e}", significant - 2);
                    prop_assert_ne!(shorter.parse::<f64>().unwrap(), number, "{}", text);
                }
                let has_exponent = number != 0.0 && !(1e-4..1e16).contains(&number.abs());
                prop_assert_eq!(exponent.is_some(), has_exponent, "{}", text);
                match exponent {
                    None => prop_assert!(mantissa.contains('.'), "{}", text),
                    Some(exponent) => {
                        prop_assert!(exponent.starts_with(['-', '+']) && exponent.len() >= 3, "{}", text);
                        prop_assert!(exponent.len() == 3 || exponent.chars().nth(1) != Some('0'), "{}", text);
                        prop_assert!(!mantissa.ends_with(".0") && !mantissa.ends_with('.'), "{}", text);
                    }
                }
            }
        }
    }

    #[test]
    fn strings_are_ascii() {
        assert_eq!(canonical(&json!("a\u{1}\u{7f}/\u{1f600}\n")), "\"a\\u0001\u{7f}/\\ud83d\\ude00\\n\"");
    }
}
