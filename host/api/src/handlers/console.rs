//! Handlers of the console's data. docs/reference/approvals-identity-authoring.md, section 7.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use cavra_core::App;
use cavra_model::Object;
use serde_json::{Value, json};

use super::Answer;
use crate::endpoint::Endpoint;
use crate::extract::By;

/// Path templates of the endpoints that the console calls, by the names it has for them.
#[derive(Clone)]
pub struct ConsoleEndpoints(Arc<Object>);

impl ConsoleEndpoints {
    /// Those of a table.
    pub fn of(rows: &[Endpoint]) -> Self {
        let named = rows.iter().filter_map(|row| Some((row.console?.to_owned(), json!(row.template()))));
        Self(Arc::new(named.collect()))
    }
}

/// `GET /console/config`.
pub async fn config(State(app): State<App>, Extension(endpoints): Extension<ConsoleEndpoints>) -> Json<Value> {
    Json(cavra_core::console_config(&app, &endpoints.0))
}

/// `GET /console/security-boundary`.
pub async fn security_boundary(State(app): State<App>) -> Answer {
    let packs = app.pack_signatures().await?;
    Ok(Json(cavra_core::security_boundary(&app, &packs)))
}

/// `GET /console/session`.
pub async fn session(State(app): State<App>, By(caller): By) -> Answer {
    Ok(Json(cavra_core::console_session(&app, caller.identity.as_ref())))
}
