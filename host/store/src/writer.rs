//! The one writer of a store: a thread that takes everything queued, runs it against an overlay, commits the result
//! once and then answers everyone.
//!
//! A unit of work may be run several times: it has no effects but the writes it is handed the means for. It is run again
//! if it needs a file that has to be locked before another one, if another process keeps a file locked, and if
//! its commit met another one. A unit that waits for a lock does not keep those from going on that do not need it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::engines::{Blocked, Engines};
use crate::overlay::{Overlay, Scope};
use crate::{StoreError, Transaction};

/// Most units of work in one commit. More would make the first wait for the last without saving a noticeable share of
/// the commit's cost.
const BATCH: usize = 256;

/// A writer without work for this long tidies its files.
const IDLE: Duration = Duration::from_secs(2);

/// How long a unit of work waits for files that other processes keep locked. Whoever holds a lock longer than this hangs.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a writer that waits for a lock rests before it tries again: at first, and at most.
const REST: (Duration, Duration) = (Duration::from_micros(250), Duration::from_millis(10));

/// How often a unit of work is run alone whose commit meets others.
const ATTEMPTS: usize = 32;

/// One caller's unit of work with its answer.
pub(crate) trait Job: Send {
    /// Runs it; whether its writes are to be kept.
    fn run(&mut self, tx: &mut dyn Transaction) -> bool;
    /// Answers the caller.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

/// What the writer is told.
pub(crate) enum Message {
    /// Do this.
    Job(Box<dyn Job>),
    /// Do what came before this, then stop and say so.
    Close { settle: bool, done: oneshot::Sender<()> },
}

/// A unit of work, its result and where that goes.
pub(crate) struct Task<F, T, R> {
    work: F,
    outcome: Option<Result<T, StoreError>>,
    reply: R,
    /// A place in the queue, given back with the answer.
    _place: Option<OwnedSemaphorePermit>,
}

impl<F, T, R> Task<F, T, R> {
    pub(crate) fn new(work: F, reply: R, place: Option<OwnedSemaphorePermit>) -> Self {
        Self { work, outcome: None, reply, _place: place }
    }
}

impl<F, T, R> Job for Task<F, T, R>
where
    F: Fn(&mut dyn Transaction) -> Result<T, StoreError> + Send,
    T: Send,
    R: FnOnce(Result<T, StoreError>) + Send,
{
    fn run(&mut self, tx: &mut dyn Transaction) -> bool {
        // A panic in one unit of work must not take the writer away from everyone else. What it touched is
        // dropped with its overlay, so no broken state is seen again.
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.work)(tx))).unwrap_or_else(|_| {
            tracing::error!("a transaction panicked; its writes are dropped");
            Err(StoreError::Refused("the transaction failed".to_owned()))
        });
        self.outcome.insert(outcome).is_ok()
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let outcome = self.outcome.unwrap_or(Err(StoreError::Closed));
        (self.reply)(committed.and(outcome));
    }
}

/// A unit of work that is in line, and how long it may be.
struct Waiting {
    job: Box<dyn Job>,
    until: Instant,
}

/// Starts the writer thread. It ends when told to close or when the last sender is gone.
pub(crate) fn start(engines: Engines) -> Result<Sender<Message>, StoreError> {
    let (sender, queue) = channel();
    let names = engines.names();
    std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || Writer { engines, waiting: Vec::new(), rest: REST.0, unfinished: false }.serve(&queue))
        .map_err(|error| StoreError::unavailable(std::path::Path::new(&names), &error))?;
    Ok(sender)
}

struct Writer {
    engines: Engines,
    /// What waits for locks of other processes.
    waiting: Vec<Waiting>,
    rest: Duration,
    /// What can be computed from the records is not up to date.
    unfinished: bool,
}

/// What a pause in the work was for.
enum Next {
    Message(Message),
    /// Nothing came; what waits is tried again, or what is unfinished goes on.
    Nothing,
    /// All handles are gone.
    End,
}

impl Writer {
    fn serve(mut self, queue: &Receiver<Message>) {
        let mut ended = false;
        let closed = loop {
            let mut message = match self.next(queue, ended) {
                Next::Message(message) => Some(message),
                Next::Nothing => None,
                Next::End if self.waiting.is_empty() => break None,
                Next::End => {
                    ended = true;
                    None
                }
            };
            let mut batch = std::mem::take(&mut self.waiting);
            let mut close = None;
            while let Some(next) = message {
                match next {
                    Message::Job(job) => batch.push(Waiting { job, until: Instant::now() + LOCK_TIMEOUT }),
                    Message::Close { settle, done } => close = Some((settle, done)),
                }
                message = if batch.len() < BATCH && close.is_none() { queue.try_recv().ok() } else { None };
            }
            self.process(batch);
            if close.is_some() {
                self.finish_waiting();
                break close;
            }
        };
        let settle = closed.as_ref().is_some_and(|(settle, _)| *settle);
        self.engines.each().for_each(|engine| engine.close(settle));
        drop(self);
        if let Some((_, done)) = closed {
            // Nobody may be waiting any more.
            let _ = done.send(());
        }
    }

    /// Waits for work; uses the time.
    fn next(&mut self, queue: &Receiver<Message>, ended: bool) -> Next {
        if !self.waiting.is_empty() {
            if ended {
                std::thread::sleep(self.rest);
                return Next::Nothing;
            }
            return match queue.recv_timeout(self.rest) {
                Ok(message) => Next::Message(message),
                Err(RecvTimeoutError::Timeout) => Next::Nothing,
                Err(RecvTimeoutError::Disconnected) => Next::End,
            };
        }
        if ended {
            return Next::End;
        }
        if self.unfinished {
            if let Ok(message) = queue.try_recv() {
                return Next::Message(message);
            }
            self.maintain();
            return Next::Nothing;
        }
        match queue.recv_timeout(IDLE) {
            Ok(message) => Next::Message(message),
            Err(RecvTimeoutError::Disconnected) => Next::End,
            Err(RecvTimeoutError::Timeout) => {
                self.engines.each().for_each(|engine| engine.idle());
                queue.recv().map_or(Next::End, Next::Message)
            }
        }
    }

    /// A step towards what can be computed from the records.
    fn maintain(&mut self) {
        self.unfinished = false;
        for engine in self.engines.each() {
            self.unfinished |= engine.maintain();
        }
    }

    /// Nothing new comes; what waits for locks has its time all the same.
    fn finish_waiting(&mut self) {
        while !self.waiting.is_empty() {
            std::thread::sleep(self.rest);
            let batch = std::mem::take(&mut self.waiting);
            self.process(batch);
        }
    }

    fn process(&mut self, batch: Vec<Waiting>) {
        if batch.is_empty() {
            return;
        }
        // Those whose commit met another one are run again, each alone.
        for mut job in self.commit(batch) {
            let mut attempts = 0;
            loop {
                let Some(again) = self.commit(vec![job]).pop() else { break };
                job = again;
                attempts += 1;
                if attempts == ATTEMPTS {
                    job.job.finish(Err(StoreError::Conflict));
                    break;
                }
            }
        }
        self.rest = if self.waiting.is_empty() { REST.0 } else { (self.rest * 2).min(REST.1) };
        self.maintain();
    }

    /// Runs and commits what can be, and answers it. What a lock is missing for waits; what met another commit is
    /// given back.
    fn commit(&mut self, mut batch: Vec<Waiting>) -> Vec<Waiting> {
        let started = Instant::now();
        let ran = self.run(&mut batch);
        let overlay = ran.overlay;
        let committed = self.engines.commit(&overlay);
        metrics::histogram!("cavra_store_batch_size").record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
        metrics::histogram!("cavra_store_commit_seconds").record(started.elapsed());
        let met = matches!(committed, Err(StoreError::Conflict));
        if let Err(error) = &committed
            && !met
        {
            metrics::counter!("cavra_store_commit_errors_total").increment(1);
            tracing::error!(error = error as &dyn std::error::Error, "commit failed");
        }
        let now = Instant::now();
        let mut again = Vec::new();
        for (waiting, is_blocked) in batch.into_iter().zip(ran.blocked) {
            if !is_blocked && met {
                again.push(waiting);
            } else if !is_blocked {
                waiting.job.finish(committed.clone());
            } else if now < waiting.until {
                self.waiting.push(waiting);
            } else {
                waiting.job.finish(Err(self.locked()));
            }
        }
        again
    }

    fn locked(&self) -> StoreError {
        let names = self.engines.names();
        StoreError::unavailable(std::path::Path::new(&names), "another process keeps it locked")
    }

    /// Runs the batch, and again from its start as long as files have to be locked in another order.
    fn run(&mut self, batch: &mut [Waiting]) -> Ran {
        let mut first = std::collections::BTreeSet::new();
        'again: loop {
            for index in &first {
                // A file that is not to be had is noticed by whoever needs it.
                let _ = self.engines.at(*index);
                self.engines.take_blocked();
            }
            let mut ran = Ran { overlay: Overlay::default(), blocked: Vec::with_capacity(batch.len()) };
            for waiting in &mut *batch {
                let mut scope = Scope { engines: &mut self.engines, batch: &ran.overlay, own: Overlay::default() };
                let keep = waiting.job.run(&mut scope);
                let own = scope.own;
                match self.engines.take_blocked() {
                    Some(Blocked::Order(index)) => {
                        first.insert(index);
                        self.engines.abort();
                        continue 'again;
                    }
                    Some(Blocked::Busy) => ran.blocked.push(true),
                    None => {
                        if keep {
                            ran.overlay.merge(own);
                        }
                        ran.blocked.push(false);
                    }
                }
            }
            return ran;
        }
    }
}

/// What came of a batch.
struct Ran {
    /// What is to be committed.
    overlay: Overlay,
    /// Which units of work could not be run, as another process has the lock.
    blocked: Vec<bool>,
}
