//! Managed endpoints: the loop that keeps the runtime on machines equal to what was released.
//!
//! Every operation is the same four steps: read the body, find what it is about, let `cavra-fleet` make the document, write
//! the records in one unit of work. The server decides and records; it touches no endpoint.

mod dashboards;
mod desired;
mod execution;
mod fields;
mod freshness;
mod handoff;
mod ingest;
mod normalizers;
mod publish;
mod reconcile;
mod remediation;

use cavra_fleet::{Documented, Refusal};
use cavra_model::{MetadataKind, Object, members};
use serde_json::{Value, json};

use crate::CoreError;

pub use dashboards::{
    AUTOMATION_DASHBOARD, EXPORT_DASHBOARD, EndpointDashboard, FRESHNESS_DASHBOARD, HANDOFF_DASHBOARD,
    HANDOFF_STATUS_DASHBOARD, INGESTION_DASHBOARD, PUBLICATION_DASHBOARD, RECONCILIATION_DASHBOARD,
    REMEDIATION_DASHBOARD,
};
pub use desired::{Desired, Established, ManifestTrust};
pub use ingest::{ExportText, InventoryExport};
pub use publish::{CheckedExport, PublishRequest};
pub use reconcile::check_strategy;

/// Who asks and acts if nobody says so.
const CONSOLE: &str = "console";

impl From<Refusal> for CoreError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Request(text) => Self::BadRequest(text),
            Refusal::Document(errors) => Self::Refused { errors, warnings: Vec::new() },
        }
    }
}

/// What is answered to an operation that was done.
fn answer(warnings: &[String], content: Value) -> Value {
    let mut answer = members::built(json!({ "valid": true, "errors": [], "warnings": warnings, "files": [] }));
    answer.extend(members::built(content));
    Value::Object(answer)
}

/// The document in a record of a kind.
fn document<'a>(kind: &MetadataKind, record: &'a Object) -> Result<&'a Object, CoreError> {
    let member = kind.document.unwrap_or_default();
    members::object(record, member)
        .ok_or_else(|| CoreError::BadRequest(format!("the {} has no document `{member}`", kind.name)))
}

/// Refuses documents that are kept as they are, and hold what looks like a secret: nothing can be cut out of them.
fn refuse_secrets(redactor: crate::Redactor, documents: &[(&str, &Object)]) -> Result<(), CoreError> {
    let mut errors = Vec::new();
    for (name, document) in documents {
        let places = redactor.places(&Value::Object((*document).clone()));
        errors.extend(places.into_iter().map(|place| format!("{name}.{place} holds what looks like a secret")));
    }
    if errors.is_empty() { Ok(()) } else { Err(CoreError::Refused { errors, warnings: Vec::new() }) }
}

/// Runs work that computes for a while, or reads files, away from the threads that serve requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CoreError> + Send + 'static,
) -> Result<T, CoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(CoreError::Unavailable("the work was interrupted")))
}

/// The record of a document, with its texts cleaned; identifiers that look like secrets are refused.
fn cleaned(redactor: crate::Redactor, made: Documented) -> Result<Documented, CoreError> {
    let Documented { id, document, mut record, warnings } = made;
    redactor.clean(&mut record, &[])?;
    let mut whole = Object::from_iter([("document".to_owned(), document)]);
    redactor.clean(&mut whole, &[])?;
    let document = whole.remove("document").unwrap_or(Value::Null);
    Ok(Documented { id, document, record, warnings })
}
