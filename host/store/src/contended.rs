//! An engine for tests whose commits meet others at random, as those of a database that several nodes share do.

use cavra_model::{Column, Kind, Object};

use crate::engine::{Backend, Begun};
use crate::overlay::Changes;
use crate::query::Cell;
use crate::{LargeBytes, StoreError};

/// Commits of `inner` that fail at random, having changed nothing.
pub(crate) struct Contended {
    inner: Box<dyn Backend>,
    state: u64,
}

impl Contended {
    pub(crate) fn new(inner: Box<dyn Backend>, seed: u64) -> Self {
        Self { inner, state: seed | 1 }
    }

    /// Xorshift: nobody needs to be surprised by it.
    fn meets_another(&mut self) -> bool {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.is_multiple_of(3)
    }
}

impl Backend for Contended {
    fn begin(&mut self) -> Result<Begun, StoreError> {
        self.inner.begin()
    }

    fn get(&mut self, kind: &'static Kind, id: &str) -> Result<Option<Object>, StoreError> {
        self.inner.get(kind, id)
    }

    fn exists(&mut self, kind: &'static Kind, id: &str) -> Result<bool, StoreError> {
        self.inner.exists(kind, id)
    }

    fn tally(
        &mut self,
        kind: &'static Kind,
        by: (&'static Column, &Cell),
        group: &'static Column,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        self.inner.tally(kind, by, group)
    }

    fn log_size(&mut self, area: &'static str) -> Result<u64, StoreError> {
        self.inner.log_size(area)
    }

    fn property(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        self.inner.property(name)
    }

    fn large_bytes(&self) -> LargeBytes {
        self.inner.large_bytes()
    }

    fn attach(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.inner.attach(name, bytes)
    }

    fn commit(&mut self, changes: &Changes<'_>) -> Result<(), StoreError> {
        if self.meets_another() {
            self.inner.abort();
            return Err(StoreError::Conflict);
        }
        self.inner.commit(changes)
    }

    fn abort(&mut self) {
        self.inner.abort();
    }

    fn maintain(&mut self) -> bool {
        self.inner.maintain()
    }

    fn idle(&mut self) {
        self.inner.idle();
    }

    fn close(&mut self, settle: bool) {
        self.inner.close(settle);
    }
}
