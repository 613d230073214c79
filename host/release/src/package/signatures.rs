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

/// What the name of a signature has after that of the file it signs.
pub const SIGNATURE_SUFFIX: &str = ".sig.json";
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
    let signatures = files.iter().filter(|file| file.as_str().ends_with(SIGNATURE_SUFFIX));
    signatures.map(|file| Signature { file: file.clone(), outcome: verify(tree, file, options) }).collect()
}

fn verify(tree: &Tree, file: &Inside, options: &PackageOptions) -> Result<String, String> {
    let signature = match read_object(tree, file.as_str()) {
        Ok(signature) => signature.ok_or_else(|| "the file is missing".to_owned())?,
        Err(_) => return Err("it is no JSON object".to_owned()),
    };
    let detached = Detached::read(&signature, options.signers.as_deref())?;
    let subject = filled(&signature, "subject").ok_or("subject is missing")?;
    let path = Inside::new(subject).ok_or_else(|| format!("{subject:?} is no path inside the package"))?;
    // The very bytes that are verified are the ones that are hashed.
    let bytes = tree.read(&path, SIGNED_LIMIT).map_err(|error| format!("{subject}: {error}"))?;
    detached.check(&bytes, subject)?;
    Ok(subject.to_owned())
}

/// Verifies a detached signature, the content of a `*.sig.json`, over the bytes of what it signs; answers the key that
/// signed. Without `signers` the key that the signature brings along counts, which proves consistency, not origin.
///
/// # Errors
/// What is wrong with it, as a sentence.
pub fn verify_detached(signature: &Object, bytes: &[u8], signers: Option<&[PublicKey]>) -> Result<PublicKey, String> {
    let detached = Detached::read(signature, signers)?;
    detached.check(bytes, "what is signed")?;
    Ok(detached.key)
}

/// A detached signature by a key that may have signed.
struct Detached {
    key: PublicKey,
    sha256: String,
    value: Vec<u8>,
}

impl Detached {
    fn read(signature: &Object, signers: Option<&[PublicKey]>) -> Result<Self, String> {
        let member = |name: &str| filled(signature, name).ok_or_else(|| format!("{name} is missing"));
        if member("schema_version")? != SCHEMA {
            return Err(format!("schema_version is not {SCHEMA}"));
        }
        if member("algorithm")? != "Ed25519" {
            return Err("the algorithm is not Ed25519".to_owned());
        }
        let key = PublicKey::from_pem(member("public_key_pem")?).map_err(|error| error.to_string())?;
        if filled(signature, "public_key_sha256") != Some(key.fingerprint()) {
            return Err("public_key_sha256 is not the fingerprint of the key".to_owned());
        }
        if signers.is_some_and(|trusted| !trusted.contains(&key)) {
            return Err("the key is none of the trusted ones".to_owned());
        }
        let value = STANDARD.decode(member("value")?).map_err(|_| "the value is not base64".to_owned())?;
        Ok(Self { key, sha256: member("subject_sha256")?.to_owned(), value })
    }

    fn check(&self, bytes: &[u8], subject: &str) -> Result<(), String> {
        if Digest::of(bytes).hex() != self.sha256 {
            return Err(format!("subject_sha256 is not the digest of {subject}"));
        }
        if !self.key.verifies(bytes, &self.value) {
            return Err(format!("the signature of {subject} does not verify"));
        }
        Ok(())
    }
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
    let artifacts = listed(package).map(|path| path.to_string()).filter(|path| !path.ends_with(SIGNATURE_SUFFIX));
    let wanted: BTreeSet<String> = artifacts.chain([RELEASE_EVIDENCE.to_owned()]).collect();
    for path in wanted.difference(&signed) {
        findings.lacking(package.options.require_signatures, path, "there is no signature of it that holds");
    }
    if package.options.signers.is_none() && !signed.is_empty() {
        findings.warn(format!(
            "*{SIGNATURE_SUFFIX}: the signatures bring their own keys: they prove consistency, not origin (no trust root was given)"
        ));
    }
}
