//! `cavra evidence log …` and `cavra evidence verify-proof`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use cavra_core::{CoreError, EvidenceLog, Leaf, Settings};
use cavra_evidence::write_file;
use cavra_log::{TlogProof, VerifierKey};
use cavra_model::Object;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use super::log_verify::verify;
use crate::args::{Json, LogCommand, ProofArgs};
use crate::input::{object_file, text_file};
use crate::output::{print_json, print_line, print_text};

/// Largest checkpoint, proof or record file.
const FILE_LIMIT: u64 = 4 * 1024 * 1024;

pub fn run(command: LogCommand) -> anyhow::Result<ExitCode> {
    match command {
        LogCommand::Show(format) => show(format),
        LogCommand::Checkpoint { log: which, json } => {
            let head = with_log(EvidenceLog::open, async |log| log.sign_now(&which.log).await)?;
            if json.json {
                print_json(&json!({
                    "log": which.log, "origin": head.checkpoint.origin, "size": head.checkpoint.size,
                    "root_hash": head.checkpoint.root.to_base64(), "checkpoint": head.note,
                }))?;
            } else {
                print_text(&head.note)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        LogCommand::Proof { id, log: which, output, json } => {
            let proof = with_log(EvidenceLog::look, async |log| log.proof(&which.log, &id).await)?;
            let text = proof.to_string();
            if let Some(file) = &output {
                write_file(file, text.as_str())?;
            }
            if json.json {
                let file = output.map(|file| file.display().to_string());
                print_json(&json!({
                    "log": which.log, "id": id, "index": proof.index, "proof": text, "file": file,
                }))?;
            } else if output.is_none() {
                print_text(&text)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        LogCommand::Verify(args) => verify(&args),
        LogCommand::RotateKey(format) => {
            let key = with_log(EvidenceLog::open, async |log| log.rotate_key().await)?;
            if format.json {
                print_json(&key)?;
            } else {
                print_line(&format!("the log is signed with another key since {}", key.since))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        LogCommand::AcceptRestore { log: which, reason, json } => {
            ensure!(!reason.trim().is_empty(), "a reason is required");
            let record = with_log(EvidenceLog::open, async |log| log.accept_restore(&which.log, reason.trim()).await)?;
            if json.json {
                print_json(&record)?;
            } else {
                print_line(&format!("the log `{}` is a new one from here on", which.log))?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Does something with the logs of this installation, and closes their stores.
fn with_log<T>(
    open: fn(&Settings) -> Result<EvidenceLog, CoreError>,
    work: impl AsyncFnOnce(&EvidenceLog) -> Result<T, CoreError>,
) -> anyhow::Result<T> {
    let log = open(&Settings::from_env()?)?;
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let outcome = runtime.block_on(async {
        let outcome = work(&log).await;
        log.close().await;
        outcome
    });
    Ok(outcome?)
}

fn show(format: Json) -> anyhow::Result<ExitCode> {
    let logs = with_log(EvidenceLog::look, async |log| log.list().await)?;
    if format.json {
        print_json(&logs)?;
        return Ok(ExitCode::SUCCESS);
    }
    for log in logs.get("items").and_then(Value::as_array).into_iter().flatten() {
        let text = |member: &str| log.get(member).and_then(Value::as_str).unwrap_or("not signed yet");
        let number = |member: &str| log.get(member).and_then(Value::as_u64).unwrap_or(0);
        let (size, signed) = (number("size"), number("signed_size"));
        print_line(&format!("{}: {size} leaves, {signed} of them signed, as {}", text("log"), text("origin")))?;
        for key in log.get("keys").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            print_line(&format!("  key {key}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub fn verify_proof(file: &Path, args: &ProofArgs, format: Json) -> anyhow::Result<ExitCode> {
    let proof: TlogProof = read(file)?.parse().with_context(|| file.display().to_string())?;
    let record = args.record.as_deref().map(record).transpose()?;
    let keys = keys(&args.vkey)?;
    let checked = proof.verify(&keys).map_err(anyhow::Error::from).and_then(|(leaf, checkpoint)| {
        let leaf = std::str::from_utf8(leaf).ok().and_then(Leaf::parse).context("the leaf is none of cavra's")?;
        ensure!(record.as_ref().is_none_or(|record| leaf.is_of(record)), "the leaf is about another record");
        Ok((leaf, checkpoint))
    });
    match checked {
        Ok((leaf, checkpoint)) if format.json => print_json(&json!({
            "valid": true, "leaf": leaf, "index": proof.index, "origin": checkpoint.origin, "size": checkpoint.size,
            "root_hash": checkpoint.root.to_base64(), "record_checked": record.is_some(),
        }))?,
        Ok((leaf, checkpoint)) => print_line(&format!(
            "{} is in the log {}: leaf {} of {}, written {}",
            leaf.id, checkpoint.origin, proof.index, checkpoint.size, leaf.time
        ))?,
        Err(problem) if format.json => {
            print_json(&json!({ "valid": false, "problem": format!("{problem:#}") }))?;
            return Ok(ExitCode::FAILURE);
        }
        Err(problem) => return Err(problem),
    }
    Ok(ExitCode::SUCCESS)
}

/// Keys as they are written on the command line.
pub fn keys(texts: &[String]) -> anyhow::Result<Vec<VerifierKey>> {
    texts.iter().map(|text| text.parse().with_context(|| text.clone())).collect()
}

/// The record in a file.
fn record(file: &Path) -> anyhow::Result<Object> {
    object_file(file, FILE_LIMIT)
}

/// A checkpoint, proof or record.
pub fn read(file: &Path) -> anyhow::Result<String> {
    text_file(file, FILE_LIMIT)
}
