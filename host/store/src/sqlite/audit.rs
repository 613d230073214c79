//! What somebody may have changed beside the payloads: columns, and the sets of rows by which lists find records.

use cavra_model::{Column, ColumnType, Kind};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::log::Audited;
use crate::query::{Cell, instant};

use super::postings;
use super::read::{ReadError, record_in};
use super::schema::{has_table, missing_columns, quote};

/// Shows every record of a kind with the columns that say something else.
pub(super) fn records(
    connection: &Connection,
    kind: &'static Kind,
    visit: &mut dyn FnMut(Audited<ReadError>),
) -> Result<(), ReadError> {
    if !has_table(connection, kind.table)? {
        return Ok(());
    }
    // A database that nobody has opened since there is a column does not have it.
    let missing = missing_columns(connection, kind)?.unwrap_or_default();
    let has = |column: &&Column| !missing.iter().any(|missing| missing.name == column.name);
    let columns: Vec<&'static Column> = kind.table_columns().filter(has).collect();
    let names: String = columns.iter().map(|column| format!(", {}", quote(column.name))).collect();
    let sql = format!("SELECT {}, payload{names} FROM {} NOT INDEXED", quote(kind.id), quote(kind.table));
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, record) = (postings::text(row, 0)?, record_in(kind, row));
        let mut differing = Vec::new();
        if let Ok(record) = &record {
            for (column, index) in columns.iter().zip(2..) {
                if !says(column, row.get_ref(index)?, &Cell::of(column, record)) {
                    differing.push(column.name);
                }
            }
        }
        visit(Audited { id, record, differing });
    }
    Ok(())
}

/// Whether a column has the value it should have. Other products leave empty ones NULL, and write times in other ways.
fn says(column: &Column, found: ValueRef<'_>, wanted: &Cell) -> bool {
    match (found, wanted) {
        (ValueRef::Null, Cell::Integer(wanted)) => *wanted == 0,
        (ValueRef::Null, Cell::Text(wanted)) => wanted.is_empty(),
        (ValueRef::Integer(found), Cell::Integer(wanted)) => found == *wanted,
        (ValueRef::Text(found), Cell::Text(wanted)) if column.kind == ColumnType::Instant => {
            std::str::from_utf8(found).is_ok_and(|found| instant(found) == *wanted)
        }
        (ValueRef::Text(found), Cell::Text(wanted)) => found == wanted.as_bytes(),
        _ => false,
    }
}

/// What is wrong with the sets of rows of a kind.
pub(super) fn lists(connection: &Connection, kind: &'static Kind) -> rusqlite::Result<Option<String>> {
    let all =
        postings::objects(kind).iter().map(|(name, _)| has_table(connection, name)).collect::<Result<Vec<_>, _>>()?;
    if all.is_empty() || all.contains(&false) {
        // They are made when the database is opened for writing.
        return Ok(None);
    }
    let wrong = postings::check(connection, kind)?;
    Ok(wrong.map(|what| format!("lists of {} do not show what is stored: {what}", kind.table)))
}
