//! Rollouts of policies.

use super::Is::{Any, Flag, Gap, List, Map, Of, OfOrNull, Text, Texts};
use super::{Document, document, request};

/// All of them.
pub static ALL: &[Document] = &[
    document(
        "ChangePlan",
        "What a change of a rollout would do.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("generated_at", Text),
            ("operation", Text),
            ("risk", Text),
            ("approval_required", Flag),
            ("before", OfOrNull("PolicyRollout")),
            ("after", Of("PolicyRollout")),
            ("changes", List("FieldChange")),
            ("operator_notes", Texts),
            ("replaces_digest", Text),
        ],
    ),
    document("FieldChange", "A member before and after.", &[("field", Text), ("before", Any), ("after", Any)]),
    request(
        "ChangeRequest",
        "A rollout's new members, or `changes` with them.",
        &[("rollout_id", Gap), ("actor_token", Gap)],
    ),
    document(
        "ChangeResult",
        "A rollout that was changed.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("actor", Any),
            ("plan", Of("ChangePlan")),
            ("rollout", Of("PolicyRollout")),
        ],
    ),
    document(
        "RolloutDetail",
        "A rollout with what it is about.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("rollout", Of("PolicyRollout")),
            ("repository", OfOrNull("Repository")),
            ("policy_pack", Map),
            ("activity_summary", Map),
            ("integration_summary", Map),
            ("readiness", Map),
        ],
    ),
];
