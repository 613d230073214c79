//! Entries of the `effects` lists: `KIND [VERB] PATTERN`, such as `read repository`, `run project_test *` or
//! `network github.com read`.

use crate::action::{ChangeEffect, EnvironmentEffect, FileEffect, FileUse, NetworkEffect, Part, Place, RunEffect};
use crate::matcher::matches;
use crate::paths;

use super::set;

/// One entry.
#[derive(Debug)]
pub(crate) struct Entry {
    /// As written, with single blanks.
    pub(crate) text: String,
    about: About,
}

#[derive(Debug)]
enum About {
    File { used: FileUse, place: Option<Place>, pattern: String },
    Network { host: String, verb: Option<Verb> },
    Run { kind: String, words: String },
    Change { system: System, operation: String, target: Option<String> },
    Environment { name: String },
    Unknown { command: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Read,
    Write,
}

/// What a push, a deletion or a renaming is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Branch {
    /// A branch that is named and takes direct pushes.
    Open,
    /// One that takes none.
    Protected,
    /// Nobody can tell.
    Unknown,
}

/// Which systems an entry is about.
#[derive(Debug)]
enum System {
    /// Version control.
    Vcs,
    Named(String),
}

/// The kinds of entries, and what follows each: for the sentence about an entry that is none.
const FORMS: [(&str, &str); 12] = [
    ("list", "a place or a path pattern"),
    ("read", "a place or a path pattern"),
    ("write", "a place or a path pattern"),
    ("delete", "a place or a path pattern"),
    ("network", "a host, and `read` or `write` if only that"),
    ("run", "a kind of code and a pattern of its words"),
    ("vcs", "an operation or one of `read`, `change`, `fetch`, `push`"),
    ("infra", "a system, and an operation or one of `read`, `change`"),
    ("process", "an operation or one of `read`, `change`"),
    ("permission", "a mode"),
    ("environment", "the name of a variable"),
    ("unknown", "a command pattern; it may not be allowed"),
];

/// Names of the systems of version control.
const VCS: [&str; 4] = ["git", "hg", "jj", "svn"];

/// Operations of version control that bring what others have done.
const FETCHES: [&str; 2] = ["fetch", "pull"];

/// Operations of version control that change this repository and can be undone.
const UNDOABLE: [&str; 29] = [
    "add",
    "amend",
    "branch",
    "branch_create",
    "checkout",
    "cherry_pick",
    "commit",
    "format_patch",
    "index",
    "init",
    "merge",
    "mv",
    "notes",
    "reset",
    "restore_staged",
    "revert",
    "rm",
    "stage",
    "stash",
    "stash_apply",
    "stash_branch",
    "stash_create",
    "stash_pop",
    "stash_push",
    "stash_store",
    "switch",
    "tag",
    "tag_create",
    "worktree_add",
];

impl Entry {
    /// Reads an entry.
    ///
    /// # Errors
    /// What is wrong with it, for its author.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let Some((kind, rest)) = words.split_first() else { return Err("must not be blank".to_owned()) };
        let about = match (*kind, rest) {
            ("list", [_, ..]) => file(FileUse::Lists, rest),
            ("read", [_, ..]) => file(FileUse::Reads, rest),
            ("write", [_, ..]) => file(FileUse::Writes, rest),
            ("delete", [_, ..]) => file(FileUse::Deletes, rest),
            ("network", [host]) => network(host, None),
            ("network", [host, "read"]) => network(host, Some(Verb::Read)),
            ("network", [host, "write"]) => network(host, Some(Verb::Write)),
            ("run", [kind, _, ..]) => run(kind, rest),
            ("permission", [mode]) => About::Run { kind: "permission".to_owned(), words: (*mode).to_owned() },
            ("vcs", [operation]) => change(System::Vcs, operation, None),
            ("vcs", [operation, target]) => change(System::Vcs, operation, Some((*target).to_owned())),
            ("process", [operation]) => change(System::Named("process".to_owned()), operation, None),
            ("infra", [system, operation @ ..]) if !operation.is_empty() => {
                change(System::Named((*system).to_owned()), &operation.join(" "), None)
            }
            ("unknown", [_, ..]) => About::Unknown { command: rest.join(" ") },
            ("environment", [name]) => About::Environment { name: (*name).to_owned() },
            (kind, _) => return Err(wrong(kind)),
        };
        Ok(Self { text: words.join(" "), about })
    }

    /// Nothing can allow what the entry is about.
    pub(crate) fn is_never_allowed(&self) -> bool {
        matches!(self.about, About::Unknown { .. })
    }

    /// Whether the entry is about files.
    pub(crate) fn is_about_files(&self) -> bool {
        matches!(self.about, About::File { .. })
    }

    /// Whether the entry is about a command that is called in a way nobody has described.
    pub(crate) fn meets_unknown(&self, part: &Part<'_>) -> bool {
        let About::Unknown { command } = &self.about else { return false };
        part.spellings.iter().any(|spelling| matches(command, spelling.text))
    }

    /// Whether the entry covers all of a file effect: every file that may lie in it. `read` includes `list`.
    pub(crate) fn covers_file(&self, effect: &FileEffect<'_>) -> bool {
        let About::File { used, place, pattern } = &self.about else { return false };
        if *used != effect.used && !(*used == FileUse::Reads && effect.used == FileUse::Lists) {
            return false;
        }
        match place {
            Some(place) => *place == effect.place,
            None => set::is_within(effect, pattern),
        }
    }

    /// Whether the entry is about a file that may lie in a file effect.
    pub(crate) fn meets_file(&self, effect: &FileEffect<'_>) -> bool {
        let About::File { used, place, pattern } = &self.about else { return false };
        let same_use = *used == effect.used || (*used == FileUse::Lists && effect.used == FileUse::Reads);
        same_use && place.map_or_else(|| set::certainly_meets(effect, pattern), |place| place == effect.place)
    }

    /// Whether the entry is about a host, and in stricter lists about part of what is done there.
    pub(crate) fn covers_network(&self, effect: &NetworkEffect<'_>) -> bool {
        let About::Network { host, verb } = &self.about else { return false };
        let said = match verb {
            None => true,
            Some(Verb::Read) => !effect.writes && !effect.carries,
            Some(Verb::Write) => effect.writes,
        };
        said && names_host(host, effect)
    }

    /// Whether the entry is about code that is run.
    pub(crate) fn covers_run(&self, effect: &RunEffect<'_>) -> bool {
        let About::Run { kind, words } = &self.about else { return false };
        matches(kind, effect.kind) && matches(words, &effect.words.join(" "))
    }

    /// Whether the entry is about a reading or change of a system; if that is a push, `branch` says to what.
    pub(crate) fn covers_change(&self, effect: &ChangeEffect<'_>, branch: Branch) -> bool {
        let About::Change { system, operation, target } = &self.about else { return false };
        let is_system = match system {
            System::Vcs => is_vcs(effect),
            System::Named(name) => matches(name, effect.system),
        };
        is_system
            && target.as_ref().is_none_or(|target| matches(target, effect.target))
            && (is_of_class(operation, effect, branch) || names_operation(operation, effect))
    }

    /// Whether the entry is about a variable that is shown.
    pub(crate) fn covers_environment(&self, effect: &EnvironmentEffect<'_>) -> bool {
        let About::Environment { name } = &self.about else { return false };
        effect.name == "*" || matches(name, effect.name)
    }
}

/// A system of version control.
pub(crate) fn is_vcs(effect: &ChangeEffect<'_>) -> bool {
    VCS.contains(&effect.system)
}

/// The name of an operation as entries write it.
pub(crate) fn operation_name(operation: &str) -> String {
    operation.replace([' ', '-'], "_")
}

fn file(used: FileUse, words: &[&str]) -> About {
    let pattern = words.join(" ");
    let place = Place::named(&pattern);
    About::File { used, place, pattern }
}

fn network(host: &str, verb: Option<Verb>) -> About {
    About::Network { host: host.to_owned(), verb }
}

fn run(kind: &str, rest: &[&str]) -> About {
    About::Run { kind: kind.to_owned(), words: rest.get(1..).unwrap_or_default().join(" ") }
}

fn change(system: System, operation: &str, target: Option<String>) -> About {
    About::Change { system, operation: operation.to_owned(), target }
}

fn wrong(kind: &str) -> String {
    match FORMS.iter().find(|(known, _)| *known == kind) {
        Some((kind, follows)) => ["must be `", kind, "` and then ", follows].concat(),
        None => {
            let kinds: Vec<&str> = FORMS.iter().map(|(kind, _)| *kind).collect();
            ["must begin with one of ", &kinds.join(", ")].concat()
        }
    }
}

/// `localhost` is every name of the loopback address; a pattern with a port is about that port alone. A host that is
/// computed has no name.
fn names_host(pattern: &str, effect: &NetworkEffect<'_>) -> bool {
    if effect.host.is_empty() || effect.host == "?" {
        return false;
    }
    let host = if paths::is_loopback(effect.host) { "localhost" } else { effect.host };
    let host = host.to_ascii_lowercase();
    let with_port = effect.port.map(|port| [&host, ":", &port.to_string()].concat());
    matches(pattern, &host) || with_port.is_some_and(|host| matches(pattern, &host))
}

/// The words that stand for several operations.
fn is_of_class(word: &str, effect: &ChangeEffect<'_>, branch: Branch) -> bool {
    let operation = operation_name(effect.operation);
    let vcs = is_vcs(effect);
    match word {
        "read" => effect.reads_only,
        "change" if vcs => !effect.loses_work && UNDOABLE.contains(&operation.as_str()),
        "change" => !effect.reads_only && !effect.loses_work,
        // A fetch that names a target fetches from elsewhere, or what others propose.
        "fetch" if vcs => FETCHES.contains(&operation.as_str()) && effect.target.is_empty(),
        "push" if vcs => operation == "push" && !effect.loses_work && branch == Branch::Open,
        "push_protected" if vcs => branch == Branch::Protected,
        "lose" => effect.loses_work,
        _ => false,
    }
}

/// `apply` is about `apply`, and in a system with subcommands about what follows as well: `compose up` of `compose`.
/// The words for several operations are no operations here.
fn names_operation(pattern: &str, effect: &ChangeEffect<'_>) -> bool {
    if matches!(pattern, "read" | "change" | "fetch" | "push" | "push_protected" | "lose") {
        return false;
    }
    let first = effect.operation.split(' ').next().unwrap_or_default();
    matches(pattern, effect.operation)
        || matches(pattern, &operation_name(effect.operation))
        || (!is_vcs(effect) && matches(pattern, first))
}
