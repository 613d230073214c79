//! Verification of a bundle against its manifest. docs/reference/evidence-and-promotion.md, section 3.3.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cavra_artifacts::{Measured, ReadError};
use cavra_model::members::text;
use cavra_model::{Digest, Object, Timestamp};
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use crate::bundle::{BUNDLE_FILES, EVIDENCE, MANIFEST};
use crate::checks::{Check, Findings, Report};
use crate::folder::{BundleFolder, FileFault};
use crate::retention::RETENTION;
use crate::signing::{Secret, signed_text};
use crate::{PublicKey, TrustRoots};

const SCHEMA: &str = "cavra.evidence.bundle.v1";

/// What the signature of a manifest has to be made with.
#[derive(Clone, Debug, Default)]
pub enum ManifestTrust {
    /// Nothing is known: a checksum is checked, a keyed signature is not.
    #[default]
    Nothing,
    /// The key that signer and verifier share.
    Shared(Secret),
    /// The signer's public key.
    Key(PublicKey),
    /// Trust roots.
    Roots(TrustRoots),
}

/// What a verifier expects of a bundle.
#[derive(Clone, Debug)]
pub struct Expectations {
    /// What the signature has to be made with.
    pub trust: ManifestTrust,
    /// Key id that the signature has to name.
    pub key_id: Option<String>,
    /// Days that the evidence has to be kept at least.
    pub minimum_retention_days: Option<i64>,
    /// The time of the verification.
    pub now: Timestamp,
}

impl Expectations {
    /// No key, no minimum, the present.
    #[must_use]
    pub fn keyless() -> Self {
        Self { trust: ManifestTrust::Nothing, key_id: None, minimum_retention_days: None, now: Timestamp::now() }
    }
}

/// Verifies the bundle in a directory. Nothing outside the directory is read, whatever the manifest lists.
#[must_use]
pub fn verify_bundle(directory: &Path, expected: &Expectations) -> Report {
    let opened = BundleFolder::open(directory);
    Report::of(&Subject::read(opened.as_ref().map_err(|error| &error.fault), expected), &checks())
}

impl BundleFolder {
    /// As [`verify_bundle`], of what is open.
    #[must_use]
    pub fn verify(&self, expected: &Expectations) -> Report {
        Report::of(&Subject::read(Ok(self), expected), &checks())
    }
}

/// A bundle with what is expected of it.
struct Subject<'a> {
    folder: Option<&'a BundleFolder>,
    /// The manifest, or why there is none.
    manifest: Result<Object, String>,
    expected: &'a Expectations,
}

fn checks<'a>() -> [Check<Subject<'a>>; 7] {
    [
        Check::gate("manifest", |subject, found| {
            if let Err(why) = &subject.manifest {
                found.error(why);
            }
        }),
        Check::new("schema", |subject, found| {
            found.require(text(subject.manifest(), "schema_version") == SCHEMA, "unsupported manifest schema");
        }),
        Check::new("file list", file_list),
        Check::new("files", files),
        Check::new("unlisted files", unlisted_files),
        Check::new("signature", signature),
        Check::new("retention", retention),
    ]
}

impl<'a> Subject<'a> {
    fn read(opened: Result<&'a BundleFolder, &FileFault>, expected: &'a Expectations) -> Self {
        // Reports are answered over HTTP too, so they do not say where the bundle is.
        let fault = |fault: &FileFault| match fault {
            missing if missing.is_missing() => format!("missing manifest: {MANIFEST}"),
            other => format!("invalid manifest: {MANIFEST}: {other}"),
        };
        let folder = match opened {
            Ok(folder) => folder,
            Err(error) => return Self { folder: None, manifest: Err(fault(error)), expected },
        };
        let manifest = match folder.json(MANIFEST) {
            Ok(Value::Object(members)) => Ok(members),
            Ok(_) => Err(format!("invalid manifest: {MANIFEST}: no JSON object")),
            Err(error) => Err(fault(&error.fault)),
        };
        Self { folder: Some(folder), manifest, expected }
    }

    fn manifest(&self) -> &Object {
        static NONE: LazyLock<Object> = LazyLock::new(Object::new);
        self.manifest.as_ref().unwrap_or(&NONE)
    }

    /// Entries that name a file, with the name.
    fn listed(&self) -> impl Iterator<Item = (&str, &Object)> {
        let entries = self.manifest().get("files").and_then(Value::as_array).into_iter().flatten();
        entries.filter_map(Value::as_object).filter_map(|entry| Some((entry.get("path")?.as_str()?, entry)))
    }

    fn measure(&self, name: &str) -> Result<Measured, FileFault> {
        self.folder.ok_or(ReadError::Missing)?.measure(name)
    }
}

/// The list itself: not empty, complete, each entry well-formed and there once.
fn file_list(subject: &Subject<'_>, found: &mut Findings) {
    let entries = subject.manifest().get("files").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    found.require(!entries.is_empty(), "manifest lists no files");
    for (index, entry) in entries.iter().enumerate() {
        let is = |member: &str, shape: fn(&Value) -> bool| entry.get(member).is_some_and(shape);
        let well_formed = is("path", Value::is_string) && is("sha256", Value::is_string) && is("bytes", Value::is_u64);
        found.require(well_formed, format!("invalid manifest entry: {}", index + 1));
    }
    let mut seen = BTreeSet::new();
    for (name, _) in subject.listed() {
        found.require(seen.insert(name), format!("file listed twice: {}", shown(name)));
    }
    if !entries.is_empty() {
        found.require(seen.contains(EVIDENCE), format!("manifest does not list {EVIDENCE}"));
    }
}

/// Each listed file: there, in the bundle, and the one that was signed.
fn files(subject: &Subject<'_>, found: &mut Findings) {
    for (name, entry) in subject.listed() {
        let name_shown = shown(name);
        match subject.measure(name) {
            Ok(measured) => {
                let same_digest = text(entry, "sha256") == measured.sha256;
                found.require(same_digest, format!("checksum mismatch: {name_shown}"));
                let same_size = entry.get("bytes").and_then(Value::as_u64) == Some(measured.bytes);
                found.require(same_size, format!("size mismatch: {name_shown}"));
            }
            Err(fault) if fault.is_missing() => found.error(format!("missing file: {name_shown}")),
            Err(fault) if fault.is_unsafe() => {
                found.error(format!("unsafe file path: {name_shown} ({fault})"));
            }
            Err(fault) => found.error(format!("unreadable file: {name_shown} ({fault})")),
        }
    }
}

/// A file that readers would take for part of the bundle although nobody vouches for it.
fn unlisted_files(subject: &Subject<'_>, found: &mut Findings) {
    let listed: BTreeSet<_> = subject.listed().map(|(name, _)| name).collect();
    for name in BUNDLE_FILES.into_iter().filter(|name| *name != MANIFEST && !listed.contains(name)) {
        let there = subject.folder.is_some_and(|folder| folder.holds(name));
        found.require(!there, format!("unlisted file: {name}"));
    }
}

fn signature(subject: &Subject<'_>, found: &mut Findings) {
    let manifest = subject.manifest();
    let nothing = Object::new();
    let envelope = manifest.get("signature").and_then(Value::as_object).unwrap_or(&nothing);
    for member in envelope.keys().filter(|member| !SIGNATURE_MEMBERS.contains(&member.as_str())) {
        found.warn(format!("manifest signature has a member that nothing protects: {}", shown(member)));
    }
    let message = signed_text(manifest);
    let expected = subject.expected;
    match &expected.trust {
        ManifestTrust::Shared(key) => {
            found.require(text(envelope, "algorithm") == "HS256", "manifest signature algorithm is not HS256");
            let value = STANDARD.decode(text(envelope, "value")).unwrap_or_default();
            let same = bool::from(key.mac(message.as_bytes()).ct_eq(&value));
            found.require(same, "manifest signature mismatch");
        }
        ManifestTrust::Key(key) => signed_by(key, expected.key_id.as_deref(), envelope, &message, found),
        ManifestTrust::Roots(roots) => signed_by_root(roots, expected, manifest, envelope, &message, found),
        ManifestTrust::Nothing => unkeyed(expected.key_id.as_deref(), envelope, &message, found),
    }
}

/// What an envelope consists of.
const SIGNATURE_MEMBERS: [&str; 4] = ["algorithm", "key_id", "public_key_sha256", "value"];

fn signed_by(key: &PublicKey, key_id: Option<&str>, envelope: &Object, message: &str, found: &mut Findings) {
    if text(envelope, "algorithm") != "Ed25519" {
        found.error("manifest signature algorithm is not Ed25519");
        return found.error("manifest signature mismatch");
    }
    let same_key = text(envelope, "public_key_sha256") == key.fingerprint();
    found.require(same_key, "manifest public key fingerprint mismatch");
    if let Some(key_id) = key_id {
        found.require(text(envelope, "key_id") == key_id, "manifest key ID mismatch");
    }
    let value = STANDARD.decode(text(envelope, "value")).unwrap_or_default();
    found.require(key.verifies(message.as_bytes(), &value), "manifest signature mismatch");
}

fn signed_by_root(
    roots: &TrustRoots,
    expected: &Expectations,
    manifest: &Object,
    envelope: &Object,
    message: &str,
    found: &mut Findings,
) {
    let named = expected.key_id.as_deref().unwrap_or_else(|| text(envelope, "key_id"));
    let root = match roots {
        TrustRoots::One(root) => Some(&**root),
        TrustRoots::Many(_) => roots.select(named, text(envelope, "public_key_sha256")),
    };
    let Some(root) = root else {
        if text(envelope, "algorithm") != "Ed25519" {
            found.error("manifest signature algorithm is not Ed25519");
        }
        return found.error("matching trust root not found");
    };
    let key_id = expected.key_id.as_deref().unwrap_or(&root.key_id);
    found.require(root.key_id == key_id, "matching trust root not found");
    match root.standing(text(manifest, "created_at").parse().ok(), expected.now) {
        Ok(note) => note.into_iter().for_each(|note| found.warn(note)),
        Err(why) => found.error(why),
    }
    signed_by(&root.public_key, Some(key_id), envelope, message, found);
}

fn unkeyed(key_id: Option<&str>, envelope: &Object, message: &str, found: &mut Findings) {
    match text(envelope, "algorithm") {
        "SHA256" => {
            let same = text(envelope, "value") == Digest::of(message).hex();
            found.require(same, "manifest digest mismatch");
        }
        "HS256" | "Ed25519" => found.warn("signature not verified: no key"),
        "" => found.error("missing manifest signature"),
        _ => found.error("unknown manifest signature algorithm"),
    }
    if let Some(key_id) = key_id {
        found.require(text(envelope, "key_id") == key_id, "manifest key ID mismatch");
    }
}

fn retention(subject: &Subject<'_>, found: &mut Findings) {
    let Some(minimum) = subject.expected.minimum_retention_days else { return };
    let document = subject.folder.as_ref().and_then(|folder| folder.json(RETENTION).ok());
    match document {
        None => found.error("missing retention policy"),
        Some(document) => {
            let days = document.get("retention_days").and_then(Value::as_i64);
            found.require(days.is_some_and(|days| days >= minimum), "retention policy below minimum");
        }
    }
}

/// A name somebody else chose, for a line of its own: quoted and escaped unless it is harmless.
fn shown(name: &str) -> String {
    let harmless = !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic());
    if harmless { name.to_owned() } else { format!("{name:?}") }
}
