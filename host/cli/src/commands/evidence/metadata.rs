//! Metadata of bundles: recorded in a store of its own, searched, and the store brought up to date.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use cavra_core::{EVIDENCE_KINDS, Evidence, PageRequest};
use cavra_evidence::{BundleFolder, bundle_metadata};
use cavra_model::{EVIDENCE, EVIDENCE_METADATA, Kind};
use cavra_store::{Location, RecordStore, StoreError, apply_scripts, table_script};
use serde_json::json;
use tokio::runtime::Builder;

use super::documents;
use crate::args::{IndexArgs, SearchArgs};
use crate::output::print_json;

/// Where migrations are looked for unless told.
const LOCAL_MIGRATIONS: &str = "migrations/sqlite";

/// The migration of our own. Columns, indexes and what is kept beside the records are added when a store is opened.
const BUILT_IN: &str = "0001_evidence_metadata.sql";

pub fn index(args: &IndexArgs) -> anyhow::Result<ExitCode> {
    documents::warn_if_damaged(&args.bundle);
    let record = bundle_metadata(&BundleFolder::open(&args.bundle)?)?;
    let location = match &args.sqlite {
        Some(file) => Location::Sqlite(file.clone()),
        None => Location::Json(args.store.clone()),
    };
    let stored = with(RecordStore::open, location, async |evidence| {
        Ok(evidence.post(record, &cavra_core::Caller::default()).await?)
    })?;
    print_json(&stored)?;
    Ok(ExitCode::SUCCESS)
}

pub fn search(args: &SearchArgs) -> anyhow::Result<ExitCode> {
    let approvals = match (args.has_approvals, args.no_has_approvals) {
        (true, _) => Some("true".to_owned()),
        (_, true) => Some("false".to_owned()),
        _ => None,
    };
    let options = [
        ("session_id", args.session_id.clone()),
        ("signer", args.signer.clone()),
        ("min_blocked", args.min_blocked.map(|number| number.to_string())),
        ("has_approvals", approvals),
        ("metadata_kind", args.metadata_kind.clone()),
        ("rollout_status", args.rollout_status.clone()),
        ("environment", args.environment.clone()),
        ("deployment_target", args.deployment_target.clone()),
        ("target_ring", args.target_ring.clone()),
        ("approval_state", args.approval_state.clone()),
        ("promotion_execution_status", args.promotion_execution_status.clone()),
        ("rollback_execution_status", args.rollback_execution_status.clone()),
    ];
    let parameters = options.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let request = PageRequest { parameters, limit: Some(args.limit), offset: Some(args.offset) };
    let location = Location::Sqlite(args.sqlite.clone());
    let found = with(RecordStore::look, location, async |evidence| Ok(evidence.list(&EVIDENCE, &request).await?))?;
    print_json(&request.answer(found))?;
    Ok(ExitCode::SUCCESS)
}

pub fn migrate(sqlite: &Path, directory: Option<&Path>) -> anyhow::Result<ExitCode> {
    let local = Path::new(LOCAL_MIGRATIONS);
    let directory = directory.or_else(|| local.is_dir().then_some(local));
    let scripts = match directory {
        Some(directory) => read_scripts(directory)?,
        None => vec![(BUILT_IN.to_owned(), table_script(&EVIDENCE_METADATA))],
    };
    let done = apply_scripts(sqlite, &scripts)?;
    if directory.is_none() {
        cavra_store::migrate(sqlite, &EVIDENCE_KINDS)?;
    }
    let shown = directory.map_or_else(|| "built-in".to_owned(), |directory| directory.display().to_string());
    print_json(&json!({
        "database": sqlite.display().to_string(), "migrations_dir": shown,
        "applied": done.applied, "skipped": done.skipped,
    }))?;
    Ok(ExitCode::SUCCESS)
}

/// The `*.sql` files of a directory, by name.
fn read_scripts(directory: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let unreadable = || format!("cannot read {}", directory.display());
    let entries = fs::read_dir(directory).with_context(unreadable)?;
    let mut files: Vec<PathBuf> =
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>().with_context(unreadable)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    ensure!(!files.is_empty(), "there are no *.sql files in {}", directory.display());
    let script = |file: &PathBuf| {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok((name, text))
    };
    files.iter().map(script).collect()
}

/// Runs `work` over the store at `location`, opened for writing or reading.
fn with<T>(
    open: fn(Location, &'static [&'static Kind]) -> Result<RecordStore, StoreError>,
    location: Location,
    work: impl AsyncFnOnce(&Evidence) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let store = open(location, &EVIDENCE_KINDS)?;
    let evidence = Evidence::new(store, None);
    runtime.block_on(async {
        let outcome = work(&evidence).await;
        evidence.store().close().await;
        outcome
    })
}
