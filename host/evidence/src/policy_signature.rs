//! Signatures of policy packs, kept beside `policy.yaml`. Where a component decides with the policy, the signature is of
//! both: of the policy's bytes, a NUL, and the component's digest as text (`docs/policy-packs.md`).

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

/// The component that is signed with it, if there is one.
const COMPONENT_FILE: &str = "policy.wasm";

/// The member of the document that holds the digest of the component.
const COMPONENT_DIGEST: &str = "component_digest";

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
    /// The policy holds a NUL, which no policy does and which separates it from the digest of its component.
    #[error("the policy is no text")]
    Nul,
    /// The component that was signed is gone.
    #[error("its {COMPONENT_FILE} is missing; the signature is of both")]
    ComponentMissing,
    /// A component that was not signed.
    #[error("its {COMPONENT_FILE} is not covered by the signature; publish or sign the pack again")]
    ComponentUncovered,
    /// The component was exchanged.
    #[error("its {COMPONENT_FILE} is not the one that was signed")]
    ComponentDigest,
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

/// Signs the bytes of a policy, and the component of that digest with them.
#[must_use]
pub fn sign_policy(
    bytes: &[u8],
    component: Option<&Digest>,
    signing: &Signing,
    signer: &str,
    now: Timestamp,
) -> Object {
    let digest = Digest::of(bytes);
    let message = message(bytes, component);
    let mut members = Object::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("schema_version", json!(SCHEMA));
    put("digest", json!(digest));
    put("signed_at", json!(now));
    put("signer", json!(signer));
    put("policy_file", json!(POLICY_FILE));
    if let Some(component) = component {
        put("component_file", json!(COMPONENT_FILE));
        put(COMPONENT_DIGEST, json!(component));
    }
    let (algorithm, signature) = match signing {
        Signing::Checksum => ("SHA256", checksum(&digest, &message)),
        Signing::Hmac(key) => ("HS256", key.mac(&message)),
        Signing::Ed25519 { key, key_id } => {
            put("key_id", json!(key_id));
            put("public_key_sha256", json!(key.public().fingerprint()));
            ("Ed25519", SigningKey::sign(key, &message).to_vec())
        }
    };
    put("algorithm", json!(algorithm));
    put("signature", json!(STANDARD.encode(signature)));
    members
}

/// Checks a signature document against the policy's bytes and the digest of the component beside it, if there is one. A
/// key that is given has to be the one that signed.
///
/// # Errors
/// [`PolicySignatureError`].
pub fn verify_policy(
    bytes: &[u8],
    component: Option<&Digest>,
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
    if bytes.contains(&0) {
        return Err(PolicySignatureError::Nul);
    }
    match (document.get(COMPONENT_DIGEST), component) {
        (None, None) => {}
        (Some(_), None) => return Err(PolicySignatureError::ComponentMissing),
        (None, Some(_)) => return Err(PolicySignatureError::ComponentUncovered),
        (Some(signed), Some(there)) if signed.as_str() != Some(there.as_str()) => {
            return Err(PolicySignatureError::ComponentDigest);
        }
        (Some(_), Some(_)) => {}
    }
    let message = message(bytes, component);
    let algorithm = text("algorithm").ok_or(PolicySignatureError::Malformed)?;
    let signature = text("signature").and_then(|value| STANDARD.decode(value).ok());
    let signature = signature.ok_or(PolicySignatureError::Malformed)?;
    let same = |expected: &[u8]| bool::from(expected.ct_eq(&signature));
    let holds = match (&trust.public_key, &trust.key) {
        (Some(_), _) if algorithm != "Ed25519" => return Err(PolicySignatureError::Algorithm("Ed25519")),
        (Some(key), _) if text("public_key_sha256") != Some(key.fingerprint()) => {
            return Err(PolicySignatureError::Fingerprint);
        }
        (Some(key), _) => key.verifies(&message, &signature),
        (None, Some(_)) if algorithm != "HS256" => return Err(PolicySignatureError::Algorithm("HS256")),
        (None, Some(key)) => same(&key.mac(&message)),
        (None, None) => {
            let known = match algorithm {
                "SHA256" => same(&checksum(&digest, &message)),
                "HS256" | "Ed25519" => true,
                _ => return Err(PolicySignatureError::Malformed),
            };
            return if known { Ok(PolicyVerdict::DigestOnly) } else { Err(PolicySignatureError::Value) };
        }
    };
    if holds { Ok(PolicyVerdict::Verified) } else { Err(PolicySignatureError::Value) }
}

/// What is signed. A policy is a text, so the NUL says that a component's digest follows; without a component it is the
/// policy alone.
fn message(bytes: &[u8], component: Option<&Digest>) -> Vec<u8> {
    let mut message = bytes.to_vec();
    if let Some(component) = component {
        message.push(0);
        message.extend_from_slice(component.as_str().as_bytes());
    }
    message
}

/// The keyless form: an HMAC whose key is the hex digits of the policy's digest.
fn checksum(digest: &Digest, message: &[u8]) -> Vec<u8> {
    Secret::new(digest.hex()).map(|key| key.mac(message)).unwrap_or_default()
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
        Value::Object(sign_policy(POLICY, None, signing, "ann", Timestamp::from_micros(0)))
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
            assert_eq!(verify_policy(POLICY, None, &document, &PolicyTrust::default()), without, "{document}");
            assert_eq!(verify_policy(POLICY, None, &document, &shared), with_shared, "{document}");
            assert_eq!(verify_policy(POLICY, None, &document, &public), with_public, "{document}");
            for trust in [&PolicyTrust::default(), &shared, &public] {
                assert_eq!(verify_policy(b"other", None, &document, trust), Err(PolicySignatureError::Digest));
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
            assert_eq!(verify_policy(POLICY, None, &changed, &shared), Err(error), "{member}");
        }
        let mut other = signed(&Signing::Ed25519 { key: vector_key(), key_id: "k".into() });
        other["public_key_sha256"] = json!("00");
        assert_eq!(verify_policy(POLICY, None, &other, &public), Err(PolicySignatureError::Fingerprint));
        let mut checksum = signed(&Signing::Checksum);
        checksum["signature"] = json!("AAAA");
        assert_eq!(verify_policy(POLICY, None, &checksum, &PolicyTrust::default()), Err(PolicySignatureError::Value));
    }

    /// The key of the checksum form is the digest's hex text, as the contract says.
    #[test]
    fn the_checksum_is_keyed_by_the_digest() {
        let document = signed(&Signing::Checksum);
        let hex = document["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        assert_eq!(document["signature"], json!(STANDARD.encode(Secret::new(hex).unwrap().mac(POLICY))));
    }

    /// Whoever may write files but has no key can present a pack only as it was signed, whatever he writes into the
    /// document.
    #[test]
    fn a_component_is_signed_with_its_policy() {
        let (mine, other) = (Digest::of(b"mine"), Digest::of(b"other"));
        let ed25519 = || Signing::Ed25519 { key: vector_key(), key_id: "k".into() };
        let shared = trust(Some("k"), None);
        let public = trust(None, Some(vector_key().public()));
        use PolicySignatureError::{ComponentDigest, ComponentMissing, ComponentUncovered, Value as Forged};
        for (signing, trust) in [(hmac("k"), &shared), (ed25519(), &public)] {
            for signed in [None, Some(&mine)] {
                let good = Value::Object(sign_policy(POLICY, signed, &signing, "ann", Timestamp::from_micros(0)));
                for there in [None, Some(&mine), Some(&other)] {
                    let expected = match (signed, there) {
                        _ if signed == there => Ok(PolicyVerdict::Verified),
                        (Some(_), None) => Err(ComponentMissing),
                        (None, _) => Err(ComponentUncovered),
                        _ => Err(ComponentDigest),
                    };
                    assert_eq!(verify_policy(POLICY, there, &good, trust), expected);
                    // The document is mended so that it names what is there.
                    let mut forged = good.clone();
                    let members = forged.as_object_mut().unwrap();
                    members.remove(COMPONENT_DIGEST);
                    members.extend(there.map(|there| (COMPONENT_DIGEST.to_owned(), json!(there))));
                    let expected = if signed == there { Ok(PolicyVerdict::Verified) } else { Err(Forged) };
                    assert_eq!(verify_policy(POLICY, there, &forged, trust), expected);
                }
            }
        }
        // The bytes that are signed with a component are no policy by themselves.
        let both = [POLICY, b"\0", mine.as_str().as_bytes()].concat();
        let alone = Value::Object(sign_policy(&both, None, &hmac("k"), "ann", Timestamp::from_micros(0)));
        assert_eq!(verify_policy(&both, None, &alone, &shared), Err(PolicySignatureError::Nul));
    }

    /// What signed packs without a component carry is what they always carried.
    #[test]
    fn without_a_component_the_policy_alone_is_signed() {
        let document = signed(&hmac("k"));
        assert_eq!(document["signature"], json!(STANDARD.encode(Secret::new("k").unwrap().mac(POLICY))));
        assert!(document.get(COMPONENT_DIGEST).is_none());
    }
}
