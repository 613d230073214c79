//! `cavra ops …`: what an operator does with the stores of an installation.

use std::process::ExitCode;

use anyhow::Context as _;
use cavra_core::{Disposal, RetentionRequest, Settings, Target};
use cavra_evidence::{pretty, write_file};
use serde_json::json;

use crate::args::{BackupArgs, Json, OpsCommand, RestoreArgs, RetentionApplyArgs, RetentionPlanArgs};
use crate::output::{print_json, print_line, tell};

/// What the retention plan is called, without what tells its form.
const PLAN: &str = "persistent-api-retention-plan";

pub fn run(command: &OpsCommand) -> anyhow::Result<ExitCode> {
    match command {
        OpsCommand::Stores(_) => {
            print_json(&cavra_core::stores_document(&Settings::from_env()?))?;
            Ok(ExitCode::SUCCESS)
        }
        OpsCommand::Backup(args) => backup(args),
        OpsCommand::Restore(args) => restore(args),
        OpsCommand::Verify { manifest, .. } => {
            let (document, is_whole) = cavra_core::verify_backup(manifest)?;
            print_json(&document)?;
            Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        OpsCommand::RetentionPlan(args) => retention_plan(args),
        OpsCommand::RetentionApply(args) => retention_apply(args),
        OpsCommand::Import(format) => import(*format),
    }
}

/// Waits for a use case.
fn wait<T>(use_case: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    Ok(runtime.block_on(use_case))
}

fn backup(args: &BackupArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings::from_env()?;
    let manifest = wait(cavra_core::backup(&settings, &args.output, args.include_missing))??;
    print_json(&manifest)?;
    Ok(ExitCode::SUCCESS)
}

fn restore(args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings::from_env()?;
    if args.dry_run {
        let rehearsed = wait(cavra_core::rehearse(&settings, &args.manifest))??;
        print_json(&rehearsed)?;
        let passed = rehearsed.get("status").is_some_and(|status| status == "pass");
        return Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let target = args.target_dir.clone().map_or(Target::Live, Target::Directory);
    let restored = cavra_core::restore(&settings, &args.manifest, &target, args.overwrite)?;
    print_json(&restored)?;
    if target == Target::Live && restored.get("restored_count").is_some_and(|count| count != 0) {
        tell(
            "a log of an older store does not continue what was signed: see `cavra evidence log verify` and accept-restore; API \
             tokens that were revoked since the backup are valid again: see `cavra token list`",
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn retention_plan(args: &RetentionPlanArgs) -> anyhow::Result<ExitCode> {
    let request = RetentionRequest {
        retention_days: args.retention_days,
        classification: args.classification.clone(),
        legal_hold: args.legal_hold,
    };
    let plan = cavra_core::retention_plan(&Settings::from_env()?, &request)?;
    let documents = [("json", pretty(&plan)), ("md", cavra_core::retention_markdown(&plan))];
    let mut files = Vec::new();
    for (ending, text) in documents {
        let file = args.output.join(format!("{PLAN}.{ending}"));
        write_file(&file, text.as_bytes())?;
        files.push(file);
    }
    print_json(&json!({ "output_dir": args.output, "files": files, "plan": plan }))?;
    Ok(ExitCode::SUCCESS)
}

fn retention_apply(args: &RetentionApplyArgs) -> anyhow::Result<ExitCode> {
    let disposal = Disposal {
        rule: RetentionRequest {
            retention_days: args.retention_days,
            classification: args.classification.clone(),
            legal_hold: args.legal_hold,
        },
        before: args.before.clone(),
        dry_run: args.dry_run,
        approval_id: args.approval_id.clone(),
    };
    print_json(&wait(cavra_core::apply_retention(&Settings::from_env()?, &disposal))??)?;
    Ok(ExitCode::SUCCESS)
}

fn import(format: Json) -> anyhow::Result<ExitCode> {
    let settings = Settings::from_env()?;
    let moved = wait(cavra_core::import(&settings))??;
    if format.json {
        print_json(&json!({ "schema_version": "cavra.ops.import.v1", "moved": moved }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for left in &moved {
        let (records, leaves) = (left.records, left.leaves);
        print_line(&format!("{}: {records} records and {leaves} leaves are in {} now", left.area, left.database))?;
    }
    if moved.is_empty() {
        print_line("there is nothing to move: no area has records in a JSON file and a new database")?;
    }
    Ok(ExitCode::SUCCESS)
}
