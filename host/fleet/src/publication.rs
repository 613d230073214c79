//! Publication: an export, sent to the endpoint-management tools that it was made for.

use std::collections::BTreeMap;

use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::Refusal;
use crate::ids::{delivery_record_id, publication_id};
use crate::record::{Header, member, record};

/// `metadata_kind` of the record of a publication's delivery.
pub const PUBLICATION_KIND: &str = "endpoint-management-publication-delivery";
/// Schema of an export's manifest.
pub const MANIFEST_SCHEMA: &str = "cavra.endpoint-management-export.v1";
/// The manifest of an export.
pub const EXPORT_MANIFEST: &str = "endpoint-management-export-manifest.json";
/// What every publication needs.
const ALWAYS: [&str; 3] = ["checksums.txt", EXPORT_MANIFEST, "endpoint-management-export-manifest.md"];
/// The tools, with the files that each needs; the first one is what is sent.
const FILES: [(&str, &[&str]); 3] = [
    ("intune", &["intune-win32-app.json"]),
    ("jamf", &["jamf-policy.json"]),
    ("linux", &["linux-fleet-manifest.json", "linux-install-cavra-runtime.sh"]),
];

/// What is published.
#[derive(Clone, Debug)]
pub struct Publication<'a> {
    /// Id of the export.
    pub export_id: &'a str,
    /// Its record.
    pub export: &'a Object,
    /// Its manifest.
    pub manifest: &'a Object,
    /// The tools that are sent to, sorted.
    pub providers: Vec<&'a str>,
    /// What was asked for: `all` or one of them.
    pub asked: &'a str,
    /// Who asked.
    pub requested_by: &'a str,
    /// The files that were verified, with digest and size; none if the export has no directory.
    pub files: BTreeMap<String, (String, u64)>,
    /// The body for each tool.
    pub payloads: Object,
}

/// The tools that an export is published to.
///
/// # Errors
/// [`Refusal::Request`] if the manifest or what is asked for does not fit.
pub fn publication_providers<'a>(manifest: &'a Object, asked: &str) -> Result<Vec<&'a str>, Refusal> {
    let refuse = |text: String| Err(Refusal::Request(text));
    if members::text(manifest, "schema_version") != MANIFEST_SCHEMA {
        return refuse(format!("the manifest's schema_version is not {MANIFEST_SCHEMA}"));
    }
    let mut own = members::texts(manifest, "providers");
    own.sort_unstable();
    own.dedup();
    if own.is_empty() {
        return refuse("the manifest names no providers".to_owned());
    }
    let known = |name: &str| FILES.iter().any(|(provider, _)| *provider == name);
    if let Some(unknown) = own.iter().find(|name| !known(name)) {
        return refuse(format!("the manifest names an unknown provider: {unknown}"));
    }
    let asked = asked.trim().to_lowercase();
    if asked == "all" {
        return Ok(own);
    }
    if !known(&asked) {
        return refuse("provider must be all, jamf, intune or linux".to_owned());
    }
    own.retain(|name| *name == asked);
    if own.is_empty() { refuse(format!("the export was not made for {asked}")) } else { Ok(own) }
}

/// The file whose content is sent to a tool.
#[must_use]
pub fn provider_file(provider: &str) -> Option<&'static str> {
    FILES.iter().find(|(name, _)| *name == provider).and_then(|(_, files)| files.first()).copied()
}

/// The files that have to be there and intact for a publication to these tools, by name.
#[must_use]
pub fn needed_files(providers: &[&str]) -> Vec<&'static str> {
    let own = FILES.iter().filter(|(name, _)| providers.contains(name)).flat_map(|(_, files)| files.iter().copied());
    ALWAYS.into_iter().chain(own).collect()
}

/// The event of a publication.
#[must_use]
pub fn publication_event(about: &Publication<'_>, now: Timestamp) -> Object {
    let manifest = about.manifest;
    let release = manifest.get("release").or_else(|| about.export.get("release")).cloned().unwrap_or(Value::Null);
    let version = release.get("version").and_then(Value::as_str);
    let channel = members::filled(manifest, "channel").or_else(|| members::filled(about.export, "channel"));
    let id = publication_id(about.export_id, channel, version, &about.providers);
    let approval = members::object(manifest, "approval").cloned().unwrap_or_default();
    let artifacts: Vec<_> = needed_files(&about.providers)
        .into_iter()
        .map(|name| match about.files.get(name) {
            Some((sha256, bytes)) => json!({"artifact": name, "sha256": sha256, "bytes": bytes}),
            None => json!({"artifact": name}),
        })
        .collect();
    members::built(json!({
        "schema_version": "cavra.endpoint-management-publication.v1",
        "product": "CAVRA",
        "event_type": "cavra.endpoint_management_export_publication",
        "event_id": id,
        "publication_id": id,
        "export_id": about.export_id,
        "session_id": about.export_id,
        "created_at": now,
        "requested_by": about.requested_by,
        "channel": channel,
        "provider": about.asked,
        "providers": about.providers,
        "release": release,
        "approval": {
            "required": approval.get("required").cloned().unwrap_or(Value::Bool(true)),
            "approval_id": member(&approval, "approval_id"),
            "request_id": member(&approval, "request_id"),
        },
        "controls": [
            "endpoint-export-metadata-indexed",
            "endpoint-export-artifacts-checksummed",
            "endpoint-publication-provider-selected",
            "endpoint-publication-delivery-recorded",
        ],
        "artifacts": artifacts,
        "artifact_verification": if about.files.is_empty() { "unverified" } else { "verified" },
        "provider_payloads": about.payloads,
        "manifest": manifest,
    }))
}

/// The record of a delivery of `event`; `delivery` is what the connectors answered.
#[must_use]
pub fn publication_record(event: &Object, delivery: &Object, now: Timestamp) -> Object {
    let results = members::objects(delivery, "deliveries");
    let providers: Vec<_> = results.iter().map(|result| members::text(result, "provider")).collect();
    let succeeded = |result: &Object| result.get("success").and_then(Value::as_bool) == Some(true);
    let failed: Vec<_> =
        results.iter().filter(|result| !succeeded(result)).map(|result| members::text(result, "provider")).collect();
    let attempts: Vec<_> =
        results.iter().map(|result| result.get("attempt_count").and_then(Value::as_u64).unwrap_or(0)).collect();
    let generated = members::filled(delivery, "generated_at");
    let created = generated.and_then(|time| time.parse().ok()).unwrap_or(now);
    let id = delivery_record_id(members::text(event, "event_id"), generated.unwrap_or_default(), &providers);
    let header = Header {
        kind: PUBLICATION_KIND,
        id: &id,
        created_at: created,
        signer: "endpoint-management-publication",
        decisions: 0,
        blocked: failed.len() as u64,
        approvals: 0,
    };
    let mut content = members::built(json!({
        "approval_id": event.get("approval").and_then(|approval| approval.get("approval_id")),
        "delivery_success": member(delivery, "success"),
        "providers": providers,
        "failed_providers": failed,
        "attempt_count": attempts.iter().sum::<u64>(),
        "max_attempt_count": attempts.iter().max().copied().unwrap_or(0),
        "status_codes": results.iter().map(|result| member(result, "status_code")).collect::<Vec<_>>(),
        "delivery": delivery,
        "event": event,
    }));
    for name in [
        "event_id",
        "event_type",
        "publication_id",
        "export_id",
        "channel",
        "release",
        "artifacts",
        "artifact_verification",
    ] {
        content.insert(name.to_owned(), member(event, name));
    }
    record(&header, Value::Object(content))
}
