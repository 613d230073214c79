//! Records put into stores of evidence metadata.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cavra_core::{EVIDENCE_KINDS, Evidence, Settings};
use cavra_model::Object;
use cavra_store::{Location, RecordStore};
use tokio::runtime::{Builder, Runtime};

use crate::args::MetadataArgs;

/// Something to wait with.
pub fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}

/// The store at a location. Records are shown as they were written: the approvals may be elsewhere.
fn open(location: Location) -> anyhow::Result<Evidence> {
    Ok(Evidence::new(RecordStore::open(location, &EVIDENCE_KINDS)?, None))
}

/// As [`open`], to read only: nothing is created.
pub fn look(location: Location) -> anyhow::Result<Evidence> {
    Ok(Evidence::new(RecordStore::look(location, &EVIDENCE_KINDS)?, None))
}

/// The stores that were named, with their paths.
fn named(args: &MetadataArgs) -> Vec<(PathBuf, Location)> {
    let json = args.metadata_json.iter().map(|path| (path.clone(), Location::Json(path.clone())));
    let sqlite = args.sqlite.iter().map(|path| (path.clone(), Location::Sqlite(path.clone())));
    json.chain(sqlite).collect()
}

fn prepare(path: &Path) -> anyhow::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display())),
        None => Ok(()),
    }
}

/// A record without secrets: these stores may be those of a server.
fn cleaned(mut record: Object) -> anyhow::Result<Object> {
    Settings::from_env()?.redactor.clean(&mut record, &[])?;
    Ok(record)
}

/// Puts a record that may be replaced into the named stores; answers their paths.
pub fn index(args: &MetadataArgs, record: &Object) -> anyhow::Result<Vec<String>> {
    let runtime = runtime()?;
    let record = &cleaned(record.clone())?;
    let mut paths = Vec::new();
    for (path, location) in named(args) {
        prepare(&path)?;
        let evidence = open(location)?;
        runtime.block_on(async {
            let stored = evidence.post(record.clone(), &cavra_core::Caller::default()).await;
            evidence.store().close().await;
            stored
        })?;
        paths.push(path.display().to_string());
    }
    Ok(paths)
}

/// Puts a record that is written once into the named stores; answers their paths, and the record as it was written first.
pub fn index_once(
    args: &MetadataArgs,
    record: Object,
    exclusive: Option<&str>,
) -> anyhow::Result<(Vec<String>, Object)> {
    let runtime = runtime()?;
    let (mut paths, mut record) = (Vec::new(), cleaned(record)?);
    for (path, location) in named(args) {
        prepare(&path)?;
        let evidence = open(location)?;
        let written = runtime.block_on(async {
            let written = evidence.insert_once(record.clone(), exclusive.map(ToOwned::to_owned)).await;
            evidence.store().close().await;
            written
        })?;
        record = written.record;
        paths.push(path.display().to_string());
    }
    Ok((paths, record))
}
