//! What handlers take from a request, with every malformed input turned into a refusal.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use cavra_core::{Caller, CoreError, ORDERS, PageRequest, Press};
use cavra_model::{Object, read_json};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::Value;

use crate::problem::Problem;

/// Time a client has to send its body, so that one that sends a byte a minute cannot hold a connection.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes that are read and thrown away at most of a body that is too large.
const DISCARDED: usize = 32 * 1024 * 1024;

/// The body of an admitted request.
#[derive(Clone)]
pub struct Received(pub Option<Object>);

/// Who calls, as far as the row of the endpoint asks.
pub struct By(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.extensions.remove().unwrap_or_default()))
    }
}

/// What somebody did in a chat, as its service vouches for it.
pub struct Pressed(pub Press);

impl<S: Send + Sync> FromRequestParts<S> for Pressed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let missing = || CoreError::Unauthenticated("this is signed by nobody".to_owned()).into();
        parts.extensions.remove::<Press>().map(Self).ok_or_else(missing)
    }
}

/// The request body as a JSON object, whatever its content type says.
pub struct Body(pub Object);

impl<S: Send + Sync> FromRequestParts<S> for Body {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        MaybeBody::from_request_parts(parts, state).await?.0.map(Self).ok_or_else(Problem::no_body)
    }
}

/// The request body as a JSON object; nothing if the body is empty.
pub struct MaybeBody(pub Option<Object>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeBody {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self(parts.extensions.remove::<Received>().and_then(|received| received.0)))
    }
}

/// How many bytes of body a request may take: what it announces, at most `limit`; without a word, all of that.
pub fn expected(parts: &Parts, limit: usize) -> usize {
    announced(parts).unwrap_or(limit).min(limit)
}

fn announced(parts: &Parts) -> Option<usize> {
    parts.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Receives a body of at most `limit` bytes and reads it as a JSON object; nothing if it is empty.
pub async fn receive(parts: &Parts, body: axum::body::Body, limit: usize) -> Result<Option<Object>, Problem> {
    let bytes = receive_bytes(parts, body, limit).await?;
    if bytes.is_empty() { Ok(None) } else { parse(&bytes).map(Some) }
}

/// Receives a body of at most `limit` bytes.
pub async fn receive_bytes(parts: &Parts, body: axum::body::Body, limit: usize) -> Result<Bytes, Problem> {
    let coding = parts.headers.get(header::CONTENT_ENCODING).map(|coding| coding.to_str().unwrap_or("unreadable"));
    if let Some(coding) = coding.filter(|coding| !coding.eq_ignore_ascii_case("identity")) {
        discard(parts, body).await;
        let detail = format!("bodies with the content coding `{coding}` are not taken; send it as it is");
        let identity = HeaderValue::from_static("identity");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).with(header::ACCEPT_ENCODING, identity));
    }
    let too_large =
        || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the request body is larger than {limit} bytes"));
    if announced(parts).is_some_and(|length| length > limit) {
        discard(parts, body).await;
        return Err(too_large());
    }
    let received = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, limit).collect())
        .await
        .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the request body did not arrive in time"))?;
    match received {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "the request body could not be read")),
    }
}

/// Reads what a client sends without waiting to be told to go on: many see the answer only if they get rid of it.
async fn discard(parts: &Parts, mut body: axum::body::Body) {
    if parts.headers.contains_key(header::EXPECT) {
        return;
    }
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
        let page = PageRequest { parameters, limit, offset };
        if page.parameter("order").is_some_and(|order| !ORDERS.contains(&order)) {
            return Err(Problem::parameter("order", "`list` or `committed`"));
        }
        Ok(Self(page))
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
