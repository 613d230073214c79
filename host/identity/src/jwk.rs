//! Public keys of an identity provider: JSON Web Keys (RFC 7517), RSA only.

use base64::Engine as _;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::Value;

use crate::jwt::BASE64URL;

/// Bits of the shortest modulus. ring rounds lengths up to whole bytes and would take 2041 bits.
const MIN_BITS: u32 = 2048;

/// An RSA public key that may verify RS256 signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    kid: Option<String>,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl Key {
    /// A key of a key set; `None` for keys of other types, for other uses or other algorithms, and for short ones.
    fn parse(jwk: &Value) -> Option<Self> {
        let text = |member: &str| jwk.get(member).and_then(Value::as_str);
        let fits = |member: &str, wanted: &str| jwk.get(member).is_none_or(|value| value.as_str() == Some(wanted));
        let verifies = jwk.get("key_ops").is_none_or(|operations| {
            operations.as_array().is_some_and(|list| list.iter().any(|operation| operation.as_str() == Some("verify")))
        });
        if text("kty") != Some("RSA") || !fits("use", "sig") || !fits("alg", "RS256") || !verifies {
            return None;
        }
        let integer = |member: &str| {
            let bytes = BASE64URL.decode(text(member)?).ok()?;
            let start = bytes.iter().position(|byte| *byte != 0)?;
            bytes.get(start..).map(<[u8]>::to_vec)
        };
        let (modulus, exponent) = (integer("n")?, integer("e")?);
        let length = u32::try_from(modulus.len()).ok()?.checked_mul(8)?;
        if length - modulus.first()?.leading_zeros() < MIN_BITS {
            return None;
        }
        Some(Self { kid: text("kid").map(ToOwned::to_owned), modulus, exponent })
    }

    /// Whether a token with that `kid` may have been signed by this key.
    pub fn may_verify(&self, kid: Option<&str>) -> bool {
        kid.is_none() || self.kid.as_deref() == kid
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017). Keys above 8192 bits verify nothing.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = RsaPublicKeyComponents { n: &self.modulus, e: &self.exponent };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
    }
}

/// The usable keys of a key set; `None` if it is no key set.
pub fn parse_keys(set: &Value) -> Option<Vec<Key>> {
    Some(set.get("keys")?.as_array()?.iter().filter_map(Key::parse).collect())
}
