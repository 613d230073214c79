//! Managed endpoints: the loop from an export to the status of its hand-off, over HTTP and over both stores.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use cavra_evidence::pretty;
use serde_json::{Value, json};

use crate::release_package as package;
use crate::support::{Backend, Home, Response, Server, assert_id, canonical, on_both, strings, text};

/// A tool that takes everything, or refuses everything; what it got is kept.
pub fn tool(status: &'static str) -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let got = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&got);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut bytes, mut piece) = (Vec::new(), [0; 65536]);
            let body = loop {
                let length = stream.read(&mut piece).unwrap();
                bytes.extend_from_slice(&piece[..length]);
                let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
                if let Ok(body) = serde_json::from_slice(&bytes[end + 4..]) {
                    break body;
                }
            };
            kept.lock().unwrap().push(body);
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (address, got)
}

/// What the console has to find, by the beginning of its name.
const KEYS: [(&str, &str); 4] = [
    (
        "endpoint_management_",
        "exports export export_dashboard export_artifacts export_artifact export_artifact_bundle export_publish publications \
         publication_dashboard",
    ),
    ("endpoint_inventory_", "ingest ingestions dashboard freshness_report freshness freshness_dashboard reconcile"),
    (
        "endpoint_",
        "deployment_reconcile reconciliations reconciliation_dashboard reconciliation_automations \
         reconciliation_automation_dashboard remediations",
    ),
    (
        "endpoint_remediation_",
        "request execute dashboard handoff handoffs handoff_dashboard handoff_status handoff_statuses \
         handoff_status_dashboard",
    ),
];

/// What was refused and why, be it one sentence or everything that is wrong.
pub trait Refusal {
    fn refusal(&self, status: u16) -> Value;
}

impl Refusal for Response {
    #[track_caller]
    fn refusal(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()["detail"].clone()
    }
}

/// A server over a store, with an artifact root.
pub fn serve(home: &Home, backend: Backend, more: &[(&str, &str)]) -> Server {
    let (evidence, approvals, file) = match backend {
        Backend::Json => ("CAVRA_EVIDENCE_METADATA_STORE", "CAVRA_APPROVAL_STORE", "json"),
        Backend::Sqlite => ("CAVRA_EVIDENCE_METADATA_DB", "CAVRA_APPROVAL_DB", "db"),
    };
    let (metadata, decided) = (home.at(&format!("metadata.{file}")), home.at(&format!("approvals.{file}")));
    let root = home.at("root");
    std::fs::create_dir_all(&root).unwrap();
    let mut settings =
        vec![(evidence, metadata.as_str()), (approvals, &decided), ("CAVRA_EVIDENCE_ARTIFACT_ROOT", &root)];
    settings.extend(more);
    home.serve(&settings)
}

#[track_caller]
pub fn approve(server: &Server, id: &str) {
    server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "bob", "reason": "fine"})).ok();
}

/// What should run: a Mac behind Jamf and a Windows machine behind Intune.
pub fn manifest() -> Value {
    json!({"schema_version": "cavra.go-runtime.endpoint-deployment.v1", "version": "3.2.0", "commit": "c0ffee1",
        "repository": "org/app", "deployment_targets": [
            {"id": "mac-ring-a", "binary_sha256": "A".repeat(64), "management_tool": "jamf"},
            {"id": "win-ring-a", "binary_sha256": "b".repeat(64), "management_tool": "intune"}]})
}

/// What a tool reports: the Mac runs an older version.
pub fn inventory() -> Value {
    json!({"computers": [{"endpoint_id": "lap-7", "deployment_target": "mac-ring-a", "installed_version": "3.1.0",
        "binary_sha256": "a".repeat(64), "last_seen_at": "2031-05-06T07:08:09Z", "hostname": "zoë-mbp", "secret": "hush"}]})
}

/// Ingests it; answers the id.
#[track_caller]
pub fn ingested(server: &Server) -> String {
    let body = json!({"provider": " Jamf ", "channel": "beta", "observed_at": "2031-05-06T07:10:00Z",
        "inventory": inventory()});
    text(&server.post("/endpoint-inventory/ingest", &body).ok(), "inventory_id").to_owned()
}

/// Reconciles the ingestion; answers everything that was opened.
#[track_caller]
pub fn reconciled(server: &Server) -> Value {
    let path = format!("/endpoint-inventory-ingestions/{}/reconcile", ingested(server));
    server.post(&path, &json!({"desired_manifest": manifest()})).ok()
}

/// Posts an export with its files below the root; answers its id.
#[track_caller]
pub fn exported(server: &Server, approval: Option<&str>) -> String {
    let id = "eme_0123456789ab";
    let manifest = json!({"schema_version": "cavra.endpoint-management-export.v1", "product": "CAVRA", "channel": "beta",
        "provider": "all", "providers": ["intune", "jamf"], "release": {"version": "3.2.0", "commit": "c0ffee1"},
        "approval": {"required": true, "request_id": "rcp_1", "approval_id": approval},
        "files": ["intune-win32-app.json", "jamf-policy.json"]});
    let files = [
        ("endpoint-management-export-manifest.json", pretty(&manifest)),
        ("endpoint-management-export-manifest.md", "# Export\n".to_owned()),
        ("intune-win32-app.json", json!({"provider": "intune", "install_command": "run"}).to_string()),
        ("jamf-policy.json", json!({"provider": "jamf", "policy_name": "p"}).to_string()),
    ];
    let mut checksums = String::new();
    for (name, content) in &files {
        server.home.write(&format!("root/{id}/{name}"), content);
        checksums += &format!("{}  {name}\n", package::sha(content));
    }
    server.home.write(&format!("root/{id}/checksums.txt"), checksums);
    let record = json!({"session_id": id, "metadata_kind": "endpoint-management-export", "signer": "release-manager",
        "export_id": id, "channel": "beta", "provider": "all", "providers": ["intune", "jamf"], "approval_id": approval,
        "approval_state": "pending", "approval_required_count": 1, "files": manifest["files"], "manifest": manifest,
        "bundle_dir": id});
    server.post("/evidence", &record).ok();
    id.to_owned()
}

#[test]
fn an_export_is_published_under_its_approval() {
    on_both(|backend| {
        let home = Home::new();
        let (good, got) = tool("201 Created");
        let (bad, refused) = tool("400 No");
        let (other, strangers) = tool("200 OK");
        let connectors = json!({"connectors": {"jamf": {"url": good}, "intune": {"url": bad},
            "webhook": {"url": other}}});
        home.write("connectors.json", connectors.to_string());
        let server = serve(&home, backend, &[("CAVRA_CONNECTOR_CONFIG", "connectors.json")]);
        let decision = json!({"decision_id": "d1", "session_id": "s", "action_type": "release_promote_channel_manifest",
            "approver_group": "CAB"});
        let approval = text(&server.post("/approvals", &decision).ok(), "approval_id").to_owned();
        let id = exported(&server, Some(&approval));
        let path = format!("/endpoint-management-exports/{id}");
        let publish = format!("{path}/publish");

        // Files are served with their checksums.
        let listing = server.get(&format!("{path}/artifacts")).ok();
        assert_eq!(listing["download_readiness"]["status"], "ready", "{listing}");
        assert_eq!(listing["artifacts"].as_array().unwrap().len(), 5, "{listing}");
        assert!(text(&listing, "bundle_download_url").starts_with(&path));
        let file = server.get(&format!("{path}/artifacts/jamf-policy.json"));
        assert_eq!((file.status, file.header("x-cavra-artifact-kind")), (200, Some("jamf-policy")));
        assert_eq!(server.get(&format!("{path}/artifact-bundle")).header("x-cavra-artifact-count"), Some("5"));

        // Not before it is approved.
        server.post(&publish, &json!({})).refusal(409);
        assert_eq!(server.get("/endpoint-management-exports/dashboard").ok()["pending_approval_exports"], 1);
        approve(&server, &approval);
        let dashboard = server.get("/endpoint-management-exports/dashboard").ok();
        assert_eq!((&dashboard["pending_approval_exports"], &dashboard["alert_level"]), (&json!(0), &json!("healthy")));
        assert_eq!(server.total("/endpoint-management-exports?approval_state=approved&provider=jamf&channel=beta"), 1);

        let done = server.post(&publish, &json!({"retries": "0", "requested_by": "ann"})).ok();
        assert_eq!((&done["valid"], &done["delivery"]["success"]), (&json!(true), &json!(false)), "{done}");
        assert_eq!(done["providers"], json!(["intune", "jamf"]));
        assert_id(text(&done, "publication_id"), "emp_", 12);
        assert_eq!(done["event"]["artifact_verification"], "verified");
        assert_eq!(done["event"]["artifacts"].as_array().unwrap().len(), 5);
        let metadata = &done["metadata"];
        assert!(text(metadata, "session_id").starts_with("epd-emp-"), "{metadata}");
        assert_eq!((&metadata["failed_providers"], &metadata["blocked_count"]), (&json!(["intune"]), &json!(1)));
        let body = got.lock().unwrap()[0].clone();
        assert_eq!(body["policy_name"], "p");
        assert_eq!(body["publication_context"], json!({"provider": "jamf", "channel": "beta"}));
        assert_eq!((refused.lock().unwrap().len(), strangers.lock().unwrap().len()), (1, 0));

        let one = server.post(&publish, &json!({"provider": "jamf"})).ok();
        assert_eq!((&one["providers"], &one["delivery"]["success"]), (&json!(["jamf"]), &json!(true)));
        assert_eq!(server.total("/endpoint-management-publications"), 2);
        for (query, total) in [("success=true", 1), ("success=false", 1), ("provider=intune", 1), ("export_id=x", 0)] {
            assert_eq!(server.total(&format!("/endpoint-management-publications?{query}")), total, "{query}");
        }
        let dashboard = server.get("/endpoint-management-publications/dashboard").ok();
        assert_eq!((&dashboard["success_rate"], &dashboard["alert_level"]), (&json!(0.5), &json!("warning")));
        assert_eq!(dashboard["providers"][1]["success"], 2, "{dashboard}");
        assert_eq!(dashboard["latest"].as_array().unwrap().len(), 2);
    });
}

#[test]
fn what_is_wrong_with_an_export_keeps_it_here() {
    let home = Home::new();
    let (good, got) = tool("200 OK");
    home.write("connectors.json", json!({"connectors": {"jamf": {"url": good}}}).to_string());
    let server = serve(&home, Backend::Json, &[("CAVRA_CONNECTOR_CONFIG", "connectors.json")]);
    let id = exported(&server, None);
    let publish = format!("/endpoint-management-exports/{id}/publish");
    server.post("/endpoint-management-exports/eme_none/publish", &json!({})).refusal(404);
    for (body, word) in [
        (json!({"provider": "linux"}), "linux"),
        (json!({"provider": "splunk"}), "provider"),
        (json!({"provider": ["jamf"]}), "provider"),
        (json!({"retries": {}}), "retries"),
        (json!({"timeout_seconds": "soon"}), "timeout_seconds"),
        // There is no connector for Intune.
        (json!({}), "intune"),
    ] {
        let refused = server.post(&publish, &body).refusal(400);
        assert!(refused.to_string().contains(word), "{body}: {refused}");
    }
    let record = server.get(&format!("/endpoint-management-exports/{id}")).ok();
    let policy = home.read(&format!("root/{id}/jamf-policy.json"));
    let ask = || server.post(&publish, &json!({"provider": "jamf"}));
    home.write(&format!("root/{id}/jamf-policy.json"), "{\"evil\": 1}");
    assert!(ask().refusal(400).to_string().contains("checksum verification failed"));
    let blocked = server.get(&format!("/endpoint-management-exports/{id}/artifacts/jamf-policy.json")).refusal(400);
    assert!(blocked.to_string().contains("checksum verification failed"));
    home.write(&format!("root/{id}/jamf-policy.json"), policy);
    for (member, value) in [
        ("manifest", json!({"schema_version": "cavra.endpoint-management-export.v1", "providers": ["jamf"]})),
        ("manifest", json!({"schema_version": "cavra.endpoint-management-export.v1", "providers": ["fax"]})),
        ("manifest", json!({"schema_version": "x", "providers": ["jamf"]})),
        ("manifest", json!("none")),
        ("bundle_dir", json!("..")),
        ("bundle_dir", json!("missing")),
    ] {
        let mut changed = record.clone();
        changed[member] = value;
        server.post("/evidence", &changed).ok();
        ask().refusal(400);
    }
    assert!(got.lock().unwrap().is_empty(), "nothing was sent");
    assert_eq!(server.total("/endpoint-management-publications"), 0);
    server.post("/evidence", &record).ok();
    let done = ask().ok();
    assert!(strings(&done["warnings"]).iter().any(|warning| warning.contains("approval")), "{done}");
    // Without a directory nothing is verified, and that is said.
    let mut bare = record;
    for (member, value) in [("session_id", json!("eme_bare")), ("bundle_dir", Value::Null)] {
        bare[member] = value;
    }
    server.post("/evidence", &bare).ok();
    let done = server.post("/endpoint-management-exports/eme_bare/publish", &json!({"provider": "jamf"})).ok();
    assert_eq!(done["metadata"]["artifact_verification"], "unverified");
    assert_eq!(got.lock().unwrap()[1]["schema_version"], "cavra.endpoint-management.jamf.publication.v1");
    serve(&Home::new(), Backend::Json, &[]).post(&publish, &json!({})).refusal(400);
}

#[test]
fn drift_is_found_approved_executed_and_handed_off() {
    on_both(|backend| {
        let home = Home::new();
        let server = serve(&home, backend, &[]);
        let known = server.get("/console/config").ok()["endpoints"].clone();
        for key in KEYS.iter().flat_map(|(prefix, keys)| keys.split(' ').map(move |key| format!("{prefix}{key}"))) {
            assert!(text(&known, &key).starts_with("/endpoint-"), "{key}: {known}");
        }
        for list in ["endpoint-inventory-ingestions", "endpoint-reconciliations", "endpoint-remediations"] {
            assert_eq!(server.get(&format!("/{list}/dashboard")).ok()["alert_level"], "healthy", "{list}");
        }
        let inventory_id = ingested(&server);
        assert_eq!(inventory_id, "eii_401782744a53", "the contract's vector");
        assert_eq!(ingested(&server), inventory_id);
        assert_eq!(server.total("/endpoint-inventory-ingestions?provider=jamf&deployment_target=mac-ring-a"), 1);

        let path = format!("/endpoint-inventory-ingestions/{inventory_id}/reconcile");
        let body = json!({"desired_manifest": manifest(), "requested_by": "ann", "strategy": "republish"});
        let opened = server.post(&path, &body).ok();
        assert_eq!(text(&opened, "reconciliation_id"), "mer_252b6d463fab", "the contract's vector");
        let (request, approval) = (&opened["remediation_request"], &opened["approval"]);
        assert_eq!((&request["action_count"], &request["strategy"]), (&json!(2), &json!("republish")));
        let request_id = text(request, "request_id").to_owned();
        let approval_id = text(approval, "approval_id").to_owned();
        assert_eq!(opened["automation"]["remediation_request_id"], json!(request_id));
        assert_eq!(approval["decision"]["action_type"], "endpoint_drift_remediation");
        assert_eq!(approval["requested_by"], "ann");
        let digest = package::sha(canonical(&json!({"reconciliation_id": opened["reconciliation_id"],
            "strategy": "republish", "actions": request["actions"]})));
        assert_eq!(approval["decision"]["metadata"]["actions_sha256"], json!(digest));

        // Asking again while it is open asks nobody twice.
        let again = server.post(&path, &body).ok();
        assert_eq!(
            (&again["request_id"], &again["approval"]["approval_id"]),
            (&json!(request_id), &json!(approval_id))
        );
        let ask = format!("/endpoint-reconciliations/{}/remediation-request", text(&opened, "reconciliation_id"));
        let third = server.post(&ask, &json!({"strategy": "republish"})).ok();
        assert_eq!(third["request"], *request);
        assert_eq!(server.total("/approvals"), 1);
        assert_eq!(server.total("/endpoint-remediations?approval_state=pending"), 1);
        let brief = server.get("/endpoint-remediations?view=summary").ok()["items"][0].clone();
        assert!(brief["request"].is_null() && brief["request_id"] == json!(request_id), "{brief}");
        server.get("/endpoint-remediations?view=brief").refusal(400);
        assert_eq!(server.get("/endpoint-remediations/dashboard").ok()["alert_level"], "critical");

        let execute = format!("/endpoint-remediations/{request_id}/execute");
        let early = server.post(&execute, &json!({})).refusal(400);
        assert!(early["errors"].to_string().contains("pending"), "{early}");
        let handoff = format!("/endpoint-remediations/{request_id}/handoff");
        let packed = server.post(&handoff, &json!({"providers": ["Private-Queue", "jira"]})).ok();
        assert_eq!(
            (&packed["providers"], &packed["handoff"]["approval_required"]),
            (&json!(["jira", "private_queue"]), &json!(true))
        );

        approve(&server, &approval_id);
        assert_eq!(server.total("/endpoint-remediations?approval_state=approved"), 1);
        assert_eq!(server.total("/endpoint-reconciliation-automations?approval_state=approved&provider=jamf"), 1);
        let done = server.post(&execute, &json!({"executed_by": "eve", "notes": "n"})).ok();
        assert_eq!(done["execution"]["request_sha256"], json!(package::sha(canonical(request))));
        let repeated = server.post(&execute, &json!({"executed_by": "mallory"})).ok();
        assert_eq!(repeated["metadata"], done["metadata"]);
        assert_eq!(server.total("/endpoint-remediations?execution_status=recorded"), 1);
        assert_eq!(server.total("/endpoint-remediations"), 2);
        assert_eq!(server.total("/endpoint-remediations?metadata_kind=endpoint-drift-remediation-execution"), 1);
        assert_eq!(server.get("/endpoint-remediations/dashboard").ok()["alert_level"], "healthy");
        let after = server.post(&ask, &json!({"strategy": "republish"})).ok();
        assert_eq!(after["approval"]["approval_id"], json!(approval_id), "what was executed stays");

        let repacked = server.post(&handoff, &json!({"provider": "jira,private_queue"})).ok();
        assert_eq!(repacked["handoff_id"], packed["handoff_id"]);
        assert_eq!(repacked["metadata"]["created_at"], packed["metadata"]["created_at"]);
        assert_eq!(repacked["handoff"]["approval_required"], false);
        assert_eq!(server.total("/endpoint-remediation-handoffs?provider=private-queue&approval_state=approved"), 1);

        let status = format!("/endpoint-remediation-handoffs/{}/status", text(&packed, "handoff_id"));
        let said = json!({"provider": "JIRA", "status": "In-Progress", "external_ref": "OPS-7",
            "external_url": "https://u:hush@jira.example/browse/OPS-7?token=hush",
            "callback_payload": {"deep": [{"X-Api-Key": "hush", "auth": "Bearer hush", "kept": "yes"}]}});
        let reported = server.post(&status, &said).ok();
        assert_eq!(
            reported["status"]["callback_payload"]["deep"][0],
            json!({"X-Api-Key": "[redacted]", "auth": "[redacted]", "kept": "yes"})
        );
        assert_eq!(reported["metadata"]["external_url"], "https://jira.example/browse/OPS-7?REDACTED");
        assert_eq!(reported["metadata"]["handoff_status"], "in_progress");
        server.post(&status, &json!({"provider": "private_queue", "status": "completed"})).ok();
        assert_eq!(
            server.total("/endpoint-remediation-handoff-statuses?handoff_status=in-progress&external_ref=OPS-7"),
            1
        );
        let board = server.get("/endpoint-remediation-handoff-statuses/dashboard").ok();
        assert_eq!((&board["completed_count"], &board["in_progress_count"]), (&json!(1), &json!(1)), "{board}");

        assert!(!server.log().contains("hush"));

        // That it is approved is not for whoever posts a record to say.
        let mut posted = server.get(&format!("/evidence/{request_id}")).ok();
        posted["session_id"] = json!("err_posted");
        (posted["approval_id"], posted["approval_state"]) = (json!("apr_nobody"), json!("approved"));
        (posted["request"]["approval"]["approval_id"], posted["request"]["approval"]["state"]) =
            (json!("apr_nobody"), json!("approved"));
        server.post("/evidence", &posted).ok();
        let trusted = server.post("/endpoint-remediations/err_posted/handoff", &json!({"providers": ["jira"]})).ok();
        assert_eq!(
            (&trusted["handoff"]["approval_required"], &trusted["handoff"]["approval_state"]),
            (&json!(true), &json!("unknown"))
        );

        drop(server);
        for file in ["metadata.json", "metadata.db", "metadata.db-wal"].into_iter().filter(|file| home.exists(file)) {
            let kept = std::fs::read(home.join(file)).unwrap();
            assert!(!kept.windows(4).any(|bytes| bytes == b"hush"), "{file}");
        }
    });
}
