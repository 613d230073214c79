//! What an engine does: a small backend for one file, of which the store has one or several.

use std::ops::Range;

use cavra_model::{Column, Kind, Object};
use serde_json::Value;

use crate::log::Audited;
use crate::overlay::Changes;
use crate::query::{Cell, Condition, Page, Path, Query};
use crate::{Attachment, LargeBytes, StoreError};

/// Takes one record after the other; answers whether it wants more.
pub(crate) type Visitor<'a> = &'a mut dyn FnMut(Object) -> bool;

/// The reading side of an engine; calls block. Where there is no file yet, everything is empty.
pub(crate) trait Reader: Send + Sync {
    fn get(&self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError>;
    fn list(&self, kind: &'static Kind, query: &Query) -> Result<Page, StoreError>;
    /// The member of the newest records that meet a condition, the newest last.
    fn gather(&self, kind: &'static Kind, by: &Condition, member: &str, newest: u64) -> Result<Vec<Value>, StoreError>;
    fn walk(&self, kind: &'static Kind, path: &Path, visit: Visitor<'_>) -> Result<(), StoreError>;
    /// Shows every record, and answers what is wrong with the ways that lists find them.
    fn audit(&self, kind: &'static Kind, visit: &mut dyn FnMut(Audited)) -> Result<Vec<String>, StoreError>;
    fn get_many(&self, kind: &'static Kind, ids: &[String]) -> Result<Vec<Object>, StoreError>;
    fn values(&self, kind: &'static Kind, column: &'static Column) -> Result<Vec<String>, StoreError>;
    fn check(&self) -> Result<(), StoreError>;
    /// The last place in the order in which records of a kind were first written.
    fn last_place(&self, kind: &'static Kind) -> Result<i64, StoreError>;
    /// Number of leaves of an area's log.
    fn log_size(&self, area: &'static str) -> Result<u64, StoreError>;
    fn leaves(&self, area: &'static str, range: Range<u64>) -> Result<Vec<String>, StoreError>;
    fn attachment(&self, name: &str, limit: u64) -> Result<Attachment, StoreError>;
    /// What the file notes about itself.
    fn property(&self, name: &str) -> Result<Option<String>, StoreError>;
}

/// Whether a transaction has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// The file is ours until the commit.
    Yes,
    /// Somebody else is writing; try again later.
    Busy,
}

/// The writing side of an engine. Every transaction is `begin`, then reads, then `commit` or `abort`.
pub(crate) trait Backend: Send {
    /// Takes the lock that keeps other processes from writing, if it is free, and sees what they wrote so far.
    fn begin(&mut self) -> Result<Begun, StoreError>;
    /// One committed record.
    fn get(&mut self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError>;
    /// Whether there is a committed record with that key.
    fn exists(&mut self, kind: &'static Kind, id: &str) -> Result<bool, StoreError>;
    /// Number of committed records by the values of `group`, among those that have `by`.
    fn tally(
        &mut self,
        kind: &'static Kind,
        by: (&'static Column, &Cell),
        group: &'static Column,
    ) -> Result<Vec<(String, u64)>, StoreError>;
    /// Number of committed leaves of an area's log.
    fn log_size(&mut self, area: &'static str) -> Result<u64, StoreError>;
    /// What the file notes about itself.
    fn property(&mut self, name: &str) -> Result<Option<String>, StoreError>;
    /// Where bytes that are large for a record belong.
    fn large_bytes(&self) -> LargeBytes;
    /// Keeps bytes beside the records, durably.
    fn attach(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError>;
    /// Makes all changes durable and ends the transaction; on an error none is made.
    fn commit(&mut self, changes: &Changes<'_>) -> Result<(), StoreError>;
    /// Ends the transaction without changes.
    fn abort(&mut self);
    /// Everyone has been answered: what can be computed from the records is brought up to date by a bounded step.
    /// Answers whether there is more to do.
    fn maintain(&mut self) -> bool {
        false
    }
    /// Nothing has happened for a while.
    fn idle(&mut self) {}
    /// The store is closing; with `settle` all records are brought into the file that people know, however long it takes.
    fn close(&mut self, settle: bool) {
        let _ = settle;
    }
}

/// An open file.
pub(crate) struct Engine {
    /// What it is called in messages.
    pub(crate) name: String,
    /// Reads.
    pub(crate) reader: std::sync::Arc<dyn Reader>,
    /// Writes.
    pub(crate) backend: Box<dyn Backend>,
}
