//! Secrets that are known by their name: `NAME=value`, `name: value`, `"name": "value"`, `--name value`.

use crate::Secret;
use crate::names::{Named, named};
use crate::text::{Text, is_blank, is_name};
use crate::value::{LONG, is_code, is_path, is_reference, looks_random, value};

/// Longest name that is looked at.
const NAME: usize = 128;

/// How far before a value its name may stand.
const BESIDE: usize = 160;

/// How a name and its value stand together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bond {
    /// `name=value`
    Tight,
    /// `name: value`, `name = value`
    Loose,
    /// `--name value`
    Option,
    /// `name value`
    Bare,
}

pub(crate) fn scan(text: Text<'_>, found: &mut Vec<Secret>) {
    let mut position = 0;
    while position < text.len() {
        let secret = match text.at(position) {
            b'=' | b':' => assignment(text, position),
            b'>' => element(text, position),
            b',' => after_comma(text, position),
            byte if is_blank(byte) => after_blank(text, position),
            _ => None,
        };
        match secret {
            Some(secret) => {
                position = secret.end.max(position + 1);
                found.push(secret);
            }
            None => position += 1,
        }
    }
}

/// The value after a sign of assignment.
fn assignment(text: Text<'_>, sign: usize) -> Option<Secret> {
    let next = text.at(sign + 1);
    // `==` and `!=` compare, `::` is a path, and of `:=` and `::=` the last sign counts.
    if matches!(next, b'=' | b':') || matches!(text.before(sign), b'=' | b'!' | b'<' | b'>' | b'~') {
        return None;
    }
    let name_end = name_end(text, sign);
    let mut name = name_before(text, name_end)?;
    let before = text.before(name_end - name.len());
    if TYPES.contains(&name) {
        name = name_before(
            text,
            text.run_back(name_end - name.len(), |byte| is_blank(byte) || matches!(byte, b':' | b'&')),
        )?;
    }
    if name.eq_ignore_ascii_case("value") {
        name = named_beside(text, name_end)?;
    }
    let arrow = usize::from(text.at(sign) == b'=' && next == b'>');
    let from = text.run(sign + 1 + arrow, is_blank);
    let bond = if name_end == sign && from == sign + 1 && text.at(sign) == b'=' { Bond::Tight } else { Bond::Loose };
    // `"password="` is a text about a password, `arn:…:secret:name` is an address, and `x=`…`` is a command.
    let closes = matches!(text.at(from), b'"' | b'\'') && text.at(from) == before && from == sign + 1;
    if closes || (text.at(from) == b'`' && bond == Bond::Tight) || (text.at(sign) == b':' && before == b':') {
        return None;
    }
    judge(text, name, block_start(text, from), bond)
}

/// Types that stand between a name and its value.
const TYPES: [&str; 4] = ["string", "String", "str", "text"];

/// The name in `{"name": "x", "value": …}`, for the value that stands at `end`.
fn named_beside(text: Text<'_>, end: usize) -> Option<&str> {
    let start = end.saturating_sub(BESIDE);
    let label = (start..end).rev().find(|at| ["name", "key"].iter().any(|label| text.has_word(*at, label)))?;
    let label_end = text.run(label, |byte| byte.is_ascii_alphabetic());
    let from = text.run(label_end, |byte| is_blank(byte) || matches!(byte, b'"' | b'\'' | b'\\' | b':' | b'='));
    let name_end = text.run(from, is_name);
    (from > label_end && name_end > from && name_end < end).then(|| text.part(from, name_end))
}

/// Where the text of a YAML block begins, if one does here.
fn block_start(text: Text<'_>, from: usize) -> usize {
    if !matches!(text.at(from), b'|' | b'>') {
        return from;
    }
    let line = text.run(from + 1, |byte| matches!(byte, b'-' | b'+' | b' '));
    if text.at(line) == b'\n' { text.run(line + 1, is_blank) } else { from }
}

/// Where the name before a sign ends: before the rest of an operator such as `+=`, blanks, a closing quote or bracket.
fn name_end(text: Text<'_>, sign: usize) -> usize {
    let mut end = sign;
    if text.at(sign) == b'=' {
        end = text.run_back(end, |byte| matches!(byte, b':' | b'?' | b'+' | b'.')).max(sign.saturating_sub(3));
    }
    end = text.run_back(end, is_blank).max(end.saturating_sub(8));
    if text.before(end) == b']' {
        end -= 1;
    }
    if matches!(text.before(end), b'"' | b'\'') {
        end -= 1;
        if text.before(end) == b'\\' {
            end -= 1;
        }
    }
    end
}

/// The text of an XML element.
fn element(text: Text<'_>, close: usize) -> Option<Secret> {
    let name = name_before(text, close)?;
    if text.before(close - name.len()) != b'<' || named(name) != Named::Secret {
        return None;
    }
    let start = text.run(close + 1, |byte| byte.is_ascii_whitespace());
    let end = text.run(start, |byte| byte != b'<' && !byte.is_ascii_whitespace());
    let shown = text.part(start, end);
    let fits = end > start && (shown.len() > LONG || !is_reference(shown));
    fits.then_some(Secret { start, end, kind: kind(name) })
}

fn name_before(text: Text<'_>, end: usize) -> Option<&str> {
    let start = text.run_back(end, is_name).max(end.saturating_sub(NAME));
    (end > start).then(|| text.part(start, end))
}

/// The value after a blank: of the option before it, or of a name that is a word of its own.
fn after_blank(text: Text<'_>, blank: usize) -> Option<Secret> {
    let name = name_before(text, blank)?;
    let from = text.run(blank, |byte| is_blank(byte) || byte == b'\\' || byte == b'\n');
    let bond = if name.starts_with('-') { Bond::Option } else { Bond::Bare };
    if bond == Bond::Option && text.at(from) == b'-' && !text.has(from, "-----BEGIN") {
        return None;
    }
    judge(text, name, from, bond)
}

/// The value beside a name in a table.
fn after_comma(text: Text<'_>, comma: usize) -> Option<Secret> {
    let name = name_before(text, comma).filter(|name| named(name) == Named::Secret)?;
    judge(text, name, comma + 1, Bond::Bare)
}

fn judge(text: Text<'_>, name: &str, start: usize, bond: Bond) -> Option<Secret> {
    // Words that are drawn by lot are fewer than names; everywhere else the name is what costs least.
    if bond == Bond::Bare {
        let start = start + usize::from(matches!(text.at(start), b'"' | b'\''));
        let end = text.run_within(start, 512, |byte| byte.is_ascii_alphanumeric() || b"+/=_-.~%!@#^*$".contains(&byte));
        let is_secret = looks_random(text.part(start, end)) && named(name) == Named::Secret;
        return is_secret.then_some(Secret { start, end, kind: kind(name) });
    }
    let certainty = named(name);
    if certainty == Named::Nothing {
        return None;
    }
    let found = value(text, start)?;
    let shown = text.part(found.start, found.end);
    if shown.len() > LONG {
        return Some(Secret { start: found.start, end: found.end, kind: kind(name) });
    }
    if is_reference(shown) {
        return None;
    }
    let is_secret = match (certainty, bond) {
        (Named::Perhaps, _) => looks_random(shown),
        (Named::Secret, _) if is_path(shown) || shown.contains("://") || names_itself(name, shown) => false,
        (Named::Secret, Bond::Option) => !(is_setting(shown) || is_small_number(shown)),
        (Named::Secret, Bond::Tight) => found.quoted || !(is_code(shown) || shown == name || is_small_number(shown)),
        (Named::Secret, Bond::Loose) if found.quoted => true,
        (Named::Secret, Bond::Loose) => {
            !is_code(shown) && (is_mixed(shown) || ends_line(text, found.end)) && shown.len() >= 4
        }
        (Named::Nothing, _) | (_, Bond::Bare) => false,
    };
    is_secret.then_some(Secret { start: found.start, end: found.end, kind: kind(name) })
}

/// The value of `existingSecret` and of `gcloud … --secret` is the name of a secret; that of a kind, such as
/// `Token => "token"`, is its own.
fn names_itself(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let slug =
        value.contains('-') && value.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'/'));
    (name.ends_with("secret") && slug) || name.trim_start_matches('-') == value
}

/// `id=x,src=y`, as `docker build --secret` takes it.
fn is_setting(value: &str) -> bool {
    value.split_once('=').is_some_and(|(name, rest)| {
        !rest.is_empty() && name.len() <= 16 && name.bytes().all(|byte| byte.is_ascii_lowercase())
    })
}

/// More than letters, or letters of both cases in the middle: no word of a sentence.
fn is_mixed(value: &str) -> bool {
    let digit = value.bytes().any(|byte| byte.is_ascii_digit());
    let inner = value.trim_end_matches(['.', ',', '!', '?', ':']);
    let sign = inner.bytes().any(|byte| byte.is_ascii_punctuation() && !b"-_'/.".contains(&byte));
    let capital = inner.bytes().skip(1).any(|byte| byte.is_ascii_uppercase())
        && inner.bytes().any(|byte| byte.is_ascii_lowercase());
    digit || sign || capital
}

/// Counts and flags, such as `--pass=2`.
fn is_small_number(value: &str) -> bool {
    value.len() <= 3 && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a value is the last of its line and the line is one of several, as in a configuration file.
fn ends_line(text: Text<'_>, end: usize) -> bool {
    let next = text.run(end, is_blank);
    text.at(next) == b'\n' || text.has(next, "\\n")
}

/// The kind of a secret that only its name gives away.
fn kind(name: &str) -> &'static str {
    let name = name.to_ascii_lowercase();
    let is = |part: &str| name.contains(part);
    if is("pass") || is("pwd") || is("_pw") {
        "password"
    } else if is("token") || is("jwt") || is("bearer") {
        "token"
    } else if is("key") {
        "key"
    } else {
        "secret"
    }
}
