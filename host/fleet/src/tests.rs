//! The loop over documents: observations, freshness, drift, remediation, hand-off, status.

use cavra_model::{Object, Timestamp, members::built};
use serde_json::{Value, json};

use super::*;

fn now() -> Timestamp {
    "2031-05-06T08:00:00Z".parse().unwrap()
}

fn observations() -> Object {
    built(json!({"schema_version": "cavra.endpoint-observations.v1", "provider": "jamf", "channel": "beta",
        "observed_at": "2031-05-06T07:10:00Z", "endpoints": [{"endpoint_id": "lap-7", "deployment_target": "mac-ring-a",
        "installed_version": "3.1.0", "binary_sha256": "a".repeat(64), "last_seen_at": "2031-05-06T07:08:09Z",
        "provider": "jamf", "hostname": "zoë-mbp"}]}))
}

fn manifest() -> Object {
    built(json!({"schema_version": "cavra.go-runtime.endpoint-deployment.v1", "version": "3.2.0", "commit": "c0ffee1",
        "repository": "org/app", "deployment_targets": [
            {"id": "mac-ring-a", "binary_sha256": "A".repeat(64), "management_tool": "jamf"},
            {"id": "win-ring-a", "binary_sha256": "b".repeat(64), "management_tool": "intune"}]}))
}

fn compare(manifest: &Object, observed: &Object) -> Documented {
    let about = Reconciliation {
        manifest,
        observed,
        stale_after_hours: 24,
        manifest_verification: Value::Null,
        package_verification: Value::Null,
        only_provider: None,
    };
    reconcile(&about, now()).unwrap()
}

fn with_endpoint(change: Value) -> Object {
    let mut observed = observations();
    let mut endpoint = observed["endpoints"][0].as_object().unwrap().clone();
    endpoint.extend(built(change));
    endpoint.retain(|_, value| !value.is_null());
    observed.insert("endpoints".into(), json!([endpoint]));
    observed
}

#[test]
fn the_vector_of_a_reconciliation() {
    let made = compare(&manifest(), &observations());
    assert_eq!(made.id, "mer_252b6d463fab");
    assert_eq!(made.document["drift_status"], "drift_detected");
    assert_eq!(made.record["drifted_endpoint_count"], 1);
    assert_eq!(made.record["missing_target_count"], 1);
    assert_eq!(made.record["blocked_count"], 2);
    let types: Vec<_> = made.document["drift_items"].as_array().unwrap().iter().map(|item| &item["type"]).collect();
    assert_eq!(types, ["version_drift", "missing_observation"]);
}

#[test]
fn what_each_endpoint_is_found_to_be() {
    for (change, finding, level) in [
        (json!({"installed_version": "3.2.0"}), "", "healthy"),
        (json!({"installed_version": " v3.2.0 "}), "", "healthy"),
        (json!({"installed_version": null}), "", "healthy"),
        (json!({"installed_version": "3.2.0", "binary_sha256": "c"}), "binary_drift", "critical"),
        (json!({"installed_version": null, "binary_sha256": null}), "unverified_observation", "warning"),
        (json!({"installed_version": "3.2.0", "last_seen_at": "2031-05-01T00:00:00Z"}), "stale_observation", "warning"),
        (json!({"installed_version": "3.2.0", "last_seen_at": "never"}), "stale_observation", "warning"),
        (json!({"installed_version": "3.2.0", "last_seen_at": null}), "", "healthy"),
        (json!({"last_seen_at": "never"}), "version_drift,stale_observation", "critical"),
        (json!({"binary_sha256": "c"}), "version_drift,binary_drift", "critical"),
    ] {
        let mut manifest = manifest();
        manifest["deployment_targets"].as_array_mut().unwrap().truncate(1);
        let made = compare(&manifest, &with_endpoint(change.clone()));
        let items = made.document["drift_items"].as_array().unwrap();
        assert_eq!(items.first().map_or("", |item| item["type"].as_str().unwrap()), finding, "{change}");
        assert_eq!(made.document["alert_level"], level, "{change}");
    }
}

#[test]
fn endpoints_of_no_desired_target() {
    let made = compare(&manifest(), &with_endpoint(json!({"deployment_target": null})));
    assert_eq!(made.record["unknown_target_count"], 1);
    let last = made.document["drift_items"].as_array().unwrap().last().unwrap();
    assert_eq!(last["type"], "unknown_deployment_target");
    assert_eq!(last["deployment_target"], "unknown-target");
}

#[test]
fn everything_wrong_with_a_manifest_is_said() {
    let manifest = built(json!({"deployment_targets": [{"id": "a"}, {"id": "a"}]}));
    assert_eq!(manifest_problems(&manifest, &Object::new()).len(), 3);
    let manifest =
        built(json!({"schema_version": "cavra.go-runtime.endpoint-deployment.v1", "deployment_targets": {}}));
    assert_eq!(manifest_problems(&manifest, &observations()).len(), 1);
}

fn ingestion(id: &str, observed: &str, created: &str) -> Object {
    built(json!({"inventory_id": id, "provider": "jamf", "channel": "beta", "observed_at": observed,
        "created_at": created, "deployment_targets": ["a"], "endpoint_count": 1, "missing_target_count": 0}))
}

#[test]
fn freshness_is_by_instants_and_never_by_clocks_ahead() {
    let limits = FreshnessLimits { max_age_hours: 24, critical_age_hours: 12 };
    let level = |records: &[Object]| {
        let made = freshness_report(records, &Scope::default(), limits, now());
        (made.document["alert_level"].as_str().unwrap().to_owned(), made)
    };
    let fresh = ingestion("n", "2031-05-06T09:30:00+02:00", "2031-05-06T07:31:00Z");
    let older = ingestion("o", "2031-05-06T07:00:00Z", "2031-05-06T07:00:00Z");
    let (healthy, made) = level(&[older.clone(), fresh]);
    assert_eq!(healthy, "healthy");
    assert_eq!(made.document["latest_ingestions"][0]["inventory_id"], "n");
    assert_eq!(made.document["critical_age_hours"], 24, "raised to the other limit");
    assert_eq!(made.document["latest_ingestions"][0]["age_hours"], 0.5);
    let ahead = ingestion("f", "2039-01-01T00:00:00Z", "2031-05-01T00:00:00Z");
    assert_eq!(level(&[ahead]).0, "critical");
    assert_eq!(level(&[ingestion("x", "never", "2031-05-06T07:00:00Z")]).0, "warning");
    let (nothing, made) = level(&[]);
    assert_eq!((nothing.as_str(), made.warnings.len()), ("warning", 1));
    let scope = Scope { deployment_target: Some("b"), ..Scope::default() };
    assert_eq!(freshness_report(&[older], &scope, limits, now()).document["summary"]["scope_count"], 0);
}

fn approval(plan: &RequestedRemediation, state: &str) -> Object {
    let decision = remediation_decision(plan, "ann");
    built(json!({"approval_id": "apr_1", "state": state, "approver_group": APPROVER_GROUP, "decided_by": "bob",
        "decision_id": decision["decision_id"], "session_id": decision["session_id"], "decision": decision,
        "expires_at": "2031-05-07T08:00:00.000000+00:00"}))
}

fn requested() -> (RequestedRemediation, Object) {
    let report = compare(&manifest(), &observations()).document;
    let plan = RequestedRemediation::plan(report.as_object().unwrap(), "mixed").unwrap();
    let request = request_document(&plan, &approval(&plan, "pending"), "ann", now());
    (plan, request)
}

#[test]
fn an_execution_is_bound_to_what_was_approved() {
    let (plan, request) = requested();
    let approved = approval(&plan, "approved");
    assert_eq!(execution_problems(&request, &approved, now()), Vec::<String>::new());
    for state in ["pending", "denied", "expired", "break_glass"] {
        assert!(!execution_problems(&request, &approval(&plan, state), now()).is_empty(), "{state}");
    }
    let later: Timestamp = "2031-05-07T08:00:01Z".parse().unwrap();
    assert!(!execution_problems(&request, &approved, later).is_empty(), "past its end");
    let mut swapped = request.clone();
    swapped["actions"][0]["action_type"] = json!("rollback_runtime");
    assert!(!execution_problems(&swapped, &approved, now()).is_empty());
    let mut other_report = request.clone();
    other_report["reconciliation_report"]["alert_level"] = json!("healthy");
    assert!(!execution_problems(&other_report, &approved, now()).is_empty());
    for member in ["request_id", "reconciliation_id", "actions_sha256"] {
        let mut approval = approved.clone();
        approval["decision"]["metadata"][member] = json!("other");
        assert!(!execution_problems(&request, &approval, now()).is_empty(), "{member}");
    }
    for member in ["request_id", "reconciliation_id"] {
        let mut approval = approved.clone();
        approval["decision"]["metadata"].as_object_mut().unwrap().remove(member);
        assert!(!execution_problems(&request, &approval, now()).is_empty(), "{member} has to be there");
    }
    let done = execute(&request, &approved, &Execution { executed_by: "cy", ..Execution::default() }, now());
    assert_eq!(done.id, execution_id(&plan.id, "apr_1"));
    assert_eq!(done.document["action_results"].as_array().unwrap().len(), plan.action_count());
}

#[test]
fn plans_have_known_strategies() {
    let report = compare(&manifest(), &observations()).document;
    assert!(RequestedRemediation::plan(report.as_object().unwrap(), "guess").is_err());
    assert!(RequestedRemediation::plan(&Object::new(), "mixed").is_err());
}

#[test]
fn a_handoff_and_what_became_of_it() {
    assert_eq!(handoff_providers([]).unwrap().len(), 5);
    assert_eq!(handoff_providers([" Private-Queue ", "jira", "jira"]).unwrap(), ["jira", "private_queue"]);
    assert!(handoff_providers(["jira", "fax"]).is_err());
    let (_, request) = requested();
    let asked = HandoffRequest {
        requested_by: "ann",
        delivery_mode: "manual",
        providers: handoff_providers(["jira", "slack", "private_queue"]).unwrap(),
    };
    let made = handoff(&request, ("apr_1", "approved"), &asked, None, now());
    assert_eq!(made.document["approval_required"], false);
    assert_eq!(made.document["payloads"].as_object().unwrap().len(), 3);
    assert_eq!(made.document["payloads"]["private_queue"]["queue_event"]["dedupe_key"], made.id.as_str());
    let later: Timestamp = "2031-05-07T08:00:01Z".parse().unwrap();
    let again = handoff(&request, ("apr_1", "denied"), &asked, Some(&made.record), later);
    assert_eq!((&again.id, &again.document["created_at"]), (&made.id, &made.document["created_at"]));
    let document = made.document.as_object().unwrap();
    let payload = json!({"x-api-key": "s3cret", "kept": "yes"});
    let update = StatusUpdate {
        provider: "private-queue",
        status: "In-Progress",
        external_ref: Some("T-1"),
        external_url: Some("https://u:p@t.example/x?k=1"),
        callback: Some(&payload),
        recorded_by: "console",
        ..StatusUpdate::default()
    };
    let status = status_record(document, ("apr_1", Some("pending")), &update, now()).unwrap();
    assert_eq!(status.record["handoff_status"], "in_progress");
    assert_eq!(status.record["external_url"], "https://t.example/x?REDACTED");
    assert!(!Value::Object(status.record).to_string().contains("s3cret"));
    let done = StatusUpdate { status: "completed", ..update.clone() };
    assert_eq!(status_record(document, ("apr_1", Some("pending")), &done, now()).unwrap().warnings.len(), 1);
    for wrong in [
        StatusUpdate { provider: "teams", ..update.clone() },
        StatusUpdate { provider: "fax", ..update.clone() },
        StatusUpdate { status: "lost", ..update.clone() },
        StatusUpdate { external_url: Some("javascript:x"), ..update.clone() },
    ] {
        assert!(status_record(document, ("apr_1", None), &wrong, now()).is_err(), "{wrong:?}");
    }
}

#[test]
fn who_is_published_to() {
    let manifest =
        built(json!({"schema_version": "cavra.endpoint-management-export.v1", "providers": ["linux", "jamf"]}));
    assert_eq!(publication_providers(&manifest, "all").unwrap(), ["jamf", "linux"]);
    assert_eq!(publication_providers(&manifest, "Jamf").unwrap(), ["jamf"]);
    assert!(publication_providers(&manifest, "intune").is_err());
    assert!(publication_providers(&manifest, "splunk").is_err());
    assert!(publication_providers(&Object::new(), "all").is_err());
    assert_eq!(needed_files(&["linux"]).len(), 5);
}
