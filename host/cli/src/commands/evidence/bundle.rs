//! `cavra evidence bundle`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use cavra_core::check_id;
use cavra_evidence::{Bundle, MAX_BUNDLE_FILE_BYTES, Retention};
use cavra_model::{Object, Timestamp};
use serde_json::{Value, json};

use super::keys;
use crate::args::BundleArgs;
use crate::commands::scenario;
use crate::input::{decision_in, json_file};
use crate::output::{print_json, print_line};

/// Session of decisions that name none or several.
const DEFAULT_SESSION: &str = "demo-session";

pub fn write(args: &BundleArgs) -> anyhow::Result<ExitCode> {
    let signing = keys::signing(args.key.as_deref(), args.private_key.as_deref(), args.key_id.as_deref())?;
    let retention = Retention::new(args.retention_days, args.classification.as_str(), args.legal_hold)?;
    if let Some(session) = &args.session_id {
        check_id("session id", session)?;
        ensure!(!session.is_empty(), "the session id is empty");
    }
    let (decisions, session) = match &args.decisions {
        Some(file) => {
            let decisions = read_decisions(file)?;
            let session = args.session_id.clone().unwrap_or_else(|| common_session(&decisions));
            (decisions, session)
        }
        None => {
            let session = args.session_id.clone().unwrap_or_else(|| DEFAULT_SESSION.to_owned());
            (scenario::decide(&args.pack, &session)?, session)
        }
    };
    let bundle = Bundle {
        session_id: &session,
        signer: &args.signer,
        created_at: Timestamp::now(),
        decisions: &decisions,
        retention,
    };
    bundle.write(&args.output, &signing)?;
    let output = args.output.display().to_string();
    if args.json.json {
        print_json(&json!({
            "bundle": output, "session_id": session, "decision_count": decisions.len(),
            "algorithm": signing.algorithm(),
        }))?;
    } else {
        print_line(&output)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The decisions in a file: one, a list, or an object that holds a list.
fn read_decisions(file: &Path) -> anyhow::Result<Vec<Object>> {
    let name = file.display();
    let list = match json_file(file, MAX_BUNDLE_FILE_BYTES)? {
        Value::Array(list) => list,
        Value::Object(mut members) => match members.remove("decisions").or_else(|| members.remove("items")) {
            Some(Value::Array(list)) => list,
            Some(_) => anyhow::bail!("{name}: `decisions` is no list"),
            None => vec![Value::Object(members)],
        },
        _ => anyhow::bail!("{name} holds no decisions"),
    };
    list.into_iter()
        .map(|item| match item {
            Value::Object(object) => Some(decision_in(object)),
            _ => None,
        })
        .map(|decision| {
            decision
                .filter(|decision| decision.get("decision").is_some_and(Value::is_string))
                .with_context(|| format!("{name} holds something that is no decision"))
        })
        .collect()
}

/// The session that all decisions name.
fn common_session(decisions: &[Object]) -> String {
    let of = |decision: &Object| decision.get("session_id").and_then(Value::as_str).map(str::to_owned);
    let first = decisions.first().and_then(of).filter(|session| !session.is_empty());
    first
        .filter(|first| decisions.iter().all(|decision| of(decision).as_ref() == Some(first)))
        .unwrap_or_else(|| DEFAULT_SESSION.to_owned())
}
