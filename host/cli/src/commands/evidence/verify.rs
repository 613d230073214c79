//! Verification: of bundles, of their attestations, of statements about them.

use std::path::Path;
use std::process::ExitCode;

use anyhow::ensure;
use cavra_evidence::{
    Expectations, ManifestTrust, PublicKey, Report, Secret, pretty, verify_attestation, verify_bundle,
    verify_statement, visible,
};
use cavra_model::Timestamp;

use super::{keys, log, trust, write_files};
use crate::args::{Json, TrustArgs, VerifyArgs, VerifyStatementArgs};
use crate::input::{MAX_KEY_BYTES, json_file, public_key_file};
use crate::output::{print_json, print_line};

pub fn bundle(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let proof = &args.proof;
    if args.bundle.is_file() {
        ensure!(
            !proof.vkey.is_empty(),
            "{} is a file: a bundle is a directory, and a proof of the evidence log is checked with --vkey KEY",
            args.bundle.display()
        );
        return log::verify_proof(&args.bundle, proof, args.json);
    }
    ensure!(proof.vkey.is_empty() && proof.record.is_none(), "--vkey and --record check a proof, which is a file");
    let expected = Expectations {
        trust: trusted(&args.trust)?,
        key_id: args.trust.key_id.clone(),
        minimum_retention_days: args.minimum_retention_days,
        now: Timestamp::now(),
    };
    let report = verify_bundle(&args.bundle, &expected);
    answer(&report, "evidence", args.json)
}

pub fn attestation(bundle: &Path, output: &Path, format: Json) -> anyhow::Result<ExitCode> {
    let checked = verify_attestation(bundle);
    let document = checked.to_value();
    let files = [
        ("pr-attestation-verification.json", pretty(&document)),
        ("pr-attestation-verification.md", checked.to_markdown()),
    ];
    write_files(output, &files)?;
    if format.json {
        print_json(&document)?;
        return Ok(exit_code(&checked.report));
    }
    answer(&checked.report, "attestation", format)
}

pub fn statement(args: &VerifyStatementArgs) -> anyhow::Result<ExitCode> {
    let envelope = json_file(&args.statement, MAX_KEY_BYTES)?;
    let report = verify_statement(&args.bundle, &envelope, &statement_keys(args)?.iter().collect::<Vec<_>>());
    answer(&report, "statement", args.json)
}

/// Keys that may have signed a statement: the one that is given, else the trust roots that verify now.
fn statement_keys(args: &VerifyStatementArgs) -> anyhow::Result<Vec<PublicKey>> {
    match (&args.public_key, &args.trust_root) {
        (Some(file), _) => Ok(vec![public_key_file(file)?]),
        (None, Some(path)) => Ok(trust::read(path)?.active_keys(Timestamp::now())),
        (None, None) => Ok(vec![]),
    }
}

/// The first of the keys that is given; the shared key of the environment only if none is.
fn trusted(args: &TrustArgs) -> anyhow::Result<ManifestTrust> {
    Ok(match (&args.key, &args.public_key, &args.trust_root) {
        (Some(key), _, _) => ManifestTrust::Shared(Secret::new(key.as_str())?),
        (None, Some(file), _) => ManifestTrust::Key(public_key_file(file)?),
        (None, None, Some(path)) => ManifestTrust::Roots(trust::read(path)?),
        (None, None, None) => keys::shared_key()?.map_or(ManifestTrust::Nothing, ManifestTrust::Shared),
    })
}

/// Prints what a verification found. Names that others chose cannot add lines or hide.
fn answer(report: &Report, what: &str, format: Json) -> anyhow::Result<ExitCode> {
    if format.json {
        print_json(&report.to_value())?;
        return Ok(exit_code(report));
    }
    print_line(&format!("{what} {}", if report.is_valid() { "verified" } else { "verification failed" }))?;
    for error in report.errors() {
        print_line(&format!("  - {}", visible(error)))?;
    }
    for warning in report.warnings() {
        print_line(&format!("  note: {}", visible(warning)))?;
    }
    Ok(exit_code(report))
}

fn exit_code(report: &Report) -> ExitCode {
    if report.is_valid() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
