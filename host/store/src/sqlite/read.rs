//! Reads: a few read-only connections, opened when needed and kept.

use std::ops::Range;
use std::sync::Mutex;

use cavra_model::{Column, Kind, Object};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params_from_iter};
use serde_json::Value;

use crate::engine::{Reader, Visitor};
use crate::log::{Audited, missing};
use crate::query::{self, Cell, Condition, Conditions, Page, Query, Unreadable};
use crate::{Attachment, StoreError};

use super::list::{last_place, list};
use super::postings::text;
use super::schema::{self, PROPERTIES, has_index, has_table, index_name, missing_columns, order, quote};
use super::{Database, asked, audit};

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Integer(number) => ToSqlOutput::from(*number),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            // For `json_each`.
            Self::List(texts) => ToSqlOutput::from(Value::from(texts.as_slice()).to_string()),
        })
    }
}

/// Reads.
pub(crate) struct SqliteReader {
    database: Database,
    idle: Mutex<Vec<Connection>>,
}

/// A connection within a read transaction.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) connection: &'a Connection,
    pub(super) database: &'a Database,
    /// The database is of this release: it has the indexes that lists are found by.
    pub(super) is_current: bool,
}

impl Reading<'_> {
    /// The index to use: that of the column if it has one, else that of the order.
    pub(super) fn by_index(&self, kind: &Kind, column: Option<&Column>) -> String {
        if self.is_current { by_index(kind, column) } else { String::new() }
    }

    /// Whether there are records of a kind to be read.
    fn has(&self, kind: &'static Kind) -> Result<bool, ReadError> {
        if !has_table(self.connection, kind.table)? {
            return Ok(false);
        }
        if !self.is_current && missing_columns(self.connection, kind)?.is_ok_and(|missing| !missing.is_empty()) {
            return Err(ReadError::Older);
        }
        Ok(true)
    }
}

/// A failed read: of the database, or of one record.
pub(super) enum ReadError {
    Database(rusqlite::Error),
    Broken(Broken),
    /// The database lacks what lists are asked for.
    Older,
}

/// A row whose payload is not the record it should be.
pub(super) struct Broken {
    kind: &'static Kind,
    id: String,
    reason: String,
}

impl Broken {
    /// Says in the log that the record is left out of an answer.
    fn note(&self) {
        let Self { kind, id, reason } = self;
        tracing::warn!(table = kind.table, id, reason, "a record that cannot be read is left out");
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Broken> for ReadError {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl Database {
    pub(super) fn read_error(&self, error: ReadError) -> StoreError {
        match error {
            ReadError::Database(error) => self.error(&error),
            ReadError::Older => StoreError::unreadable(
                &self.path,
                "it was written by an older release; it is brought up to date when something is written, such as by starting the server",
            ),
            ReadError::Broken(Broken { kind, id, reason }) => {
                tracing::warn!(table = kind.table, id, reason, "a record cannot be read");
                let path = self.path.display().to_string();
                StoreError::Broken { path, table: kind.table, name: kind.name, id, reason }
            }
        }
    }
}

impl SqliteReader {
    pub(super) fn new(database: Database) -> Self {
        Self { database, idle: Mutex::new(Vec::new()) }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Runs `read` in one read transaction, so that everything it sees is of the same moment. Where there is no database,
    /// everything is empty.
    fn with<T: Default>(&self, read: impl FnOnce(Reading<'_>) -> Result<T, ReadError>) -> Result<T, StoreError> {
        let spare = self.idle().pop();
        let connection = match spare {
            Some(connection) => connection,
            None if !self.database.exists() => return Ok(T::default()),
            None => self.database.reader()?,
        };
        let is_current = self.database.check_version(&connection)?;
        let within = || {
            let transaction = connection.unchecked_transaction()?;
            let result = read(Reading { connection: &transaction, database: &self.database, is_current })?;
            transaction.commit()?;
            Ok(result)
        };
        // A connection that failed is not used again.
        let result = within().map_err(|error| self.database.read_error(error))?;
        self.idle().push(connection);
        Ok(result)
    }

    /// As [`SqliteReader::with`], where there are records of a kind.
    fn of<T: Default>(
        &self,
        kind: &'static Kind,
        read: impl FnOnce(Reading<'_>) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        self.with(|reading| if reading.has(kind)? { read(reading) } else { Ok(T::default()) })
    }
}

impl Reader for SqliteReader {
    fn get(&self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError> {
        self.of(kind, |reading| get(reading.connection, kind, id))
    }

    fn list(&self, kind: &'static Kind, query: &Query) -> Result<Page, StoreError> {
        let Some(conditions) = Conditions::resolve(kind, query)? else { return Ok(Page::default()) };
        self.of(kind, |reading| list(&reading, kind, &conditions, query))
    }

    fn last_place(&self, kind: &'static Kind) -> Result<i64, StoreError> {
        self.of(kind, |reading| last_place(&reading, kind))
    }

    fn gather(&self, kind: &'static Kind, by: &Condition, member: &str, newest: u64) -> Result<Vec<Value>, StoreError> {
        self.of(kind, |reading| gather(&reading, kind, by, member, newest))
    }

    fn walk(&self, kind: &'static Kind, path: &query::Path, visit: Visitor<'_>) -> Result<(), StoreError> {
        self.of(kind, |reading| walk(&reading, kind, path, visit))
    }

    fn audit(&self, kind: &'static Kind, visit: &mut dyn FnMut(Audited)) -> Result<Vec<String>, StoreError> {
        self.with(|reading| {
            let connection = reading.connection;
            audit::records(connection, kind, &mut |Audited { id, record, differing }| {
                visit(Audited { id, record: record.map_err(|error| self.database.read_error(error)), differing });
            })?;
            Ok(audit::lists(connection, kind)?.into_iter().collect())
        })
    }

    fn get_many(&self, kind: &'static Kind, ids: &[String]) -> Result<Vec<Object>, StoreError> {
        self.of(kind, |reading| {
            let found = ids.iter().filter_map(|id| get(reading.connection, kind, id).transpose());
            found.filter_map(|record| readable(record, Unreadable::Skip).transpose()).collect()
        })
    }

    fn values(&self, kind: &'static Kind, column: &'static Column) -> Result<Vec<String>, StoreError> {
        self.of(kind, |reading| Ok(values(reading.connection, kind, column)?))
    }

    fn check(&self) -> Result<(), StoreError> {
        if !self.database.exists() {
            return Ok(());
        }
        let connection = self.database.reader()?;
        self.database.quick_check(&connection)
    }

    fn attachment(&self, _name: &str, _limit: u64) -> Result<Attachment, StoreError> {
        Ok(Attachment::Missing)
    }

    fn log_size(&self, area: &'static str) -> Result<u64, StoreError> {
        let size = self.with(|reading| match self.slot(&reading, area)? {
            Some(slot) => Ok(log_size(reading.connection, &slot)?),
            None => Ok(0),
        })?;
        Ok(u64::try_from(size).unwrap_or(0))
    }

    fn leaves(&self, area: &'static str, range: Range<u64>) -> Result<Vec<String>, StoreError> {
        let found = self.with(|reading| match self.slot(&reading, area)? {
            Some(slot) => Ok(Some(leaves(reading.connection, &slot, &range)?)),
            None => Ok(None),
        })?;
        found.unwrap_or_else(|| Ok(Vec::new())).map_err(|index| missing(&self.database.path, index))
    }

    fn property(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.with(|reading| {
            let has_any = has_table(reading.connection, PROPERTIES)?;
            Ok(if has_any { property(reading.connection, name)? } else { None })
        })
    }
}

impl SqliteReader {
    /// The table of an area's log, if it has one. A database that nobody has opened for writing since there are logs has none.
    fn slot(&self, reading: &Reading<'_>, area: &str) -> rusqlite::Result<Option<String>> {
        let slots = schema::slots(reading.connection, &self.database.areas)?;
        let slot = slots.get(area).to_owned();
        Ok(has_table(reading.connection, &slot)?.then_some(slot))
    }
}

/// What the file notes about itself under that name.
pub(super) fn property(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare_cached(&format!("SELECT value FROM {PROPERTIES} WHERE name = ?1"))?;
    statement.query_row([name], |row| row.get(0)).optional()
}

/// Number of leaves of a log.
pub(super) fn log_size(connection: &Connection, slot: &str) -> rusqlite::Result<i64> {
    let sql = format!("SELECT coalesce(max(leaf_index), -1) + 1 FROM {}", quote(slot));
    connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))
}

/// The leaves `range`, as far as there are any; or the index of a missing one.
fn leaves(connection: &Connection, slot: &str, range: &Range<u64>) -> rusqlite::Result<Result<Vec<String>, u64>> {
    let bound = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let table = quote(slot);
    let sql =
        format!("SELECT leaf_index, leaf FROM {table} WHERE leaf_index >= ?1 AND leaf_index < ?2 ORDER BY leaf_index");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((bound(range.start), bound(range.end)))?;
    let mut leaves = Vec::new();
    let mut next = bound(range.start);
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(0)? != next {
            return Ok(Err(u64::try_from(next).unwrap_or(0)));
        }
        leaves.push(row.get(1)?);
        next += 1;
    }
    drop(rows);
    let end = bound(range.end).min(log_size(connection, slot)?);
    Ok(if next < end { Err(u64::try_from(next).unwrap_or(0)) } else { Ok(leaves) })
}

/// One record.
pub(super) fn get(connection: &Connection, kind: &'static Kind, id: &str) -> Result<Option<Object>, ReadError> {
    let sql = format!("SELECT payload FROM {} WHERE {} = ?1", quote(kind.table), quote(kind.id));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id])?;
    match rows.next()? {
        Some(row) => Ok(Some(record(kind, id.to_owned(), row.get_ref(0)?)?)),
        None => Ok(None),
    }
}

/// Whether there is a record with that key.
pub(super) fn exists(connection: &Connection, kind: &Kind, id: &str) -> rusqlite::Result<bool> {
    let sql = format!("SELECT 1 FROM {} WHERE {} = ?1", quote(kind.table), quote(kind.id));
    Ok(connection.prepare_cached(&sql)?.query_row([id], |_| Ok(())).optional()?.is_some())
}

/// The distinct texts of a column that are not empty.
fn values(connection: &Connection, kind: &Kind, column: &Column) -> rusqlite::Result<Vec<String>> {
    let value = asked::value(column);
    let sql = format!("SELECT DISTINCT {value} FROM {} WHERE ({value}) > ''", quote(kind.table));
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], |row| text(row, 0))?;
    rows.collect()
}

/// The record in a row that begins with key and payload.
pub(super) fn record_in(kind: &'static Kind, row: &Row<'_>) -> Result<Object, ReadError> {
    Ok(record(kind, text(row, 0)?, row.get_ref(1)?)?)
}

/// A record out of its payload.
fn record(kind: &'static Kind, id: String, payload: ValueRef<'_>) -> Result<Object, Broken> {
    let parsed = match payload.as_bytes() {
        Ok(bytes) => serde_json::from_slice::<Object>(bytes).map_err(|error| error.to_string()),
        Err(_) => Err("its payload is no text".to_owned()),
    };
    let reason = match parsed {
        Ok(record) if record.get(kind.id).and_then(Value::as_str) == Some(&id) => return Ok(record),
        Ok(_) => format!("its payload has another {}", kind.id),
        Err(reason) => reason,
    };
    Err(Broken { kind, id, reason })
}

/// What was read; nothing where it is a record that cannot be read and such are passed over.
pub(super) fn readable<T>(read: Result<T, ReadError>, unreadable: Unreadable) -> Result<Option<T>, ReadError> {
    match read {
        Err(ReadError::Broken(broken)) if unreadable == Unreadable::Skip => {
            broken.note();
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// Number of records by the values of `group` among those for which the condition holds.
pub(super) fn tally(
    connection: &Connection,
    kind: &'static Kind,
    by: &Condition,
    group: &'static Column,
) -> rusqlite::Result<Vec<(String, u64)>> {
    let name = quote(group.name);
    let sql = format!(
        "SELECT CAST(coalesce({name}, '') AS TEXT), count(*) FROM {}{} WHERE {} = ? GROUP BY {name}",
        quote(kind.table),
        by_index(kind, Some(by.0)),
        quote(by.0.name),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([&by.1], |row| Ok((text(row, 0)?, row.get::<_, i64>(1)?)))?;
    rows.map(|row| row.map(|(name, count)| (name, u64::try_from(count).unwrap_or(0)))).collect()
}

/// The index to use: that of the column if it has one, else that of the order. A kind ordered by its key has none but
/// the key's for that.
pub(super) fn by_index(kind: &Kind, column: Option<&Column>) -> String {
    let column = column.filter(|column| has_index(column));
    if column.is_none() && kind.order.by == kind.id {
        return String::new();
    }
    format!(" INDEXED BY {}", quote(&index_name(kind, column)))
}

fn gather(
    reading: &Reading<'_>,
    kind: &'static Kind,
    by: &Condition,
    member: &str,
    newest: u64,
) -> Result<Vec<Value>, ReadError> {
    let (id, by_order) = (quote(kind.id), quote(kind.order.by));
    let order = if id == by_order { format!("{id} DESC") } else { format!("{by_order} DESC, {id} DESC") };
    let sql = format!(
        "SELECT {id}, CASE WHEN json_valid(payload) THEN payload -> ?2 ELSE '' END FROM {}{} WHERE {} = ?1 \
         ORDER BY {order} LIMIT ?3",
        quote(kind.table),
        reading.by_index(kind, Some(by.0)),
        quote(by.0.name),
    );
    let mut statement = reading.connection.prepare_cached(&sql)?;
    let newest = i64::try_from(newest).unwrap_or(i64::MAX);
    let mut rows = statement.query((&by.1, format!("$.{}", quote(member)), newest))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let Ok(Some(json)) = row.get_ref(1)?.as_bytes_or_null() else { continue };
        match serde_json::from_slice(json) {
            Ok(value) => found.push(value),
            Err(error) => Broken { kind, id: text(row, 0)?, reason: error.to_string() }.note(),
        }
    }
    let mut gathered = Vec::with_capacity(found.len());
    for value in found.into_iter().rev() {
        match value {
            Value::Null => {}
            Value::Array(values) => gathered.extend(values),
            value => gathered.push(value),
        }
    }
    Ok(gathered)
}

fn walk(reading: &Reading<'_>, kind: &'static Kind, path: &query::Path, visit: Visitor<'_>) -> Result<(), ReadError> {
    let bounds = [(&path.filter, "="), (&path.at_least, ">="), (&path.at_most, "<=")];
    let bounds = bounds.into_iter().filter_map(|(condition, comparison)| Some((condition.as_ref()?, comparison)));
    let (cells, conditions): (Vec<_>, Vec<_>) =
        bounds.map(|((column, cell), comparison)| (cell, format!("{} {comparison} ?", quote(column.name)))).unzip();
    let wheres = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let sql = format!(
        "SELECT {}, payload FROM {}{}{wheres} ORDER BY {}",
        quote(kind.id),
        quote(kind.table),
        reading.by_index(kind, path.filter.as_ref().map(|(column, _)| *column)),
        order(kind),
    );
    let mut statement = reading.connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(cells))?;
    while let Some(row) = rows.next()? {
        if let Some(record) = readable(record_in(kind, row), path.unreadable)?
            && !visit(record)
        {
            break;
        }
    }
    Ok(())
}
