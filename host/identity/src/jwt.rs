//! OpenID Connect tokens: JSON Web Tokens (RFC 7519) signed with RS256, and nothing else. Contract 20, section 2.2;
//! RFC 8725.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cavra_model::{Object, Timestamp, read_json};
use serde_json::Value;

use crate::jwk::Key;

/// Longest token, in bytes.
const TOKEN_LIMIT: usize = 16 * 1024;

/// base64url, padded or not; bits that do not count must be zero.
pub const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Header members that would let a token bring its own key, or demand what we do not do.
const REFUSED_HEADERS: [&str; 6] = ["crit", "jwk", "jku", "x5u", "x5c", "b64"];

/// What a token must say.
#[derive(Clone, Debug)]
pub struct Expectations {
    /// `iss`.
    pub issuer: String,
    /// `aud`, or one of its values.
    pub audience: String,
    /// Seconds by which clocks may differ.
    pub leeway: i64,
}

/// A token taken apart; nothing of it is to be believed before [`Token::verify`].
pub struct Token<'a> {
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
    kid: Option<String>,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// A sentence that says what form it lacks.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        if text.len() > TOKEN_LIMIT {
            return Err("the token is too long");
        }
        let (signed, signature) = text.rsplit_once('.').ok_or("the token is no JSON Web Token")?;
        let (header, payload) = signed.split_once('.').ok_or("the token is no JSON Web Token")?;
        if payload.contains('.') {
            return Err("the token is no JSON Web Token");
        }
        let decode = |segment: &str| BASE64URL.decode(segment).map_err(|_| "the token is not base64url");
        let header = read_object(&decode(header)?).ok_or("the token's header is no JSON object")?;
        if REFUSED_HEADERS.iter().any(|member| header.contains_key(*member)) {
            return Err("the token's header has a member that is not accepted");
        }
        if header.get("alg").and_then(Value::as_str) != Some("RS256") {
            return Err("the token is not signed with RS256");
        }
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err("the token's kid is no text"),
        };
        Ok(Self { signed, payload: decode(payload)?, signature: decode(signature)?, kid })
    }

    /// The key id the token names.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The claims, if one of `keys` signed them and they are as expected.
    ///
    /// # Errors
    /// A sentence that says what is wrong, without anything from the token.
    pub fn verify(&self, keys: &[Key], expected: &Expectations, now: Timestamp) -> Result<Object, &'static str> {
        let mut candidates = keys.iter().filter(|key| key.may_verify(self.kid())).peekable();
        if candidates.peek().is_none() {
            return Err("the token is signed by an unknown key");
        }
        if !candidates.any(|key| key.verifies(self.signed.as_bytes(), &self.signature)) {
            return Err("the token's signature is wrong");
        }
        let claims = read_object(&self.payload).ok_or("the token's claims are no JSON object")?;
        check(&claims, expected, now.as_micros().div_euclid(1_000_000))?;
        Ok(claims)
    }
}

/// Exact for some hundred million years.
#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
fn seconds(seconds: i64) -> f64 {
    seconds as f64
}

fn read_object(bytes: &[u8]) -> Option<Object> {
    match read_json(bytes) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// Checks issuer, audience, times, and that whoever has the token may use it; `now` in seconds since 1970.
fn check(claims: &Object, expected: &Expectations, now: i64) -> Result<(), &'static str> {
    if claims.get("iss").and_then(Value::as_str) != Some(&expected.issuer) {
        return Err("the token is from another issuer");
    }
    let ours = |audience: &Value| audience.as_str() == Some(&expected.audience);
    let for_us = match claims.get("aud") {
        Some(Value::Array(list)) => list.iter().any(ours),
        Some(single) => ours(single),
        None => false,
    };
    if !for_us {
        return Err("the token is for another audience");
    }
    // The token is for whoever proves that they have a key (RFC 7800, by mutual TLS or DPoP: RFC 8705, RFC 9449). That
    // cannot be checked here, and to take it as a bearer token would let a thief use it.
    if claims.contains_key("cnf") {
        return Err(
            "the token is bound to a key (`cnf`), and its possession cannot be checked here; a bearer token is needed",
        );
    }
    match claims.get("exp").map(Value::as_i64) {
        Some(Some(exp)) if exp >= now.saturating_sub(expected.leeway) => {}
        Some(Some(_)) => return Err("the token has expired"),
        Some(None) => return Err("the token's exp is no whole number"),
        None => return Err("the token does not say when it expires"),
    }
    // A number of seconds, not necessarily whole (RFC 7519, section 2).
    match claims.get("nbf").map(Value::as_f64) {
        None => Ok(()),
        Some(Some(nbf)) if nbf <= seconds(now.saturating_add(expected.leeway)) => Ok(()),
        Some(Some(_)) => Err("the token is not valid yet"),
        Some(None) => Err("the token's nbf is no number"),
    }
}
