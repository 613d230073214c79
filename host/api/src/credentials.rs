//! Credentials in the headers of a request.

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

/// The header's value. One that is no text is as wrong as one that is no token.
pub fn authorization(parts: &Parts) -> Option<String> {
    parts.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or_default().to_owned())
}

/// The API token of a machine, if that is what the header carries. It names a machine, never a person.
pub fn api_token(parts: &Parts) -> Option<&str> {
    bearer(parts).filter(|token| token.starts_with("cavra_"))
}

/// The bearer token, whatever it is.
pub fn bearer(parts: &Parts) -> Option<&str> {
    let (scheme, token) = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
