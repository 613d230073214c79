//! Ingestion: a vendor's export, read as observations of endpoints.

use std::collections::BTreeSet;

use cavra_inventory::{Normalized, UNKNOWN_TARGET};
use cavra_model::{Timestamp, members};
use serde_json::{Value, json};

use crate::ids::of_document;
use crate::record::{Documented, Header, record};

/// `metadata_kind` of its record.
pub const INGESTION_KIND: &str = "endpoint-inventory-ingestion";

/// What is known of an export beside its records.
#[derive(Clone, Debug, Default)]
pub struct Ingestion<'a> {
    /// Whose export it is.
    pub provider: &'a str,
    /// Release channel of the endpoints.
    pub channel: Option<&'a str>,
    /// When the vendor's tool saw what it exported, as it was given.
    pub observed_at: &'a str,
    /// Where it came from; a free label.
    pub source: Option<&'a str>,
    /// `schema_version` of the export.
    pub source_schema: Option<&'a str>,
}

/// The ingestion of an export: `document` is the ingestion, which holds the observations as `inventory`.
#[must_use]
pub fn ingest(about: &Ingestion<'_>, normalized: Normalized, now: Timestamp) -> Documented {
    let Normalized { endpoints, warnings } = normalized;
    let with = |name: &str| endpoints.iter().filter(|endpoint| endpoint.contains_key(name)).count();
    let targets = endpoints.iter().map(|endpoint| members::text(endpoint, "deployment_target"));
    let missing = targets.clone().filter(|target| *target == UNKNOWN_TARGET).count();
    let targets: BTreeSet<&str> = targets.collect();
    let (targets, count) = (json!(targets), endpoints.len());
    let (versions, checksums) = (with("installed_version"), with("binary_sha256"));
    let endpoints = json!(endpoints);
    let id = of_document(
        "eii_",
        &json!({
            "provider": about.provider, "channel": about.channel, "observed_at": about.observed_at,
            "endpoints": endpoints,
        }),
    );
    let inventory = json!({
        "schema_version": "cavra.endpoint-observations.v1",
        "product": "CAVRA",
        "provider": about.provider,
        "channel": about.channel,
        "observed_at": about.observed_at,
        "endpoints": endpoints,
        "source": about.source,
    });
    let document = json!({
        "schema_version": "cavra.endpoint-inventory-ingestion.v1",
        "product": "CAVRA",
        "inventory_id": id,
        "provider": about.provider,
        "created_at": now,
        "observed_at": about.observed_at,
        "channel": about.channel,
        "source": about.source,
        "source_schema_version": about.source_schema,
        "endpoint_count": count,
        "deployment_targets": targets,
        "missing_target_count": missing,
        "version_count": versions,
        "checksum_count": checksums,
        "inventory": inventory,
        "controls": [
            "provider-export-normalized",
            "no-connector-credentials-stored",
            "canonical-endpoint-observation-schema-emitted",
            "reconciliation-ready-inventory-generated",
        ],
        "warnings": warnings,
    });
    let header = Header {
        kind: INGESTION_KIND,
        id: &id,
        created_at: now,
        signer: "endpoint-inventory-ingestion",
        decisions: 0,
        blocked: 0,
        approvals: 0,
    };
    let content = json!({
        "inventory_id": id,
        "provider": about.provider,
        "channel": about.channel,
        "observed_at": about.observed_at,
        "endpoint_count": count,
        "deployment_targets": targets,
        "missing_target_count": missing,
        "version_count": versions,
        "checksum_count": checksums,
        "warnings": warnings,
        "inventory": inventory,
        "ingestion": document,
    });
    let record = record(&header, content);
    Documented { id, document, record, warnings }
}

/// The observations in an ingestion's record.
pub fn observations(record: &cavra_model::Object) -> Option<&Value> {
    record.get("inventory").filter(|inventory| inventory.is_object())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector() {
        let endpoint = json!({"endpoint_id": "lap-7", "deployment_target": "mac-ring-a",
            "installed_version": "3.1.0", "binary_sha256": "a".repeat(64), "last_seen_at": "2031-05-06T07:08:09Z",
            "hostname": "zoë-mbp", "provider": "jamf"});
        let normalized = Normalized { endpoints: vec![members::built(endpoint)], warnings: Vec::new() };
        let about = Ingestion {
            provider: "jamf",
            channel: Some("beta"),
            observed_at: "2031-05-06T07:10:00Z",
            ..Ingestion::default()
        };
        let made = ingest(&about, normalized, Timestamp::from_micros(0));
        assert_eq!(made.id, "eii_401782744a53");
        assert_eq!(made.record["session_id"], "eii_401782744a53");
        assert_eq!(made.document["version_count"], 1);
        assert_eq!(made.document["deployment_targets"], json!(["mac-ring-a"]));
        assert_eq!(made.record["ingestion"], made.document);
        assert_eq!(observations(&made.record), Some(&made.document["inventory"]));
    }
}
