//! The binary `cavra`: server, command line, agent hook and MCP adapter. Thin: it reads arguments, calls
//! `cavra-core` and prints.

mod args;
mod commands;
mod hook;
mod input;
mod local;
mod mcp;
mod output;

use std::process::ExitCode;

use args::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::read();
    let result = match cli.command {
        // First and without any set-up: these two are started by other programs and have contracts of their own.
        Command::Compile => return cavra_plugins::compile_worker(),
        Command::Hook(args) => return hook::run(&args),
        command => {
            output::start_logging(matches!(command, Command::Serve(_)));
            commands::run(command)
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("cavra: {}", output::explain(&error));
        ExitCode::FAILURE
    })
}
