//! Dashboards: views of the records of a kind, folded in bounded memory.

use std::sync::{Arc, Mutex, PoisonError};

use cavra_model::{Folder, Kind, Measured, Object};
use cavra_store::{RecordStore, Unreadable, Walk};

use crate::CoreError;

/// A dashboard: a view of the records of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Dashboard {
    /// The kind.
    pub kind: &'static Kind,
    /// A column of the kind and the value that its records have; all records without it.
    pub only: Option<(&'static str, &'static str)>,
    /// What is said.
    pub view: &'static [Measured],
}

impl Dashboard {
    /// What it says now. Records that cannot be read are left out.
    ///
    /// # Errors
    /// [`CoreError::Store`].
    pub async fn answer(&self, store: &RecordStore) -> Result<Object, CoreError> {
        let folder = Arc::new(Mutex::new(Folder::new(self.view)));
        let sink = Arc::clone(&folder);
        let filter = self.only.map(|(column, value)| (column, value.to_owned()));
        let walk = Walk { filter, unreadable: Unreadable::Skip, ..Walk::default() };
        let visit = move |record: Object| {
            sink.lock().unwrap_or_else(PoisonError::into_inner).add(&record);
            true
        };
        store.walk(self.kind, walk, visit).await?;
        let empty = Folder::new(&[]);
        let folder = std::mem::replace(&mut *folder.lock().unwrap_or_else(PoisonError::into_inner), empty);
        Ok(folder.answer())
    }
}
