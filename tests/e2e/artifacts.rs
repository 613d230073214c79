//! The files behind evidence metadata. docs/reference/evidence-and-promotion.md, section 2.

use std::io::Read as _;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::{Backend, Connection, Home, Response, Server, on_both, sha256, strings, text};

/// A server with a root for files.
pub fn serve(home: &Home, backend: Backend) -> Server {
    std::fs::create_dir_all(home.join("root")).unwrap();
    crate::evidence::serve(home, backend, &[("CAVRA_EVIDENCE_ARTIFACT_ROOT", &home.at("root"))])
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    sha256(bytes.as_ref()).replace("sha256:", "")
}

fn members(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut file = archive.by_index(index).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

fn get_with(server: &Server, path: &str, headers: &str) -> Response {
    let mut connection: Connection = server.connect();
    connection.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n").as_bytes()).unwrap();
    connection.receive().unwrap()
}

/// A bundle as the command line makes it, below the root.
pub fn bundle(home: &Home, id: &str) {
    home.cavra(&["evidence", "bundle", "--output", &home.at(&format!("root/{id}"))]).run().ok();
}

#[test]
fn a_bundle_is_listed_and_downloaded() {
    on_both(|backend| {
        let home = Home::new();
        let server = serve(&home, backend);
        bundle(&home, "s 1");
        home.write("root/s 1/private.txt", "not for anybody");
        // What a client says about the place does not count for sessions.
        server.post("/evidence", &json!({"session_id": "s 1", "bundle_dir": "/etc"})).ok();
        let listing = server.get("/evidence/s%201/artifacts").ok();
        for (member, wanted) in [
            ("schema_version", json!("cavra.evidence.artifacts.v1")),
            ("product", json!("CAVRA")),
            ("session_id", json!("s 1")),
            ("metadata_kind", json!("session")),
            ("artifact_root_configured", json!(true)),
            ("artifact_count", json!(7)),
            ("bundle_download_url", json!("/evidence/s%201/artifact-bundle")),
            ("bundle_integrity", json!({"status": "verified", "errors": []})),
        ] {
            assert_eq!(listing[member], wanted, "{member}");
        }
        let names: Vec<&str> =
            listing["artifacts"].as_array().unwrap().iter().map(|item| text(item, "artifact")).collect();
        assert_eq!(
            names,
            [
                "manifest.json",
                "evidence.json",
                "pr-attestation.md",
                "compliance-mapping.md",
                "siem-event.json",
                "sandbox-run-summary.json",
                "retention-policy.json"
            ]
        );
        for item in listing["artifacts"].as_array().unwrap() {
            let name = text(item, "artifact");
            let bytes = std::fs::read(home.join(&format!("root/s 1/{name}"))).unwrap();
            assert_eq!(
                (text(item, "sha256"), item["bytes"].as_u64().unwrap()),
                (hex(&bytes).as_str(), bytes.len() as u64)
            );
            assert!(!text(item, "description").is_empty() && !text(item, "kind").is_empty());
            let sent = server.get(text(item, "download_url"));
            assert_eq!((sent.status, &sent.body), (200, &bytes));
            assert_eq!(sent.header("x-cavra-artifact-sha256"), Some(hex(&bytes).as_str()));
            assert!(sent.header("content-type").unwrap().starts_with(text(item, "media_type")));
            let disposition = format!("attachment; filename=\"{name}\"");
            assert_eq!(sent.header("content-disposition"), Some(disposition.as_str()));
        }
        let archive = server.get("/evidence/s%201/artifact-bundle");
        assert_eq!(archive.header("content-type"), Some("application/zip"));
        assert_eq!(archive.header("content-disposition"), Some("attachment; filename=\"s_1-evidence-bundle.zip\""));
        assert_eq!(archive.header("x-cavra-artifact-sha256"), Some(hex(&archive.body).as_str()));
        let packed = members(&archive.body);
        assert_eq!(packed.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
        for (name, bytes) in packed {
            assert_eq!(bytes, std::fs::read(home.join(&format!("root/s 1/{name}"))).unwrap());
        }
        assert_eq!(server.get("/evidence/s%201/artifact-bundle").body, archive.body, "byte-stable");

        home.write("root/s 1/pr-attestation.md", "# everything was fine\n");
        let listing = server.get("/evidence/s%201/artifacts").ok();
        assert_eq!(listing["bundle_integrity"]["status"], "failed");
        let errors = listing["bundle_integrity"]["errors"].to_string();
        assert!(errors.contains("checksum mismatch: pr-attestation.md") && !errors.contains(&home.at("")), "{errors}");
        std::fs::remove_file(home.join("root/s 1/manifest.json")).unwrap();
        assert_eq!(server.get("/evidence/s%201/artifacts").ok()["bundle_integrity"]["status"], "missing_manifest");
    });
}

#[test]
fn checks_come_in_order() {
    let home = Home::new();
    let bare = crate::evidence::serve(&home, Backend::Json, &[]);
    bare.post("/evidence", &json!({"session_id": "s"})).ok();
    for tail in ["artifacts", "artifacts/evidence.json", "artifact-bundle"] {
        assert_eq!(bare.get(&format!("/evidence/none/{tail}")).refused(&[404]), "evidence metadata not found");
        assert_eq!(
            bare.get(&format!("/evidence/s/{tail}")).refused(&[400]),
            "evidence artifact root is not configured"
        );
    }
    drop(bare);
    let server = serve(&home, Backend::Json);
    for id in ["a/b", "a\\b"] {
        server.post("/evidence", &json!({"session_id": id})).ok();
    }
    for id in ["a%2Fb", "a%5Cb"] {
        for tail in ["artifacts", "artifacts/evidence.json", "artifact-bundle"] {
            server.get(&format!("/evidence/{id}/{tail}")).refused(&[400]);
        }
    }
    let empty = server.get("/evidence/s/artifacts").ok();
    assert_eq!((&empty["artifact_count"], &empty["artifacts"]), (&json!(0), &json!([])));
    assert_eq!(server.get("/evidence/s/artifacts/private.txt").refused(&[400]), "unsupported evidence artifact");
    assert_eq!(server.get("/evidence/s/artifacts/evidence.json").refused(&[404]), "evidence artifact not found");
    assert_eq!(server.get("/evidence/s/artifact-bundle").refused(&[404]), "evidence artifact not found");
}

#[test]
fn nothing_outside_is_read() {
    let home = Home::new();
    let server = serve(&home, Backend::Json);
    home.write("secret/evidence.json", "secret");
    home.write("secret/managed-endpoint-rollout-evidence.md", "secret");
    home.write("root/inside/evidence.json", "inside");
    home.write("root/s/manifest.json", "{}");
    symlink(home.join("secret/evidence.json"), home.join("root/s/evidence.json")).unwrap();
    symlink("../../secret/evidence.json", home.join("root/s/siem-event.json")).unwrap();
    symlink("../inside/evidence.json", home.join("root/s/retention-policy.json")).unwrap();
    symlink("/dev/zero", home.join("root/s/pr-attestation.md")).unwrap();
    symlink("manifest.json", home.join("root/s/sandbox-run-summary.json")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, home.join("root/s/compliance-mapping.md"), rustix::fs::Mode::RWXU).unwrap();
    symlink(home.join("secret"), home.join("root/link")).unwrap();
    symlink(home.join("root/inside"), home.join("root/alias")).unwrap();
    for id in ["s", "link", "alias"] {
        server.post("/evidence", &json!({"session_id": id})).ok();
    }
    let listing = server.get("/evidence/s/artifacts").ok();
    let names: Vec<&str> = listing["artifacts"].as_array().unwrap().iter().map(|item| text(item, "artifact")).collect();
    assert_eq!(names, ["manifest.json", "sandbox-run-summary.json"]);
    for name in
        ["evidence.json", "siem-event.json", "retention-policy.json", "pr-attestation.md", "compliance-mapping.md"]
    {
        server.get(&format!("/evidence/s/artifacts/{name}")).refused(&[404]);
    }
    assert_eq!(members(&server.get("/evidence/s/artifact-bundle").body).len(), 2);
    for path in [
        "/evidence/s/artifacts/../../secret/evidence.json",
        "/evidence/s/artifacts/..%2F..%2Fsecret%2Fevidence.json",
        "/evidence/s/artifacts/%2e%2e%2f%2e%2e%2fsecret%2fevidence.json",
        "/evidence/s/artifacts/..%252F..%252Fsecret",
        "/evidence/s/artifacts/evidence.json%00.md",
        "/evidence/s/artifacts/%2Fetc%2Fpasswd",
        "/evidence/s/artifacts/.",
        "/evidence/link/artifacts/evidence.json",
        "/evidence/link/artifacts",
        "/evidence/link/artifact-bundle",
    ] {
        let refused = server.get(path);
        refused.refused(&[400, 404]);
        assert!(!refused.text().contains("secret") && !refused.text().contains(&home.at("")), "{}", refused.text());
    }
    assert_eq!(server.get("/evidence/alias/artifacts/evidence.json").text(), "inside");

    let rollout = |id: &str, place: Value| {
        let record = json!({"session_id": id, "metadata_kind": "managed-endpoint-rollout", "bundle_dir": place});
        server.post("/evidence", &record).ok();
    };
    for (number, place) in
        [json!("/etc"), json!(home.at("secret")), json!("../secret"), json!("link"), json!("/nothing/here"), json!(4)]
            .into_iter()
            .enumerate()
    {
        rollout(&format!("out{number}"), place.clone());
        for tail in ["artifacts", "artifacts/checksums.txt", "artifact-bundle"] {
            let refused = server.get(&format!("/evidence/out{number}/{tail}"));
            refused.refused(&[400]);
            assert!(!refused.text().contains(&home.at("")), "{place}: {}", refused.text());
        }
    }
    home.write("root/deep/er/checksums.txt", "x");
    for (id, place) in
        [("r1", json!("deep/er")), ("r2", json!(home.at("root/deep/er"))), ("r3", json!("deep/../deep/er"))]
    {
        rollout(id, place);
        assert_eq!(server.get(&format!("/evidence/{id}/artifacts/checksums.txt")).text(), "x");
    }
}

/// A rollout's files with their checksums.
fn rollout(home: &Home, id: &str, status: &str) {
    let evidence = json!({"rollout_id": id, "status": status}).to_string();
    let summary = "# rollout\n";
    home.write(&format!("root/{id}/managed-endpoint-rollout-evidence.json"), &evidence);
    home.write(&format!("root/{id}/managed-endpoint-rollout-evidence.md"), summary);
    let lines = format!(
        "{}  managed-endpoint-rollout-evidence.json\n{}  managed-endpoint-rollout-evidence.md\n",
        hex(&evidence),
        hex(summary)
    );
    home.write(&format!("root/{id}/checksums.txt"), lines);
}

#[test]
fn a_rollout_shows_its_integrity_and_readiness() {
    let home = Home::new();
    let server = serve(&home, Backend::Sqlite);
    let post = |id: &str, status: &str| {
        let record = json!({"session_id": id, "metadata_kind": "managed-endpoint-rollout", "rollout_status": status});
        server.post("/evidence", &record).ok();
    };
    let listing = |id: &str| server.get(&format!("/evidence/{id}/artifacts")).ok();
    for (status, readiness) in [
        ("staged", "ready"),
        ("succeeded", "ready"),
        ("planned", "review"),
        ("odd", "review"),
        ("failed", "blocked"),
        ("rolled_back", "blocked"),
    ] {
        rollout(&home, status, status);
        post(status, status);
        let listing = listing(status);
        assert_eq!(listing["metadata_kind"], "managed-endpoint-rollout");
        assert_eq!(listing["artifact_count"], 3);
        assert_eq!(listing["rollout_artifact_integrity"]["status"], "verified", "{listing:#}");
        assert_eq!(strings(&listing["rollout_artifact_integrity"]["verified_artifacts"]).len(), 2);
        assert_eq!(listing["promotion_readiness"]["status"], readiness, "{status}");
        assert!(!text(&listing["promotion_readiness"], "rationale").is_empty());
    }
    let kinds: Vec<String> =
        listing("staged")["artifacts"].as_array().unwrap().iter().map(|item| text(item, "kind").to_owned()).collect();
    assert_eq!(kinds, ["rollout-evidence", "rollout-summary", "rollout-checksums"]);

    // The record claims more than the verified file says.
    rollout(&home, "claims", "failed");
    post("claims", "staged");
    assert_eq!(listing("claims")["promotion_readiness"]["status"], "blocked");

    type Damage = fn(&Home);
    let damages: [(Damage, &str, &str, &str); 6] = [
        (
            |home| drop(home.write("root/bad/managed-endpoint-rollout-evidence.md", "x")),
            "failed",
            "checksum_mismatches",
            "managed-endpoint-rollout-evidence.md",
        ),
        (
            |home| std::fs::remove_file(home.join("root/bad/managed-endpoint-rollout-evidence.md")).unwrap(),
            "incomplete",
            "missing_artifacts",
            "managed-endpoint-rollout-evidence.md",
        ),
        (
            |home| {
                drop(home.write("root/bad/checksums.txt", home.read("root/bad/checksums.txt").lines().next().unwrap()))
            },
            "incomplete",
            "unchecked_artifacts",
            "managed-endpoint-rollout-evidence.md",
        ),
        (
            |home| std::fs::remove_file(home.join("root/bad/checksums.txt")).unwrap(),
            "failed",
            "checksum_errors",
            "missing checksums.txt",
        ),
        (
            |home| drop(home.write("root/bad/checksums.txt", home.read("root/bad/checksums.txt") + "nonsense\n")),
            "failed",
            "checksum_errors",
            "invalid checksum line 3",
        ),
        (
            |home| drop(home.write("root/bad/checksums.txt", "")),
            "incomplete",
            "unchecked_artifacts",
            "managed-endpoint-rollout-evidence.json",
        ),
    ];
    post("bad", "staged");
    for (damage, status, member, finding) in damages {
        rollout(&home, "bad", "staged");
        damage(&home);
        let listing = listing("bad");
        let integrity = &listing["rollout_artifact_integrity"];
        assert_eq!(integrity["status"], status, "{integrity}");
        assert!(strings(&integrity[member]).contains(&finding), "{member}: {integrity}");
        assert_eq!(listing["promotion_readiness"]["status"], "blocked");
    }
    // What a rollout has is served as it is.
    rollout(&home, "bad", "staged");
    home.write("root/bad/managed-endpoint-rollout-evidence.md", "x");
    assert_eq!(server.get("/evidence/bad/artifacts/managed-endpoint-rollout-evidence.md").text(), "x");
}

#[test]
fn an_export_is_served_only_if_its_checksums_hold() {
    let home = Home::new();
    let server = serve(&home, Backend::Json);
    let write = || {
        let files = [
            ("jamf-policy.json", "{}"),
            ("linux-install-cavra-runtime.sh", "exit 0"),
            ("endpoint-management-export-manifest.json", "{\"a\":1}"),
        ];
        let lines: String = files.iter().map(|(name, content)| format!("{}  {name}\n", hex(content))).collect();
        for (name, content) in files {
            home.write(&format!("root/eme_1/{name}"), content);
        }
        home.write("root/eme_1/intune-win32-app.json", "not named");
        home.write("root/eme_1/checksums.txt", lines);
    };
    write();
    server
        .post(
            "/evidence",
            &json!({"session_id": "eme_1", "metadata_kind": "endpoint-management-export",
                "files": ["linux-install-cavra-runtime.sh", {"path": "jamf-policy.json"}, "/etc/passwd"]}),
        )
        .ok();
    let listing = server.get("/evidence/eme_1/artifacts").ok();
    let names: Vec<&str> = listing["artifacts"].as_array().unwrap().iter().map(|item| text(item, "artifact")).collect();
    assert_eq!(
        names,
        [
            "endpoint-management-export-manifest.json",
            "jamf-policy.json",
            "linux-install-cavra-runtime.sh",
            "checksums.txt"
        ]
    );
    assert_eq!(listing["endpoint_management_export_integrity"]["status"], "verified");
    assert_eq!(listing["download_readiness"]["status"], "ready");
    let script = server.get("/evidence/eme_1/artifacts/linux-install-cavra-runtime.sh");
    assert_eq!((script.text(), script.header("x-cavra-artifact-kind")), ("exit 0", Some("linux-install-script")));
    assert!(script.header("content-type").unwrap().starts_with("text/x-shellscript"));
    assert_eq!(
        server.get("/evidence/eme_1/artifacts/intune-win32-app.json").refused(&[400]),
        "unsupported evidence artifact"
    );
    let archive = server.get("/evidence/eme_1/artifact-bundle");
    assert_eq!((archive.header("x-cavra-artifact-count"), members(&archive.body).len()), (Some("4"), 4));

    type Damage = fn(&Home);
    let damages: [Damage; 4] = [
        |home| drop(home.write("root/eme_1/jamf-policy.json", "{\"run\": \"evil\"}")),
        |home| std::fs::remove_file(home.join("root/eme_1/checksums.txt")).unwrap(),
        |home| drop(home.write("root/eme_1/checksums.txt", "")),
        |home| drop(home.write("root/eme_1/checksums.txt", home.read("root/eme_1/checksums.txt") + "broken line\n")),
    ];
    for damage in damages {
        write();
        damage(&home);
        for tail in ["artifacts/jamf-policy.json", "artifact-bundle"] {
            let refused = server.get(&format!("/evidence/eme_1/{tail}"));
            let detail = refused.refused(&[400]);
            assert!(detail.as_str().unwrap().contains("checksum verification failed"), "{detail}");
            assert!(!refused.text().contains("evil") && refused.header("x-cavra-artifact-sha256").is_none());
        }
        assert_eq!(server.get("/evidence/eme_1/artifacts").ok()["download_readiness"]["status"], "blocked");
    }
}

#[test]
fn large_files_are_streamed_and_ranges_served() {
    let home = Home::new();
    let server = serve(&home, Backend::Json);
    let size = 9 * 1024 * 1024 + 17;
    let bytes: Vec<u8> = (0..size).map(|at: u32| at.to_le_bytes()[usize::from(at.is_multiple_of(5))]).collect();
    home.write("root/s/evidence.json", &bytes);
    server.post("/evidence", &json!({"session_id": "s"})).ok();
    let path = "/evidence/s/artifacts/evidence.json";
    let whole = server.get(path);
    assert!(whole.status == 200 && whole.body == bytes);
    assert_eq!(whole.header("x-cavra-artifact-sha256"), Some(hex(&bytes).as_str()));
    let tag = whole.header("etag").unwrap().to_owned();
    for (range, from, to) in
        [("bytes=0-9", 0, 10), ("bytes=5000000-", 5_000_000, bytes.len()), ("bytes=-7", bytes.len() - 7, bytes.len())]
    {
        for more in [String::new(), format!("if-range: {tag}\r\n")] {
            let part = get_with(&server, path, &format!("range: {range}\r\n{more}"));
            assert_eq!(part.status, 206, "{range}");
            assert!(part.body == bytes[from..to], "{range}");
            assert_eq!(part.header("x-cavra-artifact-sha256"), Some(hex(&bytes[from..to]).as_str()));
            assert_eq!(part.header("content-range"), Some(format!("bytes {from}-{}/{size}", to - 1).as_str()));
            assert_eq!(part.header("etag"), Some(tag.as_str()));
        }
    }
    assert_eq!(get_with(&server, path, "range: bytes=0-9\r\nif-range: \"old\"\r\n").status, 200);
    let beyond = get_with(&server, path, "range: bytes=99999999-\r\n");
    beyond.refused(&[416]);
    assert_eq!(beyond.header("content-range"), Some(format!("bytes */{size}").as_str()));
    let packed = server.get("/evidence/s/artifact-bundle");
    assert!(members(&packed.body) == [("evidence.json".to_owned(), bytes)]);
    assert_eq!(server.get("/console/config").ok()["evidence_artifacts"], "configured");
}

/// Whatever happens to the file meanwhile, the digest in the header is that of the bytes that came.
#[test]
fn a_file_that_keeps_changing_is_never_sent_under_a_wrong_digest() {
    let home = Home::new();
    let server = serve(&home, Backend::Json);
    home.write("root/s/evidence.json", vec![b'a'; 3 << 20]);
    server.post("/evidence", &json!({"session_id": "s"})).ok();
    let file = home.join("root/s/evidence.json");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::io::{Seek as _, Write as _};
            let mut open = std::fs::File::options().write(true).open(&file).unwrap();
            let mut letter = b'b';
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                open.seek(std::io::SeekFrom::Start(2 << 20)).unwrap();
                open.write_all(&[letter; 4096]).unwrap();
                letter = if letter == b'z' { b'a' } else { letter + 1 };
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        let mut whole = 0;
        for _ in 0..20 {
            // A body that is cut off is an error to the client.
            if let Ok(answer) = server.connect().exchange("GET", "/evidence/s/artifacts/evidence.json", b"") {
                assert_eq!(answer.header("x-cavra-artifact-sha256"), Some(hex(&answer.body).as_str()));
                whole += 1;
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        println!("{whole} of 20 came whole");
    });
    let quiet = server.get("/evidence/s/artifacts/evidence.json");
    assert_eq!(quiet.header("x-cavra-artifact-sha256"), Some(hex(&quiet.body).as_str()));
}
