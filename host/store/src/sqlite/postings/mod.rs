//! Which rows have which values, so that a list's `total` and the choice of its index need no scan.
//!
//! The rows of a long table are put, [`Thresholds::segment`] at a time and in the order they were written, into segments: for
//! every facet column and each of its values there, the set of rows that have it. How many rows meet several
//! conditions is the size of an intersection, and what is not in a segment yet is few enough to be looked at. Segments
//! of one size are united when there are [`Thresholds::fanout`] of them, so even a long table has few. That is how search engines
//! keep their indexes; writing a row costs a small share of a segment.
//!
//! Triggers note the rows of segments that were changed since, by whomever; such a row is looked at as well. They only
//! ever say "look at the row itself", so one note too many does no harm.
//!
//! Segments speak of row numbers, which `VACUUM` may give to other rows. Each row below a number can only have moved
//! if the row with that number is another one, so the key of a segment's last row tells whether the segments still
//! hold. If not, rows are counted by indexes until the segments have been made anew.
//!
//! None of it is in the way of a record: segments are made beside the commits, one step at a time, and where they cannot be
//! read, lists are answered from the rows.

mod check;
mod count;
mod fold;
mod newest;
mod sets;
#[cfg(test)]
mod tests;

use cavra_model::{Column, Direction, Inquiry, Kind};
use rusqlite::{Connection, OptionalExtension as _};

use super::schema::quote;
use super::thresholds::Thresholds;

pub(super) use check::check;
pub(super) use count::{count, rows};
pub(super) use fold::{clear, fold};
pub(super) use newest::newest;
pub(super) use sets::text;

/// The columns that rows are counted by.
pub(super) fn facets(kind: &'static Kind) -> impl Iterator<Item = &'static Column> {
    kind.columns.iter().filter(|column| column.is_facet())
}

/// Whether a kind has segments.
pub(super) fn counts(kind: &'static Kind) -> bool {
    facets(kind).next().is_some()
}

/// Whether lists find their first records by blocks. Their order is that of time, newest first, and does not move.
pub(super) fn streams(kind: &'static Kind) -> bool {
    kind.columns.iter().any(|column| column.asked == Inquiry::Frequent)
        && kind.order.direction == Direction::Descending
        && !kind.order_moves()
}

/// The tables beside a kind's own, as SQL.
struct Names {
    table: String,
    id: String,
    /// Segments, by the number of their last row.
    segments: String,
    /// Rows by segment, column and value.
    postings: String,
    /// Rows of segments that are to be looked at.
    changed: String,
    /// The newest time up to the end of each block of rows.
    blocks: String,
}

impl Names {
    fn of(kind: &Kind) -> Self {
        let beside = |suffix: &str| quote(&format!("{}_{suffix}", kind.table));
        Self {
            table: quote(kind.table),
            id: quote(kind.id),
            segments: beside("segments"),
            postings: beside("postings"),
            changed: beside("changed"),
            blocks: beside("blocks"),
        }
    }
}

/// What a kind with facets needs: names and the statements that create them.
pub(super) fn objects(kind: &'static Kind) -> Vec<(String, String)> {
    if !counts(kind) {
        return Vec::new();
    }
    let Names { table, id, segments, postings, changed, blocks } = Names::of(kind);
    let mut columns: Vec<_> = facets(kind).map(|column| quote(column.name)).collect();
    if streams(kind) {
        columns.push(quote(kind.order.by));
    }
    let differs: Vec<_> = columns.iter().map(|name| format!("OLD.{name} IS NOT NEW.{name}")).collect();
    // An insert that may meet the row already would do what the statement does that the trigger belongs to.
    let new = |row: &str| format!("NOT EXISTS (SELECT 1 FROM {changed} WHERE changed_row = {row})");
    let folded = |row: &str| format!("{row} <= (SELECT max(last) FROM {segments}) AND {}", new(row));
    let note = |row: &str| format!("BEGIN INSERT INTO {changed} VALUES ({row}); END");
    let table_of = |suffix: &str, sql: String| (format!("{}_{suffix}", kind.table), format!("CREATE TABLE {sql}"));
    let trigger = |suffix: &str, when: String| {
        let name = format!("{}_{suffix}", kind.table);
        let sql = format!("CREATE TRIGGER {} {when}", quote(&name));
        (name, sql)
    };
    let mut objects = vec![
        table_of(
            "segments",
            format!("{segments} (last INTEGER PRIMARY KEY, level INTEGER NOT NULL, last_key TEXT NOT NULL)"),
        ),
        table_of(
            "postings",
            format!(
                "{postings} (segment INTEGER NOT NULL, facet TEXT NOT NULL, value TEXT NOT NULL, \
                 set_of_rows BLOB NOT NULL, PRIMARY KEY (segment, facet, value)) WITHOUT ROWID"
            ),
        ),
        table_of("changed", format!("{changed} (changed_row INTEGER PRIMARY KEY)")),
        // `INSERT OR REPLACE` removes a row without telling a trigger.
        trigger(
            "note",
            format!(
                "BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {id} = NEW.{id}) BEGIN \
                 INSERT INTO {changed} SELECT rowid FROM {table} WHERE {id} = NEW.{id} AND {}; END",
                new(&format!("{table}.rowid"))
            ),
        ),
        // The number of a removed row may be given to another one.
        trigger("added", format!("AFTER INSERT ON {table} WHEN {} {}", folded("NEW.rowid"), note("NEW.rowid"))),
        trigger("removed", format!("AFTER DELETE ON {table} WHEN {} {}", folded("OLD.rowid"), note("OLD.rowid"))),
        trigger(
            "changed_by",
            format!(
                "AFTER UPDATE OF {} ON {table} WHEN ({}) AND {} {}",
                columns.join(", "),
                differs.join(" OR "),
                folded("OLD.rowid"),
                note("OLD.rowid")
            ),
        ),
    ];
    if streams(kind) {
        objects.push(table_of("blocks", format!("{blocks} (last INTEGER PRIMARY KEY, newest TEXT NOT NULL)")));
    }
    objects
}

/// Whether an object of that name is kept beside the records of a kind.
pub(super) fn is_beside(kind: &Kind, name: &str) -> bool {
    let suffix = name.strip_prefix(kind.table).and_then(|rest| rest.strip_prefix('_'));
    suffix.is_some_and(|suffix| SUFFIXES.contains(&suffix))
}

const SUFFIXES: [&str; 8] = ["segments", "postings", "changed", "blocks", "note", "added", "removed", "changed_by"];

/// Takes the triggers away that write into these tables, so that rows can be written whatever is wrong with them; answers whether
/// there were any. What was computed does not hold any more then.
pub(super) fn detach(connection: &Connection, kind: &'static Kind) -> rusqlite::Result<bool> {
    let mut found = false;
    for (name, sql) in objects(kind) {
        if sql.starts_with("CREATE TRIGGER") && super::schema::has_table(connection, &name)? {
            connection.execute_batch(&format!("DROP TRIGGER {}", quote(&name)))?;
            found = true;
        }
    }
    Ok(found)
}

/// Makes the tables and triggers anew, empty.
pub(super) fn remake(connection: &Connection, kind: &'static Kind) -> rusqlite::Result<()> {
    for (name, sql) in objects(kind) {
        let what = if sql.starts_with("CREATE TRIGGER") { "TRIGGER" } else { "TABLE" };
        connection.execute_batch(&format!("DROP {what} IF EXISTS {}", quote(&name)))?;
    }
    for (_, sql) in objects(kind) {
        connection.execute_batch(&sql)?;
    }
    Ok(())
}

/// A segment: the rows after the last of the one before it, to its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    /// Number of its last row.
    last: i64,
    /// How often segments were united to make it.
    level: i64,
}

/// The segments, or none if they do not hold any more.
fn segments(connection: &Connection, names: &Names) -> rusqlite::Result<Option<Vec<Segment>>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT last, level, last_key FROM {} ORDER BY last", names.segments))?;
    let mut rows = statement.query([])?;
    let (mut found, mut key) = (Vec::new(), String::new());
    while let Some(row) = rows.next()? {
        found.push(Segment { last: row.get(0)?, level: row.get(1)? });
        key = row.get(2)?;
    }
    let holds = match found.last() {
        Some(segment) => key_of(connection, names, segment.last)?.is_some_and(|now| now == key),
        None => true,
    };
    Ok(holds.then_some(found))
}

fn key_of(connection: &Connection, names: &Names, row: i64) -> rusqlite::Result<Option<String>> {
    let sql = format!("SELECT {} FROM {} WHERE rowid = ?1", names.id, names.table);
    connection.prepare_cached(&sql)?.query_row([row], |row| text(row, 0)).optional()
}

/// Whether the segments are those of the rows.
pub(super) fn hold(connection: &Connection, kind: &'static Kind) -> rusqlite::Result<bool> {
    Ok(!counts(kind) || segments(connection, &Names::of(kind))?.is_some())
}

/// The place of a row in its segment's sets. No segment has rows on both sides of a multiple of 2^32.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the lower half is what is wanted")]
const fn place(row: i64) -> u32 {
    row as u32
}

/// What [`place`] leaves out.
const fn region(row: i64) -> i64 {
    row >> 32
}
