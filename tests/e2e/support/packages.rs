//! Packages of others that some tests speak to: installed once per target folder, in exactly these versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{repository, sha256};

/// Set, it skips the tests that need packages from a registry.
const WITHOUT: &str = "CAVRA_TEST_WITHOUT_PACKAGES";
const ATTEMPTS: u32 = 4;

/// Programs that have to be there: what to call them, and a command line that succeeds if they are.
type Programs = &'static [Program];
type Program = (&'static str, &'static [&'static str]);

const PYTHON: Program = ("Python 3.11 with venv", &["python3", "-c", PYTHON_PROBE]);
const PYTHON_PROBE: &str = "import sys, venv, ensurepip; assert sys.version_info >= (3, 11); print(sys.version)";
const NODE: Programs = &[("node", &["node", "--version"]), ("npm", &["npm", "--version"])];

/// An interpreter that has the packages of `requirements.txt`; `None`, said aloud, where there is no Python.
pub fn python() -> Option<PathBuf> {
    const VERSIONS: &str = include_str!("requirements.txt");
    let folder = installed("python", VERSIONS, &[PYTHON], |folder| {
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
    installed(package, &wanted, NODE, |folder| {
        let mut fill = npm(folder);
        fill.arg(&wanted);
        vec![fill]
    })
}

/// What installs packages into a folder.
fn npm(folder: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(folder);
    npm
}

/// A folder in which the Python SDK makes components: `bin/python`, `bin/cavra-sdk`.
pub fn python_sdk() -> Option<PathBuf> {
    const VERSIONS: &str = include_str!("requirements-sdk.txt");
    let sdk = repository().join("sdk/python");
    let wanted = format!("{VERSIONS}\n{}", digest_of(&sdk));
    installed("python-sdk", &wanted, &[PYTHON], |folder| {
        let pip = |arguments: &[&str]| {
            let mut pip = Command::new(folder.join("bin/python"));
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]).args(arguments);
            pip
        };
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(folder);
        fs::write(folder.join("requirements.txt"), VERSIONS).unwrap();
        let requirements = folder.join("requirements.txt");
        let packages = pip(&["-r", requirements.to_str().unwrap()]);
        vec![make, packages, pip(&["--no-build-isolation", sdk.to_str().unwrap()])]
    })
}

/// A folder in whose `node_modules` the JavaScript SDK is, with what reads its types.
pub fn node_sdk() -> Option<PathBuf> {
    let (sdk, types) = (repository().join("sdk/js"), ["typescript@5.9.3", "@types/node@20.19.43"]);
    let wanted = format!("{types:?}\n{}", digest_of(&sdk));
    installed("node-sdk", &wanted, NODE, |folder| {
        let mut fill = npm(folder);
        fill.arg("--install-links").arg(&sdk).args(types);
        vec![fill]
    })
}

/// Stands for all files of a folder that git knows or that nobody has told it to ignore.
fn digest_of(folder: &Path) -> String {
    let listed = run(Command::new("git").args(["ls-files", "-co", "--exclude-standard"]).current_dir(folder)).unwrap();
    let files: Vec<_> = listed.lines().map(|file| fs::read(folder.join(file)).unwrap_or_default()).collect();
    sha256([listed.into_bytes(), files.concat()].concat())
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
