//! Commands that read a bundle and print or write something made from it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::ensure;
use cavra_evidence::{
    BundleFolder, EvidenceReport, Expectations, Retention, SiemExport, StorageTargets, attest_bundle, pretty,
    retention_document, retention_markdown, storage_plan_markdown, verify_bundle, visible, write_file,
};
use cavra_model::Timestamp;
use serde_json::{Value, json};

use super::{keys, write_and_list};
use crate::args::{AttestArgs, ExportSiemArgs, ReportArgs, ReportFormat, RetentionPolicyArgs, StoragePlanArgs};
use crate::output::{complain, print_json, print_line, print_text};

pub fn siem_event(bundle: &Path) -> anyhow::Result<ExitCode> {
    warn_if_damaged(bundle);
    let event = BundleFolder::open(bundle)?.json("siem-event.json")?;
    print_text(&pretty(&event))?;
    Ok(ExitCode::SUCCESS)
}

pub fn export_siem(args: &ExportSiemArgs) -> anyhow::Result<ExitCode> {
    warn_if_damaged(&args.bundle);
    let event = BundleFolder::open(&args.bundle)?.json("siem-event.json")?;
    let export = SiemExport::new(event, &args.splunk_index, &args.datadog_service)?;
    write_and_list(&args.output, &export.files(&args.provider)?, args.json)
}

pub fn retention_policy(args: &RetentionPolicyArgs) -> anyhow::Result<ExitCode> {
    warn_if_damaged(&args.bundle);
    let folder = BundleFolder::open(&args.bundle)?;
    let evidence = folder.json("evidence.json")?;
    let text = |member: &str| evidence.get(member).and_then(Value::as_str).unwrap_or_default();
    let created_at = text("created_at").parse();
    let created_at: Timestamp = created_at.map_err(|()| anyhow::anyhow!("evidence.json has no valid created_at"))?;
    let stated = match folder.json("retention-policy.json") {
        Ok(document) => Retention::of_document(&document),
        Err(error) if error.fault.is_missing() => Retention::default(),
        Err(error) => return Err(error.into()),
    };
    let days = args.retention_days.unwrap_or_else(|| stated.days().into());
    let classification = args.classification.as_deref().unwrap_or_else(|| stated.classification());
    let legal_hold = args.legal_hold || (stated.legal_hold() && !args.no_legal_hold);
    let retention = Retention::new(days, classification, legal_hold)?;
    let document = retention_document(text("session_id"), created_at, &retention);
    let files = [("retention-policy.json", pretty(&document)), ("retention-policy.md", retention_markdown(&document))];
    write_and_list(&args.output, &files, args.json)
}

pub fn storage_plan(args: &StoragePlanArgs) -> anyhow::Result<ExitCode> {
    check_intact(&args.bundle)?;
    let targets = StorageTargets {
        retention_days: Retention::new(args.retention_days, "", false)?.days(),
        s3_bucket: &args.s3_bucket,
        s3_prefix: &args.s3_prefix,
        azure_account: &args.azure_account,
        azure_container: &args.azure_container,
    };
    let plan = cavra_evidence::storage_plan(&BundleFolder::open(&args.bundle)?, &targets, Timestamp::now())?;
    let files =
        [("immutable-storage-plan.json", pretty(&plan)), ("immutable-storage-plan.md", storage_plan_markdown(&plan))];
    write_and_list(&args.output, &files, args.json)
}

/// What is there is indexed and exported, damaged or not, but not in silence.
pub fn warn_if_damaged(bundle: &Path) {
    for error in verify_bundle(bundle, &Expectations::keyless()).errors() {
        complain(format_args!("warning: the bundle is not intact: {}", visible(error)));
    }
}

/// A damaged bundle is neither attested nor stored for years.
fn check_intact(bundle: &Path) -> anyhow::Result<()> {
    let verified = verify_bundle(bundle, &Expectations::keyless());
    ensure!(verified.is_valid(), "the bundle is not intact: {}", verified.errors().join("; "));
    Ok(())
}

pub fn attest(args: &AttestArgs) -> anyhow::Result<ExitCode> {
    let (key, key_id) = keys::private_key_file(&args.private_key, args.key_id.as_deref())?;
    check_intact(&args.bundle)?;
    let envelope = attest_bundle(&BundleFolder::open(&args.bundle)?, &key, &key_id)?;
    write_file(&args.output, pretty(&envelope))?;
    if args.json.json {
        print_json(&envelope)?;
    } else {
        print_line(&args.output.display().to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

pub fn report(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let document = EvidenceReport::of_bundle(&args.bundle)?;
    let text = match args.format {
        ReportFormat::Markdown => document.to_markdown(),
        ReportFormat::Html => document.to_html(),
    };
    if let Some(file) = &args.output {
        write_file(file, text.as_str())?;
    }
    let file = args.output.as_ref().map(|file| file.display().to_string());
    match file {
        file if args.json.json => print_json(&json!({ "report": text, "file": file }))?,
        Some(file) => print_line(&file)?,
        None => print_text(&text)?,
    }
    Ok(ExitCode::SUCCESS)
}
