//! `cavra plugin test` and `bench`: a package run by this host, with its limits, before anybody vouches for it.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use cavra_core::supplied_pack;
use cavra_model::ActionType;
use cavra_packs::parse_cases;
use cavra_trust::TESTS;
use serde_json::json;

use super::package;
use crate::args::{ActionArgs, BenchPluginArgs, PluginArgs};
use crate::commands::policy_checks;
use crate::local::{Local, action_request};
use crate::output::{print_json, print_line};

pub fn test(args: &PluginArgs) -> anyhow::Result<ExitCode> {
    let local = Local::from_env()?;
    let package = package(&args.source)?;
    let pack = local.wait(supplied_pack(local.decisions(), &package))?;
    let cases = package.file(TESTS).ok_or_else(|| anyhow!("there is no {TESTS} in the package; nothing was tested"))?;
    let cases = parse_cases(cases).map_err(|errors| anyhow!("{TESTS}: {}", errors.join("; ")))?;
    ensure!(!cases.is_empty(), "{TESTS} has no cases; nothing was tested");
    policy_checks::run_cases(&local, &pack, cases, args.json)
}

/// What is asked again and again.
const ASKED: [(ActionType, &str); 3] = [
    (ActionType::ReadFile, "src/main.rs"),
    (ActionType::WriteFile, "README.md"),
    (ActionType::ExecuteCommand, "cargo test --workspace && git push origin main"),
];

pub fn bench(args: &BenchPluginArgs) -> anyhow::Result<ExitCode> {
    let local = Local::from_env()?;
    let package = package(&args.source)?;
    let began = Instant::now();
    let pack = local.wait(supplied_pack(local.decisions(), &package))?;
    let load = began.elapsed();
    let mut took = Vec::new();
    for ((action_type, target), _) in ASKED.iter().cycle().zip(0..args.calls) {
        let action = action_request(*action_type, target, &ActionArgs::default());
        let began = Instant::now();
        local.decide_action(action, &pack)?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    let at = |percent: usize| took.get((took.len() * percent / 100).min(took.len() - 1)).copied().unwrap_or_default();
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let (p50, p99) = (micros(at(50)), micros(at(99)));
    if args.json.json {
        print_json(&json!({
            "calls": took.len(), "load_us": micros(load), "decision_p50_us": p50, "decision_p99_us": p99,
        }))?;
    } else {
        print_line(&format!("loaded in {} us (compiled, or from the cache)", micros(load)))?;
        print_line(&format!("{} decisions, from the request to the record: p50 {p50} us, p99 {p99} us", took.len()))?;
    }
    Ok(ExitCode::SUCCESS)
}
