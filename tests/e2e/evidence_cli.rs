//! `cavra evidence …`: bundles, keys, trust, verification. docs/reference/evidence-and-promotion.md, sections 3 and 14.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{Home, Output, assert_timestamp, keys, sha256, strings, text};

const FILES: [&str; 7] = [
    "evidence.json",
    "pr-attestation.md",
    "compliance-mapping.md",
    "siem-event.json",
    "sandbox-run-summary.json",
    "retention-policy.json",
    "manifest.json",
];

pub const PRIVATE: &str = ".cavra/keys/evidence-ed25519-private.pem";
pub const PUBLIC: &str = ".cavra/keys/evidence-ed25519-public.pem";
pub const LATEST: &str = ".cavra/evidence/latest";

pub fn evidence(home: &Home, arguments: &[&str]) -> Output {
    home.cavra(&[&["evidence"], arguments].concat()).run()
}

/// A home with a bundle of two decisions, signed as `signing` says.
pub fn bundled(signing: &[&str]) -> Home {
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
pub fn errors(output: &Output) -> Vec<&str> {
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
        &["--output", "site/index.html/x"],
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
    assert_eq!(std::fs::metadata(home.join(PRIVATE)).unwrap().permissions().mode() & 0o777, 0o600);
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
