//! What handlers take from a request, with every malformed input turned into a refusal.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use cavra_core::PageRequest;
use cavra_model::{Object, read_json};
use http_body_util::BodyExt as _;
use serde_json::Value;

use crate::BODY_LIMIT;
use crate::problem::Problem;

/// Time a client has to send its body, so that one that sends a byte a minute cannot hold a connection.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes that are read and thrown away at most of a body that is too large.
const DISCARDED: usize = 32 * 1024 * 1024;

/// The largest body of an endpoint that has a limit of its own.
#[derive(Clone, Copy)]
pub struct BodyLimit(pub usize);

/// The request body as a JSON object, whatever its content type says.
pub struct Body(pub Object);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Ok(Self(parse(&receive(request, state).await?)?))
    }
}

/// The request body as a JSON object; nothing if the body is empty.
pub struct MaybeBody(pub Option<Object>);

impl<S: Send + Sync> FromRequest<S> for MaybeBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = receive(request, state).await?;
        Ok(Self(if bytes.is_empty() { None } else { Some(parse(&bytes)?) }))
    }
}

async fn receive<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let limit = request.extensions().get::<BodyLimit>().map_or(BODY_LIMIT, |limit| limit.0);
    let too_large =
        || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the request body is larger than {limit} bytes"));
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > limit) {
        if !request.headers().contains_key(header::EXPECT) {
            discard(request.into_body()).await;
        }
        return Err(too_large());
    }
    let received = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, state))
        .await
        .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the request body did not arrive in time"))?;
    received.map_err(|rejection| {
        if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
            too_large()
        } else {
            Problem::new(StatusCode::BAD_REQUEST, "the request body could not be read")
        }
    })
}

/// Reads what a client sends without waiting to be told to go on: many see the answer only if they get rid of it.
async fn discard(mut body: axum::body::Body) {
    let rest = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await
            && read < DISCARDED
        {
            read += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    // Whether all of it came makes no difference to the answer.
    let _ = tokio::time::timeout(BODY_TIMEOUT, rest).await;
}

fn parse(bytes: &[u8]) -> Result<Object, Problem> {
    match read_json(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Problem::unprocessable(&["body"], "the body must be a JSON object", "object_type")),
        Err(error) => Err(Problem::unprocessable(&["body"], &format!("the body is {error}"), "json_invalid")),
    }
}

/// Filters from the query string of a list that has no pages: `limit` and `offset` are no parameters there.
pub struct Filters(pub PageRequest);

impl<S: Send + Sync> FromRequestParts<S> for Filters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(PageRequest { parameters: parameters(parts, state).await?, limit: None, offset: None }))
    }
}

async fn parameters<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Vec<(String, String)>, Problem> {
    match Query::from_request_parts(parts, state).await {
        Ok(Query(parameters)) => Ok(parameters),
        Err(_) => Err(Problem::unprocessable(&["query"], "the query string cannot be read", "query")),
    }
}

/// Filters and paging from the query string.
pub struct Paging(pub PageRequest);

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parameters = parameters(parts, state).await?;
        let limit = integer(&parameters, "limit")?;
        let offset = integer(&parameters, "offset")?;
        Ok(Self(PageRequest { parameters, limit, offset }))
    }
}

fn integer(parameters: &[(String, String)], name: &'static str) -> Result<Option<i64>, Problem> {
    let given = parameters.iter().find(|(given, value)| given == name && !value.is_empty());
    given
        .map(|(_, value)| PageRequest::whole_number(value).ok_or_else(|| Problem::parameter(name, "a whole number")))
        .transpose()
}

/// The parameters of a path, in their order.
pub struct Ids<const N: usize>(pub [String; N]);

impl<S: Send + Sync, const N: usize> FromRequestParts<S> for Ids<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let wrong = || Problem::new(StatusCode::BAD_REQUEST, "the path is not UTF-8");
        let Path(ids) = Path::<Vec<String>>::from_request_parts(parts, state).await.map_err(|_| wrong())?;
        ids.try_into().map(Self).map_err(|_| wrong())
    }
}

/// The one parameter of a path.
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "the path is not UTF-8")),
        }
    }
}
