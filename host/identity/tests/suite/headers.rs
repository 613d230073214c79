//! What a token's header may say, and what it must not bring about. docs/reference/approvals-identity-authoring.md, section 2.2; RFC 8725.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
};
use serde_json::{Value, json};

use crate::support::{Gate, Signer, b64, claims, good_token, header, segments};

const ALGORITHM: &str = "not signed with RS256";
const SIGNATURE: &str = "signature is wrong";

/// The fine header with another member.
fn header_with(member: &str, value: Value) -> Value {
    let mut header = header();
    header[member] = value;
    header
}

fn signed_part(header: &Value) -> String {
    format!("{}.{}", b64(header.to_string()), b64(claims().to_string()))
}

#[test]
fn a_good_token_is_accepted() {
    // What everything else here is compared with.
    let gate = Gate::standard();
    let actor = gate.accepts("good", &good_token());
    assert_eq!((actor.actor.as_str(), actor.groups), ("ann@corp.example", vec!["IAM".to_owned()]));
    for (what, header) in [
        ("no kid", json!({"alg": "RS256"})),
        ("typ of an access token", header_with("typ", json!("at+jwt"))),
        ("members nobody knows", header_with("x-unknown", json!({"a": [1]}))),
    ] {
        gate.accepts(what, &Signer::provider().token(header, claims()));
    }
}

#[test]
fn only_rs256_and_written_so() {
    let gate = Gate::standard();
    for algorithm in [
        json!("none"),
        json!("None"),
        json!("NONE"),
        json!("nOnE"),
        json!(""),
        json!("rs256"),
        json!("Rs256"),
        json!("RS256 "),
        json!(" RS256"),
        json!("RS256\u{0}"),
        json!("HS256"),
        json!("HS384"),
        json!("HS512"),
        json!("RS384"),
        json!("RS512"),
        json!("PS256"),
        json!("PS512"),
        json!("ES256"),
        json!("ES512"),
        json!("EdDSA"),
        json!("RSA1_5"),
        json!(["RS256"]),
        json!({"RS256": "RS256"}),
        json!(null),
        json!(true),
        json!(256),
    ] {
        let what = algorithm.to_string();
        let header = header_with("alg", algorithm);
        // Signed as RS256 by the provider: it is the name that is refused.
        gate.refuses(&what, &Signer::provider().token(&header, claims()), ALGORITHM);
        // And not signed at all.
        gate.refuses(&what, &format!("{}.", signed_part(&header)), ALGORITHM);
    }
    let mut nameless = header();
    nameless.as_object_mut().unwrap().remove("alg");
    gate.refuses("no alg", &Signer::provider().token(nameless, claims()), ALGORITHM);
    gate.refuses("another member's name", &Signer::provider().token(json!({"ALG": "RS256"}), claims()), ALGORITHM);
}

#[test]
fn the_public_key_is_no_shared_secret() {
    let provider = Signer::provider();
    let pem = include_str!("fixtures/test-key-provider.public.pem");
    let spki = STANDARD.decode(pem.lines().filter(|line| !line.contains('-')).collect::<String>()).unwrap();
    let components = provider.components();
    let jwk = provider.jwk("k1");
    let secrets: [(&str, &[u8]); 10] = [
        ("PEM", pem.as_bytes()),
        ("PEM without the last newline", pem.trim_end().as_bytes()),
        ("SPKI", &spki),
        ("PKCS #1", provider.public_der()),
        ("n", &components.n),
        ("n as text", jwk["n"].as_str().unwrap().as_bytes()),
        ("e", &components.e),
        ("the JWK", &jwk.to_string().into_bytes()),
        ("kid", b"k1"),
        ("nothing", b""),
    ];
    let gate = Gate::standard();
    // A key set that gives the secret away as a symmetric key changes nothing.
    let symmetric = Gate::with_keys(json!([
        {"kty": "oct", "kid": "k1", "alg": "HS256", "k": b64(&components.n)},
        provider.jwk("k1"),
    ]));
    for (what, secret) in secrets {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        for (algorithm, reason) in [("HS256", ALGORITHM), ("RS256", SIGNATURE)] {
            let signed = signed_part(&header_with("alg", json!(algorithm)));
            let token = format!("{signed}.{}", b64(hmac::sign(&key, signed.as_bytes())));
            gate.refuses(what, &token, reason);
            symmetric.refuses(what, &token, reason);
        }
    }
}

#[test]
fn other_signatures_by_the_right_key() {
    let gate = Gate::standard();
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let curve = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
    let sign: [(&str, &dyn Fn(&str) -> Vec<u8>); 4] = [
        ("RS384", &|message| Signer::provider().sign(&RSA_PKCS1_SHA384, message)),
        ("RS512", &|message| Signer::provider().sign(&RSA_PKCS1_SHA512, message)),
        ("PS256", &|message| Signer::provider().sign(&RSA_PSS_SHA256, message)),
        ("ES256", &|message| curve.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec()),
    ];
    for (algorithm, sign) in sign {
        // Called what it is, and called RS256.
        for (name, reason) in [(algorithm, ALGORITHM), ("RS256", SIGNATURE)] {
            let signed = signed_part(&header_with("alg", json!(name)));
            gate.refuses(algorithm, &format!("{signed}.{}", b64(sign(&signed))), reason);
        }
    }
}

#[test]
fn a_token_brings_no_key_and_makes_no_demands() {
    let gate = Gate::standard();
    let attacker = Signer::other();
    for (member, value) in [
        ("jwk", attacker.jwk("k1")),
        ("jwk", json!(null)),
        ("jku", json!("https://attacker.example/keys")),
        ("jku", json!("https://id.example/keys")),
        ("x5u", json!("https://attacker.example/certificate")),
        ("x5c", json!([STANDARD.encode(attacker.public_der())])),
        ("x5c", json!([])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(null)),
        ("b64", json!(true)),
        ("b64", json!(false)),
    ] {
        let what = format!("{member}: {value}");
        let header = header_with(member, value);
        for signer in [attacker, Signer::provider()] {
            gate.refuses(&what, &signer.token(&header, claims()), "a member that is not accepted");
        }
    }
}

#[test]
fn a_kid_is_a_text() {
    let gate = Gate::standard();
    for kid in [json!(null), json!(1), json!(["k1"]), json!({"k1": "k1"}), json!(true)] {
        let what = kid.to_string();
        gate.refuses(&what, &Signer::provider().token(header_with("kid", kid), claims()), "kid is no text");
    }
    for kid in
        ["", "K1", "k1 ", "k", "k11", "../../../../dev/null", "k1\u{0}", "' or 1=1 --", "*", "https://a.example/k1"]
    {
        let token = Signer::provider().token(header_with("kid", json!(kid)), claims());
        gate.refuses(kid, &token, "unknown key");
    }
}

#[test]
fn a_header_is_one_object_with_one_meaning() {
    let gate = Gate::standard();
    for header in [
        "",
        " ",
        "null",
        "[]",
        "\"RS256\"",
        "1",
        "{",
        "{\"alg\":\"RS256\"",
        "{\"alg\":\"RS256\",}",
        "{'alg':'RS256'}",
        r#"{"alg":"RS256","alg":"RS256"}"#,
        r#"{"alg":"none","alg":"RS256"}"#,
        r#"{"alg":"RS256","alg":"none"}"#,
        r#"{"alg":"HS256","\u0061lg":"RS256"}"#,
        r#"{"alg":"RS256","kid":"k1","kid":"k2"}"#,
        r#"{"alg":"RS256","kid":"k1","x":{"a":1,"a":2}}"#,
        r#"{"alg":"RS256","kid":"k1"} {}"#,
        "{\"alg\":\"RS256\",\"kid\":\"k1\"}\u{0}",
        "\u{feff}{\"alg\":\"RS256\",\"kid\":\"k1\"}",
        r#"{"alg":"RS256","kid":"\ud800"}"#,
    ] {
        gate.refuses(header, &Signer::provider().token(header, claims()), "header is no JSON object");
    }
    let not_text = format!("{}.{}", b64(b"{\"alg\":\"RS256\",\"kid\":\"\xff\"}"), segments(&good_token())[1]);
    gate.refuses("no UTF-8", &Signer::provider().sealed(&not_text), "header is no JSON object");
    // One meaning is enough, however it is written.
    gate.accepts("escapes", &Signer::provider().token(r#" { "\u0061lg" : "RS256" , "kid":"\u006b1" } "#, claims()));
}
