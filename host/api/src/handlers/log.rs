//! Handlers of the evidence log: read-only, in the layout of C2SP `tlog-tiles`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use cavra_core::App;

use super::Answer;
use crate::extract::Ids;
use crate::problem::Problem;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// For what never changes.
const FOREVER: &str = "max-age=31536000, immutable";
/// For what changes every second.
const NEVER: &str = "no-cache";

/// `GET /log`.
pub async fn list(State(app): State<App>) -> Answer {
    Ok(Json(app.log.list().await?))
}

/// `GET /log/{log}/checkpoint`.
pub async fn checkpoint(State(app): State<App>, Ids([log]): Ids<1>) -> Result<Response, Problem> {
    Ok(answer(TEXT, NEVER, app.log.head(&log).await?.note))
}

/// `GET /log/{log}/tile/{tile}`.
pub async fn tile(State(app): State<App>, Ids([log, tile]): Ids<2>) -> Result<Response, Problem> {
    Ok(answer(BYTES, FOREVER, app.log.tile(&log, &tile).await?))
}

/// `GET /log/{log}/proof/{record_id}`.
pub async fn proof(State(app): State<App>, Ids([log, record]): Ids<2>) -> Result<Response, Problem> {
    Ok(answer(TEXT, NEVER, app.log.proof(&log, &record).await?.to_string()))
}

fn answer(media: &'static str, cache: &'static str, body: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
    ];
    (headers, body).into_response()
}
