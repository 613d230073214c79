//! Cursors: where the next page of a walk through a list begins. What is written during the walk neither moves a record to a
//! page where it comes twice, nor hides one.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use cavra_model::Kind;
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::query::{Cell, compare};

/// Longest cursor that is looked at, in bytes.
const LONGEST: usize = 4096;

/// Where a record stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// What its list orders it by.
    #[serde(rename = "o")]
    pub(crate) order: Cell,
    /// Its key.
    #[serde(rename = "i")]
    pub(crate) id: String,
    /// Its place in the order in which records were first written.
    #[serde(rename = "p")]
    pub(crate) position: i64,
}

/// Where a page begins: after this place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// The list that it belongs to.
    #[serde(rename = "k")]
    list: String,
    #[serde(flatten)]
    pub(crate) place: Place,
    /// The last place that had been given away when the walk began.
    #[serde(rename = "s")]
    pub(crate) snapshot: i64,
    /// The walk is in the order in which records were first written.
    #[serde(rename = "c")]
    pub(crate) committed: bool,
}

impl Place {
    /// The cursor of a page that begins after this place.
    pub(crate) fn cursor<E>(
        self,
        kind: &Kind,
        committed: bool,
        snapshot: impl FnOnce() -> Result<i64, E>,
    ) -> Result<String, E> {
        let cursor = Cursor { list: kind.table.to_owned(), snapshot: snapshot()?, place: self, committed };
        Ok(cursor.text())
    }
}

impl Cursor {
    /// Reads what [`Place::cursor`] wrote for a list of the same kind in the same order.
    pub(crate) fn parse(kind: &Kind, committed: bool, text: &str) -> Result<Self, StoreError> {
        Self::of_list(kind.table, committed, text)
    }

    fn of_list(list: &str, committed: bool, text: &str) -> Result<Self, StoreError> {
        let bytes = (text.len() <= LONGEST).then(|| BASE64.decode(text).ok()).flatten();
        let cursor = bytes.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        cursor
            .filter(|cursor| cursor.list == list && cursor.committed == committed)
            .ok_or_else(|| StoreError::Refused("the cursor is none of this list".to_owned()))
    }

    fn text(&self) -> String {
        BASE64.encode(serde_json::json!(self).to_string())
    }

    /// Whether a record at this place comes after where the page begins.
    pub(crate) fn is_before(&self, kind: &Kind, order: (&Cell, &str), position: i64) -> bool {
        if self.committed {
            return position > self.place.position;
        }
        let beyond = compare(kind, (&self.place.order, &self.place.id), order) == Ordering::Less;
        position <= self.snapshot && beyond
    }
}

/// Where a record stands in the lists of its kind, for lists that are put together of several queries: they are sorted,
/// paged and walked with cursors as those of one query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    place: Place,
    /// Which of the items is meant that the record stands for in its list.
    nth: u64,
}

impl Standing {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, nth: 0 }
    }

    /// Its place in the order of commits.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.place.position
    }

    /// That of an item among several for which the record stands, by its number.
    #[must_use]
    pub fn nth(&self, nth: u64) -> Self {
        Self { nth, ..self.clone() }
    }

    /// Which of two comes first in the kind's order or, if `committed`, in that of commits.
    #[must_use]
    pub fn compare(&self, other: &Self, kind: &Kind, committed: bool) -> Ordering {
        let (left, right) = (&self.place, &other.place);
        let records = if committed {
            left.position.cmp(&right.position)
        } else {
            compare(kind, (&left.order, &left.id), (&right.order, &right.id))
        };
        records.then(self.nth.cmp(&other.nth))
    }
}

/// Where a page of a list begins that is put together of several queries of one kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mark {
    #[serde(flatten)]
    cursor: Cursor,
    #[serde(rename = "n", default, skip_serializing_if = "is_zero")]
    nth: u64,
}

impl Mark {
    /// Reads the cursor of a list by its name.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for what [`Mark::after`] did not write for this list in this order.
    pub fn parse(list: &str, committed: bool, text: &str) -> Result<Self, StoreError> {
        let cursor = Cursor::of_list(list, committed, text)?;
        let nth = BASE64.decode(text).ok().and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        Ok(Self { cursor, nth: nth.map_or(0, |mark| mark.nth) })
    }

    /// The cursor of a page that begins after this item. `began` is where the page before began, if there was one; else
    /// the walk begins with what had a place up to `settled`.
    #[must_use]
    pub fn after(list: &str, committed: bool, standing: &Standing, settled: i64, began: Option<&Self>) -> String {
        let snapshot = began.map_or(settled, |began| began.cursor.snapshot);
        let cursor = Cursor { list: list.to_owned(), place: standing.place.clone(), snapshot, committed };
        BASE64.encode(serde_json::json!(Self { cursor, nth: standing.nth }).to_string())
    }

    /// Whether an item comes after where the page begins.
    #[must_use]
    pub fn is_before(&self, kind: &Kind, standing: &Standing) -> bool {
        let place = &standing.place;
        if place.id == self.cursor.place.id {
            return standing.nth > self.nth;
        }
        self.cursor.is_before(kind, (&place.order, &place.id), place.position)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over like this")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
