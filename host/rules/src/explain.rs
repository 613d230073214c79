//! What a reason says about a part that nothing lets run: its program, what stands in the way, and what to do.

use crate::action::Part;

/// Longest name that a reason repeats, bytes.
const NAME_LIMIT: usize = 60;

/// How to let a command run: always, or this once.
pub(crate) const NEXT_STEP: &str =
    "; let it run always by commands.allow or effects.allow of the policy, or once by `cavra approval create`";

/// Why no pattern lets the part run, if it is not simply that there is none. Arguments and values are left out: they may
/// hold secrets.
pub(crate) fn unmatched(part: &Part<'_>) -> String {
    let name = program(part);
    let text = part.spellings.first().map(|spelling| spelling.text).unwrap_or_default();
    match (name, assignment(text)) {
        ("", Some((variable, _))) => ["no command pattern matches the assignment of `", variable, "`"].concat(),
        ("", None) => "no command pattern matches a part of the command line".to_owned(),
        (name, Some((variable, _))) => {
            ["no command pattern matches `", name, "` with the variable `", variable, "` set in front of it"].concat()
        }
        (name, None) => ["no command pattern matches `", name, "` as it is called"].concat(),
    }
}

/// The program a part calls; empty if it only assigns, or if the name is too long to be one.
pub(crate) fn program<'a>(part: &Part<'a>) -> &'a str {
    let mut rest = part.spellings.first().map(|spelling| spelling.text).unwrap_or_default();
    while let Some((_, behind)) = assignment(rest) {
        rest = behind;
    }
    let name = rest.split(' ').next().unwrap_or_default();
    if name.len() > NAME_LIMIT { "" } else { name }
}

/// The variable that a text begins by assigning, and what follows its value.
fn assignment(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim_end_matches('+');
    let is_name = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    if !is_name {
        return None;
    }
    let end = value_end(value);
    Some((name, value.get(end..).unwrap_or_default().trim_start()))
}

/// Where a value ends: at a blank outside of quotes, brackets and substitutions.
fn value_end(text: &str) -> usize {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') | (Some('`'), '`') => quote = None,
            (Some('\''), _) => {}
            (_, '\\') => escaped = true,
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '(' | '{') => depth += 1,
            (None, ')' | '}') => depth = depth.saturating_sub(1),
            (None, ' ') if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Spelling;

    #[test]
    fn the_program_and_what_stands_in_the_way_are_named() {
        for (text, name, reason) in [
            ("npm test", "npm", "matches `npm` as it is called"),
            ("FOO=1 npm test", "npm", "`npm` with the variable `FOO` set in front of it"),
            ("A='x y' B=$(date +%s) make", "make", "`make` with the variable `A`"),
            ("x=$(git rev-parse HEAD)", "", "the assignment of `x`"),
            ("x=`git rev-parse HEAD` ls", "ls", "`ls` with the variable `x`"),
            ("--opt=x y", "--opt=x", "`--opt=x` as it is called"),
            ("", "", "a part of the command line"),
        ] {
            let spellings = [Spelling { text, computed: &[] }];
            let part = Part { spellings: &spellings, dequoted: text, implied: false };
            assert_eq!(program(&part), name, "{text}");
            assert!(unmatched(&part).contains(reason), "{text}: {}", unmatched(&part));
        }
    }
}
