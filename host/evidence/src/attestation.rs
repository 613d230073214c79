//! Attestations: what an agent did, in a form that a reviewer reads. docs/reference/evidence-and-promotion.md, sections 4.1 and 4.4.

use cavra_model::members::text;
use cavra_model::{Object, Outcome};
use serde_json::Value;

use crate::markdown::{code, plain, word};
use crate::tally::{Tally, outcome};

/// How every attestation begins.
pub(crate) const TITLE: &str = "# CAVRA PR Attestation\n\n";

const GUIDANCE: &str = "\n## Reviewer Guidance\n\n\
    Confirm that no blocked action was carried out by other means, that every approval-required action has an \
    approval outcome, and that the evidence bundle of this session verifies before you merge.\n";

/// `pr-attestation.md`. docs/reference/evidence-and-promotion.md, section 4.1.
///
/// One line per decision, in order. No value can add a line or end its code span.
#[must_use]
pub fn pr_attestation(session_id: &str, decisions: &[Object]) -> String {
    let mut out = format!("{TITLE}Session: {}\n\n## Summary\n\n", code(session_id));
    out.push_str(&Tally::of(decisions).lines());
    out.push_str("\n## Decisions\n\n");
    for decision in decisions {
        out.push_str(&format!(
            "- {} {} -> **{}** via {}\n",
            code(text(decision, "action_type")),
            code(text(decision, "target")),
            word(text(decision, "decision")),
            code(text(decision, "rule_id")),
        ));
    }
    if decisions.is_empty() {
        out.push_str("No decisions were recorded.\n");
    }
    out.push_str(&approval_outcomes(decisions));
    out.push_str(GUIDANCE);
    out
}

/// The section on approvals; empty if no decision has one.
fn approval_outcomes(decisions: &[Object]) -> String {
    let mut out = String::new();
    for decision in decisions {
        let Some(approval) = decision.get("approval").and_then(Value::as_object) else { continue };
        let who = [text(approval, "decided_by"), text(approval, "approver_group")];
        out.push_str(&format!(
            "- {} {} -> **{}** by {}\n",
            code(text(approval, "approval_id")),
            code(text(decision, "target")),
            word(text(approval, "state")),
            code(who.into_iter().find(|name| !name.is_empty()).unwrap_or_default()),
        ));
    }
    if out.is_empty() { out } else { format!("\n## Approval Outcomes\n\n{out}") }
}

/// The pull request comment for the audit file of an agent session. docs/reference/evidence-and-promotion.md, section 4.4.
///
/// Reads `tool`, `session_id`, `repo` and `actions`; what is missing or of another type reads as empty.
#[must_use]
pub fn session_comment(audit: &Object) -> String {
    let actions: Vec<&Object> =
        audit.get("actions").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object).collect();
    let mut out = String::from(TITLE);
    for (label, member) in [("Agent", "tool"), ("Session", "session_id"), ("Repository", "repo")] {
        out.push_str(&format!("{label}: {}\n\n", plain(text(audit, member))));
    }
    out.push_str(&Tally::of(actions.iter().copied()).lines());
    out.push_str(&reasons("Blocked", &actions, Outcome::Block, "blocked by policy"));
    out.push_str(&reasons("Approval required", &actions, Outcome::RequireApproval, "a human has to approve"));
    out
}

/// A section that lists the actions with one outcome and why; empty if there are none.
fn reasons(heading: &str, actions: &[&Object], wanted: Outcome, default: &str) -> String {
    let lines: String = actions
        .iter()
        .filter(|action| outcome(action) == Some(wanted))
        .map(|action| {
            let reason = text(action, "reason");
            let reason = if reason.is_empty() { default } else { reason };
            format!("- {} — {}\n", code(text(action, "target")), plain(reason))
        })
        .collect();
    if lines.is_empty() { lines } else { format!("\n## {heading}\n\n{lines}") }
}
