//! An in-toto statement about a bundle, in an envelope that anybody can verify without cavra.
//! <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cavra_artifacts::ReadError;
use cavra_model::members::text;
use cavra_model::{Object, canonical, read_json};
use serde_json::{Value, json};

use crate::bundle::{BUNDLE_FILES, EVIDENCE, MANIFEST};
use crate::checks::{Check, Report};
use crate::dsse::{open_envelope, sign_envelope};
use crate::folder::{BundleFileError, BundleFolder, FileFault};
use crate::tally::{Tally, decisions};
use crate::{PublicKey, SigningKey};

/// Media type of the payload.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Type of in-toto statements.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// Type of the predicate: a session's evidence bundle, with what it shows in numbers.
pub const PREDICATE: &str = "urn:cavra:attestation:evidence-bundle:v1";

/// The statement about a bundle: every file of it by digest, and what the session was.
///
/// # Errors
/// [`BundleFileError`] if the bundle cannot be read.
pub fn bundle_statement(folder: &BundleFolder) -> Result<Value, BundleFileError> {
    let mut subjects = Vec::new();
    for name in BUNDLE_FILES.into_iter().filter(|name| folder.holds(name)) {
        let measured =
            folder.measure(name).map_err(|fault| BundleFileError { path: folder.path().join(name), fault })?;
        subjects.push(json!({ "name": name, "digest": { "sha256": measured.sha256 } }));
    }
    Ok(json!({
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": PREDICATE,
        "predicate": predicate(folder)?,
    }))
}

/// What the session was, as its bundle shows it.
fn predicate(folder: &BundleFolder) -> Result<Object, BundleFileError> {
    let (manifest, evidence) = (folder.json(MANIFEST)?, folder.json(EVIDENCE)?);
    let decisions: Vec<&Object> = decisions(evidence.get("decisions")).collect();
    let tally = Tally::of(decisions.iter().copied());
    let packs: BTreeMap<&str, &str> =
        decisions.iter().map(|decision| (text(decision, "policy_pack"), text(decision, "policy_digest"))).collect();
    let members = [
        ("session_id", json!(evidence.get("session_id"))),
        ("created_at", json!(manifest.get("created_at"))),
        ("signer", json!(manifest.get("signer"))),
        ("decision_count", json!(decisions.len())),
        ("allowed_count", json!(tally.allowed)),
        ("blocked_count", json!(tally.blocked)),
        ("approval_required_count", json!(tally.approval_required)),
        ("policy_packs", json!(packs)),
        ("manifest_signature", json!(manifest.get("signature"))),
    ];
    Ok(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The statement about a bundle in a signed envelope.
///
/// # Errors
/// [`BundleFileError`] if the bundle cannot be read.
pub fn attest_bundle(folder: &BundleFolder, key: &SigningKey, key_id: &str) -> Result<Value, BundleFileError> {
    let statement = canonical(&bundle_statement(folder)?);
    Ok(sign_envelope(PAYLOAD_TYPE, statement.as_bytes(), key, key_id))
}

/// Verifies an envelope against the bundle it is about: who signed, what kind of statement it is, and that it speaks
/// about exactly the files that are there.
#[must_use]
pub fn verify_statement(directory: &Path, envelope: &Value, keys: &[&PublicKey]) -> Report {
    let opened = open_envelope(envelope, PAYLOAD_TYPE, keys);
    let statement = opened
        .map_err(|error| error.to_string())
        .and_then(|(payload, _)| read_json(&payload).map_err(|_| "the statement is not JSON".to_owned()));
    Report::of(&Subject { folder: BundleFolder::open(directory).ok(), statement }, &CHECKS)
}

struct Subject {
    folder: Option<BundleFolder>,
    statement: Result<Value, String>,
}

const CHECKS: [Check<Subject>; 6] = [
    Check::gate("envelope", |subject, found| {
        if let Err(why) = &subject.statement {
            found.error(why);
        }
    }),
    Check::new("statement", |subject, found| {
        found.require(subject.member("_type") == STATEMENT_TYPE, "statement type mismatch");
        found.require(subject.member("predicateType") == PREDICATE, "predicate type mismatch");
    }),
    Check::new("subjects", |subject, found| {
        let subjects = subject.subjects();
        for needed in [EVIDENCE, MANIFEST] {
            found.require(
                subjects.iter().any(|(name, _)| *name == needed),
                format!("statement does not cover {needed}"),
            );
        }
        // Each of them counts, so that the wrong one of two that have the same name is found.
        for (name, digest) in subjects {
            match subject.measure(name) {
                Ok(measured) => found.require(measured == digest, format!("checksum mismatch: {name}")),
                Err(fault) if fault.is_missing() => found.error(format!("missing file: {name}")),
                Err(fault) => found.error(format!("unreadable file: {name:?} ({fault})")),
            }
        }
    }),
    Check::new("subject names", |subject, found| {
        let mut names = BTreeSet::new();
        for (name, _) in subject.subjects() {
            found.require(names.insert(name), format!("two subjects are named {name:?}"));
        }
    }),
    Check::new("predicate", |subject, found| {
        let Some(bundle) = subject.folder.as_ref().and_then(|folder| predicate(folder).ok()) else {
            return found.error("the bundle cannot be read to compare the predicate with it");
        };
        let stated = subject.statement.as_ref().ok().and_then(|statement| statement.get("predicate"));
        for (member, expected) in &bundle {
            let same = stated.and_then(|stated| stated.get(member)).unwrap_or(&Value::Null) == expected;
            found.require(same, format!("predicate mismatch: {member}"));
        }
    }),
    Check::new("uncovered files", |subject, found| {
        let subjects = subject.subjects();
        for name in BUNDLE_FILES.into_iter().filter(|name| !subjects.iter().any(|(covered, _)| covered == name)) {
            let there = subject.folder.as_ref().is_some_and(|folder| folder.holds(name));
            found.require(!there, format!("file is not covered: {name}"));
        }
    }),
];

impl Subject {
    fn member(&self, name: &str) -> &str {
        let statement = self.statement.as_ref().ok();
        statement.and_then(|statement| statement.get(name)?.as_str()).unwrap_or_default()
    }

    /// Names and digests; a subject without one has an empty digest, which nothing has.
    fn subjects(&self) -> Vec<(&str, &str)> {
        let subjects = self.statement.as_ref().ok().and_then(|statement| statement.get("subject")?.as_array());
        subjects
            .into_iter()
            .flatten()
            .map(|subject| {
                let name = subject.get("name").and_then(Value::as_str).unwrap_or_default();
                (name, subject.pointer("/digest/sha256").and_then(Value::as_str).unwrap_or_default())
            })
            .collect()
    }

    fn measure(&self, name: &str) -> Result<String, FileFault> {
        let folder = self.folder.as_ref().ok_or(ReadError::Missing)?;
        Ok(folder.measure(name)?.sha256)
    }
}
