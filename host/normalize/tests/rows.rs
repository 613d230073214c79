//! Every row of `commands/` is run through its own tests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test says what is wrong by failing")]

mod shown;

use std::fs;

use cavra_model::Effects;
use cavra_normalize::split_command;
use serde::Deserialize;
use serde_norway::Value;

use shown::Shown;

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

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Case {
    args: String,
    only: Option<String>,
    known: bool,
    unknown: bool,
    lists: Option<Vec<String>>,
    reads: Option<Vec<String>>,
    writes: Option<Vec<String>>,
    deletes: Option<Vec<String>>,
    network: Option<Vec<String>>,
    runs: Option<Vec<String>>,
    changes: Option<Vec<String>>,
    environment: Option<Vec<String>>,
}

fn rows() -> Vec<Row> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/commands");
    let mut rows = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        rows.extend(serde_norway::from_str::<Vec<Row>>(&text).unwrap());
    }
    rows
}

fn check(case: &Case, effects: &Effects) -> Result<(), String> {
    let shown = Shown::of(effects);
    if case.known && !effects.is_known() {
        return Err(format!("not known: {:?}", effects.doubts));
    }
    if case.unknown && effects.is_known() {
        return Err("known".to_owned());
    }
    let files = [
        ("lists", &case.lists, &shown.lists),
        ("reads", &case.reads, &shown.reads),
        ("writes", &case.writes, &shown.writes),
        ("deletes", &case.deletes, &shown.deletes),
    ];
    for (name, wanted, found) in files {
        let wanted = wanted.clone().unwrap_or_default();
        let missing = wanted.iter().any(|path| !found.contains(path));
        let extra = !case.unknown && found.iter().any(|path| !wanted.contains(path));
        if missing || extra {
            return Err(format!("{name}: {found:?}"));
        }
    }
    let others = [
        ("network", &case.network, &shown.network),
        ("runs", &case.runs, &shown.runs),
        ("changes", &case.changes, &shown.changes),
        ("environment", &case.environment, &shown.environment),
    ];
    for (name, wanted, found) in others {
        let Some(wanted) = wanted else { continue };
        let missing = wanted.iter().any(|text| !found.contains(text));
        if missing || (!case.unknown && wanted.len() != found.len()) {
            return Err(format!("{name}: {found:?}"));
        }
    }
    Ok(())
}

#[test]
fn every_row_does_what_its_tests_say() {
    let mut failures = Vec::new();
    for row in rows() {
        let first = row.program.iter().chain(&row.programs).next().unwrap();
        if row.tests.len() < 3 {
            failures.push(format!("{first}: fewer than three tests"));
        }
        if !row.tests.iter().any(|case| case.unknown) && !first.is_empty() && !row.tests.iter().any(|case| case.known) {
            failures.push(format!("{first}: no test says what is known and what is not"));
        }
        for case in &row.tests {
            let program = case.only.as_ref().unwrap_or(first);
            let command = format!("{program} {}", case.args);
            if let Err(problem) = check(case, &split_command(&command).effects) {
                failures.push(format!("`{command}`: {problem}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} tests of rows fail:\n{}", failures.len(), failures.join("\n"));
}
