//! What holds for all commands.

use clap::{Command, CommandFactory as _};

use super::Cli;

/// Commands whose output is a protocol or a text of another program's.
const NO_JSON: [&str; 4] = ["cavra serve", "cavra hook", "cavra completions", "cavra man"];

fn leaves<'a>(command: &'a Command, path: &str, found: &mut Vec<(String, &'a Command)>) {
    let path = format!("{path}{}", command.get_name());
    if !command.has_subcommands() {
        found.push((path, command));
        return;
    }
    for child in command.get_subcommands().filter(|child| !child.is_hide_set() && child.get_name() != "help") {
        leaves(child, &format!("{path} "), found);
    }
}

#[test]
fn the_commands_are_consistent() {
    Cli::command().debug_assert();
}

/// Programs read what people do.
#[test]
fn every_command_takes_json() {
    let mut cli = Cli::command();
    cli.build();
    let mut found = Vec::new();
    leaves(&cli, "", &mut found);
    assert!(found.len() > 60, "{}", found.len());
    let takes_json = |command: &Command| command.get_arguments().any(|argument| argument.get_long() == Some("json"));
    let without: Vec<&str> =
        found.iter().filter(|(_, command)| !takes_json(command)).map(|(path, _)| path.as_str()).collect();
    assert_eq!(without, NO_JSON);
}

/// `docs/cli.md` is what the command line says of itself. `CAVRA_BLESS=1 cargo test` writes it anew.
#[test]
fn the_reference_is_what_the_commands_say() {
    let options = clap_markdown::MarkdownOptions::new().title("Command line".to_owned()).show_footer(false);
    let mut written = clap_markdown::help_markdown_command_custom(&Cli::command(), &options);
    written = format!("{}\n", written.trim_end());
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    if std::env::var_os("CAVRA_BLESS").is_some() {
        std::fs::write(file, &written).unwrap();
    }
    let checked_in = std::fs::read_to_string(file).unwrap_or_default();
    assert!(written == checked_in, "docs/cli.md differs from the commands; CAVRA_BLESS=1 cargo test writes it anew");
}
