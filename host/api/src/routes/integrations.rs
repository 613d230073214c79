//! Rows of integrations.

use axum::routing::post;
use cavra_core::LogEvent;
use cavra_identity::Scope;
use cavra_model::INTEGRATIONS;

use crate::access::Access;
use crate::endpoint::{Effect, Endpoint, named};
use crate::handlers::{integrations, inventory, records};

/// The rows.
pub(super) fn rows() -> Vec<Endpoint> {
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
            inventory::upsert(&INTEGRATIONS),
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
