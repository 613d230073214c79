//! Verifying the evidence of a rollout.

use std::path::{Path, PathBuf};

use cavra_evidence::{Check, Findings, Report};
use cavra_model::{Digest, Object};
use serde::Serialize;
use serde_json::{Value, json};

use super::{CHECKSUMMED, ROLLOUT_EVIDENCE, ROLLOUT_KIND, ROLLOUT_STATUSES, ROLLOUT_SUMMARY, SCHEMA};
use crate::checksums::{Checksums, unreadable};
use crate::findings::AboutFiles as _;
use crate::members::{built, filled, list, object, objects, sorted, texts};
use crate::package::{DOCUMENT_LIMIT, Package, PackageOptions, PackageReport, verify_package};
use cavra_artifacts::{Inside, Reach, Tree};

/// What is verified along with the evidence.
#[derive(Clone, Debug, Default)]
pub struct RolloutOptions {
    /// The release package; default is the one the evidence names.
    pub package_dir: Option<PathBuf>,
    /// The package has to be there and to verify.
    pub require_package: bool,
    /// How strictly.
    pub package: PackageOptions,
}

/// What a verification showed.
#[derive(Clone, Debug, Serialize)]
pub struct RolloutReport {
    /// The directory.
    pub rollout_dir: String,
    /// Nothing is wrong.
    pub valid: bool,
    /// What is wrong.
    pub errors: Vec<String>,
    /// What somebody should know.
    pub warnings: Vec<String>,
    /// The rollout; empty if the evidence does not say.
    pub rollout_id: String,
    /// Files that match `checksums.txt`.
    pub verified_artifacts: Vec<String>,
    /// Ids, sorted.
    pub deployment_targets: Vec<String>,
    /// The record that clients post as evidence metadata.
    pub metadata: Object,
    /// What verifying the package showed.
    pub package_verification: Option<PackageReport>,
}

/// A rollout that was looked through.
#[derive(Debug)]
pub struct VerifiedRollout {
    /// What was found.
    pub report: RolloutReport,
    /// The evidence.
    pub evidence: Object,
}

/// The rollout, read once: what the checks look at.
struct Inspection {
    unread: Vec<String>,
    evidence: Object,
    checksums: Checksums,
    package: Source,
    require_package: bool,
}

/// The release package of a rollout.
enum Source {
    Verified(Box<Package>),
    /// There, but not to be verified.
    Plain(Tree),
    None,
}

const CHECKS: [Check<Inspection>; 5] = [
    Check::new("files can be read", |rollout, findings| rollout.unread.iter().for_each(|text| findings.error(text))),
    Check::new("evidence", evidence),
    Check::new("checksums", checksums),
    Check::new("source artifacts", source_artifacts),
    Check::new("release package", package),
];

/// Verifies the rollout evidence in a directory. The package the evidence names is only looked for within `reach`.
#[must_use]
pub fn verify_rollout(tree: &Tree, reach: &Reach, options: &RolloutOptions) -> VerifiedRollout {
    let (inspection, digest) = Inspection::read(tree, reach, options);
    let found = Report::of(&inspection, &CHECKS);
    let evidence = inspection.evidence;
    let targets = sorted(target_ids(&evidence));
    let report = RolloutReport {
        rollout_dir: tree.shown().to_owned(),
        valid: found.is_valid(),
        errors: found.errors().to_vec(),
        warnings: found.warnings().to_vec(),
        rollout_id: filled(&evidence, "rollout_id").unwrap_or_default().to_owned(),
        verified_artifacts: inspection.checksums.verified(),
        metadata: record(&evidence, tree.absolute(), &targets, digest.as_ref()),
        deployment_targets: targets,
        package_verification: match inspection.package {
            Source::Verified(package) => Some(package.report),
            Source::Plain(_) | Source::None => None,
        },
    };
    VerifiedRollout { report, evidence }
}

impl Inspection {
    fn read(tree: &Tree, reach: &Reach, options: &RolloutOptions) -> (Self, Option<Digest>) {
        let (evidence, digest, unread) = match read_evidence(tree) {
            Ok((evidence, digest)) => (evidence, Some(digest), Vec::new()),
            Err(problem) => (Object::new(), None, vec![problem]),
        };
        let named = options.package_dir.clone().or_else(|| filled(&evidence, "package_dir").map(PathBuf::from));
        let package = match named.and_then(|path| reach.open(&path).ok()) {
            Some(tree) if options.require_package => Source::Verified(Box::new(verify_package(tree, &options.package))),
            Some(tree) => Source::Plain(tree),
            None => Source::None,
        };
        let checksums = Checksums::verify(tree);
        let require_package = options.require_package;
        (Self { unread, evidence, checksums, package, require_package }, digest)
    }
}

fn read_evidence(tree: &Tree) -> Result<(Object, Digest), String> {
    let path = Inside::new(ROLLOUT_EVIDENCE).ok_or_else(|| format!("missing file: {ROLLOUT_EVIDENCE}"))?;
    let bytes = tree.read(&path, DOCUMENT_LIMIT).map_err(|error| unreadable(&path, &error))?;
    match cavra_model::read_json(&bytes) {
        Ok(Value::Object(evidence)) => Ok((evidence, Digest::of(&bytes))),
        _ => Err(format!("{ROLLOUT_EVIDENCE}: it is no JSON object")),
    }
}

/// Ids of the deployment targets, in the evidence's order.
pub(crate) fn target_ids(evidence: &Object) -> Vec<String> {
    objects(evidence, "deployment_targets")
        .iter()
        .filter_map(|target| filled(target, "id").map(ToOwned::to_owned))
        .collect()
}

fn evidence(rollout: &Inspection, findings: &mut Findings) {
    let evidence = &rollout.evidence;
    if evidence.is_empty() {
        return;
    }
    let file = ROLLOUT_EVIDENCE;
    findings.expect(
        filled(evidence, "schema_version") == Some(SCHEMA),
        file,
        format!("schema_version is not {SCHEMA}"),
    );
    for member in ["rollout_id", "change_record"] {
        findings.expect(filled(evidence, member).is_some(), file, format!("{member} is missing"));
    }
    let known = filled(evidence, "status").is_some_and(|status| ROLLOUT_STATUSES.contains(&status));
    findings.expect(known, file, format!("status is none of {}", ROLLOUT_STATUSES.join(", ")));
    let targets = list(evidence, "deployment_targets");
    findings.expect(!targets.is_empty(), file, "deployment_targets is missing or empty");
    findings.expect(target_ids(evidence).len() == targets.len(), file, "a deployment target has no id");
    let checksummed = texts(evidence, "controls").contains(&CHECKSUMMED);
    findings.expect(checksummed, file, format!("controls do not contain {CHECKSUMMED}"));
}

fn checksums(rollout: &Inspection, findings: &mut Findings) {
    rollout.checksums.errors.iter().for_each(|problem| findings.error(problem));
    for (file, required) in [(ROLLOUT_EVIDENCE, true), (ROLLOUT_SUMMARY, false)] {
        if Inside::new(file).is_none_or(|path| rollout.checksums.digest(&path).is_none()) {
            findings.lacking(required, file, "the file is not listed in checksums.txt");
        }
    }
}

fn source_artifacts(rollout: &Inspection, findings: &mut Findings) {
    let tree = match &rollout.package {
        Source::Verified(package) => &package.tree,
        Source::Plain(tree) => tree,
        Source::None => return,
    };
    let empty = Object::new();
    let artifacts = object(&rollout.evidence, "source_artifacts").unwrap_or(&empty);
    if artifacts.is_empty() {
        findings.warn(format!("{ROLLOUT_EVIDENCE}: it names no source artifacts of the package"));
    }
    for (name, artifact) in artifacts {
        let member = |member: &str| artifact.get(member).and_then(Value::as_str);
        let Some(path) = member("path").and_then(Inside::new) else {
            findings.wrong(ROLLOUT_EVIDENCE, format!("source artifact {name} has no path inside the package"));
            continue;
        };
        match tree.sha256(&path) {
            Ok(found) if member("sha256") == Some(&found) => {}
            Ok(_) => findings.error(format!("source artifact mismatch: {path}")),
            Err(error) => findings.error(format!("source artifact {path}: {error}")),
        }
    }
}

fn package(rollout: &Inspection, findings: &mut Findings) {
    match &rollout.package {
        Source::Verified(package) => {
            package.report.errors.iter().for_each(|problem| findings.error(format!("release package: {problem}")));
            package.report.warnings.iter().for_each(|note| findings.warn(format!("release package: {note}")));
        }
        Source::Plain(_) => findings.warn("release package: it was not verified"),
        Source::None if rollout.require_package => {
            findings.error("rollout evidence package_dir is missing or invalid");
        }
        Source::None => findings.warn("release package: there is none within reach"),
    }
}

/// The record of a rollout, kind `managed-endpoint-rollout`.
fn record(evidence: &Object, directory: &Path, targets: &[String], digest: Option<&Digest>) -> Object {
    let member = |name: &str| evidence.get(name).cloned().unwrap_or(Value::Null);
    built(json!({
        "schema_version": "cavra.evidence.metadata.v1",
        "product": "CAVRA",
        "session_id": member("rollout_id"),
        "metadata_kind": ROLLOUT_KIND,
        "bundle_dir": directory.display().to_string(),
        "created_at": member("created_at"),
        "signer": member("actor"),
        "decision_count": 0,
        "blocked_count": 0,
        "approval_required_count": 0,
        "rollout_id": member("rollout_id"),
        "environment": member("environment"),
        "rollout_ring": member("rollout_ring"),
        "rollout_status": member("status"),
        "change_record": member("change_record"),
        "release": member("release"),
        "deployment_target_count": targets.len(),
        "deployment_targets": targets,
        "artifact_sha256": digest.map(Digest::hex),
    }))
}
