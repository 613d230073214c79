//! Agents and MCP servers, as tables: what their records hold, which agents are known by profile, and what kinds of tools
//! MCP servers offer.

use serde::Serialize;
use utoipa::ToSchema;

use crate::AGENT_STATUSES;
use crate::record_schema::Fallback::{Absent, ByMember, Joined, Now, Required, Text, Texts};
use crate::record_schema::{Member, RecordSchema, Shape, member};

/// An agent, `cavra.agent.v1`.
pub static AGENT_SCHEMA: RecordSchema = RecordSchema {
    version: "cavra.agent.v1",
    name: "agent",
    members: &[
        Member { name: "agent_id", aliases: &["id"], shape: Shape::Id, default: Required },
        member("type", Shape::Id, Text("coding-agent")),
        member("vendor", Shape::Id, Text("unknown")),
        member("version", Shape::Id, Text("unknown")),
        member("capabilities", Shape::Labels, Texts(&[])),
        member("scopes", Shape::Labels, Texts(&[])),
        member("allowed_repositories", Shape::Labels, Texts(&[])),
        member("allowed_tools", Shape::Labels, Texts(&[])),
        member("risk_tier", Shape::Id, Text("medium")),
        member("owner", Shape::Id, Text("unassigned")),
        member("status", Shape::Choice(AGENT_STATUSES), Text("active")),
        member("last_seen", Shape::Time, Now),
        member("evidence_refs", Shape::Labels, Texts(&[])),
    ],
};

/// Ids that no agent can have, because its record could not be fetched.
pub const RESERVED_AGENT_IDS: [&str; 1] = ["profiles"];

/// Values of `trust_tier`.
pub const TRUST_TIERS: &[&str] = &["trusted", "approved", "experimental", "blocked", "unknown"];
/// Values of `approval_state`.
pub const APPROVAL_STATES: &[&str] = &["approved", "pending", "denied", "not_required"];

/// An MCP server, `cavra.mcp_server.v1`.
pub static MCP_SERVER_SCHEMA: RecordSchema = RecordSchema {
    version: "cavra.mcp_server.v1",
    name: "mcp server",
    members: &[
        Member { name: "server_id", aliases: &["id", "name"], shape: Shape::Id, default: Required },
        member("name", Shape::Id, Joined(&["server_id"], "")),
        member("trust_tier", Shape::Choice(TRUST_TIERS), Text("unknown")),
        member(
            "approval_state",
            Shape::Choice(APPROVAL_STATES),
            ByMember("trust_tier", &[("unknown", "pending"), ("experimental", "pending")], "approved"),
        ),
        member("capabilities", Shape::Labels, Texts(&[])),
        member("allowed_tools", Shape::Labels, Texts(&[])),
        member("owner", Shape::Id, Text("unassigned")),
        member("last_seen", Shape::Time, Now),
        member("evidence_refs", Shape::Labels, Texts(&[])),
        member("definition_sha256", Shape::Id, Absent),
        member("tools_sha256", Shape::Id, Absent),
    ],
};

/// A coding agent that is known: how to register it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AgentProfile {
    /// Key.
    pub profile_id: &'static str,
    /// Name for people.
    pub display_name: &'static str,
    /// Who makes it.
    pub vendor: &'static str,
    /// `coding-agent`.
    pub r#type: &'static str,
    /// What it can do.
    pub default_capabilities: &'static [&'static str],
    /// What it reaches.
    pub default_scopes: &'static [&'static str],
    /// Tools that go with it.
    pub recommended_tools: &'static [&'static str],
    /// How risky it is, unrestrained.
    pub risk_tier: &'static str,
    /// Controls that it should be under.
    pub enterprise_controls: &'static [&'static str],
}

const fn profile(
    profile_id: &'static str,
    names: (&'static str, &'static str),
    risk_tier: &'static str,
) -> AgentProfile {
    AgentProfile {
        profile_id,
        display_name: names.0,
        vendor: names.1,
        r#type: "coding-agent",
        default_capabilities: &[],
        default_scopes: &[],
        recommended_tools: &[],
        risk_tier,
        enterprise_controls: &[],
    }
}

/// The profiles, by id.
pub static AGENT_PROFILES: [AgentProfile; 6] = [
    AgentProfile {
        default_capabilities: &["code_edit", "test", "shell", "cloud_assistance", "iam_review"],
        default_scopes: &["repository", "filesystem", "shell", "aws"],
        recommended_tools: &["cavra", "aws", "terraform"],
        enterprise_controls: &["cloud_iam_policy", "terraform_policy", "approval_router", "evidence_attestation"],
        ..profile("aws-q-developer", ("AWS Q Developer", "AWS"), "high")
    },
    AgentProfile {
        default_capabilities: &["code_edit", "test", "shell", "mcp_tool_call", "pull_request_attestation"],
        default_scopes: &["repository", "filesystem", "shell", "mcp"],
        recommended_tools: &["cavra-mcp-server", "git", "pytest", "ruff"],
        enterprise_controls: &["mcp_trust_registry", "command_policy", "evidence_attestation", "approval_router"],
        ..profile("claude-code", ("Claude Code", "Anthropic"), "high")
    },
    AgentProfile {
        default_capabilities: &["code_edit", "test", "shell", "git_operation", "pull_request_attestation"],
        default_scopes: &["repository", "filesystem", "shell", "git"],
        recommended_tools: &["cavra", "git", "pytest", "node"],
        enterprise_controls: &["agent_registry", "protected_branch_policy", "evidence_attestation", "approval_router"],
        ..profile("codex", ("OpenAI Codex", "OpenAI"), "high")
    },
    AgentProfile {
        default_capabilities: &["code_edit", "test", "shell", "repository_search"],
        default_scopes: &["repository", "filesystem", "shell"],
        recommended_tools: &["cavra", "git", "test_runner"],
        enterprise_controls: &["filesystem_policy", "command_policy", "evidence_attestation"],
        ..profile("cursor", ("Cursor Agent", "Cursor"), "medium")
    },
    AgentProfile {
        default_capabilities: &["code_edit", "test", "shell", "cloud_assistance"],
        default_scopes: &["repository", "filesystem", "shell", "cloud"],
        recommended_tools: &["cavra", "gcloud", "pytest"],
        enterprise_controls: &["cloud_iam_policy", "command_policy", "approval_router", "evidence_attestation"],
        ..profile("gemini-cli", ("Gemini CLI", "Google"), "high")
    },
    AgentProfile {
        default_capabilities: &["code_edit", "test", "pull_request", "workflow_assistance"],
        default_scopes: &["repository", "git", "ci"],
        recommended_tools: &["github-actions", "cavra-pr-attestation"],
        enterprise_controls: &["protected_branch_policy", "workflow_change_approval", "pr_attestation"],
        ..profile("github-copilot", ("GitHub Copilot Agent", "GitHub"), "medium")
    },
];

/// What kind of thing the tools of an MCP server with some capability do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ToolClassification {
    /// Key.
    pub capability: &'static str,
    /// What it belongs to.
    pub category: &'static str,
    /// How risky it is.
    pub risk_tier: &'static str,
    /// What is right where no rule says more.
    pub default_decision: &'static str,
    /// Operations a human should see.
    pub approval_required_for: &'static [&'static str],
    /// Tools of that kind.
    pub example_tools: &'static [&'static str],
    /// What a control over it is to achieve.
    pub control_objective: &'static str,
}

/// The classifications, by capability.
pub static TOOL_CLASSIFICATIONS: [ToolClassification; 7] = [
    ToolClassification {
        capability: "cloud",
        category: "infrastructure",
        risk_tier: "critical",
        default_decision: "require_approval",
        approval_required_for: &["iam_change", "production_deploy", "resource_delete"],
        example_tools: &["apply_terraform", "update_iam_policy", "delete_resource"],
        control_objective: "Nobody but people changes who may do what in the cloud, or what runs in production.",
    },
    ToolClassification {
        capability: "database",
        category: "data_access",
        risk_tier: "high",
        default_decision: "require_approval",
        approval_required_for: &["write_query", "schema_change", "export_table"],
        example_tools: &["query", "execute_sql", "inspect_schema"],
        control_objective: "Data is read for the task at hand, and neither changed nor taken along unseen.",
    },
    ToolClassification {
        capability: "filesystem",
        category: "local_resource",
        risk_tier: "high",
        default_decision: "block_unknown",
        approval_required_for: &["write_file", "delete_file", "read_secret"],
        example_tools: &["read_file", "write_file", "list_directory"],
        control_objective: "Files are reached under the same rules whichever tool reaches them.",
    },
    ToolClassification {
        capability: "network",
        category: "egress",
        risk_tier: "medium",
        default_decision: "require_approval",
        approval_required_for: &["external_post", "download_binary", "webhook_call"],
        example_tools: &["fetch_url", "http_request"],
        control_objective: "Nothing leaves the network, and nothing that runs enters it, without somebody's leave.",
    },
    ToolClassification {
        capability: "repository",
        category: "source_control",
        risk_tier: "medium",
        default_decision: "approved_server_scope",
        approval_required_for: &["delete_repository", "change_branch_protection", "workflow_write"],
        example_tools: &["create_pull_request", "create_issue", "list_branches"],
        control_objective: "Protections of branches and the pipelines behind them are changed by people.",
    },
    ToolClassification {
        capability: "saas",
        category: "enterprise_workflow",
        risk_tier: "medium",
        default_decision: "approved_server_scope",
        approval_required_for: &["ticket_transition", "user_permission_change", "bulk_export"],
        example_tools: &["create_issue", "update_ticket", "post_message"],
        control_objective: "Work of others is added to, not decided, moved along or exported in bulk.",
    },
    ToolClassification {
        capability: "shell",
        category: "execution",
        risk_tier: "critical",
        default_decision: "require_approval",
        approval_required_for: &["execute_command", "install_package", "spawn_process"],
        example_tools: &["run_command", "shell_exec"],
        control_objective: "A command is judged as a command, whichever tool runs it.",
    },
];

/// The classification of a capability, whatever its case.
#[must_use]
pub fn tool_classification(capability: &str) -> Option<&'static ToolClassification> {
    let wanted = capability.trim();
    TOOL_CLASSIFICATIONS.iter().find(|known| known.capability.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use serde_json::{Value, json};

    fn normalize(schema: &RecordSchema, body: &Value) -> Result<Value, String> {
        let body = body.as_object().unwrap();
        schema.normalize(body, None, Timestamp::from_micros(0)).map(Value::Object).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults() {
        let now = Timestamp::from_micros(0).to_string();
        let agent = normalize(&AGENT_SCHEMA, &json!({"id": "codex", "scopes": "git", "owner": null})).unwrap();
        let wanted = json!({
            "schema_version": "cavra.agent.v1", "product": "CAVRA", "agent_id": "codex", "type": "coding-agent",
            "vendor": "unknown", "version": "unknown", "capabilities": [], "scopes": ["git"],
            "allowed_repositories": [], "allowed_tools": [], "risk_tier": "medium", "owner": "unassigned",
            "status": "active", "last_seen": now, "evidence_refs": [], "created_at": now, "updated_at": now,
        });
        assert_eq!(agent, wanted);
        let server = normalize(&MCP_SERVER_SCHEMA, &json!({"name": "files"})).unwrap();
        let wanted = json!({
            "schema_version": "cavra.mcp_server.v1", "product": "CAVRA", "server_id": "files", "name": "files",
            "trust_tier": "unknown", "approval_state": "pending", "capabilities": [], "allowed_tools": [],
            "owner": "unassigned", "last_seen": now, "evidence_refs": [], "created_at": now, "updated_at": now,
        });
        assert_eq!(server, wanted);
    }

    #[test]
    fn what_is_trusted_is_approved_and_what_is_not_waits() {
        for tier in TRUST_TIERS {
            let server = normalize(&MCP_SERVER_SCHEMA, &json!({"server_id": "s", "trust_tier": tier})).unwrap();
            let wanted = if ["unknown", "experimental"].contains(tier) { "pending" } else { "approved" };
            assert_eq!(server["approval_state"], wanted, "{tier}");
            for state in APPROVAL_STATES {
                let body = json!({"server_id": "s", "trust_tier": tier, "approval_state": state});
                assert_eq!(normalize(&MCP_SERVER_SCHEMA, &body).unwrap()["approval_state"], *state);
            }
        }
        for (member, value) in [("trust_tier", "Trusted"), ("approval_state", "maybe"), ("trust_tier", "splendid")] {
            let mut body = json!({"server_id": "s"});
            body[member] = json!(value);
            assert!(normalize(&MCP_SERVER_SCHEMA, &body).is_err(), "{member} {value}");
        }
        assert!(normalize(&AGENT_SCHEMA, &json!({"agent_id": "a", "status": "suspended"})).is_err());
        assert!(normalize(&AGENT_SCHEMA, &json!({})).is_err() && normalize(&MCP_SERVER_SCHEMA, &json!({})).is_err());
    }

    #[test]
    fn tables_are_sorted_and_found() {
        assert!(AGENT_PROFILES.windows(2).all(|pair| pair[0].profile_id < pair[1].profile_id));
        assert!(TOOL_CLASSIFICATIONS.windows(2).all(|pair| pair[0].capability < pair[1].capability));
        for profile in AGENT_PROFILES {
            let lists = [profile.default_capabilities, profile.default_scopes, profile.recommended_tools];
            assert!(lists.iter().all(|list| list.len() >= 2) && profile.enterprise_controls.len() >= 3);
        }
        assert_eq!(tool_classification(" Shell ").map(|found| found.capability), Some("shell"));
        assert_eq!(tool_classification("shells"), None);
    }
}
