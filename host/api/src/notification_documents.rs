//! Documents of notifications, as tables of the members that clients can rely on.

use crate::documents::Is::{Any, Count, Flag, Gap, List, Map, Of, OfOrNull, Text, Texts};
use crate::documents::Row;

/// Every document.
pub static NOTIFICATIONS: &[Row] = &[
    (
        "NotificationRequest",
        "What is asked of notifications: by which policy, whom, how often to try; who answers, and what.",
        &[
            ("provider", Gap),
            ("generated_by", Gap),
            ("plan_id", Gap),
            ("external_ref", Gap),
            ("notes", Gap),
            ("actor_token", Gap),
        ],
    ),
    (
        "WorkReport",
        "A report of work that was handed off.",
        &[
            ("valid", Flag),
            ("errors", Texts),
            ("warnings", Texts),
            ("report_id", Text),
            ("report", Map),
            ("files", Texts),
            ("metadata", Of("EvidenceMetadata")),
            ("actor", Any),
        ],
    ),
    (
        "NoticeGiven",
        "Whom a plan told, and what came of it.",
        &[
            ("plan", Map),
            ("plan_metadata", Of("EvidenceMetadata")),
            ("delivery", Any),
            ("metadata", OfOrNull("EvidenceMetadata")),
            ("success", Flag),
            ("event_id", Text),
            ("actor", Any),
        ],
    ),
    (
        "EventSent",
        "An event, and what came of it; it is not sent where nobody has to be told.",
        &[
            ("event", Map),
            ("delivery", Any),
            ("metadata", OfOrNull("EvidenceMetadata")),
            ("success", Flag),
            ("event_id", Text),
            ("actor", Any),
        ],
    ),
    (
        "DigestSent",
        "What owners have open, and what came of telling them.",
        &[
            ("event", Map),
            ("digest_metadata", Of("EvidenceMetadata")),
            ("delivery", Any),
            ("metadata", OfOrNull("EvidenceMetadata")),
            ("success", Flag),
            ("actor", Any),
        ],
    ),
    (
        "Acknowledged",
        "An answer to a notification.",
        &[("acknowledgement", Map), ("metadata", Of("EvidenceMetadata")), ("actor", Any)],
    ),
    (
        "Reviewed",
        "What an owner says about a late route.",
        &[("review", Map), ("metadata", Of("EvidenceMetadata")), ("actor", Any)],
    ),
    ("PlanMade", "A plan that was stored.", &[("plan", Map), ("metadata", Of("EvidenceMetadata")), ("actor", Any)]),
    ("SuppressionAudited", "Why routes are not told again.", &[("audit", Map), ("metadata", Of("EvidenceMetadata"))]),
    (
        "SuppressionTrended",
        "How often routes were not told again.",
        &[("trend", Map), ("metadata", Of("EvidenceMetadata"))],
    ),
    (
        "PassDone",
        "A pass of a scheduled worker.",
        &[
            ("run", Map),
            ("metadata", Of("EvidenceMetadata")),
            ("retry_metadata", Of("EvidenceMetadata")),
            ("actor", Any),
        ],
    ),
    (
        "WorkerHealth",
        "Whether a scheduled worker does its work.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("health_id", Text),
            ("generated_at", Text),
            ("alert_level", Text),
            ("run_count", Count),
            ("recommendations", Texts),
        ],
    ),
    (
        "NotificationDashboard",
        "Notifications in numbers.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("generated_at", Text),
            ("alert_level", Text),
            ("latest", List("EvidenceMetadata")),
        ],
    ),
];
