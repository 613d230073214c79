//! The judgement of what a command line does. Files are judged by the filesystem lists and pushes by the git rules,
//! whatever the command is called; and a part that is understood completely may be allowed because entries of
//! `effects.allow` cover all that it does.

mod entry;
mod set;

use crate::action::{
    Certainty, ChangeEffect, Command, Doubt, Effects, EnvironmentEffect, FileEffect, FileUse, Git, NetworkEffect, Part,
    Place, RunEffect,
};
use crate::catalog::{self, Rule};
use crate::explain;
use crate::finding::Finding;
use crate::list::RuleList;
use crate::paths::{ENVIRONMENT_FILES, RUN_BY_OTHERS};
use crate::policy::{Policy, unknown_push};

pub(crate) use entry::Entry;
use entry::{Branch, is_vcs, operation_name};

/// Kinds of code that no entry allows: nobody can have looked at it before it runs, it comes from elsewhere, or it runs
/// with other rights.
const NEVER_ALLOWED: [&str; 8] =
    ["inline", "package", "install", "remote", "privilege", "program", "server", "permission"];

/// Hosts that a command of version control reaches because that is what it does: the entry for the operation says so.
const OF_VCS: &str = "git-remote";

/// Systems behind a host of the network: what is done there is judged as reading or writing that host.
const HOSTED: [&str; 2] = ["gh", "glab"];

/// The entries of the `effects` section.
#[derive(Debug, Default)]
pub(crate) struct EffectRules {
    pub(crate) block: Vec<Entry>,
    pub(crate) require_approval: Vec<Entry>,
    pub(crate) allow: Vec<Entry>,
}

impl EffectRules {
    pub(crate) fn len(&self) -> usize {
        self.block.len() + self.require_approval.len() + self.allow.len()
    }
}

/// A stricter list, for sentences.
struct Stricter {
    name: &'static str,
    verdict: &'static str,
}

static BLOCK: Stricter = Stricter { name: "block", verdict: "is blocked" };
static REQUIRE_APPROVAL: Stricter = Stricter { name: "require_approval", verdict: "needs approval" };

/// One effect, whatever its kind.
#[derive(Clone, Copy)]
enum Effect<'a> {
    File(&'a FileEffect<'a>),
    Network(&'a NetworkEffect<'a>),
    Run(&'a RunEffect<'a>),
    Change(&'a ChangeEffect<'a>),
    Environment(&'a EnvironmentEffect<'a>),
}

impl<'a> Effect<'a> {
    fn all(effects: &Effects<'a>) -> impl Iterator<Item = Self> {
        let files = effects.files.iter().map(Effect::File);
        let network = effects.network.iter().map(Effect::Network);
        let runs = effects.runs.iter().map(Effect::Run);
        let changes = effects.changes.iter().map(Effect::Change);
        let environment = effects.environment.iter().map(Effect::Environment);
        files.chain(network).chain(runs).chain(changes).chain(environment)
    }

    fn part(&self) -> usize {
        let part = match self {
            Self::File(effect) => effect.part,
            Self::Network(effect) => effect.part,
            Self::Run(effect) => effect.part,
            Self::Change(effect) => effect.part,
            Self::Environment(effect) => effect.part,
        };
        part as usize
    }

    /// What is done, as the second half of a sentence about a program.
    fn sentence(&self) -> String {
        match self {
            Self::File(effect) => {
                let verb = match effect.used {
                    FileUse::Lists => "looks at ",
                    FileUse::Reads => "reads ",
                    FileUse::Writes => "writes ",
                    FileUse::Deletes => "deletes ",
                };
                let below = if effect.tree { " and what lies below" } else { "" };
                [verb, "`", effect.path, "`", below, &because(effect.why)].concat()
            }
            Self::Network(effect) if effect.host == "?" => "reaches a host that is computed".to_owned(),
            Self::Network(effect) => {
                let what = if effect.writes || effect.carries { "sends to `" } else { "reaches `" };
                [what, effect.host, "`"].concat()
            }
            Self::Run(effect) => ["runs ", effect.kind, " code: `", &effect.words.join(" "), "`"].concat(),
            Self::Change(effect) => {
                let target =
                    if effect.target.is_empty() { String::new() } else { [" of `", effect.target, "`"].concat() };
                ["does `", effect.operation, "`", &target, " in ", effect.system].concat()
            }
            Self::Environment(effect) if effect.name == "*" => "shows the environment".to_owned(),
            Self::Environment(effect) => ["shows the variable `", effect.name, "`"].concat(),
        }
    }

    /// The entry that would allow it.
    fn entry(&self) -> Option<String> {
        Some(match self {
            Self::File(effect) => {
                let kind = match effect.used {
                    FileUse::Lists => "list ",
                    FileUse::Reads => "read ",
                    FileUse::Writes => "write ",
                    FileUse::Deletes => "delete ",
                };
                let below = if effect.tree { "/*" } else { "" };
                [kind, effect.path, below].concat()
            }
            Self::Network(effect) if effect.host == "?" => return None,
            Self::Network(effect) if effect.writes || effect.carries => ["network ", effect.host].concat(),
            Self::Network(effect) => ["network ", effect.host, " read"].concat(),
            Self::Run(effect) => {
                let name = effect.words.first().map_or("*", String::as_str);
                ["run ", effect.kind, " ", name, "*"].concat()
            }
            Self::Change(effect) if is_vcs(effect) => ["vcs ", &operation_name(effect.operation)].concat(),
            Self::Change(effect) if effect.system == "process" => ["process ", effect.operation].concat(),
            Self::Change(effect) => ["infra ", effect.system, " ", effect.operation].concat(),
            Self::Environment(_) => return None,
        })
    }

    /// True if an entry would read its name as a pattern, and so would cover more than it.
    fn is_named_like_a_pattern(&self) -> bool {
        match self {
            Self::File(effect) => !effect.pattern && effect.path.contains('*'),
            Self::Network(effect) => effect.host.contains('*'),
            Self::Run(effect) => effect.words.first().is_some_and(|word| word.contains('*')),
            Self::Change(effect) => effect.operation.contains('*'),
            Self::Environment(_) => false,
        }
    }

    /// The entry that allows all of its kind: in the repository or a folder for temporary files, of one kind of code, or what
    /// can be undone.
    fn class(&self) -> Option<String> {
        Some(match self {
            Self::File(effect) => {
                let place = match effect.place {
                    Place::Repository => "repository",
                    Place::Temporary => "temporary",
                    _ => return None,
                };
                let kind = match effect.used {
                    FileUse::Lists => "list ",
                    FileUse::Reads => "read ",
                    FileUse::Writes => "write ",
                    // What is lost by a pattern of names is for a person to say.
                    FileUse::Deletes => return None,
                };
                [kind, place].concat()
            }
            Self::Run(effect) => ["run ", effect.kind, " *"].concat(),
            Self::Change(effect) if effect.loses_work => return None,
            Self::Change(effect) => {
                let class = if effect.reads_only { "read" } else { "change" };
                match effect.system {
                    _ if is_vcs(effect) => ["vcs ", class].concat(),
                    "process" => ["process ", class].concat(),
                    system => ["infra ", system, " ", class].concat(),
                }
            }
            Self::Network(_) | Self::Environment(_) => return None,
        })
    }
}

fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { [" (", why, ")"].concat() }
}

impl Policy {
    /// Findings on what the command line does: none of them allows.
    pub(crate) fn effect_findings(&self, command: &Command<'_>) -> Vec<Finding> {
        let effects = &command.effects;
        let mut findings = Vec::new();
        let mut add = |finding: Option<Finding>| {
            if let Some(finding) = finding.filter(|finding| !findings.contains(finding)) {
                findings.push(finding);
            }
        };
        for file in effects.files {
            add(self.judge_file(file, effects.seen));
        }
        for change in effects.changes {
            add(self.judge_push(change).map(|(found, _)| found));
        }
        for effect in Effect::all(effects) {
            add(self.stricter_entry(&effect));
        }
        for (index, part) in command.parts.iter().enumerate().filter(|(_, part)| !part.implied) {
            add(self.unknown_entry(index, part, effects));
        }
        findings
    }

    /// The strictest entry about calls that are not understood, for one that is not. An argument that is computed is no
    /// reason: a pattern that takes any argument takes that one too.
    fn unknown_entry(&self, index: usize, part: &Part<'_>, effects: &Effects<'_>) -> Option<Finding> {
        let is_fixed = |doubt: &Doubt<'_>| doubt.part as usize == index && !doubt.word.contains(['$', '`']);
        if !matches!(effects.certainty.get(index), Some(Certainty::Unknown)) || !effects.doubts.iter().any(is_fixed) {
            return None;
        }
        let (rule, list, entry) = self.strictest_entry(|entry| entry.meets_unknown(part))?;
        let why = doubt(index, explain::program(part), effects);
        Some(rule.found(&[&why, ", and so it ", list.verdict, ": `", &entry.text, "` of effects.", list.name]))
    }

    /// The filesystem lists on a file, or a set of files, that is read, written or deleted.
    fn judge_file(&self, file: &FileEffect<'_>, seen: bool) -> Option<Finding> {
        let is_set = file.tree || file.pattern;
        match file.used {
            FileUse::Lists => None,
            FileUse::Reads => self.judge_read_as(file.path, file.why).or_else(|| {
                let meets = if seen { set::named_meets } else { set::certainly_meets };
                let hit = if is_set { first_hit(&self.read, file, meets) } else { None };
                self.read_finding(hit?, file.why, file.path)
            }),
            FileUse::Writes | FileUse::Deletes => self.judge_write_as(file.path, file.why).or_else(|| {
                let hit = if is_set { first_hit(&self.write, file, set::certainly_meets) } else { None };
                self.write_finding(hit?, file.why, file.path)
            }),
        }
    }

    /// The git rules on a push, a deletion or a renaming.
    fn judge_push(&self, change: &ChangeEffect<'_>) -> Option<(Finding, Branch)> {
        if !is_vcs(change) {
            return None;
        }
        let operation = operation_name(change.operation);
        // That a push is forced is said beside the push, which names the branch.
        let says_how = operation.starts_with("stash") || operation == "push_force";
        let is_push = operation.split('_').any(|word| word == "push") && !says_how;
        let removes_branch = ["branch_delete", "branch_rename", "push_delete"].contains(&operation.as_str());
        if !(is_push || removes_branch) {
            return None;
        }
        // A push of every branch is one of the protected ones.
        let target = if change.target == "*" { "main" } else { change.target };
        let branch_path = target.strip_prefix("refs/heads/").unwrap_or(target);
        let branch = branch_path.rsplit('/').next().unwrap_or(branch_path);
        let git = Git { operation: &operation, branch, branch_path, is_push, removes_branch };
        self.judge_git(&git)
            .map(|found| (found, Branch::Protected))
            .or_else(|| unknown_push(&git).map(|found| (found, Branch::Unknown)))
    }

    fn branch(&self, change: &ChangeEffect<'_>) -> Branch {
        self.judge_push(change).map_or(Branch::Open, |(_, branch)| branch)
    }

    /// The finding of the strictest entry about an effect.
    fn stricter_entry(&self, effect: &Effect<'_>) -> Option<Finding> {
        let (rule, list, entry) = self.strictest_entry(|entry| match effect {
            Effect::File(file) => entry.meets_file(file),
            effect => self.is_covered(entry, effect),
        })?;
        let sentence = effect.sentence();
        let reason =
            ["the command ", &sentence, ", which ", list.verdict, ": `", &entry.text, "` of effects.", list.name];
        Some(rule.found(&reason))
    }

    /// The first entry of `effects.block`, else of `effects.require_approval`, for which that holds.
    fn strictest_entry(&self, holds: impl Fn(&Entry) -> bool) -> Option<(&'static Rule, &'static Stricter, &Entry)> {
        let lists = [
            (&catalog::EFFECTS_BLOCK, &BLOCK, &self.effects.block),
            (&catalog::EFFECTS_APPROVAL, &REQUIRE_APPROVAL, &self.effects.require_approval),
        ];
        lists.into_iter().find_map(|(rule, list, entries)| {
            entries.iter().find(|entry| holds(entry)).map(|entry| (rule, list, entry))
        })
    }

    fn is_covered(&self, entry: &Entry, effect: &Effect<'_>) -> bool {
        match effect {
            Effect::File(file) => entry.covers_file(file),
            Effect::Network(network) => entry.covers_network(network),
            Effect::Run(run) => entry.covers_run(run),
            Effect::Change(change) => entry.covers_change(change, self.branch(change)),
            Effect::Environment(shown) => entry.covers_environment(shown),
        }
    }

    /// Why effects do not allow a part; `None` if it is understood and all that it does is covered.
    pub(crate) fn uncovered(&self, part: usize, program: &str, effects: &Effects<'_>) -> Option<String> {
        let named = |sentence: &str| {
            if program.is_empty() { sentence.to_owned() } else { ["`", program, "` ", sentence].concat() }
        };
        if !matches!(effects.certainty.get(part), Some(Certainty::Known | Certainty::Bounded)) {
            return Some(doubt(part, program, effects));
        }
        let of_part = || Effect::all(effects).filter(|effect| effect.part() == part);
        for effect in of_part() {
            if implied_by_another(&effect, of_part()) {
                continue;
            }
            if let Some(never) = self.never(&effect, effects.seen) {
                return Some([&named(&effect.sentence()), ", ", &never].concat());
            }
            if !self.effects.allow.iter().any(|entry| self.is_covered(entry, &effect)) {
                let entry = effect.entry().map_or_else(String::new, |entry| [" (`", &entry, "` would)"].concat());
                return Some([&named(&effect.sentence()), ", which no entry of effects.allow covers", &entry].concat());
            }
        }
        None
    }

    /// For each effect of a part that no entry covers: the entries that would, the narrowest first; nothing if one of them is
    /// never allowed, or has a name for which there is no narrow entry.
    pub(crate) fn missing_entries(&self, part: usize, effects: &Effects<'_>) -> Option<Vec<Vec<String>>> {
        let of_part = || Effect::all(effects).filter(|effect| effect.part() == part);
        let mut missing = Vec::new();
        for effect in of_part().filter(|effect| !implied_by_another(effect, of_part())) {
            if self.never(&effect, effects.seen).is_some() {
                return None;
            }
            if self.effects.allow.iter().any(|entry| self.is_covered(entry, &effect)) {
                continue;
            }
            if effect.is_named_like_a_pattern() {
                return None;
            }
            let covers = |text: &String| Entry::parse(text).is_ok_and(|entry| self.is_covered(&entry, &effect));
            let entries: Vec<String> = effect.entry().into_iter().chain(effect.class()).filter(covers).collect();
            if entries.is_empty() {
                return None;
            }
            missing.push(entries);
        }
        Some(missing)
    }

    /// Why no entry allows an effect, whatever the pack says.
    fn never(&self, effect: &Effect<'_>, seen: bool) -> Option<String> {
        match effect {
            Effect::Environment(_) => Some("which effects never allow: it may hold secrets".to_owned()),
            Effect::Run(run) if NEVER_ALLOWED.contains(&run.kind) => Some(instead(run).to_owned()),
            Effect::Run(_) | Effect::Change(_) => None,
            Effect::Network(network) if network.host == "?" => Some("and effects never allow that".to_owned()),
            Effect::Network(_) => None,
            Effect::File(file) => self.never_file(file, seen),
        }
    }

    fn never_file(&self, file: &FileEffect<'_>, seen: bool) -> Option<String> {
        if file.place == Place::Unknown {
            return Some("and where that lies is not known".to_owned());
        }
        let meets = if seen { set::certainly_meets } else { set::may_meet };
        let changes = matches!(file.used, FileUse::Writes | FileUse::Deletes);
        if changes && RUN_BY_OTHERS.iter().any(|pattern| meets(file, pattern)) {
            return Some("where other programs or agents take what they run by themselves".to_owned());
        }
        if file.used == FileUse::Reads && meets(file, ENVIRONMENT_FILES) {
            return Some("which shows the environment of a process".to_owned());
        }
        let list = if changes { &self.write } else { &self.read };
        let is_open_set = (file.tree || file.pattern) && !seen && file.used != FileUse::Lists;
        let hit = is_open_set.then(|| list.positions().find(|at| set::may_meet(file, list.pattern(*at)))).flatten()?;
        Some(
            ["in which `", list.pattern(hit), "` may protect a file; whether it does is known only on the disk"]
                .concat(),
        )
    }
}

/// Why a part is not known.
fn doubt(part: usize, program: &str, effects: &Effects<'_>) -> String {
    let doubt = effects.doubts.iter().find(|doubt| doubt.part as usize == part);
    let sentence = doubt.map_or("what it does is not known", |doubt| doubt.sentence);
    if program.is_empty() { sentence.to_owned() } else { ["`", program, "`: ", sentence].concat() }
}

/// The strictest pattern that a set of files meets, in the sense that is asked for.
fn first_hit(list: &RuleList, file: &FileEffect<'_>, meets: fn(&FileEffect<'_>, &str) -> bool) -> Option<u32> {
    list.positions().find(|at| meets(file, list.pattern(*at)))
}

/// Effects that another one of the same part speaks for.
fn implied_by_another<'a>(effect: &Effect<'a>, mut of_part: impl Iterator<Item = Effect<'a>>) -> bool {
    match effect {
        Effect::Network(network) if network.host == OF_VCS => {
            of_part.any(|other| matches!(other, Effect::Change(change) if is_vcs(change)))
        }
        Effect::Change(change) if HOSTED.contains(&change.system) && change.reads_only => {
            of_part.any(|other| matches!(other, Effect::Network(_)))
        }
        _ => false,
    }
}

/// Why code of that kind is not allowed by effects, and what to do instead.
fn instead(run: &RunEffect<'_>) -> &'static str {
    match run.kind {
        "inline" => "which effects never allow: put it into a file of the repository, or use `jq` to look at JSON",
        "package" => "which effects never allow: install it in the project and run it from there",
        "install" => "which effects never allow: it brings code of others",
        "privilege" => "which effects never allow: it runs with other rights",
        "permission" => "which effects never allow: it opens files to others",
        _ => "which effects never allow",
    }
}
