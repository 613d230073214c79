//! JSON Web Tokens (RFC 7519) of people: signed with RS256, made for us, and nothing else. RFC 8725.

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

/// Header members that would let a token bring its own key, demand what we do not do, or that mark a token which only its
/// addressee can check.
const REFUSED_HEADERS: [&str; 7] = ["crit", "jwk", "jku", "x5u", "x5c", "b64", "nonce"];

/// Types of tokens that stand for a person: ID tokens, and access tokens (RFC 9068). The header need not name one.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// Claims that only documents for other purposes have, and what those are. An issuer signs all of them with the same keys.
const FOREIGN_CLAIMS: [(&str, &str); 17] = [
    ("events", "a security event or logout token"),
    ("toe", "a security event token"),
    ("token_introspection", "the answer of a token introspection"),
    ("code", "the answer of an authorization endpoint"),
    ("response", "the answer of an authorization endpoint"),
    ("error", "the answer of an authorization endpoint"),
    ("access_token", "the answer of an authorization endpoint"),
    ("id_token", "the answer of an authorization endpoint"),
    ("redirect_uri", "an authorization request"),
    ("response_type", "an authorization request"),
    ("c_nonce", "the answer of a credential endpoint"),
    ("htm", "a proof of possession"),
    ("htu", "a proof of possession"),
    ("_sd_alg", "a credential"),
    ("vct", "a credential"),
    ("vc", "a credential"),
    ("vp", "a presentation of credentials"),
];

/// What a token must say.
#[derive(Clone, Debug)]
pub struct Expectations {
    /// `iss`.
    pub issuer: String,
    /// `aud`, or one of its values.
    pub audience: String,
    /// Seconds by which clocks may differ.
    pub leeway: u64,
}

/// Why a token is not believed. The sentences hold nothing of what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No key that the token may be signed with made the signature.
    Signature,
    /// Something else.
    Other(&'static str),
}

impl Refusal {
    /// What the caller is told.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Signature => "the token's signature is wrong",
            Self::Other(sentence) => sentence,
        }
    }
}

/// A token taken apart; nothing of it is to be believed before [`Token::verify`].
pub struct Token<'a> {
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
    kid: Option<String>,
    is_access_token: bool,
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
        let kind = token_type(&header)?;
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err("the token's kid is no text"),
        };
        let is_access_token = kind.as_deref() == Some("at+jwt");
        Ok(Self { signed, payload: decode(payload)?, signature: decode(signature)?, kid, is_access_token })
    }

    /// The key id the token names.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The claims, if one of `keys` signed them and they are as expected.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn verify(&self, keys: &[Key], expected: &Expectations, now: Timestamp) -> Result<Object, Refusal> {
        let mut candidates = keys.iter().filter(|key| key.may_verify(self.kid())).peekable();
        if candidates.peek().is_none() {
            return Err(Refusal::Other("the token is signed by an unknown key"));
        }
        if !candidates.any(|key| key.verifies(self.signed.as_bytes(), &self.signature)) {
            return Err(Refusal::Signature);
        }
        let claims = read_object(&self.payload).ok_or(Refusal::Other("the token's claims are no JSON object"))?;
        self.check(&claims, expected, now).map_err(Refusal::Other)?;
        Ok(claims)
    }

    /// Checks that the token is for us, names somebody, is in force, and that whoever has it may use it.
    fn check(&self, claims: &Object, expected: &Expectations, now: Timestamp) -> Result<(), &'static str> {
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
        check_purpose(claims, self.is_access_token)?;
        // The token is for whoever proves that they have a key (RFC 7800, by mutual TLS or DPoP: RFC 8705, RFC 9449). That
        // cannot be checked here, and to take it as a bearer token would let a thief use it.
        if claims.contains_key("cnf") {
            return Err(
                "the token is bound to a key (`cnf`), and its possession cannot be checked here; a bearer token is needed",
            );
        }
        if claims.get("sub").and_then(Value::as_str).is_none_or(|subject| subject.trim().is_empty()) {
            return Err("the token names no subject (`sub`)");
        }
        check_times(claims, expected.leeway, now)
    }
}

/// What the header says the token is, in lower case and without `application/` (RFC 7515, section 4.1.9).
fn token_type(header: &Object) -> Result<Option<String>, &'static str> {
    let Some(kind) = header.get("typ") else { return Ok(None) };
    let kind = kind.as_str().ok_or("the token's typ is no text")?.to_ascii_lowercase();
    let kind = kind.strip_prefix("application/").unwrap_or(&kind).to_owned();
    if TYPES.contains(&kind.as_str()) { Ok(Some(kind)) } else { Err("the token is of another type (`typ`)") }
}

/// Refuses a document that was signed for another purpose.
fn check_purpose(claims: &Object, is_access_token: bool) -> Result<(), &'static str> {
    if FOREIGN_CLAIMS.iter().any(|(claim, _)| claims.contains_key(*claim)) {
        return Err("the token was made for another purpose: it has claims that neither access nor ID tokens have");
    }
    match claims.get("nonce") {
        None => Ok(()),
        // It ties an ID token to the log-in that asked for it; an access token has none.
        Some(Value::String(_)) if !is_access_token => Ok(()),
        Some(_) => Err("the token's nonce belongs to another flow"),
    }
}

/// Checks when the token is in force. The moments are numbers of seconds, not necessarily whole (RFC 7519, section 2);
/// with the second in which it expires it is over (section 4.1.4).
fn check_times(claims: &Object, leeway: u64, now: Timestamp) -> Result<(), &'static str> {
    let moment = |claim: &str, wrong: &'static str| match claims.get(claim) {
        None => Ok(None),
        Some(Value::Number(number)) => number.as_f64().filter(|moment| moment.is_finite()).map(Some).ok_or(wrong),
        Some(_) => Err(wrong),
    };
    let (now, leeway) = (seconds(now.as_micros()) / 1e6, seconds(i64::try_from(leeway).unwrap_or(0)));
    match moment("exp", "the token's exp is no number")? {
        Some(exp) if exp + leeway > now => {}
        Some(_) => return Err("the token has expired"),
        None => return Err("the token does not say when it expires"),
    }
    moment("iat", "the token's iat is no number")?;
    match moment("nbf", "the token's nbf is no number")? {
        Some(nbf) if nbf > now + leeway => Err("the token is not valid yet"),
        _ => Ok(()),
    }
}

/// As a float: exact to a microsecond for some hundred years.
#[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 are below 2^53 until the year 2255")]
fn seconds(number: i64) -> f64 {
    number as f64
}

fn read_object(bytes: &[u8]) -> Option<Object> {
    match read_json(bytes) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}
