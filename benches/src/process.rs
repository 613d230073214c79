//! From process start to exit, with a warm disk and a warm cache of compiled packs; beside `/bin/true`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::report::{Samples, head, ratio, row, show};

const WARM_UP: usize = 20;
const COUNT: usize = 500;

pub fn run(cavra: &Path) -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let event = json!({
        "hook_event_name": "PreToolUse", "session_id": "bench", "cwd": home.path(), "tool_name": "Read",
        "tool_input": {"file_path": home.path().join("src/main.rs")},
    })
    .to_string();
    let database = home.path().join("activity.db");
    head("From process start to exit", &["", "p50", "p99", "largest memory", "p50 / `true`"]);
    let floor = measure(Command::new("/bin/true").current_dir(home.path()), "", None)?;
    row(&["`true`".into(), show(floor.p50()), show(floor.p99()), "–".into(), "1".into()]);
    let command = |args: &[&str]| {
        let mut command = Command::new(cavra);
        command.args(args).current_dir(home.path()).env_clear().env("HOME", home.path());
        command
    };
    let evaluate = || command(&["evaluate", "write_file", "iam/admin-role.tf"]);
    let shell = || command(&["evaluate", "execute_command", "cd infra && terraform plan | tee plan.txt"]);
    let hook = |variable: &str, path: &Path| {
        let mut hook = command(&["hook", "claude-code"]);
        hook.env(variable, path);
        hook
    };
    let rows = [
        ("`cavra evaluate write_file`", evaluate(), "require_approval", None),
        ("`cavra evaluate execute_command`", shell(), "require_approval", None),
        ("`cavra hook claude-code`, recorded in SQLite", hook("CAVRA_ACTIVITY_DB", &database), "{}", Some(&event)),
        (
            "`cavra hook claude-code`, recorded in JSON",
            hook("CAVRA_ACTIVITY_STORE", &home.path().join("activity.json")),
            "{}",
            Some(&event),
        ),
    ];
    for (name, mut command, expected, input) in rows {
        let samples = measure(&mut command, expected, input.map(String::as_str))?;
        let memory = largest_memory(&mut command, input.map(String::as_str))?;
        row(&[name.into(), show(samples.p50()), show(samples.p99()), memory, ratio(samples.p50(), floor.p50())]);
    }
    Ok(())
}

fn measure(command: &mut Command, expected: &str, input: Option<&str>) -> anyhow::Result<Samples> {
    Samples::take(WARM_UP, COUNT, || {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            stdin.write_all(input.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success() && text.contains(expected), "unexpected answer: {text}");
        anyhow::Ok(())
    })
}

/// Peak resident memory as GNU `time` reports it, where it is installed.
fn largest_memory(command: &mut Command, input: Option<&str>) -> anyhow::Result<String> {
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "%M"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        timed.env(name, value.unwrap_or_default());
    }
    if let Some(directory) = command.get_current_dir() {
        timed.current_dir(directory);
    }
    let Ok(mut child) = timed.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn() else {
        return Ok("not measured".to_owned());
    };
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let kilobytes: f64 = text.lines().last().context("no memory figure")?.trim().parse()?;
    Ok(format!("{:.1} MiB", kilobytes / 1024.0))
}
