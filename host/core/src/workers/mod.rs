//! Workers: what the server does by itself, where the operator turned it on. A job is a row of operations that anybody could
//! call; once in each of its windows one server of those over the same store does it.
//!
//! A run that is killed is done again, by another server or by the next one. It tells nobody twice: whatever a run sends is
//! announced in the store before, and what was announced counts as told.

mod jobs;
mod plan;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use cavra_model::{Object, Timestamp, WORKER_JOBS, members, random_hex};
use cavra_store::{RecordStore, StoreError, Transaction};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::jobs::{JOBS, Sends};
use self::plan::Planned;
use self::turn::{LEASE, Turn};
use crate::{App, Call, Caller, CoreError, Live, Settings};

/// How often it is looked whether a job is due.
const POLL: Duration = Duration::from_secs(1);

/// Who is recorded as the one who asked.
const BY: &str = "cavra-worker";

/// The jobs that are turned on.
#[derive(Clone, Debug, Default)]
pub struct Workers {
    planned: Arc<[Planned]>,
    /// The name under which this process takes jobs.
    holder: String,
}

/// A run of a job, for whoever sends something in it.
#[derive(Clone, Debug)]
pub struct JobRun {
    job: &'static str,
    holder: String,
    name: String,
}

impl JobRun {
    /// Its name; that of the same work in the same window is the same.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Refuses to go on with what another process does by now.
    ///
    /// # Errors
    /// [`StoreError::Refused`].
    pub(crate) fn is_ours(&self, tx: &mut dyn Transaction) -> Result<(), StoreError> {
        let turn = Turn::stored(tx, self.job)?;
        if turn.is_some_and(|turn| turn.is_held_by(&self.holder)) {
            Ok(())
        } else {
            Err(StoreError::Refused(format!("another process does {} by now", self.job)))
        }
    }
}

impl Workers {
    /// Reads the file that the settings name; without one, nothing is turned on.
    ///
    /// # Errors
    /// [`CoreError::Configuration`] naming file, key and what is wrong.
    pub fn read(settings: &Settings) -> Result<Self, CoreError> {
        let holder = random_hex(8).map_err(|error| CoreError::Configuration(error.to_string()))?;
        Self { planned: Arc::default(), holder }.again(settings)
    }

    /// Reads the file again, for the same process.
    ///
    /// # Errors
    /// As [`Workers::read`].
    pub(crate) fn again(&self, settings: &Settings) -> Result<Self, CoreError> {
        let planned = settings.workers_file.as_deref().map(plan::read).transpose()?.unwrap_or_default();
        Ok(Self { planned: planned.into(), holder: self.holder.clone() })
    }

    /// The job of that name, if it is turned on.
    fn planned(&self, job: &str) -> Option<Planned> {
        self.planned.iter().find(|planned| planned.job.name == job).cloned()
    }

    /// How each job that is turned on stands, `cavra.workers.v1`.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn status(&self, store: &RecordStore) -> Result<Value, CoreError> {
        let now = Timestamp::now();
        let mut items = Vec::new();
        for planned in self.planned.iter() {
            let turn = stored(store, planned).await?;
            let problem = turn.problem(planned, now);
            items.push(json!({
                "job": planned.job.name,
                "every_minutes": planned.every_minutes,
                "execute": planned.execute,
                "health": problem.unwrap_or("ok"),
                "state": if turn.state.is_empty() { "never_run" } else { &turn.state },
                "window_start": turn.window_start,
                "started_at": turn.started_at,
                "finished_at": turn.finished_at,
                "last_error": turn.last_error,
                "run_count": turn.runs,
                "failed_run_count": turn.failed_runs,
                "missed_window_count": turn.missed_windows,
                "last_missed_at": turn.last_missed_at,
                "interrupted_run_count": turn.interrupted_runs,
                "last_interrupted_at": turn.last_interrupted_at,
            }));
        }
        Ok(json!({ "schema_version": "cavra.workers.v1", "product": "CAVRA", "total": items.len(), "items": items }))
    }

    /// Gives up what this process does, so that the next one need not wait for it.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub(crate) async fn release(&self, store: &RecordStore) -> Result<(), CoreError> {
        if self.planned.is_empty() {
            return Ok(());
        }
        let (planned, holder) = (Arc::clone(&self.planned), self.holder.clone());
        let release = move |tx: &mut dyn Transaction| {
            for planned in planned.iter() {
                if let Some(mut turn) = Turn::stored(tx, planned.job.name)?
                    && turn.give_up(&holder)
                {
                    turn.put(tx)?;
                }
            }
            Ok(())
        };
        Ok(store.transact(release).await?)
    }
}

/// How a job stands in the store.
async fn stored(store: &RecordStore, planned: &Planned) -> Result<Turn, CoreError> {
    let name = planned.job.name;
    let turn = store.get(&WORKER_JOBS, name).await?.and_then(Turn::of);
    Ok(turn.unwrap_or_else(|| Turn::of_job(name)))
}

impl Live {
    /// Does the jobs that are turned on whenever they are due, until the future is dropped. A run that has begun ends under the
    /// settings under which it began.
    pub(crate) async fn work(&self) {
        let mut workers = JoinSet::new();
        for job in &JOBS {
            workers.spawn(run(self.clone(), job.name));
        }
        while workers.join_next().await.is_some() {}
        std::future::pending::<()>().await;
    }
}

/// Does one job as long as it is turned on.
async fn run(live: Live, job: &'static str) {
    let mut said = String::new();
    loop {
        let app = live.now();
        let planned = app.workers.planned(job);
        if let Some(planned) = planned {
            let problem = match (Worker { app, planned }).turn().await {
                Ok(problem) => problem.map(ToOwned::to_owned),
                Err(error) => Some(error.to_string()),
            };
            metrics::gauge!("cavra_worker_healthy", "job" => job).set(if problem.is_none() { 1.0 } else { 0.0 });
            let problem = problem.unwrap_or_default();
            if problem != said && !problem.is_empty() {
                tracing::error!(job, problem, "a job is not done");
            }
            said = problem;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Does one job.
struct Worker {
    app: App,
    planned: Planned,
}

impl Worker {
    /// Does the job if it is due; answers what is wrong with it.
    async fn turn(&self) -> Result<Option<&'static str>, CoreError> {
        let turn = stored(&self.app.store, &self.planned).await?;
        let holder = &self.app.workers.holder;
        // Nothing is written where nothing is due.
        if turn.clone().begin(&self.planned, holder, Timestamp::now()).is_none() {
            return Ok(turn.problem(&self.planned, Timestamp::now()));
        }
        let Some(name) = self.change(|turn, planned, holder| turn.begin(planned, holder, Timestamp::now())).await?
        else {
            return Ok(None);
        };
        let run = JobRun { job: self.planned.job.name, holder: holder.clone(), name };
        tracing::info!(job = run.job, run = run.name, "a job begins");
        let done = tokio::select! {
            done = self.steps(&run) => Some(done),
            () = self.lost() => None,
        };
        let Some(done) = done else {
            tracing::warn!(job = run.job, run = run.name, "another process does the job by now");
            return Ok(None);
        };
        let outcome = if done.is_ok() { "completed" } else { "failed" };
        metrics::counter!("cavra_worker_runs_total", "job" => run.job, "outcome" => outcome).increment(1);
        let error = done.err().map(|error| error.to_string());
        self.change(move |turn, _, holder| turn.end(holder, error.clone(), Timestamp::now())).await?;
        Ok(stored(&self.app.store, &self.planned).await?.problem(&self.planned, Timestamp::now()))
    }

    /// Changes how the job stands in the store.
    async fn change<T: Send + 'static>(
        &self,
        change: impl Fn(&mut Turn, &Planned, &str) -> T + Send + 'static,
    ) -> Result<T, CoreError> {
        let (planned, holder) = (self.planned.clone(), self.app.workers.holder.clone());
        let work = move |tx: &mut dyn Transaction| {
            let name = planned.job.name;
            let before = Turn::stored(tx, name)?;
            let mut turn = before.clone().unwrap_or_else(|| Turn::of_job(name));
            let answer = change(&mut turn, &planned, &holder);
            if before.as_ref() != Some(&turn) {
                turn.put(tx)?;
            }
            Ok(answer)
        };
        Ok(self.app.store.transact(work).await?)
    }

    /// Says now and then that this process still does the job; ends when another one has taken it over.
    async fn lost(&self) {
        loop {
            tokio::time::sleep(LEASE / 3).await;
            // A store that does not answer is no reason to stop: nothing is sent without it.
            if let Ok(false) = self.change(|turn, _, holder| turn.renew(holder, Timestamp::now())).await {
                return;
            }
        }
    }

    /// Does the operations of the job one after the other.
    async fn steps(&self, run: &JobRun) -> Result<(), CoreError> {
        let Planned { job, every_minutes, execute, says } = &self.planned;
        let mut before = Object::new();
        for step in job.steps {
            if step.sends == Sends::Always && !execute {
                continue;
            }
            let mut body = members::built(json!({ "generated_by": BY }));
            body.extend(says.iter().filter(|(name, _)| step.takes.contains(&name.as_str())).map(owned));
            if step.sends == Sends::UnlessDry {
                body.insert("dry_run".to_owned(), json!(!execute));
                body.insert("schedule".to_owned(), json!({ "interval_minutes": every_minutes }));
            }
            let mut last = None;
            for (id, more) in step.over.calls(&before) {
                let body = body.clone().into_iter().chain(more).collect();
                let call = Call { id, body, caller: Caller::default(), run: Some(run.clone()) };
                last = Some(self.app.notify(job.family, step.operation, call).await?);
            }
            before = last.unwrap_or_default();
        }
        Ok(())
    }
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}
