//! The tools of Claude Code, as its tools reference lists them: what each of them does with its arguments.
//!
//! A tool is a row. What no row names is unknown: it is recorded, and a human is asked.

use std::path::Path;

use anyhow::{Context as _, bail};
use cavra_core::Roots;
use cavra_model::members::filled;
use cavra_model::{ActionType, Object};
use cavra_normalize::ActionRequest;
use serde_json::Value;

use super::mcp_call::{self, McpServer};
use super::noted::Noted;
use super::search::Search;

/// What is done with the value of an argument.
#[derive(Clone, Copy)]
enum Use {
    /// The file is read.
    Reads,
    /// The file is created or changed.
    Writes,
    /// The directory is searched for a text, in the files that the other arguments select.
    Searches,
    /// Names of files are listed.
    Lists,
    /// The text is run by a POSIX shell.
    Runs,
    /// The text is run by a shell whose language is not read.
    RunsUnread,
    /// The address is fetched.
    Fetches,
    /// The MCP server is asked for its resources.
    Asks,
}

/// What a tool is that is called without any of its arguments.
#[derive(Clone, Copy)]
enum Bare {
    /// Something that touches nothing outside the agent; the agent's own permissions apply.
    Harmless,
    /// A call that cannot be judged.
    Broken(&'static str),
}

/// One row.
struct Tool {
    names: &'static [&'static str],
    /// Names of arguments, alternatives separated by `|`, and what is done with them.
    arguments: &'static [(&'static str, Use)],
    bare: Bare,
}

const NO_FILE: Bare = Bare::Broken("the event names no file");
const NO_COMMAND: Bare = Bare::Broken("the event holds no command");

/// Tools reference, version 2.1.287, and the names that older versions use. What is left out is unknown on purpose:
/// `RemoteTrigger` lets an agent act where no hook is, `Config` and `REPL` change or run what is not described.
static TOOLS: &[Tool] = &[
    Tool { names: &["Read", "NotebookRead"], arguments: &[("file_path|notebook_path", Use::Reads)], bare: NO_FILE },
    Tool {
        names: &["Write", "Edit", "MultiEdit", "NotebookEdit"],
        arguments: &[("file_path|notebook_path", Use::Writes)],
        bare: NO_FILE,
    },
    Tool { names: &["LSP"], arguments: &[("filePath|file_path", Use::Reads)], bare: Bare::Harmless },
    // They publish or send what they name.
    Tool {
        names: &["Artifact", "SendUserFile"],
        arguments: &[("file_path|files|path|paths", Use::Reads)],
        bare: NO_FILE,
    },
    Tool { names: &["Grep"], arguments: &[("path", Use::Searches)], bare: Bare::Harmless },
    Tool { names: &["Glob"], arguments: &[("path", Use::Lists)], bare: Bare::Harmless },
    Tool { names: &["Bash"], arguments: &[("command", Use::Runs)], bare: NO_COMMAND },
    Tool { names: &["PowerShell"], arguments: &[("command", Use::RunsUnread)], bare: NO_COMMAND },
    Tool { names: &["Monitor"], arguments: &[("command", Use::Runs), ("url", Use::Fetches)], bare: NO_COMMAND },
    Tool {
        names: &["WebFetch"],
        arguments: &[("url", Use::Fetches)],
        bare: Bare::Broken("the event names no address"),
    },
    Tool {
        names: &["ListMcpResourcesTool", "ReadMcpResourceTool", "ReadMcpResourceDirTool"],
        arguments: &[("server", Use::Asks)],
        bare: Bare::Harmless,
    },
    Tool { names: HARMLESS, arguments: &[], bare: Bare::Harmless },
];

/// Tools that talk to the user or to other agents of the same session, whose own calls come by here, those that keep lists,
/// plans and schedules of prompts, and the one that searches the web.
const HARMLESS: &[&str] = &[
    "Agent",
    "AskUserQuestion",
    "BashOutput",
    "CronCreate",
    "CronDelete",
    "CronList",
    "EndConversation",
    "EnterPlanMode",
    "EnterWorktree",
    "ExitPlanMode",
    "ExitWorktree",
    "KillBash",
    "KillShell",
    "ListAgents",
    "PushNotification",
    "ReportFindings",
    "ScheduleWakeup",
    "SendMessage",
    "SendUserMessage",
    "Skill",
    "SlashCommand",
    "StructuredOutput",
    "SubagentHandback",
    "Task",
    "TaskCreate",
    "TaskGet",
    "TaskList",
    "TaskOutput",
    "TaskStop",
    "TaskUpdate",
    "TeamCreate",
    "TeamDelete",
    "TodoRead",
    "TodoWrite",
    "ToolSearch",
    "WaitForMcpServers",
    "WebSearch",
    "Workflow",
];

/// A call of a tool, and where it is made.
pub struct Call<'a> {
    /// Name of the tool.
    pub tool: &'a str,
    /// Its arguments.
    pub input: &'a Object,
    /// What the agent says of the MCP server, if the tool is one's.
    pub server: Option<&'a McpServer>,
    /// The working directory.
    pub directory: &'a Path,
    /// The roots of the project's repository.
    pub roots: &'a Roots,
}

/// What a call asks for.
pub enum Asked {
    /// Nothing the policy speaks about.
    Nothing,
    /// Something that is decided.
    Judged(Judged),
}

/// What is decided of a call.
#[derive(Default)]
pub struct Judged {
    /// Actions, all of which are done.
    pub actions: Vec<ActionRequest>,
    /// What else is done, for which no action stands.
    pub noted: Vec<Noted>,
    /// Addresses that are fetched.
    pub fetched: Vec<String>,
    /// A search through a directory.
    pub search: Option<Search>,
    /// Why nothing of it is allowed outright.
    pub doubt: Option<&'static str>,
}

/// What a call asks for.
///
/// # Errors
/// The call does not say what it is about.
pub fn asked(call: &Call<'_>) -> anyhow::Result<Asked> {
    if call.tool.is_empty() {
        bail!("the event names no tool");
    }
    if let Some(name) = call.tool.strip_prefix("mcp__") {
        return Ok(Asked::Judged(Judged { actions: mcp_call::actions(name, call)?, ..Judged::default() }));
    }
    let Some(tool) = TOOLS.iter().find(|tool| tool.names.contains(&call.tool)) else {
        let noted = vec![Noted::unknown_tool(call.tool, call.input)];
        return Ok(Asked::Judged(Judged { noted, ..Judged::default() }));
    };
    let mut judged = Judged::default();
    let mut given = false;
    for (names, usage) in tool.arguments {
        let values = values(call.input, names)?;
        given |= !values.is_empty() || matches!(usage, Use::Searches | Use::Lists);
        judged.add(*usage, &values, call)?;
    }
    Ok(match (given, tool.bare) {
        (true, _) => Asked::Judged(judged),
        (false, Bare::Harmless) => Asked::Nothing,
        (false, Bare::Broken(why)) => bail!(why),
    })
}

impl Judged {
    fn add(&mut self, usage: Use, values: &[&str], call: &Call<'_>) -> anyhow::Result<()> {
        match usage {
            Use::Reads => self.files(ActionType::ReadFile, values, None, call),
            Use::Writes => self.files(ActionType::WriteFile, values, written_text(call.input).as_deref(), call),
            Use::Lists => self.files(ActionType::ReadFile, &or_here(values), None, call),
            Use::Searches => {
                for place in or_here(values) {
                    let search = Search::of(call.input, &call.directory.join(place), call.directory);
                    let named = search.named(place);
                    self.files(ActionType::ReadFile, &[&[place][..], &texts(&named)].concat(), None, call);
                    self.search = Some(search);
                }
            }
            Use::Runs => self.actions.extend(values.iter().map(|text| command(text))),
            Use::RunsUnread => {
                self.actions.extend(values.iter().map(|text| command(text)));
                self.doubt = Some("cavra does not read the language of this shell");
            }
            Use::Fetches => self.fetched.extend(values.iter().map(|url| (*url).to_owned())),
            Use::Asks => {
                for server in values {
                    self.actions.extend(mcp_call::resources(server, call)?);
                }
            }
        }
        Ok(())
    }

    fn files(&mut self, action_type: ActionType, paths: &[&str], content: Option<&str>, call: &Call<'_>) {
        for path in paths {
            self.actions.extend(call.names(path).into_iter().map(|name| ActionRequest {
                target: Some(name),
                content: content.map(ToOwned::to_owned),
                ..ActionRequest::of(action_type)
            }));
        }
    }
}

impl Call<'_> {
    /// Every name under which policy should see a file that the call names.
    pub fn names(&self, path: &str) -> Vec<String> {
        self.roots.names(&self.directory.join(path))
    }
}

fn or_here<'a>(values: &[&'a str]) -> Vec<&'a str> {
    if values.is_empty() { vec!["."] } else { values.to_vec() }
}

fn texts(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

fn command(text: &str) -> ActionRequest {
    ActionRequest { target: Some(text.to_owned()), ..ActionRequest::of(ActionType::ExecuteCommand) }
}

/// The texts of an argument that may have several names, and be a list. Empty ones are none.
fn values<'a>(input: &'a Object, names: &str) -> anyhow::Result<Vec<&'a str>> {
    let mut values = Vec::new();
    for name in names.split('|') {
        let items = match input.get(name) {
            None | Some(Value::Null) => continue,
            Some(Value::Array(items)) => items.as_slice(),
            Some(single) => std::slice::from_ref(single),
        };
        for item in items {
            values.push(item.as_str().with_context(|| format!("`{name}` of the event is no text"))?);
        }
    }
    values.retain(|value| !value.is_empty());
    Ok(values)
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(tool: &str, input: &Value) -> anyhow::Result<Asked> {
        let project = Path::new("/nowhere/project");
        let roots = Roots::new(project, project);
        asked(&Call { tool, input: input.as_object().unwrap(), server: None, directory: project, roots: &roots })
    }

    fn targets(tool: &str, input: &Value) -> Vec<String> {
        match of(tool, input).unwrap() {
            Asked::Judged(judged) => {
                let target = |action: ActionRequest| action.target.or(action.server).unwrap();
                let noted = |noted: Noted| format!("{} {}", noted.finding.rule_id, noted.subject.target);
                let fetched = judged.fetched.into_iter().map(|url| format!("fetch {url}"));
                let actions = judged.actions.into_iter().map(target);
                actions.chain(judged.noted.into_iter().map(noted)).chain(fetched).collect()
            }
            Asked::Nothing => vec!["nothing".into()],
        }
    }

    #[test]
    fn tools_become_actions() {
        for (tool, input, expected) in [
            ("Read", json!({"file_path": "/nowhere/project/.env"}), &[".env"][..]),
            ("Write", json!({"file_path": "a/b", "content": "x"}), &["a/b"]),
            ("NotebookEdit", json!({"notebook_path": "a.ipynb", "new_source": "x"}), &["a.ipynb"]),
            ("LSP", json!({"operation": "hover", "filePath": "src/a.rs", "line": 1}), &["src/a.rs"]),
            ("LSP", json!({"operation": "workspaceSymbol"}), &["nothing"]),
            ("SendUserFile", json!({"files": ["a", "b"]}), &["a", "b"]),
            ("Artifact", json!({"file_path": "page.html"}), &["page.html"]),
            ("Bash", json!({"command": "ls"}), &["ls"]),
            ("PowerShell", json!({"command": "ls"}), &["ls"]),
            ("Monitor", json!({"command": "tail -f log", "description": "d"}), &["tail -f log"]),
            ("WebFetch", json!({"url": "https://a.example/"}), &["fetch https://a.example/"]),
            ("Grep", json!({"pattern": "x", "path": "src", "glob": ".env"}), &["src", "src/.env"]),
            ("Grep", json!({"pattern": "x", "path": "src", "glob": "!.env"}), &["src"]),
            ("Glob", json!({"pattern": "**/*.rs", "path": "src"}), &["src"]),
            ("mcp__github__create_issue", json!({}), &["github"]),
            ("ReadMcpResourceTool", json!({"server": "docs", "uri": "a://b"}), &["docs"]),
            ("ListMcpResourcesTool", json!({}), &["nothing"]),
            ("TodoWrite", json!({}), &["nothing"]),
            ("Teleport", json!({}), &["agent.tool.unknown Teleport"]),
            ("RemoteTrigger", json!({"action": "run"}), &["agent.tool.unknown RemoteTrigger"]),
        ] {
            assert_eq!(targets(tool, &input), expected, "{tool} {input}");
        }
        assert_eq!(targets("Read", &json!({"file_path": "/etc/shadow"}))[0], "/etc/shadow");
    }

    #[test]
    fn every_tool_has_one_row() {
        let mut names: Vec<&str> = TOOLS.iter().flat_map(|tool| tool.names).copied().collect();
        names.sort_unstable();
        let listed = names.len();
        names.dedup();
        assert_eq!(names.len(), listed);
    }

    #[test]
    fn events_without_their_subject_are_errors() {
        for (tool, input) in [
            ("Read", json!({})),
            ("Read", json!({"file_path": ""})),
            ("Write", json!({"file_path": ["a", 5]})),
            ("Bash", json!({"command": 5})),
            ("Monitor", json!({"description": "d"})),
            ("WebFetch", json!({"prompt": "p"})),
            ("mcp____x", json!({})),
            ("", json!({})),
        ] {
            assert!(of(tool, &input).is_err(), "{tool}");
        }
    }
}
