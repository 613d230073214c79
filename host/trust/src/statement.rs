//! What a signer states about a plugin: an in-toto Statement v1 whose subjects are the package's files, in a DSSE envelope.
//! <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>

use std::collections::BTreeMap;

use cavra_documents::{DocumentError, Section, shown};
use cavra_evidence::{PAYLOAD_TYPE, STATEMENT_TYPE, SigningKey, countersign, sign_envelope};
use cavra_model::{Digest, Timestamp, canonical};
use serde_json::{Value, json};

use crate::package::known_file;
use crate::{Package, Refusal};

/// Type of the predicate: which plugin the files are.
pub const PREDICATE: &str = "urn:cavra:attestation:plugin:v1";

/// What was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its kind.
    pub kind: String,
    /// When it was signed, as the signer says.
    pub signed_at: Timestamp,
    /// Until when the signature counts.
    pub expires: Option<Timestamp>,
    /// Digests of the files.
    pub files: BTreeMap<&'static str, Digest>,
}

impl Statement {
    /// The statement about a package.
    #[must_use]
    pub fn about(package: &Package, signed_at: Timestamp, expires: Option<Timestamp>) -> Self {
        let manifest = &package.manifest;
        Self {
            name: manifest.name.to_string(),
            version: manifest.version.to_string(),
            kind: manifest.kind.to_string(),
            signed_at,
            expires,
            files: package.digests(),
        }
    }

    fn to_value(&self) -> Value {
        let subject = |(name, digest): (&&str, &Digest)| json!({"name": name, "digest": {"sha256": digest.hex()}});
        let mut predicate = json!({
            "name": self.name, "version": self.version, "kind": self.kind, "signed_at": self.signed_at,
        });
        if let (Some(expires), Some(members)) = (self.expires, predicate.as_object_mut()) {
            members.insert("expires".to_owned(), json!(expires));
        }
        json!({
            "_type": STATEMENT_TYPE,
            "subject": self.files.iter().map(subject).collect::<Vec<_>>(),
            "predicateType": PREDICATE,
            "predicate": predicate,
        })
    }

    /// Reads the payload of an envelope strictly.
    ///
    /// # Errors
    /// [`Refusal::Envelope`].
    pub fn read(payload: &[u8]) -> Result<Self, Refusal> {
        let document =
            cavra_model::read_json(payload).map_err(|error| Refusal::Envelope(format!("the statement: {error}")))?;
        Self::of(&document).map_err(|error| Refusal::Envelope(error.to_string()))
    }

    fn of(document: &Value) -> Result<Self, DocumentError> {
        let section = Section::document(document, &["_type", "subject", "predicateType", "predicate"])?;
        for (key, wanted) in [("_type", STATEMENT_TYPE), ("predicateType", PREDICATE)] {
            if section.required_text(key)? != wanted {
                return Err(section.wrong(key, &format!("must be {wanted}")));
            }
        }
        let mut files = BTreeMap::new();
        for subject in section.sections("subject", &["name", "digest"])? {
            let name = subject.required_text("name")?;
            let file = known_file(&name)
                .ok_or_else(|| subject.wrong("name", &format!("`{}` is no file of a plugin", shown(&name))))?;
            let digest =
                subject.section("digest", &["sha256"])?.ok_or_else(|| subject.wrong("digest", "is required"))?;
            let digest = digest_of(&digest, "sha256", &format!("sha256:{}", digest.required_text("sha256")?))?;
            if files.insert(file, digest).is_some() {
                return Err(subject.wrong("name", "is there twice"));
            }
        }
        let keys = ["name", "version", "kind", "signed_at", "expires"];
        let predicate =
            section.section("predicate", &keys)?.ok_or_else(|| section.wrong("predicate", "is required"))?;
        let signed_at = time(&predicate, "signed_at")?.ok_or_else(|| predicate.wrong("signed_at", "is required"))?;
        Ok(Self {
            name: predicate.required_text("name")?,
            version: predicate.required_text("version")?,
            kind: predicate.required_text("kind")?,
            signed_at,
            expires: time(&predicate, "expires")?,
            files,
        })
    }

    /// That it is about this package, and about all of it.
    ///
    /// # Errors
    /// [`Refusal::OtherBytes`], [`Refusal::Renamed`].
    pub fn covers(&self, package: &Package) -> Result<(), Refusal> {
        let there = package.digests();
        let files = there.keys().chain(self.files.keys());
        if let Some(file) = files.into_iter().find(|file| there.get(*file) != self.files.get(*file)) {
            return Err(Refusal::OtherBytes { file: (*file).to_owned() });
        }
        let manifest = &package.manifest;
        let signed = format!("{} {} {}", shown(&self.kind), shown(&self.name), shown(&self.version));
        let claimed = format!("{} {} {}", manifest.kind, manifest.name, manifest.version);
        if signed == claimed { Ok(()) } else { Err(Refusal::Renamed { signed, claimed }) }
    }
}

/// A signature of a package; with `envelope`, one more on it, and the statement stays as it is.
///
/// # Errors
/// [`Refusal::Envelope`], and [`Refusal::OtherBytes`] or [`Refusal::Renamed`] if the envelope is about something else.
pub fn sign(
    package: &Package,
    (key, key_id): (&SigningKey, &str),
    now: Timestamp,
    expires: Option<Timestamp>,
    envelope: Option<&Value>,
) -> Result<Value, Refusal> {
    let Some(envelope) = envelope else {
        let statement = canonical(&Statement::about(package, now, expires).to_value());
        return Ok(sign_envelope(PAYLOAD_TYPE, statement.as_bytes(), key, key_id));
    };
    let (payload, signed) =
        countersign(envelope, PAYLOAD_TYPE, key, key_id).map_err(|error| Refusal::Envelope(error.to_string()))?;
    Statement::read(&payload)?.covers(package)?;
    Ok(signed)
}

/// A time as RFC 3339 has it.
pub(crate) fn time(section: &Section<'_>, key: &str) -> Result<Option<Timestamp>, DocumentError> {
    let wrong = || section.wrong(key, "must be a time such as 2031-01-01T00:00:00Z");
    section.text(key)?.map(|text| text.parse().map_err(|_| wrong())).transpose()
}

/// A `sha256:` digest.
pub(crate) fn digest_of(section: &Section<'_>, key: &str, text: &str) -> Result<Digest, DocumentError> {
    let digits = text.strip_prefix("sha256:").unwrap_or_default();
    let well_formed = digits.len() == 64 && digits.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    let digest = well_formed.then(|| serde_json::from_value(json!(text)).ok()).flatten();
    digest.ok_or_else(|| section.wrong(key, "must be sha256: and 64 hex digits in lower case"))
}
