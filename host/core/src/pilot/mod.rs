//! A backend that takes over in steps, and the way back: reports over files that its operators keep. Every report is a list
//! of named checks that all run; a file that is missing or cannot be read fails its check and is never an error.
//! docs/reference/connectors-drills-ops-registry.md, sections 3.2 and 4.1.

mod check;
mod drills;
mod reports;
mod schedule;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

pub(crate) use check::Checks;
pub(crate) use reports::status as report_status;
pub use reports::{PilotReports, pilot_reports};
pub use schedule::drill_schedule;

/// How far the backend has taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PilotMode {
    /// Not at all.
    #[default]
    Disabled,
    /// It runs beside.
    Shadow,
    /// It enforces beside.
    Enforce,
    /// It has taken over.
    Promoted,
}

impl PilotMode {
    /// The mode of that name; anything else is none.
    fn of(name: &str) -> Self {
        match name {
            "shadow" => Self::Shadow,
            "enforce" => Self::Enforce,
            "promoted" => Self::Promoted,
            _ => Self::Disabled,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Shadow => "shadow",
            Self::Enforce => "enforce",
            Self::Promoted => "promoted",
        }
    }
}

/// What the settings say of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PilotSettings {
    /// How far it has taken over.
    pub mode: PilotMode,
    /// The backend's program.
    pub runtime: Option<PathBuf>,
    /// Its policy.
    pub runtime_policy: Option<PathBuf>,
    /// Its registry.
    pub runtime_registry: Option<PathBuf>,
    /// Why it may take over.
    pub promotion_evidence: Option<PathBuf>,
    /// The way back.
    pub rollback_plan: Option<PathBuf>,
    /// How the way back was tried.
    pub rehearsal_evidence: Option<PathBuf>,
    /// The drills there were.
    pub drill_history: Option<PathBuf>,
    /// When drills are due.
    pub drill_schedule: Option<PathBuf>,
    /// Days before a drill is due in which it is due soon.
    pub due_soon_days: f64,
    /// Days after which a drill is too old.
    pub max_age_days: f64,
}

/// Days before a drill is due in which it is due soon, unless told.
const DUE_SOON_DAYS: f64 = 14.0;

/// Days after which a drill is too old, unless told.
const MAX_AGE_DAYS: f64 = 90.0;

impl PilotSettings {
    /// Reads them through `value`. A number that is none counts as not given.
    #[must_use]
    pub fn read(value: impl Fn(&str) -> Option<String>) -> Self {
        let path = |name: &str| value(name).map(PathBuf::from);
        let days = |name: &str, default: f64| {
            let given = value(name).and_then(|days| days.trim().parse::<f64>().ok());
            given.filter(|days| days.is_finite()).unwrap_or(default)
        };
        Self {
            mode: PilotMode::of(value("CAVRA_GO_BACKEND_MODE").unwrap_or_default().trim()),
            runtime: path("CAVRA_GO_RUNTIME_PATH"),
            runtime_policy: path("CAVRA_GO_RUNTIME_POLICY"),
            runtime_registry: path("CAVRA_GO_RUNTIME_REGISTRY"),
            promotion_evidence: path("CAVRA_GO_PROMOTION_EVIDENCE"),
            rollback_plan: path("CAVRA_GO_ROLLBACK_PLAN"),
            rehearsal_evidence: path("CAVRA_GO_ROLLBACK_REHEARSAL_EVIDENCE"),
            drill_history: path("CAVRA_GO_ROLLBACK_DRILL_HISTORY"),
            drill_schedule: path("CAVRA_GO_ROLLBACK_DRILL_SCHEDULE"),
            due_soon_days: days("CAVRA_GO_ROLLBACK_DRILL_DUE_SOON_DAYS", DUE_SOON_DAYS),
            max_age_days: days("CAVRA_GO_ROLLBACK_DRILL_MAX_AGE_DAYS", MAX_AGE_DAYS),
        }
    }
}

/// A path as reports show it.
fn shown(path: Option<&Path>) -> Value {
    json!(path.map(|path| path.display().to_string()))
}
