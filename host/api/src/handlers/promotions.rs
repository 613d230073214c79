//! Handlers of promotions and rollbacks.

use axum::Json;
use axum::extract::State;
use cavra_core::App;

use super::{Answer, answer};
use crate::extract::{Body, By, Id};

/// `POST /evidence/{session_id}/promotion-request`.
pub async fn request(State(app): State<App>, By(caller): By, Id(id): Id, Body(body): Body) -> Answer {
    Ok(Json(app.request_promotion(&id, &body, &caller).await?))
}

/// `POST /evidence/{session_id}/promotion-execution`.
pub async fn execute(State(app): State<App>, By(caller): By, Id(id): Id, Body(body): Body) -> Answer {
    Ok(Json(app.execute_promotion(&id, &body, &caller).await?))
}

/// `POST /promotion-executions/{execution_id}/rollback-execution`.
pub async fn roll_back(State(app): State<App>, By(caller): By, Id(id): Id, Body(body): Body) -> Answer {
    Ok(Json(app.roll_back(&id, &body, &caller).await?))
}

/// `GET /promotion-executions/{execution_id}/audit-export`.
pub async fn audit_export(State(app): State<App>, Id(id): Id) -> Answer {
    Ok(Json(app.promotion_audit(&id).await?))
}

/// `POST /promotion-executions/{execution_id}/audit-export/deliver`.
pub async fn deliver(State(app): State<App>, By(caller): By, Id(id): Id, Body(body): Body) -> Answer {
    answer(app.deliver_promotion(&id, &body, &caller).await)
}

/// `POST /rollback-executions/{rollback_id}/deliver`.
pub async fn deliver_rollback(State(app): State<App>, By(caller): By, Id(id): Id, Body(body): Body) -> Answer {
    answer(app.deliver_rollback(&id, &body, &caller).await)
}
