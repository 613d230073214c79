//! The adapter's tools: one row each, from which the list, the input schema and the checks are made.
//!
//! Clients take names of letters, digits, `_` and `-`; those with a dot, `cavra.check_command`, are understood too.

use anyhow::Context as _;
use cavra_core::FIELD_LIMIT;
use cavra_model::{ActionType, DecisionRecord, Object, PackName};
use cavra_normalize::ActionRequest;
use serde_json::{Value, json};

use super::session::Session;
use crate::commands::scenario::write_bundle;

/// Why a tool gave no result.
pub enum ToolError {
    /// The call is wrong: a JSON-RPC error.
    InvalidParams(String),
    /// The tool could not do it: a result marked as error.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for ToolError {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

type ToolResult = Result<Value, ToolError>;

struct Tool {
    name: &'static str,
    description: &'static str,
    /// Name, description, required. A required argument of the form `a|b` may be given under either name.
    arguments: &'static [(&'static str, &'static str, bool)],
    run: fn(&mut Session, &Object) -> ToolResult,
}

const PACK: (&str, &str, bool) = ("policy_pack", "Policy pack; default is the adapter's own.", false);

const APPROVAL: (&str, &str, bool) = ("approval_id", "An approval of exactly this action.", false);

/// The one argument that is no text.
const ARGUMENTS: (&str, &str, bool) =
    ("arguments", "Arguments of the MCP call; files, commands, branches in them are judged too.", false);

static TOOLS: [Tool; 13] = [
    Tool {
        name: "cavra_evaluate_action",
        description: "Decide an action before it is taken.",
        arguments: &[
            ("action_type", "read_file (default), write_file, execute_command, git_operation or mcp_tool_call.", false),
            ("target", "Path, command line, or remote/branch.", false),
            ("operation", "Git operation; default push.", false),
            ("content", "Text about to be written to a file.", false),
            ("server", "MCP server.", false),
            ("tool", "MCP tool.", false),
            ("capability", "Capability the MCP call needs.", false),
            ARGUMENTS,
            APPROVAL,
            PACK,
        ],
        run: |session, arguments| {
            let action_type = action_type(arguments)?;
            decide(session, arguments, request(action_type, arguments))
        },
    },
    Tool {
        name: "cavra_check_file_read",
        description: "Decide whether a file may be read.",
        arguments: &[("path|target", "The file.", true), APPROVAL, PACK],
        run: |session, arguments| check(session, arguments, ActionType::ReadFile, "path"),
    },
    Tool {
        name: "cavra_check_file_write",
        description: "Decide whether a file may be written.",
        arguments: &[("path|target", "The file.", true), APPROVAL, PACK],
        run: |session, arguments| check(session, arguments, ActionType::WriteFile, "path"),
    },
    Tool {
        name: "cavra_check_command",
        description: "Decide whether a command line may be run.",
        arguments: &[("command|target", "The command line.", true), APPROVAL, PACK],
        run: |session, arguments| check(session, arguments, ActionType::ExecuteCommand, "command"),
    },
    Tool {
        name: "cavra_check_git_operation",
        description: "Decide whether a git operation may be done.",
        arguments: &[
            ("target", "Remote and branch.", true),
            ("operation", "Operation; default push.", false),
            APPROVAL,
            PACK,
        ],
        run: |session, arguments| decide(session, arguments, request(ActionType::GitOperation, arguments)),
    },
    Tool {
        name: "cavra_check_mcp_tool_call",
        description: "Decide whether a tool of an MCP server may be called.",
        arguments: &[
            ("server", "The server.", true),
            ("tool", "The tool.", false),
            ("capability", "Capability the call needs.", false),
            ARGUMENTS,
            APPROVAL,
            PACK,
        ],
        run: |session, arguments| decide(session, arguments, request(ActionType::McpToolCall, arguments)),
    },
    Tool {
        name: "cavra_generate_pr_attestation",
        description: "Decide a pull request and render the attestation of this session.",
        arguments: &[("target", "The pull request.", true), PACK],
        run: attest,
    },
    Tool {
        name: "cavra_explain_decision",
        description: "Explain a decision of this session.",
        arguments: &[("decision_id", "The decision.", true)],
        run: explain,
    },
    Tool {
        name: "cavra_export_evidence",
        description: "Write the evidence bundle of this session below .cavra/evidence.",
        arguments: &[],
        run: export,
    },
    Tool {
        name: "cavra_policy_list",
        description: "List the policy packs.",
        arguments: &[],
        run: |session, _| Ok(cavra_packs::catalog(&session.local.library().list())),
    },
    Tool {
        name: "cavra_policy_validate",
        description: "Check a policy document or a policy pack.",
        arguments: &[("policy|policy_pack", "The document as YAML text, or the name of a pack.", true)],
        run: validate,
    },
    Tool {
        name: "cavra_session_start",
        description: "Start a new session.",
        arguments: &[("agent_id", "The agent.", false)],
        run: |session, arguments| {
            let agent = text(arguments, "agent_id")?.map(ToOwned::to_owned);
            if let Some(agent) = &agent {
                cavra_core::check_id("agent_id", agent).map_err(|error| ToolError::InvalidParams(error.to_string()))?;
            }
            session.start(agent).map_err(|error| ToolError::Failed(error.into()))
        },
    },
    Tool {
        name: "cavra_session_summary",
        description: "Counts of this session.",
        arguments: &[],
        run: |session, _| Ok(session.summary()),
    },
];

/// The tools as `tools/list` shows them.
pub fn list() -> Vec<Value> {
    TOOLS
        .iter()
        .map(|tool| json!({ "name": tool.name, "description": tool.description, "inputSchema": input_schema(tool) }))
        .collect()
}

fn input_schema(tool: &Tool) -> Value {
    let mut properties = Object::new();
    let mut required = Vec::new();
    let mut choices = Vec::new();
    for (names, help, needed) in tool.arguments {
        for name in names.split('|') {
            let kind = if name == ARGUMENTS.0 { "object" } else { "string" };
            properties.insert(name.to_owned(), json!({ "type": kind, "description": help }));
        }
        match (*needed, names.split_once('|')) {
            (true, Some((first, second))) => {
                choices = vec![json!({"required": [first]}), json!({"required": [second]})]
            }
            (true, None) => required.push(*names),
            (false, _) => {}
        }
    }
    let mut schema = json!({ "type": "object", "properties": properties, "required": required });
    if let (false, Some(schema)) = (choices.is_empty(), schema.as_object_mut()) {
        schema.insert("anyOf".to_owned(), Value::Array(choices));
    }
    schema
}

/// Calls a tool.
pub fn call(session: &mut Session, name: &str, arguments: &Object) -> ToolResult {
    let tool = TOOLS
        .iter()
        .find(|tool| tool.name == name || Some(tool.name.trim_start_matches("cavra_")) == name.strip_prefix("cavra."))
        .ok_or_else(|| ToolError::InvalidParams(format!("unknown tool `{name}`")))?;
    for (names, _, needed) in tool.arguments {
        let mut given = false;
        for name in names.split('|') {
            given |= match name == ARGUMENTS.0 {
                true => object(arguments, name)?.is_some(),
                false => text(arguments, name)?.is_some(),
            };
        }
        if *needed && !given {
            return Err(ToolError::InvalidParams(format!("{} is required", names.replace('|', " or "))));
        }
    }
    (tool.run)(session, arguments)
}

fn text<'a>(arguments: &'a Object, name: &str) -> Result<Option<&'a str>, ToolError> {
    match arguments.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= FIELD_LIMIT => {
            Ok(Some(text.as_str()).filter(|text| !text.is_empty()))
        }
        Some(Value::String(_)) => Err(ToolError::InvalidParams(format!("{name} is longer than {FIELD_LIMIT} bytes"))),
        Some(_) => Err(ToolError::InvalidParams(format!("{name} must be a text"))),
    }
}

fn object<'a>(arguments: &'a Object, name: &str) -> Result<Option<&'a Value>, ToolError> {
    match arguments.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(object @ Value::Object(_)) => Ok(Some(object)),
        Some(_) => Err(ToolError::InvalidParams(format!("{name} must be an object"))),
    }
}

fn required<'a>(arguments: &'a Object, name: &str) -> Result<&'a str, ToolError> {
    text(arguments, name)?.ok_or_else(|| ToolError::InvalidParams(format!("{name} is required")))
}

fn action_type(arguments: &Object) -> Result<ActionType, ToolError> {
    text(arguments, "action_type")?
        .map_or(Ok(ActionType::ReadFile), str::parse)
        .map_err(|()| ToolError::InvalidParams("unknown action_type".to_owned()))
}

fn request(action_type: ActionType, arguments: &Object) -> ActionRequest {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    ActionRequest {
        target: text("target"),
        operation: text("operation"),
        content: text("content"),
        server: text("server"),
        tool: text("tool"),
        capability: text("capability"),
        arguments: arguments.get(ARGUMENTS.0).filter(|arguments| arguments.is_object()).map(ToString::to_string),
        ..ActionRequest::of(action_type)
    }
}

fn check(session: &mut Session, arguments: &Object, action_type: ActionType, name: &str) -> ToolResult {
    let target = match text(arguments, name)? {
        Some(target) => target,
        None => required(arguments, "target")?,
    };
    let action = ActionRequest { target: Some(target.to_owned()), ..ActionRequest::of(action_type) };
    decide(session, arguments, action)
}

fn decide(session: &mut Session, arguments: &Object, action: ActionRequest) -> ToolResult {
    cavra_normalize::normalize(action.clone()).map_err(|refusal| ToolError::InvalidParams(refusal.to_string()))?;
    let approval = text(arguments, "approval_id")?;
    if let Some(approval) = approval {
        cavra_core::check_id("approval_id", approval).map_err(|error| ToolError::InvalidParams(error.to_string()))?;
    }
    let pack = text(arguments, "policy_pack")?;
    Ok(record_value(&session.decide(action, pack, approval)?)?)
}

fn validate(session: &mut Session, arguments: &Object) -> ToolResult {
    let library = session.local.library();
    let errors = match (text(arguments, "policy")?, text(arguments, "policy_pack")?) {
        (Some(policy), None) => match cavra_packs::parse_policy(policy) {
            Ok(document) => library.faults(&document),
            Err(error) => vec![format!("<root>: {error}")],
        },
        (None, Some(name)) => {
            let name = PackName::new(name).map_err(|error| ToolError::InvalidParams(error.to_string()))?;
            let pack = library.get(&name).map_err(anyhow::Error::from)?;
            let faults = if pack.errors.is_empty() { library.faults(&pack.document) } else { pack.errors };
            let loads = || session.local.load(&*session.local.named(name.as_str())?);
            if faults.is_empty() {
                loads().err().map(|error: anyhow::Error| format!("<root>: {error}")).into_iter().collect()
            } else {
                faults
            }
        }
        _ => return Err(ToolError::InvalidParams("either policy or policy_pack is needed, not both".to_owned())),
    };
    Ok(json!({ "valid": errors.is_empty(), "errors": errors }))
}

fn record_value(record: &DecisionRecord) -> anyhow::Result<Value> {
    serde_json::to_value(record).context("the decision cannot be written as JSON")
}

fn attest(session: &mut Session, arguments: &Object) -> ToolResult {
    let pack = session.pack(text(arguments, "policy_pack")?)?;
    let target = required(arguments, "target")?;
    let caller = session.caller(&pack)?;
    let attested = session.local.decisions().attest_pull_request(target, &pack, caller);
    let record = session.record(attested.map_err(anyhow::Error::from)?, &pack)?;
    let mut result = record_value(&record)?;
    if let Some(result) = result.as_object_mut() {
        let attestation = cavra_evidence::pr_attestation(session.id(), &session.decisions());
        result.insert("attestation".to_owned(), Value::String(attestation));
    }
    Ok(result)
}

fn explain(session: &mut Session, arguments: &Object) -> ToolResult {
    let id = required(arguments, "decision_id")?;
    let record = session
        .decision(id)
        .ok_or_else(|| ToolError::InvalidParams("decision not found in this session".to_owned()))?;
    let explanation = format!(
        "{} of `{}` was decided as {} by rule {} of policy pack {}: {}",
        record.action_type,
        record.target,
        record.decision,
        record.rule_id,
        record.policy_pack,
        record.reason.as_deref().unwrap_or("no reason was given"),
    );
    Ok(json!({ "decision": record_value(record)?, "explanation": explanation }))
}

fn export(session: &mut Session, _: &Object) -> ToolResult {
    let directory = std::path::Path::new(".cavra/evidence").join(session.id());
    write_bundle(&directory, session.id(), &session.decisions())?;
    Ok(json!({ "session_id": session.id(), "directory": directory }))
}
