//! Signed documents: an Ed25519 envelope over the compact canonical form. docs/reference/evidence-and-promotion.md, sections 0.1 and 0.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cavra_evidence::{PublicKey, SigningKey};
use cavra_model::{Digest, Object, canonical};
use serde_json::{Value, json};

use crate::members::{built, filled, object};

/// Schema of the signature of a rollout's promotion request.
pub const PROMOTION_SIGNATURE: &str = "cavra.rollout-promotion.signature.v1";
/// Schema of the signature of a channel's promotion request.
pub const CHANNEL_SIGNATURE: &str = "cavra.release-channel-promotion.signature.v1";
/// Schema of the signature inside a desired manifest of endpoints.
pub const DEPLOYMENT_SIGNATURE: &str = "cavra.endpoint-deployment.signature.v1";

/// Whose signatures count.
#[derive(Clone, Debug)]
pub enum Trust {
    /// These keys' and nobody else's.
    Pinned(Vec<PublicKey>),
    /// The one the document brings along: shows that it was not changed, not who made it.
    Embedded,
}

/// Signs a document, in place of an earlier signature.
pub fn sign(document: &mut Object, schema: &str, key: &SigningKey, signer: &str) {
    let payload = payload(document);
    let envelope = json!({
        "schema_version": schema,
        "algorithm": "Ed25519",
        "signer": signer,
        "key_id": key.public().key_id(),
        "public_key_sha256": key.public().fingerprint(),
        "public_key_pem": key.public().pem(),
        "payload_sha256": Digest::of(&payload).hex(),
        "value": STANDARD.encode(key.sign(payload.as_bytes())),
    });
    document.insert("signature".to_owned(), Value::Object(built(envelope)));
}

/// All that is wrong with a document's signature.
#[must_use]
pub fn signature_problems(document: &Object, schema: &str, trust: &Trust) -> Vec<String> {
    let Some(signature) = object(document, "signature") else { return vec!["signature is missing".to_owned()] };
    let mut problems = Vec::new();
    let mut expect = |holds: bool, problem: &str| {
        if !holds {
            problems.push(problem.to_owned());
        }
    };
    expect(filled(signature, "schema_version") == Some(schema), "signature schema_version is not the expected one");
    expect(filled(signature, "algorithm") == Some("Ed25519"), "signature algorithm is not Ed25519");
    let payload = payload(document);
    let digest = Digest::of(&payload);
    expect(
        filled(signature, "payload_sha256") == Some(digest.hex()),
        "signature payload_sha256 does not match the document",
    );
    let value = filled(signature, "value").and_then(|value| STANDARD.decode(value).ok());
    expect(value.is_some(), "signature value is not base64");
    match filled(signature, "public_key_pem").map(PublicKey::from_pem) {
        None => expect(false, "signature public_key_pem is missing"),
        Some(Err(_)) => expect(false, "signature public_key_pem is no Ed25519 public key"),
        Some(Ok(key)) => {
            let named = filled(signature, "public_key_sha256") == Some(key.fingerprint());
            expect(named, "signature public key fingerprint mismatch");
            let trusted = match trust {
                Trust::Pinned(keys) => keys.contains(&key),
                Trust::Embedded => true,
            };
            expect(trusted, "signature is not by a trusted key");
            let verifies = value.is_some_and(|value| key.verifies(payload.as_bytes(), &value));
            expect(verifies, "signature does not verify");
        }
    }
    problems
}

/// What is signed: the document without its signature.
fn payload(document: &Object) -> String {
    let mut unsigned = document.clone();
    unsigned.remove("signature");
    canonical(&Value::Object(unsigned))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the contract's vectors.
    fn vector_key() -> SigningKey {
        let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        der.extend(0..32_u8);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
        SigningKey::from_pem(&pem).unwrap()
    }

    fn signed() -> Object {
        let mut document = built(json!({"rollout_id": "r-9", "target_ring": "broad", "note": "naïve/≠", "n": 3}));
        sign(&mut document, PROMOTION_SIGNATURE, &vector_key(), "ann");
        document
    }

    fn trusted() -> Trust {
        Trust::Pinned(vec![vector_key().public().clone()])
    }

    /// The compact vector of docs/reference/evidence-and-promotion.md, section 0.2.
    #[test]
    fn vectors_of_the_contract() {
        let document = signed();
        let signature = &document["signature"];
        assert_eq!(signature["payload_sha256"], "dab13078a09d3ea46aa8ebc54020425c167d8c846ada87ee49c2f1b1d374d449");
        let value = "fyVUi9ewEo9iop1X9UlPTcDpjCvu77ScCptwh+6A+Q3jGk4lYbVG4j+3/jqHcg0UNp6fc+7/yozzQJP4BizdAg==";
        assert_eq!(signature["value"], value);
        assert_eq!(signature["key_id"], "f0ff50dacf109dea");
        for trust in [trusted(), Trust::Embedded] {
            assert_eq!(signature_problems(&document, PROMOTION_SIGNATURE, &trust), Vec::<String>::new());
        }
    }

    #[test]
    fn a_round_trip_through_text_keeps_the_signature() {
        let text = serde_json::to_string_pretty(&signed()).unwrap();
        let read: Object = serde_json::from_str(&text).unwrap();
        assert!(signature_problems(&read, PROMOTION_SIGNATURE, &trusted()).is_empty());
    }

    /// Every member of document and envelope, changed and removed.
    #[test]
    fn every_change_is_noticed() {
        let document = signed();
        let mut tried = 0;
        let mut refuse = |changed: &Object, what: &str| {
            tried += 1;
            assert!(!signature_problems(changed, PROMOTION_SIGNATURE, &trusted()).is_empty(), "{what}");
        };
        for member in document.keys() {
            let mut removed = document.clone();
            removed.remove(member);
            refuse(&removed, member);
            let mut changed = document.clone();
            changed.insert(member.clone(), json!("changed"));
            refuse(&changed, member);
        }
        let envelope = document["signature"].as_object().unwrap();
        // Who signed and under which id is said for people; the key is what counts.
        for member in envelope.keys().filter(|member| !["signer", "key_id"].contains(&member.as_str())) {
            for value in [Value::Null, json!("changed"), json!(7)] {
                let mut changed = document.clone();
                changed["signature"][member] = value;
                refuse(&changed, member);
            }
        }
        let mut added = document.clone();
        added.insert("extra".into(), json!(1));
        refuse(&added, "extra");
        println!("{tried} changes tried");
    }

    #[test]
    fn somebody_elses_signature_is_only_consistent() {
        let mut document = signed();
        sign(&mut document, PROMOTION_SIGNATURE, &SigningKey::generate().unwrap(), "eve");
        let problems = signature_problems(&document, PROMOTION_SIGNATURE, &trusted());
        assert_eq!(problems, ["signature is not by a trusted key"]);
        assert!(signature_problems(&document, PROMOTION_SIGNATURE, &Trust::Embedded).is_empty());
        assert!(!signature_problems(&document, PROMOTION_SIGNATURE, &Trust::Pinned(Vec::new())).is_empty());
        assert!(!signature_problems(&document, CHANNEL_SIGNATURE, &trusted()).is_empty());
    }
}
