//! Values of strangers inside Markdown. A target is whatever an agent asked for, so it must not be able to end its
//! code span, start a line, or hide behind invisible characters. docs/reference/evidence-and-promotion.md, section 4.1.

/// A value as a code span that stays one span on one line. An absent value reads `(none)`.
///
/// Backslash escapes do not work inside code spans, so a backtick is spelled by its code point. The backslash itself
/// is doubled: two different values never look the same.
pub fn code(value: &str) -> String {
    if value.is_empty() {
        return "`(none)`".to_owned();
    }
    let mut out = String::from("`");
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '|' => out.push_str("\\|"),
            '`' => out.extend(c.escape_unicode()),
            _ => push_visible(&mut out, c),
        }
    }
    out.push('`');
    out
}

/// A value as plain text of one line, with everything that Markdown or HTML would act upon escaped.
pub fn plain(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        if matches!(c, '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~' | '&') {
            out.push('\\');
        }
        push_visible(&mut out, c);
    }
    out
}

/// A word for a place where only a word belongs, such as a verdict.
pub fn word(value: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !value.is_empty() && value.chars().all(harmless) { value.to_owned() } else { "(invalid)".to_owned() }
}

/// A value on one line, with what would not be seen spelled out.
pub fn visible(value: &str) -> String {
    let mut out = String::new();
    value.chars().for_each(|c| push_visible(&mut out, c));
    out
}

fn push_visible(out: &mut String, c: char) {
    match c {
        '\n' | '\r' | '\t' => out.extend(c.escape_default()),
        c if c.is_control() || is_invisible(c) => out.extend(c.escape_unicode()),
        c => out.push(c),
    }
}

/// Characters that change what a reader sees without being seen: line separators, text direction, joiners, tags.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_a_code_span() {
        assert_eq!(code("a`b|c\\d\ne\u{2028}\u{202e}"), "`a\\u{60}b\\|c\\\\d\\ne\\u{2028}\\u{202e}`");
        assert_eq!(code(""), "`(none)`");
    }

    #[test]
    fn plain_text_is_not_markup() {
        assert_eq!(plain("<img> **x**\n[y](z)"), "\\<img\\> \\*\\*x\\*\\*\\n\\[y\\](z)");
        assert_eq!(plain("claude-code /srv/my_repo"), "claude-code /srv/my_repo");
    }

    #[test]
    fn only_a_word_is_a_word() {
        assert_eq!(word("allow_with_attestation"), "allow_with_attestation");
        assert_eq!(word("allow** via `x`"), "(invalid)");
        assert_eq!(word(""), "(invalid)");
    }
}
