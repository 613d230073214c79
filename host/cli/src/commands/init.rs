//! `cavra init <agent>`: merges cavra into what the agent's configuration already holds, and says where nothing would be
//! guarded.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use cavra_artifacts::keep_out_of_version_control;
use cavra_core::{GitTree, PROJECT_CONFIG, PROJECT_POLICY};
use cavra_model::{ActionType, Outcome};
use cavra_normalize::ActionRequest;
use jsonc_parser::cst::{CstInputValue, CstNode};
use serde_json::{Value, json};

use super::policy::write_starter;
use crate::args::{InitArgs, Json};
use crate::local::Local;
use crate::output::{print_json, print_line};
use crate::setup::claude_code::{MCP_CONFIG, SETTINGS};
use crate::setup::document::{Document, copy, input, object, value};
use crate::setup::settings::{hooks_of, is_our_entry, sees_every_tool, survey, version_findings};
use crate::setup::{Finding, Level, canary, guards};

/// Seconds the agent waits for the hook; the hook's own deadline lies before.
const HOOK_TIMEOUT: u64 = 10;

/// Stores of a new project: the key in its settings, where there may be records already, and the place that stays fast.
const DEFAULT_STORES: [(&str, &[&str], &str); 2] = [
    ("activity", &[".cavra/api/activity.json"], ".cavra/api/activity.db"),
    ("approvals", &[".cavra/approvals.json", ".cavra/api/approvals.json"], ".cavra/api/approvals.db"),
];

pub fn claude_code(args: &InitArgs) -> anyhow::Result<ExitCode> {
    let mut findings = enter_root(args)?;
    if let Some(pack) = &args.policy_pack {
        let local = Local::from_env()?;
        local.load(&*local.named(pack)?)?;
    }
    let program = program()?;
    if program != "cavra" {
        findings.push(Finding::new(
            ("not_on_path", Level::Note),
            "cavra",
            "it is not on the PATH, so its whole path was written into the configuration",
            "Put it on the PATH before you share these files",
        ));
    }
    // Everything that can be refused is read before anything is written.
    let mut changed = vec![(MCP_CONFIG, with_mcp_server(&program)?)];
    if !args.no_hook {
        changed.push((SETTINGS, with_hook(&program)?));
    }
    let mut written = project_files(args)?;
    for (path, document) in changed {
        if document.write()? {
            written.push(path);
        }
    }
    if !args.no_hook {
        findings.extend(hook_findings()?);
    }
    findings.extend(denied_servers());
    report(args.json, &written, &findings)?;
    Ok(if guards(&findings) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Goes to the top of the repository, where the agent looks for its settings, unless told to stay.
fn enter_root(args: &InitArgs) -> anyhow::Result<Vec<Finding>> {
    let here = std::env::current_dir().context("there is no working directory")?;
    let top = GitTree::around(&here).map(|tree| tree.top).filter(|top| *top != here && !args.here);
    let Some(top) = top else { return Ok(Vec::new()) };
    std::env::set_current_dir(&top).with_context(|| format!("cannot enter {}", top.display()))?;
    Ok(vec![Finding::new(
        ("at_the_root", Level::Note),
        top.display().to_string(),
        "this is the top of the repository, so it was set up here",
        "Use `--here` to set up the directory you are in",
    )])
}

/// What starts cavra: its name where the PATH leads to a cavra, else this program's path.
fn program() -> anyhow::Result<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| is_program(&folder.join("cavra"))) {
        return Ok("cavra".to_owned());
    }
    let own = std::env::current_exe().context("this program does not know where it is")?;
    own.into_os_string().into_string().map_err(|path| anyhow::anyhow!("{} is not text", PathBuf::from(path).display()))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The configuration with our MCP server. Of an entry that is there everything stays but how something else was started.
fn with_mcp_server(program: &str) -> anyhow::Result<Document> {
    let mut document = Document::read(Path::new(MCP_CONFIG))?;
    let start = [("command", json!(program)), ("args", json!(["mcp-server"]))];
    let environment = json!({ "CAVRA_POLICY": PROJECT_POLICY });
    let Some(entry) = document.at(&["mcpServers", "cavra"]) else {
        let [command, arguments] = start;
        document.add(&["mcpServers", "cavra"], object(&[command, arguments, ("env", environment)]))?;
        return Ok(document);
    };
    let before = value(&entry);
    let starts_us = before.get("command").is_some_and(Value::is_string)
        && before.pointer("/args/0").is_some_and(|argument| argument == "mcp-server");
    for (name, wanted) in start.into_iter().filter(|_| !starts_us) {
        match entry.as_object().and_then(|entry| entry.get(name)) {
            Some(member) => member.set_value(input(&wanted)),
            None => document.add(&["mcpServers", "cavra", name], input(&wanted))?,
        }
    }
    if before.pointer("/env/CAVRA_POLICY").is_none() {
        document.add(&["mcpServers", "cavra", "env", "CAVRA_POLICY"], input(&json!(PROJECT_POLICY)))?;
    }
    Ok(document)
}

/// The settings with the hook. One that is there for some tools is moved to where it sees all: beside a second one it would
/// record everything twice.
fn with_hook(program: &str) -> anyhow::Result<Document> {
    let mut document = Document::read(Path::new(SETTINGS))?;
    let place = ["hooks", "PreToolUse"];
    let groups = document.at(&place).and_then(|groups| groups.as_array()).map(|groups| groups.elements());
    let groups = groups.unwrap_or_default();
    let is_installed = |group: &Value| sees_every_tool(group) && hooks_of(group).any(is_our_entry);
    if groups.iter().map(value).any(|group| is_installed(&group)) {
        return Ok(document);
    }
    let mut moved = None;
    for group in groups {
        let Some(entries) = group.as_object().and_then(|group| group.array_value("hooks")) else { continue };
        let (ours, others): (Vec<_>, Vec<_>) =
            entries.elements().into_iter().partition(|entry| is_our_entry(&value(entry)));
        let Some(first) = ours.first() else { continue };
        moved.get_or_insert_with(|| copy(first));
        if others.is_empty() {
            group.remove();
        } else {
            ours.into_iter().for_each(CstNode::remove);
        }
    }
    let entry = moved.unwrap_or_else(|| {
        object(&[
            ("type", json!("command")),
            ("command", json!(hook_command(program))),
            ("timeout", json!(HOOK_TIMEOUT)),
            ("onFailure", json!("block")),
        ])
    });
    let group = CstInputValue::Object(vec![
        ("matcher".to_owned(), input(&json!("*"))),
        ("hooks".to_owned(), CstInputValue::Array(vec![entry])),
    ]);
    // A list that is not there yet is added with its first item.
    let is_list = document.at(&place).is_some();
    document.add(&place, if is_list { group } else { CstInputValue::Array(vec![group]) })?;
    Ok(document)
}

/// What the hook's entry runs, through a shell. The hook finds the project and its policy itself.
fn hook_command(program: &str) -> String {
    let plain = program.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte));
    let program = if plain { program.to_owned() } else { format!("'{}'", program.replace('\'', r"'\''")) };
    format!("{program} hook claude-code")
}

/// The project's own files that are missing.
fn project_files(args: &InitArgs) -> anyhow::Result<Vec<&'static str>> {
    fs::create_dir_all(".cavra/session").context("cannot create .cavra/session")?;
    let mut written = Vec::new();
    let ignored = keep_out_of_version_control(Path::new(".cavra")).context("cannot write .cavra/.gitignore")?;
    written.extend(ignored.then_some(".cavra/.gitignore"));
    if write_starter(Path::new(PROJECT_POLICY), args.policy_pack.as_deref())? {
        written.push(PROJECT_POLICY);
    }
    if !Path::new(PROJECT_CONFIG).exists() {
        cavra_evidence::write_file(Path::new(PROJECT_CONFIG), config())?;
        written.push(PROJECT_CONFIG);
    }
    Ok(written)
}

/// The settings of the project: stores that stay fast, unless there are records in others.
fn config() -> String {
    let mut text =
        "# What cavra's server, hooks and commands share in this project. Paths start where the folder .cavra is.\n\
                    policy: .cavra/policy.yaml\nstores:\n"
            .to_owned();
    for (key, older, place) in DEFAULT_STORES {
        let place = older.iter().find(|older| Path::new(older).exists()).unwrap_or(&place);
        text.push_str(&format!("  {key}: {place}\n"));
    }
    text
}

/// Whether the hook guards, as far as that can be seen and tried.
fn hook_findings() -> anyhow::Result<Vec<Finding>> {
    let project = std::env::current_dir().context("there is no working directory")?;
    let surveyed = survey();
    let mut findings = surveyed.findings;
    findings.extend(surveyed.installed.iter().flat_map(|installed| canary::send(installed, &project, true)));
    findings.extend(version_findings());
    Ok(findings)
}

/// MCP servers of the project that the policy blocks from now on.
fn denied_servers() -> Vec<Finding> {
    let Ok(document) = Document::read(Path::new(MCP_CONFIG)) else { return Vec::new() };
    let document = document.value();
    let servers = document.get("mcpServers").and_then(Value::as_object).into_iter().flatten();
    let judged = || {
        let local = Local::from_env()?;
        let pack = local.file(Path::new(PROJECT_POLICY))?;
        let blocked = |server: &str| {
            let call = ActionRequest { server: Some(server.to_owned()), ..ActionRequest::of(ActionType::McpToolCall) };
            anyhow::Ok(local.decide_action(call, &pack)?.decision == Outcome::Block)
        };
        let mut denied = Vec::new();
        for (server, _) in servers {
            if blocked(server)? {
                denied.push(server.clone());
            }
        }
        anyhow::Ok(denied)
    };
    match judged() {
        Ok(denied) if denied.is_empty() => Vec::new(),
        Ok(denied) => vec![Finding::new(
            ("servers_denied", Level::Note),
            MCP_CONFIG,
            format!("calls to its servers {} are denied from now on", denied.join(", ")),
            format!(
                "To allow them, write `mcp: {{allowed_servers: [cavra, {}]}}` in {PROJECT_POLICY}",
                denied.join(", ")
            ),
        )],
        Err(error) => vec![Finding::new(
            ("policy_broken", Level::Broken),
            PROJECT_POLICY,
            format!("it cannot decide, so everything is refused: {error:#}"),
            "Mend it; `cavra policy validate` says what is wrong",
        )],
    }
}

fn report(format: Json, written: &[&str], findings: &[Finding]) -> anyhow::Result<()> {
    if format.json {
        return print_json(&json!({ "written": written, "guarded": guards(findings), "findings": findings }));
    }
    written.iter().try_for_each(|path| print_line(&format!("wrote {path}")))?;
    if written.is_empty() {
        print_line("cavra is set up here already")?;
    }
    findings.iter().try_for_each(|finding| print_line(&finding.line()))
}
