//! `cavra ops …`: what an operator does with the stores of an installation.

use std::process::ExitCode;

use anyhow::Context as _;
use cavra_core::Settings;
use serde_json::json;

use crate::args::OpsCommand;
use crate::output::{print_json, print_line};

pub fn run(command: &OpsCommand) -> anyhow::Result<ExitCode> {
    let OpsCommand::Import(format) = command;
    let settings = Settings::from_env()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let moved = runtime.block_on(cavra_core::import(&settings))?;
    if format.json {
        print_json(&json!({ "schema_version": "cavra.ops.import.v1", "moved": moved }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for left in &moved {
        let (records, leaves) = (left.records, left.leaves);
        print_line(&format!("{}: {records} records and {leaves} leaves are in {} now", left.area, left.database))?;
    }
    if moved.is_empty() {
        print_line("there is nothing to move: no area has records in a JSON file and a new database")?;
    }
    Ok(ExitCode::SUCCESS)
}
