//! `cavra integration …`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use cavra_connect::{CONNECTOR_KEYS, Config, Connectors, Options, Source};
use cavra_core::{Engine, Registry, Settings, look_at_store, plugins};
use cavra_evidence::{pretty, write_file};
use cavra_model::members::{built, text};
use cavra_model::{INTEGRATIONS, Object, Timestamp};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::args::{DeliverArgs, IntegrationCommand, IntegrationTestArgs};
use crate::input::object_file;
use crate::output::print_text;

/// Largest event, in bytes.
const EVENT_LIMIT: u64 = 1024 * 1024;

/// Longest name of a file, in characters, without what says that it is a delivery.
const NAME_LENGTH: usize = 120;

pub fn run(command: &IntegrationCommand) -> anyhow::Result<ExitCode> {
    match command {
        IntegrationCommand::Deliver(args) => deliver(args),
        IntegrationCommand::Test(args) => test(args),
    }
}

fn deliver(args: &DeliverArgs) -> anyhow::Result<ExitCode> {
    let event = object_file(&args.event, EVENT_LIMIT)?;
    let connectors = connectors(&args.send.config)?;
    let options = Options::of(&args.send.asked(), "all")?;
    let delivered = runtime()?.block_on(connectors.deliver(event, Source::Caller, &options))?;
    let name = delivery_file(&delivered);
    let succeeded = delivered.get("success") == Some(&Value::Bool(true));
    let document = pretty(&Value::Object(delivered));
    std::fs::create_dir_all(&args.output).with_context(|| args.output.display().to_string())?;
    write_file(&Path::new(&args.output).join(name), document.as_bytes())?;
    print_text(&document)?;
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends an event that says that it is a test, once.
fn test(args: &IntegrationTestArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings::from_env()?;
    let file = args.config.as_ref().or(settings.connector_config.as_ref());
    let connectors = connectors(file.context("there is no connector file: name one with --config")?)?;
    let registry = Registry::new(look_at_store(&settings, &["integrations"])?);
    let runtime = runtime()?;
    let record = runtime.block_on(registry.get(&INTEGRATIONS, &args.id))?;
    let event = built(json!({
        "event_type": "cavra.integration.test",
        "product": "CAVRA",
        "title": "CAVRA test event",
        "timestamp": Timestamp::now(),
        "integration_id": record.get("integration_id"),
        "integration_provider": record.get("provider"),
        "integration_category": record.get("category"),
    }));
    let options = Options::of(&built(json!({ "retries": 0 })), text(&record, "provider"))?;
    let delivered = runtime.block_on(connectors.deliver(event, Source::Server, &options))?;
    let succeeded = delivered.get("success") == Some(&Value::Bool(true));
    print_text(&pretty(&Value::Object(delivered)))?;
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The connectors of a file.
pub fn connectors(file: &Path) -> anyhow::Result<Connectors> {
    let config = Config::read(file, CONNECTOR_KEYS);
    let config = config.with_context(|| format!("the connector file {} cannot be used", file.display()))?;
    let settings = Settings::from_env()?;
    Ok(Connectors::new(config, settings.network.clone(), plugins(&settings, Engine::OneShot)?))
}

/// Name of the file that a delivery is written into.
pub fn delivery_file(delivered: &Object) -> String {
    format!("{}-connector-delivery.json", file_name(text(delivered, "event_id")))
}

fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}

/// An event's id as the beginning of a file's name, which leads nowhere else.
fn file_name(id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name: String = id.chars().take(NAME_LENGTH).map(plain).collect();
    name.trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_does_not_lead_out_of_the_folder() {
        for (id, name) in [
            ("evt_1", "evt_1"),
            ("a/b c", "a-b-c"),
            ("../../etc/passwd", "-..-etc-passwd"),
            ("..", ""),
            ("ünicode\n", "-nicode-"),
        ] {
            assert_eq!(file_name(id), name);
        }
        assert_eq!(file_name(&"x".repeat(500)).len(), NAME_LENGTH);
    }
}
