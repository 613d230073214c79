//! `cavra agent-report`: what is installed, configured and active of agents on this machine, as an inventory that the `linux`
//! normalizer reads. Files are named with their digests; nothing of what they hold is in it but names and
//! programs of MCP servers.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use cavra_core::project_around;
use cavra_model::{Digest, Timestamp, canonical};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::args::AgentReportArgs;
use crate::local::Local;
use crate::output::{print_json, print_line};
use crate::setup::agents::{AGENTS, Agent, ConfigFile, definition_digest, place, read};
use crate::setup::settings::survey;

/// Most MCP servers that one file names.
const SERVERS: usize = 256;

pub fn run(args: &AgentReportArgs) -> anyhow::Result<ExitCode> {
    let here = std::env::current_dir().context("there is no working directory")?;
    let project = project_around(&here);
    // The agents' own files are looked up from the project, as `cavra doctor` does.
    std::env::set_current_dir(&project).with_context(|| format!("cannot enter {}", project.display()))?;
    let report = report(args, &project)?;
    if args.json.json {
        print_json(&report)?;
    } else {
        print_line(&in_words(&report))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The report in a line: how many there are of each.
fn in_words(report: &Value) -> String {
    let endpoint = report.pointer("/endpoints/0").unwrap_or(&Value::Null);
    let text = |name: &str| endpoint.get(name).and_then(Value::as_str).unwrap_or_default();
    let count = |name: &str| endpoint.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    let servers = endpoint.get("mcp_servers").and_then(Value::as_array).into_iter().flatten();
    let unread = servers.filter(|server| server.get("unreadable").is_some()).count();
    let unread_files = if unread == 0 { String::new() } else { format!(", files not read: {unread}") };
    format!(
        "{}: cavra {}; agents: {}, hooks: {}, MCP servers: {}, policies: {}{unread_files}",
        text("endpoint_id"),
        text("installed_version"),
        count("agents"),
        count("hooks"),
        count("mcp_servers") - unread,
        count("policies")
    )
}

fn report(args: &AgentReportArgs, project: &Path) -> anyhow::Result<Value> {
    let hostname = kernel("hostname");
    let Some(id) = args.endpoint_id.as_ref().or(hostname.as_ref()) else {
        anyhow::bail!("this machine's name is not known; say it with --endpoint-id");
    };
    let program = std::env::current_exe().context("the program's own place is not known")?;
    let now = Timestamp::now().to_string();
    let mut endpoint = json!({
        "endpoint_id": id,
        "hostname": hostname,
        "os": std::env::consts::OS,
        "os_version": kernel("osrelease"),
        "installed_version": env!("CARGO_PKG_VERSION"),
        "binary_sha256": digest_of(&program).with_context(|| program.display().to_string())?,
        "last_seen_at": now,
        "project": project,
        "agents": AGENTS.iter().filter_map(|agent| seen(agent, project)).collect::<Vec<_>>(),
        "mcp_servers": AGENTS.iter().flat_map(|agent| servers(agent, project)).collect::<Vec<_>>(),
        "hooks": hooks(),
        "policies": policies()?,
    });
    if let (Some(target), Some(endpoint)) = (&args.deployment_target, endpoint.as_object_mut()) {
        endpoint.insert("deployment_target".to_owned(), json!(target));
    }
    Ok(json!({
        "schema_version": "cavra.agent-report.v1",
        "product": "CAVRA",
        "observed_at": now,
        "channel": args.channel,
        "endpoints": [endpoint],
    }))
}

/// What the kernel says of the machine.
fn kernel(name: &str) -> Option<String> {
    let said = std::fs::read_to_string(Path::new("/proc/sys/kernel").join(name)).ok()?;
    Some(said.trim().to_owned()).filter(|said| !said.is_empty())
}

/// An agent, if there is anything of it.
fn seen(agent: &Agent, project: &Path) -> Option<Value> {
    let program = in_path(agent.program);
    let files: Vec<Value> = agent.files.iter().filter_map(|file| configured(file, project)).collect();
    if program.is_none() && files.is_empty() {
        return None;
    }
    let program = program.map(|path| json!({ "path": path, "sha256": digest_of(&path).ok() }));
    Some(json!({ "agent": agent.name, "program": program, "configuration": files }))
}

/// A file that is there, with its digest.
fn configured(file: &ConfigFile, project: &Path) -> Option<Value> {
    let path = place(file, project)?;
    path.is_file().then(|| json!({ "path": path, "sha256": digest_of(&path).ok() }))
}

/// The MCP servers that an agent's files name.
fn servers(agent: &Agent, project: &Path) -> Vec<Value> {
    let mut found = Vec::new();
    for file in agent.files {
        let (Some(pointer), Some(path)) = (file.servers, place(file, project)) else { continue };
        if !path.is_file() {
            continue;
        }
        let Some(settings) = read(&path) else {
            // What is there and cannot be read is no empty list.
            found.push(json!({ "agent": agent.name, "path": path, "unreadable": true }));
            continue;
        };
        let named = settings.pointer(pointer).and_then(Value::as_object);
        found.extend(named.into_iter().flatten().take(SERVERS).map(|(name, definition)| {
            let program = definition.get("command").and_then(Value::as_str);
            json!({
                "agent": agent.name,
                "name": name,
                "path": path,
                "transport": if program.is_some() { "stdio" } else { "http" },
                "program": program.filter(|program| is_program(program)),
                "definition_sha256": definition_digest(definition),
            })
        }));
    }
    found
}

/// Whether a command is a program and nothing else; one with words or variables in it may hold a secret.
fn is_program(command: &str) -> bool {
    !command.contains([' ', '=']) || Path::new(command).is_file()
}

/// Where the hook of cavra is installed.
fn hooks() -> Vec<Value> {
    let installed = survey().installed;
    let hook = installed.iter().map(|hook| json!({ "path": hook.place, "every_tool": hook.sees_every_tool }));
    hook.collect()
}

/// The policies that are here, and which of them decides.
fn policies() -> anyhow::Result<Vec<Value>> {
    let local = Local::from_env()?;
    let packs = local.library().list();
    let default = cavra_model::PackName::default();
    let file = local.settings.policy_file.as_ref();
    let listed = packs.iter().map(|pack| {
        json!({
            "id": pack.id(),
            "version": pack.version(),
            "valid": pack.errors.is_empty(),
            "active": file.is_none() && pack.name == default,
            "sha256": Digest::of(canonical(&pack.document)).hex(),
        })
    });
    let mut policies: Vec<Value> = listed.collect();
    if let Some(file) = file {
        policies.push(json!({ "path": file, "active": true, "sha256": digest_of(file).ok() }));
    }
    Ok(policies)
}

/// The program of this name that a shell would start.
fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The SHA-256 of a file.
fn digest_of(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
    let mut piece = vec![0; 64 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            length => hasher.update(piece.get(..length).unwrap_or_default()),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
