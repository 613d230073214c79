//! What a policy has to say about an action.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Rule id of the finding that stands in when a policy pack could not answer. docs/reference/decisions-and-policy.md, section 15.2.
pub const ENGINE_ERROR: &str = "policy.engine.error";

/// Rule id of the finding that stands in for a pack whose signature does not fit.
pub const UNVERIFIED_PACK: &str = "policy.signature.invalid";

/// The decision values of docs/reference/decisions-and-policy.md, section 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The agent may act.
    Allow,
    /// The agent must not act.
    Block,
    /// A human has to approve first.
    RequireApproval,
    /// The agent may act; somebody should look. Stored records only.
    Warn,
    /// Recorded, not enforced. Stored records and policy modes only.
    AuditOnly,
    /// The agent may act and an attestation is due.
    AllowWithAttestation,
}

impl Outcome {
    /// All values, in the order of the contract.
    pub const ALL: [Self; 6] =
        [Self::Allow, Self::Block, Self::RequireApproval, Self::Warn, Self::AuditOnly, Self::AllowWithAttestation];

    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block => "block",
            Self::RequireApproval => "require_approval",
            Self::Warn => "warn",
            Self::AuditOnly => "audit_only",
            Self::AllowWithAttestation => "allow_with_attestation",
        }
    }

    /// Rank for "strictest wins": block > require_approval > warn > audit_only > allow_with_attestation > allow.
    #[must_use]
    pub const fn strictness(self) -> u8 {
        match self {
            Self::Block => 5,
            Self::RequireApproval => 4,
            Self::Warn => 3,
            Self::AuditOnly => 2,
            Self::AllowWithAttestation => 1,
            Self::Allow => 0,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Outcome {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name).ok_or(())
    }
}

/// How bad it would be if the finding were ignored. Ordered: `Low < Critical`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Ordinary work.
    Low,
    /// Worth a look.
    Medium,
    /// Dangerous.
    High,
    /// Dangerous and hard to undo.
    Critical,
}

impl Severity {
    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One rule's opinion of one action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Dotted id of the rule, such as `filesystem.read.block`.
    pub rule_id: String,
    /// What the rule wants to happen.
    pub outcome: Outcome,
    /// How grave it is.
    pub severity: Severity,
    /// One sentence for humans that names the matched pattern where there is one.
    pub reason: String,
    /// Who may approve, for `require_approval`.
    pub approver_group: Option<String>,
}

/// The rule by which an address is fetched that no rule is about.
pub const NO_RULE_ABOUT_ADDRESS: &str = "network.default.allow";

impl Finding {
    /// The finding that stands in for a policy that did not answer: always a critical block, never an allow.
    #[must_use]
    pub fn engine_error(reason: impl Into<String>) -> Self {
        Self {
            rule_id: ENGINE_ERROR.to_owned(),
            outcome: Outcome::Block,
            severity: Severity::Critical,
            reason: reason.into(),
            approver_group: None,
        }
    }

    /// The finding that stands in for a pack that is not as it was published: always a critical block.
    #[must_use]
    pub fn unverified_pack(reason: impl Into<String>) -> Self {
        Self { rule_id: UNVERIFIED_PACK.to_owned(), ..Self::engine_error(reason) }
    }

    /// No rule is about an address that is fetched.
    #[must_use]
    pub fn no_rule_about_address() -> Self {
        Self {
            rule_id: NO_RULE_ABOUT_ADDRESS.to_owned(),
            outcome: Outcome::Allow,
            severity: Severity::Low,
            reason: "no rule of the policy is about the address".to_owned(),
            approver_group: None,
        }
    }

    /// A pull request may be created; an attestation is due. docs/reference/decisions-and-policy.md, sections 4.5 and 4.6.
    #[must_use]
    pub fn pull_request_attestation() -> Self {
        Self {
            rule_id: "git.pull_request.allow_with_attestation".to_owned(),
            outcome: Outcome::AllowWithAttestation,
            severity: Severity::Medium,
            reason: "a pull request may be created; its attestation goes with it".to_owned(),
            approver_group: None,
        }
    }
}
