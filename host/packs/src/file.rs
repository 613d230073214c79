//! A policy that somebody points at by path: the file that `CAVRA_POLICY` names, an overlay, a pack under development.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cavra_model::Digest;
use serde_json::Value;

use crate::error::PackError;
use crate::parse::MAX_POLICY_BYTES;
use crate::read::{ReadFault, read};
use crate::shelf::{COMPONENT, Component, MAX_COMPONENT_BYTES, POLICY, component_of, document_of};
use crate::signature::{MAX_SIGNATURE_BYTES, SIGNATURE_FILE, SignatureCheck, Standing, standing};

/// The document at a path: a file, or a folder with a `policy.yaml`. Its parents are not merged in.
///
/// # Errors
/// [`PackError::Unreadable`] and [`PackError::Invalid`], which name the path as it was given.
pub fn read_policy(path: &Path) -> Result<Value, PackError> {
    Ok(read_policy_bytes(path)?.0)
}

/// As [`read_policy`], with the bytes that the document was read from.
pub(crate) fn read_policy_bytes(path: &Path) -> Result<(Value, Vec<u8>), PackError> {
    let file = policy_file(path);
    let (yaml, _) = read(None, &file, MAX_POLICY_BYTES).map_err(|fault| unreadable(path, POLICY, fault))?;
    let yaml = yaml.ok_or_else(|| PackError::Unreadable {
        name: path.display().to_string(),
        problem: "there is no such file".to_owned(),
        source: None,
    })?;
    let document = document_of(&yaml).map_err(|problem| PackError::Invalid {
        name: path.display().to_string(),
        errors: vec![format!("<root>: {problem}")],
    })?;
    Ok((document, yaml))
}

/// Digest of the component that belongs to the policy at a path: the `policy.wasm` beside a `policy.yaml`.
///
/// # Errors
/// [`PackError::Unreadable`].
pub fn component_digest(path: &Path) -> Result<Option<Digest>, PackError> {
    Ok(read_component(path)?.map(|(_, digest)| digest))
}

/// The component that belongs to the policy at a path.
pub(crate) fn read_component(path: &Path) -> Result<Option<Component>, PackError> {
    let file = policy_file(path);
    if file.file_name().is_none_or(|name| name != POLICY) {
        return Ok(None);
    }
    let (wasm, _) = read(None, &file.with_file_name(COMPONENT), MAX_COMPONENT_BYTES)
        .map_err(|fault| unreadable(path, COMPONENT, fault))?;
    Ok(wasm.map(component_of))
}

/// What the signature beside the policy at a path shows. No other pack's place can be taken there, so the policy may be
/// called as it likes.
pub(crate) fn standing_at(
    path: &Path,
    signed: (&[u8], Option<&Digest>),
    check: &SignatureCheck,
) -> Result<Standing, PackError> {
    let file = policy_file(path);
    if file.file_name().is_none_or(|name| name != POLICY) {
        return Ok(Standing::Unchecked);
    }
    let (signature, _) = read(None, &file.with_file_name(SIGNATURE_FILE), MAX_SIGNATURE_BYTES)
        .map_err(|fault| unreadable(path, SIGNATURE_FILE, fault))?;
    Ok(standing(Some(check), None, signed, None, signature.as_deref()))
}

fn policy_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(POLICY) } else { path.to_owned() }
}

fn unreadable(path: &Path, file: &str, fault: ReadFault) -> PackError {
    let problem = fault.problem(file);
    let source = match fault {
        ReadFault::Io(error) => Some(Arc::new(error)),
        _ => None,
    };
    PackError::Unreadable { name: path.display().to_string(), problem, source }
}
