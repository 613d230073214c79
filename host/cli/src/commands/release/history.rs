//! Deliveries of release events, as they were recorded.

use std::process::ExitCode;

use cavra_core::PageRequest;
use cavra_model::RELEASE_DELIVERIES;
use cavra_store::Location;
use serde_json::json;

use super::metadata::{look, runtime};
use crate::args::{HistoryArgs, HistoryStoreArgs, Json};
use crate::output::print_json;

pub fn location(store: &HistoryStoreArgs) -> Location {
    match &store.metadata_json {
        Some(file) => Location::Json(file.clone()),
        None => Location::Sqlite(store.sqlite.clone()),
    }
}

pub fn list(args: &HistoryArgs) -> anyhow::Result<ExitCode> {
    let filters = [
        ("provider", &args.provider),
        ("event_type", &args.event_type),
        ("event_id", &args.event_id),
        ("success", &args.success),
    ];
    let given = filters.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
    let page = PageRequest { parameters: given.collect(), limit: Some(args.limit), offset: Some(args.offset) };
    let evidence = look(location(&args.store))?;
    let found = runtime()?.block_on(evidence.list(&RELEASE_DELIVERIES, &page))?;
    let mut answer = page.answer(found);
    answer.insert("schema_version".to_owned(), json!(RELEASE_DELIVERIES.list_schema));
    answer.insert("product".to_owned(), json!("CAVRA"));
    print_json(&answer)?;
    Ok(ExitCode::SUCCESS)
}

pub fn dashboard(store: &HistoryStoreArgs, _: Json) -> anyhow::Result<ExitCode> {
    let evidence = look(location(store))?;
    print_json(&runtime()?.block_on(evidence.delivery_dashboard())?)?;
    Ok(ExitCode::SUCCESS)
}
