//! Members of JSON documents that somebody else wrote.

use cavra_model::Object;
pub use cavra_model::members::{built, filled, list, object, objects, texts};
use serde_json::Value;

/// Whether a flag stands as it should.
pub fn is(parent: &Object, member: &str, wanted: bool) -> bool {
    parent.get(member).and_then(Value::as_bool) == Some(wanted)
}

/// The texts, sorted, each once.
pub fn sorted(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let unique: std::collections::BTreeSet<String> = texts.into_iter().collect();
    unique.into_iter().collect()
}

/// The first text that stands twice.
pub fn duplicate<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = std::collections::BTreeSet::new();
    texts.into_iter().find(|text| !seen.insert(*text))
}
