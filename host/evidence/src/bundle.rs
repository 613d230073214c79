//! The evidence bundle: six documents and a signed manifest of them. docs/reference/evidence-and-promotion.md, sections 3.1 and 3.2.

use std::path::Path;

use cavra_model::{Digest, Object, Timestamp};
use serde_json::{Value, json};

use crate::directory::{BundleError, replace_directory};
use crate::retention::RETENTION;
use crate::{
    PRODUCT, Retention, Signing, compliance_mapping, evidence_document, pr_attestation, pretty, retention_document,
    siem_event, summary,
};

/// The file that lists and signs the others. Written last; a directory without it is no bundle.
pub const MANIFEST: &str = "manifest.json";

/// The file with the decisions.
pub(crate) const EVIDENCE: &str = "evidence.json";

/// The file with the attestation.
pub(crate) const ATTESTATION: &str = "pr-attestation.md";

/// The file with the event for SIEM systems.
pub(crate) const SIEM_EVENT: &str = "siem-event.json";

/// All files of a bundle, in the order of the contract's table.
pub const BUNDLE_FILES: [&str; 7] =
    [EVIDENCE, ATTESTATION, "compliance-mapping.md", SIEM_EVENT, "sandbox-run-summary.json", RETENTION, MANIFEST];

/// What a bundle is made of.
#[derive(Clone, Debug)]
pub struct Bundle<'a> {
    /// Session the decisions belong to.
    pub session_id: &'a str,
    /// Who made the bundle.
    pub signer: &'a str,
    /// When it was made.
    pub created_at: Timestamp,
    /// Decision records, in the order in which they were decided.
    pub decisions: &'a [Object],
    /// How long it is kept.
    pub retention: Retention,
}

impl Bundle<'_> {
    /// All seven files by name: the documents in the order of the contract's table, the manifest last.
    #[must_use]
    pub fn files(&self, signing: &Signing) -> Vec<(&'static str, String)> {
        let Self { session_id, created_at, decisions, .. } = *self;
        let texts = [
            pretty(&evidence_document(session_id, created_at, decisions)),
            pr_attestation(session_id, decisions),
            compliance_mapping(session_id, decisions),
            pretty(&siem_event(session_id, created_at, decisions)),
            pretty(&summary(session_id, created_at, decisions)),
            pretty(&retention_document(session_id, created_at, &self.retention)),
        ];
        let mut files: Vec<_> = BUNDLE_FILES.into_iter().zip(texts).collect();
        let manifest = self.manifest(&files, signing);
        files.push((MANIFEST, pretty(&manifest)));
        files
    }

    fn manifest(&self, files: &[(&str, String)], signing: &Signing) -> Value {
        let listed: Vec<Value> = files
            .iter()
            .map(|(path, text)| json!({"path": path, "sha256": Digest::of(text).hex(), "bytes": text.len()}))
            .collect();
        let mut manifest = Object::from_iter([
            ("schema_version".to_owned(), json!("cavra.evidence.bundle.v1")),
            ("product".to_owned(), json!(PRODUCT)),
            ("created_at".to_owned(), json!(self.created_at)),
            ("signer".to_owned(), json!(self.signer)),
            ("files".to_owned(), json!(listed)),
        ]);
        signing.sign(&mut manifest);
        Value::Object(manifest)
    }

    /// Writes the bundle as `directory`, creating its parents. A reader finds the old bundle, none, or the whole new
    /// one, never a part.
    ///
    /// # Errors
    /// [`BundleError::Foreign`] if `directory` holds anything but an earlier bundle, which is then left untouched;
    /// [`BundleError::NotADirectory`] if the path is something else; [`BundleError::Io`] if writing fails.
    pub fn write(&self, directory: &Path, signing: &Signing) -> Result<(), BundleError> {
        replace_directory(directory, &self.files(signing))
    }
}
