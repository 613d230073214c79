//! Whether segments and blocks say what the rows say.

use std::collections::BTreeSet;

use cavra_model::Kind;
use roaring::RoaringBitmap;
use rusqlite::Connection;

use super::fold::{columns, enter, read};
use super::sets::{Sets, text};
use super::{Names, Segment, place, region, segments, streams};

/// The first thing that is wrong. Segments that do not hold are not used, so nothing is wrong with them.
pub(in crate::sqlite) fn check(connection: &Connection, kind: &'static Kind) -> rusqlite::Result<Option<String>> {
    match compare(connection, kind) {
        Err(rusqlite::Error::FromSqlConversionFailure(_, _, problem)) => Ok(Some(problem.to_string())),
        compared => compared,
    }
}

fn compare(connection: &Connection, kind: &'static Kind) -> rusqlite::Result<Option<String>> {
    let names = Names::of(kind);
    let Some(segments) = segments(connection, &names)? else { return Ok(None) };
    let mut statement = connection.prepare(&format!("SELECT changed_row FROM {}", names.changed))?;
    let changed: BTreeSet<i64> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let (mut after, mut newest) = (i64::MIN, String::new());
    for segment in segments {
        let stored = read(connection, &names, (segment.last, segment.last))?;
        let rows = Rows { connection, kind, names: &names, changed: &changed, after, segment };
        let mut blocks = Blocks::of(&rows)?;
        let wanted = rows.sets(|row, time| {
            blocks.pass(row, &newest);
            newest = std::mem::take(&mut newest).max(time);
        })?;
        blocks.pass(i64::MAX, &newest);
        if let Some(wrong) = differing(&stored, &wanted, &rows.changed()) {
            return Ok(Some(wrong));
        }
        if streams(kind) && !blocks.hold(segment) {
            return Ok(Some(format!("a block of rows up to {} is missing or too old", segment.last)));
        }
        after = segment.last;
    }
    Ok(None)
}

/// The rows of a segment.
struct Rows<'a> {
    connection: &'a Connection,
    kind: &'static Kind,
    names: &'a Names,
    changed: &'a BTreeSet<i64>,
    /// Last row of the segment before.
    after: i64,
    segment: Segment,
}

impl Rows<'_> {
    /// The sets of the unchanged rows; each is shown to `visit` with its time.
    fn sets(&self, mut visit: impl FnMut(i64, String)) -> rusqlite::Result<Sets> {
        let sql = format!(
            "SELECT rowid{} FROM {} NOT INDEXED WHERE rowid > ?1 AND rowid <= ?2 ORDER BY rowid",
            columns(self.kind),
            self.names.table
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query((self.after, self.segment.last))?;
        let mut sets = Sets::default();
        while let Some(row) = rows.next()? {
            let number = row.get(0)?;
            if !self.changed.contains(&number) {
                visit(number, enter(self.kind, row, &mut sets)?);
            }
        }
        Ok(sets)
    }

    /// Places of the rows that are looked at anyway.
    fn changed(&self) -> RoaringBitmap {
        let start = self.after.saturating_add(1).max(region(self.segment.last) << 32);
        self.changed.range(start..=self.segment.last.max(start)).map(|row| place(*row)).collect()
    }
}

/// The first value whose rows are not those it should have.
fn differing(stored: &Sets, wanted: &Sets, changed: &RoaringBitmap) -> Option<String> {
    let none = RoaringBitmap::new();
    let names = stored.iter().chain(wanted.iter()).map(|(facet, value, _)| (facet, value));
    let differs = |(facet, value): &(&str, &str)| {
        stored.get(facet, value).unwrap_or(&none) - changed != *wanted.get(facet, value).unwrap_or(&none)
    };
    let (facet, value) = names.into_iter().find(differs)?;
    Some(match facet {
        "" => "the set of all rows".to_owned(),
        _ => format!("the set of rows whose {facet} is `{value}`"),
    })
}

/// The blocks of a segment: each has to have at least the newest time of the rows up to its end, and one ends with the
/// segment.
struct Blocks {
    /// Last row and time of those that were not passed yet, from the last one.
    waiting: Vec<(i64, String)>,
    ends: Option<i64>,
    too_old: bool,
}

impl Blocks {
    fn of(rows: &Rows<'_>) -> rusqlite::Result<Self> {
        let mut waiting = Vec::new();
        if streams(rows.kind) {
            let sql = format!("SELECT last, newest FROM {} WHERE last > ?1 AND last <= ?2", rows.names.blocks);
            let mut statement = rows.connection.prepare_cached(&format!("{sql} ORDER BY last DESC"))?;
            let found = statement.query_map((rows.after, rows.segment.last), |row| Ok((row.get(0)?, text(row, 1)?)))?;
            waiting = found.collect::<rusqlite::Result<_>>()?;
        }
        let ends = waiting.first().map(|(last, _)| *last);
        Ok(Self { waiting, ends, too_old: false })
    }

    /// The next row is `row`, those before have times up to `newest`.
    fn pass(&mut self, row: i64, newest: &str) {
        while let Some((_, time)) = self.waiting.pop_if(|(last, _)| *last < row) {
            self.too_old |= time.as_str() < newest;
        }
    }

    fn hold(&self, segment: Segment) -> bool {
        self.ends == Some(segment.last) && !self.too_old
    }
}
