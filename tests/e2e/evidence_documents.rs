//! `cavra evidence …`: what is made from a bundle. docs/reference/evidence-and-promotion.md, sections 4, 5 and 14.

use std::process::Command;

use serde_json::{Value, json};

use crate::evidence_cli::{LATEST, PRIVATE, PUBLIC, bundled, errors, evidence};
use crate::support::{keys, python, repository, strings, text};

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

/// What is there is indexed and exported, but whoever does it is told.
#[test]
fn damage_is_not_passed_over() {
    let home = bundled(&[]);
    let commands: [&[&str]; 4] = [
        &["index", LATEST, "--store", "i.json"],
        &["siem-event", LATEST],
        &["export-siem", LATEST],
        &["retention-policy", LATEST],
    ];
    let sound = commands.map(|command| evidence(&home, command).ok());
    assert!(sound.iter().all(|output| output.stderr.is_empty()), "{sound:?}");
    let file = format!("{LATEST}/evidence.json");
    home.write(&file, home.read(&file) + "\n");
    for (command, before) in commands.into_iter().zip(sound) {
        let output = evidence(&home, command).ok();
        assert_eq!(output.stdout, before.stdout, "{command:?}");
        assert!(
            output.stderr.contains("warning") && output.stderr.contains("checksum mismatch: evidence.json"),
            "{output:?}"
        );
    }
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
    home.write(&format!("{LATEST}/siem-event.json"), "{}");
    let refused = evidence(&home, &["storage-plan", LATEST]).fails();
    assert!(refused.stderr.contains("checksum mismatch: siem-event.json"), "{refused:?}");
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
    if let Some(python) = python() {
        let verify = || {
            let paths = [home.join(envelope), home.join(PUBLIC), home.join(LATEST)];
            Command::new(&python).args(["-c", &documented_verifier()]).args(paths).output().unwrap()
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
