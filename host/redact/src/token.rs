//! Secrets that are known by their form.

use std::sync::LazyLock;

use crate::Secret;
use crate::text::Text;
use crate::token_rows::{BLOCKS, COMPOUND, MANY, Part, TOKENS};
use crate::value::is_varied;

/// The characters of a token's body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Alphabet {
    /// `0-9a-fA-F`
    Hex,
    /// `A-Z0-9`
    Upper,
    /// `A-Za-z0-9`
    Alnum,
    /// `A-Za-z0-9_-`
    Url,
    /// `A-Za-z0-9_.-` and `~`
    Dotted,
    /// `A-Za-z0-9+/=_-` and `%`
    Base64,
}

impl Alphabet {
    pub(crate) const fn has(self, byte: u8) -> bool {
        match self {
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~'),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-' | b'%'),
        }
    }
}

/// A token of the form: prefix, then so many characters.
pub(crate) struct Token {
    pub(crate) kind: &'static str,
    pub(crate) prefix: &'static str,
    pub(crate) alphabet: Alphabet,
    /// Fewest characters after the prefix.
    pub(crate) least: usize,
    /// Most; a longer run is something else.
    pub(crate) most: usize,
}

/// A block between two lines, such as a private key.
pub(crate) struct Block {
    pub(crate) kind: &'static str,
    pub(crate) begin: &'static str,
    /// What the rest of the first line has to say.
    pub(crate) says: &'static str,
    pub(crate) end: &'static str,
}

pub(crate) fn scan(text: Text<'_>, found: &mut Vec<Secret>) {
    let mut position = 0;
    while position < text.len() {
        let secret = if text.begins_token(position) {
            token(text, position).or_else(|| compound(text, position)).or_else(|| json_web_token(text, position))
        } else {
            None
        };
        match secret.or_else(|| block(text, position)) {
            Some(secret) => {
                position = secret.end.max(position + 1);
                found.push(secret);
            }
            None => position += 1,
        }
    }
}

fn token(text: Text<'_>, start: usize) -> Option<Secret> {
    /// The rows by the first byte of their prefix; made in some microseconds when they are first needed.
    static BY_FIRST: LazyLock<Vec<Vec<&'static Token>>> = LazyLock::new(|| {
        let begins = |row: &&Token, byte: u8| row.prefix.as_bytes().first() == Some(&byte);
        (0..=u8::MAX).map(|byte| TOKENS.iter().filter(|row| begins(row, byte)).collect()).collect()
    });
    let rows = BY_FIRST.get(usize::from(text.at(start)))?;
    rows.iter().filter(|row| text.has(start, row.prefix)).find_map(|row| {
        let body = start + row.prefix.len();
        let end = match row.most {
            MANY => text.run(body, |byte| row.alphabet.has(byte)),
            most => text.run_within(body, most + 1, |byte| row.alphabet.has(byte)),
        };
        let fits = (row.least..=row.most).contains(&(end - body)) && is_varied(text.part(body, end));
        fits.then_some(Secret { start, end, kind: row.kind })
    })
}

/// A token of several parts of fixed lengths.
fn compound(text: Text<'_>, start: usize) -> Option<Secret> {
    let word = text.run_within(start, 80, |byte| byte.is_ascii_alphanumeric()) - start;
    COMPOUND.iter().find_map(|(kind, parts)| {
        // Most words are too short for the first part of any.
        if matches!(parts.first(), Some(Part::Run(_, least, _)) if word < *least) {
            return None;
        }
        let mut end = start;
        for part in *parts {
            match *part {
                Part::Literal(literal) if text.has(end, literal) => end += literal.len(),
                Part::Literal(_) => return None,
                Part::Run(alphabet, least, most) => {
                    let from = end;
                    end = text.run_within(from, most, |byte| alphabet.has(byte));
                    if end - from < least {
                        return None;
                    }
                }
            }
        }
        let whole = !text.at(end).is_ascii_alphanumeric() && is_varied(text.part(start, end));
        whole.then_some(Secret { start, end, kind })
    })
}

/// Three or five base64url segments, the first of which is a JSON object.
fn json_web_token(text: Text<'_>, start: usize) -> Option<Secret> {
    if !text.has(start, "eyJ") {
        return None;
    }
    let segment = |from, most| text.run_within(from, most, |byte| Alphabet::Url.has(byte));
    let head = segment(start, 1024);
    if text.at(head) != b'.' || head - start < 10 {
        return None;
    }
    let body = segment(head + 1, usize::MAX);
    let is_token = text.at(body) == b'.' && body - head > 4;
    let end = text.run(start, |byte| Alphabet::Url.has(byte) || byte == b'.');
    is_token.then_some(Secret { start, end, kind: "jwt" })
}

/// A block; without its end it goes to the end of the text, because what follows is still the secret.
fn block(text: Text<'_>, start: usize) -> Option<Secret> {
    if !matches!(text.at(start), b'-' | b'P') {
        return None;
    }
    let row = BLOCKS.iter().find(|row| text.has(start, row.begin))?;
    let body = start + row.begin.len();
    let line = text.run_within(body, 64, |byte| !matches!(byte, b'\n' | b'\\'));
    if !text.part(body, line).contains(row.says) {
        return None;
    }
    let end = text.find(body, row.end).map_or(text.len(), |at| {
        let label = at + row.end.len();
        let dashes = text.run(label, |byte| byte.is_ascii_uppercase() || byte == b' ');
        text.run(dashes, |byte| byte == b'-')
    });
    Some(Secret { start, end, kind: row.kind })
}
