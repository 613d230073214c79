//! An open store.

use std::ops::Range;
use std::sync::mpsc::Sender;
use std::sync::{Arc, mpsc};

use cavra_model::{ColumnType, Kind, Object};
use serde_json::Value;
use tokio::sync::{Semaphore, oneshot};

use crate::contended::Contended;
use crate::engine::{Engine, Reader};
use crate::engines::Engines;
use crate::place::{Area, Layout, Location, Mode, name_of};
use crate::query::{self, Page, Query, Unreadable, Walk};
use crate::writer::{self, Message, Task};
use crate::{Attachment, StoreError, Transaction, apart, criteria, json, sqlite};

/// Transactions that may wait for the writer; further callers of [`RecordStore::transact`] wait before they queue.
const QUEUE: usize = 4096;

/// Reads of one file that run at the same time.
const READERS: usize = 4;

/// When a file is made or brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// When the store is opened.
    Now,
    /// When something is written.
    OnWrite,
}

/// An open store: all kinds of an installation, in one file or in several. Clones are handles of the same store; it
/// closes with the last one.
#[derive(Clone)]
pub struct RecordStore {
    inner: Arc<Inner>,
}

struct Inner {
    layout: Layout,
    files: Vec<File>,
    queue: Sender<Message>,
    places: Arc<Semaphore>,
}

/// The reading side of one file.
struct File {
    location: Location,
    reader: Arc<dyn Reader>,
    readers: Arc<Semaphore>,
}

impl RecordStore {
    /// Opens a store of one area. A SQLite database is created or brought up to date; a JSON file is only read.
    ///
    /// # Errors
    /// As [`RecordStore::open_all`].
    pub fn open(location: Location, kinds: Area) -> Result<Self, StoreError> {
        Self::open_all(&[(location, kinds)])
    }

    /// Opens the store whose areas are at these places. Databases are created or brought up to date; JSON files are only
    /// read. What an interrupted unit of work has left to be written is written.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] or [`StoreError::Corrupt`] for a file that is no store of these kinds, which is left as
    /// it is; [`StoreError::Unavailable`].
    pub fn open_all(places: &[(Location, Area)]) -> Result<Self, StoreError> {
        Self::start(places, Ready::Now, None)
    }

    /// As [`RecordStore::open`], for those who write later or not at all: a database that is not there is empty, and one
    /// of an older release is read as it is. It is created or brought up to date when something is written.
    ///
    /// # Errors
    /// As [`RecordStore::open_all`].
    pub fn look(location: Location, kinds: Area) -> Result<Self, StoreError> {
        Self::look_all(&[(location, kinds)])
    }

    /// As [`RecordStore::open_all`], for those who write later or not at all.
    ///
    /// # Errors
    /// As [`RecordStore::open_all`].
    pub fn look_all(places: &[(Location, Area)]) -> Result<Self, StoreError> {
        Self::start(places, Ready::OnWrite, None)
    }

    /// A store whose commits meet others at random, so that units of work are run again: for tests.
    ///
    /// # Errors
    /// As [`RecordStore::open_all`].
    #[doc(hidden)]
    pub fn open_contended(places: &[(Location, Area)], seed: u64) -> Result<Self, StoreError> {
        Self::start(places, Ready::Now, Some(seed))
    }

    fn start(places: &[(Location, Area)], ready: Ready, contended: Option<u64>) -> Result<Self, StoreError> {
        let (layout, places) = Layout::of(places);
        let (mut engines, mut files, mut locations) = (Vec::new(), Vec::new(), Vec::new());
        for (location, areas) in places {
            let mut engine = open_engine(&location, &areas, ready)?;
            if let Some(seed) = contended {
                engine.backend = Box::new(Contended::new(engine.backend, seed));
            }
            let (reader, readers) = (Arc::clone(&engine.reader), Arc::new(Semaphore::new(READERS)));
            files.push(File { location: location.clone(), reader, readers });
            locations.push(location);
            engines.push(engine);
        }
        let mut engines = Engines::new(layout.clone(), engines, locations);
        engines.recover()?;
        let queue = writer::start(engines)?;
        let places = Arc::new(Semaphore::new(QUEUE));
        Ok(Self { inner: Arc::new(Inner { layout, files, queue, places }) })
    }

    /// Runs `f` as one unit of work: durable when this returns `Ok`, all or nothing, whichever files its kinds are in. `f`
    /// runs on the writer thread, so it must be quick and must not wait for anything; it may be run several times, and
    /// must have no effect but its writes.
    ///
    /// Dropping the future does not undo the transaction.
    ///
    /// # Errors
    /// What `f` answers, or why the commit failed. Nothing was changed then.
    pub async fn transact<T: Send + 'static>(
        &self,
        f: impl Fn(&mut dyn Transaction) -> Result<T, StoreError> + Send + 'static,
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
        f: impl Fn(&mut dyn Transaction) -> Result<T, StoreError> + Send + 'static,
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
        let id = id.to_owned();
        self.read(kind, move |reader| match reader.get(kind, &id)? {
            Some(record) => apart::whole(reader, kind, record),
            None => Ok(None),
        })
        .await
    }

    /// One page of the records that match, in the kind's order.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a filter the kind does not declare, or if the store cannot be read.
    pub async fn list(&self, kind: &'static Kind, query: Query) -> Result<Page, StoreError> {
        self.read(kind, move |reader| {
            let mut page = reader.list(kind, &query)?;
            apart::page(reader, kind, &query, &mut page)?;
            Ok(page)
        })
        .await
    }

    /// The last place in the order in which records of a kind were first written: where a walk through lists begins that is
    /// put together of several queries.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn last_place(&self, kind: &'static Kind) -> Result<i64, StoreError> {
        self.read(kind, move |reader| reader.last_place(kind)).await
    }

    /// The member `member` of the records whose filter column `by.0` is `by.1`, ascending by the kind's order column and
    /// then by key; of more than `newest`, the last. Lists are flattened; missing members and nulls are left out.
    ///
    /// # Errors
    /// As [`RecordStore::list`].
    pub async fn gather(
        &self,
        kind: &'static Kind,
        by: (&'static str, String),
        member: &'static str,
        newest: u64,
    ) -> Result<Vec<Value>, StoreError> {
        let column = query::filter_column(kind, by.0)?;
        let Some(value) = query::Cell::parse(column, &by.1) else { return Ok(Vec::new()) };
        self.read(kind, move |reader| reader.gather(kind, &(column, value), member, newest)).await
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
        let path = query::Path::resolve(kind, &walk)?;
        self.read(kind, move |reader| {
            let mut failed = None;
            reader.walk(kind, &path, &mut |record| match apart::shown(reader, kind, record, walk.unreadable) {
                Ok(record) => record.is_none_or(&mut visit),
                Err(error) => {
                    failed = Some(error);
                    false
                }
            })?;
            failed.map_or(Ok(()), Err)
        })
        .await
    }

    /// Number of leaves of the log of the kind's area.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn log_size(&self, kind: &'static Kind) -> Result<u64, StoreError> {
        let area = self.area(kind)?;
        self.read(kind, move |reader| reader.log_size(area)).await
    }

    /// The leaves `range` of the log of the kind's area; fewer if there are fewer.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a leaf before the end is missing, or if the store cannot be read.
    pub async fn leaves(&self, kind: &'static Kind, range: Range<u64>) -> Result<Vec<String>, StoreError> {
        let area = self.area(kind)?;
        self.read(kind, move |reader| reader.leaves(area, range)).await
    }

    fn area(&self, kind: &Kind) -> Result<&'static str, StoreError> {
        Ok(name_of(self.inner.layout.area(kind)?.area))
    }

    /// What [`Transaction::attach`] kept under that name, if it has at most `limit` bytes. Others may have changed it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn attachment(&self, kind: &'static Kind, sha256: &str, limit: u64) -> Result<Attachment, StoreError> {
        let name = sha256.to_owned();
        self.read(kind, move |reader| reader.attachment(&name, limit)).await
    }

    /// What the store of the kind's area notes about itself under that name.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn property(&self, kind: &'static Kind, name: &str) -> Result<Option<String>, StoreError> {
        let name = name.to_owned();
        self.read(kind, move |reader| reader.property(&name)).await
    }

    /// The records with these keys, as far as there are any, in the order of the keys.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn get_many(&self, kind: &'static Kind, ids: Vec<String>) -> Result<Vec<Object>, StoreError> {
        self.read(kind, move |reader| {
            let records = reader.get_many(kind, &ids)?.into_iter();
            records.filter_map(|record| apart::shown(reader, kind, record, Unreadable::Skip).transpose()).collect()
        })
        .await
    }

    /// The distinct texts, not empty ones, that a member which lists can be asked for has in all records.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for another member, or if the store cannot be read.
    pub async fn values(&self, kind: &'static Kind, member: &'static str) -> Result<Vec<String>, StoreError> {
        let column = criteria::asked_column(kind, member, ColumnType::Text)?;
        self.read(kind, move |reader| reader.values(kind, column)).await
    }

    /// Reads the whole store for damage; takes time in proportion to its size.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Unreadable`] or [`StoreError::Unavailable`].
    pub async fn check(&self) -> Result<(), StoreError> {
        for file in &self.inner.files {
            file.read(|reader| reader.check()).await?;
        }
        Ok(())
    }

    async fn read<T: Send + 'static>(
        &self,
        kind: &Kind,
        f: impl FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.file(kind)?.read(f).await
    }

    fn file(&self, kind: &Kind) -> Result<&File, StoreError> {
        self.inner.files.get(self.inner.layout.engine(kind)?).ok_or(StoreError::Closed)
    }

    /// Where the records of a kind are.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a kind the store does not have.
    pub fn location(&self, kind: &Kind) -> Result<&Location, StoreError> {
        Ok(&self.file(kind)?.location)
    }

    /// What the store of a kind is made of.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a kind the store does not have.
    pub fn mode(&self, kind: &Kind) -> Result<Mode, StoreError> {
        self.location(kind).map(Location::mode)
    }

    /// Finishes what is queued, tidies the files and stops writing; further transactions get [`StoreError::Closed`].
    pub async fn close(&self) {
        self.stop(false).await;
    }

    /// Closes the store and leaves all records in the files at their locations, so that they can be copied, if no
    /// other process has them open.
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

impl File {
    async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = Arc::clone(&self.readers).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let reader = Arc::clone(&self.reader);
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            f(reader.as_ref())
        });
        work.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl std::fmt::Debug for RecordStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files = self.inner.files.iter().map(|file| &file.location);
        f.debug_list().entries(files).finish()
    }
}

fn open_engine(location: &Location, areas: &[Area], ready: Ready) -> Result<Engine, StoreError> {
    let name = location.to_string();
    Ok(match location {
        Location::Json(path) => {
            let (reader, backend) = json::open(path, areas)?;
            Engine { name, reader: Arc::new(reader), backend: Box::new(backend) }
        }
        Location::Sqlite(path) => {
            let (reader, backend) = sqlite::open(path, areas, ready)?;
            Engine { name, reader: Arc::new(reader), backend: Box::new(backend) }
        }
    })
}

/// What a file notes about itself, for those who do not know its kinds.
pub(crate) fn reader_of(location: &Location) -> Result<Box<dyn Reader>, StoreError> {
    Ok(match location {
        Location::Json(path) => Box::new(json::open(path, &[])?.0),
        Location::Sqlite(path) => Box::new(sqlite::look(path, &[])),
    })
}
