//! The tests that stand in rows: calls of the program, and what they do.

use cavra_model::Effects;
use serde::Deserialize;
use serde_json::Value;

use crate::effects::Shown;
use crate::{Programs, Surroundings, split_command_in};

/// Fewest tests of a row: a plain call, one for a role, one that has to stay unknown.
const FEWEST: usize = 3;

/// The part of a row that is about its tests.
#[derive(Deserialize)]
struct Tested {
    program: Option<String>,
    #[serde(default)]
    programs: Vec<String>,
    #[serde(default)]
    tests: Vec<Case>,
}

/// A call, and what it does; `docs/commands.md` says what its members mean.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Case {
    args: String,
    only: Option<String>,
    known: bool,
    unknown: bool,
    lists: Vec<String>,
    reads: Vec<String>,
    writes: Vec<String>,
    deletes: Vec<String>,
    network: Option<Vec<String>>,
    runs: Option<Vec<String>>,
    changes: Option<Vec<String>>,
    environment: Option<Vec<String>>,
}

/// Runs the tests of a row, as it is written, and answers what is wrong with it; nothing if all pass.
#[must_use]
pub fn check_cases(row: &Value, programs: &Programs) -> Vec<String> {
    let tested = match Tested::deserialize(row) {
        Ok(tested) => tested,
        Err(error) => return vec![error.to_string()],
    };
    let Some(first) = tested.program.iter().chain(&tested.programs).next() else { return Vec::new() };
    let mut problems = Vec::new();
    if tested.tests.len() < FEWEST {
        problems.push(format!("`{first}` has fewer than {FEWEST} tests"));
    }
    if !first.is_empty() && !tested.tests.iter().any(|case| case.unknown || case.known) {
        problems.push(format!("no test of `{first}` says what is known and what is not"));
    }
    let surroundings = Surroundings { programs, ..Surroundings::unknown() };
    for case in &tested.tests {
        let command = format!("{} {}", case.only.as_ref().unwrap_or(first), case.args);
        if let Some(problem) = case.fault(&split_command_in(&command, &surroundings).effects) {
            problems.push(format!("`{command}`: {problem}"));
        }
    }
    problems
}

impl Case {
    /// In what the effects are others than those that are wanted.
    fn fault(&self, effects: &Effects) -> Option<String> {
        if self.known && !effects.is_known() {
            let doubts: Vec<String> =
                effects.doubts.iter().map(|doubt| format!("`{}`: {}", doubt.word, doubt.sentence)).collect();
            return Some(format!("is not known: {}", doubts.join("; ")));
        }
        if self.unknown && effects.is_known() {
            return Some("is known".to_owned());
        }
        let shown = Shown::of(effects);
        let compared = [
            ("lists", Some(&self.lists), &shown.lists),
            ("reads", Some(&self.reads), &shown.reads),
            ("writes", Some(&self.writes), &shown.writes),
            ("deletes", Some(&self.deletes), &shown.deletes),
            ("network", self.network.as_ref(), &shown.network),
            ("runs", self.runs.as_ref(), &shown.runs),
            ("changes", self.changes.as_ref(), &shown.changes),
            ("environment", self.environment.as_ref(), &shown.environment),
        ];
        compared.into_iter().find_map(|(name, wanted, found)| {
            // Of what is not known there may be more than the test says, never less.
            let missing = wanted?.iter().any(|text| !found.contains(text));
            let extra = !self.unknown && found.iter().any(|text| !wanted.is_some_and(|wanted| wanted.contains(text)));
            (missing || extra).then(|| format!("{name} [{}]", found.join(", ")))
        })
    }
}
