//! Reads: a few read-only connections, opened when needed and kept.

use std::ops::Range;
use std::sync::Mutex;

use cavra_model::{Column, Direction, Kind, Object};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, ToSql, params_from_iter};
use serde_json::Value;

use crate::log::missing;
use crate::query::{self, Cell, Condition, Conditions, Page, Query};
use crate::{Attachment, Reader, StoreError, Visitor};

use super::list::list;
use super::schema::{LOG, has_index, index_name, order, quote};
use super::{Database, asked};

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

/// A failed read: of the database, or because a payload is no JSON object.
pub(super) enum ReadError {
    Database(rusqlite::Error),
    Payload(serde_json::Error),
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<serde_json::Error> for ReadError {
    fn from(error: serde_json::Error) -> Self {
        Self::Payload(error)
    }
}

impl Database {
    pub(super) fn read_error(&self, error: ReadError) -> StoreError {
        match error {
            ReadError::Database(error) => self.error(&error),
            ReadError::Payload(error) => StoreError::corrupt(&self.path, &format!("a payload is no record: {error}")),
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
        self.with(|connection| list(connection, kind, &conditions, query))
    }

    fn gather(&self, kind: &'static Kind, by: &Condition, member: &str) -> Result<Vec<Value>, StoreError> {
        self.with(|connection| gather(connection, kind, by, member))
    }

    fn walk(&self, kind: &'static Kind, path: &query::Path, visit: Visitor<'_>) -> Result<(), StoreError> {
        self.with(|connection| walk(connection, kind, path, visit))
    }

    fn get_many(&self, kind: &'static Kind, ids: &[String]) -> Result<Vec<Object>, StoreError> {
        self.with(|connection| ids.iter().filter_map(|id| get(connection, kind, id).transpose()).collect())
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
    let mut statement = connection.prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = ?1")?;
    statement.exists([LOG])
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
pub(super) fn get(connection: &Connection, kind: &Kind, id: &str) -> Result<Option<Object>, ReadError> {
    let sql = format!("SELECT payload FROM {} WHERE {} = ?1", quote(kind.table), quote(kind.id));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id])?;
    match rows.next()? {
        Some(row) => Ok(Some(record(row.get_ref(0)?)?)),
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
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

/// A record out of its payload.
pub(super) fn record(payload: ValueRef<'_>) -> Result<Object, ReadError> {
    let bytes = payload.as_bytes().map_err(|error| ReadError::Database(error.into()))?;
    Ok(serde_json::from_slice(bytes)?)
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
        "SELECT CAST({name} AS TEXT), count(*) FROM {}{} WHERE {} = ? GROUP BY {name}",
        quote(kind.table),
        by_index(kind, Some(by.0)),
        quote(by.0.name),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement
        .query_map([&by.1], |row| Ok((row.get::<_, Option<String>>(0)?.unwrap_or_default(), row.get::<_, i64>(1)?)))?;
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
        "SELECT payload -> ?2 FROM {}{} WHERE {} = ?1 ORDER BY {order}",
        quote(kind.table),
        by_index(kind, Some(by.0)),
        quote(by.0.name),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((&by.1, format!("$.{}", quote(member))))?;
    let mut gathered = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(text) = row.get_ref(0)?.as_str_or_null().map_err(|error| ReadError::Database(error.into()))? else {
            continue;
        };
        match serde_json::from_str(text)? {
            Value::Null => {}
            Value::Array(values) => gathered.extend(values),
            value => gathered.push(value),
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
        "SELECT payload FROM {}{}{wheres} ORDER BY {}",
        quote(kind.table),
        by_index(kind, path.filter.as_ref().map(|(column, _)| *column)),
        order(kind),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(cells))?;
    while let Some(row) = rows.next()? {
        if !visit(record(row.get_ref(0)?)?) {
            break;
        }
    }
    Ok(())
}
