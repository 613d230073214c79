//! Approvals.

use super::Is::{Count, Flag, Gap, List, Map, Maybe, Of, OrNull, Text, TextOrNull, Texts};
use super::{Document, document, request};

/// All of them.
pub static ALL: &[Document] = &[
    document(
        "Approval",
        "An approval, `cavra.approval.v1`.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("approval_id", Text),
            ("decision_id", Text),
            ("session_id", Text),
            ("correlation_id", TextOrNull),
            ("state", Text),
            ("approver_group", Text),
            ("requested_by", Text),
            ("requested_at", Text),
            ("expires_at", Text),
            ("decision", Map),
            ("history", List("ApprovalEvent")),
            ("evidence_refs", Texts),
            ("decided_by", Gap),
            ("decided_at", Gap),
            ("decided_via", Gap),
            ("decision_reason", Gap),
            ("external_ref", Gap),
            ("action_digest", Maybe(&TextOrNull)),
            ("requested_by_identity", Maybe(&Of("Identity"))),
            ("decided_by_identity", Maybe(&Of("Identity"))),
            ("unverified", Maybe(&Flag)),
            ("break_glass", Maybe(&Flag)),
            ("break_glass_reason", Gap),
            ("break_glass_ended_at", Gap),
            ("approvals", Maybe(&List("Consent"))),
            ("required_approvals", Maybe(&Count)),
            ("used_at", Gap),
            ("used_by_decision", Gap),
        ],
    )
    .open(),
    document(
        "ApprovalEvent",
        "What happened to an approval.",
        &[
            ("event", Text),
            ("actor", Text),
            ("timestamp", Text),
            ("reason", TextOrNull),
            ("actor_identity", Maybe(&OrNull(&Of("Identity")))),
            ("external_ref", Maybe(&TextOrNull)),
        ],
    ),
    document(
        "Identity",
        "A person, as a provider names them, and how that was established.",
        &[("issuer", TextOrNull), ("subject", TextOrNull), ("names", Texts), ("via", Text)],
    ),
    document(
        "Consent",
        "One of several approvals that are needed.",
        &[
            ("actor", Text),
            ("actor_identity", Maybe(&OrNull(&Of("Identity")))),
            ("timestamp", Text),
            ("reason", TextOrNull),
            ("external_ref", Maybe(&TextOrNull)),
            ("decided_via", Gap),
            ("person", Gap),
        ],
    ),
    request(
        "ApprovalRequest",
        "A decision, or an envelope with one in `decision`.",
        &[("approver_group", Gap), ("requested_by", Gap), ("reason", Gap), ("actor", Gap), ("external_ref", Gap)],
    ),
    request(
        "ApprovalRuling",
        "Who rules, and why.",
        &[("actor", Gap), ("reason", Gap), ("external_ref", Gap), ("actor_token", Gap), ("shown_digest", Gap)],
    ),
    document(
        "ApprovalDelivery",
        "What became of the messages about an approval, `cavra.approval.delivery.v1`.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("approval_id", Text),
            ("success", Flag),
            ("decision_id", Text),
            ("generated_at", Text),
            ("deliveries", List("ProviderDelivery")),
        ],
    ),
    request("ApprovalDeliveryRequest", "Whom to tell, and how often to try.", &[("provider", Gap)]),
    request(
        "Bound",
        "A request with an approval that is bound to exactly its subject.",
        &[("approval_id", Gap), ("actor_token", Gap)],
    ),
    request("NoMembers", "Nothing has to be said.", &[("actor_token", Gap)]),
    request("ChatCallback", "What a chat sends, in its own form.", &[("payload", Gap), ("type", Gap), ("text", Gap)]),
    document("ChatAnswer", "What the chat shows to whoever decided, in its own form.", &[("text", Gap)]).open(),
    document(
        "AttachedDecision",
        "The decision that was sent, with the approval beside its members.",
        &[("decision_id", Gap), ("approval", Maybe(&Map)), ("evidence_refs", Maybe(&Texts))],
    )
    .open(),
];
