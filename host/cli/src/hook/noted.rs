//! What an event is about that no action stands for. It is decided by what it is, and recorded like every decision.

use cavra_model::{Digest, Finding, Object, Outcome, Severity, Subject};
use serde_json::Value;

/// Something that is decided without a policy's rules.
#[derive(Clone, Debug)]
pub struct Noted {
    /// What it is.
    pub subject: Subject,
    /// What is found about it.
    pub finding: Finding,
}

impl Noted {
    /// A tool that nobody described.
    pub fn unknown_tool(tool: &str, input: &Object) -> Self {
        let reason = format!("cavra does not know the tool `{tool}`");
        let finding = finding("agent.tool.unknown", Outcome::RequireApproval, Severity::Medium, reason);
        Self { subject: of_tool(tool, input), finding }
    }

    /// A call that is refused because it does not say what it is about.
    pub fn refused(tool: &str, input: &Object, why: &str) -> Self {
        let finding = finding("agent.event.refused", Outcome::Block, Severity::High, why.to_owned());
        Self { subject: of_tool(tool, input), finding }
    }
}

fn of_tool(tool: &str, input: &Object) -> Subject {
    Subject::agent_tool(tool, Digest::of_json(&Value::Object(input.clone())))
}

fn finding(rule_id: &str, outcome: Outcome, severity: Severity, reason: String) -> Finding {
    let approver_group = (outcome == Outcome::RequireApproval).then(|| "AI Governance".to_owned());
    Finding { rule_id: rule_id.to_owned(), outcome, severity, reason, approver_group }
}
