//! Counts of records by their column values, kept by triggers, so that neither a list's `total` nor the choice of
//! its index needs a scan. There is one table of counts by all facet columns together, and for every other filter
//! column one by that column and the facets.
//!
//! The triggers also see writers other than us. One case needs care: `INSERT OR REPLACE` removes the old row without
//! telling a delete trigger, and a trigger before the insert cannot know whether the statement will replace the old
//! row or do something else. So that trigger notes the old row, and the one after the insert, which runs only if the
//! old row is gone, counts it off.

use cavra_model::{Column, ColumnType, Kind};
use rusqlite::{CachedStatement, Connection, params_from_iter};

use crate::query::{Cell, Condition};

use super::schema::{cell_sql, quote};

/// One table of counts.
#[derive(Debug)]
pub(super) struct Cube {
    /// Its name.
    pub(super) table: String,
    /// What it counts by; its key.
    pub(super) columns: Vec<&'static Column>,
}

/// The tables of counts of a kind.
pub(super) fn cubes(kind: &'static Kind) -> Vec<Cube> {
    let facets: Vec<_> = kind.columns.iter().filter(|column| column.facet).collect();
    let mut cubes = Vec::new();
    if !facets.is_empty() {
        cubes.push(Cube { table: format!("{}_facets", kind.table), columns: facets.clone() });
    }
    for column in kind.columns.iter().filter(|column| column.filter && !column.facet) {
        let columns = std::iter::once(column).chain(facets.iter().copied()).collect();
        cubes.push(Cube { table: format!("{}_facets_{}", kind.table, column.name), columns });
    }
    cubes
}

/// The table that counts by all these columns, if there is one.
fn covering(kind: &'static Kind, columns: &[&'static Column]) -> Option<Cube> {
    cubes(kind).into_iter().find(|cube| columns.iter().all(|column| cube.columns.contains(column)))
}

/// Table of the rows about to be replaced.
fn replaced(kind: &Kind) -> String {
    format!("{}_replaced", kind.table)
}

impl Cube {
    fn key(&self) -> String {
        self.columns.iter().map(|column| quote(column.name)).collect::<Vec<_>>().join(", ")
    }

    /// The values of a row as they are counted.
    fn values(&self, row: &str) -> String {
        let value = |column: &&Column| match column.kind {
            ColumnType::Text | ColumnType::Instant | ColumnType::List => {
                format!("coalesce({row}.{}, '')", quote(column.name))
            }
            ColumnType::Integer | ColumnType::Flag => format!("coalesce({row}.{}, 0)", quote(column.name)),
        };
        self.columns.iter().map(value).collect::<Vec<_>>().join(", ")
    }

    /// Statement that creates it.
    pub(super) fn create(&self) -> String {
        let columns: String = self
            .columns
            .iter()
            .map(|column| format!("{} {} NOT NULL, ", quote(column.name), cell_sql(column.kind)))
            .collect();
        format!(
            "CREATE TABLE {} ({columns}n INTEGER NOT NULL, PRIMARY KEY ({})) WITHOUT ROWID",
            quote(&self.table),
            self.key()
        )
    }

    /// Statements that count all rows anew.
    pub(super) fn fill(&self, kind: &Kind) -> String {
        let (cube, key, values) = (quote(&self.table), self.key(), self.values("t"));
        let places = (1..=self.columns.len()).map(|place| place.to_string()).collect::<Vec<_>>().join(", ");
        format!(
            "DELETE FROM {cube}; \
             INSERT INTO {cube} ({key}, n) SELECT {values}, count(*) FROM {} AS t GROUP BY {places}",
            quote(kind.table)
        )
    }

    fn add(&self, row: &str) -> String {
        let (cube, key, values) = (quote(&self.table), self.key(), self.values(row));
        format!("INSERT INTO {cube} ({key}, n) VALUES ({values}, 1) ON CONFLICT DO UPDATE SET n = n + 1;")
    }

    fn subtract(&self, row: &str) -> String {
        let (cube, key, values) = (quote(&self.table), self.key(), self.values(row));
        format!("UPDATE {cube} SET n = n - 1 WHERE ({key}) = ({values});")
    }

    /// Counts a replaced row off.
    fn subtract_replaced(&self, kind: &Kind) -> String {
        let (cube, key, values) = (quote(&self.table), self.key(), self.values("r"));
        let (replaced, id) = (quote(&replaced(kind)), quote(kind.id));
        format!(
            "UPDATE {cube} SET n = n - 1 WHERE ({key}) = (SELECT {values} FROM {replaced} AS r WHERE r.{id} = NEW.{id});"
        )
    }
}

/// The table of replaced rows and the triggers: names and the statements that create them.
pub(super) fn keepers(kind: &'static Kind, cubes: &[Cube]) -> Vec<(String, String)> {
    let filters: Vec<_> = kind.columns.iter().filter(|column| column.filter).map(|column| quote(column.name)).collect();
    if filters.is_empty() {
        return Vec::new();
    }
    let (table, id, scratch) = (quote(kind.table), quote(kind.id), quote(&replaced(kind)));
    let columns = filters.join(", ");
    let changed: Vec<_> = filters.iter().map(|name| format!("OLD.{name} IS NOT NEW.{name}")).collect();
    let changed = changed.join(" OR ");
    let all = |statement: &dyn Fn(&Cube) -> String| cubes.iter().map(statement).collect::<String>();
    let (add, subtract) = (all(&|cube| cube.add("NEW")), all(&|cube| cube.subtract("OLD")));
    let subtract_replaced = all(&|cube| cube.subtract_replaced(kind));
    let noted = format!("EXISTS (SELECT 1 FROM {scratch} WHERE {id} = NEW.{id})");
    let forget = |row: &str| format!("DELETE FROM {scratch} WHERE {id} = {row}.{id};");
    let trigger = |suffix: &str, when: String| {
        let name = format!("{}_{suffix}", kind.table);
        let sql = format!("CREATE TRIGGER {} {when}", quote(&name));
        (name, sql)
    };
    vec![
        (replaced(kind), format!("CREATE TABLE {scratch} ({id} TEXT PRIMARY KEY, {columns}) WITHOUT ROWID")),
        trigger(
            "note",
            format!(
                "BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {id} = NEW.{id}) BEGIN \
                 {} INSERT INTO {scratch} ({id}, {columns}) SELECT {id}, {columns} FROM {table} WHERE {id} = NEW.{id}; END",
                forget("NEW")
            ),
        ),
        trigger("added", format!("AFTER INSERT ON {table} BEGIN {add} END")),
        trigger(
            "replaced_off",
            format!("AFTER INSERT ON {table} WHEN {noted} BEGIN {subtract_replaced} {} END", forget("NEW")),
        ),
        trigger("removed", format!("AFTER DELETE ON {table} BEGIN {subtract} {} END", forget("OLD"))),
        trigger(
            "changed",
            format!("AFTER UPDATE OF {columns} ON {table} WHEN {changed} BEGIN {subtract} {add} {} END", forget("OLD")),
        ),
    ]
}

/// Number of records for which all conditions hold, or `None` if no table counts by these columns.
pub(super) fn count(
    connection: &Connection,
    kind: &'static Kind,
    conditions: &[Condition],
) -> rusqlite::Result<Option<u64>> {
    let columns: Vec<_> = conditions.iter().map(|(column, _)| *column).collect();
    let Some(cube) = covering(kind, &columns) else { return Ok(None) };
    let sql = format!("SELECT coalesce(sum(n), 0) FROM {}{}", quote(&cube.table), wheres(conditions));
    let mut statement = connection.prepare_cached(&sql)?;
    let total: i64 = query_one(&mut statement, conditions)?;
    Ok(Some(u64::try_from(total).unwrap_or(0)))
}

/// Number of records by the values of `group` among those for which the condition holds.
pub(super) fn tally(
    connection: &Connection,
    kind: &'static Kind,
    by: &Condition,
    group: &'static Column,
) -> rusqlite::Result<Vec<(String, u64)>> {
    let (source, number) = match covering(kind, &[by.0, group]) {
        Some(cube) => (cube.table, "sum(n)"),
        None => (kind.table.to_owned(), "count(*)"),
    };
    let (source, name) = (quote(&source), quote(group.name));
    let by = std::slice::from_ref(by);
    let sql =
        format!("SELECT CAST({name} AS TEXT), {number} AS m FROM {source}{} GROUP BY {name} HAVING m > 0", wheres(by));
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(by.iter().map(|(_, cell)| cell)), |row| {
        Ok((row.get::<_, Option<String>>(0)?.unwrap_or_default(), row.get::<_, i64>(1)?))
    })?;
    rows.map(|row| row.map(|(name, count)| (name, u64::try_from(count).unwrap_or(0)))).collect()
}

/// The conditions as SQL with parameters in their order, or nothing.
pub(super) fn wheres(conditions: &[Condition]) -> String {
    join(conditions.iter().map(|(column, _)| format!("{} = ?", quote(column.name))))
}

/// A `WHERE` of which every part must hold, or nothing.
pub(super) fn join(parts: impl Iterator<Item = String>) -> String {
    let all: Vec<_> = parts.collect();
    if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
}

fn query_one(statement: &mut CachedStatement<'_>, conditions: &[Condition]) -> rusqlite::Result<i64> {
    let cells: Vec<&Cell> = conditions.iter().map(|(_, cell)| cell).collect();
    statement.query_row(params_from_iter(cells), |row| row.get(0))
}
