//! Signatures of `policy.yaml`, kept beside it. Contract 20, section 4.3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cavra_model::{Digest, Object, Timestamp};
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use crate::signing::{Secret, Signing};
use crate::{PublicKey, keys::SigningKey};

const SCHEMA: &str = "cavra.policy-signature.v1";

/// The file that is signed.
const POLICY_FILE: &str = "policy.yaml";

/// What a verifier holds.
#[derive(Clone, Debug, Default)]
pub struct PolicyTrust {
    /// The shared key.
    pub key: Option<Secret>,
    /// The signer's public key.
    pub public_key: Option<PublicKey>,
}

/// What a verification showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyVerdict {
    /// The holder of the key signed exactly these bytes.
    Verified,
    /// The digest is right; who signed was not checked.
    DigestOnly,
}

impl PolicyVerdict {
    /// One sentence for people.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Verified => "policy signature verified",
            Self::DigestOnly => "digest only: the policy matches its signature document; who signed was not checked",
        }
    }
}

/// Why a signature does not hold.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PolicySignatureError {
    /// Not a signature document, or one of another kind.
    #[error("the signature is not a {SCHEMA} document")]
    Malformed,
    /// The policy was changed.
    #[error("the policy does not match the signed digest")]
    Digest,
    /// Signed with something else than what the verifier holds.
    #[error("the signature is no {0} signature")]
    Algorithm(&'static str),
    /// The key is another one.
    #[error("the signature names another public key")]
    Fingerprint,
    /// The value is wrong.
    #[error("the signature does not verify")]
    Value,
}

/// Signs the bytes of a policy.
#[must_use]
pub fn sign_policy(bytes: &[u8], signing: &Signing, signer: &str, now: Timestamp) -> Object {
    let digest = Digest::of(bytes);
    let mut members = Object::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("schema_version", json!(SCHEMA));
    put("digest", json!(digest));
    put("signed_at", json!(now));
    put("signer", json!(signer));
    put("policy_file", json!(POLICY_FILE));
    let (algorithm, signature) = match signing {
        Signing::Checksum => ("SHA256", checksum(&digest, bytes)),
        Signing::Hmac(key) => ("HS256", key.mac(bytes)),
        Signing::Ed25519 { key, key_id } => {
            put("key_id", json!(key_id));
            put("public_key_sha256", json!(key.public().fingerprint()));
            ("Ed25519", SigningKey::sign(key, bytes).to_vec())
        }
    };
    put("algorithm", json!(algorithm));
    put("signature", json!(STANDARD.encode(signature)));
    members
}

/// Checks a signature document against the policy's bytes. A key that is given has to be the one that signed.
///
/// # Errors
/// [`PolicySignatureError`].
pub fn verify_policy(
    bytes: &[u8],
    document: &Value,
    trust: &PolicyTrust,
) -> Result<PolicyVerdict, PolicySignatureError> {
    let text = |member: &str| document.get(member).and_then(Value::as_str);
    if text("schema_version") != Some(SCHEMA) {
        return Err(PolicySignatureError::Malformed);
    }
    let digest = Digest::of(bytes);
    if text("digest") != Some(digest.as_str()) {
        return Err(PolicySignatureError::Digest);
    }
    let algorithm = text("algorithm").ok_or(PolicySignatureError::Malformed)?;
    let signature = text("signature").and_then(|value| STANDARD.decode(value).ok());
    let signature = signature.ok_or(PolicySignatureError::Malformed)?;
    let same = |expected: &[u8]| bool::from(expected.ct_eq(&signature));
    let holds = match (&trust.public_key, &trust.key) {
        (Some(_), _) if algorithm != "Ed25519" => return Err(PolicySignatureError::Algorithm("Ed25519")),
        (Some(key), _) if text("public_key_sha256") != Some(key.fingerprint()) => {
            return Err(PolicySignatureError::Fingerprint);
        }
        (Some(key), _) => key.verifies(bytes, &signature),
        (None, Some(_)) if algorithm != "HS256" => return Err(PolicySignatureError::Algorithm("HS256")),
        (None, Some(key)) => same(&key.mac(bytes)),
        (None, None) => {
            let known = match algorithm {
                "SHA256" => same(&checksum(&digest, bytes)),
                "HS256" | "Ed25519" => true,
                _ => return Err(PolicySignatureError::Malformed),
            };
            return if known { Ok(PolicyVerdict::DigestOnly) } else { Err(PolicySignatureError::Value) };
        }
    };
    if holds { Ok(PolicyVerdict::Verified) } else { Err(PolicySignatureError::Value) }
}

/// The keyless form: an HMAC whose key is the digest's hex digits.
fn checksum(digest: &Digest, bytes: &[u8]) -> Vec<u8> {
    Secret::new(digest.hex()).map(|key| key.mac(bytes)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::vector_key;

    const POLICY: &[u8] = b"metadata:\n  id: cavra-x\n";

    fn hmac(key: &str) -> Signing {
        Signing::Hmac(Secret::new(key).unwrap())
    }

    fn trust(key: Option<&str>, public_key: Option<&PublicKey>) -> PolicyTrust {
        PolicyTrust { key: key.map(|key| Secret::new(key).unwrap()), public_key: public_key.cloned() }
    }

    fn signed(signing: &Signing) -> Value {
        Value::Object(sign_policy(POLICY, signing, "ann", Timestamp::from_micros(0)))
    }

    #[test]
    fn every_way_of_signing_verifies_as_what_it_is() {
        let ed25519 = Signing::Ed25519 { key: vector_key(), key_id: "k".into() };
        let (shared, public) = (trust(Some("k"), None), trust(None, Some(vector_key().public())));
        use PolicySignatureError::Algorithm;
        use PolicyVerdict::{DigestOnly, Verified};
        for (signing, without, with_shared, with_public) in [
            (Signing::Checksum, Ok(DigestOnly), Err(Algorithm("HS256")), Err(Algorithm("Ed25519"))),
            (hmac("k"), Ok(DigestOnly), Ok(Verified), Err(Algorithm("Ed25519"))),
            (hmac("other"), Ok(DigestOnly), Err(PolicySignatureError::Value), Err(Algorithm("Ed25519"))),
            (ed25519, Ok(DigestOnly), Err(Algorithm("HS256")), Ok(Verified)),
        ] {
            let document = signed(&signing);
            assert_eq!(verify_policy(POLICY, &document, &PolicyTrust::default()), without, "{document}");
            assert_eq!(verify_policy(POLICY, &document, &shared), with_shared, "{document}");
            assert_eq!(verify_policy(POLICY, &document, &public), with_public, "{document}");
            for trust in [&PolicyTrust::default(), &shared, &public] {
                assert_eq!(verify_policy(b"other", &document, trust), Err(PolicySignatureError::Digest));
            }
        }
    }

    #[test]
    fn changed_documents_do_not_verify() {
        let shared = trust(Some("k"), None);
        let public = trust(None, Some(vector_key().public()));
        let document = signed(&hmac("k"));
        for (member, value, error) in [
            ("schema_version", json!("x"), PolicySignatureError::Malformed),
            ("algorithm", json!(null), PolicySignatureError::Malformed),
            ("signature", json!("***"), PolicySignatureError::Malformed),
            ("signature", json!("AAAA"), PolicySignatureError::Value),
        ] {
            let mut changed = document.clone();
            changed[member] = value;
            assert_eq!(verify_policy(POLICY, &changed, &shared), Err(error), "{member}");
        }
        let mut other = signed(&Signing::Ed25519 { key: vector_key(), key_id: "k".into() });
        other["public_key_sha256"] = json!("00");
        assert_eq!(verify_policy(POLICY, &other, &public), Err(PolicySignatureError::Fingerprint));
        let mut checksum = signed(&Signing::Checksum);
        checksum["signature"] = json!("AAAA");
        assert_eq!(verify_policy(POLICY, &checksum, &PolicyTrust::default()), Err(PolicySignatureError::Value));
    }

    /// The key of the checksum form is the digest's hex text, as the contract says.
    #[test]
    fn the_checksum_is_keyed_by_the_digest() {
        let document = signed(&Signing::Checksum);
        let hex = document["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        assert_eq!(document["signature"], json!(STANDARD.encode(Secret::new(hex).unwrap().mac(POLICY))));
    }
}
