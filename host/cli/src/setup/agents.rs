//! Agents that machines have, as data: their programs, the files that configure them, and where those name MCP servers.
//! Sources: the settings pages of Claude Code, Cursor, Codex CLI, Gemini CLI, Windsurf and VS Code.

/// An agent.
pub struct Agent {
    /// Its name.
    pub name: &'static str,
    /// Its program, as it is found in `PATH`.
    pub program: &'static str,
    /// The files that configure it.
    pub files: &'static [ConfigFile],
}

/// A file that configures an agent.
pub struct ConfigFile {
    /// Where it lies.
    pub base: Base,
    /// Its path below.
    pub path: &'static str,
    /// The JSON pointer of an object that names MCP servers.
    pub servers: Option<&'static str>,
}

/// Where the path of a file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The person's home.
    Home,
    /// The project.
    Project,
    /// The machine.
    Root,
}

const fn file(base: Base, path: &'static str) -> ConfigFile {
    ConfigFile { base, path, servers: None }
}

const fn servers(base: Base, path: &'static str, pointer: &'static str) -> ConfigFile {
    ConfigFile { base, path, servers: Some(pointer) }
}

/// The agents.
pub static AGENTS: [Agent; 6] = [
    Agent {
        name: "claude-code",
        program: super::claude_code::PROGRAM,
        files: &[
            file(Base::Root, "etc/claude-code/managed-settings.json"),
            servers(Base::Root, "etc/claude-code/managed-mcp.json", "/mcpServers"),
            file(Base::Home, ".claude/settings.json"),
            servers(Base::Home, ".claude.json", "/mcpServers"),
            file(Base::Project, super::claude_code::SETTINGS),
            file(Base::Project, ".claude/settings.local.json"),
            servers(Base::Project, super::claude_code::MCP_CONFIG, "/mcpServers"),
        ],
    },
    Agent {
        name: "cursor",
        program: "cursor",
        files: &[
            servers(Base::Home, ".cursor/mcp.json", "/mcpServers"),
            file(Base::Home, ".cursor/hooks.json"),
            servers(Base::Project, ".cursor/mcp.json", "/mcpServers"),
            file(Base::Project, ".cursor/hooks.json"),
        ],
    },
    Agent { name: "codex", program: "codex", files: &[file(Base::Home, ".codex/config.toml")] },
    Agent {
        name: "gemini-cli",
        program: "gemini",
        files: &[
            servers(Base::Home, ".gemini/settings.json", "/mcpServers"),
            servers(Base::Project, ".gemini/settings.json", "/mcpServers"),
        ],
    },
    Agent {
        name: "windsurf",
        program: "windsurf",
        files: &[servers(Base::Home, ".codeium/windsurf/mcp_config.json", "/mcpServers")],
    },
    Agent { name: "vscode", program: "code", files: &[servers(Base::Project, ".vscode/mcp.json", "/servers")] },
];
