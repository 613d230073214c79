//! The state of a job in the store: which window it has been done for, by whom, and how that went. Of several processes over
//! one store the one that writes its lease first does the job; the others see that it is done.

use std::time::Duration;

use cavra_model::{Object, Timestamp, WORKER_JOBS};
use cavra_notify::{Schedule, window_of};
use cavra_store::{StoreError, Transaction};
use serde::{Deserialize, Serialize};

use super::plan::Planned;
use crate::lease::Lease;

/// How long a process that does a job may be silent before another one takes the job over.
pub(super) const LEASE: Duration = Duration::from_secs(6);

/// Windows without a run after which a job is late.
const LATE_AFTER: i64 = 2;

const RUNNING: &str = "running";
const COMPLETED: &str = "completed";
const FAILED: &str = "failed";

/// How a job stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Turn {
    pub job: String,
    pub every_minutes: u64,
    pub execute: bool,
    /// Begin of the window of the latest run.
    pub window_start: Option<Timestamp>,
    pub state: String,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub last_error: Option<String>,
    /// Runs that ended, well or not.
    pub runs: u64,
    pub failed_runs: u64,
    /// Windows in which no server did the job.
    pub missed_windows: u64,
    pub last_missed_at: Option<Timestamp>,
    /// Runs that began and did not end; they were done again.
    pub interrupted_runs: u64,
    pub last_interrupted_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<Lease>,
}

impl Turn {
    /// The state of a job that nobody has done yet.
    pub fn of_job(job: &str) -> Self {
        Self { job: job.to_owned(), ..Self::default() }
    }

    /// The state in a record. One that cannot be read begins anew.
    pub fn of(record: Object) -> Option<Self> {
        serde_json::from_value(record.into()).ok()
    }

    /// The state in the store.
    pub fn stored(tx: &mut dyn Transaction, job: &str) -> Result<Option<Self>, StoreError> {
        Ok(tx.replaced(&WORKER_JOBS, job)?.and_then(Self::of))
    }

    pub fn put(&self, tx: &mut dyn Transaction) -> Result<(), StoreError> {
        let wrong = |error: serde_json::Error| StoreError::Refused(error.to_string());
        let mut record = cavra_model::members::of(self).map_err(wrong)?;
        record.insert("updated_at".to_owned(), serde_json::json!(Timestamp::now()));
        tx.put(&WORKER_JOBS, record)
    }

    /// Begins the run that is due, if there is one and nobody else does it; answers its name. The same work in the same
    /// window has the same name, whoever does it.
    pub fn begin(&mut self, planned: &Planned, holder: &str, now: Timestamp) -> Option<String> {
        let schedule = Schedule { interval_minutes: planned.every_minutes, enabled: true };
        let (mut window, _) = window_of(schedule, now);
        let same = self.every_minutes == planned.every_minutes && self.execute == planned.execute;
        let is_running = self.state == RUNNING;
        if !is_running && same && self.window_start.is_some_and(|done| done >= window) {
            return None;
        }
        if !Lease::take(&mut self.lease, holder, now, LEASE) {
            return None;
        }
        if is_running {
            self.interrupted_runs += 1;
            self.last_interrupted_at = self.started_at;
            // What it has announced counts for the run that takes its place, in a later window too.
            window = self.window_start.filter(|_| same).unwrap_or(window);
        }
        if let Some(before) = self.window_start.filter(|_| self.every_minutes == planned.every_minutes) {
            let missed = windows_between(before, window, planned.every_minutes).saturating_sub(1);
            if let Ok(missed @ 1..) = u64::try_from(missed) {
                self.missed_windows += missed;
                self.last_missed_at = Some(now);
            }
        }
        (self.every_minutes, self.execute) = (planned.every_minutes, planned.execute);
        self.window_start = Some(window);
        (self.state, self.started_at) = (RUNNING.to_owned(), Some(now));
        let dry = if planned.execute { "" } else { " dry" };
        Some(format!("{} {window}{dry}", self.job))
    }

    /// Whether a process still has the job to itself; it then has it for another while.
    pub fn renew(&mut self, holder: &str, now: Timestamp) -> bool {
        self.is_held_by(holder) && Lease::take(&mut self.lease, holder, now, LEASE)
    }

    /// Whether a process has the job, as far as nobody has taken it over.
    pub fn is_held_by(&self, holder: &str) -> bool {
        self.state == RUNNING && self.lease.as_ref().is_some_and(|lease| lease.holder == holder)
    }

    /// The run of a process has ended; nothing if another one has taken it over.
    pub fn end(&mut self, holder: &str, error: Option<String>, now: Timestamp) {
        if !self.is_held_by(holder) {
            return;
        }
        self.lease = None;
        self.runs += 1;
        self.failed_runs += u64::from(error.is_some());
        self.state = if error.is_some() { FAILED } else { COMPLETED }.to_owned();
        (self.last_error, self.finished_at) = (error, Some(now));
    }

    /// A process that ends gives up what it does: another one does it again at once.
    pub fn give_up(&mut self, holder: &str) -> bool {
        Lease::release(&mut self.lease, holder)
    }

    /// What is wrong with a job: nothing, `failed`, or `late` if nobody did it for two windows.
    pub fn problem(&self, planned: &Planned, now: Timestamp) -> Option<&'static str> {
        let window = window_of(Schedule { interval_minutes: planned.every_minutes, enabled: true }, now).0;
        let behind = self.window_start.map(|done| windows_between(done, window, planned.every_minutes));
        match behind {
            Some(behind) if behind < LATE_AFTER => (self.state == FAILED).then_some(FAILED),
            _ => Some("late"),
        }
    }
}

/// How many windows later another one is.
fn windows_between(earlier: Timestamp, later: Timestamp, minutes: u64) -> i64 {
    let length = i64::try_from(minutes.max(1)).unwrap_or(i64::MAX).saturating_mul(60_000_000);
    (later.as_micros() - earlier.as_micros()).div_euclid(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workers::jobs::JOBS;

    fn at(minutes: i64, seconds: i64) -> Timestamp {
        Timestamp::from_micros((minutes * 60 + seconds) * 1_000_000)
    }

    fn planned(every_minutes: u64, execute: bool) -> Planned {
        Planned { job: &JOBS[0], every_minutes, execute, says: Object::new() }
    }

    fn turn() -> Turn {
        Turn::of_job(JOBS[0].name)
    }

    #[test]
    fn a_window_is_done_once() {
        let (mut turn, hourly) = (turn(), planned(60, true));
        let run = turn.begin(&hourly, "a", at(61, 0)).unwrap();
        // While one does it, nobody else does, and neither does itself a second time.
        assert_eq!(turn.begin(&hourly, "b", at(61, 3)), None);
        assert!(turn.renew("a", at(61, 5)) && !turn.renew("b", at(61, 5)));
        turn.end("b", None, at(61, 6));
        assert_eq!(turn.runs, 0);
        turn.end("a", None, at(61, 6));
        assert_eq!((turn.runs, turn.begin(&hourly, "b", at(119, 59))), (1, None));
        let next = turn.begin(&hourly, "b", at(120, 0)).unwrap();
        assert_ne!(next, run);
        turn.end("b", Some("no".to_owned()), at(120, 1));
        assert_eq!((turn.failed_runs, turn.problem(&hourly, at(121, 0))), (1, Some("failed")));
        assert_eq!(turn.missed_windows, 0);
    }

    #[test]
    fn a_run_that_does_not_end_is_done_again_under_its_name() {
        let (mut turn, hourly) = (turn(), planned(60, true));
        let run = turn.begin(&hourly, "a", at(61, 0));
        assert_eq!(turn.begin(&hourly, "b", at(61, 6)), None);
        assert_eq!(turn.begin(&hourly, "b", at(61, 7)), run);
        assert_eq!((turn.interrupted_runs, turn.is_held_by("a"), turn.renew("a", at(61, 8))), (1, false, false));
        turn.give_up("b");
        assert_eq!(turn.begin(&hourly, "c", at(61, 8)), run);
    }

    #[test]
    fn windows_that_nobody_did_are_counted() {
        let (mut turn, hourly) = (turn(), planned(60, true));
        assert_eq!(turn.problem(&hourly, at(0, 0)), Some("late"), "it was never done");
        turn.begin(&hourly, "a", at(0, 0)).unwrap();
        turn.end("a", None, at(0, 1));
        assert_eq!(turn.problem(&hourly, at(119, 0)), None);
        assert_eq!(turn.problem(&hourly, at(120, 0)), Some("late"));
        turn.begin(&hourly, "a", at(301, 0)).unwrap();
        assert_eq!((turn.missed_windows, turn.last_missed_at), (4, Some(at(301, 0))));
        turn.end("a", None, at(301, 1));
        // Another schedule, or running instead of pretending, begins at once and misses nothing.
        assert!(turn.begin(&planned(60, false), "a", at(302, 0)).unwrap().ends_with(" dry"));
        turn.end("a", None, at(302, 1));
        assert!(turn.begin(&planned(5, false), "a", at(303, 0)).is_some());
        assert_eq!(turn.missed_windows, 4);
    }

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let mut turn = turn();
        turn.begin(&planned(5, true), "a", at(0, 0)).unwrap();
        let record = cavra_model::members::of(&turn).unwrap();
        assert_eq!(Turn::of(record), Some(turn));
        assert_eq!(Turn::of(Object::new()), None);
    }
}
