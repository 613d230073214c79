//! The MCP trust registry's verdict on a tool call: an ordered rule table. docs/reference/decisions-and-policy.md, section 4.4; docs/reference/connectors-drills-ops-registry.md, section 5.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{Finding, McpRegistration, McpRegistry, McpToolCall, Outcome, Severity};

/// What the registry makes of a call of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct McpTrust {
    /// What is to be done.
    pub decision: Outcome,
    /// One sentence for humans.
    pub reason: String,
    /// The rule that applies.
    pub rule_id: String,
    /// Its severity.
    pub severity: Severity,
    /// Who may approve.
    pub approver_group: Option<String>,
}

impl From<Finding> for McpTrust {
    fn from(finding: Finding) -> Self {
        let Finding { outcome, reason, rule_id, severity, approver_group } = finding;
        Self { decision: outcome, reason, rule_id, severity, approver_group }
    }
}

/// Judges a call by the registry; `None` if no registry was consulted.
#[must_use]
pub fn judge_mcp_call(registry: &McpRegistry, call: &McpToolCall) -> Option<Finding> {
    let server = &call.server;
    match registry {
        McpRegistry::NotConsulted => None,
        McpRegistry::Unregistered => Some(finding(
            "mcp.registry.unknown",
            Outcome::Block,
            format!("MCP server `{server}` is not in the trust registry"),
        )),
        McpRegistry::Registered(entry) => Some(judge_registered(entry, call)),
    }
}

fn judge_registered(entry: &McpRegistration, call: &McpToolCall) -> Finding {
    let McpToolCall { server, tool, .. } = call;
    let missing_capability = call
        .capability
        .as_ref()
        .filter(|wanted| !entry.capabilities.is_empty() && !entry.capabilities.contains(wanted));
    if entry.trust_tier == "blocked" || entry.approval_state == "denied" {
        finding(
            "mcp.registry.blocked",
            Outcome::Block,
            format!("MCP server `{server}` is blocked in the trust registry"),
        )
    } else if let Some(why) = &entry.distrust {
        finding("mcp.registry.requires_approval", Outcome::RequireApproval, why.clone())
    } else if entry.approval_state == "pending" || matches!(entry.trust_tier.as_str(), "unknown" | "experimental") {
        finding(
            "mcp.registry.requires_approval",
            Outcome::RequireApproval,
            format!("MCP server `{server}` has not been approved yet"),
        )
    } else if !entry.allowed_tools.is_empty() && !entry.allowed_tools.contains(tool) {
        finding(
            "mcp.registry.tool_scope",
            Outcome::RequireApproval,
            format!("tool `{tool}` is outside the approved tools of MCP server `{server}`"),
        )
    } else if let Some(capability) = missing_capability {
        finding(
            "mcp.registry.capability_scope",
            Outcome::RequireApproval,
            format!("capability `{capability}` is outside the approved capabilities of MCP server `{server}`"),
        )
    } else {
        finding("mcp.registry.allow", Outcome::Allow, format!("MCP server `{server}` is trusted for tool `{tool}`"))
    }
}

fn finding(rule_id: &str, outcome: Outcome, reason: String) -> Finding {
    let (severity, approver_group) = match outcome {
        Outcome::Block => (Severity::High, None),
        Outcome::RequireApproval => (Severity::Medium, Some("AI Governance".to_owned())),
        _ => (Severity::Low, None),
    };
    Finding { rule_id: rule_id.to_owned(), outcome, severity, reason, approver_group }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(entry: McpRegistration, capability: Option<&str>) -> String {
        let call = McpToolCall {
            server: "files".into(),
            tool: "read".into(),
            capability: capability.map(Into::into),
            arguments: None,
        };
        judge_mcp_call(&McpRegistry::Registered(entry), &call).map(|finding| finding.rule_id).unwrap_or_default()
    }

    #[test]
    fn rules_apply_in_the_order_of_the_contract() {
        let entry = |tier: &str, state: &str| McpRegistration {
            trust_tier: tier.into(),
            approval_state: state.into(),
            ..McpRegistration::default()
        };
        assert_eq!(rule(entry("blocked", "approved"), None), "mcp.registry.blocked");
        assert_eq!(rule(entry("trusted", "denied"), None), "mcp.registry.blocked");
        assert_eq!(rule(entry("experimental", "approved"), None), "mcp.registry.requires_approval");
        assert_eq!(rule(entry("trusted", "pending"), None), "mcp.registry.requires_approval");
        let changed = |tier: &str| McpRegistration { distrust: Some("changed".into()), ..entry(tier, "approved") };
        assert_eq!(rule(changed("trusted"), None), "mcp.registry.requires_approval");
        assert_eq!(rule(changed("blocked"), None), "mcp.registry.blocked", "and nothing opens a block");
        let scoped = McpRegistration { allowed_tools: vec!["write".into()], ..entry("trusted", "approved") };
        assert_eq!(rule(scoped, Some("shell")), "mcp.registry.tool_scope");
        let capable = McpRegistration { capabilities: vec!["filesystem".into()], ..entry("trusted", "not_required") };
        assert_eq!(rule(capable.clone(), Some("shell")), "mcp.registry.capability_scope");
        assert_eq!(rule(capable.clone(), Some("filesystem")), "mcp.registry.allow");
        assert_eq!(rule(capable, None), "mcp.registry.allow");
    }
}
