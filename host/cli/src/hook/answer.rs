//! The one answer of this process, and what gives it when nothing else does: the clock, a signal, a panic.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::Duration;

use anyhow::anyhow;

use super::projection::{AgentHook, Reply};
use crate::output::{complain, is_heard, write_text};
use crate::signals::Ending;

/// How long a refusal may take that the clock or a signal gives: the streams may be what is stuck.
const GRACE: Duration = Duration::from_millis(200);

/// What the hook is doing, for a refusal that says what took the time.
#[derive(Clone, Default)]
pub struct Stage(Arc<Mutex<String>>);

impl Stage {
    /// From now on it does this.
    pub fn enter(&self, what: impl Into<String>) {
        if let Ok(mut stage) = self.0.lock() {
            *stage = what.into();
        }
    }

    fn told(&self) -> String {
        self.0.try_lock().map(|stage| stage.clone()).unwrap_or_default()
    }
}

/// The answer of this process: whoever comes first, the decision or a disturbance, gives it.
#[derive(Clone)]
pub struct Answer {
    hook: &'static AgentHook,
    given: Arc<AtomicBool>,
    stage: Stage,
}

impl Answer {
    /// The answer to an event of an agent.
    pub fn new(hook: &'static AgentHook, stage: Stage) -> Self {
        Self { hook, given: Arc::default(), stage }
    }

    /// Refuses and ends the process when the time is over or somebody asks it to end.
    ///
    /// # Errors
    /// What the system said if that cannot be promised.
    pub fn refuse_when_disturbed(&self, deadline: Duration) -> io::Result<()> {
        let ending = Ending::listen()?;
        let answer = self.clone();
        Builder::new().name("cavra-watch".to_owned()).spawn(move || {
            let disturbance = match ending.wait(Some(deadline)) {
                true => "the hook was asked to end before there was a decision",
                false => "no decision in time",
            };
            answer.end(disturbance);
        })?;
        Ok(())
    }

    /// Refuses, as far as the streams take it, and ends the process.
    fn end(&self, disturbance: &str) {
        let stage = self.stage.told();
        let reason = if stage.is_empty() { disturbance.to_owned() } else { format!("{stage}: {disturbance}") };
        let (done, finished) = sync_channel(1);
        let answer = self.clone();
        let started = Builder::new().spawn(move || {
            answer.refuse(&reason);
            let _ = done.send(());
        });
        if started.is_ok() {
            let _ = finished.recv_timeout(GRACE);
        }
        #[allow(clippy::exit, reason = "the main thread may be stuck; the agent must not wait for it")]
        std::process::exit(self.hook.refusal_code.into());
    }

    /// A refusal because nothing could be decided.
    pub fn refuse(&self, reason: &str) -> ExitCode {
        self.give(&self.hook.refusal(&format!("cavra refuses because it could not decide: {reason}")))
    }

    /// Gives the answer. A refusal is given in both ways the agent understands, the text and the exit code; and an answer
    /// that nobody gets is one.
    pub fn give(&self, reply: &Reply) -> ExitCode {
        let refused = ExitCode::from(self.hook.refusal_code);
        if self.given.swap(true, Ordering::SeqCst) {
            return refused;
        }
        let lost = !reply.is_empty() && !is_heard();
        let written = write_text(&format!("{}\n", reply.text));
        if let Some(reason) = &reply.refusal {
            complain(reason);
            return refused;
        }
        match written {
            Ok(()) if !lost => ExitCode::SUCCESS,
            Ok(()) => {
                complain("nobody can read the hook's answer: standard output is closed");
                refused
            }
            Err(error) => {
                complain(format_args!("the hook's answer cannot be written: {error}"));
                refused
            }
        }
    }
}

/// What `work` answers; an error if it panics. A panic says nothing on its own: its message may hold what was judged.
pub fn guarded<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    std::panic::set_hook(Box::new(|_| {}));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(anyhow!("there is a fault in cavra itself")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let before = std::panic::take_hook();
        let outcome = guarded::<()>(|| panic!("the secret"));
        std::panic::set_hook(before);
        let said = outcome.unwrap_err().to_string();
        assert!(said.contains("fault") && !said.contains("secret"), "{said}");
    }
}
