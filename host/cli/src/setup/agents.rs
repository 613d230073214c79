//! Agents that machines have, as data: their programs, the files that configure them, and where those name MCP servers.
//! Sources: the settings pages of Claude Code, Cursor, Codex CLI, Gemini CLI, Windsurf and VS Code.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use cavra_model::{Digest, canonical, read_json};
use serde_json::{Map, Value};

/// Largest file of settings that is read for the names in it.
const SETTINGS_BYTES: u64 = 4 << 20;

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

/// Where a file lies; nowhere if the person has no home.
pub fn place(file: &ConfigFile, project: &Path) -> Option<PathBuf> {
    let base = match file.base {
        Base::Home => PathBuf::from(std::env::var_os("HOME").filter(|home| !home.is_empty())?),
        Base::Project => project.to_owned(),
        Base::Root => PathBuf::from("/"),
    };
    Some(base.join(file.path))
}

/// The settings in a file, if it can be read.
pub fn read(path: &Path) -> Option<Value> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(SETTINGS_BYTES + 1).read_to_end(&mut bytes).ok()?;
    let short = u64::try_from(bytes.len()).is_ok_and(|length| length <= SETTINGS_BYTES);
    short.then(|| read_json(&bytes).ok()).flatten()
}

/// A digest of how a server is started or reached; variables and headers, which hold secrets, are no part of it.
pub fn definition_digest(definition: &Value) -> String {
    let kept = |(name, _): &(&String, &Value)| !matches!(name.as_str(), "env" | "headers");
    let members = definition.as_object().into_iter().flatten().filter(kept);
    let members: Map<String, Value> = members.map(|(name, value)| (name.clone(), value.clone())).collect();
    Digest::of(canonical(&Value::Object(members))).hex().to_owned()
}

impl Agent {
    /// The digest of how the MCP server of that name is started or reached, by the files of this agent below one of the
    /// places. Nothing if none names it, or if two say different things.
    pub fn definition(&self, name: &str, bases: &[Base], project: &Path) -> Option<String> {
        let mut found: Vec<String> = Vec::new();
        for file in self.files.iter().filter(|file| bases.contains(&file.base)) {
            let (Some(pointer), Some(path)) = (file.servers, place(file, project)) else { continue };
            let definition = read(&path).and_then(|settings| settings.pointer(pointer)?.get(name).cloned());
            found.extend(definition.as_ref().map(definition_digest));
        }
        found.dedup();
        found.pop().filter(|_| found.is_empty())
    }
}
