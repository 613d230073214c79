//! Managed endpoints.

use super::Is::{AnyGap, Flag, Gap, Map, Of, Text, Texts};
use super::{Document, document, request};

/// All of them.
pub static ALL: &[Document] = &[
    document(
        "EndpointResult",
        "What an operation on managed endpoints made; the documents stand beside.",
        &[
            ("valid", Flag),
            ("errors", Texts),
            ("warnings", Texts),
            ("files", Texts),
            ("metadata", Of("EvidenceMetadata")),
        ],
    )
    .open(),
    request(
        "ExportPublishRequest",
        "Which tools an export is sent to, and how often it is tried.",
        &[("provider", Gap), ("requested_by", Gap)],
    ),
    document(
        "ExportPublishResult",
        "What was published, and what came of it at each tool.",
        &[
            ("valid", Flag),
            ("warnings", Texts),
            ("publication_id", Text),
            ("export_id", Text),
            ("providers", Texts),
            ("event", Map),
            ("delivery", Map),
            ("metadata", Of("EvidenceMetadata")),
            ("errors", Texts),
            ("files", Texts),
        ],
    ),
    request(
        "FreshnessRequest",
        "Which inventories are looked at; `max_age_hours` and `critical_age_hours` say when they are old.",
        &[("provider", Gap), ("channel", Gap), ("deployment_target", Gap)],
    ),
    request(
        "HandoffRequest",
        "The systems, as a list `providers` or in `provider`, and who asks.",
        &[("provider", Gap), ("requested_by", Gap), ("delivery_mode", Gap)],
    ),
    request(
        "HandoffStatus",
        "What became of a packaged remediation; `callback_payload` is what the system sent.",
        &[
            ("provider", Text),
            ("status", Text),
            ("external_ref", Gap),
            ("external_url", Gap),
            ("notes", Gap),
            ("recorded_by", Gap),
        ],
    ),
    request(
        "InventoryIngest",
        "A vendor's export, as it is, in `inventory`: an object, or a list of records or pages; or a file of JSON Lines or delimited text in `inventory_text`.",
        &[
            ("provider", Text),
            ("inventory", AnyGap),
            ("inventory_text", Gap),
            ("channel", Gap),
            ("observed_at", AnyGap),
            ("source", Gap),
        ],
    ),
    request(
        "ReconcileRequest",
        "A desired manifest: `desired_manifest`, the text of its file in `desired_manifest_text`, or the package it is in; its detached signature in `desired_manifest_signature`; and for an inventory that is not stored, `observed_inventory`.",
        &[
            ("package_dir", Gap),
            ("strategy", Gap),
            ("requested_by", Gap),
            ("approver_group", Gap),
            ("target_scope", Gap),
        ],
    ),
    request(
        "RemediationRequest",
        "How drift is remedied, who asks and who approves.",
        &[("strategy", Gap), ("requested_by", Gap), ("approver_group", Gap), ("request_note", Gap)],
    ),
];
