//! The documentation at `/guide`, as it was when the binary was built. It says nothing about this server, so anybody may read it.

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use crate::problem::Problem;

/// The routes of the pages.
pub fn pages() -> Router {
    let first = || async { Redirect::temporary(&format!("/guide/{}", cavra_guide::FIRST)) };
    Router::new().route("/guide", get(first)).route("/guide/", get(first)).route("/guide/{*path}", get(page))
}

async fn page(Path(path): Path<String>) -> Response {
    match cavra_guide::find(&path) {
        Some(page) => ([(header::CONTENT_TYPE, page.media_type)], page.body).into_response(),
        None => Problem::new(StatusCode::NOT_FOUND, "the guide has no such page").into_response(),
    }
}
