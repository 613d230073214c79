//! The one writer of a store: a thread that takes everything queued, runs it against an overlay, commits the result
//! once and then answers everyone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use cavra_model::{Column, Kind, Object};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::overlay::{Changes, Overlay, Scope};
use crate::query::Cell;
use crate::{StoreError, Transaction};

/// Most closures in one commit. More would make the first wait for the last without saving a noticeable share of
/// the commit's cost.
const BATCH: usize = 256;

/// A writer without work for this long tidies its files.
const IDLE: Duration = Duration::from_secs(2);

/// Where a writer keeps its records. Every transaction is `begin`, then reads, then `commit` or `abort`.
pub(crate) trait Backend: Send {
    /// Takes the lock that keeps other processes from writing, and sees what they wrote so far.
    fn begin(&mut self) -> Result<(), StoreError>;
    /// One committed record.
    fn get(&mut self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError>;
    /// Whether there is a committed record with that key.
    fn exists(&mut self, kind: &'static Kind, id: &str) -> Result<bool, StoreError>;
    /// Number of committed records by the values of `group`, among those that have `by`.
    fn tally(
        &mut self,
        kind: &'static Kind,
        by: (&'static Column, &Cell),
        group: &'static Column,
    ) -> Result<Vec<(String, u64)>, StoreError>;
    /// Keeps bytes beside the records, durably, if there is a place for that; answers whether there is.
    fn attach(&mut self, name: &str, bytes: &[u8]) -> Result<bool, StoreError>;
    /// Makes all changes durable and ends the transaction; on an error none is made.
    fn commit(&mut self, changes: &Changes<'_>) -> Result<(), StoreError>;
    /// Ends the transaction without changes.
    fn abort(&mut self);
    /// Nothing has happened for a while.
    fn idle(&mut self);
    /// The store is closing; with `settle` all records are brought into the file that people know, however long it takes.
    fn close(&mut self, settle: bool);
}

/// One caller's closure with its answer.
pub(crate) trait Job: Send {
    /// Runs the closure; whether its writes are to be kept.
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

/// A closure, its result and where that goes.
pub(crate) struct Task<F, T, R> {
    work: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    reply: R,
    /// A place in the queue, given back with the answer.
    _place: Option<OwnedSemaphorePermit>,
}

impl<F, T, R> Task<F, T, R> {
    pub(crate) fn new(work: F, reply: R, place: Option<OwnedSemaphorePermit>) -> Self {
        Self { work: Some(work), outcome: None, reply, _place: place }
    }
}

impl<F, T, R> Job for Task<F, T, R>
where
    F: FnOnce(&mut dyn Transaction) -> Result<T, StoreError> + Send,
    T: Send,
    R: FnOnce(Result<T, StoreError>) + Send,
{
    fn run(&mut self, tx: &mut dyn Transaction) -> bool {
        let Some(work) = self.work.take() else { return false };
        // A panic in one closure must not take the writer away from everyone else. What the closure touched is
        // dropped with its overlay, so no broken state is seen again.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(tx))).unwrap_or_else(|_| {
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

/// Starts the writer thread. It ends when told to close or when the last sender is gone.
pub(crate) fn start(
    backend: Box<dyn Backend>,
    kinds: &'static [&'static Kind],
    path: &Path,
) -> Result<Sender<Message>, StoreError> {
    let (sender, queue) = channel();
    std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || Writer { backend, kinds }.serve(&queue))
        .map_err(|error| StoreError::unavailable(path, &error))?;
    Ok(sender)
}

struct Writer {
    backend: Box<dyn Backend>,
    kinds: &'static [&'static Kind],
}

impl Writer {
    fn serve(mut self, queue: &Receiver<Message>) {
        let closed = loop {
            let Some(first) = self.next(queue) else { break None };
            let mut batch = Vec::new();
            let mut close = None;
            let mut message = Some(first);
            while let Some(next) = message {
                match next {
                    Message::Job(job) => batch.push(job),
                    Message::Close { settle, done } => close = Some((settle, done)),
                }
                message = if batch.len() < BATCH && close.is_none() { queue.try_recv().ok() } else { None };
            }
            self.process(batch);
            if close.is_some() {
                break close;
            }
        };
        self.backend.close(closed.as_ref().is_some_and(|(settle, _)| *settle));
        drop(self);
        if let Some((_, done)) = closed {
            // Nobody may be waiting any more.
            let _ = done.send(());
        }
    }

    /// Waits for work; tidies up once if none comes for a while.
    fn next(&mut self, queue: &Receiver<Message>) -> Option<Message> {
        match queue.recv_timeout(IDLE) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                self.backend.idle();
                queue.recv().ok()
            }
        }
    }

    fn process(&mut self, mut batch: Vec<Box<dyn Job>>) {
        if batch.is_empty() {
            return;
        }
        let started = Instant::now();
        let committed = self.run(&mut batch);
        metrics::histogram!("cavra_store_batch_size").record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
        metrics::histogram!("cavra_store_commit_seconds").record(started.elapsed());
        if let Err(error) = &committed {
            metrics::counter!("cavra_store_commit_errors_total").increment(1);
            tracing::error!(error = error as &dyn std::error::Error, "commit failed");
        }
        for job in batch {
            job.finish(committed.clone());
        }
    }

    fn run(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        self.backend.begin()?;
        let mut merged = Overlay::default();
        for job in batch {
            let own = Overlay::default();
            let mut scope = Scope { kinds: self.kinds, backend: self.backend.as_mut(), batch: &merged, own };
            if job.run(&mut scope) {
                let own = scope.own;
                merged.merge(own);
            }
        }
        let changes = merged.changes();
        if changes.is_empty() {
            self.backend.abort();
            return Ok(());
        }
        self.backend.commit(&changes)
    }
}
