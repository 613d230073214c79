//! `cavra agent …`: audited sessions of an agent's commands. docs/reference/decisions-and-policy.md, section 13; docs/reference/evidence-and-promotion.md, section 4.4.

use std::io::IsTerminal as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use cavra_confine::Profile;
use cavra_core::{DecisionRequest, Verdict, check_id};
use cavra_model::{ActionType, Context, DecisionRecord, NoRandomness, Object, Outcome, Timestamp, random_hex};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::args::{ActionArgs, AgentArgs, AgentCommand, Json};
use crate::input::object_file;
use crate::local::{Local, action_request, in_directory};
use crate::output::{complain, print_json, print_line, print_text, stderr_as_stdout};
use crate::signals::Ending;

/// Time that a command gets to end once it was asked to.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The largest audit file.
const MAX_AUDIT_BYTES: u64 = 64 << 20;

/// The audit file `session-<id>.json`.
#[derive(Serialize, Deserialize)]
struct Audit {
    session_id: String,
    tool: String,
    repo: String,
    started_at: Timestamp,
    actions: Vec<AuditedAction>,
}

/// A decided action, refused ones included.
#[derive(Serialize, Deserialize)]
struct AuditedAction {
    r#type: String,
    target: String,
    decision: Outcome,
    reason: Option<String>,
    rule_id: String,
    severity: String,
    evidence_refs: Vec<String>,
}

pub fn run(command: AgentCommand) -> anyhow::Result<ExitCode> {
    match command {
        AgentCommand::Start { session, json } => start(&session, json),
        AgentCommand::Exec { command, sandbox, approval, session, json } => {
            exec(&command, approval, sandbox, &session, json)
        }
        AgentCommand::Attest { session_id, audit_dir, format, json } => {
            attest(&session_id, &audit_dir, format.as_deref(), json)
        }
    }
}

fn start(args: &AgentArgs, format: Json) -> anyhow::Result<ExitCode> {
    // A session under a pack that cannot decide would refuse everything later; say so now.
    let local = Local::in_directory(&args.repo)?;
    local.load(&*local.pack(&args.pack)?)?;
    let audit = Audit::new(args)?;
    let path = audit.save(&args.output)?;
    if format.json {
        print_json(&json!({ "session_id": audit.session_id, "path": path }))?;
    } else {
        print_line(&format!("{} {}", audit.session_id, path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn exec(
    command: &str,
    approval_id: Option<String>,
    sandbox: bool,
    args: &AgentArgs,
    format: Json,
) -> anyhow::Result<ExitCode> {
    let local = Local::in_directory(&args.repo)?;
    let pack = local.pack(&args.pack)?;
    let mut audit = Audit::new(args)?;
    let action = action_request(ActionType::ExecuteCommand, command, &ActionArgs::default());
    let context = Context {
        session_id: audit.session_id.clone(),
        agent_id: args.tool.clone(),
        repository: audit.repo.clone(),
        ..Context::default()
    };
    let at = in_directory(&args.repo, None);
    let request = DecisionRequest { context, at: at.clone(), approval_id, ..DecisionRequest::new(action) };
    let Verdict { record, action } = local.decide_recorded(request, &pack)?;
    // A rollout can only make it stricter here.
    let effective = record.rollout.as_ref().map_or(record.decision, |rollout| rollout.overlay.effective_decision);
    audit.actions.push(AuditedAction::from(&record));
    // The audit is on disk before anything runs.
    let path = audit.save(&args.output)?;
    // Without a broken glass an attestation is asked for that nobody makes here.
    let unattested = record.decision == Outcome::AllowWithAttestation && record.decision_before_approval.is_none();
    if unattested || !lets_run(record.decision) || !lets_run(effective) {
        if format.json {
            print_json(&record)?;
        }
        let reason = record.reason.as_deref().unwrap_or_default();
        let outcome = if lets_run(record.decision) { effective } else { record.decision };
        complain(format_args!("{outcome}: {reason}; the command was not run (audit: {})", path.display()));
        return Ok(ExitCode::FAILURE);
    }
    let profile = if sandbox {
        Some(at.profile(&action, &pack).context("there are too many files to tell which of them are protected")?)
    } else {
        None
    };
    run_command(command, profile.as_ref(), &args.repo, &record, format)
}

/// Whether a command runs. Only a broken glass has its attestation.
fn lets_run(decision: Outcome) -> bool {
    matches!(decision, Outcome::Allow | Outcome::AllowWithAttestation)
}

fn run_command(
    command: &str,
    profile: Option<&Profile>,
    repo: &Path,
    record: &DecisionRecord,
    format: Json,
) -> anyhow::Result<ExitCode> {
    // With --json the decision has standard output to itself.
    let stdout = if format.json { stderr_as_stdout() } else { Stdio::inherit() };
    // The shell whose grammar the command was judged by; `-p` keeps functions and start-up files of the environment out.
    let mut shell = std::process::Command::new("bash");
    shell.args(["-p", "-c", command]).current_dir(repo).stdout(stdout);
    let status = status_of(&mut shell, profile).context("cannot start bash, as which the command was judged")?;
    if format.json {
        print_json(record)?;
    }
    if status.success() {
        return Ok(ExitCode::SUCCESS);
    }
    let confined = if profile.is_some() { "; in the sandbox it can use only what it was decided to do" } else { "" };
    complain(format_args!("the command failed ({status}){confined}"));
    Ok(ExitCode::FAILURE)
}

/// Runs a command to its end, confined to a profile if there is one. Whoever asks this process to end asks the command, with
/// everything it has started.
fn status_of(command: &mut std::process::Command, profile: Option<&Profile>) -> anyhow::Result<ExitStatus> {
    let ending = Ending::listen()?;
    // On a terminal the command stays in the group that may read from it, and gets what is typed to end it.
    let apart = !std::io::stdin().is_terminal();
    if apart {
        command.process_group(0);
    }
    let mut child = match profile {
        Some(profile) => cavra_confine::spawn(command, profile)?,
        None => command.spawn()?,
    };
    let process = Pid::from_child(&child);
    // What has ended already cannot be asked.
    let send = move |signal| {
        let _ = if apart { kill_process_group(process, signal) } else { kill_process(process, signal) };
    };
    let asked = Arc::new(AtomicBool::new(false));
    let noted = asked.clone();
    let watching = Builder::new().name("cavra-watch".to_owned()).spawn(move || {
        if ending.wait(None) {
            noted.store(true, Ordering::SeqCst);
            send(Signal::TERM);
            std::thread::sleep(LAST_WORDS);
            send(Signal::KILL);
        }
    });
    if watching.is_err() {
        send(Signal::KILL);
    }
    let status = child.wait();
    if apart && asked.load(Ordering::SeqCst) {
        send(Signal::KILL);
    }
    Ok(status?)
}

fn attest(session_id: &str, directory: &Path, format: Option<&str>, json: Json) -> anyhow::Result<ExitCode> {
    let path = audit_path(directory, session_id)?;
    let audit = object_file(&path, MAX_AUDIT_BYTES)?;
    check_audit(&audit, session_id).with_context(|| path.display().to_string())?;
    match format.unwrap_or(if json.json { "json" } else { "markdown" }) {
        "markdown" if json.json => print_json(&json!({ "comment": cavra_evidence::session_comment(&audit) }))?,
        "markdown" => print_text(&cavra_evidence::session_comment(&audit))?,
        "json" => print_json(&audit)?,
        "artifact" => {
            let artifact = directory.join(format!("cavra-attestation-{session_id}.json"));
            let attestation = json!({
                "schema_version": "cavra.session.attestation.v1", "product": "CAVRA",
                "created_at": Timestamp::now(), "audit": audit,
                "comment": cavra_evidence::session_comment(&audit),
            });
            cavra_evidence::write_file(&artifact, cavra_evidence::pretty(&attestation))?;
            let path = artifact.display().to_string();
            if json.json {
                print_json(&json!({ "path": path }))?;
            } else {
                print_line(&path)?;
            }
        }
        other => bail!("unknown format `{other}`; known are markdown, json, artifact"),
    }
    Ok(ExitCode::SUCCESS)
}

/// What is attested has to be there: an action that cannot be counted is not left out.
fn check_audit(audit: &Object, session_id: &str) -> anyhow::Result<()> {
    ensure!(
        audit.get("session_id").and_then(Value::as_str) == Some(session_id),
        "this is not the audit of the session `{session_id}`"
    );
    let actions = audit.get("actions").and_then(Value::as_array).context("`actions` is not a list")?;
    for (index, action) in actions.iter().enumerate() {
        let decision = action.get("decision").and_then(Value::as_str);
        let known = decision.is_some_and(|decision| decision.parse::<Outcome>().is_ok());
        ensure!(known, "action {index} has no decision");
    }
    Ok(())
}

impl Audit {
    fn new(args: &AgentArgs) -> Result<Self, NoRandomness> {
        Ok(Self {
            session_id: random_hex(6)?,
            tool: args.tool.clone(),
            repo: args.repo.display().to_string(),
            started_at: Timestamp::now(),
            actions: Vec::new(),
        })
    }

    fn save(&self, directory: &Path) -> anyhow::Result<PathBuf> {
        let path = audit_path(directory, &self.session_id)?;
        cavra_evidence::write_file(&path, format!("{}\n", serde_json::to_string_pretty(self)?))?;
        Ok(path)
    }
}

impl From<&DecisionRecord> for AuditedAction {
    fn from(record: &DecisionRecord) -> Self {
        Self {
            r#type: record.action_type.clone(),
            target: record.target.clone(),
            decision: record.decision,
            reason: record.reason.clone(),
            rule_id: record.rule_id.clone(),
            severity: record.severity.to_string(),
            evidence_refs: record.evidence_refs.clone(),
        }
    }
}

/// The audit file of a session; an id that could leave the directory is refused.
fn audit_path(directory: &Path, session_id: &str) -> anyhow::Result<PathBuf> {
    check_id("session id", session_id)?;
    if session_id.is_empty() || session_id.contains(['/', '\\']) || session_id.contains("..") {
        bail!("`{session_id}` is no session id");
    }
    Ok(directory.join(format!("session-{session_id}.json")))
}
