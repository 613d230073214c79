//! Evidence of a rollout: what was deployed where, from which package, under which change. docs/reference/evidence-and-promotion.md, section 6.

mod capture;
mod verify;

pub use capture::{Capture, capture_rollout, rollout_files};
pub use verify::{RolloutOptions, RolloutReport, VerifiedRollout, verify_rollout};

/// The evidence itself.
pub const ROLLOUT_EVIDENCE: &str = "managed-endpoint-rollout-evidence.json";
/// The same for people.
pub const ROLLOUT_SUMMARY: &str = "managed-endpoint-rollout-evidence.md";
/// Kind of the record of a rollout.
pub const ROLLOUT_KIND: &str = "managed-endpoint-rollout";

const SCHEMA: &str = "cavra.go-runtime.endpoint-rollout-evidence.v1";
/// Without this control the evidence cannot be relied on.
const CHECKSUMMED: &str = "rollout-evidence-checksummed";

/// States of a rollout.
pub const ROLLOUT_STATUSES: [&str; 5] = ["planned", "staged", "succeeded", "failed", "rolled_back"];
