//! The normalised action: what an agent wants to do, in the one form that policy packs see.
//!
//! Source: docs/reference/decisions-and-policy.md, section 3. Values are built by the `cavra-normalize` crate; a pack can rely on paths being
//! lexically clean, command lines being split, and branches being derived.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Effects;

/// The five kinds of action an agent can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionType {
    /// Read one file.
    ReadFile,
    /// Create or change one file.
    WriteFile,
    /// Run a command line in a shell.
    ExecuteCommand,
    /// A version-control operation such as a push.
    GitOperation,
    /// Call a tool of an MCP server.
    McpToolCall,
}

impl ActionType {
    /// All action types, in the order of docs/reference/decisions-and-policy.md, section 3.
    pub const ALL: [Self; 5] =
        [Self::ReadFile, Self::WriteFile, Self::ExecuteCommand, Self::GitOperation, Self::McpToolCall];

    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadFile => "read_file",
            Self::WriteFile => "write_file",
            Self::ExecuteCommand => "execute_command",
            Self::GitOperation => "git_operation",
            Self::McpToolCall => "mcp_tool_call",
        }
    }
}

impl fmt::Display for ActionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ActionType {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or(())
    }
}

/// One normalised action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action_type", rename_all = "snake_case")]
pub enum Action {
    /// Read a file.
    ReadFile(FileAccess),
    /// Write a file.
    WriteFile(FileAccess),
    /// Run a command line.
    ExecuteCommand(CommandLine),
    /// A git operation.
    GitOperation(GitOperation),
    /// An MCP tool call.
    McpToolCall(McpToolCall),
}

/// A file and, where the caller knows it, what will be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileAccess {
    /// Lexically clean path, `/` separated; relative to the repository where that is known.
    pub path: String,
    /// The text about to be written. Never stored; packs may look for secrets in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content: Option<String>,
}

/// A command line, split into the commands it would run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandLine {
    /// The whole text as it was asked for, trimmed: what records show.
    pub written: String,
    /// The whole text as patterns see it: trimmed, runs of blanks collapsed to one. Newlines are kept.
    pub text: String,
    /// Every command the text would run, in order; commands inside substitutions, wrappers and
    /// here-documents included.
    pub parts: Vec<CommandPart>,
    /// Files opened for reading by redirection.
    pub reads: Vec<String>,
    /// Files opened for writing by redirection.
    pub writes: Vec<String>,
    /// Version-control operations that parts amount to, such as `git push origin HEAD:main`.
    pub git: Vec<GitOperation>,
    /// Why the text could not be understood completely. Such a text is never allowed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unresolved: Option<String>,
    /// What the command line does, as far as that is known.
    #[serde(default)]
    pub effects: Box<Effects>,
}

/// Stands, in the spellings of an implied part, for a stretch of text that is known only when the command runs. A rule
/// that may match some such text cannot be ruled out.
pub const COMPUTED: char = '\u{F0000}';

/// One command of a command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandPart {
    /// Equivalent spellings, never empty: as written, and re-quoted in one canonical way. An allow rule has to
    /// match one of them; a stricter rule may match any.
    pub spellings: Vec<String>,
    /// All words with their quotes removed. Only stricter rules may match it, because it is ambiguous.
    pub dequoted: String,
    /// True for a command that is only part of what happens, such as the inner command of `sudo` or `xargs`:
    /// stricter rules apply, but "no rule matched" says nothing.
    pub implied: bool,
}

/// A version-control operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitOperation {
    /// Name of the operation, such as `push`.
    pub operation: String,
    /// Remote and branch as given.
    pub target: String,
    /// Last segment of the branch; empty if there is none. docs/reference/decisions-and-policy.md, section 4.3.
    pub branch: String,
    /// The whole branch path, such as `release/2031`.
    pub branch_path: String,
    /// The operation is a push of some form.
    pub is_push: bool,
    /// The operation deletes or renames a branch.
    pub removes_branch: bool,
}

/// A call of an MCP tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct McpToolCall {
    /// Server name or id.
    pub server: String,
    /// Tool name.
    pub tool: String,
    /// Capability the caller says it needs, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub capability: Option<String>,
    /// The tool's arguments as JSON text, where the caller has them. Never stored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub arguments: Option<String>,
}

impl Action {
    /// The kind of this action.
    #[must_use]
    pub const fn action_type(&self) -> ActionType {
        match self {
            Self::ReadFile(_) => ActionType::ReadFile,
            Self::WriteFile(_) => ActionType::WriteFile,
            Self::ExecuteCommand(_) => ActionType::ExecuteCommand,
            Self::GitOperation(_) => ActionType::GitOperation,
            Self::McpToolCall(_) => ActionType::McpToolCall,
        }
    }

    /// The text to be written, or the arguments of a tool call, where the caller knows them.
    #[must_use]
    pub fn content(&self) -> Option<&str> {
        match self {
            Self::WriteFile(file) => file.content.as_deref(),
            Self::McpToolCall(call) => call.arguments.as_deref(),
            Self::ReadFile(_) | Self::ExecuteCommand(_) | Self::GitOperation(_) => None,
        }
    }

    /// What is shown as `target` in a record. docs/reference/decisions-and-policy.md, section 3.
    #[must_use]
    pub fn target(&self) -> String {
        match self {
            Self::ReadFile(file) | Self::WriteFile(file) => file.path.clone(),
            Self::ExecuteCommand(command) => command.written.clone(),
            Self::GitOperation(git) if git.target.is_empty() => git.operation.clone(),
            Self::GitOperation(git) => git.target.clone(),
            Self::McpToolCall(call) => format!("{}:{}", call.server, call.tool),
        }
    }

    /// What is shown as `requested_operation` in a record. docs/reference/decisions-and-policy.md, section 3.
    #[must_use]
    pub fn requested_operation(&self) -> String {
        match self {
            Self::ReadFile(_) => "read".to_owned(),
            Self::WriteFile(_) => "write".to_owned(),
            Self::ExecuteCommand(command) => command.written.clone(),
            Self::GitOperation(git) => git.operation.clone(),
            Self::McpToolCall(call) => call.capability.clone().unwrap_or_else(|| call.tool.clone()),
        }
    }
}
