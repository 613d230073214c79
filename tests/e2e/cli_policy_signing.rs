//! `cavra policy sign` and `verify`. docs/reference/approvals-identity-authoring.md, section 4.3.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Home, Output, assert_timestamp, keys, pack_yaml, sha256};

/// The key of docs/reference/evidence-and-promotion.md's vectors: the bytes 00 to 1f.
const VECTOR_KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n-----END PRIVATE KEY-----\n";
const VECTOR_PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n-----END PUBLIC KEY-----\n";
const VECTOR_FINGERPRINT: &str = "f0ff50dacf109dea7f716d7c03eb7a821aa3a283fd3fa02f4c14dbba7d3c3322";

/// A home with a pack and both halves of a key.
fn home() -> Home {
    let home = Home::new();
    home.pack("cavra-x", &pack_yaml("cavra-x", "commands:\n  allow: [ls]\n"));
    home.write("key.pem", VECTOR_KEY);
    home.write("public.pem", VECTOR_PUBLIC_KEY);
    home
}

fn sign(home: &Home, more: &[&str]) -> Output {
    home.cavra(&[&["policy", "sign", "packs/cavra-x"], more].concat()).run()
}

fn verify(home: &Home, more: &[&str]) -> Output {
    home.cavra(&[&["policy", "verify", "packs/cavra-x"], more].concat()).run()
}

fn signature(home: &Home) -> Value {
    home.json("packs/cavra-x/policy.yaml.sig.json")
}

#[test]
fn every_kind_of_signature_is_what_it_says() {
    for (options, algorithm, more) in [
        (vec![], "SHA256", vec![]),
        (vec!["--key", "hush"], "HS256", vec![]),
        (vec!["--private-key", "key.pem"], "Ed25519", vec!["key_id", "public_key_sha256"]),
    ] {
        let home = home();
        let said = sign(&home, &options).ok().stdout;
        assert!(said.contains(algorithm) && said.contains("policy.yaml.sig.json"), "{said}");
        let document = signature(&home);
        let mut members =
            vec!["algorithm", "digest", "policy_file", "schema_version", "signature", "signed_at", "signer"];
        members.extend(more);
        members.sort_unstable();
        assert_eq!(keys(&document), members);
        assert_eq!(document["schema_version"], "cavra.policy-signature.v1");
        assert_eq!((&document["algorithm"], &document["signer"]), (&json!(algorithm), &json!("local")));
        assert_eq!(document["digest"], sha256(home.read("packs/cavra-x/policy.yaml")));
        assert_eq!(document["policy_file"], "policy.yaml");
        assert_timestamp(document["signed_at"].as_str().unwrap());
        // No draft is left beside it, and the secret is nowhere.
        assert_eq!(std::fs::read_dir(home.join("packs/cavra-x")).unwrap().count(), 2);
        assert!(!said.contains("hush") && !document.to_string().contains("hush"));
    }
    let home = home();
    sign(&home, &["--signer", "release desk", "--private-key", "key.pem", "--key-id", "k-7", "--key", "hush"]).ok();
    let document = signature(&home);
    for (member, wanted) in [
        ("signer", "release desk"),
        ("key_id", "k-7"),
        ("algorithm", "Ed25519"),
        ("public_key_sha256", VECTOR_FINGERPRINT),
    ] {
        assert_eq!(document[member], wanted, "{member}");
    }
    // A policy file is as good as its folder, and the report can be read by programs.
    let report = home.cavra(&["policy", "sign", "packs/cavra-x/policy.yaml", "--json"]).run().ok().json();
    assert_eq!(report["signature_path"], "packs/cavra-x/policy.yaml.sig.json");
    assert_eq!(report["signature"], signature(&home));
    assert_eq!(home.cavra(&["policy", "verify", "packs/cavra-x/policy.yaml"]).run().code, 0);
}

#[test]
fn verifying_believes_only_what_it_can_check() {
    const DIGEST_ONLY: &str = "digest only";
    let key = ["--key", "hush"];
    let public = ["--public-key", "public.pem"];
    for (signed_with, verified_with, code, word) in [
        (&[][..], &[][..], 0, DIGEST_ONLY),
        (&[], &key, 1, "HS256"),
        (&[], &public, 1, "Ed25519"),
        (&key, &[], 0, DIGEST_ONLY),
        (&key, &key, 0, "verified"),
        (&key, &["--key", "other"], 1, "does not verify"),
        (&key, &public, 1, "Ed25519"),
        (&["--private-key", "key.pem"], &[], 0, DIGEST_ONLY),
        (&["--private-key", "key.pem"], &public, 0, "verified"),
        (&["--private-key", "key.pem"], &key, 1, "HS256"),
        (&["--private-key", "key.pem"], &["--public-key", "public.pem", "--key", "wrong"], 0, "verified"),
    ] {
        let home = home();
        sign(&home, signed_with).ok();
        let output = verify(&home, verified_with).exits(code);
        assert!(output.stdout.contains(word), "{signed_with:?} {verified_with:?}: {output:?}");
        assert_eq!(output.stdout.contains(DIGEST_ONLY), word == DIGEST_ONLY, "{output:?}");
        assert!(word != DIGEST_ONLY || !output.stdout.contains("verified"), "{output:?}");
        let report = verify(&home, &[verified_with, &["--json"]].concat()).exits(code).json();
        assert_eq!((&report["valid"], &report["algorithm"]), (&json!(code == 0), &signature(&home)["algorithm"]));
        // One byte more is another policy, however it was signed.
        let changed = format!("{}#", home.read("packs/cavra-x/policy.yaml"));
        home.write("packs/cavra-x/policy.yaml", changed);
        verify(&home, verified_with).exits(1);
    }
}

#[test]
fn changed_signatures_do_not_verify() {
    for (signed_with, verified_with) in
        [(["--key", "hush"], ["--key", "hush"]), (["--private-key", "key.pem"], ["--public-key", "public.pem"])]
    {
        let home = home();
        sign(&home, &signed_with).ok();
        let good = signature(&home);
        verify(&home, &verified_with).ok();
        for (member, value) in [
            ("schema_version", json!("cavra.policy-signature.v2")),
            ("algorithm", json!("SHA256")),
            ("algorithm", json!("none")),
            ("algorithm", json!(null)),
            ("digest", json!(sha256("other"))),
            ("digest", json!(null)),
            ("signature", json!("")),
            ("signature", json!("!")),
            ("signature", json!("AAAA")),
            ("signature", json!(5)),
        ] {
            let mut bad = good.clone();
            bad[member] = value.clone();
            home.write("packs/cavra-x/policy.yaml.sig.json", bad.to_string());
            verify(&home, &verified_with).exits(1);
        }
        for text in ["", "{", "[]", "null"] {
            home.write("packs/cavra-x/policy.yaml.sig.json", text);
            let output = verify(&home, &verified_with).exits(1);
            assert!(!output.stderr.contains("panicked"), "{output:?}");
        }
        home.write("elsewhere.json", good.to_string());
        verify(&home, &[&verified_with[..], &["--signature", "elsewhere.json"]].concat()).ok();
    }
    // Another key of the same kind, named as if it were the right one.
    let home = home();
    sign(&home, &["--private-key", "key.pem"]).ok();
    let mut forged = signature(&home);
    forged["public_key_sha256"] = json!("0".repeat(64));
    home.write("packs/cavra-x/policy.yaml.sig.json", forged.to_string());
    assert!(verify(&home, &["--public-key", "public.pem"]).exits(1).stdout.contains("another public key"));
}

#[test]
fn what_cannot_be_signed_is_refused() {
    let home = home();
    home.write("no-policy/policy.yaml", "- 1\n");
    home.write("garbage.pem", "hush-hush");
    home.write("big/policy.yaml", "x: ".to_owned() + &"y".repeat(20 << 20));
    for (arguments, word) in [
        (vec!["sign", "nowhere"], "nowhere"),
        (vec!["sign", "no-policy"], "policy"),
        (vec!["sign", "big"], "big/policy.yaml"),
        (vec!["sign", "packs/cavra-x", "--private-key", "garbage.pem"], "garbage.pem"),
        (vec!["sign", "packs/cavra-x", "--private-key", "public.pem"], "public.pem"),
        (vec!["sign", "packs/cavra-x", "--private-key", "missing.pem"], "missing.pem"),
        (vec!["sign", "packs/cavra-x", "--key", ""], "key"),
        (vec!["verify", "packs/cavra-x"], "sig.json"),
        (vec!["verify", "packs/cavra-x", "--public-key", "key.pem"], "key.pem"),
    ] {
        let output = home.cavra(&[&["policy"], &arguments[..]].concat()).run().fails();
        assert!(output.stderr.contains(word) && !output.stderr.contains("hush"), "{arguments:?}: {output:?}");
    }
    assert!(!home.exists("packs/cavra-x/policy.yaml.sig.json"));
    home.cavra(&["policy", "sign", "packs/cavra-x", "--key-id", "k"]).run().exits(2);
}

/// The key from the environment counts as if it were named.
#[test]
fn the_environment_holds_the_shared_key() {
    let home = home();
    let run = |arguments: &[&str], key: &str| {
        home.cavra(&[&["policy"], arguments].concat()).env("CAVRA_POLICY_SIGNING_KEY", key).run()
    };
    run(&["sign", "packs/cavra-x"], "hush").ok();
    assert_eq!(signature(&home)["algorithm"], "HS256");
    assert_eq!(run(&["verify", "packs/cavra-x"], "hush").code, 0);
    assert_eq!(run(&["verify", "packs/cavra-x"], "other").code, 1);
    assert!(!run(&["sign", "--help"], "hush-hush").stdout.contains("hush-hush"));
}

/// Keys that `openssl` makes are keys here, and it verifies our signatures.
#[test]
fn openssl_agrees() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: no openssl here");
        return;
    }
    use base64::Engine as _;
    let home = home();
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).current_dir(home.path()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", "made.pem"]);
    openssl(&["pkey", "-in", "made.pem", "-pubout", "-out", "made.pub"]);
    sign(&home, &["--private-key", "made.pem"]).ok();
    verify(&home, &["--public-key", "made.pub"]).ok();
    verify(&home, &["--public-key", "public.pem"]).exits(1);
    let document = signature(&home);
    let fingerprint = sha256(home.read("made.pub")).replace("sha256:", "");
    assert_eq!(document["public_key_sha256"], fingerprint);
    let bytes = base64::engine::general_purpose::STANDARD.decode(document["signature"].as_str().unwrap()).unwrap();
    home.write("signature.bin", bytes);
    openssl(&[
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "made.pub",
        "-rawin",
        "-in",
        "packs/cavra-x/policy.yaml",
        "-sigfile",
        "signature.bin",
    ]);
    // A key of another kind is no key here.
    openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "rsa.pem"]);
    assert!(sign(&home, &["--private-key", "rsa.pem"]).fails().stderr.contains("Ed25519"));
}
