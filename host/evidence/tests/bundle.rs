//! Bundles as a reader of the directory sees them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test helpers may fail loudly")]

mod support;

use std::fs;
use std::path::Path;

use cavra_evidence::{Bundle, BundleError, Retention, Secret, Signing, session_comment, siem_event, summary};
use cavra_model::{Digest, Object};
use serde_json::{Value, json};

use support::{SESSION, assert_golden, created_at, object, seven};

fn bundle(decisions: &[Object]) -> Bundle<'_> {
    Bundle {
        session_id: SESSION,
        signer: "équipe",
        created_at: created_at(),
        decisions,
        retention: Retention::default(),
    }
}

fn read(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join(name)).unwrap()
}

/// Names in a directory, sorted, hidden ones included.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_file_of_the_seven_decisions() {
    let decisions = seven();
    let files = bundle(&decisions).files(&Signing::Checksum);
    let order: Vec<_> = files.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        order,
        [
            "evidence.json",
            "pr-attestation.md",
            "compliance-mapping.md",
            "siem-event.json",
            "sandbox-run-summary.json",
            "retention-policy.json",
            "manifest.json"
        ]
    );
    for (name, text) in &files {
        assert_golden(name, text);
    }
}

#[test]
fn the_comment_on_an_agent_session() {
    let action = |target: &str, decision: &str, reason: Value| json!({"type": "execute_command", "target": target, "decision": decision, "reason": reason});
    let audit = object(json!({
        "session_id": "0123456789ab", "tool": "claude-code", "repo": "/srv/app", "started_at": created_at(),
        "actions": [
            action("cargo test", "allow", json!("matches cargo *")),
            action("terraform apply", "block", json!("matches *apply*")),
            action("`rm`\n- `x`", "block", Value::Null),
            action("make release", "require_approval", json!("no rule matches")),
            "no object",
        ],
    }));
    assert_golden("session-comment.md", &session_comment(&audit));
    assert!(session_comment(&Object::new()).contains("- Blocked actions: 0\n"));
}

#[test]
fn the_gravest_severity_wins_by_rank() {
    let of = |severities: &[Value]| {
        let decisions: Vec<_> = severities.iter().map(|severity| object(json!({"severity": severity}))).collect();
        siem_event(SESSION, created_at(), &decisions)["max_severity"].clone()
    };
    assert_eq!(of(&[]), "low");
    assert_eq!(of(&[Value::Null, json!("dire"), json!(7)]), "low");
    assert_eq!(of(&[json!("medium"), json!("low")]), "medium");
    assert_eq!(of(&[json!("medium"), json!("high"), json!("low")]), "high");
    assert_eq!(of(&[json!("medium"), json!("critical"), json!("low"), json!("high")]), "critical");
}

#[test]
fn the_counts_of_the_seven() {
    let counts = summary(SESSION, created_at(), &seven());
    assert_eq!(
        (&counts["events"], &counts["blocked"], &counts["approval_required"]),
        (&json!(7), &json!(4), &json!(1))
    );
}

#[test]
fn the_manifest_vouches_for_the_files_on_disk() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("not/yet/there");
    let decisions = seven();
    let signing = Signing::Hmac(Secret::new("vector-key").unwrap());
    bundle(&decisions).write(&directory, &signing).unwrap();

    let manifest = object(serde_json::from_str(&read(&directory, "manifest.json")).unwrap());
    assert_eq!(manifest["files"].as_array().unwrap().len(), 6);
    for file in manifest["files"].as_array().unwrap() {
        let text = read(&directory, file["path"].as_str().unwrap());
        assert_eq!(file["sha256"], Digest::of(&text).hex());
        assert_eq!(file["bytes"], text.len());
    }
    assert_eq!(manifest["signature"], Value::Object(signing.envelope(&manifest)));
    assert_eq!(manifest["signature"]["algorithm"], "HS256");
    assert_eq!(names(&root.path().join("not/yet")), ["there"], "no draft is left behind");
}

#[test]
fn an_earlier_bundle_or_an_empty_directory_is_replaced() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("latest");
    fs::create_dir(&directory).unwrap();
    bundle(&[]).write(&directory, &Signing::Checksum).unwrap();
    assert!(!read(&directory, "evidence.json").contains(".env"));
    bundle(&seven()).write(&directory, &Signing::Checksum).unwrap();
    assert!(read(&directory, "evidence.json").contains(".env"));
    assert_eq!(names(&directory).len(), 7);
    assert_eq!(names(root.path()), ["latest"]);
}

#[test]
fn a_foreign_directory_is_refused_and_untouched() {
    // Some other project's manifest does not make a directory a bundle, nor does a bundle file without a manifest.
    for present in [&["notes.txt"][..], &["manifest.json", "index.html"], &["evidence.json"]] {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("site");
        fs::create_dir(&directory).unwrap();
        for name in present {
            fs::write(directory.join(name), "mine").unwrap();
        }
        let error = bundle(&seven()).write(&directory, &Signing::Checksum).unwrap_err();
        assert!(matches!(error, BundleError::Foreign { .. }), "{error}");
        let mut expected: Vec<_> = present.iter().map(ToString::to_string).collect();
        expected.sort();
        assert_eq!(names(&directory), expected);
        assert!(present.iter().all(|name| read(&directory, name) == "mine"));
        assert_eq!(names(root.path()), ["site"]);
    }
}

#[test]
fn a_file_a_link_or_a_nameless_path_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "mine").unwrap();
    let link = root.path().join("link");
    std::os::unix::fs::symlink(root.path(), &link).unwrap();
    for path in [file.as_path(), &link, Path::new(".."), Path::new("/")] {
        let error = bundle(&[]).write(path, &Signing::Checksum).unwrap_err();
        assert!(matches!(error, BundleError::NotADirectory(_)), "{error}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(names(root.path()), ["file", "link"]);
}

#[test]
fn a_failed_write_leaves_the_earlier_bundle() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("latest");
    bundle(&[]).write(&directory, &Signing::Checksum).unwrap();
    let before = read(&directory, "manifest.json");
    // A name so long that the draft beside it cannot be made.
    let long = root.path().join("n".repeat(250));
    fs::rename(&directory, &long).unwrap();
    let error = bundle(&seven()).write(&long, &Signing::Checksum).unwrap_err();
    assert!(matches!(error, BundleError::Io { .. }), "{error}");
    assert_eq!(read(&long, "manifest.json"), before);
    assert_eq!(names(root.path()).len(), 1);
}

/// Writers that meet do not disturb each other, and whoever reads meanwhile finds a whole bundle.
#[test]
fn writers_that_meet_leave_one_whole_bundle() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("latest");
    let expected = cavra_evidence::Expectations::keyless();
    let done = std::sync::atomic::AtomicBool::new(false);
    let running = std::sync::atomic::Ordering::SeqCst;
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..10 {
                        bundle(&seven()).write(&directory, &Signing::Checksum).unwrap();
                    }
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while !done.load(running) {
                // Once it is there, it is always there.
                let found = directory.exists();
                assert!(found || seen == 0, "gone after {seen}");
                seen += usize::from(found);
            }
            seen
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, running);
        assert!(reader.join().unwrap() > 0);
    });
    assert!(cavra_evidence::verify_bundle(&directory, &expected).is_valid());
    assert_eq!(names(root.path()), ["latest"]);
}
