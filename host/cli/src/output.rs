//! Printing: the one place that writes to standard output and standard error. What is written to standard error is
//! for information: that it cannot be written never ends a process and never changes an exit code.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::Stdio;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// One JSON value on standard output, pretty, nothing else.
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print_text(&text)
}

/// Text on standard output. A reader that has gone away is no error.
pub fn print_text(text: &str) -> anyhow::Result<()> {
    match write_text(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Text on standard output, which somebody has to get.
pub fn write_text(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Whether what is written to standard output can reach anybody. A stream that was closed when the process began is the
/// null device by now.
pub fn is_heard() -> bool {
    let (Ok(stdout), Ok(null)) = (rustix::fs::fstat(io::stdout()), rustix::fs::stat("/dev/null")) else { return true };
    (stdout.st_dev, stdout.st_ino) != (null.st_dev, null.st_ino) && stdout.st_rdev != null.st_rdev
}

/// A message for people on standard error, as one line.
pub fn complain(message: impl Display) {
    tell(format_args!("cavra: {message}"));
}

/// A line on standard error.
pub fn tell(line: impl Display) {
    // Where even this cannot be written, nobody can be told.
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// Standard error as the standard output of a program that is started.
pub fn stderr_as_stdout() -> Stdio {
    Stdio::from(io::stderr())
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
