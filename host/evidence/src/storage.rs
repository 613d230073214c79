//! How a bundle is stored where nobody can change or delete it before its time. docs/reference/evidence-and-promotion.md, section 5.

use cavra_model::members::text;
use cavra_model::{Object, Timestamp};
use serde_json::{Value, json};
use thiserror::Error;

use crate::bundle::MANIFEST;
use crate::documents::PRODUCT;
use crate::folder::{BundleFolder, FileFault};
use crate::markdown::code;

/// Where a bundle goes.
#[derive(Clone, Debug)]
pub struct StorageTargets<'a> {
    /// Days the store keeps it.
    pub retention_days: u32,
    /// S3 bucket.
    pub s3_bucket: &'a str,
    /// Prefix of the S3 keys.
    pub s3_prefix: &'a str,
    /// Azure storage account.
    pub azure_account: &'a str,
    /// Azure container.
    pub azure_container: &'a str,
}

/// There is no plan.
#[derive(Debug, Error)]
pub enum StorageError {
    /// A file that the manifest lists, or the manifest itself, cannot be used.
    #[error("{0}: {1}")]
    File(String, FileFault),
    /// The manifest lists no files.
    #[error("the manifest lists no files")]
    NoFiles,
    /// A name that does not fit into an address.
    #[error("{0} has a character that storage addresses do not have")]
    Name(&'static str),
}

/// `immutable-storage-plan.json`: the settings of the stores, and where each file of the bundle goes.
///
/// # Errors
/// [`StorageError`].
pub fn storage_plan(
    folder: &BundleFolder,
    targets: &StorageTargets<'_>,
    now: Timestamp,
) -> Result<Value, StorageError> {
    check_names(targets)?;
    let manifest = folder.json(MANIFEST).map_err(|error| StorageError::File(MANIFEST.to_owned(), error.fault))?;
    let names: Vec<&str> = manifest
        .get("files")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.get("path")?.as_str())
        .collect();
    if names.is_empty() {
        return Err(StorageError::NoFiles);
    }
    let files = names.into_iter().map(|name| file(folder, targets, name)).collect::<Result<Vec<_>, _>>()?;
    let days = targets.retention_days;
    Ok(json!({
        "schema_version": "cavra.immutable-storage-plan.v1",
        "product": PRODUCT,
        "created_at": now,
        "bundle": {
            "manifest_signature": manifest.get("signature"),
            "created_at": manifest.get("created_at"),
            "signer": manifest.get("signer"),
            "manifest": file(folder, targets, MANIFEST)?,
        },
        "retention": {
            "mode": "compliance",
            "retention_days": days,
            "delete_protection": true,
            "legal_hold_supported": true,
        },
        "s3_object_lock": {
            "bucket": targets.s3_bucket,
            "prefix": targets.s3_prefix,
            "object_lock_enabled": true,
            "default_retention_mode": "COMPLIANCE",
            "default_retention_days": days,
            "required_bucket_versioning": true,
            "required_kms_encryption": true,
            "deployment_reference": "https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html",
        },
        "azure_immutable_blob": {
            "account": targets.azure_account,
            "container": targets.azure_container,
            "immutability_policy_days": days,
            "allow_protected_append_writes": false,
            "required_versioning": true,
            "required_infrastructure_encryption": true,
            "deployment_reference":
                "https://learn.microsoft.com/azure/storage/blobs/immutable-storage-overview",
        },
        "files": files,
    }))
}

fn check_names(targets: &StorageTargets<'_>) -> Result<(), StorageError> {
    let fits = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    for (what, text, more, may_be_empty) in [
        ("the S3 bucket", targets.s3_bucket, ".-_", false),
        ("the S3 prefix", targets.s3_prefix, "/!-_.*'()=", true),
        ("the Azure account", targets.azure_account, "-", false),
        ("the Azure container", targets.azure_container, "-$", false),
    ] {
        if !fits(text, more) || (text.is_empty() && !may_be_empty) {
            return Err(StorageError::Name(what));
        }
    }
    Ok(())
}

fn file(folder: &BundleFolder, targets: &StorageTargets<'_>, name: &str) -> Result<Object, StorageError> {
    let measured = folder.measure(name).map_err(|fault| StorageError::File(name.to_owned(), fault))?;
    let StorageTargets { s3_bucket, s3_prefix, azure_account, azure_container, .. } = targets;
    let key = match s3_prefix.trim_matches('/') {
        "" => name.to_owned(),
        prefix => format!("{prefix}/{name}"),
    };
    Ok(Object::from_iter([
        ("path".to_owned(), json!(name)),
        ("sha256".to_owned(), json!(measured.sha256)),
        ("bytes".to_owned(), json!(measured.bytes)),
        ("s3_uri".to_owned(), json!(format!("s3://{s3_bucket}/{key}"))),
        (
            "azure_blob".to_owned(),
            json!(format!("https://{azure_account}.blob.core.windows.net/{azure_container}/{name}")),
        ),
    ]))
}

/// The plan for people.
#[must_use]
pub fn storage_plan_markdown(plan: &Value) -> String {
    let of = |pointer: &str| {
        let value = plan.pointer(pointer).unwrap_or(&Value::Null);
        code(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    let mut out = format!(
        "# CAVRA Immutable Storage Plan\n\nSigner: {}\n\nBundle created: {}\n\nRetention days: {}\n\n\
         ## S3 Object Lock\n\n- Bucket: {}\n- Prefix: {}\n- Mode: {}\n\
         - Needed before the first upload: bucket versioning, KMS encryption, Object Lock\n\n\
         ## Azure Immutable Blob Storage\n\n- Account: {}\n- Container: {}\n- Protected append writes: {}\n\
         - Needed before the first upload: versioning, infrastructure encryption, a locked time-based policy\n\n\
         ## Files\n\n| File | SHA-256 | Bytes |\n| --- | --- | --- |\n",
        of("/bundle/signer"),
        of("/bundle/created_at"),
        of("/retention/retention_days"),
        of("/s3_object_lock/bucket"),
        of("/s3_object_lock/prefix"),
        of("/s3_object_lock/default_retention_mode"),
        of("/azure_immutable_blob/account"),
        of("/azure_immutable_blob/container"),
        of("/azure_immutable_blob/allow_protected_append_writes"),
    );
    let listed = plan.get("files").and_then(Value::as_array).into_iter().flatten();
    for file in listed.chain(plan.pointer("/bundle/manifest")).filter_map(Value::as_object) {
        let bytes = file.get("bytes").and_then(Value::as_u64).unwrap_or_default();
        out.push_str(&format!("| {} | {} | {bytes} |\n", code(text(file, "path")), code(text(file, "sha256"))));
    }
    out
}
