//! Policy packs: as they are, and as they are written and published.

use super::Is::{Any, AnyGap, Count, Flag, Gap, List, Map, Maybe, Of, OrNull, Said, Text, Texts};
use super::{Document, document, request};

/// All of them.
pub static ALL: &[Document] = &[
    document(
        "PolicyPack",
        "A policy pack as written.",
        &[
            ("id", Said(&Text, "`metadata.id`, or the directory's name.")),
            ("title", Said(&Maybe(&OrNull(&Text)), "Title.")),
            ("description", Said(&Maybe(&OrNull(&Text)), "Description.")),
            ("version", Said(&AnyGap, "Version, as it is written.")),
            ("policy", Said(&Any, "The parsed `policy.yaml`.")),
            ("valid", Maybe(&Flag)),
            ("errors", Maybe(&Texts)),
        ],
    ),
    document(
        "PolicyPackCatalog",
        "The catalog of packs, `cavra.policy_pack.catalog.v1`.",
        &[
            ("schema_version", Said(&Text, "`cavra.policy_pack.catalog.v1`.")),
            ("product", Said(&Text, "`CAVRA`.")),
            ("total", Said(&Count, "Number of packs.")),
            ("items", Said(&List("PolicyPackCatalogItem"), "The packs.")),
        ],
    ),
    document(
        "PolicyPackCatalogItem",
        "A pack in the catalog.",
        &[
            ("id", Said(&Text, "`metadata.id`, or the directory's name.")),
            ("title", Said(&Maybe(&OrNull(&Text)), "Title.")),
            ("description", Said(&Maybe(&OrNull(&Text)), "Description.")),
            ("version", Said(&AnyGap, "Version, as it is written.")),
            ("summary", Said(&Of("PolicyPackSummary"), "Rule counts.")),
            ("valid", Maybe(&Flag)),
            ("errors", Maybe(&Texts)),
        ],
    ),
    document(
        "PolicyPackSummary",
        "Rule counts of a pack as written.",
        &[
            ("policy_id", Said(&Text, "Id of the policy.")),
            ("title", Said(&Maybe(&OrNull(&Text)), "Title.")),
            ("version", Said(&AnyGap, "Version, as it is written.")),
            ("inherits", Said(&Maybe(&OrNull(&Any)), "Parent pack or packs.")),
            ("mode", Said(&Text, "Policy mode; `enforce` if the pack does not say.")),
            ("rule_counts", Said(&Any, "Rules by section.")),
        ],
    ),
    document(
        "ComplianceMapping",
        "A control that a pack maps to.",
        &[
            ("policy_pack", Said(&Text, "Pack.")),
            ("title", Said(&Maybe(&OrNull(&Text)), "Its title.")),
            ("control", Said(&Text, "Name of the control.")),
        ],
    ),
    request(
        "PolicyDraft",
        "A pack as it is being written, or `draft` with it.",
        &[("id", Gap), ("title", Gap), ("description", Gap), ("version", Gap)],
    ),
    document(
        "PolicyDraftReport",
        "What a draft amounts to.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("valid", Flag),
            ("errors", Texts),
            ("policy_pack", Map),
            ("summary", Of("PolicyPackSummary")),
            ("operator_notes", Texts),
            ("warnings", Texts),
        ],
    ),
    document(
        "PublishPlan",
        "What publishing a draft would change.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("generated_at", Text),
            ("valid", Flag),
            ("errors", Texts),
            ("operation", Text),
            ("risk", Text),
            ("approval_required", Flag),
            ("policy_id", Text),
            ("policy_digest", Text),
            ("target_path", Text),
            ("summary", Of("PolicyPackSummary")),
            ("diff", Any),
            ("operator_notes", Texts),
            ("warnings", Texts),
            ("replaces_digest", Text),
            ("backtest", OrNull(&Map)),
            ("component_digest", Gap),
        ],
    ),
    document(
        "PublishRequest",
        "An approval that is asked for, and the plan it is for.",
        &[("schema_version", Text), ("product", Text), ("plan", Of("PublishPlan")), ("approval", Of("Approval"))],
    ),
    document(
        "PublishResult",
        "A pack that was published.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("status", Text),
            ("published_at", Text),
            ("published_by", Text),
            ("policy_id", Text),
            ("policy_digest", Text),
            ("policy_path", Text),
            ("signature_path", Text),
            ("signature_verified", Flag),
            ("signature_message", Text),
            ("approval", Map),
            ("summary", Of("PolicyPackSummary")),
            ("operator_notes", Texts),
        ],
    ),
];
