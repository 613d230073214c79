//! A canary goes through the installed command line as the agent would send it, and has to be refused.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::settings::Installed;
use super::{Finding, Level};

/// Most bytes of an answer that are looked at.
const LONGEST_ANSWER: u64 = 1 << 20;

/// What a program left.
pub struct Said {
    /// Its exit code, if it was not ended by a signal.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
}

/// Runs a program to its end, or ends it when the time is over.
///
/// # Errors
/// It cannot be started, or is not done in time.
pub fn output_in_time(mut command: Command, input: Option<&str>, time: Duration) -> anyhow::Result<Said> {
    let started = Instant::now();
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().context("it cannot be started")?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        // A program may answer without reading everything.
        let _ = stdin.write_all(input.as_bytes());
    }
    let stdout = child.stdout.take();
    let (sender, receiver) = channel();
    std::thread::Builder::new().spawn(move || {
        let mut text = Vec::new();
        let read = stdout.map(|stdout| stdout.take(LONGEST_ANSWER).read_to_end(&mut text));
        let _ = sender.send(read.map(|_| String::from_utf8_lossy(&text).into_owned()));
    })?;
    let ended = end_in_time(&mut child, started, time);
    let stdout = receiver.recv_timeout(Duration::from_secs(1)).ok().flatten().unwrap_or_default();
    Ok(Said { code: ended?, stdout })
}

fn end_in_time(child: &mut Child, started: Instant, time: Duration) -> anyhow::Result<Option<i32>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        if started.elapsed() > time {
            child.kill()?;
            child.wait()?;
            anyhow::bail!("it does not answer within {} s", time.as_secs());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The arguments of a call in a project.
type Arguments = fn(&Path) -> Value;

/// Calls that have to be refused: one that cannot be judged, whatever the policy says, and one that every policy should
/// refuse.
const CANARIES: [(&str, Arguments, Level); 2] = [
    ("a call that cannot be judged", |_| json!({}), Level::Void),
    ("reading `.env`", |project| json!({ "file_path": project.join(".env") }), Level::Risk),
];

/// Sends the canaries through an installed hook, as the agent would from the project's directory. Only the first one, which
/// nothing records, if `lightly`.
pub fn send(installed: &Installed, project: &Path, lightly: bool) -> Vec<Finding> {
    let canaries = CANARIES.iter().take(if lightly { 1 } else { CANARIES.len() });
    let mut findings = Vec::new();
    for (what, input, level) in canaries {
        findings.extend(fly(installed, project, what, &input(project), *level));
        // Where nothing is refused, the next one only says so again.
        if findings.iter().any(|finding| finding.level == Level::Void) {
            break;
        }
    }
    findings
}

fn fly(installed: &Installed, project: &Path, what: &str, input: &Value, level: Level) -> Option<Finding> {
    let event = json!({
        "hook_event_name": "PreToolUse", "session_id": "cavra-doctor", "permission_mode": "default", "cwd": project,
        "tool_name": "Read", "tool_input": input,
    });
    let (program, arguments) = installed.command();
    let shown = arguments.as_ref().map_or_else(|| program.clone(), |rest| format!("{program} {}", rest.join(" ")));
    let mut command = match arguments {
        Some(arguments) => {
            let mut command = Command::new(&program);
            command.args(arguments);
            command
        }
        None => {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", &program]);
            command
        }
    };
    command.current_dir(project).env("CLAUDE_PROJECT_DIR", project);
    let time = Duration::try_from_secs_f64(installed.timeout()).unwrap_or(Duration::from_secs(60));
    let problem = match output_in_time(command, Some(&event.to_string()), time.min(Duration::from_secs(60))) {
        Err(error) => format!("{what} is not refused by the installed command: {error:#}"),
        Ok(said) if is_refusal(&said) => return None,
        Ok(said) if matches!(said.code, Some(126 | 127)) => {
            return Some(Finding::new(
                ("command_missing", Level::Void),
                shown,
                "the command cannot be started",
                "Put cavra on the PATH, or its whole path into the hook's entry",
            ));
        }
        Ok(said) => format!("{what} is not refused by the installed command (exit code {:?})", said.code),
    };
    let remedy = match level {
        Level::Void => "Run `cavra init claude-code`, and see what the command prints",
        _ => "Look at the policy: `cavra evaluate read_file .env` says which rule decides",
    };
    Some(Finding::new(("canary", level), shown, problem, remedy))
}

/// Whether the agent would refuse: by the exit code, or by an answer with exit code 0.
fn is_refusal(said: &Said) -> bool {
    let answer: Value = serde_json::from_str(&said.stdout).unwrap_or_default();
    let denied = answer.pointer("/hookSpecificOutput/permissionDecision").is_some_and(|decision| decision == "deny");
    said.code == Some(2) || (said.code == Some(0) && denied)
}
