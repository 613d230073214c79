//! `cavra plugin new`: the sources of a plugin that builds and passes its own test.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use cavra_builtin::SDK;
use cavra_model::PackName;
use serde_json::json;

use crate::args::NewPluginArgs;
use crate::output::{print_json, print_line};

/// The version of the world that the SDK's WIT has, in the line that names its package.
const WORLD: &str = "package cavra:policy@";

/// Where each file goes, and what is in it.
const TEMPLATES: [(&str, &str); 7] = [
    ("Cargo.toml", include_str!("templates/Cargo.toml.template")),
    ("src/lib.rs", include_str!("templates/lib.rs.template")),
    ("plugin.yaml", include_str!("templates/plugin.yaml.template")),
    ("policy.yaml", include_str!("templates/policy.yaml.template")),
    ("tests.yaml", include_str!("templates/tests.yaml.template")),
    ("README.md", include_str!("templates/README.md.template")),
    (".gitignore", include_str!("templates/gitignore.template")),
];

pub fn run(args: &NewPluginArgs) -> anyhow::Result<ExitCode> {
    // The only kind and the only language so far; the arguments name them so that scripts say what they mean.
    let NewPluginArgs { name, kind: _, lang: _, directory, json } = args;
    PackName::new(name)?;
    ensure!(name.starts_with("cavra-"), "the name of a policy pack begins with `cavra-`, such as `cavra-{name}`");
    let directory = directory.clone().unwrap_or_else(|| name.into());
    if directory.exists() {
        bail!("{} is there already; nothing was written", directory.display());
    }
    let krate: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    for (path, template) in TEMPLATES {
        let text = template
            .replace("{name}", name)
            .replace("{crate}", &krate)
            .replace("{cavra}", env!("CARGO_PKG_VERSION"))
            .replace("{world}", world()?);
        write(&directory.join(path), &text)?;
    }
    for file in SDK {
        write(&directory.join("cavra-sdk").join(file.path), file.text)?;
    }
    if json.json {
        print_json(&json!({ "name": name, "directory": directory.display().to_string() }))?;
    } else {
        print_line(&format!("made {}; its README.md says how to go on", directory.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The version of the policy world that the SDK is for.
fn world() -> anyhow::Result<&'static str> {
    let versions = SDK.iter().filter(|file| file.path.ends_with(".wit")).flat_map(|file| file.text.lines());
    let version = versions.filter_map(|line| line.strip_prefix(WORLD)?.strip_suffix(';')).next();
    version.context("the SDK has no policy world")
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    cavra_artifacts::create_parents(file, 0o755).with_context(|| file.display().to_string())?;
    Ok(cavra_evidence::write_file(file, text)?)
}
