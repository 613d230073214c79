//! Finds secrets in texts before they are stored, and cuts them out: `[REDACTED:<kind>]` takes their place.
//!
//! Three things give a secret away: its own form (tokens with a known prefix, private keys, JSON web tokens), its place
//! (the password of a URL, the value of an `Authorization` header, `mysql -p…`), and the name it is given
//! (`--client-secret x`, `DB_PASSWORD=x`). Each is a table of rows and one scanner. A text that looks random but has none
//! of the three, such as a digest, a UUID or an image, stays as it is.
//!
//! Scanners look at every byte a bounded number of times and build nothing up front, so that a short command line costs
//! microseconds in a process that has just started.

mod assignment;
mod command;
mod names;
mod place;
mod text;
mod token;
mod token_rows;
mod value;

use text::Text;

/// How a marker begins.
pub const MARKER: &str = "[REDACTED:";

/// A secret in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// What it is, such as `github-token`.
    pub kind: &'static str,
}

/// The secrets of a text, in order; they do not overlap.
#[must_use]
pub fn find(text: &str) -> Vec<Secret> {
    let view = Text::new(text);
    let mut found = Vec::new();
    token::scan(view, &mut found);
    place::scan(view, &mut found);
    assignment::scan(view, &mut found);
    command::scan(view, &mut found);
    // Of secrets that overlap, the one that begins first, then the longest: what holds a token ends with it.
    found.sort_by(|left, right| left.start.cmp(&right.start).then(right.end.cmp(&left.end)));
    let mut apart: Vec<Secret> = Vec::with_capacity(found.len());
    for secret in found {
        match apart.last_mut() {
            Some(last) if secret.start < last.end => last.end = last.end.max(secret.end),
            _ => apart.push(secret),
        }
    }
    apart
}

/// The text without its secrets; `None` if it has none.
#[must_use]
pub fn redact(text: &str) -> Option<String> {
    let secrets = find(text);
    if secrets.is_empty() {
        return None;
    }
    let mut redacted = String::with_capacity(text.len());
    let mut kept = 0;
    for secret in secrets {
        redacted.push_str(text.get(kept..secret.start).unwrap_or_default());
        redacted.push_str(MARKER);
        redacted.push_str(secret.kind);
        redacted.push(']');
        kept = secret.end;
    }
    redacted.push_str(text.get(kept..).unwrap_or_default());
    Some(redacted)
}

/// Whether something was, or pretends to have been, cut out of a text.
#[must_use]
pub fn has_marker(text: &str) -> bool {
    text.contains(MARKER)
}
