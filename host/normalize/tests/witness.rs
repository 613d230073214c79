//! A second witness: the programs themselves. The tests of rows are run where their program is installed, under `strace`, and
//! what it opens, makes and removes in a scratch folder has to be among the effects that the row says.
//!
//! The commands run confined to that folder and without network, so that a wrong row does no harm. Where there is no
//! `strace`, or it may not trace, nothing is asked.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test says what is wrong by failing")]

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
            for case in row.tests.iter().filter(|case| case.known) {
                let all = row.program.iter().chain(&row.programs);
                let programs = all.filter(|program| case.only.as_ref().is_none_or(|only| only == *program));
                commands.extend(programs.map(|program| format!("{program} {}", case.args)));
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
    // Files of a mebibyte are enough.
    let limited = format!("ulimit -f 1024; {command}");
    strace.args(["timeout", "10", "bash", "-c", &limited]).current_dir(folder).env("HOME", folder);
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
fn unsaid(command: &str, effects: &Effects, seen: &Seen, folder: &Path, before: &BTreeSet<String>) -> Vec<String> {
    let said = |path: &str, uses: &[FileUse]| {
        effects.files.iter().any(|effect| uses.contains(&effect.usage) && covers(effect, path))
    };
    // What is made and gone again is how a program works.
    let passing = |path: &&String| before.contains(*path) || folder.join(path).exists();
    let changed = seen.changed.iter().filter(passing).filter(|path| !said(path, &[FileUse::Writes, FileUse::Deletes]));
    let own = |path: &&String| !seen.changed.contains(*path);
    // It opens what it looks at, and shows nothing of it.
    let reading: &[FileUse] =
        if command.starts_with("df ") { &[FileUse::Reads, FileUse::Lists] } else { &[FileUse::Reads] };
    let read = seen.read.iter().filter(own).filter(|path| !said(path, reading));
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

/// Words that somebody may put into a command to make it use a file that is not seen.
const WORDS: [&str; 16] = [
    "z.txt",
    "--",
    "-",
    "-o z.txt",
    "-oz.txt",
    "--output=z.txt",
    "--out z.txt",
    "-f z.txt",
    "-fz.txt",
    "--file=z.txt",
    "@z.txt",
    "-i",
    "-w z.txt",
    "> z.txt",
    "< z.txt",
    "\"$(cat z.txt)\"",
];

/// A command with a word of those behind its program, and with one at its end.
fn mutated(command: &str, words: &[&str]) -> Vec<String> {
    let (program, rest) = command.split_once(' ').unwrap_or((command, ""));
    words.iter().flat_map(|word| [format!("{program} {word} {rest}"), format!("{command} {word}")]).collect()
}

/// The words for a command: a few that differ from command to command, or all of them.
fn words(number: usize) -> Vec<&'static str> {
    if std::env::var_os("CAVRA_TEST_ALL_MUTATIONS").is_some() {
        return WORDS.to_vec();
    }
    vec![WORDS[number % WORDS.len()]]
}

#[test]
fn programs_do_no_more_than_their_rows_say() {
    witnessed("rows", &commands(), FEWEST);
}

#[test]
fn words_that_are_put_in_hide_no_file() {
    let commands = commands().into_iter().enumerate();
    let mutated: Vec<String> = commands.flat_map(|(number, command)| mutated(&command, &words(number))).collect();
    let known: Vec<String> = mutated.into_iter().filter(|command| split_command(command).effects.is_known()).collect();
    witnessed("mutated", &known, FEWEST / 2);
}

/// Nothing that the commands do is missing among their effects.
fn witnessed(name: &str, commands: &[String], fewest: usize) {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("witness").join(name);
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(scratch.join("probe")).unwrap();
    if !installed("strace") || witness(&scratch.join("probe"), "true").is_none() {
        return;
    }
    let (mut asked, mut failures) = (0, Vec::new());
    for (number, command) in commands.iter().enumerate() {
        let effects = split_command(command).effects;
        if !is_about_files(&effects) || !installed(command.split(' ').next().unwrap()) {
            continue;
        }
        let folder = scratch.join(number.to_string());
        fs::create_dir_all(&folder).unwrap();
        furnish(&folder, &effects, command);
        // A folder of that name is what the command is about.
        let _ = fs::write(folder.join("z.txt"), "z.txt\n");
        let mut before = BTreeSet::new();
        names(&folder, "", &mut before);
        let Some(seen) = witness(&folder, command) else { continue };
        asked += 1;
        let unsaid = unsaid(command, &effects, &seen, &folder, &before);
        let _ = fs::remove_dir_all(&folder);
        let _ = fs::remove_file(folder.with_extension("log"));
        if !unsaid.is_empty() {
            failures.push(format!("`{command}` {}", unsaid.join(", ")));
        }
    }
    assert!(failures.is_empty(), "{} of {asked} programs do more:\n{}", failures.len(), failures.join("\n"));
    assert!(asked >= fewest, "only {asked} commands were seen");
    let _ = fs::remove_dir_all(&scratch);
}
