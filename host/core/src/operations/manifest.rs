//! The manifest of a backup: which files it has, of which stores, and their digests. It is read with distrust.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use cavra_artifacts::{Content, Inside, Reach, Tree};
use cavra_model::members::{filled, objects};
use cavra_model::{Object, read_json};
use cavra_store::Mode;
use serde_json::Value;

use crate::CoreError;

/// The schema of a manifest.
pub(super) const SCHEMA: &str = "cavra.persistent_api.backup.v1";

/// The file's name.
pub(super) const FILE: &str = "manifest.json";

/// Largest manifest, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// How a SQLite database begins.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// A manifest and the directory in which its files are.
pub(super) struct Manifest {
    /// The file.
    pub(super) file: PathBuf,
    /// Its directory.
    pub(super) tree: Tree,
    /// The stores.
    pub(super) stores: Vec<Entry>,
    /// What belongs to stores or is kept like one: API tokens, files beside JSON stores.
    pub(super) companions: Vec<Entry>,
}

/// A file of a backup.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The store that it is, or belongs to.
    pub(super) name: String,
    /// What it is: `json`, `sqlite` or `attachment`.
    pub(super) kind: String,
    /// Where it is, relative to the manifest; nothing for a store that was not there.
    pub(super) backup_path: Option<String>,
    /// Its digest.
    sha256: Option<String>,
}

/// A file of a backup that is there and is what the manifest says.
pub(super) struct Checked {
    /// Where it is.
    pub(super) path: Inside,
    /// Its digest.
    pub(super) sha256: String,
    /// Its size.
    pub(super) bytes: u64,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] for one that is missing or is none.
    pub(super) fn read(file: &Path) -> Result<Self, CoreError> {
        let wrong = |problem: &dyn std::fmt::Display| CoreError::BadRequest(format!("{}: {problem}", file.display()));
        let bytes = cavra_artifacts::read_file(file, MAX_BYTES).map_err(|error| wrong(&error))?;
        let Ok(Value::Object(document)) = read_json(&bytes) else {
            return Err(wrong(&"the manifest is no JSON object"));
        };
        if filled(&document, "schema_version") != Some(SCHEMA) {
            return Err(wrong(&format!("the manifest's schema_version is not {SCHEMA}")));
        }
        let entries = |member: &str| -> Result<Vec<Entry>, CoreError> {
            let count = document.get(member).and_then(Value::as_array).map_or(0, Vec::len);
            let listed = objects(&document, member);
            let is_list = document.get(member).is_none_or(Value::is_array);
            if !is_list || listed.len() != count {
                return Err(wrong(&format!("`{member}` of the manifest is no list of objects")));
            }
            listed.into_iter().map(|entry| Entry::read(entry).map_err(|problem| wrong(&problem))).collect()
        };
        if !document.get("stores").is_some_and(Value::is_array) {
            return Err(wrong(&"the manifest names no stores"));
        }
        let directory = cavra_artifacts::parent(file);
        let tree = Reach::Anywhere.open(directory).map_err(|error| wrong(&error))?;
        Ok(Self { file: file.to_owned(), tree, stores: entries("stores")?, companions: entries("companions")? })
    }

    /// All entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.stores.iter().chain(&self.companions)
    }

    /// The file of an entry, if it has one; it is there, and what the manifest says.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] naming what is wrong.
    pub(super) fn check(&self, entry: &Entry) -> Result<Option<Checked>, CoreError> {
        let Some(given) = &entry.backup_path else { return Ok(None) };
        let wrong = |problem: String| CoreError::BadRequest(format!("{} of the backup: {problem}", entry.name));
        let path =
            Inside::new(given).ok_or_else(|| wrong("its path leads out of the manifest's directory".to_owned()))?;
        let found = self.tree.measure(&path, u64::MAX).map_err(|error| wrong(format!("{path}: {error}")))?;
        match &entry.sha256 {
            None => return Err(wrong("the manifest has no digest of it".to_owned())),
            Some(wanted) if *wanted != found.sha256 => {
                return Err(wrong(format!("{path} has the SHA-256 {}, and the manifest says {wanted}", found.sha256)));
            }
            Some(_) => {}
        }
        if entry.kind != ATTACHMENT && self.is_database(&path)? != (entry.kind == Mode::Sqlite.as_str()) {
            return Err(wrong(format!("{path} is no store of the kind {}", entry.kind)));
        }
        Ok(Some(Checked { path, sha256: found.sha256, bytes: found.bytes }))
    }

    fn is_database(&self, path: &Inside) -> Result<bool, CoreError> {
        let mut start = Vec::new();
        let opened = File::open(self.tree.absolute().join(path.as_str()));
        let read = opened.and_then(|file| file.take(SQLITE_MAGIC.len() as u64).read_to_end(&mut start));
        read.map_err(|error| CoreError::BadRequest(format!("{path}: {error}")))?;
        Ok(start == SQLITE_MAGIC)
    }

    /// The content of a file that was checked.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] if it is not there any more.
    pub(super) fn content(&self, checked: &Checked) -> Result<Content, CoreError> {
        self.tree.content(&checked.path).map_err(|error| CoreError::BadRequest(format!("{}: {error}", checked.path)))
    }
}

/// The kind of a file beside a JSON store.
pub(super) const ATTACHMENT: &str = "attachment";

impl Entry {
    fn read(entry: &Object) -> Result<Self, String> {
        let name = filled(entry, "name").ok_or("an entry of the manifest has no name")?.to_owned();
        let optional = |member: &str| match entry.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("{member} of {name} in the manifest is no text")),
        };
        let kind = filled(entry, "kind").unwrap_or_default().to_owned();
        if ![Mode::Json.as_str(), Mode::Sqlite.as_str(), ATTACHMENT].contains(&kind.as_str()) {
            return Err(format!("{name} in the manifest is of no kind that is known"));
        }
        let sha256 = optional("sha256")?.map(|digest| digest.to_ascii_lowercase());
        Ok(Self { backup_path: optional("backup_path")?, sha256, kind, name })
    }
}
