//! `cavra evidence …`: bundles of evidence, the keys that sign them, and what is made from them. docs/reference/evidence-and-promotion.md,
//! section 14.

mod bundle;
mod documents;
mod keys;
mod log;
mod log_verify;
mod metadata;
mod trust;
mod verify;

use std::path::Path;
use std::process::ExitCode;

use anyhow::ensure;
use cavra_evidence::{BUNDLE_FILES, MANIFEST, write_file};
use serde_json::json;

use crate::args::{EvidenceCommand, Json};
use crate::output::{print_json, print_line};

pub fn run(command: EvidenceCommand) -> anyhow::Result<ExitCode> {
    match command {
        EvidenceCommand::Replay(args) => super::replay::run(args),
        EvidenceCommand::Bundle(args) => bundle::write(&args),
        EvidenceCommand::GenerateKeypair(args) => keys::generate(&args),
        EvidenceCommand::TrustRoot(args) => trust::root(&args),
        EvidenceCommand::TrustBundle(args) => trust::bundle(&args),
        EvidenceCommand::TrustDistribution(args) => trust::distribution(&args),
        EvidenceCommand::Verify(args) => verify::bundle(&args),
        EvidenceCommand::SiemEvent { bundle, .. } => documents::siem_event(&bundle),
        EvidenceCommand::RetentionPolicy(args) => documents::retention_policy(&args),
        EvidenceCommand::ExportSiem(args) => documents::export_siem(&args),
        EvidenceCommand::StoragePlan(args) => documents::storage_plan(&args),
        EvidenceCommand::VerifyAttestation { bundle, output, json } => verify::attestation(&bundle, &output, json),
        EvidenceCommand::Attest(args) => documents::attest(&args),
        EvidenceCommand::VerifyStatement(args) => verify::statement(&args),
        EvidenceCommand::Report(args) => documents::report(&args),
        EvidenceCommand::Log(command) => log::run(command),
        EvidenceCommand::VerifyProof(args) => log::verify_proof(&args.file, &args.proof, args.json),
        EvidenceCommand::Index(args) => metadata::index(&args),
        EvidenceCommand::Search(args) => metadata::search(&args),
        EvidenceCommand::Migrate { sqlite, migrations_dir, .. } => {
            metadata::migrate(&sqlite, migrations_dir.as_deref())
        }
    }
}

/// Writes files into a directory. Files of a bundle are not overwritten: it would not verify any more.
fn write_files(directory: &Path, files: &[(&str, String)]) -> anyhow::Result<()> {
    let is_bundle = directory.join(MANIFEST).exists();
    for (name, _) in files {
        let belongs = is_bundle && BUNDLE_FILES.contains(name);
        ensure!(!belongs, "{name} belongs to the bundle in {}; choose another output", directory.display());
    }
    for (name, text) in files {
        write_file(&directory.join(name), text)?;
    }
    Ok(())
}

/// Writes files into a directory and says which.
fn write_and_list(directory: &Path, files: &[(&str, String)], format: Json) -> anyhow::Result<ExitCode> {
    write_files(directory, files)?;
    let paths: Vec<_> = files.iter().map(|(name, _)| directory.join(name).display().to_string()).collect();
    if format.json {
        print_json(&json!({ "files": paths }))?;
    } else {
        paths.iter().try_for_each(|path| print_line(path))?;
    }
    Ok(ExitCode::SUCCESS)
}
