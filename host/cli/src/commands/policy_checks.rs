//! `cavra policy test`: five promises every pack has to keep, the tests of its rows of programs, and the cases beside it.

use std::process::ExitCode;

use cavra_model::{ActionType, DecisionRecord, Outcome};
use cavra_normalize::{ActionRequest, check_cases};
use cavra_packs::{CASES_FILE, Case, ResolvedPack};
use serde_json::{Value, json};

use crate::args::{ActionArgs, Json, PackArg};
use crate::local::{Local, action_request};
use crate::output::{print_json, print_line};

/// Name, kind of action, target, decision.
static PROMISES: [(&str, ActionType, &str, Outcome); 5] = [
    ("reading .env is blocked", ActionType::ReadFile, ".env", Outcome::Block),
    ("terraform plan is allowed", ActionType::ExecuteCommand, "terraform plan", Outcome::Allow),
    (
        "terraform apply -auto-approve is blocked",
        ActionType::ExecuteCommand,
        "terraform apply -auto-approve",
        Outcome::Block,
    ),
    ("pushing to main is blocked", ActionType::GitOperation, "origin/main", Outcome::Block),
    ("an unknown MCP filesystem server is blocked", ActionType::McpToolCall, "unknown-filesystem", Outcome::Block),
];

/// An action, and what has to be decided about it.
struct Check {
    suite: &'static str,
    name: String,
    action: ActionRequest,
    expected: Outcome,
    rule_id: Option<String>,
}

impl Check {
    fn promises() -> impl Iterator<Item = Self> {
        PROMISES.iter().map(|(name, action_type, target, expected)| Self {
            suite: "promises",
            name: (*name).to_owned(),
            action: action_request(*action_type, target, &ActionArgs::default()),
            expected: *expected,
            rule_id: None,
        })
    }

    fn of(case: Case) -> Self {
        let action = ActionRequest {
            target: case.target,
            operation: case.operation,
            server: case.server,
            tool: case.tool,
            capability: case.capability,
            ..ActionRequest::of(case.action_type)
        };
        Self { suite: CASES_FILE, name: case.name, action, expected: case.expect, rule_id: case.rule_id }
    }

    fn run(self, local: &Local, pack: &ResolvedPack) -> Done {
        let decided = local.decide_action(self.action, pack);
        let passed = decided.as_ref().is_ok_and(|decided| {
            decided.decision == self.expected && self.rule_id.is_none_or(|rule_id| decided.rule_id == rule_id)
        });
        let found = Found::Decision { expected: self.expected, decided: decided.map(Box::new) };
        Done { suite: self.suite, name: self.name, passed, found }
    }
}

/// A check and what came out.
struct Done {
    suite: &'static str,
    name: String,
    passed: bool,
    found: Found,
}

/// What a check looked at.
enum Found {
    Decision { expected: Outcome, decided: anyhow::Result<Box<DecisionRecord>> },
    Row { problems: Vec<String> },
}

impl Done {
    /// The tests in the rows of `effects.programs`.
    fn rows(pack: &ResolvedPack) -> impl Iterator<Item = Self> {
        let rows = pack.document.pointer("/effects/programs").and_then(Value::as_array).into_iter().flatten();
        rows.map(|row| {
            let problems = check_cases(row, &pack.programs);
            let name = row.get("program").or_else(|| row.pointer("/programs/0")).and_then(Value::as_str);
            Self {
                suite: "effects.programs",
                name: format!("`{}` does what its row says", name.unwrap_or_default()),
                passed: problems.is_empty(),
                found: Found::Row { problems },
            }
        })
    }

    fn row(&self) -> Value {
        let (expected, decided, problems) = match &self.found {
            Found::Decision { expected, decided } => (Some(expected), Some(decided.as_ref()), None),
            Found::Row { problems } => (None, None, Some(problems)),
        };
        let record = decided.and_then(Result::ok);
        json!({
            "suite": self.suite,
            "name": self.name,
            "passed": self.passed,
            "expected": expected,
            "decision": record.map(|decided| decided.decision),
            "rule_id": record.map(|decided| decided.rule_id.as_str()),
            "error": decided.and_then(Result::err).map(ToString::to_string),
            "problems": problems,
        })
    }

    fn line(&self) -> String {
        match &self.found {
            _ if self.passed => format!("PASS {}", self.name),
            Found::Decision { decided: Ok(decided), .. } => {
                format!("FAIL {}: {} by {}", self.name, decided.decision, decided.rule_id)
            }
            Found::Decision { decided: Err(error), .. } => format!("FAIL {}: {error}", self.name),
            Found::Row { problems } => format!("FAIL {}: {}", self.name, problems.join("; ")),
        }
    }
}

pub fn run(pack: &PackArg, format: Json) -> anyhow::Result<ExitCode> {
    let local = Local::from_env()?;
    let cases = local.cases(pack)?;
    let pack = local.pack(pack)?;
    let checks = Check::promises().chain(cases.into_iter().map(Check::of)).map(|check| check.run(&local, &pack));
    tell(&pack, &Done::rows(&pack).chain(checks).collect::<Vec<_>>(), format)
}

/// Runs the cases of a pack and prints what came out.
pub fn run_cases(local: &Local, pack: &ResolvedPack, cases: Vec<Case>, format: Json) -> anyhow::Result<ExitCode> {
    tell(pack, &cases.into_iter().map(|case| Check::of(case).run(local, pack)).collect::<Vec<_>>(), format)
}

fn tell(pack: &ResolvedPack, done: &[Done], format: Json) -> anyhow::Result<ExitCode> {
    let passed = done.iter().all(|done| done.passed);
    if format.json {
        let rows: Vec<_> = done.iter().map(Done::row).collect();
        print_json(&json!({ "policy_pack": pack.name, "passed": passed, "results": rows }))?;
    } else {
        for done in done {
            print_line(&done.line())?;
        }
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
