//! Reading: which rows meet conditions, and how many they are.

use std::collections::BTreeSet;

use cavra_model::Kind;
use roaring::RoaringBitmap;
use rusqlite::{Connection, params_from_iter};

use crate::query::{Cell, Condition};
use crate::sqlite::schema::quote;

use super::sets::read_set;
use super::{Names, Segment, counts, place, region, segments};

/// Most rows without a segment that are looked at one by one.
const MOST_LOOSE: i64 = 16 * 1024;

/// Number of rows for which all conditions hold, or `None` if they are not counted.
pub(in crate::sqlite) fn count(
    connection: &Connection,
    kind: &'static Kind,
    conditions: &[Condition],
) -> rusqlite::Result<Option<u64>> {
    let Some(view) = View::of(connection, kind, conditions)? else { return Ok(None) };
    let mut total = view.loose(|sql| format!("SELECT count(*) FROM ({sql})"), |row| row.get::<_, i64>(0))?;
    view.segments(|_, rows| total.push(i64::try_from(rows.len()).unwrap_or(i64::MAX)))?;
    Ok(Some(u64::try_from(total.iter().sum::<i64>()).unwrap_or(0)))
}

/// The numbers of the rows for which all conditions hold, or `None` if they are not counted.
pub(in crate::sqlite) fn rows(
    connection: &Connection,
    kind: &'static Kind,
    conditions: &[Condition],
) -> rusqlite::Result<Option<Vec<i64>>> {
    let Some(view) = View::of(connection, kind, conditions)? else { return Ok(None) };
    let mut found = view.loose(str::to_owned, |row| row.get::<_, i64>(0))?;
    view.segments(|region, rows| found.extend(rows.iter().map(|place| (region << 32) | i64::from(place))))?;
    Ok(Some(found))
}

/// The rows of a table through conditions.
pub(super) struct View<'a> {
    connection: &'a Connection,
    conditions: &'a [Condition],
    names: Names,
    pub(super) segments: Vec<Segment>,
    /// Rows of segments that are to be looked at.
    changed: BTreeSet<i64>,
}

impl<'a> View<'a> {
    pub(super) fn of(
        connection: &'a Connection,
        kind: &'static Kind,
        conditions: &'a [Condition],
    ) -> rusqlite::Result<Option<Self>> {
        if !counts(kind) || !conditions.iter().all(|(column, _)| column.is_facet()) {
            return Ok(None);
        }
        let names = Names::of(kind);
        let Some(segments) = segments(connection, &names)? else { return Ok(None) };
        if is_far_behind(connection, &names, segments.last())? {
            return Ok(None);
        }
        let mut statement = connection.prepare_cached(&format!("SELECT changed_row FROM {}", names.changed))?;
        let changed = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(Some(Self { connection, conditions, names, segments, changed }))
    }

    fn last(&self) -> i64 {
        self.segments.last().map_or(i64::MIN, |segment| segment.last)
    }

    /// What the rows say that no segment speaks for: those after the last segment, and changed ones.
    pub(super) fn loose<T>(
        &self,
        select: impl Fn(&str) -> String,
        read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        let Names { table, changed, .. } = &self.names;
        let holds = |(column, _): &Condition| format!(" AND t.{} = ?", quote(column.name));
        let holds: String = self.conditions.iter().map(holds).collect();
        let after = format!("SELECT t.rowid FROM {table} AS t NOT INDEXED WHERE t.rowid > ?{holds}");
        let noted = format!(
            "SELECT t.rowid FROM {changed} AS c CROSS JOIN {table} AS t NOT INDEXED ON t.rowid = c.changed_row \
             WHERE c.changed_row <= ?{holds}"
        );
        let last = Cell::Integer(self.last());
        let mut found = Vec::new();
        let questions = [Some(after), (!self.changed.is_empty()).then_some(noted)];
        for sql in questions.into_iter().flatten() {
            let mut statement = self.connection.prepare_cached(&select(&sql))?;
            let parameters = std::iter::once(&last).chain(self.conditions.iter().map(|(_, cell)| cell));
            for row in statement.query_map(params_from_iter(parameters), &read)? {
                found.push(row?);
            }
        }
        Ok(found)
    }

    /// Shows what the segments say, each with the region of its rows.
    fn segments(&self, mut show: impl FnMut(i64, &RoaringBitmap)) -> rusqlite::Result<()> {
        self.segments.iter().try_for_each(|segment| {
            show(region(segment.last), &self.unchanged(segment)?);
            Ok(())
        })
    }

    /// The rows of a segment that have not been changed since it was made.
    pub(super) fn unchanged(&self, segment: &Segment) -> rusqlite::Result<RoaringBitmap> {
        let mut rows = self.within(segment)?;
        let start = region(segment.last) << 32;
        for row in self.changed.range(start..=segment.last) {
            rows.remove(place(*row));
        }
        Ok(rows)
    }

    /// The rows of a segment as it was made.
    fn within(&self, segment: &Segment) -> rusqlite::Result<RoaringBitmap> {
        let mut conditions = self.conditions.iter();
        let Some((column, cell)) = conditions.next() else { return self.posting(segment, "", "") };
        let text = |cell: &Cell| cell.to_string();
        let mut rows = self.posting(segment, column.name, &text(cell))?;
        for (column, cell) in conditions {
            if rows.is_empty() {
                break;
            }
            rows &= self.posting(segment, column.name, &text(cell))?;
        }
        Ok(rows)
    }

    fn posting(&self, segment: &Segment, facet: &str, value: &str) -> rusqlite::Result<RoaringBitmap> {
        let sql =
            format!("SELECT set_of_rows FROM {} WHERE segment = ?1 AND facet = ?2 AND value = ?3", self.names.postings);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut found = statement.query((segment.last, facet, value))?;
        match found.next()? {
            Some(row) => read_set(row, 0, (segment.last, facet, value)),
            None => Ok(RoaringBitmap::new()),
        }
    }
}

/// Whether so many rows are in no segment yet, as after an import, that an index counts them faster.
fn is_far_behind(connection: &Connection, names: &Names, last: Option<&Segment>) -> rusqlite::Result<bool> {
    let sql = format!("SELECT max(rowid) FROM {}", names.table);
    let newest: Option<i64> = connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
    let known = last.map_or(0, |segment| segment.last);
    Ok(newest.is_some_and(|newest| newest.saturating_sub(known) > MOST_LOOSE))
}
