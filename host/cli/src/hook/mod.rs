//! `cavra hook <agent>`: one process per event. Whatever goes wrong ends in a refusal: no agent fails closed by
//! itself on a timeout, so the hook carries its own deadline. Contract 60, "What we build".

mod claude_code;
mod judge;
mod mcp_call;
mod search;
mod tools;

use std::io::Read as _;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use cavra_core::Settings;

use crate::args::{Agent, HookArgs};
use crate::output::explain;

/// Largest event, in bytes: a written file travels inside it.
const EVENT_LIMIT: u64 = 16 * 1024 * 1024;

/// Answers one event.
pub fn run(args: &HookArgs) -> ExitCode {
    let Agent::ClaudeCode = args.agent;
    let answer = Answer::default();
    let deadline = |settings: Settings| settings.hook_deadline;
    let ours = Settings::from_env().map(deadline);
    // Settings that cannot be read are refused at once, by the time that applies without them.
    answer.refuse_after(*ours.as_ref().unwrap_or(&Settings::read(|_| None).map(deadline).unwrap_or_default()));
    let outcome = ours.map_err(anyhow::Error::from).and_then(|_| claude_code::answer(&read_event()?, &args.pack));
    match outcome {
        Ok(text) => answer.give(&text, ExitCode::SUCCESS),
        Err(error) => answer.refuse(&explain(&error)),
    }
}

fn read_event() -> anyhow::Result<Vec<u8>> {
    let mut event = Vec::new();
    std::io::stdin().lock().take(EVENT_LIMIT + 1).read_to_end(&mut event).context("cannot read the event")?;
    ensure!(event.len() as u64 <= EVENT_LIMIT, "the event is larger than {EVENT_LIMIT} bytes");
    Ok(event)
}

/// The one answer of this process: whoever comes first, the decision or the deadline, gives it.
#[derive(Clone, Default)]
struct Answer {
    given: std::sync::Arc<Mutex<bool>>,
}

impl Answer {
    /// Refuses and ends the process when the time is over.
    fn refuse_after(&self, deadline: Duration) {
        let answer = self.clone();
        std::thread::spawn(move || {
            std::thread::sleep(deadline);
            answer.refuse("no decision in time");
            #[allow(clippy::exit, reason = "the main thread may be stuck; the agent must not wait for it")]
            std::process::exit(2);
        });
    }

    /// A refusal in both ways the agent understands: the JSON, and exit code 2 with the reason on standard error.
    fn refuse(&self, reason: &str) -> ExitCode {
        let code = self.give(&claude_code::refusal(reason), ExitCode::from(2));
        eprintln!("cavra: {reason}");
        code
    }

    fn give(&self, text: &str, code: ExitCode) -> ExitCode {
        let Ok(mut given) = self.given.lock() else { return ExitCode::from(2) };
        if !std::mem::replace(&mut *given, true) && crate::output::print_line(text).is_err() {
            return ExitCode::from(2);
        }
        code
    }
}
