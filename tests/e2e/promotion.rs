//! Rollouts promoted and rolled back over HTTP. docs/reference/evidence-and-promotion.md, sections 7 to 10.

use std::sync::Arc;

use cavra_evidence::SigningKey;
use serde_json::{Value, json};

use crate::evidence_log::{assert_digest, leaves};
use crate::release_cli::release;
use crate::release_package as package;
use crate::support::{
    Backend, Home, Response, Server, assert_id, assert_timestamp, canonical, keys, on_both, sha256, strings, text,
};

/// A server with a staged rollout `r-1` of a signed package below its artifact root.
pub struct Site {
    pub home: Home,
    pub key: SigningKey,
    pub backend: Backend,
    pub server: Server,
}

impl Site {
    pub fn new(backend: Backend) -> Self {
        Self::with(backend, &[])
    }

    pub fn with(backend: Backend, more: &[(&str, &str)]) -> Self {
        let (home, key) = prepared();
        let server = serve(&home, backend, Some(&key.to_pem().unwrap()), more);
        let site = Self { home, key, backend, server };
        site.post_rollout();
        site
    }

    /// The same place with a new server.
    pub fn again(self, more: &[(&str, &str)]) -> Self {
        let Self { home, key, backend, server } = self;
        drop(server);
        let server = serve(&home, backend, Some(&key.to_pem().unwrap()), more);
        Self { home, key, backend, server }
    }

    pub fn post_rollout(&self) {
        let found = release(&self.home, 0, &["verify-rollout", "root/rollout"]);
        self.server.post("/evidence", &found["metadata"]).ok();
    }

    pub fn ask(&self, body: &Value) -> Response {
        self.server.post("/evidence/r-1/promotion-request", body)
    }

    /// A signed request; its approval is approved.
    #[track_caller]
    pub fn approved(&self) -> Value {
        let request = self.ask(&json!({})).ok()["request"].clone();
        self.approve(text(&request["approval"], "approval_id"));
        request
    }

    #[track_caller]
    pub fn approve(&self, id: &str) {
        let by = json!({"actor": "bob", "reason": "fine", "actor_claims": {"email": "bob", "groups": ["CAB", "Change Advisory Board"]}});
        self.server.post(&format!("/approvals/{id}/approve"), &by).ok();
    }

    pub fn execute(&self, body: &Value) -> Response {
        self.server.post("/evidence/r-1/promotion-execution", body)
    }

    /// A promotion that was carried out.
    #[track_caller]
    pub fn promoted(&self) -> Value {
        let request = self.approved();
        self.execute(&json!({"request": request})).ok()["execution"].clone()
    }

    /// The decision that a rollback's approval is about.
    pub fn rollback_decision(execution: &Value, name: &str) -> Value {
        json!({"decision_id": name, "session_id": "r-1", "action_type": "release_rollback_endpoint_rollout",
            "approver_group": "CAB", "metadata": {"promotion_execution_id": execution["execution_id"],
            "target_ring": "production"}})
    }

    /// An approval of a decision, approved.
    #[track_caller]
    pub fn approval_of(&self, decision: &Value) -> String {
        let id = text(&self.server.post("/approvals", decision).ok(), "approval_id").to_owned();
        self.approve(&id);
        id
    }

    pub fn roll_back(&self, execution: &Value, body: &Value) -> Response {
        let id = text(execution, "execution_id");
        self.server.post(&format!("/promotion-executions/{id}/rollback-execution"), body)
    }

    /// Records of executions and rollbacks, and approvals.
    pub fn stored(&self) -> (u64, u64, u64) {
        let rollbacks = self.server.total("/evidence?metadata_kind=rollout-rollback-execution");
        (self.server.total("/promotion-executions"), rollbacks, self.server.total("/approvals"))
    }
}

/// A home with a package and its staged rollout below `root`.
pub fn prepared() -> (Home, SigningKey) {
    let home = Home::new();
    let key = SigningKey::generate().unwrap();
    package::package(&home.join("root/pkg"), "1.2.3", &key);
    capture(&home, "staged");
    (home, key)
}

pub fn capture(home: &Home, status: &str) {
    let arguments =
        ["capture-rollout", "root/pkg", "--output", "root/rollout", "--rollout-id", "r-1", "--status", status];
    release(home, 0, &[&arguments[..], &["--change-record", "CHG-7"]].concat());
}

pub fn serve(home: &Home, backend: Backend, pem: Option<&str>, more: &[(&str, &str)]) -> Server {
    let (evidence, approvals, file) = match backend {
        Backend::Json => ("CAVRA_EVIDENCE_METADATA_STORE", "CAVRA_APPROVAL_STORE", "json"),
        Backend::Sqlite => ("CAVRA_EVIDENCE_METADATA_DB", "CAVRA_APPROVAL_DB", "db"),
    };
    let (metadata, decided) = (home.at(&format!("metadata.{file}")), home.at(&format!("approvals.{file}")));
    let root = home.at("root");
    let mut settings =
        vec![(evidence, metadata.as_str()), (approvals, &decided), ("CAVRA_EVIDENCE_ARTIFACT_ROOT", &root)];
    settings.extend(pem.map(|pem| ("CAVRA_ROLLOUT_PROMOTION_SIGNING_KEY", pem)));
    settings.extend(more);
    home.serve(&settings)
}

/// The list of everything that is wrong.
#[track_caller]
pub fn problems(response: &Response) -> String {
    assert_eq!(response.status, 400, "{}", response.text());
    let detail = response.json()["detail"].clone();
    assert_eq!(keys(&detail), ["errors", "warnings"], "{detail}");
    strings(&detail["errors"]).join("\n")
}

pub fn object(value: &Value) -> serde_json::Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn a_rollout_is_promoted_and_rolled_back() {
    on_both(|backend| {
        let site = Site::new(backend);
        let asked = site.ask(&json!({"requested_by": "ann", "target_ring": "production"})).ok();
        let request = &asked["request"];
        check_request(&asked);
        let approval_id = text(&request["approval"], "approval_id").to_owned();
        let pending = site.server.get("/approvals?state=pending").ok();
        assert_eq!(pending["items"][0]["approval_id"], json!(approval_id));
        assert!(problems(&site.execute(&json!({"request": request}))).contains("pending"));
        assert_eq!(site.stored().0, 0);
        site.approve(&approval_id);

        let done = site.execute(&json!({"request": request, "executed_by": "eve", "notes": "n"})).ok();
        check_execution(&done, request);
        let execution = done["execution"].clone();
        let id = text(&execution, "execution_id").to_owned();
        // Again, by somebody else: the first record stays.
        let again = site.execute(&json!({"request": request, "executed_by": "mallory"})).ok();
        assert_eq!(again["execution"], execution);
        for query in
            ["rollout_id=r-1", "target_ring=production", "approval_state=approved", "deployment_target=mac-fleet"]
        {
            assert_eq!(site.server.total(&format!("/promotion-executions?{query}")), 1, "{query}");
        }
        assert_eq!(site.server.total("/promotion-executions?rollout_id=r-2"), 0);
        check_audit(&site.server.get(&format!("/promotion-executions/{id}/audit-export")).ok(), &execution);

        let site = site.again(&[]);
        let approval = site.approval_of(&Site::rollback_decision(&execution, "d1"));
        let back = site.roll_back(&execution, &json!({"approval_id": approval, "executed_by": "eve"})).ok();
        check_rollback(&back, &execution, &approval);
        let repeated = site.roll_back(&execution, &json!({"approval_id": approval})).ok();
        assert_eq!(repeated["rollback"], back["rollback"]);
        let second = site.approval_of(&Site::rollback_decision(&execution, "d2"));
        site.roll_back(&execution, &json!({"approval_id": second})).refused(&[409]);
        let rollback_id = text(&back["rollback"], "rollback_id").to_owned();

        let site = site.again(&[]);
        assert_eq!(site.server.get(&format!("/promotion-executions/{id}")).ok()["execution"], execution);
        let stored = site.server.get(&format!("/rollback-executions/{rollback_id}")).ok();
        assert_eq!(stored["rollback"], back["rollback"]);
        site.server.get(&format!("/rollback-executions/{id}")).refused(&[404]);
        site.server.get(&format!("/promotion-executions/{rollback_id}")).refused(&[404]);
        assert_eq!((site.stored().0, site.stored().1), (1, 1));
        let rollout = site.server.get("/evidence/r-1").ok();
        assert_eq!((&rollout["rollout_status"], &rollout["rollout_ring"]), (&json!("staged"), &json!("staging")));

        // Both are in the evidence log, as they are stored, and that a client posted the rollout.
        let leaves = leaves(&site.server, "evidence");
        let events: Vec<_> = leaves.iter().map(|leaf| text(leaf, "event")).collect();
        assert_eq!(events, ["evidence_received", "promotion_executed", "rollback_executed"]);
        for id in [id.as_str(), rollback_id.as_str()] {
            assert_digest(&leaves, id, &site.server.get(&format!("/evidence/{id}")).ok());
        }
    });
}

fn check_request(asked: &Value) {
    let request = &asked["request"];
    assert_eq!(
        keys(asked),
        ["approval", "errors", "files", "request", "rollout_dir", "rollout_id", "valid", "warnings"]
    );
    assert_eq!((&asked["rollout_dir"], &asked["files"], &asked["errors"]), (&json!("rollout"), &json!([]), &json!([])));
    let expected = sha256("r-1:production").replace("sha256:", "");
    assert_eq!(request["request_id"], json!(format!("rpr_{}", &expected[..12])));
    assert_eq!((&request["current_ring"], &request["target_ring"]), (&json!("staging"), &json!("production")));
    assert_eq!(request["deployment_targets"], json!(["linux-fleet", "mac-fleet"]));
    // In the order of the evidence, not of the names.
    assert_eq!(
        request["rollback_evidence_refs"][0],
        json!({"target": "mac-fleet", "ref": "rollback://r-1/mac-fleet/1", "step": "stop mac-fleet"})
    );
    assert_timestamp(text(request, "created_at"));
    let mut unsigned = object(request);
    unsigned.remove("signature");
    let digest = sha256(canonical(&Value::Object(unsigned)));
    assert_eq!(format!("sha256:{}", text(&request["signature"], "payload_sha256")), digest);
    let approval = &asked["approval"];
    assert_eq!(*approval, request["approval"]);
    assert_eq!((&approval["state"], &approval["approver_group"]), (&json!("pending"), &json!("Change Advisory Board")));
    assert_eq!((&approval["session_id"], &approval["requested_by"]), (&json!("r-1"), &json!("ann")));
    assert_eq!(approval["decision_id"], json!(format!("{}:decision", text(request, "request_id"))));
    let decision = &approval["decision"];
    assert_eq!(decision["target"], "r-1->production");
    assert_eq!(decision["action_type"], "release_promote_endpoint_rollout");
    assert_eq!(decision["repository"], "example/cavra-runtime");
    assert_eq!(decision["evidence_refs"][2], "change://CHG-7");
    assert_eq!(
        keys(&decision["metadata"]),
        [
            "change_record",
            "current_ring",
            "deployment_targets",
            "environment",
            "release",
            "rollout_id",
            "rollout_status",
            "target_ring",
            "verified_artifacts"
        ]
    );
}

fn check_execution(done: &Value, request: &Value) {
    let (execution, record) = (&done["execution"], &done["metadata"]);
    assert_eq!(keys(done), ["errors", "execution", "files", "metadata", "rollout_id", "valid", "warnings"]);
    assert_id(text(execution, "execution_id"), "rpe_", 12);
    let parts = format!("{}:{}", text(request, "request_id"), text(execution, "approval_id"));
    assert_eq!(text(execution, "execution_id")[4..], sha256(parts).replace("sha256:", "")[..12]);
    assert_eq!(format!("sha256:{}", text(execution, "request_sha256")), sha256(canonical(request)));
    assert_eq!(
        execution["ring_advancement"],
        json!({"from": "staging", "to": "production", "previous_rollout_status": "staged",
            "new_rollout_status": "promoted"})
    );
    assert_eq!((&execution["executed_by"], &execution["notes"]), (&json!("eve"), &json!("n")));
    assert_eq!(execution["approval"]["decided_by"], "bob");
    assert_eq!(execution["evidence_refs"][3], "change://CHG-7");
    for (member, value) in [
        ("session_id", &execution["execution_id"]),
        ("signer", &json!("eve")),
        ("metadata_kind", &json!("rollout-promotion-execution")),
        ("rollout_status", &json!("promoted")),
        ("promotion_execution_status", &json!("executed")),
        ("current_ring", &json!("staging")),
        ("target_ring", &json!("production")),
        ("approval_state", &json!("approved")),
        ("decision_count", &json!(0)),
        ("execution", execution),
    ] {
        assert_eq!(record[member], *value, "{member}");
    }
    assert_eq!(keys(&record["audit_links"]), ["approval", "change", "promotion_request", "rollout"]);
}

fn check_audit(export: &Value, execution: &Value) {
    assert_eq!(keys(export), ["event", "schema_version"]);
    assert_eq!(export["schema_version"], "cavra.rollout-promotion.audit-export.v1");
    let event = &export["event"];
    assert_eq!(event["event_type"], "cavra.rollout_promotion_execution");
    assert_eq!((&event["severity"], &event["rollback_reference_count"]), (&json!("high"), &json!(4)));
    assert_eq!((&event["raw_execution"], &event["timestamp"]), (execution, &execution["created_at"]));
    assert_eq!(
        keys(&event["audit_links"]),
        ["approval", "change", "promotion_execution", "promotion_request", "rollout"]
    );
}

fn check_rollback(back: &Value, execution: &Value, approval: &str) {
    let (rollback, record) = (&back["rollback"], &back["metadata"]);
    let parts = format!("{}:{approval}", text(execution, "execution_id"));
    assert_eq!(*text(rollback, "rollback_id"), format!("rre_{}", &sha256(parts).replace("sha256:", "")[..12]));
    assert_eq!(
        rollback["ring_rollback"],
        json!({"from": "production", "to": "staging", "previous_rollout_status": "promoted",
            "new_rollout_status": "rolled_back"})
    );
    let digest = sha256(canonical(execution));
    assert_eq!(format!("sha256:{}", text(rollback, "promotion_execution_sha256")), digest);
    assert!(!text(rollback, "rollback_reason").is_empty());
    assert_eq!(record["metadata_kind"], "rollout-rollback-execution");
    assert_eq!((&record["current_ring"], &record["target_ring"]), (&json!("production"), &json!("staging")));
    assert_eq!(record["rollback_execution_status"], "executed");
    assert_eq!(record["promotion_execution_id"], execution["execution_id"]);
    assert_eq!(keys(&record["audit_links"]), ["approval", "change", "promotion_execution", "rollout"]);
}

#[test]
fn what_the_server_wrote_stays() {
    on_both(|backend| {
        let site = Site::new(backend);
        let execution = site.promoted();
        let path = format!("/promotion-executions/{}", text(&execution, "execution_id"));
        let before = site.server.get(&path).ok();
        let mut changed = before.clone();
        changed["signer"] = json!("eve");
        site.server.post("/evidence", &changed).refused(&[409]);
        assert_eq!(site.server.get(&path).ok(), before);
        // Nothing is delivered without connectors.
        site.server.post(&format!("{path}/audit-export/deliver"), &json!({})).refused(&[400]);
    });
}

#[test]
fn of_parallel_executions_one_counts() {
    on_both(|backend| {
        let site = Arc::new(Site::new(backend));
        let request = site.approved();
        let threads: Vec<_> = (0..10)
            .map(|number| {
                let (site, request) = (Arc::clone(&site), request.clone());
                std::thread::spawn(move || {
                    site.execute(&json!({"request": request, "executed_by": format!("e{number}")})).ok()["execution"]
                        .clone()
                })
            })
            .collect();
        let all: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(all.iter().all(|execution| *execution == all[0]));
        assert_eq!(site.stored().0, 1);

        let approvals: Vec<_> =
            (0..6).map(|number| site.approval_of(&Site::rollback_decision(&all[0], &format!("d{number}")))).collect();
        let threads: Vec<_> = approvals
            .into_iter()
            .map(|approval| {
                let (site, execution) = (Arc::clone(&site), all[0].clone());
                std::thread::spawn(move || site.roll_back(&execution, &json!({"approval_id": approval})).status)
            })
            .collect();
        let statuses: Vec<u16> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
        assert_eq!(site.stored().1, 1);
    });
}

#[test]
fn people_are_asked_for_where_they_can_be_known() {
    let (home, key) = prepared();
    home.write("rbac.json", json!({"repository_permissions": []}).to_string());
    let server = serve(
        &home,
        Backend::Json,
        Some(&key.to_pem().unwrap()),
        &[("CAVRA_APPROVAL_RBAC_FILE", &home.at("rbac.json"))],
    );
    let site = Site { home, key, backend: Backend::Json, server };
    site.post_rollout();
    site.ask(&json!({"requested_by": "ann"})).refused(&[401]);
    let claims = json!({"email": "ann@example.invalid", "groups": ["x"]});
    let asked = site.ask(&json!({"requested_by": "eve", "actor_claims": claims})).ok();
    assert_eq!(asked["approval"]["requested_by"], "ann@example.invalid");
    site.approve(text(&asked["approval"], "approval_id"));
    let body = json!({"request": asked["request"], "executed_by": "eve"});
    site.execute(&body).refused(&[401]);
    let mut known = body;
    known["actor_claims"].clone_from(&claims);
    let execution = site.execute(&known).ok()["execution"].clone();
    assert_eq!(execution["executed_by"], "ann@example.invalid");
    let approval = site.approval_of(&Site::rollback_decision(&execution, "d"));
    site.roll_back(&execution, &json!({"approval_id": approval})).refused(&[401]);
    let back = site.roll_back(&execution, &json!({"approval_id": approval, "actor_claims": claims})).ok();
    assert_eq!(back["rollback"]["executed_by"], "ann@example.invalid");
}

#[test]
fn without_a_root_there_is_nothing_to_promote() {
    let home = Home::new();
    let server = home.serve(&[]);
    server.post("/evidence", &json!({"session_id": "r-1", "metadata_kind": "managed-endpoint-rollout"})).ok();
    let refused = server.post("/evidence/r-1/promotion-request", &json!({}));
    refused.refused(&[400]);
    assert!(refused.text().contains("artifact root is not configured"), "{}", refused.text());
}
