//! Handlers of evidence metadata. docs/reference/evidence-and-promotion.md, sections 1, 9 and 11.

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, get};
use cavra_core::App;
use cavra_model::MetadataKind;
use serde_json::{Value, json};

use super::{Answer, answer};
use crate::extract::{Body, By, Id, Paging};

/// `POST /evidence`.
pub async fn post(State(app): State<App>, By(mut caller): By, Body(body): Body) -> Answer {
    if !app.gatekeeper.identifies() {
        // Claims are a member like others where nobody asks who posts.
        caller.identity = None;
    }
    answer(app.evidence.post(body, &caller).await)
}

/// The list of a kind.
pub fn list(kind: &'static MetadataKind) -> MethodRouter<App> {
    get(move |State(app): State<App>, Paging(page): Paging| async move {
        let mut answer = page.answer(app.evidence.list(kind, &page).await?);
        if let Some(schema) = kind.list_schema {
            answer.insert("schema_version".to_owned(), json!(schema));
            answer.insert("product".to_owned(), json!("CAVRA"));
        }
        Ok::<_, crate::problem::Problem>(Json(Value::Object(answer)))
    })
}

/// One record of a kind.
pub fn one(kind: &'static MetadataKind) -> MethodRouter<App> {
    get(move |State(app): State<App>, Id(id): Id| async move { answer(app.evidence.get(kind, &id).await) })
}

/// `GET /release-connector-deliveries/dashboard`.
pub async fn delivery_dashboard(State(app): State<App>) -> Answer {
    Ok(Json(app.evidence.delivery_dashboard().await?))
}
