//! Managed endpoints: what is refused, and that nothing is stored then; who may call; whose manifests count.

use cavra_evidence::{SigningKey, pretty};
use serde_json::{Value, json};

use crate::fleet::{Refusal as _, approve, ingested, inventory, manifest, reconciled, serve};
use crate::release_package as package;
use crate::support::{Backend, Home, Issuer, Server, on_both, text};

const MANY: usize = 50_001;

/// Everything that is stored.
fn stored(server: &Server) -> (u64, u64) {
    (server.total("/evidence"), server.total("/approvals"))
}

fn with(body: &Value, member: &str, value: Value) -> Value {
    let mut body = body.clone();
    body[member] = value;
    body
}

#[test]
fn bodies_that_are_wrong_are_refused() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let opened = reconciled(&server);
        let (request, reconciliation) = (text(&opened, "request_id"), text(&opened, "reconciliation_id"));
        let id = ingested(&server);
        let handed =
            server.post(&format!("/endpoint-remediations/{request}/handoff"), &json!({"provider": "jira"})).ok();
        let handoff = text(&handed, "handoff_id");
        let aligned = json!({"session_id": "mer_none", "metadata_kind": "managed-endpoint-reconciliation"});
        server.post("/evidence", &aligned).ok();
        let calm = json!({"session_id": "mer_calm", "metadata_kind": "managed-endpoint-reconciliation",
            "report": {"schema_version": "cavra.endpoint-reconciliation.v1", "reconciliation_id": "mer_calm", "drift_items": []}});
        server.post("/evidence", &calm).ok();
        for (kind, name) in [
            ("endpoint-drift-remediation-request", "err_none"),
            ("endpoint-remediation-handoff", "erh_none"),
            ("endpoint-inventory-ingestion", "eii_none"),
        ] {
            server.post("/evidence", &json!({"session_id": name, "metadata_kind": kind})).ok();
        }
        let export = json!({"provider": "jamf", "inventory": inventory()});
        let wanted = json!({"desired_manifest": manifest(), "observed_inventory":
            {"schema_version": "cavra.endpoint-observations.v1", "endpoints": []}});
        let reconcile = json!({"desired_manifest": manifest()});
        let said = json!({"provider": "jira", "status": "queued"});
        let deep = (0..40).fold(json!({}), |inner, _| json!({"in": inner}));
        let ingest = "/endpoint-inventory/ingest".to_owned();
        let fresh = "/endpoint-inventory/freshness-report".to_owned();
        let deploy = "/endpoint-deployment/reconcile".to_owned();
        let again = format!("/endpoint-inventory-ingestions/{id}/reconcile");
        let ask = format!("/endpoint-reconciliations/{reconciliation}/remediation-request");
        let execute = format!("/endpoint-remediations/{request}/execute");
        let hand = format!("/endpoint-remediations/{request}/handoff");
        let status = format!("/endpoint-remediation-handoffs/{handoff}/status");
        let other = |path: &str, id: &str| path.replace(request, id).replace(handoff, id).replace(reconciliation, id);
        let twice = json!([{"id": "a"}, {"id": "a"}]);
        let long = "x".repeat(5000);
        let many: Vec<_> = (0..MANY).map(|n| json!({"id": n})).collect();
        let rows: Vec<(&String, Value, u16)> = vec![
            (&ingest, json!({}), 400),
            (&ingest, with(&export, "provider", json!(null)), 400),
            (&ingest, with(&export, "provider", json!("fax")), 400),
            (&ingest, with(&export, "provider", json!(["jamf"])), 400),
            (&ingest, with(&export, "inventory", json!(null)), 400),
            (&ingest, with(&export, "inventory", json!("text")), 400),
            (&ingest, with(&export, "inventory", json!({})), 400),
            (&ingest, with(&export, "inventory", json!({"users": []})), 400),
            (&ingest, with(&export, "observed_at", json!("soon")), 400),
            (&ingest, with(&export, "target_map", json!(["a"])), 400),
            (&ingest, with(&export, "inventory", json!({"computers": many})), 413),
            (&fresh, json!({"max_age_hours": "soon"}), 400),
            (&fresh, json!({"critical_age_hours": true}), 400),
            (&fresh, json!({"provider": 4}), 400),
            (&deploy, json!({}), 400),
            (&deploy, with(&wanted, "desired_manifest", json!("x")), 400),
            (&deploy, with(&wanted, "observed_inventory", json!([])), 400),
            (&deploy, with(&wanted, "observed_inventory", json!({"schema_version": "x"})), 400),
            (&deploy, with(&wanted, "stale_after_hours", json!([])), 400),
            (&deploy, with(&wanted, "desired_manifest", with(&manifest(), "deployment_targets", json!({}))), 400),
            (&deploy, with(&wanted, "desired_manifest", with(&manifest(), "deployment_targets", twice)), 400),
            (&deploy, with(&wanted, "desired_manifest_signature", json!("x")), 400),
            (&deploy, with(&wanted, "desired_manifest_signature", json!({})), 400),
            (&deploy, with(&wanted, "desired_manifest_text", json!("[]")), 400),
            (&deploy, with(&wanted, "package_dir", json!("../..")), 400),
            (&deploy, with(&wanted, "desired_manifest", with(&manifest(), "signature", json!("x"))), 400),
            (&again, json!({}), 400),
            (&again, with(&reconcile, "strategy", json!("hope")), 400),
            (&again, with(&reconcile, "remediation_strategy", json!([])), 400),
            (&again, with(&reconcile, "ttl_hours", json!({})), 400),
            (&again, with(&reconcile, "target_scope", json!("some")), 400),
            (&ask, json!({"strategy": "hope"}), 400),
            (&ask, json!({"ttl_hours": "long"}), 400),
            (&ask, json!({"approver_group": {}}), 400),
            (&execute, json!({}), 400),
            (&execute, json!({"approval_id": "apr_none"}), 404),
            (&execute, json!({"approval_id": []}), 400),
            (&hand, json!({"providers": ["fax", "jira"]}), 400),
            (&hand, json!({"providers": [4]}), 400),
            (&hand, json!({"providers": {}}), 400),
            (&status, json!({}), 400),
            (&status, with(&said, "provider", json!("slack")), 400),
            (&status, with(&said, "provider", json!("fax")), 400),
            (&status, with(&said, "status", json!("lost")), 400),
            (&status, with(&said, "status", json!(null)), 400),
            (&status, with(&said, "callback_payload", json!([])), 400),
            (&status, with(&said, "callback_payload", deep), 400),
            (&status, with(&said, "callback_payload", json!({"text": "x".repeat(300_000)})), 413),
            (&status, with(&said, "external_url", json!("javascript:x")), 400),
            (&status, with(&said, "notes", json!(long)), 400),
        ];
        let before = stored(&server);
        for (path, body, wanted) in rows {
            let answer = server.post(path, &body);
            assert_eq!(
                answer.status,
                wanted,
                "{path} {}: {}",
                body.to_string().chars().take(300).collect::<String>(),
                answer.text()
            );
        }
        for (path, statuses) in [
            ("/endpoint-inventory-ingestions/eii_x/reconcile".to_owned(), 404),
            (again.replace(&id, "eii_none"), 400),
            (again.replace(&id, reconciliation), 404),
            (other(&ask, "mer_x"), 404),
            (other(&ask, "mer_none"), 400),
            (other(&ask, "mer_calm"), 409),
            (other(&ask, request), 404),
            (other(&execute, "err_x"), 404),
            (other(&execute, "err_none"), 400),
            (other(&hand, "err_x"), 404),
            (other(&hand, "err_none"), 400),
            (other(&hand, reconciliation), 404),
            (other(&status, "erh_x"), 404),
            (other(&status, "erh_none"), 400),
        ] {
            let body =
                if path.contains("reconcile") { &reconcile } else { &json!({"provider": "jira", "status": "queued"}) };
            server.post(&path, body).refusal(statuses);
        }
        for list in ["endpoint-management-exports", "endpoint-management-publications", "endpoint-inventory-ingestions"]
        {
            server.get(&format!("/{list}?limit=soon")).refusal(422);
        }
        server.get("/endpoint-management-publications?success=perhaps").refusal(422);
        server.get("/endpoint-management-exports/eme_x").refusal(404);
        server.get(&format!("/endpoint-management-exports/{id}")).refusal(404);
        assert_eq!(stored(&server), before, "a refused call stored something");
    });
}

#[test]
fn what_the_server_wrote_is_not_replaced_by_a_client() {
    let server = serve(&Home::new(), Backend::Json, &[]);
    let opened = reconciled(&server);
    for (kind, id) in [
        ("endpoint-drift-remediation-request", "request_id"),
        ("managed-endpoint-reconciliation", "reconciliation_id"),
        ("endpoint-reconciliation-automation", "automation_id"),
    ] {
        let record = json!({"session_id": opened[id], "metadata_kind": kind});
        server.post("/evidence", &record).refusal(409);
    }
}

#[test]
fn a_plan_that_was_refused_may_be_asked_for_again() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let first = reconciled(&server);
        let approval = text(&first["approval"], "approval_id").to_owned();
        let deny = json!({"actor": "bob", "reason": "no"});
        server.post(&format!("/approvals/{approval}/deny"), &deny).ok();
        assert_eq!(server.total("/endpoint-remediations?approval_state=denied"), 1);
        let path = format!("/endpoint-reconciliations/{}/remediation-request", text(&first, "reconciliation_id"));
        let second = server.post(&path, &json!({})).ok();
        assert_ne!(second["approval"]["approval_id"], json!(approval));
        assert_eq!(second["metadata"]["superseded_approval_ids"], json!([approval]));
        assert_eq!(second["request"]["request_id"], first["request_id"]);
        let execute = format!("/endpoint-remediations/{}/execute", text(&first, "request_id"));
        server.post(&execute, &json!({"approval_id": approval})).refusal(400);
        let other = text(&second["approval"], "approval_id").to_owned();
        approve(&server, &other);
        server.post(&execute, &json!({"approval_id": approval})).refusal(400);
        assert_eq!(server.post(&execute, &json!({})).ok()["execution"]["approval_id"], json!(other));
    });
}

/// What a client brings along as a request is executed only if every digest fits what was approved.
#[test]
fn a_plan_is_not_swapped_under_its_approval() {
    let server = serve(&Home::new(), Backend::Json, &[]);
    let opened = reconciled(&server);
    approve(&server, text(&opened["approval"], "approval_id"));
    let mut request = opened["remediation_request"].clone();
    request["actions"][0]["action_type"] = json!("rollback_runtime");
    let record = json!({"session_id": "err_swapped", "metadata_kind": "endpoint-drift-remediation-request",
        "request": request, "approval_id": opened["approval"]["approval_id"]});
    server.post("/evidence", &record).ok();
    let refused = server.post("/endpoint-remediations/err_swapped/execute", &json!({})).refusal(400);
    assert!(refused["errors"].as_array().unwrap().len() > 1, "{refused}");
}

#[test]
fn the_age_of_inventories_is_that_of_the_newest() {
    let server = serve(&Home::new(), Backend::Sqlite, &[]);
    let report = |body: &Value| server.post("/endpoint-inventory/freshness-report", body).ok();
    let nothing = report(&json!({}));
    assert_eq!((&nothing["alert_level"], nothing["warnings"].as_array().unwrap().len()), (&json!("warning"), 1));
    ingested(&server);
    let seen = report(&json!({"provider": "jamf", "max_age_hours": "24"}));
    assert_eq!(seen["report"]["summary"]["scope_count"], 1);
    assert_eq!(seen["report"]["latest_ingestions"][0]["channel"], "beta");
    assert_eq!(report(&json!({"deployment_target": "other"}))["report"]["summary"]["scope_count"], 0);
    for (query, total) in
        [("provider=jamf", 1), ("channel=beta", 1), ("deployment_target=mac-ring-a", 1), ("provider=x", 0)]
    {
        assert_eq!(server.total(&format!("/endpoint-inventory-freshness?{query}")), total, "{query}");
    }
    let board = server.get("/endpoint-inventory-freshness/dashboard").ok();
    assert_eq!(board["report_count"], 3);
    assert!(board["current_alert_level"].is_string(), "{board}");
}

/// The content of a signature file over the bytes of a manifest.
fn signature(bytes: &str, key: &SigningKey) -> Value {
    package::signature(package::DEPLOYMENT, bytes.as_bytes(), key)
}

#[test]
fn a_signed_manifest_is_verified() {
    let (ours, theirs) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let pem = ours.to_pem().unwrap();
    let observed = json!({"schema_version": "cavra.endpoint-observations.v1", "endpoints": []});
    let body = json!({"desired_manifest": manifest(), "observed_inventory": observed});
    let text = pretty(&manifest());
    let spaced = manifest().to_string();
    let home = Home::new();
    package::package(&home.join("root/pkg"), "1.2.3", &ours);
    for (pinned, settings) in [(false, vec![]), (true, vec![("CAVRA_GO_RELEASE_SIGNING_KEY", pem.as_str())])] {
        let server = serve(&home, Backend::Json, &settings);
        let ask = |body: &Value| server.post("/endpoint-deployment/reconcile", body);
        let unsigned = ask(&body).ok();
        assert_eq!(unsigned["report"]["manifest_verification"]["status"], "unsigned");
        assert_eq!(unsigned["warnings"].as_array().unwrap().len(), 1);
        let signed = ask(&with(&body, "desired_manifest_signature", signature(&text, &ours))).ok();
        let said = &signed["report"]["manifest_verification"];
        assert_eq!((&said["method"], &said["pinned"]), (&json!("detached"), &json!(pinned)), "{said}");
        assert_eq!(said["manifest_sha256"], json!(package::sha(&text)));
        let mut exact = with(&body, "desired_manifest_signature", signature(&spaced, &ours));
        ask(&exact).refusal(400);
        exact["desired_manifest_text"] = json!(spaced);
        ask(&exact).ok();
        let foreign = ask(&with(&body, "desired_manifest_signature", signature(&text, &theirs)));
        if pinned {
            foreign.refusal(400);
        } else {
            foreign.ok();
        }
        let mut inside = manifest().as_object().unwrap().clone();
        cavra_release::sign(&mut inside, cavra_release::DEPLOYMENT_SIGNATURE, &ours, "ann");
        let embedded = ask(&with(&body, "desired_manifest", json!(inside))).ok();
        assert_eq!(embedded["report"]["manifest_verification"]["method"], "embedded");
        inside.insert("version".to_owned(), json!("9"));
        ask(&with(&body, "desired_manifest", json!(inside))).refusal(400);
        let packed = ask(&json!({"package_dir": "pkg", "observed_inventory": observed})).ok();
        let said = &packed["report"]["manifest_verification"];
        assert_eq!((&said["method"], &said["pinned"]), (&json!("package"), &json!(pinned)), "{said}");
        assert_eq!(packed["report"]["package_verification"]["valid"], true);
    }
}

/// With trust roots an unsigned manifest is none, and roots that cannot be used keep the server from starting.
#[test]
fn trust_roots_ask_for_signatures() {
    let (home, key) = (Home::new(), SigningKey::generate().unwrap());
    home.write("key.pem", key.public().pem());
    home.cavra(&["evidence", "trust-root", "key.pem", "--output", "root.json"]).run().ok();
    let roots = home.at("root.json");
    let server = serve(&home, Backend::Json, &[("CAVRA_ENDPOINT_MANIFEST_TRUST_ROOTS", roots.as_str())]);
    let observed = json!({"schema_version": "cavra.endpoint-observations.v1", "endpoints": []});
    let body = json!({"desired_manifest": manifest(), "observed_inventory": observed});
    let ask = |body: &Value| server.post("/endpoint-deployment/reconcile", body);
    ask(&body).refusal(400);
    let signed = |key: &SigningKey| with(&body, "desired_manifest_signature", signature(&pretty(&manifest()), key));
    assert_eq!(ask(&signed(&key)).ok()["report"]["manifest_verification"]["pinned"], true);
    ask(&signed(&SigningKey::generate().unwrap())).refusal(400);
    home.write("broken.json", "{}");
    let refused = home.cavra(&["serve", "--port", "0"]).env("CAVRA_ENDPOINT_MANIFEST_TRUST_ROOTS", "broken.json").run();
    refused.fails();
}

#[test]
fn who_may_call() {
    let (home, issuer) = (Home::new(), Issuer::new());
    home.write("oidc.json", issuer.config(&json!({})).to_string());
    let export = json!({"provider": "jamf", "inventory": inventory()});
    let oidc = home.at("oidc.json");
    let token = ("CAVRA_ENDPOINT_INGEST_TOKEN", "in-gest");
    for (settings, anonymous) in [
        (vec![], 200),
        (vec![token], 401),
        (vec![("CAVRA_APPROVAL_OIDC_CONFIG", oidc.as_str())], 200),
        (vec![("CAVRA_APPROVAL_OIDC_CONFIG", oidc.as_str()), token], 401),
    ] {
        let server = serve(&Home::new(), Backend::Json, &settings);
        let ingest = |header: Option<&str>| match header {
            Some(token) => server.post_as(token, "/endpoint-inventory/ingest", &export),
            None => server.post("/endpoint-inventory/ingest", &export),
        };
        assert_eq!(ingest(None).status, anonymous, "{settings:?}");
        if settings.contains(&token) {
            ingest(Some("in-gest")).ok();
            ingest(Some("other")).refusal(401);
            // What somebody says of themselves does not stand for the token.
            let claims = json!({"sub": "mallory", "email": "m@x.example"});
            for (path, mut body) in [
                ("/endpoint-inventory/ingest", export.clone()),
                ("/endpoint-remediation-handoffs/none/status", json!({"provider": "jira", "status": "completed"})),
            ] {
                body["actor_claims"] = claims.clone();
                server.post(path, &body).refused(&[401]);
            }
        }
        if settings.len() > usize::from(settings.contains(&token)) {
            ingest(Some(&issuer.token("ann", &["IAM"]))).ok();
            ingest(Some(&issuer.forged("ann", &["IAM"]))).refusal(401);
            let id = ingested_by(&server, &issuer);
            let path = format!("/endpoint-inventory-ingestions/{id}/reconcile");
            let body = json!({"desired_manifest": manifest(), "requested_by": "mallory"});
            server.post(&path, &body).refusal(401);
            let opened = server.post_as(&issuer.token("ann", &["IAM"]), &path, &body).ok();
            assert_ne!(opened["automation"]["requested_by"], "mallory");
        }
        server.post("/endpoint-inventory/freshness-report", &json!({})).ok();
    }
}

fn ingested_by(server: &Server, issuer: &Issuer) -> String {
    let export = json!({"provider": "jamf", "inventory": inventory(), "observed_at": "2031-05-06T07:10:00Z"});
    let answer = server.post_as(&issuer.token("ann", &["IAM"]), "/endpoint-inventory/ingest", &export).ok();
    text(&answer, "inventory_id").to_owned()
}

/// A body may be as large as the operator says, and no larger.
#[test]
fn large_inventories() {
    let server = serve(&Home::new(), Backend::Json, &[("CAVRA_MAX_INVENTORY_BYTES", "3000000")]);
    let of = |count: usize| {
        let computers: Vec<_> = (0..count).map(|n| json!({"id": n, "hostname": "h".repeat(200)})).collect();
        server.post("/endpoint-inventory/ingest", &json!({"provider": "jamf", "inventory": {"computers": computers}}))
    };
    assert_eq!(of(8_000).ok()["ingestion"]["endpoint_count"], 8_000);
    of(15_000).refusal(413);
    let refused = Home::new().cavra(&["serve", "--port", "0"]).env("CAVRA_MAX_INVENTORY_BYTES", "much").run().fails();
    assert!(refused.stderr.contains("CAVRA_MAX_INVENTORY_BYTES"), "{refused:?}");
}
