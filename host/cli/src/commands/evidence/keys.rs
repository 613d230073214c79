//! Keys: pairs, and the private key that signs.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{bail, ensure};
use cavra_core::Settings;
use cavra_evidence::{Secret, Signing, SigningKey, WriteError, create_private_file, write_file, write_private_file};
use serde_json::json;

use crate::args::KeypairArgs;
use crate::input::signing_key_file;
use crate::output::{print_json, print_line};

pub fn generate(args: &KeypairArgs) -> anyhow::Result<ExitCode> {
    ensure!(args.private_key != args.public_key, "the two keys need two files");
    if !args.force {
        // The private key is protected by how it is created; this protects the public one, and says so first.
        for path in [&args.private_key, &args.public_key] {
            ensure!(path.symlink_metadata().is_err(), "{} exists already; --force overwrites it", path.display());
        }
    }
    let key = SigningKey::generate()?;
    let pem = key.to_pem()?;
    if args.force {
        write_private_file(&args.private_key, pem)?;
    } else {
        create_private_file(&args.private_key, pem).map_err(|error| match error {
            WriteError::Exists(path) => anyhow::anyhow!("{} exists already; --force overwrites it", path.display()),
            other => other.into(),
        })?;
    }
    write_file(&args.public_key, key.public().pem())?;
    let (public, private) = (args.public_key.display().to_string(), args.private_key.display().to_string());
    if args.json.json {
        print_json(&json!({
            "private_key": private, "public_key": public,
            "key_id": key.public().key_id(), "public_key_sha256": key.public().fingerprint(),
        }))?;
    } else {
        print_line(&format!("private key: {private}\npublic key: {public}\nkey id: {}", key.public().key_id()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How to sign: by the private key, by the shared key, by neither.
pub fn signing(key: Option<&str>, private_key: Option<&Path>, key_id: Option<&str>) -> anyhow::Result<Signing> {
    match (key, private_key) {
        (Some(_), Some(_)) => bail!("give --key or --private-key, not both"),
        (None, Some(file)) => {
            let (key, key_id) = private_key_file(file, key_id)?;
            Ok(Signing::Ed25519 { key, key_id })
        }
        (Some(key), None) => Ok(Signing::Hmac(Secret::new(key)?)),
        (None, None) => Ok(shared_key()?.map_or(Signing::Checksum, Signing::Hmac)),
    }
}

/// A private key and the id under which verifiers know it.
pub fn private_key_file(file: &Path, key_id: Option<&str>) -> anyhow::Result<(SigningKey, String)> {
    let key = signing_key_file(file)?;
    let key_id = key_id.unwrap_or_else(|| key.public().key_id()).to_owned();
    Ok((key, key_id))
}

/// The shared key of the environment, so that it need not stand on a command line.
pub fn shared_key() -> anyhow::Result<Option<Secret>> {
    Ok(Settings::from_env()?.evidence_signing_key)
}
