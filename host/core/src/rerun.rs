//! Stored decisions, made again. The store is walked on one thread, newest first; as many tasks as there are processors
//! take what it finds. What is made of a decision is up to the [`Rerun`]. Nothing is stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cavra_model::{DECISIONS, Object};
use cavra_store::Walk;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::{Activity, CoreError};

/// Decisions handed from the store to a task at once.
const CHUNK: usize = 256;

/// What is done with each decision.
pub(crate) trait Rerun: Clone + Send + Sync + 'static {
    /// What one task has found so far.
    type Tally: Default + Send + 'static;

    /// Makes one decision again and counts what came of it.
    fn again(&self, record: &Object, tally: &mut Self::Tally) -> impl Future<Output = Result<(), CoreError>> + Send;
}

/// What came of a run.
pub(crate) struct Reran<T> {
    /// One tally for each task.
    pub(crate) tallies: Vec<T>,
    /// There were more decisions on the way than were made again.
    pub(crate) truncated: bool,
}

/// Makes the decisions on `walk` again, at most `most` of them. `progress` is told how many were handed out so far.
///
/// # Errors
/// What [`Rerun::again`] answers, and [`CoreError::Store`].
pub(crate) async fn rerun<R: Rerun>(
    activity: &Activity,
    walk: Walk,
    most: u64,
    rerun: R,
    progress: impl Fn(u64) + Send + 'static,
) -> Result<Reran<R::Tally>, CoreError> {
    let tasks = std::thread::available_parallelism().map_or(1, usize::from);
    let (sender, receiver) = mpsc::channel(tasks * 2);
    let receiver = Arc::new(Mutex::new(receiver));
    // Whoever no longer waits for the answer drops this, and with it the tasks.
    let mut running = JoinSet::new();
    for _ in 0..tasks {
        let (rerun, receiver) = (rerun.clone(), Arc::clone(&receiver));
        running.spawn(async move { take(&rerun, &receiver).await });
    }
    // The tasks' own handles remain; when they fail, the walk finds nobody to send to.
    drop(receiver);
    let truncated = hand_out(activity, walk, most, sender, progress).await?;
    let mut tallies = Vec::with_capacity(tasks);
    while let Some(task) = running.join_next().await {
        tallies.push(task.map_err(|_| CoreError::Conflict("the run was interrupted".to_owned()))??);
    }
    Ok(Reran { tallies, truncated })
}

async fn take<R: Rerun>(rerun: &R, receiver: &Mutex<mpsc::Receiver<Vec<Object>>>) -> Result<R::Tally, CoreError> {
    let mut tally = R::Tally::default();
    loop {
        let chunk = receiver.lock().await.recv().await;
        let Some(chunk) = chunk else { return Ok(tally) };
        for record in chunk {
            rerun.again(&record, &mut tally).await?;
        }
        tokio::task::yield_now().await;
    }
}

/// Sends the decisions on the way to the tasks; answers whether there were more.
async fn hand_out(
    activity: &Activity,
    walk: Walk,
    most: u64,
    sender: mpsc::Sender<Vec<Object>>,
    progress: impl Fn(u64) + Send + 'static,
) -> Result<bool, CoreError> {
    let more = Arc::new(AtomicBool::new(false));
    let seen_more = Arc::clone(&more);
    let mut handed = Handed { sender, chunk: Vec::with_capacity(CHUNK), count: 0, progress };
    let visit = move |record: Object| {
        if handed.count >= most {
            seen_more.store(true, Ordering::Relaxed);
            return false;
        }
        handed.push(record)
    };
    activity.store().walk(&DECISIONS, walk, visit).await?;
    Ok(more.load(Ordering::Relaxed))
}

/// The sending end; sends what is left when it is dropped.
struct Handed<P: Fn(u64)> {
    sender: mpsc::Sender<Vec<Object>>,
    chunk: Vec<Object>,
    count: u64,
    progress: P,
}

impl<P: Fn(u64)> Handed<P> {
    fn push(&mut self, record: Object) -> bool {
        self.count += 1;
        self.chunk.push(record);
        self.chunk.len() < CHUNK || self.flush()
    }

    fn flush(&mut self) -> bool {
        (self.progress)(self.count);
        self.sender.blocking_send(std::mem::take(&mut self.chunk)).is_ok()
    }
}

impl<P: Fn(u64)> Drop for Handed<P> {
    fn drop(&mut self) {
        if !self.chunk.is_empty() {
            self.flush();
        }
    }
}
