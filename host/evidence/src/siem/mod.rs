//! Exports for SIEM systems: one table of formats. docs/reference/evidence-and-promotion.md, section 5; docs/reference/agent-hooks-and-mcp.md, SIEM schemas.
//!
//! The first four carry the bundle's one event as their providers' intake wants it. The others are open schemas with
//! one event per decision, one per line, all encoded from the same [`SecurityEvent`].

mod cef;
mod ecs;
mod event;
mod ocsf;
mod providers;

use cavra_model::members::text;
use cavra_model::{Object, Timestamp};
use serde_json::Value;
use thiserror::Error;

use event::SecurityEvent;

use crate::pretty;
use crate::tally::decisions;

/// Nothing was exported.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SiemError {
    /// There is no such format.
    #[error("unknown SIEM provider: {0}; known are all, {names}", names = names().join(", "))]
    Unknown(String),
    /// The bundle's event is none.
    #[error("the SIEM event of the bundle has no valid {0}")]
    Event(&'static str),
}

/// What is exported, and the few things that providers let one choose.
#[derive(Clone, Debug)]
pub struct SiemExport {
    /// The bundle's event.
    pub event: Object,
    /// When the evidence was made.
    pub time: Timestamp,
    /// Index of the Splunk events.
    pub splunk_index: String,
    /// Service of the Datadog events.
    pub datadog_service: String,
}

/// One format.
struct Format {
    name: &'static str,
    file: &'static str,
    /// Whether `all` means it.
    in_all: bool,
    render: fn(&SiemExport) -> String,
}

const FORMATS: [Format; 7] = [
    provider("splunk", "splunk-hec-events.json", |export| pretty(&providers::splunk(export))),
    provider("sentinel", "sentinel-log-analytics.json", |export| pretty(&providers::sentinel(export))),
    provider("datadog", "datadog-events.json", |export| pretty(&providers::datadog(export))),
    provider("webhook", "webhook-payload.json", |export| pretty(&providers::webhook(export))),
    schema("ocsf", "ocsf-events.ndjson", |export| json_lines(export, ocsf::encode)),
    schema("ecs", "ecs-events.ndjson", |export| json_lines(export, ecs::encode)),
    schema("cef", "cef-events.log", |export| lines(export, cef::encode)),
];

const fn provider(name: &'static str, file: &'static str, render: fn(&SiemExport) -> String) -> Format {
    Format { name, file, in_all: true, render }
}

const fn schema(name: &'static str, file: &'static str, render: fn(&SiemExport) -> String) -> Format {
    Format { name, file, in_all: false, render }
}

fn names() -> Vec<&'static str> {
    FORMATS.iter().map(|format| format.name).collect()
}

impl SiemExport {
    /// The export of a bundle's event.
    ///
    /// # Errors
    /// [`SiemError::Event`] if it is no such event.
    pub fn new(event: Value, splunk_index: &str, datadog_service: &str) -> Result<Self, SiemError> {
        let Value::Object(event) = event else { return Err(SiemError::Event("members")) };
        let time = text(&event, "timestamp").parse().map_err(|()| SiemError::Event("timestamp"))?;
        Ok(Self { event, time, splunk_index: splunk_index.to_owned(), datadog_service: datadog_service.to_owned() })
    }

    /// The file of each format that is named; `all` names the four providers.
    ///
    /// # Errors
    /// [`SiemError::Unknown`]; then nothing is rendered.
    pub fn files(&self, names: &[String]) -> Result<Vec<(&'static str, String)>, SiemError> {
        let known = |name: &str| name == "all" || FORMATS.iter().any(|format| format.name == name);
        if let Some(unknown) = names.iter().find(|name| !known(name)) {
            return Err(SiemError::Unknown(unknown.clone()));
        }
        let named = |format: &&Format| names.iter().any(|name| name == format.name || (format.in_all && name == "all"));
        Ok(FORMATS.iter().filter(named).map(|format| (format.file, (format.render)(self))).collect())
    }

    fn decisions(&self) -> impl Iterator<Item = SecurityEvent<'_>> {
        decisions(self.event.get("decisions")).map(|decision| SecurityEvent::of(decision, self.time))
    }
}

fn json_lines(export: &SiemExport, encode: fn(&SecurityEvent<'_>) -> Value) -> String {
    export.decisions().map(|event| format!("{}\n", encode(&event))).collect()
}

fn lines(export: &SiemExport, encode: fn(&SecurityEvent<'_>) -> String) -> String {
    export.decisions().map(|event| format!("{}\n", encode(&event))).collect()
}
