//! A database that is not there, for those who only read: it has no records, and looking does not make it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use cavra_model::{Column, Kind, Object};
use serde_json::Value;

use crate::log::Audited;
use crate::overlay::Changes;
use crate::query::{self, Cell, Condition, Conditions, Page, Query};
use crate::writer::Backend;
use crate::{Attachment, Reader, StoreError, Visitor};

/// The place where there is no database.
#[derive(Clone)]
pub(crate) struct Absent {
    path: PathBuf,
}

impl Absent {
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }
}

impl Reader for Absent {
    fn get(&self, _kind: &'static Kind, _id: &str) -> Result<Option<Object>, StoreError> {
        Ok(None)
    }

    fn list(&self, kind: &'static Kind, query: &Query) -> Result<Page, StoreError> {
        // What no list understands is refused here too.
        Conditions::resolve(kind, query)?;
        Ok(Page::default())
    }

    fn gather(&self, _kind: &'static Kind, _by: &Condition, _member: &str) -> Result<Vec<Value>, StoreError> {
        Ok(Vec::new())
    }

    fn walk(&self, _kind: &'static Kind, _path: &query::Path, _visit: Visitor<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    fn audit(&self, _kind: &'static Kind, _visit: &mut dyn FnMut(Audited)) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    fn get_many(&self, _kind: &'static Kind, _ids: &[String]) -> Result<Vec<Object>, StoreError> {
        Ok(Vec::new())
    }

    fn values(&self, _kind: &'static Kind, _column: &'static Column) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn log_size(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn leaves(&self, _range: Range<u64>) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    fn attachment(&self, _name: &str, _limit: u64) -> Result<Attachment, StoreError> {
        Ok(Attachment::Missing)
    }
}

impl Backend for Absent {
    fn begin(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn get(&mut self, _kind: &'static Kind, _id: &str) -> Result<Option<Object>, StoreError> {
        Ok(None)
    }

    fn exists(&mut self, _kind: &'static Kind, _id: &str) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn tally(
        &mut self,
        _kind: &'static Kind,
        _by: (&'static Column, &Cell),
        _group: &'static Column,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        Ok(Vec::new())
    }

    fn attach(&mut self, _name: &str, _bytes: &[u8]) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn commit(&mut self, changes: &Changes<'_>) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        Err(StoreError::unavailable(&self.path, "there is no database, and it was opened for reading"))
    }

    fn abort(&mut self) {}

    fn idle(&mut self) {}

    fn close(&mut self, _settle: bool) {}
}
