//! `cavra integration …`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use cavra_connect::{CONNECTOR_KEYS, Config, Connectors, Options, Source};
use cavra_evidence::{pretty, write_file};
use cavra_model::members::text;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::args::{DeliverArgs, IntegrationCommand};
use crate::input::object_file;
use crate::output::print_text;

/// Largest event, in bytes.
const EVENT_LIMIT: u64 = 1024 * 1024;

/// Longest name of a file, in characters, without what says that it is a delivery.
const NAME_LENGTH: usize = 120;

pub fn run(command: &IntegrationCommand) -> anyhow::Result<ExitCode> {
    let IntegrationCommand::Deliver(args) = command;
    deliver(args)
}

fn deliver(args: &DeliverArgs) -> anyhow::Result<ExitCode> {
    let event = object_file(&args.event, EVENT_LIMIT)?;
    let config = Config::read(&args.config, CONNECTOR_KEYS)
        .with_context(|| format!("the connector file {} cannot be used", args.config.display()))?;
    let asked = json!({ "retries": args.retries, "timeout_seconds": args.timeout_seconds, "provider": args.provider });
    let options = Options::of(&cavra_model::members::built(asked), "all")?;
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let delivered = runtime.block_on(Connectors::new(config).deliver(event, Source::Caller, &options))?;
    let name = format!("{}-connector-delivery.json", file_name(text(&delivered, "event_id")));
    let succeeded = delivered.get("success") == Some(&Value::Bool(true));
    let document = pretty(&Value::Object(delivered));
    std::fs::create_dir_all(&args.output).with_context(|| args.output.display().to_string())?;
    write_file(&Path::new(&args.output).join(name), document.as_bytes())?;
    print_text(&document)?;
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
