//! Handlers of repositories and rollouts. docs/reference/approvals-identity-authoring.md, sections 5 and 6.

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, get, post};
use cavra_core::{App, CoreError, Registry};
use cavra_model::{Kind, POLICY_ROLLOUTS};
use cavra_store::{Page, Query};
use serde_json::{Value, json};

use super::{Answer, answer};
use crate::extract::{Body, By, Filters, Id};

/// Most bytes of records in a list without pages.
const WHOLE: u64 = 64 * 1024 * 1024;

/// `GET /<kind>`: all records that match, unpaged, or a refusal.
pub fn all(kind: &'static Kind) -> MethodRouter<App> {
    get(move |State(app): State<App>, Filters(page): Filters| async move {
        whole(app.list(kind, unpaged(page.query(kind))).await?)
    })
}

/// A query for everything that one answer holds.
pub fn unpaged(query: Query) -> Query {
    Query { limit: u64::MAX, offset: 0, bytes: Some(WHOLE), ..query }
}

/// The answer with everything that was found, or a refusal if that is not everything there is.
pub fn whole(found: Page) -> Answer {
    if found.full {
        let more = format!("{} records are more than one answer holds; ask with a filter", found.total);
        return Err(CoreError::BadRequest(more).into());
    }
    let items: Vec<Value> = found.items.into_iter().map(Value::Object).collect();
    Ok(Json(json!({ "total": found.total, "items": items })))
}

/// `POST /<kind>`: creates or replaces a record.
pub fn upsert(kind: &'static Kind) -> MethodRouter<App> {
    post(move |State(app): State<App>, By(caller): By, Body(body): Body| async move {
        answer(if Registry::takes(kind) {
            app.registry.post(kind, body, &caller).await
        } else {
            app.inventory.post(kind, body, &caller).await
        })
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
pub async fn apply_change(State(app): State<App>, By(caller): By, Body(body): Body) -> Answer {
    Ok(Json(app.apply_rollout(body, &caller).await?))
}
