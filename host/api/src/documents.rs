//! Documents that use cases put together from records, as tables of the members that clients can rely on. Further members
//! may stand beside them.

use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{ComponentsBuilder, RefOr};

use crate::endpoint::named;
use crate::notification_documents::NOTIFICATIONS;
use Is::{Any, AnyGap, Count, Flag, Gap, List, Map, Number, Of, OfOrNull, Text, TextOrNull, Texts};

/// Type of a member.
#[derive(Clone, Copy, Debug)]
pub enum Is {
    Text,
    TextOrNull,
    Texts,
    Count,
    Number,
    Flag,
    /// An object that is what it is about.
    Map,
    /// Anything.
    Any,
    /// A named document or record.
    Of(&'static str),
    OfOrNull(&'static str),
    /// A list of them.
    List(&'static str),
    /// A text that may be missing.
    Gap,
    /// Anything, which may be missing.
    AnyGap,
}

/// A document: its name, what it is, its members.
pub type Row = (&'static str, &'static str, &'static [(&'static str, Is)]);

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

/// Every document.
static DOCUMENTS: &[Row] = &[
    (
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
        ],
    ),
    (
        "ApprovalEvent",
        "What happened to an approval.",
        &[("event", Text), ("actor", Text), ("timestamp", Text), ("reason", TextOrNull)],
    ),
    (
        "ApprovalRequest",
        "A decision, or an envelope with one in `decision`.",
        &[("approver_group", Gap), ("requested_by", Gap), ("reason", Gap), ("actor", Gap), ("external_ref", Gap)],
    ),
    (
        "ApprovalRuling",
        "Who rules, and why.",
        &[("actor", Gap), ("reason", Gap), ("external_ref", Gap), ("shown_digest", Gap), ("actor_token", Gap)],
    ),
    ("ChatCallback", "What a chat sends, in its own form.", &[("payload", Gap), ("type", Gap), ("text", Gap)]),
    ("ChatAnswer", "What the chat shows to whoever decided, in its own form.", &[("text", Gap)]),
    (
        "ArtifactList",
        "The files behind a record.",
        &[("schema_version", Text), ("product", Text), ("session_id", Text), ("artifact_count", Count)],
    ),
    (
        "ApprovalDelivery",
        "What became of the messages about an approval, `cavra.approval.delivery.v1`.",
        &[("schema_version", Text), ("product", Text), ("approval_id", Text), ("success", Flag)],
    ),
    ("ApprovalDeliveryRequest", "Whom to tell, and how often to try.", &[("provider", Gap)]),
    ("Delivery", "What became of an event, `cavra.connector.delivery.v1`.", DELIVERY),
    ("DeliveryRequest", "Whom to tell, and how often to try.", &[("provider", Gap)]),
    (
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
        ],
    ),
    (
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
    (
        "IntegrationDeliveryStatus",
        "How the deliveries to all integrations fare.",
        &[("schema_version", Text), ("product", Text), ("total", Count), ("items", List("IntegrationDeliveryState"))],
    ),
    ("NoMembers", "Nothing has to be said.", &[("actor_token", Gap)]),
    (
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
    ("RecordedDelivery", "A delivery with its evidence in `metadata`.", DELIVERY),
    (
        "Bound",
        "A request with an approval that is bound to exactly its subject.",
        &[("approval_id", Gap), ("actor_token", Gap)],
    ),
    (
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
        ],
    ),
    ("FieldChange", "A member before and after.", &[("field", Text), ("before", Any), ("after", Any)]),
    ("ChangeRequest", "A rollout's new members, or `changes` with them.", &[("rollout_id", Gap), ("actor_token", Gap)]),
    (
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
    (
        "ConsoleConfig",
        "What the web console has to know about this server.",
        &[
            ("product", Text),
            ("api_base_url", Text),
            ("metadata_mode", Text),
            ("approval_mode", Text),
            ("registry_mode", Text),
            ("activity_mode", Text),
            ("inventory_mode", Text),
            ("integration_mode", Text),
            ("approval_provider_delivery", Text),
            ("connector_delivery", Text),
            ("evidence_artifacts", Text),
            ("approval_oidc", Text),
            ("approval_rbac", Text),
            ("registry_store", Text),
            ("cors_origins", Texts),
            ("endpoints", Map),
        ],
    ),
    (
        "ConsoleSession",
        "Who the caller is and what the console may offer.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("mode", Text),
            ("authenticated", Flag),
            ("auth_required", Flag),
            ("actor", Any),
            ("permissions", Map),
            ("operator_notes", Texts),
        ],
    ),
    (
        "DeliveryDashboard",
        "Deliveries of release events in numbers.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("total_deliveries", Count),
            ("successful_deliveries", Count),
            ("failed_deliveries", Count),
            ("success_rate", Number),
            ("alert_level", Text),
            ("providers", Map),
            ("event_types", Map),
        ],
    ),
    (
        "EndpointDashboard",
        "Records of managed endpoints in numbers, with the ten newest.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("generated_at", Text),
            ("alert_level", Text),
            ("latest", List("EvidenceMetadata")),
        ],
    ),
    (
        "EndpointResult",
        "What an operation on managed endpoints made; the documents stand beside.",
        &[
            ("valid", Flag),
            ("errors", Texts),
            ("warnings", Texts),
            ("files", Texts),
            ("metadata", Of("EvidenceMetadata")),
        ],
    ),
    (
        "Execution",
        "Under which approval something is executed, by whom and where.",
        &[("approval_id", Gap), ("executed_by", Gap), ("execution_environment", Gap), ("notes", Gap)],
    ),
    (
        "FreshnessRequest",
        "Which inventories are looked at; `max_age_hours` and `critical_age_hours` say when they are old.",
        &[("provider", Gap), ("channel", Gap), ("deployment_target", Gap)],
    ),
    (
        "HandoffRequest",
        "The systems, as a list `providers` or in `provider`, and who asks.",
        &[("provider", Gap), ("requested_by", Gap), ("delivery_mode", Gap)],
    ),
    (
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
    (
        "InventoryIngest",
        "A vendor's export, as it is, in `inventory`: an object, or a list of records or pages; or a file of JSON Lines or \
         delimited text in `inventory_text`.",
        &[
            ("provider", Text),
            ("inventory", AnyGap),
            ("inventory_text", Gap),
            ("channel", Gap),
            ("observed_at", AnyGap),
            ("source", Gap),
        ],
    ),
    (
        "ExportPublishRequest",
        "Which tools an export is sent to, and how often it is tried.",
        &[("provider", Gap), ("requested_by", Gap)],
    ),
    (
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
        ],
    ),
    (
        "ReconcileRequest",
        "A desired manifest: `desired_manifest`, the text of its file in `desired_manifest_text`, or the package it is in; its \
         detached signature in `desired_manifest_signature`; and for an inventory that is not stored, `observed_inventory`.",
        &[
            ("package_dir", Gap),
            ("strategy", Gap),
            ("requested_by", Gap),
            ("approver_group", Gap),
            ("target_scope", Gap),
        ],
    ),
    (
        "RemediationRequest",
        "How drift is remedied, who asks and who approves.",
        &[("strategy", Gap), ("requested_by", Gap), ("approver_group", Gap), ("request_note", Gap)],
    ),
    (
        "EvidenceLog",
        "A log with its newest checkpoint.",
        &[("log", Text), ("origin", TextOrNull), ("size", Count), ("keys", Texts)],
    ),
    ("EvidenceLogList", "The evidence logs.", &[("items", List("EvidenceLog")), ("total", Count)]),
    (
        "PolicyDraft",
        "A pack as it is being written, or `draft` with it.",
        &[("id", Gap), ("title", Gap), ("description", Gap), ("version", Gap)],
    ),
    (
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
        ],
    ),
    (
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
        ],
    ),
    (
        "PublishRequest",
        "An approval that is asked for, and the plan it is for.",
        &[("schema_version", Text), ("product", Text), ("plan", Of("PublishPlan")), ("approval", Of("Approval"))],
    ),
    (
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
    ("PromotionAudit", "The audit event of a promotion.", &[("schema_version", Text), ("product", Text)]),
    (
        "PromotionResult",
        "What was asked for, or carried out, under an approval.",
        &[("product", Gap), ("schema_version", Gap)],
    ),
    (
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
    (
        "SandboxEvent",
        "A decision of a run.",
        &[
            ("event_id", Text),
            ("decision_id", Text),
            ("action_type", Text),
            ("target", Text),
            ("decision", Text),
            ("rule_id", Text),
        ],
    ),
    ("SandboxEvidence", "The evidence of a run.", &[("product", Text), ("run", Of("SandboxRun"))]),
    (
        "SandboxMetrics",
        "Runs in numbers.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("total_runs", Count),
            ("total_decisions", Count),
            ("blocked_actions", Count),
            ("approval_required_actions", Count),
        ],
    ),
    (
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
        ],
    ),
    (
        "SandboxRequest",
        "What is to be played.",
        &[("scenario", Gap), ("persona", Gap), ("policy_pack", Gap), ("policy_mode", Gap)],
    ),
    (
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
    (
        "SecurityBoundary",
        "Which checks of identity are in force.",
        &[
            ("schema_version", Text),
            ("product", Text),
            ("mode", Text),
            ("oidc", Map),
            ("rbac", Map),
            ("cors", Map),
            ("actor_claims", Text),
            ("anonymous_mutations", Text),
            ("api_tokens", Map),
            ("console_permissions", Texts),
            ("operator_notes", Texts),
        ],
    ),
    (
        "Store",
        "Where a store is.",
        &[
            ("name", Text),
            ("kind", Text),
            ("path", Text),
            ("configured_by", Text),
            ("exists", Flag),
            ("size_bytes", Count),
        ],
    ),
    (
        "StoreList",
        "The stores, `cavra.persistent_api.stores.v1`.",
        &[("schema_version", Text), ("product", Text), ("items", List("Store")), ("total", Count)],
    ),
    (
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
    (
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
        ],
    ),
    (
        "WorkerList",
        "The jobs that are turned on, `cavra.workers.v1`.",
        &[("schema_version", Text), ("product", Text), ("items", List("WorkerJob")), ("total", Count)],
    ),
    ("ReadinessCheck", "A named check.", &[("id", Text), ("status", Text), ("message", Text)]),
    (
        "ReadinessReport",
        "A report over files that operators keep.",
        &[("schema_version", Text), ("mode", Text), ("status", Text), ("checks", List("ReadinessCheck"))],
    ),
    (
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

/// Adds the documents to the named schemas.
pub fn with_documents(components: ComponentsBuilder) -> ComponentsBuilder {
    DOCUMENTS.iter().chain(NOTIFICATIONS).fold(components, |components, (name, description, members)| {
        let object = ObjectBuilder::new()
            .description(Some(*description))
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)));
        let object = members.iter().fold(object, |object, (member, is)| {
            let object = object.property(*member, is.schema());
            if matches!(is, Gap | AnyGap) { object } else { object.required(*member) }
        });
        components.schema(*name, object)
    })
}

impl Is {
    fn schema(self) -> RefOr<Schema> {
        let of = |kinds: &[Type]| -> RefOr<Schema> {
            RefOr::T(ObjectBuilder::new().schema_type(SchemaType::from_iter(kinds.iter().cloned())).into())
        };
        match self {
            Text => of(&[Type::String]),
            TextOrNull | Gap => of(&[Type::String, Type::Null]),
            Texts => RefOr::T(ArrayBuilder::new().items(of(&[Type::String])).into()),
            Count => of(&[Type::Integer]),
            Number => of(&[Type::Number]),
            Flag => of(&[Type::Boolean]),
            Map => of(&[Type::Object]),
            Any | AnyGap => RefOr::T(ObjectBuilder::new().schema_type(SchemaType::AnyValue).into()),
            Of(name) => named(name),
            OfOrNull(name) => {
                let either = utoipa::openapi::OneOfBuilder::new().item(named(name)).item(of(&[Type::Null]));
                RefOr::T(either.into())
            }
            List(name) => crate::endpoint::array_of(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_has_a_name_of_its_own() {
        let mut names: Vec<&str> = DOCUMENTS.iter().chain(NOTIFICATIONS).map(|(name, ..)| *name).collect();
        names.sort_unstable();
        let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        assert_eq!(twice, Vec::<&str>::new());
    }
}
