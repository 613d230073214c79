//! The nested cargo.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::TARGET;
use crate::error::BuildError;

/// A package of the workspace that becomes a component.
pub(crate) struct Guest {
    pub name: String,
    pub version: String,
    /// File name of the library, without its ending.
    pub library: String,
}

/// Settings of the network and of registries; a nested cargo needs the same ones to fetch dependencies.
const KEPT: [&str; 6] =
    ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRY_", "CARGO_REGISTRIES_", "CARGO_SOURCE_"];

/// Variables without the `CARGO_` prefix that would change how guests are compiled, or that tie the nested cargo to
/// the running one: flags for the host's compiler, wrappers (clippy sets one), the job server.
const REMOVED: [&str; 9] = [
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CLIPPY_ARGS",
    "CLIPPY_CONF_DIR",
    "MAKEFLAGS",
    "MFLAGS",
    "LLVM_PROFILE_FILE",
];

/// Clears what a running cargo leaves in the environment of its build scripts and tests, so that a guest comes out the
/// same whatever built it.
pub fn guest_environment(command: &mut Command) {
    for name in REMOVED {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars_os() {
        let inherited = name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_") && !KEPT.iter().any(|kept| name.starts_with(kept)));
        if inherited {
            command.env_remove(name);
        }
    }
}

/// The workspace's packages that have a `cdylib`.
pub(crate) fn guests(workspace_dir: &Path) -> Result<Vec<Guest>, BuildError> {
    let mut command = cargo(workspace_dir);
    command.args(["metadata", "--no-deps", "--format-version", "1", "--locked"]);
    let output = checked(workspace_dir, &mut command)?;
    let wrong = |message: String| BuildError::Metadata { workspace: workspace_dir.to_owned(), message };
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| wrong(error.to_string()))?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let packages = packages.ok_or_else(|| wrong("no `packages`".to_owned()))?;
    let mut guests = Vec::new();
    for package in packages {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let targets = package.get("targets").and_then(Value::as_array).into_iter().flatten();
        for target in targets.filter(|target| is_cdylib(target)) {
            let (Some(name), Some(version), Some(library)) =
                (text(package, "name"), text(package, "version"), text(target, "name"))
            else {
                return Err(wrong("a package without name or version".to_owned()));
            };
            guests.push(Guest { name, version, library: library.replace('-', "_") });
        }
    }
    Ok(guests)
}

fn is_cdylib(target: &Value) -> bool {
    let kinds = target.get("crate_types").and_then(Value::as_array);
    kinds.into_iter().flatten().any(|kind| kind == "cdylib")
}

/// Compiles the workspace to core modules.
pub(crate) fn build(workspace_dir: &Path, target_dir: &Path) -> Result<(), BuildError> {
    let mut command = cargo(workspace_dir);
    command.args(["build", "--release", "--locked", "--workspace", "--lib", "--target", TARGET, "--target-dir"]);
    command.arg(target_dir);
    checked(workspace_dir, &mut command).map(drop)
}

fn cargo(workspace_dir: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(workspace_dir);
    guest_environment(&mut command);
    command
}

/// Runs a cargo command and turns its failure into an error that carries what it printed.
fn checked(workspace_dir: &Path, command: &mut Command) -> Result<Output, BuildError> {
    let output = run(command)?;
    if output.status.success() {
        return Ok(output);
    }
    let output = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(BuildError::Cargo { workspace: workspace_dir.to_owned(), output })
}

/// Runs a program to its end and captures what it prints.
pub(crate) fn run(command: &mut Command) -> Result<Output, BuildError> {
    command
        .output()
        .map_err(|source| BuildError::Spawn { program: command.get_program().to_string_lossy().into_owned(), source })
}
