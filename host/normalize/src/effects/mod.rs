//! What a command line does: a stage behind the splitter that goes through what the walk left behind.
//!
//! [`compose`] follows the script and keeps what holds at each place ([`state`]), [`words`] makes arguments of words,
//! [`options`] sorts them as the row of the program says ([`table`]), [`roles`] turns them into effects on [`paths`],
//! [`programs`] looks through commands that run others, and the files below [`analysers`] read arguments that are a
//! language of their own. What is not described there is unknown.

mod analysers;
mod collect;
mod compose;
mod glob;
mod options;
mod paths;
mod programs;
mod roles;
mod shown;
mod sketch;
mod state;
mod table;
mod words;

use cavra_model::{CommandPart, Effects};

use crate::Surroundings;
use crate::command::tree::Node;

use collect::Collector;
pub use paths::from_home;
pub use programs::NOT_DESCRIBED;
pub use shown::Shown;
pub use sketch::{UnknownCall, sketch, unknown_calls};
use state::State;
pub use table::{Programs, RowFault, check_cases};

/// How often bodies of loops may be gone through in one text.
const MOST_ITERATIONS: usize = 64;

/// How deep commands may run commands.
const MOST_DEPTH: usize = 24;

/// Derives effects.
struct Engine<'a> {
    surroundings: &'a Surroundings<'a>,
    out: Collector,
    iterations: usize,
    depth: usize,
    /// Which files below a folder the search that is looked at reads.
    filter: Option<Filter>,
    /// Branches that are pushed because they are checked out.
    checked_out: Vec<String>,
    /// Calls of programs without a row, where somebody wants to know.
    unknown_calls: Option<Vec<UnknownCall>>,
}

impl<'a> Engine<'a> {
    fn of(text: &str, surroundings: &'a Surroundings<'a>) -> Self {
        Self {
            surroundings,
            out: Collector::of(text.len()),
            iterations: MOST_ITERATIONS,
            depth: 0,
            filter: None,
            checked_out: Vec::new(),
            unknown_calls: None,
        }
    }
}

/// What a text with these nodes does, and the branches that are pushed because they are checked out. `parts` are those of
/// the command line; `unresolved` says why nothing is certain.
pub(crate) fn derive(
    nodes: &[Node],
    text: &str,
    parts: &[CommandPart],
    unresolved: Option<&str>,
    surroundings: &Surroundings<'_>,
) -> (Effects, Vec<String>) {
    let mut engine = Engine::of(text, surroundings);
    let mut state = State::in_directory(paths::start(surroundings));
    engine.list(nodes, &mut state, &Input::default());
    let checked_out = std::mem::take(&mut engine.checked_out);
    (engine.out.finish(parts, unresolved, surroundings), checked_out)
}

/// Which files below a folder a search reads.
#[derive(Clone, Debug, Default)]
struct Filter {
    /// Globs of names, of which a file has to match one.
    include: Vec<String>,
    /// Globs of names that are left out.
    exclude: Vec<String>,
    /// Names that begin with a dot are left out.
    skips_hidden: bool,
}

impl Filter {
    /// The options of a search.
    fn of(program: &str, parsed: &options::Parsed<'_>) -> Self {
        let texts = |keys: &[&str]| -> Vec<String> {
            parsed.values_of(keys).map(|arg| arg.text.clone()).filter(|text| !text.is_empty()).collect()
        };
        let mut filter =
            Self { include: texts(&["--include"]), exclude: texts(&["--exclude", "--exclude-dir"]), ..Self::default() };
        if program == "rg" {
            let unrestricted = parsed.given.iter().filter(|key| **key == "u").count();
            filter.skips_hidden = !parsed.has(&["."]) && unrestricted < 2;
            for glob in texts(&["g", "--iglob"]) {
                match glob.strip_prefix('!') {
                    Some(glob) => filter.exclude.push(glob.to_owned()),
                    None => filter.include.push(glob),
                }
            }
        }
        filter
    }

    /// True if a file below a folder may be read.
    fn takes(&self, folder: &str, file: &str) -> bool {
        let below = file.strip_prefix(folder).unwrap_or(file).trim_start_matches('/');
        let hidden = || below.split('/').any(|segment| segment.starts_with('.'));
        let left_out = || below.split('/').any(|segment| self.exclude.iter().any(|glob| glob::matches(glob, segment)));
        let name = paths::base_name(file);
        let included = || {
            self.include.is_empty() || self.include.iter().any(|glob| glob.contains('/') || glob::matches(glob, name))
        };
        let is_skipped = (self.skips_hidden && hidden()) || left_out();
        !is_skipped && included()
    }
}

/// What a command gets from the one before.
#[derive(Clone, Debug, Default)]
struct Input {
    /// Names of files, one per line.
    names: Option<std::rc::Rc<Vec<words::Set>>>,
    /// Something comes through a pipe or from a redirection.
    given: bool,
}

/// True for a program that is described with subcommands. (What a command is split into does not depend on the policy.)
pub(crate) fn has_subcommands(program: &str) -> bool {
    table::built_in(program).is_some_and(|row| !row.subcommands.is_empty())
}

/// Positions of the words that are left if the options in front of subcommands are taken away; nothing if there are none,
/// or if the program has no subcommands. A guess for stricter rules: an option that is not described takes no value.
pub(crate) fn without_global_options(program: &str, words: &[Option<String>]) -> Option<Vec<usize>> {
    let mut row = table::built_in(program)?;
    let mut kept = vec![0];
    let mut at = 1;
    while !row.subcommands.is_empty() {
        let Some(word) = words.get(at)?.as_deref() else { break };
        if word.starts_with('-') && word.len() > 1 {
            at += 1 + row.values_behind(word);
        } else {
            kept.push(at);
            at += 1;
            match row.subcommand(word) {
                Some(inner) => row = inner,
                None => break,
            }
        }
    }
    let is_shorter = kept.len() < at;
    kept.extend(at..words.len());
    is_shorter.then_some(kept)
}
