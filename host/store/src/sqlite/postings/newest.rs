//! The first rows of a list whose filters have no index: those with the newest times.
//!
//! Rows are written about in the order of their times, so the newest matches are among the last rows. How far back
//! they may be is known from the blocks, which are what was once the smallest segments: each has the newest time up to its
//! end. So a list looks at as many blocks as its page needs, however many there are.

use cavra_model::Kind;
use rusqlite::Connection;

use crate::query::Condition;
use crate::sqlite::schema::quote;

use super::count::View;
use super::sets::text;
use super::{Names, place, region, streams};

/// A row by its place in lists.
struct Found {
    time: String,
    key: String,
    row: i64,
}

/// A block: the rows after the last of the one before it, to its own.
struct Block {
    last: i64,
    /// Newest time of its rows and of those of all blocks before it.
    newest: String,
}

/// The numbers of the first `needed` rows of the list of those for which all conditions hold, in any order, or `None`
/// if they are not counted.
pub(in crate::sqlite) fn newest(
    connection: &Connection,
    kind: &'static Kind,
    conditions: &[Condition],
    needed: usize,
) -> rusqlite::Result<Option<Vec<i64>>> {
    if !streams(kind) {
        return Ok(None);
    }
    let Some(view) = View::of(connection, kind, conditions)? else { return Ok(None) };
    let names = Names::of(kind);
    let lookup = format!("SELECT {}, {}, rowid FROM {} WHERE rowid = ?1", quote(kind.order.by), names.id, names.table);
    let mut lookup = connection.prepare_cached(&lookup)?;
    let mut first = First { needed, found: Vec::new() };
    let mut look = |first: &mut First, rows: &mut dyn Iterator<Item = i64>| -> rusqlite::Result<()> {
        for row in rows {
            first.found.push(
                lookup
                    .query_row([row], |row| Ok(Found { time: text(row, 0)?, key: text(row, 1)?, row: row.get(2)? }))?,
            );
        }
        first.keep();
        Ok(())
    };
    look(&mut first, &mut view.loose(str::to_owned, |row| row.get(0))?.into_iter())?;
    let mut blocks =
        connection.prepare_cached(&format!("SELECT last, newest FROM {} ORDER BY last DESC", names.blocks))?;
    let mut blocks = blocks.query_map([], |row| Ok(Block { last: row.get(0)?, newest: row.get(1)? }))?;
    let mut segments = view.segments.iter().rev().peekable();
    let mut rows = None;
    let mut next = blocks.next().transpose()?;
    while let Some(block) = next
        && !first.is_before(&block.newest)
    {
        next = blocks.next().transpose()?;
        // The segment that the block is part of is the last one that does not end before it.
        while let Some(segment) = segments.next_if(|segment| segment.last >= block.last) {
            rows = Some((region(segment.last), view.unchanged(segment)?));
        }
        let Some((own, rows)) = &rows else { break };
        let before = next.as_ref().map(|before| before.last).filter(|before| region(*before) == *own);
        let start = before.map_or(0, |before| place(before).saturating_add(1));
        let within = rows.range(start..=place(block.last));
        look(&mut first, &mut within.map(|place| (own << 32) | i64::from(place)))?;
    }
    Ok(Some(first.found.into_iter().map(|found| found.row).collect()))
}

/// The first rows of those seen so far.
struct First {
    needed: usize,
    found: Vec<Found>,
}

impl First {
    fn keep(&mut self) {
        self.found.sort_by(|left, right| right.time.cmp(&left.time).then_with(|| left.key.cmp(&right.key)));
        self.found.truncate(self.needed);
    }

    /// Whether they are complete and all before every row that is not newer than `time`.
    fn is_before(&self, time: &str) -> bool {
        self.found.len() >= self.needed && self.found.last().is_none_or(|last| last.time.as_str() > time)
    }
}
