//! The pack's document.

use cavra_sdk::{Description, Diagnostic};
use jiff::Timestamp;
use serde::Deserialize;

/// When nothing may change, and what counts as a change.
pub(crate) struct Settings {
    pub windows: Vec<Window>,
    pub mutating_commands: Vec<String>,
}

/// One freeze. Moments are in microseconds since 1970-01-01T00:00:00Z.
pub(crate) struct Window {
    from: i64,
    until: i64,
    /// The end as the document writes it.
    pub until_text: String,
    reason: String,
}

impl Window {
    /// The start belongs to the freeze, the end does not.
    pub(crate) fn contains(&self, now: i64) -> bool {
        self.from <= now && now < self.until
    }

    pub(crate) fn title(&self) -> String {
        format!("the change freeze \"{}\"", self.reason)
    }
}

/// The parts of the document this pack reads; others are other packs' business.
#[derive(Deserialize)]
struct Document {
    metadata: Metadata,
    change_freeze: Section,
}

#[derive(Deserialize)]
struct Metadata {
    id: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    version: String,
}

/// A key that is spelled wrong must not be a freeze that never comes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    windows: Vec<WindowText>,
    mutating_commands: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowText {
    from: String,
    until: String,
    reason: String,
}

/// Reads and checks the document.
pub(crate) fn read(document: &str) -> Result<(Settings, Description), Vec<Diagnostic>> {
    let fault = |path: &str, message: String| Diagnostic { path: path.to_owned(), message };
    let document: Document =
        serde_json::from_str(document).map_err(|error| vec![fault("<root>", error.to_string())])?;
    let mut faults = Vec::new();
    let mut windows = Vec::new();
    for (position, text) in document.change_freeze.windows.into_iter().enumerate() {
        match window(text) {
            Ok(window) => windows.push(window),
            Err(message) => faults.push(fault(&format!("change_freeze.windows.{position}"), message)),
        }
    }
    let mutating_commands = document.change_freeze.mutating_commands;
    if mutating_commands.iter().any(|command| command.trim().is_empty()) {
        faults.push(fault("change_freeze.mutating_commands", "a command must not be blank".to_owned()));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let Metadata { id, title, version } = document.metadata;
    let rules = u32::try_from(windows.len() + mutating_commands.len()).unwrap_or(u32::MAX);
    Ok((Settings { windows, mutating_commands }, Description { id, title, version, rules }))
}

fn window(text: WindowText) -> Result<Window, String> {
    let moment = |text: &str| {
        let moment: Result<Timestamp, _> = text.parse();
        moment
            .map(Timestamp::as_microsecond)
            .map_err(|_| format!("`{text}` is not a moment such as 2031-12-20T00:00:00Z"))
    };
    let (from, until) = (moment(&text.from)?, moment(&text.until)?);
    if from >= until {
        return Err("must end after it starts".to_owned());
    }
    Ok(Window { from, until, until_text: text.until, reason: text.reason })
}
