//! Managed endpoints: what runs on the machines of a fleet, compared with what was released, and what is done about the
//! difference.
//!
//! ```text
//! inventory export ─► observations ─┬► freshness report
//! desired manifest ─────────────────┴► reconciliation ─► drift ─► remediation request ─► execution
//!                                                                         └► hand-off package ─► its status
//! ```
//!
//! Every step is a function from documents to a document and the evidence record that holds it. Nothing here touches an
//! endpoint, a store or a clock: the moment is handed in.

mod automation;
mod execution;
mod export;
mod freshness;
mod handoff;
mod handoff_status;
mod ids;
mod ingestion;
mod payloads;
mod plan;
mod publication;
mod reconciliation;
mod record;
mod redact;
mod remediation;

use thiserror::Error;

pub use automation::{AUTOMATION_KIND, Automation, automation};
pub use execution::{EXECUTION_KIND, Execution, execute, execution_problems};
pub use export::{EXPORT_KIND, Export, ExportRequest, export};
pub use freshness::{FRESHNESS_KIND, FreshnessLimits, Scope, freshness_report};
pub use handoff::{HANDOFF_KIND, HandoffRequest, handoff, providers as handoff_providers};
pub use handoff_status::{HANDOFF_STATUS_KIND, StatusUpdate, status_record};
pub use ids::{execution_id, export_id, handoff_id, publication_id, request_id};
pub use ingestion::{INGESTION_KIND, Ingestion, ingest, observations};
pub use plan::{STRATEGIES, actions, provider_of};
pub use publication::{
    EXPORT_MANIFEST, PUBLICATION_KIND, Publication, needed_files, provider_file, publication_event,
    publication_providers, publication_record,
};
pub use reconciliation::{RECONCILIATION_KIND, Reconciliation, manifest_problems, reconcile};
pub use record::Documented;
pub use redact::{redacted_payload, redacted_url};
pub use remediation::{
    APPROVER_GROUP, OPERATION, REQUEST_KIND, REQUEST_SCHEMA, RequestedRemediation, remediation_decision,
    request_document, request_record,
};

/// Why a document cannot be made.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// One thing is wrong with the request.
    #[error("{0}")]
    Request(String),
    /// A document was checked: everything that is wrong with it.
    #[error("{}", .0.join("; "))]
    Document(Vec<String>),
}

/// How worried a report is, and everything that is counted by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertLevel {
    /// Nothing to do.
    Healthy,
    /// Worth a look.
    Warning,
    /// Something is wrong.
    Critical,
}

impl AlertLevel {
    /// Its word in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

#[cfg(test)]
mod tests;
