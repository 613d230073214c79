//! Rollouts: captured, verified, asked to be promoted.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use cavra_artifacts::Reach;
use cavra_core::{Doer, Promotion, Settings, ask_promotion};
use cavra_evidence::pretty;
use cavra_model::{Object, Timestamp};
use cavra_release::{
    CAPTURE_DOCUMENTS, Capture, RolloutOptions, VerifiedRollout, capture_rollout, promotion_refusals, request_summary,
    rollout_files, verify_rollout,
};
use serde_json::{Value, json};

use super::{approvals, look_at_package, metadata, open, options, refused, report, write_files};
use crate::args::{CaptureArgs, PackageFlags, PromotionRequestArgs, VerifyRolloutArgs};
use crate::input::signing_key_file;
use crate::output::explain;

pub fn capture(args: &CaptureArgs) -> anyhow::Result<ExitCode> {
    let package = look_at_package(&args.package, &args.strict, &CAPTURE_DOCUMENTS)?;
    let wanted = Capture {
        deployment_ids: args.deployment_id.clone(),
        environment: args.environment.clone(),
        rollout_id: args.rollout_id.clone(),
        rollout_ring: args.rollout_ring.clone(),
        status: args.status.clone(),
        actor: args.actor.clone(),
        change_record: args.change_record.clone(),
    };
    let what = "rollout evidence captured";
    match capture_rollout(&package, &wanted, Timestamp::now()) {
        Err(errors) => report(args.json, &refused(&errors, &package.report.warnings), what),
        Ok(evidence) => {
            let files = write_files(&args.output, &rollout_files(&evidence))?;
            let result = json!({
                "rollout_dir": args.output.display().to_string(),
                "valid": true,
                "errors": [],
                "warnings": package.report.warnings,
                "rollout_id": evidence.get("rollout_id"),
                "evidence": evidence,
                "files": files,
            });
            report(args.json, &result, what)
        }
    }
}

pub fn verify(args: &VerifyRolloutArgs) -> anyhow::Result<ExitCode> {
    let package = !args.skip_package_verification;
    let rollout = look(&args.rollout, args.package_dir.clone(), package, &args.strict)?;
    // What does not verify is not recorded.
    let stores =
        if rollout.report.valid { metadata::index(&args.metadata, &rollout.report.metadata)? } else { Vec::new() };
    let mut result = json!(rollout.report);
    if let Value::Object(result) = &mut result {
        result.insert("indexed_metadata_stores".to_owned(), json!(stores));
    }
    report(args.json, &result, "rollout evidence verified")
}

fn look(
    directory: &Path,
    package_dir: Option<PathBuf>,
    require_package: bool,
    strict: &PackageFlags,
) -> anyhow::Result<VerifiedRollout> {
    let options = RolloutOptions { package_dir, require_package, package: options(strict, &[])? };
    Ok(verify_rollout(&open(directory)?, &Reach::Anywhere, &options))
}

pub fn request(args: &PromotionRequestArgs) -> anyhow::Result<ExitCode> {
    let what = "rollout promotion requested";
    let require_package = !args.skip_package_verification;
    let rollout = look(&args.rollout, args.package_dir.clone(), require_package, &args.strict)?;
    let relaxed = relaxed(args);
    let mut warnings = rollout.report.warnings.clone();
    warnings.extend(relaxed.iter().map(|check| format!("{check} is false: this was not checked")));
    let mut errors = rollout.report.errors.clone();
    errors.extend(promotion_refusals(&rollout, &args.target_ring));
    let key = match &args.asked.signing_key {
        Some(file) => signing_key_file(file),
        None => Settings::from_env()?.release_keys.promotion().map_err(Into::into),
    };
    errors.extend(key.as_ref().err().map(explain));
    let (Ok(key), true) = (key, errors.is_empty()) else {
        return report(args.json, &refused(&errors, &warnings), what);
    };
    let promotion = Promotion {
        rollout: &rollout,
        target_ring: &args.target_ring,
        requester: Doer::named(args.asked.requested_by.clone()),
        note: None,
        approver_group: args.approver_group.clone(),
        ttl_hours: approvals::ttl(args.asked.ttl_hours),
        signer: &args.asked.signer,
        relaxed: &relaxed,
        replaces: None,
    };
    let ask = |approvals| async move { ask_promotion(&approvals, &key, promotion).await };
    let (request, stores) = approvals::ask(&args.asked.approvals, ask, approval_of)?;
    let summary = request_summary("CAVRA Rollout Promotion Request", &request);
    let files = [
        ("rollout-promotion-approval-request.json", pretty(&Value::Object(request.clone()))),
        ("rollout-promotion-approval-request.md", summary),
    ];
    let files = write_files(&args.output, &files).context("the approval was created, but not the files")?;
    let result = json!({
        "rollout_dir": rollout.report.rollout_dir,
        "valid": true,
        "errors": [],
        "warnings": warnings,
        "rollout_id": rollout.report.rollout_id,
        "approval": request.get("approval"),
        "request": request,
        "files": files,
        "approval_stores": stores,
    });
    report(args.json, &result, what)
}

/// The approval in a request.
pub fn approval_of(request: &Object) -> Option<Object> {
    request.get("approval").and_then(Value::as_object).cloned()
}

/// Checks that were left out, as the HTTP interface calls them.
fn relaxed(args: &PromotionRequestArgs) -> Vec<&'static str> {
    let rows = [
        (args.skip_package_verification, "require_package_verification"),
        (args.strict.allow_unsigned, "require_signatures"),
        (args.strict.allow_missing_provenance, "require_provenance"),
    ];
    rows.into_iter().filter(|(left_out, _)| *left_out).map(|(_, check)| check).collect()
}
