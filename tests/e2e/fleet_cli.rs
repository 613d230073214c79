//! Managed endpoints on the command line: the same documents and ids, in files and stores of evidence.

use cavra_evidence::SigningKey;
use serde_json::json;

use crate::fleet::{inventory, manifest, serve, tool};
use crate::release_cli::release;
use crate::release_package as package;
use crate::support::{Backend, Home, on_both, strings, text};

/// Every file that is listed is what its checksum says.
fn check_sums(home: &Home, directory: &str) {
    for line in home.read(&format!("{directory}/checksums.txt")).lines() {
        let (digest, name) = line.split_once("  ").unwrap();
        assert_eq!(package::sha(home.read(&format!("{directory}/{name}"))), digest, "{name}");
    }
}

#[test]
fn the_loop_on_the_command_line() {
    on_both(|backend| {
        let (home, key) = (Home::new(), SigningKey::generate().unwrap());
        package::package(&home.join("pkg"), "1.2.3", &key);
        let (evidence, approvals) = match backend {
            Backend::Json => (["--metadata-json", "metadata.json"], ["--approval-store", "approvals.json"]),
            Backend::Sqlite => (["--sqlite", "metadata.db"], ["--approval-sqlite", "approvals.db"]),
        };
        let run = |code: i32, arguments: &[&str]| release(&home, code, arguments);
        home.write("export.json", inventory().to_string());
        let ingest = [
            "ingest-endpoint-inventory",
            "export.json",
            "--provider",
            "jamf",
            "--channel",
            "beta",
            "--output",
            "in",
            "--observed-at",
            "2031-05-06T07:10:00Z",
        ];
        let ingested = run(0, &[&ingest[..], &evidence].concat());
        assert_eq!(text(&ingested, "inventory_id"), "eii_401782744a53", "the contract's vector");
        check_sums(&home, "in");
        assert_eq!(home.json("in/endpoint-inventory.json"), ingested["inventory"]);
        run(1, &["ingest-endpoint-inventory", "export.json", "--provider", "fax"]);

        let fresh = run(
            0,
            &[&["endpoint-inventory-freshness", "--output", "fresh", "--provider", "jamf"][..], &evidence].concat(),
        );
        assert_eq!(fresh["report"]["summary"]["scope_count"], 1);
        check_sums(&home, "fresh");

        let reconcile = ["reconcile-endpoint-deployment", "pkg", "in/endpoint-inventory.json", "--output", "mer"];
        let compared = run(0, &[&reconcile[..], &evidence].concat());
        assert_eq!(compared["report"]["manifest_verification"]["method"], "package", "{compared}");
        check_sums(&home, "mer");
        let lax = run(0, &[&reconcile[..], &["--skip-package-verification"]].concat());
        assert_eq!(lax["report"]["manifest_verification"]["method"], "none");
        assert_eq!(lax["reconciliation_id"], compared["reconciliation_id"]);

        let ask = [
            "request-endpoint-remediation",
            "mer/managed-endpoint-reconciliation.json",
            "--output",
            "err",
            "--strategy",
            "rollback",
        ];
        let asked = run(0, &[&ask[..], &evidence, &approvals].concat());
        let approval = text(&asked["approval"], "approval_id").to_owned();
        let execute = ["execute-endpoint-remediation", "err/endpoint-remediation-request.json", "--output", "ere"];
        let early = run(1, &[&execute[..], &approvals].concat());
        assert!(early["errors"].to_string().contains("pending"), "{early}");
        let (variable, file) = match backend {
            Backend::Json => ("CAVRA_APPROVAL_STORE", home.at("approvals.json")),
            Backend::Sqlite => ("CAVRA_APPROVAL_DB", home.at("approvals.db")),
        };
        {
            let server = home.serve(&[(variable, &file)]);
            let by = json!({"actor": "bob", "reason": "fine"});
            server.post(&format!("/approvals/{approval}/approve"), &by).ok();
        }
        let done = run(0, &[&execute[..], &evidence, &approvals].concat());
        assert_eq!(done["execution"]["approval_id"], json!(approval));
        let again = run(0, &[&execute[..], &approvals, &["--executed-by", "eve"]].concat());
        assert_eq!(again["execution"], done["execution"], "what was executed stays");

        let hand = [
            "export-endpoint-remediation-handoff",
            "err/endpoint-remediation-request.json",
            "--output",
            "erh",
            "--provider",
            "private-queue",
            "--provider",
            "jira",
        ];
        let handed = run(0, &[&hand[..], &evidence].concat());
        assert_eq!(handed["providers"], json!(["jira", "private_queue"]));
        assert!(home.exists("erh/private-queue-handoff.json"));
        check_sums(&home, "erh");
        let status = [
            "record-endpoint-remediation-handoff-status",
            "erh/endpoint-remediation-handoff.json",
            "--output",
            "erhs",
            "--status",
            "In-Progress",
        ];
        assert_eq!(run(0, &[&status[..], &evidence].concat())["status"]["status"], "in_progress");
        run(1, &[&status[..], &["--provider", "slack"]].concat());

        let automate =
            ["automate-endpoint-reconciliation", "pkg", "in/endpoint-inventory-ingestion.json", "--output", "era"];
        let automated = run(0, &[&automate[..], &evidence].concat());
        assert_eq!(automated["approval"]["state"], "pending");
        assert!(home.exists("era/reconciliation/checksums.txt") && home.exists("era/remediation-request"));

        let total = |arguments: &[&str]| {
            home.cavra(&[&["release"], arguments, &evidence].concat()).run().ok().json()["total"].clone()
        };
        for (arguments, wanted) in [
            (&["endpoint-inventory-history", "--provider", "jamf"][..], 1),
            (&["endpoint-inventory-freshness-history", "--channel", "beta"], 1),
            (&["endpoint-reconciliation-history", "--alert-level", "critical"], 1),
            (&["endpoint-remediation-history"], 3),
            (&["endpoint-remediation-history", "--metadata-kind", "endpoint-drift-remediation-execution"], 1),
            (&["endpoint-remediation-handoff-history", "--provider", "Private-Queue"], 1),
            (&["endpoint-remediation-handoff-status-history", "--handoff-status", "in-progress", "--limit", "1"], 1),
            (&["endpoint-reconciliation-automation-history"], 1),
            (&["endpoint-publication-history", "--no-success"], 0),
        ] {
            assert_eq!(total(arguments), json!(wanted), "{arguments:?}");
        }
        home.cavra(&["release", "endpoint-inventory-history", "--export-id", "x"]).run().exits(2);
        for board in [
            "publication",
            "inventory",
            "inventory-freshness",
            "reconciliation",
            "reconciliation-automation",
            "remediation",
            "remediation-handoff",
            "remediation-handoff-status",
        ] {
            let name = format!("endpoint-{board}-dashboard");
            let shown = home.cavra(&[&["release", name.as_str()][..], &evidence].concat()).run().ok().json();
            assert!(shown["alert_level"].is_string() && shown["latest"].is_array(), "{board}: {shown}");
        }

        // What was made offline reaches a server as evidence, and the same input has the same ids there.
        let server = serve(&Home::new(), backend, &[]);
        server.post("/evidence", &ingested["metadata"]).ok();
        let path = format!("/endpoint-inventory-ingestions/{}/reconcile", text(&ingested, "inventory_id"));
        let over = server.post(&path, &json!({"desired_manifest": manifest()})).ok();
        assert_eq!(text(&over, "reconciliation_id"), "mer_252b6d463fab");
    });
}

#[test]
fn an_export_reaches_its_tools_from_the_command_line() {
    let (home, key) = (Home::new(), SigningKey::generate().unwrap());
    let mut draft = package::draft("1.2.3");
    let targets = draft.document(package::DEPLOYMENT)["deployment_targets"].as_array_mut().unwrap();
    targets.iter_mut().for_each(|target| target["management_tool"] = json!("jamf"));
    draft.seal(&home.join("pkg"), &key);
    let exported =
        release(&home, 0, &["export-endpoint-management", "pkg", "--output", "out", "--metadata-json", "m.json"]);
    assert_eq!(exported["manifest"]["providers"], json!(["jamf"]), "{exported}");
    check_sums(&home, "out");
    let script = home.json("out/jamf-policy.json")["install_script"].to_string();
    assert!(script.find("checksum").unwrap() < script.find("install -m").unwrap(), "{script}");
    for arguments in [&["--channel", "none"][..], &["--provider", "intune"], &["--provider", "fax"]] {
        let refused =
            release(&home, 1, &[&["export-endpoint-management", "pkg", "--output", "no"][..], arguments].concat());
        assert!(!strings(&refused["errors"]).is_empty() && !home.exists("no"), "{arguments:?}");
    }
    let (good, got) = tool("200 OK");
    home.write("connectors.json", json!({"connectors": {"jamf": {"url": good}}}).to_string());
    let manifest = "out/endpoint-management-export-manifest.json";
    let deliver = ["deliver-endpoint-export", manifest, "--config", "connectors.json", "--output", "sent"];
    let delivered = release(&home, 0, &deliver);
    assert_eq!(delivered["delivery"]["success"], true, "{delivered}");
    assert_eq!(delivered["export_id"], exported["export_id"]);
    assert!(home.exists(text(&delivered, "delivery_evidence")), "{delivered}");
    assert_eq!(got.lock().unwrap()[0]["publication_context"]["provider"], "jamf");
    home.write("out/jamf-policy.json", "{}");
    release(&home, 1, &deliver);
    assert_eq!(got.lock().unwrap().len(), 1);
}
