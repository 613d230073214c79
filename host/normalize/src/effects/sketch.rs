//! A first row for a program that nobody has described, made of calls that were seen: the strictest one that explains them.
//!
//! It takes every operand for a file that is read and written and the program itself for code of the project, so a policy
//! that is content with that may let it run. What the program really does is for a person to say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Programs;
use super::shown::Shown;
use super::words::Arg;
use super::{Engine, Input, paths, state};
use crate::{Surroundings, split_command_in};

/// Most subcommands, and most options of each, of a sketched row.
const MOST_SUBCOMMANDS: usize = 16;
const MOST_OPTIONS: usize = 32;

/// Most tests that a sketched row takes from the calls.
const MOST_TESTS: usize = 4;

/// An option that no program has, for the test of what stays unknown.
const NO_OPTION: &str = "--not-described";

/// A call of a program that has no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCall {
    /// The program.
    pub program: String,
    /// Its arguments; nothing for one that is known only when the command runs.
    pub arguments: Vec<Option<String>>,
}

/// The calls of programs without a row in a command line.
#[must_use]
pub fn unknown_calls(text: &str, programs: &Programs) -> Vec<UnknownCall> {
    let Some(nodes) = crate::command::nodes_of(text) else { return Vec::new() };
    let surroundings = Surroundings { programs, ..Surroundings::unknown() };
    let mut engine = Engine::of(text, &surroundings);
    engine.unknown_calls = Some(Vec::new());
    let mut state = state::State::in_directory(paths::start(&surroundings));
    engine.list(&nodes, &mut state, &Input::default());
    engine.unknown_calls.unwrap_or_default()
}

impl UnknownCall {
    pub(super) fn of(program: &str, arguments: &[Arg]) -> Self {
        let arguments = arguments.iter().map(|arg| arg.literal().map(str::to_owned)).collect();
        Self { program: program.to_owned(), arguments }
    }
}

/// Calls of one subcommand, or of the program itself.
#[derive(Default)]
struct Usage {
    letters: BTreeSet<char>,
    long: BTreeSet<String>,
    joined: BTreeSet<String>,
    has_operands: bool,
}

/// A row that explains calls of one program, with tests; nothing if no row of a policy can.
#[must_use]
pub fn sketch(program: &str, calls: &[UnknownCall], programs: &Programs) -> Option<Value> {
    let calls: Vec<&[Option<String>]> = calls
        .iter()
        .filter(|call| call.program == program && call.arguments.iter().flatten().all(|text| !is_address(text)))
        .map(|call| call.arguments.as_slice())
        .collect();
    let first = calls.first()?;
    let has_subcommands = first.first().is_some_and(|arg| arg.as_deref().is_some_and(is_word));
    let mut usages: BTreeMap<&str, Usage> = BTreeMap::new();
    let mut explained = Vec::new();
    for arguments in &calls {
        let (name, rest) = match arguments.split_first() {
            Some((Some(name), rest)) if has_subcommands && is_word(name) => (name.as_str(), rest),
            _ if has_subcommands => continue,
            _ => ("", *arguments),
        };
        let is_new = !usages.contains_key(name);
        if (!is_new || usages.len() < MOST_SUBCOMMANDS) && usages.entry(name).or_default().add(rest) {
            explained.push(*arguments);
        }
    }
    let run = if has_subcommands { "run project_script {program} {sub}" } else { "run project_script {program}" };
    let mut row = Map::new();
    row.insert("program".to_owned(), json!(program));
    if has_subcommands {
        let rows: Map<String, Value> =
            usages.iter().map(|(name, usage)| ((*name).to_owned(), usage.row(run))).collect();
        row.insert("subcommands".to_owned(), Value::Object(rows));
    } else if let Value::Object(members) = usages.get("")?.row(run) {
        row.extend(members);
    }
    let tests = tests(program, &explained, &row, programs)?;
    row.insert("tests".to_owned(), tests);
    Some(Value::Object(row))
}

impl Usage {
    /// Takes in the arguments of a call; false if they cannot be explained.
    fn add(&mut self, arguments: &[Option<String>]) -> bool {
        let mut ended = false;
        for argument in arguments {
            let Some(text) = argument.as_deref() else {
                self.has_operands = true;
                continue;
            };
            let full = self.letters.len() + self.long.len() + self.joined.len() >= MOST_OPTIONS;
            match text.strip_prefix('-') {
                _ if ended => self.has_operands = true,
                None | Some("") => self.has_operands = true,
                Some("-") => ended = true,
                Some(_) if full => return false,
                Some(long) if long.starts_with('-') => match text.split_once('=') {
                    Some((name, _)) => drop(self.joined.insert(name.to_owned())),
                    None => drop(self.long.insert(text.to_owned())),
                },
                Some(letters) if letters.chars().all(|letter| letter.is_ascii_alphanumeric()) => {
                    self.letters.extend(letters.chars());
                }
                Some(_) => return false,
            }
        }
        true
    }

    fn row(&self, run: &str) -> Value {
        let letters: String = self.letters.iter().collect();
        let long = self.long.iter().filter(|name| !self.joined.contains(*name)).cloned();
        let flags: Vec<String> = std::iter::once(letters).filter(|letters| !letters.is_empty()).chain(long).collect();
        let joined: Map<String, Value> = self.joined.iter().map(|name| (name.clone(), json!("=edits"))).collect();
        let mut row = Map::new();
        if !flags.is_empty() {
            row.insert("flags".to_owned(), json!(flags.join(" ")));
        }
        if !joined.is_empty() {
            row.insert("options".to_owned(), Value::Object(joined));
        }
        if self.has_operands {
            row.insert("operands".to_owned(), json!(["edits*"]));
        }
        row.insert("does".to_owned(), json!([run]));
        Value::Object(row)
    }
}

/// Tests of a row: calls that were seen with what the row makes of them, and an option that nobody has seen.
fn tests(program: &str, calls: &[&[Option<String>]], row: &Map<String, Value>, programs: &Programs) -> Option<Value> {
    let alone = Programs::with(&json!([row])).ok()?;
    // The name must be free in the whole table, which `with` has said of the built-in rows.
    if programs.is_added(program) {
        return None;
    }
    let surroundings = Surroundings { programs: &alone, ..Surroundings::unknown() };
    let mut tests = Vec::new();
    let mut seen = BTreeSet::new();
    for call in calls {
        let Some(words) = call.iter().map(|word| word.as_deref().map(quoted)).collect::<Option<Vec<_>>>() else {
            continue;
        };
        let args = words.join(" ");
        let effects = split_command_in(&format!("{program} {args}"), &surroundings).effects;
        if effects.is_known() && seen.insert(args.clone()) && tests.len() < MOST_TESTS {
            let shown = Shown::of(&effects);
            tests.push(json!({"args": args, "reads": shown.reads, "writes": shown.writes, "known": true}));
        }
    }
    tests.push(json!({"args": NO_OPTION, "unknown": true}));
    // A row has three tests: where fewer calls were seen, others that nothing explains.
    for other in [format!("{NO_OPTION} a"), format!("{NO_OPTION}=a")] {
        if tests.len() < 3 {
            tests.push(json!({"args": other, "unknown": true}));
        }
    }
    seen.first().is_some().then_some(Value::Array(tests))
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The name of a subcommand.
fn is_word(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
}

/// A text that may name a host, a user or a file with further arguments: no row explains it without a person.
fn is_address(text: &str) -> bool {
    text.contains("://") || text.contains('@')
}
