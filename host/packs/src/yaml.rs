//! A policy document as the text of a `policy.yaml` that every YAML reader reads alike.
//!
//! YAML 1.1 and 1.2 take different plain words for something else than text (`yes`, `12:30`, `0o7`, `1_000`). So a text
//! stands plain only where it has the shape of a path, a command or a word and is none of the reserved ones; everything
//! else is quoted.

use serde_json::{Number, Value};

use crate::parse::{MAX_POLICY_BYTES, parse_policy};

/// Longest key, as it is written. Readers look this far for the colon behind it, and no further.
const MAX_KEY: usize = 1_000;

/// Words that some version of YAML takes for a boolean, for null, or for a mapping's default.
const RESERVED: [&str; 13] =
    ["y", "n", "yes", "no", "on", "off", "true", "false", "null", ".inf", ".nan", "nan", "inf"];

/// The document in block style; it loads back to the same value.
///
/// # Errors
/// A sentence, if it does not, or is larger than a pack may be.
pub fn to_yaml(policy: &Value) -> Result<String, String> {
    let mut text = String::new();
    match policy {
        Value::Object(members) if !members.is_empty() => block(policy, 0, &mut text)?,
        Value::Array(items) if !items.is_empty() => block(policy, 0, &mut text)?,
        flat => line(flat, &mut text)?,
    }
    if text.len() > MAX_POLICY_BYTES {
        return Err(format!("is larger than {MAX_POLICY_BYTES} bytes"));
    }
    match parse_policy(&text) {
        Ok(loaded) if loaded == *policy => Ok(text),
        Ok(_) => Err("does not survive being written as YAML".to_owned()),
        Err(problem) => Err(problem),
    }
}

/// Writes the members or items of a value, one a line, each behind `depth` blanks.
fn block(value: &Value, depth: usize, out: &mut String) -> Result<(), String> {
    match value {
        Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            indent(depth, out);
            let key = scalar(name);
            if key.len() > MAX_KEY {
                return Err(format!("has a key of more than {MAX_KEY} bytes"));
            }
            out.push_str(&key);
            out.push(':');
            below(member, depth, out)
        }),
        Value::Array(items) => items.iter().try_for_each(|item| {
            indent(depth, out);
            out.push('-');
            below(item, depth, out)
        }),
        flat => line(flat, out),
    }
}

/// Writes what stands behind a colon or a dash: in the same line, or as a block in the next ones.
fn below(value: &Value, depth: usize, out: &mut String) -> Result<(), String> {
    let is_block = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_block {
        out.push('\n');
        block(value, depth + 2, out)
    } else {
        out.push(' ');
        line(value, out)
    }
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', depth));
}

/// Writes a value that takes no lines of its own.
fn line(value: &Value, out: &mut String) -> Result<(), String> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(digits) => out.push_str(&number(digits)?),
        Value::String(text) => out.push_str(&scalar(text)),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
    out.push('\n');
    Ok(())
}

/// A number as every reader takes it for one: YAML 1.1 wants a point and a sign in `1.0e+300`.
fn number(number: &Number) -> Result<String, String> {
    if let Some(number) = number.as_u64() {
        return Ok(number.to_string());
    }
    if let Some(number) = number.as_i64() {
        return Ok(number.to_string());
    }
    let float = number.as_f64().filter(|_| number.is_f64()).ok_or("has an integer that needs more than 64 bits")?;
    let digits = format!("{float:?}");
    let Some((mantissa, exponent)) = digits.split_once('e') else { return Ok(digits) };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') { "" } else { "+" };
    Ok(format!("{mantissa}{point}e{sign}{exponent}"))
}

/// A text: plain where nobody can take it for something else, else in quotes.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else if text.chars().all(is_printable) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        escaped(text)
    }
}

fn is_plain(text: &str) -> bool {
    let begins = match text.as_bytes() {
        [b'.', next, ..] => next.is_ascii_alphabetic() || *next == b'/',
        [first, ..] => first.is_ascii_alphabetic() || [b'_', b'/'].contains(first),
        [] => false,
    };
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b" _./*@+=~%()$-".contains(&byte);
    begins
        && text.bytes().all(inside)
        && !text.ends_with(' ')
        && !RESERVED.contains(&text.to_ascii_lowercase().as_str())
}

/// Characters that a quoted line may hold as they are.
fn is_printable(character: char) -> bool {
    !matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}'..='\u{ffff}')
}

/// A text in double quotes, with an escape for everything that is not printable.
fn escaped(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{9f}' if !is_printable(character) => out.push_str(&format!("\\x{:02x}", u32::from(character))),
            _ if !is_printable(character) => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn texts_that_look_like_something_else_stay_texts() {
        let policy = json!({"a": ["1.0", "true", "null", "~", "- x", "a: b", "", " ", "\n", "*x", "&x", "!x", "2031-02-03", "0x1f", "é", "#"]});
        let text = to_yaml(&policy).unwrap();
        assert!(text.starts_with("a:\n  - "), "{text}");
    }

    /// What YAML 1.1 or 1.2 reads as something else is quoted; what neither does stands as people write it.
    #[test]
    fn only_what_no_version_misreads_stands_plain() {
        for quoted in [
            "yes",
            "No",
            "ON",
            "off",
            "y",
            "N",
            "true",
            "Null",
            "~",
            "12:30",
            "1:2:3",
            "0o7",
            "010",
            "1_000",
            "0b1",
            "1e3",
            "1.",
            ".5",
            "+1",
            "-1",
            ".inf",
            ".NaN",
            "2031-02-03",
            "=",
            "<<",
            "",
            "a: b",
            "a #b",
            "a:",
            "-",
            "?",
            "[a]",
            "{a}",
            "a, b",
            "|",
            ">",
            "%a",
            "@a",
            "`a`",
            "'a'",
            "\"a\"",
            "a ",
            " a",
            "für",
        ] {
            assert!(scalar(quoted).starts_with(['\'', '"']), "{quoted}");
        }
        for plain in
            ["terraform *", ".env", "./x", "/etc/*", "npm test", "a/b/c.yml", "git push --force", "x=1", "yes *"]
        {
            assert_eq!(scalar(plain), plain);
        }
    }

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        assert_eq!(scalar("a\u{7f}\u{85}\u{2028}\"\\\n\u{0}"), r#""a\x7f\x85\u2028\"\\\n\x00""#);
        assert_eq!(scalar("it's é"), "'it''s é'");
        assert!(to_yaml(&json!({ "k".repeat(MAX_KEY + 1): 1 })).unwrap_err().contains("key"));
    }

    #[test]
    fn numbers_stay_numbers() {
        let policy = json!({"a": [0, 1, -1, u64::MAX, i64::MIN, 1.0, -0.5, 1e-7, 1e300], "b": {"c": null, "d": true}});
        let text = to_yaml(&policy).unwrap();
        assert!(text.contains("- 1\n  - -1\n  - 18446744073709551615\n"), "{text}");
        assert!(text.contains("- 1.0e-7\n  - 1.0e+300\n"), "{text}");
        assert_eq!(parse_policy(&text).unwrap(), policy);
        let wide = json!({"a": serde_json::from_str::<Value>("18446744073709551616").unwrap()});
        assert!(to_yaml(&wide).unwrap_err().contains("more than 64 bits"));
    }

    #[test]
    fn every_shape_is_a_block_and_loads_back() {
        for policy in [
            json!({}),
            json!([]),
            json!("x"),
            json!({"a": {}, "b": [], "c": [[], {}, [1, [2]], {"d": [{"e": {"f": "g"}}]}]}),
            json!([[["a"]], {"b": [["c"]]}]),
        ] {
            assert_eq!(parse_policy(&to_yaml(&policy).unwrap()).unwrap(), policy);
        }
    }

    proptest! {
        #[test]
        fn every_text_survives(texts in proptest::collection::vec(any::<String>(), 0..8), key in any::<String>()) {
            let policy = json!({ format!("k{key}"): texts });
            prop_assert_eq!(parse_policy(&to_yaml(&policy).unwrap()).unwrap(), policy);
        }
    }
}
