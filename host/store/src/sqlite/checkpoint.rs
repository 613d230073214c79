//! Moving the write-ahead log into the database beside the writer.
//!
//! A checkpoint of a long log takes tens of milliseconds, and a commit must not wait for it. So another thread does
//! it without any lock, again and again until little is left; the writer does the little rest between two commits,
//! because only a log without a rest starts anew instead of growing. SQLite waits for the disk only when no rest is
//! left, which is the writer's turn, so the thread waits for the disk itself before that.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use rusqlite::{Connection, OpenFlags};

use super::Database;

/// Frames (pages) of log that are worth a checkpoint: 32 MiB.
const FRAMES: i64 = 8192;

/// Frames the writer may be left with: they take it about a millisecond.
const REST: i64 = 512;

/// Most passes of the thread; each has only what came during the one before.
const PASSES: usize = 6;

/// Records between two looks at the log.
const INTERVAL: usize = 1024;

/// Log that a store may leave behind which somebody waits to see closed, in bytes. The next process to open the
/// database reads it.
pub(super) const LEFT: u64 = 1024 * 1024;

/// Decides when to checkpoint.
pub(super) struct Checkpointer {
    database: Database,
    records: usize,
    thread: Option<(Sender<()>, JoinHandle<()>)>,
    rest: Arc<AtomicBool>,
}

impl Checkpointer {
    pub(super) fn new(database: Database) -> Self {
        Self { database, records: 0, thread: None, rest: Arc::default() }
    }

    /// Called by the writer after every commit.
    pub(super) fn committed(&mut self, connection: &Connection, records: usize) {
        if self.rest.swap(false, Ordering::AcqRel) {
            report(checkpoint(connection, "PASSIVE"));
        }
        self.records += records;
        if self.records < INTERVAL {
            return;
        }
        self.records = 0;
        if self.thread.is_none() {
            self.thread = self.spawn();
        }
        if let Some((wake, _)) = &self.thread {
            // The thread only ends when this sender does.
            let _ = wake.send(());
        }
    }

    fn spawn(&self) -> Option<(Sender<()>, JoinHandle<()>)> {
        let (wake, woken) = channel();
        let (database, rest) = (self.database.clone(), Arc::clone(&self.rest));
        let work = move || {
            let connection = match database.connect(OpenFlags::SQLITE_OPEN_READ_WRITE, 64) {
                Ok(connection) => connection,
                Err(error) => return tracing::error!(error = &error as &dyn std::error::Error, "no checkpoints"),
            };
            let file = File::open(&database.path).inspect_err(|error| tracing::debug!(%error, "no early write-back"));
            // To close a file gives up all POSIX locks this process has on it, SQLite's among them. So it stays open.
            let file = file.ok().map(ManuallyDrop::new);
            while woken.recv().is_ok() {
                while woken.try_recv().is_ok() {}
                match pass(&connection, file.as_deref()) {
                    Ok(true) => rest.store(true, Ordering::Release),
                    Ok(false) => {}
                    Err(error) => report(Err(error)),
                }
            }
        };
        let thread = std::thread::Builder::new().name("store-ckpt".to_owned()).spawn(work);
        thread.ok().map(|thread| (wake, thread))
    }

    /// Ends the thread.
    pub(super) fn stop(&mut self) {
        if let Some((wake, thread)) = self.thread.take() {
            drop(wake);
            // It does not panic; if it did there is nothing left to do about it.
            let _ = thread.join();
        }
    }
}

/// Checkpoints a long log; whether there is a rest for the writer.
fn pass(connection: &Connection, file: Option<&File>) -> rusqlite::Result<bool> {
    let (frames, _) = checkpoint(connection, "NOOP")?;
    if frames < FRAMES {
        return Ok(false);
    }
    for _ in 0..PASSES {
        let (frames, done) = checkpoint(connection, "PASSIVE")?;
        if let Some(Err(error)) = file.map(File::sync_data) {
            // SQLite meets the same error when it counts.
            tracing::debug!(%error, "no early write-back");
        }
        let (now, _) = checkpoint(connection, "NOOP")?;
        if now.max(frames) - done <= REST {
            break;
        }
    }
    Ok(true)
}

/// Frames in the log and how many of them are in the database.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<(i64, i64)> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| Ok((row.get(1)?, row.get(2)?)))
}

/// Empties a log of more than `left` bytes, if nobody else is using it at this moment.
pub(super) fn tidy(database: &Database, connection: &Connection, left: u64) {
    if database.log_size() <= left {
        return;
    }
    let tidy = || {
        connection.busy_timeout(std::time::Duration::from_millis(50))?;
        let done = checkpoint(connection, "TRUNCATE");
        connection.busy_timeout(std::time::Duration::ZERO)?;
        done
    };
    report(tidy());
}

/// A checkpoint that did not work out is tried again later; the records are safe in the log.
fn report(result: rusqlite::Result<(i64, i64)>) {
    if let Err(error) = result {
        tracing::debug!(error = &error as &dyn std::error::Error, "no checkpoint now");
    }
}
