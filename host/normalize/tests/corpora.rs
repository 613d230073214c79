//! The corpora of commands: what each does is known beforehand, and is compared with what is derived.
//!
//! `cargo test -p cavra-normalize --test corpora -- --nocapture` prints the figures and every difference.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test says what is wrong by failing")]

use cavra_model::Effects;
use cavra_normalize::{Disk, FileKind, GitFacts, Shown, Surroundings, split_command_in};
use serde::Deserialize;

const HARMLESS: &str = include_str!("cases/effects/harmless.jsonl");
const EFFECTFUL: &str = include_str!("cases/effects/effectful.jsonl");
const GRAMMAR: &str = include_str!("cases/effects/grammar.jsonl");

#[derive(Debug, Deserialize)]
struct Line {
    command: String,
    #[serde(default)]
    cwd: Option<String>,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    git_config: Vec<String>,
    #[serde(default)]
    expect: Expected,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Expected {
    reads: Vec<String>,
    writes: Vec<String>,
    deletes: Vec<String>,
    lists: Vec<String>,
    network: Vec<String>,
    runs: Vec<String>,
    vcs: Vec<String>,
    environment: Vec<String>,
    known: bool,
}

/// The disk that a line speaks of: what it expects is there.
struct Tree<'a>(&'a Line);

impl Tree<'_> {
    fn absolute(path: &str) -> String {
        if path.starts_with('/') { path.to_owned() } else { format!("/repo/{path}") }
    }

    /// The part of a path in front of its first wildcard.
    fn folder(path: &str) -> Option<String> {
        let at = path.find(['*', '?'])?;
        Some(Self::absolute(path.get(..at)?.trim_end_matches('/')).trim_end_matches('/').to_owned())
    }
}

impl Disk for Tree<'_> {
    fn kind(&self, path: &str) -> Option<FileKind> {
        let expected = &self.0.expect;
        let all = || expected.reads.iter().chain(&expected.lists).chain(&expected.writes);
        let inside = |known: &str| Self::absolute(known).starts_with(&format!("{path}/"));
        let looked_through = expected.reads.iter().chain(&expected.lists).filter_map(|known| Self::folder(known));
        let mut before = None;
        let entered = self.0.command.split_whitespace().any(|word| {
            let (before_word, word) = word.split_once("dir=").map_or((before, word), |(_, rest)| (Some("cd"), rest));
            let name = Self::absolute(word.trim_matches(['"', ')', ';']));
            let entered = matches!(before_word, Some("cd" | "-C")) && name.trim_end_matches('/') == path;
            before = Some(word.trim_start_matches('('));
            entered
        });
        if entered
            || path == "/repo"
            || self.0.cwd.as_deref() == Some(path)
            || looked_through.into_iter().any(|folder| folder == path)
        {
            return Some(FileKind::Directory);
        }
        if all().any(|known| Self::absolute(known) == path) {
            return Some(FileKind::File);
        }
        let is_source = expected.reads.iter().chain(&expected.lists).any(|known| inside(known));
        is_source.then_some(FileKind::Directory)
    }

    fn behind_links(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn protected_below(&self, folder: &str) -> Option<Vec<String>> {
        let files = self.0.files.iter().filter(|file| file.contains(".env")).map(|file| Self::absolute(file));
        Some(files.filter(|file| file.starts_with(&format!("{folder}/"))).collect())
    }

    fn has_option_like_name(&self, _: &str) -> bool {
        self.0.files.iter().any(|file| file.starts_with('-'))
    }

    fn head(&self, _: &str) -> Option<String> {
        None
    }

    fn git(&self, directory: &str) -> Option<GitFacts> {
        let inner = self.0.files.iter().any(|file| Self::absolute(file) == format!("{directory}/HEAD"));
        let names_program = |setting: &&String| !setting.starts_with("user.") && !setting.starts_with("color.");
        let programs = self.0.git_config.iter().filter(names_program).cloned().collect();
        Some(GitFacts { own: !inner, programs })
    }
}

fn lines(text: &str) -> Vec<Line> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn effects(line: &Line) -> Effects {
    let disk = Tree(line);
    let roots = ["/repo".to_owned()];
    let surroundings = Surroundings {
        directory: line.cwd.as_deref().unwrap_or("/repo"),
        roots: &roots,
        home: "/home/dev",
        temporary: &[],
        disk: Some(&disk),
        ..Surroundings::unknown()
    };
    *split_command_in(&line.command, &surroundings).effects
}

/// What is missing, and what is too much. A part of an expected tree is not too much: it only says more.
fn differences(line: &Line, effects: &Effects) -> (Vec<String>, Vec<String>) {
    let shown = Shown::of(effects);
    let (mut missing, mut extra) = (Vec::new(), Vec::new());
    let files = [
        ("reads", &line.expect.reads, &shown.reads),
        ("writes", &line.expect.writes, &shown.writes),
        ("deletes", &line.expect.deletes, &shown.deletes),
        ("lists", &line.expect.lists, &shown.lists),
    ];
    for (name, wanted, found) in files {
        missing.extend(wanted.iter().filter(|path| !found.contains(path)).map(|path| format!("{name} {path}")));
        let in_tree = |path: &str| {
            wanted.iter().any(|known| known.strip_suffix("**").is_some_and(|folder| path.starts_with(folder)))
        };
        let unexpected = found.iter().filter(|path| !wanted.contains(path) && !in_tree(path));
        extra.extend(unexpected.map(|path| format!("{name} {path}")));
    }
    let network = shown.network.iter().map(|host| match host.as_str() {
        "github.com" => "github.com:read".to_owned(),
        host => host.trim_end_matches(":write").to_owned() + if host == "github.com:write" { ":write" } else { "" },
    });
    let network: Vec<String> = network.collect();
    let registry = |host: &String| if host.starts_with("registry") { "registry".to_owned() } else { host.clone() };
    let wanted: Vec<String> = line.expect.network.iter().map(registry).collect();
    compare("network", &wanted, &network, &mut missing, &mut extra);
    let vcs: Vec<String> = shown.changes.iter().filter_map(|change| change.strip_prefix("git ")).map(bare).collect();
    let wanted: Vec<String> = line.expect.vcs.iter().map(|text| bare(text)).collect();
    compare("vcs", &wanted, &vcs, &mut missing, &mut extra);
    let runs: Vec<String> = runs(effects, &shown);
    let wanted: Vec<String> = line.expect.runs.iter().filter(|run| !run.starts_with("launcher:")).cloned().collect();
    compare("runs", &wanted, &runs, &mut missing, &mut extra);
    compare("environment", &line.expect.environment, &shown.environment, &mut missing, &mut extra);
    (missing, extra)
}

fn compare(name: &str, wanted: &[String], found: &[String], missing: &mut Vec<String>, extra: &mut Vec<String>) {
    missing.extend(wanted.iter().filter(|text| !found.contains(text)).map(|text| format!("{name} {text}")));
    extra.extend(found.iter().filter(|text| !wanted.contains(text)).map(|text| format!("{name} {text}")));
}

/// An operation without what it is about, unless that is a branch that is pushed.
fn bare(operation: &str) -> String {
    match operation.split_once(' ') {
        Some((verb, _)) if verb.starts_with("branch-") => verb.to_owned(),
        _ => operation.to_owned(),
    }
}

/// Runs as the corpora write them: infrastructure and services are among them.
fn runs(effects: &Effects, shown: &Shown) -> Vec<String> {
    let mut runs: Vec<String> = Vec::new();
    for run in &shown.runs {
        let (kind, detail) = run.split_once(':').unwrap();
        let kind = match kind {
            "script" => "file".to_owned(),
            "project_hook" => "project-hooks".to_owned(),
            kind => kind.replace('_', "-"),
        };
        runs.push(format!("{kind}:{detail}"));
    }
    for change in &effects.changes {
        if !matches!(change.system.as_str(), "git" | "gh" | "process" | "database") {
            let text = format!("infra:{} {}", change.system, change.operation);
            if !runs.contains(&text) {
                runs.push(text);
            }
        }
    }
    runs
}

/// What a corpus comes to.
#[derive(Default)]
struct Figures {
    lines: usize,
    known: usize,
    exact: usize,
    report: Vec<String>,
}

fn measure(text: &str) -> Figures {
    let mut figures = Figures::default();
    for line in lines(text) {
        let effects = effects(&line);
        let (missing, extra) = differences(&line, &effects);
        figures.lines += 1;
        if effects.is_known() {
            figures.known += 1;
            if missing.is_empty() && extra.is_empty() {
                figures.exact += 1;
            } else {
                figures.report.push(format!("KNOWN  {}\n       missing {missing:?}, too much {extra:?}", line.command));
            }
            if !line.expect.known {
                figures.report.push(format!("WRONG  known although it must not be: {}", line.command));
            }
        } else if line.expect.known {
            let doubts: Vec<String> =
                effects.doubts.iter().map(|doubt| format!("`{}`: {}", doubt.word, doubt.sentence)).collect();
            figures.report.push(format!("DOUBT  {}\n       {}", line.command, doubts.join("; ")));
        }
        if !effects.is_known() && !missing.is_empty() {
            figures.report.push(format!("LESS   {}\n       missing {missing:?}", line.command));
        }
    }
    figures
}

#[test]
fn what_is_known_is_right() {
    for (name, text, least_known) in [("harmless", HARMLESS, 95), ("effectful", EFFECTFUL, 60)] {
        let figures = measure(text);
        figures.report.iter().for_each(|line| println!("{line}"));
        let Figures { lines, known, exact, .. } = figures;
        println!(
            "{name}: {lines} lines, {known} known ({}%), {exact} exact ({}%)",
            known * 100 / lines,
            exact * 100 / known
        );
        assert!(exact * 100 >= known * 97, "{name}: only {exact} of {known} known lines are exactly right");
        assert!(known * 100 >= lines * least_known, "{name}: only {known} of {lines} lines are known");
    }
}

#[test]
fn what_must_not_be_known_is_not() {
    let wrong: Vec<String> = lines(EFFECTFUL)
        .into_iter()
        .filter(|line| !line.expect.known && effects(line).is_known())
        .map(|line| line.command)
        .collect();
    assert!(wrong.is_empty(), "known:\n{}", wrong.join("\n"));
}

#[test]
fn tricks_of_the_grammar_are_never_known() {
    let known: Vec<String> =
        lines(GRAMMAR).into_iter().filter(|line| effects(line).is_known()).map(|line| line.command).collect();
    assert!(known.is_empty(), "known:\n{}", known.join("\n"));
}
