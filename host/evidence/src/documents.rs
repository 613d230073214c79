//! The JSON documents of a bundle. docs/reference/evidence-and-promotion.md, sections 3.1 and 5.

use cavra_model::members::text;
use cavra_model::{Object, Severity, Timestamp};
use serde_json::{Value, json};

use crate::tally::Tally;

/// The product's name in every document.
pub const PRODUCT: &str = "CAVRA";

/// The product in one sentence.
pub const TAGLINE: &str = "Before the agent acts, CAVRA decides.";

/// `evidence.json`: the decisions themselves, in order. docs/reference/evidence-and-promotion.md, section 3.1.
#[must_use]
pub fn evidence_document(session_id: &str, created_at: Timestamp, decisions: &[Object]) -> Value {
    json!({
        "product": PRODUCT,
        "tagline": TAGLINE,
        "session_id": session_id,
        "created_at": created_at,
        "decisions": decisions,
    })
}

/// `siem-event.json`: one event for the whole session. docs/reference/evidence-and-promotion.md, section 5.
#[must_use]
pub fn siem_event(session_id: &str, timestamp: Timestamp, decisions: &[Object]) -> Value {
    let tally = Tally::of(decisions);
    json!({
        "event_type": "cavra.evidence_bundle",
        "product": PRODUCT,
        "session_id": session_id,
        "decision_count": decisions.len(),
        "blocked_count": tally.blocked,
        "approval_required_count": tally.approval_required,
        "max_severity": max_severity(decisions),
        "timestamp": timestamp,
        "decisions": decisions,
    })
}

/// `sandbox-run-summary.json`. docs/reference/evidence-and-promotion.md, section 3.1.
#[must_use]
pub fn summary(session_id: &str, created_at: Timestamp, decisions: &[Object]) -> Value {
    let tally = Tally::of(decisions);
    json!({
        "session_id": session_id,
        "created_at": created_at,
        "events": decisions.len(),
        "blocked": tally.blocked,
        "approval_required": tally.approval_required,
    })
}

/// The gravest severity of all decisions; a missing or unknown one counts as low.
fn max_severity(decisions: &[Object]) -> Severity {
    let known = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
    decisions
        .iter()
        .filter_map(|decision| known.into_iter().find(|severity| severity.as_str() == text(decision, "severity")))
        .max()
        .unwrap_or(Severity::Low)
}
