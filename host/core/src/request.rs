//! The body of `POST /decisions`, checked completely before anything is evaluated.

use std::sync::Arc;

use cavra_confine::Profile;
use cavra_model::{Action, ActionType, Context, Object, PackName, PolicyMode};
use cavra_normalize::{ActionRequest, clean_path};
use cavra_packs::ResolvedPack;
use cavra_surroundings::{Guard, Here};

use crate::CoreError;
use crate::attributes::Attributes;
use crate::fields::{FIELD_LIMIT, ID_LIMIT, check_text, text};

/// Longest correlation id, in characters.
const CORRELATION_LIMIT: usize = 128;

/// Longest text to be written that is looked at, in bytes: escaped it still fits into a body.
const CONTENT_LIMIT: usize = 512 * 1024;

/// What a caller asks to be decided.
#[derive(Clone, Debug)]
pub struct DecisionRequest {
    /// The action, as told.
    pub action: ActionRequest,
    /// The pack to decide by; `None` is the default pack.
    pub pack: Option<PackName>,
    /// Who asks.
    pub context: Context,
    /// The mode whose overlay is wanted in the answer.
    pub mode: Option<PolicyMode>,
    /// The approval that is said to cover the action.
    pub approval_id: Option<String>,
    /// Where the action would happen.
    pub at: At,
    /// What is known beside it.
    pub attributes: Attributes,
}

/// Where an action would happen, as far as the caller knows.
#[derive(Clone, Debug, Default)]
pub enum At {
    /// In the root of the repository, wherever that may be.
    #[default]
    Repository,
    /// In this directory of a machine whose disk cannot be looked at: a clean path, absolute or relative to the
    /// repository.
    Directory(String),
    /// Here, on a disk that can be looked at.
    Here(Arc<Here>),
}

impl At {
    /// What a command has to be able to use here so that it can do what was decided, and no more. `None` for what is no
    /// command, where the disk cannot be looked at, and where too many files lie there to tell which are protected.
    #[must_use]
    pub fn profile(&self, action: &Action, pack: &ResolvedPack) -> Option<Profile> {
        let (Self::Here(here), Action::ExecuteCommand(command)) = (self, action) else { return None };
        here.guarded(Guard::of(&pack.document)).profile(&command.effects)
    }
}

impl DecisionRequest {
    /// A request for `action` with nobody in particular asking.
    #[must_use]
    pub fn new(action: ActionRequest) -> Self {
        Self {
            action,
            pack: None,
            context: Context::default(),
            mode: None,
            approval_id: None,
            at: At::default(),
            attributes: Attributes::default(),
        }
    }

    /// Reads a JSON object. Members it does not know are ignored: a caller cannot set the outcome.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] naming the first wrong member.
    pub fn from_object(body: &Object) -> Result<Self, CoreError> {
        let action_type = text(body, "action_type", ID_LIMIT)?
            .ok_or_else(|| CoreError::BadRequest("action_type is required".to_owned()))?;
        let action_type = action_type
            .parse::<ActionType>()
            .map_err(|()| CoreError::BadRequest(format!("unknown action_type; known are {}", known_action_types())))?;
        let action = ActionRequest {
            action_type,
            target: text(body, "target", FIELD_LIMIT)?,
            operation: text(body, "operation", FIELD_LIMIT)?,
            server: id(body, "server")?,
            tool: id(body, "tool")?,
            capability: id(body, "capability")?,
            definition: id(body, "server_definition_sha256")?,
            tools: id(body, "server_tools_sha256")?,
            content: match action_type {
                ActionType::WriteFile => text(body, "content", CONTENT_LIMIT)?,
                _ => None,
            },
            ..ActionRequest::of(action_type)
        };
        let default = Context::default();
        let context = Context {
            session_id: id(body, "session_id")?.unwrap_or(default.session_id),
            agent_id: id(body, "agent_id")?.unwrap_or(default.agent_id),
            actor: id(body, "actor")?.unwrap_or(default.actor),
            repository: id(body, "repository")?.unwrap_or(default.repository),
            correlation_id: limited_id(body, "correlation_id", CORRELATION_LIMIT)?,
            ..Context::default()
        };
        let pack = id(body, "policy_pack")?
            .map(|name| PackName::new(&name).map_err(|error| CoreError::BadRequest(error.to_string())))
            .transpose()?;
        let mode = id(body, "policy_mode")?
            .map(|mode| {
                mode.parse().map_err(|error: cavra_model::UnknownMode| CoreError::BadRequest(error.to_string()))
            })
            .transpose()?;
        let approval_id = id(body, "approval_id")?;
        let at = text(body, "cwd", FIELD_LIMIT)?.map(|cwd| directory(&cwd)).transpose()?.unwrap_or_default();
        Ok(Self { pack, context, mode, approval_id, at, ..Self::new(action) })
    }
}

/// The working directory that a caller names.
fn directory(cwd: &str) -> Result<At, CoreError> {
    check_text("cwd", cwd, FIELD_LIMIT)?;
    clean_path(cwd).map(At::Directory).map_err(|error| CoreError::BadRequest(format!("cwd: {error}")))
}

fn known_action_types() -> String {
    ActionType::ALL.map(ActionType::as_str).join(", ")
}

fn id(body: &Object, field: &str) -> Result<Option<String>, CoreError> {
    limited_id(body, field, ID_LIMIT)
}

fn limited_id(body: &Object, field: &str, limit: usize) -> Result<Option<String>, CoreError> {
    let value = text(body, field, FIELD_LIMIT)?;
    if let Some(value) = &value {
        check_text(field, value, limit)?;
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(body: &Value) -> Result<DecisionRequest, CoreError> {
        DecisionRequest::from_object(body.as_object().unwrap())
    }

    #[test]
    fn defaults_apply_to_absent_null_and_empty_members() {
        let request =
            parse(&json!({"action_type": "read_file", "target": "a", "session_id": "", "actor": null})).unwrap();
        assert_eq!((request.context.session_id.as_str(), request.context.actor.as_str()), ("local", "ai-agent"));
        assert_eq!(request.pack, None);
    }

    #[test]
    fn wrong_members_are_refused() {
        for bad in [
            json!({}),
            json!({"action_type": "delete_everything"}),
            json!({"action_type": 3}),
            json!({"action_type": "read_file", "target": 5}),
            json!({"action_type": "read_file", "target": "x".repeat(FIELD_LIMIT + 1)}),
            json!({"action_type": "write_file", "target": "a", "content": 5}),
            json!({"action_type": "write_file", "target": "a", "content": "x".repeat(CONTENT_LIMIT + 1)}),
            json!({"action_type": "read_file", "target": "a", "session_id": "x".repeat(257)}),
            json!({"action_type": "read_file", "target": "a", "agent_id": "a\u{7}"}),
            json!({"action_type": "read_file", "target": "a", "policy_pack": "../etc"}),
            json!({"action_type": "read_file", "target": "a", "policy_mode": "lenient"}),
            json!({"action_type": "read_file", "target": "a", "correlation_id": "x".repeat(129)}),
            json!({"action_type": "execute_command", "target": "ls", "cwd": 5}),
            json!({"action_type": "execute_command", "target": "ls", "cwd": "/a\n/b"}),
        ] {
            assert!(parse(&bad).is_err(), "{bad}");
        }
    }
}
