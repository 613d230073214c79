//! `cavra evaluate`. docs/reference/decisions-and-policy.md, sections 6 and 12.

use std::process::ExitCode;

use cavra_core::{DecisionRequest, check_id};
use cavra_model::{BreakGlass, Context, DecisionRecord, Outcome, Overlay, PolicyMode};
use serde_json::{Value, json};

use crate::args::{EvaluateArgs, IdentityArgs};
use crate::local::{Local, action_request, here};
use crate::output;

pub fn run(args: &EvaluateArgs) -> anyhow::Result<ExitCode> {
    let mode: PolicyMode = args.policy_mode.parse()?;
    let local = Local::from_env()?;
    let pack = local.pack(&args.pack)?;
    let mut request = DecisionRequest::new(action_request(args.action_type, &args.target, &args.action));
    request.context = context(&args.identity)?;
    request.approval_id.clone_from(&args.approval);
    request.at = here();
    let record = local.decide_unrecorded(request, &pack)?.record;
    let glass = BreakGlass { actor: args.break_glass_actor.clone(), reason: args.break_glass_reason.clone() };
    // A rollout applies where nobody asks for another mode.
    let governed = record.rollout.as_ref().filter(|_| mode == PolicyMode::Enforce);
    let overlay = governed.map_or_else(|| mode.overlay(record.decision, &glass), |rollout| rollout.overlay.clone());
    if args.json.json {
        output::print_json(&with_mode(&record, &overlay, &glass)?)?;
    } else if overlay.mode == PolicyMode::Enforce {
        output::print_line(&format!("{}: {}", record.decision, record.reason.as_deref().unwrap_or_default()))?;
    } else {
        output::print_line(&format!("{}: {}", overlay.effective_decision, overlay.mode_reason))?;
    }
    Ok(if args.exit_code { exit_code(overlay.effective_decision) } else { ExitCode::SUCCESS })
}

/// The decision at the top level, for commands that take a decision file, and the mode summary beside it.
fn with_mode(record: &DecisionRecord, overlay: &Overlay, glass: &BreakGlass) -> anyhow::Result<Value> {
    let mut answer = serde_json::to_value(record)?;
    let base = answer.clone();
    if let (Value::Object(answer), Value::Object(overlay)) = (&mut answer, serde_json::to_value(overlay)?) {
        answer.extend(overlay);
        answer.insert("base_decision".to_owned(), base);
        answer.insert("break_glass_actor".to_owned(), json!(glass.actor));
        let reason_present = glass.reason.as_deref().is_some_and(|reason| !reason.trim().is_empty());
        answer.insert("break_glass_reason_present".to_owned(), json!(reason_present));
    }
    Ok(answer)
}

fn exit_code(effective: Outcome) -> ExitCode {
    match effective {
        Outcome::Block => ExitCode::from(20),
        Outcome::RequireApproval => ExitCode::from(10),
        _ => ExitCode::SUCCESS,
    }
}

/// The context that the identity options give.
pub fn context(identity: &IdentityArgs) -> anyhow::Result<Context> {
    let mut context = Context::default();
    for (name, option, field) in [
        ("--session-id", &identity.session_id, &mut context.session_id),
        ("--agent-id", &identity.agent_id, &mut context.agent_id),
        ("--actor", &identity.actor, &mut context.actor),
        ("--repository", &identity.repository, &mut context.repository),
    ] {
        if let Some(value) = option.as_ref().filter(|value| !value.is_empty()) {
            check_id(name, value)?;
            field.clone_from(value);
        }
    }
    Ok(context)
}
