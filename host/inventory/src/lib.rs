//! Inventory exports of endpoint-management and security tools, read as endpoint observations: which machine runs which
//! version of the runtime, for which deployment target, last seen when.
//!
//! Every tool names the same facts differently. What a tool calls them is data ([`aliases`], [`vendors`]); the functions
//! here only follow those tables. Nothing is guessed: a fact that no row finds is left out. Only the observations' own
//! members come out, so no secret in an export can reach a record.
//!
//! The crate is pure and free of clocks, so that it runs natively and inside a sandboxed component alike.

mod aliases;
mod envelope;
mod path;
mod record;
mod software;
mod target;
mod time;
mod vendors;
mod warnings;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

pub use envelope::MAX_RECORDS;
pub use time::read_time;
use warnings::Warnings;

/// A JSON object.
pub type Object = Map<String, Value>;

/// Deployment target of an endpoint that names none, or several.
pub const UNKNOWN_TARGET: &str = "unknown-target";

/// Kinds of inventory tools, with the members of an export that may hold its records, most telling first.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name in requests and records.
    pub name: &'static str,
    /// Members that may hold the list of records.
    lists: &'static [&'static str],
}

/// The tools whose exports are understood.
pub static PROVIDERS: [Provider; 4] = [
    Provider { name: "jamf", lists: &["computers", "devices", "endpoints", "items", "results"] },
    Provider { name: "intune", lists: &["devices", "managedDevices", "value", "endpoints", "items"] },
    Provider {
        name: "linux",
        lists: &["endpoints", "hosts", "nodes", "items", "devices", "results", "data", "snapshot"],
    },
    Provider {
        name: "edr",
        lists: &["assets", "devices", "endpoints", "hosts", "items", "resources", "value", "data", "results"],
    },
];

/// The provider with this name; blanks around it and case do not matter.
#[must_use]
pub fn provider(name: &str) -> Option<&'static Provider> {
    let name = name.trim();
    PROVIDERS.iter().find(|provider| provider.name.eq_ignore_ascii_case(name))
}

/// What came of an export.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Normalized {
    /// One observation per record, in the export's order.
    pub endpoints: Vec<Object>,
    /// What the reader of the export should know, at most some twenty of a sort.
    pub warnings: Vec<String>,
}

/// Why an export is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no list of records in it: it is probably another file.
    NoRecords {
        /// Whose export it was said to be.
        provider: &'static str,
    },
    /// More records than one ingestion takes.
    TooMany {
        /// How many there are.
        records: usize,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRecords { provider } => {
                write!(f, "no list of {provider} records was found in the inventory; is it the right file?")
            }
            Self::TooMany { records } => {
                write!(f, "the inventory has {records} records; one ingestion takes at most {MAX_RECORDS}")
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// Reads an export of `provider`. `target_map` says which deployment target a text of the vendor means.
///
/// # Errors
/// [`Refusal`] for an export without a list of records, or with too many.
pub fn normalize(
    provider: &'static Provider,
    export: &Value,
    target_map: &BTreeMap<String, String>,
) -> Result<Normalized, Refusal> {
    let mut warnings = Warnings::default();
    let records = envelope::records(provider, export, &mut warnings)?;
    let mut endpoints = Vec::with_capacity(records.len());
    let mut ids = BTreeSet::new();
    for (index, record) in records.iter().enumerate() {
        let endpoint = record::observe(provider, index, record, target_map, &mut warnings);
        let id = endpoint.get("endpoint_id").and_then(Value::as_str).unwrap_or_default();
        if !ids.insert(id.to_owned()) {
            warnings.add("duplicate", format!("endpoint {id} stands in the export more than once; all are kept"));
        }
        endpoints.push(endpoint);
    }
    if endpoints.is_empty() {
        warnings.add("empty", format!("no {} records were found in the inventory", provider.name));
    }
    Ok(Normalized { endpoints, warnings: warnings.into_texts() })
}

#[cfg(test)]
mod tests;
