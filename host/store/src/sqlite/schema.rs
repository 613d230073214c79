//! Tables, indexes and triggers. What should be there follows from the kinds; what is missing or different is made
//! when a database is opened, so a database of an older product or version becomes one of ours by being opened.
//! Contract 10, section 8.

use std::collections::HashMap;

use cavra_model::{Column, ColumnType, Direction, Inquiry, Kind, Object as Record, Place};
use rusqlite::{Connection, TransactionBehavior};

use super::Database;
use super::asked::value;
use super::postings;
use super::thresholds::Thresholds;
use crate::StoreError;
use crate::query::{Cell, instant};

/// The table of the log's leaves. Its key is the leaf's index and the place in the table, so appending is cheap.
pub(super) const LOG: &str = "evidence_log";

/// The statement that makes it.
fn log_sql() -> String {
    format!("CREATE TABLE {LOG} (leaf_index INTEGER PRIMARY KEY, leaf TEXT NOT NULL)")
}

/// A name as SQL.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A column's type as SQL.
pub(super) const fn cell_sql(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text | ColumnType::Instant | ColumnType::List => "TEXT",
        ColumnType::Integer | ColumnType::Flag => "INTEGER",
    }
}

/// `ORDER BY` of lists, without the keyword.
pub(super) fn order(kind: &Kind) -> String {
    let direction = match kind.order.direction {
        Direction::Ascending => "ASC",
        Direction::Descending => "DESC",
    };
    let (by, id) = (quote(kind.order.by), quote(kind.id));
    if by == id { format!("{id} {direction}") } else { format!("{by} {direction}, {id} ASC") }
}

/// The columns of the index that has the order of lists. It has the columns too that have no index of their own, so that
/// only rows that match are read when it is walked.
fn whole_order(kind: &Kind) -> String {
    let unindexed =
        kind.columns.iter().filter(|column| column.asked == Inquiry::Frequent).map(|column| quote(column.name));
    std::iter::once(order(kind)).chain(unindexed).collect::<Vec<_>>().join(", ")
}

/// Name of the index that serves lists filtered by `column`, or unfiltered ones.
pub(super) fn index_name(kind: &Kind, column: Option<&Column>) -> String {
    format!("{}_list_{}", kind.table, column.map_or("all", |column| column.name))
}

/// Whether there is an index for lists filtered by the column.
pub(super) const fn has_index(column: &Column) -> bool {
    column.is_indexed()
}

/// An object of the database: its name and the statement that makes it.
struct Object {
    name: String,
    sql: String,
}

/// Everything a kind needs beside its table.
fn objects(kind: &'static Kind) -> Vec<Object> {
    let table = quote(kind.table);
    let index = |column: Option<&Column>| {
        let name = index_name(kind, column);
        let columns = match column {
            None => whole_order(kind),
            Some(column) if kind.order_moves() => value(column),
            Some(column) => format!("{}, {}", value(column), order(kind)),
        };
        let sql = format!("CREATE INDEX {} ON {table} ({columns})", quote(&name));
        Object { name, sql }
    };
    let filters = kind.columns.iter().filter(|column| has_index(column)).map(Some);
    // The key's own index serves lists ordered by the key.
    let all = (kind.order.by != kind.id).then_some(None);
    let mut objects: Vec<_> = filters.chain(all).map(index).collect();
    objects.extend(postings::objects(kind).into_iter().map(|(name, sql)| Object { name, sql }));
    objects
}

/// Puts the database into the form the kinds need; answers whether anything had to be done.
pub(super) fn prepare(
    database: &Database,
    connection: &mut Connection,
    kinds: &[&'static Kind],
) -> Result<bool, StoreError> {
    let mut prepare = || -> rusqlite::Result<Result<bool, String>> {
        if let Some(owner) = other_program(connection)? {
            return Ok(Err(format!("it is a database of another program (application_id {owner:#010x})")));
        }
        use_log(connection)?;
        if let Ok(true) = is_ready(connection, kinds)? {
            return Ok(Ok(false));
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for kind in kinds {
            if let Err(reason) = create(&transaction, kind, database.thresholds)? {
                return Ok(Err(reason));
            }
            unify_instants(&transaction, kind)?;
        }
        if !existing(&transaction)?.contains_key(LOG) {
            transaction.execute_batch(&log_sql())?;
        }
        transaction.commit()?;
        Ok(Ok(true))
    };
    prepare().map_err(|error| database.error(&error))?.map_err(|reason| StoreError::unreadable(&database.path, &reason))
}

/// The number by which a program has made the database its own, if one has. Neither we nor the existing product do.
fn other_program(connection: &Connection) -> rusqlite::Result<Option<u32>> {
    let owner: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    Ok((owner != 0).then_some(owner.cast_unsigned()))
}

/// Switches the database to a write-ahead log. Another process that does the same at this moment makes SQLite
/// answer that it is busy without waiting, hence the attempts.
fn use_log(connection: &Connection) -> rusqlite::Result<()> {
    let mut attempts = 0;
    loop {
        match connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get::<_, String>(0)) {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) && attempts < 100 => {
                attempts += 1;
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            result => return result.map(drop),
        }
    }
}

/// The statements by which the database's objects were made.
fn existing(connection: &Connection) -> rusqlite::Result<HashMap<String, String>> {
    let mut statement = connection.prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Whether there is a table, or another object, of that name.
pub(super) fn has_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = ?1")?.exists([name])
}

/// Whether everything is there already; `Err` is why it cannot be.
fn is_ready(connection: &Connection, kinds: &[&'static Kind]) -> rusqlite::Result<Result<bool, String>> {
    let existing = existing(connection)?;
    for kind in kinds {
        if !existing.contains_key(kind.table) {
            return Ok(Ok(false));
        }
        match missing_columns(connection, kind)? {
            Err(reason) => return Ok(Err(reason)),
            Ok(missing) if !missing.is_empty() => return Ok(Ok(false)),
            Ok(_) => {}
        }
        if objects(kind).iter().any(|object| existing.get(&object.name) != Some(&object.sql))
            || !postings::hold(connection, kind)?
        {
            return Ok(Ok(false));
        }
        for column in instants(kind) {
            if !foreign_instants(connection, kind, column, 1)?.is_empty() {
                return Ok(Ok(false));
            }
        }
    }
    Ok(Ok(existing.contains_key(LOG)))
}

/// Declared columns an existing table lacks; `Err` if it lacks what cannot be added.
pub(super) fn missing_columns(
    connection: &Connection,
    kind: &'static Kind,
) -> rusqlite::Result<Result<Vec<&'static Column>, String>> {
    let mut statement = connection.prepare_cached("SELECT name FROM pragma_table_info(?1)")?;
    let names: Vec<String> = statement.query_map([kind.table], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let has = |name: &str| names.iter().any(|known| known == name);
    if let Some(lost) = [kind.id, "payload"].into_iter().find(|name| !has(name)) {
        return Ok(Err(format!("table {} has no column {lost}", kind.table)));
    }
    Ok(Ok(kind.columns.iter().filter(|column| column.place == Place::Table && !has(column.name)).collect()))
}

/// The statement that makes a kind's table, without what is kept beside it.
pub(super) fn table_sql(kind: &Kind) -> String {
    let null = |column: &Column| if column.not_null { " NOT NULL" } else { "" };
    let columns: String = kind
        .table_columns()
        .map(|column| format!("{} {}{}, ", quote(column.name), cell_sql(column.kind), null(column)))
        .collect();
    format!(
        "CREATE TABLE IF NOT EXISTS {} ({} TEXT PRIMARY KEY, {columns}payload TEXT NOT NULL)",
        quote(kind.table),
        quote(kind.id)
    )
}

/// Creates or completes what belongs to one kind.
fn create(
    connection: &Connection,
    kind: &'static Kind,
    thresholds: Thresholds,
) -> rusqlite::Result<Result<(), String>> {
    connection.execute_batch(&table_sql(kind))?;
    let missing = match missing_columns(connection, kind)? {
        Ok(missing) => missing,
        Err(reason) => return Ok(Err(reason)),
    };
    for column in missing {
        add_column(connection, kind, column)?;
    }
    let existing = existing(connection)?;
    let objects = objects(kind);
    let current = |object: &Object| existing.get(&object.name) == Some(&object.sql);
    // Segments only hold if all that keeps them was there all the time.
    let kept = objects.iter().filter(|object| !object.sql.starts_with("CREATE INDEX")).all(current);
    for object in &objects {
        let is_index = object.sql.starts_with("CREATE INDEX");
        if current(object) && (is_index || kept) {
            continue;
        }
        drop_object(connection, &object.name)?;
        connection.execute_batch(&object.sql)?;
    }
    if !kept || !postings::hold(connection, kind)? {
        postings::rebuild(connection, kind, thresholds)?;
    }
    Ok(Ok(()))
}

/// Adds a column with what the records say; a payload that is no record says nothing.
fn add_column(connection: &Connection, kind: &Kind, column: &Column) -> rusqlite::Result<()> {
    let (table, name) = (quote(kind.table), quote(column.name));
    connection.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN {name} {}", cell_sql(column.kind)))?;
    let mut update = connection.prepare(&format!("UPDATE {table} SET {name} = ?2 WHERE rowid = ?1"))?;
    let mut statement = connection.prepare(&format!("SELECT rowid, payload FROM {table} NOT INDEXED"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let payload = row.get_ref(1)?.as_bytes().unwrap_or_default();
        let record = serde_json::from_slice::<Record>(payload).unwrap_or_default();
        update.execute((row.get::<_, i64>(0)?, Cell::of(column, &record)))?;
    }
    Ok(())
}

fn instants(kind: &'static Kind) -> impl Iterator<Item = &'static Column> {
    kind.columns.iter().filter(|column| column.kind == ColumnType::Instant && column.place == Place::Table)
}

/// Rows and values of times that another product wrote in another form than ours, at most `limit`.
fn foreign_instants(
    connection: &Connection,
    kind: &Kind,
    column: &Column,
    limit: u32,
) -> rusqlite::Result<Vec<(i64, String)>> {
    let (table, name) = (quote(kind.table), quote(column.name));
    let mut statement = connection.prepare(&format!(
        "SELECT rowid, {name} FROM {table} WHERE {name} IS NULL OR \
         ({name} <> '' AND {name} NOT GLOB '????-??-??T??:??:??.??????+00:00') LIMIT {limit}"
    ))?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, postings::text(row, 1)?)))?;
    rows.collect()
}

/// Gives times the form whose order is that of time.
fn unify_instants(connection: &Connection, kind: &'static Kind) -> rusqlite::Result<()> {
    for column in instants(kind) {
        let (table, name) = (quote(kind.table), quote(column.name));
        let mut update = connection.prepare(&format!("UPDATE {table} SET {name} = ?2 WHERE rowid = ?1"))?;
        for (row, text) in foreign_instants(connection, kind, column, u32::MAX)? {
            update.execute((row, instant(&text)))?;
        }
    }
    Ok(())
}

/// Drops an object of ours that is out of date.
fn drop_object(connection: &Connection, name: &str) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("SELECT type FROM sqlite_schema WHERE name = ?1")?;
    let mut rows = statement.query([name])?;
    if let Some(row) = rows.next()? {
        let kind: String = row.get(0)?;
        drop(rows);
        connection.execute_batch(&format!("DROP {kind} {}", quote(name)))?;
    }
    Ok(())
}
