//! What handlers take from a request, with every malformed input turned into a refusal.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use cavra_core::PageRequest;
use cavra_model::Object;
use serde_json::Value;

use crate::BODY_LIMIT;
use crate::problem::Problem;

/// The request body as a JSON object, whatever its content type says.
pub struct Body(pub Object);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
                let limit = format!("the request body is larger than {BODY_LIMIT} bytes");
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, limit)
            } else {
                Problem::new(StatusCode::BAD_REQUEST, "the request body could not be read")
            }
        })?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(object)) => Ok(Self(object)),
            Ok(_) => Err(Problem::unprocessable(&["body"], "the body must be a JSON object", "object_type")),
            Err(error) => {
                let message = format!("the body is not JSON (line {}, column {})", error.line(), error.column());
                Err(Problem::unprocessable(&["body"], &message, "json_invalid"))
            }
        }
    }
}

/// Filters and paging from the query string.
pub struct Paging(pub PageRequest);

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(parameters) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::unprocessable(&["query"], "the query string cannot be read", "query"))?;
        let limit = integer(&parameters, "limit")?;
        let offset = integer(&parameters, "offset")?;
        Ok(Self(PageRequest { parameters, limit, offset }))
    }
}

fn integer(parameters: &[(String, String)], name: &str) -> Result<Option<i64>, Problem> {
    parameters
        .iter()
        .find(|(given, value)| given == name && !value.is_empty())
        .map(|(_, value)| {
            value
                .trim()
                .parse()
                .map_err(|_| Problem::unprocessable(&["query", name], "must be a whole number", "int_parsing"))
        })
        .transpose()
}
