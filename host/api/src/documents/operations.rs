//! What operators look at.

use super::Is::{Count, Flag, List, Map, Maybe, Of, Text, TextOrNull, Texts};
use super::{Document, document};

/// All of them.
pub static ALL: &[Document] = &[
    document(
        "Store",
        "Where a store is.",
        &[
            ("name", Text),
            ("kind", Text),
            ("path", Text),
            ("configured_by", Text),
            ("exists", Flag),
            ("size_bytes", Count),
            ("backup_required", Maybe(&Flag)),
            ("minimum_retention_days", Maybe(&Count)),
            ("restore_test_required", Maybe(&Flag)),
        ],
    ),
    document(
        "StoreList",
        "The stores, `cavra.persistent_api.stores.v1`.",
        &[("schema_version", Text), ("product", Text), ("items", List("Store")), ("total", Count)],
    ),
    document(
        "RetentionPlan",
        "How long the stores are to be kept, `cavra.persistent_api.retention.v1`.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("created_at", Text),
            ("classification", Text),
            ("retention_days", Count),
            ("retain_until", Text),
            ("legal_hold", Flag),
            ("delete_protection", Flag),
            ("backup_frequency", Text),
            ("restore_test_frequency", Text),
            ("stores", List("Store")),
        ],
    ),
    document(
        "WorkerJob",
        "A job that servers do by themselves.",
        &[
            ("job", Text),
            ("every_minutes", Count),
            ("execute", Flag),
            ("health", Text),
            ("state", Text),
            ("run_count", Count),
            ("failed_run_count", Count),
            ("missed_window_count", Count),
            ("interrupted_run_count", Count),
            ("window_start", Maybe(&TextOrNull)),
            ("started_at", Maybe(&TextOrNull)),
            ("finished_at", Maybe(&TextOrNull)),
            ("last_error", Maybe(&TextOrNull)),
            ("last_interrupted_at", Maybe(&TextOrNull)),
            ("last_missed_at", Maybe(&TextOrNull)),
        ],
    ),
    document(
        "WorkerList",
        "The jobs that are turned on, `cavra.workers.v1`.",
        &[("schema_version", Text), ("product", Text), ("items", List("WorkerJob")), ("total", Count)],
    ),
    document("ReadinessCheck", "A named check.", &[("id", Text), ("status", Text), ("message", Text)]).open(),
    document(
        "ReadinessReport",
        "A report over files that operators keep.",
        &[("schema_version", Text), ("mode", Text), ("status", Text), ("checks", List("ReadinessCheck"))],
    )
    .open(),
    document(
        "ProductionReadiness",
        "Whether a server is ready for production, `cavra.deployment.production_readiness.v1`.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("status", Text),
            ("checks", List("ReadinessCheck")),
            ("store_summary", Map),
            ("operator_notes", Texts),
            ("go_backend_pilot", Of("ReadinessReport")),
            ("go_backend_deployment", Of("ReadinessReport")),
            ("go_backend_promotion", Of("ReadinessReport")),
            ("go_backend_rollback", Of("ReadinessReport")),
            ("go_backend_rollback_rehearsal", Of("ReadinessReport")),
            ("go_backend_rollback_drill_history", Of("ReadinessReport")),
            ("go_backend_rollback_drill_schedule", Of("ReadinessReport")),
        ],
    ),
];
