//! Observations of endpoints: which machine runs which version of the runtime, for which deployment target, last seen when.
//!
//! Vendors' exports are read by normalizers, in a sandbox (`cavra-normalizer`). Here is what the host knows of them: what an
//! observation may hold, and how what a normalizer answers becomes the observations of one export, or none.

mod collected;
mod observation;
mod time;

use serde_json::Map;

pub use collected::{Breach, Collected};
pub use observation::{FACTS, check};
pub use time::read_time;

/// A JSON object.
pub type Object = Map<String, serde_json::Value>;

/// Deployment target of an endpoint that names none, or several.
pub const UNKNOWN_TARGET: &str = "unknown-target";

/// Most records of one ingestion.
pub const MAX_RECORDS: usize = 50_000;

/// What came of an export.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Normalized {
    /// One observation per record, in the export's order.
    pub endpoints: Vec<Object>,
    /// What the reader of the export should know.
    pub warnings: Vec<String>,
}
