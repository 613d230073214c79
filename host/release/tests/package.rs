//! Release packages: a valid one passes, and whatever is changed in it is named.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test says what is wrong by failing")]

mod support;

use std::fs;
use std::path::Path;

use cavra_artifacts::Reach;
use cavra_evidence::SigningKey;
use cavra_release::{
    CHANNELS, DEPLOYMENT, Document, INSTALLERS, Package, PackageOptions, PackageReport, UPDATER_POLICY, check_upgrade,
    smoke_installers, verify_package,
};
use serde_json::{Value, json};
use support::{Draft, LINUX, draft, files, put};

static ALL: [&Document; 4] = [&INSTALLERS, &DEPLOYMENT, &CHANNELS, &UPDATER_POLICY];

fn strict() -> PackageOptions {
    PackageOptions { documents: &ALL, ..PackageOptions::default() }
}

fn look(directory: &Path, options: &PackageOptions) -> Package {
    verify_package(Reach::Anywhere.open(directory).unwrap(), options)
}

fn verify(directory: &Path) -> PackageReport {
    look(directory, &strict()).report
}

fn sealed(draft: &Draft) -> (tempfile::TempDir, SigningKey) {
    let home = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    draft.seal(home.path(), &key);
    (home, key)
}

#[track_caller]
fn names(report: &PackageReport, what: &str, change: &str) {
    assert!(!report.valid, "not noticed: {change}");
    assert!(
        report.errors.iter().any(|error| error.contains(what)),
        "{change}: {what} is not named: {:#?}",
        report.errors
    );
}

#[test]
fn a_whole_package_is_valid() {
    let (home, key) = sealed(&draft("1.2.3"));
    let report = verify(home.path());
    assert_eq!(report.errors, Vec::<String>::new());
    assert!(report.valid);
    assert_eq!(report.verified_provenance, [support::PROVENANCE]);
    assert_eq!(report.verified_signatures.len(), 10);
    assert!(report.verified_artifacts.contains(&LINUX.to_owned()));
    assert!(report.warnings.iter().any(|note| note.contains("not origin")), "{:?}", report.warnings);
    let pinned = |signers: Vec<_>| look(home.path(), &PackageOptions { signers: Some(signers), ..strict() }).report;
    let trusted = pinned(vec![key.public().clone()]);
    assert!(trusted.valid && trusted.warnings.is_empty(), "{:?}", trusted.warnings);
    let stranger = pinned(vec![SigningKey::generate().unwrap().public().clone()]);
    names(&stranger, "release-evidence.json.sig.json", "signed by somebody else");
}

/// Every file: bytes changed, cut, grown, emptied, removed. Signature files are not covered by anything else: there it is
/// their members that count, see below.
#[test]
fn whatever_is_changed_in_a_file_is_named() {
    let (home, _) = sealed(&draft("1.2.3"));
    let mut tried = 0;
    for name in files(home.path()) {
        let path = home.path().join(&name);
        let whole = fs::read(&path).unwrap();
        let mut changes: Vec<(&str, Option<Vec<u8>>)> = vec![("removed", None)];
        if !name.ends_with(".sig.json") {
            for at in [0, whole.len() / 2, whole.len() - 1] {
                let mut flipped = whole.clone();
                flipped[at] ^= 1;
                changes.push(("flipped", Some(flipped)));
            }
            changes.push(("cut", Some(whole[..whole.len() - 1].to_vec())));
            changes.push(("grown", Some([&whole[..], b" "].concat())));
        }
        changes.push(("emptied", Some(Vec::new())));
        changes.push(("no JSON", Some(b"[1".to_vec())));
        for (how, bytes) in changes {
            match &bytes {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            // Who misses a signature names what it was of.
            let subject = name.strip_prefix("signatures/").and_then(|name| name.strip_suffix(".sig.json"));
            let what = match subject {
                Some(subject) if bytes.is_none() => subject.replace("dist_", "dist/"),
                _ => name.clone(),
            };
            names(&verify(home.path()), &what, &format!("{name} {how}"));
            tried += 1;
            fs::write(&path, &whole).unwrap();
        }
    }
    assert!(verify(home.path()).valid);
    println!("{tried} changes of files tried");
    assert!(tried >= 100, "{tried}");
}

#[test]
fn every_checksum_line_counts() {
    let (home, key) = sealed(&draft("1.2.3"));
    let path = home.path().join("checksums.txt");
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let mut tried = 0;
    for (index, line) in lines.iter().enumerate() {
        let (digest, name) = line.split_once("  ").unwrap();
        let other = digest.replace(|c: char| c != '0', "0");
        let changes = [
            (format!("{other}  {name}"), name.to_owned()),
            (format!("{digest}  {name}.x"), format!("{name}.x")),
            (format!("{digest}  ../{name}"), format!("../{name}")),
            (format!("{digest}  /etc/{name}"), format!("/etc/{name}")),
            (digest.to_owned(), format!("invalid checksum line {}", index + 1)),
            (format!("{line}\n{other}  {name}"), name.to_owned()),
            (String::new(), name.to_owned()),
        ];
        for (changed, what) in changes {
            let mut lines = lines.clone();
            lines[index] = &changed;
            let text = lines.join("\n");
            fs::write(&path, &text).unwrap();
            // Signed anew, so that only the checksums speak.
            let signature = support::signature("checksums.txt", text.as_bytes(), &key).to_string();
            put(home.path(), "signatures/checksums.txt.sig.json", signature);
            let report = verify(home.path());
            if changed.is_empty() && name == support::EVIDENCE {
                // The release evidence need not be listed: its signature covers it.
                assert!(report.valid, "{:?}", report.errors);
            } else {
                names(&report, &what, &changed);
            }
            tried += 1;
        }
    }
    println!("{tried} changes of checksum lines tried");
}

#[test]
fn every_member_of_a_signature_counts() {
    let (home, _) = sealed(&draft("1.2.3"));
    let mut tried = 0;
    for name in files(home.path()).iter().filter(|name| name.ends_with(".sig.json")) {
        let path = home.path().join(name);
        let whole = fs::read_to_string(&path).unwrap();
        let signature: Value = serde_json::from_str(&whole).unwrap();
        for member in support::members(&signature) {
            for value in [None, Some(json!("other")), Some(json!(7)), Some(json!("../outside"))] {
                let mut changed = signature.clone();
                match value {
                    Some(value) => *changed.pointer_mut(&member).unwrap() = value,
                    None => support::remove(&mut changed, &member),
                }
                fs::write(&path, changed.to_string()).unwrap();
                names(&verify(home.path()), name, &format!("{name}{member}"));
                tried += 1;
            }
        }
        fs::write(&path, whole).unwrap();
    }
    println!("{tried} changes of signature members tried");
}

/// Members whose absence is no fault: they are kept for later, or another member says the same.
const DISPENSABLE: [&str; 3] = ["/rollback_steps", "/workstation_targets/0/id", "/workstation_targets/0/binary"];

/// The one who builds the package gets it wrong: sealed properly, but every member that is checked is missing, empty or
/// something else in turn.
#[test]
fn documents_that_are_sealed_but_wrong_are_named() {
    let whole = draft("1.2.3");
    let key = SigningKey::generate().unwrap();
    let mut tried = 0;
    for file in [
        support::EVIDENCE,
        support::PROVENANCE,
        support::INSTALLERS,
        support::DEPLOYMENT,
        support::CHANNELS,
        support::UPDATER,
    ] {
        let document = whole.clone().document(file).clone();
        for pointer in support::members(&document) {
            if DISPENSABLE.iter().any(|end| pointer.ends_with(end)) {
                continue;
            }
            for value in [None, Some(Value::Null), Some(json!("")), Some(json!([])), Some(json!({}))] {
                let mut changed = whole.clone();
                match &value {
                    Some(value) => *changed.document(file).pointer_mut(&pointer).unwrap() = value.clone(),
                    None => support::remove(changed.document(file), &pointer),
                }
                let home = tempfile::tempdir().unwrap();
                changed.seal(home.path(), &key);
                names(&verify(home.path()), file, &format!("{file}{pointer} = {value:?}"));
                tried += 1;
            }
        }
    }
    println!("{tried} changes of members tried");
    assert!(tried >= 300, "{tried}");
}

#[test]
fn values_that_contradict_each_other_are_named() {
    let digest = "0".repeat(64);
    for (file, pointer, value) in [
        (support::INSTALLERS, "/version", json!("9.9.9")),
        (support::INSTALLERS, "/targets/0/target", json!("darwin-arm64")),
        (support::INSTALLERS, "/targets/0/binary", json!("../../etc/passwd")),
        (support::INSTALLERS, "/targets/0/binary_sha256", json!(digest)),
        (support::INSTALLERS, "/targets/0/verification_command", json!("true")),
        (support::DEPLOYMENT, "/source_metadata", json!("other.json")),
        (support::DEPLOYMENT, "/deployment_targets/0/id", json!("linux-fleet")),
        (support::DEPLOYMENT, "/deployment_targets/0/installer_target", json!("plan9")),
        (support::DEPLOYMENT, "/deployment_targets/0/binary", json!(LINUX)),
        (support::DEPLOYMENT, "/deployment_targets/0/verification_commands/1", json!("true")),
        (support::CHANNELS, "/channels/0/channel", json!("beta")),
        (support::CHANNELS, "/channels/0/auto_update", json!(true)),
        (support::CHANNELS, "/channels/0/approval_required", json!(false)),
        (support::CHANNELS, "/channels/0/workstation_targets/0/binary_sha256", json!(digest)),
        (support::UPDATER, "/default_auto_update", json!(true)),
        (support::UPDATER, "/policies/0/channel", json!("nightly")),
        (support::UPDATER, "/policies/0/auto_update", json!(true)),
        (support::UPDATER, "/policies/0/approval_required", json!(false)),
        (support::UPDATER, "/policies/0/rollback/required", json!(false)),
        (support::PROVENANCE, "/predicate/buildDefinition/externalParameters/version", json!("9.9.9")),
        (support::PROVENANCE, "/predicate/buildDefinition/externalParameters/ref", json!("refs/heads/main")),
    ] {
        let mut changed = draft("1.2.3");
        *changed.document(file).pointer_mut(pointer).unwrap() = value.clone();
        let (home, _) = sealed(&changed);
        names(&verify(home.path()), file, &format!("{file}{pointer} = {value}"));
    }
    for subject in [
        json!([]),
        json!([{"name": "../x", "digest": {"sha256": digest}}]),
        json!([{"name": LINUX, "digest": {"sha256": digest}}]),
        json!([{"name": LINUX}]),
        json!([7]),
    ] {
        let mut changed = draft("1.2.3");
        changed.provenance["subject"] = subject.clone();
        let (home, _) = sealed(&changed);
        names(&verify(home.path()), support::PROVENANCE, &subject.to_string());
    }
}

#[test]
fn what_may_be_missing_is_a_warning_then() {
    let (home, _) = sealed(&draft("1.2.3"));
    fs::remove_dir_all(home.path().join("signatures")).unwrap();
    fs::remove_file(home.path().join(support::PROVENANCE)).unwrap();
    let mut evidence: Value = serde_json::from_slice(&fs::read(home.path().join(support::EVIDENCE)).unwrap()).unwrap();
    let artifacts = evidence["artifacts"].as_array_mut().unwrap();
    artifacts.retain(|entry| entry["relative_path"] != support::PROVENANCE);
    put(home.path(), support::EVIDENCE, evidence.to_string());
    let lines = fs::read_to_string(home.path().join("checksums.txt")).unwrap();
    let kept = lines.lines().filter(|line| !line.ends_with(support::PROVENANCE) && !line.ends_with(support::EVIDENCE));
    put(home.path(), "checksums.txt", kept.collect::<Vec<_>>().join("\n"));
    names(&verify(home.path()), support::PROVENANCE, "no provenance");
    names(&verify(home.path()), LINUX, "no signatures");
    let relaxed = PackageOptions { require_signatures: false, require_provenance: false, ..strict() };
    let report = look(home.path(), &relaxed).report;
    assert_eq!(report.errors, Vec::<String>::new());
    assert!(report.warnings.iter().any(|note| note.contains(support::PROVENANCE)), "{:?}", report.warnings);
    assert!(report.warnings.iter().any(|note| note.contains(LINUX)), "{:?}", report.warnings);
    // The four documents are needed only by those who use them.
    for document in ALL {
        fs::remove_file(home.path().join(document.file)).unwrap();
        names(&look(home.path(), &PackageOptions { documents: &ALL, ..relaxed.clone() }).report, document.file, "gone");
    }
}

#[test]
fn a_member_has_one_value() {
    let (home, key) = sealed(&draft("1.2.3"));
    let path = home.path().join(support::EVIDENCE);
    let text = fs::read_to_string(&path).unwrap().replacen('{', "{\"version\":\"9.9.9\",", 1);
    fs::write(&path, &text).unwrap();
    let signature = support::signature(support::EVIDENCE, text.as_bytes(), &key).to_string();
    put(home.path(), "signatures/release-evidence.json.sig.json", signature);
    let report = verify(home.path());
    let said = "release-evidence.json: it is no JSON object";
    assert!(report.errors.iter().any(|error| error.starts_with(said)), "{:?}", report.errors);
}

#[test]
fn links_and_pipes_are_no_part_of_a_package() {
    let (home, _) = sealed(&draft("1.2.3"));
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(outside.path(), fs::read(home.path().join(LINUX)).unwrap()).unwrap();
    fs::remove_file(home.path().join(LINUX)).unwrap();
    std::os::unix::fs::symlink(outside.path(), home.path().join(LINUX)).unwrap();
    names(&verify(home.path()), LINUX, "a link out, with the right content");
    fs::remove_file(home.path().join(LINUX)).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, home.path().join(LINUX), rustix::fs::Mode::RWXU).unwrap();
    names(&verify(home.path()), LINUX, "a pipe");
}

#[test]
fn upgrades_go_forward() {
    let at = |version: &str| {
        let (home, _) = sealed(&draft(version));
        let package = look(home.path(), &strict());
        (home, package)
    };
    let (_old, old) = at("1.2.3");
    for (version, valid) in [
        ("1.2.4", true),
        ("v1.3.0", true),
        ("2.0.0-rc.1", true),
        ("1.2.3", false),
        ("1.2.3+build", false),
        ("1.2.3-rc.1", false),
        ("0.9.0", false),
        ("next", true),
    ] {
        let (_new, new) = at(version);
        let report = check_upgrade(&old, &new, false);
        assert_eq!(report.valid, valid, "{version}: {:?}", report.errors);
        assert!(report.warnings.iter().any(|note| note.contains("same commit")));
        assert_eq!(report.warnings.iter().any(|note| note.contains("semantic version")), version == "next");
    }
    let (_same, same) = at("1.2.3");
    assert!(check_upgrade(&old, &same, true).valid);
    let mut less = draft("1.3.0");
    less.evidence["controls"] = json!(["signed"]);
    less.documents[0].1["targets"].as_array_mut().unwrap().pop();
    less.documents[1].1["deployment_targets"].as_array_mut().unwrap().remove(0);
    let (home, _) = sealed(&less);
    let report = check_upgrade(&old, &look(home.path(), &strict()), false);
    assert_eq!(
        report.errors,
        [
            "candidate package: binary target darwin-arm64 was removed",
            "candidate package: control provenance was removed"
        ]
    );
}

#[test]
fn binaries_for_this_machine_start() {
    let second = std::time::Duration::from_secs(5);
    let native = cfg!(all(target_os = "linux", target_arch = "x86_64"));
    let smoke = |script: &[u8], timeout| {
        let mut changed = draft("1.2.3");
        let old = support::sha(&changed.binaries[0].1);
        changed.binaries[0].1 = script.to_vec();
        let text = serde_json::to_string(&changed.documents.iter().map(|(_, document)| document).collect::<Vec<_>>());
        let documents: Vec<Value> = serde_json::from_str(&text.unwrap().replace(&old, &support::sha(script))).unwrap();
        changed.documents.iter_mut().zip(documents).for_each(|(slot, document)| slot.1 = document);
        let (home, _) = sealed(&changed);
        smoke_installers(&look(home.path(), &strict()), timeout)
    };
    let fine = smoke(b"#!/bin/sh\ntest \"$1\" = --version\n", Some(second));
    assert!(fine.valid, "{:?}", fine.errors);
    assert_eq!((fine.targets[0].executed, fine.targets[1].executed), (native, false));
    let skipped = smoke(b"#!/bin/sh\nexit 1\n", None);
    assert!(skipped.valid && skipped.targets.iter().all(|target| !target.executed));
    if native {
        assert_eq!(smoke(b"#!/bin/sh\nexit 3\n", Some(second)).targets[0].exit_code, Some(3));
        let hangs = smoke(b"#!/bin/sh\nexec sleep 60\n", Some(std::time::Duration::from_millis(200)));
        assert!(!hangs.valid && hangs.errors[0].contains(LINUX), "{:?}", hangs.errors);
        assert!(!smoke(b"not a program", Some(second)).valid);
    }
    // What does not verify is not started.
    let (home, _) = sealed(&draft("1.2.3"));
    let trace = home.path().join("trace");
    put(home.path(), LINUX, format!("#!/bin/sh\n: > '{}'\n", trace.display()));
    let report = smoke_installers(&look(home.path(), &strict()), Some(second));
    assert!(!trace.exists(), "it was started");
    assert!(!report.valid && report.targets.iter().all(|target| !target.executed));
}
