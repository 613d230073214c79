//! `cavra plugin build`: sources into a package, with cargo and nothing else.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail, ensure};
use cavra_artifacts::{FileError, read_file};
use cavra_guest_build::{build_components, guest_environment};
use cavra_trust::{COMPONENT, MANIFEST, POLICY, Package, TESTS, limit_of};
use serde_json::json;

use crate::args::BuildPluginArgs;
use crate::output::{print_json, print_line, progress};

pub fn run(args: &BuildPluginArgs) -> anyhow::Result<ExitCode> {
    let sources = &args.directory;
    ensure!(sources.join("Cargo.toml").is_file(), "{} has no Cargo.toml", sources.display());
    let mut files = Vec::new();
    for name in [MANIFEST, POLICY, TESTS] {
        match read_file(&sources.join(name), limit_of(name).unwrap_or_default()) {
            Ok(bytes) => files.push((name.to_owned(), bytes)),
            Err(FileError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => bail!("{}: {error}", sources.join(name).display()),
        }
    }
    files.push((COMPONENT.to_owned(), component(sources)?));
    let package = Package::new(files)?;
    let output = args.output.clone().unwrap_or_else(|| sources.join("dist"));
    fs::create_dir_all(&output).with_context(|| output.display().to_string())?;
    // What an earlier build left is of that build, its signature too.
    for name in [POLICY, TESTS, cavra_trust::ENVELOPE] {
        let earlier = output.join(name);
        if package.file(name).is_none() && earlier.exists() {
            fs::remove_file(&earlier).with_context(|| earlier.display().to_string())?;
        }
    }
    for (name, bytes) in package.contents() {
        cavra_evidence::write_file(&output.join(name), bytes)?;
    }
    let manifest = &package.manifest;
    if args.json.json {
        print_json(&json!({
            "name": manifest.name.as_str(), "version": manifest.version.to_string(),
            "package": output.display().to_string(), "component_bytes": package.component().len(),
            "component_digest": package.component_digest(), "package_digest": package.digest(),
        }))?;
    } else {
        let size = package.component().len();
        print_line(&format!("built {} {} ({size} bytes): {}", manifest.name, manifest.version, output.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The component of the one library in the workspace.
fn component(sources: &Path) -> anyhow::Result<Vec<u8>> {
    let sources = sources.canonicalize().with_context(|| sources.display().to_string())?;
    if !sources.join("Cargo.lock").exists() {
        let mut cargo = Command::new("cargo");
        guest_environment(&mut cargo);
        let done = cargo.args(["generate-lockfile", "--quiet"]).current_dir(&sources).output();
        let done = done.context("cargo cannot be run; install Rust from https://rustup.rs")?;
        ensure!(done.status.success(), "cargo generate-lockfile: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    let shown = progress(None, "building");
    let mut built = build_components(&sources, &sources.join("target"))?;
    shown.finish_and_clear();
    ensure!(built.len() == 1, "the workspace has {} libraries of the type cdylib; a plugin has one", built.len());
    Ok(built.pop().map(|component| component.wasm).unwrap_or_default())
}
