//! Turns what a caller says into a normalised [`Action`]: paths cleaned, command lines split, branches derived.
//!
//! Source: docs/reference/decisions-and-policy.md, sections 1, 2.3, 3 and 4.3. Everything here is pure: nothing touches the disk, and the same
//! request always gives the same action. Whoever asks may want to get round policy, so what cannot be understood with
//! certainty is refused or marked as unresolved, never guessed.

mod arguments;
mod command;
mod effects;
mod fetch;
mod git;
mod path;
mod surroundings;

use cavra_model::{Action, ActionType, FileAccess, McpToolCall};

pub use arguments::{Argument, ArgumentUse, TooManyArguments, told_by_arguments};
pub use command::{split_command, split_command_in};
pub use effects::{
    NOT_DESCRIBED, Programs, RowFault, Shown, UnknownCall, check_cases, from_home, sketch, unknown_calls,
};
pub use fetch::fetch;
pub use git::{further_operations, git_operation};
pub use path::clean_path;
pub use surroundings::{Disk, FileKind, GitFacts, Surroundings};

/// Longest command that is judged, in bytes; what packs are given and may spend grows with it. docs/reference/decisions-and-policy.md, section 1.
pub const LONGEST_COMMAND: usize = 64 * 1024;

/// An action as a caller describes it. docs/reference/decisions-and-policy.md, section 3. Empty optional texts count as absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRequest {
    /// The kind of action.
    pub action_type: ActionType,
    /// Path, command line, or remote and branch.
    pub target: Option<String>,
    /// Name of a git operation; `push` if absent.
    pub operation: Option<String>,
    /// MCP server; `unknown` if absent.
    pub server: Option<String>,
    /// MCP tool; `unknown` if absent.
    pub tool: Option<String>,
    /// Capability an MCP tool call needs.
    pub capability: Option<String>,
    /// Digest of how the MCP server is started or reached, as far as the caller knows it. It is no part of the action; the
    /// trust registry looks at it.
    pub definition: Option<String>,
    /// Digest of how the server describes its tools. As with `definition`.
    pub tools: Option<String>,
    /// Text about to be written to a file.
    pub content: Option<String>,
    /// Arguments of an MCP tool call, as JSON text.
    pub arguments: Option<String>,
}

impl ActionRequest {
    /// A request of that kind with nothing in it.
    #[must_use]
    pub const fn of(action_type: ActionType) -> Self {
        Self {
            action_type,
            target: None,
            operation: None,
            server: None,
            tool: None,
            capability: None,
            definition: None,
            tools: None,
            content: None,
            arguments: None,
        }
    }
}

/// Why a request is refused. The messages name no values, so they can be shown to any client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A file or command action without a target.
    #[error("target is required for {0} and must not be empty")]
    MissingTarget(ActionType),
    /// A path without characters.
    #[error("a path must not be empty")]
    EmptyPath,
    /// A path with a NUL or a line break.
    #[error("a path must not have NUL characters or line breaks")]
    PathControl,
    /// A command with a NUL.
    #[error("a command must not have NUL characters")]
    CommandNul,
    /// A command over [`LONGEST_COMMAND`].
    #[error("a command must not be longer than 65536 bytes")]
    CommandLength,
}

/// Normalises a request of which nothing but its text is known.
///
/// # Errors
/// A [`Refusal`] if the target is missing, or cannot be a path or a command.
pub fn normalize(request: ActionRequest) -> Result<Action, Refusal> {
    normalize_in(request, &Surroundings::unknown())
}

/// Normalises a request that was made in these surroundings.
///
/// # Errors
/// A [`Refusal`] if the target is missing, or cannot be a path or a command.
pub fn normalize_in(request: ActionRequest, surroundings: &Surroundings<'_>) -> Result<Action, Refusal> {
    let kind = request.action_type;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let required =
        |text: Option<String>| text.filter(|text| !text.trim().is_empty()).ok_or(Refusal::MissingTarget(kind));
    Ok(match kind {
        ActionType::ReadFile => {
            Action::ReadFile(FileAccess { path: clean_path(&required(request.target)?)?, content: None })
        }
        ActionType::WriteFile => Action::WriteFile(FileAccess {
            path: clean_path(&required(request.target)?)?,
            content: given(request.content),
        }),
        ActionType::ExecuteCommand => {
            let text = required(request.target)?;
            if text.contains('\0') {
                return Err(Refusal::CommandNul);
            }
            if text.len() > LONGEST_COMMAND {
                return Err(Refusal::CommandLength);
            }
            Action::ExecuteCommand(split_command_in(&text, surroundings))
        }
        ActionType::GitOperation => {
            let operation = given(request.operation).filter(|name| !name.trim().is_empty());
            let operation = operation.unwrap_or_else(|| "push".to_owned());
            Action::GitOperation(git_operation(&operation, request.target.unwrap_or_default().trim()))
        }
        ActionType::McpToolCall => Action::McpToolCall(McpToolCall {
            server: given(request.server).unwrap_or_else(|| "unknown".to_owned()),
            tool: given(request.tool).unwrap_or_else(|| "unknown".to_owned()),
            capability: given(request.capability),
            arguments: given(request.arguments),
        }),
    })
}
