//! `cavra evidence …`. Contract 30, sections 3 to 5 and 14.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{Home, Output, assert_timestamp, keys, repository, sha256, strings, text};

const FILES: [&str; 7] = [
    "evidence.json",
    "pr-attestation.md",
    "compliance-mapping.md",
    "siem-event.json",
    "sandbox-run-summary.json",
    "retention-policy.json",
    "manifest.json",
];

const PRIVATE: &str = ".cavra/keys/evidence-ed25519-private.pem";
const PUBLIC: &str = ".cavra/keys/evidence-ed25519-public.pem";
const LATEST: &str = ".cavra/evidence/latest";

fn evidence(home: &Home, arguments: &[&str]) -> Output {
    home.cavra(&[&["evidence"], arguments].concat()).run()
}

/// A home with a bundle of two decisions, signed as `signing` says.
fn bundled(signing: &[&str]) -> Home {
    let home = Home::new();
    if signing.contains(&"--private-key") {
        evidence(&home, &["generate-keypair"]).ok();
    }
    home.write("decisions.json", json!(decisions()).to_string());
    evidence(&home, &[&["bundle", "--decisions", "decisions.json"], signing].concat()).ok();
    home
}

/// A refused command and an approved write, as the server stores them.
fn decisions() -> Vec<Value> {
    let decision = |target: &str, decision: &str, severity: &str, approval: Value| {
        json!({
            "schema_version": "cavra.decision.v1", "decision_id": "dec_0123456789ab", "session_id": "s-1",
            "agent_id": "claude-code", "actor": "ann", "repository": "pay/api", "action_type": "write_file",
            "target": target, "requested_operation": "write", "policy_pack": "p", "policy_id": "p", "rule_id": "r.one",
            "decision": decision, "severity": severity, "reason": "because", "evidence_refs": [],
            "timestamp": "2031-02-03T04:05:06.000700+00:00", "correlation_id": "c", "approval": approval,
        })
    };
    let approval = json!({"approval_id": "apr_0123456789ab", "state": "approved", "decided_by": "lead"});
    vec![
        decision("<img src=x>`\n- forged", "block", "critical", Value::Null),
        decision("iam/role.tf", "require_approval", "medium", approval),
    ]
}

#[track_caller]
fn errors(output: &Output) -> Vec<&str> {
    output.stdout.lines().filter_map(|line| line.strip_prefix("  - ")).collect()
}

#[test]
fn a_bundle_of_the_demonstration() {
    let home = Home::new();
    assert_eq!(evidence(&home, &["bundle"]).ok().stdout, format!("{LATEST}\n"));
    let mut names: Vec<_> = std::fs::read_dir(home.join(LATEST))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut expected = FILES.to_vec();
    expected.sort_unstable();
    assert_eq!(names, expected);
    let document = home.json(&format!("{LATEST}/evidence.json"));
    assert_eq!(document["session_id"], "demo-session");
    assert_eq!(document["decisions"].as_array().unwrap().len(), 7);
    assert!(document["decisions"].as_array().unwrap().iter().all(|decision| decision["session_id"] == "demo-session"));
    let manifest = home.json(&format!("{LATEST}/manifest.json"));
    assert_eq!((text(&manifest, "signer"), text(&manifest["signature"], "algorithm")), ("local", "SHA256"));
    let retention = home.json(&format!("{LATEST}/retention-policy.json"));
    assert_eq!((&retention["retention_days"], &retention["legal_hold"]), (&json!(2555), &json!(false)));
    assert_eq!(text(&retention, "classification"), "regulated-sdlc");
    assert_eq!(evidence(&home, &["verify", LATEST]).ok().stdout, "evidence verified\n");
    // Again, over the first, with everything said.
    let options = [
        "bundle",
        "--output",
        LATEST,
        "--policy-pack",
        "cavra-ai-agent-baseline",
        "--signer",
        "équipe",
        "--key",
        "k",
        "--retention-days",
        "30",
        "--classification",
        "internal",
        "--legal-hold",
        "--session-id",
        "s-9",
        "--json",
    ];
    let said = evidence(&home, &options).ok().json();
    assert_eq!(said, json!({"bundle": LATEST, "session_id": "s-9", "decision_count": 7, "algorithm": "HS256"}));
    let retention = home.json(&format!("{LATEST}/retention-policy.json"));
    assert_eq!((&retention["retention_days"], &retention["disposition"]), (&json!(30), &json!("retain")));
    assert_eq!(evidence(&home, &["verify", LATEST, "--key", "k"]).ok().stdout, "evidence verified\n");
}

#[test]
fn what_a_bundle_cannot_be_made_of_leaves_none() {
    let home = Home::new();
    evidence(&home, &["generate-keypair"]).ok();
    home.write("site/index.html", "mine");
    home.write("not.json", "{");
    home.write("number.json", "7");
    home.write("mixed.json", r#"[{"decision": "allow"}, 7]"#);
    home.write("other.json", r#"{"decisions": "none"}"#);
    home.write("foreign.json", r#"{"name": "no decision"}"#);
    for arguments in [
        &["--key", "k", "--private-key", PRIVATE][..],
        &["--key", ""],
        &["--private-key", PUBLIC],
        &["--private-key", "nowhere.pem"],
        &["--private-key", "/dev/zero"],
        &["--retention-days", "0"],
        &["--retention-days", "-1"],
        &["--policy-pack", "no-such-pack"],
        &["--session-id", ""],
        &["--session-id", "a\nb"],
        &["--decisions", "nowhere.json"],
        &["--decisions", "not.json"],
        &["--decisions", "number.json"],
        &["--decisions", "mixed.json"],
        &["--decisions", "other.json"],
        &["--decisions", "foreign.json"],
        &["--output", "site"],
        &["--output", ".."],
    ] {
        let refused = evidence(&home, &[&["bundle"], arguments].concat()).fails();
        assert!(!refused.stderr.contains("PRIVATE KEY"), "{refused:?}");
        assert!(!home.exists(LATEST), "{arguments:?}");
    }
    assert_eq!(home.read("site/index.html"), "mine");
    evidence(&home, &["bundle", "--key-id", "k"]).exits(2);
}

#[test]
fn decisions_come_in_several_shapes_and_name_the_session() {
    let home = Home::new();
    let of =
        |session: &str| json!({"decision": "allow", "action_type": "read_file", "target": "a", "session_id": session});
    for (name, document, options, count, session) in [
        ("one", of("s-1"), &[][..], 1, "s-1"),
        ("list", json!([of("s-1"), of("s-1")]), &[], 2, "s-1"),
        ("decisions", json!({"decisions": [of("s-2")], "session_id": "ignored"}), &[], 1, "s-2"),
        ("items", json!({"items": [of("s-3")], "total": 1, "limit": 50, "offset": 0}), &[], 1, "s-3"),
        ("several", json!([of("s-1"), of("s-2")]), &[], 2, "demo-session"),
        ("none", json!([]), &[], 0, "demo-session"),
        ("unnamed", json!([{"decision": "allow"}]), &[], 1, "demo-session"),
        ("given", json!([of("s-1"), of("s-2")]), &["--session-id", "s-9"], 2, "s-9"),
    ] {
        home.write("decisions.json", document.to_string());
        evidence(&home, &[&["bundle", "--decisions", "decisions.json", "--output", name], options].concat()).ok();
        let bundle = home.json(&format!("{name}/evidence.json"));
        assert_eq!(
            (bundle["decisions"].as_array().unwrap().len(), text(&bundle, "session_id")),
            (count, session),
            "{name}"
        );
        evidence(&home, &["verify", name]).ok();
        evidence(&home, &["verify-attestation", name]).ok();
    }
    // The decision that `evaluate --json` prints, and what the server lists.
    let decided = home.cavra(&["evaluate", "read_file", ".env", "--json"]).run().ok().stdout;
    home.write("decided.json", decided);
    evidence(&home, &["bundle", "--decisions", "decided.json", "--output", "decided"]).ok();
    assert_eq!(home.json("decided/siem-event.json")["blocked_count"], 1);
    // Approval outcomes reach the attestation; a hostile target does not forge a line.
    let home = bundled(&[]);
    let attestation = home.read(&format!("{LATEST}/pr-attestation.md"));
    assert!(attestation.contains("- `apr_0123456789ab` `iam/role.tf` -> **approved** by `lead`"), "{attestation}");
    assert!(!attestation.lines().any(|line| line.starts_with("- forged")), "{attestation}");
}

#[test]
fn keys_are_private_and_are_not_lost() {
    let home = Home::new();
    let made = evidence(&home, &["generate-keypair", "--json"]).ok().json();
    assert_eq!(keys(&made), ["key_id", "private_key", "public_key", "public_key_sha256"]);
    let fingerprint = sha256(home.read(PUBLIC)).replace("sha256:", "");
    assert_eq!((text(&made, "public_key_sha256"), text(&made, "key_id")), (&fingerprint[..], &fingerprint[..16]));
    let private = home.read(PRIVATE);
    assert!(private.starts_with("-----BEGIN PRIVATE KEY-----\n") && private.ends_with("-----END PRIVATE KEY-----\n"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &str| std::fs::metadata(home.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(PRIVATE), 0o600);
    }
    let again = evidence(&home, &["generate-keypair"]).fails();
    assert!(again.stderr.contains("--force"), "{again:?}");
    std::fs::remove_file(home.join(PRIVATE)).unwrap();
    evidence(&home, &["generate-keypair"]).fails();
    assert!(!home.exists(PRIVATE), "the public key of a lost one is kept as well");
    evidence(&home, &["generate-keypair", "--force"]).ok();
    assert_ne!(home.read(PRIVATE), private);
    evidence(&home, &["generate-keypair", "--private-key", "one.pem", "--public-key", "one.pem"]).fails();
}

#[test]
fn trust_reaches_verifiers_in_three_forms() {
    let home = bundled(&["--private-key", PRIVATE, "--key-id", "evidence-1"]);
    let root = ["trust-root", PUBLIC, "--key-id", "evidence-1", "--owner", "sec"];
    let root = evidence(&home, &[&root[..], &["--json"]].concat()).ok().json();
    let members = [
        "algorithm",
        "key_id",
        "owner",
        "product",
        "public_key_pem",
        "public_key_sha256",
        "schema_version",
        "status",
        "valid_from",
        "valid_until",
    ];
    assert_eq!(keys(&root), members);
    assert_eq!((text(&root, "schema_version"), text(&root, "status")), ("cavra.evidence.trust-root.v1", "active"));
    assert_timestamp(text(&root, "valid_from"));
    let other = ["--private-key", "other.pem", "--public-key", "other.pub"];
    evidence(&home, &[&["generate-keypair"], &other[..]].concat()).ok();
    evidence(&home, &["trust-root", "other.pub", "--output", "z.json", "--key-id", "z", "--status", "revoked"]).ok();
    evidence(&home, &["trust-bundle", "z.json", ".cavra/keys/evidence-trust-root.json"]).ok();
    let bundle = home.json(".cavra/keys/evidence-trust-roots.json");
    let ids: Vec<_> = bundle["trust_roots"].as_array().unwrap().iter().map(|root| text(root, "key_id")).collect();
    assert_eq!(ids, ["evidence-1", "z"]);
    let channels = ["--channel", "portal", "--channel", "disc", "--environment", "staging"];
    evidence(
        &home,
        &[&["trust-distribution", "z.json", ".cavra/keys/evidence-trust-root.json"], &channels[..]].concat(),
    )
    .ok();
    let folder = ".cavra/keys/trust-root-distribution";
    let manifest = home.json(&format!("{folder}/trust-root-distribution-manifest.json"));
    assert_eq!(strings(&manifest["channels"]), ["portal", "disc"]);
    assert_eq!(strings(&manifest["bundle"]["active_key_ids"]), ["evidence-1"]);
    assert_eq!(strings(&manifest["bundle"]["revoked_key_ids"]), ["z"]);
    assert!(text(&manifest, "distribution_id").starts_with("trust-roots-20"));
    assert!(!manifest.to_string().contains("BEGIN PUBLIC KEY"), "summaries without the PEM");
    let checksums = home.read(&format!("{folder}/checksums.txt"));
    assert_eq!(checksums.lines().count(), 3);
    for line in checksums.lines() {
        let (digest, name) = line.split_once("  ").unwrap();
        assert_eq!(sha256(home.read(&format!("{folder}/{name}"))), format!("sha256:{digest}"));
    }
    for trust in [".cavra/keys/evidence-trust-root.json", ".cavra/keys/evidence-trust-roots.json", folder] {
        assert_eq!(evidence(&home, &["verify", LATEST, "--trust-root", trust]).ok().stdout, "evidence verified\n");
    }
    let unknown = evidence(&home, &["verify", LATEST, "--trust-root", "z.json"]).exits(1);
    assert!(errors(&unknown).contains(&"manifest public key fingerprint mismatch"), "{unknown:?}");
    assert!(errors(&unknown).iter().any(|error| error.starts_with("trust root is not active")), "{unknown:?}");
    evidence(&home, &["trust-bundle", "z.json", "--output", "only-z.json"]).ok();
    let unknown = evidence(&home, &["verify", LATEST, "--trust-root", "only-z.json"]).exits(1);
    assert_eq!(errors(&unknown), ["matching trust root not found"]);
    let twice = evidence(&home, &["trust-bundle", "z.json", "z.json"]).fails();
    assert!(twice.stderr.contains("duplicate trust-root key IDs: z"), "{twice:?}");
    evidence(&home, &["trust-bundle"]).fails();
    evidence(&home, &["trust-distribution"]).fails();
    evidence(&home, &["trust-root", PRIVATE]).fails();
    evidence(&home, &["trust-root", PUBLIC, "--status", "trusted"]).fails();
    evidence(&home, &["trust-root", PUBLIC, "--valid-until", "soon"]).fails();
    evidence(&home, &["trust-root", PUBLIC, "--valid-until", "2020-01-01T00:00:00Z"]).fails();
}

#[test]
fn a_trust_root_counts_in_its_time_and_state() {
    let home = bundled(&["--private-key", PRIVATE]);
    const LONG_AGO: [&str; 4] = ["--valid-from", "2020-01-01T00:00:00Z", "--valid-until", "2021-01-01T00:00:00Z"];
    const ALWAYS: [&str; 4] = ["--valid-from", "2020-01-01T00:00:00Z", "--valid-until", "2120-01-01T00:00:00Z"];
    const NOT_YET: [&str; 2] = ["--valid-from", "2120-01-01T00:00:00Z"];
    for (status, period, holds) in [
        ("active", &[][..], true),
        ("active", &ALWAYS, true),
        ("active", &LONG_AGO, false),
        ("active", &NOT_YET, false),
        ("retired", &ALWAYS, true),
        ("retired", &LONG_AGO, false),
        ("revoked", &ALWAYS, false),
    ] {
        evidence(&home, &[&["trust-root", PUBLIC, "--output", "r.json", "--status", status], period].concat()).ok();
        let verified = evidence(&home, &["verify", LATEST, "--trust-root", "r.json"]).exits(i32::from(!holds));
        let said = errors(&verified).iter().any(|error| error.starts_with("trust root is not active"));
        assert_eq!(said, !holds, "{status} {period:?}: {verified:?}");
        assert_eq!(verified.stdout.contains("retired"), status == "retired", "{verified:?}");
    }
    // A root whose key was exchanged.
    evidence(&home, &["trust-root", PUBLIC, "--output", "r.json"]).ok();
    evidence(&home, &["generate-keypair", "--private-key", "o.pem", "--public-key", "o.pub"]).ok();
    let mut root = home.json("r.json");
    root["public_key_pem"] = json!(home.read("o.pub"));
    home.write("r.json", root.to_string());
    let refused = evidence(&home, &["verify", LATEST, "--trust-root", "r.json"]).fails();
    assert!(refused.stderr.contains("does not match its fingerprint"), "{refused:?}");
}

#[test]
fn verification_names_everything_that_is_wrong() {
    let home = bundled(&["--key", "shared"]);
    let unkeyed = evidence(&home, &["verify", LATEST]).ok();
    assert!(unkeyed.stdout.starts_with("evidence verified\n"), "{unkeyed:?}");
    assert!(unkeyed.stdout.contains("signature not verified: no key"), "{unkeyed:?}");
    // The environment's key is used if no other is named.
    let named = home.cavra(&["evidence", "verify", LATEST]).env("CAVRA_EVIDENCE_SIGNING_KEY", "shared").run().ok();
    assert_eq!(named.stdout, "evidence verified\n");
    home.cavra(&["evidence", "verify", LATEST]).env("CAVRA_EVIDENCE_SIGNING_KEY", "other").run().exits(1);
    let wrong = evidence(&home, &["verify", LATEST, "--key", "other"]).exits(1);
    assert_eq!(wrong.stdout, "evidence verification failed\n  - manifest signature mismatch\n");
    home.write(&format!("{LATEST}/siem-event.json"), "{}");
    std::fs::remove_file(home.join(&format!("{LATEST}/compliance-mapping.md"))).unwrap();
    let report = evidence(&home, &["verify", LATEST, "--key", "other", "--minimum-retention-days", "9999"]).exits(1);
    assert_eq!(
        errors(&report),
        [
            "missing file: compliance-mapping.md",
            "checksum mismatch: siem-event.json",
            "size mismatch: siem-event.json",
            "manifest signature mismatch",
            "retention policy below minimum"
        ]
    );
    let report = evidence(&home, &["verify", LATEST, "--json"]).exits(1).json();
    assert_eq!(keys(&report), ["checks", "errors", "valid", "warnings"]);
    assert_eq!((&report["valid"], report["errors"].as_array().unwrap().len()), (&json!(false), 3));
    let missing = evidence(&home, &["verify", "nowhere"]).exits(1);
    assert!(errors(&missing)[0].starts_with("missing manifest: "), "{missing:?}");
    evidence(&home, &["verify"]).exits(2);
}

#[test]
fn exports_for_siem_systems() {
    let home = bundled(&[]);
    let event = evidence(&home, &["siem-event", LATEST]).ok().json();
    assert_eq!(event, home.json(&format!("{LATEST}/siem-event.json")));
    assert_eq!((text(&event, "max_severity"), &event["blocked_count"]), ("critical", &json!(1)));
    evidence(&home, &["export-siem", LATEST, "--splunk-index", "main", "--datadog-service", "agents"]).ok();
    let read = |name: &str| home.json(&format!(".cavra/evidence/export/{name}"));
    let splunk = read("splunk-hec-events.json")["events"][0].clone();
    assert_eq!((text(&splunk, "index"), &splunk["event"]), ("main", &event));
    let sentinel = read("sentinel-log-analytics.json")["records"][0].clone();
    assert_eq!((text(&sentinel, "Severity"), &sentinel["RawEvent"]), ("High", &event));
    let datadog = read("datadog-events.json")["events"][0].clone();
    assert_eq!((text(&datadog, "service"), text(&datadog, "status")), ("agents", "error"));
    assert_eq!(strings(&datadog["tags"]), ["product:cavra", "session_id:s-1", "max_severity:critical"]);
    assert_eq!(read("webhook-payload.json")["payload"], event);
    let files = evidence(&home, &["export-siem", LATEST, "--output", "out", "--provider", "ocsf,cef", "--json"]).ok();
    assert_eq!(strings(&files.json()["files"]), ["out/ocsf-events.ndjson", "out/cef-events.log"]);
    assert_eq!(home.read("out/cef-events.log").lines().count(), 2);
    let unknown = evidence(&home, &["export-siem", LATEST, "--output", "none", "--provider", "elastic"]).fails();
    assert!(unknown.stderr.contains("unknown SIEM provider: elastic") && !home.exists("none"), "{unknown:?}");
    std::fs::remove_file(home.join(&format!("{LATEST}/siem-event.json"))).unwrap();
    evidence(&home, &["siem-event", LATEST]).fails();
    evidence(&home, &["export-siem", LATEST]).fails();
}

#[test]
fn documents_made_from_a_bundle() {
    let home = bundled(&["--retention-days", "90", "--classification", "internal", "--legal-hold"]);
    let before = std::fs::read(home.join(&format!("{LATEST}/retention-policy.json"))).unwrap();
    evidence(&home, &["retention-policy", LATEST]).ok();
    let rule = home.json(".cavra/evidence/retention/retention-policy.json");
    assert_eq!(rule, home.json(&format!("{LATEST}/retention-policy.json")), "by default what the bundle says");
    assert!(home.read(".cavra/evidence/retention/retention-policy.md").contains("`internal`"));
    let other = ["--retention-days", "10", "--classification", "public", "--no-legal-hold", "--output", "r"];
    evidence(&home, &[&["retention-policy", LATEST], &other[..]].concat()).ok();
    let rule = home.json("r/retention-policy.json");
    assert_eq!((&rule["retention_days"], &rule["legal_hold"]), (&json!(10), &json!(false)));
    assert_eq!(text(&rule, "disposition"), "eligible_for_review_after_retain_until");
    evidence(&home, &["retention-policy", LATEST, "--retention-days", "0"]).fails();
    let refused = evidence(&home, &["retention-policy", LATEST, "--output", LATEST]).fails();
    assert!(refused.stderr.contains("belongs to the bundle"), "{refused:?}");
    assert_eq!(std::fs::read(home.join(&format!("{LATEST}/retention-policy.json"))).unwrap(), before);

    evidence(&home, &["storage-plan", LATEST]).ok();
    let plan = home.json(".cavra/evidence/storage/immutable-storage-plan.json");
    let manifest = home.json(&format!("{LATEST}/manifest.json"));
    assert_eq!(plan["bundle"]["manifest_signature"], manifest["signature"]);
    assert_eq!(plan["files"].as_array().unwrap().len(), 6);
    for (file, listed) in plan["files"].as_array().unwrap().iter().zip(manifest["files"].as_array().unwrap()) {
        let name = text(listed, "path");
        assert_eq!((&file["sha256"], &file["bytes"]), (&listed["sha256"], &listed["bytes"]));
        assert_eq!(text(file, "s3_uri"), format!("s3://cavra-evidence/evidence/{name}"));
        let blob = format!("https://cavraevidence.blob.core.windows.net/evidence/{name}");
        assert_eq!(text(file, "azure_blob"), blob);
    }
    assert!(home.read(".cavra/evidence/storage/immutable-storage-plan.md").contains("manifest.json"));
    let targets = ["--s3-bucket", "b", "--s3-prefix", "", "--azure-account", "a", "--azure-container", "c"];
    evidence(&home, &[&["storage-plan", LATEST, "--retention-days", "7", "--output", "p"], &targets[..]].concat()).ok();
    let plan = home.json("p/immutable-storage-plan.json");
    assert_eq!(text(&plan["files"][0], "s3_uri"), "s3://b/evidence.json");
    assert_eq!(plan["s3_object_lock"]["default_retention_days"], 7);
    assert_eq!(plan["azure_immutable_blob"]["immutability_policy_days"], 7);
    evidence(&home, &["storage-plan", LATEST, "--retention-days", "0"]).fails();
    evidence(&home, &["storage-plan", LATEST, "--azure-account", "a.evil.example/"]).fails();
    evidence(&home, &["storage-plan", "nowhere"]).fails();
}

#[test]
fn an_attestation_is_checked_against_the_evidence() {
    let home = bundled(&[]);
    let verified = evidence(&home, &["verify-attestation", LATEST]).ok();
    assert_eq!(verified.stdout, "attestation verified\n");
    let report = home.json(".cavra/evidence/attestation/pr-attestation-verification.json");
    assert_eq!(
        keys(&report),
        ["attestation_path", "decision_count", "errors", "product", "schema_version", "session_id", "valid"]
    );
    assert_eq!(
        (&report["valid"], &report["decision_count"], text(&report, "session_id")),
        (&json!(true), &json!(2), "s-1")
    );
    let path = format!("{LATEST}/pr-attestation.md");
    let forged = home.read(&path).replace("**block**", "**allow**");
    home.write(&path, forged);
    let refused = evidence(&home, &["verify-attestation", LATEST]).exits(1);
    assert_eq!(errors(&refused), ["attestation does not match evidence"]);
    let report = home.json(".cavra/evidence/attestation/pr-attestation-verification.json");
    assert_eq!((&report["valid"], strings(&report["errors"])), (&json!(false), errors(&refused)));
    assert!(home.read(".cavra/evidence/attestation/pr-attestation-verification.md").contains("**invalid**"));
    let refused = evidence(&home, &["verify-attestation", "nowhere", "--json"]).exits(1).json();
    assert_eq!(strings(&refused["errors"]), ["missing pr-attestation.md", "missing evidence.json"]);
}

/// The program that the documentation gives to people who do not have cavra.
fn documented_verifier() -> String {
    let page = std::fs::read_to_string(repository().join("docs/evidence.md")).unwrap();
    let program = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    program.to_owned()
}

#[test]
fn a_third_party_verifies_a_statement() {
    let home = bundled(&["--key", "shared"]);
    evidence(&home, &["generate-keypair"]).ok();
    evidence(&home, &["attest", LATEST, "--private-key", PRIVATE]).ok();
    let envelope = ".cavra/evidence/attestation/evidence-bundle.intoto.json";
    evidence(&home, &["verify-statement", LATEST, "--public-key", PUBLIC]).ok();
    evidence(&home, &["trust-root", PUBLIC]).ok();
    evidence(&home, &["verify-statement", LATEST, "--trust-root", ".cavra/keys/evidence-trust-root.json"]).ok();
    evidence(&home, &["trust-root", PUBLIC, "--status", "revoked", "--output", "revoked.json"]).ok();
    let refused = evidence(&home, &["verify-statement", LATEST, "--trust-root", "revoked.json"]).exits(1);
    assert_eq!(errors(&refused), ["envelope signature mismatch"]);
    evidence(&home, &["verify-statement", LATEST]).exits(2);
    let available = Command::new("python3").args(["-c", "import cryptography"]).output();
    if available.is_ok_and(|output| output.status.success()) {
        let verify = || {
            let paths = [home.join(envelope), home.join(PUBLIC), home.join(LATEST)];
            Command::new("python3").args(["-c", &documented_verifier()]).args(paths).output().unwrap()
        };
        let output = verify();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let statement: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(text(&statement, "_type"), "https://in-toto.io/Statement/v1");
        assert_eq!(statement["predicate"]["blocked_count"], 1);
        let mut changed = home.json(envelope);
        changed["payloadType"] = json!("application/json");
        home.write(envelope, changed.to_string());
        assert!(!verify().status.success(), "the verifier verifies");
    } else {
        println!("SKIPPED the independent verifier: python3 with the package `cryptography` is not available here");
    }
    // A damaged bundle is neither attested nor does it fit its statement.
    evidence(&home, &["attest", LATEST, "--private-key", PRIVATE]).ok();
    home.write(&format!("{LATEST}/siem-event.json"), "{}");
    let refused = evidence(&home, &["verify-statement", LATEST, "--public-key", PUBLIC]).exits(1);
    assert_eq!(errors(&refused), ["checksum mismatch: siem-event.json"]);
    evidence(&home, &["attest", LATEST, "--private-key", PRIVATE]).fails();
}

#[test]
fn a_report_for_people_is_only_text() {
    let home = bundled(&["--private-key", PRIVATE]);
    let markdown = evidence(&home, &["report", LATEST]).ok().stdout;
    let html = evidence(&home, &["report", LATEST, "--format", "html"]).ok().stdout;
    for wanted in
        ["CAVRA Evidence Report", "s-1", "iam/role.tf", "apr_0123456789ab", "lead", "Change control", "intact"]
    {
        assert!(markdown.contains(wanted) && html.contains(wanted), "{wanted}");
    }
    assert!(!markdown.lines().any(|line| line.starts_with("- forged")), "{markdown}");
    assert!(!html.contains("<img") && html.contains("&lt;img src=x&gt;"), "{html}");
    assert!(!html.contains("<script") && !html.contains("http://") && !html.contains("https://"), "{html}");
    evidence(&home, &["report", LATEST, "--format", "html", "--output", "out/report.html"]).ok();
    assert_eq!(home.read("out/report.html"), html);
    home.write(&format!("{LATEST}/pr-attestation.md"), "all good");
    let damaged = evidence(&home, &["report", LATEST]).ok().stdout;
    assert!(
        damaged.contains("**not intact**") && damaged.contains("checksum mismatch: pr-attestation.md"),
        "{damaged}"
    );
    evidence(&home, &["report", "nowhere"]).fails();
    evidence(&home, &["report", LATEST, "--format", "pdf"]).exits(2);
}

/// Whenever it is killed, there is the old bundle, none, or the new one.
#[test]
fn a_killed_bundle_is_never_half_there() {
    let home = bundled(&[]);
    let bundle = |directory: &Path| {
        home.command(&["evidence", "bundle", "--decisions", "decisions.json", "--output"])
            .arg(directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let directory = home.join("raced");
    let started = Instant::now();
    assert!(bundle(&directory).wait().unwrap().success());
    let whole = started.elapsed();
    let (mut there, mut killed) = (0, 0);
    for round in 0..60_u32 {
        let mut child = bundle(&directory);
        // From the first moment to some time after the end, wherever that is on this machine.
        std::thread::sleep(whole * round / 40);
        killed += u32::from(child.try_wait().unwrap().is_none());
        // It may have ended in the meantime.
        let _ = child.kill();
        child.wait().unwrap();
        if directory.exists() {
            there += 1;
            evidence(&home, &["verify", "raced"]).ok();
        }
    }
    assert!(killed > 0 && there > 0, "{killed} killed, {there} there");
}
