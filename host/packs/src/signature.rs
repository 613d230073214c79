//! Whether a pack is what was published: the signature beside it, checked with the operator's key.

use std::fmt;
use std::sync::Arc;

use cavra_model::{Digest, PackName};
use serde_json::Value;

use crate::pack::metadata;

/// The signature's file beside `policy.yaml`.
pub const SIGNATURE_FILE: &str = "policy.yaml.sig.json";

/// Largest signature file, in bytes.
pub(crate) const MAX_SIGNATURE_BYTES: usize = 64 << 10;

type Check = dyn Fn(&[u8], Option<&Digest>, &[u8]) -> Result<(), String> + Send + Sync;

/// Checks the bytes of a policy and the digest of its component against the bytes of its signature file.
#[derive(Clone)]
pub struct SignatureCheck(Arc<Check>);

impl SignatureCheck {
    /// A check that says in one sentence what is wrong.
    #[must_use]
    pub fn new(check: impl Fn(&[u8], Option<&Digest>, &[u8]) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(check))
    }
}

impl fmt::Debug for SignatureCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignatureCheck")
    }
}

/// What the signature beside a pack showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody asks here, or the pack is shipped.
    Unchecked,
    /// There is none.
    Unsigned,
    /// It is the operator's, of exactly this policy and component under this name.
    Verified,
    /// It is not, and why.
    Refused(String),
}

/// A pack that does not verify, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified {
    /// The pack.
    pub pack: String,
    /// What is wrong, for people.
    pub problem: String,
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy pack `{}` is not as it was published: {}", self.pack, self.problem)
    }
}

/// Checks a pack. `name` is the folder it lies in: a signature says whose policy it is, and a signed pack in another
/// one's folder would take its place.
pub(crate) fn standing(
    check: Option<&SignatureCheck>,
    name: Option<&PackName>,
    (yaml, component): (&[u8], Option<&Digest>),
    document: Option<&Value>,
    signature: Option<&[u8]>,
) -> Standing {
    let (Some(check), signature) = (check, signature) else { return Standing::Unchecked };
    let Some(signature) = signature else { return Standing::Unsigned };
    if let Err(problem) = (check.0)(yaml, component, signature) {
        return Standing::Refused(problem);
    }
    match (name, document.and_then(|document| metadata(document, "id"))) {
        (Some(name), Some(id)) if id != name.as_str() => {
            Standing::Refused(format!("it is the signed pack `{}`, under another name", crate::error::shown(id)))
        }
        _ => Standing::Verified,
    }
}
