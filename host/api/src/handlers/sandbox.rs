//! Handlers of the sandbox. docs/reference/decisions-and-policy.md, section 9.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use cavra_core::{App, RunDocument};
use serde_json::{Value, json};

use super::Answer;
use crate::extract::{Id, MaybeBody};
use crate::problem::Problem;

/// `GET /api/sandbox/scenarios`.
pub async fn scenarios() -> Json<Value> {
    Json(cavra_core::sandbox_scenarios())
}

/// `POST /api/sandbox/run`.
pub async fn run(State(app): State<App>, MaybeBody(body): MaybeBody) -> Answer {
    Ok(Json(app.sandbox_run(&body.unwrap_or_default()).await?))
}

/// `GET /api/sandbox/runs/{run_id}`.
pub async fn one(State(app): State<App>, Id(id): Id) -> Answer {
    Ok(Json(app.sandbox_get(&id).await?))
}

/// `GET /api/sandbox/runs/{run_id}/events`.
pub async fn events(State(app): State<App>, Id(id): Id) -> Answer {
    let run = app.sandbox_get(&id).await?;
    Ok(Json(run.get("events").cloned().unwrap_or_else(|| json!([]))))
}

/// `GET /api/sandbox/runs/{run_id}/evidence`.
pub async fn evidence(State(app): State<App>, Id(id): Id) -> Answer {
    Ok(Json(json!({ "product": "CAVRA", "run": app.sandbox_get(&id).await? })))
}

/// `POST /api/sandbox/runs/{run_id}/replay`.
pub async fn replay(State(app): State<App>, Id(id): Id) -> Answer {
    Ok(Json(app.sandbox_replay(&id).await?))
}

/// `GET /api/sandbox/metrics`.
pub async fn metrics(State(app): State<App>) -> Answer {
    Ok(Json(app.sandbox_metrics().await?))
}

/// A document of a run.
pub fn document(document: RunDocument) -> MethodRouter<App> {
    get(move |State(app): State<App>, Id(id): Id| async move {
        let text = app.sandbox_document(&id, document).await?;
        Ok::<Response, Problem>(([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], text).into_response())
    })
}
