//! A message on its way: it has an id that stays the same however often it is sent, and is signed where a secret is shared
//! with its receiver, as Standard Webhooks describes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cavra_model::{Timestamp, random_hex};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::target::Target;

/// What stands before a secret of Standard Webhooks.
const MARK: &str = "whsec_";

/// Shortest key, in bytes.
const SHORTEST: usize = 16;

/// A body with its id.
pub(crate) struct Message {
    pub id: String,
    pub body: Vec<u8>,
}

impl Message {
    /// One with a new id.
    pub fn new(body: Vec<u8>) -> Self {
        // Without randomness it goes without an id.
        let id = random_hex(16).map(|digits| format!("msg_{digits}")).unwrap_or_default();
        Self { id, body }
    }

    /// The headers of an attempt at `now`.
    pub fn headers(&self, target: &Target, now: Timestamp) -> Vec<(&'static str, String)> {
        if self.id.is_empty() {
            return Vec::new();
        }
        let mut headers = vec![("idempotency-key", self.id.clone())];
        if target.provider.is_own() || !target.signing_keys.is_empty() {
            let time = now.as_micros().div_euclid(1_000_000).to_string();
            headers.extend([("webhook-id", self.id.clone()), ("webhook-timestamp", time.clone())]);
            let signatures: Vec<_> = target.signing_keys.iter().filter_map(|key| key.sign(self, &time)).collect();
            if !signatures.is_empty() {
                headers.push(("webhook-signature", signatures.join(" ")));
            }
        }
        headers
    }
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

    fn sign(&self, message: &Message, time: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(format!("{}.{time}.", message.id).as_bytes());
        mac.update(&message.body);
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
        let body = b"{\"test\": 2432232314}".to_vec();
        let message = Message { id: "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(), body };
        let signature = keys[0].sign(&message, "1614265330").unwrap();
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
