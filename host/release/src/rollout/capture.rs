//! Capturing the evidence of a rollout from a verified package.

use cavra_evidence::pretty;
use cavra_model::{Digest, Object, Timestamp};
use serde_json::{Value, json};

use super::{CHECKSUMMED, ROLLOUT_EVIDENCE, ROLLOUT_STATUSES, ROLLOUT_SUMMARY, SCHEMA};
use crate::checksums::{CHECKSUMS, render};
use crate::members::{built, filled, objects};
use crate::package::{DEPLOYMENT, INSTALLERS, PROVENANCE, Package, RELEASE_EVIDENCE};
use crate::summary::Summary;
use cavra_artifacts::Inside;

/// What is rolled out, where and under whose responsibility.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Deployment targets of the package; none is all of them.
    pub deployment_ids: Vec<String>,
    /// Environment.
    pub environment: String,
    /// Id of the rollout; made from environment, version and time if there is none.
    pub rollout_id: Option<String>,
    /// Ring.
    pub rollout_ring: String,
    /// State of the rollout.
    pub status: String,
    /// Who rolls out.
    pub actor: String,
    /// Change record.
    pub change_record: String,
}

/// Members of a deployment target that the evidence takes over.
const TAKEN: [&str; 10] = [
    "id",
    "surface",
    "platform",
    "installer_target",
    "binary",
    "binary_sha256",
    "deployment_channel",
    "management_tool",
    "install_path",
    "verification_commands",
];

/// The evidence of a rollout of a package that verified with installers and endpoint deployment.
///
/// # Errors
/// All that keeps the rollout from being captured.
pub fn capture_rollout(package: &Package, capture: &Capture, now: Timestamp) -> Result<Object, Vec<String>> {
    let mut problems: Vec<String> =
        package.report.errors.iter().map(|problem| format!("release package: {problem}")).collect();
    let deployment = package.document(&DEPLOYMENT).map(|content| objects(content, "deployment_targets"));
    let known = deployment.unwrap_or_default();
    let wanted = |target: &&&Object| {
        let id = filled(target, "id").unwrap_or_default();
        capture.deployment_ids.is_empty() || capture.deployment_ids.iter().any(|wanted| wanted == id)
    };
    let targets: Vec<_> = known.iter().filter(wanted).map(|target| deployed(target)).collect();
    for id in &capture.deployment_ids {
        if !known.iter().any(|target| filled(target, "id") == Some(id)) {
            problems.push(format!("{}: there is no deployment target {id}", DEPLOYMENT.file));
        }
    }
    if !ROLLOUT_STATUSES.contains(&capture.status.as_str()) {
        problems.push(format!("the status is none of {}", ROLLOUT_STATUSES.join(", ")));
    }
    if capture.change_record.trim().is_empty() {
        problems.push("a change record is required".to_owned());
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(built(json!({
        "schema_version": SCHEMA,
        "product": "CAVRA",
        "component": "go-enforcement-plane",
        "rollout_id": capture.rollout_id.clone().unwrap_or_else(|| rollout_id(package, capture, now)),
        "environment": capture.environment,
        "rollout_ring": capture.rollout_ring,
        "status": capture.status,
        "actor": capture.actor,
        "change_record": capture.change_record,
        "created_at": now,
        "package_dir": package.tree.absolute().display().to_string(),
        "release": package.release(),
        "source_artifacts": source_artifacts(package),
        "deployment_targets": targets,
        "controls": [
            CHECKSUMMED,
            "signed-package-verified-before-rollout",
            "endpoint-deployment-manifest-reviewed",
            "rollout-change-record-linked",
            "rollback-plan-captured",
        ],
        "package_verification": package.report,
    })))
}

/// `{environment}-{version}-{UTC yyyymmddHHMMSS}`; a slash would be a directory.
fn rollout_id(package: &Package, capture: &Capture, now: Timestamp) -> String {
    let digits: String = now.to_string().chars().take(19).filter(char::is_ascii_digit).collect();
    format!("{}-{}-{digits}", capture.environment, package.version()).replace('/', "-")
}

/// A deployment target as the evidence keeps it, with a gate, steps back and required evidence of its own or ours.
fn deployed(target: &Object) -> Object {
    let mut kept: Object =
        TAKEN.iter().filter_map(|name| Some(((*name).to_owned(), target.get(*name)?.clone()))).collect();
    let member = |name: &str| filled(target, name).unwrap_or("the endpoint");
    let defaults = [
        ("rollout_gate", json!("smoke-installers-before-rollout")),
        (
            "rollback_steps",
            json!([
                format!("Deploy the previous release to {} with {}", member("id"), member("management_tool")),
                format!("Verify the binary at {} against the previous release's checksums", member("install_path")),
            ]),
        ),
        ("evidence_required", json!([CHECKSUMS, ROLLOUT_EVIDENCE])),
    ];
    for (name, default) in defaults {
        kept.insert(name.to_owned(), target.get(name).cloned().unwrap_or(default));
    }
    kept
}

/// The documents of the package that the rollout relies on, by name.
fn source_artifacts(package: &Package) -> Object {
    let rows = [
        ("release_evidence", RELEASE_EVIDENCE),
        ("checksums", CHECKSUMS),
        ("provenance", PROVENANCE),
        ("installers", INSTALLERS.file),
        ("endpoint_deployment", DEPLOYMENT.file),
    ];
    let artifact = |(name, file): (&str, &str)| {
        let digest = package.tree.sha256(&Inside::new(file)?).ok()?;
        Some((name.to_owned(), json!({ "path": file, "sha256": digest })))
    };
    rows.into_iter().filter_map(artifact).collect()
}

/// The three files of a rollout's directory; the checksums come last.
#[must_use]
pub fn rollout_files(evidence: &Object) -> Vec<(&'static str, String)> {
    let summary = Summary::of("CAVRA Rollout Evidence", evidence)
        .members(&["rollout_id", "environment", "rollout_ring", "status", "actor", "change_record", "created_at"])
        .release()
        .list("Deployment targets", super::verify::target_ids(evidence))
        .list("Controls", crate::members::texts(evidence, "controls"))
        .text();
    let json = pretty(&Value::Object(evidence.clone()));
    let digests = [(ROLLOUT_EVIDENCE, Digest::of(&json)), (ROLLOUT_SUMMARY, Digest::of(&summary))];
    let checksums = render(&digests.map(|(name, digest)| (name, digest.hex().to_owned())));
    vec![(ROLLOUT_EVIDENCE, json), (ROLLOUT_SUMMARY, summary), (CHECKSUMS, checksums)]
}
