//! Policy rollouts: records, plans, changes, details, and what they do to decisions. docs/reference/approvals-identity-authoring.md, section 6.

use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};

use super::approvals::string;
use super::inventory::serve;
use crate::support::{BASELINE, Backend, Home, Server, assert_timestamp, keys, on_both};

fn rollout(members: &Value) -> Value {
    let mut body = json!({"repository": "pay/api", "policy_pack": BASELINE});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

/// A document without its moments.
fn timeless(mut value: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, _| !["created_at", "updated_at", "generated_at"].contains(&name.as_str()));
                members.values_mut().for_each(strip);
            }
            Value::Array(items) => {
                items
                    .retain(|item| !["created_at", "updated_at"].contains(&item["field"].as_str().unwrap_or_default()));
                items.iter_mut().for_each(strip);
            }
            _ => {}
        }
    }
    strip(&mut value);
    value
}

#[test]
fn rollouts_are_posted_with_defaults_and_replaced_whole() {
    on_both(|backend| {
        let home = Home::new();
        let server = serve(&home, backend, &[]);
        let first = server.post("/policy-rollouts", &rollout(&json!({"owner": "me", "coverage_percent": " 40 "}))).ok();
        let id = format!("pay/api:{BASELINE}");
        let wanted = json!({
            "schema_version": "cavra.policy_rollout.v1", "product": "CAVRA", "rollout_id": id, "repository": "pay/api",
            "policy_pack": BASELINE, "policy_version": "latest", "mode": "enforce", "state": "planned", "owner": "me",
            "coverage_percent": 40, "last_evaluated_at": null, "evidence_refs": [],
        });
        assert_eq!(timeless(first.clone()), wanted);
        let second = server.post("/policy-rollouts", &rollout(&json!({"mode": "strict"}))).ok();
        assert_eq!((&second["owner"], &second["coverage_percent"]), (&json!("platform-security"), &json!(0)));
        assert_eq!(second["created_at"], first["created_at"]);
        let aliased = json!({"repository_id": "web", "policy_pack": "p", "rollout_id": "mine", "tenant_id": "t"});
        assert_eq!(server.post("/policy-rollouts", &aliased).ok()["repository"], "web");
        for path in [id.clone(), id.replace('/', "%2F"), id.replace('/', "%2F").replace(':', "%3A")] {
            assert_eq!(server.get(&format!("/policy-rollouts/{path}")).ok(), second, "{path}");
        }
        let before = server.get("/policy-rollouts").ok();
        assert_eq!((&before["total"], before.get("limit")), (&json!(2), None));
        for (query, wanted) in [
            ("?owner=platform-security", vec!["mine", &id]),
            ("?mode=strict", vec![id.as_str()]),
            ("?repository=web&state=planned", vec!["mine"]),
            ("?policy_pack=P", vec![]),
            ("?state=nonsense", vec![]),
        ] {
            let list = server.get(&format!("/policy-rollouts{query}")).ok();
            let found: Vec<_> =
                list["items"].as_array().unwrap().iter().map(|item| string(&item["rollout_id"])).collect();
            assert_eq!(found, wanted, "{query}");
        }
        drop(server);
        assert_eq!(serve(&home, backend, &[]).get("/policy-rollouts").ok(), before);
    });
}

#[test]
fn wrong_rollouts_are_refused_everywhere() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        server.post("/policy-rollouts", &rollout(&json!({}))).ok();
        let before = server.get("/policy-rollouts").ok();
        for (member, value) in [
            ("repository", json!("")),
            ("repository", json!(5)),
            ("policy_pack", json!("")),
            ("policy_pack", json!([])),
            ("mode", json!("lenient")),
            ("mode", json!("strict_regulated")),
            ("state", json!("done")),
            ("coverage_percent", json!("lots")),
            ("coverage_percent", json!([])),
            ("coverage_percent", json!(101)),
            ("coverage_percent", json!(-1)),
            ("coverage_percent", json!("101")),
            ("coverage_percent", json!(0.5)),
            ("last_evaluated_at", json!("yesterday")),
            ("last_evaluated_at", json!({})),
            ("evidence_refs", json!({})),
            ("rollout_id", json!(["x"])),
            ("owner", json!({})),
        ] {
            let mut body = rollout(&json!({}));
            body[member] = value.clone();
            let needed = ["repository", "policy_pack"].contains(&member) && value == "";
            for path in ["/policy-rollouts", "/policy-rollouts/change-plan", "/policy-rollouts/apply-change"] {
                server.post(path, &body).refused(&[400, 422]);
                if path != "/policy-rollouts" && !needed {
                    server.post(path, &json!({"changes": body})).refused(&[400, 422]);
                }
            }
        }
        for path in ["/policy-rollouts/change-plan", "/policy-rollouts/apply-change"] {
            for wrong in [json!({}), json!({"changes": []}), json!({"changes": "x"}), json!({"rollout_id": "unknown"})]
            {
                server.post(path, &wrong).refused(&[400]);
            }
            for unreadable in ["", "[]", "{", "1"] {
                server.request("POST", path, unreadable.as_bytes()).refused(&[400, 422]);
            }
            server.post(path, &rollout(&json!({"note": "x".repeat(1_100_000)}))).refused(&[413]);
        }
        assert_eq!(server.get("/policy-rollouts").ok(), before);
    });
}

#[test]
fn a_plan_is_what_applying_does() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let id = format!("pay/api:{BASELINE}");
        for (request, operation, risk, approval) in [
            (rollout(&json!({"mode": "audit_only"})), "create", "medium", false),
            (json!({"rollout_id": id, "changes": {"owner": "me"}}), "update", "low", false),
            (json!({"rollout_id": id, "state": "active", "coverage_percent": 100}), "update", "medium", false),
            (json!({"changes": {"rollout_id": id, "mode": "enforce"}}), "update", "high", true),
            (json!({"rollout_id": id, "changes": {"mode": "strict"}}), "update", "medium", true),
            (json!({"rollout_id": id, "changes": {"mode": "break_glass"}}), "update", "critical", true),
            (json!({"rollout_id": id, "changes": {"mode": "enforce", "state": "retired"}}), "update", "low", false),
            (
                json!({"rollout_id": id, "changes": {"owner": "x", "policy_version": "2", "coverage_percent": 5}}),
                "update",
                "medium",
                false,
            ),
            // The name beside the changes is that of the new record, too.
            (
                json!({"rollout_id": "named", "changes": {"repository": "r", "policy_pack": "p"}}),
                "create",
                "medium",
                false,
            ),
        ] {
            let stored = server.get("/policy-rollouts").ok();
            let plan = server.post("/policy-rollouts/change-plan", &request).ok();
            assert_eq!(server.get("/policy-rollouts").ok(), stored, "a plan stores nothing");
            assert_eq!(
                keys(&plan),
                [
                    "after",
                    "approval_required",
                    "before",
                    "changes",
                    "generated_at",
                    "operation",
                    "operator_notes",
                    "product",
                    "replaces_digest",
                    "risk",
                    "schema_version"
                ]
            );
            assert_eq!(plan["schema_version"], "cavra.policy_rollout.change_plan.v1");
            assert_timestamp(plan["generated_at"].as_str().unwrap());
            let found =
                (string(&plan["operation"]), string(&plan["risk"]), plan["approval_required"].as_bool().unwrap());
            assert_eq!(found, (operation.to_owned(), risk.to_owned(), approval), "{request}");
            let changes = plan["changes"].as_array().unwrap();
            let fields: Vec<_> = changes.iter().map(|change| string(&change["field"])).collect();
            assert!(fields.is_sorted() && fields.contains(&"updated_at".to_owned()), "{fields:?}");
            if operation == "create" {
                assert_eq!(fields, keys(&plan["after"]));
                assert!(plan["before"].is_null() && changes.iter().all(|change| change["before"].is_null()));
            } else {
                let before = &plan["before"];
                for change in changes {
                    let field = string(&change["field"]);
                    assert_eq!(
                        (&change["before"], &change["after"]),
                        (&before[&field], &plan["after"][&field]),
                        "{field}"
                    );
                }
                assert_eq!(plan["after"]["created_at"], before["created_at"]);
            }
            let mut guarded = request.clone();
            guarded["actor_claims"] = json!({"sub": "ann", "groups": ["G"], "secret": "hush"});
            let result = server.post("/policy-rollouts/apply-change", &guarded).ok();
            assert_eq!(keys(&result), ["actor", "plan", "product", "rollout", "schema_version"]);
            assert_eq!(result["schema_version"], "cavra.policy_rollout.change_result.v1");
            assert_eq!(timeless(result["plan"].clone()), timeless(plan), "{request}");
            assert_eq!(result["rollout"], result["plan"]["after"]);
            let actor = json!({"actor": "ann", "subject": "ann", "issuer": null, "groups": ["G"], "repository": null});
            assert_eq!(result["actor"], actor);
            assert!(!result.to_string().contains("hush"));
            let id = string(&result["rollout"]["rollout_id"]);
            assert_eq!(server.get(&format!("/policy-rollouts/{id}")).ok(), result["rollout"]);
        }
        let anonymous = server.post("/policy-rollouts/apply-change", &rollout(&json!({"actor": "typed"}))).ok();
        assert_eq!(anonymous["actor"], Value::Null);
    });
}

/// A request that names what its plan replaces is applied to that and to nothing else.
#[test]
fn a_stale_plan_is_refused_where_it_says_what_it_replaces() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        let post = |path: &str, body: &Value| server.post(&format!("/policy-rollouts/{path}"), body);
        let mut create = rollout(&json!({}));
        create["replaces_digest"] = post("change-plan", &create).ok()["replaces_digest"].clone();
        assert_eq!(create["replaces_digest"], "none");
        let created = post("apply-change", &create).ok();
        let id = string(&created["rollout"]["rollout_id"]);
        // Once more changes nothing, so it does no harm.
        post("apply-change", &create).ok();
        let mut loosen = json!({"rollout_id": id, "changes": {"mode": "audit_only"}});
        loosen["replaces_digest"] = post("change-plan", &loosen).ok()["replaces_digest"].clone();
        post("apply-change", &json!({"rollout_id": id, "changes": {"mode": "strict"}})).ok();
        let before = server.get(&format!("/policy-rollouts/{id}")).ok();
        for stale in [loosen["replaces_digest"].clone(), json!("none"), json!("sha256:00"), json!("")] {
            let mut body = loosen.clone();
            body["replaces_digest"] = stale;
            post("apply-change", &body).refused(&[409]);
        }
        assert_eq!(server.get(&format!("/policy-rollouts/{id}")).ok(), before);
        loosen["replaces_digest"] = post("change-plan", &loosen).ok()["replaces_digest"].clone();
        let applied = post("apply-change", &loosen).ok();
        assert_eq!(applied["rollout"]["mode"], "audit_only");
        assert!(applied["rollout"].get("replaces_digest").is_none());
    });
}

/// Of changes made at once each is applied to what the one before left.
#[test]
fn concurrent_changes_all_arrive() {
    on_both(|backend| {
        let server = Arc::new(serve(&Home::new(), backend, &[]));
        server.post("/policy-rollouts", &rollout(&json!({"rollout_id": "x"}))).ok();
        let fields = ["owner", "policy_version", "tenant_id", "workspace_id"];
        let writers: Vec<_> = fields
            .into_iter()
            .map(|field| {
                let server = Arc::clone(&server);
                thread::spawn(move || {
                    for n in 0..10 {
                        let body = json!({"rollout_id": "x", "changes": {field: format!("{field}-{n}")}});
                        server.post("/policy-rollouts/apply-change", &body).ok();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        let stored = server.get("/policy-rollouts/x").ok();
        for field in fields {
            assert_eq!(stored[field], format!("{field}-9"), "{stored}");
        }
    });
}

/// The newest decision about an action that the default pack blocks, in a session.
fn decide(server: &Server, session: &str) -> Value {
    server.decide(&json!({"action_type": "read_file", "target": ".env", "session_id": session, "repository": "pay/api",
        "policy_pack": BASELINE}))
}

#[test]
fn details_show_what_a_rollout_is_about() {
    on_both(|backend| {
        let home = Home::new();
        let (name, value) = backend.setting(&home);
        let server = serve(&home, backend, &[(name, &value)]);
        let id = format!("pay/api:{BASELINE}");
        server.get(&format!("/policy-rollout-details/{id}")).refused(&[404]);
        server.get(&format!("/policy-rollouts/{id}/detail")).refused(&[404]);
        let record = server.post("/policy-rollouts", &rollout(&json!({"coverage_percent": 80}))).ok();
        for _ in 0..12 {
            decide(&server, "s");
        }
        server.decide(
            &json!({"action_type": "read_file", "target": "a", "repository": "pay/api", "policy_pack": BASELINE}),
        );
        server.decide(
            &json!({"action_type": "read_file", "target": ".env", "repository": "other", "policy_pack": BASELINE}),
        );
        let detail = server.get(&format!("/policy-rollout-details/{id}")).ok();
        assert_eq!(
            keys(&detail),
            [
                "activity_summary",
                "integration_summary",
                "policy_pack",
                "product",
                "readiness",
                "repository",
                "rollout",
                "schema_version"
            ]
        );
        assert_eq!(detail["schema_version"], "cavra.policy_rollout.detail.v1");
        assert_eq!((&detail["rollout"], &detail["repository"]), (&record, &Value::Null));
        let activity = &detail["activity_summary"];
        assert_eq!((&activity["total"], &activity["sample_size"]), (&json!(13), &json!(13)));
        assert_eq!(activity["outcomes"], json!({"allow": 1, "block": 12}));
        assert_eq!(activity["severities"].as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>(), 13);
        assert_eq!(activity["recent_decisions"].as_array().unwrap().len(), 10);
        let pack = &detail["policy_pack"];
        assert_eq!(keys(pack), ["description", "id", "rule_summary", "title", "version"]);
        assert_eq!(keys(&pack["rule_summary"]), ["approvals", "commands", "evidence", "filesystem", "git", "mcp"]);
        assert!(pack["rule_summary"]["filesystem"].as_u64().unwrap() > 0);
        assert_eq!(detail["integration_summary"]["total"], 0);
        let checks = |detail: &Value| -> Vec<(String, String)> {
            let checks = detail["readiness"]["checks"].as_array().unwrap();
            checks.iter().map(|check| (string(&check["id"]), string(&check["status"]))).collect()
        };
        let wanted = |registered: &str, coverage: &str| {
            [
                ("repository_registered", registered),
                ("policy_coverage", coverage),
                ("source_control_integration", "warn"),
                ("siem_or_storage_integration", "warn"),
            ]
            .map(|(id, status)| (id.to_owned(), status.to_owned()))
        };
        assert_eq!(checks(&detail), wanted("warn", "pass"));
        assert_eq!(detail["readiness"]["status"], "needs_attention");
        // Registered by name, not by id.
        server.post("/repositories", &json!({"repository_id": "r-1", "repository": "pay/api"})).ok();
        server.post("/policy-rollouts", &rollout(&json!({"coverage_percent": 79}))).ok();
        let aliases = [
            format!("/policy-rollout-details/{}", id.replace('/', "%2F")),
            format!("/policy-rollouts/{id}/detail"),
            format!("/policy-rollouts/{}/detail", id.replace('/', "%2F")),
        ];
        for path in aliases {
            let detail = server.get(&path).ok();
            assert_eq!(detail["repository"]["repository_id"], "r-1", "{path}");
            assert_eq!(checks(&detail), wanted("pass", "warn"));
        }
        // Integrations count by category; those in use are shown.
        for (id, category, status) in [("gh", "source_control", "active"), ("s3", "storage", "disabled")] {
            let body = json!({"integration_id": id, "provider": "webhook", "category": category, "status": status});
            server.post("/integrations", &body).ok();
        }
        server.post("/policy-rollouts", &rollout(&json!({"coverage_percent": 80}))).ok();
        let detail = server.get(&format!("/policy-rollout-details/{id}")).ok();
        assert_eq!(detail["readiness"]["status"], "ready", "{detail}");
        let summary = &detail["integration_summary"];
        assert_eq!(keys(summary), ["active_or_configured", "by_category", "by_health", "total"]);
        assert_eq!(summary["by_category"], json!({"source_control": 1, "storage": 1}));
        assert_eq!(summary["by_health"].as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>(), 2);
        assert_eq!(summary["active_or_configured"], json!([server.get("/integrations/gh").ok()]));
        // An unknown pack is its id, with nothing in it; an id that ends in /detail is an id first.
        let unknown =
            json!({"rollout_id": "a/detail", "repository": "r", "policy_pack": "cavra-unknown", "policy_version": "9"});
        let stored = server.post("/policy-rollouts", &unknown).ok();
        assert_eq!(server.get("/policy-rollouts/a/detail").ok(), stored);
        let detail = server.get("/policy-rollouts/a/detail/detail").ok();
        let pack = &detail["policy_pack"];
        assert_eq!((&pack["title"], &pack["version"]), (&json!("cavra-unknown"), &json!("9")));
        assert!(pack["rule_summary"].as_object().unwrap().values().all(|count| *count == 0));
        assert_eq!(detail["activity_summary"]["total"], 0);
    });
}

/// A rollout governs decisions as soon as it is active, in the sessions it covers, and not a moment longer.
#[test]
fn rollouts_govern_decisions() {
    on_both(|backend| {
        let home = Home::new();
        let (name, value) = backend.setting(&home);
        let server = serve(&home, backend, &[(name, &value)]);
        let change = |changes: Value| {
            server.post("/policy-rollouts/apply-change", &json!({"rollout_id": "r", "changes": changes})).ok();
        };
        assert!(decide(&server, "s").get("rollout").is_none());
        change(
            json!({"repository": "pay/api", "policy_pack": BASELINE, "mode": "audit_only", "coverage_percent": 100}),
        );
        assert!(decide(&server, "s").get("rollout").is_none(), "planned is not active");
        change(json!({"state": "active"}));
        let audited = decide(&server, "s");
        // What would have happened is recorded; nothing is enforced.
        assert_eq!((&audited["decision"], &audited["effective_decision"]), (&json!("block"), &json!("audit_only")));
        assert_eq!(audited["mode"], "audit_only");
        let stored = server.get(&format!("/decisions/{}", string(&audited["decision_id"]))).ok();
        assert_eq!(stored["decision"], "block");
        assert_eq!(
            (&stored["rollout"]["rollout_id"], &stored["rollout"]["effective_decision"]),
            (&json!("r"), &json!("audit_only"))
        );
        assert!(string(&stored["rollout"]["mode_reason"]).contains("block"));
        let elsewhere = server.decide(
            &json!({"action_type": "read_file", "target": ".env", "repository": "other", "policy_pack": BASELINE}),
        );
        assert!(elsewhere.get("rollout").is_none());

        change(json!({"mode": "strict"}));
        let harmless =
            json!({"action_type": "read_file", "target": "a", "repository": "pay/api", "policy_pack": BASELINE});
        let strict = server.decide(&harmless);
        assert_eq!((&strict["decision"], &strict["effective_decision"]), (&json!("allow"), &json!("require_approval")));
        change(json!({"mode": "break_glass"}));
        assert_eq!(server.decide(&harmless)["effective_decision"], "block", "nobody takes responsibility");
        change(json!({"mode": "enforce"}));
        assert_eq!(decide(&server, "s")["effective_decision"], "block");
        // A second one can tighten, never loosen.
        let second = json!({"rollout_id": "loose", "repository": "pay/api", "policy_pack": BASELINE, "mode": "audit_only",
            "state": "active", "coverage_percent": 100});
        server.post("/policy-rollouts", &second).ok();
        assert_eq!(decide(&server, "s")["rollout"]["rollout_id"], "r");
        for state in ["paused", "retired", "planned"] {
            change(json!({"state": state}));
            assert_eq!(decide(&server, "s")["rollout"]["rollout_id"], "loose", "{state}");
        }
    });
}

/// Half of the sessions are half of the sessions, and each is in or out for good, whatever server decides.
#[test]
fn coverage_is_by_session_and_lasts() {
    let home = Home::new();
    let active = json!({"repository": "pay/api", "policy_pack": BASELINE, "mode": "audit_only", "state": "active", "coverage_percent": 50});
    let covered = |server: &Server| -> Vec<bool> {
        let mut connection = server.connect();
        (0..200)
            .map(|n| {
                let body = json!({"action_type": "read_file", "target": ".env", "session_id": format!("s{n}"),
                    "repository": "pay/api", "policy_pack": BASELINE});
                let record = connection.exchange("POST", "/decisions", body.to_string().as_bytes()).unwrap().ok();
                record.get("rollout").is_some()
            })
            .collect()
    };
    let server = serve(&home, Backend::Sqlite, &[]);
    server.post("/policy-rollouts", &active).ok();
    let half = covered(&server);
    let count = half.iter().filter(|covered| **covered).count();
    assert!((70..130).contains(&count), "{count} of 200");
    assert_eq!(covered(&server), half);
    drop(server);
    let server = serve(&home, Backend::Sqlite, &[]);
    assert_eq!(covered(&server), half, "after a restart");
    let id = format!("pay/api:{BASELINE}");
    server.post("/policy-rollouts/apply-change", &json!({"rollout_id": id, "coverage_percent": 75})).ok();
    let more = covered(&server);
    assert!(half.iter().zip(&more).all(|(before, after)| !before || *after), "nobody drops out");
    server.post("/policy-rollouts/apply-change", &json!({"rollout_id": id, "coverage_percent": 0})).ok();
    assert!(covered(&server).iter().all(|covered| !covered));
}

/// The hook obeys the rollouts of the place it runs in.
#[test]
fn the_hook_obeys_rollouts() {
    let home = Home::new();
    let hook = || {
        let event = json!({"session_id": "s", "cwd": home.at(""), "hook_event_name": "PreToolUse", "tool_name": "Read",
            "tool_input": {"file_path": home.at(".env")}});
        let output = home.cavra(&["hook", "claude-code"]).stdin(event.to_string()).run();
        let answer: Value = serde_json::from_str(&output.stdout).unwrap();
        answer["hookSpecificOutput"]["permissionDecision"].as_str().unwrap_or("none").to_owned()
    };
    assert_eq!(hook(), "deny");
    let stored = home.json(".cavra/api/activity.json")["decisions"][0].clone();
    let server = home.serve(&[]);
    let body = json!({"repository": stored["repository"], "policy_pack": stored["policy_pack"], "mode": "audit_only",
        "state": "active", "coverage_percent": 100});
    server.post("/policy-rollouts", &body).ok();
    assert_eq!(hook(), "none", "what is only recorded is no permission");
    let stored = home.json(".cavra/api/activity.json");
    let audited =
        stored["decisions"].as_array().unwrap().iter().find(|record| record.get("rollout").is_some()).unwrap();
    assert_eq!(
        (&audited["decision"], &audited["rollout"]["effective_decision"]),
        (&json!("block"), &json!("audit_only"))
    );
}
