//! The seven actions of "before the agent acts", through the real engine. docs/reference/decisions-and-policy.md, sections 9 and 12.

use std::path::Path;
use std::process::ExitCode;

use cavra_core::before_the_agent_acts;
use cavra_evidence::{Bundle, Retention, Signing};
use cavra_model::{Context, Object, Timestamp, random_hex};
use serde_json::{Value, json};

use crate::args::{PackArg, ScenarioArgs};
use crate::local::Local;
use crate::output::{print_json, print_line};

/// Where the demonstration leaves its evidence unless told otherwise.
const DEMO_OUTPUT: &str = ".cavra/demo";

/// `policy simulate` and `policy dry-run`: evidence only where asked for.
pub fn simulate(args: &ScenarioArgs) -> anyhow::Result<ExitCode> {
    run(args, args.output.as_deref())
}

/// `demo before-the-agent-acts`: always leaves an evidence bundle.
pub fn demo(args: &ScenarioArgs) -> anyhow::Result<ExitCode> {
    run(args, Some(args.output.as_deref().unwrap_or(Path::new(DEMO_OUTPUT))))
}

fn run(args: &ScenarioArgs, output: Option<&Path>) -> anyhow::Result<ExitCode> {
    let session = format!("demo-{}", random_hex(6)?);
    let decisions = decide(&args.pack, &session)?;
    if let Some(directory) = output {
        write_bundle(directory, &session, &decisions)?;
    }
    report(args, output, &session, &decisions)?;
    Ok(ExitCode::SUCCESS)
}

/// Decides the seven actions in a session.
pub fn decide(pack: &PackArg, session: &str) -> anyhow::Result<Vec<Object>> {
    let local = Local::from_env()?;
    let pack = local.pack(pack)?;
    let mut decisions = Vec::new();
    for step in before_the_agent_acts("unknown-filesystem") {
        let context = Context { session_id: session.to_owned(), ..Context::default() };
        let record = local.wait(step.decide(local.decisions(), &pack, context))?;
        if let Value::Object(object) = serde_json::to_value(record)? {
            decisions.push(object);
        }
    }
    Ok(decisions)
}

/// Writes the evidence of `decisions`.
pub fn write_bundle(directory: &Path, session: &str, decisions: &[Object]) -> anyhow::Result<()> {
    let bundle = Bundle {
        session_id: session,
        signer: "cavra-cli",
        created_at: Timestamp::now(),
        decisions,
        retention: Retention::default(),
    };
    Ok(bundle.write(directory, &Signing::Checksum)?)
}

fn report(args: &ScenarioArgs, output: Option<&Path>, session: &str, decisions: &[Object]) -> anyhow::Result<()> {
    if args.json.json {
        return print_json(&json!({ "session_id": session, "evidence": output, "decisions": decisions }));
    }
    for decision in decisions {
        let text = |field: &str| decision.get(field).and_then(Value::as_str).unwrap_or_default();
        let action = format!("{} {}", text("action_type"), text("target"));
        print_line(&format!("{:<22} {action:<46} {}", text("decision"), text("reason")))?;
    }
    if let Some(directory) = output {
        print_line(&format!("evidence: {}", directory.display()))?;
    }
    Ok(())
}
