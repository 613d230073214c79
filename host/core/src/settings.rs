//! Settings from the environment: one typed list, read once.

use std::path::PathBuf;
use std::time::Duration;

use cavra_store::Location;

use crate::CoreError;

/// One environment variable.
#[derive(Debug)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What it does, one sentence.
    pub help: &'static str,
    /// What applies without it.
    pub default: &'static str,
}

const fn setting(name: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting { name, help, default }
}

/// Every variable cavra reads.
pub static SETTINGS: &[Setting] = &[
    setting("CAVRA_ACTIVITY_DB", "unset", "SQLite file for decisions and sessions; wins over CAVRA_ACTIVITY_STORE."),
    setting("CAVRA_ACTIVITY_STORE", ".cavra/api/activity.json", "JSON file for decisions and sessions."),
    setting("CAVRA_CACHE_DIR", "the user's cache directory", "Where compiled policy packs are kept; `off` keeps none."),
    setting("CAVRA_HOOK_DEADLINE_MS", "5000", "Time an agent hook may take before it refuses, in milliseconds."),
    setting("CAVRA_LOG", "info when serving, else off", "Log filter, such as `debug` or `cavra_store=trace`."),
    setting("CAVRA_LOG_FORMAT", "text", "`json` writes the log as JSON lines."),
    setting("CAVRA_POLICY", "unset", "Pack file that decides when no pack is named (hooks, MCP adapter)."),
    setting("CAVRA_POLICY_DIR", "./policies if present", "Directory of policy packs laid over the shipped ones."),
    setting("CAVRA_REGISTRY_DB", "unset", "SQLite file of the MCP and agent registry; wins over CAVRA_REGISTRY_STORE."),
    setting("CAVRA_REGISTRY_STORE", ".cavra/api/registry.json", "JSON file of the MCP and agent registry."),
];

/// Where a setting's value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An environment variable.
    Environment,
    /// The built-in default.
    Default,
}

/// The settings in force.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Decisions and sessions.
    pub activity: Location,
    /// MCP and agent registry.
    pub registry: Location,
    /// Root of the operator's packs.
    pub policy_dir: Option<PathBuf>,
    /// Pack file that decides when no pack is named.
    pub policy_file: Option<PathBuf>,
    /// Cache of compiled packs; `None` keeps none.
    pub cache_dir: Option<PathBuf>,
    /// Time an agent hook may take before it refuses.
    pub hook_deadline: Duration,
}

impl Settings {
    /// Reads the settings through `lookup`, usually [`std::env::var`]. A variable that is set but empty is not set.
    ///
    /// # Errors
    /// [`CoreError::BadRequest`] naming a variable that cannot be understood.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, CoreError> {
        let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let path = |name: &str| get(name).map(PathBuf::from);
        let location = |db: &str, store: &str, default: &str| match path(db) {
            Some(file) => Location::Sqlite(file),
            None => Location::Json(path(store).unwrap_or_else(|| default.into())),
        };
        let cache_dir = match get("CAVRA_CACHE_DIR") {
            Some(value) if value == "off" => None,
            Some(value) => Some(value.into()),
            None => path("XDG_CACHE_HOME")
                .or_else(|| path("HOME").map(|home| home.join(".cache")))
                .map(|cache| cache.join("cavra")),
        };
        let hook_deadline = match get("CAVRA_HOOK_DEADLINE_MS") {
            None => Duration::from_secs(5),
            Some(value) => value.parse().map(Duration::from_millis).map_err(|_| {
                CoreError::BadRequest("CAVRA_HOOK_DEADLINE_MS must be a whole number of milliseconds".to_owned())
            })?,
        };
        Ok(Self {
            activity: location("CAVRA_ACTIVITY_DB", "CAVRA_ACTIVITY_STORE", ".cavra/api/activity.json"),
            registry: location("CAVRA_REGISTRY_DB", "CAVRA_REGISTRY_STORE", ".cavra/api/registry.json"),
            policy_dir: path("CAVRA_POLICY_DIR"),
            policy_file: path("CAVRA_POLICY"),
            cache_dir,
            hook_deadline,
        })
    }

    /// Reads the settings from the process environment.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn from_env() -> Result<Self, CoreError> {
        Self::read(|name| std::env::var(name).ok())
    }
}
