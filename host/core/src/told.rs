//! What a call of an MCP tool says in its arguments that it does: actions that are judged beside the call itself.

use cavra_model::{Action, ActionType, Finding, McpToolCall, Outcome, read_json};
use cavra_normalize::{ActionRequest, Argument, ArgumentUse, Refusal, fetch, normalize, told_by_arguments};

/// An action that an argument names.
pub(crate) struct Told {
    member: String,
    /// The action.
    pub action: Action,
    /// It is no command of the caller's: rules say what they have to say of its effects, components are not asked.
    pub is_fetch: bool,
}

/// Whether a finding is about what fetching an address does. That no rule lets a command run is not.
pub(crate) fn is_of_fetch(finding: &Finding) -> bool {
    !finding.rule_id.starts_with("commands.")
}

impl Told {
    /// A finding about it as one about the call. That it is allowed says nothing about the call.
    pub fn of_call(&self, finding: Finding) -> Option<Finding> {
        if self.is_fetch && !is_of_fetch(&finding) {
            return None;
        }
        let reason = format!("argument `{}`: {}", self.member, finding.reason);
        (finding.outcome.strictness() > Outcome::Allow.strictness()).then_some(Finding { reason, ..finding })
    }
}

/// The actions that the arguments of a call name; of other actions there are none.
///
/// # Errors
/// The finding that takes their place: what cannot be read cannot be judged.
pub(crate) fn told(action: &Action) -> Result<Vec<Told>, Finding> {
    let Action::McpToolCall(McpToolCall { server, tool, arguments: Some(arguments), .. }) = action else {
        return Ok(Vec::new());
    };
    let arguments = read_json(arguments.as_bytes())
        .map_err(|_| Finding::engine_error("the arguments of the call are not JSON, or not of one meaning"))?;
    let arguments =
        told_by_arguments(server, tool, &arguments).map_err(|many| Finding::engine_error(many.to_string()))?;
    arguments.into_iter().map(read).collect()
}

fn read(argument: Argument) -> Result<Told, Finding> {
    let is_fetch = argument.usage == ArgumentUse::Fetches;
    let member = argument.member.clone();
    match action(argument) {
        Ok(action) => Ok(Told { member, action, is_fetch }),
        Err(refusal) => Err(Finding::engine_error(format!("argument `{member}`: {refusal}"))),
    }
}

/// The action that an argument stands for.
fn action(argument: Argument) -> Result<Action, Refusal> {
    let action_type = match argument.usage {
        ArgumentUse::Reads => ActionType::ReadFile,
        ArgumentUse::Writes => ActionType::WriteFile,
        ArgumentUse::Runs => ActionType::ExecuteCommand,
        ArgumentUse::Pushes => ActionType::GitOperation,
        ArgumentUse::Fetches => return fetch(&argument.value),
    };
    normalize(ActionRequest { target: Some(argument.value), ..ActionRequest::of(action_type) })
}
