//! Managed endpoints: every question of every list, every dashboard over all records, and large fleets that are stored once.

use serde_json::{Value, json};

use crate::fleet::{Refusal as _, approve, exported, ingested, manifest, reconciled, serve};
use crate::support::{Backend, Home, Issuer, Server, on_both, sha256, text};

/// A store with one record of each kind, at least: drift that was approved, executed, handed off and reported as done.
fn told(server: &Server) -> Value {
    exported(server, None);
    let published = json!({"session_id": "epd-1", "metadata_kind": "endpoint-management-publication-delivery",
        "export_id": "eme_1", "channel": "beta", "providers": ["jamf"], "delivery_success": false, "event_id": "emp_1",
        "failed_providers": ["jamf"], "delivery": {"deliveries": [{"provider": "jamf", "success": false, "attempt_count": 3}]}});
    server.post("/evidence", &published).ok();
    let opened = reconciled(server);
    server.post("/endpoint-inventory/freshness-report", &json!({})).ok();
    approve(server, text(&opened["approval"], "approval_id"));
    let path = format!("/endpoint-remediations/{}", text(&opened, "request_id"));
    server.post(&format!("{path}/execute"), &json!({})).ok();
    let handed = server.post(&format!("{path}/handoff"), &json!({"provider": "jira"})).ok();
    let status = format!("/endpoint-remediation-handoffs/{}/status", text(&handed, "handoff_id"));
    server.post(&status, &json!({"provider": "jira", "status": "completed", "external_ref": "OPS-7"})).ok();
    json!({"opened": opened, "handoff_id": handed["handoff_id"]})
}

#[test]
fn every_question_of_every_list() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let seen = told(&server);
        let opened = &seen["opened"];
        let id = |name: &str| text(opened, name).to_owned();
        let (request, reconciliation) = (id("request_id"), id("reconciliation_id"));
        let approval = text(&opened["approval"], "approval_id");
        let handoff = text(&seen, "handoff_id");
        let remediation = "endpoint-drift-remediation";
        let questions: &[(&str, u64, &[(&str, &str, u64)])] = &[
            (
                "endpoint-management-exports",
                1,
                &[("channel", "beta", 1), ("provider", "jamf", 1), ("provider", "linux", 0)],
            ),
            (
                "endpoint-management-publications",
                1,
                &[
                    ("provider", "jamf", 1),
                    ("export_id", "eme_1", 1),
                    ("channel", "beta", 1),
                    ("success", "false", 1),
                    ("success", "true", 0),
                ],
            ),
            (
                "endpoint-inventory-ingestions",
                1,
                &[
                    ("provider", "jamf", 1),
                    ("channel", "beta", 1),
                    ("channel", "Beta", 0),
                    ("deployment_target", "mac-ring-a", 1),
                ],
            ),
            (
                "endpoint-inventory-freshness",
                1,
                &[
                    ("alert_level", "healthy", 1),
                    ("provider", "jamf", 1),
                    ("channel", "beta", 1),
                    ("deployment_target", "mac-ring-a", 1),
                    ("deployment_target", "x", 0),
                ],
            ),
            (
                "endpoint-reconciliations",
                1,
                &[
                    ("drift_status", "drift_detected", 1),
                    ("alert_level", "critical", 1),
                    ("deployment_target", "win-ring-a", 1),
                    ("drift_status", "aligned", 0),
                ],
            ),
            (
                "endpoint-reconciliation-automations",
                1,
                &[
                    ("drift_status", "drift_detected", 1),
                    ("alert_level", "critical", 1),
                    ("approval_state", "approved", 1),
                    ("approval_state", "pending", 0),
                    ("provider", "jamf", 1),
                ],
            ),
            (
                "endpoint-remediations",
                2,
                &[
                    ("metadata_kind", &format!("{remediation}-request"), 1),
                    ("metadata_kind", &format!("{remediation}-execution"), 1),
                    ("reconciliation_id", &reconciliation, 2),
                    ("approval_state", "approved", 2),
                    ("execution_status", "recorded", 1),
                ],
            ),
            (
                "endpoint-remediation-handoffs",
                1,
                &[
                    ("provider", "jira", 1),
                    ("provider", "JIRA", 1),
                    ("approval_state", "approved", 1),
                    ("request_id", &request, 1),
                    ("reconciliation_id", &reconciliation, 1),
                    ("request_id", "x", 0),
                ],
            ),
            (
                "endpoint-remediation-handoff-statuses",
                1,
                &[
                    ("provider", "jira", 1),
                    ("handoff_status", " Completed ", 1),
                    ("handoff_id", handoff, 1),
                    ("request_id", &request, 1),
                    ("external_ref", "OPS-7", 1),
                    ("handoff_status", "failed", 0),
                ],
            ),
        ];
        for (list, all, asked) in questions {
            assert_eq!(server.total(&format!("/{list}")), *all, "{list}");
            for (parameter, value, found) in *asked {
                let value = value.replace(' ', "%20");
                assert_eq!(
                    server.total(&format!("/{list}?{parameter}={value}&nobody=knows&signer=")),
                    *found,
                    "{list} {parameter}={value}"
                );
            }
            server.get(&format!("/{list}?limit=soon")).refusal(422);
            // What is listed is not a record by the name of the dashboard.
            let board = server.get(&format!("/{list}/dashboard")).ok();
            assert!(
                board["generated_at"].is_string() && board["latest"].as_array().unwrap().len() as u64 == *all,
                "{list}: {board}"
            );
        }
        let exports = server.get(&format!("/endpoint-management-exports?approval_id={approval}&request_id=none")).ok();
        assert!(exports.get("schema_version").is_none() && exports["total"] == 0, "{exports}");
        let board = server.get("/endpoint-management-publications/dashboard").ok();
        assert_eq!(board["alerts"][0]["failed_providers"], json!(["jamf"]), "{board}");
        assert_eq!((&board["providers"][0]["attempt_count"], &board["success_rate"]), (&json!(3), &json!(0.0)));
        let board = server.get("/endpoint-reconciliations/dashboard").ok();
        assert_eq!(
            (&board["current_alert_level"], &board["alerts"][0]["severity"]),
            (&json!("critical"), &json!("critical"))
        );
        let board = server.get("/endpoint-remediation-handoff-statuses/dashboard").ok();
        assert_eq!((&board["alert_level"], &board["statuses"]), (&json!("healthy"), &json!({"completed": 1})));
    });
}

/// Documents are left out of summaries, whichever kind they are of, and nothing else is.
#[test]
fn summaries_leave_documents_out() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        told(&server);
        for (list, document) in [
            ("endpoint-management-exports", "manifest"),
            ("endpoint-management-publications", "delivery"),
            ("endpoint-inventory-ingestions", "ingestion"),
            ("endpoint-inventory-freshness", "report"),
            ("endpoint-reconciliations", "report"),
            ("endpoint-reconciliation-automations", "automation"),
            ("endpoint-remediations", "request"),
            ("endpoint-remediations", "action_results"),
            ("endpoint-remediation-handoffs", "handoff"),
            ("endpoint-remediation-handoff-statuses", "status_record"),
            ("evidence", "report"),
        ] {
            let items = |view: &str| server.get(&format!("/{list}?view={view}")).ok()["items"].clone();
            let (full, brief) = (items("full"), items("summary"));
            assert!(full.as_array().unwrap().iter().any(|item| !item[document].is_null()), "{list} {document}");
            assert!(brief.as_array().unwrap().iter().all(|item| item.get(document).is_none()), "{list} {document}");
            assert_eq!(brief[0]["session_id"], full[0]["session_id"]);
            assert_eq!(full, server.get(&format!("/{list}")).ok()["items"]);
        }
    });
}

/// Totals, filters and dashboards are about all records, not about the newest five hundred.
#[test]
fn more_than_five_hundred_records() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let kind = "endpoint-inventory-ingestion";
        for number in 0..520 {
            let provider = if number < 10 { "edr" } else { "jamf" };
            let record = json!({"session_id": format!("eii_{number}"), "metadata_kind": kind, "provider": provider,
                "created_at": format!("2031-01-01T{:02}:{:02}:00Z", number / 60, number % 60),
                "observed_at": "2031-01-01T00:00:00Z", "endpoint_count": 2, "missing_target_count": number % 2});
            server.post("/evidence", &record).ok();
        }
        assert_eq!(server.total("/endpoint-inventory-ingestions"), 520);
        assert_eq!(server.total("/endpoint-inventory-ingestions?provider=edr"), 10);
        let newest = server.get("/endpoint-inventory-ingestions?limit=2").ok();
        assert_eq!(newest["items"][0]["session_id"], "eii_519");
        let board = server.get("/endpoint-inventory-ingestions/dashboard").ok();
        let counted =
            ["total_ingestions", "endpoint_count", "missing_target_count"].map(|name| board[name].as_u64().unwrap());
        assert_eq!((counted, board["latest"].as_array().unwrap().len()), ([520, 1040, 260], 10));
        assert_eq!(
            board["providers"][0],
            json!({"provider": "edr", "ingestions": 10, "endpoint_count": 20,
            "missing_target_count": 5, "last_observed_at": "2031-01-01T00:00:00Z"})
        );
    });
}

/// The observations of a fleet stand in its inventory, in report, automation, request and hand-off, and are stored once; who
/// reads them sees no difference, be it over HTTP, in the log's audit or in a copy.
#[test]
fn a_fleet_is_stored_once() {
    on_both(|backend| {
        let home = Home::new();
        let server = serve(&home, backend, &[]);
        let computers: Vec<_> = (0..2_000)
            .map(|n| json!({"endpoint_id": format!("lap-{n}"), "deployment_target": "mac-ring-a", "installed_version": "3.1.0",
                "hostname": format!("host-{n}"), "last_seen_at": "2031-05-06T07:08:09Z"}))
            .collect();
        let export = json!({"provider": "jamf", "channel": "beta", "inventory": {"computers": computers}});
        let read = server.post("/endpoint-inventory/ingest", &export).ok();
        let path = format!("/endpoint-inventory-ingestions/{}/reconcile", text(&read, "inventory_id"));
        let opened = server.post(&path, &json!({"desired_manifest": manifest()})).ok();
        let request = text(&opened, "request_id").to_owned();
        let handed = server.post(&format!("/endpoint-remediations/{request}/handoff"), &json!({})).ok();
        let endpoints = &read["inventory"]["endpoints"];
        let whole = serde_json::to_vec(endpoints).unwrap().len();
        let shown = |id: &Value| server.get(&format!("/evidence/{}", id.as_str().unwrap())).ok();
        let ingestion = shown(&read["inventory_id"]);
        assert_eq!(
            (&ingestion["inventory"]["endpoints"], &ingestion["ingestion"]["inventory"]["endpoints"]),
            (endpoints, endpoints)
        );
        assert_eq!(&shown(&opened["reconciliation_id"])["report"], &opened["reconciliation"]);
        assert_eq!(&shown(&opened["automation_id"])["automation"], &opened["automation"]);
        assert_eq!(&shown(&json!(request))["request"], &opened["remediation_request"]);
        assert_eq!(&shown(&handed["handoff_id"])["handoff"], &handed["handoff"]);
        let listed = server.get("/endpoint-inventory-ingestions").ok()["items"][0].clone();
        assert_eq!(listed, ingestion);
        assert!(listed.get("$documents").is_none());
        // A dashboard names what it does not look at.
        let latest = server.get("/endpoint-inventory-ingestions/dashboard").ok()["latest"][0].clone();
        let named = format!("sha256:{}", text(&latest["inventory"]["endpoints"], "sha256"));
        assert_eq!(named, sha256(endpoints.to_string()), "{latest}");
        assert_eq!(latest["endpoint_count"], 2_000);
        // It is executed as it was approved, from what is stored.
        approve(&server, text(&opened["approval"], "approval_id"));
        server.post(&format!("/endpoint-remediations/{request}/execute"), &json!({})).ok();
        drop(server);
        let kept: u64 = ["metadata.json", "metadata.db", "metadata.db-wal"]
            .into_iter()
            .filter(|file| home.exists(file))
            .map(|file| std::fs::metadata(home.join(file)).unwrap().len())
            .sum();
        let once = u64::try_from(whole).unwrap();
        assert!(kept < 30 * once, "{kept} bytes for {once}: observations, drift items and actions once each");
        let server = serve(&home, backend, &[]);
        assert_eq!(server.get("/endpoint-inventory-ingestions").ok()["items"][0], ingestion);
    });
}

/// The same observations compared again, with another scope: the newer evaluation takes the record's place and says what the
/// earlier one came to.
#[test]
fn an_evaluation_does_not_hide_the_one_before() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let path = format!("/endpoint-inventory-ingestions/{}/reconcile", ingested(&server));
        let all = server.post(&path, &json!({"desired_manifest": manifest()})).ok();
        assert_eq!(all["reconciliation"]["summary"]["missing_target_count"], 1);
        let narrow = json!({"desired_manifest": manifest(), "target_scope": "provider", "stale_after_hours": 48});
        let one = server.post(&path, &narrow).ok();
        assert_eq!(one["reconciliation_id"], all["reconciliation_id"], "the contract's id");
        assert_eq!(one["reconciliation"]["summary"]["missing_target_count"], 0, "Windows is Intune's");
        let record = server.get(&format!("/evidence/{}", text(&one, "reconciliation_id"))).ok();
        assert_eq!(record["evaluation"], json!({"target_scope": "provider", "stale_after_hours": 48}));
        let earlier = &record["earlier_evaluations"][0];
        assert_eq!(
            (&earlier["evaluation"]["target_scope"], &earlier["missing_target_count"]),
            (&json!("all"), &json!(1))
        );
        assert_eq!(server.total("/endpoint-reconciliations"), 1);
        // Both plans stand: each is about what it found.
        assert_eq!(server.total("/endpoint-remediations?metadata_kind=endpoint-drift-remediation-request"), 2);
    });
}

/// Who executes is the verified person, whatever the body says, and is recorded with issuer and subject.
#[test]
fn an_execution_names_the_person() {
    let (home, issuer) = (Home::new(), Issuer::new());
    home.write("oidc.json", issuer.config(&json!({})).to_string());
    let server = serve(&home, Backend::Sqlite, &[("CAVRA_APPROVAL_OIDC_CONFIG", &home.at("oidc.json"))]);
    let (ann, bob) = (issuer.token("ann", &["IAM"]), issuer.token("bob", &["IAM"]));
    let export =
        json!({"provider": "jamf", "inventory": crate::fleet::inventory(), "observed_at": "2031-05-06T07:10:00Z"});
    let read = server.post_as(&ann, "/endpoint-inventory/ingest", &export).ok();
    let path = format!("/endpoint-inventory-ingestions/{}/reconcile", text(&read, "inventory_id"));
    let opened = server.post_as(&ann, &path, &json!({"desired_manifest": manifest(), "approver_group": "IAM"})).ok();
    let approval = text(&opened["approval"], "approval_id");
    server.post_as(&bob, &format!("/approvals/{approval}/approve"), &json!({"reason": "fine"})).ok();
    let execute = format!("/endpoint-remediations/{}/execute", text(&opened, "request_id"));
    server.post(&execute, &json!({})).refusal(401);
    let done = server.post_as(&bob, &execute, &json!({"executed_by": "mallory"})).ok();
    let who = &done["execution"]["executed_by_identity"];
    assert!(who["subject"].is_string() && who["issuer"].is_string() && who["via"] == "token", "{done}");
    assert_eq!(done["execution"]["executed_by"], done["metadata"]["signer"]);
    assert_ne!(done["execution"]["executed_by"], "mallory");
}

/// Files of an export: what is missing is 404, what may not be served 400.
#[test]
fn files_of_exports_that_cannot_be_had() {
    let server = serve(&Home::new(), Backend::Json, &[]);
    let path = format!("/endpoint-management-exports/{}", exported(&server, None));
    for (name, status) in [("linux-fleet-manifest.json", 400), ("secrets.txt", 400)] {
        server.get(&format!("{path}/artifacts/{name}")).refusal(status);
    }
    std::fs::remove_file(server.home.join("root/eme_0123456789ab/jamf-policy.json")).unwrap();
    server.get(&format!("{path}/artifacts/jamf-policy.json")).refusal(404);
    std::fs::remove_dir_all(server.home.join("root/eme_0123456789ab")).unwrap();
    server.get(&format!("{path}/artifact-bundle")).refusal(404);
    let bare = Home::new().serve(&[]);
    let path = format!("/endpoint-management-exports/{}", exported(&bare, None));
    bare.get(&format!("{path}/artifacts")).refusal(400);
}
