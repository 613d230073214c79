//! Whether a backup could be put back: its files are there, are what the manifest says, and are stores that can be read.

use std::path::Path;

use cavra_model::Timestamp;
use cavra_store::{Location, Mode, check_copy};
use serde_json::{Value, json};

use super::PRODUCT;
use super::manifest::{ATTACHMENT, Entry, Manifest};
use crate::CoreError;

/// Checks every file of a backup; answers what was found, and whether all is well.
///
/// # Errors
/// [`CoreError::BadRequest`] for a manifest that is missing or is none.
pub fn verify_backup(manifest: &Path) -> Result<(Value, bool), CoreError> {
    let manifest = Manifest::read(manifest)?;
    let items: Vec<Value> = manifest.entries().map(|entry| item(&manifest, entry)).collect();
    let all = items.iter().all(|item| item.get("status").and_then(Value::as_str) != Some("fail"));
    let document = json!({
        "schema_version": "cavra.persistent_api.backup_verification.v1", "product": PRODUCT,
        "verified_at": Timestamp::now(), "source_manifest": manifest.file.display().to_string(),
        "status": if all { "pass" } else { "fail" }, "items": items,
    });
    Ok((document, all))
}

fn item(manifest: &Manifest, entry: &Entry) -> Value {
    let (status, problem) = match checked(manifest, entry) {
        Ok(true) => ("pass", None),
        Ok(false) => ("missing", None),
        Err(error) => ("fail", Some(error.to_string())),
    };
    json!({ "name": entry.name, "backup_path": entry.backup_path, "status": status, "problem": problem })
}

/// Whether there is a file; then it can be read.
fn checked(manifest: &Manifest, entry: &Entry) -> Result<bool, CoreError> {
    let Some(checked) = manifest.check(entry)? else { return Ok(false) };
    let place = manifest.tree.absolute().join(checked.path.as_str());
    match entry.kind.as_str() {
        ATTACHMENT => {}
        kind if kind == Mode::Sqlite.as_str() => check_copy(&Location::Sqlite(place))?,
        _ => check_copy(&Location::Json(place))?,
    }
    Ok(true)
}
