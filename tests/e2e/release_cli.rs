//! `cavra release …`: from a package to its rollback, on the command line alone. docs/reference/evidence-and-promotion.md, sections 6 to 14.

use cavra_evidence::SigningKey;
use serde_json::{Value, json};

use crate::release_package::{self as package, DEPLOYMENT, INSTALLERS, LINUX};
use crate::support::{Home, assert_timestamp, canonical, keys, sha256, strings, text};

/// A home with a signed package in `pkg`, and its key in `key.pem`.
pub fn home() -> (Home, SigningKey) {
    let home = Home::new();
    let key = SigningKey::generate().unwrap();
    package::package(&home.join("pkg"), "1.2.3", &key);
    home.write("key.pem", key.to_pem().unwrap());
    (home, key)
}

/// Runs `cavra release … --json`.
#[track_caller]
pub fn release(home: &Home, code: i32, arguments: &[&str]) -> Value {
    home.cavra(&[&["release"], arguments, &["--json"]].concat()).run().exits(code).json()
}

fn errors(result: &Value) -> String {
    assert_eq!(result["valid"], false);
    strings(&result["errors"]).join("\n")
}

#[test]
fn packages_are_verified() {
    let (home, key) = home();
    let report = release(&home, 0, &["verify-go-package", "pkg"]);
    assert_eq!(
        keys(&report),
        [
            "errors",
            "package_dir",
            "valid",
            "verified_artifacts",
            "verified_provenance",
            "verified_signatures",
            "warnings"
        ]
    );
    let said = home.cavra(&["release", "verify-go-package", "pkg"]).run().ok();
    assert!(said.stdout.starts_with("release package verified\n"), "{said:?}");

    home.write("key.pub", key.public().pem());
    home.cavra(&["evidence", "trust-root", "key.pub", "--output", "root.json"]).run().ok();
    assert_eq!(release(&home, 0, &["verify-go-package", "pkg", "--trust-root", "root.json"])["warnings"], json!([]));
    home.write("other.pub", SigningKey::generate().unwrap().public().pem());
    home.cavra(&["evidence", "trust-root", "other.pub", "--output", "other.json"]).run().ok();
    let strange = release(&home, 1, &["verify-go-package", "pkg", "--trust-root", "other.json"]);
    assert!(errors(&strange).contains("trusted"), "{strange}");
    home.cavra(&["evidence", "trust-root", "key.pub", "--output", "old.json", "--status", "revoked"]).run().ok();
    home.cavra(&["release", "verify-go-package", "pkg", "--trust-root", "old.json"]).run().fails();

    home.write(&format!("pkg/{LINUX}"), "other");
    let broken = release(&home, 1, &["verify-go-package", "pkg"]);
    assert!(errors(&broken).contains(&format!("checksum mismatch: {LINUX}")), "{broken}");
    let said = home.cavra(&["release", "verify-go-package", "pkg"]).run().exits(1);
    assert!(said.stdout.starts_with("release package not verified\n"), "{said:?}");
    assert!(said.stdout.contains(&format!("  - checksum mismatch: {LINUX}")), "{said:?}");
    home.cavra(&["release", "verify-go-package", "none"]).run().fails();
    home.cavra(&["release", "verify-go-package"]).run().exits(2);
}

#[test]
fn unsigned_packages_need_a_word() {
    let (home, _) = home();
    std::fs::remove_dir_all(home.join("pkg/signatures")).unwrap();
    assert!(errors(&release(&home, 1, &["verify-go-package", "pkg"])).contains("signature"));
    let lax = release(&home, 0, &["verify-go-package", "pkg", "--allow-unsigned"]);
    assert!(!lax["warnings"].as_array().unwrap().is_empty());
    // The last word counts.
    release(&home, 1, &["verify-go-package", "pkg", "--allow-unsigned", "--require-signatures"]);
}

#[test]
fn documents_of_a_package_are_printed() {
    let (home, _) = home();
    let manifest = release(&home, 0, &["channel-manifest", "pkg"]);
    assert_eq!(manifest["channels"].as_array().unwrap().len(), 2);
    let one = release(&home, 0, &["channel-manifest", "pkg", "--channel", "beta"]);
    assert_eq!((one["channels"].as_array().unwrap().len(), &one["channels"][0]["channel"]), (1, &json!("beta")));
    home.cavra(&["release", "channel-manifest", "pkg", "--channel", "none"]).run().fails();
    assert_eq!(release(&home, 0, &["updater-policy", "pkg"])["default_auto_update"], false);
    let installers = release(&home, 0, &["smoke-installers", "pkg"]);
    assert_eq!(installers["targets"][0]["status"], "present");
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let started = release(&home, 0, &["smoke-installers", "pkg", "--execute-native"]);
        assert_eq!(
            (&started["targets"][0]["status"], &started["targets"][0]["exit_code"]),
            (&json!("passed"), &json!(0))
        );
    }
    std::fs::remove_file(home.join(&format!("pkg/{INSTALLERS}"))).unwrap();
    assert!(errors(&release(&home, 1, &["smoke-installers", "pkg"])).contains(INSTALLERS));
}

#[test]
fn upgrades_are_validated() {
    let (home, key) = home();
    package::package(&home.join("next"), "1.3.0", &key);
    assert_eq!(release(&home, 0, &["validate-upgrade", "pkg", "next"])["candidate_version"], "1.3.0");
    assert!(errors(&release(&home, 1, &["validate-upgrade", "next", "pkg"])).contains("not newer"));
    release(&home, 1, &["validate-upgrade", "pkg", "pkg"]);
    release(&home, 0, &["validate-upgrade", "pkg", "pkg", "--allow-same-version"]);
}

#[test]
fn airgap_bundles_are_extracted_when_valid() {
    let (home, _) = home();
    let mut zip = zip::ZipWriter::new(std::fs::File::create(home.join("bundle.zip")).unwrap());
    for name in package::files(&home.join("pkg")) {
        zip.start_file(format!("go-runtime-1.2.3/{name}"), zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, &std::fs::read(home.join(&format!("pkg/{name}"))).unwrap()).unwrap();
    }
    zip.finish().unwrap();
    release(&home, 0, &["verify-airgap-bundle", "bundle.zip", "--extract-dir", "to"]);
    release(&home, 0, &["verify-go-package", "to/go-runtime-1.2.3"]);
    let mut zip = zip::ZipWriter::new(std::fs::File::create(home.join("evil.zip")).unwrap());
    zip.start_file("../evil", zip::write::SimpleFileOptions::default()).unwrap();
    zip.finish().unwrap();
    assert!(errors(&release(&home, 1, &["verify-airgap-bundle", "evil.zip"])).contains("unsafe member name"));
}

/// Captures a staged rollout `r-1` of `pkg` into `rollout`.
pub fn staged(home: &Home) {
    let capture = [
        "capture-rollout",
        "pkg",
        "--output",
        "rollout",
        "--rollout-id",
        "r-1",
        "--status",
        "staged",
        "--change-record",
        "CHG-7",
    ];
    release(home, 0, &capture);
}

#[test]
fn rollouts_are_captured_verified_and_recorded() {
    let (home, _) = home();
    let captured = release(&home, 0, &["capture-rollout", "pkg", "--deployment-id", "mac-fleet"]);
    let id = text(&captured, "rollout_id");
    assert!(id.starts_with("production-1.2.3-20") && id.len() == "production-1.2.3-".len() + 14, "{id}");
    let evidence = home.json(".cavra/release/rollout/managed-endpoint-rollout-evidence.json");
    assert_eq!(evidence["deployment_targets"].as_array().unwrap().len(), 1);
    assert_eq!((&evidence["status"], &evidence["change_record"]), (&json!("planned"), &json!("unassigned")));
    assert_timestamp(text(&evidence, "created_at"));
    assert!(errors(&release(&home, 1, &["capture-rollout", "pkg", "--deployment-id", "none"])).contains(DEPLOYMENT));
    release(&home, 1, &["capture-rollout", "pkg", "--status", "done"]);

    staged(&home);
    let verify = ["verify-rollout", "rollout", "--metadata-json", "m/meta.json", "--sqlite", "m/meta.db"];
    let found = release(&home, 0, &verify);
    assert_eq!(found["indexed_metadata_stores"], json!(["m/meta.json", "m/meta.db"]));
    assert_eq!(found["deployment_targets"], json!(["linux-fleet", "mac-fleet"]));
    let record = home.json("m/meta.json")["items"][0].clone();
    assert_eq!((&record["session_id"], &record["metadata_kind"]), (&json!("r-1"), &json!("managed-endpoint-rollout")));
    let file = std::fs::read(home.join("rollout/managed-endpoint-rollout-evidence.json")).unwrap();
    assert_eq!(format!("sha256:{}", text(&record, "artifact_sha256")), sha256(file));

    home.write(&format!("pkg/{LINUX}"), "other");
    let broken = release(&home, 1, &["verify-rollout", "rollout", "--metadata-json", "m/none.json"]);
    assert!(errors(&broken).contains("release package: "), "{broken}");
    assert!(!home.exists("m/none.json"));
    release(&home, 0, &["verify-rollout", "rollout", "--skip-package-verification"]);
}

const REQUEST: &str = "request/rollout-promotion-approval-request.json";

/// The request of the staged rollout's promotion.
#[track_caller]
fn requested(home: &Home) -> Value {
    let request = ["request-rollout-promotion", "rollout", "--output", "request", "--signing-key", "key.pem"];
    release(home, 0, &request)
}

#[track_caller]
fn approve(home: &Home, id: &str) {
    home.cavra(&["approval", "approve", id, "--actor", "bob", "--reason", "fine"]).run().ok();
}

#[test]
fn a_rollout_is_promoted_and_rolled_back_on_the_command_line() {
    let (home, key) = home();
    staged(&home);
    let asked = requested(&home);
    assert_eq!(asked["approval_stores"], json!([".cavra/approvals.json"]));
    assert_eq!(asked["request"], home.json(REQUEST));
    let approval_id = text(&asked["approval"], "approval_id").to_owned();
    let execute = ["execute-rollout-promotion", REQUEST, "--output", "done", "--sqlite", "m/meta.db"];
    assert!(errors(&release(&home, 1, &execute)).contains("pending"));
    approve(&home, &approval_id);
    let done = release(&home, 0, &execute);
    let execution = &done["execution"];
    assert!(strings(&done["warnings"])[0].contains("not pinned"), "{done}");
    let request_digest = sha256(canonical(&asked["request"]));
    assert_eq!(format!("sha256:{}", text(execution, "request_sha256")), request_digest);
    assert_eq!(*execution, home.json("done/rollout-promotion-execution.json"));
    // Again: the first record stays.
    let again = release(&home, 0, &[&execute[..], &["--executed-by", "eve"]].concat());
    assert_eq!(again["execution"], *execution);
    // Also without a store, from the file that is there.
    let bare = release(&home, 0, &[&execute[..4], &["--executed-by", "eve"]].concat());
    assert_eq!(bare["execution"], *execution);

    // The environment pins the key.
    let pem = key.to_pem().unwrap();
    let pinned = |pem: &str, code: i32| {
        let run = home.cavra(&["release", "execute-rollout-promotion", REQUEST, "--output", "other", "--json"]);
        run.env("CAVRA_ROLLOUT_PROMOTION_SIGNING_KEY", pem).run().exits(code).json()
    };
    assert_eq!(pinned(&pem.replace('\n', "\\n"), 0)["warnings"], json!([]));
    let stranger = SigningKey::generate().unwrap().to_pem().unwrap();
    assert!(errors(&pinned(&stranger, 1)).contains("trusted key"));
    assert!(errors(&pinned("hush", 1)).contains("trusted key"));

    let exported = release(&home, 0, &["export-promotion-audit", "done/rollout-promotion-execution.json"]);
    assert_eq!(exported["files"].as_array().unwrap().len(), 7);
    let webhook = home.json(".cavra/release/promotion-audit-export/webhook-payload.json");
    assert_eq!(webhook["schema_version"], "cavra.webhook.rollout-promotion.v1");
    assert_eq!(webhook["payload"]["raw_execution"], *execution);
    for unknown in ["splunk,fax", "", " ", "splunk,"] {
        let export = ["export-promotion-audit", "done/rollout-promotion-execution.json", "--output", "nothing"];
        assert!(errors(&release(&home, 1, &[&export[..], &["--provider", unknown]].concat())).contains("unknown"));
        assert!(!home.exists("nothing"));
    }

    rolled_back(&home, execution);
}

#[track_caller]
fn rolled_back(home: &Home, execution: &Value) {
    let id = text(execution, "execution_id");
    let ask = |name: &str| {
        home.write(
            "decision.json",
            json!({"decision_id": name, "session_id": "r-1", "action_type": "release_rollback_endpoint_rollout",
                "approver_group": "CAB", "metadata": {"promotion_execution_id": id, "target_ring": "production"}})
            .to_string(),
        );
        let approval = home.cavra(&["approval", "create", "decision.json"]).run().ok().json();
        let id = text(&approval, "approval_id").to_owned();
        approve(home, &id);
        id
    };
    let back_to = |output: &str, approval: &str, store: &[&str], code: i32| {
        let arguments = [
            "execute-rollout-rollback",
            "done/rollout-promotion-execution.json",
            "--approval-id",
            approval,
            "--output",
            output,
            "--rollback-reason",
            "it broke",
        ];
        home.cavra(&[&["release"], &arguments[..], store, &["--json"]].concat()).run().exits(code)
    };
    let back = |approval: &str, code: i32| back_to("back", approval, &["--sqlite", "m/meta.db"], code);
    let first = ask("d1");
    let done = back(&first, 0).json();
    assert_eq!(done["rollback"]["ring_rollback"]["to"], "staging");
    assert_eq!(done["rollback"]["rollback_reason"], "it broke");
    assert_eq!(back(&first, 0).json()["rollback"], done["rollback"]);
    let other = ask("d2");
    // Whether the file says so or the store.
    for (output, store) in [("back", &[][..]), ("elsewhere", &["--sqlite", "m/meta.db"])] {
        let second = back_to(output, &other, store, 1);
        assert!(errors(&second.json()).contains("another approval"), "{second:?}");
        assert_eq!(done["rollback"], home.json("back/rollout-rollback-execution.json"));
    }
    assert!(!home.exists("elsewhere"));
    // Also if the file lies beside the one of another rollback.
    let id = text(&done["rollback"], "rollback_id");
    let place = home.join("back/rollout-rollback-execution.json");
    std::fs::rename(&place, home.join(&format!("back/rollout-rollback-execution-{id}.json"))).unwrap();
    assert!(errors(&back_to("back", &other, &[], 1).json()).contains("another approval"));
    assert_eq!(back_to("back", &first, &[], 0).json()["rollback"], done["rollback"]);
    home.write("back/rollout-rollback-execution.json", r#"{"mine": 1}"#);
    back_to("back", &first, &[], 1);
    assert_eq!(home.json("back/rollout-rollback-execution.json"), json!({"mine": 1}));
}

#[test]
fn what_was_done_before_stays_beside_what_is_done_now() {
    let (home, _) = home();
    staged(&home);
    let execute = |id: &str| {
        release(&home, 0, &["execute-rollout-promotion", &format!("{id}.json"), "--output", "done"])["execution"]
            .clone()
    };
    let approved = || {
        let id = text(&requested(&home)["approval"], "approval_id").to_owned();
        approve(&home, &id);
        home.write(&format!("{id}.json"), home.read(REQUEST));
        id
    };
    let first = execute(&approved());
    let second = execute(&approved());
    assert_ne!(first["execution_id"], second["execution_id"]);
    assert_eq!(home.json("done/rollout-promotion-execution.json"), second);
    let kept = format!("done/rollout-promotion-execution-{}", text(&first, "execution_id"));
    assert_eq!(home.json(&format!("{kept}.json")), first);
    assert!(home.exists(&format!("{kept}.md")));
    // Also what is kept was done, and is not done again.
    assert_eq!(execute(text(&first, "approval_id")), first);
}

/// What `--json` prints of what is refused before there is anything to report on: the reason, also on standard error.
#[test]
fn refusals_are_json_where_json_is_asked_for() {
    let (home, key) = home();
    home.write("key.pub", key.public().pem());
    home.cavra(&["evidence", "trust-root", "key.pub", "--output", "old.json", "--status", "revoked"]).run().ok();
    home.write("empty.json", "{}");
    for (arguments, reason) in [
        (&["verify-go-package", "none"][..], "none: the directory is missing"),
        (&["verify-go-package", "pkg", "--trust-root", "old.json"], "old.json: trust root is not active"),
        (&["validate-upgrade", "pkg", "none"], "none: the directory is missing"),
        (&["smoke-installers", "none"], "none: the directory is missing"),
        (&["channel-manifest", "pkg", "--channel", "none"], "there is no channel none"),
        (&["updater-policy", "none"], "none: the directory is missing"),
        (&["capture-rollout", "none"], "none: the directory is missing"),
        (&["verify-rollout", "none"], "none: the directory is missing"),
        (&["request-rollout-promotion", "none"], "none: the directory is missing"),
        (&["request-channel-promotion", "none"], "none: the directory is missing"),
        (&["execute-rollout-promotion", "none.json"], "cannot read none.json"),
        (&["execute-rollout-promotion", "empty.json", "--approval-id", "apr_1"], "approval apr_1 not found"),
        (&["execute-rollout-rollback", "empty.json", "--approval-id", "apr_1"], "approval apr_1 not found"),
        (&["export-promotion-audit", "empty.json"], "not of schema"),
    ] {
        let run = home.cavra(&[&["release"], arguments, &["--json"]].concat()).run().exits(1);
        let said = errors(&run.json());
        assert!(said.contains(reason), "{arguments:?}: {said}");
        assert_eq!(run.stderr, format!("cavra: {said}\n"));
        let plain = home.cavra(&[&["release"], arguments].concat()).run().exits(1);
        assert_eq!((plain.stdout.as_str(), plain.stderr), ("", run.stderr));
    }
}

#[test]
fn promotions_that_must_not_be_asked_for() {
    let (home, _) = home();
    staged(&home);
    let ask = |more: &[&str]| {
        let arguments = [&["request-rollout-promotion", "rollout", "--output", "request"], more].concat();
        let result = errors(&release(&home, 1, &arguments));
        assert!(!home.exists("request") && !home.exists(".cavra/approvals.json"));
        result
    };
    assert!(ask(&[]).contains("no signing key"));
    assert!(ask(&["--signing-key", "pkg/checksums.txt"]).contains("private key"));
    assert!(ask(&["--signing-key", "key.pem", "--target-ring", "staging"]).contains("already"));
    let capture = ["capture-rollout", "pkg", "--output", "rollout", "--rollout-id", "r-1", "--status", "failed"];
    release(&home, 0, &capture);
    assert!(ask(&["--signing-key", "key.pem"]).contains("staged or succeeded"));
}

#[test]
fn what_was_left_out_stands_in_the_approval() {
    let (home, _) = home();
    staged(&home);
    let asked = release(
        &home,
        0,
        &[
            "request-rollout-promotion",
            "rollout",
            "--signing-key",
            "key.pem",
            "--skip-package-verification",
            "--approval-store",
            "a/one.json",
            "--approval-sqlite",
            "a/two.db",
        ],
    );
    assert_eq!(asked["approval"]["decision"]["metadata"]["relaxed_checks"], json!(["require_package_verification"]));
    let id = text(&asked["approval"], "approval_id");
    for store in [["--store", "a/one.json"], ["--sqlite", "a/two.db"]] {
        let listed = home.cavra(&["approval", store[0], store[1], "list"]).run().ok().json();
        assert_eq!(listed["items"][0]["approval_id"], json!(id));
    }
}

#[test]
fn channels_are_asked_for() {
    let (home, _) = home();
    let request = ["request-channel-promotion", "pkg", "--signing-key", "key.pem", "--metadata-json", "m/meta.json"];
    let asked = release(&home, 0, &request);
    let id = text(&asked["request"], "request_id");
    let expected = sha256("stable:1.2.3:enterprise").replace("sha256:", "");
    assert_eq!(id, format!("rcp_{}", &expected[..12]));
    let record = home.json("m/meta.json")["items"][0].clone();
    assert_eq!((&record["session_id"], &record["approval_required_count"]), (&json!(id), &json!(1)));
    assert_eq!(record["endpoint_management_tools"], json!(["tool-linux-fleet", "tool-mac-fleet"]));
    assert_eq!(record["approval_state"], "pending");
    assert_eq!(asked["approval"]["session_id"], "release-channel:stable:1.2.3");
    let nightly = [&request[..], &["--channel", "nightly"]].concat();
    assert!(errors(&release(&home, 1, &nightly)).contains("nightly"));
}

#[test]
fn deliveries_are_listed_where_there_are_any() {
    let home = Home::new();
    let record = |id: &str, success: bool| {
        json!({"session_id": id, "metadata_kind": "release-connector-delivery", "created_at": "2031-01-01T00:00:00Z",
            "event_id": "rpe_1", "event_type": "cavra.rollout_promotion_execution", "providers": ["splunk"],
            "delivery_success": success})
    };
    home.write("meta.json", json!({"items": [record("a", true), record("b", false)]}).to_string());
    let list = |more: &[&str]| {
        release(&home, 0, &[&["connector-delivery-history", "--metadata-json", "meta.json"], more].concat())
    };
    assert_eq!(list(&[])["schema_version"], "cavra.release.connector_delivery_history.v1");
    assert_eq!(list(&["--success", "false"])["items"][0]["session_id"], "b");
    assert_eq!(list(&["--provider", "jira"])["total"], 0);
    let numbers = release(&home, 0, &["connector-delivery-dashboard", "--metadata-json", "meta.json"]);
    assert_eq!((&numbers["total_deliveries"], &numbers["failed_deliveries"]), (&json!(2), &json!(1)));
}
