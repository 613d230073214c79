//! The questions of [`crate::criteria`] as SQL.

use cavra_model::{Column, ColumnType, Kind, Place};

use crate::criteria::{Asked, Target, Test};
use crate::query::Cell;

use super::schema::quote;

/// The value of a column as SQL, as [`Cell::of`] sees it. Indexes are made of the same text, so that they serve it.
pub(super) fn value(column: &Column) -> String {
    let name = quote(column.name);
    match (column.place, column.kind) {
        (Place::Table, _) => name,
        (Place::Payload, ColumnType::Integer) => of_json(&format!("coalesce(payload ->> '$.{name}', 0)"), "0"),
        (Place::Payload, ColumnType::Flag) => of_json(
            &format!("CASE json_type(payload, '$.{name}') WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE -1 END"),
            "-1",
        ),
        (Place::Payload, _) => of_json(
            &format!("CASE json_type(payload, '$.{name}') WHEN 'text' THEN payload ->> '$.{name}' ELSE '' END"),
            "''",
        ),
    }
}

/// An expression over the payload, and what it is where that is no JSON, which would make the statement fail.
pub(super) fn of_json(expression: &str, otherwise: &str) -> String {
    format!("CASE WHEN json_valid(payload) THEN {expression} ELSE {otherwise} END")
}

/// Parts of a `WHERE`, each with its parameters.
pub(super) fn wheres(kind: &Kind, asked: &[Asked]) -> Vec<(String, Vec<Cell>)> {
    asked.iter().map(|asked| condition(kind, asked)).collect()
}

fn condition(kind: &Kind, asked: &Asked) -> (String, Vec<Cell>) {
    let own = match asked.target {
        Target::Key => quote(kind.id),
        Target::Column(column) => value(column),
    };
    let text = |text: &str| Cell::Text(text.to_owned());
    let number = |flag: bool| Cell::Integer(i64::from(flag));
    match &asked.test {
        Test::Equals(wanted) => (format!("({own}) = ?"), vec![text(wanted)]),
        Test::OneOf(wanted) => {
            let places = vec!["?"; wanted.len()].join(", ");
            (format!("({own}) IN ({places})"), wanted.iter().map(|wanted| text(wanted)).collect())
        }
        Test::Contains(part) => (format!("instr({own}, ?) > 0"), vec![text(part)]),
        Test::AtLeast(bound) => (format!("({own}) >= ?"), vec![Cell::Integer(*bound)]),
        Test::Positive(positive) => (format!("(({own}) > 0) = ?"), vec![number(*positive)]),
        Test::Is(wanted) => (format!("({own}) = ?"), vec![number(*wanted)]),
        Test::Has(element) => (has(asked.target), vec![text(element)]),
        Test::Overruled { known, otherwise, .. } => {
            let by = asked.by.map_or_else(|| "''".to_owned(), value);
            let names = |verdict: Option<bool>| {
                let names = known.iter().filter(|(_, says)| verdict.is_none_or(|verdict| **says == verdict));
                Cell::List(names.map(|(name, _)| name.clone()).collect())
            };
            let within = format!("({by}) IN (SELECT value FROM json_each(?))");
            let sql = format!("CASE WHEN {within} THEN {within} ELSE ({own}) = ? END");
            (sql, vec![names(None), names(Some(true)), text(otherwise)])
        }
    }
}

fn has(target: Target) -> String {
    let Target::Column(column) = target else { return "? IS NULL".to_owned() };
    let (list, of_each) = column.list_path();
    let path = format!("'$.{}'", quote(list));
    let is_it = match of_each.map(|member| format!("'$.{}'", quote(member))) {
        None => "e.type = 'text' AND e.value = ?".to_owned(),
        Some(member) => {
            format!("e.type = 'object' AND json_type(e.value, {member}) = 'text' AND e.value ->> {member} = ?")
        }
    };
    // A scalar would be taken for a list of one.
    let array = format!(
        "CASE json_type(payload, {path}) WHEN 'array' THEN \
         EXISTS (SELECT 1 FROM json_each(payload, {path}) AS e WHERE {is_it}) ELSE 0 END"
    );
    of_json(&array, "0")
}
