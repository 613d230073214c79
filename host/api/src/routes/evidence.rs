//! Rows of evidence. docs/reference/evidence-and-promotion.md.

use axum::routing::{get, post};
use cavra_core::{ArtifactRoute, DELIVERY_VIEW, LogEvent};
use cavra_identity::Scope;
use cavra_model::{
    CHANNEL_PROMOTIONS, EVIDENCE, MetadataKind, PROMOTION_EXECUTIONS, RELEASE_DELIVERIES, ROLLBACK_EXECUTIONS,
};

use crate::EVIDENCE_BODY_LIMIT;
use crate::access::Access;
use crate::documents::{DELIVERY_DASHBOARD, dashboard};
use crate::endpoint::{Effect, Endpoint, named, page_of, titled_page_of};
use crate::handlers::{artifacts, evidence};

/// Files of evidence of every kind.
static FILES: ArtifactRoute = ArtifactRoute { kind: &EVIDENCE, prefix: "/evidence" };

/// The rows.
pub(super) fn rows() -> Vec<Endpoint> {
    let mut rows = files();
    rows.extend(promotions());
    rows
}

/// The list of a kind.
pub(super) fn list(path: &'static str, operation: &'static str, kind: &'static MetadataKind) -> Endpoint {
    Endpoint::get(Access::READ, path, operation, evidence::list(kind))
        .answers(if kind.list_schema.is_some() {
            titled_page_of("EvidenceMetadata")
        } else {
            page_of("EvidenceMetadata")
        })
        .asked_for(kind)
        .summarised()
        .paged()
}

/// One record of a kind.
pub(super) fn one(path: &'static str, operation: &'static str, kind: &'static MetadataKind) -> Endpoint {
    Endpoint::get(Access::READ, path, operation, evidence::one(kind))
        .answers(named("EvidenceMetadata"))
        .refuses(&[404, 409])
}

/// Metadata of every kind, and the files behind it.
fn files() -> Vec<Endpoint> {
    vec![
        list("/evidence", "list_evidence", &EVIDENCE)
            .about("evidence", "Evidence metadata, newest first.")
            .console("evidence"),
        Endpoint::post(
            Access::asks(Scope::Evidence),
            Effect::Changes(&[LogEvent::EvidenceReceived]),
            "/evidence",
            "post_evidence",
            post(evidence::post),
        )
        .body_limit(EVIDENCE_BODY_LIMIT)
        .about("evidence", "Stores a record of evidence metadata, in place of the one with its id.")
        .takes("EvidenceMetadata")
        .answers(named("EvidenceMetadata"))
        .refuses(&[409]),
        one("/evidence/{session_id}", "get_evidence", &EVIDENCE)
            .about("evidence", "One record of evidence metadata.")
            .console("evidence_item"),
        Endpoint::get(
            Access::READ,
            "/evidence/{session_id}/artifacts",
            "list_evidence_artifacts",
            artifacts::listing(&FILES),
        )
        .about("evidence", "The files behind a record, and whether they are intact.")
        .answers(named("ArtifactList"))
        .console("evidence_artifacts")
        .refuses(&[404, 409]),
        Endpoint::get(
            Access::READ,
            "/evidence/{session_id}/artifacts/{artifact_name}",
            "get_evidence_artifact",
            artifacts::one(&FILES),
        )
        .about("evidence", "One file; ranges are served.")
        .console("evidence_artifact")
        .answers_with_file("*/*")
        .refuses(&[404, 409]),
        Endpoint::get(
            Access::READ,
            "/evidence/{session_id}/artifact-bundle",
            "get_evidence_bundle",
            artifacts::bundle(&FILES),
        )
        .about("evidence", "All files as one ZIP.")
        .console("evidence_artifact_bundle")
        .long()
        .answers_with_file("application/zip")
        .refuses(&[404, 409]),
    ]
}

/// Promotions, rollbacks and deliveries.
fn promotions() -> Vec<Endpoint> {
    vec![
        list("/promotion-executions", "list_promotion_executions", &PROMOTION_EXECUTIONS)
            .about("promotions", "Promotions of rollouts that were carried out, newest first.")
            .console("promotion_executions"),
        one("/promotion-executions/{execution_id}", "get_promotion_execution", &PROMOTION_EXECUTIONS)
            .about("promotions", "One promotion that was carried out.")
            .console("promotion_execution"),
        one("/rollback-executions/{rollback_id}", "get_rollback_execution", &ROLLBACK_EXECUTIONS)
            .about("promotions", "One rollback that was carried out.")
            .console("rollback_execution"),
        list("/release-channel-promotions", "list_release_channel_promotions", &CHANNEL_PROMOTIONS)
            .about("promotions", "Requests to promote release channels, newest first.")
            .console("release_channel_promotions"),
        one("/release-channel-promotions/{request_id}", "get_release_channel_promotion", &CHANNEL_PROMOTIONS)
            .about("promotions", "One request to promote a release channel.")
            .console("release_channel_promotion"),
        list("/release-connector-deliveries", "list_release_connector_deliveries", &RELEASE_DELIVERIES)
            .about("promotions", "Deliveries of release events, newest first.")
            .console("release_connector_deliveries"),
        Endpoint::get(
            Access::READ,
            "/release-connector-deliveries/dashboard",
            "release_connector_delivery_dashboard",
            get(evidence::delivery_dashboard),
        )
        .about("promotions", "Deliveries of release events in numbers.")
        .answers(dashboard(&DELIVERY_VIEW, &DELIVERY_DASHBOARD))
        .console("release_connector_delivery_dashboard")
        .long(),
    ]
}
