//! `cavra policy test`: five promises every pack has to keep. Contract 10, section 12.

use std::process::ExitCode;

use cavra_model::{ActionType, Outcome};
use serde_json::json;

use crate::args::{ActionArgs, Json, PackArg};
use crate::local::{Local, action_request};
use crate::output::{print_json, print_line};

struct Promise {
    name: &'static str,
    action_type: ActionType,
    target: &'static str,
    expected: Outcome,
}

static PROMISES: [Promise; 5] = [
    Promise {
        name: "reading .env is blocked",
        action_type: ActionType::ReadFile,
        target: ".env",
        expected: Outcome::Block,
    },
    Promise {
        name: "terraform plan is allowed",
        action_type: ActionType::ExecuteCommand,
        target: "terraform plan",
        expected: Outcome::Allow,
    },
    Promise {
        name: "terraform apply -auto-approve is blocked",
        action_type: ActionType::ExecuteCommand,
        target: "terraform apply -auto-approve",
        expected: Outcome::Block,
    },
    Promise {
        name: "pushing to main is blocked",
        action_type: ActionType::GitOperation,
        target: "origin/main",
        expected: Outcome::Block,
    },
    Promise {
        name: "an unknown MCP filesystem server is blocked",
        action_type: ActionType::McpToolCall,
        target: "unknown-filesystem",
        expected: Outcome::Block,
    },
];

pub fn run(pack: &PackArg, format: Json) -> anyhow::Result<ExitCode> {
    let local = Local::from_env()?;
    let pack = local.pack(pack)?;
    let mut results = Vec::new();
    for promise in &PROMISES {
        let action = action_request(promise.action_type, promise.target, &ActionArgs::default());
        let decided = local.decide_action(action, &pack)?;
        results.push((promise, decided));
    }
    let kept = results.iter().all(|(promise, decided)| decided.decision == promise.expected);
    if format.json {
        let rows: Vec<_> = results
            .iter()
            .map(|(promise, decided)| {
                json!({
                    "name": promise.name, "passed": decided.decision == promise.expected,
                    "expected": promise.expected, "decision": decided.decision, "rule_id": decided.rule_id,
                })
            })
            .collect();
        print_json(&json!({ "policy_pack": pack.name, "passed": kept, "results": rows }))?;
    } else {
        for (promise, decided) in &results {
            let line = if decided.decision == promise.expected {
                format!("PASS {}", promise.name)
            } else {
                format!("FAIL {}: {} by {}", promise.name, decided.decision, decided.rule_id)
            };
            print_line(&line)?;
        }
    }
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
