//! The text of a token: segments, base64url, and what the signature covers. docs/reference/approvals-identity-authoring.md, section 2.2.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use ring::signature::RSA_PKCS1_SHA256;
use serde_json::json;

use crate::support::{Gate, Signer, b64, claims, claims_with, good_token, header, segments};

const FORM: &str = "no JSON Web Token";
const BASE64: &str = "not base64url";
const SIGNATURE: &str = "signature is wrong";

#[test]
fn three_segments() {
    let gate = Gate::standard();
    let good = good_token();
    let [head, payload, signature] = segments(&good);
    for (what, token, reason) in [
        ("nothing", String::new(), FORM),
        ("no segments", "token".to_owned(), FORM),
        ("one dot", ".".to_owned(), FORM),
        ("two segments", format!("{head}.{payload}"), FORM),
        ("four", format!("{good}.{signature}"), FORM),
        ("a dot behind", format!("{good}."), FORM),
        ("a dot in front", format!(".{good}"), FORM),
        ("five, as an encrypted token has", format!("{good}.{payload}.{signature}"), FORM),
        ("two dots in a row", format!("{head}..{payload}.{signature}"), FORM),
        ("only dots", "....".to_owned(), FORM),
        (
            "JSON serialization",
            json!({"payload": payload, "protected": head, "signature": signature}).to_string(),
            FORM,
        ),
        ("empty segments", "..".to_owned(), "header is no JSON object"),
        ("no header", format!(".{payload}.{signature}"), "header is no JSON object"),
        ("no payload", format!("{head}..{signature}"), SIGNATURE),
        ("no signature", format!("{head}.{payload}."), SIGNATURE),
        ("header alone", format!("{head}.."), SIGNATURE),
    ] {
        gate.refuses(what, &token, reason);
    }
    let empty = Signer::provider().sealed(&format!("{head}."));
    gate.refuses("a signed nothing", &empty, "claims are no JSON object");
}

#[test]
fn strict_base64url() {
    let gate = Gate::standard();
    let good = good_token();
    let [head, payload, signature] = segments(&good);
    // 256 bytes leave four bits over in the last character; they must be zero, or one token has sixteen texts.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(signature.chars().last().unwrap()).unwrap();
    let (stem, other) = (&signature[..signature.len() - 1], &alphabet[last + 1..=last + 1]);
    for (what, token) in [
        ("bits that do not count", format!("{head}.{payload}.{stem}{other}")),
        ("padding in front", format!("{head}.{payload}.={signature}")),
        ("padding inside", format!("{head}.{payload}.{stem}={}", &signature[signature.len() - 1..])),
        ("too much padding", format!("{head}.{payload}.{signature}===")),
        ("padding of the header that it cannot have", format!("{head}====.{payload}.{signature}")),
        ("a space", format!("{head}.{payload}. {signature}")),
        ("a space behind", format!("{good} ")),
        ("a line break", format!("{head}.{payload}.{signature}\n")),
        ("a line break in the payload", format!("{head}.{}\n{}.{signature}", &payload[..8], &payload[8..])),
        ("a NUL", format!("{good}\0")),
        ("percent", format!("{head}.{payload}.%41{signature}")),
        ("full-width letters", format!("{head}.{payload}.\u{ff21}{signature}")),
        ("one character too many", format!("{head}.{payload}.{signature}AAA")),
    ] {
        gate.refuses(what, &token, BASE64);
    }
    // The other alphabet, in each segment, signed as it stands.
    let odd = claims_with(json!({"note": "\u{fb}\u{ff}\u{fe}???>>>~~~"})).to_string();
    let standard = STANDARD_NO_PAD.encode(&odd);
    assert!(standard.contains(['+', '/']) && URL_SAFE_NO_PAD.encode(&odd) != standard);
    gate.refuses("+ and /", &Signer::provider().sealed(&format!("{head}.{standard}")), BASE64);
}

#[test]
fn padding_is_optional() {
    let gate = Gate::standard();
    for filler in ["", "a", "ab"] {
        let claims = claims_with(json!({ "x": filler }));
        let signed = format!("{}.{}", URL_SAFE.encode(header().to_string()), URL_SAFE.encode(claims.to_string()));
        gate.accepts(filler, &Signer::provider().sealed(&signed));
    }
    gate.accepts("of the signature", &format!("{}==", good_token()));
    // It is part of what is signed.
    let token = good_token();
    let [head, payload, signature] = segments(&token);
    let (decoded, unpadded) = (URL_SAFE_NO_PAD.decode(payload).unwrap(), payload.len() % 4);
    if unpadded != 0 {
        gate.refuses("added later", &format!("{head}.{}.{signature}", URL_SAFE.encode(decoded)), SIGNATURE);
    }
}

#[test]
fn the_signature_covers_the_bytes_as_received() {
    let gate = Gate::standard();
    let provider = Signer::provider();
    let good = good_token();
    let [head, payload, signature] = segments(&good);
    let mighty = provider.token(header(), claims_with(json!({"groups": ["Change Advisory Board"], "exp": 0})));
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let with = |signature: &[u8]| format!("{head}.{payload}.{}", b64(signature));
    let sign = |message: &str| with(&provider.sign(&RSA_PKCS1_SHA256, message));
    let flipped = |index: usize| {
        let mut raw = raw.clone();
        raw[index] ^= 1;
        with(&raw)
    };
    for (what, token) in [
        ("another payload", format!("{head}.{}.{signature}", segments(&mighty)[1])),
        ("another header", format!("{}.{payload}.{signature}", b64(json!({"alg": "RS256"}).to_string()))),
        ("another token's signature", format!("{head}.{payload}.{}", segments(&mighty)[2])),
        ("spaces in the payload", format!("{head}.{}.{signature}", b64(format!("{} ", claims())))),
        ("the decoded text", sign(&format!("{}.{}", header(), claims()))),
        ("the payload alone", sign(payload)),
        ("the header alone", sign(head)),
        ("a dot too few", sign(&format!("{head}{payload}"))),
        ("a dot too many", sign(&format!("{head}.{payload}."))),
        ("nothing", sign("")),
        ("another key", Signer::other().sealed(&format!("{head}.{payload}"))),
        ("a byte short in front", with(&raw[1..])),
        ("a byte short behind", with(&raw[..raw.len() - 1])),
        ("half", with(&raw[..raw.len() / 2])),
        ("one byte", with(&raw[..1])),
        ("a zero in front", with(&[&[0], raw.as_slice()].concat())),
        ("a zero behind", with(&[raw.as_slice(), &[0]].concat())),
        ("twice", with(&[raw.as_slice(), raw.as_slice()].concat())),
        ("zeros", with(&[0; 256])),
        ("one", with(&[&[0; 255], [1].as_slice()].concat())),
        ("ones", with(&[255; 256])),
        ("the modulus", with(&provider.components().n)),
        ("a bit of the first byte", flipped(0)),
        ("a bit of the last byte", flipped(255)),
    ] {
        assert_ne!(token, good, "{what}");
        gate.refuses(what, &token, SIGNATURE);
    }
    assert_eq!(with(&raw), good);
}

#[test]
fn the_length_is_limited() {
    let gate = Gate::standard();
    let sized = |filler: usize| Signer::provider().token(header(), claims_with(json!({"x": "y".repeat(filler)})));
    let (fits, too_long) = (sized(11_000), sized(12_000));
    assert!(
        fits.len() > 15_000 && fits.len() <= 16 * 1024 && too_long.len() > 16 * 1024,
        "{} {}",
        fits.len(),
        too_long.len()
    );
    gate.accepts("fits", &fits);
    gate.refuses("signed, but long", &too_long, "too long");
    gate.refuses("dots", &".".repeat(100_000), "too long");
    gate.refuses("letters", &"A".repeat(10_000_000), "too long");
}
