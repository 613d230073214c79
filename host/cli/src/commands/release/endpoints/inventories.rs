//! Inventories, their age, and what they show.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use cavra_artifacts::{PackedError, Reach, unpacked};
use cavra_core::{CoreError, Desired, Engine, Established, ExportText, InventoryExport, ManifestTrust, Settings};
use cavra_evidence::pretty;
use cavra_fleet::{Documented, FreshnessLimits, Reconciliation, Scope, manifest_problems};
use cavra_model::{Object, Timestamp, members};
use cavra_release::DEPLOYMENT;
use serde_json::{Value, json};

use super::files::{Output, answer, pair, with_checksums, within};
use crate::args::{FreshnessArgs, IngestArgs, MetadataArgs, ReconcileArgs};
use crate::commands::release::history::location;
use crate::commands::release::metadata::{look, runtime};
use crate::commands::release::read_object;

/// Largest export that is read.
const EXPORT_BYTES: u64 = 1 << 30;

pub fn ingest(args: &IngestArgs) -> anyhow::Result<ExitCode> {
    let output = Output {
        what: "endpoint inventory ingested",
        directory: &args.output,
        metadata: &args.metadata,
        json: args.json,
    };
    let target_map = match &args.target_map {
        None => std::collections::BTreeMap::new(),
        Some(file) => read_object(file)?
            .into_iter()
            .map(|(name, value)| Ok((name, value.as_str().context("a target map holds texts")?.to_owned())))
            .collect::<anyhow::Result<_>>()?,
    };
    let export = InventoryExport {
        provider: args.provider.clone(),
        inventory: ExportText::File(Box::new(export_file(&args.file)?)),
        channel: args.channel.clone(),
        observed_at: args.observed_at.clone().map(Value::String),
        source: None,
        target_map,
    };
    let settings = Settings::from_env()?;
    let plugins = cavra_core::plugins(&settings, Engine::OneShot)?;
    let made = match runtime()?.block_on(export.ingest(&plugins, settings.redactor, Timestamp::now())) {
        Ok(made) => made,
        Err(error) => return output.refuse(error),
    };
    let inventory = made.document.get("inventory").cloned().unwrap_or(Value::Null);
    let mut files = pair("endpoint-inventory-ingestion", "CAVRA Endpoint Inventory Ingestion", &made.document);
    files.push(("endpoint-inventory.json".to_owned(), pretty(&inventory)));
    let mut content = members::built(answer(&made, "inventory_id", "ingestion"));
    content.insert("provider".to_owned(), made.document.get("provider").cloned().unwrap_or(Value::Null));
    content.insert("inventory".to_owned(), inventory);
    output.finish(&with_checksums(files), &made.record, &made.warnings, Value::Object(content))
}

/// A file with an export, or what is packed in it.
fn export_file(path: &Path) -> anyhow::Result<impl std::io::Read + Send + 'static> {
    let open = || {
        let file = std::fs::File::open(path)?;
        if file.metadata()?.len() > EXPORT_BYTES {
            return Err(PackedError::TooLarge(EXPORT_BYTES));
        }
        unpacked(file, EXPORT_BYTES)
    };
    Ok(std::io::BufReader::new(open().with_context(|| path.display().to_string())?))
}

pub fn freshness(args: &FreshnessArgs) -> anyhow::Result<ExitCode> {
    let hours = |given: i64| u64::try_from(given).unwrap_or(0).max(1);
    let limits = FreshnessLimits {
        max_age_hours: hours(args.max_age_hours),
        critical_age_hours: hours(args.critical_age_hours),
    };
    let scope = Scope {
        provider: args.provider.as_deref(),
        channel: args.channel.as_deref(),
        deployment_target: args.deployment_target.as_deref(),
    };
    let made = runtime()?.block_on(look(location(&args.store))?.freshness(&scope, limits))?;
    let sqlite = args.store.metadata_json.is_none().then(|| args.store.sqlite.clone());
    let metadata = MetadataArgs { metadata_json: args.store.metadata_json.clone(), sqlite };
    let output = Output {
        what: "endpoint inventory freshness reported",
        directory: &args.output,
        metadata: &metadata,
        json: args.json,
    };
    let files = pair("endpoint-inventory-freshness", "CAVRA Endpoint Inventory Freshness", &made.document);
    let mut content = members::built(answer(&made, "report_id", "report"));
    content.insert("alert_level".to_owned(), made.document.get("alert_level").cloned().unwrap_or(Value::Null));
    output.finish(&with_checksums(files), &made.record, &made.warnings, Value::Object(content))
}

pub fn reconcile(args: &ReconcileArgs) -> anyhow::Result<ExitCode> {
    let output = Output {
        what: "endpoint deployment reconciled",
        directory: &args.output,
        metadata: &args.metadata,
        json: args.json,
    };
    let observed = within(read_object(&args.observations)?, &["inventory"]);
    let (made, established) =
        match compare(&args.package, !args.skip_package_verification, &observed, args.stale_after_hours) {
            Ok(compared) => compared,
            Err(error) => return output.refuse(error),
        };
    let files = reconciliation_files(&made.document);
    let mut content = members::built(answer(&made, "reconciliation_id", "report"));
    content.insert("drift_status".to_owned(), made.document.get("drift_status").cloned().unwrap_or(Value::Null));
    content.insert("package_dir".to_owned(), json!(args.package));
    output.finish(&files, &made.record, &established.warnings, Value::Object(content))
}

/// The files of a report.
pub fn reconciliation_files(report: &Value) -> Vec<(String, String)> {
    with_checksums(pair("managed-endpoint-reconciliation", "CAVRA Managed Endpoint Reconciliation", report))
}

/// Compares the manifest of a package with observations.
pub fn compare(
    package: &Path,
    verify: bool,
    observed: &Object,
    stale_after_hours: i64,
) -> Result<(Documented, Established), CoreError> {
    let settings = Settings::from_env()?;
    let trust = ManifestTrust::of(&settings)?;
    let established = if verify {
        Desired::default().of_package(&Reach::Anywhere, package, &trust)?
    } else {
        let file = package.join(DEPLOYMENT.file);
        let read = |error: anyhow::Error| CoreError::BadRequest(format!("{error:#}"));
        let text = crate::input::text_file(&file, super::super::MAX_DOCUMENT_BYTES).map_err(read)?;
        let beside = package.join(format!("{}{}", DEPLOYMENT.file, cavra_release::SIGNATURE_SUFFIX));
        let signature = beside.exists().then(|| read_object(&beside)).transpose().map_err(read)?;
        Desired { text: Some(text), signature, ..Desired::default() }.establish(None, &trust)?
    };
    let mut errors = manifest_problems(&established.manifest, observed);
    errors.extend(established.errors.iter().cloned());
    if !errors.is_empty() {
        return Err(CoreError::Refused { errors, warnings: established.warnings });
    }
    let about = Reconciliation {
        manifest: &established.manifest,
        observed,
        stale_after_hours: u64::try_from(stale_after_hours).unwrap_or(0).max(1),
        manifest_verification: established.verification.clone(),
        package_verification: established.package.clone(),
        only_provider: None,
    };
    let made = cavra_fleet::reconcile(&about, Timestamp::now())?;
    Ok((made, established))
}
