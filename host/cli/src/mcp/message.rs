//! Messages: one line each, bounded, and the id of those that cannot be read.

use std::io::BufRead;

use cavra_model::read_json;
use serde_json::Value;

/// Longest message, in bytes.
pub const MESSAGE_LIMIT: usize = 4 * 1024 * 1024;

/// Longest id that is looked for in a message that cannot be read.
const ID_LIMIT: usize = 1024;

/// A line of input.
pub enum Line {
    /// As it was sent.
    Whole(Vec<u8>),
    /// Over [`MESSAGE_LIMIT`], with its id if it has one. The rest is not kept.
    TooLong(Option<Value>),
}

/// The next line; `None` at the end of the input.
///
/// # Errors
/// The input cannot be read.
pub fn next_line(input: &mut impl BufRead) -> std::io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut too_long: Option<IdScanner> = None;
    loop {
        let piece = input.fill_buf()?;
        if piece.is_empty() && line.is_empty() && too_long.is_none() {
            return Ok(None);
        }
        let end = piece.iter().position(|byte| *byte == b'\n');
        let (text, used) = piece.split_at(end.unwrap_or(piece.len()));
        match &mut too_long {
            Some(scanner) => scanner.feed(text),
            None if line.len() + text.len() <= MESSAGE_LIMIT => line.extend_from_slice(text),
            None => {
                let mut scanner = IdScanner::default();
                scanner.feed(&line);
                scanner.feed(text);
                line = Vec::new();
                too_long = Some(scanner);
            }
        }
        let is_end = end.is_some() || piece.is_empty();
        let used = text.len() + usize::from(!used.is_empty());
        input.consume(used);
        if is_end {
            return Ok(Some(too_long.map_or(Line::Whole(line), |scanner| Line::TooLong(scanner.id()))));
        }
    }
}

/// The id of a message that is not JSON, or not of one meaning, if it has exactly one.
pub fn id_in(message: &[u8]) -> Option<Value> {
    let mut scanner = IdScanner::default();
    scanner.feed(message);
    scanner.id()
}

/// An id that requests have: a text or a number.
pub fn is_id(value: &Value) -> bool {
    value.is_string() || value.is_number()
}

/// Finds the member `id` of the outermost object in a text that goes by, however long the text is.
#[derive(Default)]
struct IdScanner {
    depth: usize,
    in_text: bool,
    is_escaped: bool,
    /// What is kept of the text: a member's name, or the value of the id.
    kept: Vec<u8>,
    keeps: Keeps,
    ids: Vec<Vec<u8>>,
    is_over: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Keeps {
    /// The name of a member may follow.
    #[default]
    Name,
    /// The value of a member that is not the id.
    Nothing,
    /// The value of the id.
    Id,
}

impl IdScanner {
    fn feed(&mut self, text: &[u8]) {
        for byte in text {
            self.step(*byte);
        }
    }

    fn step(&mut self, byte: u8) {
        if self.in_text {
            self.keep(byte);
            self.in_text = byte != b'"' || self.is_escaped;
            self.is_escaped = byte == b'\\' && !self.is_escaped;
            return;
        }
        match byte {
            b'"' => {
                self.in_text = true;
                self.keep(byte);
            }
            b'{' | b'[' => {
                self.keep(byte);
                self.depth += 1;
                if self.depth == 1 {
                    self.kept.clear();
                    self.keeps = if byte == b'{' { Keeps::Name } else { Keeps::Nothing };
                }
            }
            b'}' | b']' => {
                if self.depth == 1 {
                    self.end_of_value();
                    self.is_over = true;
                }
                self.depth = self.depth.saturating_sub(1);
                self.keep(byte);
            }
            b':' if self.depth == 1 && self.keeps == Keeps::Name => {
                let name = read_json(&self.kept).ok();
                self.keeps = if name == Some(Value::from("id")) { Keeps::Id } else { Keeps::Nothing };
                self.kept.clear();
            }
            b',' if self.depth == 1 => {
                self.end_of_value();
                self.keeps = Keeps::Name;
            }
            _ => self.keep(byte),
        }
    }

    fn keep(&mut self, byte: u8) {
        let kept = match self.keeps {
            Keeps::Name => self.depth == 1,
            Keeps::Id => true,
            Keeps::Nothing => false,
        };
        if kept && self.kept.len() <= ID_LIMIT {
            self.kept.push(byte);
        }
    }

    fn end_of_value(&mut self) {
        let kept = std::mem::take(&mut self.kept);
        // Two are none, so more need not be remembered.
        if self.keeps == Keeps::Id && self.ids.len() < 2 {
            self.ids.push(kept);
        }
    }

    fn id(&self) -> Option<Value> {
        match self.ids.as_slice() {
            [only] if self.is_over && self.depth == 0 => read_json(only).ok().filter(is_id),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_id_is_found_wherever_it_stands() {
        for (message, id) in [
            (r#"{"id":7,"params":{"id":8}}"#, json!(7)),
            (r#"{"params":{"id":8},"x":[{"id":9}],"id":"a\"b"}"#, json!("a\"b")),
            (r#" { "\u0069d" : 18446744073709551616 } "#, read_json(b"18446744073709551616").unwrap()),
            (r#"{"a":1,"a":2,"id":3}"#, json!(3)),
            (r#"{"a":"{\"id\":1,","id":-1.5}"#, json!(-1.5)),
        ] {
            assert_eq!(id_in(message.as_bytes()), Some(id), "{message}");
        }
        for none in [
            "",
            "no json",
            "[1,2]",
            r#"{"id":1"#,
            r#"{"id":1,"id":1}"#,
            r#"{"id":null}"#,
            r#"{"id":{"id":1}}"#,
            r#"{"id":true,"x":1}"#,
            r#"[{"id":1}]"#,
            r#"{"x":{"id":1}}"#,
            r#"{"id":1e999}"#,
        ] {
            assert_eq!(id_in(none.as_bytes()), None, "{none}");
        }
        assert_eq!(id_in(format!(r#"{{"id":"{}"}}"#, "x".repeat(2_000)).as_bytes()), None);
    }

    #[test]
    fn long_lines_are_not_kept() {
        let long = format!(r#"{{"method":"tools/call","params":"{}","id":7}}"#, "x".repeat(MESSAGE_LIMIT));
        let input = format!("{{}}\n{long}\n\nlast");
        let mut input = std::io::BufReader::with_capacity(1000, input.as_bytes());
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut input).unwrap() {
            lines.push(match line {
                Line::Whole(text) => String::from_utf8(text).unwrap(),
                Line::TooLong(id) => format!("too long {}", id.unwrap_or_default()),
            });
        }
        assert_eq!(lines, ["{}", "too long 7", "", "last"]);
    }

    proptest! {
        /// What can be read has the id that is found without reading it.
        #[test]
        fn the_scanner_agrees_with_the_parser(id in "[a-z\"\\\\{}:,]{0,8}", before in "[a-z\"{},:\\[\\]\\\\]{0,12}", last in any::<bool>()) {
            let (id, before) = (json!(id), json!(before));
            let message = if last {
                format!(r#"{{"a":{before},"b":[{before},{{"id":5}}],"id":{id}}}"#)
            } else {
                format!(r#"{{"id": {id} ,"a":{before},"b":{{"id":{before}}}}}"#)
            };
            prop_assert_eq!(id_in(message.as_bytes()), Some(id));
        }
    }
}
