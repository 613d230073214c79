//! Which keys of a key set verify which tokens. docs/reference/approvals-identity-authoring.md, section 2.2.

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::support::{Gate, Signer, b64, claims, header};

const UNKNOWN: &str = "unknown key";
const SIGNATURE: &str = "signature is wrong";

/// A token of that signer that names that key.
fn token(signer: &Signer, kid: Option<&str>) -> String {
    let mut header = json!({"alg": "RS256"});
    if let Some(kid) = kid {
        header["kid"] = json!(kid);
    }
    signer.token(header, claims())
}

/// The provider's key, called `k1`, with other members; null takes one away.
fn changed(members: Value) -> Value {
    let mut jwk = Signer::provider().jwk("k1");
    for (member, value) in members.as_object().unwrap() {
        match value {
            Value::Null => jwk.as_object_mut().unwrap().remove(member),
            _ => jwk.as_object_mut().unwrap().insert(member.clone(), value.clone()),
        };
    }
    jwk
}

#[test]
fn the_key_with_the_kid_and_without_one_any() {
    let (provider, other) = (Signer::provider(), Signer::other());
    let nameless = |signer: &Signer| {
        let mut jwk = signer.jwk("");
        jwk.as_object_mut().unwrap().remove("kid");
        jwk
    };
    let two = json!([provider.jwk("k1"), other.jwk("k2")]);
    let twins = json!([other.jwk("k1"), provider.jwk("k1")]);
    for (what, keys, kid, refusal) in [
        ("its own", two.clone(), Some("k1"), None),
        ("the other's", two.clone(), Some("k2"), Some(SIGNATURE)),
        ("nobody's", two.clone(), Some("k3"), Some(UNKNOWN)),
        ("no kid, first key", two, None, None),
        ("no kid, second key", json!([other.jwk("k2"), provider.jwk("k1")]), None, None),
        ("no kid, no key fits", json!([other.jwk("k1"), other.jwk("k2")]), None, Some(SIGNATURE)),
        ("two keys of one kid, the second fits", twins.clone(), Some("k1"), None),
        ("two keys of one kid, no kid", twins, None, None),
        ("two keys of one kid, none fits", json!([other.jwk("k1"), other.jwk("k1")]), Some("k1"), Some(SIGNATURE)),
        ("a key without kid, token with", json!([nameless(provider)]), Some("k1"), Some(UNKNOWN)),
        ("a key without kid, token with an empty one", json!([nameless(provider)]), Some(""), Some(UNKNOWN)),
        ("a key without kid, token without", json!([nameless(provider)]), None, None),
        ("a key whose kid is no text", json!([changed(json!({"kid": 1}))]), Some("1"), Some(UNKNOWN)),
        ("no keys", json!([]), Some("k1"), Some(UNKNOWN)),
        ("no keys, no kid", json!([]), None, Some(UNKNOWN)),
        ("a useless key in front", json!([{"kty": "RSA", "kid": "k1"}, 5, null, provider.jwk("k1")]), Some("k1"), None),
    ] {
        let gate = Gate::with_keys(keys);
        match refusal {
            Some(reason) => gate.refuses(what, &token(provider, kid), reason),
            None => drop(gate.accepts(what, &token(provider, kid))),
        }
    }
}

#[test]
fn keys_for_something_else_verify_nothing() {
    for (members, usable) in [
        (json!({}), true),
        (json!({"use": "sig"}), true),
        (json!({"use": "enc"}), false),
        (json!({"use": "SIG"}), false),
        (json!({"use": ["sig"]}), false),
        (json!({"alg": "RS256"}), true),
        (json!({"alg": "RS512"}), false),
        (json!({"alg": "PS256"}), false),
        (json!({"alg": "RSA-OAEP"}), false),
        (json!({"alg": "HS256"}), false),
        (json!({"alg": "none"}), false),
        (json!({"key_ops": ["verify"]}), true),
        (json!({"key_ops": ["sign", "verify"]}), true),
        (json!({"key_ops": ["encrypt"]}), false),
        (json!({"key_ops": []}), false),
        (json!({"key_ops": "verify"}), false),
        (json!({"kty": "EC"}), false),
        (json!({"kty": "rsa"}), false),
        (json!({"kty": "oct", "k": "c2VjcmV0"}), false),
        (json!({"kty": null}), false),
        (json!({"x5c": ["AAAA"], "x5t": "AAAA", "anything": {}}), true),
    ] {
        let gate = Gate::with_keys(json!([changed(members.clone())]));
        for kid in [Some("k1"), None] {
            let (what, token) = (format!("{members} {kid:?}"), token(Signer::provider(), kid));
            if usable {
                gate.accepts(&what, &token);
            } else {
                gate.refuses(&what, &token, UNKNOWN);
            }
        }
    }
}

#[test]
fn numbers_of_keys_are_read_strictly() {
    let components = Signer::provider().components();
    let (n, e) = (b64(&components.n), b64(&components.e));
    let zeros = |bytes: &[u8]| b64([&[0, 0], bytes].concat());
    let even = [&components.n[..255], &[components.n[255] & 0xfe]].concat();
    for (what, members, refusal) in [
        ("zeros in front", json!({"n": zeros(&components.n), "e": zeros(&components.e)}), None),
        ("padding", json!({"n": format!("{n}=="), "e": e}), None),
        ("no n", json!({"n": null}), Some(UNKNOWN)),
        ("no e", json!({"e": null}), Some(UNKNOWN)),
        ("n empty", json!({"n": ""}), Some(UNKNOWN)),
        ("e empty", json!({"e": ""}), Some(UNKNOWN)),
        ("n zero", json!({"n": "AA"}), Some(UNKNOWN)),
        ("e zero", json!({"e": "AA"}), Some(UNKNOWN)),
        ("n zero and long", json!({"n": b64([0; 256])}), Some(UNKNOWN)),
        ("n a number", json!({"n": 65537}), Some(UNKNOWN)),
        ("e a number", json!({"e": 65537}), Some(UNKNOWN)),
        ("e decimal", json!({"e": "65537"}), Some(UNKNOWN)),
        ("n a list", json!({"n": [n]}), Some(UNKNOWN)),
        ("n with a space", json!({"n": format!("{n} ")}), Some(UNKNOWN)),
        ("n with a line break", json!({"n": format!("{n}\n")}), Some(UNKNOWN)),
        (
            "n in hex",
            json!({"n": components.n.iter().map(|byte| format!("{byte:02x}")).collect::<String>()}),
            Some(SIGNATURE),
        ),
        ("n short of a byte", json!({"n": b64(&components.n[1..])}), Some(UNKNOWN)),
        ("n even", json!({"n": b64(even)}), Some(SIGNATURE)),
        ("e of three", json!({"e": "Aw"}), Some(SIGNATURE)),
        ("e even", json!({"e": "Ag"}), Some(SIGNATURE)),
        ("e huge", json!({"e": n}), Some(SIGNATURE)),
    ] {
        let gate = Gate::with_keys(json!([changed(members)]));
        match refusal {
            Some(reason) => gate.refuses(what, &token(Signer::provider(), Some("k1")), reason),
            None => drop(gate.accepts(what, &token(Signer::provider(), Some("k1")))),
        }
    }
}

#[test]
fn an_exponent_of_one_lets_nobody_forge() {
    // With e = 1 a signature is its own message, and everybody can write one: RFC 8017, section 9.2.
    let gate = Gate::with_keys(json!([changed(json!({"e": "AQ"}))]));
    let signed = format!("{}.{}", b64(header().to_string()), b64(claims().to_string()));
    let info = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
    let tail = [&[0], info.as_slice(), digest(&SHA256, signed.as_bytes()).as_ref()].concat();
    let message = [&[0, 1], vec![0xff; 254 - tail.len()].as_slice(), &tail].concat();
    assert_eq!(message.len(), 256);
    gate.refuses("forged", &format!("{signed}.{}", b64(message)), SIGNATURE);
}

#[test]
fn keys_below_2048_bits_verify_nothing() {
    let cases: Value = serde_json::from_str(include_str!("fixtures/odd-keys.json")).unwrap();
    let mut seen = Vec::new();
    for case in cases.as_array().unwrap() {
        let gate = Gate::with_keys(json!([{"kty": "RSA", "kid": "odd", "n": case["n"], "e": "AQAB"}]));
        let (bits, token) = (case["bits"].as_u64().unwrap(), case["token"].as_str().unwrap());
        match bits {
            ..2048 => gate.refuses(&format!("{bits} bits"), token, UNKNOWN),
            2048..=8192 => drop(gate.accepts(&format!("{bits} bits"), token)),
            _ => gate.refuses(&format!("{bits} bits"), token, SIGNATURE),
        }
        seen.push(bits);
    }
    assert_eq!(seen, [1024, 2040, 2041, 2047, 2048, 3072, 4096, 8192, 8200]);
}
