//! Databases as they are at one moment, copied while others write, and replaced while others have them open.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::BUSY_TIMEOUT;
use crate::StoreError;

/// How often a copy is tried that meets writers, and the pause between.
const ATTEMPTS: u32 = 1000;
const PAUSE: Duration = Duration::from_millis(5);

/// A database into which nobody else writes, until this is dropped.
pub(crate) struct HeldDatabase(Connection, std::path::PathBuf);

/// A database as it was at one moment: a transaction that reads.
pub(crate) struct FrozenDatabase(Connection, std::path::PathBuf);

/// What became of a database that another one is to replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// It holds the other one's content.
    Within,
    /// Nobody uses it, if it is there: its file can be replaced.
    NotYet,
}

fn open(path: &Path, mode: OpenFlags) -> Result<Connection, StoreError> {
    Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(|error| fault(path, &error))
}

fn fault(path: &Path, error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::corrupt(path, error),
        _ => StoreError::unavailable(path, error),
    }
}

impl HeldDatabase {
    /// Not held yet.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(Duration::ZERO).map_err(|error| fault(path, &error))?;
        Ok(Self(connection, path.to_owned()))
    }

    /// Keeps writers out, unless one is writing; answers whether it does.
    pub(crate) fn take(&self) -> Result<bool, StoreError> {
        match self.0.execute_batch("BEGIN IMMEDIATE") {
            Ok(()) => Ok(true),
            Err(error) if is_busy(&error) => Ok(false),
            Err(error) => Err(fault(&self.1, &error)),
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

impl FrozenDatabase {
    /// As it is now.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let freeze = || {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.execute_batch("BEGIN")?;
            // A transaction sees the database as it is when it first reads.
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
        };
        freeze().map_err(|error| fault(path, &error))?;
        Ok(Self(connection, path.to_owned()))
    }

    /// Copies it into an empty file.
    pub(crate) fn write(&self, target: &Path) -> Result<(), StoreError> {
        let mut into = open(target, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        copy(&self.0, &mut into).map_err(|error| fault(&self.1, &error))?;
        // A copy is one file; whoever opens it to write goes back to a write-ahead log.
        let alone = into.query_row("PRAGMA journal_mode=DELETE", [], |row| row.get::<_, String>(0));
        alone.map(drop).map_err(|error| fault(target, &error))
    }
}

fn copy(from: &Connection, into: &mut Connection) -> rusqlite::Result<()> {
    let backup = Backup::new(from, into)?;
    for _ in 0..ATTEMPTS {
        match backup.step(-1)? {
            StepResult::Done => return Ok(()),
            // Somebody writes into what is to be replaced.
            _ => std::thread::sleep(PAUSE),
        }
    }
    Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None))
}

/// Makes way for another database: one that somebody has open takes in the other's content, in one transaction.
pub(crate) fn make_way(path: &Path, other: &Path) -> Result<Replaced, StoreError> {
    if !path.exists() {
        return Ok(Replaced::NotYet);
    }
    let mut old = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let alone = || {
        old.busy_timeout(Duration::ZERO)?;
        // Leaving the write-ahead log is possible only for whoever is alone with the database.
        old.query_row("PRAGMA journal_mode=DELETE", [], |row| row.get::<_, String>(0))
    };
    match alone() {
        Ok(mode) if mode == "delete" => Ok(Replaced::NotYet),
        Ok(_) => take_in(path, other, &mut old),
        Err(error) if is_busy(&error) => take_in(path, other, &mut old),
        // What is no database is none that anybody could go on with.
        Err(error) if is_damaged(&error) => Ok(Replaced::NotYet),
        Err(error) => Err(fault(path, &error)),
    }
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

fn take_in(path: &Path, other: &Path, old: &mut Connection) -> Result<Replaced, StoreError> {
    let from = open(other, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let taken = old.busy_timeout(BUSY_TIMEOUT).and_then(|()| copy(&from, old));
    taken.map_err(|error| fault(path, &error))?;
    Ok(Replaced::Within)
}
