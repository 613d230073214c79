//! `cavra plugin sign` and `archive`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use cavra_evidence::pretty;
use cavra_model::Timestamp;
use cavra_trust::{ARCHIVE_ENDING, ENVELOPE, Package, sign, write_archive};
use serde_json::json;

use crate::args::{ArchivePluginArgs, SignPluginArgs};
use crate::input::signing_key_file;
use crate::output::{print_json, print_line};

pub fn run(args: &SignPluginArgs) -> anyhow::Result<ExitCode> {
    let key = signing_key_file(&args.private_key)?;
    let key_id = args.key_id.clone().unwrap_or_else(|| key.public().key_id().to_owned());
    ensure!(!key_id.is_empty(), "the key needs an id");
    let package = Package::read(&args.directory).with_context(|| args.directory.display().to_string())?;
    let expires = args.expires.as_deref().map(|text| {
        text.parse::<Timestamp>().map_err(|()| anyhow::anyhow!("--expires must be a time such as 2031-01-01T00:00:00Z"))
    });
    let before = package.envelope.as_ref().filter(|_| args.add);
    ensure!(!args.add || before.is_some(), "there is no signature yet to add one to");
    let envelope = sign(&package, (&key, &key_id), Timestamp::now(), expires.transpose()?, before)?;
    let file = args.directory.join(ENVELOPE);
    cavra_evidence::write_file(&file, pretty(&envelope))?;
    if args.json.json {
        print_json(&json!({
            "envelope": file.display().to_string(), "key_id": key_id, "package_digest": package.digest(),
        }))?;
    } else {
        let manifest = &package.manifest;
        print_line(&format!("signed {} {} as `{key_id}`: {}", manifest.name, manifest.version, file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub fn archive(args: &ArchivePluginArgs) -> anyhow::Result<ExitCode> {
    let package = Package::read(&args.directory).with_context(|| args.directory.display().to_string())?;
    let manifest = &package.manifest;
    let name = || PathBuf::from(format!("{}-{}.{ARCHIVE_ENDING}", manifest.name, manifest.version));
    let file = args.output.clone().unwrap_or_else(name);
    cavra_evidence::write_file(&file, write_archive(&package)?)?;
    if args.json.json {
        print_json(&json!({ "archive": file.display().to_string(), "package_digest": package.digest() }))?;
    } else {
        print_line(&format!("packed {} {}: {}", manifest.name, manifest.version, file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
