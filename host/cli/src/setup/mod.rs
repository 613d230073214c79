//! An agent's own set-up: what is installed in it, and whether that really guards. What is known of an agent is data;
//! `cavra init` and `cavra doctor` look at the same.

pub mod agents;
pub mod canary;
pub mod claude_code;
mod command_line;
pub mod document;
pub mod settings;

use serde::Serialize;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Worth knowing.
    Note,
    /// The guard is on, but something could get round it.
    Risk,
    /// Everything is refused.
    Broken,
    /// Nothing is guarded.
    Void,
}

/// Something about a set-up, and what to do about it.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What kind of finding it is, for programs.
    pub id: &'static str,
    /// How much it matters.
    pub level: Level,
    /// The file or the command it is about.
    pub place: String,
    /// What is the matter, one sentence without its full stop.
    pub problem: String,
    /// What to do about it, one sentence without its full stop.
    pub remedy: String,
}

impl Finding {
    /// A finding about a place.
    pub fn new(
        (id, level): (&'static str, Level),
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { id, level, place: place.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// The finding in one line.
    pub fn line(&self) -> String {
        let level = match self.level {
            Level::Note => "note",
            Level::Risk => "risk",
            Level::Broken => "broken",
            Level::Void => "NOT GUARDED",
        };
        format!("{level}: {}: {}. {}", self.place, self.problem, self.remedy)
    }
}

/// Whether the findings leave the guard on.
pub fn guards(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.level < Level::Void)
}
