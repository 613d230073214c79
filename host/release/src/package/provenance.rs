//! The SLSA provenance of a package: an in-toto statement.

use cavra_evidence::Findings;
use cavra_model::Object;
use serde_json::Value;

use super::Inspection;
use crate::checksums::CHECKSUMS;
use crate::findings::AboutFiles as _;
use crate::members::{filled, list, object};
use cavra_artifacts::Inside;

/// The file.
pub const PROVENANCE: &str = "cavra-runtime.provenance.intoto.json";

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://slsa.dev/provenance/v1";

/// Checks the provenance. That a required one is missing was said when it could not be read.
pub(super) fn check(package: &Inspection, findings: &mut Findings) {
    let Some(statement) = &package.provenance else {
        if !package.options.require_provenance {
            findings.warn(format!("missing file: {PROVENANCE}"));
        }
        return;
    };
    for (member, wanted) in [("_type", STATEMENT), ("predicateType", PREDICATE)] {
        findings.expect(filled(statement, member) == Some(wanted), PROVENANCE, format!("{member} is not {wanted}"));
    }
    predicate(package, statement, findings);
    let subjects = list(statement, "subject");
    findings.expect(!subjects.is_empty(), PROVENANCE, "there is no subject");
    for subject in subjects {
        check_subject(package, subject, findings);
    }
}

fn predicate(package: &Inspection, statement: &Object, findings: &mut Findings) {
    let empty = Object::new();
    let predicate = object(statement, "predicate").unwrap_or(&empty);
    let definition = object(predicate, "buildDefinition").unwrap_or(&empty);
    findings.expect(filled(definition, "buildType").is_some(), PROVENANCE, "buildDefinition.buildType is missing");
    let parameters = object(definition, "externalParameters").unwrap_or(&empty);
    for member in ["version", "ref"] {
        let given = filled(parameters, member);
        let equal = given.is_some() && given == filled(&package.evidence, member);
        let problem = format!("externalParameters.{member} is not that of the release evidence");
        findings.expect(equal, PROVENANCE, problem);
    }
    let builder = object(predicate, "runDetails").and_then(|details| object(details, "builder"));
    let known = builder.is_some_and(|builder| filled(builder, "id").is_some());
    findings.expect(known, PROVENANCE, "runDetails.builder.id is missing");
}

fn check_subject(package: &Inspection, subject: &Value, findings: &mut Findings) {
    let empty = Object::new();
    let subject = subject.as_object().unwrap_or(&empty);
    let name = filled(subject, "name");
    let digest = object(subject, "digest").and_then(|digest| filled(digest, "sha256"));
    package.compare(PROVENANCE, name, digest, findings);
    if let Some(path) = name.and_then(Inside::new) {
        // `checksums.txt` cannot list itself.
        let agrees = path.as_str() == CHECKSUMS || package.checksums.digest(&path) == digest;
        findings.expect(agrees, PROVENANCE, format!("{path} has another digest in {CHECKSUMS}, or none"));
    }
}
