//! Handlers of the console's data. Contract 20, section 7.

use axum::Json;
use axum::extract::State;
use cavra_core::App;
use cavra_model::Object;
use serde_json::{Value, json};

use super::Answer;
use crate::credentials::Credentials;
use crate::routes::endpoints;

/// `GET /console/config`.
pub async fn config(State(app): State<App>) -> Json<Value> {
    let named = endpoints().into_iter().filter_map(|row| Some((row.console?.to_owned(), json!(row.template()))));
    Json(cavra_core::console_config(&app, &named.collect::<Object>()))
}

/// `GET /console/security-boundary`.
pub async fn security_boundary(State(app): State<App>) -> Json<Value> {
    Json(cavra_core::security_boundary(&app))
}

/// `GET /console/session`.
pub async fn session(State(app): State<App>, credentials: Credentials) -> Answer {
    let identity = credentials.identity(&app).await?;
    Ok(Json(cavra_core::console_session(&app, identity.as_ref())))
}
