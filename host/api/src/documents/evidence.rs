//! Evidence and its logs.

use super::Is::{Count, Flag, Gap, List, Map, Maps, Maybe, Of, OrNull, Said, Text, TextOrNull, Texts};
use super::{Document, document, request};

/// All of them.
pub static ALL: &[Document] = &[
    document(
        "EvidenceMetadata",
        "Evidence metadata, `cavra.evidence.metadata.v1`; other members are kept as they are sent.",
        &[
            ("schema_version", Said(&Maybe(&OrNull(&Text)), "`cavra.evidence.metadata.v1`, whatever is sent.")),
            ("product", Said(&Maybe(&OrNull(&Text)), "`CAVRA`, whatever is sent.")),
            ("session_id", Said(&Text, "Key: id of the session, rollout, execution, request, export or delivery.")),
            ("created_at", Said(&Maybe(&OrNull(&Text)), "RFC 3339; now, if it is not sent.")),
            ("signer", Said(&Maybe(&OrNull(&Text)), "Who signed.")),
            ("decision_count", Said(&Maybe(&OrNull(&Count)), "Number of decisions.")),
            ("blocked_count", Said(&Maybe(&OrNull(&Count)), "Number of blocked actions.")),
            ("approval_required_count", Said(&Maybe(&OrNull(&Count)), "Number of actions that need approval.")),
            ("metadata_kind", Said(&Maybe(&OrNull(&Text)), "What it is evidence of; absent for sessions.")),
            ("deployment_targets", Said(&Maybe(&OrNull(&Texts)), "Endpoints or groups of them.")),
            (
                "approval_state",
                Said(
                    &Maybe(&OrNull(&Text)),
                    "State of the approval, as it is now where `approval_id` names a known one.",
                ),
            ),
        ],
    )
    .open(),
    document(
        "EvidenceLog",
        "A log with its newest checkpoint.",
        &[
            ("log", Text),
            ("origin", TextOrNull),
            ("size", Count),
            ("keys", Texts),
            ("checkpoint", Text),
            ("root_hash", Text),
            ("signed_size", Count),
        ],
    ),
    document("EvidenceLogList", "The evidence logs.", &[("items", List("EvidenceLog")), ("total", Count)]),
    document(
        "ArtifactList",
        "The files behind a record.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("session_id", Text),
            ("artifact_count", Count),
            ("artifacts", Maps),
            ("artifact_root_configured", Flag),
            ("bundle_download_url", Text),
            ("metadata_kind", Text),
            ("bundle_integrity", Maybe(&Map)),
            ("promotion_readiness", Maybe(&Map)),
            ("rollout_artifact_integrity", Maybe(&Map)),
            ("download_readiness", Maybe(&Map)),
            ("endpoint_management_export_integrity", Maybe(&Map)),
        ],
    ),
    document("PromotionAudit", "The audit event of a promotion.", &[("schema_version", Text), ("product", Gap)]).open(),
    document(
        "PromotionResult",
        "What was asked for, or carried out, under an approval.",
        &[
            ("valid", Flag),
            ("errors", Texts),
            ("warnings", Texts),
            ("files", Texts),
            ("rollout_id", Text),
            ("metadata", Maybe(&Of("EvidenceMetadata"))),
            ("approval", Maybe(&Of("Approval"))),
            ("request", Maybe(&Map)),
            ("rollout_dir", Gap),
            ("execution", Maybe(&Map)),
            ("rollback", Maybe(&Map)),
        ],
    ),
    request(
        "Execution",
        "Under which approval something is executed, by whom and where.",
        &[("approval_id", Gap), ("executed_by", Gap), ("execution_environment", Gap), ("notes", Gap)],
    ),
];
