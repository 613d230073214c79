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

/// A set as it is stored: its bytes, and a checksum over them and what they belong to, so that what went bad on the disk is
/// not taken for an answer.
pub(super) fn write_bytes(set: &RoaringBitmap, of: (i64, &str, &str)) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(set.serialized_size() + CHECKSUM);
    set.serialize_into(&mut bytes)?;
    let sum = checksum(&bytes, of);
    bytes.extend_from_slice(&sum);
    Ok(bytes)
}

/// Reads a set that belongs to this segment, column and value.
pub(super) fn read_set(row: &Row<'_>, index: usize, of: (i64, &str, &str)) -> rusqlite::Result<RoaringBitmap> {
    let damaged = |why: &str| {
        let (_, facet, value) = of;
        let problem = format!("the set of rows whose {facet} is `{value}` is damaged: {why}");
        rusqlite::Error::FromSqlConversionFailure(index, Type::Blob, problem.into())
    };
    let stored = row.get_ref(index)?.as_blob().map_err(|error| damaged(&error.to_string()))?;
    let Some((bytes, sum)) = stored.split_last_chunk::<CHECKSUM>() else { return Err(damaged("it is too short")) };
    if checksum(bytes, of) != *sum {
        return Err(damaged("its checksum does not fit"));
    }
    RoaringBitmap::deserialize_from(bytes).map_err(|error| damaged(&error.to_string()))
}

const CHECKSUM: usize = 8;

/// FNV-1a: against the disk, not against people.
fn checksum(bytes: &[u8], (segment, facet, value): (i64, &str, &str)) -> [u8; CHECKSUM] {
    let segment = segment.to_be_bytes();
    let all = segment.iter().chain(facet.as_bytes()).chain(&[0]).chain(value.as_bytes()).chain(&[0]).chain(bytes);
    let sum = all.fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    sum.to_be_bytes()
}

/// A text, or none where something else is stored.
pub(in crate::sqlite) fn text(row: &Row<'_>, index: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(index)? {
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    })
}
