//! What does not promote or roll back: wrong requests, rollouts, keys, approvals and records. docs/reference/evidence-and-promotion.md, sections 7 to 10.

use cavra_evidence::SigningKey;
use cavra_release::{PROMOTION_SIGNATURE, sign};
use serde_json::{Value, json};

use crate::evidence_log::leaves;
use crate::promotion::{Site, capture, object, problems, serve};
use crate::release_cli::release;
use crate::release_package as package;
use crate::support::{Backend, on_both, sha256, strings, text};

#[test]
fn requests_that_are_refused_store_nothing() {
    let site = Site::new(Backend::Sqlite);
    site.server.post("/evidence/none/promotion-request", &json!({})).refused(&[404]);
    site.server.post("/evidence", &json!({"session_id": "plain"})).ok();
    site.server.post("/evidence/plain/promotion-request", &json!({})).refused(&[400]);
    for body in [
        json!({"ttl_hours": "soon"}),
        json!({"ttl_hours": 1.5}),
        json!({"target_ring": {}}),
        json!({"target_ring": "a\nb"}),
        json!({"requested_by": 7}),
        json!({"signer": []}),
        json!({"package_dir": 7}),
        json!({"require_signatures": "no"}),
        json!({"package_dir": "../pkg"}),
        json!({"package_dir": "/etc"}),
        json!({"package_dir": site.home.at("")}),
        json!({"target_ring": "staging"}),
        json!({"package_dir": "rollout"}),
    ] {
        let refused = site.ask(&body);
        assert_eq!(refused.status, 400, "{body}: {}", refused.text());
        assert!(!refused.text().contains(&site.home.at("root")), "{}", refused.text());
    }
    for body in ["", "[]", "7", "{"] {
        let path = "/evidence/r-1/promotion-request";
        assert_eq!(site.server.request("POST", path, body.as_bytes()).status, 422, "{body:?}");
    }
    let large = json!({"signer": "x".repeat(1 << 20)}).to_string();
    site.server.request("POST", "/evidence/r-1/promotion-request", large.as_bytes()).refused(&[413]);
    // Null is not given.
    assert_eq!(site.stored(), (0, 0, 0));
    site.ask(&json!({"ttl_hours": null, "target_ring": null, "package_dir": null, "require_signatures": null})).ok();
}

#[test]
fn all_that_is_wrong_with_a_rollout_is_named() {
    let site = Site::new(Backend::Json);
    capture(&site.home, "failed");
    site.home.write("root/pkg/dist/cavra-runtime-linux-amd64", "other");
    site.home.write("root/rollout/managed-endpoint-rollout-evidence.md", "other");
    let said = problems(&site.ask(&json!({"target_ring": "staging"})));
    for what in [
        "checksum mismatch: managed-endpoint-rollout-evidence.md",
        "release package: checksum mismatch: dist/cavra-runtime-linux-amd64",
        "staged or succeeded",
        "already",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    // The evidence has to be that of the record, and below the root.
    let mut other = object(&site.server.get("/evidence/r-1").ok());
    other.insert("session_id".into(), json!("r-2"));
    site.server.post("/evidence", &Value::Object(other.clone())).ok();
    let said = problems(&site.server.post("/evidence/r-2/promotion-request", &json!({})));
    assert!(said.contains("not that of rollout r-2"), "{said}");
    for outside in ["/etc", "..", "rollout/../../pkg", "/nowhere"] {
        other.insert("bundle_dir".into(), json!(outside));
        site.server.post("/evidence", &Value::Object(other.clone())).ok();
        site.server.post("/evidence/r-2/promotion-request", &json!({})).refused(&[400]);
    }
    assert_eq!(site.stored(), (0, 0, 0));
}

#[test]
fn without_a_directory_in_the_record_the_id_names_it() {
    let site = Site::new(Backend::Json);
    let mut record = object(&site.server.get("/evidence/r-1").ok());
    record.remove("bundle_dir");
    site.server.post("/evidence", &Value::Object(record.clone())).ok();
    site.ask(&json!({})).refused(&[400]);
    std::fs::rename(site.home.join("root/rollout"), site.home.join("root/r-1")).unwrap();
    assert_eq!(site.ask(&json!({})).ok()["rollout_dir"], "r-1");
    record.insert("session_id".into(), json!("../r-1"));
    site.server.post("/evidence", &Value::Object(record)).ok();
    site.server.post("/evidence/..%2Fr-1/promotion-request", &json!({})).refused(&[400]);
}

#[test]
fn checks_that_were_left_out_are_seen_and_signed() {
    let site = Site::new(Backend::Json);
    std::fs::remove_dir_all(site.home.join("root/pkg/signatures")).unwrap();
    assert!(problems(&site.ask(&json!({}))).contains("signature"));
    let asked = site.ask(&json!({"require_signatures": false})).ok();
    assert!(strings(&asked["warnings"]).iter().any(|note| note.contains("require_signatures")), "{asked}");
    let relaxed = "/request/approval/decision/metadata/relaxed_checks";
    assert_eq!(asked.pointer(relaxed), Some(&json!(["require_signatures"])));
}

#[test]
fn without_a_key_nothing_is_promoted() {
    let site = Site::new(Backend::Json);
    let request = site.approved();
    let pem = site.key.to_pem().unwrap();
    let Site { home, server, .. } = site;
    drop(server);
    let stranger = SigningKey::generate().unwrap().to_pem().unwrap();
    for pem in [None, Some("hush hush"), Some(stranger.as_str())] {
        let server = serve(&home, Backend::Json, pem, &[]);
        let execute = || server.post("/evidence/r-1/promotion-execution", &json!({"request": request}));
        assert!(problems(&execute()).contains("not by a trusted key"), "{pem:?}");
        if pem != Some(stranger.as_str()) {
            let said = server.post("/evidence/r-1/promotion-request", &json!({}));
            assert!(problems(&said).contains("CAVRA_ROLLOUT_PROMOTION_SIGNING_KEY"), "{}", said.text());
            assert!(!said.text().contains("hush") && !server.log().contains("hush"));
        }
        assert_eq!(server.total("/promotion-executions"), 0);
    }
    // The key of releases counts too, also with its newlines written out.
    let more = [("CAVRA_GO_RELEASE_SIGNING_KEY", pem.replace('\n', "\\n"))];
    let more: Vec<_> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = serve(&home, Backend::Json, None, &more);
    server.post("/evidence/r-1/promotion-execution", &json!({"request": request})).ok();
    assert!(!server.log().contains("PRIVATE KEY"));
}

#[test]
fn executions_are_refused_in_this_order() {
    let site = Site::new(Backend::Sqlite);
    let request = site.approved();
    site.server.post("/evidence/none/promotion-execution", &json!({"request": request})).refused(&[404]);
    site.server.post("/evidence", &json!({"session_id": "plain"})).ok();
    site.server.post("/evidence/plain/promotion-execution", &json!({})).refused(&[400]);
    for body in [json!({}), json!({"request": null}), json!({"request": []}), json!({"request": "x"})] {
        site.execute(&body).refused(&[400]);
    }
    let without = |member: &str| {
        let mut changed = object(&request);
        changed.remove(member);
        Value::Object(changed)
    };
    site.execute(&json!({"request": without("rollout_id")})).refused(&[400]);
    site.execute(&json!({"request": without("approval")})).refused(&[400]);
    site.execute(&json!({"request": request, "approval_id": "apr_000000000000"})).refused(&[404]);
    for body in [json!({"executed_by": []}), json!({"notes": {}}), json!({"execution_environment": 7})] {
        let mut body = object(&body);
        body.insert("request".into(), request.clone());
        site.execute(&Value::Object(body)).refused(&[400, 422]);
    }
    assert_eq!(site.stored().0, 0);
}

#[test]
fn forged_requests_do_not_promote() {
    let site = Site::new(Backend::Json);
    let request = site.approved();
    let mut tried = 0;
    for pointer in package::members(&request) {
        if pointer == "/rollout_id" || pointer.starts_with("/signature/signer") || pointer == "/signature/key_id" {
            continue;
        }
        let mut changed = request.clone();
        package::remove(&mut changed, &pointer);
        let mut body = json!({"request": changed});
        body["approval_id"] = request["approval"]["approval_id"].clone();
        assert!(!problems(&site.execute(&body)).is_empty(), "{pointer}");
        tried += 1;
    }
    println!("{tried} changed requests tried");
    let stranger = SigningKey::generate().unwrap();
    let mut forged = object(&request);
    forged.insert("target_ring".into(), json!("everywhere"));
    sign(&mut forged, PROMOTION_SIGNATURE, &stranger, "release-manager");
    let said = problems(&site.execute(&json!({"request": forged})));
    assert!(said.contains("trusted key") && said.contains("target_ring"), "{said}");
    assert_eq!(site.stored().0, 0);
}

#[test]
fn approvals_that_do_not_fit_do_not_promote() {
    on_both(|backend| {
        let site = Site::new(backend);
        let denied = site.ask(&json!({})).ok()["request"].clone();
        let deny = format!("/approvals/{}/deny", text(&denied["approval"], "approval_id"));
        site.server.post(&deny, &json!({"actor": "bob", "reason": "no"})).ok();
        assert!(problems(&site.execute(&json!({"request": denied}))).contains("denied"));

        let request = site.approved();
        let decision = request["approval"]["decision"].clone();
        let broken = json!({"decision": decision, "actor": "bob", "reason": "fire"});
        let broken = text(&site.server.post("/approvals/break-glass", &broken).ok(), "approval_id").to_owned();
        let said = problems(&site.execute(&json!({"request": request, "approval_id": broken})));
        assert!(said.contains("break_glass") && said.contains("another approval"), "{said}");

        // Signed by this server, for another approval of the same decision with one member changed.
        for (pointer, value) in [
            ("/decision_id", json!("other:decision")),
            ("/session_id", json!("r-2")),
            ("/action_type", json!("release_rollback_endpoint_rollout")),
            ("/metadata/target_ring", json!("canary")),
            ("/metadata/current_ring", json!("canary")),
            ("/metadata/target_ring", Value::Null),
            ("/metadata", json!({})),
        ] {
            let mut changed = decision.clone();
            *changed.pointer_mut(pointer).unwrap() = value;
            changed["approver_group"] = json!("CAB");
            let mut other = object(&request);
            other.insert("approval".into(), json!({"approval_id": site.approval_of(&changed)}));
            sign(&mut other, PROMOTION_SIGNATURE, &site.key, "release-manager");
            assert_eq!(site.execute(&json!({"request": other})).status, 400, "{pointer}");
        }
        assert_eq!(site.stored().0, 0);
        site.execute(&json!({"request": request})).ok();
    });
}

#[test]
fn an_approval_that_ran_out_promotes_nothing_new() {
    let site = Site::new(Backend::Json);
    let done = site.approved();
    let first = site.execute(&json!({"request": done})).ok();
    let lapsed = site.approved();
    let Site { home, key, backend, server } = site;
    drop(server);
    let mut document = home.json("approvals.json");
    for approval in document["items"].as_array_mut().unwrap() {
        approval["expires_at"] = json!("2021-01-01T00:00:00.000000+00:00");
    }
    home.write("approvals.json", document.to_string());
    let server = serve(&home, backend, Some(&key.to_pem().unwrap()), &[]);
    let site = Site { home, key, backend, server };
    assert!(problems(&site.execute(&json!({"request": lapsed}))).contains("run out"));
    // What was done stays done, and is answered as it was.
    assert_eq!(site.execute(&json!({"request": done})).ok()["execution"], first["execution"]);
    let rollback = site.approval_of(&Site::rollback_decision(&first["execution"], "d"));
    assert_eq!(site.stored().0, 1);
    site.roll_back(&first["execution"], &json!({"approval_id": rollback})).ok();
}

#[test]
fn rollbacks_are_refused_in_this_order() {
    on_both(|backend| {
        let site = Site::new(backend);
        let execution = site.promoted();
        let unknown = json!({"execution_id": "rpe_000000000000"});
        site.roll_back(&unknown, &json!({"approval_id": "x"})).refused(&[404]);
        site.roll_back(&json!({"execution_id": "r-1"}), &json!({"approval_id": "x"})).refused(&[404]);
        site.roll_back(&execution, &json!({})).refused(&[400]);
        site.roll_back(&execution, &json!({"approval_id": 7})).refused(&[400]);
        site.roll_back(&execution, &json!({"approval_id": "apr_000000000000"})).refused(&[404]);
        for (pointer, value) in [
            ("/session_id", json!("r-2")),
            ("/action_type", json!("release_promote_endpoint_rollout")),
            ("/metadata/promotion_execution_id", json!("rpe_000000000000")),
            ("/metadata/promotion_execution_id", Value::Null),
            ("/metadata/target_ring", json!("staging")),
            ("/metadata", json!({})),
        ] {
            let mut changed = Site::rollback_decision(&execution, "d");
            *changed.pointer_mut(pointer).unwrap() = value;
            let approval = site.approval_of(&changed);
            assert!(!problems(&site.roll_back(&execution, &json!({"approval_id": approval}))).is_empty(), "{pointer}");
        }
        let decision = Site::rollback_decision(&execution, "d");
        let broken = json!({"decision": decision, "actor": "bob", "reason": "fire"});
        let broken = site.server.post("/approvals/break-glass", &broken).ok();
        let said = problems(&site.roll_back(&execution, &json!({"approval_id": broken["approval_id"]})));
        assert!(said.contains("break_glass"), "{said}");
        let pending = site.server.post("/approvals", &decision).ok();
        let said = problems(&site.roll_back(&execution, &json!({"approval_id": pending["approval_id"]})));
        assert!(said.contains("pending"), "{said}");
        assert_eq!((site.stored().0, site.stored().1), (1, 0));
    });
}

#[test]
fn records_that_were_imported_are_not_believed() {
    let site = Site::new(Backend::Sqlite);
    // A forged promotion.
    let mut forged = json!({"session_id": "rpe_0123456789ab", "metadata_kind": "rollout-promotion-execution"});
    site.server.post("/evidence", &forged).ok();
    let unknown = json!({"execution_id": "rpe_0123456789ab"});
    site.roll_back(&unknown, &json!({"approval_id": "apr_000000000000"})).refused(&[400]);
    site.server.get("/promotion-executions/rpe_0123456789ab/audit-export").refused(&[400]);
    forged["execution"] = json!({"execution_id": "rpe_0123456789ab", "request_id": "rpr_1", "approval_id": "apr_1",
        "schema_version": "cavra.go-runtime.endpoint-rollout-promotion-execution.v1", "rollout_id": "r-1"});
    site.server.post("/evidence", &forged).ok();
    site.roll_back(&unknown, &json!({"approval_id": "apr_000000000000"})).refused(&[400]);

    // A whole one, carried out on the command line, can be rolled back.
    let request = site.approved();
    site.home.write("request.json", request.to_string());
    let approval = site.server.get(&format!("/approvals/{}", text(&request["approval"], "approval_id"))).ok();
    site.home.write("approval.json", approval.to_string());
    let arguments =
        ["execute-rollout-promotion", "request.json", "--approval-json", "approval.json", "--metadata-json", "m.json"];
    let done = release(&site.home, 0, &arguments);
    site.server.post("/evidence", &site.home.json("m.json")["items"][0]).ok();
    let rollback = site.approval_of(&Site::rollback_decision(&done["execution"], "d"));
    site.roll_back(&done["execution"], &json!({"approval_id": rollback})).ok();
}

/// Who may post evidence knows the ids that approvals lead to. What is posted there is neither taken for the server's nor
/// in its way.
#[test]
fn ids_that_others_can_compute_cannot_be_occupied() {
    on_both(|backend| {
        let site = Site::new(backend);
        let request = site.approved();
        let hex = |parts: String| sha256(parts).replace("sha256:", "")[..12].to_owned();
        let approval = text(&request["approval"], "approval_id");
        let id = format!("rpe_{}", hex(format!("{}:{approval}", text(&request, "request_id"))));
        let forged = json!({"session_id": id, "metadata_kind": "rollout-promotion-execution", "signer": "eve",
            "execution": {"execution_id": id, "request_id": request["request_id"], "approval_id": approval}});
        site.server.post("/evidence", &forged).ok();
        let done = site.execute(&json!({"request": request, "executed_by": "ann"})).ok();
        assert_eq!(
            (text(&done["execution"], "execution_id"), &done["metadata"]["signer"]),
            (id.as_str(), &json!("ann"))
        );
        assert!(strings(&done["warnings"])[0].contains("gave way"), "{done}");
        site.server.post("/evidence", &forged).refused(&[409]);
        let again = site.execute(&json!({"request": request})).ok();
        assert_eq!((&again["execution"], &again["warnings"]), (&done["execution"], &json!([])));

        let execution = &done["execution"];
        let approval = site.approval_of(&Site::rollback_decision(execution, "d"));
        let id = format!("rre_{}", hex(format!("{id}:{approval}")));
        site.server.post("/evidence", &json!({"session_id": id, "metadata_kind": "managed-endpoint-rollout"})).ok();
        let back = site.roll_back(execution, &json!({"approval_id": approval})).ok();
        assert_eq!(text(&back["rollback"], "rollback_id"), id);
        assert_eq!(site.server.get(&format!("/rollback-executions/{id}")).ok(), back["metadata"]);
        assert_eq!((site.stored().0, site.stored().1), (1, 1));

        // The log says what the server wrote and what clients posted.
        let leaves = leaves(&site.server, "evidence");
        let ours = leaves.iter().filter(|leaf| leaf["event"] != "evidence_received").count();
        assert_eq!((ours, leaves.len()), (2, 5));
        let store = site.home.at(if backend == Backend::Json { "metadata.json" } else { "metadata.db" });
        let verify = ["evidence", "log", "verify", "--log", "evidence", "--store", &store, "--records", "--json"];
        let found = site.home.cavra(&verify).run().ok().json();
        assert_eq!(found["records"], json!({"matching": 3, "older_than_the_log": 0, "by_clients": 0, "faults": []}));
    });
}
