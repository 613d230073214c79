//! Handlers of integrations and of what they are told.

use axum::Json;
use axum::extract::State;
use cavra_core::App;

use super::{Answer, answer};
use crate::extract::{Body, By, Id};

/// `POST /integrations`.
pub async fn register(State(app): State<App>, By(caller): By, Body(body): Body) -> Answer {
    answer(app.post_integration(body, &caller).await)
}

/// `POST /integrations/{integration_id}/deliver`.
pub async fn deliver(State(app): State<App>, Id(id): Id, Body(body): Body) -> Answer {
    answer(app.deliver_through(&id, body).await)
}

/// `GET /integration-deliveries/status`.
pub async fn status(State(app): State<App>) -> Answer {
    Ok(Json(app.deliveries.status().await?))
}

/// `POST /integration-deliveries/{delivery_id}/retry`.
pub async fn retry(State(app): State<App>, By(caller): By, Id(id): Id) -> Answer {
    answer(app.deliveries.retry(&id, &caller).await)
}

/// `POST /integration-deliveries/{delivery_id}/drop`.
pub async fn drop_one(State(app): State<App>, By(caller): By, Id(id): Id) -> Answer {
    answer(app.deliveries.drop_one(&id, &caller).await)
}
