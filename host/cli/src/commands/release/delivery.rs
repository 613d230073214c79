//! Audit events of promotions and rollbacks, delivered to other systems.

use std::path::Path;
use std::process::ExitCode;

use cavra_connect::{Options, Source};
use cavra_core::{PROMOTION_DELIVERY, ROLLBACK_DELIVERY, delivery_record};
use cavra_evidence::pretty;
use cavra_model::Object;
use cavra_release::{Action, PROMOTION, ROLLBACK, audit_event};
use serde_json::{Value, json};

use super::{metadata, read_object, write_files};
use crate::args::ReleaseDeliverArgs;
use crate::commands::integration::{connectors, delivery_file};
use crate::output::print_json;

pub fn promotion(args: &ReleaseDeliverArgs) -> anyhow::Result<ExitCode> {
    deliver(&PROMOTION, PROMOTION_DELIVERY, args)
}

pub fn rollback(args: &ReleaseDeliverArgs) -> anyhow::Result<ExitCode> {
    deliver(&ROLLBACK, ROLLBACK_DELIVERY, args)
}

/// Delivers, writes down what came of it, and puts its evidence into the named stores; exits with 1 if a system did not take
/// the event.
fn deliver(action: &Action, source: &str, args: &ReleaseDeliverArgs) -> anyhow::Result<ExitCode> {
    let event = audit_event(action, &read_object(&args.document)?).map_err(anyhow::Error::msg)?;
    let options = Options::of(&args.send.asked(), "all")?;
    let delivery =
        metadata::runtime()?.block_on(connectors(&args.send.config)?.deliver(event, Source::Server, &options))?;
    let file = delivery_file(&delivery);
    write_files(&args.output, &[(&file, pretty(&Value::Object(delivery.clone())))])?;
    let record = delivery_record(&delivery, source, Object::new());
    let stores = metadata::index(&args.metadata, &record)?;
    let succeeded = delivery.get("success") == Some(&Value::Bool(true));
    let mut result = delivery;
    result.insert("metadata".to_owned(), Value::Object(record));
    result.insert("delivery_evidence".to_owned(), json!(Path::new(&args.output).join(&file)));
    result.insert("indexed_metadata_stores".to_owned(), json!(stores));
    print_json(&result)?;
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
