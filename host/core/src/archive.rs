//! What decisions were made with, kept by digest: merged policy documents and components. So a decision can be made again
//! when the pack has long changed and another version of cavra runs.
//!
//! A part is written in the same commit as the first decision it made, or, where it is large for the file of a JSON
//! store, in a file beside it before that commit. Nothing read from here is believed: a part that is not what its digest
//! says is never used.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cavra_builtin::POLICY_RULES;
use cavra_model::members::text;
use cavra_model::{Digest, Kind, Object, POLICY_ARCHIVE, Timestamp};
use cavra_packs::{MAX_COMPONENT_BYTES, ResolvedPack};
use cavra_plugins::{Origin, PackSource, Within};
use cavra_store::{Attachment, LargeBytes, RecordStore, StoreError, Transaction};
use serde_json::{Value, json};

use crate::CoreError;
use crate::decide::sources;

const DOCUMENT: &str = "application/json";
const COMPONENT: &str = "application/wasm";

/// How the record of a part says that its bytes are an attachment of the store.
const ATTACHED: &str = "attachment";

/// Largest part that is kept in its record, whatever the store is. A JSON store is written whole with every commit.
const LARGE: usize = 64 * 1024;

/// Digests remembered. More would be more policies than a process sees; forgetting costs one look into the store.
const REMEMBERED: usize = 4096;

/// Knows what is archived already, so that only the first decision of a policy has anything to write.
#[derive(Clone, Default)]
pub(crate) struct Archive {
    kept: Arc<RwLock<HashSet<String>>>,
}

/// Something that decides, to be archived.
pub(crate) struct Part {
    digest: String,
    bytes: Vec<u8>,
    /// Everything but the bytes.
    record: Object,
}

impl Archive {
    /// What decides for `pack` and is not known to be archived. It may be there all the same.
    pub(crate) fn unkept(&self, pack: &ResolvedPack) -> Vec<Part> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let mut parts = Vec::new();
        if !kept.contains(pack.digest.as_str()) {
            parts.push(Part::new(pack.digest.as_str(), DOCUMENT, pack.canonical.as_bytes()));
        }
        for source in sources(pack).filter(|source| !kept.contains(source.wasm_digest)) {
            let mut part = Part::new(source.wasm_digest, COMPONENT, source.wasm);
            part.record.insert("name".to_owned(), json!(source.plugin));
            part.record.insert("version".to_owned(), json!(source.version));
            parts.push(part);
        }
        parts
    }

    /// These are archived now.
    pub(crate) fn note(&self, digests: Vec<String>) {
        if digests.is_empty() {
            return;
        }
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= REMEMBERED {
            kept.clear();
        }
        kept.extend(digests);
    }
}

impl Part {
    fn new(digest: &str, media_type: &str, bytes: &[u8]) -> Self {
        let record = Object::from_iter([
            ("schema_version".to_owned(), json!("cavra.policy_archive.v1")),
            (POLICY_ARCHIVE.id.to_owned(), json!(digest)),
            ("media_type".to_owned(), json!(media_type)),
            ("archived_at".to_owned(), json!(Timestamp::now())),
        ]);
        Self { digest: digest.to_owned(), bytes: bytes.to_vec(), record }
    }

    /// Writes it, unless it is there.
    fn keep(&self, tx: &mut dyn Transaction) -> Result<(), StoreError> {
        let mut record = self.record.clone();
        if self.bytes.len() > LARGE && tx.large_bytes(&POLICY_ARCHIVE)? == LargeBytes::Attached {
            tx.attach(&POLICY_ARCHIVE, Digest::digits(&self.digest), &self.bytes)?;
            // A record that cannot be read is written again.
            if tx.replaced(&POLICY_ARCHIVE, &self.digest)?.is_some() {
                return Ok(());
            }
            record.insert("encoding".to_owned(), json!(ATTACHED));
            return tx.put(&POLICY_ARCHIVE, record);
        }
        // Asked first, because most processes only find it there, and encoding takes longer than looking.
        if tx.holds(&POLICY_ARCHIVE, &self.digest)? {
            return Ok(());
        }
        let (encoding, content) = match text(&self.record, "media_type") {
            DOCUMENT => ("utf-8", String::from_utf8_lossy(&self.bytes).into_owned()),
            _ => ("base64", BASE64.encode(&self.bytes)),
        };
        record.insert("encoding".to_owned(), json!(encoding));
        record.insert("content".to_owned(), json!(content));
        tx.insert(&POLICY_ARCHIVE, record)
    }
}

/// The digests of `parts`.
pub(crate) fn digests(parts: &[Part]) -> Vec<String> {
    parts.iter().map(|part| part.digest.clone()).collect()
}

/// Writes what is not there yet.
pub(crate) fn keep(tx: &mut dyn Transaction, parts: &[Part]) -> Result<(), StoreError> {
    parts.iter().try_for_each(|part| part.keep(tx))
}

/// Puts the bytes of a part that its store keeps beside the record into the record.
pub(crate) async fn in_record(store: &RecordStore, kind: &'static Kind, record: &mut Object) -> Result<(), CoreError> {
    if *kind != POLICY_ARCHIVE || text(record, "encoding") != ATTACHED {
        return Ok(());
    }
    let digest = text(record, POLICY_ARCHIVE.id).to_owned();
    // What is damaged stays so, and is named when it is needed.
    if let Ok((_, bytes)) = read(store, &digest).await? {
        record.insert("encoding".to_owned(), json!("base64"));
        record.insert("content".to_owned(), json!(BASE64.encode(bytes)));
    }
    Ok(())
}

/// Why a policy cannot be had from the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ArchiveFault {
    /// The part with this digest is missing, although it was written with the decision.
    Missing(String),
    /// The part with this digest is something else.
    Damaged(String),
}

/// A policy out of the archive: whole, and what its digests say.
#[derive(Debug)]
pub(crate) struct ArchivedPolicy {
    document: String,
    digest: String,
    components: Vec<ArchivedComponent>,
}

#[derive(Debug)]
struct ArchivedComponent {
    name: String,
    version: String,
    wasm: Vec<u8>,
    digest: String,
}

impl ArchivedPolicy {
    /// Reads the parts with these digests.
    ///
    /// # Errors
    /// [`CoreError::Store`]. What is wrong with the archive itself is the inner error.
    pub(crate) async fn read(
        store: &RecordStore,
        policy_digest: &str,
        component_digests: &[String],
    ) -> Result<Result<Self, ArchiveFault>, CoreError> {
        let document = match read(store, policy_digest).await? {
            Ok((_, bytes)) => String::from_utf8(bytes).map_err(|_| ArchiveFault::Damaged(policy_digest.to_owned())),
            Err(fault) => Err(fault),
        };
        let document = match document {
            Ok(document) => document,
            Err(fault) => return Ok(Err(fault)),
        };
        let mut components = Vec::with_capacity(component_digests.len());
        for digest in component_digests {
            match read(store, digest).await? {
                Ok((record, wasm)) => components.push(ArchivedComponent {
                    name: text(&record, "name").to_owned(),
                    version: text(&record, "version").to_owned(),
                    wasm,
                    digest: digest.clone(),
                }),
                Err(fault) => return Ok(Err(fault)),
            }
        }
        Ok(Ok(Self { document, digest: policy_digest.to_owned(), components }))
    }

    /// What has to be asked. Only the component of this binary is its own: everything else, such as that of another
    /// version, is compiled as operators' components are.
    pub(crate) fn sources(&self) -> impl Iterator<Item = PackSource<'_>> {
        self.components.iter().map(|component| PackSource {
            plugin: &component.name,
            version: &component.version,
            wasm: &component.wasm,
            wasm_digest: &component.digest,
            document: &self.document,
            document_digest: &self.digest,
            origin: if component.digest == POLICY_RULES.digest { Origin::FirstParty } else { Origin::Operator },
            within: Within::default(),
        })
    }
}

/// The part with this digest, checked.
async fn read(store: &RecordStore, digest: &str) -> Result<Result<(Object, Vec<u8>), ArchiveFault>, CoreError> {
    let missing = || ArchiveFault::Missing(digest.to_owned());
    let record = match store.get(&POLICY_ARCHIVE, digest).await {
        Ok(Some(record)) => record,
        Ok(None) => return Ok(Err(missing())),
        Err(StoreError::Broken { .. }) => return Ok(Err(ArchiveFault::Damaged(digest.to_owned()))),
        Err(error) => return Err(error.into()),
    };
    let bytes = match (record.get("content"), text(&record, "encoding")) {
        (None, ATTACHED) => {
            match store.attachment(&POLICY_ARCHIVE, Digest::digits(digest), MAX_COMPONENT_BYTES as u64).await? {
                Attachment::Bytes(bytes) => Some(bytes),
                Attachment::Missing => return Ok(Err(missing())),
                Attachment::Strange => None,
            }
        }
        (Some(Value::String(content)), "utf-8") => Some(content.clone().into_bytes()),
        (Some(Value::String(content)), "base64") => BASE64.decode(content).ok(),
        _ => None,
    };
    Ok(match bytes.filter(|bytes| Digest::of(bytes).as_str() == digest) {
        Some(bytes) => Ok((record, bytes)),
        None => Err(ArchiveFault::Damaged(digest.to_owned())),
    })
}
