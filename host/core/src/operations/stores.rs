//! The stores as operators know them: by name, with where they are and who says so.

use serde::Serialize;
use serde_json::{Value, json};

use super::PRODUCT;
use crate::{Area, Settings};

/// The stores by their names for operators, each with its area.
const STORES: [(&str, &str); 6] = [
    ("evidence_metadata", "evidence"),
    ("approvals", "approvals"),
    ("registry", "registry"),
    ("activity", "activity"),
    ("inventory", "inventory"),
    ("integrations", "integrations"),
];

/// What is said of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreItem {
    /// Its name.
    pub name: &'static str,
    /// `json` or `sqlite`.
    pub kind: &'static str,
    /// Where it is, as configured.
    pub path: String,
    /// The variable that says so, or `default`.
    pub configured_by: &'static str,
    /// Whether there is a file.
    pub exists: bool,
    /// Its size.
    pub size_bytes: u64,
}

/// The areas of the stores, in the order in which operators know them.
pub(super) fn areas() -> impl Iterator<Item = (&'static str, &'static Area)> {
    STORES.iter().filter_map(|(name, area)| Some((*name, Area::named(area)?)))
}

/// Every store.
#[must_use]
pub fn store_items(settings: &Settings) -> Vec<StoreItem> {
    areas().map(|(name, area)| store_item(settings, name, area)).collect()
}

/// One store.
pub(super) fn store_item(settings: &Settings, name: &'static str, area: &'static Area) -> StoreItem {
    let location = area.location(settings);
    // For whoever only asks, what cannot be looked at is not there; a backup looks closer.
    let size = location.size().ok().flatten();
    StoreItem {
        name,
        kind: location.mode().as_str(),
        configured_by: settings.placed_by.get(area.name).copied().unwrap_or("default"),
        exists: size.is_some(),
        size_bytes: size.unwrap_or(0),
        path: location.to_string(),
    }
}

/// `cavra.persistent_api.stores.v1`.
#[must_use]
pub fn stores_document(settings: &Settings) -> Value {
    let items = store_items(settings);
    json!({
        "schema_version": "cavra.persistent_api.stores.v1",
        "product": PRODUCT,
        "total": items.len(),
        "items": items,
    })
}
