//! Lists: one page of the records that match, and how many do.

use cavra_model::{Column, Direction, Inquiry, Kind};
use rusqlite::{Connection, params_from_iter};
use serde_json::Value;

use crate::criteria::{Asked, Target, Test};
use crate::cursor::{Cursor, Place, Standing};
use crate::query::{Cell, Condition, Conditions, Page, Query, Room};

use super::read::{ReadError, Reading, readable, record_in};
use super::schema::{has_index, order, quote};
use super::thresholds::Thresholds;
use super::{asked, postings};

/// One page of the records that match.
pub(super) fn list(
    reading: &Reading<'_>,
    kind: &'static Kind,
    conditions: &Conditions,
    query: &Query,
) -> Result<Page, ReadError> {
    let mut asked = asked::wheres(kind, &conditions.asked);
    asked.extend(
        conditions.since.iter().map(|(column, since)| (format!("{} >= ?", quote(column.name)), vec![since.clone()])),
    );
    let all_of = |any: &Condition| conditions.all.iter().chain([any]).cloned().collect();
    let alternatives = match &conditions.any {
        Some(any) => any.iter().map(all_of).collect(),
        None => vec![conditions.all.clone()],
    };
    let search = Search {
        reading: *reading,
        kind,
        all: &conditions.all,
        any: conditions.any.as_deref(),
        alternatives: &alternatives,
        index: indexed(&conditions.asked),
        asked: &asked,
    };
    page(&search, conditions.after.as_ref(), query)
}

/// What a page is made of.
struct Search<'a> {
    reading: Reading<'a>,
    kind: &'static Kind,
    all: &'a [Condition],
    any: Option<&'a [Condition]>,
    /// The conditions once more: of those that may hold, one after the other together with all that must.
    alternatives: &'a [Vec<Condition>],
    /// A column asked for equality that has an index; used if there are no conditions.
    index: Option<&'static Column>,
    /// Further parts of the `WHERE`.
    asked: &'a [(String, Vec<Cell>)],
}

impl Search<'_> {
    fn thresholds(&self) -> Thresholds {
        self.reading.database.thresholds
    }

    /// How many rows meet the conditions, if that is known without looking at them.
    fn count(&self, conditions: &[Condition]) -> Option<u64> {
        self.derived(|connection| postings::count(connection, self.kind, conditions))
    }

    /// How many rows match, if that is known without looking at them.
    fn total(&self) -> Option<u64> {
        if !self.asked.is_empty() {
            return None;
        }
        self.alternatives.iter().map(|conditions| self.count(conditions)).sum()
    }

    /// The numbers of the rows that match, if they are known.
    fn rows(&self) -> Option<Vec<i64>> {
        self.rows_of(|connection, conditions| postings::rows(connection, self.kind, conditions))
    }

    /// The numbers of rows, as `find` finds them for each alternative.
    fn rows_of(
        &self,
        find: impl Fn(&Connection, &[Condition]) -> rusqlite::Result<Option<Vec<i64>>>,
    ) -> Option<Vec<i64>> {
        let mut rows = Vec::new();
        for conditions in self.alternatives {
            rows.extend(self.derived(|connection| find(connection, conditions))?);
        }
        Some(rows)
    }

    /// What was computed from the rows, as far as it can be used.
    fn derived<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<Option<T>>) -> Option<T> {
        let Reading { connection, database, is_current } = self.reading;
        if !is_current || database.derived.is_damaged(self.kind) {
            return None;
        }
        read(connection).unwrap_or_else(|error| {
            database.derived.report(self.kind, &error);
            None
        })
    }

    fn conditions(&self) -> Vec<String> {
        let all = self.all.iter().map(|(column, _)| format!("{} = ?", quote(column.name)));
        let any = self.any.into_iter().filter_map(|any| {
            let (column, _) = any.first()?;
            Some(format!("{} IN ({})", quote(column.name), vec!["?"; any.len()].join(", ")))
        });
        all.chain(any).chain(self.asked.iter().map(|(sql, _)| sql.clone())).collect()
    }

    fn parameters(&self) -> impl Iterator<Item = &Cell> {
        let any = self.any.into_iter().flatten();
        self.all.iter().chain(any).map(|(_, cell)| cell).chain(self.asked.iter().flat_map(|(_, cells)| cells))
    }
}

fn wheres(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}

/// The first column asked for equality that has an index.
fn indexed(asked: &[Asked]) -> Option<&'static Column> {
    asked.iter().find_map(|asked| match (asked.target, &asked.test) {
        (Target::Column(column), Test::Equals(_)) if column.asked == Inquiry::OftenEqual => Some(column),
        _ => None,
    })
}

/// One page: `total` and the records. What is asked is in `search`, which records are wanted of it in `query`.
fn page(search: &Search<'_>, after: Option<&Cursor>, query: &Query) -> Result<Page, ReadError> {
    let (kind, limit, offset) = (search.kind, query.limit, query.offset);
    let selective = most_selective(search)?;
    let index = selective.map(|(column, _)| column).or(search.index);
    let counted = search.total();
    let total = match counted {
        Some(total) => total,
        None => count_rows(search, index)?,
    };
    if offset >= total || limit == 0 {
        return Ok(Page { total, ..Page::default() });
    }
    let needed = offset.saturating_add(limit).min(total);
    let narrow = !search.all.is_empty() || search.any.is_some();
    let way = match (selective, counted) {
        // Where the page begins is not known by number.
        _ if after.is_some() || query.committed => match counted {
            Some(total) if narrow && total <= search.thresholds().most_rows => rows_or(search, index),
            _ => Way::Index(index),
        },
        (Some((filter, candidates)), Some(total)) => Prospect { filter, candidates, total, needed }.way(search),
        (None, Some(total)) if narrow => of_stream(search, total, needed),
        _ => Way::Index(index),
    };
    let (conditions, mut cells) = match &way {
        Way::Index(_) => (search.conditions(), search.parameters().cloned().collect::<Vec<_>>()),
        Way::Rows(rows) => {
            let rows = Cell::Text(Value::from(rows.as_slice()).to_string());
            (vec!["rowid IN (SELECT value FROM json_each(?))".to_owned()], vec![rows])
        }
    };
    let (beyond, bounds) = after.map(|cursor| beyond(kind, cursor)).unwrap_or_default();
    cells.extend(bounds);
    let order = if query.committed { "rowid".to_owned() } else { order(kind) };
    let sql = format!(
        "SELECT {id}, payload, rowid, {by} FROM {table}{index}{wheres} ORDER BY {order} LIMIT {limit} OFFSET {offset}",
        id = quote(kind.id),
        by = quote(kind.order.by),
        table = quote(kind.table),
        index = match &way {
            Way::Index(_) if query.committed => String::new(),
            Way::Index(column) => search.reading.by_index(kind, *column),
            Way::Rows(_) => " NOT INDEXED".to_owned(),
        },
        wheres = wheres(&[conditions, beyond].concat()),
        // One more than the page holds tells whether there is another page.
        limit = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1),
        offset = i64::try_from(offset).unwrap_or(i64::MAX),
    );
    let mut statement = search.reading.connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(cells))?;
    let (mut page, mut room) = (Page { total, ..Page::default() }, Room::new(query.bytes));
    let (mut last, mut more) = (None, false);
    while let Some(row) = rows.next()? {
        more = page.places == limit;
        if !more && !room.takes(row.get_ref(1)?.as_bytes().map_or(0, <[u8]>::len), page.items.is_empty()) {
            (page.full, more) = (true, true);
        }
        if more {
            break;
        }
        page.places += 1;
        let place = Place { order: cell(row, 3)?, id: postings::text(row, 0)?, position: row.get(2)? };
        if let Some(record) = readable(record_in(kind, row), query.unreadable)? {
            room.spend(query.bytes_apart(kind, &record));
            page.items.push(record);
            page.standings.extend(query.standings.then(|| Standing::new(place.clone())));
        }
        last = Some(place);
    }
    drop(rows);
    if let Some(last) = last.filter(|_| more || query.committed) {
        page.next_cursor = Some(last.cursor(kind, query.committed, || snapshot(search, after))?);
    }
    Ok(page)
}

/// The rows that match by their numbers, or an index.
fn rows_or(search: &Search<'_>, index: Option<&'static Column>) -> Way {
    search.rows().map_or(Way::Index(index), Way::Rows)
}

/// What the rows of a page that begins after a cursor have in common.
fn beyond(kind: &Kind, cursor: &Cursor) -> (Vec<String>, Vec<Cell>) {
    let position = |position: i64| Cell::Integer(position);
    if cursor.committed {
        return (vec!["rowid > ?".to_owned()], vec![position(cursor.place.position)]);
    }
    let (by, id) = (quote(kind.order.by), quote(kind.id));
    let (key, order) = (Cell::Text(cursor.place.id.clone()), cursor.place.order.clone());
    let comparison = match kind.order.direction {
        Direction::Ascending => ">",
        Direction::Descending => "<",
    };
    let mut found = if by == id {
        (vec![format!("{id} {comparison} ?")], vec![key])
    } else {
        // Said twice, so that an index leads to the first of them.
        let sql = format!("{by} {comparison}= ? AND ({by} {comparison} ? OR {id} > ?)");
        (vec![sql], vec![order.clone(), order, key])
    };
    // What was written since the first page is not part of the walk.
    found.0.push("rowid <= ?".to_owned());
    found.1.push(position(cursor.snapshot));
    found
}

/// The newest row when a walk through a list begins.
fn snapshot(search: &Search<'_>, after: Option<&Cursor>) -> Result<i64, ReadError> {
    if let Some(cursor) = after {
        return Ok(cursor.snapshot);
    }
    last_place(&search.reading, search.kind)
}

/// The last place in the order of commits.
pub(super) fn last_place(reading: &Reading<'_>, kind: &'static Kind) -> Result<i64, ReadError> {
    let sql = format!("SELECT coalesce(max(rowid), 0) FROM {}", quote(kind.table));
    Ok(reading.connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?)
}

/// The value of a column as lists are ordered by it.
fn cell(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Cell> {
    Ok(match row.get_ref(index)? {
        rusqlite::types::ValueRef::Integer(number) => Cell::Integer(number),
        _ => Cell::Text(postings::text(row, index)?),
    })
}

/// How the records of a page are found.
enum Way {
    /// By walking the index of a filter, or of the kind's order, until the page is full.
    Index(Option<&'static Column>),
    /// By the numbers of all rows that match.
    Rows(Vec<i64>),
}

/// What is known of a page before its records are looked for.
struct Prospect {
    /// The most selective filter.
    filter: &'static Column,
    /// Rows that have its value.
    candidates: u64,
    /// Rows that match.
    total: u64,
    /// Matches until the page is full.
    needed: u64,
}

impl Prospect {
    /// Rows looked at until the page is full by walking `rows` rows over which the matches are spread evenly.
    fn walked(&self, rows: u64) -> u64 {
        let walked = u128::from(rows) * u128::from(self.needed) / u128::from(self.total.max(1));
        u64::try_from(walked).unwrap_or(u64::MAX)
    }

    /// The way that looks at the fewest rows.
    fn way(&self, search: &Search<'_>) -> Way {
        let kind = search.kind;
        let by_filter = if kind.order_moves() { self.candidates } else { self.walked(self.candidates) };
        if self.total < by_filter
            && self.total <= search.thresholds().most_rows
            && let Some(rows) = search.rows()
        {
            return Way::Rows(rows);
        }
        if kind.order_moves()
            && let Some(all) = search.count(&[])
            && self.walked(all) < by_filter
        {
            return Way::Index(None);
        }
        Way::Index(Some(self.filter))
    }
}

/// The way if no filter has an index, given how many rows match and how many of these the page needs.
fn of_stream(search: &Search<'_>, total: u64, needed: u64) -> Way {
    let Thresholds { most_rows, few_rows, most_newest, .. } = search.thresholds();
    let rows = if total <= needed.max(few_rows) {
        search.rows()
    } else if needed <= most_newest {
        let needed = usize::try_from(needed).unwrap_or(usize::MAX);
        search.rows_of(|connection, conditions| postings::newest(connection, search.kind, conditions, needed))
    } else if total <= most_rows {
        search.rows()
    } else {
        None
    };
    rows.map_or(Way::Index(None), Way::Rows)
}

/// The column of the filter that leaves the fewest records, of those that have an index, and how many these are.
fn most_selective(search: &Search<'_>) -> Result<Option<(&'static Column, u64)>, ReadError> {
    let mut best = None;
    for condition in search.all.iter().filter(|(column, _)| has_index(column)) {
        let only = std::slice::from_ref(condition);
        let found = match search.count(only) {
            Some(found) => found,
            None => {
                let alone = Search { all: only, any: None, index: None, asked: &[], ..*search };
                count_rows(&alone, Some(condition.0))?
            }
        };
        if best.is_none_or(|(_, least)| found < least) {
            best = Some((condition.0, found));
        }
    }
    Ok(best)
}

/// Counts by walking an index, for what is not counted otherwise.
fn count_rows(search: &Search<'_>, index: Option<&'static Column>) -> Result<u64, ReadError> {
    let table = quote(search.kind.table);
    let index = search.reading.by_index(search.kind, index);
    let sql = format!("SELECT count(*) FROM {table}{index}{}", wheres(&search.conditions()));
    let cells = params_from_iter(search.parameters());
    let total: i64 = search.reading.connection.prepare_cached(&sql)?.query_row(cells, |row| row.get(0))?;
    Ok(u64::try_from(total).unwrap_or(0))
}
