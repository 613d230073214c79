//! Moving from JSON files to a database. A new database is no answer while the records it should have lie in a JSON file:
//! what was enforced would be enforced no more.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cavra_model::{Kind, Object, POLICY_ARCHIVE};
use cavra_store::{Location, Query, RecordStore, Transaction, Walk};
use serde::Serialize;

use crate::archive::in_record;
use crate::evidence_log::LogIdentity;
use crate::{AREAS, Area, CoreError, Settings};

/// What is appended to the name of a JSON file whose records have been moved.
const MOVED: &str = "imported";

/// An area whose database is new while its JSON file has records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftBehind {
    /// The area.
    pub area: &'static str,
    /// The JSON file.
    pub json: PathBuf,
    /// The database.
    pub database: String,
    /// Records in the JSON file.
    pub records: u64,
    /// Leaves in its log.
    pub leaves: u64,
}

impl LeftBehind {
    /// What somebody who starts a server is told.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!(
            "the database {} is new, but {} holds {} records ({}); move them with `cavra ops import`, or start with \
             --ignore-json to leave them behind",
            self.database,
            self.json.display(),
            self.records,
            self.area
        )
    }
}

/// The areas whose records would be left behind by the settings.
///
/// # Errors
/// [`CoreError::Store`].
pub async fn left_behind(settings: &Settings) -> Result<Vec<LeftBehind>, CoreError> {
    let mut found = Vec::new();
    for area in &AREAS {
        found.extend(of_area(settings, area).await?);
    }
    Ok(found)
}

async fn of_area(settings: &Settings, area: &'static Area) -> Result<Option<LeftBehind>, CoreError> {
    let (location, json) = (area.location(settings), settings.json_file(area.name));
    let Location::Sqlite(_) = location else { return Ok(None) };
    if !json.exists() || !is_empty(&RecordStore::look(location.clone(), area.kinds)?, area).await? {
        return Ok(None);
    }
    let source = RecordStore::look(Location::Json(json.clone()), area.kinds)?;
    let (mut records, leaves) = (0, source.log_size(first(area)).await?);
    for kind in area.kinds.iter().filter(|kind| !kind.is_part()) {
        records += source.list(kind, Query { limit: 1, ..Query::default() }).await?.total;
    }
    let database = location.to_string();
    Ok((records + leaves > 0).then_some(LeftBehind { area: area.name, json, database, records, leaves }))
}

async fn is_empty(store: &RecordStore, area: &'static Area) -> Result<bool, CoreError> {
    for kind in area.kinds {
        if store.list(kind, Query { limit: 1, ..Query::default() }).await?.total > 0 {
            return Ok(false);
        }
    }
    Ok(store.log_size(first(area)).await? == 0)
}

/// The kind that gives an area its name.
fn first(area: &'static Area) -> &'static Kind {
    area.kinds.first().copied().unwrap_or(&POLICY_ARCHIVE)
}

/// Moves the records of the areas that [`left_behind`] names into their databases: records, leaves, and which log it is. The
/// JSON files get another name. What an earlier call had moved before it was interrupted is not moved again.
///
/// # Errors
/// [`CoreError::Store`], [`CoreError::Configuration`] for a file that cannot be renamed.
pub async fn import(settings: &Settings) -> Result<Vec<LeftBehind>, CoreError> {
    let mut moved = Vec::new();
    for area in &AREAS {
        match of_area(settings, area).await? {
            Some(left) => {
                move_area(settings, area, &left.json).await?;
                put_away(&left.json)?;
                moved.push(left);
            }
            None => finish(settings, area).await?,
        }
    }
    Ok(moved)
}

async fn move_area(settings: &Settings, area: &'static Area, json: &Path) -> Result<(), CoreError> {
    let source = RecordStore::look(Location::Json(json.to_owned()), area.kinds)?;
    let target = RecordStore::open(area.location(settings), area.kinds)?;
    let mut records: Vec<(&'static Kind, Arc<Object>)> = Vec::new();
    for kind in area.kinds.iter().filter(|kind| !kind.is_part()) {
        for mut record in all(&source, kind).await? {
            in_record(&source, kind, &mut record).await?;
            records.push((*kind, Arc::new(record)));
        }
    }
    let kind = first(area);
    let leaves = source.leaves(kind, 0..u64::MAX).await?;
    let property = LogIdentity::property(area.name);
    let identity = source.property(kind, &property).await?;
    // In one commit: a database with a part of the records would count as one that is in use.
    target
        .transact(move |tx: &mut dyn Transaction| {
            records.iter().try_for_each(|(kind, record)| tx.insert_shared(kind, Arc::clone(record)))?;
            leaves.iter().try_for_each(|leaf| tx.append(kind, leaf.clone()))?;
            identity.iter().try_for_each(|identity| tx.set_property(kind, &property, identity.clone()))
        })
        .await?;
    target.settle().await;
    Ok(())
}

/// All records of a kind, the oldest first.
async fn all(store: &RecordStore, kind: &'static Kind) -> Result<Vec<Object>, CoreError> {
    let found = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&found);
    let visit = move |record| {
        sink.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        true
    };
    store.walk(kind, Walk::default(), visit).await?;
    let mut records = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
    records.reverse();
    Ok(records)
}

/// A file whose log the database has already is one that an interrupted call has moved.
async fn finish(settings: &Settings, area: &'static Area) -> Result<(), CoreError> {
    let (location, json) = (area.location(settings), settings.json_file(area.name));
    let Location::Sqlite(_) = location else { return Ok(()) };
    if !json.exists() {
        return Ok(());
    }
    let leaves = RecordStore::look(Location::Json(json.clone()), area.kinds)?.leaves(first(area), 0..u64::MAX).await?;
    let target = RecordStore::look(location, area.kinds)?;
    let same = target.leaves(first(area), 0..leaves.len() as u64).await?;
    if !leaves.is_empty() && leaves == same { put_away(&json) } else { Ok(()) }
}

fn put_away(json: &Path) -> Result<(), CoreError> {
    let mut name = json.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{MOVED}"));
    std::fs::rename(json, json.with_file_name(name)).map_err(|error| {
        CoreError::Configuration(format!(
            "the records of {} have been moved, but it cannot be renamed: {error}",
            json.display()
        ))
    })
}
