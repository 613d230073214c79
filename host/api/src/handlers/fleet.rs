//! Handlers of managed endpoints: the body and the caller go to the core, which does the rest.

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, get};
use cavra_core::{App, EndpointDashboard};

use super::Answer;
use crate::extract::{Body, By, Id};

/// The dashboard of a row.
pub fn dashboard(row: &'static EndpointDashboard) -> MethodRouter<App> {
    get(move |State(app): State<App>| async move {
        Ok::<_, crate::problem::Problem>(Json(app.evidence.endpoint_dashboard(row).await?))
    })
}

/// `POST /endpoint-management-exports/{export_id}/publish`.
pub async fn publish(State(app): State<App>, By(caller): By, Id(id): Id, Body(body): Body) -> Answer {
    Ok(Json(app.publish_export(&id, &body, &caller).await?))
}

/// `POST /endpoint-inventory/ingest`.
pub async fn ingest(State(app): State<App>, By(caller): By, Body(body): Body) -> Answer {
    Ok(Json(app.ingest_inventory(body, &caller).await?))
}

/// `POST /endpoint-inventory/freshness-report`.
pub async fn freshness(State(app): State<App>, By(caller): By, Body(body): Body) -> Answer {
    Ok(Json(app.report_freshness(&body, &caller).await?))
}

/// `POST /endpoint-deployment/reconcile`.
pub async fn reconcile(State(app): State<App>, By(caller): By, Body(body): Body) -> Answer {
    Ok(Json(app.reconcile_deployment(body, &caller).await?))
}

/// `POST /endpoint-inventory-ingestions/{inventory_id}/reconcile`.
pub async fn reconcile_ingestion(State(app): State<App>, By(caller): By, Id(id): Id, Body(body): Body) -> Answer {
    Ok(Json(app.reconcile_ingestion(&id, body, &caller).await?))
}

/// `POST /endpoint-reconciliations/{reconciliation_id}/remediation-request`.
pub async fn request(State(app): State<App>, By(caller): By, Id(id): Id, Body(body): Body) -> Answer {
    Ok(Json(app.request_remediation(&id, &body, &caller).await?))
}

/// `POST /endpoint-remediations/{request_id}/execute`.
pub async fn execute(State(app): State<App>, By(caller): By, Id(id): Id, Body(body): Body) -> Answer {
    Ok(Json(app.execute_remediation(&id, &body, &caller).await?))
}

/// `POST /endpoint-remediations/{request_id}/handoff`.
pub async fn hand_off(State(app): State<App>, By(caller): By, Id(id): Id, Body(body): Body) -> Answer {
    Ok(Json(app.hand_off(&id, &body, &caller).await?))
}

/// `POST /endpoint-remediation-handoffs/{handoff_id}/status`.
pub async fn status(State(app): State<App>, By(caller): By, Id(id): Id, Body(body): Body) -> Answer {
    Ok(Json(app.record_handoff_status(&id, &body, &caller).await?))
}
