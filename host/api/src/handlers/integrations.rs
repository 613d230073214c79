//! Handlers of integrations.

use axum::extract::State;
use cavra_core::App;

use super::{Answer, answer};
use crate::extract::{Body, Id};

/// `POST /integrations/{integration_id}/deliver`.
pub async fn deliver(State(app): State<App>, Id(id): Id, Body(body): Body) -> Answer {
    answer(app.deliver_through(&id, body).await)
}
