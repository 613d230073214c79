//! Writing: new segments, united segments, and changed rows brought back into theirs. All of it happens in the
//! transaction that is open.

use cavra_model::Kind;
use roaring::RoaringBitmap;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use crate::sqlite::schema::quote;

use super::sets::{Sets, read_set, text, write_bytes};
use super::{Names, Segment, Thresholds, counts, facets, key_of, place, region, segments, streams};

/// A step: makes a segment of rows that have none, if they are enough, or brings changed rows of one segment back, if they
/// are many. Answers whether another step has something to do.
pub(in crate::sqlite) fn fold(
    connection: &Connection,
    kind: &'static Kind,
    thresholds: Thresholds,
) -> rusqlite::Result<bool> {
    if !counts(kind) {
        return Ok(false);
    }
    let names = Names::of(kind);
    let Some(mut segments) = segments(connection, &names)? else {
        clear(connection, kind)?;
        return Ok(true);
    };
    let Some(Next { segment, sets, newest }) = next(connection, kind, &names, segments.last(), thresholds.segment)?
    else {
        return bring_back(connection, kind, &names, &segments, thresholds);
    };
    write(connection, &names, segment, &sets)?;
    if streams(kind) {
        let blocks = &names.blocks;
        let sql = format!(
            "INSERT INTO {blocks} VALUES (?1, max(?2, coalesce((SELECT newest FROM {blocks} ORDER BY last DESC LIMIT 1), '')))"
        );
        connection.prepare_cached(&sql)?.execute((segment.last, newest))?;
    }
    segments.push(segment);
    unite(connection, &names, &mut segments, thresholds)?;
    Ok(true)
}

/// Forgets all segments.
pub(in crate::sqlite) fn clear(connection: &Connection, kind: &'static Kind) -> rusqlite::Result<()> {
    if !counts(kind) {
        return Ok(());
    }
    let Names { segments, postings, changed, blocks, .. } = Names::of(kind);
    let blocks = streams(kind).then_some(blocks);
    for table in [segments, postings, changed].into_iter().chain(blocks) {
        connection.execute(&format!("DELETE FROM {table}"), [])?;
    }
    Ok(())
}

/// The next segment.
struct Next {
    segment: Segment,
    sets: Sets,
    /// The newest time of its rows.
    newest: String,
}

/// The next segment, if there are enough rows.
fn next(
    connection: &Connection,
    kind: &'static Kind,
    names: &Names,
    after: Option<&Segment>,
    enough: usize,
) -> rusqlite::Result<Option<Next>> {
    let sql = format!(
        "SELECT rowid{} FROM {} NOT INDEXED WHERE rowid > ?1 ORDER BY rowid LIMIT {enough}",
        columns(kind),
        names.table
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([after.map_or(i64::MIN, |segment| segment.last)])?;
    let (mut sets, mut newest) = (Sets::default(), String::new());
    let (mut first, mut last, mut number) = (None, i64::MIN, 0);
    while let Some(row) = rows.next()? {
        let at = row.get(0)?;
        if region(*first.get_or_insert(at)) != region(at) {
            // It ends where its region does, however few rows it has.
            number = enough;
            break;
        }
        newest = newest.max(enter(kind, row, &mut sets)?);
        last = at;
        number += 1;
    }
    Ok((number == enough).then_some(Next { segment: Segment { last, level: 0 }, sets, newest }))
}

/// The column of the order and the facets, each after a comma.
pub(super) fn columns(kind: &'static Kind) -> String {
    std::iter::once(kind.order.by)
        .chain(facets(kind).map(|column| column.name))
        .map(|name| format!(", {}", quote(name)))
        .collect()
}

/// Enters a row of number, order and facets; answers its time.
pub(super) fn enter(kind: &'static Kind, row: &Row<'_>, sets: &mut Sets) -> rusqlite::Result<String> {
    let at = place(row.get(0)?);
    sets.insert("", "", at);
    for (column, index) in facets(kind).zip(2..) {
        // Nothing else equals a text.
        if let ValueRef::Text(text) = row.get_ref(index)?
            && let Ok(text) = std::str::from_utf8(text)
        {
            sets.insert(column.name, text, at);
        }
    }
    text(row, 1)
}

fn write(connection: &Connection, names: &Names, segment: Segment, sets: &Sets) -> rusqlite::Result<()> {
    let key = key_of(connection, names, segment.last)?.unwrap_or_default();
    connection.prepare_cached(&format!("INSERT INTO {} VALUES (?1, ?2, ?3)", names.segments))?.execute((
        segment.last,
        segment.level,
        key,
    ))?;
    sets.iter().try_for_each(|entry| write_set(connection, names, segment, entry))
}

fn write_set(
    connection: &Connection,
    names: &Names,
    segment: Segment,
    (facet, value, set): (&str, &str, &RoaringBitmap),
) -> rusqlite::Result<()> {
    let bytes = write_bytes(set, (segment.last, facet, value))
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let sql = format!("INSERT OR REPLACE INTO {} VALUES (?1, ?2, ?3, ?4)", names.postings);
    connection.prepare_cached(&sql)?.execute((segment.last, facet, value, bytes))?;
    Ok(())
}

/// The sets of some segments, each with its segment.
pub(super) fn read(connection: &Connection, names: &Names, range: (i64, i64)) -> rusqlite::Result<Sets> {
    let sql =
        format!("SELECT facet, value, set_of_rows, segment FROM {} WHERE segment BETWEEN ?1 AND ?2", names.postings);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(range)?;
    let mut sets = Sets::default();
    while let Some(row) = rows.next()? {
        let (facet, value): (String, String) = (row.get(0)?, row.get(1)?);
        let set = read_set(row, 2, (row.get(3)?, &facet, &value))?;
        sets.unite(facet, value, set);
    }
    Ok(sets)
}

/// Unites the last segments as long as there are enough of one size. Those with so many values that it would take long
/// stay as they are: a list then looks into more of them.
fn unite(
    connection: &Connection,
    names: &Names,
    segments: &mut Vec<Segment>,
    Thresholds { fanout, most_sets, .. }: Thresholds,
) -> rusqlite::Result<()> {
    while let Some(group) = segments.len().checked_sub(fanout).and_then(|start| segments.get(start..))
        && let [first, .., last] = *group
        && group.iter().all(|segment| segment.level == last.level && region(segment.last) == region(last.last))
        && sets_between(connection, names, (first.last, last.last), most_sets)? <= most_sets
    {
        let sets = read(connection, names, (first.last, last.last))?;
        for (table, column) in [(&names.segments, "last"), (&names.postings, "segment")] {
            let sql = format!("DELETE FROM {table} WHERE {column} BETWEEN ?1 AND ?2");
            connection.prepare_cached(&sql)?.execute((first.last, last.last))?;
        }
        let united = Segment { last: last.last, level: last.level + 1 };
        write(connection, names, united, &sets)?;
        segments.truncate(segments.len() - fanout);
        segments.push(united);
    }
    Ok(())
}

/// Number of sets of some segments, counted to one more than `most`.
fn sets_between(connection: &Connection, names: &Names, range: (i64, i64), most: usize) -> rusqlite::Result<usize> {
    let postings = &names.postings;
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM {postings} WHERE segment BETWEEN ?1 AND ?2 LIMIT {})",
        most.saturating_add(1)
    );
    let found: i64 = connection.prepare_cached(&sql)?.query_row(range, |row| row.get(0))?;
    Ok(usize::try_from(found).unwrap_or(usize::MAX))
}

/// Corrects the first segment that has changed rows, if these are many altogether; answers whether there are more.
fn bring_back(
    connection: &Connection,
    kind: &'static Kind,
    names: &Names,
    segments: &[Segment],
    thresholds: Thresholds,
) -> rusqlite::Result<bool> {
    let most = thresholds.at_once();
    let mut statement =
        connection.prepare_cached(&format!("SELECT changed_row FROM {} ORDER BY 1 LIMIT {most}", names.changed))?;
    let changed: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let Some(first) = changed.first().filter(|_| changed.len() >= thresholds.segment) else { return Ok(false) };
    let at = segments.partition_point(|segment| segment.last < *first);
    let (through, own) = match segments.get(at) {
        Some(segment) => {
            let own = changed.get(..changed.partition_point(|row| *row <= segment.last)).unwrap_or_default();
            correct(connection, kind, names, *segment, own)?;
            (own.last().copied().unwrap_or(*first), own.len())
        }
        // They are looked at anyway.
        None => (i64::MAX, changed.len()),
    };
    connection.prepare_cached(&format!("DELETE FROM {} WHERE changed_row <= ?1", names.changed))?.execute([through])?;
    Ok(own < changed.len() || changed.len() == most)
}

fn correct(
    connection: &Connection,
    kind: &'static Kind,
    names: &Names,
    segment: Segment,
    changed: &[i64],
) -> rusqlite::Result<()> {
    let before = read(connection, names, (segment.last, segment.last))?;
    let gone: RoaringBitmap = changed.iter().map(|row| place(*row)).collect();
    let mut after = Sets::default();
    before.iter().for_each(|(facet, value, set)| after.unite(facet.to_owned(), value.to_owned(), set - &gone));
    let sql = format!("SELECT rowid{} FROM {} WHERE rowid = ?1", columns(kind), names.table);
    let mut statement = connection.prepare_cached(&sql)?;
    for row in changed {
        let mut rows = statement.query([row])?;
        if let Some(found) = rows.next()? {
            let time = enter(kind, found, &mut after)?;
            if streams(kind) {
                raise(connection, names, *row, &time)?;
            }
        }
    }
    let differs = |(facet, value, set): &(&str, &str, &RoaringBitmap)| before.get(facet, value) != Some(*set);
    after.iter().filter(differs).try_for_each(|entry| write_set(connection, names, segment, entry))
}

/// Notes that the block of a row, and so all after it, have a row of this time.
fn raise(connection: &Connection, names: &Names, row: i64, time: &str) -> rusqlite::Result<()> {
    let sql = format!("UPDATE {} SET newest = ?2 WHERE last >= ?1 AND newest < ?2", names.blocks);
    connection.prepare_cached(&sql)?.execute((row, time))?;
    Ok(())
}
