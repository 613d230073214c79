//! What a call of an MCP tool says in its arguments that it does: actions that are judged beside the call itself.

use cavra_model::{Action, ActionType, Finding, McpToolCall, Outcome, read_json};
use cavra_normalize::{ActionRequest, Argument, ArgumentUse, normalize, told_by_arguments};

/// An action that an argument names.
pub(crate) struct Told {
    member: String,
    /// The action.
    pub action: Action,
}

impl Told {
    /// A finding about it as one about the call. That it is allowed says nothing about the call.
    pub fn of_call(&self, finding: Finding) -> Option<Finding> {
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
    arguments.into_iter().filter_map(|argument| Some((request(&argument)?, argument.member))).map(read).collect()
}

fn read((request, member): (ActionRequest, String)) -> Result<Told, Finding> {
    match normalize(request) {
        Ok(action) => Ok(Told { member, action }),
        Err(refusal) => Err(Finding::engine_error(format!("argument `{member}`: {refusal}"))),
    }
}

/// The action that an argument stands for, if policies know its kind.
fn request(argument: &Argument) -> Option<ActionRequest> {
    let of = |action_type| ActionRequest { target: Some(argument.value.clone()), ..ActionRequest::of(action_type) };
    Some(match argument.usage {
        ArgumentUse::Reads => of(ActionType::ReadFile),
        ArgumentUse::Writes => of(ActionType::WriteFile),
        ArgumentUse::Runs => of(ActionType::ExecuteCommand),
        ArgumentUse::Pushes => of(ActionType::GitOperation),
        ArgumentUse::Fetches => return None,
    })
}
