//! Policy authoring: drafts, plans, requests, publication. docs/reference/approvals-identity-authoring.md, section 4.

use serde_json::{Value, json};

use super::approvals::string;
use crate::support::{BASELINE, Backend, Home, Server, assert_timestamp, canonical, keys, on_both, sha256};

/// A server that publishes into `packs`.
pub fn serve(home: &Home, backend: Backend, more: &[(&str, &str)]) -> Server {
    let (name, value) = home.packs();
    super::approvals::serve(home, backend, &[&[(name, value.as_str())], more].concat())
}

pub fn draft() -> Value {
    json!({
        "id": "cavra-mine", "title": "Mine", "description": "Für uns", "version": "2.0",
        "filesystem": {"block_read": ["secret/*"], "block_write": ["b", "a"]}, "git": {"require_pull_request": true},
    })
}

/// The policy the draft amounts to.
pub fn policy() -> Value {
    json!({
        "metadata": {"id": "cavra-mine", "title": "Mine", "description": "Für uns", "version": "2.0"},
        "filesystem": {"block_read": ["secret/*"], "block_write": ["b", "a"]}, "git": {"require_pull_request": true},
    })
}

/// The draft with further members.
pub fn with(members: &Value) -> Value {
    let mut changed = draft();
    changed.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    changed
}

pub fn digest(policy: &Value) -> String {
    sha256(canonical(policy))
}

/// Has a draft approved; the approval's id.
#[track_caller]
pub fn approved(server: &Server, draft: &Value) -> String {
    let asked = server.post("/policy-packs/publish-request", &json!({"draft": draft})).ok();
    let id = string(&asked["approval"]["approval_id"]);
    server.post(&format!("/approvals/{id}/approve"), &json!({"actor": "ann", "reason": "fine"})).ok();
    id
}

#[track_caller]
pub fn publish(server: &Server, draft: &Value) -> Value {
    let id = approved(server, draft);
    server.post("/policy-packs/publish", &json!({"draft": draft, "approval_id": id})).ok()
}

#[test]
fn a_draft_is_shown_as_the_policy_it_is() {
    let home = Home::new();
    let server = serve(&home, Backend::Json, &[]);
    let answer = server.post("/policy-packs/draft", &draft()).ok();
    assert_eq!(
        keys(&answer),
        ["errors", "operator_notes", "policy_pack", "product", "schema_version", "summary", "valid", "warnings"]
    );
    for (member, wanted) in [
        ("schema_version", json!("cavra.policy_pack.draft.v1")),
        ("product", json!("CAVRA")),
        ("valid", json!(true)),
        ("errors", json!([])),
        ("policy_pack", policy()),
    ] {
        assert_eq!(answer[member], wanted, "{member}");
    }
    let counts =
        json!({"filesystem": 3, "commands": 0, "git": 1, "mcp": 0, "approvals": 0, "evidence": 0, "compliance": 0});
    let summary = json!({"policy_id": "cavra-mine", "title": "Mine", "version": "2.0", "inherits": null,
        "mode": "enforce", "rule_counts": counts});
    assert_eq!(answer["summary"], summary);
    assert!(answer["operator_notes"].as_array().unwrap().iter().all(Value::is_string));

    // Members in `metadata` count first; texts are made of scalars; the version is today's date.
    let nested = json!({"id": "other", "metadata": {"id": "cavra-mine", "title": 7, "description": true, "mode": "",
        "inherits": [BASELINE]}, "commands": {}});
    let answer = server.post("/policy-packs/draft", &nested).ok();
    let metadata = &answer["policy_pack"]["metadata"];
    assert_eq!((&metadata["title"], &metadata["description"]), (&json!("7"), &json!("true")));
    assert_eq!(metadata["inherits"], json!([BASELINE]));
    assert!(metadata.get("mode").is_none());
    let version = string(&metadata["version"]);
    assert!(version.len() == 10 && version.chars().filter(|c| *c == '.').count() == 2, "{version}");
    assert!(!home.exists("packs"), "a draft writes nothing");
}

#[test]
fn what_is_wrong_with_a_draft_is_told() {
    let server = serve(&Home::new(), Backend::Json, &[]);
    for (change, path) in [
        (json!({"id": "mine"}), "metadata.id:"),
        (json!({"id": "cavra-../../etc"}), "metadata.id:"),
        (json!({"mode": "strict"}), "metadata.mode:"),
        (json!({"inherits": ["a", "a"]}), "metadata.inherits:"),
        (json!({"filesystem": {"block_reads": []}}), "filesystem:"),
        (json!({"filesystem": {"block_read": ["a", "a"]}}), "filesystem.block_read:"),
        (json!({"filesystem": {"block_read": [""]}}), "filesystem.block_read.0:"),
        (json!({"commands": {"allow": "ls"}}), "commands.allow:"),
        (json!({"git": {"require_pull_request": "yes"}}), "git.require_pull_request:"),
        (json!({"mcp": {"risk_scoring": {"x": "huge"}}}), "mcp.risk_scoring.x:"),
        (json!({"compliance": {"maps_to": "all"}}), "compliance.maps_to:"),
        // Nothing vanishes from a security policy.
        (json!({"approvals": ["everybody"]}), "approvals:"),
        (json!({"file_system": {"block_read": ["x"]}}), "file_system:"),
        (json!({"metadata": {"owner": "me"}}), "metadata.owner:"),
    ] {
        for endpoint in ["draft", "publish-plan"] {
            let answer = server.post(&format!("/policy-packs/{endpoint}"), &with(&change)).ok();
            assert_eq!(answer["valid"], false, "{endpoint} {change}");
            let errors: Vec<_> = answer["errors"].as_array().unwrap().iter().map(string).collect();
            assert!(errors.iter().any(|error| error.starts_with(path)), "{change}: {errors:?}");
            assert!(errors.is_sorted(), "{errors:?}");
        }
        let refused = server.post("/policy-packs/publish-request", &with(&change)).refused(&[400]);
        assert!(string(&refused).contains(path.trim_end_matches(':')), "{refused}");
    }
    for member in ["id", "title", "description"] {
        for value in [json!(null), json!(""), json!([])] {
            for endpoint in ["draft", "publish-plan", "publish-request"] {
                let mut draft = draft();
                draft[member] = value.clone();
                server.post(&format!("/policy-packs/{endpoint}"), &draft).refused(&[400]);
            }
        }
    }
    for endpoint in ["draft", "publish-plan", "publish-request", "publish"] {
        for body in ["", "[]", "3", "\"x\"", "{"] {
            server.request("POST", &format!("/policy-packs/{endpoint}"), body.as_bytes()).refused(&[400, 422]);
        }
        let large = with(&json!({"evidence": {"note": "x".repeat(1_100_000)}}));
        server.post(&format!("/policy-packs/{endpoint}"), &large).refused(&[413]);
    }
    for wrong in [
        json!({"draft": 5}),
        json!({"draft": draft(), "backtest": "yes"}),
        json!({"draft": draft(), "backtest": {"days": "x"}}),
    ] {
        server.post("/policy-packs/publish-plan", &wrong).refused(&[400]);
    }
    for wrong in [
        json!({"ttl_hours": "soon"}),
        json!({"requested_by": {}}),
        json!({"approver_group": 1}),
        json!({"repository": []}),
    ] {
        server.post("/policy-packs/publish-request", &with(&wrong)).refused(&[400]);
    }
    assert_eq!(server.total("/approvals"), 0);
}

/// What a draft says in vain is told by all who look at it, and keeps nobody from publishing it.
#[test]
fn what_no_engine_reads_is_told() {
    let home = Home::new();
    let server = serve(&home, Backend::Json, &[]);
    let vain = with(&json!({
        "git": {"block_push_branch": ["production"]}, "mcp": {"commands": {"block": ["x"]}}, "x-note": [" a"],
        "filesystem": {"block_read": [" .env", "“*.pem”", "secrets/"]},
    }));
    for endpoint in ["draft", "publish-plan"] {
        let answer = server.post(&format!("/policy-packs/{endpoint}"), &vain).ok();
        assert_eq!((&answer["valid"], &answer["errors"]), (&json!(true), &json!([])), "{answer}");
        let warnings: Vec<_> = answer["warnings"].as_array().unwrap().iter().map(string).collect();
        for (path, word) in [
            ("filesystem.block_read.0: ", "`.env`"),
            ("filesystem.block_read.1: ", "U+201C"),
            ("filesystem.block_read.2: ", "`secrets/*`"),
            ("git.block_push_branch: ", "`block_push_branches`"),
            ("mcp.commands: ", "`commands`"),
        ] {
            assert!(warnings.iter().any(|line| line.starts_with(path) && line.contains(word)), "{path}: {warnings:?}");
        }
        assert_eq!(warnings.len(), 5, "{warnings:?}");
    }
    for (section, meant) in [("filesytem", "filesystem"), ("Comands", "commands"), ("inherit", "inherits")] {
        let answer = server.post("/policy-packs/draft", &with(&json!({ section: {} }))).ok();
        let errors = answer["errors"].to_string();
        assert!(answer["valid"] == false && errors.contains(&format!("did you mean `{meant}`")), "{errors}");
    }
    assert_eq!(server.post("/policy-packs/draft", &draft()).ok()["warnings"], json!([]));
    publish(&server, &vain);
    server.decide_on("read_file", "x", "cavra-mine");
    let said = server.log().lines().filter(|line| line.contains("block_push_branch")).count();
    assert_eq!(said, 1, "{}", server.log());
}

#[test]
fn plans_name_the_change_and_its_risk() {
    let home = Home::new();
    let server = serve(&home, Backend::Json, &[]);
    let plan = |body: &Value| server.post("/policy-packs/publish-plan", body).ok();
    let created = plan(&draft());
    for (member, wanted) in [
        ("schema_version", json!("cavra.policy_pack.publish_plan.v1")),
        ("product", json!("CAVRA")),
        ("operation", json!("create")),
        ("valid", json!(true)),
        ("errors", json!([])),
        ("approval_required", json!(true)),
        ("risk", json!("high")),
        ("policy_id", json!("cavra-mine")),
        ("policy_digest", json!(digest(&policy()))),
        ("target_path", json!("policies/cavra-mine/policy.yaml")),
        ("diff", json!({"added": [], "removed": [], "changed": []})),
    ] {
        assert_eq!(created[member], wanted, "{member}");
    }
    assert_timestamp(created["generated_at"].as_str().unwrap());
    assert!(!home.exists("packs"), "a plan writes nothing");
    publish(&server, &draft());
    let fs = |lists: Value| json!({"filesystem": lists});
    let base = json!(["secret/*"]);
    for (change, risk, added, removed, changed) in [
        (json!({}), "low", vec![], vec![], vec![]),
        // The order of a list of texts means nothing.
        (fs(json!({"block_read": base, "block_write": ["a", "b"]})), "low", vec![], vec![], vec![]),
        (
            fs(json!({"block_read": base, "block_write": ["a"]})),
            "medium",
            vec![],
            vec![],
            vec!["filesystem.block_write"],
        ),
        (json!({"commands": {"allow": ["ls"]}}), "medium", vec!["commands.allow"], vec![], vec![]),
        (json!({"commands": {}}), "low", vec![], vec![], vec![]),
        (json!({"version": "3"}), "medium", vec![], vec![], vec!["metadata.version"]),
        (json!({"git": {"require_pull_request": false}}), "high", vec![], vec![], vec!["git.require_pull_request"]),
        (json!({"evidence": {"x": {"y": 1}}}), "high", vec!["evidence.x.y"], vec![], vec![]),
        (json!({"approvals": {"z": 1, "a": []}}), "high", vec!["approvals.a", "approvals.z"], vec![], vec![]),
        (json!({"mcp": {"allowed_servers": ["x"]}}), "high", vec!["mcp.allowed_servers"], vec![], vec![]),
        (json!({"compliance": {"maps_to": ["c"]}}), "high", vec!["compliance.maps_to"], vec![], vec![]),
        (json!({"git": {"other": 1}}), "critical", vec!["git.other"], vec!["git.require_pull_request"], vec![]),
        (fs(json!({"block_read": base})), "critical", vec![], vec!["filesystem.block_write"], vec![]),
    ] {
        let plan = plan(&json!({"draft": with(&change)}));
        assert_eq!((&plan["operation"], &plan["risk"]), (&json!("update"), &json!(risk)), "{change}");
        assert_eq!(plan["diff"], json!({"added": added, "removed": removed, "changed": changed}), "{change}");
    }
    // A shipped pack is installed too; its text is compared as it is written.
    let shipped = plan(&with(&json!({"id": BASELINE})));
    assert_eq!((&shipped["operation"], &shipped["risk"]), (&json!("update"), &json!("critical")));
    // An id no pack can have is never looked up.
    home.write("outside/policy.yaml", "metadata: {id: x}\n");
    let outside = plan(&with(&json!({"id": "../outside"})));
    assert_eq!((&outside["operation"], &outside["valid"]), (&json!("create"), &json!(false)));
}

#[test]
fn plans_say_what_past_decisions_would_have_become() {
    on_both(|backend| {
        let home = Home::new();
        let (name, value) = backend.setting(&home);
        let server = serve(&home, backend, &[(name, &value)]);
        publish(&server, &draft());
        let decide = |agent: &str, target: &str| {
            server.decide(&json!({"action_type": "read_file", "target": target, "policy_pack": "cavra-mine",
                "agent_id": agent, "repository": "pay"}))
        };
        for agent in ["one", "one", "two"] {
            assert_eq!(decide(agent, "secret/key")["decision"], "block");
            assert_eq!(decide(agent, "open/text")["decision"], "allow");
        }
        server.decide_on("read_file", "open/text", BASELINE);
        let changed = with(&json!({"filesystem": {"block_read": ["open/*"], "block_write": ["a", "b"]}}));
        let plan = server.post("/policy-packs/publish-plan", &changed).ok();
        let backtest = &plan["backtest"];
        for (member, wanted) in [
            ("schema_version", json!("cavra.policy_backtest.v1")),
            ("policy_pack", json!("cavra-mine")),
            ("decided", json!(6)),
            ("changed", json!(6)),
            ("truncated", json!(false)),
            ("transitions", json!({"allow->block": 3, "block->allow": 3})),
            ("agents", json!([{"name": "one", "changed": 4}, {"name": "two", "changed": 2}])),
            ("repositories", json!([{"name": "pay", "changed": 6}])),
        ] {
            assert_eq!(backtest[member], wanted, "{member}: {backtest}");
        }
        assert_eq!(backtest["examples"].as_array().unwrap().len(), 6);
        assert_eq!(backtest["examples"][0]["after"], "block");
        assert_eq!(server.post("/policy-packs/publish-plan", &draft()).ok()["backtest"]["changed"], 0);
        let without = server.post("/policy-packs/publish-plan", &with(&json!({"backtest": false}))).ok();
        assert_eq!(without["backtest"], Value::Null);
        // A new pack is tried on everything; the approvers see the figures.
        let asked = server.post("/policy-packs/publish-request", &with(&json!({"id": "cavra-new"}))).ok();
        assert_eq!(asked["approval"]["decision"]["backtest"]["decided"], 7);
        assert_eq!(server.total("/decisions"), 7, "trying stores nothing");
    });
}

#[test]
fn a_request_is_bound_to_the_draft() {
    on_both(|backend| {
        let home = Home::new();
        let server = serve(&home, backend, &[]);
        let short = digest(&policy())["sha256:".len()..][..12].to_owned();
        let asked = server.post("/policy-packs/publish-request", &draft()).ok();
        assert_eq!(keys(&asked), ["approval", "plan", "product", "schema_version"]);
        assert_eq!(asked["schema_version"], "cavra.policy_pack.publish_request.v1");
        assert_eq!(asked["plan"]["policy_digest"], digest(&policy()));
        let approval = &asked["approval"];
        let console = json!("policy-authoring-console");
        assert_eq!((&approval["state"], &approval["requested_by"]), (&json!("pending"), &console));
        assert_eq!(approval["approver_group"], "Platform Security");
        let decision = &approval["decision"];
        for (member, wanted) in [
            ("decision_id", json!(format!("policy_publish:cavra-mine:{short}"))),
            ("session_id", json!("policy-authoring")),
            ("agent_id", console.clone()),
            ("actor", console),
            ("repository", json!("policy-catalog")),
            ("action_type", json!("policy_publish")),
            ("target", json!("policies/cavra-mine/policy.yaml")),
            ("decision", json!("require_approval")),
            ("severity", json!("high")),
            ("policy_pack", json!("cavra-mine")),
            ("policy_id", json!("cavra-mine")),
            ("rule_id", json!("policy.publish.requires_approval")),
            ("approver_group", json!("Platform Security")),
            ("policy_digest", json!(digest(&policy()))),
            ("operation", json!("create")),
            ("replaces_digest", json!("none")),
            ("evidence_refs", json!([format!("policy-draft://cavra-mine/{short}")])),
        ] {
            assert_eq!(decision[member], wanted, "{member}");
        }
        let id = string(&approval["approval_id"]);
        assert_eq!(server.get(&format!("/approvals/{id}")).ok(), *approval);
        // Routing has no say; what is asked for has.
        let body = json!({"draft": draft(), "requested_by": "bob", "approver_group": "IAM", "repository": "pay", "ttl_hours": -3});
        let asked = server.post("/policy-packs/publish-request", &body).ok();
        let approval = &asked["approval"];
        assert_eq!((&approval["requested_by"], &approval["approver_group"]), (&json!("bob"), &json!("IAM")));
        assert_eq!(
            (&approval["decision"]["repository"], &approval["decision"]["actor"]),
            (&json!("pay"), &json!("bob"))
        );
        assert!(!home.exists("packs"));
    });
}
