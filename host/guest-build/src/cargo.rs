//! The nested cargo.

use std::ffi::{OsStr, OsString};
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

/// What cargo says about a workspace.
pub(crate) struct Workspace {
    /// The members that have a `cdylib`.
    pub guests: Vec<Guest>,
    /// Compiler flags that replace the folders of all packages by their names: a component must not tell where it was
    /// built.
    remap: Vec<OsString>,
}

/// Asks cargo about the workspace. Downloads its dependencies if that has not happened yet.
pub(crate) fn describe(workspace_dir: &Path) -> Result<Workspace, BuildError> {
    let mut command = cargo(workspace_dir);
    command.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", TARGET]);
    let output = checked(workspace_dir, &mut command)?;
    let wrong = |message: String| BuildError::Metadata { workspace: workspace_dir.to_owned(), message };
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| wrong(error.to_string()))?;
    let list = |key: &str| metadata.get(key).and_then(Value::as_array).ok_or_else(|| wrong(format!("no `{key}`")));
    let members = list("workspace_members")?;
    let mut workspace = Workspace { guests: Vec::new(), remap: Vec::new() };
    for package in list("packages")? {
        let text = |key: &str| package.get(key).and_then(Value::as_str);
        let (Some(name), Some(version), Some(manifest)) = (text("name"), text("version"), text("manifest_path")) else {
            return Err(wrong("a package without name, version or manifest".to_owned()));
        };
        if let Some(folder) = Path::new(manifest).parent() {
            let mut flag = OsString::from("--remap-path-prefix=");
            flag.push(folder);
            flag.push(format!("=/{name}-{version}"));
            workspace.remap.push(flag);
        }
        let targets = package.get("targets").and_then(Value::as_array).into_iter().flatten();
        let library = targets.filter(|target| is_cdylib(target)).find_map(|target| target.get("name")?.as_str());
        let is_member = package.get("id").is_some_and(|id| members.contains(id));
        if let (true, Some(library)) = (is_member, library) {
            let (name, version, library) = (name.to_owned(), version.to_owned(), library.replace('-', "_"));
            workspace.guests.push(Guest { name, version, library });
        }
    }
    Ok(workspace)
}

fn is_cdylib(target: &Value) -> bool {
    let kinds = target.get("crate_types").and_then(Value::as_array);
    kinds.into_iter().flatten().any(|kind| kind == "cdylib")
}

/// Compiles the workspace to core modules.
pub(crate) fn build(workspace_dir: &Path, workspace: &Workspace, target_dir: &Path) -> Result<(), BuildError> {
    let mut command = cargo(workspace_dir);
    command.args(["build", "--release", "--locked", "--workspace", "--lib", "--target", TARGET, "--target-dir"]);
    command.arg(target_dir);
    // Cargo's own separator, which no path contains.
    command.env("CARGO_ENCODED_RUSTFLAGS", workspace.remap.join(OsStr::new("\x1f")));
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
