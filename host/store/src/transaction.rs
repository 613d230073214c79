//! What a unit of work can do.

use std::sync::Arc;

use cavra_model::{Kind, Object};

use crate::StoreError;

/// A unit of work: it sees its own writes and those of the units before it, and is committed whole or not at all, whichever
/// files its kinds are in.
pub trait Transaction {
    /// One record.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn get(&mut self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError>;

    /// The record that a whole new one is to take the place of. One that cannot be read is none: being replaced repairs it.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn replaced(&mut self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError> {
        match self.get(kind, id) {
            Err(StoreError::Broken { .. }) => Ok(None),
            found => found,
        }
    }

    /// Whether there is a record with that key.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn holds(&mut self, kind: &'static Kind, id: &str) -> Result<bool, StoreError>;

    /// Writes a new record.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if its key is taken, [`StoreError::Refused`] if it has none, or if the store cannot
    /// be read.
    fn insert(&mut self, kind: &'static Kind, record: Object) -> Result<(), StoreError> {
        self.insert_shared(kind, Arc::new(record))
    }

    /// As [`Transaction::insert`], for records that are not copied when the unit of work is run again.
    ///
    /// # Errors
    /// As [`Transaction::insert`].
    fn insert_shared(&mut self, kind: &'static Kind, record: Arc<Object>) -> Result<(), StoreError>;

    /// Writes a record, in place of the one with its key if there is one.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it has no key.
    fn put(&mut self, kind: &'static Kind, record: Object) -> Result<(), StoreError>;

    /// Removes a record; answers whether there was one. What was written last of its kind is better left: the next one may get
    /// its place in the order of commits, and who walks in that order would not see it.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn remove(&mut self, kind: &'static Kind, id: &str) -> Result<bool, StoreError>;

    /// Number of records by the values of the column `group`, ascending, among those whose filter column `by.0` is
    /// `by.1`. `group` is a filter column or the one that orders lists.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for other columns, or if the store cannot be read.
    fn tally(&mut self, kind: &'static Kind, by: (&str, &str), group: &str) -> Result<Vec<(String, u64)>, StoreError>;

    /// Appends a leaf to the log of the kind's area, in the same commit as everything else. Its index is the number of
    /// leaves before it. Appending takes no reading and no hashing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it is longer than [`crate::MAX_LEAF`].
    fn append(&mut self, kind: &'static Kind, leaf: String) -> Result<(), StoreError>;

    /// Where bytes that are large for a record belong in the store of the kind.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a kind the store does not have.
    fn large_bytes(&mut self, kind: &'static Kind) -> Result<LargeBytes, StoreError>;

    /// Keeps bytes that are large for a record under their SHA-256 in hex, where [`Transaction::large_bytes`] says
    /// [`LargeBytes::Attached`]. They are durable when this returns, before the transaction is; they stay, whatever becomes
    /// of it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if they cannot be written, [`StoreError::Refused`] for another name or where large
    /// bytes belong into the record.
    fn attach(&mut self, kind: &'static Kind, sha256: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// What the store of the kind's area notes about itself under that name.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn property(&mut self, kind: &'static Kind, name: &str) -> Result<Option<String>, StoreError>;

    /// Notes something about the store of the kind's area itself, in the same commit as everything else.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a kind the store does not have.
    fn set_property(&mut self, kind: &'static Kind, name: &str, value: String) -> Result<(), StoreError>;
}

/// Where bytes that are large for a record belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LargeBytes {
    /// In the record: writing it costs what it is long.
    InRecord,
    /// Beside the records: every commit writes all records again.
    Attached,
}
