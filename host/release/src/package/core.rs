//! The release evidence and the checksums of what it lists.

use cavra_evidence::Findings;

use super::Inspection;
use crate::checksums::CHECKSUMS;
use crate::findings::AboutFiles as _;
use crate::members::{filled, list, objects};
use cavra_artifacts::Inside;

/// The document that says what the release is.
pub const RELEASE_EVIDENCE: &str = "release-evidence.json";

const SCHEMA: &str = "cavra.go-release.evidence.v1";

pub(super) fn release_evidence(package: &Inspection, findings: &mut Findings) {
    if package.evidence.is_empty() {
        // Said already when it could not be read.
        return;
    }
    let fits = filled(&package.evidence, "schema_version") == Some(SCHEMA);
    findings.expect(fits, RELEASE_EVIDENCE, format!("schema_version is not {SCHEMA}"));
    for member in ["version", "commit", "ref", "repository"] {
        findings.expect(filled(&package.evidence, member).is_some(), RELEASE_EVIDENCE, format!("{member} is missing"));
    }
    for member in ["controls", "artifacts"] {
        let filled = !list(&package.evidence, member).is_empty();
        findings.expect(filled, RELEASE_EVIDENCE, format!("{member} is missing or empty"));
    }
    for artifact in list(&package.evidence, "artifacts") {
        let whole = artifact.as_object().is_some_and(|artifact| {
            filled(artifact, "kind").is_some() && filled(artifact, "relative_path").and_then(Inside::new).is_some()
        });
        let problem = "an artifact has no kind, or no relative_path inside the package";
        findings.expect(whole, RELEASE_EVIDENCE, problem);
    }
}

/// Every artifact is listed in `checksums.txt`; that it matches was checked line by line.
pub(super) fn artifacts(package: &Inspection, findings: &mut Findings) {
    for path in listed(package).filter(|path| path.as_str() != CHECKSUMS) {
        let known = package.checksums.digest(&path).is_some();
        findings.expect(known, &path, format!("the artifact is not listed in {CHECKSUMS}"));
    }
}

/// Paths of the artifacts.
pub(super) fn listed(package: &Inspection) -> impl Iterator<Item = Inside> {
    let artifacts = objects(&package.evidence, "artifacts").into_iter();
    artifacts.filter_map(|artifact| filled(artifact, "relative_path").and_then(Inside::new))
}

/// Files that neither checksums nor a signature covers are no part of the release.
pub(super) fn unlisted(package: &Inspection, findings: &mut Findings) {
    let covered = |path: &Inside| {
        let name = path.as_str();
        name == CHECKSUMS || name == RELEASE_EVIDENCE || name.ends_with(super::SIGNATURE_SUFFIX)
    };
    for path in package.files.iter().filter(|path| !covered(path) && package.checksums.digest(path).is_none()) {
        findings.warn(format!("{path}: the file is not listed in {CHECKSUMS}"));
    }
}
