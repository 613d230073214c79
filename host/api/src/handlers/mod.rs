//! Handlers: take the request apart, call the core, put the answer together.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use cavra_core::{App, CoreError, DecisionRequest, PageRequest, risk_event};
use cavra_model::members::of;
use cavra_model::{BreakGlass, DECISIONS, Kind, Object};
use serde_json::{Value, json};

use crate::extract::{Body, By, Id, Paging};
use crate::problem::Problem;
use crate::telemetry::Telemetry;

pub mod approvals;
pub mod artifacts;
pub mod authoring;
pub mod console;
pub mod evidence;
pub mod fleet;
pub mod integrations;
pub mod inventory;
pub mod log;
pub mod notifications;
pub mod operations;
pub mod promotions;
pub mod registry;
pub mod sandbox;

/// What handlers answer.
pub type Answer = Result<Json<Value>, Problem>;

/// What the core answered, as JSON.
pub fn answer(result: Result<Object, CoreError>) -> Answer {
    Ok(Json(Value::Object(result?)))
}

/// `GET /health`.
pub async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "product": "CAVRA" }))
}

/// `GET /version`.
pub async fn version() -> Json<Value> {
    Json(json!({ "version": env!("CARGO_PKG_VERSION"), "name": "CAVRA Runtime Server" }))
}

/// `GET /metrics`, as Prometheus reads it.
pub async fn metrics(Extension(telemetry): Extension<Telemetry>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], telemetry.render())
}

/// `POST /decisions`. docs/reference/decisions-and-policy.md, section 5.1.
pub async fn decide(State(app): State<App>, Body(body): Body) -> Answer {
    let request = DecisionRequest::from_object(&body)?;
    let mode = request.mode;
    let record = app.decide(request).await?.record;
    let mut answer = object(&record)?;
    if let Some(mode) = mode {
        answer.extend(object(&mode.overlay(record.decision, &BreakGlass::default()))?);
    } else if let Some(governance) = &record.rollout {
        answer.extend(object(&governance.overlay)?);
    }
    Ok(Json(Value::Object(answer)))
}

/// `POST /sessions`. docs/reference/decisions-and-policy.md, section 7.
pub async fn post_session(State(app): State<App>, By(caller): By, Body(body): Body) -> Answer {
    answer(app.activity.post_session(body, &caller).await)
}

/// `GET /sessions/{session_id}/references`. docs/reference/decisions-and-policy.md, section 7.
pub async fn session_references(State(app): State<App>, Id(id): Id, Paging(page): Paging) -> Answer {
    let (found, given) = app.activity.references(&id, page.page()).await?;
    let mut answer = page.answer(found);
    answer.insert("session_id".to_owned(), json!(id));
    answer.insert("evidence_refs".to_owned(), json!(given));
    Ok(Json(Value::Object(answer)))
}

/// One record.
pub async fn get_record(app: App, kind: &'static Kind, id: String) -> Answer {
    answer(app.get(kind, &id).await)
}

/// One page of records.
pub async fn list_records(app: App, kind: &'static Kind, page: PageRequest) -> Answer {
    answer(app.list(kind, page.query(kind)).await.map(|found| page.answer(found)))
}

/// `GET /risk/events`. docs/reference/decisions-and-policy.md, section 10.
pub async fn risk_events(State(app): State<App>, Paging(page): Paging) -> Answer {
    let decisions = app.activity.risky(page.query(&DECISIONS), page.limit_or(500)).await?;
    Ok(Json(decisions.iter().map(risk_event).collect()))
}

/// `GET /policy-packs` and `GET /policies`.
pub async fn policy_packs(State(app): State<App>) -> Answer {
    blocking(move || cavra_packs::listing(&app.decisions.library().list())).await
}

/// `GET /policy-pack-catalog`.
pub async fn policy_pack_catalog(State(app): State<App>) -> Answer {
    blocking(move || cavra_packs::catalog(&app.decisions.library().list())).await
}

/// `GET /compliance/mappings`.
pub async fn compliance_mappings(State(app): State<App>, Paging(page): Paging) -> Answer {
    blocking(move || cavra_packs::compliance_mappings(&app.decisions.library().list(), page.parameter("policy_pack")))
        .await
}

/// Reading packs touches the file system, so it leaves the request threads.
async fn blocking(work: impl FnOnce() -> Value + Send + 'static) -> Answer {
    tokio::task::spawn_blocking(work).await.map(Json).map_err(|error| failed(&error))
}

/// Nothing the client did; the log says what.
fn failed(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error, "the answer could not be made");
    Problem::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "the server failed to answer")
}

fn object(value: &impl serde::Serialize) -> Result<Object, Problem> {
    of(value).map_err(|error| failed(&error))
}

/// Handlers of the record endpoints of one kind.
pub mod records {
    use axum::routing::{MethodRouter, get};

    use super::{App, Id, Kind, Paging, State, get_record, list_records};

    /// `GET /<kind>`: a page.
    pub fn list(kind: &'static Kind) -> MethodRouter<App> {
        get(move |State(app): State<App>, Paging(page): Paging| list_records(app, kind, page))
    }

    /// `GET /<kind>/{id}`: one.
    pub fn one(kind: &'static Kind) -> MethodRouter<App> {
        get(move |State(app): State<App>, Id(id): Id| get_record(app, kind, id))
    }
}
