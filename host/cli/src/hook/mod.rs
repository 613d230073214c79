//! `cavra hook <agent>`: one process per event. Whatever goes wrong ends in a refusal, by the answer and by the exit
//! code: no agent fails closed by itself on a timeout, so the hook carries its own deadline.

mod answer;
mod claude_code;
mod judge;
mod mcp_call;
mod noted;
mod projection;
mod search;
mod tools;

use std::io::Read as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use cavra_core::Settings;

use self::answer::{Answer, Stage, guarded};
use self::projection::{CLAUDE_CODE, Reply};
use crate::args::{Agent, HookArgs};
use crate::output::{complain, explain};

/// Largest event, in bytes: a written file travels inside it.
const EVENT_LIMIT: u64 = 16 * 1024 * 1024;

/// Answers one event.
pub fn run(args: &HookArgs) -> ExitCode {
    let Agent::ClaudeCode = args.agent;
    let stage = Stage::default();
    let answer = Answer::new(&CLAUDE_CODE, stage.clone());
    if let Err(error) = answer.refuse_when_disturbed(deadline(args)) {
        return answer.refuse(&format!("it cannot watch the clock: {error}"));
    }
    match guarded(|| reply(args, &stage)) {
        Ok(reply) => answer.give(&reply),
        Err(error) => answer.refuse(&explain(&error)),
    }
}

fn reply(args: &HookArgs, stage: &Stage) -> anyhow::Result<Reply> {
    // Settings that cannot be read are refused before anything is waited for.
    Settings::from_env()?;
    stage.enter("reading the event");
    claude_code::answer(&read_event()?, &args.pack, stage)
}

/// The time until the hook refuses.
fn deadline(args: &HookArgs) -> Duration {
    let deadline = |settings: Settings| settings.hook_deadline;
    let set = Settings::from_env().map(deadline);
    let set = set.unwrap_or_else(|_| Settings::read(|_| None).map(deadline).unwrap_or_default());
    let bounded = bounded(set, args.patience());
    if bounded < set {
        complain(format_args!(
            "CAVRA_HOOK_DEADLINE_MS is longer than the agent waits for its hook; {} ms apply (--timeout says how many \
             seconds the agent waits)",
            bounded.as_millis()
        ));
    }
    bounded
}

/// What is set, but in any case before the agent gives up, which would let the call go on.
fn bounded(set: Duration, patience: Duration) -> Duration {
    set.min(patience * 4 / 5)
}

fn read_event() -> anyhow::Result<Vec<u8>> {
    let mut event = Vec::new();
    std::io::stdin().lock().take(EVENT_LIMIT + 1).read_to_end(&mut event).context("cannot read the event")?;
    ensure!(event.len() as u64 <= EVENT_LIMIT, "the event is larger than {EVENT_LIMIT} bytes");
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hook_refuses_before_the_agent_gives_up() {
        for (set, patience, bounded_by) in
            [(5_000, 10, 5_000), (12_000, 10, 8_000), (12_000, 60, 12_000), (5_000, 1, 800)]
        {
            assert_eq!(bounded(Duration::from_millis(set), Duration::from_secs(patience)).as_millis(), bounded_by);
        }
    }
}
