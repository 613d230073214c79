//! `cavra policy sign` and `verify`: the signature beside a policy, of it and of the `policy.wasm` beside it
//! (`docs/policy-packs.md`).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use cavra_evidence::{PolicyTrust, Secret, Signing, pretty, read_file, sign_policy, verify_policy};
use cavra_model::Timestamp;
use cavra_packs::MAX_POLICY_BYTES;
use serde_json::{Value, json};

use crate::args::{PolicySignArgs, PolicyVerifyArgs};
use crate::input::{MAX_KEY_BYTES, json_file, public_key_file, signing_key_file};
use crate::output::{print_json, print_line};

pub fn sign(args: &PolicySignArgs) -> anyhow::Result<ExitCode> {
    let signing = match (&args.private_key, &args.key) {
        (Some(file), _) => {
            let key = signing_key_file(file)?;
            let key_id = args.key_id.clone().unwrap_or_else(|| key.public().key_id().to_owned());
            Signing::Ed25519 { key, key_id }
        }
        (None, Some(key)) => Signing::Hmac(Secret::new(key.as_str())?),
        (None, None) => Signing::Checksum,
    };
    let policy = policy_file(&args.path);
    let bytes = policy_bytes(&policy)?;
    let document = cavra_packs::read_policy(&policy).context("only a policy is signed")?;
    ensure!(document.is_object(), "{} is no policy; only a policy is signed", policy.display());
    let component = cavra_packs::component_digest(&policy)?;
    let document = Value::Object(sign_policy(&bytes, component.as_ref(), &signing, &args.signer, Timestamp::now()));
    let file = signature_file(&policy);
    cavra_evidence::write_file(&file, pretty(&document))?;
    if args.json.json {
        print_json(&json!({ "signature_path": file.display().to_string(), "signature": document }))?;
    } else {
        let algorithm = document.get("algorithm").and_then(Value::as_str).unwrap_or_default();
        let with = component.map(|_| " with its policy.wasm").unwrap_or_default();
        print_line(&format!("signed {}{with} ({algorithm}): {}", policy.display(), file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub fn verify(args: &PolicyVerifyArgs) -> anyhow::Result<ExitCode> {
    let public_key = args.public_key.as_deref().map(public_key_file).transpose()?;
    let key = args.key.as_deref().map(Secret::new).transpose()?;
    let policy = policy_file(&args.path);
    let bytes = policy_bytes(&policy)?;
    let file = args.signature.clone().unwrap_or_else(|| signature_file(&policy));
    let document = json_file(&file, MAX_KEY_BYTES)?;
    let component = cavra_packs::component_digest(&policy)?;
    let outcome = verify_policy(&bytes, component.as_ref(), &document, &PolicyTrust { key, public_key });
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

fn policy_bytes(policy: &Path) -> anyhow::Result<Vec<u8>> {
    Ok(read_file(policy, u64::try_from(MAX_POLICY_BYTES).unwrap_or(u64::MAX))?)
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
