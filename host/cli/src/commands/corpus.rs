//! `cavra policy corpus`: commands of a file, decided, against what each should come to.
//!
//! A line is a JSON object: `command`; `cwd`, the repository's root if absent; `files` and `git_config`, what lies in the
//! tree and in git's configuration beyond the ordinary; `verdict` (or `verdict_developer_pack`): `allow`, `ask` or `block`;
//! `expect` with `reads`, `writes` and `deletes`, and `known`. Nothing of this machine's disk counts: every file of the
//! corpus sees the same repository.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use cavra_model::{Action, ActionType, Context, Effects, Facts, FileUse, McpRegistry, Outcome, Timestamp};
use cavra_normalize::{ActionRequest, Disk, FileKind, GitFacts, Surroundings, normalize_in};
use cavra_packs::ResolvedPack;
use cavra_surroundings::{Guard, names_program};
use serde::{Deserialize, Serialize};

use crate::args::{Json, PackArg};
use crate::local::Local;
use crate::output::{print_json, print_line};

/// Where the repository of a corpus lies, and its user's home.
const ROOT: &str = "/repo";
const HOME: &str = "/home/dev";

/// One command of a corpus.
#[derive(Debug, Deserialize)]
struct Line {
    command: String,
    #[serde(default)]
    cwd: Option<String>,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    git_config: Vec<String>,
    #[serde(default, alias = "verdict_developer_pack")]
    verdict: Option<Verdict>,
    #[serde(default)]
    expect: Option<Expected>,
}

/// What a command should come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Allow,
    Ask,
    Block,
}

/// What a command does.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Expected {
    known: bool,
    reads: Vec<String>,
    writes: Vec<String>,
    deletes: Vec<String>,
}

/// The figures of a corpus.
#[derive(Debug, Default, Serialize)]
struct Figures {
    lines: usize,
    allowed: usize,
    asked: usize,
    blocked: usize,
    known: usize,
    harmless: usize,
    harmless_allowed: usize,
    harmless_blocked: usize,
    effectful: usize,
    effectful_allowed: usize,
    must_block: usize,
    must_block_only_asked: usize,
    known_with_files: usize,
    known_files_exact: usize,
    known_files_missing: usize,
}

/// A command that comes out otherwise.
#[derive(Debug, Serialize)]
struct Failure {
    command: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<Verdict>,
    seen: Verdict,
    rule_id: String,
    reason: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<String>,
}

pub fn run(file: &Path, pack: &PackArg, failures: bool, format: Json) -> anyhow::Result<ExitCode> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let local = Local::from_env()?;
    let pack = local.pack(pack)?;
    let mut figures = Figures::default();
    let mut failed = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line: Line = serde_json::from_str(line).with_context(|| format!("line {} is no command", number + 1))?;
        failed.extend(decide(&local, &pack, &line, &mut figures)?);
    }
    let whole = figures.effectful_allowed == 0;
    if format.json {
        let failed = failures.then_some(failed);
        print_json(&serde_json::json!({ "policy_pack": pack.name, "figures": figures, "failures": failed }))?;
    } else {
        for failure in failed.iter().filter(|_| failures) {
            print_failure(failure)?;
        }
        print_figures(&figures)?;
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Decides a command and counts it; answers how it comes out otherwise.
fn decide(local: &Local, pack: &ResolvedPack, line: &Line, figures: &mut Figures) -> anyhow::Result<Option<Failure>> {
    let tree = Tree { line, guard: Guard::of(&pack.document) };
    let roots = [ROOT.to_owned()];
    let temporary = ["/tmp".to_owned(), "/var/tmp".to_owned()];
    let surroundings = Surroundings {
        directory: line.cwd.as_deref().unwrap_or(ROOT),
        roots: &roots,
        home: HOME,
        temporary: &temporary,
        disk: Some(&tree),
        programs: &pack.programs,
    };
    let target = Some(line.command.clone());
    let request = ActionRequest { target, ..ActionRequest::of(ActionType::ExecuteCommand) };
    let action = normalize_in(request, &surroundings)?;
    let finding = local.wait(local.decisions().judge(&action, &facts(), pack))?;
    let seen = match finding.outcome {
        Outcome::Block => Verdict::Block,
        Outcome::RequireApproval => Verdict::Ask,
        _ => Verdict::Allow,
    };
    let Action::ExecuteCommand(command) = &action else { return Ok(None) };
    figures.count(line.verdict, seen);
    let files = figures.compare(line.expect.as_ref(), &command.effects);
    let as_expected = line.verdict.is_none_or(|expected| expected == seen) && files.is_empty();
    Ok((!as_expected).then(|| Failure {
        command: line.command.clone(),
        expected: line.verdict,
        seen,
        rule_id: finding.rule_id,
        reason: finding.reason,
        files,
    }))
}

fn facts() -> Facts {
    let context = Context::default();
    Facts {
        now: Timestamp::now(),
        session_id: context.session_id,
        agent_id: context.agent_id,
        actor: context.actor,
        repository: context.repository,
        mcp_registry: McpRegistry::NotConsulted,
        attributes: Vec::new(),
    }
}

impl Figures {
    fn count(&mut self, expected: Option<Verdict>, seen: Verdict) {
        self.lines += 1;
        match seen {
            Verdict::Allow => self.allowed += 1,
            Verdict::Ask => self.asked += 1,
            Verdict::Block => self.blocked += 1,
        }
        match expected {
            None => {}
            Some(Verdict::Allow) => {
                self.harmless += 1;
                self.harmless_allowed += usize::from(seen == Verdict::Allow);
                self.harmless_blocked += usize::from(seen == Verdict::Block);
            }
            Some(expected) => {
                self.effectful += 1;
                self.effectful_allowed += usize::from(seen == Verdict::Allow);
                if expected == Verdict::Block {
                    self.must_block += 1;
                    self.must_block_only_asked += usize::from(seen == Verdict::Ask);
                }
            }
        }
    }

    /// Compares files where the command is known; answers what differs.
    fn compare(&mut self, expected: Option<&Expected>, effects: &Effects) -> Vec<String> {
        self.known += usize::from(effects.is_known());
        let Some(expected) = expected.filter(|_| effects.is_known()) else { return Vec::new() };
        self.known_with_files += 1;
        let mut differences = Vec::new();
        let mut missing = false;
        for (usage, sign, wanted) in [
            (FileUse::Reads, "reads", &expected.reads),
            (FileUse::Writes, "writes", &expected.writes),
            (FileUse::Deletes, "deletes", &expected.deletes),
        ] {
            let found: Vec<String> = found(effects, usage);
            let absent = wanted.iter().filter(|path| !found.contains(path)).map(|path| format!("-{sign} {path}"));
            let before = differences.len();
            differences.extend(absent);
            missing |= differences.len() > before;
            let more = found.iter().filter(|path| !wanted.contains(path)).map(|path| format!("+{sign} {path}"));
            differences.extend(more);
        }
        self.known_files_exact += usize::from(differences.is_empty() && expected.known);
        self.known_files_missing += usize::from(missing || !expected.known);
        differences
    }
}

/// The files that are used so, as a corpus writes them.
fn found(effects: &Effects, usage: FileUse) -> Vec<String> {
    let used = effects.files.iter().filter(|file| file.usage == usage);
    let mut found: Vec<String> = used
        .map(|file| match (file.tree, file.path.as_str()) {
            (true, "" | ".") => "**".to_owned(),
            (true, "/") => "/**".to_owned(),
            (true, path) => format!("{path}/**"),
            (false, path) => path.to_owned(),
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

fn print_failure(failure: &Failure) -> anyhow::Result<()> {
    let word = |verdict: Verdict| match verdict {
        Verdict::Allow => "allow",
        Verdict::Ask => "ask",
        Verdict::Block => "block",
    };
    let expected = failure.expected.map_or("-", word);
    let command = failure.command.replace('\n', "\\n");
    print_line(&format!("{expected} -> {}  {command}", word(failure.seen)))?;
    print_line(&format!("    {}: {}", failure.rule_id, failure.reason))?;
    if !failure.files.is_empty() {
        print_line(&format!("    {}", failure.files.join("  ")))?;
    }
    Ok(())
}

fn print_figures(figures: &Figures) -> anyhow::Result<()> {
    for (what, count, of) in [
        ("allowed", figures.allowed, figures.lines),
        ("asked", figures.asked, figures.lines),
        ("blocked", figures.blocked, figures.lines),
        ("understood completely", figures.known, figures.lines),
        ("harmless and allowed", figures.harmless_allowed, figures.harmless),
        ("harmless and blocked", figures.harmless_blocked, figures.harmless),
        ("must ask or block and allowed", figures.effectful_allowed, figures.effectful),
        ("must block and only asked", figures.must_block_only_asked, figures.must_block),
        ("files exactly right where understood", figures.known_files_exact, figures.known_with_files),
        ("files missing where understood", figures.known_files_missing, figures.known_with_files),
    ] {
        let share = if of == 0 { String::new() } else { format!("  {}", percent(count, of)) };
        print_line(&format!("{what:38} {count:6} of {of:6}{share}"))?;
    }
    Ok(())
}

/// Rounded down to a tenth, so that nothing looks complete that is not.
fn percent(count: usize, of: usize) -> String {
    let tenths = count.saturating_mul(1000).checked_div(of).unwrap_or_default();
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// The repository of a corpus: the files that a line names, and nothing else that matters.
struct Tree<'a> {
    line: &'a Line,
    guard: Guard,
}

impl Tree<'_> {
    /// The files that the line names, absolute.
    fn files(&self) -> impl Iterator<Item = String> {
        self.line.files.iter().map(|file| match file.strip_prefix('~') {
            Some(below) => format!("{HOME}{below}"),
            None if file.starts_with('/') => file.clone(),
            None => format!("{ROOT}/{file}"),
        })
    }

    fn has(&self, path: &str) -> bool {
        self.files().any(|file| file == path || file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    }
}

impl Disk for Tree<'_> {
    fn kind(&self, path: &str) -> Option<FileKind> {
        if self.files().any(|file| file == path) {
            return Some(FileKind::File);
        }
        self.has(path).then_some(FileKind::Directory)
    }

    fn behind_links(&self, _path: &str) -> Vec<String> {
        Vec::new()
    }

    fn protected_below(&self, folder: &str) -> Option<Vec<String>> {
        let below =
            |file: &String| folder == "/" || file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let name = |file: &String| {
            file.strip_prefix(ROOT).map_or(file.as_str(), |rest| rest.trim_start_matches('/')).to_owned()
        };
        Some(self.files().filter(below).filter(|file| self.guard.protects(&name(file))).collect())
    }

    fn has_option_like_name(&self, folder: &str) -> bool {
        self.files()
            .any(|file| file.rsplit_once('/').is_some_and(|(above, name)| above == folder && name.starts_with('-')))
    }

    fn head(&self, _directory: &str) -> Option<String> {
        None
    }

    fn git(&self, directory: &str) -> Option<GitFacts> {
        let mut folder = directory;
        let nested = loop {
            if folder == ROOT || folder.is_empty() || folder == "/" {
                break false;
            }
            if ["HEAD", "objects", "refs"].iter().all(|name| self.has(&format!("{folder}/{name}"))) {
                break true;
            }
            folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
        };
        let settings = self.line.git_config.iter().filter_map(|setting| setting.split_once('='));
        let programs = settings.filter(|(key, value)| names_program(key, value)).map(|(key, _)| key.to_lowercase());
        let programs = programs.filter(|key| !self.guard.trusts(key)).collect();
        Some(GitFacts { own: !nested, programs })
    }
}
