//! Values: where one ends, whether it stands for something that is elsewhere, and whether it looks random.

use crate::text::Text;

/// A longer value is a secret without a closer look, which would cost time in proportion to its length for each name in it.
pub(crate) const LONG: usize = 4096;

/// Where a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) quoted: bool,
}

/// The value that begins at `start`: what is in quotes, else a word of a command line, an address or a list of settings.
/// `None` if there is none.
pub(crate) fn value(text: Text<'_>, start: usize) -> Option<Value> {
    let escaped = text.at(start) == b'\\' && matches!(text.at(start + 1), b'"' | b'\'');
    let quote = if escaped { text.at(start + 1) } else { text.at(start) };
    let found = if matches!(quote, b'"' | b'\'' | b'`') {
        let start = start + 1 + usize::from(escaped);
        Value { start, end: quoted_end(text, start, quote, escaped), quoted: true }
    } else {
        Value { start, end: bare_end(text, start), quoted: false }
    };
    (found.end > found.start).then_some(found)
}

/// The closing quote. One that is escaped is part of the value, unless the whole text is escaped once more.
fn quoted_end(text: Text<'_>, start: usize, quote: u8, escaped: bool) -> usize {
    let mut end = start;
    loop {
        end = text.run(end, |byte| byte != quote && byte != b'\\');
        match text.at(end) {
            b'\\' if escaped && text.at(end + 1) == quote => return end,
            b'\\' => end += 2,
            _ => return end.min(text.len()),
        }
    }
}

fn bare_end(text: Text<'_>, start: usize) -> usize {
    let mut end = start;
    loop {
        end = text.run(end, |byte| {
            byte > b' '
                && !matches!(
                    byte,
                    b'"' | b'\'' | b'`' | b';' | b'&' | b'|' | b'<' | b'>' | b')' | b'}' | b',' | b'\\' | 127
                )
        });
        match (text.at(end), text.at(end + 1)) {
            // A line break written out, or a line that goes on, ends a value; another escaped character belongs.
            (b'\\', b'n' | b'r' | b't' | b'\n' | b'"') => return end,
            (b'\\', next) if next != 0 => end += 1 + text.char_length(end + 1),
            // A comma ends a value if another setting follows.
            (b',', next) if end > start && next > b' ' && next != b'"' && !names_a_setting(text, end + 1) => end += 1,
            _ => return end,
        }
    }
}

/// Whether `name=` or `name:` stands there.
fn names_a_setting(text: Text<'_>, start: usize) -> bool {
    let end =
        text.run(start, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')).min(start + 64);
    end > start && matches!(text.at(end), b'=' | b':')
}

/// Whether a value is no secret by itself: it is empty but for signs, names a variable or a file, is a pattern, a
/// placeholder or a constant, or has been redacted.
pub(crate) fn is_reference(value: &str) -> bool {
    let bytes = value.as_bytes();
    let (first, second) = (bytes.first().copied().unwrap_or(0), bytes.get(1).copied().unwrap_or(0));
    let variable =
        first == b'$' && (second.is_ascii_alphabetic() || matches!(second, b'{' | b'(' | b'_' | b'@' | b'*'));
    let shell = variable || first == b'`' || (first == b'%' && value.len() > 2 && value.ends_with('%'));
    let template = value.starts_with("{{") || value.starts_with("<") || value.starts_with(crate::MARKER);
    let pattern =
        value.starts_with(".*") || value.starts_with("[^") || value.starts_with("\\") || value.starts_with("(?");
    let file = first == b'@' || value.starts_with("file:") || value.starts_with("env:") || value.starts_with("op://");
    let empty = !bytes.iter().any(u8::is_ascii_alphanumeric);
    let masked = value.len() > 2 && bytes.iter().all(|byte| matches!(byte, b'x' | b'X' | b'*' | b'.' | b'-' | b'?'));
    shell || template || pattern || file || empty || masked || is_constant(value)
}

fn is_constant(value: &str) -> bool {
    const CONSTANTS: [&str; 28] = [
        "true",
        "false",
        "yes",
        "no",
        "on",
        "off",
        "none",
        "null",
        "nil",
        "undefined",
        "auto",
        "default",
        "required",
        "optional",
        "disabled",
        "enabled",
        "inherit",
        "prompt",
        "ask",
        "env",
        "stdin",
        "string",
        "str",
        "bool",
        "boolean",
        "bytes",
        "int",
        "text",
    ];
    value.len() <= 9 && CONSTANTS.iter().any(|constant| constant.eq_ignore_ascii_case(value))
}

/// Whether a value is an expression of a program rather than a text: `config.secret`, `os.environ["X"]`, `read()`.
pub(crate) fn is_code(value: &str) -> bool {
    let calls = value.contains(['(', '[']);
    let mut parts = value.split('.');
    let identifier = |part: &str| {
        let mut characters = part.bytes();
        characters.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
            && characters.all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
    };
    calls || (value.contains('.') && parts.all(identifier))
}

/// Whether a value is the path of a file.
pub(crate) fn is_path(value: &str) -> bool {
    const ENDINGS: [&str; 14] = [
        ".pem", ".key", ".pub", ".crt", ".cer", ".json", ".yaml", ".yml", ".txt", ".env", ".p12", ".pfx", ".asc",
        ".gpg",
    ];
    let rooted = ["./", "../", "~/", "/"].iter().any(|root| value.starts_with(root));
    let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte));
    (plain && rooted && !looks_random(value)) || ENDINGS.iter().any(|ending| value.ends_with(ending))
}

/// Whether there is some variety in a token's body; placeholders such as `xxxxxxxx` have none.
pub(crate) fn is_varied(body: &str) -> bool {
    let mut seen = [false; 256];
    for byte in body.bytes().take(4096) {
        if let Some(slot) = seen.get_mut(usize::from(byte)) {
            *slot = true;
        }
    }
    seen.iter().filter(|seen| **seen).count() >= body.len().min(6)
}

/// Whether a value looks as if drawn by lot: long, of several kinds of characters, and hardly two alike.
pub(crate) fn looks_random(value: &str) -> bool {
    let bytes = value.as_bytes();
    if bytes.len() < 16 {
        return false;
    }
    let count = |belongs: fn(&u8) -> bool| bytes.iter().filter(|byte| belongs(byte)).count();
    let digits = count(u8::is_ascii_digit);
    let hex = bytes.iter().all(u8::is_ascii_hexdigit);
    if hex {
        return bytes.len() >= 32 && digits >= 6 && entropy(bytes) >= 3.0;
    }
    let plain = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-.~%!@#^*$".contains(byte));
    let kinds = [count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase), digits];
    let kinds = kinds.iter().filter(|count| **count >= 2).count();
    plain && kinds == 3 && entropy(bytes) >= 3.4
}

/// Shannon entropy of the bytes, in bits for each.
fn entropy(bytes: &[u8]) -> f64 {
    let bytes = bytes.get(..4096).unwrap_or(bytes);
    let mut counts = [0_u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = f64::from(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    let share = |count: &u32| f64::from(*count) / total;
    counts.iter().filter(|count| **count > 0).map(share).map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_people_end_them() {
        for (text, wanted) in [
            ("abc def", "abc"),
            ("'a b' c", "a b"),
            ("\"a \\\" b\" c", "a \\\" b"),
            ("\\\"a b\\\", x", "a b"),
            ("abc;User Id=x", "abc"),
            ("abc,uid=1000", "abc"),
            ("a,b,c d", "a,b,c"),
            ("a\\ b c", "a\\ b"),
            ("abc\\nNEXT=1", "abc"),
            ("abc&x=1", "abc"),
            ("abc==", "abc=="),
        ] {
            let text = Text::new(text);
            let found = value(text, 0).unwrap();
            assert_eq!(text.part(found.start, found.end), wanted);
        }
        for nothing in ["", " x", "\"\"", ";", "''"] {
            assert_eq!(value(Text::new(nothing), 0), None, "{nothing}");
        }
    }

    #[test]
    fn what_stands_for_something_else() {
        for reference in [
            "$TOKEN",
            "${TOKEN}",
            "$(cat f)",
            "`cat f`",
            "%TOKEN%",
            "<token>",
            "{{ x }}",
            "***",
            "xxxx",
            "true",
            "@file",
            "op://v/i",
            "[REDACTED:jwt]",
            ".*",
            "...",
        ] {
            assert!(is_reference(reference), "{reference}");
        }
        for secret in ["hunter2", "s3cr3t", "$1a", "changeme", "p@ss"] {
            assert!(!is_reference(secret), "{secret}");
        }
    }
}
