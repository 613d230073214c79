//! The sandbox over HTTP. docs/reference/decisions-and-policy.md, section 9.

use serde_json::{Value, json};

use crate::evidence::serve;
use crate::support::{BASELINE, Backend, Home, Server, assert_timestamp, on_both, text};

#[track_caller]
fn run(server: &Server, body: &Value) -> Value {
    server.post("/api/sandbox/run", body).ok()
}

fn outcomes(run: &Value) -> Vec<&str> {
    run["events"].as_array().unwrap().iter().map(|event| text(event, "decision")).collect()
}

#[test]
fn scenarios_are_offered() {
    let server = serve(&Home::new(), Backend::Json, &[]);
    let scenarios = server.get("/api/sandbox/scenarios").ok();
    let [scenario] = scenarios.as_array().unwrap().as_slice() else { panic!("{scenarios}") };
    assert_eq!(text(scenario, "id"), "before-the-agent-acts");
    assert_eq!(text(scenario, "default_policy_pack"), BASELINE);
    assert_eq!(scenario["personas"], json!(["Developer", "CISO", "Platform Engineer", "Auditor"]));
    assert_eq!(scenario["policy_modes"], json!(["enforce", "audit_only", "strict"]));
    assert!(!text(scenario, "title").is_empty() && !text(scenario, "description").is_empty());
    let endpoints = server.get("/console/config").ok()["endpoints"].clone();
    assert_eq!(endpoints["sandbox_scenarios"], "/api/sandbox/scenarios");
    assert_eq!(endpoints["sandbox_run"], "/api/sandbox/run");
}

#[test]
fn a_run_is_decided_and_kept() {
    on_both(|backend| {
        let home = Home::new();
        let server = serve(&home, backend, &[]);
        let run = server.request("POST", "/api/sandbox/run", b"").ok();
        let id = text(&run, "run_id").to_owned();
        assert!(
            id.len() == 14 && id.starts_with("run_") && id[4..].bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
            "{id}"
        );
        for (member, wanted) in [
            ("schema_version", json!("cavra.sandbox.run.v1")),
            ("product", json!("CAVRA")),
            ("scenario", json!("before-the-agent-acts")),
            ("persona", json!("Developer")),
            ("policy_mode", json!("enforce")),
            ("policy_pack", json!(BASELINE)),
            ("decision_count", json!(7)),
            ("blocked_count", json!(4)),
            ("approval_required_count", json!(1)),
            ("source", json!("cavra-api")),
        ] {
            assert_eq!(run[member], wanted, "{member}");
        }
        assert_timestamp(text(&run, "created_at"));
        assert_eq!(
            outcomes(&run),
            ["block", "require_approval", "allow", "block", "block", "block", "allow_with_attestation"]
        );
        for (index, event) in run["events"].as_array().unwrap().iter().enumerate() {
            assert_eq!(text(event, "event_id"), format!("evt_{}", index + 1));
            assert_eq!((text(event, "session_id"), text(event, "agent_id")), (id.as_str(), "sandbox-agent"));
            assert_eq!(text(event, "actor"), "simulated-ai-agent");
            assert_eq!(text(event, "repository"), "sandbox/before-the-agent-acts");
            assert_eq!(event["evidence_refs"], json!([format!("evidence://{id}/{}", text(event, "decision_id"))]));
            assert_eq!(event["evidence_generated"], event["evidence_refs"]);
            assert_eq!(event["effective_decision"], event["decision"]);
            for member in ["agent", "business_impact", "remediation"] {
                assert!(!text(event, member).is_empty(), "{member}");
            }
        }
        assert!(text(&run["events"][4], "target").contains("unknown filesystem MCP server"));
        for (artifact, name, kind, media) in [
            (0, "evidence.json", "evidence", "application/json"),
            (1, "pr-attestation.md", "attestation", "text/markdown"),
            (2, "compliance-mapping.md", "compliance", "text/markdown"),
        ] {
            assert_eq!(
                run["artifacts"][artifact],
                json!({"artifact": name, "kind": kind, "media_type": media, "download_url": format!("/api/sandbox/runs/{id}/{kind}")})
            );
        }

        let metadata = server.get(&format!("/evidence/{id}")).ok();
        assert_eq!((text(&metadata, "signer"), &metadata["artifact_count"]), ("sandbox-api", &json!(3)));
        assert_eq!(metadata["decisions"], run["events"]);
        assert_eq!(metadata["retention"], json!({"retention_days": 30}));
        assert_eq!(metadata["attestation_targets"].as_array().unwrap().len(), 7);
        let session = server.get(&format!("/sessions/{id}")).ok();
        assert_eq!(
            (text(&session, "state"), &session["decision_count"], &session["blocked_count"]),
            ("completed", &json!(7), &json!(4))
        );
        assert_eq!(session["evidence_refs"][0], format!("sandbox://runs/{id}"));
        assert_eq!(server.total(&format!("/decisions?session_id={id}")), 7);
        // Every decision has its leaf in the evidence log.
        let decision = text(&run["events"][6], "decision_id");
        assert_eq!(server.get(&format!("/log/activity/proof/{decision}")).status, 200);
        // What the server wrote, no client rewrites.
        server.post("/evidence", &json!({"session_id": id})).refused(&[409]);

        let documents = |server: &Server| {
            let get = |tail: &str| server.get(&format!("/api/sandbox/runs/{id}{tail}"));
            assert_eq!(get("").ok(), run);
            assert_eq!(get("/events").ok(), run["events"]);
            assert_eq!(get("/evidence").ok(), json!({"product": "CAVRA", "run": run}));
            let attestation = get("/attestation");
            assert!(attestation.header("content-type").unwrap().starts_with("text/markdown"));
            let lines = ["# CAVRA PR Attestation", &id, "Blocked actions: 4", "Approval-required actions: 1"];
            assert!(lines.iter().all(|line| attestation.text().contains(line)), "{}", attestation.text());
            let compliance = get("/compliance");
            let lines = ["# CAVRA Compliance Mapping", &id, "Secret exposure prevention", "Human oversight"];
            assert!(lines.iter().all(|line| compliance.text().contains(line)), "{}", compliance.text());
            assert!(compliance.text().contains("filesystem"), "derived from the events: {}", compliance.text());
        };
        documents(&server);
        server.kill();
        documents(&serve(&home, backend, &[]));
    });
}

#[test]
fn a_mode_changes_what_is_effective_not_what_is_decided() {
    let server = serve(&Home::new(), Backend::Json, &[]);
    for (mode, shown, third) in [
        ("audit-only", "audit_only", "audit_only"),
        ("Strict regulated repository", "strict", "require_approval"),
        ("ENFORCE", "enforce", "allow"),
    ] {
        let run = run(&server, &json!({"policy_mode": mode, "persona": "CISO", "scenario": "before-the-agent-acts"}));
        assert_eq!((text(&run, "policy_mode"), text(&run, "persona")), (shown, "CISO"));
        assert_eq!((&run["blocked_count"], &run["approval_required_count"]), (&json!(4), &json!(1)));
        assert_eq!(text(&run["events"][2], "effective_decision"), third);
    }
}

/// The compliance document cites the controls of the pack that decided.
#[test]
fn controls_come_from_the_pack() {
    let server = serve(&Home::new(), Backend::Json, &[]);
    let run = run(&server, &json!({"policy_pack": "cavra-cloud-iam"}));
    assert_eq!(text(&run, "policy_pack"), "cavra-cloud-iam");
    let compliance = server.get(&format!("/api/sandbox/runs/{}/compliance", text(&run, "run_id")));
    let control = "NIST SP 800-53 AC-6 least privilege";
    assert!(
        compliance.text().contains(&format!("## Controls of `cavra-cloud-iam`\n\n- {control}\n")),
        "{}",
        compliance.text()
    );
}

#[test]
fn what_is_refused_leaves_nothing() {
    on_both(|backend| {
        let server = serve(&Home::new(), backend, &[]);
        for body in [
            json!({"scenario": "other"}),
            json!({"scenario": 1}),
            json!({"unknown": true}),
            json!({"persona": {}}),
            json!({"policy_mode": "loose"}),
            json!({"policy_mode": 3}),
            json!({"policy_pack": "no-such-pack"}),
            json!({"policy_pack": "../../etc"}),
            json!({"policy_pack": []}),
        ] {
            server.post("/api/sandbox/run", &body).refused(&[400, 404, 422]);
        }
        for body in ["[]", "nonsense", "null", "7"] {
            server.request("POST", "/api/sandbox/run", body.as_bytes()).refused(&[422]);
        }
        for list in ["/evidence", "/sessions", "/decisions"] {
            assert_eq!(server.total(list), 0, "{list}");
        }
        // A client's record is no run, whatever it says.
        server
            .post("/evidence", &json!({"session_id": "run_0123456789", "signer": "sandbox-api", "decisions": []}))
            .ok();
        for id in ["run_0123456789", "none"] {
            for tail in ["", "/events", "/evidence", "/attestation", "/compliance"] {
                assert_eq!(
                    server.get(&format!("/api/sandbox/runs/{id}{tail}")).refused(&[404]),
                    "sandbox run not found"
                );
            }
        }
    });
}

#[test]
fn runs_are_played_again_and_counted() {
    let server = serve(&Home::new(), Backend::Sqlite, &[]);
    assert_eq!(server.get("/api/sandbox/metrics").ok()["total_runs"], 0);
    let first = run(&server, &json!({"policy_mode": "strict", "persona": "Auditor"}));
    let path = format!("/api/sandbox/runs/{}/replay", text(&first, "run_id"));
    let again = server.request("POST", &path, b"").ok();
    assert_ne!(again["run_id"], first["run_id"]);
    for member in ["policy_mode", "persona", "policy_pack", "blocked_count"] {
        assert_eq!(again[member], first[member], "{member}");
    }
    server.request("POST", "/api/sandbox/runs/none/replay", b"").refused(&[404]);
    let metrics = server.get("/api/sandbox/metrics").ok();
    for (member, wanted) in
        [("total_runs", 2), ("total_decisions", 14), ("blocked_actions", 8), ("approval_required_actions", 2)]
    {
        assert_eq!(metrics[member], wanted, "{member}");
    }
    assert_eq!((text(&metrics, "tracking"), text(&metrics, "telemetry")), ("none", "disabled"));
}
