//! Handlers of operations.

use axum::Json;
use axum::extract::State;
use cavra_core::{App, RetentionRequest};

use super::{Answer, blocking};
use crate::extract::Filters;

/// `GET /operations/stores`.
pub async fn stores(State(app): State<App>) -> Answer {
    blocking(move || cavra_core::stores_document(&app.settings)).await
}

/// `GET /operations/retention-plan`.
pub async fn retention_plan(State(app): State<App>, Filters(page): Filters) -> Answer {
    let request = RetentionRequest::of(&page)?;
    Ok(Json(cavra_core::retention_plan(&app.settings, &request)?))
}

/// `GET /operations/workers`.
pub async fn workers(State(app): State<App>) -> Answer {
    Ok(Json(app.workers.status(&app.store).await?))
}

/// `GET /deployment/production-readiness`.
pub async fn production_readiness(State(app): State<App>) -> Answer {
    Ok(Json(app.production_readiness().await?))
}
