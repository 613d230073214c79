//! One module per command. Every command answers its exit code; an error is printed by the caller and exits with 1.

mod agent;
mod agent_report;
mod approval;
mod backtest;
mod checks;
mod config;
mod corpus;
mod delivery;
mod doctor;
mod doctor_integrations;
mod doctor_workers;
mod documents;
mod evaluate;
mod evidence;
mod explain;
mod init;
mod integration;
mod learn;
mod ops;
mod plugin;
mod policy;
mod policy_checks;
mod policy_signing;
mod registry;
mod release;
mod replay;
mod runtime;
pub mod scenario;
mod serve;
mod token;

use std::process::ExitCode;

use serde_json::json;

use crate::args::{Command, ConfigCommand, DemoCommand, InitCommand, Json};
use crate::{mcp, output};

/// Runs a command.
pub fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Version(json) => version(json),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Policy(command) => policy::run(command),
        Command::Plugin(command) => plugin::run(command),
        Command::Approval(args) => approval::run(args),
        Command::Agent(command) => agent::run(command),
        Command::Release(command) => release::run(command),
        Command::Evidence(command) => evidence::run(command),
        Command::Integration(command) => integration::run(&command),
        Command::Runtime(command) => runtime::run(&command),
        Command::Registry(args) => registry::run(&args),
        Command::Delivery(command) => delivery::run(&command),
        Command::Token(command) => token::run(command),
        Command::Config(ConfigCommand::Show(json)) => config::show(json),
        Command::Ops(command) => ops::run(&command),
        Command::Serve(args) => serve::run(&args),
        Command::McpServer(args) => mcp::run(&args),
        Command::Init(InitCommand::ClaudeCode(args)) => init::claude_code(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::AgentReport(args) => agent_report::run(&args),
        Command::Demo(DemoCommand::BeforeTheAgentActs(args)) => scenario::demo(&args),
        Command::Completions { shell } => documents::completions(shell),
        Command::Man { directory } => documents::man_pages(&directory),
        // Both are answered in `main`, before logging starts.
        Command::Hook(_) | Command::Compile => Ok(ExitCode::FAILURE),
    }
}

fn version(format: Json) -> anyhow::Result<ExitCode> {
    let version = env!("CARGO_PKG_VERSION");
    if format.json {
        output::print_json(&json!({ "name": "cavra", "version": version }))?;
    } else {
        output::print_line(&format!("cavra {version}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
