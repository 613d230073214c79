//! Actions and facts for a pack's own tests.

use crate::{
    Action, Certainty, CommandLine, CommandPart, Effects, Facts, FileAccess, McpRegistry, McpToolCall, Place, Spelling,
};

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
    Action::ReadFile(FileAccess { path: path.to_owned(), content: None, place: Place::Repository })
}

/// Writing a text to a file.
#[must_use]
pub fn write_file(path: &str, content: &str) -> Action {
    Action::WriteFile(FileAccess { path: path.to_owned(), content: Some(content.to_owned()), place: Place::Repository })
}

/// A command line of these commands, one after the other. The host's own splitting is richer: it derives several
/// spellings, redirections, git operations and effects; here every part is unknown.
#[must_use]
pub fn commands(parts: &[&str]) -> CommandLine {
    let part = |text: &&str| CommandPart {
        spellings: vec![Spelling { text: (*text).to_owned(), computed: Vec::new() }],
        dequoted: text.replace(['"', '\''], ""),
        implied: false,
    };
    CommandLine {
        dialect: "posix".to_owned(),
        text: parts.join("; "),
        parts: parts.iter().map(part).collect(),
        reads: Vec::new(),
        writes: Vec::new(),
        git: Vec::new(),
        unresolved: None,
        effects: Effects {
            certainty: vec![Certainty::Unknown; parts.len()],
            doubts: Vec::new(),
            files: Vec::new(),
            network: Vec::new(),
            runs: Vec::new(),
            changes: Vec::new(),
            environment: Vec::new(),
            seen: false,
        },
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
