//! The agent registry's verdict on whoever acts. It can only refuse: that an agent is registered lets nothing happen which
//! the pack does not.

use crate::{Finding, Outcome, Severity};

/// Name of the fact that says what the registry says of the agent's status.
pub const AGENT_STATUS: &str = "agent.status";

/// Values of an agent's `status`.
pub const AGENT_STATUSES: &[&str] = &["active", "disabled", "retired"];

/// Judges an agent by the facts that are told of it. `None` if the registry does not know it or it is active.
#[must_use]
pub fn judge_agent(agent_id: &str, attributes: &[(String, String)]) -> Option<Finding> {
    let (_, status) = attributes.iter().find(|(name, _)| name == AGENT_STATUS)?;
    let (rule_id, what) = match status.as_str() {
        "active" => return None,
        "disabled" => ("agent.registry.disabled", "is disabled"),
        "retired" => ("agent.registry.retired", "is retired"),
        _ => ("agent.registry.unknown_status", "has a status that says nothing"),
    };
    Some(Finding {
        rule_id: rule_id.to_owned(),
        outcome: Outcome::Block,
        severity: Severity::High,
        reason: format!("agent `{agent_id}` {what} in the agent registry"),
        approver_group: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_active_and_unknown_agents_may_act() {
        let rule = |status: &str| {
            let facts = [("agent.owner".to_owned(), "x".to_owned()), (AGENT_STATUS.to_owned(), status.to_owned())];
            judge_agent("codex", &facts).map(|finding| (finding.outcome, finding.rule_id))
        };
        assert_eq!(judge_agent("codex", &[]), None);
        assert_eq!(rule("active"), None);
        for (status, rule_id) in [
            ("disabled", "agent.registry.disabled"),
            ("retired", "agent.registry.retired"),
            ("", "agent.registry.unknown_status"),
            ("Active", "agent.registry.unknown_status"),
        ] {
            assert_eq!(rule(status), Some((Outcome::Block, rule_id.to_owned())), "{status}");
        }
    }
}
