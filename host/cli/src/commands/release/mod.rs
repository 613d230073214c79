//! `cavra release …`: packages, rollouts, promotion and rollback, with files in place of HTTP bodies. docs/reference/evidence-and-promotion.md,
//! section 14.

mod approvals;
mod channel;
mod delivery;
mod endpoints;
mod execution;
mod history;
mod kept;
mod metadata;
mod package;
mod rollout;
mod sla;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use cavra_artifacts::{Reach, Tree};
use cavra_core::package_signers;
use cavra_evidence::write_file;
use cavra_model::Object;
use cavra_release::{Document, Package, PackageOptions, verify_package};
use serde_json::{Value, json};

use crate::args::{Json, PackageFlags, ReleaseCommand};
use crate::input::object_file;
use crate::output::{explain, print_json, print_line};

/// The largest document that is read.
const MAX_DOCUMENT_BYTES: u64 = 16 << 20;

pub fn run(command: ReleaseCommand) -> anyhow::Result<ExitCode> {
    let format = command.json();
    carry_out(command).inspect_err(|error| {
        if format.json {
            // Whoever reads JSON gets the reason there too; that it cannot be printed is not worth a second error.
            let _ = print_json(&refused(&[explain(error)], &[]));
        }
    })
}

fn carry_out(command: ReleaseCommand) -> anyhow::Result<ExitCode> {
    match command {
        ReleaseCommand::VerifyGoPackage { package, strict, json } => package::verify(&package, &strict, json),
        ReleaseCommand::VerifyAirgapBundle(args) => package::airgap(&args),
        ReleaseCommand::ValidateUpgrade { previous, candidate, allow_same_version, strict, json } => {
            package::upgrade(&previous, &candidate, allow_same_version, &strict, json)
        }
        ReleaseCommand::SmokeInstallers(args) => package::smoke(&args),
        ReleaseCommand::ChannelManifest { package, channel, strict, json } => {
            package::channel_manifest(&package, channel.as_deref(), &strict, json)
        }
        ReleaseCommand::UpdaterPolicy { package, strict, json } => package::updater_policy(&package, &strict, json),
        ReleaseCommand::CaptureRollout(args) => rollout::capture(&args),
        ReleaseCommand::VerifyRollout(args) => rollout::verify(&args),
        ReleaseCommand::RequestRolloutPromotion(args) => rollout::request(&args),
        ReleaseCommand::ExecuteRolloutPromotion(args) => execution::promote(&args),
        ReleaseCommand::ExecuteRolloutRollback(args) => execution::roll_back(&args),
        ReleaseCommand::ExportPromotionAudit(args) => execution::export(&args),
        ReleaseCommand::DeliverPromotionAudit(args) => delivery::promotion(&args),
        ReleaseCommand::DeliverRollbackExecution(args) => delivery::rollback(&args),
        ReleaseCommand::RequestChannelPromotion(args) => channel::request(&args),
        ReleaseCommand::ConnectorDeliveryHistory(args) => history::list(&args),
        ReleaseCommand::ConnectorDeliveryDashboard { store, json } => history::dashboard(&store, json),
        ReleaseCommand::Endpoints(command) => endpoints::run(&command),
        ReleaseCommand::Sla(command) => sla::run(command),
    }
}

/// Prints a result that has `valid`, `errors` and `warnings`; it exits with 1 unless it is valid. The last word of `what`
/// says what was done to the rest.
fn report(format: Json, result: &Value, what: &str) -> anyhow::Result<ExitCode> {
    let valid = result.get("valid").and_then(Value::as_bool).unwrap_or(false);
    if format.json {
        print_json(result)?;
    } else {
        let lines = |member: &str| result.get(member).and_then(Value::as_array).cloned().unwrap_or_default();
        let (subject, done) = what.rsplit_once(' ').unwrap_or(("", what));
        print_line(&if valid { what.to_owned() } else { format!("{subject} not {done}") })?;
        for error in lines("errors").iter().filter_map(Value::as_str) {
            print_line(&format!("  - {error}"))?;
        }
        for warning in lines("warnings").iter().filter_map(Value::as_str) {
            print_line(&format!("  warning: {warning}"))?;
        }
        for file in lines("files").iter().filter_map(Value::as_str) {
            print_line(&format!("  {file}"))?;
        }
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A result that says only what is wrong.
fn refused(errors: &[String], warnings: &[String]) -> Value {
    json!({ "valid": false, "errors": errors, "warnings": warnings })
}

/// How strictly a package is verified, and with which documents.
fn options(flags: &PackageFlags, documents: &'static [&'static Document]) -> anyhow::Result<PackageOptions> {
    Ok(PackageOptions {
        require_signatures: !flags.allow_unsigned,
        require_provenance: !flags.allow_missing_provenance,
        documents,
        signers: flags.trust_root.as_deref().map(package_signers).transpose()?,
    })
}

/// Opens a directory.
fn open(directory: &Path) -> anyhow::Result<Tree> {
    Reach::Anywhere.open(directory).with_context(|| directory.display().to_string())
}

/// Opens and verifies a package.
fn look_at_package(
    directory: &Path,
    flags: &PackageFlags,
    documents: &'static [&'static Document],
) -> anyhow::Result<Package> {
    Ok(verify_package(open(directory)?, &options(flags, documents)?))
}

/// The JSON object in a file.
fn read_object(file: &Path) -> anyhow::Result<Object> {
    object_file(file, MAX_DOCUMENT_BYTES)
}

/// Writes files into a directory; answers their paths.
fn write_files<N: AsRef<Path>>(directory: &Path, files: &[(N, String)]) -> anyhow::Result<Vec<String>> {
    let mut paths = Vec::new();
    for (name, text) in files {
        let path = directory.join(name);
        write_file(&path, text)?;
        paths.push(path.display().to_string());
    }
    Ok(paths)
}
