//! Rows of what changes promotions. docs/reference/evidence-and-promotion.md, sections 7 to 10.

use axum::routing::{MethodRouter, get, post};
use cavra_core::{App, LogEvent};
use cavra_identity::Scope;

use crate::access::Access;
use crate::endpoint::{Effect, Endpoint, named};
use crate::handlers::promotions;

/// A row of what delivers an event and keeps the evidence of it.
fn delivery(path: &'static str, operation: &'static str, handler: MethodRouter<App>) -> Endpoint {
    let effect = Effect::Changes(&[LogEvent::EvidenceRecorded]);
    Endpoint::post(Access::loosens(Scope::Evidence), effect, path, operation, handler)
        .takes("DeliveryRequest")
        .answers(named("RecordedDelivery"))
        .refuses(&[404, 409])
}

/// The rows.
pub(super) fn rows() -> Vec<Endpoint> {
    vec![
        Endpoint::post(
            Access::in_person(Scope::Evidence),
            Effect::Changes(&[LogEvent::ApprovalRequested]),
            "/evidence/{session_id}/promotion-request",
            "request_promotion",
            post(promotions::request),
        )
        .about("promotions", "Asks for the approval of a rollout's promotion; answers the signed request.")
        .takes("Bound")
        .answers(named("PromotionResult"))
        .console("evidence_rollout_promotion_request")
        .refuses(&[404, 409]),
        Endpoint::post(
            Access::in_person(Scope::Evidence),
            Effect::Changes(&[LogEvent::PromotionExecuted]),
            "/evidence/{session_id}/promotion-execution",
            "execute_promotion",
            post(promotions::execute),
        )
        .exact(&["request"])
        .about("promotions", "Carries out an approved promotion, once.")
        .takes("Bound")
        .answers(named("PromotionResult"))
        .console("evidence_rollout_promotion_execution")
        .refuses(&[404, 409]),
        Endpoint::get(
            Access::READ,
            "/promotion-executions/{execution_id}/audit-export",
            "export_promotion_audit",
            get(promotions::audit_export),
        )
        .about("promotions", "The audit event of a promotion.")
        .answers(named("PromotionAudit"))
        .console("promotion_execution_audit_export")
        .refuses(&[404, 409]),
        Endpoint::post(
            Access::in_person(Scope::Evidence),
            Effect::Changes(&[LogEvent::RollbackExecuted]),
            "/promotion-executions/{execution_id}/rollback-execution",
            "roll_back_promotion",
            post(promotions::roll_back),
        )
        .about("promotions", "Rolls a promotion back under an approval of its own, once.")
        .takes("Bound")
        .answers(named("PromotionResult"))
        .console("promotion_execution_rollback")
        .refuses(&[404, 409]),
        delivery(
            "/promotion-executions/{execution_id}/audit-export/deliver",
            "deliver_promotion_audit",
            post(promotions::deliver),
        )
        .about("promotions", "Delivers the audit event of a promotion; that a system does not take it is no refusal.")
        .console("promotion_execution_audit_deliver"),
        delivery("/rollback-executions/{rollback_id}/deliver", "deliver_rollback", post(promotions::deliver_rollback))
            .about(
                "promotions",
                "Delivers the audit event of a rollback, named by its own id or by that of the promotion.",
            )
            .console("rollback_execution_deliver"),
    ]
}
