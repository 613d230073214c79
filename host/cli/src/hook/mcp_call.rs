//! Calls of MCP servers, as an agent reports them: which server it is, and what the call does.
//!
//! The name in the tool is a text with which others can be imitated, and what the agent reports beside it is not always
//! there. Both have to agree; else the call is that of a server which no policy can have named.

use std::path::Path;

use anyhow::{Context as _, ensure};
use cavra_core::check_id;
use cavra_model::ActionType;
use cavra_model::members::filled;
use cavra_normalize::{ActionRequest, Argument, ArgumentUse, clean_path, told_by_arguments};
use serde::Deserialize;
use serde_json::Value;

use super::tools::Call;
use crate::setup::agents::{AGENTS, Base};

/// The agent whose events these are.
const CLAUDE_CODE: &str = "claude-code";

/// Most ways of reading a tool's name that are judged.
const MOST_READINGS: usize = 8;

/// What the agent says of the server.
#[derive(Deserialize)]
pub struct McpServer {
    name: String,
    /// Who brought it: `plugin`, `project`, `user` and so on.
    #[serde(default)]
    source: Option<String>,
}

/// The actions of a call; `name` is that of the tool without `mcp__`.
///
/// # Errors
/// The name has no server or no tool.
pub fn actions(name: &str, call: &Call<'_>) -> anyhow::Result<Vec<ActionRequest>> {
    let arguments = Value::Object(call.input.clone());
    let definition = call.server.and_then(|server| server.definition(call.directory));
    let mut actions = Vec::new();
    for (server, tool) in identities(name, call.server)? {
        let definition = definition.clone();
        actions.push(ActionRequest { definition, ..call_of(&server, &tool, &arguments)? });
        for file in named_files(&server, &tool, &arguments, call)? {
            if !actions.contains(&file) {
                actions.push(file);
            }
        }
    }
    Ok(actions)
}

/// The files in the arguments under the names that only the disk tells: relative to the project, and behind links. Under
/// the name that is written they are judged with the call.
fn named_files(server: &str, tool: &str, arguments: &Value, call: &Call<'_>) -> anyhow::Result<Vec<ActionRequest>> {
    let mut files = Vec::new();
    for Argument { usage, value, .. } in told_by_arguments(server, tool, arguments)? {
        let action_type = match usage {
            ArgumentUse::Reads => ActionType::ReadFile,
            ArgumentUse::Writes => ActionType::WriteFile,
            ArgumentUse::Runs | ArgumentUse::Pushes | ArgumentUse::Fetches => continue,
        };
        let further = call.names(&value).into_iter().filter(|name| clean_path(name) != clean_path(&value));
        files.extend(further.map(|name| ActionRequest { target: Some(name), ..ActionRequest::of(action_type) }));
    }
    Ok(files)
}

/// The actions of a call that reads what a server offers.
///
/// # Errors
/// The name cannot be one.
pub fn resources(server: &str, call: &Call<'_>) -> anyhow::Result<Vec<ActionRequest>> {
    let tool = if filled(call.input, "uri").is_some() { "resources/read" } else { "resources/list" };
    let arguments = Value::Object(call.input.clone());
    let definition = McpServer { name: server.to_owned(), source: None }.definition(call.directory);
    let mut actions = vec![ActionRequest { definition, ..call_of(server, tool, &arguments)? }];
    actions.extend(named_files(server, tool, &arguments, call)?);
    Ok(actions)
}

fn call_of(server: &str, tool: &str, arguments: &Value) -> anyhow::Result<ActionRequest> {
    check_id("server", server)?;
    check_id("tool", tool)?;
    Ok(ActionRequest {
        server: Some(server.to_owned()),
        tool: Some(tool.to_owned()),
        arguments: Some(arguments.to_string()),
        ..ActionRequest::of(ActionType::McpToolCall)
    })
}

/// Server and tool. Without a report, every place where the name can be divided is a reading, and all of them are
/// judged.
fn identities(name: &str, reported: Option<&McpServer>) -> anyhow::Result<Vec<(String, String)>> {
    let readings = divisions(name);
    let (first, tool) = readings.first().context("the MCP tool's name has no server or no tool")?;
    ensure!(readings.len() <= MOST_READINGS, "the MCP tool's name can be read in too many ways");
    let Some(reported) = reported else {
        return Ok(readings.iter().map(|(server, tool)| ((*server).to_owned(), (*tool).to_owned())).collect());
    };
    let agreed = readings.iter().find_map(|(server, tool)| Some((reported.called(server)?, (*tool).to_owned())));
    // No policy names a server like that, so it is judged as one that nobody registered.
    let imitated = || (format!("{first} (reported as {})", reported.shown()), (*tool).to_owned());
    Ok(vec![agreed.unwrap_or_else(imitated)])
}

/// Every way to divide `server__tool`.
fn divisions(name: &str) -> Vec<(&str, &str)> {
    let at = |place: usize| Some((name.get(..place)?, name.get(place + 2..)?));
    let places = (0..name.len()).filter(|place| name.get(*place..).is_some_and(|rest| rest.starts_with("__")));
    places.filter_map(at).filter(|(server, tool)| !server.is_empty() && !tool.is_empty()).collect()
}

impl McpServer {
    /// The digest of how it is started or reached, by the agent's own files of the source that is reported.
    fn definition(&self, directory: &Path) -> Option<String> {
        let bases: &[Base] = match self.source() {
            "project" => &[Base::Project],
            "user" => &[Base::Home],
            "managed" | "enterprise" => &[Base::Root],
            "" => &[Base::Project, Base::Home, Base::Root],
            // Plugins and servers of one directory alone are described elsewhere.
            _ => return None,
        };
        let project = std::env::current_dir().unwrap_or_else(|_| directory.to_owned());
        AGENTS.iter().find(|agent| agent.name == CLAUDE_CODE)?.definition(&self.name, bases, &project)
    }

    fn source(&self) -> &str {
        self.source.as_deref().unwrap_or_default()
    }

    fn shown(&self) -> String {
        match self.source() {
            "" => self.name.clone(),
            source => format!("{source}:{}", self.name),
        }
    }

    /// What policies call the server whose tools have this name in front, if it is the reported one: its name with its
    /// source in front, and between them the plugin that brought it.
    fn called(&self, in_tool: &str) -> Option<String> {
        let name = in_names(&self.name);
        if !self.source().starts_with("plugin") {
            return (in_tool == name || in_tool == in_names(&self.shown())).then(|| self.shown());
        }
        // The whole name is reported, `plugin:Notion:notion`, or the last part of it.
        for whole in [self.name.clone(), self.shown()] {
            if whole.matches(':').count() >= 2 && in_tool == in_names(&whole) {
                return Some(whole);
            }
        }
        let plugin = in_tool.strip_prefix("plugin_")?.strip_suffix(&name)?.strip_suffix('_')?;
        (self.source() == "plugin" && !plugin.is_empty()).then(|| format!("plugin:{plugin}:{}", self.name))
    }
}

/// A server's name as it stands in the names of its tools.
fn in_names(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identified(name: &str, server: Option<(&str, Option<&str>)>) -> Vec<String> {
        let server = server.map(|(name, source)| McpServer { name: name.into(), source: source.map(Into::into) });
        let identities = identities(name, server.as_ref()).unwrap();
        identities.into_iter().map(|(server, tool)| format!("{server} {tool}")).collect()
    }

    #[test]
    fn names_and_reports_have_to_agree() {
        let plugin = Some("plugin");
        let project = Some("project");
        for (name, server, identity) in [
            ("github__x", None, &["github x"][..]),
            ("my__server__tool", None, &["my server__tool", "my__server tool"]),
            ("a___b", None, &["a _b", "a_ b"]),
            ("my__server__tool", Some(("my__server", None)), &["my__server tool"]),
            ("my_server__tool", Some(("my server", project)), &["project:my server tool"]),
            ("github__x", Some(("github", project)), &["project:github x"]),
            ("github__x", Some(("evil", plugin)), &["github (reported as plugin:evil) x"]),
            ("github__x", Some(("evil", project)), &["github (reported as project:evil) x"]),
            ("github__x", Some(("github", plugin)), &["github (reported as plugin:github) x"]),
            ("plugin_Notion_notion__x", Some(("notion", plugin)), &["plugin:Notion:notion x"]),
            ("plugin_Notion_notion__x", Some(("plugin:Notion:notion", plugin)), &["plugin:Notion:notion x"]),
            ("plugin_Notion_notion__x", Some(("notion", Some("plugin:Notion"))), &["plugin:Notion:notion x"]),
            (
                "plugin_Notion_notion__x",
                Some(("notion", project)),
                &["plugin_Notion_notion (reported as project:notion) x"],
            ),
            ("plugin_a_github__x", Some(("hub", plugin)), &["plugin_a_github (reported as plugin:hub) x"]),
        ] {
            assert_eq!(identified(name, server), identity, "{name} {server:?}");
        }
        for nameless in ["", "__x", "server", "server__", "___"] {
            assert!(identities(nameless, None).is_err(), "{nameless}");
        }
        assert!(identities(&"__a".repeat(20), None).is_err());
    }
}
