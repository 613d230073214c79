//! `cavra policy sign` and `verify`: the signature beside a policy. Contract 20, section 4.3.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use cavra_evidence::{PolicyTrust, PublicKey, Secret, Signing, SigningKey, pretty, sign_policy, verify_policy};
use cavra_model::Timestamp;
use serde_json::{Value, json};

use crate::args::{PolicySignArgs, PolicyVerifyArgs};
use crate::output::{print_json, print_line};

pub fn sign(args: &PolicySignArgs) -> anyhow::Result<ExitCode> {
    let signing = match (&args.private_key, &args.key) {
        (Some(file), _) => {
            let key = SigningKey::from_pem(&read_text(file)?).with_context(|| file.display().to_string())?;
            let key_id = args.key_id.clone().unwrap_or_else(|| key.public().key_id().to_owned());
            Signing::Ed25519 { key, key_id }
        }
        (None, Some(key)) => Signing::Hmac(Secret::new(key.as_str())?),
        (None, None) => Signing::Checksum,
    };
    let policy = policy_file(&args.path);
    let bytes = read(&policy)?;
    let document = cavra_packs::read_policy(&policy).context("only a policy is signed")?;
    ensure!(document.is_object(), "{} is no policy; only a policy is signed", policy.display());
    let document = Value::Object(sign_policy(&bytes, &signing, &args.signer, Timestamp::now()));
    let file = signature_file(&policy);
    cavra_evidence::write_file(&file, pretty(&document))?;
    if args.json.json {
        print_json(&json!({ "signature_path": file.display().to_string(), "signature": document }))?;
    } else {
        let algorithm = document.get("algorithm").and_then(Value::as_str).unwrap_or_default();
        print_line(&format!("signed {} ({algorithm}): {}", policy.display(), file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub fn verify(args: &PolicyVerifyArgs) -> anyhow::Result<ExitCode> {
    let public_key = match &args.public_key {
        Some(file) => Some(PublicKey::from_pem(&read_text(file)?).with_context(|| file.display().to_string())?),
        None => None,
    };
    let key = args.key.as_deref().map(Secret::new).transpose()?;
    let policy = policy_file(&args.path);
    let bytes = read(&policy)?;
    let file = args.signature.clone().unwrap_or_else(|| signature_file(&policy));
    let document: Value =
        serde_json::from_slice(&read(&file)?).with_context(|| format!("{} is not JSON", file.display()))?;
    let outcome = verify_policy(&bytes, &document, &PolicyTrust { key, public_key });
    let (valid, message) = match outcome {
        Ok(verdict) => (true, verdict.message().to_owned()),
        Err(error) => (false, error.to_string()),
    };
    if args.json.json {
        print_json(&json!({ "valid": valid, "message": message, "algorithm": document.get("algorithm") }))?;
    } else {
        print_line(&message)?;
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn policy_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("policy.yaml") } else { path.to_owned() }
}

/// `<policy>.sig.json`, beside the policy.
fn signature_file(policy: &Path) -> PathBuf {
    let mut name = policy.file_name().unwrap_or_default().to_owned();
    name.push(".sig.json");
    policy.with_file_name(name)
}

/// A file of the size a policy, key or signature has.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let limit = u64::try_from(cavra_packs::MAX_POLICY_BYTES).unwrap_or(u64::MAX);
    Ok(cavra_evidence::read_file(file, limit)?)
}

fn read_text(file: &Path) -> anyhow::Result<String> {
    String::from_utf8(read(file)?).with_context(|| format!("{} is not text", file.display()))
}
