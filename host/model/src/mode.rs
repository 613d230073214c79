//! Policy modes: an overlay over a decision that never changes the decision itself. docs/reference/decisions-and-policy.md, section 6.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use crate::Outcome;

/// How strictly decisions are enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyMode {
    /// Record what would have happened.
    AuditOnly,
    /// Do what the decision says.
    #[default]
    Enforce,
    /// Nothing passes without a human.
    Strict,
    /// A named person takes responsibility.
    BreakGlass,
}

/// The text names no policy mode.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("unknown policy mode; known are audit_only, enforce, strict, break_glass")]
pub struct UnknownMode;

impl PolicyMode {
    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuditOnly => "audit_only",
            Self::Enforce => "enforce",
            Self::Strict => "strict",
            Self::BreakGlass => "break_glass",
        }
    }
}

impl fmt::Display for PolicyMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PolicyMode {
    type Err = UnknownMode;

    /// Lower-cases; `-` and blank become `_`; the two long spellings of `strict` are aliases.
    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text.trim().to_lowercase().replace(['-', ' '], "_").as_str() {
            "audit_only" => Ok(Self::AuditOnly),
            "enforce" => Ok(Self::Enforce),
            "strict" | "strict_regulated" | "strict_regulated_repository" => Ok(Self::Strict),
            "break_glass" => Ok(Self::BreakGlass),
            _ => Err(UnknownMode),
        }
    }
}

/// Who breaks the glass, and why.
#[derive(Clone, Debug, Default)]
pub struct BreakGlass {
    /// Named person.
    pub actor: Option<String>,
    /// Their reason.
    pub reason: Option<String>,
}

impl BreakGlass {
    fn is_complete(&self) -> bool {
        let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        given(&self.actor) && given(&self.reason)
    }
}

/// What a mode makes of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Overlay {
    /// The mode.
    pub mode: PolicyMode,
    /// What is enforced under it.
    pub effective_decision: Outcome,
    /// One sentence for humans.
    pub mode_reason: String,
    /// Whether evidence has to be kept.
    pub evidence_required: bool,
}

impl PolicyMode {
    /// Lays this mode over `decision`.
    #[must_use]
    pub fn overlay(self, decision: Outcome, glass: &BreakGlass) -> Overlay {
        let enforced_evidence =
            matches!(decision, Outcome::Block | Outcome::RequireApproval | Outcome::AllowWithAttestation);
        let (effective_decision, mode_reason, evidence_required) = match self {
            Self::Enforce => (decision, format!("the decision {decision} is enforced"), enforced_evidence),
            Self::AuditOnly => (Outcome::AuditOnly, format!("audit only: would have been {decision}"), true),
            Self::Strict if decision == Outcome::Allow => {
                (Outcome::RequireApproval, "strict mode: an allowed action still needs approval".to_owned(), true)
            }
            Self::Strict => (decision, format!("strict mode keeps {decision}"), enforced_evidence),
            Self::BreakGlass if glass.is_complete() => {
                (Outcome::AllowWithAttestation, format!("break-glass overrides {decision}"), true)
            }
            Self::BreakGlass => (Outcome::Block, "break-glass needs an actor and a reason".to_owned(), true),
        };
        Overlay { mode: self, effective_decision, mode_reason, evidence_required }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        for (text, mode) in [
            ("Audit-Only", PolicyMode::AuditOnly),
            ("enforce", PolicyMode::Enforce),
            ("strict_regulated", PolicyMode::Strict),
            ("Strict regulated repository", PolicyMode::Strict),
            ("break glass", PolicyMode::BreakGlass),
        ] {
            assert_eq!(text.parse(), Ok(mode));
        }
        assert_eq!("lenient".parse::<PolicyMode>(), Err(UnknownMode));
    }

    #[test]
    fn overlays_follow_the_table() {
        let none = BreakGlass::default();
        let complete = BreakGlass { actor: Some("ada".into()), reason: Some("outage".into()) };
        let blank = BreakGlass { actor: Some("ada".into()), reason: Some("  ".into()) };
        let cases = [
            (PolicyMode::Enforce, Outcome::Allow, &none, Outcome::Allow, false),
            (PolicyMode::Enforce, Outcome::Block, &none, Outcome::Block, true),
            (PolicyMode::AuditOnly, Outcome::Block, &none, Outcome::AuditOnly, true),
            (PolicyMode::Strict, Outcome::Allow, &none, Outcome::RequireApproval, true),
            (PolicyMode::Strict, Outcome::Block, &none, Outcome::Block, true),
            (PolicyMode::Strict, Outcome::Warn, &none, Outcome::Warn, false),
            (PolicyMode::BreakGlass, Outcome::Block, &complete, Outcome::AllowWithAttestation, true),
            (PolicyMode::BreakGlass, Outcome::Allow, &blank, Outcome::Block, true),
            (PolicyMode::BreakGlass, Outcome::Allow, &none, Outcome::Block, true),
        ];
        for (mode, decision, glass, effective, evidence) in cases {
            let overlay = mode.overlay(decision, glass);
            assert_eq!(
                (overlay.effective_decision, overlay.evidence_required),
                (effective, evidence),
                "{mode} {decision}"
            );
        }
    }
}
