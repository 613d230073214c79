//! Handlers of policy authoring. docs/reference/approvals-identity-authoring.md, section 4.2.

use axum::Json;
use axum::extract::State;
use cavra_core::App;

use super::Answer;
use crate::extract::{Body, By};

/// `POST /policy-packs/draft`.
pub async fn draft(State(app): State<App>, Body(body): Body) -> Answer {
    Ok(Json(app.draft_policy(&body).await?))
}

/// `POST /policy-packs/publish-plan`.
pub async fn publish_plan(State(app): State<App>, Body(body): Body) -> Answer {
    Ok(Json(app.plan_publication(&body).await?))
}

/// `POST /policy-packs/publish-request`.
pub async fn publish_request(State(app): State<App>, By(caller): By, Body(body): Body) -> Answer {
    Ok(Json(app.request_publication(&body, &caller).await?))
}

/// `POST /policy-packs/publish`.
pub async fn publish(State(app): State<App>, By(caller): By, Body(body): Body) -> Answer {
    Ok(Json(app.publish_policy(&body, &caller).await?))
}
