//! Rows of the registry.

use axum::routing::get;
use cavra_core::LogEvent;
use cavra_identity::Scope;
use cavra_model::{AGENTS, MCP_SERVERS};

use crate::access::Access;
use crate::endpoint::{Effect, Endpoint, named, one_of};
use crate::handlers::{inventory, records, registry};

/// The rows.
pub(super) fn rows() -> Vec<Endpoint> {
    let mut rows = agents();
    rows.extend(mcp());
    rows
}

fn agents() -> Vec<Endpoint> {
    vec![
        Endpoint::get(Access::READ, "/agents", "list_agents", inventory::all(&AGENTS))
            .about("registry", "Agents, by id.")
            .console("agents")
            .answers(named("AgentList"))
            .filtered_by(&AGENTS),
        Endpoint::post(
            Access::loosens(Scope::Inventory),
            Effect::Changes(&[LogEvent::AgentChanged]),
            "/agents",
            "post_agent",
            inventory::upsert(&AGENTS),
        )
        .about("registry", "Registers or replaces an agent.")
        .takes("AgentDraft")
        .answers(named("Agent")),
        Endpoint::get(Access::READ, "/agents/profiles", "list_agent_profiles", get(registry::profiles))
            .about("registry", "Coding agents that are known, and how to register them.")
            .console("agent_profiles")
            .answers(named("AgentProfileList")),
        Endpoint::get(Access::READ, "/agents/{*agent_id}", "get_agent", records::one(&AGENTS))
            .about("registry", "One agent.")
            .console("agent")
            .answers(named("Agent"))
            .refuses(&[404, 409]),
    ]
}

fn mcp() -> Vec<Endpoint> {
    vec![
        Endpoint::get(Access::READ, "/mcp/servers", "list_mcp_servers", get(registry::servers))
            .about("registry", "MCP servers of the trust registry, by id.")
            .console("mcp_servers")
            .answers(named("McpServerList"))
            .filtered_by(&MCP_SERVERS)
            .filtered_by_name("capability"),
        Endpoint::post(
            Access::loosens(Scope::Inventory),
            Effect::Changes(&[LogEvent::McpServerChanged]),
            "/mcp/servers",
            "post_mcp_server",
            inventory::upsert(&MCP_SERVERS),
        )
        .about("registry", "Registers or replaces an MCP server.")
        .takes("McpServerDraft")
        .answers(named("McpServer")),
        Endpoint::get(Access::READ, "/mcp/servers/{*server_id}", "get_mcp_server", get(registry::server))
            .about("registry", "One MCP server, by id, else by name.")
            .console("mcp_server")
            .answers(named("McpServer"))
            .refuses(&[404, 409]),
        Endpoint::get(
            Access::READ,
            "/mcp/tool-classifications",
            "list_mcp_tool_classifications",
            get(registry::classifications),
        )
        .about("registry", "Kinds of tools and their risk; with a capability, the one of that.")
        .console("mcp_tool_classifications")
        .answers(one_of(&["ToolClassificationList", "ToolClassification"]))
        .filtered_by_name("capability")
        .refuses(&[404]),
        Endpoint::get(Access::READ, "/mcp/trust", "mcp_trust", get(registry::trust))
            .about("registry", "What the registry says of a tool of an MCP server.")
            .console("mcp_trust")
            .answers(named("McpTrust"))
            .filtered_by_name("server")
            .filtered_by_name("tool")
            .filtered_by_name("capability"),
    ]
}
