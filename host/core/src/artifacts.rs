//! The files behind evidence metadata: listed with their integrity, sent one by one or as an archive. docs/reference/evidence-and-promotion.md,
//! section 2.

use std::path::{Path, PathBuf};

use cavra_artifacts::{
    Archive, ArchiveError, Checksums, Content, Inside, Integrity as Compared, IntegrityStatus, Reach, ReachError,
    ReadError, Tree,
};
use cavra_evidence::{BundleFolder, Expectations, MANIFEST};
use cavra_model::{
    Artifact, ArtifactSet, CHECKSUMS, EVIDENCE_METADATA, Integrity, MetadataKind, Object, Offered, read_json,
};
use serde_json::{Value, json};

use crate::evidence::kind_of;
use crate::{App, CoreError};

/// Largest document of a rollout that is looked into.
const DOCUMENT_LIMIT: u64 = 4 << 20;

/// Under which routes files are served.
#[derive(Debug)]
pub struct ArtifactRoute {
    /// Kind of the records; [`cavra_model::EVIDENCE`] is for all.
    pub kind: &'static MetadataKind,
    /// What stands before the id.
    pub prefix: &'static str,
}

/// A file on its way to a client.
#[derive(Debug)]
pub struct Download {
    /// Its bytes.
    pub content: Content,
    /// The name under which it is to be saved.
    pub name: String,
    /// Media type.
    pub media_type: &'static str,
    /// What it is; nothing for an archive.
    pub kind: Option<&'static str>,
    /// Number of files in an archive.
    pub members: Option<usize>,
}

impl App {
    /// What files belong to a record, and whether they are intact. docs/reference/evidence-and-promotion.md, section 2.2.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::BadRequest`], [`CoreError::Store`].
    pub async fn artifact_listing(&self, route: &'static ArtifactRoute, id: &str) -> Result<Value, CoreError> {
        self.with_files(route, id, move |files| Ok(files.listing(route.prefix))).await
    }

    /// One file. docs/reference/evidence-and-promotion.md, section 2.3.
    ///
    /// # Errors
    /// As [`App::artifact_listing`].
    pub async fn artifact(&self, route: &'static ArtifactRoute, id: &str, name: String) -> Result<Download, CoreError> {
        self.with_files(route, id, move |files| files.download(&name)).await
    }

    /// All files as one archive. docs/reference/evidence-and-promotion.md, section 2.4.
    ///
    /// # Errors
    /// As [`App::artifact_listing`].
    pub async fn artifact_bundle(&self, route: &'static ArtifactRoute, id: &str) -> Result<Download, CoreError> {
        self.with_files(route, id, |files| files.archive()).await
    }

    /// Runs `work`, which blocks, on the files of a record.
    async fn with_files<T: Send + 'static>(
        &self,
        route: &'static ArtifactRoute,
        id: &str,
        work: impl FnOnce(Files) -> Result<T, CoreError> + Send + 'static,
    ) -> Result<T, CoreError> {
        let record = self.evidence.get(route.kind, id).await?;
        let root = self.settings.artifact_root.clone();
        let job = move || work(Files::open(root, record)?);
        tokio::task::spawn_blocking(job).await.unwrap_or(Err(CoreError::Unavailable("the files cannot be read")))
    }
}

/// The files of one record.
struct Files {
    record: Object,
    id: String,
    set: &'static ArtifactSet,
    /// Nothing, if the directory does not exist.
    tree: Option<Tree>,
    checksums: Checksums,
}

impl Files {
    /// Finds the directory, in the order of checks that the contract has.
    fn open(root: Option<PathBuf>, record: Object) -> Result<Self, CoreError> {
        let wrong = |text: &str| CoreError::BadRequest(text.to_owned());
        let root = root.ok_or_else(|| wrong("evidence artifact root is not configured"))?;
        let id = record.get(EVIDENCE_METADATA.id).and_then(Value::as_str).unwrap_or_default().to_owned();
        if matches!(id.as_str(), "" | "." | "..") || id.contains(['/', '\\', '\0']) {
            return Err(wrong("the id of this record is no name of a directory"));
        }
        let set = kind_of(&record).artifacts;
        let directory = match record.get("bundle_dir").filter(|_| set.bundle_dir) {
            None | Some(Value::Null) => id.clone(),
            Some(Value::String(directory)) if directory.is_empty() => id.clone(),
            Some(Value::String(directory)) => directory.clone(),
            Some(_) => return Err(wrong("bundle_dir of this record is no text")),
        };
        let tree = match Reach::Under(root).open(Path::new(&directory)) {
            Ok(tree) => Some(tree),
            Err(ReachError::Missing | ReachError::Unreadable(_)) => None,
            Err(outside @ ReachError::Outside) => return Err(wrong(&outside.to_string())),
        };
        let checksums = match set.integrity {
            Integrity::Manifest => Checksums::default(),
            Integrity::ReportChecksums | Integrity::EnforceChecksums => Checksums::read(tree.as_ref(), CHECKSUMS),
        };
        Ok(Self { record, id, set, tree, checksums })
    }

    /// The files that may be served, in order.
    fn allowed(&self) -> impl Iterator<Item = &'static Artifact> {
        let named = named_files(&self.record);
        self.set.files.iter().filter(move |artifact| match artifact.offered {
            Offered::Always => true,
            Offered::Named => named.contains(&artifact.name),
            Offered::NamedOrCovered => named.contains(&artifact.name) || self.checksums.digest(artifact.name).is_some(),
        })
    }

    /// The content of a file, if there is one.
    fn content(&self, artifact: &Artifact) -> Result<Option<Content>, CoreError> {
        let Some((tree, path)) = self.tree.as_ref().zip(Inside::new(artifact.name)) else { return Ok(None) };
        match tree.content(&path) {
            Ok(content) => Ok(Some(content)),
            // A link that leads out, a device, something unreadable: for whoever asks it is not there.
            Err(ReadError::TooLarge(_)) => Err(CoreError::Unavailable("the file is too large")),
            Err(_) => Ok(None),
        }
    }

    /// The digest that a file must have, where that is enforced.
    fn required(&self, artifact: &Artifact) -> Result<Option<&str>, CoreError> {
        if self.set.integrity != Integrity::EnforceChecksums || artifact.name == CHECKSUMS {
            return Ok(None);
        }
        let digest = self.checksums.digest(artifact.name).filter(|_| self.checksums.is_valid());
        digest.map(Some).ok_or_else(|| unverified(artifact.name))
    }

    fn download(&self, name: &str) -> Result<Download, CoreError> {
        let artifact = self
            .allowed()
            .find(|artifact| artifact.name == name)
            .ok_or_else(|| CoreError::BadRequest("unsupported evidence artifact".to_owned()))?;
        let mut content = self.content(artifact)?.ok_or(ABSENT)?;
        if let Some(required) = self.required(artifact)?
            && content.sha256().map_err(|error| unreadable(&error))? != required
        {
            return Err(unverified(name));
        }
        let (kind, media_type) = (Some(artifact.kind), artifact.media_type);
        Ok(Download { content, name: name.to_owned(), media_type, kind, members: None })
    }

    fn archive(&self) -> Result<Download, CoreError> {
        let mut archive = Archive::create().map_err(no_archive)?;
        let mut members = 0;
        for artifact in self.allowed() {
            if let Some(content) = self.content(artifact)? {
                archive.add(artifact.name, content, self.required(artifact)?).map_err(no_archive)?;
                members += 1;
            }
        }
        if members == 0 {
            return Err(ABSENT);
        }
        Ok(Download {
            content: archive.finish().map_err(no_archive)?,
            name: format!("{}-evidence-bundle.zip", self.id),
            media_type: "application/zip",
            kind: None,
            members: Some(members),
        })
    }

    fn listing(&self, prefix: &str) -> Value {
        let base = format!("{prefix}/{}", percent_encoded(&self.id));
        let artifacts: Vec<Value> = self.allowed().filter_map(|artifact| self.entry(artifact, &base)).collect();
        let mut listing = json!({
            "schema_version": "cavra.evidence.artifacts.v1",
            "product": "CAVRA",
            "session_id": self.id,
            "metadata_kind": self.record.get("metadata_kind").and_then(Value::as_str).unwrap_or("session"),
            "artifact_root_configured": true,
            "artifact_count": artifacts.len(),
            "artifacts": artifacts,
            "bundle_download_url": format!("{base}/artifact-bundle"),
        });
        if let Value::Object(listing) = &mut listing {
            listing.extend(self.integrity());
        }
        listing
    }

    fn entry(&self, artifact: &Artifact, base: &str) -> Option<Value> {
        let (tree, path) = self.tree.as_ref().zip(Inside::new(artifact.name))?;
        let measured = tree.measure(&path, u64::MAX).ok()?;
        Some(json!({
            "artifact": artifact.name,
            "kind": artifact.kind,
            "description": artifact.description,
            "media_type": artifact.media_type,
            "bytes": measured.bytes,
            "sha256": measured.sha256,
            "download_url": format!("{base}/artifacts/{}", artifact.name),
        }))
    }

    /// Members of the listing that say whether the files are what they should be.
    fn integrity(&self) -> Object {
        let (report, readiness) = match self.set.integrity {
            Integrity::Manifest => {
                return Object::from_iter([("bundle_integrity".to_owned(), self.bundle_integrity())]);
            }
            Integrity::ReportChecksums => ("rollout_artifact_integrity", "promotion_readiness"),
            Integrity::EnforceChecksums => ("endpoint_management_export_integrity", "download_readiness"),
        };
        let expected = self.allowed().map(|artifact| artifact.name).filter(|name| *name != CHECKSUMS);
        let compared = self.checksums.compare(self.tree.as_ref(), expected);
        let (status, rationale) = if self.set.integrity == Integrity::ReportChecksums {
            self.promotion_readiness(&compared)
        } else if compared.status() == IntegrityStatus::Verified {
            ("ready", "every file matches its checksum".to_owned())
        } else {
            ("blocked", format!("checksum verification is {}", compared.status().as_str()))
        };
        Object::from_iter([
            (report.to_owned(), shown(&compared)),
            (readiness.to_owned(), json!({ "status": status, "rationale": rationale })),
        ])
    }

    /// Whether a rollout can be promoted, as far as its files and its status tell.
    fn promotion_readiness(&self, compared: &Compared) -> (&'static str, String) {
        if compared.status() != IntegrityStatus::Verified {
            return ("blocked", format!("the rollout's files are {}", compared.status().as_str()));
        }
        let status = self.record.get("rollout_status").and_then(Value::as_str).unwrap_or_default();
        // A client wrote the record; the file is covered by its checksum.
        if let Some(written) = self.status_in_file().filter(|written| written != status) {
            return ("blocked", format!("the record says `{status}`, the verified evidence file says `{written}`"));
        }
        match status {
            "failed" | "rolled_back" => ("blocked", format!("the rollout is {status}")),
            "staged" | "succeeded" => ("ready", format!("the rollout is {status} and its files are verified")),
            "planned" => ("review", "the rollout is only planned".to_owned()),
            _ => ("review", "the status of the rollout is not known".to_owned()),
        }
    }

    fn status_in_file(&self) -> Option<String> {
        let document = self.set.files.first()?;
        let bytes = self.tree.as_ref()?.read(&Inside::new(document.name)?, DOCUMENT_LIMIT).ok()?;
        let document = read_json(&bytes).ok()?;
        document.get("status").and_then(Value::as_str).map(ToOwned::to_owned)
    }

    /// The check of the manifest that needs no key, so that damage shows.
    fn bundle_integrity(&self) -> Value {
        let manifest = Inside::new(MANIFEST);
        let Some(tree) = self.tree.as_ref().filter(|tree| manifest.is_some_and(|path| tree.has(&path))) else {
            return json!({ "status": "missing_manifest", "errors": [] });
        };
        match tree.try_clone() {
            Ok(tree) => {
                let report = BundleFolder::from(tree).verify(&Expectations::keyless());
                let status = if report.is_valid() { "verified" } else { "failed" };
                json!({ "status": status, "errors": report.errors() })
            }
            Err(error) => json!({ "status": "failed", "errors": [error.to_string()] }),
        }
    }
}

const ABSENT: CoreError = CoreError::NotFound("evidence artifact");

/// Names in the record's `files`, else in its manifest's: texts, or objects that have a path or a name.
fn named_files(record: &Object) -> Vec<&str> {
    let manifest = record.get("manifest").and_then(|manifest| manifest.get("files"));
    let files = record.get("files").filter(|files| files.is_array()).or(manifest);
    files.and_then(Value::as_array).into_iter().flatten().filter_map(file_name).collect()
}

fn file_name(file: &Value) -> Option<&str> {
    file.as_str().or_else(|| ["path", "name", "artifact"].into_iter().find_map(|member| file.get(member)?.as_str()))
}

fn shown(compared: &Compared) -> Value {
    json!({
        "status": compared.status().as_str(),
        "verified_artifacts": compared.verified,
        "missing_artifacts": compared.missing,
        "unchecked_artifacts": compared.unchecked,
        "checksum_mismatches": compared.mismatches,
        "checksum_errors": compared.errors,
    })
}

fn unverified(name: &str) -> CoreError {
    CoreError::BadRequest(format!("checksum verification failed: {name}"))
}

fn unreadable(error: &std::io::Error) -> CoreError {
    tracing::error!(error = error as &dyn std::error::Error, "an artifact cannot be read");
    CoreError::Unavailable("the file cannot be read")
}

fn no_archive(error: ArchiveError) -> CoreError {
    match error {
        ArchiveError::Mismatch(name) => unverified(&name),
        ArchiveError::TooLarge => CoreError::BadRequest(error.to_string()),
        ArchiveError::Io(error) => unreadable(&error),
    }
}

/// A path segment.
fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_addresses() {
        assert_eq!(percent_encoded("r-9_a.b~"), "r-9_a.b~");
        assert_eq!(percent_encoded("a b/ü?"), "a%20b%2F%C3%BC%3F");
    }

    #[test]
    fn files_are_named_in_several_ways() {
        for (record, names) in [
            (json!({"files": ["a", "b"]}), vec!["a", "b"]),
            (json!({"files": [{"path": "a"}, {"name": "b"}, 4], "manifest": {"files": ["c"]}}), vec!["a", "b"]),
            (json!({"manifest": {"files": ["c"]}}), vec!["c"]),
            (json!({"files": "a"}), vec![]),
            (json!({}), vec![]),
        ] {
            assert_eq!(named_files(record.as_object().unwrap()), names, "{record}");
        }
    }
}
