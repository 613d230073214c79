//! Secrets that are known by their place: user information and paths of addresses, headers, `Bearer` tokens.

use crate::Secret;
use crate::text::{Text, is_blank};
use crate::value::{LONG, is_code, is_reference, looks_random};

/// Headers whose value is a secret as a whole, lower-case. `authorization` and its like keep their scheme.
const HEADERS: [(&str, &str, bool); 5] = [
    ("proxy-authorization", "authorization", true),
    ("authorization", "authorization", true),
    ("set-cookie", "cookie", false),
    ("cookie", "cookie", false),
    ("x-amz-security-token", "token", false),
];

/// Schemes of `Authorization`, lower-case.
const SCHEMES: [&str; 10] =
    ["bearer", "basic", "token", "digest", "apikey", "negotiate", "bot", "splunk", "geniekey", "aws4-hmac-sha256"];

/// Addresses whose path is the secret: what comes before the secret part.
const HOOKS: [(&str, &str); 9] = [
    ("hooks.slack.com/services/", "slack-webhook"),
    ("hooks.slack.com/workflows/", "slack-webhook"),
    ("hooks.slack.com/triggers/", "slack-webhook"),
    ("discord.com/api/webhooks/", "discord-webhook"),
    ("discordapp.com/api/webhooks/", "discord-webhook"),
    ("webhook.office.com/webhookb2/", "teams-webhook"),
    ("hooks.zapier.com/hooks/catch/", "zapier-webhook"),
    ("api.telegram.org/bot", "telegram-token"),
    ("outlook.office.com/webhook/", "teams-webhook"),
];

pub(crate) fn scan(text: Text<'_>, found: &mut Vec<Secret>) {
    let mut position = 0;
    while position < text.len() {
        let secret = match text.at(position) {
            b':' if text.has(position, "://") => user_info(text, position + 3),
            b'h' | b'd' | b'w' | b'a' | b'o' if text.begins_token(position) => {
                hook(text, position).or_else(|| header(text, position))
            }
            b'A' | b'P' | b'p' | b'C' | b'c' | b's' | b'S' | b'X' | b'x' if text.begins_token(position) => {
                header(text, position)
            }
            b'B' | b'b' if text.begins_token(position) => bearer(text, position),
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

/// `user:password@` or `token@` of an address.
fn user_info(text: Text<'_>, start: usize) -> Option<Secret> {
    let end = text.run(start, |byte| {
        byte > b' ' && !matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'`' | b'<' | b'>' | b',')
    });
    let authority = text.part(start, end);
    // Of several, the last `@` is the one before the host: people forget to encode those of passwords.
    let at = match authority.rfind('@') {
        Some(at) => start + at,
        None => unencoded(text, start, end)?,
    };
    let secret = match text.part(start, at).find(':') {
        Some(colon) => Secret { start: start + colon + 1, end: at, kind: "url-password" },
        None => Secret { start, end: at, kind: "url-token" },
    };
    let shown = text.part(secret.start, secret.end);
    let fits = secret.end > secret.start && !is_reference(shown);
    (fits && (secret.kind == "url-password" || looks_random(shown))).then_some(secret)
}

/// The `@` behind a password that should have been encoded, as in `postgres://app:a#b/c@db`. A host and a port are none.
fn unencoded(text: Text<'_>, start: usize, end: usize) -> Option<usize> {
    let (user, rest) = text.part(start, end).split_once(':')?;
    let port = rest.bytes().all(|byte| byte.is_ascii_digit());
    if user.is_empty() || port || is_reference(rest) {
        return None;
    }
    let stop =
        text.run_within(end, 256, |byte| byte > b' ' && !matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b','));
    text.part(end, stop).rfind('@').map(|at| end + at)
}

fn hook(text: Text<'_>, start: usize) -> Option<Secret> {
    let (prefix, kind) = HOOKS.iter().find(|(prefix, _)| text.has(start, prefix))?;
    let from = start + prefix.len();
    let end = text.run(from, |byte| byte.is_ascii_alphanumeric() || b"/_-@:.~%".contains(&byte));
    (end >= from + 8).then_some(Secret { start: from, end, kind })
}

/// The value of a header that is a secret.
fn header(text: Text<'_>, start: usize) -> Option<Secret> {
    let (name, kind, has_scheme) = HEADERS.iter().find(|(name, ..)| text.has_word(start, name))?;
    let mut colon = start + name.len();
    while matches!(text.at(colon), b'"' | b'\'' | b'\\') || is_blank(text.at(colon)) {
        colon += 1;
    }
    if !matches!(text.at(colon), b':' | b'=') {
        return None;
    }
    let mut scheme = None;
    let mut from = text.run(colon + 1, |byte| is_blank(byte) || matches!(byte, b'"' | b'\'' | b'\\'));
    if *has_scheme {
        scheme = SCHEMES.iter().find(|scheme| text.has_word(from, scheme) && is_blank(text.at(from + scheme.len())));
        from = scheme.map_or(from, |scheme| text.run(from + scheme.len(), is_blank));
    }
    let quotes = |byte: u8| matches!(byte, b'"' | b'\'' | b'`' | b'\n' | b'\r');
    let in_quotes = matches!(text.before(start), b'"' | b'\'' | b'`') || matches!(text.before(from), b'"' | b'\'');
    let several = !has_scheme || matches!(scheme, Some(&"aws4-hmac-sha256" | &"digest"));
    let end = text.run(from, |byte| !quotes(byte) && (in_quotes || several || !is_blank(byte)) && byte != b'\\');
    let shown = text.part(from, end).trim_end_matches([' ', '\t', ',', ';']);
    let end = from + shown.len();
    // Without a scheme it may be prose, or the declaration of a member.
    let bare = scheme.is_none() && *has_scheme;
    if bare && (shown.len() < 8 || is_code(shown) || !shown.bytes().any(|byte| byte.is_ascii_digit())) {
        return None;
    }
    (end > from && (shown.len() > LONG || !is_reference(shown))).then_some(Secret { start: from, end, kind })
}

/// `Bearer` and a token, wherever it stands.
fn bearer(text: Text<'_>, start: usize) -> Option<Secret> {
    if !text.has_word(start, "bearer") || !is_blank(text.at(start + 6)) {
        return None;
    }
    let from = text.run(start + 6, is_blank);
    let end = text.run(from, |byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
    let shown = text.part(from, end);
    let fits = shown.len() >= 16 && shown.bytes().any(|byte| byte.is_ascii_digit());
    fits.then_some(Secret { start: from, end, kind: "bearer-token" })
}
