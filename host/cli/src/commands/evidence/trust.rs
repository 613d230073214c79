//! Trust roots: made one by one, bundled, distributed, and read as what a verifier trusts.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use cavra_evidence::{Distribution, TRUST_ROOTS, TrustRoot, TrustRoots, pretty, trust_root_bundle, write_file};
use cavra_model::Timestamp;
use serde_json::Value;

use super::write_and_list;
use crate::args::{Json, TrustBundleArgs, TrustDistributionArgs, TrustRootArgs};
use crate::input::{MAX_KEY_BYTES, json_file, public_key_file};
use crate::output::{print_json, print_line};

pub fn root(args: &TrustRootArgs) -> anyhow::Result<ExitCode> {
    let public_key = public_key_file(&args.public_key)?;
    let valid_from = time(args.valid_from.as_deref(), "--valid-from")?.unwrap_or_else(Timestamp::now);
    let root = TrustRoot {
        key_id: args.key_id.clone().unwrap_or_else(|| public_key.key_id().to_owned()),
        owner: args.owner.clone(),
        status: args.status.parse()?,
        public_key,
        valid_from: Some(valid_from),
        valid_until: time(args.valid_until.as_deref(), "--valid-until")?,
    };
    write(&args.output, &root.check()?.to_value(), args.json)
}

pub fn bundle(args: &TrustBundleArgs) -> anyhow::Result<ExitCode> {
    let bundle = trust_root_bundle(read_all(&args.roots)?, Timestamp::now())?;
    write(&args.output, &bundle, args.json)
}

pub fn distribution(args: &TrustDistributionArgs) -> anyhow::Result<ExitCode> {
    let distribution = Distribution {
        environment: &args.environment,
        id: args.distribution_id.as_deref(),
        channels: &args.channel,
        created_at: Timestamp::now(),
    };
    write_and_list(&args.output, &distribution.files(read_all(&args.roots)?)?, args.json)
}

/// The trust roots in a file, or in the directory of a distribution.
pub fn read(path: &Path) -> anyhow::Result<TrustRoots> {
    let file = if path.is_dir() { path.join(TRUST_ROOTS) } else { path.to_owned() };
    TrustRoots::read(&json_file(&file, MAX_KEY_BYTES)?).with_context(|| file.display().to_string())
}

/// Every root in `files`, each of which may hold one or several.
fn read_all(files: &[PathBuf]) -> anyhow::Result<Vec<TrustRoot>> {
    let mut roots = Vec::new();
    for file in files {
        match read(file)? {
            TrustRoots::One(root) => roots.push(*root),
            TrustRoots::Many(more) => roots.extend(more),
        }
    }
    Ok(roots)
}

fn write(file: &Path, document: &Value, format: Json) -> anyhow::Result<ExitCode> {
    write_file(file, pretty(document))?;
    if format.json {
        print_json(document)?;
    } else {
        print_line(&file.display().to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn time(text: Option<&str>, option: &str) -> anyhow::Result<Option<Timestamp>> {
    text.map(|text| text.parse().map_err(|()| anyhow!("{option}: `{text}` is no RFC 3339 time"))).transpose()
}
