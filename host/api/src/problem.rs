//! Errors as clients see them: RFC 9457 problem details that carry the contract's `detail`.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cavra_core::CoreError;
use cavra_packs::PackError;
use cavra_store::StoreError;
use serde_json::{Value, json};

const PROBLEM_JSON: &str = "application/problem+json";

/// A refusal or failure on its way to the client.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: Value,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem with one sentence.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::with_detail(status, Value::String(detail.into()))
    }

    fn with_detail(status: StatusCode, detail: Value) -> Self {
        Self { status, detail, headers: Vec::new() }
    }

    /// Adds a header.
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Says after how many seconds to ask again.
    pub fn retry(self, seconds: u32) -> Self {
        self.with(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// 422 for a body that is needed and missing.
    pub fn no_body() -> Self {
        Self::unprocessable(&["body"], "a JSON object is needed", "missing")
    }

    /// 422 for a query parameter that is not what it must be.
    pub fn parameter(name: &str, expected: &str) -> Self {
        let kind = match expected {
            "true or false" => "bool_parsing",
            "a whole number" => "int_parsing",
            _ => "enum",
        };
        Self::unprocessable(&["query", name], &format!("must be {expected}"), kind)
    }

    /// 422 with the place that could not be parsed. docs/reference/decisions-and-policy.md, section 1.
    pub fn unprocessable(location: &[&str], message: &str, kind: &str) -> Self {
        let detail = json!([{ "loc": location, "msg": message, "type": kind }]);
        Self::with_detail(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = json!({
            "type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": self.detail,
        });
        let mut response = (self.status, Json(body)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.headers_mut().extend(self.headers);
        response
    }
}

/// Gives refusals that come from below the handlers the same form.
pub async fn shape(response: Response) -> Response {
    let status = response.status();
    let shaped = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM_JSON);
    if shaped || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    Problem::new(status, status.canonical_reason().unwrap_or("Error")).into_response()
}

impl From<CoreError> for Problem {
    fn from(error: CoreError) -> Self {
        match error {
            CoreError::Query { parameter, expected } => return Self::parameter(parameter, expected),
            CoreError::Refused { errors, warnings } => {
                let detail = json!({ "errors": errors, "warnings": warnings });
                return Self::with_detail(StatusCode::BAD_REQUEST, detail);
            }
            _ => {}
        }
        let status = status(&error);
        if status.is_server_error() {
            tracing::error!(error = &error as &dyn std::error::Error, "request failed");
        } else {
            tracing::debug!(error = &error as &dyn std::error::Error, "request refused");
        }
        Self::new(status, error.to_string())
    }
}

fn status(error: &CoreError) -> StatusCode {
    match error {
        CoreError::BadRequest(_) | CoreError::Store(StoreError::Refused(_)) => StatusCode::BAD_REQUEST,
        CoreError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        CoreError::SecretIdentifier(_) => StatusCode::UNPROCESSABLE_ENTITY,
        CoreError::NotFound(_) | CoreError::Pack(PackError::NotFound { .. }) => StatusCode::NOT_FOUND,
        CoreError::BrokenPack { .. }
        | CoreError::Pack(_)
        | CoreError::Conflict(_)
        | CoreError::Store(StoreError::Broken { .. }) => StatusCode::CONFLICT,
        CoreError::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        CoreError::Forbidden(_) => StatusCode::FORBIDDEN,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}
