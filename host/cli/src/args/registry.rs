//! `cavra registry …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Where agents and MCP servers are registered.
#[derive(Args, Clone)]
pub struct RegistryStoreArgs {
    /// JSON file of the registry; default is the store that environment or project name, else .cavra/registry.json.
    #[arg(long, value_name = "PATH", global = true)]
    pub store: Option<PathBuf>,
    /// SQLite file of the registry; wins over --store.
    #[arg(long, value_name = "PATH", global = true)]
    pub sqlite: Option<PathBuf>,
}

#[derive(Args)]
pub struct RegistryArgs {
    #[command(flatten)]
    pub store: RegistryStoreArgs,
    /// Every command prints one JSON value anyway.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: RegistryCommand,
}

#[derive(Subcommand)]
pub enum RegistryCommand {
    /// Register or replace an agent.
    AgentRegister(AgentDraft),
    /// List agents, by id.
    AgentList(AgentFilter),
    /// Show the coding agents that are known.
    Profiles,
    /// Register or replace an MCP server.
    McpRegister(ServerDraft),
    /// List MCP servers, by id.
    McpList(ServerFilter),
    /// Show what the registry says of a tool of an MCP server.
    McpCheck {
        /// Server.
        server_id: String,
        /// Tool.
        tool: String,
        /// Capability that the call needs.
        #[arg(long, value_name = "NAME")]
        capability: Option<String>,
    },
    /// Show kinds of tools and their risk.
    McpClassifications {
        /// Only the one of this capability.
        #[arg(long, value_name = "NAME")]
        capability: Option<String>,
    },
}

#[derive(Args)]
pub struct AgentDraft {
    /// Agent.
    pub agent_id: String,
    /// Kind of agent; default is coding-agent.
    #[arg(long, value_name = "NAME")]
    pub agent_type: Option<String>,
    /// Who makes it.
    #[arg(long, value_name = "NAME")]
    pub vendor: Option<String>,
    /// Version.
    #[arg(long, value_name = "TEXT")]
    pub version: Option<String>,
    /// What it can do; may be given several times, as may the lists below.
    #[arg(long, value_name = "NAME")]
    pub capability: Vec<String>,
    /// What it reaches.
    #[arg(long, value_name = "NAME")]
    pub scope: Vec<String>,
    /// Repository it works in.
    #[arg(long, value_name = "NAME")]
    pub repository: Vec<String>,
    /// Tool it uses.
    #[arg(long, value_name = "NAME")]
    pub tool: Vec<String>,
    /// How risky it is; default is medium.
    #[arg(long, value_name = "NAME")]
    pub risk_tier: Option<String>,
    /// Who answers for it.
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
    /// active (default), disabled or retired; only an active one may act.
    #[arg(long, value_name = "STATUS")]
    pub status: Option<String>,
}

#[derive(Args)]
pub struct AgentFilter {
    /// Only this status.
    #[arg(long)]
    pub status: Option<String>,
    /// Only this owner.
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
}

#[derive(Args)]
pub struct ServerDraft {
    /// Server.
    pub server_id: String,
    /// Its other name, which calls may use if it is no other server's.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// trusted, approved, experimental, blocked or unknown (default).
    #[arg(long, value_name = "TIER")]
    pub trust_tier: Option<String>,
    /// Capability it may be used for; none is any. May be given several times.
    #[arg(long, value_name = "NAME")]
    pub capability: Vec<String>,
    /// Who answers for it.
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
    /// approved, pending, denied or not_required.
    #[arg(long, default_value = "pending", value_name = "STATE")]
    pub approval_state: String,
    /// Tool that may be called; none is any. May be given several times.
    #[arg(long, value_name = "NAME")]
    pub tool: Vec<String>,
    /// Digest of how it is started or reached, as `cavra agent-report` shows it; what something else launches is not it.
    #[arg(long, value_name = "DIGEST")]
    pub definition_sha256: Option<String>,
    /// Digest of how it describes its tools; one that describes them otherwise needs approval.
    #[arg(long, value_name = "DIGEST")]
    pub tools_sha256: Option<String>,
}

#[derive(Args)]
pub struct ServerFilter {
    /// Only this tier.
    #[arg(long, value_name = "TIER")]
    pub trust_tier: Option<String>,
    /// Only this state.
    #[arg(long, value_name = "STATE")]
    pub approval_state: Option<String>,
    /// Only servers with this capability.
    #[arg(long, value_name = "NAME")]
    pub capability: Option<String>,
}
