//! `*.sig.json`: detached signatures over the bytes of one file each.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cavra_evidence::{Findings, PublicKey};
use cavra_model::{Digest, Object};

use super::core::{RELEASE_EVIDENCE, listed};
use super::{Inspection, PackageOptions, SIGNED_LIMIT, read_object};
use crate::findings::AboutFiles as _;
use crate::members::filled;
use cavra_artifacts::{Inside, Tree};

pub(super) const SUFFIX: &str = ".sig.json";
const SCHEMA: &str = "cavra.go-release.signature.v1";

/// A signature file and what became of it: the subject that is signed, or why the signature does not hold.
pub(super) struct Signature {
    file: Inside,
    outcome: Result<String, String>,
}

impl Signature {
    /// Its file, if it holds.
    pub(super) fn verified(&self) -> Option<String> {
        self.outcome.is_ok().then(|| self.file.to_string())
    }
}

/// Verifies every signature there is.
pub(super) fn read(tree: &Tree, files: &[Inside], options: &PackageOptions) -> Vec<Signature> {
    let signatures = files.iter().filter(|file| file.as_str().ends_with(SUFFIX));
    signatures.map(|file| Signature { file: file.clone(), outcome: verify(tree, file, options) }).collect()
}

fn verify(tree: &Tree, file: &Inside, options: &PackageOptions) -> Result<String, String> {
    let signature = match read_object(tree, file.as_str()) {
        Ok(signature) => signature.ok_or_else(|| "the file is missing".to_owned())?,
        Err(_) => return Err("it is no JSON object".to_owned()),
    };
    let member = |name: &str| filled(&signature, name).ok_or_else(|| format!("{name} is missing"));
    if member("schema_version")? != SCHEMA {
        return Err(format!("schema_version is not {SCHEMA}"));
    }
    if member("algorithm")? != "Ed25519" {
        return Err("the algorithm is not Ed25519".to_owned());
    }
    let subject = member("subject")?;
    let path = Inside::new(subject).ok_or_else(|| format!("{subject:?} is no path inside the package"))?;
    let key = signer(&signature, options)?;
    let value = STANDARD.decode(member("value")?).map_err(|_| "the value is not base64".to_owned())?;
    // The very bytes that are verified are the ones that are hashed.
    let bytes = tree.read(&path, SIGNED_LIMIT).map_err(|error| format!("{subject}: {error}"))?;
    if Digest::of(&bytes).hex() != member("subject_sha256")? {
        return Err(format!("subject_sha256 is not the digest of {subject}"));
    }
    if !key.verifies(&bytes, &value) {
        return Err(format!("the signature of {subject} does not verify"));
    }
    Ok(subject.to_owned())
}

/// The key a signature brings along, if it may have signed.
fn signer(signature: &Object, options: &PackageOptions) -> Result<PublicKey, String> {
    let pem = filled(signature, "public_key_pem").ok_or_else(|| "public_key_pem is missing".to_owned())?;
    let key = PublicKey::from_pem(pem).map_err(|error| error.to_string())?;
    if filled(signature, "public_key_sha256") != Some(key.fingerprint()) {
        return Err("public_key_sha256 is not the fingerprint of the key".to_owned());
    }
    if options.signers.as_ref().is_some_and(|trusted| !trusted.contains(&key)) {
        return Err("the key is none of the trusted ones".to_owned());
    }
    Ok(key)
}

/// Every signature holds, and every artifact and the release evidence have one. Signatures are not signed again.
pub(super) fn check(package: &Inspection, findings: &mut Findings) {
    let mut signed = BTreeSet::new();
    for signature in &package.signatures {
        match &signature.outcome {
            Ok(subject) => drop(signed.insert(subject.clone())),
            Err(problem) => findings.wrong(&signature.file, problem),
        }
    }
    let artifacts = listed(package).map(|path| path.to_string()).filter(|path| !path.ends_with(SUFFIX));
    let wanted: BTreeSet<String> = artifacts.chain([RELEASE_EVIDENCE.to_owned()]).collect();
    for path in wanted.difference(&signed) {
        findings.lacking(package.options.require_signatures, path, "there is no signature of it that holds");
    }
    if package.options.signers.is_none() && !signed.is_empty() {
        findings.warn(format!(
            "*{SUFFIX}: the signatures bring their own keys: they prove consistency, not origin (no trust root was given)"
        ));
    }
}
