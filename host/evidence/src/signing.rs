//! Signature envelopes of manifests. docs/reference/evidence-and-promotion.md, section 0.2.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cavra_model::{Digest, Object, canonical_spaced};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use crate::SigningKey;

/// Block size of SHA-256, in bytes.
const BLOCK: usize = 64;

/// A key that never shows: it prints as stars and has no way out of this module.
#[derive(Clone)]
pub struct Secret(String);

/// An empty key signs nothing.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the signing key is empty")]
pub struct EmptySecret;

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl Secret {
    /// A key as the operator gave it.
    ///
    /// # Errors
    /// [`EmptySecret`] if there is nothing in it.
    pub fn new(key: impl Into<String>) -> Result<Self, EmptySecret> {
        let key = key.into();
        if key.is_empty() { Err(EmptySecret) } else { Ok(Self(key)) }
    }

    /// HMAC-SHA-256 of `message`.
    ///
    /// The key becomes one block, hashed first if it is longer (RFC 2104): that is the constructor which cannot fail.
    pub(crate) fn mac(&self, message: &[u8]) -> Vec<u8> {
        let hashed = Sha256::digest(&self.0);
        let key = if self.0.len() > BLOCK { hashed.as_slice() } else { self.0.as_bytes() };
        let mut block = [0_u8; BLOCK];
        block.iter_mut().zip(key).for_each(|(slot, byte)| *slot = *byte);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(message);
        mac.finalize().into_bytes().to_vec()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How a manifest is signed.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a process holds one or two of them")]
pub enum Signing {
    /// `SHA256`: a digest, which shows damage but not who made the bundle.
    Checksum,
    /// `HS256`: a key that signer and verifier share.
    Hmac(Secret),
    /// `Ed25519`: only the signer can sign, everybody can verify.
    Ed25519 {
        /// The signer's key.
        key: SigningKey,
        /// Under which id verifiers know it.
        key_id: String,
    },
}

impl Signing {
    /// The name of the algorithm, as envelopes have it.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::Checksum => "SHA256",
            Self::Hmac(_) => "HS256",
            Self::Ed25519 { .. } => "Ed25519",
        }
    }

    /// The envelope for `document`, over its spaced canonical form without its own `signature` member.
    #[must_use]
    pub fn envelope(&self, document: &Object) -> Object {
        let message = signed_text(document);
        let members = match self {
            Self::Checksum => vec![("value", Digest::of(message).hex().to_owned())],
            Self::Hmac(key) => {
                vec![("value", STANDARD.encode(key.mac(message.as_bytes())))]
            }
            Self::Ed25519 { key, key_id } => vec![
                ("key_id", key_id.clone()),
                ("public_key_sha256", key.public().fingerprint().to_owned()),
                ("value", STANDARD.encode(key.sign(message.as_bytes()))),
            ],
        };
        let algorithm = ("algorithm", self.algorithm().to_owned());
        std::iter::once(algorithm).chain(members).map(|(name, text)| (name.to_owned(), Value::String(text))).collect()
    }

    /// Puts the envelope into `document`, in place of an earlier one.
    pub fn sign(&self, document: &mut Object) {
        let envelope = self.envelope(document);
        document.insert("signature".to_owned(), Value::Object(envelope));
    }
}

/// What a signature of `document` is over: its spaced canonical form without its own `signature` member.
pub(crate) fn signed_text(document: &Object) -> String {
    let mut unsigned = document.clone();
    unsigned.remove("signature");
    canonical_spaced(&Value::Object(unsigned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hmac(key: &str) -> Signing {
        Signing::Hmac(Secret::new(key).unwrap())
    }

    /// The manifest vectors of docs/reference/evidence-and-promotion.md, section 0.2. A signature already there is not part of what is signed.
    #[test]
    fn vectors_of_the_contract() {
        let mut manifest = json!({
            "schema_version": "cavra.evidence.bundle.v1", "product": "CAVRA",
            "created_at": "2031-02-03T04:05:06+00:00", "signer": "équipe",
            "files": [{"path": "evidence.json", "sha256": "ab".repeat(32), "bytes": 7}],
        });
        let manifest = manifest.as_object_mut().unwrap();
        let vectors = [
            (Signing::Checksum, "SHA256", "d73456ad1b488343fdabf40fbeb7640ad4361be5d8f5fb6eb9c49b9f3a194ae4"),
            (hmac("vector-key"), "HS256", "irwh5SbYCEvFZaNoa77bUmZZ/9IBDBOoNKNGuxjm/E8="),
        ];
        for (signing, algorithm, value) in vectors {
            signing.sign(manifest);
            assert_eq!(manifest["signature"], json!({"algorithm": algorithm, "value": value}));
        }
        let key = crate::keys::tests::vector_key();
        let key_id = key.public().key_id().to_owned();
        Signing::Ed25519 { key, key_id }.sign(manifest);
        assert_eq!(
            manifest["signature"],
            json!({
                "algorithm": "Ed25519", "key_id": "f0ff50dacf109dea",
                "public_key_sha256": "f0ff50dacf109dea7f716d7c03eb7a821aa3a283fd3fa02f4c14dbba7d3c3322",
                "value": "juJzLDpQ/VuMdkSR3woDCHUQ1+yPrq+gGfs8uR4kXXQb9iRuLOvIU8TjbawKun4wyx44OlYyHRcYGWE1pJZ2DQ==",
            })
        );
    }

    /// RFC 4231, test case 6 in spirit: a key longer than a block is the key of its digest.
    #[test]
    fn keys_of_every_length_follow_the_standard() {
        for length in [1, 63, 64, 65, 131] {
            let key = "k".repeat(length);
            let mut expected = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
            expected.update(b"message");
            assert_eq!(Secret::new(key).unwrap().mac(b"message"), expected.finalize().into_bytes().to_vec());
        }
    }

    #[test]
    fn a_secret_prints_as_stars() {
        let signing = hmac("hunter2");
        assert_eq!(format!("{signing:?}"), "Hmac(***)");
        assert_eq!(Secret::new("hunter2").unwrap().to_string(), "***");
        assert_eq!(Secret::new("").unwrap_err(), EmptySecret);
    }
}
