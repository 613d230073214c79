//! Smoke test of installers: every binary is there and is what was released; the one for this machine starts. docs/reference/evidence-and-promotion.md,
//! sections 12 and 14.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::members::{filled, objects};
use crate::package::{INSTALLERS, Package, PackageReport};
use cavra_artifacts::Inside;

/// Largest binary that is started.
const BINARY_LIMIT: u64 = 512 * 1024 * 1024;
/// How often a started binary is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// What the smoke test showed about one target.
#[derive(Clone, Debug, Serialize)]
pub struct Smoke {
    /// The target.
    pub target: String,
    /// Its binary.
    pub binary: String,
    /// `passed`, `failed`, or `present` if the binary is there but was not started.
    pub status: &'static str,
    /// It was started.
    pub executed: bool,
    /// How it ended.
    pub exit_code: Option<i32>,
}

/// What the smoke test showed.
#[derive(Clone, Debug, Serialize)]
pub struct SmokeReport {
    /// The directory.
    pub package_dir: String,
    /// Nothing is wrong.
    pub valid: bool,
    /// What is wrong.
    pub errors: Vec<String>,
    /// What somebody should know.
    pub warnings: Vec<String>,
    /// One row per installer target.
    pub targets: Vec<Smoke>,
    /// What verifying the package showed.
    pub package_verification: PackageReport,
}

/// Tests the installers of a package that was verified with [`INSTALLERS`]. With `timeout`, the binary for this machine is
/// started as `BINARY --version`; without, and in a package that is not valid, nothing is.
#[must_use]
pub fn smoke_installers(package: &Package, timeout: Option<Duration>) -> SmokeReport {
    let mut errors: Vec<String> = package.report.errors.clone();
    let mut warnings = package.report.warnings.clone();
    let timeout = timeout.filter(|_| package.report.valid);
    let installers = package.document(&INSTALLERS).map(|content| objects(content, "targets")).unwrap_or_default();
    let mut targets = Vec::new();
    for installer in installers {
        let name = filled(installer, "target").unwrap_or_default();
        let binary = filled(installer, "binary").unwrap_or_default();
        let mut smoke = Smoke {
            target: name.to_owned(),
            binary: binary.to_owned(),
            status: "present",
            executed: false,
            exit_code: None,
        };
        let digest = Inside::new(binary).and_then(|path| package.tree.sha256(&path).ok());
        if digest.as_deref() != filled(installer, "binary_sha256") {
            smoke.status = "failed";
            errors.push(format!("{binary}: target {name} has another binary, or none"));
        } else if let Some(timeout) = timeout.filter(|_| is_native(name)) {
            smoke.executed = true;
            match start(package, binary, digest.as_deref(), timeout) {
                Ok(code) => {
                    smoke.exit_code = code;
                    smoke.status = if code == Some(0) { "passed" } else { "failed" };
                    if code != Some(0) {
                        errors.push(format!("{binary}: started with --version, it ended with {}", shown(code)));
                    }
                }
                Err(problem) => {
                    smoke.status = "failed";
                    errors.push(format!("{binary}: {problem}"));
                }
            }
        }
        targets.push(smoke);
    }
    if !targets.iter().any(|smoke| smoke.executed) {
        warnings.push("no binary was started".to_owned());
    }
    SmokeReport {
        package_dir: package.report.package_dir.clone(),
        valid: errors.is_empty(),
        errors,
        warnings,
        targets,
        package_verification: package.report.clone(),
    }
}

fn shown(code: Option<i32>) -> String {
    code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"))
}

/// Whether a target such as `linux-amd64` is for this machine.
fn is_native(target: &str) -> bool {
    let parts: Vec<String> = target.to_lowercase().split(['-', '_', '/']).map(ToOwned::to_owned).collect();
    let has = |names: &[&str]| parts.iter().any(|part| names.contains(&part.as_str()));
    let system = match std::env::consts::OS {
        "macos" => has(&["macos", "darwin"]),
        other => has(&[other]),
    };
    // `x86_64` falls into two parts.
    let machine = match std::env::consts::ARCH {
        "x86_64" => has(&["amd64", "x64"]) || target.contains("x86_64"),
        "aarch64" => has(&["arm64", "aarch64"]),
        other => has(&[other]),
    };
    system && machine
}

/// Starts a private copy of exactly the bytes that were released, with an empty environment.
fn start(package: &Package, binary: &str, digest: Option<&str>, timeout: Duration) -> Result<Option<i32>, String> {
    let path = Inside::new(binary).ok_or_else(|| "it is no path inside the package".to_owned())?;
    let bytes = package.tree.read(&path, BINARY_LIMIT).map_err(|error| error.to_string())?;
    if Some(cavra_model::Digest::of(&bytes).hex()) != digest {
        return Err("it was changed while it was looked at".to_owned());
    }
    let home = tempfile::tempdir().map_err(|error| format!("no place to start it: {error}"))?;
    let copy = home.path().join("binary");
    write_executable(&copy, &bytes).map_err(|error| format!("no place to start it: {error}"))?;
    drop(bytes);
    let mut child = Command::new(&copy)
        .arg("--version")
        .current_dir(home.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("it does not start: {error}"))?;
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.code()),
            Ok(None) if started.elapsed() < timeout => thread::sleep(POLL_INTERVAL),
            Ok(None) | Err(_) => {
                // One that has ended meanwhile needs no killing.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it did not end within {} seconds", timeout.as_secs_f64()));
            }
        }
    }
}

fn write_executable(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o700).open(path)?.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_this_machine_is_native() {
        let names = ["linux-amd64", "linux-x86_64", "linux-arm64", "darwin-arm64", "windows-amd64", "freebsd-riscv64"];
        let native: Vec<_> = names.iter().filter(|name| is_native(name)).collect();
        if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            assert_eq!(native, [&"linux-amd64", &"linux-x86_64"]);
        }
        assert!(!is_native("freebsd-riscv64"));
    }
}
