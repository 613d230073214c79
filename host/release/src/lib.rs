//! Releases: packages, the evidence of their rollout, and the documents that promote a rollout to the next ring or roll
//! it back. docs/reference/evidence-and-promotion.md, sections 6 to 12.
//!
//! Everything here is checked from bytes: a verifier collects all that is wrong, and a document is made only from what was
//! verified. Stores and HTTP are elsewhere.

mod action;
mod airgap;
mod checksums;
mod findings;
mod ids;
mod members;
mod package;
mod rollout;
mod signed;
mod smoke;
mod summary;
mod upgrade;

pub use action::{
    Action, CHANGE_BOARD, Carried, ChannelRequest, Labels, PROMOTION, PROMOTION_EVENT, PROMOTION_REQUEST_SCHEMA,
    ROLLBACK, ROLLBACK_EVENT, Statement, audit_documents, audit_event, carry_out, channel_decision, channel_problems,
    channel_record, channel_request, promotion_decision, promotion_refusals, promotion_request, record_of,
    request_summary,
};
pub use airgap::{AirgapOptions, AirgapReport, ArchiveLimits, BOOTSTRAP, verify_airgap};
pub use ids::{bound_id, channel_request_id, promotion_request_id};
pub use package::{
    CAPTURE_DOCUMENTS, CHANNEL_DOCUMENTS, CHANNELS, DEPLOYMENT, Document, INSTALLER_DOCUMENTS, INSTALLERS, PROVENANCE,
    Package, PackageOptions, PackageReport, RELEASE_EVIDENCE, SIGNATURE_SUFFIX, UPDATER_POLICY, channel_targets,
    verify_detached, verify_package,
};
pub use rollout::{
    Capture, ROLLOUT_EVIDENCE, ROLLOUT_KIND, ROLLOUT_STATUSES, ROLLOUT_SUMMARY, RolloutOptions, RolloutReport,
    VerifiedRollout, capture_rollout, rollout_files, verify_rollout,
};
pub use signed::{CHANNEL_SIGNATURE, DEPLOYMENT_SIGNATURE, PROMOTION_SIGNATURE, Trust, sign, signature_problems};
pub use smoke::{Smoke, SmokeReport, smoke_installers};
pub use upgrade::{UpgradeReport, check_upgrade};
