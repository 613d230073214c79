//! The SQLite backend: the single-node engine. Write-ahead log, `synchronous=FULL`, one writing connection, a few
//! reading ones, and a thread that checkpoints beside the writer so that commits do not wait for it.

mod asked;
mod audit;
mod checkpoint;
mod copy;
mod derived;
mod list;
mod postings;
mod read;
mod schema;
mod scripts;
mod thresholds;
mod write;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cavra_model::Kind;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use self::derived::Derived;
use self::thresholds::Thresholds;
use crate::StoreError;
use crate::files::{FILE_MODE, create_parents, parent, sibling, sync_directory};
use crate::place::{Area, name_of};
use crate::store::Ready;

pub(crate) use copy::{FrozenDatabase, HeldDatabase, Replaced, make_way};
pub(crate) use read::SqliteReader;
pub use scripts::{Applied, apply_scripts, table_script};
pub(crate) use write::SqliteWriter;

/// How long a connection waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Page size of new databases. The larger pages are, the more bytes of log one random key costs.
const PAGE_SIZE: u32 = 4096;

/// Page cache of the writing connection, in KiB. It holds the hot ends of all indexes; the keys, which are random,
/// come from the file cache of the operating system. More made nothing faster, and an idle process keeps it.
const WRITER_CACHE: u32 = 8 * 1024;

/// Page cache of each reading connection, in KiB.
const READER_CACHE: u32 = 1024;

/// Statements kept prepared per connection.
const STATEMENTS: usize = 64;

/// Databases up to this size are read for damage when they are opened; it takes about a millisecond.
const CHECKED_SIZE: u64 = 512 * 1024;

/// Opens the database. One that is to be ready now is created or brought up to date; else that happens when something is
/// written.
pub(crate) fn open(path: &Path, areas: &[Area], ready: Ready) -> Result<(SqliteReader, SqliteWriter), StoreError> {
    let database = Database::new(path, areas);
    let mut writer = SqliteWriter::new(database.clone());
    if ready == Ready::Now {
        let size = database.create_file()?;
        let connection = writer.connect()?;
        if (1..=CHECKED_SIZE).contains(&size) {
            database.quick_check(connection)?;
        }
    }
    Ok((SqliteReader::new(database), writer))
}

/// Creates the SQLite database at `path` or brings it up to date, as opening it does; answers whether anything had to
/// be done.
///
/// # Errors
/// As [`crate::RecordStore::open`].
pub fn migrate(path: &Path, kinds: Area) -> Result<bool, StoreError> {
    let database = Database::new(path, &[kinds]);
    database.create_file()?;
    let mut connection = database.connect(OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE)?;
    schema::prepare(&database, &mut connection)
}

/// A reader of a database; nothing is created or changed.
pub(crate) fn look(path: &Path, areas: &[Area]) -> SqliteReader {
    SqliteReader::new(Database::new(path, areas))
}

/// Where the database is, what is in it, and how connections to it are made.
#[derive(Clone, Debug)]
pub(super) struct Database {
    path: PathBuf,
    kinds: Arc<[&'static Kind]>,
    areas: Arc<[&'static str]>,
    thresholds: Thresholds,
    derived: Derived,
}

impl Database {
    fn new(path: &Path, areas: &[Area]) -> Self {
        Self {
            path: path.to_owned(),
            kinds: areas.iter().copied().flatten().copied().collect(),
            areas: areas.iter().map(|area| name_of(area)).collect(),
            thresholds: Thresholds::default(),
            derived: Derived::default(),
        }
    }

    /// Whether there is a database that somebody has made.
    fn exists(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() > 0)
    }

    /// Creates the file, empty, if there is none; SQLite would make it readable for everyone. Answers its size.
    fn create_file(&self) -> Result<u64, StoreError> {
        let unavailable = |error: std::io::Error| StoreError::unavailable(&self.path, &error);
        if let Ok(metadata) = fs::metadata(&self.path) {
            return Ok(metadata.len());
        }
        create_parents(&self.path).map_err(unavailable)?;
        let created = OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(&self.path);
        let size = created.and_then(|file| file.metadata()).map_err(unavailable)?.len();
        sync_directory(parent(&self.path)).map_err(unavailable)?;
        Ok(size)
    }

    /// A connection with our settings; `cache` in KiB.
    fn connect(&self, mode: OpenFlags, cache: u32) -> Result<Connection, StoreError> {
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open_with_flags(&self.path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            // A misspelt column must be an error, not a text.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
            connection.execute_batch(&format!(
                "PRAGMA page_size={PAGE_SIZE}; PRAGMA cache_size=-{cache}; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; \
                 PRAGMA wal_autocheckpoint=0; PRAGMA trusted_schema=OFF"
            ))?;
            Ok(connection)
        };
        open().map_err(|error| self.error(&error))
    }

    fn reader(&self) -> Result<Connection, StoreError> {
        self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE)
    }

    fn quick_check(&self, connection: &Connection) -> Result<(), StoreError> {
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| self.error(&error))?;
        if verdict == "ok" { Ok(()) } else { Err(StoreError::corrupt(&self.path, &verdict)) }
    }

    /// Size of the write-ahead log's file.
    fn log_size(&self) -> u64 {
        fs::metadata(sibling(&self.path, "-wal")).map_or(0, |metadata| metadata.len())
    }

    /// What a database error means to the caller.
    fn error(&self, error: &rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::corrupt(&self.path, &error),
            _ => StoreError::unavailable(&self.path, &error),
        }
    }
}
