//! What decisions were made with, kept by digest: merged policy documents and components. So a decision can be made again
//! when the pack has long changed and another version of cavra runs. Design, section 7.
//!
//! A part is written in the same commit as the first decision it made. Nothing read from here is believed: a part that is
//! not what its digest says is never used.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cavra_builtin::POLICY_RULES;
use cavra_model::{Digest, Object, POLICY_ARCHIVE, Timestamp};
use cavra_packs::ResolvedPack;
use cavra_plugins::{Origin, PackSource};
use cavra_store::{Mode, RecordStore, StoreError, Transaction};
use serde_json::{Value, json};

use crate::CoreError;
use crate::decide::sources;

const DOCUMENT: &str = "application/json";
const COMPONENT: &str = "application/wasm";

/// Largest component kept in a JSON file, which is written whole with every commit. A larger one that is part of this
/// binary, as in development builds, is taken from the binary.
const MOST_IN_JSON: usize = 64 * 1024;

/// Digests remembered. More would be more policies than a process sees; forgetting costs one look into the store.
const REMEMBERED: usize = 4096;

/// Knows what is archived already, so that only the first decision of a policy has anything to write.
#[derive(Clone)]
pub(crate) struct Archive {
    mode: Mode,
    kept: Arc<RwLock<HashSet<String>>>,
}

impl Archive {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, kept: Arc::default() }
    }

    /// Records of what decides for `pack` and is not known to be archived. They may be there all the same.
    pub(crate) fn unkept(&self, pack: &ResolvedPack) -> Vec<Object> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let mut parts = Vec::new();
        if !kept.contains(pack.digest.as_str()) {
            parts.push(part(pack.digest.as_str(), DOCUMENT, json!({"encoding": "utf-8", "content": pack.canonical})));
        }
        for source in sources(pack).filter(|source| !kept.contains(source.wasm_digest)) {
            let mut record = part(source.wasm_digest, COMPONENT, self.content(source.wasm));
            record.insert("name".to_owned(), json!(source.plugin));
            record.insert("version".to_owned(), json!(source.version));
            parts.push(record);
        }
        parts
    }

    fn content(&self, wasm: &[u8]) -> Value {
        if self.mode == Mode::Json && wasm.len() > MOST_IN_JSON {
            return json!({"encoding": "base64", "content": null});
        }
        json!({"encoding": "base64", "content": BASE64.encode(wasm)})
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

fn part(digest: &str, media_type: &str, content: Value) -> Object {
    let mut record = match content {
        Value::Object(record) => record,
        _ => Object::new(),
    };
    record.insert("schema_version".to_owned(), json!("cavra.policy_archive.v1"));
    record.insert(POLICY_ARCHIVE.id.to_owned(), json!(digest));
    record.insert("media_type".to_owned(), json!(media_type));
    record.insert("archived_at".to_owned(), json!(Timestamp::now()));
    record
}

/// The digests of `parts`.
pub(crate) fn digests(parts: &[Object]) -> Vec<String> {
    parts.iter().map(|part| text(part, POLICY_ARCHIVE.id).to_owned()).collect()
}

/// Writes what is not there yet.
pub(crate) fn keep(tx: &mut dyn Transaction, parts: Vec<Object>) -> Result<(), StoreError> {
    for part in parts {
        match tx.insert(&POLICY_ARCHIVE, part) {
            Ok(()) | Err(StoreError::Exists) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Why a policy cannot be had from the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ArchiveFault {
    /// A component was too large for a JSON store and was never kept.
    Omitted,
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
        })
    }
}

/// The part with this digest, checked.
async fn read(store: &RecordStore, digest: &str) -> Result<Result<(Object, Vec<u8>), ArchiveFault>, CoreError> {
    let Some(record) = store.get(&POLICY_ARCHIVE, digest).await? else {
        return Ok(Err(ArchiveFault::Missing(digest.to_owned())));
    };
    let bytes = match (record.get("content"), text(&record, "encoding")) {
        (Some(Value::String(content)), "utf-8") => Some(content.clone().into_bytes()),
        (Some(Value::String(content)), "base64") => BASE64.decode(content).ok(),
        (Some(Value::Null), "base64") if digest == POLICY_RULES.digest => Some(POLICY_RULES.wasm.to_vec()),
        (Some(Value::Null), "base64") => return Ok(Err(ArchiveFault::Omitted)),
        _ => None,
    };
    Ok(match bytes.filter(|bytes| Digest::of(bytes).as_str() == digest) {
        Some(bytes) => Ok((record, bytes)),
        None => Err(ArchiveFault::Damaged(digest.to_owned())),
    })
}

fn text<'a>(record: &'a Object, member: &str) -> &'a str {
    record.get(member).and_then(Value::as_str).unwrap_or_default()
}
