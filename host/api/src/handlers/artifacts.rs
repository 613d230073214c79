//! Handlers of the files behind evidence metadata. docs/reference/evidence-and-promotion.md, section 2.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use cavra_core::{App, ArtifactRoute, CoreError, Download};

use crate::extract::Id;
use crate::problem::Problem;
use crate::ranges::{Asked, asked};
use crate::stream::PieceBody;
use crate::validators::known;

const SHA256: HeaderName = HeaderName::from_static("x-cavra-artifact-sha256");
const KIND: HeaderName = HeaderName::from_static("x-cavra-artifact-kind");
const COUNT: HeaderName = HeaderName::from_static("x-cavra-artifact-count");

/// A browser may keep a file for its user, and asks each time whether it is still the same.
const CACHE: &str = "private, no-cache";

/// Headers of these answers that a browser keeps from pages of other origins unless they are exposed.
pub const EXPOSED: [HeaderName; 7] =
    [SHA256, KIND, COUNT, header::CONTENT_DISPOSITION, header::CONTENT_RANGE, header::ACCEPT_RANGES, header::ETAG];

/// The listing.
pub fn listing(route: &'static ArtifactRoute) -> MethodRouter<App> {
    get(move |State(app): State<App>, Id(id): Id| async move {
        Ok::<_, Problem>(Json(app.artifact_listing(route, &id).await?))
    })
}

/// One file.
pub fn one(route: &'static ArtifactRoute) -> MethodRouter<App> {
    get(move |State(app): State<App>, Path((id, name)): Path<(String, String)>, headers: HeaderMap| async move {
        send(app.artifact(route, &id, name).await?, headers).await
    })
}

/// All files as one archive.
pub fn bundle(route: &'static ArtifactRoute) -> MethodRouter<App> {
    get(move |State(app): State<App>, Id(id): Id, headers: HeaderMap| async move {
        send(app.artifact_bundle(route, &id).await?, headers).await
    })
}

/// Sends a file, or the one range of it that is asked for. The digest in the header is that of the bytes sent; the
/// entity tag is that of the whole file.
async fn send(download: Download, headers: HeaderMap) -> Result<Response, Problem> {
    let Download { mut content, name, media_type, kind, members } = download;
    let total = content.bytes();
    let conditions = headers.clone();
    let work = move || {
        let whole = content.sha256()?;
        let tag = format!("\"{whole}\"");
        let asked = asked(&headers, total, &tag);
        let range = match asked {
            Asked::Part(start, end) => start..end,
            Asked::Everything | Asked::Unsatisfiable => 0..total,
        };
        content.part(range).map(|part| (part, tag, asked))
    };
    let (part, tag, asked) =
        tokio::task::spawn_blocking(work).await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    if known(&conditions, &tag) {
        let headers = [(header::ETAG, value(&tag)), (header::CACHE_CONTROL, HeaderValue::from_static(CACHE))];
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    if matches!(asked, Asked::Unsatisfiable) {
        let mut refusal =
            Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "the range lies beyond the file").into_response();
        refusal.headers_mut().insert(header::CONTENT_RANGE, value(&format!("bytes */{total}")));
        return Ok(refusal);
    }
    let mut response = Response::new(Body::new(PieceBody::new(part.reader, part.bytes)));
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(media_type)));
    out.insert(header::CONTENT_DISPOSITION, value(&disposition(&name)));
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(part.bytes));
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(header::ETAG, value(&tag));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    out.insert(SHA256, value(&part.sha256));
    if let Some(kind) = kind {
        out.insert(KIND, HeaderValue::from_static(kind));
    }
    if let Some(members) = members {
        out.insert(COUNT, HeaderValue::from(members));
    }
    if let Asked::Part(start, end) = asked {
        out.insert(header::CONTENT_RANGE, value(&format!("bytes {start}-{}/{total}", end.saturating_sub(1))));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error, "an artifact cannot be read");
    CoreError::Unavailable("the file cannot be read").into()
}

/// A header of text that is known to be plain.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("invalid"))
}

fn content_type(media_type: &'static str) -> &'static str {
    match media_type {
        "text/markdown" => "text/markdown; charset=utf-8",
        "text/plain" => "text/plain; charset=utf-8",
        "text/x-shellscript" => "text/x-shellscript; charset=utf-8",
        other => other,
    }
}

/// To be saved under this name. What could end the name or lead into a directory is replaced.
fn disposition(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let safe: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    format!("attachment; filename=\"{}\"", safe.trim_start_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_header() {
        assert_eq!(disposition("a-b.zip"), "attachment; filename=\"a-b.zip\"");
        assert_eq!(disposition("..\"\r\nx: y/é"), "attachment; filename=\"___x__y__\"");
    }
}
