//! Handlers of repositories and rollouts. Contract 20, sections 5 and 6.

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, get, post};
use cavra_core::{App, CoreError};
use cavra_model::{Kind, POLICY_ROLLOUTS};
use serde_json::{Value, json};

use super::{Answer, answer};
use crate::credentials::{Credentials, Need};
use crate::extract::{Body, Filters, Id};

/// `GET /<kind>`: all records that match, unpaged.
pub fn all(kind: &'static Kind) -> MethodRouter<App> {
    get(move |State(app): State<App>, Filters(page): Filters| async move {
        let mut query = page.query(kind);
        (query.limit, query.offset) = (u64::MAX, 0);
        let found = app.list(kind, query).await?;
        Ok::<_, crate::problem::Problem>(Json(json!({ "items": found.items, "total": found.total })))
    })
}

/// `POST /<kind>`: creates or replaces a record.
pub fn upsert(kind: &'static Kind) -> MethodRouter<App> {
    post(move |State(app): State<App>, credentials: Credentials, Body(body): Body| async move {
        credentials.caller(&app, &body, Need::Optional).await?;
        answer(app.inventory.post(kind, body).await)
    })
}

/// `GET /policy-rollouts/{rollout_id}`, and its older way to ask for details: `/detail` after an id.
pub async fn rollout(State(app): State<App>, Id(id): Id) -> Answer {
    match (app.get(&POLICY_ROLLOUTS, &id).await, id.strip_suffix("/detail")) {
        (Err(CoreError::NotFound(_)), Some(id)) => rollout_detail(State(app), Id(id.to_owned())).await,
        (found, _) => answer(found),
    }
}

/// `GET /policy-rollout-details/{rollout_id}`.
pub async fn rollout_detail(State(app): State<App>, Id(id): Id) -> Answer {
    Ok(Json(app.rollout_detail(&id).await?))
}

/// `POST /policy-rollouts/change-plan`.
pub async fn change_plan(State(app): State<App>, Body(body): Body) -> Answer {
    Ok(Json(app.plan_rollout(&body).await?))
}

/// `POST /policy-rollouts/apply-change`.
pub async fn apply_change(State(app): State<App>, credentials: Credentials, Body(body): Body) -> Answer {
    let caller = credentials.caller(&app, &body, Need::Required).await?;
    let actor = caller.identity.map_or(Value::Null, |identity| json!(identity.actor));
    Ok(Json(app.apply_rollout(body, actor).await?))
}
