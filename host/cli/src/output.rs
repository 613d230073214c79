//! Printing.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

/// One JSON value on standard output, pretty, nothing else.
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print_text(&text)
}

/// Text on standard output. A reader that has gone away is no error.
pub fn print_text(text: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// One line on standard output.
pub fn print_line(line: &str) -> anyhow::Result<()> {
    print_text(&format!("{line}\n"))
}

/// Progress over some `things` on standard error, if somebody looks at it: a bar where their number is known.
pub fn progress(total: Option<u64>, things: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), "{bar:30} {human_pos}/{human_len} {msg}, {per_sec}, {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {human_pos} {msg}, {per_sec}, {elapsed}"),
    };
    // The style first, or the bar shows in another one for a moment.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(things.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// An error with its causes on one line; a cause that the sentence before has told already is not told again.
pub fn explain(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain() {
        let cause = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        if !told.contains(&cause) {
            let separator = if told.is_empty() { "" } else { ": " };
            told = format!("{told}{separator}{cause}");
        }
    }
    told
}

/// Log targets of the shell parser.
const PARSER_TARGETS: [&str; 4] = ["arithmetic", "expansion", "parse", "tokenize"];

/// Logs go to standard error: `CAVRA_LOG` sets the filter, `CAVRA_LOG_FORMAT=json` the format. The server says what
/// it does; commands are silent unless asked, because their errors are printed anyway.
pub fn start_logging(server: bool) {
    let default = if server { "info" } else { "off" };
    let filter = EnvFilter::try_from_env("CAVRA_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    // The shell parser logs the texts it parses, and command lines may hold secrets.
    let filter = PARSER_TARGETS
        .iter()
        .filter_map(|target| format!("{target}=off").parse().ok())
        .fold(filter, EnvFilter::add_directive);
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    if std::env::var("CAVRA_LOG_FORMAT").is_ok_and(|format| format == "json") {
        builder.json().init();
    } else {
        builder.init();
    }
}
