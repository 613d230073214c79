//! Settings as they are shown to operators, and variables that are none.

use serde::Serialize;

use super::asked::Asked;
use super::otel::OTEL;
use super::secrets::{FILE, names_a_file};
use super::{Origin, SETTINGS, Setting};
use crate::project::Project;

/// One setting as it is shown to operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownSetting {
    /// Name of the variable.
    pub name: &'static str,
    /// Its value; secrets are masked; `null` if it is not set.
    pub value: Option<String>,
    /// Where the value came from.
    pub origin: Origin,
    /// What applies without it.
    pub default: &'static str,
    /// What it does.
    pub help: &'static str,
}

/// Every setting with its value in a project, secrets masked.
pub fn shown_settings(project: Option<&Project>, lookup: impl Fn(&str) -> Option<String>) -> Vec<ShownSetting> {
    let asked = Asked { lookup: &lookup, project };
    let shown = |setting: &Setting| {
        let file = || asked.set(&format!("{}{FILE}", setting.name)).filter(|_| setting.secret);
        let value = asked.given(setting.name).or_else(file);
        let origin = match (&value, asked.set(setting.name).or_else(file)) {
            (None, _) => Origin::Default,
            (Some(_), None) => Origin::Project,
            (Some(_), Some(_)) => Origin::Environment,
        };
        let value = if setting.secret { value.map(|_| "********".to_owned()) } else { value };
        ShownSetting { name: setting.name, value, origin, default: setting.default.text(), help: setting.help }
    };
    SETTINGS.iter().chain(OTEL).map(shown).collect()
}

/// Variables of cavra's own name in the environment that it does not know, each with the one that may be meant.
#[must_use]
pub fn unknown_variables() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut problems: Vec<String> = names.filter_map(|name| unknown_variable(&name)).collect();
    problems.sort();
    problems
}

pub(super) fn unknown_variable(name: &str) -> Option<String> {
    let known: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    if !name.starts_with("CAVRA_") || known.contains(&name) || names_a_file(name) {
        return None;
    }
    // What all names have in common says nothing about which one is meant.
    let ends: Vec<&str> = known.iter().filter_map(|name| name.strip_prefix("CAVRA_")).collect();
    let meant = name.strip_prefix("CAVRA_").and_then(|end| cavra_documents::nearest(end, &ends));
    Some(match meant {
        Some(end) => format!("{name} is no setting of cavra and does nothing; did you mean CAVRA_{end}?"),
        None => format!("{name} is no setting of cavra and does nothing"),
    })
}
