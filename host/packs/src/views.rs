//! Documents about packs: list, catalog, compliance mappings. docs/reference/decisions-and-policy.md, section 10.

use cavra_model::Object;
use serde_json::{Value, json};

use crate::Pack;

/// The sections that `rule_counts` counts.
const COUNTED: [&str; 7] = ["filesystem", "commands", "git", "mcp", "approvals", "evidence", "compliance"];

/// The catalog's `summary` of a document as written.
#[must_use]
pub fn summary(document: &Value) -> Value {
    let metadata = |key: &str| document.get("metadata").and_then(|metadata| metadata.get(key)).unwrap_or(&Value::Null);
    let mode = metadata("mode").as_str().filter(|mode| !mode.is_empty()).unwrap_or("enforce");
    let counts: Object =
        COUNTED.iter().map(|section| ((*section).to_owned(), document.get(section).map_or(0, count).into())).collect();
    json!({
        "policy_id": metadata("id"),
        "title": metadata("title"),
        "version": metadata("version"),
        "inherits": metadata("inherits"),
        "mode": mode,
        "rule_counts": counts,
    })
}

/// A list counts its length, a mapping the sum over its values, anything else 1 if it is truthy.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.values().map(count).sum(),
        Value::Null => 0,
        Value::Bool(flag) => usize::from(*flag),
        Value::Number(number) => usize::from(number.as_f64() != Some(0.0)),
        Value::String(text) => usize::from(!text.is_empty()),
    }
}

/// The bare array of `GET /policy-packs`: every pack with its document as written.
#[must_use]
pub fn listing(packs: &[Pack]) -> Value {
    packs.iter().map(|pack| Value::Object(row(pack, "policy", pack.document.clone()))).collect()
}

/// The document of `GET /policy-pack-catalog`.
#[must_use]
pub fn catalog(packs: &[Pack]) -> Value {
    let items: Vec<Object> = packs.iter().map(|pack| row(pack, "summary", summary_of(pack))).collect();
    json!({
        "schema_version": "cavra.policy_pack.catalog.v1",
        "product": "CAVRA",
        "total": items.len(),
        "items": items,
    })
}

fn summary_of(pack: &Pack) -> Value {
    let mut summary = summary(&pack.document);
    if let Some(id) = summary.get_mut("policy_id").filter(|id| !id.is_string()) {
        *id = pack.id().into();
    }
    summary
}

/// A row of a list. A pack with faults says so.
fn row(pack: &Pack, key: &str, value: Value) -> Object {
    let mut row = Object::new();
    row.insert("id".to_owned(), pack.id().into());
    row.insert("title".to_owned(), pack.title().into());
    row.insert("description".to_owned(), pack.description().into());
    row.insert("version".to_owned(), pack.version().into());
    row.insert(key.to_owned(), value);
    if !pack.errors.is_empty() {
        row.insert("valid".to_owned(), false.into());
        row.insert("errors".to_owned(), pack.errors.clone().into());
    }
    row
}

/// The bare array of `GET /compliance/mappings`: one item per pack and control, in the packs' order; with `policy_pack`
/// only those of the pack with that name or id.
#[must_use]
pub fn compliance_mappings(packs: &[Pack], policy_pack: Option<&str>) -> Value {
    let wanted = |pack: &&Pack| policy_pack.is_none_or(|name| name == pack.name.as_str() || name == pack.id());
    packs.iter().filter(wanted).flat_map(mappings).collect()
}

fn mappings(pack: &Pack) -> impl Iterator<Item = Value> {
    let controls = pack.document.pointer("/compliance/maps_to").and_then(Value::as_array);
    controls
        .into_iter()
        .flatten()
        .filter(|control| control.is_string())
        .map(|control| json!({"policy_pack": pack.id(), "title": pack.title(), "control": control}))
}

#[cfg(test)]
mod tests {
    use cavra_model::PackName;

    use super::*;
    use crate::PackOrigin;

    fn pack(document: Value) -> Pack {
        Pack {
            name: PackName::new("cavra-x").unwrap(),
            origin: PackOrigin::Directory,
            document,
            errors: Vec::new(),
            component: None,
            is_unverified: false,
        }
    }

    #[test]
    fn rules_are_counted_as_the_contract_says() {
        let document = json!({
            "metadata": {"id": "cavra-x", "inherits": ["a"]},
            "filesystem": {"block_read": ["a", "b"], "block_write": []},
            "git": {"a": true, "b": false, "c": 0, "d": 2.5, "e": "", "f": "x", "g": null, "h": ["m", "n"]},
            "mcp": {"risk_scoring": {"s": "low", "t": "high"}},
            "evidence": "text",
        });
        assert_eq!(
            summary(&document),
            json!({
                "policy_id": "cavra-x", "title": null, "version": null, "inherits": ["a"], "mode": "enforce",
                "rule_counts": {
                    "filesystem": 2, "commands": 0, "git": 5, "mcp": 2, "approvals": 0, "evidence": 1, "compliance": 0,
                },
            })
        );
    }

    #[test]
    fn a_pack_without_a_document_is_listed_with_its_faults() {
        let broken = Pack { errors: vec!["<root>: no".to_owned()], ..pack(Value::Null) };
        let rows = listing(std::slice::from_ref(&broken));
        assert_eq!(rows[0]["id"], "cavra-x");
        assert_eq!(rows[0]["valid"], false);
        assert_eq!(rows[0]["errors"], json!(["<root>: no"]));
        let catalog = catalog(&[broken]);
        assert_eq!(catalog["total"], 1);
        assert_eq!(catalog["items"][0]["summary"]["policy_id"], "cavra-x");
        assert_eq!(catalog["items"][0]["summary"]["rule_counts"]["commands"], 0);
    }

    #[test]
    fn mappings_are_one_per_control() {
        let packs = [
            pack(json!({"metadata": {"id": "cavra-x", "title": "X"}, "compliance": {"maps_to": ["b", "a"]}})),
            Pack { name: PackName::new("other").unwrap(), ..pack(json!({"compliance": {"maps_to": "broken"}})) },
        ];
        assert_eq!(
            compliance_mappings(&packs, None),
            json!([
                {"policy_pack": "cavra-x", "title": "X", "control": "b"},
                {"policy_pack": "cavra-x", "title": "X", "control": "a"},
            ])
        );
        assert_eq!(compliance_mappings(&packs, Some("other")), json!([]));
        assert_eq!(compliance_mappings(&packs, Some("nobody")), json!([]));
    }
}
