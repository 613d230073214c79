//! `cavra config show`: every setting with its value, secrets masked.

use std::process::ExitCode;

use cavra_core::{Origin, PROJECT_CONFIG, Project, Settings, shown_settings};

use crate::args::Json;
use crate::output::{print_json, print_line};

pub fn show(format: Json) -> anyhow::Result<ExitCode> {
    let project = std::env::current_dir().map_or(Ok(None), |here| Project::find(&here));
    let known = project.as_ref().ok().and_then(Option::as_ref);
    let shown = shown_settings(known, |name| std::env::var(name).ok());
    if format.json {
        print_json(&shown)?;
    } else {
        if let Some(project) = known {
            let settled = project.config.as_ref().map(|config| config.file.display().to_string());
            let settled = settled.unwrap_or_else(|| format!("no {PROJECT_CONFIG}"));
            print_line(&format!("project {} ({settled})", project.root.display()))?;
        }
        for setting in &shown {
            let value = match (&setting.value, setting.origin) {
                (Some(value), Origin::Environment) => value.clone(),
                (Some(value), Origin::Project) => format!("{value} (project)"),
                _ => format!("({})", setting.default),
            };
            print_line(&format!("{:<28} {value}", setting.name))?;
        }
    }
    // A setting that cannot be understood is worth an exit code, after everything has been shown.
    Settings::from_env()?;
    Ok(ExitCode::SUCCESS)
}
