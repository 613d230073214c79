//! What is asked of a list, and how a record's members become the values lists are filtered and ordered by. Both
//! backends use these rules, so that they answer alike.

use std::cmp::Ordering;
use std::fmt;

use cavra_model::{Column, ColumnType, Direction, Kind, Object, Place, Timestamp};
use serde_json::Value;

use crate::StoreError;
use crate::apart;
use crate::criteria::{Asked, Criterion};
use crate::cursor::{Cursor, Standing};

/// A list request. The caller has clamped `limit` and `offset` and dropped filters that do not constrain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Column and value; exact equality, all must hold.
    pub filters: Vec<(&'static str, String)>,
    /// A column that must have one of several values, on top of `filters`. Meant for few values.
    pub any_of: Option<(&'static str, Vec<String>)>,
    /// Further questions; all must hold.
    pub criteria: Vec<Criterion>,
    /// Most records on the page.
    pub limit: u64,
    /// Records skipped before the page.
    pub offset: u64,
    /// Most bytes of the records on the page, as the store keeps them: the page ends before the record that goes
    /// beyond. The first record is there whatever its size.
    pub bytes: Option<u64>,
    /// The page begins after the one that answered this as [`Page::next_cursor`], to a query with the same filters.
    pub cursor: Option<String>,
    /// Only records whose time, by which lists are ordered, is not before this one.
    pub since: Option<String>,
    /// In the order in which records were first committed, the oldest first, instead of the kind's own.
    pub committed: bool,
    /// What becomes of records that cannot be read. A page that leaves some out is shorter; they count in `total`, and as
    /// places that `offset` skips.
    pub unreadable: Unreadable,
    /// The page says where its records stand.
    pub standings: bool,
    /// What becomes of large parts of records that are kept apart ([`Kind::apart`]).
    pub parts: Parts,
}

impl Query {
    /// Bytes that a stored record takes on the page beside itself.
    pub(crate) fn bytes_apart(&self, kind: &Kind, record: &Object) -> u64 {
        match (self.bytes, self.parts) {
            (Some(_), Parts::Whole) => apart::bytes(kind, record),
            _ => 0,
        }
    }
}

/// What becomes of large parts of records that are kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parts {
    /// They are there as they were written.
    #[default]
    Whole,
    /// `{sha256, bytes}` stands in their places: they need not be read, however large they are.
    Named,
}

/// What becomes of records that cannot be read: those of a database to which somebody else wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unreadable {
    /// The whole read fails. So what decides by what it reads never takes a damaged record for a missing one.
    #[default]
    Refuse,
    /// They are passed over, and the log says so.
    Skip,
}

/// Which records a walk visits, in the kind's order. Bounds compare text columns, so they fit time stamps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Filter column and its value.
    pub filter: Option<(&'static str, String)>,
    /// Column and its smallest value.
    pub at_least: Option<(&'static str, String)>,
    /// Column and its largest value.
    pub at_most: Option<(&'static str, String)>,
    /// What becomes of records that cannot be read.
    pub unreadable: Unreadable,
}

/// A walk resolved against its kind.
#[derive(Debug)]
pub(crate) struct Path {
    /// The filter.
    pub(crate) filter: Option<Condition>,
    /// The lower bound.
    pub(crate) at_least: Option<Condition>,
    /// The upper bound.
    pub(crate) at_most: Option<Condition>,
    /// What becomes of records that cannot be read.
    pub(crate) unreadable: Unreadable,
}

impl Path {
    pub(crate) fn resolve(kind: &'static Kind, walk: &Walk) -> Result<Self, StoreError> {
        let text = |value: &str| Cell::Text(value.to_owned());
        let bound = |bound: &Option<(&'static str, String)>| {
            bound.as_ref().map(|(name, value)| Ok((text_column(kind, name)?, text(value)))).transpose()
        };
        let filter = match &walk.filter {
            Some((name, value)) => Some((filter_column(kind, name)?, text(value))),
            None => None,
        };
        let (at_least, at_most) = (bound(&walk.at_least)?, bound(&walk.at_most)?);
        Ok(Self { filter, at_least, at_most, unreadable: walk.unreadable })
    }

    /// Whether a record lies within the bounds; the filter is not looked at.
    pub(crate) fn bounds(&self, record: &Object) -> bool {
        let within = |condition: &Option<Condition>, fits: fn(&Cell, &Cell) -> bool| {
            condition.as_ref().is_none_or(|(column, value)| fits(&Cell::of(column, record), value))
        };
        within(&self.at_least, |cell, value| cell >= value) && within(&self.at_most, |cell, value| cell <= value)
    }
}

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The records, in the kind's order.
    pub items: Vec<Object>,
    /// How many matches the page goes through: its records, and those that were left out.
    pub places: u64,
    /// Matches before paging.
    pub total: u64,
    /// The page ended because of [`Query::bytes`].
    pub full: bool,
    /// Where the next page begins, if there is one; in the order of commits also where there is none yet.
    pub next_cursor: Option<String>,
    /// Where its records stand, if [`Query::standings`] asks for it.
    pub standings: Vec<Standing>,
}

/// What still fits on a page.
pub(crate) struct Room(Option<u64>);

impl Room {
    /// Of a page that holds so many bytes.
    pub(crate) fn new(bytes: Option<u64>) -> Self {
        Self(bytes)
    }

    /// Whether a record of this size fits; it then takes its place. `first` always does.
    pub(crate) fn takes(&mut self, size: usize, first: bool) -> bool {
        let Some(left) = self.0 else { return true };
        match left.checked_sub(size as u64) {
            Some(rest) => self.0 = Some(rest),
            None if first => self.0 = Some(0),
            None => return false,
        }
        true
    }

    /// What a record that is on the page takes beside itself.
    pub(crate) fn spend(&mut self, bytes: u64) {
        if let Some(left) = &mut self.0 {
            *left = left.saturating_sub(bytes);
        }
    }
}

/// The value of a column. A member that is missing or null counts as the empty text or 0; a member of another type
/// than its text column counts as its JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub(crate) enum Cell {
    /// Of an [`ColumnType::Integer`] column; of a [`ColumnType::Flag`] column 1, 0, or -1 for what is neither.
    Integer(i64),
    /// Of a [`ColumnType::Text`] or [`ColumnType::Instant`] column.
    Text(String),
    /// Of a [`ColumnType::List`] column: its texts.
    List(Vec<String>),
}

impl Cell {
    /// The value `column` has in `record`.
    pub(crate) fn of(column: &Column, record: &Object) -> Self {
        let value = record.get(column.name);
        match column.kind {
            ColumnType::Integer => Self::Integer(match value {
                Some(Value::Bool(flag)) => i64::from(*flag),
                Some(value) if value.is_u64() => value.as_i64().unwrap_or(i64::MAX),
                Some(value) => value.as_i64().unwrap_or(0),
                None => 0,
            }),
            ColumnType::Text => Self::Text(match value {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                // What a database has in its payload only is compared there, as text or not at all.
                Some(_) if column.place == Place::Payload => String::new(),
                Some(other) => other.to_string(),
            }),
            ColumnType::Instant => Self::Text(value.and_then(Value::as_str).map(instant).unwrap_or_default()),
            ColumnType::Flag => Self::Integer(value.and_then(Value::as_bool).map_or(-1, i64::from)),
            ColumnType::List => {
                let (list, of_each) = column.list_path();
                let elements = record.get(list).and_then(Value::as_array).into_iter().flatten();
                let values = elements.filter_map(|element| of_each.map_or(Some(element), |name| element.get(name)));
                Self::List(values.filter_map(Value::as_str).map(Into::into).collect())
            }
        }
    }

    /// The value a filter compares `column` with, or `None` if no record can have it.
    pub(crate) fn parse(column: &Column, text: &str) -> Option<Self> {
        match column.kind {
            ColumnType::Integer => text.parse().ok().map(Self::Integer),
            ColumnType::Text => Some(Self::Text(text.to_owned())),
            ColumnType::Instant | ColumnType::Flag | ColumnType::List => None,
        }
    }
}

/// A time in the one form whose order is that of time; empty for what is no time. One without an offset is UTC.
pub(crate) fn instant(text: &str) -> String {
    let parsed = text.parse::<Timestamp>().or_else(|()| format!("{text}Z").parse());
    parsed.map_or_else(|()| String::new(), |time| time.to_string())
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::List(texts) => f.write_str(&texts.join(",")),
        }
    }
}

/// Compares two records by the kind's order: first by its column, then by the key, ascending.
pub(crate) fn compare(kind: &Kind, left: (&Cell, &str), right: (&Cell, &str)) -> Ordering {
    let by_column = match kind.order.direction {
        Direction::Ascending => left.0.cmp(right.0),
        Direction::Descending => right.0.cmp(left.0),
    };
    by_column.then_with(|| left.1.cmp(right.1))
}

/// The value a record is ordered by.
pub(crate) fn order_cell(kind: &Kind, record: &Object) -> Cell {
    match kind.columns.iter().find(|column| column.name == kind.order.by) {
        Some(column) => Cell::of(column, record),
        None => Cell::Text(id_of(kind, record).unwrap_or_default().to_owned()),
    }
}

/// The key of a record.
pub(crate) fn id_of<'a>(kind: &Kind, record: &'a Object) -> Result<&'a str, StoreError> {
    match record.get(kind.id) {
        Some(Value::String(id)) if !id.is_empty() => Ok(id),
        _ => Err(StoreError::Refused(format!("{} needs a text `{}`", kind.one_record(), kind.id))),
    }
}

/// The declared filter column of that name.
pub(crate) fn filter_column(kind: &'static Kind, name: &str) -> Result<&'static Column, StoreError> {
    kind.columns
        .iter()
        .find(|column| column.filters() && column.name == name)
        .ok_or_else(|| StoreError::Refused(format!("a list of {} cannot be filtered by `{name}`", kind.collection)))
}

/// The column of that name by which records can be grouped: a filter column or the one that orders lists.
pub(crate) fn group_column(kind: &'static Kind, name: &str) -> Result<&'static Column, StoreError> {
    kind.columns
        .iter()
        .find(|column| column.name == name && (column.filters() || name == kind.order.by))
        .ok_or_else(|| StoreError::Refused(format!("{} cannot be grouped by `{name}`", kind.collection)))
}

/// The text column of that name.
fn text_column(kind: &'static Kind, name: &str) -> Result<&'static Column, StoreError> {
    kind.columns
        .iter()
        .find(|column| column.name == name && matches!(column.kind, ColumnType::Text | ColumnType::Instant))
        .ok_or_else(|| StoreError::Refused(format!("{} have no text column `{name}`", kind.collection)))
}

/// The time by which a kind's lists are ordered, and the text in which it is compared.
fn bound(kind: &'static Kind, since: &str) -> Result<Condition, StoreError> {
    let column = kind.columns.iter().find(|column| column.name == kind.order.by && column.kind != ColumnType::Integer);
    let column = column.filter(|_| kind.order.direction == Direction::Descending);
    let column =
        column.ok_or_else(|| StoreError::Refused(format!("a list of {} has no order by time", kind.collection)))?;
    match instant(since) {
        time if time.is_empty() => Err(StoreError::Refused("`since` must be a time".to_owned())),
        time => Ok((column, Cell::Text(time))),
    }
}

/// A condition: the column has this value.
pub(crate) type Condition = (&'static Column, Cell);

/// A query resolved against its kind.
#[derive(Debug)]
pub(crate) struct Conditions {
    /// Each must hold.
    pub(crate) all: Vec<Condition>,
    /// If there, one of them must hold too; distinct values of one column.
    pub(crate) any: Option<Vec<Condition>>,
    /// Each must hold too.
    pub(crate) asked: Vec<Asked>,
    /// The column must be at least this.
    pub(crate) since: Option<Condition>,
    /// The page begins after this.
    pub(crate) after: Option<Cursor>,
}

impl Conditions {
    /// `None` if no record can match.
    pub(crate) fn resolve(kind: &'static Kind, query: &Query) -> Result<Option<Self>, StoreError> {
        let mut all = Vec::with_capacity(query.filters.len());
        for (name, value) in &query.filters {
            let column = filter_column(kind, name)?;
            match Cell::parse(column, value) {
                Some(cell) => all.push((column, cell)),
                None => return Ok(None),
            }
        }
        let any = match &query.any_of {
            None => None,
            Some((name, values)) => {
                let column = filter_column(kind, name)?;
                let mut cells: Vec<_> = values.iter().filter_map(|value| Cell::parse(column, value)).collect();
                cells.sort();
                cells.dedup();
                if cells.is_empty() {
                    return Ok(None);
                }
                Some(cells.into_iter().map(|cell| (column, cell)).collect())
            }
        };
        let asked = query.criteria.iter().map(|criterion| Asked::resolve(kind, criterion)).collect::<Result<_, _>>()?;
        let since = query.since.as_deref().map(|since| bound(kind, since)).transpose()?;
        let after = query.cursor.as_deref().map(|text| Cursor::parse(kind, query.committed, text)).transpose()?;
        Ok(Some(Self { all, any, asked, since, after }))
    }

    /// Whether a record with this key and these values matches.
    pub(crate) fn hold<'a>(&self, id: &str, cell: impl Fn(&'static Column) -> &'a Cell) -> bool {
        let holds = |(column, value): &Condition| cell(column) == value;
        self.all.iter().all(holds)
            && self.any.as_ref().is_none_or(|any| any.iter().any(holds))
            && self.asked.iter().all(|asked| asked.holds(id, &cell))
            && self.since.as_ref().is_none_or(|(column, since)| cell(column) >= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cavra_model::{DECISIONS, SESSIONS};
    use serde_json::json;

    fn column(kind: &'static Kind, name: &str) -> &'static Column {
        kind.columns.iter().find(|column| column.name == name).unwrap()
    }

    #[test]
    fn members_become_cells() {
        let record = json!({"actor": 4, "agent_id": null, "decision_count": 3, "blocked_count": true});
        let record = record.as_object().unwrap();
        assert_eq!(Cell::of(column(&SESSIONS, "actor"), record), Cell::Text("4".into()));
        assert_eq!(Cell::of(column(&SESSIONS, "agent_id"), record), Cell::Text(String::new()));
        assert_eq!(Cell::of(column(&SESSIONS, "decision_count"), record), Cell::Integer(3));
        assert_eq!(Cell::of(column(&SESSIONS, "blocked_count"), record), Cell::Integer(1));
        assert_eq!(Cell::parse(column(&SESSIONS, "blocked_count"), "x"), None);
    }

    #[test]
    fn only_declared_filters() {
        for name in ["target", "nothing", "decision_id"] {
            assert!(matches!(filter_column(&DECISIONS, name), Err(StoreError::Refused(_))), "{name}");
        }
    }

    #[test]
    fn a_record_needs_a_key() {
        for bad in [json!({}), json!({"decision_id": 4}), json!({"decision_id": ""})] {
            assert!(id_of(&DECISIONS, bad.as_object().unwrap()).is_err(), "{bad}");
        }
    }
}
