//! Backups: every store as it was at one moment, copied while others write, and a manifest that is written last.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use cavra_artifacts::{
    Access, Draft, Inside, Measured, Otherwise, Reach, Tree, create_file, create_parents, put_directory, replace_file,
    sibling, sync_directory, unique_sibling,
};
use cavra_model::Timestamp;
use cavra_store::{FrozenFile, Location, Mode, RecordStore, freeze};
use serde_json::{Map, Value, json};

use super::PRODUCT;
use super::manifest::{ATTACHMENT, FILE, SCHEMA};
use super::stores::{StoreItem, areas, store_item};
use crate::{AREAS, Area, CoreError, Settings, look_at_store};

/// The directory of the copies, beside the manifest.
const COPIES: &str = "stores";

/// What is appended to the name of a JSON store for the directory of the files beside it.
pub(super) const ATTACHMENTS: &str = ".attachments";

/// Mode of directories with copies.
const DIRECTORY_MODE: u32 = 0o700;

/// The API tokens are kept like a store.
pub(super) const TOKENS: &str = "tokens";

/// A store that is copied under its name.
struct Copied {
    item: StoreItem,
    area: &'static Area,
    location: Location,
}

/// Writes a backup of every store into the directory `output`; answers its manifest. With `include_missing`, stores that are
/// not there are in it, empty.
///
/// # Errors
/// [`CoreError::Store`], [`CoreError::Configuration`] for a directory that cannot be written.
pub async fn backup(settings: &Settings, output: &Path, include_missing: bool) -> Result<Value, CoreError> {
    let stores: Vec<Copied> = copied(settings).collect();
    for store in &stores {
        let unseen = |error| CoreError::Configuration(format!("{} cannot be looked at: {error}", store.item.path));
        store.location.size().map_err(unseen)?;
    }
    finish_units(settings, &stores).await?;
    let frozen = freeze(&places(&stores))?;
    let created_at = Timestamp::now();
    let unwritable =
        |error: io::Error| CoreError::Configuration(format!("{} cannot be written: {error}", output.display()));
    create_parents(&output.join(FILE), DIRECTORY_MODE).map_err(unwritable)?;
    let draft = Copies::beside(&output.join(COPIES)).map_err(unwritable)?;
    let written = write_copies(&draft.0, &stores, &frozen, include_missing).await?;
    drop(frozen);
    let attachments = copy_attachments(&stores, &draft.0).map_err(unwritable)?;
    sync_directory(&draft.0).map_err(unwritable)?;
    let manifest = described_all(&draft.0, &stores, &written, attachments, created_at)?;
    put_backup_in_place(output, &draft.0, &manifest).map_err(unwritable)?;
    Ok(manifest)
}

/// A directory of copies that is not in its place yet; what is left of it goes away.
struct Copies(PathBuf);

impl Copies {
    fn beside(place: &Path) -> io::Result<Self> {
        let draft = unique_sibling(place)?;
        DirBuilder::new().mode(DIRECTORY_MODE).create(&draft)?;
        Ok(Self(draft))
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        // It holds the copies of the backup before, or what could not be finished; whether it goes does not matter.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Copies what was frozen, and makes empty stores where they are wanted; answers the names of the copies.
async fn write_copies(
    directory: &Path,
    stores: &[Copied],
    frozen: &[FrozenFile],
    include_missing: bool,
) -> Result<BTreeSet<String>, CoreError> {
    let mut written = BTreeSet::new();
    for file in frozen {
        let name = copy_name(stores, file.location());
        file.write(&directory.join(&name))?;
        written.insert(name);
    }
    for store in stores.iter().filter(|store| include_missing && !store.item.exists) {
        let name = copy_name(stores, &store.location);
        if written.insert(name.clone()) {
            write_empty(&directory.join(name), store, stores).await?;
        }
    }
    Ok(written)
}

/// The manifest of the copies in a directory.
fn described_all(
    directory: &Path,
    stores: &[Copied],
    written: &BTreeSet<String>,
    attachments: Vec<(&'static str, PathBuf, String)>,
    created_at: Timestamp,
) -> Result<Value, CoreError> {
    let unreadable = |error| CoreError::Configuration(format!("{} cannot be read: {error}", directory.display()));
    let tree = Reach::Anywhere.open(directory).map_err(unreadable)?;
    let entry = |store: &Copied| {
        let name = Some(copy_name(stores, &store.location)).filter(|name| written.contains(name));
        described(&tree, store, name.as_deref())
    };
    let (tokens, named): (Vec<&Copied>, Vec<&Copied>) = stores.iter().partition(|store| store.item.name == TOKENS);
    let named = named.into_iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    let mut companions = tokens.into_iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    for (name, source, path) in attachments {
        companions.push(attachment(&tree, name, &source, &path)?);
    }
    Ok(json!({
        "schema_version": SCHEMA, "product": PRODUCT, "created_at": created_at,
        "stores": named, "companions": companions,
    }))
}

/// Puts copies and manifest in the places of the backup before, once all of both is on the disk. Between the two there is no
/// manifest: what lies there then belongs to no backup.
fn put_backup_in_place(output: &Path, copies: &Path, manifest: &Value) -> io::Result<()> {
    let place = output.join(FILE);
    let draft = unique_sibling(&place)?;
    let text = cavra_evidence::pretty(manifest);
    let file = create_file(&draft, text.as_bytes(), &Access::Owner)?;
    drop(file);
    let name = |path: &Path| path.file_name().map(PathBuf::from).unwrap_or_default();
    let put = || {
        remove(&place)?;
        let within = fs::File::open(output)?;
        let exists = output.join(COPIES).exists();
        put_directory(&within, &name(copies), Path::new(COPIES), exists, Otherwise::InSteps)?;
        fs::rename(&draft, &place)?;
        sync_directory(output)
    };
    put().inspect_err(|_| {
        // The first error is the one to report, whether or not this works.
        let _ = fs::remove_file(&draft);
    })
}

/// What is copied, by the names of operators.
fn copied(settings: &Settings) -> impl Iterator<Item = Copied> {
    let tokens = Area::named(TOKENS).map(|area| (TOKENS, area));
    areas().chain(tokens).map(|(name, area)| Copied {
        item: store_item(settings, name, area),
        area,
        location: area.location(settings),
    })
}

/// What an interrupted unit of work has left to be written is written before anything is copied.
async fn finish_units(settings: &Settings, stores: &[Copied]) -> Result<(), CoreError> {
    let there: Vec<&str> = stores.iter().filter(|store| store.item.exists).map(|store| store.area.name).collect();
    if !there.is_empty() {
        look_at_store(settings, &there)?.close().await;
    }
    Ok(())
}

/// The files that are there, each once, in the order in which the store locks them.
fn places(stores: &[Copied]) -> Vec<Location> {
    let mut places: Vec<Location> = Vec::new();
    for area in &AREAS {
        let here = stores.iter().filter(|store| store.area.name == area.name && store.item.exists);
        for store in here {
            if !places.iter().any(|known| is_same(known, &store.location)) {
                places.push(store.location.clone());
            }
        }
    }
    places
}

fn is_same(left: &Location, right: &Location) -> bool {
    left.mode() == right.mode() && left.full_name() == right.full_name()
}

/// A file is copied under the name of the first store in it.
fn copy_name(stores: &[Copied], location: &Location) -> String {
    let name = stores.iter().find(|store| is_same(&store.location, location)).map_or("", |store| store.item.name);
    file_name(name, location.mode())
}

/// What a store's file is called in a backup.
pub(super) fn file_name(name: &str, mode: Mode) -> String {
    match mode {
        Mode::Json => format!("{name}.json"),
        Mode::Sqlite => format!("{name}.db"),
    }
}

/// An empty store of its kind.
async fn write_empty(target: &Path, store: &Copied, stores: &[Copied]) -> Result<(), CoreError> {
    let here: Vec<&Copied> = stores.iter().filter(|other| is_same(&other.location, &store.location)).collect();
    let unwritable = |error: io::Error| CoreError::Configuration(format!("{}: {error}", target.display()));
    match store.location.mode() {
        Mode::Json => {
            let kinds = here.iter().flat_map(|store| store.area.kinds);
            let empty: Map<String, Value> = kinds.map(|kind| (kind.collection.to_owned(), json!([]))).collect();
            let text = cavra_evidence::pretty(&Value::Object(empty));
            replace_file(target, text.as_bytes(), &Access::Owner, Draft::Unique).map(drop).map_err(unwritable)
        }
        Mode::Sqlite => {
            let draft = unique_sibling(target).map_err(unwritable)?;
            let places: Vec<_> = here.iter().map(|store| (Location::Sqlite(draft.clone()), store.area.kinds)).collect();
            RecordStore::open_all(&places)?.settle().await;
            let copy = freeze(&[Location::Sqlite(draft.clone())])?;
            copy.iter().try_for_each(|file| file.write(target))?;
            drop(copy);
            ["", "-wal", "-shm"].iter().try_for_each(|suffix| remove(&sibling(&draft, suffix))).map_err(unwritable)
        }
    }
}

/// The entry of a store, whose copy has that name if there is one.
fn described(tree: &Tree, store: &Copied, name: Option<&str>) -> Result<Value, CoreError> {
    let found = name.map(|name| measured(tree, name)).transpose()?;
    let path = name.map(|name| format!("{COPIES}/{name}"));
    Ok(json!({
        "name": store.item.name, "kind": store.item.kind, "source_path": store.item.path,
        "configured_by": store.item.configured_by, "exists": store.item.exists, "backup_path": path,
        "size_bytes": found.as_ref().map_or(0, |found| found.bytes), "sha256": found.map(|found| found.sha256),
    }))
}

fn measured(tree: &Tree, path: &str) -> Result<Measured, CoreError> {
    let unreadable = |why: String| CoreError::Configuration(format!("{path} cannot be read: {why}"));
    let inside = Inside::new(path).ok_or_else(|| unreadable("it is no plain path".to_owned()))?;
    tree.measure(&inside, u64::MAX).map_err(|error| unreadable(error.to_string()))
}

/// The files beside JSON stores: the store's name, the file, and where its copy is.
fn copy_attachments(stores: &[Copied], directory: &Path) -> io::Result<Vec<(&'static str, PathBuf, String)>> {
    let mut copies = Vec::new();
    for store in stores.iter().filter(|store| store.item.exists && store.location.mode() == Mode::Json) {
        let file = store.location.file().map_err(io::Error::other)?;
        let found = match fs::read_dir(sibling(&file, ATTACHMENTS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            found => found?,
        };
        let folder = format!("{}{ATTACHMENTS}", copy_name(stores, &store.location));
        for entry in found {
            let entry = entry?;
            let name = entry.file_name().to_str().filter(|name| is_attachment(name)).map(ToOwned::to_owned);
            let Some(name) = name.filter(|_| entry.file_type().is_ok_and(|kind| kind.is_file())) else { continue };
            let target = directory.join(&folder);
            if !target.exists() {
                DirBuilder::new().mode(DIRECTORY_MODE).create(&target)?;
            }
            copy(&entry.path(), &target.join(&name))?;
            copies.push((store.item.name, entry.path(), format!("{folder}/{name}")));
        }
    }
    copies.sort();
    copies.dedup_by(|one, other| one.2 == other.2);
    Ok(copies)
}

/// Whether a file beside a store is one of its attachments, by its name.
pub(super) fn is_attachment(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Copies a file that never changes.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let draft = unique_sibling(to)?;
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let copied = fs::File::open(from)
        .and_then(|mut source| io::copy(&mut source, &mut target))
        .and_then(|_| target.sync_all())
        .and_then(|()| fs::rename(&draft, to));
    copied.inspect_err(|_| {
        // The first error is the one to report, whether or not this works.
        let _ = fs::remove_file(&draft);
    })
}

fn attachment(tree: &Tree, name: &str, source: &Path, path: &str) -> Result<Value, CoreError> {
    let found = measured(tree, path)?;
    Ok(json!({
        "name": name, "kind": ATTACHMENT, "source_path": source.display().to_string(),
        "backup_path": format!("{COPIES}/{path}"),
        "size_bytes": found.bytes, "sha256": found.sha256,
    }))
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
