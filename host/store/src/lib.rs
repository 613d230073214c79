//! The record store: get, list, insert-once and upsert of JSON records, several writes in one durable commit, over
//! JSON files or SQLite. What a record looks like is declared as data, see [`cavra_model::Kind`]. Contract 10,
//! section 8.
//!
//! All writes of a store go through one thread, which commits what has queued up in one go (see `writer`); reads run
//! beside it. Processes that share a store, such as the server and the CLI, never lose each other's writes.

mod absent;
mod attachments;
mod criteria;
mod error;
mod files;
mod json;
mod log;
mod overlay;
mod query;
mod sqlite;
mod writer;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, mpsc};

use cavra_model::{Column, ColumnType, Kind, Object};
use serde_json::Value;
use tokio::sync::{Semaphore, oneshot};

use crate::absent::Absent;
use crate::overlay::check_kind;
use crate::query::Condition;
use crate::writer::{Backend, Message, Task};

pub use attachments::Attachment;
pub use criteria::{Criterion, Test};
pub use error::StoreError;
pub use log::{Audited, LogFile, MAX_LEAF};
pub use query::{Page, Query, Unreadable, Walk};
pub use sqlite::{Applied, apply_scripts, table_script};

/// Transactions that may wait for the writer; further callers of [`RecordStore::transact`] wait before they queue.
const QUEUE: usize = 4096;

/// Reads of one store that run at the same time.
const READERS: usize = 4;

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A JSON file, created on first write.
    Json(PathBuf),
    /// A SQLite database, created when opened.
    Sqlite(PathBuf),
}

/// What a store is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A JSON file.
    Json,
    /// A SQLite database.
    Sqlite,
}

impl Mode {
    /// `json` or `sqlite`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Sqlite => "sqlite",
        }
    }
}

/// Creates the SQLite database at `path` or brings it up to date, as opening it does; answers whether anything had to
/// be done.
///
/// # Errors
/// As [`RecordStore::open`].
pub fn migrate(path: &Path, kinds: &'static [&'static Kind]) -> Result<bool, StoreError> {
    sqlite::migrate(path, kinds)
}

/// What a transaction can do. It sees its own writes and those of the transactions before it.
pub trait Transaction {
    /// One record.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn get(&mut self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError>;

    /// The record that a whole new one is to take the place of. One that cannot be read is none: being replaced repairs it.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn replaced(&mut self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError> {
        match self.get(kind, id) {
            Err(StoreError::Broken { .. }) => Ok(None),
            found => found,
        }
    }

    /// Whether there is a record with that key.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn holds(&mut self, kind: &'static Kind, id: &str) -> Result<bool, StoreError>;

    /// Writes a new record.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if its key is taken, [`StoreError::Refused`] if it has none, or if the store cannot
    /// be read.
    fn insert(&mut self, kind: &'static Kind, record: Object) -> Result<(), StoreError>;

    /// Writes a record, in place of the one with its key if there is one.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it has no key.
    fn put(&mut self, kind: &'static Kind, record: Object) -> Result<(), StoreError>;

    /// Number of records by the values of the column `group`, ascending, among those whose filter column `by.0` is
    /// `by.1`. `group` is a filter column or the one that orders lists.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for other columns, or if the store cannot be read.
    fn tally(&mut self, kind: &'static Kind, by: (&str, &str), group: &str) -> Result<Vec<(String, u64)>, StoreError>;

    /// Appends a leaf to the store's log, in the same commit as everything else. Its index is the number of leaves
    /// before it. Appending takes no reading and no hashing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it is longer than [`MAX_LEAF`].
    fn append(&mut self, leaf: String) -> Result<(), StoreError>;

    /// Keeps bytes that are large for a record under their SHA-256 in hex, in a file beside the store. They are durable
    /// when this returns, before the transaction is; they stay, whatever becomes of it. Answers `false`, and keeps
    /// nothing, in a database, where large records cost nothing: there they belong into the record.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if they cannot be written, [`StoreError::Refused`] for another name.
    fn attach(&mut self, sha256: &str, bytes: &[u8]) -> Result<bool, StoreError>;
}

/// The reading side of a backend; calls block.
pub(crate) trait Reader: Send + Sync {
    fn get(&self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError>;
    fn list(&self, kind: &'static Kind, query: &Query) -> Result<Page, StoreError>;
    fn gather(&self, kind: &'static Kind, by: &Condition, member: &str) -> Result<Vec<Value>, StoreError>;
    fn walk(&self, kind: &'static Kind, path: &query::Path, visit: Visitor<'_>) -> Result<(), StoreError>;
    /// Shows every record, and answers what is wrong with the ways that lists find them.
    fn audit(&self, kind: &'static Kind, visit: &mut dyn FnMut(Audited)) -> Result<Vec<String>, StoreError>;
    fn get_many(&self, kind: &'static Kind, ids: &[String]) -> Result<Vec<Object>, StoreError>;
    fn values(&self, kind: &'static Kind, column: &'static Column) -> Result<Vec<String>, StoreError>;
    fn check(&self) -> Result<(), StoreError>;
    fn log_size(&self) -> Result<u64, StoreError>;
    fn leaves(&self, range: Range<u64>) -> Result<Vec<String>, StoreError>;
    fn attachment(&self, name: &str, limit: u64) -> Result<Attachment, StoreError>;
}

/// Takes one record after the other; answers whether it wants more.
pub(crate) type Visitor<'a> = &'a mut dyn FnMut(Object) -> bool;

/// An open store. Clones are handles of the same store; it closes with the last one.
#[derive(Clone)]
pub struct RecordStore {
    inner: Arc<Inner>,
}

struct Inner {
    kinds: &'static [&'static Kind],
    mode: Mode,
    path: PathBuf,
    reader: Arc<dyn Reader>,
    readers: Arc<Semaphore>,
    queue: Sender<Message>,
    places: Arc<Semaphore>,
}

impl RecordStore {
    /// Opens the store at `location` for records of `kinds`. A SQLite database is created or brought up to date;
    /// a JSON file is only read.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] or [`StoreError::Corrupt`] for a file that is no store of these kinds, which is left as
    /// it is; [`StoreError::Unavailable`].
    pub fn open(location: Location, kinds: &'static [&'static Kind]) -> Result<Self, StoreError> {
        match location {
            Location::Json(path) => {
                let (reader, backend) = json::open(&path, kinds)?;
                Self::of(Mode::Json, path, kinds, Arc::new(reader), Box::new(backend))
            }
            Location::Sqlite(path) => {
                let (reader, backend) = sqlite::open(&path, kinds)?;
                Self::of(Mode::Sqlite, path, kinds, Arc::new(reader), Box::new(backend))
            }
        }
    }

    /// As [`RecordStore::open`], for those who only read: a database that is not there is empty and is not created. What
    /// is there is brought up to date all the same.
    ///
    /// # Errors
    /// As [`RecordStore::open`].
    pub fn look(location: Location, kinds: &'static [&'static Kind]) -> Result<Self, StoreError> {
        match location {
            Location::Sqlite(path) if std::fs::symlink_metadata(&path).is_err_and(|error| is_absence(&error)) => {
                let absent = Absent::at(&path);
                Self::of(Mode::Sqlite, path, kinds, Arc::new(absent.clone()), Box::new(absent))
            }
            there => Self::open(there, kinds),
        }
    }

    fn of(
        mode: Mode,
        path: PathBuf,
        kinds: &'static [&'static Kind],
        reader: Arc<dyn Reader>,
        backend: Box<dyn Backend>,
    ) -> Result<Self, StoreError> {
        let queue = writer::start(backend, kinds, &path)?;
        let readers = Arc::new(Semaphore::new(READERS));
        let places = Arc::new(Semaphore::new(QUEUE));
        Ok(Self { inner: Arc::new(Inner { kinds, mode, path, reader, readers, queue, places }) })
    }

    /// Runs `f` as one transaction: durable when this returns `Ok`, all or nothing. `f` runs on the writer thread,
    /// so it must be quick and must not wait for anything.
    ///
    /// Dropping the future does not undo the transaction.
    ///
    /// # Errors
    /// What `f` answers, or why the commit failed. Nothing was changed then.
    pub async fn transact<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut dyn Transaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = Arc::clone(&self.inner.places).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (sender, answer) = oneshot::channel();
        // The caller may have gone; the transaction stands all the same.
        let reply = move |outcome| drop(sender.send(outcome));
        self.submit(Task::new(f, reply, Some(place)))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// As [`RecordStore::transact`], for callers outside an async runtime; blocks the calling thread.
    ///
    /// # Errors
    /// As [`RecordStore::transact`].
    pub fn transact_blocking<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut dyn Transaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, answer) = mpsc::channel();
        let reply = move |outcome| drop(sender.send(outcome));
        self.submit(Task::new(f, reply, None))?;
        answer.recv().unwrap_or(Err(StoreError::Closed))
    }

    fn submit(&self, job: impl writer::Job + 'static) -> Result<(), StoreError> {
        self.inner.queue.send(Message::Job(Box::new(job))).map_err(|_| StoreError::Closed)
    }

    /// One record.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn get(&self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError> {
        check_kind(self.inner.kinds, kind)?;
        let id = id.to_owned();
        self.read(move |reader| reader.get(kind, &id)).await
    }

    /// One page of the records that match, in the kind's order.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a filter the kind does not declare, or if the store cannot be read.
    pub async fn list(&self, kind: &'static Kind, query: Query) -> Result<Page, StoreError> {
        check_kind(self.inner.kinds, kind)?;
        self.read(move |reader| reader.list(kind, &query)).await
    }

    /// The member `member` of all records whose filter column `by.0` is `by.1`, ascending by the kind's order column and
    /// then by key. Lists are flattened; missing members and nulls are left out.
    ///
    /// # Errors
    /// As [`RecordStore::list`].
    pub async fn gather(
        &self,
        kind: &'static Kind,
        by: (&'static str, String),
        member: &'static str,
    ) -> Result<Vec<Value>, StoreError> {
        check_kind(self.inner.kinds, kind)?;
        let column = query::filter_column(kind, by.0)?;
        let Some(value) = query::Cell::parse(column, &by.1) else { return Ok(Vec::new()) };
        self.read(move |reader| reader.gather(kind, &(column, value), member)).await
    }

    /// Shows `visit` every record on the way, in the kind's order, until it answers `false`. What it sees is of one
    /// moment. It runs on a thread of its own and may block.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for columns the kind does not declare, or if the store cannot be read.
    pub async fn walk(
        &self,
        kind: &'static Kind,
        walk: Walk,
        mut visit: impl FnMut(Object) -> bool + Send + 'static,
    ) -> Result<(), StoreError> {
        check_kind(self.inner.kinds, kind)?;
        let path = query::Path::resolve(kind, &walk)?;
        self.read(move |reader| reader.walk(kind, &path, &mut visit)).await
    }

    /// Number of leaves of the store's log.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn log_size(&self) -> Result<u64, StoreError> {
        self.read(|reader| reader.log_size()).await
    }

    /// The leaves `range` of the store's log; fewer if there are fewer.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a leaf before the end is missing, or if the store cannot be read.
    pub async fn leaves(&self, range: Range<u64>) -> Result<Vec<String>, StoreError> {
        self.read(move |reader| reader.leaves(range)).await
    }

    /// What [`Transaction::attach`] kept under that name, if it has at most `limit` bytes. Others may have changed it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn attachment(&self, sha256: &str, limit: u64) -> Result<Attachment, StoreError> {
        let name = sha256.to_owned();
        self.read(move |reader| reader.attachment(&name, limit)).await
    }

    /// The records with these keys, as far as there are any, in the order of the keys.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn get_many(&self, kind: &'static Kind, ids: Vec<String>) -> Result<Vec<Object>, StoreError> {
        check_kind(self.inner.kinds, kind)?;
        self.read(move |reader| reader.get_many(kind, &ids)).await
    }

    /// The distinct texts, not empty ones, that a member which lists can be asked for has in all records.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for another member, or if the store cannot be read.
    pub async fn values(&self, kind: &'static Kind, member: &'static str) -> Result<Vec<String>, StoreError> {
        check_kind(self.inner.kinds, kind)?;
        let column = criteria::asked_column(kind, member, ColumnType::Text)?;
        self.read(move |reader| reader.values(kind, column)).await
    }

    /// Reads the whole store for damage; takes time in proportion to its size.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Unreadable`] or [`StoreError::Unavailable`].
    pub async fn check(&self) -> Result<(), StoreError> {
        self.read(|reader| reader.check()).await
    }

    async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = Arc::clone(&self.inner.readers).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let reader = Arc::clone(&self.inner.reader);
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            f(reader.as_ref())
        });
        work.await.unwrap_or(Err(StoreError::Closed))
    }

    /// What the store is made of.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.inner.mode
    }

    /// Where it is, as given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Finishes what is queued, tidies the files and stops writing; further transactions get [`StoreError::Closed`].
    pub async fn close(&self) {
        self.stop(false).await;
    }

    /// Closes the store and leaves all records in the one file at [`RecordStore::path`], so that it can be copied, if no
    /// other process has it open.
    pub async fn settle(&self) {
        self.stop(true).await;
    }

    async fn stop(&self, settle: bool) {
        let (done, closed) = oneshot::channel();
        if self.inner.queue.send(Message::Close { settle, done }).is_ok() {
            // An error means that somebody else closed it first.
            let _ = closed.await;
        }
    }
}

fn is_absence(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

impl std::fmt::Debug for RecordStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordStore").field("mode", &self.inner.mode).field("path", &self.inner.path).finish()
    }
}
