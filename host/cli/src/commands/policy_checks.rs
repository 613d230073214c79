//! `cavra policy test`: five promises every pack has to keep, and the cases beside the pack.

use std::process::ExitCode;

use cavra_model::{ActionType, DecisionRecord, Outcome};
use cavra_normalize::ActionRequest;
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
        Done { suite: self.suite, name: self.name, expected: self.expected, decided, passed }
    }
}

/// A check and what came out.
struct Done {
    suite: &'static str,
    name: String,
    expected: Outcome,
    decided: anyhow::Result<DecisionRecord>,
    passed: bool,
}

impl Done {
    fn row(&self) -> Value {
        let decided = self.decided.as_ref();
        json!({
            "suite": self.suite,
            "name": self.name,
            "passed": self.passed,
            "expected": self.expected,
            "decision": decided.map(|decided| decided.decision).ok(),
            "rule_id": decided.map(|decided| decided.rule_id.as_str()).ok(),
            "error": decided.err().map(ToString::to_string),
        })
    }

    fn line(&self) -> String {
        match &self.decided {
            _ if self.passed => format!("PASS {}", self.name),
            Ok(decided) => format!("FAIL {}: {} by {}", self.name, decided.decision, decided.rule_id),
            Err(error) => format!("FAIL {}: {error}", self.name),
        }
    }
}

pub fn run(pack: &PackArg, format: Json) -> anyhow::Result<ExitCode> {
    let local = Local::from_env()?;
    let cases = local.cases(pack)?;
    let pack = local.pack(pack)?;
    tell(&local, &pack, Check::promises().chain(cases.into_iter().map(Check::of)), format)
}

/// Runs the cases of a pack and prints what came out.
pub fn run_cases(local: &Local, pack: &ResolvedPack, cases: Vec<Case>, format: Json) -> anyhow::Result<ExitCode> {
    tell(local, pack, cases.into_iter().map(Check::of), format)
}

fn tell(
    local: &Local,
    pack: &ResolvedPack,
    checks: impl Iterator<Item = Check>,
    format: Json,
) -> anyhow::Result<ExitCode> {
    let done: Vec<Done> = checks.map(|check| check.run(local, pack)).collect();
    let passed = done.iter().all(|done| done.passed);
    if format.json {
        let rows: Vec<_> = done.iter().map(Done::row).collect();
        print_json(&json!({ "policy_pack": pack.name, "passed": passed, "results": rows }))?;
    } else {
        for done in &done {
            print_line(&done.line())?;
        }
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
