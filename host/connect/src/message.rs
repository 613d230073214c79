//! A message on its way: it has an id that stays the same however often it is sent, and is signed where a secret is shared
//! with its receiver, as Standard Webhooks describes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cavra_model::random_hex;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What stands before a secret of Standard Webhooks.
const MARK: &str = "whsec_";

/// Shortest key, in bytes.
const SHORTEST: usize = 16;

/// The id of a new message. Without randomness it has none.
pub(crate) fn new_id() -> String {
    random_hex(16).map(|digits| format!("msg_{digits}")).unwrap_or_default()
}

/// The signatures of a message by each of the keys; `None` without keys.
pub(crate) fn signature(keys: &[SigningKey], id: &str, time: &str, body: &[u8]) -> Option<String> {
    let signatures: Vec<_> = keys.iter().filter_map(|key| key.sign(id, time, body)).collect();
    (!signatures.is_empty()).then(|| signatures.join(" "))
}

/// A key that messages are signed with.
#[derive(Clone)]
pub(crate) struct SigningKey(Zeroizing<Vec<u8>>);

impl SigningKey {
    /// The keys in a text: secrets with blanks between them, so that receivers can change from one to the next. A secret is
    /// Base64 behind `whsec_`, or the key itself.
    pub fn all(secrets: &str) -> Result<Vec<Self>, ()> {
        let key = |secret: &str| match secret.strip_prefix(MARK) {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| ()),
            None => Ok(secret.as_bytes().to_vec()),
        };
        let keys = secrets.split_whitespace().map(|secret| key(secret).map(|key| Self(Zeroizing::new(key))));
        let keys = keys.collect::<Result<Vec<_>, ()>>()?;
        let usable = !keys.is_empty() && keys.iter().all(|key| key.0.len() >= SHORTEST);
        if usable { Ok(keys) } else { Err(()) }
    }

    fn sign(&self, id: &str, time: &str, body: &[u8]) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(format!("{id}.{time}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        // The example of the specification's libraries.
        let keys = SigningKey::all("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = b"{\"test\": 2432232314}";
        let signature = signature(&keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_are_long_enough_and_may_be_several() {
        assert_eq!(
            SigningKey::all("0123456789abcdef whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").map(|keys| keys.len()),
            Ok(2)
        );
        for wrong in ["", " ", "short", "whsec_!", "whsec_c2hvcnQ="] {
            assert!(SigningKey::all(wrong).is_err(), "{wrong}");
        }
    }
}
