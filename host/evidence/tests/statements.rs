//! What is said about a bundle, against the bundle: its attestation, and statements signed by its maker.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test helpers may fail loudly")]

mod support;

use std::fs;

use cavra_evidence::{
    BUNDLE_FILES, BundleFolder, MANIFEST, PAYLOAD_TYPE, Signing, SigningKey, attest_bundle, sign_envelope,
    verify_attestation, verify_statement,
};
use serde_json::{Value, json};

use support::{SESSION, Written};

/// Every line of an attestation is one that somebody might like to change.
#[test]
fn an_attestation_says_what_the_evidence_says() {
    let bundle = Written::new(&Signing::Checksum);
    let original = fs::read_to_string(bundle.file("pr-attestation.md")).unwrap();
    let errors = |text: &str| {
        fs::write(bundle.file("pr-attestation.md"), text).unwrap();
        verify_attestation(&bundle.path()).report.errors().to_vec()
    };
    assert_eq!(errors(&original), Vec::<String>::new());
    const MISMATCH: &str = "attestation does not match evidence";
    let lines: Vec<&str> = original.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let mut fewer = lines.clone();
        fewer.remove(number);
        let mut other = lines.clone();
        let changed = format!("{line} ");
        other[number] = &changed;
        for text in [fewer, other] {
            assert!(errors(&format!("{}\n", text.join("\n"))).contains(&MISMATCH.to_owned()), "{line}");
        }
    }
    for (text, wanted) in [
        (original.replace("**block**", "**allow**"), vec![MISMATCH]),
        (original.replace("Blocked actions: 4", "Blocked actions: 0"), vec![MISMATCH]),
        (original.replace("**approved**", "**denied**"), vec![MISMATCH]),
        (format!("{original}\nAll good.\n"), vec![MISMATCH]),
        (original.replace(SESSION, "run_other"), vec!["session ID mismatch", MISMATCH]),
        (original.replace("# CAVRA PR", "# PR"), vec!["missing attestation title", MISMATCH]),
        (original.replace("`.env`", "`.envrc`"), vec!["missing decision target: .env", MISMATCH]),
    ] {
        assert_eq!(errors(&text), wanted);
    }
    fs::remove_file(bundle.file("pr-attestation.md")).unwrap();
    let report = verify_attestation(&bundle.path());
    assert_eq!(report.report.errors(), ["missing pr-attestation.md"]);
    let document = report.to_value();
    assert_eq!(document["valid"], false);
    assert_eq!(document["decision_count"], 7);
    assert!(report.to_markdown().contains("missing pr-attestation.md"));
}

#[test]
fn a_statement_holds_for_its_bundle_and_its_signer() {
    let key = SigningKey::generate().unwrap();
    let bundle = Written::new(&Signing::Checksum);
    let folder = BundleFolder::open(&bundle.path()).unwrap();
    let envelope = attest_bundle(&folder, &key, "k").unwrap();
    let errors = |envelope: &Value, key: &SigningKey| {
        verify_statement(&bundle.path(), envelope, &[key.public()]).errors().to_vec()
    };
    assert_eq!(errors(&envelope, &key), Vec::<String>::new());
    assert_eq!(errors(&envelope, &SigningKey::generate().unwrap()), ["envelope signature mismatch"]);
    for name in BUNDLE_FILES {
        let original = fs::read(bundle.file(name)).unwrap();
        fs::write(bundle.file(name), [&original[..], b" "].concat()).unwrap();
        assert_eq!(errors(&envelope, &key), [format!("checksum mismatch: {name}")]);
        fs::remove_file(bundle.file(name)).unwrap();
        assert_eq!(errors(&envelope, &key), [format!("missing file: {name}")]);
        // A statement from before the file was there does not cover it.
        if !matches!(name, "evidence.json" | MANIFEST) {
            let less = attest_bundle(&folder, &key, "k").unwrap();
            fs::write(bundle.file(name), &original).unwrap();
            assert_eq!(errors(&less, &key), [format!("file is not covered: {name}")]);
        }
        fs::write(bundle.file(name), &original).unwrap();
    }
    // Signed by the right key, but about something else.
    let other = sign_envelope(PAYLOAD_TYPE, b"{}", &key, "k");
    assert!(errors(&other, &key).contains(&"predicate type mismatch".to_owned()));
    assert!(errors(&json!(7), &key) == ["not a DSSE envelope"]);
}
