//! Air-gap archives: a whole one is extracted, a hostile one leaves nothing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test says what is wrong by failing")]

mod support;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use cavra_evidence::SigningKey;
use cavra_release::{AirgapOptions, AirgapReport, ArchiveLimits, PackageOptions, verify_airgap};
use serde_json::json;
use support::{Draft, draft, files};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const TOP: &str = "go-runtime-1.2.3";

fn options() -> AirgapOptions {
    AirgapOptions { require_bootstrap: true, package: PackageOptions::default(), limits: ArchiveLimits::default() }
}

/// An archive with a package in it, and whatever `more` adds.
fn archive(home: &Path, package: &Draft, more: impl FnOnce(&mut ZipWriter<File>)) -> PathBuf {
    let source = tempfile::tempdir().unwrap();
    package.seal(source.path(), &SigningKey::generate().unwrap());
    let path = home.join("bundle.zip");
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    for name in files(source.path()) {
        let mode = if name.starts_with("dist/") { 0o755 } else { 0o644 };
        zip.start_file(format!("{TOP}/{name}"), SimpleFileOptions::default().unix_permissions(mode)).unwrap();
        zip.write_all(&fs::read(source.path().join(&name)).unwrap()).unwrap();
    }
    more(&mut zip);
    zip.finish().unwrap();
    path
}

fn add(zip: &mut ZipWriter<File>, name: &str) {
    zip.start_file(name, SimpleFileOptions::default()).unwrap();
    zip.write_all(b"x").unwrap();
}

/// Verifies with a place to extract to; answers what came there too.
fn verify(archive: &Path, options: &AirgapOptions) -> (AirgapReport, Vec<String>) {
    let to = archive.with_file_name("extracted");
    let report = verify_airgap(archive, Some(&to), options);
    (report, if to.exists() { files(&to) } else { Vec::new() })
}

#[track_caller]
fn refused(archive: &Path, options: &AirgapOptions, what: &str) {
    let (report, extracted) = verify(archive, options);
    assert!(!report.valid, "{what}");
    assert!(report.errors.iter().any(|error| error.contains(what)), "{what}: {:#?}", report.errors);
    assert_eq!((extracted, report.extracted_to), (Vec::new(), None), "{what}");
    let beside = fs::read_dir(archive.parent().unwrap()).unwrap();
    let names: Vec<_> = beside.map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name == "bundle.zip" || name == "extracted"), "{names:?}");
}

#[test]
fn a_whole_archive_is_extracted() {
    let home = tempfile::tempdir().unwrap();
    let archive = archive(home.path(), &draft("1.2.3"), |zip| {
        zip.add_directory(format!("{TOP}/empty"), SimpleFileOptions::default()).unwrap();
    });
    let (report, extracted) = verify(&archive, &options());
    assert_eq!(report.errors, Vec::<String>::new());
    assert_eq!(report.top_directory.as_deref(), Some(TOP));
    assert!(extracted.contains(&format!("{TOP}/release-evidence.json")), "{extracted:?}");
    let mode = |name: &str| {
        let found = fs::metadata(home.path().join("extracted").join(TOP).join(name)).unwrap();
        std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777
    };
    assert_eq!((mode(support::LINUX), mode("checksums.txt")), (0o755, 0o644));
    // A second time it does not replace what is there.
    let again = verify_airgap(&archive, Some(&home.path().join("extracted")), &options());
    assert!(!again.valid && again.errors[0].contains("already"), "{:?}", again.errors);
    // Without a place nothing stays.
    let looked = verify_airgap(&archive, None, &options());
    assert!(looked.valid && looked.extracted_to.is_none());
}

#[test]
fn unsafe_names_are_refused_before_anything_is_extracted() {
    for name in [
        "../evil",
        "go-runtime-1.2.3/../../evil",
        "go-runtime-1.2.3/..",
        "/etc/evil",
        "\\evil",
        "go-runtime-1.2.3\\evil",
        "go-runtime-1.2.3/a\\..\\evil",
        "go-runtime-1.2.3//evil",
        "go-runtime-1.2.3/./evil",
        "go-runtime-1.2.3/a\u{7}b",
        "evil",
    ] {
        let home = tempfile::tempdir().unwrap();
        let archive = archive(home.path(), &draft("1.2.3"), |zip| add(zip, name));
        refused(&archive, &options(), "unsafe member name");
    }
}

#[test]
fn links_and_second_tops_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let linked = archive(home.path(), &draft("1.2.3"), |zip| {
        zip.add_symlink(format!("{TOP}/link"), "/etc/passwd", SimpleFileOptions::default()).unwrap();
    });
    refused(&linked, &options(), "is a link");
    for second in ["go-runtime-2.0.0/a", "other/a"] {
        let home = tempfile::tempdir().unwrap();
        let archive = archive(home.path(), &draft("1.2.3"), |zip| add(zip, second));
        refused(&archive, &options(), "exactly one top directory");
    }
    let other = tempfile::tempdir().unwrap();
    let path = other.path().join("bundle.zip");
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    add(&mut zip, "package/release-evidence.json");
    zip.finish().unwrap();
    refused(&path, &options(), "exactly one top directory");
}

#[test]
fn bombs_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let archive = archive(home.path(), &draft("1.2.3"), |zip| {
        zip.start_file(format!("{TOP}/zeros"), SimpleFileOptions::default()).unwrap();
        zip.write_all(&vec![0; 1 << 20]).unwrap();
    });
    let limits = |members, bytes| AirgapOptions { limits: ArchiveLimits { members, bytes }, ..options() };
    refused(&archive, &limits(5, u64::MAX), "more than 5 members");
    refused(&archive, &limits(1000, 1 << 19), "more than 524288 bytes");

    // One that lies about the size of what comes out: the counted bytes decide, or the archive is broken.
    let mut bytes = fs::read(&archive).unwrap();
    let size = u32::to_le_bytes(1 << 20);
    let places: Vec<_> = (0..bytes.len() - 4).filter(|at| bytes[*at..*at + 4] == size).collect();
    assert!(places.len() >= 2, "{places:?}");
    for at in places {
        bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(1));
    }
    fs::write(&archive, bytes).unwrap();
    refused(&archive, &limits(1000, 1 << 19), "cannot be unpacked");
}

#[test]
fn damage_and_other_files_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("bundle.zip");
    refused(&path, &options(), "missing");
    for bytes in [&b""[..], b"PK\x03\x04", b"not a zip"] {
        fs::write(&path, bytes).unwrap();
        refused(&path, &options(), "no ZIP archive");
    }
    let whole = fs::read(archive(home.path(), &draft("1.2.3"), |_| {})).unwrap();
    fs::remove_dir_all(home.path().join("extracted")).ok();
    let mut tried = 0;
    for at in (0..whole.len()).step_by(whole.len() / 60) {
        let mut changed = whole.clone();
        changed[at] ^= 0x55;
        fs::write(&path, &changed).unwrap();
        let (report, extracted) = verify(&path, &options());
        // A bit that no reader looks at may stay unnoticed; then everything else has to be whole.
        assert_eq!(report.valid, !extracted.is_empty(), "byte {at}");
        fs::remove_dir_all(home.path().join("extracted")).ok();
        tried += 1;
    }
    println!("{tried} damaged archives tried");
}

#[test]
fn the_bootstrap_says_how_to_go_on_offline() {
    for (pointer, value, what) in [
        ("/schema_version", json!("x"), "schema_version"),
        ("/mode", json!("online"), "mode"),
        ("/required_files", json!([]), "required_files"),
        ("/required_files", json!(["none.txt"]), "none.txt"),
        ("/required_files", json!(["../none.txt"]), "none.txt"),
        ("/required_files", json!([7]), "required_files"),
        ("/commands", json!(["cavra release verify-go-package ."]), "verify-airgap-bundle"),
        ("/commands", json!("cavra release verify-airgap-bundle x"), "verify-go-package"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let mut changed = draft("1.2.3");
        *changed.document(support::BOOTSTRAP).pointer_mut(pointer).unwrap() = value;
        let archive = archive(home.path(), &changed, |_| {});
        refused(&archive, &options(), what);
    }
    let mut without = draft("1.2.3");
    without.documents.retain(|(name, _)| *name != support::BOOTSTRAP);
    let home = tempfile::tempdir().unwrap();
    let archive = archive(home.path(), &without, |_| {});
    refused(&archive, &options(), support::BOOTSTRAP);
    let (report, _) = verify(&archive, &AirgapOptions { require_bootstrap: false, ..options() });
    assert!(report.valid, "{:?}", report.errors);
    assert!(report.warnings.iter().any(|note| note.contains(support::BOOTSTRAP)));
}
