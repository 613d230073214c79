//! Cursors: where the next page of a walk through a list begins. What is written during the walk neither moves a record to a
//! page where it comes twice, nor hides one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use cavra_model::Kind;
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::query::Cell;

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
    #[serde(rename = "k")]
    kind: String,
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
        let cursor = Cursor { kind: kind.table.to_owned(), snapshot: snapshot()?, place: self, committed };
        Ok(BASE64.encode(serde_json::json!(cursor).to_string()))
    }
}

impl Cursor {
    /// Reads what [`Place::cursor`] wrote for a list of the same kind in the same order.
    pub(crate) fn parse(kind: &Kind, committed: bool, text: &str) -> Result<Self, StoreError> {
        let bytes = (text.len() <= LONGEST).then(|| BASE64.decode(text).ok()).flatten();
        let cursor = bytes.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        cursor
            .filter(|cursor| cursor.kind == kind.table && cursor.committed == committed)
            .ok_or_else(|| StoreError::Refused("the cursor is none of this list".to_owned()))
    }
}
