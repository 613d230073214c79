//! Handlers of approvals. docs/reference/approvals-identity-authoring.md, section 3.

use axum::extract::State;
use axum::routing::{MethodRouter, post};
use cavra_core::App;
use cavra_model::Ruling;

use super::{Answer, answer};
use crate::extract::{Body, By, Id, MaybeBody, Pressed};

/// `POST /approvals`.
pub async fn create(State(app): State<App>, By(caller): By, Body(body): Body) -> Answer {
    answer(app.approvals.create(&body, &caller).await)
}

/// `POST /approvals/{id}/approve`, `deny` and `expire`.
pub fn rule(ruling: Ruling) -> MethodRouter<App> {
    post(move |State(app): State<App>, Id(id): Id, By(caller): By, MaybeBody(body): MaybeBody| async move {
        // Which rulings may come without one is a column of their rows.
        let body = body.unwrap_or_default();
        answer(app.approvals.rule(&id, ruling, &body, &caller).await)
    })
}

/// `POST /approvals/break-glass`.
pub async fn break_glass(State(app): State<App>, By(caller): By, Body(body): Body) -> Answer {
    answer(app.approvals.break_glass(&body, &caller).await)
}

/// `POST /approvals/{id}/attach-decision`.
pub async fn attach(State(app): State<App>, Id(id): Id, Body(body): Body) -> Answer {
    answer(app.approvals.attach(&id, body).await)
}

/// `POST /approvals/{id}/deliver`.
pub async fn deliver(State(app): State<App>, Id(id): Id, MaybeBody(body): MaybeBody) -> Answer {
    answer(app.deliver_approval(&id, &body.unwrap_or_default()).await)
}

/// `POST /approval-callbacks/slack` and `teams`.
pub async fn callback(State(app): State<App>, Pressed(press): Pressed) -> Answer {
    answer(app.decide_from_chat(press).await)
}
