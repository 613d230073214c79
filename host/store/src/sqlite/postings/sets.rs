//! Sets of rows by the values they have.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use rusqlite::Row;
use rusqlite::types::{Type, ValueRef};

/// The rows that have a value, by column and value. The set of all rows goes by two empty names.
#[derive(Default)]
pub(super) struct Sets(BTreeMap<String, BTreeMap<String, RoaringBitmap>>);

impl Sets {
    /// Notes that a row has a value.
    pub(super) fn insert(&mut self, facet: &str, value: &str, row: u32) {
        match self.0.get_mut(facet).and_then(|values| values.get_mut(value)) {
            // Most rows come in their order.
            Some(set) => {
                if set.try_push(row).is_err() {
                    set.insert(row);
                }
            }
            None => self.unite(facet.to_owned(), value.to_owned(), RoaringBitmap::from([row])),
        }
    }

    /// Notes that these rows have a value.
    pub(super) fn unite(&mut self, facet: String, value: String, rows: RoaringBitmap) {
        *self.0.entry(facet).or_default().entry(value).or_default() |= rows;
    }

    /// The rows that have a value.
    pub(super) fn get(&self, facet: &str, value: &str) -> Option<&RoaringBitmap> {
        self.0.get(facet)?.get(value)
    }

    /// All of them: column, value and rows, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str, &RoaringBitmap)> {
        self.0
            .iter()
            .flat_map(|(facet, values)| values.iter().map(move |(value, rows)| (facet.as_str(), value.as_str(), rows)))
    }
}

/// A set as it is stored.
pub(super) fn read_set(row: &Row<'_>, index: usize) -> rusqlite::Result<RoaringBitmap> {
    let bytes = row.get_ref(index)?.as_blob()?;
    RoaringBitmap::deserialize_from(bytes)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, Type::Blob, error.into()))
}

/// A text, or none where something else is stored.
pub(in crate::sqlite) fn text(row: &Row<'_>, index: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(index)? {
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    })
}
