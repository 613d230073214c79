//! What is sent to other systems.

use super::Is::{Any, Count, Flag, Gap, List, Map, Maybe, Text, TextOrNull};
use super::{Document, Is, document, request};

/// Members of a delivery.
const DELIVERY: &[(&str, Is)] = &[
    ("schema_version", Text),
    ("product", Text),
    ("event_type", Text),
    ("event_id", Text),
    ("session_id", TextOrNull),
    ("generated_at", Text),
    ("success", Flag),
    ("deliveries", List("ProviderDelivery")),
];

/// All of them.
pub static ALL: &[Document] = &[
    document("Delivery", "What became of an event, `cavra.connector.delivery.v1`.", DELIVERY),
    request("DeliveryRequest", "Whom to tell, and how often to try.", &[("provider", Gap)]),
    document(
        "ProviderDelivery",
        "What became of an event at one system.",
        &[
            ("provider", Text),
            ("success", Flag),
            ("status_code", Any),
            ("attempt_count", Count),
            ("started_at", Text),
            ("completed_at", Text),
            ("error", TextOrNull),
            ("request", Map),
        ],
    ),
    document("RecordedDelivery", "A delivery with its evidence in `metadata`.", DELIVERY).open(),
    document(
        "IntegrationDelivery",
        "The delivery of an event to an integration, `cavra.integration_delivery.v1`.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("delivery_id", Text),
            ("integration_id", Text),
            ("provider", Text),
            ("event_type", Text),
            ("record_id", Text),
            ("state", Text),
            ("queued_at", Text),
            ("updated_at", Text),
            ("attempt_count", Count),
            ("status_code", Any),
            ("error", TextOrNull),
            ("delivered_at", TextOrNull),
            ("log", Map),
            ("request", Map),
            ("event", Maybe(&Map)),
            ("retried_at", Gap),
            ("pending_for", Gap),
        ],
    ),
    document(
        "IntegrationDeliveryState",
        "How the deliveries to an integration fare.",
        &[
            ("integration_id", Text),
            ("provider", Text),
            ("status", Text),
            ("circuit", Text),
            ("backlog", Count),
            ("dead_letters", Count),
            ("failures_in_a_row", Count),
            ("next_attempt_at", TextOrNull),
            ("last_error", TextOrNull),
            ("last_delivered_at", TextOrNull),
        ],
    ),
    document(
        "IntegrationDeliveryStatus",
        "How the deliveries to all integrations fare.",
        &[("schema_version", Text), ("product", Text), ("total", Count), ("items", List("IntegrationDeliveryState"))],
    ),
];
