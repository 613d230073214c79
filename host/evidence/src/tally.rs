//! Reading and counting decisions.

use std::str::FromStr;

use cavra_model::members::text;
use cavra_model::{Object, Outcome};
use serde_json::Value;

/// The decisions in the member `decisions` of a document, if it has it.
pub fn decisions(member: Option<&Value>) -> impl Iterator<Item = &Object> {
    member.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// The outcome of a decision, if it is a known one.
pub fn outcome(decision: &Object) -> Option<Outcome> {
    Outcome::from_str(text(decision, "decision")).ok()
}

/// The three counts that every document states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// `allow` and `allow_with_attestation`.
    pub allowed: usize,
    /// `block`.
    pub blocked: usize,
    /// `require_approval`.
    pub approval_required: usize,
}

impl Tally {
    /// Counts `decisions`; other outcomes are in none of the counts.
    pub fn of<'a>(decisions: impl IntoIterator<Item = &'a Object>) -> Self {
        decisions.into_iter().fold(Self::default(), |mut tally, decision| {
            match outcome(decision) {
                Some(Outcome::Allow | Outcome::AllowWithAttestation) => tally.allowed += 1,
                Some(Outcome::Block) => tally.blocked += 1,
                Some(Outcome::RequireApproval) => tally.approval_required += 1,
                Some(Outcome::Warn | Outcome::AuditOnly) | None => {}
            }
            tally
        })
    }

    /// The three lines of a summary.
    pub fn lines(self) -> String {
        format!(
            "- Allowed actions: {}\n- Blocked actions: {}\n- Approval-required actions: {}\n",
            self.allowed, self.blocked, self.approval_required
        )
    }
}
