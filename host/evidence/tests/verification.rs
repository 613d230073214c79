//! Bundles in the hands of somebody who wants them to say something else.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test helpers may fail loudly")]

mod support;

use std::fs;
use std::path::Path;

use cavra_evidence::{
    BUNDLE_FILES, Expectations, MANIFEST, ManifestTrust, Report, Secret, Signing, SigningKey, TrustRoot, TrustRoots,
    TrustStatus, trust_root_bundle, verify_bundle,
};
use cavra_model::Digest;
use serde_json::{Value, json};

use support::{Written, created_at};

fn root(key: &SigningKey, key_id: &str) -> TrustRoot {
    TrustRoot {
        key_id: key_id.to_owned(),
        owner: "platform-security".to_owned(),
        status: TrustStatus::Active,
        public_key: key.public().clone(),
        valid_from: None,
        valid_until: None,
    }
}

fn expecting(trust: ManifestTrust) -> Expectations {
    Expectations { trust, ..Expectations::keyless() }
}

/// Every way to sign, each with the ways to verify it.
fn ways() -> Vec<(&'static str, Signing, Expectations)> {
    let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let ed25519 = || Signing::Ed25519 { key: key.clone(), key_id: "evidence-1".to_owned() };
    let one = TrustRoots::read(&root(&key, "evidence-1").to_value()).unwrap();
    let many = trust_root_bundle(vec![root(&key, "evidence-1"), root(&other, "evidence-2")], created_at()).unwrap();
    let shared = Secret::new("shared").unwrap();
    let by_key =
        Expectations { key_id: Some("evidence-1".to_owned()), ..expecting(ManifestTrust::Key(key.public().clone())) };
    vec![
        ("checksum", Signing::Checksum, expecting(ManifestTrust::Nothing)),
        ("shared key", Signing::Hmac(shared.clone()), expecting(ManifestTrust::Shared(shared))),
        ("public key", ed25519(), by_key),
        ("trust root", ed25519(), expecting(ManifestTrust::Roots(one))),
        ("trust roots", ed25519(), expecting(ManifestTrust::Roots(TrustRoots::read(&many).unwrap()))),
    ]
}

/// Every place in a value, as JSON pointers, the whole left out.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), member)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
        _ => vec![],
    };
    for (name, child) in children {
        let place = format!("{at}/{name}");
        places(child, &place, found);
        found.push(place);
    }
}

/// Other values in the place of this one.
fn others(value: &Value) -> Vec<Value> {
    let mut others = vec![Value::Null, json!("x"), json!(7), json!([]), json!({}), json!(false)];
    match value {
        Value::String(text) => {
            others.push(json!(format!("{text}x")));
            others.push(json!(text.to_uppercase()));
            // The last character is the one whose bits base64 may leave unused.
            let last = text.chars().next_back().unwrap();
            let next = if last == '0' { '1' } else { '0' };
            others.push(json!(format!("{}{next}", text.strip_suffix(last).unwrap())));
        }
        Value::Number(number) => others.push(json!(number.as_i64().unwrap() + 1)),
        Value::Array(items) => {
            others.push(json!(items[1..]));
            others.push(json!(items.iter().rev().collect::<Vec<_>>()));
            others.push(json!(items.iter().chain(items.first()).collect::<Vec<_>>()));
        }
        Value::Object(members) => {
            let mut more = members.clone();
            more.insert("unheard-of".to_owned(), json!("x"));
            others.push(Value::Object(more));
        }
        Value::Bool(_) | Value::Null => {}
    }
    others.retain(|other| other != value);
    others
}

/// A manifest without what is at a place.
fn without(manifest: &Value, place: &str) -> Value {
    let (parent, name) = place.rsplit_once('/').unwrap();
    let mut changed = manifest.clone();
    match changed.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.remove(name)),
        Value::Array(items) => drop(items.remove(name.parse::<usize>().unwrap())),
        _ => panic!("{place}"),
    }
    changed
}

#[test]
fn every_change_of_the_manifest_is_named() {
    let mut tried = 0;
    for (way, signing, expected) in ways() {
        let bundle = Written::new(&signing);
        let manifest = bundle.manifest();
        assert!(verify_bundle(&bundle.path(), &expected).is_valid(), "{way}");
        let mut found = Vec::new();
        places(&manifest, "", &mut found);
        let mut changes: Vec<(String, Value)> = vec![];
        for place in &found {
            changes.push((format!("without {place}"), without(&manifest, place)));
            for other in others(manifest.pointer(place).unwrap()) {
                let mut changed = manifest.clone();
                *changed.pointer_mut(place).unwrap() = other.clone();
                changes.push((format!("{place} = {other}"), changed));
            }
        }
        let mut more = manifest.clone();
        more["unheard-of"] = json!("x");
        changes.push(("one member more".to_owned(), more));
        for (change, changed) in changes {
            bundle.set_manifest(&changed);
            let report = verify_bundle(&bundle.path(), &expected);
            if change.starts_with("/signature = ") && changed["signature"].get("unheard-of").is_some() {
                // What is beside a signature is not signed; it changes nothing that is, and it is pointed out.
                assert!(report.is_valid(), "{way}: {change}: {report:?}");
                assert!(report.warnings().iter().any(|warning| warning.contains("unheard-of")), "{way}: {change}");
            } else {
                assert!(!report.is_valid(), "{way}: {change}");
                assert!(report.errors().iter().all(|error| !error.is_empty()));
            }
            tried += 1;
        }
        // Two members of one name, of which one reader takes the first and another the last.
        for member in ["signer", "files", "signature"] {
            fs::write(bundle.file(MANIFEST), manifest.to_string().replacen('{', &format!("{{\"{member}\":[],"), 1))
                .unwrap();
            let report = verify_bundle(&bundle.path(), &expected);
            assert!(report.errors()[0].contains("two members of the same name"), "{way}: {member}: {report:?}");
            tried += 1;
        }
        // Whitespace and order are not what is signed.
        fs::write(bundle.file(MANIFEST), serde_json::to_string_pretty(&manifest).unwrap()).unwrap();
        assert!(verify_bundle(&bundle.path(), &expected).is_valid(), "{way}");
    }
    println!("{tried} changes of manifests");
    assert!(tried > 1000, "{tried}");
}

#[test]
fn every_change_of_a_file_is_named() {
    let mut tried = 0;
    for (way, signing, expected) in ways() {
        let bundle = Written::new(&signing);
        for name in BUNDLE_FILES.into_iter().filter(|name| *name != MANIFEST) {
            let original = fs::read(bundle.file(name)).unwrap();
            let flipped = |at: usize| {
                let mut bytes = original.clone();
                bytes[at] ^= 1;
                bytes
            };
            let length = original.len();
            let mut changed: Vec<Vec<u8>> = (0..length).step_by(length / 16).chain([length - 1]).map(flipped).collect();
            changed.push(original[..length - 1].to_vec());
            changed.push([&original[..], b"\n"].concat());
            changed.push(vec![]);
            for bytes in changed {
                fs::write(bundle.file(name), bytes).unwrap();
                let report = verify_bundle(&bundle.path(), &expected);
                assert!(report.errors().contains(&format!("checksum mismatch: {name}")), "{way}: {report:?}");
                tried += 1;
            }
            fs::remove_file(bundle.file(name)).unwrap();
            let report = verify_bundle(&bundle.path(), &expected);
            assert_eq!(report.errors(), [format!("missing file: {name}")], "{way}");
            fs::write(bundle.file(name), &original).unwrap();
            // Two files that change places.
            let neighbour = if name == "evidence.json" { "siem-event.json" } else { "evidence.json" };
            let theirs = fs::read(bundle.file(neighbour)).unwrap();
            fs::write(bundle.file(name), &theirs).unwrap();
            fs::write(bundle.file(neighbour), &original).unwrap();
            let report = verify_bundle(&bundle.path(), &expected);
            for swapped in [name, neighbour] {
                assert!(report.errors().contains(&format!("checksum mismatch: {swapped}")), "{way}: {report:?}");
            }
            fs::write(bundle.file(name), &original).unwrap();
            fs::write(bundle.file(neighbour), &theirs).unwrap();
            tried += 2;
        }
        assert!(verify_bundle(&bundle.path(), &expected).is_valid(), "{way}");
    }
    println!("{tried} changes of files");
    assert!(tried > 500, "{tried}");
}

#[test]
fn whoever_signs_anew_is_found_out() {
    let forger = SigningKey::generate().unwrap();
    for (way, signing, expected) in ways().into_iter().skip(1) {
        let bundle = Written::new(&signing);
        let key_id = || "evidence-1".to_owned();
        for forged in [
            Signing::Checksum,
            Signing::Hmac(Secret::new("other").unwrap()),
            Signing::Ed25519 { key: forger.clone(), key_id: key_id() },
            Signing::Ed25519 { key: forger.clone(), key_id: forger.public().key_id().to_owned() },
        ] {
            bundle.sign(bundle.manifest(), &forged);
            assert!(!verify_bundle(&bundle.path(), &expected).is_valid(), "{way}: {forged:?}");
        }
        // The forger's signature under the signer's name and fingerprint.
        if let Signing::Ed25519 { key, .. } = &signing {
            bundle.sign(bundle.manifest(), &Signing::Ed25519 { key: forger.clone(), key_id: key_id() });
            let mut manifest = bundle.manifest();
            manifest["signature"]["public_key_sha256"] = json!(key.public().fingerprint());
            bundle.set_manifest(&manifest);
            let report = verify_bundle(&bundle.path(), &expected);
            assert_eq!(report.errors(), ["manifest signature mismatch"], "{way}");
        }
    }
}

/// The messages of the contract's table, word for word.
#[test]
fn what_a_key_shows_is_said_in_the_words_of_the_contract() {
    let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let ed25519 = Signing::Ed25519 { key: key.clone(), key_id: "k".to_owned() };
    let named = |trust, key_id: &str| Expectations { key_id: Some(key_id.to_owned()), ..expecting(trust) };
    let roots = |roots: Vec<TrustRoot>| {
        ManifestTrust::Roots(TrustRoots::read(&trust_root_bundle(roots, created_at()).unwrap()).unwrap())
    };
    let single = |root: TrustRoot| ManifestTrust::Roots(TrustRoots::read(&root.to_value()).unwrap());
    let public = || ManifestTrust::Key(key.public().clone());
    let revoked = TrustRoot { status: TrustStatus::Revoked, ..root(&key, "k") };
    const NOT_ED25519: &[&str] = &["manifest signature algorithm is not Ed25519", "manifest signature mismatch"];
    const WRONG_KEY: &[&str] = &["manifest public key fingerprint mismatch", "manifest signature mismatch"];
    let cases: Vec<(&Signing, Expectations, &[&str])> = vec![
        (&Signing::Checksum, expecting(public()), NOT_ED25519),
        (&ed25519, expecting(ManifestTrust::Key(other.public().clone())), WRONG_KEY),
        (&ed25519, named(public(), "k"), &[]),
        (&ed25519, named(public(), "j"), &["manifest key ID mismatch"]),
        (&ed25519, named(ManifestTrust::Nothing, "j"), &["manifest key ID mismatch"]),
        (&ed25519, expecting(roots(vec![root(&other, "k")])), &["matching trust root not found"]),
        (&ed25519, expecting(roots(vec![root(&key, "j")])), &["matching trust root not found"]),
        (&ed25519, named(roots(vec![root(&key, "k")]), "j"), &["matching trust root not found"]),
        (&ed25519, expecting(single(root(&key, "j"))), &["manifest key ID mismatch"]),
        (&ed25519, expecting(single(root(&other, "k"))), WRONG_KEY),
        (&ed25519, expecting(single(revoked.clone())), &["trust root is not active: k is revoked"]),
        (&ed25519, expecting(roots(vec![revoked])), &["trust root is not active: k is revoked"]),
    ];
    for (signing, expected, errors) in cases {
        let report = verify_bundle(&Written::new(signing).path(), &expected);
        assert_eq!(report.errors(), errors, "{expected:?}");
    }
    let retired = TrustRoot { status: TrustStatus::Retired, ..root(&key, "k") };
    let report = verify_bundle(&Written::new(&ed25519).path(), &expecting(single(retired)));
    assert!(report.is_valid() && report.warnings()[0].contains("retired"), "{report:?}");
    let report = verify_bundle(&Written::new(&ed25519).path(), &Expectations::keyless());
    assert_eq!((report.is_valid(), report.warnings()), (true, &["signature not verified: no key".to_owned()][..]));
}

#[test]
fn the_least_retention_is_checked() {
    let bundle = Written::new(&Signing::Checksum);
    let errors = |minimum: i64| {
        let expected = Expectations { minimum_retention_days: Some(minimum), ..Expectations::keyless() };
        verify_bundle(&bundle.path(), &expected).errors().to_vec()
    };
    assert_eq!(errors(2555), Vec::<String>::new());
    assert_eq!(errors(2556), ["retention policy below minimum"]);
    fs::remove_file(bundle.file("retention-policy.json")).unwrap();
    assert_eq!(errors(1), ["missing file: retention-policy.json", "missing retention policy"]);
}

/// Manifests that are signed as they should be and list what they should not.
#[test]
fn hostile_lists_are_refused_and_nothing_outside_is_read() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let entry = |path: &str| json!({"path": path, "sha256": Digest::of("secret").hex(), "bytes": 6});
    let absolute = secret.to_str().unwrap().to_owned();
    let unsafe_paths =
        [&absolute, "../secret", "sub/../evidence.json", "./evidence.json", "a/b", "a\\b", "..", ".", "", "a\nb", "\0"];
    for path in unsafe_paths {
        let bundle = Written::new(&Signing::Checksum);
        fs::write(bundle.home.path().join("secret"), "secret").unwrap();
        let mut manifest = bundle.manifest();
        manifest["files"].as_array_mut().unwrap().push(entry(path));
        bundle.sign(manifest, &Signing::Checksum);
        let report = verify_bundle(&bundle.path(), &Expectations::keyless());
        assert_eq!(report.errors().len(), 1, "{path:?}: {report:?}");
        assert!(report.errors()[0].starts_with("unsafe file path: "), "{path:?}: {report:?}");
    }
    for (list, error) in [
        (json!([]), "manifest lists no files"),
        (json!(null), "manifest lists no files"),
        (json!({}), "manifest lists no files"),
        (json!("evidence.json"), "manifest lists no files"),
        (json!([7]), "invalid manifest entry: 1"),
        (json!([{"path": "evidence.json"}]), "invalid manifest entry: 1"),
    ] {
        let bundle = Written::new(&Signing::Checksum);
        let mut manifest = bundle.manifest();
        manifest["files"] = list.clone();
        bundle.sign(manifest, &Signing::Checksum);
        let report = verify_bundle(&bundle.path(), &Expectations::keyless());
        assert!(report.errors().contains(&error.to_owned()), "{list}: {report:?}");
    }
    for name in BUNDLE_FILES.into_iter().filter(|name| *name != MANIFEST) {
        let bundle = Written::new(&Signing::Checksum);
        let mut manifest = bundle.manifest();
        let list = manifest["files"].as_array_mut().unwrap();
        let again = list.iter().find(|entry| entry["path"] == name).unwrap().clone();
        list.push(again);
        bundle.sign(manifest.clone(), &Signing::Checksum);
        let report = verify_bundle(&bundle.path(), &Expectations::keyless());
        assert_eq!(report.errors(), [format!("file listed twice: {name}")]);
        manifest["files"].as_array_mut().unwrap().retain(|entry| entry["path"] != name);
        bundle.sign(manifest, &Signing::Checksum);
        let report = verify_bundle(&bundle.path(), &Expectations::keyless());
        assert!(report.errors().contains(&format!("unlisted file: {name}")), "{report:?}");
        let complete = !report.errors().contains(&"manifest does not list evidence.json".to_owned());
        assert_eq!(complete, name != "evidence.json", "{report:?}");
    }
}

#[test]
fn what_is_no_file_of_the_bundle_is_refused() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().unwrap();
    let name = "siem-event.json";
    type Setup<'a> = &'a dyn Fn(&Path, &[u8]);
    let copy = outside.path().join("copy");
    let sparse = |path: &Path, _: &[u8]| fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
    let cases: [(&str, Setup<'_>); 7] = [
        // The same bytes, but from elsewhere: not even that is read.
        ("unsafe file path", &|path, bytes| {
            fs::write(&copy, bytes).unwrap();
            symlink(&copy, path).unwrap();
        }),
        ("unsafe file path", &|path, _| symlink("../../../../../../etc/hostname", path).unwrap()),
        ("unsafe file path", &|path, _| symlink("/dev/zero", path).unwrap()),
        ("unsafe file path", &|path, _| symlink("nowhere", path).unwrap()),
        ("unreadable file", &|path, _| fs::create_dir(path).unwrap()),
        ("unreadable file", &|path, _| {
            let mode = rustix::fs::Mode::from_bits_truncate(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        }),
        ("unreadable file", &sparse),
    ];
    for (wanted, setup) in cases {
        let bundle = Written::new(&Signing::Checksum);
        let bytes = fs::read(bundle.file(name)).unwrap();
        fs::remove_file(bundle.file(name)).unwrap();
        setup(&bundle.file(name), &bytes);
        let report = verify_bundle(&bundle.path(), &Expectations::keyless());
        assert_eq!(report.errors().len(), 1, "{report:?}");
        assert!(report.errors()[0].starts_with(&format!("{wanted}: {name}")), "{report:?}");
    }
    // The manifest itself.
    let bundle = Written::new(&Signing::Checksum);
    fs::rename(bundle.file(MANIFEST), &copy).unwrap();
    symlink(&copy, bundle.file(MANIFEST)).unwrap();
    let report = verify_bundle(&bundle.path(), &Expectations::keyless());
    assert!(report.errors()[0].starts_with("invalid manifest: "), "{report:?}");
}

#[test]
fn without_a_manifest_nothing_else_is_said() {
    let home = tempfile::tempdir().unwrap();
    let report = |path: &Path| verify_bundle(path, &Expectations::keyless());
    for (found, wanted) in [
        (report(&home.path().join("nowhere")), "missing manifest: "),
        (report(home.path()), "missing manifest: "),
        (
            {
                fs::write(home.path().join(MANIFEST), "{").unwrap();
                report(home.path())
            },
            "invalid manifest: ",
        ),
        (
            {
                fs::write(home.path().join(MANIFEST), "[]").unwrap();
                report(home.path())
            },
            "invalid manifest: ",
        ),
    ] {
        let found: Report = found;
        assert_eq!(found.errors().len(), 1, "{found:?}");
        assert!(found.errors()[0].starts_with(wanted), "{found:?}");
    }
}
