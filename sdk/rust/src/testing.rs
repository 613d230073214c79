//! Actions and facts for a pack's own tests.

use crate::{Action, CommandLine, CommandPart, Facts, FileAccess, McpRegistry, McpToolCall};

/// Facts at a moment, in microseconds since 1970-01-01T00:00:00Z, about a local session.
#[must_use]
pub fn facts_at(now: i64) -> Facts {
    Facts {
        now,
        session_id: "local".to_owned(),
        agent_id: "unknown-agent".to_owned(),
        actor: "ai-agent".to_owned(),
        repository: "local".to_owned(),
        mcp_registry: McpRegistry::NotConsulted,
        attributes: Vec::new(),
    }
}

/// Reading a file.
#[must_use]
pub fn read_file(path: &str) -> Action {
    Action::ReadFile(FileAccess { path: path.to_owned(), content: None })
}

/// Writing a text to a file.
#[must_use]
pub fn write_file(path: &str, content: &str) -> Action {
    Action::WriteFile(FileAccess { path: path.to_owned(), content: Some(content.to_owned()) })
}

/// A command line of these commands, one after the other. The host's own splitting is richer: it derives several
/// spellings, redirections and git operations.
#[must_use]
pub fn commands(parts: &[&str]) -> CommandLine {
    let part = |text: &&str| CommandPart {
        spellings: vec![(*text).to_owned()],
        dequoted: text.replace(['"', '\''], ""),
        implied: false,
    };
    CommandLine {
        text: parts.join("; "),
        parts: parts.iter().map(part).collect(),
        reads: Vec::new(),
        writes: Vec::new(),
        git: Vec::new(),
        unresolved: None,
    }
}

/// Calling a tool of an MCP server.
#[must_use]
pub fn mcp_tool_call(server: &str, tool: &str) -> Action {
    Action::McpToolCall(McpToolCall {
        server: server.to_owned(),
        tool: tool.to_owned(),
        capability: None,
        arguments: None,
    })
}
