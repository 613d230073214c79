//! The same in the simplest way: with the whole export in memory. What streams has to agree with it.

use std::collections::{BTreeMap, BTreeSet};

use cavra_json::Members;
use serde_json::Value;

use crate::reading::{Context, rows};
use crate::record::observe;
use crate::warnings::Warnings;
use crate::{MAX_RECORDS, Object, Refusal, Tool};

/// Endpoints and warnings of an export.
pub fn normalize(
    tool: &'static Tool,
    export: &Value,
    target_map: &BTreeMap<String, String>,
) -> Result<(Vec<Object>, Vec<String>), Refusal> {
    let mut warnings = Warnings::default();
    let records = records(tool, export, &mut warnings)?;
    let context = Context { tool, target_map: target_map.clone(), form: None };
    let mut endpoints = Vec::new();
    let mut ids = BTreeSet::new();
    for (index, record) in records.iter().enumerate() {
        let observed = observe(&context, index + 1, record, &mut warnings);
        let (id, endpoint) = (observed.id, serde_json::from_str(&observed.payload).unwrap());
        if !ids.insert(id.clone()) {
            warnings.add("duplicate", || format!("endpoint {id} stands in the export more than once; all are kept"));
        }
        endpoints.push(endpoint);
    }
    if endpoints.is_empty() {
        warnings.add("empty", || format!("no {} records were found in the inventory", tool.name));
    }
    Ok((endpoints, warnings.into_problems().into_iter().map(|problem| problem.message).collect()))
}

/// Members that hold one record instead of a list.
const SINGLE: [&str; 3] = ["host", "computer", "device"];

/// The records of an export, ready to be read.
pub fn records(tool: &'static Tool, export: &Value, warnings: &mut Warnings) -> Result<Vec<Members<'static>>, Refusal> {
    let mut found = Vec::new();
    match export {
        Value::Object(page) => found = of_page(tool, page, warnings).ok_or_else(|| refusal(tool))?,
        Value::Array(items) => {
            // Pages of one export, or the records themselves.
            let pages = items.iter().filter_map(Value::as_object);
            let pages: Vec<_> = pages.map(|page| (page, list_of(tool, page).is_some())).collect();
            let all_pages = !items.is_empty() && pages.len() == items.len() && pages.iter().all(|(_, list)| *list);
            if all_pages {
                let read = pages.iter().filter_map(|(page, _)| of_page(tool, page, warnings));
                found = read.flatten().collect();
            } else {
                found.extend(items.iter().cloned());
            }
        }
        _ => return Err(refusal(tool)),
    }
    if found.len() > MAX_RECORDS {
        return Err(Refusal::TooMany { records: found.len() as u64 });
    }
    let count = found.len();
    let objects: Vec<_> =
        found.into_iter().filter_map(into_object).flat_map(|object| rows(Members::from(&object))).collect();
    if objects.len() > MAX_RECORDS {
        return Err(Refusal::TooMany { records: objects.len() as u64 });
    }
    let skipped = count.saturating_sub(objects.len());
    if skipped > 0 {
        warnings.add("skipped", || format!("{skipped} entries of the export are no objects and were skipped"));
    }
    Ok(objects)
}

fn refusal(_: &'static Tool) -> Refusal {
    Refusal::NoRecords
}

fn into_object(value: Value) -> Option<Object> {
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// The first list of a page that is not empty, else the first one.
fn list_of<'a>(tool: &Tool, page: &'a Object) -> Option<&'a Vec<Value>> {
    let lists = || tool.lists.iter().filter_map(|name| page.get(*name).and_then(Value::as_array));
    lists().find(|list| !list.is_empty()).or_else(|| lists().next())
}

fn of_page(tool: &Tool, page: &Object, warnings: &mut Warnings) -> Option<Vec<Value>> {
    let named = list_of(tool, page);
    let observations = page.get("schema_version").and_then(Value::as_str) == Some("cavra.endpoint-observations.v1");
    let own = page.get("endpoints").and_then(Value::as_array).filter(|_| observations);
    // osquery writes its log lines alike, whoever collects them.
    let snapshot = page.get("snapshot").and_then(Value::as_array);
    if let Some(list) = named.filter(|list| !list.is_empty() || snapshot.is_none()).or(own).or(snapshot) {
        incomplete(page, list.len(), warnings);
        let parent = snapshot.filter(|snapshot| std::ptr::eq(*snapshot, list)).map(|_| page);
        return Some(list.iter().map(|item| inherit(item, parent)).collect());
    }
    if page.get("columns").is_some_and(Value::is_object) {
        return Some(vec![Value::Object(page.clone())]);
    }
    let single = SINGLE.iter().find_map(|name| page.get(*name).filter(|value| value.is_object()));
    single.map(|record| vec![record.clone()])
}

/// Says when a page is probably not all there is: machines that are missing would read as drift.
fn incomplete(page: &Object, records: usize, warnings: &mut Warnings) {
    let next = page.get("@odata.nextLink").and_then(Value::as_str).is_some_and(|next| !next.is_empty());
    let total = page.get("totalCount").and_then(Value::as_u64).and_then(|total| usize::try_from(total).ok());
    if next || total.is_some_and(|total| total > records) {
        warnings.add("incomplete", || "the export looks incomplete: it says that there are more pages".to_owned());
    }
}

/// A row of a snapshot knows its host and time from the log line around it.
fn inherit(item: &Value, parent: Option<&Object>) -> Value {
    let Some(parent) = parent else { return item.clone() };
    let mut record = Object::new();
    for name in ["hostIdentifier", "unixTime"] {
        if let Some(value) = parent.get(name) {
            record.insert(name.to_owned(), value.clone());
        }
    }
    record.insert("columns".to_owned(), item.clone());
    Value::Object(record)
}
