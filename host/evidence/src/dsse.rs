//! Dead Simple Signing Envelopes, version 1: a payload, its type, and signatures over both.
//! <https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use thiserror::Error;

use crate::{PublicKey, SigningKey};

/// Signatures of one envelope. Each of them is tried with every trusted key.
const MOST_SIGNATURES: usize = 32;

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

/// One more signature on an envelope, whose payload it does not change; with the payload, for the caller to look at. An
/// earlier signature under the same id gives way.
///
/// # Errors
/// [`EnvelopeError::Malformed`], also where there would be too many signatures; [`EnvelopeError::PayloadType`].
pub fn countersign(
    envelope: &Value,
    payload_type: &str,
    key: &SigningKey,
    key_id: &str,
) -> Result<(Vec<u8>, Value), EnvelopeError> {
    let (payload, signatures) = parts(envelope, payload_type)?;
    let named = |signature: &&Value| signature.get("keyid").and_then(Value::as_str) == Some(key_id);
    let mut signed = sign_envelope(payload_type, &payload, key, key_id);
    let own = signed.pointer_mut("/signatures").and_then(Value::as_array_mut).ok_or(EnvelopeError::Malformed)?;
    let earlier: Vec<Value> = signatures.iter().filter(|signature| !named(signature)).cloned().collect();
    own.splice(0..0, earlier);
    if own.len() > MOST_SIGNATURES { Err(EnvelopeError::Malformed) } else { Ok((payload, signed)) }
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
    let (payload, signers) = envelope_signers(envelope, payload_type, keys)?;
    signers.first().map(|key| (payload, *key)).ok_or(EnvelopeError::Signature)
}

/// As [`open_envelope`], with all of `keys` that have signed.
///
/// # Errors
/// [`EnvelopeError`].
pub fn envelope_signers<'k>(
    envelope: &Value,
    payload_type: &str,
    keys: &[&'k PublicKey],
) -> Result<(Vec<u8>, Vec<&'k PublicKey>), EnvelopeError> {
    let (payload, signatures) = parts(envelope, payload_type)?;
    let message = pre_authentication(payload_type, &payload);
    let value = |signature: &Value| decode(signature.get("sig")?.as_str()?);
    let values: Vec<_> = signatures.iter().filter_map(value).collect();
    let verifies = |key: &&&PublicKey| values.iter().any(|value| key.verifies(&message, value));
    let signers: Vec<&PublicKey> = keys.iter().filter(verifies).copied().collect();
    if signers.is_empty() { Err(EnvelopeError::Signature) } else { Ok((payload, signers)) }
}

/// Payload and signatures of an envelope of that type.
fn parts<'e>(envelope: &'e Value, payload_type: &str) -> Result<(Vec<u8>, &'e [Value]), EnvelopeError> {
    let text = |member: &str| envelope.get(member).and_then(Value::as_str);
    let payload = text("payload").and_then(decode).ok_or(EnvelopeError::Malformed)?;
    let signatures = envelope.get("signatures").and_then(Value::as_array).ok_or(EnvelopeError::Malformed)?;
    if text("payloadType") != Some(payload_type) {
        return Err(EnvelopeError::PayloadType);
    }
    if signatures.len() > MOST_SIGNATURES {
        return Err(EnvelopeError::Malformed);
    }
    Ok((payload, signatures))
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
    fn several_sign_one_payload() {
        let (one, other) = (vector_key(), SigningKey::generate().unwrap());
        let envelope = sign_envelope("text/x", b"hello", &one, "one");
        let (payload, both) = countersign(&envelope, "text/x", &other, "other").unwrap();
        assert_eq!(payload, b"hello");
        let keys = [one.public(), other.public()];
        let signers = |envelope: &Value| envelope_signers(envelope, "text/x", &keys).unwrap().1.len();
        assert_eq!((signers(&envelope), signers(&both)), (1, 2));
        // Under an id that is there already, the signature is replaced.
        let (_, again) = countersign(&both, "text/x", &other, "one").unwrap();
        assert_eq!(again["signatures"].as_array().unwrap().len(), 2);
        assert_eq!(countersign(&both, "text/y", &other, "x"), Err(EnvelopeError::PayloadType));
        let mut many = both.clone();
        many["signatures"] = json!(vec![both["signatures"][0].clone(); MOST_SIGNATURES + 1]);
        assert_eq!(envelope_signers(&many, "text/x", &keys), Err(EnvelopeError::Malformed));
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
