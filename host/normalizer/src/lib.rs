//! Vendors' inventory exports, read as observations of endpoints while they stream by: which machine runs which version
//! of the runtime, for which deployment target, last seen when.
//!
//! Every tool names the same facts differently. What a tool calls them is data ([`Tool`], [`aliases`], [`vendors`]); the
//! functions here only follow those tables. Nothing is guessed: a fact that no row finds is left out. Only the
//! observations' own members come out, so no secret in an export can reach a record.
//!
//! The crate is pure and free of clocks. It is what the normalizer guests are made of, and holds no more of an export than
//! its largest record and, of each endpoint, a digest of the id.

mod aliases;
mod csv;
mod decode;
mod envelope;
mod epoch;
mod path;
mod reading;
mod record;
mod scan;
mod session;
mod software;
mod target;
mod tools;
mod vendors;
mod warnings;

use std::fmt;

pub use cavra_json::Object;
pub use session::{Session, Settings};
pub use tools::{EDR, INTUNE, JAMF, LINUX, TOOLS, Tool};

/// Deployment target of an endpoint that names none, or several.
pub const UNKNOWN_TARGET: &str = "unknown-target";

/// Most records of one export.
pub const MAX_RECORDS: usize = 50_000;

/// Largest record, and largest head of a page, in bytes: what is held of an export at a time.
pub const RECORD_BYTES: usize = 4 * 1024 * 1024;

/// Longest text, or number, that can be a fact, in bytes.
pub const FACT_BYTES: usize = 1024;

/// Members with which an export that is one object says something about itself.
pub const ABOUT: [&str; 4] = ["channel", "schema_version", "observed_at", "generated_at"];

/// What is known after a chunk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Endpoints, in the export's order.
    pub observations: Vec<Observation>,
    /// Parts whose observations do not count: what came later shows that the export is to be read in another way.
    pub retracted: Vec<u32>,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The part of the export that it belongs to. Parts are numbered in the export's order.
    pub part: u32,
    /// Number of its record in the part, from 1.
    pub record: u64,
    /// What was observed: a JSON object as text.
    pub payload: String,
}

/// What came of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records, readable or not.
    pub records: u64,
    /// Entries that are no records.
    pub skipped: u64,
    /// What the reader of the export should know, at most some twenty of a sort.
    pub problems: Vec<Problem>,
    /// Columns that no row of the tables knows, the first ones.
    pub unknown_columns: Vec<String>,
    /// What an export that is one object says about itself: [`ABOUT`].
    pub about: Object,
}

/// Something that the reader of the export should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What sort of thing: one word.
    pub sort: &'static str,
    /// A sentence.
    pub message: String,
}

/// Why an export is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The settings cannot be used.
    Settings(String),
    /// There is no list of records in it: it is probably another file.
    NoRecords,
    /// More than [`MAX_RECORDS`] records.
    TooMany {
        /// How many there are.
        records: u64,
    },
    /// It breaks the rules of its format, or a record is larger than [`RECORD_BYTES`].
    Unreadable(Fault),
}

/// Where an export cannot be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Bytes before the place.
    pub offset: u64,
    /// Number of the record, from 1, if it is in one.
    pub record: Option<u64>,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.record {
            Some(record) => write!(f, "record {record}, at byte {}: {}", self.offset, self.message),
            None => write!(f, "at byte {}: {}", self.offset, self.message),
        }
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
