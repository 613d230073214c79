//! Writes, on the writer thread: one SQL transaction per batch.

use std::collections::HashMap;

use cavra_model::{Column, Kind, Object};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ffi, params_from_iter};

use crate::StoreError;
use crate::overlay::Changes;
use crate::query::Cell;
use crate::writer::Backend;

use super::checkpoint::{Checkpointer, LEFT, tidy};
use super::schema::{LOG, quote};
use super::{Database, postings, read};

/// Writes, on the writer thread.
pub(crate) struct SqliteWriter {
    database: Database,
    connection: Connection,
    statements: HashMap<&'static str, Statements>,
    checkpointer: Checkpointer,
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
        }
    }
}

impl SqliteWriter {
    pub(super) fn new(database: Database, connection: Connection, kinds: &[&'static Kind]) -> Result<Self, StoreError> {
        // A process that writes one record must not pay for a checkpoint when it ends.
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .map_err(|error| database.error(&error))?;
        let statements = kinds.iter().map(|kind| (kind.table, Statements::new(kind))).collect();
        let checkpointer = Checkpointer::new(database.clone());
        Ok(Self { database, connection, statements, checkpointer, failed: None })
    }

    fn write(&self, changes: &Changes<'_>) -> rusqlite::Result<()> {
        let (thresholds, mut due) = (self.database.thresholds, HashMap::new());
        for (id, pending) in &changes.records {
            let Some(statements) = self.statements.get(pending.kind.table) else { continue };
            let payload = serde_json::to_string(&pending.record)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            let key = std::iter::once(Cell::Text((*id).to_owned()));
            let cells = pending.kind.table_columns().map(|column| Cell::of(column, &pending.record));
            let cells: Vec<Cell> = key.chain(cells).chain(std::iter::once(Cell::Text(payload))).collect();
            let execute = |sql: &str| self.connection.prepare_cached(sql)?.execute(params_from_iter(&cells));
            let updated =
                !pending.absent && (execute(&statements.update_rest)? > 0 || execute(&statements.update)? > 0);
            if !updated {
                execute(&statements.insert)?;
                if thresholds.is_due(self.connection.last_insert_rowid()) {
                    due.insert(pending.kind.table, pending.kind);
                }
            }
        }
        due.into_values().try_for_each(|kind| postings::fold(&self.connection, kind, thresholds))?;
        self.append(changes.leaves)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Leaves get the indexes after the last one. Other processes append too, so it is looked up in every commit.
    fn append(&self, leaves: &[String]) -> rusqlite::Result<()> {
        if leaves.is_empty() {
            return Ok(());
        }
        let mut insert = self.connection.prepare_cached(&format!("INSERT OR ROLLBACK INTO {LOG} VALUES (?1, ?2)"))?;
        for (index, leaf) in (read::log_size(&self.connection)?..).zip(leaves) {
            insert.execute((index, leaf))?;
        }
        Ok(())
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
    fn begin(&mut self) -> Result<(), StoreError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let begin = || self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]);
        begin().map(drop).map_err(|error| self.database.error(&error))
    }

    fn get(&mut self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError> {
        read::get(&self.connection, kind, id).map_err(|error| self.database.read_error(error))
    }

    fn exists(&mut self, kind: &'static Kind, id: &str) -> Result<bool, StoreError> {
        read::exists(&self.connection, kind, id).map_err(|error| self.database.error(&error))
    }

    fn tally(
        &mut self,
        kind: &'static Kind,
        by: (&'static Column, &Cell),
        group: &'static Column,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let by = (by.0, by.1.clone());
        read::tally(&self.connection, kind, &by, group).map_err(|error| self.database.error(&error))
    }

    fn attach(&mut self, _name: &str, _bytes: &[u8]) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn commit(&mut self, changes: &Changes<'_>) -> Result<(), StoreError> {
        if let Err(error) = self.write(changes) {
            self.note_failure(&error);
            self.abort();
            return Err(self.database.error(&error));
        }
        self.checkpointer.committed(&self.connection, changes.records.len());
        Ok(())
    }

    fn abort(&mut self) {
        // SQLite has rolled back by itself after some errors.
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(error = &error as &dyn std::error::Error, "rollback failed");
        }
    }

    fn idle(&mut self) {
        tidy(&self.database, &self.connection, 0);
        if let Err(error) = self.connection.execute_batch("PRAGMA shrink_memory") {
            tracing::debug!(error = &error as &dyn std::error::Error, "memory not given back");
        }
    }

    fn close(&mut self, settle: bool) {
        self.checkpointer.stop();
        tidy(&self.database, &self.connection, if settle { 0 } else { LEFT });
    }
}
