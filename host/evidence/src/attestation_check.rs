//! Verification of an attestation against the evidence it speaks about. docs/reference/evidence-and-promotion.md, section 4.2.

use std::collections::BTreeSet;
use std::path::Path;

use cavra_model::Object;
use cavra_model::members::text;
use serde_json::{Value, json};

use crate::attestation::{TITLE, pr_attestation};
use crate::bundle::{ATTESTATION, EVIDENCE};
use crate::checks::{Check, Findings, Report};
use crate::documents::PRODUCT;
use crate::folder::BundleFolder;
use crate::markdown::code;
use crate::tally::decisions;

/// What the check of an attestation found.
#[derive(Clone, Debug)]
pub struct AttestationReport {
    /// Errors and warnings.
    pub report: Report,
    session_id: Option<String>,
    decision_count: usize,
    path: String,
}

/// Checks the attestation in a bundle: it has to be the one that its evidence gives, to the last character.
#[must_use]
pub fn verify_attestation(directory: &Path) -> AttestationReport {
    let subject = Subject::read(directory);
    AttestationReport {
        report: Report::of(&subject, &CHECKS),
        session_id: subject.evidence.is_some().then(|| subject.session_id().to_owned()),
        decision_count: subject.decisions().len(),
        path: directory.join(ATTESTATION).display().to_string(),
    }
}

impl AttestationReport {
    /// The report as a document.
    #[must_use]
    pub fn to_value(&self) -> Value {
        json!({
            "schema_version": "cavra.pr-attestation.verification.v1",
            "product": PRODUCT,
            "session_id": self.session_id,
            "valid": self.report.is_valid(),
            "errors": self.report.errors(),
            "decision_count": self.decision_count,
            "attestation_path": self.path,
        })
    }

    /// The report for people.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut out = format!(
            "# CAVRA PR Attestation Verification\n\nSession: {}\n\nAttestation: {}\n\nDecisions: {}\n\nResult: **{}**\n",
            code(self.session_id.as_deref().unwrap_or_default()),
            code(&self.path),
            self.decision_count,
            if self.report.is_valid() { "valid" } else { "invalid" },
        );
        if !self.report.is_valid() {
            out.push_str("\n## Errors\n\n");
            out.extend(self.report.errors().iter().map(|error| format!("- {}\n", code(error))));
        }
        out
    }
}

struct Subject {
    evidence: Option<Object>,
    attestation: Option<String>,
}

const CHECKS: [Check<Subject>; 5] = [
    Check::gate("files", |subject, found| {
        found.require(subject.attestation.is_some(), format!("missing {ATTESTATION}"));
        found.require(subject.evidence.is_some(), format!("missing {EVIDENCE}"));
    }),
    Check::new("title", |subject, found| {
        found.require(subject.attestation().starts_with(TITLE), "missing attestation title");
    }),
    Check::new("session", |subject, found| {
        let line = format!("Session: {}", code(subject.session_id()));
        found.require(subject.attestation().lines().any(|found| found == line), "session ID mismatch");
    }),
    Check::new("targets", targets),
    Check::new("content", |subject, found| {
        let rendered = pr_attestation(subject.session_id(), &subject.decisions());
        found.require(subject.attestation() == rendered, "attestation does not match evidence");
    }),
];

fn targets(subject: &Subject, found: &mut Findings) {
    let decisions = subject.decisions();
    let targets: BTreeSet<_> = decisions.iter().map(|decision| text(decision, "target")).collect();
    for target in targets {
        found.require(subject.attestation().contains(&code(target)), format!("missing decision target: {target}"));
    }
}

impl Subject {
    fn read(directory: &Path) -> Self {
        let Ok(folder) = BundleFolder::open(directory) else { return Self { evidence: None, attestation: None } };
        let attestation = folder.read(ATTESTATION).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let evidence = folder.json(EVIDENCE).ok().and_then(|value| match value {
            Value::Object(members) => Some(members),
            _ => None,
        });
        Self { evidence, attestation }
    }

    fn attestation(&self) -> &str {
        self.attestation.as_deref().unwrap_or_default()
    }

    fn session_id(&self) -> &str {
        self.evidence.as_ref().map(|evidence| text(evidence, "session_id")).unwrap_or_default()
    }

    /// The decisions, as the attestation was rendered from them.
    fn decisions(&self) -> Vec<Object> {
        decisions(self.evidence.as_ref().and_then(|evidence| evidence.get("decisions"))).cloned().collect()
    }
}
