//! Writes, on the writer thread: one SQL transaction per batch.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use cavra_model::{Column, Kind, Object};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi, params_from_iter};

use crate::engine::{Backend, Begun};
use crate::log::Slots;
use crate::overlay::Changes;
use crate::query::Cell;
use crate::{LargeBytes, StoreError};

use super::checkpoint::{Checkpointer, LEFT, tidy};
use super::schema::{self, quote};
use super::{Database, WRITER_CACHE, postings, read};

/// Writes, on the writer thread.
pub(crate) struct SqliteWriter {
    database: Database,
    /// The connection; a database that is not there is made with the first commit.
    connection: Option<Connection>,
    statements: HashMap<&'static str, Statements>,
    slots: Option<Slots>,
    checkpointer: Checkpointer,
    /// Kinds with so many new rows that what is computed from them may need a step.
    due: BTreeSet<&'static str>,
    /// Why nothing may be written any more.
    failed: Option<StoreError>,
}

/// What writes one record of a kind; all take the key first, then the columns, then the payload.
///
/// A failure ends the whole batch anyway, and saying so with `OR ROLLBACK` saves SQLite from keeping a journal of
/// every single statement, which would cost several times what the statement does.
struct Statements {
    insert: String,
    /// Updates a record whose filter columns stay as they are, which spares their indexes.
    update_rest: String,
    update: String,
    delete: String,
}

impl Statements {
    fn new(kind: &Kind) -> Self {
        let names: Vec<_> = kind.table_columns().map(|column| quote(column.name)).collect();
        let (table, id, columns) = (quote(kind.table), quote(kind.id), names.join(", "));
        let places: Vec<_> = (1..=names.len() + 2).map(|place| format!("?{place}")).collect();
        let payload = format!("payload = ?{}", names.len() + 2);
        let pairs = || kind.table_columns().zip(2..);
        let sets = |chosen: &dyn Fn(&Column) -> bool| -> String {
            let chosen = pairs().filter(|(column, _)| chosen(column));
            chosen.map(|(column, place)| format!("{} = ?{place}, ", quote(column.name))).collect()
        };
        let same: String = pairs()
            .filter(|(column, _)| column.filters())
            .map(|(column, place)| format!(" AND {} IS ?{place}", quote(column.name)))
            .collect();
        let update = format!("UPDATE OR ROLLBACK {table} SET");
        Self {
            insert: format!(
                "INSERT OR ROLLBACK INTO {table} ({id}, {columns}, payload) VALUES ({})",
                places.join(", ")
            ),
            update_rest: format!("{update} {}{payload} WHERE {id} = ?1{same}", sets(&|column| !column.filters())),
            update: format!("{update} {}{payload} WHERE {id} = ?1", sets(&|_| true)),
            delete: format!("DELETE FROM {table} WHERE {id} = ?1"),
        }
    }
}

impl SqliteWriter {
    pub(super) fn new(database: Database) -> Self {
        let statements = database.kinds.iter().map(|kind| (kind.table, Statements::new(kind))).collect();
        let checkpointer = Checkpointer::new(database.clone());
        // What an earlier process left undone is done first.
        let due = database.kinds.iter().filter(|kind| postings::counts(kind)).map(|kind| kind.table).collect();
        Self { database, connection: None, statements, slots: None, checkpointer, due, failed: None }
    }

    /// The connection to the database, which is made or brought up to date where that is needed.
    pub(super) fn connect(&mut self) -> Result<&Connection, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                self.database.create_file()?;
                let mut connection = self.database.connect(OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE)?;
                schema::prepare(&self.database, &mut connection)?;
                let set_up = || -> rusqlite::Result<Slots> {
                    // A process that writes one record must not pay for a checkpoint when it ends.
                    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
                    // Whether another process is writing is said at once; the writer has other things to do meanwhile.
                    connection.busy_timeout(Duration::ZERO)?;
                    schema::slots(&connection, &self.database.areas)
                };
                self.slots = Some(set_up().map_err(|error| self.database.error(&error))?);
                connection
            }
        };
        Ok(self.connection.insert(connection))
    }

    fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or(StoreError::Closed)
    }

    /// Takes SQLite's lock for writers.
    fn lock(&mut self) -> Result<Begun, StoreError> {
        let begun = self.connect()?.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([]));
        match begun {
            Ok(_) => Ok(Begun::Yes),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(Begun::Busy),
            Err(error) => Err(self.database.error(&error)),
        }
    }

    /// What is committed, if there is a database.
    fn committed<T: Default>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.connection.as_ref().map_or_else(|| Ok(T::default()), read)
    }

    fn write(&self, connection: &Connection, changes: &Changes<'_>) -> rusqlite::Result<BTreeSet<&'static str>> {
        let (thresholds, mut due) = (self.database.thresholds, BTreeSet::new());
        for (id, pending) in &changes.records {
            let Some(statements) = self.statements.get(pending.kind.table) else { continue };
            let Some(record) = pending.record.as_deref() else {
                connection.prepare_cached(&statements.delete)?.execute([id])?;
                continue;
            };
            let payload =
                serde_json::to_string(record).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            let key = std::iter::once(Cell::Text((*id).to_owned()));
            let cells = pending.kind.table_columns().map(|column| Cell::of(column, record));
            let cells: Vec<Cell> = key.chain(cells).chain(std::iter::once(Cell::Text(payload))).collect();
            let execute = |sql: &str| connection.prepare_cached(sql)?.execute(params_from_iter(&cells));
            let updated =
                !pending.absent && (execute(&statements.update_rest)? > 0 || execute(&statements.update)? > 0);
            if !updated {
                execute(&statements.insert)?;
                if thresholds.is_due(connection.last_insert_rowid()) {
                    due.insert(pending.kind.table);
                }
            }
        }
        for area in changes.logs() {
            self.append(connection, area, changes)?;
        }
        for (name, value) in &changes.properties {
            schema::set_property(connection, name, value)?;
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(due)
    }

    fn slot(&self, area: &str) -> &str {
        self.slots.as_ref().map_or(crate::log::SLOT, |slots| slots.get(area))
    }

    /// Leaves get the indexes after the last one. Other processes append too, so it is looked up in every commit.
    fn append(&self, connection: &Connection, area: &'static str, changes: &Changes<'_>) -> rusqlite::Result<()> {
        let slot = self.slot(area);
        let sql = format!("INSERT OR ROLLBACK INTO {} VALUES (?1, ?2)", quote(slot));
        let mut insert = connection.prepare_cached(&sql)?;
        for (index, leaf) in (read::log_size(connection, slot)?..).zip(changes.leaves_of(area)) {
            insert.execute((index, leaf))?;
        }
        Ok(())
    }

    /// A step towards what is computed from a kind's rows; answers whether there is more to do. It needs not be durable: after
    /// a crash it is done again.
    fn step(&mut self, kind: &'static Kind) -> Result<bool, StoreError> {
        if self.lock()? == Begun::Busy {
            // The next commit comes by here again.
            return Ok(false);
        }
        let (database, connection) = (&self.database, self.connection()?);
        let damaged = database.derived.is_damaged(kind);
        let step = || -> rusqlite::Result<bool> {
            if damaged {
                postings::remake(connection, kind)?;
            }
            let more = postings::fold(connection, kind, database.thresholds)?;
            connection.execute_batch("COMMIT")?;
            Ok(more)
        };
        match step() {
            Ok(more) => {
                if damaged {
                    database.derived.mended(kind);
                    tracing::warn!(table = kind.table, "a damaged index is made anew from the records");
                }
                Ok(more || damaged)
            }
            Err(error) => {
                self.abort();
                if damaged {
                    // It cannot even be removed. The records answer.
                    return Err(self.database.error(&error));
                }
                self.database.derived.report(kind, &error);
                Ok(true)
            }
        }
    }

    /// Commits nothing durably from here on, or again.
    fn set_durable(&self, durable: bool) -> rusqlite::Result<()> {
        let mode = if durable { "FULL" } else { "NORMAL" };
        match &self.connection {
            Some(connection) => connection.execute_batch(&format!("PRAGMA synchronous={mode}")),
            None => Ok(()),
        }
    }

    /// A commit failed on damage. If only what is computed from records is damaged, it is put out of the way, and the
    /// commit may be tried again.
    fn put_derived_aside(&mut self, error: &rusqlite::Error) -> bool {
        // A table that is gone is no damage to SQLite.
        if !matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::Unknown)) {
            return false;
        }
        let kinds: Vec<_> = self.database.kinds.iter().copied().filter(|kind| postings::counts(kind)).collect();
        let Some(connection) = &self.connection else { return false };
        let aside = kinds.iter().map(|kind| postings::detach(connection, kind)).collect::<Result<Vec<_>, _>>();
        let detached = aside.is_ok_and(|detached| detached.contains(&true));
        if detached {
            kinds.iter().for_each(|kind| self.database.derived.report(kind, error));
        }
        detached
    }

    /// After a failed `fsync` nobody knows what the disk has, and the next one may succeed without the lost pages:
    /// nothing may be acknowledged by this process any more.
    fn note_failure(&mut self, error: &rusqlite::Error) {
        let code = error.sqlite_error().map(|error| error.extended_code);
        if matches!(code, Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)) {
            self.failed = Some(StoreError::unavailable(&self.database.path, "the disk failed; restart after repair"));
        }
    }
}

impl Backend for SqliteWriter {
    fn begin(&mut self) -> Result<Begun, StoreError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        if self.connection.is_none() && !self.database.exists() {
            return Ok(Begun::Yes);
        }
        self.lock()
    }

    fn get(&mut self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError> {
        let failed = |error| self.database.read_error(error);
        self.committed(|connection| read::get(connection, kind, id).map_err(failed))
    }

    fn exists(&mut self, kind: &'static Kind, id: &str) -> Result<bool, StoreError> {
        self.committed(|connection| read::exists(connection, kind, id).map_err(|error| self.database.error(&error)))
    }

    fn tally(
        &mut self,
        kind: &'static Kind,
        by: (&'static Column, &Cell),
        group: &'static Column,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let by = (by.0, by.1.clone());
        let failed = |error| self.database.error(&error);
        self.committed(|connection| read::tally(connection, kind, &by, group).map_err(failed))
    }

    fn log_size(&mut self, area: &'static str) -> Result<u64, StoreError> {
        let slot = self.slot(area);
        let size =
            self.committed(|connection| read::log_size(connection, slot).map_err(|error| self.database.error(&error)))?;
        Ok(u64::try_from(size).unwrap_or(0))
    }

    fn property(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        self.committed(|connection| read::property(connection, name).map_err(|error| self.database.error(&error)))
    }

    fn large_bytes(&self) -> LargeBytes {
        LargeBytes::InRecord
    }

    fn attach(&mut self, _name: &str, _bytes: &[u8]) -> Result<(), StoreError> {
        Err(StoreError::Refused("large bytes belong into their record here".to_owned()))
    }

    fn commit(&mut self, changes: &Changes<'_>) -> Result<(), StoreError> {
        if self.connection.is_none() && self.lock()? == Begun::Busy {
            return Err(StoreError::Conflict);
        }
        match self.write(self.connection()?, changes) {
            Ok(due) => self.due.extend(due),
            Err(error) => {
                self.note_failure(&error);
                self.abort();
                return Err(if self.put_derived_aside(&error) {
                    StoreError::Conflict
                } else {
                    self.database.error(&error)
                });
            }
        }
        if let Some(connection) = &self.connection {
            self.checkpointer.committed(connection, changes.records.len());
        }
        Ok(())
    }

    fn abort(&mut self) {
        // SQLite has rolled back by itself after some errors.
        if let Some(connection) = &self.connection
            && !connection.is_autocommit()
            && let Err(error) = connection.execute_batch("ROLLBACK")
        {
            tracing::error!(error = &error as &dyn std::error::Error, "rollback failed");
        }
    }

    fn maintain(&mut self) -> bool {
        let damaged = self.database.kinds.iter().find(|kind| self.database.derived.is_damaged(kind));
        let due = self.database.kinds.iter().find(|kind| self.due.contains(kind.table));
        let Some(kind) = damaged.or(due).copied() else { return false };
        if self.connection.is_none() || self.failed.is_some() {
            return false;
        }
        let more = match self.set_durable(false).map_err(|error| self.database.error(&error)) {
            Ok(()) => self.step(kind),
            Err(error) => Err(error),
        };
        if let Err(error) = self.set_durable(true) {
            // What is answered from here on might not be durable.
            self.failed = Some(self.database.error(&error));
        }
        match more {
            Ok(true) => true,
            Ok(false) => {
                self.due.remove(kind.table);
                !self.due.is_empty()
            }
            Err(error) => {
                self.due.remove(kind.table);
                tracing::error!(
                    table = kind.table,
                    error = &error as &dyn std::error::Error,
                    "an index is not up to date"
                );
                false
            }
        }
    }

    fn idle(&mut self) {
        let Some(connection) = &self.connection else { return };
        tidy(&self.database, connection, 0);
        if let Err(error) = connection.execute_batch("PRAGMA shrink_memory") {
            tracing::debug!(error = &error as &dyn std::error::Error, "memory not given back");
        }
    }

    fn close(&mut self, settle: bool) {
        self.checkpointer.stop();
        if let Some(connection) = &self.connection {
            tidy(&self.database, connection, if settle { 0 } else { LEFT });
        }
    }
}
