//! The proof side of cavra: decisions become a directory of documents that a reviewer reads and an auditor checks.
//! docs/reference/evidence-and-promotion.md, sections 3 to 5.
//!
//! Rendering is pure and deterministic: the same session, decisions and time give the same bytes, so that a document
//! can be checked by rendering it again. Only `directory`, `files` and
//! `folder` touch the file system.

mod attestation;
mod attestation_check;
mod bundle;
mod checks;
mod compliance;
mod directory;
mod distribution;
mod documents;
mod dsse;
mod files;
mod folder;
mod json;
mod keys;
mod markdown;
mod metadata;
mod policy_signature;
mod report;
mod retention;
mod siem;
mod signing;
mod statement;
mod storage;
mod tally;
mod trust;
mod verify;

pub use attestation::{pr_attestation, session_comment};
pub use attestation_check::{AttestationReport, verify_attestation};
pub use bundle::{BUNDLE_FILES, Bundle, MANIFEST};
pub use checks::{Check, CheckStatus, Findings, Report};
pub use compliance::{compliance_mapping, pack_controls};
pub use directory::BundleError;
pub use distribution::{Distribution, TRUST_ROOTS};
pub use documents::{PRODUCT, TAGLINE, evidence_document, siem_event, summary};
pub use dsse::{EnvelopeError, countersign, envelope_signers, open_envelope, sign_envelope};
pub use files::{ReadError, WriteError, create_private_file, read_file, write_file, write_private_file};
pub use folder::{BundleFileError, BundleFolder, FileFault, MAX_BUNDLE_FILE_BYTES};
pub use json::pretty;
pub use keys::{InvalidKey, PublicKey, SigningKey};
pub use markdown::{code, visible};
pub use metadata::bundle_metadata;
pub use policy_signature::{PolicySignatureError, PolicyTrust, PolicyVerdict, sign_policy, verify_policy};
pub use report::EvidenceReport;
pub use retention::{InvalidRetention, Retention, retention_document, retention_markdown};
pub use siem::{SiemError, SiemExport};
pub use signing::{EmptySecret, Secret, Signing};
pub use statement::{PAYLOAD_TYPE, PREDICATE, STATEMENT_TYPE, attest_bundle, bundle_statement, verify_statement};
pub use storage::{StorageError, StorageTargets, storage_plan, storage_plan_markdown};
pub use trust::{TrustError, TrustRoot, TrustRoots, TrustStatus, trust_root_bundle};
pub use verify::{Expectations, ManifestTrust, verify_bundle};
