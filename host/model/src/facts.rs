//! What the host knows about an action beyond the action itself, collected before policies are asked.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;

/// Name of the fact that says, with `true`, that names which differ only in case are the same file.
pub const IGNORES_CASE: &str = "filesystem.ignores_case";

/// Everything a policy pack is told about the circumstances. A pack has no clock, files or network: what is not
/// here does not exist for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The moment of the decision, so that change windows can be judged.
    pub now: Timestamp,
    /// Session of the caller.
    pub session_id: String,
    /// Agent of the caller.
    pub agent_id: String,
    /// The human or machine behind the agent.
    pub actor: String,
    /// Repository acted upon.
    pub repository: String,
    /// What the MCP trust registry says, for MCP tool calls.
    pub mcp_registry: McpRegistry,
    /// Further named facts, such as (`repository.risk_tier`, `high`), sorted by name.
    pub attributes: Vec<(String, String)>,
}

/// Outcome of looking an MCP server up in the trust registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum McpRegistry {
    /// There is no registry (CLI, sandbox): the pack judges the server.
    NotConsulted,
    /// The registry does not know the server.
    Unregistered,
    /// The registry's entry.
    Registered(McpRegistration),
}

/// One entry of the MCP trust registry, as far as judging a call needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct McpRegistration {
    /// Key of the entry.
    pub server_id: String,
    /// The server's other name, which calls may use if it is no other entry's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// `trusted`, `approved`, `experimental`, `blocked` or `unknown`.
    pub trust_tier: String,
    /// `approved`, `pending`, `denied` or `not_required`.
    pub approval_state: String,
    /// Capabilities the server may be used for; empty means any.
    pub capabilities: Vec<String>,
    /// Tools that may be called; empty means any.
    pub allowed_tools: Vec<String>,
    /// Why the server is trusted less than the entry says, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distrust: Option<String>,
}
