//! Kinds of evidence metadata, declared as data: what lists of them understand, how they are called, what document
//! they carry and which files belong to them. docs/reference/evidence-and-promotion.md, sections 1.3, 2.1 and 13.

use crate::kind::{Filter, Operator};
use crate::notification_kinds::NOTIFICATION_KINDS;

/// One value of `metadata_kind`.
#[derive(Debug, PartialEq, Eq)]
pub struct MetadataKind {
    /// The value; `None` is for records of every kind.
    pub value: Option<&'static str>,
    /// Values of further kinds whose records its list shows too.
    pub joined: &'static [&'static str],
    /// Singular name for messages: `promotion execution not found`.
    pub name: &'static str,
    /// Questions that its list understands.
    pub filters: &'static [Filter],
    /// `schema_version` of its list, where that has one.
    pub list_schema: Option<&'static str>,
    /// Member with the document that the record is made from.
    pub document: Option<&'static str>,
    /// Its files.
    pub artifacts: &'static ArtifactSet,
}

/// Files that belong to records of a kind.
#[derive(Debug, PartialEq, Eq)]
pub struct ArtifactSet {
    /// The files that may be served, in the order of listings.
    pub files: &'static [Artifact],
    /// The record's `bundle_dir` says where they are; else they are below the root under the record's id.
    pub bundle_dir: bool,
    /// What is checked.
    pub integrity: Integrity,
}

/// How the integrity of a set of files is established.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// By the manifest's digests; the listing reports it.
    Manifest,
    /// By `checksums.txt`; the listing reports it together with the readiness of a promotion.
    ReportChecksums,
    /// By `checksums.txt`; what it does not cover is not served either.
    EnforceChecksums,
}

/// One file that may be served.
#[derive(Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Name of the file.
    pub name: &'static str,
    /// What it is.
    pub kind: &'static str,
    /// Media type.
    pub media_type: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// When it belongs to a record.
    pub offered: Offered,
}

/// When a file that may be served belongs to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// Always.
    Always,
    /// If the record's `files` name it.
    Named,
    /// If the record's `files` or `checksums.txt` name it.
    NamedOrCovered,
}

/// Name of the file with the digests of its neighbours.
pub const CHECKSUMS: &str = "checksums.txt";

const JSON: &str = "application/json";
const MARKDOWN: &str = "text/markdown";
const TEXT: &str = "text/plain";
const SHELL: &str = "text/x-shellscript";

const fn file(name: &'static str, kind: &'static str, media_type: &'static str, description: &'static str) -> Artifact {
    Artifact { name, kind, media_type, description, offered: Offered::Always }
}

const fn named(
    name: &'static str,
    kind: &'static str,
    media_type: &'static str,
    description: &'static str,
) -> Artifact {
    Artifact { offered: Offered::Named, ..file(name, kind, media_type, description) }
}

const fn covered(
    name: &'static str,
    kind: &'static str,
    media_type: &'static str,
    description: &'static str,
) -> Artifact {
    Artifact { offered: Offered::NamedOrCovered, ..file(name, kind, media_type, description) }
}

/// The files of an evidence bundle. docs/reference/evidence-and-promotion.md, section 3.1.
pub static BUNDLE_FILES: ArtifactSet = ArtifactSet {
    files: &[
        file("manifest.json", "manifest", JSON, "Digests and signature of the bundle."),
        file("evidence.json", "evidence", JSON, "The decisions of the session, in full."),
        file("pr-attestation.md", "attestation", MARKDOWN, "What the agent did, for reviewers of its pull request."),
        file("compliance-mapping.md", "compliance", MARKDOWN, "What the session shows for each control objective."),
        file("siem-event.json", "siem", JSON, "The session as one security event."),
        file("sandbox-run-summary.json", "summary", JSON, "The session in numbers."),
        file("retention-policy.json", "retention", JSON, "How long the bundle is to be kept."),
    ],
    bundle_dir: false,
    integrity: Integrity::Manifest,
};

/// The files of a rollout. docs/reference/evidence-and-promotion.md, section 6.
pub static ROLLOUT_FILES: ArtifactSet = ArtifactSet {
    files: &[
        file(
            "managed-endpoint-rollout-evidence.json",
            "rollout-evidence",
            JSON,
            "What was rolled out, where and under which change.",
        ),
        file("managed-endpoint-rollout-evidence.md", "rollout-summary", MARKDOWN, "The rollout for readers."),
        file(CHECKSUMS, "rollout-checksums", TEXT, "Digests of the rollout's files."),
    ],
    bundle_dir: true,
    integrity: Integrity::ReportChecksums,
};

/// The files of an export for endpoint management. docs/reference/evidence-and-promotion.md, section 2.1.
pub static EXPORT_FILES: ArtifactSet = ArtifactSet {
    files: &[
        covered(
            "endpoint-management-export-manifest.json",
            "endpoint-export-manifest",
            JSON,
            "What the export holds and for which release.",
        ),
        covered(
            "endpoint-management-export-manifest.md",
            "endpoint-export-summary",
            MARKDOWN,
            "The export for readers.",
        ),
        named("jamf-policy.json", "jamf-policy", JSON, "Policy for Jamf Pro."),
        named("intune-win32-app.json", "intune-win32-app", JSON, "Application for Microsoft Intune."),
        named("linux-fleet-manifest.json", "linux-fleet-manifest", JSON, "Manifest for a Linux fleet."),
        named("linux-install-cavra-runtime.sh", "linux-install-script", SHELL, "Installation on Linux."),
        file(CHECKSUMS, "endpoint-export-checksums", TEXT, "Digests of the export's files."),
    ],
    bundle_dir: true,
    integrity: Integrity::EnforceChecksums,
};

const APPROVAL_STATE: Filter = Filter::new("approval_state", "approval_state", Operator::CurrentApproval);
const DEPLOYMENT_TARGET: Filter = Filter::new("deployment_target", "deployment_targets", Operator::HasElement);
const PROVIDERS: Filter = Filter::new("provider", "providers", Operator::HasElement);
const SUCCESS: Filter = Filter::new("success", "delivery_success", Operator::Is);

/// Records of every kind.
pub static EVIDENCE: MetadataKind = MetadataKind {
    value: None,
    joined: &[],
    name: "evidence metadata",
    filters: &[
        Filter::new("session_id", "session_id", Operator::Contains),
        Filter::equals("signer"),
        Filter::new("min_blocked", "blocked_count", Operator::AtLeast),
        Filter::new("has_approvals", "approval_required_count", Operator::GreaterZero),
        Filter::equals("metadata_kind"),
        Filter::equals("rollout_status"),
        Filter::equals("environment"),
        Filter::equals("target_ring"),
        APPROVAL_STATE,
        Filter::equals("promotion_execution_status"),
        Filter::equals("rollback_execution_status"),
        DEPLOYMENT_TARGET,
    ],
    list_schema: None,
    document: None,
    artifacts: &BUNDLE_FILES,
};

/// Rollouts to managed endpoints.
pub static ROLLOUTS: MetadataKind = MetadataKind {
    value: Some("managed-endpoint-rollout"),
    joined: &[],
    name: "managed endpoint rollout",
    filters: &[
        Filter::equals("rollout_id"),
        Filter::equals("rollout_status"),
        Filter::equals("environment"),
        DEPLOYMENT_TARGET,
    ],
    list_schema: None,
    document: None,
    artifacts: &ROLLOUT_FILES,
};

/// Exports for endpoint management.
pub static ENDPOINT_EXPORTS: MetadataKind = MetadataKind {
    value: Some("endpoint-management-export"),
    joined: &[],
    name: "endpoint management export",
    filters: &[
        Filter::equals("channel"),
        PROVIDERS,
        Filter::equals("approval_id"),
        Filter::equals("request_id"),
        APPROVAL_STATE,
        DEPLOYMENT_TARGET,
    ],
    list_schema: None,
    document: Some("manifest"),
    artifacts: &EXPORT_FILES,
};

/// Deliveries of exports to endpoint-management tools.
pub static ENDPOINT_PUBLICATIONS: MetadataKind = MetadataKind {
    list_schema: Some("cavra.endpoint_management.publication_history.v1"),
    filters: &[PROVIDERS, Filter::equals("export_id"), Filter::equals("channel"), SUCCESS],
    ..endpoint("endpoint-management-publication-delivery", "endpoint management publication", "delivery")
};

/// Inventory exports that were read.
pub static ENDPOINT_INGESTIONS: MetadataKind = MetadataKind {
    list_schema: Some("cavra.endpoint_inventory_ingestion.history.v1"),
    filters: &[Filter::equals("provider"), Filter::equals("channel"), DEPLOYMENT_TARGET],
    ..endpoint("endpoint-inventory-ingestion", "endpoint inventory ingestion", "ingestion")
};

/// Reports of how old inventories are.
pub static ENDPOINT_FRESHNESS: MetadataKind = MetadataKind {
    list_schema: Some("cavra.endpoint_inventory_freshness.history.v1"),
    filters: &[
        Filter::equals("alert_level"),
        Filter::new("provider", "latest_ingestions.provider", Operator::HasElement),
        Filter::new("channel", "latest_ingestions.channel", Operator::HasElement),
        Filter::new("deployment_target", "latest_ingestions.deployment_target", Operator::HasElement),
    ],
    ..endpoint("endpoint-inventory-freshness-report", "endpoint inventory freshness report", "report")
};

/// Comparisons of what endpoints run with what was released.
pub static ENDPOINT_RECONCILIATIONS: MetadataKind = MetadataKind {
    list_schema: Some("cavra.endpoint_reconciliation.history.v1"),
    filters: &[Filter::equals("drift_status"), Filter::equals("alert_level"), DEPLOYMENT_TARGET],
    ..endpoint("managed-endpoint-reconciliation", "endpoint reconciliation", "report")
};

/// Inventories that were reconciled, with what that opened.
pub static ENDPOINT_AUTOMATIONS: MetadataKind = MetadataKind {
    list_schema: Some("cavra.endpoint_reconciliation_automation.history.v1"),
    filters: &[
        Filter::equals("drift_status"),
        Filter::equals("alert_level"),
        APPROVAL_STATE,
        Filter::equals("provider"),
    ],
    ..endpoint("endpoint-reconciliation-automation", "endpoint reconciliation automation", "automation")
};

/// Requests to remedy drift; its list shows their executions too.
pub static ENDPOINT_REMEDIATIONS: MetadataKind = MetadataKind {
    joined: &["endpoint-drift-remediation-execution"],
    list_schema: Some("cavra.endpoint_drift_remediation.history.v1"),
    filters: &[
        Filter::equals("metadata_kind"),
        Filter::equals("reconciliation_id"),
        APPROVAL_STATE,
        Filter::equals("execution_status"),
    ],
    ..endpoint("endpoint-drift-remediation-request", "endpoint remediation request", "request")
};

/// Remediations that were carried out.
pub static ENDPOINT_REMEDIATION_EXECUTIONS: MetadataKind =
    endpoint("endpoint-drift-remediation-execution", "endpoint remediation execution", "execution");

/// Remediations, packaged for systems of tickets, chats and queues.
pub static ENDPOINT_HANDOFFS: MetadataKind = MetadataKind {
    list_schema: Some("cavra.endpoint_remediation_handoff.history.v1"),
    filters: &[
        Filter::new("provider", "providers", Operator::HasWord),
        APPROVAL_STATE,
        Filter::equals("request_id"),
        Filter::equals("reconciliation_id"),
    ],
    ..endpoint("endpoint-remediation-handoff", "endpoint remediation handoff", "handoff")
};

/// What became of packaged remediations.
pub static ENDPOINT_HANDOFF_STATUSES: MetadataKind = MetadataKind {
    list_schema: Some("cavra.endpoint_remediation_handoff_status.history.v1"),
    filters: &[
        Filter::new("provider", "provider", Operator::IsWord),
        Filter::new("handoff_status", "handoff_status", Operator::IsWord),
        Filter::equals("handoff_id"),
        Filter::equals("request_id"),
        Filter::equals("external_ref"),
    ],
    ..endpoint("endpoint-remediation-handoff-status", "endpoint remediation handoff status", "status_record")
};

/// A kind of managed endpoints, without questions and without a schema of its list.
const fn endpoint(value: &'static str, name: &'static str, document: &'static str) -> MetadataKind {
    MetadataKind {
        value: Some(value),
        joined: &[],
        name,
        filters: &[],
        list_schema: None,
        document: Some(document),
        artifacts: &BUNDLE_FILES,
    }
}

/// Promotions carried out. docs/reference/evidence-and-promotion.md, section 8.
pub static PROMOTION_EXECUTIONS: MetadataKind = MetadataKind {
    value: Some("rollout-promotion-execution"),
    joined: &[],
    name: "promotion execution",
    filters: &[
        Filter::equals("rollout_id"),
        Filter::equals("target_ring"),
        APPROVAL_STATE,
        Filter::equals("promotion_execution_status"),
        DEPLOYMENT_TARGET,
    ],
    list_schema: None,
    document: Some("execution"),
    artifacts: &BUNDLE_FILES,
};

/// Rollbacks carried out. docs/reference/evidence-and-promotion.md, section 10.
pub static ROLLBACK_EXECUTIONS: MetadataKind = MetadataKind {
    value: Some("rollout-rollback-execution"),
    joined: &[],
    name: "rollback execution",
    filters: &[Filter::equals("rollout_id"), APPROVAL_STATE, DEPLOYMENT_TARGET],
    list_schema: None,
    document: Some("rollback"),
    artifacts: &BUNDLE_FILES,
};

/// Requests to promote a release channel. docs/reference/evidence-and-promotion.md, section 11.
pub static CHANNEL_PROMOTIONS: MetadataKind = MetadataKind {
    value: Some("release-channel-promotion-request"),
    joined: &[],
    name: "release channel promotion",
    filters: &[Filter::equals("channel"), Filter::equals("target_ring"), APPROVAL_STATE, Filter::equals("approval_id")],
    list_schema: None,
    document: Some("request"),
    artifacts: &BUNDLE_FILES,
};

/// Deliveries of release events. docs/reference/evidence-and-promotion.md, sections 9 and 11.
pub static RELEASE_DELIVERIES: MetadataKind = MetadataKind {
    value: Some("release-connector-delivery"),
    joined: &[],
    name: "release connector delivery",
    filters: &[
        PROVIDERS,
        Filter::equals("event_type"),
        Filter::new("event_id", "event_id", Operator::Contains),
        SUCCESS,
    ],
    list_schema: Some("cavra.release.connector_delivery_history.v1"),
    document: Some("delivery"),
    artifacts: &BUNDLE_FILES,
};

/// Every kind that has a value of its own.
pub static METADATA_KINDS: [&MetadataKind; 15] = [
    &ROLLOUTS,
    &ENDPOINT_EXPORTS,
    &PROMOTION_EXECUTIONS,
    &ROLLBACK_EXECUTIONS,
    &CHANNEL_PROMOTIONS,
    &RELEASE_DELIVERIES,
    &ENDPOINT_PUBLICATIONS,
    &ENDPOINT_INGESTIONS,
    &ENDPOINT_FRESHNESS,
    &ENDPOINT_RECONCILIATIONS,
    &ENDPOINT_AUTOMATIONS,
    &ENDPOINT_REMEDIATIONS,
    &ENDPOINT_REMEDIATION_EXECUTIONS,
    &ENDPOINT_HANDOFFS,
    &ENDPOINT_HANDOFF_STATUSES,
];

impl MetadataKind {
    /// The values of `metadata_kind` that its list shows; none is for records of every kind.
    pub fn listed(&self) -> impl Iterator<Item = &'static str> {
        self.value.into_iter().chain(self.joined.iter().copied())
    }

    /// The kind of a record with this `metadata_kind`; what is not declared is an ordinary session.
    #[must_use]
    pub fn of(value: Option<&str>) -> &'static Self {
        METADATA_KINDS
            .into_iter()
            .chain(&NOTIFICATION_KINDS)
            .find(|kind| kind.value == value && value.is_some())
            .unwrap_or(&EVIDENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ColumnType, EVIDENCE_METADATA};

    /// A question about a member that the store does not know would be refused when it is asked.
    #[test]
    fn every_question_can_be_asked() {
        for kind in METADATA_KINDS.into_iter().chain([&EVIDENCE]) {
            for filter in kind.filters {
                let wanted = match filter.operator {
                    Operator::Equals | Operator::IsWord | Operator::Contains | Operator::CurrentApproval => {
                        ColumnType::Text
                    }
                    Operator::AtLeast | Operator::GreaterZero => ColumnType::Integer,
                    Operator::HasElement | Operator::HasWord => ColumnType::List,
                    Operator::Is => ColumnType::Flag,
                };
                let column = EVIDENCE_METADATA.columns.iter().find(|column| column.name == filter.member);
                let is_key = filter.member == EVIDENCE_METADATA.id && wanted == ColumnType::Text;
                assert!(
                    is_key || column.is_some_and(|column| column.answers() && column.kind == wanted),
                    "{}: {}",
                    kind.name,
                    filter.parameter
                );
            }
        }
    }

    #[test]
    fn what_is_not_declared_is_a_session() {
        assert_eq!(MetadataKind::of(Some("rollout-promotion-execution")), &PROMOTION_EXECUTIONS);
        assert_eq!(MetadataKind::of(Some("something")), &EVIDENCE);
        assert_eq!(MetadataKind::of(None), &EVIDENCE);
    }
}
