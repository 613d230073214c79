//! Questions that lists can be asked beyond equality of a filter column. What they mean is said here once; the SQLite
//! backend says the same in SQL.

use std::collections::BTreeMap;

use cavra_model::{Column, ColumnType, Kind};

use crate::StoreError;
use crate::query::Cell;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Criterion {
    /// Member it is about: the key, or a column that can be asked for.
    pub member: &'static str,
    /// What must hold.
    pub test: Test,
}

/// What must hold of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// It is this text.
    Equals(String),
    /// It is one of these texts.
    OneOf(Vec<String>),
    /// It contains this text.
    Contains(String),
    /// It is at least this number; a missing one is 0.
    AtLeast(i64),
    /// It is a list that has this text.
    Has(String),
    /// Whether it is greater than zero.
    Positive(bool),
    /// It is this truth value.
    Is(bool),
    /// If the member `by` is a key of `known`, what stands there; else whether it is this text.
    Overruled {
        /// The member that names who has the last word.
        by: &'static str,
        /// Who has it, and what they say.
        known: BTreeMap<String, bool>,
        /// What the member must be if nobody has it.
        otherwise: String,
    },
}

/// Where a question finds its value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// The key.
    Key,
    /// A column.
    Column(&'static Column),
}

/// A criterion resolved against its kind.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What it is about.
    pub(crate) target: Target,
    /// What must hold.
    pub(crate) test: Test,
    /// The column that names who has the last word.
    pub(crate) by: Option<&'static Column>,
}

impl Asked {
    pub(crate) fn resolve(kind: &'static Kind, criterion: &Criterion) -> Result<Self, StoreError> {
        let wanted = match criterion.test {
            Test::Equals(_) | Test::OneOf(_) | Test::Contains(_) | Test::Overruled { .. } => ColumnType::Text,
            Test::AtLeast(_) | Test::Positive(_) => ColumnType::Integer,
            Test::Has(_) => ColumnType::List,
            Test::Is(_) => ColumnType::Flag,
        };
        let target = if criterion.member == kind.id && wanted == ColumnType::Text {
            Target::Key
        } else {
            Target::Column(asked_column(kind, criterion.member, wanted)?)
        };
        let by = match criterion.test {
            Test::Overruled { by, .. } => Some(asked_column(kind, by, ColumnType::Text)?),
            _ => None,
        };
        Ok(Self { target, test: criterion.test.clone(), by })
    }

    /// Whether it holds for a record with this key and these values.
    pub(crate) fn holds<'a>(&self, id: &str, cell: impl Fn(&'static Column) -> &'a Cell) -> bool {
        let text = |column| match cell(column) {
            Cell::Text(text) => text.as_str(),
            _ => "",
        };
        let number = |target| match target {
            Target::Column(column) => match cell(column) {
                Cell::Integer(number) => *number,
                _ => 0,
            },
            Target::Key => 0,
        };
        let own = match self.target {
            Target::Key => id,
            Target::Column(column) => text(column),
        };
        match &self.test {
            Test::Equals(wanted) => own == wanted,
            Test::OneOf(wanted) => wanted.iter().any(|wanted| own == wanted),
            Test::Contains(part) => own.contains(part.as_str()),
            Test::AtLeast(bound) => number(self.target) >= *bound,
            Test::Positive(positive) => (number(self.target) > 0) == *positive,
            Test::Is(wanted) => number(self.target) == i64::from(*wanted),
            Test::Has(element) => match self.target {
                Target::Column(column) => matches!(cell(column), Cell::List(texts) if texts.contains(element)),
                Target::Key => false,
            },
            Test::Overruled { known, otherwise, .. } => {
                let ruler = self.by.map(text).unwrap_or_default();
                known.get(ruler).copied().unwrap_or(own == otherwise)
            }
        }
    }
}

/// The column of that name and type that lists can be asked for.
pub(crate) fn asked_column(kind: &'static Kind, name: &str, wanted: ColumnType) -> Result<&'static Column, StoreError> {
    kind.columns.iter().find(|column| column.answers() && column.name == name && column.kind == wanted).ok_or_else(
        || StoreError::Refused(format!("a list of {} cannot be asked for `{name}` in this way", kind.collection)),
    )
}
