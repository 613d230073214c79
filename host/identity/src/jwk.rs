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
    /// A key of a key set.
    ///
    /// # Errors
    /// Why it is not used: keys of other types, for other uses or other algorithms, and short ones.
    fn parse(jwk: &Value) -> Result<Self, &'static str> {
        let text = |member: &str| jwk.get(member).and_then(Value::as_str);
        let fits = |member: &str, wanted: &str| jwk.get(member).is_none_or(|value| value.as_str() == Some(wanted));
        let verifies = jwk.get("key_ops").is_none_or(|operations| {
            operations.as_array().is_some_and(|list| list.iter().any(|operation| operation.as_str() == Some("verify")))
        });
        if text("kty") != Some("RSA") {
            return Err("no RSA key");
        }
        if !fits("use", "sig") || !verifies {
            return Err("not for signatures");
        }
        if !fits("alg", "RS256") {
            return Err("for another algorithm");
        }
        let integer = |member: &str| {
            let bytes = BASE64URL.decode(text(member)?).ok()?;
            let start = bytes.iter().position(|byte| *byte != 0)?;
            bytes.get(start..).map(<[u8]>::to_vec)
        };
        let (Some(modulus), Some(exponent)) = (integer("n"), integer("e")) else {
            return Err("without modulus or exponent");
        };
        let bits = u32::try_from(modulus.len()).ok().and_then(|bytes| bytes.checked_mul(8));
        let unused = modulus.first().map_or(0, |first| first.leading_zeros());
        if bits.is_none_or(|bits| bits - unused < MIN_BITS) {
            return Err("shorter than 2048 bits");
        }
        Ok(Self { kid: text("kid").map(ToOwned::to_owned), modulus, exponent })
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

/// Keys that may verify tokens, and what else is in the set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet {
    /// Those that are used.
    pub keys: Vec<Key>,
    /// Those that are not, and why.
    skipped: Vec<String>,
}

/// Skipped keys that are named.
const NAMED: usize = 10;
/// Characters of a key's id that are shown.
const SHOWN: usize = 60;

impl KeySet {
    /// What is in the set, if none of it can be used: each key's id, type and fault.
    pub fn unusable(&self) -> Option<String> {
        if !self.keys.is_empty() {
            return None;
        }
        let mut named = self.skipped.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
        if self.skipped.len() > NAMED {
            named.push_str(&format!("; and {} more", self.skipped.len() - NAMED));
        }
        Some(if named.is_empty() { "it is empty".to_owned() } else { named })
    }
}

/// The keys of a key set; `None` if it is no key set.
pub fn parse_keys(set: &Value) -> Option<KeySet> {
    let mut found = KeySet::default();
    for jwk in set.get("keys")?.as_array()? {
        match Key::parse(jwk) {
            Ok(key) => found.keys.push(key),
            Err(why) => found.skipped.push(skipped(jwk, why)),
        }
    }
    Some(found)
}

/// A key that is not used, for the log: nothing of it but its id and type.
fn skipped(jwk: &Value, why: &str) -> String {
    let shown = |member: &str| {
        let text = jwk.get(member).and_then(Value::as_str).unwrap_or("none");
        text.chars().filter(|letter| !letter.is_control()).take(SHOWN).collect::<String>()
    };
    format!("kid {} (kty {}): {why}", shown("kid"), shown("kty"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_skipped_is_named() {
        let set = |keys: Value| parse_keys(&json!({ "keys": keys })).unwrap().unusable();
        assert_eq!(set(json!([])).as_deref(), Some("it is empty"));
        let ec = json!({"kty": "EC", "kid": "e1", "crv": "P-256", "x": "x", "y": "y"});
        let pss = json!({"kty": "RSA", "kid": "p\n1", "alg": "PS256", "n": "AQAB", "e": "AQAB"});
        let short = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"});
        let said = set(json!([ec, pss, short, 5])).unwrap();
        for part in [
            "kid e1 (kty EC): no RSA key",
            "kid p1 (kty RSA): for another algorithm",
            "kid none (kty RSA): shorter than 2048 bits",
            "kid none (kty none): no RSA key",
        ] {
            assert!(said.contains(part), "{said}");
        }
        assert!(!said.contains("AQAB") && !said.contains('\n'), "{said}");
        assert!(set(Value::Array(vec![ec; 15])).unwrap().ends_with("and 5 more"));
        assert_eq!(parse_keys(&json!({"keys": {}})), None);
    }
}
