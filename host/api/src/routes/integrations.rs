//! Rows of integrations.

use axum::routing::{get, post};
use cavra_core::LogEvent;
use cavra_identity::Scope;
use cavra_model::{DELIVERIES, INTEGRATIONS};

use crate::access::Access;
use crate::endpoint::{Effect, Endpoint, named, page_of};
use crate::handlers::{integrations, inventory, records};

/// The rows.
pub(super) fn rows() -> Vec<Endpoint> {
    let mut rows = integrations_rows();
    rows.extend(delivery_rows());
    rows
}

/// What integrations were told without asking.
fn delivery_rows() -> Vec<Endpoint> {
    let decision = |event: &'static [LogEvent], path, operation, handler| {
        Endpoint::post(Access::loosens(Scope::Inventory), Effect::Changes(event), path, operation, handler)
            .takes("NoMembers")
            .answers(named("IntegrationDelivery"))
            .body_optional()
            .refuses(&[404, 409])
    };
    vec![
        Endpoint::get(
            Access::READ,
            "/integration-deliveries",
            "list_integration_deliveries",
            records::list(&DELIVERIES),
        )
        .about("integrations", "Deliveries of events to integrations, the oldest first.")
        .console("integration_deliveries")
        .answers(page_of("IntegrationDelivery"))
        .filtered_by(&DELIVERIES)
        .paged(),
        Endpoint::get(
            Access::READ,
            "/integration-deliveries/status",
            "integration_delivery_status",
            get(integrations::status),
        )
        .about("integrations", "How far each integration has been told what happened, and what keeps it.")
        .console("integration_delivery_status")
        .answers(named("IntegrationDeliveryStatus"))
        .long(),
        Endpoint::get(
            Access::READ,
            "/integration-deliveries/{delivery_id}",
            "get_integration_delivery",
            records::one(&DELIVERIES),
        )
        .about("integrations", "One delivery.")
        .console("integration_delivery")
        .answers(named("IntegrationDelivery"))
        .refuses(&[404, 409]),
        decision(
            &[LogEvent::DeliveryRetried],
            "/integration-deliveries/{delivery_id}/retry",
            "retry_integration_delivery",
            post(integrations::retry),
        )
        .about("integrations", "Has a dead letter sent again.")
        .console("integration_delivery_retry"),
        decision(
            &[LogEvent::DeliveryDropped],
            "/integration-deliveries/{delivery_id}/drop",
            "drop_integration_delivery",
            post(integrations::drop_one),
        )
        .about("integrations", "Decides that what has not arrived is not sent any more.")
        .console("integration_delivery_drop"),
    ]
}

fn integrations_rows() -> Vec<Endpoint> {
    vec![
        Endpoint::get(Access::READ, "/integrations", "list_integrations", inventory::all(&INTEGRATIONS))
            .about("integrations", "Integrations, by id.")
            .console("integrations")
            .answers(named("IntegrationList"))
            .filtered_by(&INTEGRATIONS),
        Endpoint::post(
            Access::loosens(Scope::Inventory),
            Effect::Changes(&[LogEvent::IntegrationChanged]),
            "/integrations",
            "post_integration",
            post(integrations::register),
        )
        .about("integrations", "Registers or replaces an integration.")
        .takes("IntegrationDraft")
        .answers(named("Integration")),
        Endpoint::get(Access::READ, "/integrations/{integration_id}", "get_integration", records::one(&INTEGRATIONS))
            .about("integrations", "One integration, by id, else the first of that provider.")
            .console("integration")
            .answers(named("Integration"))
            .refuses(&[404, 409]),
        Endpoint::post(
            Access::loosens(Scope::Inventory),
            Effect::Computes,
            "/integrations/{integration_id}/deliver",
            "deliver_integration",
            post(integrations::deliver),
        )
        .about(
            "integrations",
            "Delivers an event through an integration; that a system does not take it is no refusal.",
        )
        .takes("DeliveryRequest")
        .answers(named("Delivery"))
        .console("integration_deliver")
        .refuses(&[404, 409]),
    ]
}
