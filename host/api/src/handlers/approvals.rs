//! Handlers of approvals. Contract 20, section 3.

use axum::extract::State;
use axum::routing::{MethodRouter, post};
use cavra_core::App;
use cavra_model::Ruling;

use super::{Answer, answer};
use crate::credentials::{Credentials, Need};
use crate::extract::{Body, Id, MaybeBody};

/// `POST /approvals`.
pub async fn create(State(app): State<App>, credentials: Credentials, Body(body): Body) -> Answer {
    let caller = credentials.caller(&app, &body, Need::Optional).await?;
    answer(app.approvals.create(&body, &caller).await)
}

/// `POST /approvals/{id}/approve`, `deny` and `expire`.
pub fn rule(ruling: Ruling) -> MethodRouter<App> {
    post(move |State(app): State<App>, Id(id): Id, credentials: Credentials, MaybeBody(body): MaybeBody| async move {
        let body = match (body, ruling) {
            (Some(body), _) => body,
            (None, Ruling::Expire) => cavra_model::Object::new(),
            (None, _) => return Err(crate::problem::Problem::no_body()),
        };
        let caller = credentials.caller(&app, &body, Need::Required).await?;
        answer(app.approvals.rule(&id, ruling, &body, &caller).await)
    })
}

/// `POST /approvals/break-glass`.
pub async fn break_glass(State(app): State<App>, credentials: Credentials, Body(body): Body) -> Answer {
    let caller = credentials.caller(&app, &body, Need::Required).await?;
    answer(app.approvals.break_glass(&body, &caller).await)
}

/// `POST /approvals/{id}/attach-decision`.
pub async fn attach(State(app): State<App>, Id(id): Id, Body(body): Body) -> Answer {
    answer(app.approvals.attach(&id, body).await)
}
