//! What browsers are told of every answer: it is data of this server, to be shown by nobody else and kept by nobody.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

/// Headers of every answer that does not have them.
const ALWAYS: [(HeaderName, &str); 5] = [
    // Data loads nothing and is no frame.
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// The policy of pages that this server serves itself: their own scripts and styles, nothing from elsewhere.
const PAGES: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'",
);

/// Adds the headers.
pub async fn restrict(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let page = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if page {
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(PAGES);
    }
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
