//! The spelling of JSON files: for humans to read and for tools to compare. docs/reference/evidence-and-promotion.md, section 3.1.

use cavra_model::canonical;
use serde_json::Value;

/// JSON with two spaces of indentation, sorted keys, ASCII escapes and a final newline.
#[must_use]
pub fn pretty(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, 0);
    out.push('\n');
    out
}

fn write_value(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Array(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                start_line(out, index > 0, depth + 1);
                write_value(out, item, depth + 1);
            }
            start_line(out, false, depth);
            out.push(']');
        }
        Value::Object(members) if !members.is_empty() => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|left, right| left.0.cmp(right.0));
            out.push('{');
            for (index, (name, member)) in sorted.into_iter().enumerate() {
                start_line(out, index > 0, depth + 1);
                out.push_str(&canonical(&Value::from(name.as_str())));
                out.push_str(": ");
                write_value(out, member, depth + 1);
            }
            start_line(out, false, depth);
            out.push('}');
        }
        // What fits on one line is spelled as the digests spell it.
        scalar_or_empty => out.push_str(&canonical(scalar_or_empty)),
    }
}

fn start_line(out: &mut String, comma: bool, depth: usize) {
    if comma {
        out.push(',');
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn two_spaces_sorted_ascii_and_a_final_newline() {
        let value = json!({"b": [1, {"é": 1.0}], "a": {}, "c": []});
        let text = "{\n  \"a\": {},\n  \"b\": [\n    1,\n    {\n      \"\\u00e9\": 1.0\n    }\n  ],\n  \"c\": []\n}\n";
        assert_eq!(pretty(&value), text);
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), value);
    }
}
