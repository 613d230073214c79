//! A second witness: the programs themselves. The tests of rows are run where their program is installed, under `strace`, and
//! what it opens, makes and removes in a scratch folder has to be among the effects that the row says.
//!
//! The commands run confined to that folder and without network, so that a wrong row does no harm. Where there is no
//! `strace`, or it may not trace, nothing is asked.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by failing")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cavra_confine::{Access, Profile};
use cavra_model::{Effects, FileEffect, FileUse};
use cavra_normalize::split_command;
use serde::Deserialize;
use serde_norway::Value;

/// Calls of the kernel that open, make, move or remove files.
const TRACED: &str = "trace=open,openat,openat2,creat,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,\
                      symlink,symlinkat,link,linkat,truncate";

/// Fewest commands that have to be seen where `strace` works, so that the test cannot become empty unnoticed.
const FEWEST: usize = 60;

#[derive(Deserialize)]
struct Row {
    program: Option<String>,
    #[serde(default)]
    programs: Vec<String>,
    #[serde(default)]
    tests: Vec<Case>,
    #[serde(flatten)]
    _rest: Value,
}

#[derive(Deserialize)]
struct Case {
    args: String,
    only: Option<String>,
    #[serde(default)]
    known: bool,
    #[serde(flatten)]
    _rest: Value,
}

/// What a command did in the scratch folder, by names relative to it.
#[derive(Debug, Default)]
struct Seen {
    read: BTreeSet<String>,
    changed: BTreeSet<String>,
}

fn commands() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/commands");
    let mut commands = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for row in serde_norway::from_str::<Vec<Row>>(&text).unwrap() {
            let first = row.program.iter().chain(&row.programs).next().cloned().unwrap();
            for case in row.tests.iter().filter(|case| case.known) {
                commands.push(format!("{} {}", case.only.as_ref().unwrap_or(&first), case.args));
            }
        }
    }
    commands.sort();
    commands
}

/// Files are all that the command is about, and they are in the scratch folder.
fn is_about_files(effects: &Effects) -> bool {
    let others = effects.network.len() + effects.runs.len() + effects.changes.len() + effects.environment.len();
    others == 0 && !effects.files.is_empty() && effects.files.iter().all(|file| !file.path.starts_with(['/', '~', '.']))
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    !program.is_empty() && std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Makes what the command is about.
fn furnish(folder: &Path, effects: &Effects, command: &str) {
    for file in &effects.files {
        let fixed = file.path.split(['*', '?', '[']).next().unwrap();
        let path = folder.join(fixed.trim_end_matches('/'));
        let is_folder = file.tree || fixed.ends_with('/') || command.contains(&format!("{fixed}/"));
        if file.usage == FileUse::Writes && !is_folder {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
        } else if is_folder {
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("inner.txt"), "one\ntwo\n").unwrap();
        } else if !path.exists() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "one\ntwo\n").unwrap();
        }
    }
}

/// Runs a command in the folder and says what it did there; nothing where it cannot be traced.
fn witness(folder: &Path, command: &str) -> Option<Seen> {
    let log = folder.with_extension("log");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-y", "-s", "4096", "-e", TRACED, "-e", "signal=none", "-o"]).arg(&log);
    strace.args(["timeout", "10", "bash", "-c", command]).current_dir(folder).env("HOME", folder);
    strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let files = [("/", Access::Read), ("/dev/null", Access::Write), ("/dev/tty", Access::Write)];
    let mut files: Vec<(PathBuf, Access)> = files.map(|(path, access)| (path.into(), access)).into();
    files.extend([(folder.to_owned(), Access::Write), (log.parent().unwrap().to_owned(), Access::Make)]);
    let mut child = cavra_confine::spawn(&mut strace, &Profile { files, network: false }).ok()?;
    child.wait().unwrap();
    let text = fs::read_to_string(&log).ok()?;
    let mut seen = Seen::default();
    text.lines().for_each(|line| seen.note(folder, line));
    Some(seen)
}

impl Seen {
    /// A line of the trace: `123 openat(AT_FDCWD</cwd>, "a", O_RDONLY) = 3</cwd/a>`.
    fn note(&mut self, folder: &Path, line: &str) {
        let Some((call, rest)) = line.split_once('(') else { return };
        let call = call.rsplit(' ').next().unwrap_or(call);
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { return };
        if result.starts_with('-') {
            return;
        }
        let inside = |path: &Path| {
            let path = path.strip_prefix(folder).ok()?.to_string_lossy().into_owned();
            (!path.is_empty()).then_some(path)
        };
        if call.starts_with("open") || call == "creat" {
            let opened = result.split_once('<').map(|(_, path)| path.trim_end_matches('>'));
            let Some(path) = opened.and_then(|path| inside(Path::new(path))) else { return };
            let changes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].iter().any(|flag| arguments.contains(flag));
            if changes || call == "creat" {
                self.changed.insert(path);
            } else if !folder.join(&path).is_dir() && !arguments.contains("O_DIRECTORY") {
                self.read.insert(path);
            }
            return;
        }
        // All others name what they make, move or remove. What a link leads to stays as it is.
        let first = if call.contains("link") && !call.starts_with("unlink") { 3 } else { 1 };
        for (at, name) in arguments.split('"').enumerate().filter(|(at, _)| at % 2 == 1 && *at >= first) {
            let before = arguments.split('"').nth(at - 1).unwrap();
            let base = before.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(base, _)| base);
            let path = base.map_or_else(|| folder.to_owned(), PathBuf::from).join(name);
            self.changed.extend(inside(&path));
        }
    }
}

/// Whether the effect is about the file.
fn covers(effect: &FileEffect, path: &str) -> bool {
    let fixed = effect.path.trim_end_matches('/');
    if effect.pattern {
        return path.starts_with(fixed.split(['*', '?', '[']).next().unwrap());
    }
    let below = || path.strip_prefix(fixed).is_some_and(|rest| rest.starts_with('/'));
    path == fixed || (effect.tree && (fixed.is_empty() || below()))
}

/// What the effects do not say of what was seen.
fn unsaid(effects: &Effects, seen: &Seen, folder: &Path, before: &BTreeSet<String>) -> Vec<String> {
    let said = |path: &str, uses: &[FileUse]| {
        effects.files.iter().any(|effect| uses.contains(&effect.usage) && covers(effect, path))
    };
    // What is made and gone again is how a program works.
    let passing = |path: &&String| before.contains(*path) || folder.join(path).exists();
    let changed = seen.changed.iter().filter(passing).filter(|path| !said(path, &[FileUse::Writes, FileUse::Deletes]));
    let own = |path: &&String| !seen.changed.contains(*path);
    let read = seen.read.iter().filter(own).filter(|path| !said(path, &[FileUse::Reads]));
    changed.map(|path| format!("changes {path}")).chain(read.map(|path| format!("reads {path}"))).collect()
}

fn names(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            names(&entry.path(), &format!("{name}/"), found);
        }
        found.insert(name);
    }
}

#[test]
fn programs_do_no_more_than_their_rows_say() {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("witness");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(scratch.join("probe")).unwrap();
    if !installed("strace") || witness(&scratch.join("probe"), "true").is_none() {
        return;
    }
    let (mut asked, mut failures) = (0, Vec::new());
    for (number, command) in commands().into_iter().enumerate() {
        let effects = split_command(&command).effects;
        if !is_about_files(&effects) || !installed(command.split(' ').next().unwrap()) {
            continue;
        }
        let folder = scratch.join(number.to_string());
        fs::create_dir_all(&folder).unwrap();
        furnish(&folder, &effects, &command);
        let mut before = BTreeSet::new();
        names(&folder, "", &mut before);
        let Some(seen) = witness(&folder, &command) else { continue };
        asked += 1;
        let unsaid = unsaid(&effects, &seen, &folder, &before);
        if !unsaid.is_empty() {
            failures.push(format!("`{command}` {}", unsaid.join(", ")));
        }
    }
    assert!(failures.is_empty(), "{} of {asked} programs do more:\n{}", failures.len(), failures.join("\n"));
    assert!(asked >= FEWEST, "only {asked} commands were seen");
    let _ = fs::remove_dir_all(&scratch);
}
