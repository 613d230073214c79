//! Approvals that releases ask for and rely on.

use std::path::Path;

use anyhow::{Context as _, bail};
use cavra_core::{APPROVAL_KINDS, Approvals, MAX_TTL_HOURS, NewApproval};
use cavra_identity::Gatekeeper;
use cavra_model::{APPROVALS, Object, Routing, Timestamp, expire_if_lapsed};
use cavra_store::{Location, RecordStore};
use serde_json::Value;

use super::metadata::runtime;
use super::read_object;
use crate::args::{ApprovalTargetArgs, ExecutionArgs};

/// The store that `cavra approval` uses.
const LOCAL_STORE: &str = ".cavra/approvals.json";

/// The named stores; the local one if none is named.
fn locations(args: &ApprovalTargetArgs) -> Vec<Location> {
    let json = args.approval_store.clone().map(Location::Json);
    let sqlite = args.approval_sqlite.clone().map(Location::Sqlite);
    let named: Vec<_> = json.into_iter().chain(sqlite).collect();
    if named.is_empty() { vec![Location::Json(LOCAL_STORE.into())] } else { named }
}

fn open(location: Location) -> anyhow::Result<Approvals> {
    let (Location::Json(path) | Location::Sqlite(path)) = &location;
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    Ok(desk(RecordStore::open(location, &APPROVAL_KINDS)?))
}

fn desk(store: RecordStore) -> Approvals {
    Approvals::new(store, Routing::default(), Gatekeeper::open())
}

/// Hours until a request lapses.
pub fn ttl(hours: i64) -> u64 {
    u64::try_from(hours).unwrap_or(0).clamp(1, MAX_TTL_HOURS)
}

/// Makes an approval by `ask` in the first store and copies it into the others; answers what was asked and the paths.
pub fn ask<T, F>(
    args: &ApprovalTargetArgs,
    ask: impl FnOnce(Approvals) -> F,
    approval_of: impl Fn(&T) -> Option<Object>,
) -> anyhow::Result<(T, Vec<String>)>
where
    F: Future<Output = Result<T, cavra_core::CoreError>>,
{
    let mut stores = locations(args).into_iter().map(open);
    let first = stores.next().context("there is no approval store")??;
    let mut paths = vec![first.store().location(&APPROVALS)?.to_string()];
    runtime()?.block_on(async {
        let asked = ask(first.clone()).await;
        first.store().close().await;
        let asked = asked?;
        let approval = approval_of(&asked).context("the request has no approval")?;
        for store in stores {
            let store = store?;
            let copied = store.copy(approval.clone()).await;
            store.store().close().await;
            copied?;
            paths.push(store.store().location(&APPROVALS)?.to_string());
        }
        Ok((asked, paths))
    })
}

/// A pending approval, in the named stores; in none if none is named.
pub fn ask_named(args: &ApprovalTargetArgs, new: NewApproval) -> anyhow::Result<(Object, Vec<String>)> {
    if args.approval_store.is_none() && args.approval_sqlite.is_none() {
        // Nothing is looked up in this store, and nothing is made of it.
        let nowhere = desk(RecordStore::look(Location::Json(LOCAL_STORE.into()), &APPROVAL_KINDS)?);
        return Ok((nowhere.prepare(new)?, Vec::new()));
    }
    ask(args, |approvals| async move { approvals.request(new).await }, |approval| Some(approval.clone()))
}

/// The approval something relies on: in the named file, else in the first named store that knows it.
pub fn find(args: &ExecutionArgs, id: Option<&str>) -> anyhow::Result<Object> {
    if let Some(file) = &args.approval_json {
        return from_file(file, id);
    }
    let id = id.context("--approval-id is required")?;
    let runtime = runtime()?;
    for location in locations(&args.approvals) {
        let approvals = desk(RecordStore::look(location, &APPROVAL_KINDS)?);
        let found = runtime.block_on(async {
            let found = approvals.get(id).await;
            approvals.store().close().await;
            found
        });
        match found {
            Err(cavra_core::CoreError::NotFound(_)) => {}
            other => return Ok(other?),
        }
    }
    bail!("approval {id} not found")
}

fn from_file(file: &Path, id: Option<&str>) -> anyhow::Result<Object> {
    let document = read_object(file)?;
    let items = document.get("items").and_then(Value::as_array).cloned();
    let candidates = items.unwrap_or_else(|| vec![Value::Object(document)]);
    let mut objects = candidates.into_iter().filter_map(|item| match item {
        Value::Object(record) => Some(record),
        _ => None,
    });
    let named = |record: &Object| id.is_none_or(|id| record.get(APPROVALS.id).and_then(Value::as_str) == Some(id));
    let mut record = objects.find(named).with_context(|| format!("{}: the approval is not there", file.display()))?;
    expire_if_lapsed(&mut record, Timestamp::now());
    Ok(record)
}
