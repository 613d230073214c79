//! Putting a backup back. Everything is checked before the first byte is written; what is refused changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use cavra_artifacts::{create_parents, parent, sibling, sync_directory, unique_sibling};
use cavra_model::Timestamp;
use cavra_store::{Location, Mode, put_in_place};
use serde_json::{Value, json};

use super::PRODUCT;
use super::backup::{ATTACHMENTS, TOKENS, file_name, is_attachment};
use super::manifest::{ATTACHMENT, Checked, Entry, Manifest};
use super::stores::areas;
use crate::{Area, CoreError, Settings};

/// Mode of directories that are made.
const DIRECTORY_MODE: u32 = 0o700;

/// Where a backup is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Where the settings say that the stores are.
    Live,
    /// Into this directory, under the stores' names.
    Directory(PathBuf),
}

/// What becomes of a file of the backup.
enum Fate {
    /// It stays in the backup; why.
    Skipped(&'static str),
    /// It is written.
    Written(Job),
}

/// A file to be written.
struct Job {
    checked: Checked,
    location: Location,
    /// It is no store, but lies beside one.
    is_beside: bool,
}

/// Puts the stores of a backup in their places; those that are there stay as they are unless told otherwise.
///
/// # Errors
/// [`CoreError::BadRequest`] for a backup that is not whole or does not fit the settings; nothing is written then.
/// [`CoreError::Store`], [`CoreError::Configuration`] for what cannot be written.
pub fn restore(settings: &Settings, manifest: &Path, target: &Target, overwrite: bool) -> Result<Value, CoreError> {
    let manifest = Manifest::read(manifest)?;
    let plan = Plan { settings, target, overwrite };
    let checked = manifest.entries().map(|entry| manifest.check(entry)).collect::<Result<Vec<_>, _>>()?;
    let mut taken = BTreeMap::new();
    let fates = manifest
        .entries()
        .zip(checked)
        .map(|(entry, checked)| plan.fate(&manifest, entry, checked, &mut taken))
        .collect::<Result<Vec<_>, _>>()?;
    write(&manifest, &fates)?;
    let shown: Vec<Value> = manifest.entries().zip(&fates).map(|(entry, fate)| shown(entry, fate)).collect();
    let (items, companions) = shown.split_at(manifest.stores.len());
    let restored = items.iter().filter(|item| item.get("restored") == Some(&Value::Bool(true))).count();
    Ok(json!({
        "schema_version": "cavra.persistent_api.restore.v1", "product": PRODUCT, "created_at": Timestamp::now(),
        "source_manifest": manifest.file.display().to_string(), "items": items, "companions": companions,
        "restored_count": restored,
    }))
}

/// How files find their places.
struct Plan<'a> {
    settings: &'a Settings,
    target: &'a Target,
    overwrite: bool,
}

impl Plan<'_> {
    /// What becomes of an entry. `taken` has the places of those before it, with the file of the backup that each takes.
    fn fate(
        &self,
        manifest: &Manifest,
        entry: &Entry,
        checked: Option<Checked>,
        taken: &mut BTreeMap<PathBuf, String>,
    ) -> Result<Fate, CoreError> {
        let Some(checked) = checked else { return Ok(Fate::Skipped("missing source backup")) };
        let Some(area) = area(&entry.name) else { return Ok(Fate::Skipped("unknown store")) };
        let location = if entry.kind == ATTACHMENT {
            let Some(location) = self.attachment(manifest, entry, area, &checked)? else {
                return Ok(Fate::Skipped("unknown store"));
            };
            location
        } else {
            self.store(manifest, entry, area, &checked)?
        };
        let path = checked.path.as_str();
        let first = taken.entry(location.full_name()).or_insert_with(|| path.to_owned());
        if first != path {
            return Err(CoreError::BadRequest(format!(
                "{first} and {path} of the backup would both become {location}; restore into a directory instead"
            )));
        }
        if location.exists() && !self.overwrite {
            return Ok(Fate::Skipped("target exists"));
        }
        Ok(Fate::Written(Job { checked, location, is_beside: entry.kind == ATTACHMENT }))
    }

    /// The place of a store.
    fn store(&self, manifest: &Manifest, entry: &Entry, area: &Area, checked: &Checked) -> Result<Location, CoreError> {
        let is_database = entry.kind == Mode::Sqlite.as_str();
        match self.target {
            Target::Live => {
                let location = area.location(self.settings);
                if (location.mode() == Mode::Sqlite) != is_database {
                    return Err(CoreError::BadRequest(format!(
                        "{} of the backup is a store of the kind {}, and {location} is one of the kind {}",
                        entry.name,
                        entry.kind,
                        location.mode().as_str()
                    )));
                }
                Ok(location)
            }
            // A file that several stores share is put back as one.
            Target::Directory(directory) => {
                let shares = |other: &&Entry| other.backup_path.as_deref() == Some(checked.path.as_str());
                let first = manifest.entries().find(shares).unwrap_or(entry);
                Ok(if is_database {
                    Location::Sqlite(directory.join(file_name(&first.name, Mode::Sqlite)))
                } else {
                    Location::Json(directory.join(file_name(&first.name, Mode::Json)))
                })
            }
        }
    }

    /// The place of a file beside a JSON store; nothing if it has none.
    fn attachment(
        &self,
        manifest: &Manifest,
        entry: &Entry,
        area: &Area,
        checked: &Checked,
    ) -> Result<Option<Location>, CoreError> {
        let name = checked.path.as_str().rsplit('/').next().unwrap_or_default();
        let store = manifest.stores.iter().find(|store| store.name == entry.name && store.kind == Mode::Json.as_str());
        let (Some(store), true) = (store, is_attachment(name)) else { return Ok(None) };
        let file = self.store(manifest, store, area, checked)?.file()?;
        Ok(Some(Location::Json(sibling(&file, ATTACHMENTS).join(name))))
    }
}

/// The area of a store, by the name that operators know.
fn area(name: &str) -> Option<&'static Area> {
    let named = areas().find(|(known, _)| *known == name).map(|(_, area)| area);
    named.or_else(|| Area::named(name).filter(|area| area.name == TOKENS))
}

/// Writes everything beside its place, and only then puts it in place.
fn write(manifest: &Manifest, fates: &[Fate]) -> Result<(), CoreError> {
    let mut drafts = Drafts(Vec::new());
    let mut seen = BTreeSet::new();
    for fate in fates {
        let Fate::Written(job) = fate else { continue };
        if seen.insert(job.location.full_name()) {
            drafts.0.push((job, written(manifest, job)?));
        }
    }
    // Files beside a store before the store that names them.
    drafts.0.sort_by_key(|(job, _)| !job.is_beside);
    for (job, draft) in &drafts.0 {
        if job.is_beside {
            let place = job.location.file()?;
            let renamed = fs::rename(draft, &place).and_then(|()| sync_directory(parent(&place)));
            renamed.map_err(|error| unwritable(&place, &error))?;
        } else {
            put_in_place(&job.location, draft)?;
        }
    }
    Ok(())
}

fn unwritable(place: &Path, error: &io::Error) -> CoreError {
    CoreError::Configuration(format!("{} cannot be written: {error}", place.display()))
}

/// Files that are not in their places yet; what is left of them goes away.
struct Drafts<'a>(Vec<(&'a Job, PathBuf)>);

impl Drop for Drafts<'_> {
    fn drop(&mut self) {
        for (_, draft) in &self.0 {
            // Those that are in their places are not there any more.
            let _ = fs::remove_file(draft);
        }
    }
}

/// Writes a file of the backup beside its place; it is what was checked.
fn written(manifest: &Manifest, job: &Job) -> Result<PathBuf, CoreError> {
    let place = job.location.file()?;
    let failed = |error: io::Error| unwritable(&place, &error);
    create_parents(&place, DIRECTORY_MODE).map_err(failed)?;
    let draft = unique_sibling(&place).map_err(failed)?;
    let copied = copy(manifest, &job.checked, &draft);
    copied.inspect_err(|_| {
        // The first error is the one to report, whether or not this works.
        let _ = fs::remove_file(&draft);
    })?;
    Ok(draft)
}

fn copy(manifest: &Manifest, checked: &Checked, draft: &Path) -> Result<(), CoreError> {
    let failed = |error: io::Error| unwritable(draft, &error);
    let mut part = manifest.content(checked)?.part(0..u64::MAX).map_err(failed)?;
    if part.sha256 != checked.sha256 {
        return Err(CoreError::BadRequest(format!("{} was changed while it was read", checked.path)));
    }
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft).map_err(failed)?;
    while let Some(piece) = part.reader.next_piece().map_err(failed)? {
        target.write_all(&piece).map_err(failed)?;
    }
    target.sync_all().map_err(failed)
}

/// What is said of a file.
fn shown(entry: &Entry, fate: &Fate) -> Value {
    match fate {
        Fate::Skipped(reason) => json!({ "name": entry.name, "restored": false, "reason": reason }),
        Fate::Written(job) => json!({
            "name": entry.name, "restored": true, "path": job.location.to_string(),
            "size_bytes": job.checked.bytes,
        }),
    }
}
