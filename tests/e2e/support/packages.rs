//! Packages of others that some tests speak to: installed once per target folder, in exactly these versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Set, it skips the tests that need packages from a registry.
const WITHOUT: &str = "CAVRA_TEST_WITHOUT_PACKAGES";
const ATTEMPTS: u32 = 4;

/// Programs that have to be there: what to call them, and a command line that succeeds if they are.
type Programs = &'static [(&'static str, &'static [&'static str])];

/// An interpreter that has the packages of `requirements.txt`; `None`, said aloud, where there is no Python.
pub fn python() -> Option<PathBuf> {
    const VERSIONS: &str = include_str!("requirements.txt");
    const PROBE: &str = "import sys, venv, ensurepip; assert sys.version_info >= (3, 11); print(sys.version)";
    let folder = installed("python", VERSIONS, &[("Python 3.11 with venv", &["python3", "-c", PROBE])], |folder| {
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(folder);
        fs::write(folder.join("requirements.txt"), VERSIONS).unwrap();
        let mut fill = Command::new(folder.join("bin/python"));
        fill.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"]);
        fill.arg(folder.join("requirements.txt"));
        vec![make, fill]
    });
    Some(folder?.join("bin/python"))
}

/// A folder whose `node_modules` have a package; `None`, said aloud, where there is no Node.js.
pub fn node(package: &str, version: &str) -> Option<PathBuf> {
    let wanted = format!("{package}@{version}");
    let programs: Programs = &[("node", &["node", "--version"]), ("npm", &["npm", "--version"])];
    installed(package, &wanted, programs, |folder| {
        let mut fill = Command::new("npm");
        fill.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(folder).arg(&wanted);
        vec![fill]
    })
}

/// The folder in which `steps` installed what is `wanted`.
///
/// A missing program is no failure. Packages that cannot be had are one, after some attempts: otherwise a test that
/// never runs looks like one that passes.
fn installed(name: &str, wanted: &str, programs: Programs, steps: impl Fn(&Path) -> Vec<Command>) -> Option<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if std::env::var_os(WITHOUT).is_some() {
        println!("SKIPPED: {WITHOUT} is set");
        return None;
    }
    // What was installed for another version of the program may not work with this one.
    let mut stamp = wanted.to_owned();
    for (program, probe) in programs {
        match run(Command::new(probe[0]).args(&probe[1..])) {
            Ok(said) => stamp.push_str(&said),
            Err(_) => {
                println!("SKIPPED: {program} is not available here");
                return None;
            }
        }
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages").join(name);
    let stamped = folder.join("installed");
    if fs::read_to_string(&stamped).is_ok_and(|found| found == stamp) {
        return Some(folder);
    }
    for attempt in 1.. {
        // Not there is what is wanted.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let Err(problem) = steps(&folder).iter_mut().try_for_each(|step| run(step).map(drop)) else { break };
        assert!(
            attempt < ATTEMPTS,
            "the packages of {name} cannot be installed: {problem}\n{WITHOUT}=1 skips the tests that need them"
        );
        thread::sleep(Duration::from_secs(2) * attempt);
    }
    fs::write(stamped, stamp).unwrap();
    Some(folder)
}

/// What a program says; the command line and what is wrong if it fails.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
