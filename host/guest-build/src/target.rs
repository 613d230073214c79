//! Makes sure that the compilation target is there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::TARGET;
use crate::cargo::{guest_environment, run};
use crate::error::BuildError;

/// Checks for the target's `core` library, and installs the target through rustup if it is missing.
///
/// A `targets` entry in `rust-toolchain.toml` does not suffice: rustup ignores it where automatic installation is
/// switched off.
pub(crate) fn ensure_installed(workspace_dir: &Path) -> Result<(), BuildError> {
    if is_installed(workspace_dir)? {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).current_dir(workspace_dir);
    // Set by rustup's proxies: the toolchain that is really in use, whatever the folder says.
    if let Some(toolchain) = std::env::var_os("RUSTUP_TOOLCHAIN") {
        rustup.arg("--toolchain").arg(toolchain);
    }
    let missing = |reason: String| BuildError::TargetMissing { reason };
    let output = rustup.output().map_err(|error| missing(format!("rustup cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(missing(format!("rustup said: {}", complaint(&String::from_utf8_lossy(&output.stderr)))));
    }
    if is_installed(workspace_dir)? {
        Ok(())
    } else {
        Err(missing("rustup installed it for another toolchain than the one in use".to_owned()))
    }
}

/// The one line of what a program printed that says what went wrong.
fn complaint(printed: &str) -> &str {
    let lines = || printed.lines().map(str::trim).filter(|line| !line.is_empty());
    lines().find(|line| line.starts_with("error")).or_else(|| lines().next_back()).unwrap_or("nothing")
}

fn is_installed(workspace_dir: &Path) -> Result<bool, BuildError> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let mut command = Command::new(rustc);
    command.args(["--print", "target-libdir", "--target", TARGET]).current_dir(workspace_dir);
    guest_environment(&mut command);
    let output = run(&mut command)?;
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    // An unreadable or absent folder means the same as an empty one.
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(false) };
    Ok(entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libcore") && name.ends_with(".rlib")
    }))
}
