//! `cavra config show`: every setting with its value, secrets masked.

use std::process::ExitCode;

use cavra_core::{Origin, Settings, shown_settings};

use crate::args::Json;
use crate::output::{print_json, print_line};

pub fn show(format: Json) -> anyhow::Result<ExitCode> {
    let shown = shown_settings(|name| std::env::var(name).ok());
    if format.json {
        print_json(&shown)?;
    } else {
        for setting in &shown {
            let value = match (&setting.value, setting.origin) {
                (Some(value), Origin::Environment) => value.clone(),
                _ => format!("({})", setting.default),
            };
            print_line(&format!("{:<28} {value}", setting.name))?;
        }
    }
    // A setting that cannot be understood is worth an exit code, after everything has been shown.
    Settings::from_env()?;
    Ok(ExitCode::SUCCESS)
}
