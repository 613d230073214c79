//! `compliance-mapping.md`: control objectives, each with what this session shows for it. docs/reference/evidence-and-promotion.md, section 4.3.

use std::collections::BTreeSet;

use cavra_model::members::text;
use cavra_model::{Object, Outcome};
use serde_json::Value;

use crate::markdown::{code, plain};
use crate::tally::outcome;

/// One control objective.
struct Control {
    objective: &'static str,
    /// What the counted decisions are, after a number.
    what: &'static str,
    /// Whether a decision is evidence for this objective.
    applies: fn(&Object) -> bool,
}

const CONTROLS: [Control; 5] = [
    Control {
        objective: "Secret exposure prevention",
        what: "file reads and MCP tool calls judged",
        applies: |decision| matches!(text(decision, "action_type"), "read_file" | "mcp_tool_call"),
    },
    Control {
        objective: "Change control",
        what: "file writes, git operations and pull requests judged",
        applies: |decision| matches!(text(decision, "action_type"), "write_file" | "git_operation" | "pull_request"),
    },
    Control {
        objective: "Least privilege",
        what: "commands and MCP tool calls judged",
        applies: |decision| matches!(text(decision, "action_type"), "execute_command" | "mcp_tool_call"),
    },
    Control { objective: "Audit logging", what: "decisions recorded", applies: |_| true },
    Control { objective: "Human oversight", what: "actions sent to a human", applies: needs_human },
];

fn needs_human(decision: &Object) -> bool {
    outcome(decision) == Some(Outcome::RequireApproval) || decision.get("approval").is_some_and(Value::is_object)
}

/// What a session shows for one control objective.
pub(crate) struct ControlEvidence {
    /// The objective.
    pub objective: &'static str,
    /// The counts, in words.
    pub counts: String,
    /// The rules that decided.
    pub rules: Vec<String>,
}

/// Every control objective with what `decisions` show for it.
pub(crate) fn control_evidence(decisions: &[Object]) -> Vec<ControlEvidence> {
    let of = |control: &Control| {
        let counted: Vec<&Object> = decisions.iter().filter(|decision| (control.applies)(decision)).collect();
        let count = |wanted| counted.iter().filter(|decision| outcome(decision) == Some(wanted)).count();
        let rules: BTreeSet<&str> = counted.iter().map(|decision| text(decision, "rule_id")).collect();
        let counts = if counted.is_empty() {
            format!("0 {} in this session", control.what)
        } else {
            let (blocked, held) = (count(Outcome::Block), count(Outcome::RequireApproval));
            format!("{} {}: {blocked} blocked, {held} needing approval", counted.len(), control.what)
        };
        ControlEvidence { objective: control.objective, counts, rules: rules.into_iter().map(str::to_owned).collect() }
    };
    CONTROLS.iter().map(of).collect()
}

/// The table of control objectives. The evidence column cites the counts and rule ids of this session.
#[must_use]
pub fn compliance_mapping(session_id: &str, decisions: &[Object]) -> String {
    let mut out = format!(
        "# CAVRA Compliance Mapping\n\nSession: {}\n\n| Control objective | CAVRA evidence |\n| --- | --- |\n",
        code(session_id)
    );
    for ControlEvidence { objective, counts, rules } in control_evidence(decisions) {
        let rules: Vec<_> = rules.iter().map(|rule| code(rule)).collect();
        let cited = if rules.is_empty() { String::new() } else { format!("; rules {}", rules.join(", ")) };
        out.push_str(&format!("| {objective} | {counts}{cited} |\n"));
    }
    out
}

/// The section on the controls that a pack maps to, to follow a mapping; empty if there are none.
#[must_use]
pub fn pack_controls(pack: &str, controls: &[&str]) -> String {
    let lines: String = controls.iter().map(|control| format!("- {}\n", plain(control))).collect();
    if lines.is_empty() { lines } else { format!("\n## Controls of {}\n\n{lines}", code(pack)) }
}
