//! Claude Code's `PreToolUse`. docs/reference/agent-hooks-and-mcp.md, "Claude Code"; docs/reference/decisions-and-policy.md, section 13.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use cavra_core::{PROJECT_POLICY, Project, Roots, check_id, cleaned, project_around};
use cavra_model::{ActionType, Context, DecisionRecord, Object, Outcome, read_json};
use serde::Deserialize;
use serde_json::Value;

use super::answer::Stage;
use super::judge::{Subjects, strictest};
use super::mcp_call::McpServer;
use super::noted::Noted;
use super::projection::{CLAUDE_CODE, Reply, Told};
use super::tools::{Asked, Call, asked};
use crate::args::PackArg;
use crate::local::in_directory;
use crate::output::explain;

/// Why a search is not allowed of which not every file was judged.
const TOO_MANY: &str = "the search reads more files than can be judged in time; search a smaller directory";

/// What is left where nobody can be asked about a call that cannot be judged.
const BY_HAND: &str = "a person has to do it";

/// The event, as far as it is needed.
#[derive(Deserialize)]
struct Event {
    /// docs/reference/decisions-and-policy.md, section 13 does not name it: an event without it is the one the hook is for.
    #[serde(default)]
    hook_event_name: Option<String>,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    cwd: Option<PathBuf>,
    /// Which of the session's agents acts; absent for the first one.
    #[serde(default)]
    agent_id: Option<String>,
    #[serde(default)]
    tool_use_id: Option<String>,
    #[serde(default)]
    tool_name: String,
    #[serde(default)]
    tool_input: Object,
    /// A text where it is one that is known; whatever else it is, nobody may be asked.
    #[serde(default)]
    permission_mode: Option<Value>,
    #[serde(default)]
    mcp_server: Option<McpServer>,
}

/// Answers an event.
pub fn answer(event: &[u8], pack: &PackArg, stage: &Stage) -> anyhow::Result<Reply> {
    let event = read_json(event).map_err(anyhow::Error::from).and_then(|event| Ok(serde_json::from_value(event)?));
    let event: Event = event.context("the event is not a Claude Code hook event")?;
    if event.hook_event_name.as_deref().is_some_and(|name| name != "PreToolUse") {
        return Ok(CLAUDE_CODE.reply(Told::NoObjection, ""));
    }
    let project = enter_project(&event)?;
    let pack = &policy(pack, &project)?;
    let directory = &event.cwd.as_ref().map_or_else(|| project.clone(), |cwd| project.join(cwd));
    let roots = Roots::new(&project, directory);
    let call = Call {
        tool: &event.tool_name,
        input: &event.tool_input,
        server: event.mcp_server.as_ref(),
        directory,
        roots: &roots,
    };
    let context = context(&event, &project)?;
    let judged = match asked(&call) {
        Ok(Asked::Nothing) => return Ok(CLAUDE_CODE.reply(Told::NoObjection, "")),
        Ok(Asked::Judged(judged)) => judged,
        Err(error) => {
            let refused = Noted::refused(&event.tool_name, &event.tool_input, &explain(&error));
            let subjects = Subjects { noted: vec![refused], ..Subjects::default() };
            // It is refused whether that can be recorded or not.
            if let Err(unrecorded) = strictest(subjects, &context, pack, stage) {
                tracing::warn!(error = %explain(&unrecorded), "a refusal is not recorded");
            }
            return Err(error);
        }
    };
    let mut searched = None;
    let mut doubt = judged.doubt;
    if let Some(search) = &judged.search {
        stage.enter(format!("looking for the files that a search of {} reads", search.directory.display()));
        let found = searched.insert(search.files(&roots)?);
        // Where nothing is, nothing is found; but of a whole project that is not there nothing is known either.
        let elsewhere = !project.is_dir() && !search.directory.exists();
        let unseen = elsewhere.then_some("the project is not here, so the files that the search reads are not known");
        doubt = doubt.or(found.more.then_some(TOO_MANY)).or(unseen);
    }
    let read = searched.as_ref().map_or(&[][..], |searched| &searched.names);
    let at = in_directory(directory, Some(&project));
    let (actions, noted, fetched) = (judged.actions, judged.noted, judged.fetched);
    let subjects = Subjects { actions, noted, fetched, read, at };
    let judgement = strictest(subjects, &context, pack, stage)?;
    let record = &judgement.strictest;
    let enforced = record.effective();
    doubt = doubt.or(judgement.protected.more.then_some(TOO_MANY));
    if let Some(doubt) = doubt.filter(|_| enforced.strictness() < Outcome::RequireApproval.strictness()) {
        return Ok(to_approve(&event, &format!("{doubt} ({})", record.decision_id), BY_HAND));
    }
    let mut reason = format!(
        "{} ({}, {})",
        record.reason.as_deref().unwrap_or("decided by policy"),
        record.rule_id,
        record.decision_id
    );
    if let Some(search) = judged.search.filter(|_| enforced != Outcome::Allow) {
        reason = search.refused(&judgement.protected, read, &record.target, reason);
    }
    Ok(match enforced {
        Outcome::Block => CLAUDE_CODE.refusal(&reason),
        Outcome::RequireApproval => to_approve(&event, &reason, &way_to_approval(record)),
        _ if judgement.permitted => CLAUDE_CODE.reply(Told::Allow, &reason),
        _ => CLAUDE_CODE.reply(Told::NoObjection, &reason),
    })
}

/// The answer that a person has to approve.
fn to_approve(event: &Event, reason: &str, way: &str) -> Reply {
    let mode = event.permission_mode.as_ref().map(|mode| mode.as_str().unwrap_or("unknown"));
    let started_as = std::env::var("CLAUDE_CODE_ENTRYPOINT").ok();
    CLAUDE_CODE.approval(CLAUDE_CODE.attended(mode, started_as.as_deref()), reason, way)
}

/// How the approval of a decision is come by where nobody can be asked. A call that no action stands for has none.
fn way_to_approval(record: &DecisionRecord) -> String {
    if record.action_type.parse::<ActionType>().is_err() {
        return BY_HAND.to_owned();
    }
    let project = std::env::current_dir().ok().and_then(|here| Project::find(&here).ok()?);
    let server = project.and_then(|project| project.config?.server).map(|server| format!(", or at {server}"));
    format!(
        "ask a person to approve it (`cavra approval create {}`, then `cavra approval approve`{}), and try exactly this \
         again",
        record.decision_id,
        server.unwrap_or_default()
    )
}

/// The policy of a command line that names the project's by a variable which only Claude Code sets, where another agent
/// runs it.
fn policy(pack: &PackArg, project: &Path) -> anyhow::Result<PackArg> {
    let unset = std::env::var_os("CLAUDE_PROJECT_DIR").is_none_or(|path| path.is_empty());
    let nowhere = Path::new("/").join(PROJECT_POLICY);
    if !unset || pack.policy_file.as_deref() != Some(&nowhere) || nowhere.exists() {
        return Ok(pack.clone());
    }
    let own = project.join(PROJECT_POLICY);
    ensure!(
        own.exists(),
        "CLAUDE_PROJECT_DIR is not set, and there is no {PROJECT_POLICY} in {} and above it",
        project.display()
    );
    Ok(PackArg { policy_file: Some(own), ..pack.clone() })
}

/// The project's root: what the agent says it is, else the one around the directory in which it works. Stores and packs are
/// found relative to it. A working directory that is not on this disk is not entered, and paths in it are judged by their
/// names; then stores and packs are those of the place where the hook was started, the default pack if there are none.
fn enter_project(event: &Event) -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("CLAUDE_PROJECT_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(directory) = named {
        std::env::set_current_dir(directory).context("the directory in CLAUDE_PROJECT_DIR cannot be entered")?;
        return std::env::current_dir().context("there is no working directory");
    }
    let here = event.cwd.as_deref().unwrap_or(Path::new("."));
    let absolute = std::path::absolute(here).context("the event's directory cannot be understood")?;
    match std::env::set_current_dir(&absolute) {
        Err(error) if error.kind() == ErrorKind::NotFound && event.cwd.is_some() => return Ok(cleaned(&absolute)),
        entered => entered.context("the event's directory cannot be entered")?,
    }
    let project = project_around(&std::env::current_dir().context("there is no working directory")?);
    std::env::set_current_dir(&project).context("the project directory cannot be entered")?;
    Ok(project)
}

fn context(event: &Event, project: &Path) -> anyhow::Result<Context> {
    let mut context = Context { agent_id: CLAUDE_CODE.agent.to_owned(), ..Context::default() };
    if let Some(session) = event.session_id.as_ref().filter(|session| !session.is_empty()) {
        check_id("session_id", session)?;
        context.session_id.clone_from(session);
    }
    for (name, told, kept) in [
        ("tool_use_id", &event.tool_use_id, &mut context.tool_use_id),
        ("agent_id", &event.agent_id, &mut context.agent_instance_id),
    ] {
        if let Some(id) = told.as_ref().filter(|id| !id.is_empty()) {
            check_id(name, id)?;
            *kept = Some(id.clone());
        }
    }
    if let Some(name) = project.file_name().and_then(|name| name.to_str()).filter(|name| check_id("cwd", name).is_ok())
    {
        name.clone_into(&mut context.repository);
    }
    Ok(context)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever arrives, only a parsed event can be answered with anything but an error.
        #[test]
        fn arbitrary_bytes_are_never_allowed(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let pack = PackArg { policy_pack: Some("no-such-pack".into()), policy_file: None };
            if let Ok(reply) = answer(&bytes, &pack, &Stage::default()) {
                prop_assert!(!reply.text.contains("\"allow\""));
            }
        }
    }
}
