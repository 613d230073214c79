//! Lists: one page of the records that match, and how many do.

use cavra_model::{Column, Inquiry, Kind};
use rusqlite::{Connection, params_from_iter};
use serde_json::Value;

use crate::criteria::{Asked, Target, Test};
use crate::query::{Cell, Condition, Conditions, Page, Query, Room, compare, id_of, order_cell};

use super::read::{ReadError, by_index, readable, record_in};
use super::schema::{has_index, order, quote};
use super::thresholds::Thresholds;
use super::{asked, postings};

/// One page of the records that match.
pub(super) fn list(
    connection: &Connection,
    thresholds: Thresholds,
    kind: &'static Kind,
    conditions: &Conditions,
    query: &Query,
) -> Result<Page, ReadError> {
    let asked = asked::wheres(kind, &conditions.asked);
    let Some(any) = &conditions.any else {
        let search =
            Search { thresholds, kind, all: &conditions.all, index: indexed(&conditions.asked), asked: &asked };
        return page(connection, &search, query);
    };
    // One page per value, each from its own index range, long enough for what they can contribute.
    let mut merged = Page::default();
    for condition in any {
        let mut all = conditions.all.clone();
        all.push(condition.clone());
        let search = Search { thresholds, kind, all: &all, index: None, asked: &asked };
        let (limit, unreadable) = (query.limit.saturating_add(query.offset), query.unreadable);
        let part = page(connection, &search, &Query { limit, unreadable, ..Query::default() })?;
        merged.items.extend(part.items);
        merged.total = merged.total.saturating_add(part.total);
    }
    merged.items.sort_by_cached_key(|record| Ordered {
        kind,
        cell: order_cell(kind, record),
        id: id_of(kind, record).unwrap_or_default().to_owned(),
    });
    let bound = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    merged.items = merged.items.into_iter().skip(bound(query.offset)).take(bound(query.limit)).collect();
    merged.places = merged.items.len() as u64;
    Ok(merged)
}

/// A record's place in its kind's order.
#[derive(PartialEq, Eq)]
struct Ordered {
    kind: &'static Kind,
    cell: Cell,
    id: String,
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        compare(self.kind, (&self.cell, &self.id), (&other.cell, &other.id))
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What a page is made of.
struct Search<'a> {
    thresholds: Thresholds,
    kind: &'static Kind,
    all: &'a [Condition],
    /// A column asked for equality that has an index; used if there are no conditions.
    index: Option<&'static Column>,
    /// Further parts of the `WHERE`.
    asked: &'a [(String, Vec<Cell>)],
}

impl Search<'_> {
    fn wheres(&self) -> String {
        let conditions = self.all.iter().map(|(column, _)| format!("{} = ?", quote(column.name)));
        let all: Vec<_> = conditions.chain(self.asked.iter().map(|(sql, _)| sql.clone())).collect();
        if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
    }

    fn parameters(&self) -> impl Iterator<Item = &Cell> {
        self.all.iter().map(|(_, cell)| cell).chain(self.asked.iter().flat_map(|(_, cells)| cells))
    }
}

/// The first column asked for equality that has an index.
fn indexed(asked: &[Asked]) -> Option<&'static Column> {
    asked.iter().find_map(|asked| match (asked.target, &asked.test) {
        (Target::Column(column), Test::Equals(_)) if column.asked == Inquiry::OftenEqual => Some(column),
        _ => None,
    })
}

/// One page: `total` and the records. What is asked is in `search`, which records are wanted of it in `query`.
fn page(connection: &Connection, search: &Search<'_>, query: &Query) -> Result<Page, ReadError> {
    let (kind, limit, offset) = (search.kind, query.limit, query.offset);
    let selective = most_selective(connection, search)?;
    let index = selective.map(|(column, _)| column).or(search.index);
    let counted = if search.asked.is_empty() { postings::count(connection, kind, search.all)? } else { None };
    let total = match counted {
        Some(total) => total,
        None => count_rows(connection, search, index)?,
    };
    if offset >= total || limit == 0 {
        return Ok(Page { total, ..Page::default() });
    }
    let needed = offset.saturating_add(limit).min(total);
    let way = match (selective, counted) {
        (Some((filter, candidates)), Some(total)) => {
            Prospect { filter, candidates, total, needed }.way(connection, search)?
        }
        (None, Some(total)) if !search.all.is_empty() => of_stream(connection, search, total, needed)?,
        _ => Way::Index(index),
    };
    let sql = format!(
        "SELECT {}, payload FROM {}{} ORDER BY {} LIMIT {limit} OFFSET {offset}",
        quote(kind.id),
        quote(kind.table),
        match &way {
            Way::Index(column) => by_index(kind, *column) + &search.wheres(),
            Way::Rows(_) => " NOT INDEXED WHERE rowid IN (SELECT value FROM json_each(?))".to_owned(),
        },
        order(kind),
        limit = i64::try_from(limit).unwrap_or(i64::MAX),
        offset = i64::try_from(offset).unwrap_or(i64::MAX),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = match way {
        Way::Index(_) => statement.query(params_from_iter(search.parameters()))?,
        Way::Rows(rows) => statement.query([Value::from(rows).to_string()])?,
    };
    let (mut page, mut room) = (Page { total, ..Page::default() }, Room::new(query.bytes));
    while let Some(row) = rows.next()? {
        if !room.takes(row.get_ref(1)?.as_bytes().map_or(0, <[u8]>::len), page.items.is_empty()) {
            page.full = true;
            break;
        }
        page.places += 1;
        page.items.extend(readable(record_in(kind, row), query.unreadable)?);
    }
    Ok(page)
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
    fn way(&self, connection: &Connection, search: &Search<'_>) -> rusqlite::Result<Way> {
        let kind = search.kind;
        let by_filter = if kind.order_moves() { self.candidates } else { self.walked(self.candidates) };
        if self.total < by_filter
            && self.total <= search.thresholds.most_rows
            && let Some(rows) = postings::rows(connection, kind, search.all)?
        {
            return Ok(Way::Rows(rows));
        }
        if kind.order_moves()
            && let Some(all) = postings::count(connection, kind, &[])?
            && self.walked(all) < by_filter
        {
            return Ok(Way::Index(None));
        }
        Ok(Way::Index(Some(self.filter)))
    }
}

/// The way if no filter has an index, given how many rows match and how many of these the page needs.
fn of_stream(connection: &Connection, search: &Search<'_>, total: u64, needed: u64) -> rusqlite::Result<Way> {
    let Thresholds { most_rows, few_rows, most_newest, .. } = search.thresholds;
    let rows = if total <= needed.max(few_rows) {
        postings::rows(connection, search.kind, search.all)?
    } else if needed <= most_newest {
        let needed = usize::try_from(needed).unwrap_or(usize::MAX);
        postings::newest(connection, search.kind, search.all, needed)?
    } else if total <= most_rows {
        postings::rows(connection, search.kind, search.all)?
    } else {
        None
    };
    Ok(rows.map_or(Way::Index(None), Way::Rows))
}

/// The column of the filter that leaves the fewest records, of those that have an index, and how many these are.
fn most_selective(connection: &Connection, search: &Search<'_>) -> Result<Option<(&'static Column, u64)>, ReadError> {
    let mut best = None;
    for condition in search.all.iter().filter(|(column, _)| has_index(column)) {
        let only = std::slice::from_ref(condition);
        let found = match postings::count(connection, search.kind, only)? {
            Some(found) => found,
            None => {
                let alone = Search { all: only, index: None, asked: &[], ..*search };
                count_rows(connection, &alone, Some(condition.0))?
            }
        };
        if best.is_none_or(|(_, least)| found < least) {
            best = Some((condition.0, found));
        }
    }
    Ok(best)
}

/// Counts by walking an index, for what is not counted otherwise.
fn count_rows(connection: &Connection, search: &Search<'_>, index: Option<&'static Column>) -> Result<u64, ReadError> {
    let table = quote(search.kind.table);
    let sql = format!("SELECT count(*) FROM {table}{}{}", by_index(search.kind, index), search.wheres());
    let cells = params_from_iter(search.parameters());
    let total: i64 = connection.prepare_cached(&sql)?.query_row(cells, |row| row.get(0))?;
    Ok(u64::try_from(total).unwrap_or(0))
}
