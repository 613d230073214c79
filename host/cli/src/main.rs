//! The binary `cavra`: server, command line, agent hook and MCP adapter. Thin: it reads arguments, calls
//! `cavra-core` and prints.

// What these macros write ends the process where it cannot be written; `output` has what prints.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod commands;
mod hook;
mod input;
mod local;
mod logging;
mod mcp;
mod output;
mod service;
mod setup;
mod signals;

use std::process::ExitCode;

use args::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::read();
    match cli.command {
        // First and without any set-up: these two are started by other programs and have contracts of their own.
        Command::Compile => cavra_plugins::compile_worker(),
        Command::Hook(args) => hook::run(&args),
        command => {
            let serves = matches!(command, Command::Serve(_));
            let logging = logging::start(serves);
            for problem in cavra_core::unknown_variables() {
                if serves {
                    tracing::warn!("{problem}");
                } else {
                    output::complain(format_args!("warning: {problem}"));
                }
            }
            let code = commands::run(command).unwrap_or_else(|error| {
                output::complain(output::explain(&error));
                ExitCode::FAILURE
            });
            logging.finish();
            code
        }
    }
}
