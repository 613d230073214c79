//! What a vendor's record says of cavra in its own places: lists of software, attributes and tags.

use serde_json::Value;

use crate::Object;
use crate::path::{first, member, says_something, values};
use crate::target::tail;
use crate::vendors::{Software, Vendor};

/// Facts found in a vendor's places, most telling first.
#[derive(Debug, Default)]
pub struct Found {
    /// Versions of the runtime.
    pub versions: Vec<Value>,
    /// Digests of its binary.
    pub digests: Vec<Value>,
    /// Deployment targets, as an attribute names them.
    pub targets: Vec<String>,
}

/// Everything that the lists, attributes and tags of a record say.
pub fn find(record: &Object, vendor: &Vendor) -> Found {
    let mut found = Found::default();
    vendor.software.iter().for_each(|list| installed(record, list, &mut found));
    vendor.attributes.iter().for_each(|path| attributes(record, path, &mut found));
    for text in vendor.tags.iter().flat_map(|path| values(record, path)).filter_map(Value::as_str) {
        found.versions.extend(tail(text, "cavra-version").map(Value::from));
        found.digests.extend(tail(text, "cavra-sha256").map(Value::from));
    }
    found
}

/// The first entry of a software list that is cavra's and has a version.
fn installed(record: &Object, list: &Software, found: &mut Found) {
    let entries = values(record, list.entries).into_iter().filter_map(Value::as_object);
    let ours: Vec<_> = entries.filter(|entry| is_ours(entry, list)).collect();
    let versioned = ours.iter().find(|entry| first(entry, "version").is_some()).or(ours.first());
    if let Some(entry) = versioned {
        found.versions.extend(first(entry, "version").cloned());
        found.digests.extend(first(entry, list.digest).cloned());
    }
}

fn is_ours(entry: &Object, list: &Software) -> bool {
    let texts = |paths: &[&'static str]| -> Vec<String> {
        let found = paths.iter().flat_map(|path| values(entry, path));
        found.filter_map(Value::as_str).map(str::to_lowercase).collect()
    };
    texts(list.names).iter().any(|name| is_our_name(name)) || texts(list.paths).iter().any(|path| is_our_path(path))
}

fn is_our_name(name: &str) -> bool {
    let stem = [".app", ".exe", ".pkg"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    let plain: String = stem.chars().filter(|c| !matches!(c, ' ' | '-' | '_')).collect();
    ["cavra", "cavraruntime", "cavragoruntime"].contains(&plain.as_str())
}

fn is_our_path(path: &str) -> bool {
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = name.strip_suffix(".exe").unwrap_or(name);
    ["cavra-runtime", "cavra"].contains(&stem)
}

/// Attributes that an administrator defined, by their names without blanks, dashes and underscores.
fn attributes(record: &Object, path: &str, found: &mut Found) {
    for attribute in values(record, path).into_iter().filter_map(Value::as_object) {
        let name = member(attribute, "name").and_then(Value::as_str).unwrap_or_default();
        let name: String =
            name.chars().filter(|c| !matches!(c, ' ' | '-' | '_')).map(|c| c.to_ascii_lowercase()).collect();
        let list = member(attribute, "values").and_then(Value::as_array).and_then(|values| values.first());
        let Some(value) = list.or_else(|| member(attribute, "value")).filter(|value| says_something(value)) else {
            continue;
        };
        match name.as_str() {
            "cavraversion" | "cavraruntimeversion" => found.versions.push(value.clone()),
            "cavrasha256" | "cavraruntimesha256" | "cavrabinarysha256" => found.digests.push(value.clone()),
            "cavratarget" | "cavradeploymenttarget" => {
                found.targets.extend(value.as_str().map(|text| text.trim().to_owned()));
            }
            _ => {}
        }
    }
}
