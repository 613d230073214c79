//! `cavra doctor integrations`: can events get to where they should? Settings, secrets and addresses are looked at; nothing
//! is sent.

use std::process::ExitCode;

use anyhow::Context as _;
use cavra_core::{Deliveries, LOGS, Settings, look_at_store};
use cavra_model::Object;
use cavra_model::members::{filled, list, text};
use serde_json::Value;
use tokio::runtime::Builder;

use super::checks::{Check, report};
use super::integration::connectors;
use crate::args::Json;

pub fn run(format: Json) -> anyhow::Result<ExitCode> {
    let settings = Settings::from_env()?;
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let mut checks = runtime.block_on(connector_checks(&settings));
    checks.extend(runtime.block_on(integration_checks(&settings))?);
    report(format, &checks)
}

/// The connector file, and every system that it switches on.
async fn connector_checks(settings: &Settings) -> Vec<Check> {
    let Some(file) = &settings.connector_config else {
        return vec![Check::fine("CAVRA_CONNECTOR_CONFIG", "not set: events are delivered to nobody")];
    };
    let connectors = match connectors(file) {
        Ok(connectors) => connectors,
        Err(error) => return vec![Check::broken("CAVRA_CONNECTOR_CONFIG", format!("{error:#}"))],
    };
    let mut checks = Vec::new();
    for provider in connectors.enabled() {
        let subject = format!("connector {provider}");
        checks.push(match connectors.check(provider).await {
            Ok(address) => Check::fine(&subject, &format!("sends to {address}")),
            Err(problem) => Check::broken(&subject, problem),
        });
    }
    checks
}

/// Every integration that wants to be told what happens.
async fn integration_checks(settings: &Settings) -> anyhow::Result<Vec<Check>> {
    let store = look_at_store(settings, &LOGS.map(|(name, _)| name))?;
    let status = Deliveries::new(store).status().await?;
    let nothing = Object::new();
    let lanes = list(status.as_object().unwrap_or(&nothing), "items").iter().filter_map(Value::as_object);
    Ok(lanes.map(of_lane).collect())
}

fn of_lane(lane: &Object) -> Check {
    let subject = format!("integration {}", text(lane, "integration_id"));
    let count = |member: &str| lane.get(member).and_then(Value::as_u64).unwrap_or_default();
    let error = filled(lane, "last_error").map(|error| format!(": {error}")).unwrap_or_default();
    match (text(lane, "circuit"), count("dead_letters")) {
        ("closed", 0) => Check::fine(&subject, &format!("{}, {} behind", text(lane, "status"), count("backlog"))),
        ("closed", dead) => Check::broken(&subject, format!("{dead} dead letters; see `cavra delivery list`")),
        (circuit, dead) => Check::broken(&subject, format!("the circuit is {circuit}, {dead} dead letters{error}")),
    }
}
