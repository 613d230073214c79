//! Reconciliation: what endpoints report, compared with what a release says they should run.

use std::collections::{BTreeMap, BTreeSet};

use cavra_inventory::{UNKNOWN_TARGET, read_time};
use cavra_model::{Object, Timestamp, members};
use serde_json::{Value, json};

use crate::ids::of_document;
use crate::record::{Documented, Header, member, record};
use crate::{AlertLevel, Refusal};

/// `metadata_kind` of its record.
pub const RECONCILIATION_KIND: &str = "managed-endpoint-reconciliation";
/// Schema of desired manifests.
const MANIFEST_SCHEMA: &str = "cavra.go-runtime.endpoint-deployment.v1";
/// Schema of observations.
const OBSERVATIONS_SCHEMA: &str = "cavra.endpoint-observations.v1";

/// What is compared, and what is known of it.
#[derive(Clone, Debug)]
pub struct Reconciliation<'a> {
    /// The desired manifest.
    pub manifest: &'a Object,
    /// The observations.
    pub observed: &'a Object,
    /// From how many hours on an observation is stale.
    pub stale_after_hours: u64,
    /// What was established about the manifest's signature.
    pub manifest_verification: Value,
    /// What was established about the release package that the manifest came from.
    pub package_verification: Value,
    /// Only the targets that this provider manages.
    pub only_provider: Option<&'a str>,
}

/// What was found about an endpoint, in the order in which findings are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    VersionDrift,
    BinaryDrift,
    Unverified,
    Stale,
}

impl Finding {
    fn as_str(self) -> &'static str {
        match self {
            Self::VersionDrift => "version_drift",
            Self::BinaryDrift => "binary_drift",
            Self::Unverified => "unverified_observation",
            Self::Stale => "stale_observation",
        }
    }

    fn severity(self) -> AlertLevel {
        match self {
            Self::VersionDrift | Self::BinaryDrift => AlertLevel::Critical,
            Self::Unverified | Self::Stale => AlertLevel::Warning,
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::VersionDrift => "runs another version than the release",
            Self::BinaryDrift => "has another binary than the release",
            Self::Unverified => "reports neither version nor digest of the runtime",
            Self::Stale => "was not seen lately",
        }
    }
}

/// Counters over a comparison.
#[derive(Debug, Default)]
struct Summary {
    desired: usize,
    observed: usize,
    compliant: usize,
    drifted: usize,
    missing: usize,
    unknown: usize,
    stale: usize,
    unverified: usize,
}

/// Everything that keeps a manifest and observations from being compared.
#[must_use]
pub fn manifest_problems(manifest: &Object, observed: &Object) -> Vec<String> {
    let mut problems = Vec::new();
    let schema = |document: &Object, wanted: &str, name: &str, problems: &mut Vec<String>| {
        if members::text(document, "schema_version") != wanted {
            problems.push(format!("{name} schema_version is not {wanted}"));
        }
    };
    schema(manifest, MANIFEST_SCHEMA, "desired_manifest", &mut problems);
    schema(observed, OBSERVATIONS_SCHEMA, "observed_inventory", &mut problems);
    match manifest.get("deployment_targets") {
        None | Some(Value::Null | Value::Array(_)) => {
            let ids: Vec<_> = desired(manifest).filter_map(|target| members::filled(target, "id")).collect();
            if ids.is_empty() {
                problems.push("desired_manifest has no deployment_targets with an id".to_owned());
            }
            let mut seen = BTreeSet::new();
            let twice: BTreeSet<_> = ids.iter().filter(|id| !seen.insert(**id)).collect();
            problems
                .extend(twice.iter().map(|id| format!("desired_manifest has two deployment_targets with the id {id}")));
        }
        Some(_) => problems.push("desired_manifest deployment_targets is not a list".to_owned()),
    }
    if !matches!(observed.get("endpoints"), None | Some(Value::Null | Value::Array(_))) {
        problems.push("observed_inventory endpoints is not a list".to_owned());
    }
    problems
}

/// The targets of a manifest that are objects.
fn desired(manifest: &Object) -> impl Iterator<Item = &Object> {
    members::list(manifest, "deployment_targets").iter().filter_map(Value::as_object)
}

/// Compares, and makes the report.
///
/// # Errors
/// [`Refusal::Document`] with everything that is wrong with manifest and observations.
pub fn reconcile(about: &Reconciliation<'_>, now: Timestamp) -> Result<Documented, Refusal> {
    let problems = manifest_problems(about.manifest, about.observed);
    if !problems.is_empty() {
        return Err(Refusal::Document(problems));
    }
    let (items, summary, targets) = compare(about, now);
    let level = summary.level();
    let status = if level == AlertLevel::Healthy { "aligned" } else { "drift_detected" };
    let release = json!({
        "version": member(about.manifest, "version"),
        "commit": member(about.manifest, "commit"),
        "repository": member(about.manifest, "repository"),
    });
    let material = json!({
        "version": member(about.manifest, "version"), "commit": member(about.manifest, "commit"),
        "observed_at": member(about.observed, "observed_at"), "endpoints": member(about.observed, "endpoints"),
    });
    let id = of_document("mer_", &material);
    let observed_at = members::filled(about.observed, "observed_at").map_or_else(|| json!(now), |time| json!(time));
    let evaluation = json!({
        "target_scope": if about.only_provider.is_some() { "provider" } else { "all" },
        "stale_after_hours": about.stale_after_hours,
    });
    let channel = member(about.observed, "channel");
    let document = json!({
        "schema_version": "cavra.endpoint-reconciliation.v1",
        "product": "CAVRA",
        "component": "go-enforcement-plane",
        "reconciliation_id": id,
        "created_at": now,
        "observed_at": observed_at,
        "drift_status": status,
        "alert_level": level.as_str(),
        "release": release,
        "channel": channel,
        "evaluation": evaluation,
        "deployment_targets": targets,
        "summary": summary.document(),
        "desired_manifest": about.manifest,
        "observed_inventory": about.observed,
        "drift_items": items,
        "controls": [
            "signed-endpoint-deployment-manifest-compared",
            "observed-endpoint-inventory-normalized",
            "runtime-version-drift-detected",
            "binary-checksum-drift-detected",
            "stale-endpoint-observations-flagged",
        ],
        "package_verification": about.package_verification,
        "manifest_verification": about.manifest_verification,
    });
    let header = Header {
        kind: RECONCILIATION_KIND,
        id: &id,
        created_at: now,
        signer: "endpoint-reconciliation",
        decisions: 0,
        blocked: (summary.drifted + summary.missing) as u64,
        approvals: 0,
    };
    let mut content = members::built(json!({
        "reconciliation_id": id,
        "drift_status": status,
        "alert_level": level.as_str(),
        "release": release,
        "observed_at": observed_at,
        "channel": channel,
        "evaluation": evaluation,
        "deployment_targets": targets,
        "drift_items": items,
        "report": document,
    }));
    content.extend(members::built(summary.document()));
    let record = record(&header, Value::Object(content));
    Ok(Documented { id, document, record, warnings: Vec::new() })
}

impl Summary {
    fn level(&self) -> AlertLevel {
        if self.drifted + self.missing > 0 {
            AlertLevel::Critical
        } else if self.stale + self.unknown + self.unverified > 0 {
            AlertLevel::Warning
        } else {
            AlertLevel::Healthy
        }
    }

    fn document(&self) -> Value {
        json!({
            "desired_target_count": self.desired,
            "observed_endpoint_count": self.observed,
            "compliant_endpoint_count": self.compliant,
            "drifted_endpoint_count": self.drifted,
            "missing_target_count": self.missing,
            "unknown_target_count": self.unknown,
            "stale_endpoint_count": self.stale,
            "unverified_endpoint_count": self.unverified,
        })
    }
}

/// The drift, the counters and the desired targets' ids.
fn compare(about: &Reconciliation<'_>, now: Timestamp) -> (Vec<Value>, Summary, Vec<String>) {
    let endpoints: Vec<&Object> = members::objects(about.observed, "endpoints");
    let mut by_target: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for endpoint in &endpoints {
        let target = members::filled(endpoint, "deployment_target").or_else(|| members::filled(endpoint, "target_id"));
        by_target.entry(target.unwrap_or(UNKNOWN_TARGET)).or_default().push(endpoint);
    }
    let every: BTreeMap<&str, &Object> =
        desired(about.manifest).filter_map(|target| Some((members::filled(target, "id")?, target))).collect();
    let managed = |target: &Object| about.only_provider.is_none_or(|wanted| crate::provider_of(target) == wanted);
    let wanted: BTreeMap<&str, &Object> =
        every.iter().filter(|(_, target)| managed(target)).map(|(id, target)| (*id, *target)).collect();
    let mut summary = Summary { desired: wanted.len(), observed: endpoints.len(), ..Summary::default() };
    let version = member(about.manifest, "version");
    let mut items = Vec::new();
    for (id, target) in &wanted {
        let digest = member(target, "binary_sha256");
        let observed = by_target.get(id).map(Vec::as_slice).unwrap_or_default();
        if observed.is_empty() {
            summary.missing += 1;
            items.push(json!({
                "type": "missing_observation", "severity": "critical", "deployment_target": id,
                "expected_version": version, "expected_binary_sha256": digest,
                "message": format!("no endpoint reports deployment target {id}"),
            }));
        }
        for endpoint in observed {
            items.extend(judge(id, endpoint, &version, &digest, about.stale_after_hours, now, &mut summary));
        }
    }
    for (id, observed) in by_target.iter().filter(|(id, _)| !every.contains_key(**id)) {
        summary.unknown += 1;
        for endpoint in observed {
            items.push(json!({
                "type": "unknown_deployment_target", "severity": "warning", "endpoint_id": endpoint_id(endpoint),
                "deployment_target": id, "observed_version": observed_version(endpoint),
                "message": format!("{} reports {id}, which is no deployment target of the release", endpoint_id(endpoint)),
            }));
        }
    }
    (items, summary, wanted.keys().map(|id| (*id).to_owned()).collect())
}

/// What is wrong with one endpoint, if anything is.
fn judge(
    target: &str,
    endpoint: &Object,
    version: &Value,
    digest: &Value,
    stale_after_hours: u64,
    now: Timestamp,
    summary: &mut Summary,
) -> Option<Value> {
    let (own_version, own_digest) = (observed_version(endpoint), observed_digest(endpoint));
    let differs = |wanted: &Value, found: &Value, form: fn(&str) -> String| {
        known(wanted).zip(known(found)).is_some_and(|(wanted, found)| form(&wanted) != form(&found))
    };
    let mut findings = Vec::new();
    if differs(version, &own_version, plain_version) {
        findings.push(Finding::VersionDrift);
    }
    if differs(digest, &own_digest, |text| text.trim().to_ascii_lowercase()) {
        findings.push(Finding::BinaryDrift);
    }
    if known(&own_version).is_none() && known(&own_digest).is_none() {
        findings.push(Finding::Unverified);
        summary.unverified += 1;
    }
    if is_stale(endpoint, stale_after_hours, now) {
        findings.push(Finding::Stale);
        summary.stale += 1;
    }
    let Some(severity) = findings.iter().map(|finding| finding.severity()).max() else {
        summary.compliant += 1;
        return None;
    };
    if severity == AlertLevel::Critical {
        summary.drifted += 1;
    }
    let id = endpoint_id(endpoint);
    let sentences: Vec<_> = findings.iter().map(|finding| finding.sentence()).collect();
    Some(json!({
        "type": findings.iter().map(|finding| finding.as_str()).collect::<Vec<_>>().join(","),
        "severity": severity.as_str(),
        "endpoint_id": id,
        "deployment_target": target,
        "expected_version": version,
        "observed_version": own_version,
        "expected_binary_sha256": digest,
        "observed_binary_sha256": own_digest,
        "last_seen_at": endpoint.get("last_seen_at").filter(|value| !value.is_null()).cloned().unwrap_or_else(|| json!("")),
        "message": format!("{id} on {target} {}", sentences.join(", ")),
    }))
}

fn endpoint_id(endpoint: &Object) -> String {
    let given = ["endpoint_id", "id"].iter().filter_map(|name| endpoint.get(*name)).find_map(known);
    given.unwrap_or_else(|| "unknown-endpoint".to_owned())
}

fn observed_version(endpoint: &Object) -> Value {
    first_known(endpoint, ["installed_version", "version"])
}

fn observed_digest(endpoint: &Object) -> Value {
    first_known(endpoint, ["binary_sha256", "installed_binary_sha256"])
}

fn first_known(endpoint: &Object, names: [&str; 2]) -> Value {
    let given = names.iter().filter_map(|name| endpoint.get(*name)).find(|value| known(value).is_some());
    given.cloned().unwrap_or(Value::Null)
}

/// A value that says something, as a text.
fn known(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A version without blanks around it and without one `v` before it, which some vendors drop.
fn plain_version(version: &str) -> String {
    let version = version.trim();
    version.strip_prefix(['v', 'V']).unwrap_or(version).to_owned()
}

fn is_stale(endpoint: &Object, hours: u64, now: Timestamp) -> bool {
    let Some(seen) = endpoint.get("last_seen_at").filter(|value| known(value).is_some()) else { return false };
    read_time(seen).is_none_or(|seen| seen.as_microsecond() < now.minus_hours(hours).as_micros())
}
