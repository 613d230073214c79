//! Claude Code's `PreToolUse`. Contract 60, "Claude Code"; contract 10, section 13.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use cavra_core::check_id;
use cavra_model::members::filled;
use cavra_model::{ActionType, Context, Object, Outcome, read_json};
use cavra_normalize::ActionRequest;
use serde::Deserialize;
use serde_json::{Value, json};

use super::judge::{cleaned, names_of_file, strictest};
use super::search::Search;
use crate::args::PackArg;

/// Longest reason the agent takes, in characters.
const REASON_LIMIT: usize = 10_000;

/// Tools that touch nothing outside the agent; the agent's own permissions apply.
const HARMLESS: [&str; 20] = [
    "Agent",
    "AskUserQuestion",
    "BashOutput",
    "EnterPlanMode",
    "ExitPlanMode",
    "KillBash",
    "KillShell",
    "Skill",
    "SlashCommand",
    "Task",
    "TaskCreate",
    "TaskGet",
    "TaskList",
    "TaskOutput",
    "TaskStop",
    "TaskUpdate",
    "TodoRead",
    "TodoWrite",
    "ToolSearch",
    "WebSearch",
];

/// The event, as far as it is needed.
#[derive(Deserialize)]
struct Event {
    /// Contract 10, section 13 does not name it: an event without it is the one the hook is for.
    #[serde(default)]
    hook_event_name: Option<String>,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    cwd: Option<PathBuf>,
    #[serde(default)]
    tool_name: String,
    #[serde(default)]
    tool_input: Object,
    #[serde(default)]
    mcp_server: Option<McpServer>,
}

#[derive(Deserialize)]
struct McpServer {
    name: String,
}

/// What an event asks for.
enum Asked {
    /// Actions the policy decides.
    Actions(Vec<ActionRequest>),
    /// A search through a directory, with the actions that its place and glob are judged as.
    Search(Vec<ActionRequest>, Search),
    /// Commands of a shell whose grammar is not understood: never allowed outright.
    Unparsed(Vec<ActionRequest>),
    /// Nothing the policy speaks about.
    Nothing,
    /// A tool nobody described: a human should look.
    Unknown,
}

/// Answers an event with the text to print.
pub fn answer(event: &[u8], pack: &PackArg) -> anyhow::Result<String> {
    let event = read_json(event).map_err(anyhow::Error::from).and_then(|event| Ok(serde_json::from_value(event)?));
    let event: Event = event.context("the event is not a Claude Code hook event")?;
    if event.hook_event_name.as_deref().is_some_and(|name| name != "PreToolUse") {
        return Ok("{}".to_owned());
    }
    let project = enter_project(&event)?;
    let mut searched = None;
    let (actions, doubt) = match asked(&event, &project)? {
        Asked::Nothing => return Ok("{}".to_owned()),
        Asked::Unknown => {
            let reason = format!("cavra does not know the tool `{}`", event.tool_name);
            return Ok(verdict(Outcome::RequireApproval, &reason));
        }
        Asked::Actions(actions) => (actions, None),
        Asked::Search(actions, search) => {
            let found = searched.insert(search.files(&project)?);
            let too_many = "the search reads more files than can be judged; search a smaller directory";
            // Where nothing is, nothing is found; but of a whole project that is not there nothing is known either.
            let elsewhere = !project.is_dir() && !search.directory.exists();
            let unseen =
                elsewhere.then_some("the project is not here, so the files that the search reads are not known");
            (actions, found.more.then_some(too_many).or(unseen))
        }
        Asked::Unparsed(actions) => (actions, Some("cavra does not read the language of this shell")),
    };
    let read = searched.as_ref().map_or(&[][..], |searched| &searched.names);
    let record = strictest(actions, read, &context(&event, &project)?, pack)?;
    let enforced = record.effective();
    if let Some(doubt) = doubt.filter(|_| enforced.strictness() < Outcome::RequireApproval.strictness()) {
        return Ok(verdict(Outcome::RequireApproval, &format!("{doubt} ({})", record.decision_id)));
    }
    let mut reason = format!(
        "{} ({}, {})",
        record.reason.as_deref().unwrap_or("decided by policy"),
        record.rule_id,
        record.decision_id
    );
    if read.contains(&record.target) && enforced != Outcome::Allow {
        reason = format!("the search would read `{}`: {reason}; leave it out by `path` or `glob`", record.target);
    }
    Ok(verdict(enforced, &reason))
}

/// A refusal that needs no decision.
pub fn refusal(reason: &str) -> String {
    verdict(Outcome::Block, &format!("cavra refuses because it could not decide: {reason}"))
}

/// Projects an outcome onto what the agent honours.
fn verdict(outcome: Outcome, reason: &str) -> String {
    let decision = match outcome {
        Outcome::Allow | Outcome::AllowWithAttestation | Outcome::Warn | Outcome::AuditOnly => "allow",
        Outcome::RequireApproval => "ask",
        Outcome::Block => "deny",
    };
    let reason: String = reason.chars().take(REASON_LIMIT).collect();
    json!({
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": decision,
            "permissionDecisionReason": reason,
        }
    })
    .to_string()
}

/// The project's root: what the agent says it is, else where it works. Stores and packs are found relative to it. A
/// working directory that is not on this disk is not entered, and paths in it are judged by their names; then stores and
/// packs are those of the place where the hook was started, the default pack if there are none.
fn enter_project(event: &Event) -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("CLAUDE_PROJECT_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
    let entered = match (&named, &event.cwd) {
        (Some(directory), _) | (None, Some(directory)) => std::env::set_current_dir(directory),
        (None, None) => Ok(()),
    };
    match (entered, &event.cwd) {
        (Err(error), Some(cwd)) if named.is_none() && error.kind() == ErrorKind::NotFound => {
            let absolute = std::path::absolute(cwd).context("the event's directory cannot be understood")?;
            return Ok(cleaned(&absolute));
        }
        (entered, _) => entered.context("the project directory cannot be entered")?,
    }
    std::env::current_dir().context("there is no working directory")
}

fn context(event: &Event, project: &Path) -> anyhow::Result<Context> {
    let mut context = Context { agent_id: "claude-code".to_owned(), ..Context::default() };
    if let Some(session) = event.session_id.as_ref().filter(|session| !session.is_empty()) {
        check_id("session_id", session)?;
        context.session_id.clone_from(session);
    }
    if let Some(name) = project.file_name().and_then(|name| name.to_str()).filter(|name| check_id("cwd", name).is_ok())
    {
        name.clone_into(&mut context.repository);
    }
    Ok(context)
}

fn asked(event: &Event, project: &Path) -> anyhow::Result<Asked> {
    let input = &event.tool_input;
    let files = |action_type: ActionType, path: &str, content: Option<&str>| {
        let working_directory = event.cwd.as_deref().unwrap_or(project);
        let absolute = working_directory.join(path);
        names_of_file(&absolute.to_string_lossy(), project)
            .into_iter()
            .map(|name| ActionRequest {
                target: Some(name),
                content: content.map(ToOwned::to_owned),
                ..ActionRequest::of(action_type)
            })
            .collect::<Vec<_>>()
    };
    Ok(match event.tool_name.as_str() {
        "Read" | "NotebookRead" => Asked::Actions(files(ActionType::ReadFile, file_path(input)?, None)),
        "Write" | "Edit" | "MultiEdit" | "NotebookEdit" => {
            Asked::Actions(files(ActionType::WriteFile, file_path(input)?, written_text(input).as_deref()))
        }
        "Grep" | "Glob" => {
            let actions = searched(input).iter().flat_map(|path| files(ActionType::ReadFile, path, None)).collect();
            match event.tool_name.as_str() {
                "Grep" => Asked::Search(actions, search(input, event.cwd.as_deref().unwrap_or(project))),
                // Only names are answered.
                _ => Asked::Actions(actions),
            }
        }
        "Bash" => Asked::Actions(vec![command(input)?]),
        "PowerShell" => Asked::Unparsed(vec![command(input)?]),
        name if name.starts_with("mcp__") => Asked::Actions(vec![mcp_call(event)?]),
        name if HARMLESS.contains(&name) => Asked::Nothing,
        "" => bail!("the event names no tool"),
        _ => Asked::Unknown,
    })
}

fn file_path(input: &Object) -> anyhow::Result<&str> {
    filled(input, "file_path").or_else(|| filled(input, "notebook_path")).context("the event names no file")
}

/// Everything the tool would write, for packs that look into it.
fn written_text(input: &Object) -> Option<String> {
    let edits = input.get("edits").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let pieces: Vec<&str> = ["content", "new_string", "new_source"]
        .into_iter()
        .filter_map(|name| filled(input, name))
        .chain(edits.iter().filter_map(|edit| edit.get("new_string")?.as_str()))
        .collect();
    (!pieces.is_empty()).then(|| pieces.join("\n"))
}

/// Where a search looks: the directory, and the files its glob names inside.
fn searched(input: &Object) -> Vec<String> {
    let directory = filled(input, "path").unwrap_or(".");
    let glob = filled(input, "glob").filter(|glob| !glob.starts_with('!')).map(|glob| format!("{directory}/{glob}"));
    std::iter::once(directory.to_owned()).chain(glob).collect()
}

fn search(input: &Object, working_directory: &Path) -> Search {
    Search {
        directory: working_directory.join(filled(input, "path").unwrap_or(".")),
        glob: filled(input, "glob").map(ToOwned::to_owned),
    }
}

fn command(input: &Object) -> anyhow::Result<ActionRequest> {
    let command = filled(input, "command").context("the event holds no command")?;
    Ok(ActionRequest { target: Some(command.to_owned()), ..ActionRequest::of(ActionType::ExecuteCommand) })
}

fn mcp_call(event: &Event) -> anyhow::Result<ActionRequest> {
    let name = event.tool_name.strip_prefix("mcp__").unwrap_or_default();
    let by_server = event
        .mcp_server
        .as_ref()
        .and_then(|server| Some((server.name.as_str(), name.strip_prefix(&server.name)?.strip_prefix("__")?)));
    let (server, tool) = by_server.or_else(|| name.split_once("__")).context("the MCP tool's name has no server")?;
    ensure!(!server.is_empty() && !tool.is_empty(), "the MCP tool's name has no server or tool");
    check_id("server", server)?;
    check_id("tool", tool)?;
    Ok(ActionRequest {
        server: Some(server.to_owned()),
        tool: Some(tool.to_owned()),
        arguments: Some(Value::Object(event.tool_input.clone()).to_string()),
        ..ActionRequest::of(ActionType::McpToolCall)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(tool: &str, input: &Value) -> Event {
        serde_json::from_value(json!({
            "hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/nowhere/project",
            "tool_name": tool, "tool_input": input,
        }))
        .unwrap()
    }

    fn targets(tool: &str, input: &Value) -> Vec<String> {
        match asked(&event(tool, input), Path::new("/nowhere/project")).unwrap() {
            Asked::Actions(actions) | Asked::Unparsed(actions) | Asked::Search(actions, _) => {
                actions.into_iter().map(|action| action.target.or(action.server).unwrap()).collect()
            }
            Asked::Nothing => vec!["nothing".into()],
            Asked::Unknown => vec!["unknown".into()],
        }
    }

    #[test]
    fn tools_become_actions() {
        assert_eq!(targets("Read", &json!({"file_path": "/nowhere/project/.env"})), [".env"]);
        assert_eq!(targets("Read", &json!({"file_path": "/etc/shadow"}))[0], "/etc/shadow");
        assert_eq!(targets("Write", &json!({"file_path": "a/b", "content": "x"})), ["a/b"]);
        assert_eq!(targets("Bash", &json!({"command": "ls"})), ["ls"]);
        assert_eq!(targets("Grep", &json!({"pattern": "x", "path": "src", "glob": ".env"})), ["src", "src/.env"]);
        assert_eq!(targets("mcp__github__create_issue", &json!({})), ["github"]);
        assert_eq!(targets("TodoWrite", &json!({})), ["nothing"]);
        assert_eq!(targets("Teleport", &json!({})), ["unknown"]);
    }

    #[test]
    fn events_without_their_subject_are_errors() {
        let project = Path::new("/nowhere/project");
        for (tool, input) in
            [("Read", json!({})), ("Bash", json!({"command": 5})), ("mcp____x", json!({})), ("", json!({}))]
        {
            assert!(asked(&event(tool, &input), project).is_err(), "{tool}");
        }
    }

    proptest! {
        /// Whatever arrives, only a parsed event can be answered with anything but an error.
        #[test]
        fn arbitrary_bytes_are_never_allowed(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let pack = PackArg { policy_pack: Some("no-such-pack".into()), policy_file: None };
            if let Ok(text) = answer(&bytes, &pack) {
                prop_assert!(!text.contains("\"allow\""));
            }
        }
    }
}
