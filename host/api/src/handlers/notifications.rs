//! Handlers of notification families: each is made of a family and what is done for it. docs/reference/remediation-sla.md and docs/reference/connectors-drills-ops-registry.md,
//! section 3.

use axum::extract::{RawPathParams, State};
use axum::routing::{MethodRouter, get, post};
use cavra_core::{App, Board, Call, Family, History, Operation};
use cavra_model::Object;
use serde_json::json;

use super::answer;
use crate::extract::{By, Filters, MaybeBody, Paging};

/// The one parameter of a path, if it has one.
fn named(path: &RawPathParams) -> String {
    path.iter().next().map(|(_, value)| value.to_owned()).unwrap_or_default()
}

/// A call with a body, which may be left out.
pub fn operation(family: &'static Family, operation: Operation) -> MethodRouter<App> {
    post(move |State(app): State<App>, By(caller): By, path: RawPathParams, MaybeBody(body): MaybeBody| async move {
        let call = Call { id: named(&path), body: body.unwrap_or_default(), caller, run: None };
        answer(app.notify(family, operation, call).await)
    })
}

/// A call without a body: what it says stands in the query.
pub fn look(family: &'static Family, operation: Operation) -> MethodRouter<App> {
    get(move |State(app): State<App>, By(caller): By, path: RawPathParams, Filters(page): Filters| async move {
        // The first one that is given counts.
        let query = page.parameters.into_iter().rev().filter(|(_, value)| !value.is_empty());
        let body: Object = query.map(|(name, value)| (name, json!(value))).collect();
        answer(app.notify(family, operation, Call { id: named(&path), body, caller, run: None }).await)
    })
}

/// A page of a history.
pub fn history(family: &'static Family, history: &'static History) -> MethodRouter<App> {
    get(move |State(app): State<App>, Paging(page): Paging| async move {
        answer(app.notification_history(family, history, &page).await)
    })
}

/// A dashboard.
pub fn board(family: &'static Family, board: &'static Board) -> MethodRouter<App> {
    get(move |State(app): State<App>| async move { answer(app.notification_board(family, board).await) })
}
