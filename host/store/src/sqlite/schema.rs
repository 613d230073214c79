//! Tables, indexes and triggers. What should be there follows from the kinds; what is missing or different is made
//! when a database is opened for writing, so a database of an older product or version becomes one of ours by being
//! opened. The database carries the version of its schema (`user_version`); one of a newer release is refused.

use std::collections::HashMap;

use cavra_model::{Column, ColumnType, Direction, Inquiry, Kind, Object as Record, Place};
use rusqlite::{Connection, TransactionBehavior};

use super::Database;
use super::asked::value;
use super::postings;
use crate::StoreError;
use crate::log::Slots;
use crate::query::{Cell, instant};

/// The version of the schema that this release makes. It changes with every change of a table, an index or a trigger, as
/// `schema.sql` shows them.
pub(super) const VERSION: i64 = 4;

/// The table of what the file notes about itself.
pub(super) const PROPERTIES: &str = "store_properties";

/// The statement that makes it.
fn properties_sql() -> String {
    format!("CREATE TABLE {PROPERTIES} (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
}

/// The statement that makes the table of a log. Its key is the leaf's index and the place in the table, so appending is
/// cheap.
fn log_sql(slot: &str) -> String {
    format!("CREATE TABLE {} (leaf_index INTEGER PRIMARY KEY, leaf TEXT NOT NULL)", quote(slot))
}

/// The tables in which the areas have their logs.
pub(super) fn slots(connection: &Connection, areas: &[&'static str]) -> rusqlite::Result<Slots> {
    let noted = properties(connection)?;
    Ok(Slots::of(areas, |name| noted.get(name).cloned()))
}

/// What the file notes about itself.
fn properties(connection: &Connection) -> rusqlite::Result<HashMap<String, String>> {
    if !has_table(connection, PROPERTIES)? {
        return Ok(HashMap::new());
    }
    let mut statement =
        connection.prepare(&format!("SELECT name, value FROM {PROPERTIES} WHERE name LIKE 'log_slot%'"))?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// The version of the database's schema.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
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

/// Puts the database into the form the kinds need, in one transaction; answers whether anything had to be done.
pub(super) fn prepare(database: &Database, connection: &mut Connection) -> Result<bool, StoreError> {
    let failed = |error: rusqlite::Error| database.error(&error);
    if let Some(owner) = other_program(connection).map_err(failed)? {
        let reason = format!("it is a database of another program (application_id {owner:#010x})");
        return Err(StoreError::unreadable(&database.path, &reason));
    }
    database.check_version(connection)?;
    use_log(connection).map_err(failed)?;
    let prepared = within(database, connection).map_err(failed)?;
    prepared.map_err(|reason| StoreError::unreadable(&database.path, &reason))
}

fn within(database: &Database, connection: &mut Connection) -> rusqlite::Result<Result<bool, String>> {
    let is_current = version(connection)? == VERSION;
    if is_current && let Ok(true) = is_ready(connection, database)? {
        return Ok(Ok(false));
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if version(&transaction)? > VERSION {
        return Ok(Err("a newer release has it open".to_owned()));
    }
    if !is_current {
        drop_obsolete(&transaction, &database.kinds)?;
    }
    for kind in &*database.kinds {
        if let Err(reason) = create(&transaction, kind)? {
            return Ok(Err(reason));
        }
        unify_instants(&transaction, kind)?;
    }
    if !has_table(&transaction, PROPERTIES)? {
        transaction.execute_batch(&properties_sql())?;
    }
    let slots = slots(&transaction, &database.areas)?;
    for slot in slots.iter() {
        if !has_table(&transaction, slot)? {
            transaction.execute_batch(&log_sql(slot))?;
        }
    }
    for (name, value) in slots.unnoted() {
        set_property(&transaction, &name, value)?;
    }
    transaction.execute_batch(&format!("PRAGMA user_version = {VERSION}"))?;
    transaction.commit()?;
    Ok(Ok(true))
}

/// Notes something about the file.
pub(super) fn set_property(connection: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    let sql = format!("INSERT INTO {PROPERTIES} VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2");
    connection.prepare_cached(&sql)?.execute((name, value)).map(drop)
}

/// Drops what an older release kept beside the records of these kinds and this one does not.
fn drop_obsolete(connection: &Connection, kinds: &[&'static Kind]) -> rusqlite::Result<()> {
    for kind in kinds {
        let wanted: Vec<String> = objects(kind).into_iter().map(|object| object.name).collect();
        let of_lists = format!("{}_list_", kind.table);
        let is_obsolete = |name: &str| {
            (name.starts_with(&of_lists) || postings::is_beside(kind, name)) && !wanted.iter().any(|kept| kept == name)
        };
        for name in existing(connection)?.into_keys().filter(|name| is_obsolete(name)) {
            drop_object(connection, &name)?;
        }
    }
    Ok(())
}

impl Database {
    /// Refuses a database of a newer release; answers whether it is of this one.
    pub(super) fn check_version(&self, connection: &Connection) -> Result<bool, StoreError> {
        let found = version(connection).map_err(|error| self.error(&error))?;
        if found > VERSION {
            return Err(StoreError::Newer { path: self.path.display().to_string(), found, known: VERSION });
        }
        Ok(found == VERSION)
    }
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
fn is_ready(connection: &Connection, database: &Database) -> rusqlite::Result<Result<bool, String>> {
    let existing = existing(connection)?;
    for kind in &*database.kinds {
        if !existing.contains_key(kind.table) {
            return Ok(Ok(false));
        }
        match missing_columns(connection, kind)? {
            Err(reason) => return Ok(Err(reason)),
            Ok(missing) if !missing.is_empty() => return Ok(Ok(false)),
            Ok(_) => {}
        }
        if objects(kind).iter().any(|object| existing.get(&object.name) != Some(&object.sql))
            || !postings::hold(connection, kind).unwrap_or(false)
        {
            return Ok(Ok(false));
        }
        for column in instants(kind) {
            if !foreign_instants(connection, kind, column, 1)?.is_empty() {
                return Ok(Ok(false));
            }
        }
    }
    let slots = slots(connection, &database.areas)?;
    Ok(Ok(slots.iter().all(|slot| existing.contains_key(slot)) && slots.unnoted().next().is_none()))
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
fn create(connection: &Connection, kind: &'static Kind) -> rusqlite::Result<Result<(), String>> {
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
    // They are made by and by, beside the commits.
    if !kept || !postings::hold(connection, kind).unwrap_or(false) {
        postings::clear(connection, kind)?;
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
