//! The desired manifest of a reconciliation: where it comes from, and whose signature it has.

use std::path::{Path, PathBuf};

use cavra_artifacts::{Inside, Reach, Tree};
use cavra_evidence::{PublicKey, pretty};
use cavra_model::{Digest, Object, members, read_json};
use cavra_release::{
    DEPLOYMENT, DEPLOYMENT_SIGNATURE, Document, PackageOptions, SIGNATURE_SUFFIX, Trust, signature_problems,
    verify_detached, verify_package,
};
use serde_json::{Value, json};

use super::fields::taken;
use crate::fields::{FIELD_LIMIT, text};
use crate::{CoreError, Settings, package_signers};

/// Largest signature file of a package.
const SIGNATURE_LIMIT: u64 = 1 << 20;
/// Largest manifest of a package.
const MANIFEST_LIMIT: u64 = 64 << 20;
/// What is needed of a package.
static NEEDED: [&Document; 1] = [&DEPLOYMENT];
/// What is said of a manifest that nobody signed.
const UNSIGNED: &str = "the desired manifest is not signed: nothing shows who made it";

/// Whose manifests count.
#[derive(Clone, Debug, Default)]
pub struct ManifestTrust {
    /// The keys that may have signed; nothing if any may.
    pub keys: Option<Vec<PublicKey>>,
    /// A manifest has to be signed.
    pub required: bool,
}

impl ManifestTrust {
    /// As the settings say, at this moment.
    ///
    /// # Errors
    /// [`CoreError::Configuration`] for trust roots that cannot be used.
    pub fn of(settings: &Settings) -> Result<Self, CoreError> {
        let roots = settings.endpoint_manifest_roots.as_deref().map(package_signers).transpose()?;
        let required = roots.is_some();
        // A key that is set and cannot be used trusts nobody, rather than everybody.
        let own = settings.release_keys.is_set().then(|| settings.release_keys.promotion_signers());
        let keys = match (roots, own) {
            (None, None) => None,
            (roots, own) => Some(roots.into_iter().chain(own).flatten().collect()),
        };
        Ok(Self { keys, required })
    }
}

/// A desired manifest as somebody gave it.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// The manifest.
    pub manifest: Option<Object>,
    /// The text of its file, which counts in its place.
    pub text: Option<String>,
    /// The detached signature of that text.
    pub signature: Option<Object>,
    /// The release package that it is in.
    pub package_dir: Option<PathBuf>,
}

/// A manifest, and what was established about it.
#[derive(Clone, Debug)]
pub struct Established {
    /// The manifest.
    pub manifest: Object,
    /// What is known of its signature.
    pub verification: Value,
    /// What is known of the package.
    pub package: Value,
    /// The package's directory.
    pub package_dir: Option<String>,
    /// Everything that is wrong.
    pub errors: Vec<String>,
    /// What somebody should know.
    pub warnings: Vec<String>,
}

impl Desired {
    /// Takes it out of a body.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] for members of the wrong type, and if there is none of it.
    pub(super) fn read(body: &mut Object) -> Result<Self, CoreError> {
        let desired = Self {
            manifest: taken(body, "desired_manifest")?,
            text: match body.remove("desired_manifest_text") {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => Some(text),
                Some(_) => return Err(CoreError::BadRequest("desired_manifest_text must be a text".to_owned())),
            },
            signature: taken(body, "desired_manifest_signature")?,
            package_dir: text(body, "package_dir", FIELD_LIMIT)?.map(PathBuf::from),
        };
        if desired.manifest.is_none() && desired.text.is_none() && desired.package_dir.is_none() {
            return Err(CoreError::BadRequest("desired_manifest is required".to_owned()));
        }
        Ok(desired)
    }

    /// Reads files and verifies signatures.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] for a package that is not below the artifact root; [`CoreError::Refused`] for one that does
    /// not verify, and for a text that is no manifest.
    pub fn establish(self, root: Option<PathBuf>, trust: &ManifestTrust) -> Result<Established, CoreError> {
        let refused = |errors: Vec<String>| CoreError::Refused { errors, warnings: Vec::new() };
        if let Some(directory) = self.package_dir.clone() {
            let root =
                root.ok_or_else(|| CoreError::BadRequest("evidence artifact root is not configured".to_owned()))?;
            return self.of_package(&Reach::Under(root), &directory, trust);
        }
        let (manifest, bytes) = match (self.text, self.manifest) {
            (Some(text), _) => match read_json(text.as_bytes()) {
                Ok(Value::Object(manifest)) => (manifest, text),
                _ => return Err(refused(vec!["desired_manifest_text is no JSON object".to_owned()])),
            },
            (None, manifest) => {
                let manifest = manifest.unwrap_or_default();
                let text = pretty(&Value::Object(manifest.clone()));
                (manifest, text)
            }
        };
        Ok(signed(manifest, &bytes, self.signature.as_ref(), trust))
    }

    /// The manifest of a release package, which is verified as a whole.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] for a directory out of reach; [`CoreError::Refused`] for a package that does not verify.
    pub fn of_package(self, reach: &Reach, directory: &Path, trust: &ManifestTrust) -> Result<Established, CoreError> {
        let outside = |error| CoreError::BadRequest(format!("package_dir: {error}"));
        let tree = reach.open(directory).map_err(outside)?;
        let options = PackageOptions { documents: &NEEDED, signers: trust.keys.clone(), ..PackageOptions::default() };
        let package = verify_package(tree, &options);
        let mut errors = package.report.errors.clone();
        let manifest = package.document(&DEPLOYMENT).cloned().unwrap_or_default();
        if self.manifest.as_ref().is_some_and(|given| *given != manifest) {
            errors.push("desired_manifest is not the one of the package".to_owned());
        }
        errors.extend(self.unfitting(&package.tree, &manifest, trust));
        if !errors.is_empty() {
            return Err(CoreError::Refused { errors, warnings: package.report.warnings });
        }
        let signature = Inside::new(&format!("{}{SIGNATURE_SUFFIX}", DEPLOYMENT.file))
            .and_then(|file| package.tree.read(&file, SIGNATURE_LIMIT).ok())
            .and_then(|bytes| read_json(&bytes).ok());
        let key = signature.as_ref().and_then(Value::as_object).and_then(key_in);
        Ok(Established {
            verification: verification(&manifest, "package", key.as_ref(), trust),
            warnings: package.report.warnings.clone(),
            package_dir: Some(package.report.package_dir.clone()),
            package: json!(package.report),
            errors: Vec::new(),
            manifest,
        })
    }
}

impl Desired {
    /// What was brought along and does not fit the package's manifest: a signature that is there has to hold.
    fn unfitting(&self, tree: &Tree, manifest: &Object, trust: &ManifestTrust) -> Vec<String> {
        let file = Inside::new(DEPLOYMENT.file).and_then(|file| tree.read(&file, MANIFEST_LIMIT).ok());
        let bytes = file.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let mut errors = Vec::new();
        if self.text.as_ref().is_some_and(|text| *text != bytes) {
            errors.push("desired_manifest_text is not that of the package".to_owned());
        }
        // Whether it has to be signed is a question about the package.
        let trust = ManifestTrust { required: false, ..trust.clone() };
        errors.extend(signed(manifest.clone(), &bytes, self.signature.as_ref(), &trust).errors);
        errors
    }
}

/// A manifest whose signature is beside it, inside it, or missing. One that is there has to hold.
fn signed(manifest: Object, bytes: &str, detached: Option<&Object>, trust: &ManifestTrust) -> Established {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    let (mut method, mut key) = ("none", None);
    if manifest.get("signature").is_some_and(|signature| !signature.is_null()) {
        let pinned = trust.keys.clone().map_or(Trust::Embedded, Trust::Pinned);
        errors.extend(
            signature_problems(&manifest, DEPLOYMENT_SIGNATURE, &pinned)
                .into_iter()
                .map(|problem| format!("desired_manifest: {problem}")),
        );
        (method, key) = ("embedded", members::object(&manifest, "signature").and_then(key_in));
    }
    if let Some(signature) = detached {
        match verify_detached(signature, bytes.as_bytes(), trust.keys.as_deref()) {
            Ok(signer) => (method, key) = ("detached", Some(signer)),
            Err(problem) => errors.push(format!("desired_manifest_signature: {problem}")),
        }
    }
    if method == "none" && errors.is_empty() {
        if trust.required {
            errors.push("the desired manifest has to be signed".to_owned());
        } else {
            warnings.push(UNSIGNED.to_owned());
        }
    }
    let verification = verification(&manifest, method, key.as_ref(), trust);
    Established { manifest, verification, package: Value::Null, package_dir: None, errors, warnings }
}

/// The key that a signature brings along.
fn key_in(signature: &Object) -> Option<PublicKey> {
    PublicKey::from_pem(members::filled(signature, "public_key_pem")?).ok()
}

/// What a report says about a manifest's signature.
fn verification(manifest: &Object, method: &str, key: Option<&PublicKey>, trust: &ManifestTrust) -> Value {
    let verified = method != "none";
    json!({
        "status": if verified { "verified" } else { "unsigned" },
        "method": method,
        "pinned": verified && trust.keys.is_some(),
        "key_id": key.map(PublicKey::key_id),
        "public_key_sha256": key.map(PublicKey::fingerprint),
        "manifest_sha256": Digest::of(pretty(&Value::Object(manifest.clone()))).hex(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cavra_evidence::SigningKey;
    use cavra_release::sign;

    fn manifest() -> Object {
        members::built(json!({"schema_version": "cavra.go-runtime.endpoint-deployment.v1", "version": "3.2.0"}))
    }

    fn detached(bytes: &str, key: &SigningKey) -> Object {
        let value = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, key.sign(bytes.as_bytes()));
        members::built(json!({"schema_version": "cavra.go-release.signature.v1", "algorithm": "Ed25519",
            "subject": DEPLOYMENT.file, "subject_sha256": Digest::of(bytes).hex(), "value": value,
            "public_key_pem": key.public().pem(), "public_key_sha256": key.public().fingerprint()}))
    }

    #[test]
    fn a_signature_that_is_there_has_to_hold() {
        let (ours, theirs) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let anybody = ManifestTrust::default();
        let pinned = ManifestTrust { keys: Some(vec![ours.public().clone()]), required: false };
        let required = ManifestTrust { required: true, ..pinned.clone() };
        let text = pretty(&Value::Object(manifest()));
        let mut inside = manifest();
        sign(&mut inside, DEPLOYMENT_SIGNATURE, &ours, "ann");
        let mut changed = inside.clone();
        changed.insert("version".to_owned(), json!("9"));
        let (good, foreign) = (detached(&text, &ours), detached(&text, &theirs));
        let other = detached("other", &ours);
        for (manifest, signature, trust, method, errors) in [
            (manifest(), None, &anybody, "none", 0),
            (manifest(), None, &pinned, "none", 0),
            (manifest(), None, &required, "none", 1),
            (manifest(), Some(&good), &anybody, "detached", 0),
            (manifest(), Some(&good), &required, "detached", 0),
            (manifest(), Some(&foreign), &anybody, "detached", 0),
            (manifest(), Some(&foreign), &pinned, "none", 1),
            (manifest(), Some(&other), &anybody, "none", 1),
            (inside.clone(), None, &required, "embedded", 0),
            (inside, Some(&good), &anybody, "embedded", 1),
            (changed, None, &anybody, "embedded", 2),
        ] {
            let bytes = pretty(&Value::Object(manifest.clone()));
            let found = signed(manifest, &bytes, signature, trust);
            assert_eq!(found.verification["method"], method, "{found:?}");
            assert_eq!(found.errors.len(), errors, "{found:?}");
            let pinned = method != "none" && trust.keys.is_some();
            assert_eq!(found.verification["pinned"], pinned, "{found:?}");
        }
    }
}
