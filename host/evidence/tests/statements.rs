//! What is said about a bundle, against the bundle: its attestation, and statements signed by its maker.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test helpers may fail loudly")]

mod support;

use std::fs;

use cavra_evidence::{
    BUNDLE_FILES, BundleFolder, MANIFEST, PAYLOAD_TYPE, Signing, SigningKey, attest_bundle, bundle_statement,
    sign_envelope, verify_attestation, verify_statement,
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
        assert!(errors(&envelope, &key).contains(&format!("missing file: {name}")), "{name}");
        // A statement from before the file was there does not cover it.
        if !matches!(name, "evidence.json" | MANIFEST) {
            let less = attest_bundle(&folder, &key, "k").unwrap();
            fs::write(bundle.file(name), &original).unwrap();
            assert_eq!(errors(&less, &key), [format!("file is not covered: {name}")]);
        }
        fs::write(bundle.file(name), &original).unwrap();
    }
    // Signed by the right key, and not what the bundle says.
    let statement = bundle_statement(&folder).unwrap();
    let signed = |statement: &Value| sign_envelope(PAYLOAD_TYPE, statement.to_string().as_bytes(), &key, "k");
    assert_eq!(errors(&signed(&statement), &key), Vec::<String>::new());
    for (member, value) in statement["predicate"].as_object().unwrap() {
        for other in [json!("other"), json!(null), json!(value.as_u64().unwrap_or(7) + 1)] {
            if *value != other {
                let mut changed = statement.clone();
                changed["predicate"][member] = other;
                assert_eq!(errors(&signed(&changed), &key), [format!("predicate mismatch: {member}")]);
            }
        }
    }
    // Two subjects of one name, whichever of them is right, and even if both are.
    let right = statement["subject"][0].clone();
    let mut wrong = right.clone();
    wrong["digest"]["sha256"] = json!("00");
    let name = right["name"].as_str().unwrap();
    for (position, extra) in [(0, &wrong), (usize::MAX, &wrong), (0, &right)] {
        let mut twice = statement.clone();
        let subjects = twice["subject"].as_array_mut().unwrap();
        subjects.insert(position.min(subjects.len()), extra.clone());
        let found = errors(&signed(&twice), &key);
        assert!(found.contains(&format!("two subjects are named {name:?}")), "{found:?}");
    }
    // Signed by the right key, but about something else.
    let other = sign_envelope(PAYLOAD_TYPE, b"{}", &key, "k");
    assert!(errors(&other, &key).contains(&"predicate type mismatch".to_owned()));
    assert!(errors(&json!(7), &key) == ["not a DSSE envelope"]);
}
