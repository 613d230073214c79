//! Whether one package may follow another. docs/reference/evidence-and-promotion.md, section 12.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use semver::Version;
use serde::Serialize;

use crate::members::{filled, objects, texts};
use crate::package::{INSTALLERS, Package, PackageReport};

/// What the comparison showed.
#[derive(Clone, Debug, Serialize)]
pub struct UpgradeReport {
    /// The candidate may follow.
    pub valid: bool,
    /// What is wrong.
    pub errors: Vec<String>,
    /// What somebody should know.
    pub warnings: Vec<String>,
    /// Version in use.
    pub previous_version: String,
    /// Version that would follow.
    pub candidate_version: String,
    /// What verifying the package in use showed.
    pub previous: PackageReport,
    /// What verifying the candidate showed.
    pub candidate: PackageReport,
}

/// Compares two packages.
#[must_use]
pub fn check_upgrade(previous: &Package, candidate: &Package, allow_same_version: bool) -> UpgradeReport {
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    for (name, package) in [("previous", previous), ("candidate", candidate)] {
        errors.extend(package.report.errors.iter().map(|problem| format!("{name} package: {problem}")));
        warnings.extend(package.report.warnings.iter().map(|note| format!("{name} package: {note}")));
    }
    match versions(previous, candidate) {
        None => warnings.push("the versions cannot be compared: one of them is no semantic version".to_owned()),
        Some(Ordering::Greater) => {}
        Some(Ordering::Equal) if allow_same_version => {}
        Some(_) => {
            errors.push(format!("candidate version {} is not newer than {}", candidate.version(), previous.version()))
        }
    }
    for (what, of) in FEATURES {
        for removed in of(previous).difference(&of(candidate)) {
            errors.push(format!("candidate package: {what} {removed} was removed"));
        }
    }
    if filled(&previous.evidence, "commit").is_some()
        && previous.evidence.get("commit") == candidate.evidence.get("commit")
    {
        warnings.push("both packages were built from the same commit".to_owned());
    }
    UpgradeReport {
        valid: errors.is_empty(),
        errors,
        warnings,
        previous_version: previous.version().to_owned(),
        candidate_version: candidate.version().to_owned(),
        previous: previous.report.clone(),
        candidate: candidate.report.clone(),
    }
}

/// How the candidate's version compares; build metadata does not count.
fn versions(previous: &Package, candidate: &Package) -> Option<Ordering> {
    let version = |package: &Package| Version::parse(package.version().trim_start_matches(['v', 'V'])).ok();
    Some(version(candidate)?.cmp_precedence(&version(previous)?))
}

type Names = BTreeSet<String>;
/// What it is called, and how a package names all it has of it.
type Feature = (&'static str, fn(&Package) -> Names);

/// What a later package still has to have.
const FEATURES: [Feature; 3] = [
    ("artifact kind", |package| {
        let artifacts = objects(&package.evidence, "artifacts");
        artifacts.into_iter().filter_map(|artifact| filled(artifact, "kind").map(ToOwned::to_owned)).collect()
    }),
    ("binary target", |package| {
        let targets = package.document(&INSTALLERS).map(|content| objects(content, "targets")).unwrap_or_default();
        targets.into_iter().filter_map(|target| filled(target, "target").map(ToOwned::to_owned)).collect()
    }),
    ("control", |package| texts(&package.evidence, "controls").into_iter().map(ToOwned::to_owned).collect()),
];
