//! Packages: verified, unpacked, compared, tried out.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use cavra_model::Object;
use cavra_release::{
    AirgapOptions, ArchiveLimits, CHANNEL_DOCUMENTS, CHANNELS, Document, INSTALLER_DOCUMENTS, UPDATER_POLICY,
    check_upgrade, smoke_installers, verify_airgap,
};
use serde_json::{Value, json};

use super::{look_at_package, options, report};
use crate::args::{AirgapArgs, Json, PackageFlags, SmokeArgs};
use crate::output::print_json;

/// The channel manifest alone.
static MANIFEST: [&Document; 1] = [&CHANNELS];

pub fn verify(directory: &Path, strict: &PackageFlags, format: Json) -> anyhow::Result<ExitCode> {
    let package = look_at_package(directory, strict, &[])?;
    report(format, &json!(package.report), "release package verified")
}

pub fn airgap(args: &AirgapArgs) -> anyhow::Result<ExitCode> {
    let options = AirgapOptions {
        require_bootstrap: !args.allow_missing_bootstrap,
        package: options(&args.strict, &[])?,
        limits: ArchiveLimits::default(),
    };
    let found = verify_airgap(&args.archive, args.extract_dir.as_deref(), &options);
    report(args.json, &json!(found), "air-gap bundle verified")
}

pub fn upgrade(
    previous: &Path,
    candidate: &Path,
    allow_same_version: bool,
    strict: &PackageFlags,
    format: Json,
) -> anyhow::Result<ExitCode> {
    let previous = look_at_package(previous, strict, &[])?;
    let candidate = look_at_package(candidate, strict, &[])?;
    let found = check_upgrade(&previous, &candidate, allow_same_version);
    report(format, &json!(found), "upgrade validated")
}

pub fn smoke(args: &SmokeArgs) -> anyhow::Result<ExitCode> {
    let package = look_at_package(&args.package, &args.strict, &INSTALLER_DOCUMENTS)?;
    let timeout = Duration::try_from_secs_f64(args.timeout_seconds).context("--timeout-seconds is no span of time")?;
    let found = smoke_installers(&package, args.execute_native.then_some(timeout));
    report(args.json, &json!(found), "installers passed")
}

pub fn channel_manifest(
    directory: &Path,
    channel: Option<&str>,
    strict: &PackageFlags,
    format: Json,
) -> anyhow::Result<ExitCode> {
    let narrow = |mut manifest: Object| {
        if let (Some(channel), Some(Value::Array(channels))) = (channel, manifest.get_mut("channels")) {
            channels.retain(|entry| entry.get("channel").and_then(Value::as_str) == Some(channel));
            if channels.is_empty() {
                bail!("there is no channel {channel}");
            }
        }
        Ok(manifest)
    };
    print_document(directory, strict, format, &CHANNELS, &MANIFEST, narrow)
}

pub fn updater_policy(directory: &Path, strict: &PackageFlags, format: Json) -> anyhow::Result<ExitCode> {
    print_document(directory, strict, format, &UPDATER_POLICY, &CHANNEL_DOCUMENTS, Ok)
}

/// Prints a document of a package that verifies with it; else what is wrong.
fn print_document(
    directory: &Path,
    strict: &PackageFlags,
    format: Json,
    document: &Document,
    documents: &'static [&'static Document],
    shape: impl FnOnce(Object) -> anyhow::Result<Object>,
) -> anyhow::Result<ExitCode> {
    let package = look_at_package(directory, strict, documents)?;
    match package.document(document).filter(|_| package.report.valid) {
        Some(content) => {
            print_json(&shape(content.clone())?)?;
            Ok(ExitCode::SUCCESS)
        }
        None => report(format, &json!(package.report), "release package verified"),
    }
}
