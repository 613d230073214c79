//! Reads: a few read-only connections, opened when needed and kept.

use std::ops::Range;
use std::sync::Mutex;

use cavra_model::{Column, Direction, Kind, Object};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params_from_iter};
use serde_json::Value;

use crate::log::{Audited, missing};
use crate::query::{self, Cell, Condition, Conditions, Page, Query, Unreadable};
use crate::{Attachment, Reader, StoreError, Visitor};

use super::list::list;
use super::postings::text;
use super::schema::{LOG, has_index, has_table, index_name, order, quote};
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

/// A failed read: of the database, or of one record.
pub(super) enum ReadError {
    Database(rusqlite::Error),
    Broken(Broken),
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

    /// Runs `read` in one read transaction, so that everything it sees is of the same moment.
    fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T, ReadError>) -> Result<T, StoreError> {
        let spare = self.idle().pop();
        let connection = spare.map_or_else(|| self.database.reader(), Ok)?;
        let within = || {
            let transaction = connection.unchecked_transaction()?;
            let result = read(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        // A connection that failed is not used again.
        let result = within().map_err(|error| self.database.read_error(error))?;
        self.idle().push(connection);
        Ok(result)
    }
}

impl Reader for SqliteReader {
    fn get(&self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError> {
        self.with(|connection| get(connection, kind, id))
    }

    fn list(&self, kind: &'static Kind, query: &Query) -> Result<Page, StoreError> {
        let Some(conditions) = Conditions::resolve(kind, query)? else { return Ok(Page::default()) };
        self.with(|connection| list(connection, self.database.thresholds, kind, &conditions, query))
    }

    fn gather(&self, kind: &'static Kind, by: &Condition, member: &str) -> Result<Vec<Value>, StoreError> {
        self.with(|connection| gather(connection, kind, by, member))
    }

    fn walk(&self, kind: &'static Kind, path: &query::Path, visit: Visitor<'_>) -> Result<(), StoreError> {
        self.with(|connection| walk(connection, kind, path, visit))
    }

    fn audit(&self, kind: &'static Kind, visit: &mut dyn FnMut(Audited)) -> Result<Vec<String>, StoreError> {
        self.with(|connection| {
            audit::records(connection, kind, &mut |Audited { id, record, differing }| {
                visit(Audited { id, record: record.map_err(|error| self.database.read_error(error)), differing });
            })?;
            Ok(audit::lists(connection, kind)?.into_iter().collect())
        })
    }

    fn get_many(&self, kind: &'static Kind, ids: &[String]) -> Result<Vec<Object>, StoreError> {
        self.with(|connection| {
            let found = ids.iter().filter_map(|id| get(connection, kind, id).transpose());
            found.filter_map(|record| readable(record, Unreadable::Skip).transpose()).collect()
        })
    }

    fn values(&self, kind: &'static Kind, column: &'static Column) -> Result<Vec<String>, StoreError> {
        self.with(|connection| Ok(values(connection, kind, column)?))
    }

    fn check(&self) -> Result<(), StoreError> {
        let connection = self.database.reader()?;
        self.database.quick_check(&connection)
    }

    fn attachment(&self, _name: &str, _limit: u64) -> Result<Attachment, StoreError> {
        Ok(Attachment::Missing)
    }

    fn log_size(&self) -> Result<u64, StoreError> {
        let size = self.with(|connection| if has_log(connection)? { Ok(log_size(connection)?) } else { Ok(0) })?;
        Ok(u64::try_from(size).unwrap_or(0))
    }

    fn leaves(&self, range: Range<u64>) -> Result<Vec<String>, StoreError> {
        let found =
            self.with(
                |connection| {
                    if has_log(connection)? { Ok(leaves(connection, &range)?) } else { Ok(Ok(Vec::new())) }
                },
            )?;
        found.map_err(|index| missing(&self.database.path, index))
    }
}

/// Whether the database has a log; one that nobody has opened for writing since there are logs has none.
fn has_log(connection: &Connection) -> rusqlite::Result<bool> {
    has_table(connection, LOG)
}

/// Number of leaves of the log.
pub(super) fn log_size(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = format!("SELECT coalesce(max(leaf_index), -1) + 1 FROM {LOG}");
    connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))
}

/// The leaves `range`, as far as there are any; or the index of a missing one.
fn leaves(connection: &Connection, range: &Range<u64>) -> rusqlite::Result<Result<Vec<String>, u64>> {
    let bound = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let sql =
        format!("SELECT leaf_index, leaf FROM {LOG} WHERE leaf_index >= ?1 AND leaf_index < ?2 ORDER BY leaf_index");
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
    let end = bound(range.end).min(log_size(connection)?);
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

fn gather(connection: &Connection, kind: &'static Kind, by: &Condition, member: &str) -> Result<Vec<Value>, ReadError> {
    // Walked backwards where the index is descending; SQLite then only sorts records of the same moment.
    let id = quote(kind.id);
    let order = match kind.order.direction {
        Direction::Descending if kind.order.by == kind.id => format!("{id} ASC"),
        Direction::Descending | Direction::Ascending => format!("{} ASC, {id} ASC", quote(kind.order.by)),
    };
    let sql = format!(
        "SELECT {id}, CASE WHEN json_valid(payload) THEN payload -> ?2 ELSE '' END FROM {}{} WHERE {} = ?1 ORDER BY {order}",
        quote(kind.table),
        by_index(kind, Some(by.0)),
        quote(by.0.name),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((&by.1, format!("$.{}", quote(member))))?;
    let mut gathered = Vec::new();
    while let Some(row) = rows.next()? {
        let Ok(Some(json)) = row.get_ref(1)?.as_bytes_or_null() else { continue };
        match serde_json::from_slice(json) {
            Ok(Value::Null) => {}
            Ok(Value::Array(values)) => gathered.extend(values),
            Ok(value) => gathered.push(value),
            Err(error) => Broken { kind, id: text(row, 0)?, reason: error.to_string() }.note(),
        }
    }
    Ok(gathered)
}

fn walk(connection: &Connection, kind: &'static Kind, path: &query::Path, visit: Visitor<'_>) -> Result<(), ReadError> {
    let bounds = [(&path.filter, "="), (&path.at_least, ">="), (&path.at_most, "<=")];
    let bounds = bounds.into_iter().filter_map(|(condition, comparison)| Some((condition.as_ref()?, comparison)));
    let (cells, conditions): (Vec<_>, Vec<_>) =
        bounds.map(|((column, cell), comparison)| (cell, format!("{} {comparison} ?", quote(column.name)))).unzip();
    let wheres = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let sql = format!(
        "SELECT {}, payload FROM {}{}{wheres} ORDER BY {}",
        quote(kind.id),
        quote(kind.table),
        by_index(kind, path.filter.as_ref().map(|(column, _)| *column)),
        order(kind),
    );
    let mut statement = connection.prepare_cached(&sql)?;
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
