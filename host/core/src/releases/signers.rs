//! Keys that release packages have to be signed with.

use std::path::Path;

use cavra_documents::read_document;
use cavra_evidence::{PublicKey, TrustRoots};
use cavra_model::Timestamp;

use crate::CoreError;

/// The keys of the trust roots in a file that are active and valid now. A signature without a trustworthy time cannot be
/// judged by the past.
///
/// # Errors
/// [`CoreError::Configuration`] for a file that holds no such key: nobody would then be trusted, or everybody.
pub fn package_signers(file: &Path) -> Result<Vec<PublicKey>, CoreError> {
    let wrong = |problem: &str| CoreError::Configuration(format!("trust root {}: {problem}", file.display()));
    let document = read_document(file).map_err(|problem| wrong(&problem))?;
    let roots = TrustRoots::read(&document).map_err(|error| wrong(&error.to_string()))?;
    let keys = roots.active_keys(Timestamp::now());
    if keys.is_empty() { Err(wrong("trust root is not active")) } else { Ok(keys) }
}
