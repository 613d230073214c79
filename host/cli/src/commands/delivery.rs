//! `cavra delivery …`: what integrations were told, and what could not be delivered.

use std::process::ExitCode;

use anyhow::Context as _;
use cavra_core::{Caller, CoreError, Deliveries, LOGS, MAX_LIMIT, PageRequest, Settings, look_at_store};
use cavra_model::members::{filled, list, text};
use cavra_model::{DELIVERIES, Object};
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::args::{DeliveryCommand, DeliveryListArgs, DeliveryRetryArgs, Json};
use crate::output::{print_json, print_line};

pub fn run(command: &DeliveryCommand) -> anyhow::Result<ExitCode> {
    let settings = Settings::from_env()?;
    let store = look_at_store(&settings, &LOGS.map(|(name, _)| name))?;
    let deliveries = Deliveries::new(store.clone());
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let outcome = runtime.block_on(perform(&deliveries, command));
    runtime.block_on(store.close());
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn perform(deliveries: &Deliveries, command: &DeliveryCommand) -> anyhow::Result<()> {
    match command {
        DeliveryCommand::List(args) => all(deliveries, args).await,
        DeliveryCommand::Show(arg) => print_json(&deliveries.get(&arg.id).await?),
        DeliveryCommand::Retry(args) => retry(deliveries, args).await,
        DeliveryCommand::Drop(arg) => show(&deliveries.drop_one(&arg.id, &Caller::default()).await?, &arg.json),
        DeliveryCommand::Status(json) => status(&deliveries.status().await?, json),
    }
}

async fn all(deliveries: &Deliveries, args: &DeliveryListArgs) -> anyhow::Result<()> {
    let asked = [("integration_id", &args.integration), ("state", &args.state), ("event_type", &args.event_type)];
    let given = asked.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
    let page = PageRequest { parameters: given.collect(), limit: Some(args.limit), offset: Some(args.offset) };
    let found = deliveries.list(page.query(&DELIVERIES)).await?;
    if args.json.json {
        return print_json(&page.answer(found));
    }
    found.items.iter().try_for_each(|record| print_line(&line(record)))
}

async fn retry(deliveries: &Deliveries, args: &DeliveryRetryArgs) -> anyhow::Result<()> {
    let caller = Caller::default();
    if let Some(id) = &args.id {
        return show(&deliveries.retry(id, &caller).await?, &args.json);
    }
    let mut parameters = vec![("state".to_owned(), "dead_letter".to_owned())];
    parameters.extend(args.integration.clone().map(|id| ("integration_id".to_owned(), id)));
    let page = PageRequest { parameters, limit: i64::try_from(MAX_LIMIT).ok(), offset: None };
    let mut query = page.query(&DELIVERIES);
    let mut ids = Vec::new();
    // Each once: what is refused again meanwhile is not tried again by this.
    loop {
        let found = deliveries.list(query.clone()).await?;
        ids.extend(found.items.iter().map(|record| text(record, DELIVERIES.id).to_owned()));
        query.cursor = found.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    let mut retried: u64 = 0;
    for id in ids {
        match deliveries.retry(&id, &caller).await {
            Ok(_) => retried += 1,
            // Somebody has decided about it meanwhile.
            Err(CoreError::Conflict(_) | CoreError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if args.json.json { print_json(&json!({ "retried": retried })) } else { print_line(&format!("{retried} retried")) }
}

fn show(record: &Object, json: &Json) -> anyhow::Result<()> {
    if json.json { print_json(record) } else { print_line(&line(record)) }
}

fn line(record: &Object) -> String {
    let of = |member: &str| text(record, member);
    let error = filled(record, "error").map(|error| format!("  {error}")).unwrap_or_default();
    format!(
        "{}  {}  {}  {}  {}{error}",
        of("delivery_id"),
        of("queued_at"),
        of("integration_id"),
        of("state"),
        of("event_type")
    )
}

fn status(status: &Value, json: &Json) -> anyhow::Result<()> {
    if json.json {
        return print_json(status);
    }
    let nothing = Object::new();
    for lane in list(status.as_object().unwrap_or(&nothing), "items").iter().filter_map(Value::as_object) {
        let count = |member: &str| lane.get(member).and_then(Value::as_u64).unwrap_or_default();
        let error = filled(lane, "last_error").map(|error| format!("  {error}")).unwrap_or_default();
        print_line(&format!(
            "{}  {}  circuit {}  {} behind  {} dead letters{error}",
            text(lane, "integration_id"),
            text(lane, "status"),
            text(lane, "circuit"),
            count("backlog"),
            count("dead_letters")
        ))?;
    }
    Ok(())
}
