//! Dead Simple Signing Envelopes, version 1: a payload, its type, and signatures over both.
//! <https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use thiserror::Error;

use crate::{PublicKey, SigningKey};

/// An envelope does not hold.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum EnvelopeError {
    /// Not an envelope.
    #[error("not a DSSE envelope")]
    Malformed,
    /// Of another kind.
    #[error("payload type mismatch")]
    PayloadType,
    /// None of its signatures is by a key that is trusted.
    #[error("envelope signature mismatch")]
    Signature,
}

/// Signs a payload.
#[must_use]
pub fn sign_envelope(payload_type: &str, payload: &[u8], key: &SigningKey, key_id: &str) -> Value {
    let signature = key.sign(&pre_authentication(payload_type, payload));
    json!({
        "payloadType": payload_type,
        "payload": STANDARD.encode(payload),
        "signatures": [{ "keyid": key_id, "sig": STANDARD.encode(signature) }],
    })
}

/// The payload of an envelope that one of `keys` has signed, and which. Ids in the envelope are hints and not trusted.
///
/// # Errors
/// [`EnvelopeError`].
pub fn open_envelope<'k>(
    envelope: &Value,
    payload_type: &str,
    keys: &[&'k PublicKey],
) -> Result<(Vec<u8>, &'k PublicKey), EnvelopeError> {
    let text = |value: &Value, member: &str| value.get(member).and_then(Value::as_str).map(str::to_owned);
    let payload = text(envelope, "payload").and_then(|payload| decode(&payload)).ok_or(EnvelopeError::Malformed)?;
    let signatures = envelope.get("signatures").and_then(Value::as_array).ok_or(EnvelopeError::Malformed)?;
    if text(envelope, "payloadType").as_deref() != Some(payload_type) {
        return Err(EnvelopeError::PayloadType);
    }
    let message = pre_authentication(payload_type, &payload);
    let values: Vec<_> = signatures.iter().filter_map(|signature| decode(&text(signature, "sig")?)).collect();
    let signer = keys.iter().find(|key| values.iter().any(|value| key.verifies(&message, value)));
    signer.map(|key| (payload, *key)).ok_or(EnvelopeError::Signature)
}

/// What is signed: `DSSEv1`, the type and the payload, each with its length, so that no two pairs give the same bytes.
fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

/// The protocol has readers accept both alphabets. Some producers break the text into lines (RFC 2045), which says nothing.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    let engines = [STANDARD, URL_SAFE, STANDARD_NO_PAD, URL_SAFE_NO_PAD];
    engines.iter().find_map(|engine| engine.decode(&text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::vector_key;

    /// The example of the protocol's text.
    #[test]
    fn what_is_signed_is_as_the_protocol_says() {
        let message = pre_authentication("http://example.com/HelloWorld", b"hello world");
        assert_eq!(message, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    /// The same bytes, as others write them.
    #[test]
    fn every_way_of_writing_base64_opens() {
        let key = vector_key();
        let envelope = sign_envelope("text/x", b"\xff\xfe\xfd hello", &key, "k");
        let rewrite: [fn(&str) -> String; 5] = [
            |text| text.as_bytes().chunks(4).map(|line| format!("{}\r\n", String::from_utf8_lossy(line))).collect(),
            |text| format!(" {text}\n"),
            |text| text.replace('+', "-").replace('/', "_"),
            |text| text.trim_end_matches('=').to_owned(),
            |text| text.trim_end_matches('=').replace('+', "-").replace('/', "_"),
        ];
        for rewritten in rewrite {
            let mut other = envelope.clone();
            for pointer in ["/payload", "/signatures/0/sig"] {
                let text = other.pointer_mut(pointer).unwrap();
                *text = json!(rewritten(text.as_str().unwrap()));
            }
            assert!(open_envelope(&other, "text/x", &[key.public()]).is_ok(), "{other}");
        }
    }

    #[test]
    fn only_what_was_signed_opens() {
        let key = vector_key();
        let envelope = sign_envelope("text/x", b"hello", &key, "k");
        let other = SigningKey::generate().unwrap();
        let open =
            |envelope: &Value, keys: &[&PublicKey]| open_envelope(envelope, "text/x", keys).map(|(payload, _)| payload);
        assert_eq!(open(&envelope, &[other.public(), key.public()]), Ok(b"hello".to_vec()));
        assert_eq!(open(&envelope, &[other.public()]), Err(EnvelopeError::Signature));
        assert_eq!(open(&envelope, &[]), Err(EnvelopeError::Signature));
        for (member, value, error) in [
            ("payload", json!("aGVsbG8h"), EnvelopeError::Signature),
            ("payload", json!("*"), EnvelopeError::Malformed),
            ("payloadType", json!("text/y"), EnvelopeError::PayloadType),
            ("payloadType", json!(null), EnvelopeError::PayloadType),
            ("signatures", json!([]), EnvelopeError::Signature),
            ("signatures", json!([{ "sig": "AAAA" }, 7]), EnvelopeError::Signature),
            ("signatures", json!(null), EnvelopeError::Malformed),
        ] {
            let mut changed = envelope.clone();
            changed[member] = value;
            assert_eq!(open(&changed, &[key.public()]), Err(error), "{changed}");
        }
    }
}
