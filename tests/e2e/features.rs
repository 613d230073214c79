//! Whichever crate is built, the packages that take minutes to compile have the same features, so they are compiled once.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::support::repository;

/// Packages that take long to compile. What is below them counts, too: other features there compile these again.
const SLOW: [&str; 4] = ["wasmtime", "wasmtime-wizer", "rusqlite", "jsonschema"];

/// Selections that people make.
const SELECTIONS: [&[&str]; 5] = [
    &["-p", "cavra", "-e", "normal,build"],
    &["-p", "cavra-plugins", "-e", "normal,build,dev"],
    &["-p", "cavra-store", "-e", "normal,build,dev"],
    &["-p", "cavra-core", "-e", "normal,build,dev"],
    &["-p", "cavra-bench", "-e", "normal,build"],
];

/// The features of the slow packages and of all below them, for a selection. A package may be there twice, for the
/// machine that builds and for the one that is built for.
fn features(selection: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--prefix", "depth", "--no-dedupe", "--format", "|{p}|{f}"])
        .args(selection)
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut features: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut below = None;
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let mut cells = line.splitn(3, '|');
        let mut cell = || cells.next().unwrap_or_default();
        let (Ok(depth), package, list) = (cell().parse::<usize>(), cell(), cell()) else { continue };
        if below.is_some_and(|top| depth <= top) {
            below = None;
        }
        if below.is_none() && SLOW.contains(&package.split(' ').next().unwrap()) {
            below = Some(depth);
        }
        if below.is_some() {
            features.entry(package.to_owned()).or_default().insert(list.trim_end_matches(" (*)").to_owned());
        }
    }
    features
}

#[test]
fn every_selection_of_crates_has_the_same() {
    let all = features(&["-e", "normal,build,dev"]);
    assert!(all.len() > 80, "{} packages", all.len());
    let mut different = Vec::new();
    for selection in SELECTIONS {
        for (package, features) in features(selection) {
            let known = all.get(&package).unwrap_or_else(|| panic!("{package} is in no build of everything"));
            for other in features.difference(known) {
                different.push(format!("{}: {package} has `{other}`, in all crates {known:?}", selection[1]));
            }
        }
    }
    assert_eq!(different, Vec::<String>::new(), "host/workspace-hack/Cargo.toml lacks something");
}
