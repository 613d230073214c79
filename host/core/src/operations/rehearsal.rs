//! Rehearsal of a restore: a backup is put into a folder of its own, opened as a server would open it, and held against what
//! is there now. Nothing of this installation is touched but for a record of what came of it.

use std::path::Path;

use cavra_model::members::{built, text};
use cavra_model::{DECISIONS, Timestamp, random_hex};
use cavra_store::{Location, LogFile, Mode, Query, RecordStore, Unreadable};
use serde_json::{Value, json};

use super::backup::file_name;
use super::manifest::{Entry, Manifest};
use super::stores::areas;
use super::{PRODUCT, Target, restore};
use crate::areas::open_store;
use crate::evidence::Evidence;
use crate::{Area, Caller, CoreError, Settings, audit, audit_records};

/// `metadata_kind` of the record of a rehearsal.
pub(super) const KIND: &str = "restore-rehearsal";

/// Newest decisions that are held against those of this installation.
const COMPARED: u64 = 100;

/// Restores a backup into a folder that is gone afterwards, and looks at what came of it:
/// `cavra.persistent_api.restore_rehearsal.v1`. The outcome is recorded here; readiness asks for it.
///
/// # Errors
/// [`CoreError::BadRequest`] for a backup that is not whole; [`CoreError::Configuration`] if there is no room for it;
/// [`CoreError::Store`] if this installation's own stores cannot be used.
pub async fn rehearse(settings: &Settings, manifest: &Path) -> Result<Value, CoreError> {
    let began = Timestamp::now();
    let no_room =
        |error: std::io::Error| CoreError::Configuration(format!("there is no room for the rehearsal: {error}"));
    // Beside the backup: what is for short-lived files may be too small.
    let beside = manifest.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = tempfile::Builder::new().prefix(".rehearsal-").tempdir_in(beside).map_err(no_room)?;
    let restored = restore(settings, manifest, &Target::Directory(folder.path().to_owned()), false)?;
    let copies = copies(&Manifest::read(manifest)?, folder.path());
    let mut stores = Vec::new();
    for copy in &copies {
        stores.push(copy.looked_at().await);
    }
    let live = open_store(settings)?;
    let compared = match compare(&copies, &live).await {
        Ok(compared) => compared,
        Err(error) => {
            live.close().await;
            return Err(error);
        }
    };
    let is_whole = |item: &Value| item.get("problems").and_then(Value::as_array).is_some_and(Vec::is_empty);
    let passed = !copies.is_empty() && stores.iter().chain([&compared]).all(is_whole);
    let document = json!({
        "schema_version": "cavra.persistent_api.restore_rehearsal.v1", "product": PRODUCT,
        "created_at": began, "finished_at": Timestamp::now(), "status": if passed { "pass" } else { "fail" },
        "source_manifest": restored.get("source_manifest"), "restored_count": restored.get("restored_count"),
        "stores": stores, "decisions": compared,
    });
    let kept = keep(&live, &document).await;
    live.close().await;
    kept.map(|()| document)
}

/// Keeps what came of a rehearsal, with its leaf.
async fn keep(store: &RecordStore, document: &Value) -> Result<(), CoreError> {
    let id = random_hex(8).map_err(|error| CoreError::Configuration(error.to_string()))?;
    let record = built(json!({
        "session_id": format!("{KIND}-{id}"), "created_at": document.get("created_at"), "signer": "cavra-operations",
        "decision_count": 0, "blocked_count": 0, "approval_required_count": 0, "metadata_kind": KIND,
        "status": document.get("status"), "restore_rehearsal": document,
    }));
    Evidence::new(store.clone(), None).put_own(vec![record], &Caller::default()).await.map(drop)
}

/// A store of the backup, where it was put.
struct Copy {
    name: &'static str,
    area: &'static Area,
    place: Location,
}

/// The stores that the backup holds, in the folder; several of them may share a file.
fn copies(manifest: &Manifest, folder: &Path) -> Vec<Copy> {
    let place = |entry: &Entry| {
        let shares = |other: &&Entry| other.backup_path == entry.backup_path;
        let first = manifest.entries().find(shares).unwrap_or(entry);
        match entry.kind.as_str() {
            kind if kind == Mode::Sqlite.as_str() => {
                Location::Sqlite(folder.join(file_name(&first.name, Mode::Sqlite)))
            }
            _ => Location::Json(folder.join(file_name(&first.name, Mode::Json))),
        }
    };
    let copy = |(name, area): (&'static str, &'static Area)| {
        let entry = manifest.stores.iter().find(|entry| entry.name == name && entry.backup_path.is_some())?;
        Some(Copy { name, area, place: place(entry) })
    };
    areas().filter_map(copy).collect()
}

impl Copy {
    /// Opens it, reads its records and the leaves about them, and says what does not fit.
    async fn looked_at(&self) -> Value {
        let looked = async {
            let store = RecordStore::open(self.place.clone(), self.area.kinds)?;
            let checked = store.check().await;
            store.close().await;
            checked?;
            let file = LogFile::open(&self.place, self.area.kinds)?;
            let log = audit(&file, &[], |_| {})?;
            let records = audit_records(&file, self.area.kinds)?;
            Ok::<_, CoreError>((log, records))
        };
        match looked.await {
            Err(error) => json!({ "name": self.name, "problems": [error.to_string()] }),
            Ok((log, records)) => {
                let strange = log.strange.iter().map(|index| format!("leaf {index} is none of cavra's"));
                let faults = records.faults.iter().map(ToString::to_string);
                let problems: Vec<String> = strange.chain(log.faults).chain(faults).chain(records.lists).collect();
                json!({
                    "name": self.name, "leaves": log.size, "root": log.root.to_base64(),
                    "matching_records": records.matching, "problems": problems,
                })
            }
        }
    }
}

/// Holds the newest decisions of the copy against those of this installation: what is there in both is the same.
async fn compare(copies: &[Copy], live: &RecordStore) -> Result<Value, CoreError> {
    let Some(copy) = copies.iter().find(|copy| copy.area.kinds.contains(&&DECISIONS)) else {
        return Ok(json!({ "compared": 0, "missing_here": 0, "problems": [] }));
    };
    let store = RecordStore::look(copy.place.clone(), copy.area.kinds)?;
    let query = Query { limit: COMPARED, unreadable: Unreadable::Skip, ..Query::default() };
    let newest = store.list(&DECISIONS, query).await;
    store.close().await;
    let (mut compared, mut missing, mut problems) = (0_u64, 0_u64, Vec::new());
    for record in newest?.items {
        let id = text(&record, DECISIONS.id).to_owned();
        match live.get(&DECISIONS, &id).await? {
            None => missing += 1,
            Some(here) if here == record => compared += 1,
            Some(_) => problems.push(format!("decision {id} is another one in the backup")),
        }
    }
    Ok(json!({ "compared": compared, "missing_here": missing, "problems": problems }))
}
