//! What can be computed from the rows: it is never in the way of a record. Whatever is wrong with it, lists are answered
//! from the rows, and the writer makes it anew.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use cavra_model::Kind;

/// Tables whose derived data cannot be used as they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Derived {
    damaged: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl Derived {
    /// Says that what was computed from a kind's rows cannot be read; the writer makes it anew.
    pub(super) fn report(&self, kind: &'static Kind, error: &rusqlite::Error) {
        if self.damaged.lock().unwrap_or_else(PoisonError::into_inner).insert(kind.table) {
            metrics::counter!("cavra_store_derived_damaged_total", "table" => kind.table).increment(1);
            tracing::error!(
                table = kind.table,
                error = error as &dyn std::error::Error,
                "an index that is computed from the records is damaged; lists are answered from the records until it is made anew"
            );
        }
    }

    /// Whether it must not be looked at.
    pub(super) fn is_damaged(&self, kind: &Kind) -> bool {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner).contains(kind.table)
    }

    /// It has been made anew.
    pub(super) fn mended(&self, kind: &Kind) {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner).remove(kind.table);
    }
}
