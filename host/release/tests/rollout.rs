//! Rollouts: captured from a package, verified, promoted, rolled back; and everything that must not pass.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test says what is wrong by failing")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use cavra_artifacts::Reach;
use cavra_evidence::SigningKey;
use cavra_model::{
    ApprovalRequest, DecidedBy, Digest, Object, Person, Ruling, Timestamp, break_glass_approval, request_approval,
    rule_on,
};
use cavra_release::{
    Action, CAPTURE_DOCUMENTS, Capture, PROMOTION, PROMOTION_SIGNATURE, PackageOptions, ROLLBACK, RolloutOptions,
    RolloutReport, Statement, Trust, VerifiedRollout, audit_event, capture_rollout, carry_out, promotion_decision,
    promotion_refusals, promotion_request, rollout_files, sign, verify_package, verify_rollout,
};
use serde_json::{Value, json};
use support::put;

/// A directory with a package and a rollout of it.
struct Place {
    home: tempfile::TempDir,
    key: SigningKey,
}

fn capture() -> Capture {
    Capture {
        deployment_ids: Vec::new(),
        environment: "production".into(),
        rollout_id: Some("r-1".into()),
        rollout_ring: "staging".into(),
        status: "staged".into(),
        actor: "ann".into(),
        change_record: "CHG-1".into(),
    }
}

impl Place {
    fn new() -> Self {
        let place = Self { home: tempfile::tempdir().unwrap(), key: SigningKey::generate().unwrap() };
        support::package(&place.at("package"), "1.2.3", &place.key);
        place.write(&place.evidence(&capture()).unwrap());
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn evidence(&self, capture: &Capture) -> Result<Object, Vec<String>> {
        let options = PackageOptions { documents: &CAPTURE_DOCUMENTS, ..PackageOptions::default() };
        let package = verify_package(Reach::Anywhere.open(&self.at("package")).unwrap(), &options);
        capture_rollout(&package, capture, now())
    }

    fn write(&self, evidence: &Object) {
        for (name, text) in rollout_files(evidence) {
            put(&self.at("rollout"), name, text);
        }
    }

    fn verify(&self, options: &RolloutOptions) -> VerifiedRollout {
        let reach = Reach::Under(self.home.path().to_owned());
        verify_rollout(&reach.open(Path::new("rollout")).unwrap(), &reach, options)
    }
}

fn now() -> Timestamp {
    "2031-02-03T04:05:06.000700Z".parse().unwrap()
}

fn strict() -> RolloutOptions {
    RolloutOptions { require_package: true, ..RolloutOptions::default() }
}

#[track_caller]
fn names(report: &RolloutReport, what: &str) {
    assert!(!report.valid, "{what}");
    assert!(report.errors.iter().any(|error| error.contains(what)), "{what}: {:#?}", report.errors);
}

#[test]
fn what_is_captured_verifies() {
    let place = Place::new();
    let found = place.verify(&strict());
    assert_eq!(found.report.errors, Vec::<String>::new());
    assert_eq!(found.report.rollout_dir, "rollout");
    assert_eq!(found.report.deployment_targets, ["linux-fleet", "mac-fleet"]);
    assert_eq!(
        found.report.verified_artifacts,
        ["managed-endpoint-rollout-evidence.json", "managed-endpoint-rollout-evidence.md"]
    );
    let record = &found.report.metadata;
    let file = fs::read(place.at("rollout/managed-endpoint-rollout-evidence.json")).unwrap();
    assert_eq!(record["artifact_sha256"], json!(Digest::of(file).hex()));
    assert_eq!((&record["session_id"], &record["signer"]), (&json!("r-1"), &json!("ann")));
    assert_eq!((&record["rollout_status"], &record["deployment_target_count"]), (&json!("staged"), &json!(2)));
    assert!(found.report.package_verification.unwrap().valid);
}

#[test]
fn captures_say_what_they_lack() {
    let place = Place::new();
    let named = place.evidence(&Capture { rollout_id: None, environment: "eu/prod".into(), ..capture() }).unwrap();
    assert_eq!(named["rollout_id"], json!("eu-prod-1.2.3-20310203040506"));
    let one = Capture { deployment_ids: vec!["mac-fleet".into()], ..capture() };
    assert_eq!(place.evidence(&one).unwrap()["deployment_targets"].as_array().unwrap().len(), 1);
    for (wrong, what) in [
        (Capture { deployment_ids: vec!["none".into()], ..capture() }, "none"),
        (Capture { status: "done".into(), ..capture() }, "status"),
        (Capture { change_record: " ".into(), ..capture() }, "change record"),
    ] {
        let problems = place.evidence(&wrong).unwrap_err();
        assert!(problems[0].contains(what), "{problems:?}");
    }
    fs::write(place.at("package").join(support::LINUX), "other").unwrap();
    assert!(place.evidence(&capture()).unwrap_err().iter().any(|problem| problem.contains(support::LINUX)));
}

#[test]
fn every_member_that_counts_is_missed() {
    let place = Place::new();
    let whole = place.evidence(&capture()).unwrap();
    for (pointer, value, what) in [
        ("/schema_version", json!("x"), "schema_version"),
        ("/rollout_id", json!(""), "rollout_id"),
        ("/change_record", json!(""), "change_record"),
        ("/status", json!("done"), "status"),
        ("/deployment_targets", json!([]), "deployment_targets"),
        ("/deployment_targets/0/id", json!(""), "has no id"),
        ("/controls", json!(["other"]), "rollout-evidence-checksummed"),
        ("/source_artifacts/installers/sha256", json!("0".repeat(64)), "cavra-runtime.installers.json"),
        ("/source_artifacts/installers/path", json!("../x"), "installers"),
        ("/source_artifacts/installers/path", json!("none.json"), "none.json"),
        ("/package_dir", json!("nowhere"), "package_dir is missing or invalid"),
        ("/package_dir", json!("/etc"), "package_dir is missing or invalid"),
        ("/package_dir", json!("../"), "package_dir is missing or invalid"),
    ] {
        let mut changed = Value::Object(whole.clone());
        *changed.pointer_mut(pointer).unwrap() = value;
        place.write(changed.as_object().unwrap());
        names(&place.verify(&strict()).report, what);
    }
}

/// Bytes of each file changed, cut, grown, removed; lines of the checksums changed and removed.
#[test]
fn whatever_is_changed_is_named() {
    let place = Place::new();
    let mut tried = 0;
    for name in support::files(&place.at("rollout")) {
        let path = place.at("rollout").join(&name);
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[3] ^= 1;
        for changed in [Some(flipped), Some(whole[..whole.len() / 3].to_vec()), Some(Vec::new()), None] {
            match &changed {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            // A list of checksums that is wrong is noticed by what it says of the files.
            let what = if changed.is_some() { "managed-endpoint-rollout-evidence" } else { &name };
            names(&place.verify(&strict()).report, what);
            tried += 1;
        }
        fs::write(&path, whole).unwrap();
    }
    for line in ["nonsense", "0000  a", &format!("{}  ../../etc/passwd", "0".repeat(64))] {
        let path = place.at("rollout/checksums.txt");
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{line}\n")).unwrap();
        names(&place.verify(&strict()).report, "checksums.txt");
        fs::write(&path, whole).unwrap();
        tried += 1;
    }
    // The summary may go unlisted, but not unnoticed.
    let path = place.at("rollout/checksums.txt");
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, whole.lines().next().unwrap()).unwrap();
    let report = place.verify(&strict()).report;
    assert!(report.valid && report.warnings.iter().any(|note| note.contains("evidence.md")), "{report:?}");
    fs::write(&path, whole).unwrap();
    fs::write(place.at("package").join(support::LINUX), "other").unwrap();
    names(&place.verify(&strict()).report, &format!("release package: checksum mismatch: {}", support::LINUX));
    println!("{tried} changes tried");
}

#[test]
fn without_the_package_only_the_evidence_speaks() {
    let place = Place::new();
    let lax = RolloutOptions { require_package: false, ..strict() };
    assert!(place.verify(&lax).report.valid);
    put(&place.at("package"), support::INSTALLERS, "{}");
    names(&place.verify(&lax).report, support::INSTALLERS);
    fs::remove_dir_all(place.at("package")).unwrap();
    let report = place.verify(&lax).report;
    assert!(report.valid && report.warnings.iter().any(|note| note.contains("none within reach")));
    names(&place.verify(&strict()).report, "rollout evidence package_dir is missing or invalid");
}

#[test]
fn only_what_is_staged_moves_to_another_ring() {
    for (status, ring, problems) in [
        ("staged", "production", 0),
        ("succeeded", "production", 0),
        ("planned", "production", 1),
        ("failed", "production", 1),
        ("rolled_back", "production", 1),
        ("staged", "staging", 1),
        ("failed", "staging", 2),
    ] {
        let place = Place::new();
        place.write(&place.evidence(&Capture { status: status.into(), ..capture() }).unwrap());
        assert_eq!(promotion_refusals(&place.verify(&strict()), ring).len(), problems, "{status} {ring}");
    }
}

/// A request that waits for its approval, and the approval once it is given.
fn requested(place: &Place) -> (Object, Object) {
    let rollout = place.verify(&strict());
    let decision = promotion_decision(&rollout, "production", "ann", &[]);
    let approval = request_approval(asked(decision), now()).unwrap();
    let mut request = promotion_request(&rollout, "production", &approval, now());
    sign(&mut request, PROMOTION_SIGNATURE, &place.key, "release-manager");
    (request, approved(approval))
}

fn asked(decision: Object) -> ApprovalRequest {
    ApprovalRequest {
        action_digest: cavra_model::action_digest(&decision),
        decision,
        approver_group: "CAB".into(),
        requested_by: "ann".into(),
        requester: Person::named("ann"),
        note: None,
        unverified: false,
        ttl_hours: 24,
        quorum: 1,
    }
}

fn approved(mut approval: Object) -> Object {
    rule_on(&mut approval, Ruling::Approve, &bob(), now()).unwrap();
    approval
}

fn bob() -> DecidedBy {
    DecidedBy { actor: "bob".into(), person: Person::named("bob"), reason: "fine".into(), external_ref: None }
}

fn statement() -> Statement<'static> {
    Statement { executed_by: "eve", executor: None, environment: None, reason: None, notes: None }
}

fn object(value: &Value) -> Object {
    value.as_object().unwrap().clone()
}

/// The document with a member changed or removed.
fn with(document: &Object, pointer: &str, value: Option<&Value>) -> Object {
    let mut changed = Value::Object(document.clone());
    match value {
        Some(value) => *changed.pointer_mut(pointer).unwrap() = value.clone(),
        None => support::remove(&mut changed, pointer),
    }
    object(&changed)
}

#[test]
fn a_promotion_says_what_was_done() {
    let place = Place::new();
    let (request, approval) = requested(&place);
    let trust = Trust::Pinned(vec![place.key.public().clone()]);
    assert_eq!(PROMOTION.refusals(&request, &approval, &trust, now()), Vec::<String>::new());
    let done = carry_out(&PROMOTION, &request, &approval, &statement(), now());
    let document = &done.document;
    let approval_id = approval["approval_id"].as_str().unwrap();
    assert_eq!(document["execution_id"], json!(PROMOTION.id_of(request["request_id"].as_str().unwrap(), approval_id)));
    assert_eq!(
        document["ring_advancement"],
        json!({"from": "staging", "to": "production", "previous_rollout_status": "staged",
            "new_rollout_status": "promoted"})
    );
    assert_eq!(document["request_sha256"], json!(Digest::of_json(&Value::Object(request.clone())).hex()));
    assert_eq!(document["execution_environment"], "production");
    assert_eq!(
        document["rollback_evidence_refs"][1],
        json!({"target": "mac-fleet", "ref": "rollback://r-1/mac-fleet/2", "step": "put mac-fleet back"})
    );
    assert!(!document.contains_key("notes") && !document.contains_key("rollback_reason"));
    assert_eq!(done.record["execution"], Value::Object(document.clone()));
    assert_eq!(
        done.record["audit_links"]["promotion_request"],
        json!(format!("promotion-request://{}", request["request_id"].as_str().unwrap()))
    );
    assert_eq!(PROMOTION.distrust(&done.record), None);
    let event = audit_event(&PROMOTION, document).unwrap();
    assert_eq!((&event["severity"], &event["rollback_reference_count"]), (&json!("high"), &json!(4)));
    assert_eq!(event["audit_links"]["promotion_execution"], json!(format!("promotion-execution://{}", done.id)));
    assert!(audit_event(&ROLLBACK, document).is_err());
}

/// Every binding of request and approval, one at a time.
#[test]
fn what_does_not_fit_does_not_promote() {
    let place = Place::new();
    let (request, approval) = requested(&place);
    let trust = Trust::Pinned(vec![place.key.public().clone()]);
    let refusals =
        |request: &Object, approval: &Object, trust: &Trust| PROMOTION.refusals(request, approval, trust, now());
    let mut tried = 0;
    for (pointer, value) in [
        ("/approval_id", Some(json!("apr_000000000000"))),
        ("/state", Some(json!("pending"))),
        ("/state", Some(json!("denied"))),
        ("/state", Some(json!("expired"))),
        ("/state", Some(json!("break_glass"))),
        ("/expires_at", Some(json!("2031-02-03T04:05:06Z"))),
        ("/expires_at", None),
        ("/decision_id", Some(json!("other:decision"))),
        ("/session_id", Some(json!("r-2"))),
        ("/decision/action_type", Some(json!(ROLLBACK.operation))),
        ("/decision/metadata/target_ring", Some(json!("canary"))),
        ("/decision/metadata/target_ring", None),
        ("/decision/metadata/current_ring", Some(json!("canary"))),
        ("/decision/metadata/current_ring", None),
        ("/decision/metadata", None),
        ("/decision", None),
    ] {
        let changed = with(&approval, pointer, value.as_ref());
        assert!(!refusals(&request, &changed, &trust).is_empty(), "approval{pointer} = {value:?}");
        tried += 1;
    }
    // The signature covers every member of the request, so each change is refused for it at least.
    for pointer in support::members(&Value::Object(request.clone())) {
        if ["/signature/key_id", "/signature/signer"].contains(&pointer.as_str()) {
            continue;
        }
        assert!(!refusals(&with(&request, &pointer, None), &approval, &trust).is_empty(), "request{pointer}");
        tried += 1;
    }
    println!("{tried} misfits tried");
    let stranger = SigningKey::generate().unwrap();
    let mut forged = request.clone();
    sign(&mut forged, PROMOTION_SIGNATURE, &stranger, "release-manager");
    assert_eq!(refusals(&forged, &approval, &trust), ["signature is not by a trusted key"]);
    // Of several faults all are named.
    let worse = with(&with(&approval, "/state", Some(&json!("denied"))), "/session_id", Some(&json!("x")));
    assert_eq!(refusals(&forged, &worse, &trust).len(), 3);
    let glass = break_glass_approval(asked(object(&approval["decision"])), &bob(), now()).unwrap();
    assert!(refusals(&request, &glass, &trust).iter().any(|problem| problem.contains("break_glass")));
}

#[test]
fn a_rollback_is_bound_to_its_promotion() {
    let place = Place::new();
    let (request, approval) = requested(&place);
    let execution = carry_out(&PROMOTION, &request, &approval, &statement(), now()).document;
    let execution_id = execution["execution_id"].as_str().unwrap();
    let decision = json!({"decision_id": "d", "session_id": "r-1", "action_type": ROLLBACK.operation,
        "metadata": {"promotion_execution_id": execution_id, "target_ring": "production"}});
    let approval = approved(request_approval(asked(object(&decision)), now()).unwrap());
    let refusals = |action: &Action, execution: &Object, approval: &Object| {
        action.refusals(execution, approval, &Trust::Pinned(Vec::new()), now())
    };
    assert_eq!(refusals(&ROLLBACK, &execution, &approval), Vec::<String>::new());
    let unsaid = with(&approval, "/decision/metadata/target_ring", None);
    assert_eq!(refusals(&ROLLBACK, &execution, &unsaid), Vec::<String>::new());
    for (pointer, value) in [
        ("/state", Some(json!("break_glass"))),
        ("/state", Some(json!("pending"))),
        ("/expires_at", Some(json!("2031-01-01T00:00:00Z"))),
        ("/session_id", Some(json!("r-2"))),
        ("/decision/action_type", Some(json!(PROMOTION.operation))),
        ("/decision/metadata/promotion_execution_id", None),
        ("/decision/metadata/promotion_execution_id", Some(json!("rpe_000000000000"))),
        ("/decision/metadata/target_ring", Some(json!("staging"))),
    ] {
        let changed = with(&approval, pointer, value.as_ref());
        assert_eq!(refusals(&ROLLBACK, &execution, &changed).len(), 1, "approval{pointer} = {value:?}");
    }
    for (pointer, value) in [
        ("/schema_version", Some(json!("x"))),
        ("/execution_status", Some(json!("planned"))),
        ("/rollback_evidence_refs", Some(json!([]))),
        ("/rollback_evidence_refs", None),
        ("/ring_advancement", None),
        ("/execution_id", None),
    ] {
        let changed = with(&execution, pointer, value.as_ref());
        assert!(!refusals(&ROLLBACK, &changed, &approval).is_empty(), "execution{pointer} = {value:?}");
    }
    let said = Statement { reason: Some("broke things"), notes: Some("n"), ..statement() };
    let done = carry_out(&ROLLBACK, &execution, &approval, &said, now());
    assert_eq!(done.document["ring_rollback"]["to"], "staging");
    assert_eq!(done.document["ring_rollback"]["previous_rollout_status"], "promoted");
    let digest = Digest::of_json(&Value::Object(execution));
    assert_eq!(done.document["promotion_execution_sha256"], json!(digest.hex()));
    assert_eq!((&done.record["current_ring"], &done.record["target_ring"]), (&json!("production"), &json!("staging")));
    assert_eq!(done.record["rollback_execution_status"], "executed");
    assert!(done.record["audit_links"].get("promotion_request").is_none());
    let event = audit_event(&ROLLBACK, &done.document).unwrap();
    assert_eq!((&event["severity"], &event["rollback_reason"]), (&json!("critical"), &json!("broke things")));
    assert_eq!(ROLLBACK.distrust(&done.record), None);
}

#[test]
fn records_of_clients_have_to_fit_themselves() {
    let place = Place::new();
    let (request, approval) = requested(&place);
    let record = carry_out(&PROMOTION, &request, &approval, &statement(), now()).record;
    for (pointer, value) in [
        ("/execution", None),
        ("/execution", Some(json!("x"))),
        ("/session_id", Some(json!("rpe_000000000000"))),
        ("/execution/execution_id", Some(json!("rpe_000000000000"))),
        ("/execution/execution_id", None),
        ("/execution/request_id", Some(json!("rpr_000000000000"))),
        ("/execution/request_id", None),
        ("/execution/approval_id", Some(json!("apr_000000000000"))),
        ("/execution/approval_id", None),
    ] {
        assert!(PROMOTION.distrust(&with(&record, pointer, value.as_ref())).is_some(), "{pointer} = {value:?}");
    }
}
