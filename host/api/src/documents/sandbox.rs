//! Scenarios that can be played.

use super::Is::{Count, Gap, List, Maps, Of, Text, TextOrNull, Texts};
use super::{Document, document, request};

/// What stands beside the members of a decision that a run made.
pub static EVENT: Document = document(
    "SandboxEvent",
    "A decision of a run.",
    &[
        ("event_id", Text),
        ("effective_decision", Text),
        ("mode_reason", Text),
        ("persona", Text),
        ("agent", Text),
        ("policy_mode", Text),
        ("approver_group", TextOrNull),
        ("business_impact", Text),
        ("remediation", Text),
        ("evidence_generated", Texts),
    ],
);

/// All of them.
pub static ALL: &[Document] = &[
    document("SandboxEvidence", "The evidence of a run.", &[("product", Text), ("run", Of("SandboxRun"))]),
    document(
        "SandboxMetrics",
        "Runs in numbers.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("total_runs", Count),
            ("total_decisions", Count),
            ("blocked_actions", Count),
            ("approval_required_actions", Count),
            ("latest_run_at", TextOrNull),
            ("telemetry", Text),
            ("tracking", Text),
        ],
    ),
    document(
        "SandboxRun",
        "A scenario that was played.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("run_id", Text),
            ("scenario", Text),
            ("persona", Text),
            ("policy_pack", Text),
            ("policy_mode", Text),
            ("created_at", Text),
            ("decision_count", Count),
            ("blocked_count", Count),
            ("approval_required_count", Count),
            ("events", List("SandboxEvent")),
            ("artifacts", Maps),
            ("source", Text),
            ("tagline", Text),
        ],
    ),
    request(
        "SandboxRequest",
        "What is to be played.",
        &[("scenario", Gap), ("persona", Gap), ("policy_pack", Gap), ("policy_mode", Gap)],
    ),
    document(
        "SandboxScenario",
        "A scenario that can be played.",
        &[
            ("id", Text),
            ("title", Text),
            ("description", Text),
            ("default_policy_pack", Text),
            ("personas", Texts),
            ("policy_modes", Texts),
        ],
    ),
];
