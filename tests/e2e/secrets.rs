//! Whatever text of a request a secret is in, it comes to rest nowhere: not in a store, a log or an answer.

use std::cell::Cell;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::approvals::{serve, string};
use super::authoring::{approved, draft};
use crate::support::{Backend, Home, Server};

/// One kind of request: what it takes so that it is carried out, made anew each time.
struct Kind {
    template: &'static str,
    make: fn(&Server) -> (String, Value),
}

fn pending(server: &Server) -> String {
    let decision = json!({"decision_id": "dec_x", "action_type": "execute_command", "requested_operation": "make", "target": "make",
        "approver_group": "IAM", "session_id": "s"});
    string(&server.post("/approvals", &json!({"decision": decision})).ok()["approval_id"])
}

fn ruling(server: &Server, verb: &str) -> (String, Value) {
    let body = json!({"actor": "ann", "reason": "because", "external_ref": "CHG-1"});
    (format!("/approvals/{}/{verb}", pending(server)), body)
}

fn decision() -> Value {
    json!({"decision_id": "dec_y", "session_id": "s", "agent_id": "a", "actor": "b", "repository": "r", "reason": "why",
        "action_type": "execute_command", "requested_operation": "make", "target": "make", "approver_group": "IAM",
        "correlation_id": "c", "policy_pack": "p", "evidence_refs": ["e"], "more": {"deep": ["x"]}})
}

fn policy() -> Value {
    let mut policy = draft();
    policy["commands"] = json!({"block": ["terraform *"], "allow": ["ls"]});
    policy["x-note"] = json!({"about": "us"});
    policy["evidence"] = json!({"keep": ["all"]});
    policy
}

/// Every request that takes a body.
static KINDS: &[Kind] = &[
    Kind {
        template: "/decisions",
        make: |_| {
            let body = json!({"action_type": "execute_command", "target": "make it", "session_id": "s", "agent_id": "a",
                "actor": "b", "repository": "r", "correlation_id": "c", "operation": "o"});
            ("/decisions".to_owned(), body)
        },
    },
    Kind {
        template: "/sessions",
        make: |_| {
            let body = json!({"session_id": "s", "agent_id": "a", "actor": "b", "repository": "r", "evidence_refs": ["e"],
                "policy_pack": "p"});
            ("/sessions".to_owned(), body)
        },
    },
    Kind {
        template: "/evidence",
        make: |_| {
            let body = json!({"session_id": "e", "signer": "me", "reason": "why", "decisions": [{"target": "x", "reason": "y"}],
                "retention": {"note": "z"}, "policy_digest": "sha256:00"});
            ("/evidence".to_owned(), body)
        },
    },
    Kind {
        template: "/repositories",
        make: |_| {
            let body = json!({"repository_id": "r", "repository": "r", "owner": "o", "business_unit": "b", "risk_tier": "t",
                "protected_branches": ["main"], "evidence_refs": ["e"], "tenant_id": "t"});
            ("/repositories".to_owned(), body)
        },
    },
    Kind {
        template: "/agents",
        make: |_| {
            let body = json!({"agent_id": "a", "name": "n", "owner": "o", "vendor": "v", "evidence_refs": ["e"]});
            ("/agents".to_owned(), body)
        },
    },
    Kind {
        template: "/mcp/servers",
        make: |_| {
            let body = json!({"server_id": "m", "name": "m", "owner": "o", "allowed_tools": ["t"], "capabilities": ["c"],
                "evidence_refs": ["e"]});
            ("/mcp/servers".to_owned(), body)
        },
    },
    Kind {
        template: "/policy-rollouts",
        make: |_| {
            let body = json!({"rollout_id": "x", "repository": "r", "policy_pack": "p", "policy_version": "1", "owner": "o",
                "evidence_refs": ["e"]});
            ("/policy-rollouts".to_owned(), body)
        },
    },
    Kind {
        template: "/policy-rollouts/change-plan",
        make: |_| {
            let body = json!({"rollout_id": "x", "changes": {"repository": "r", "policy_pack": "p", "owner": "o"}});
            ("/policy-rollouts/change-plan".to_owned(), body)
        },
    },
    Kind {
        template: "/policy-rollouts/apply-change",
        make: |_| {
            let body = json!({"rollout_id": "x", "changes": {"repository": "r", "policy_pack": "p", "owner": "o"}});
            ("/policy-rollouts/apply-change".to_owned(), body)
        },
    },
    Kind {
        template: "/approvals",
        make: |_| ("/approvals".to_owned(), json!({"decision": decision(), "requested_by": "ann"})),
    },
    Kind {
        template: "/approvals/break-glass",
        make: |_| {
            let body = json!({"decision": decision(), "actor": "ann", "reason": "fire", "external_ref": "INC-1"});
            ("/approvals/break-glass".to_owned(), body)
        },
    },
    Kind { template: "/approvals/{approval_id}/approve", make: |server| ruling(server, "approve") },
    Kind {
        template: "/approvals/{approval_id}/deliver",
        make: |server| (format!("/approvals/{}/deliver", pending(server)), json!({"provider": "slack"})),
    },
    Kind { template: "/approvals/{approval_id}/deny", make: |server| ruling(server, "deny") },
    Kind { template: "/approvals/{approval_id}/expire", make: |server| ruling(server, "expire") },
    Kind {
        template: "/approvals/{approval_id}/attach-decision",
        make: |server| {
            let mut decision = decision();
            decision["decision_id"] = json!("dec_x");
            (format!("/approvals/{}/attach-decision", pending(server)), decision)
        },
    },
    Kind { template: "/policy-packs/draft", make: |_| ("/policy-packs/draft".to_owned(), policy()) },
    Kind {
        template: "/policy-packs/publish-plan",
        make: |_| ("/policy-packs/publish-plan".to_owned(), json!({"draft": policy(), "backtest": false})),
    },
    Kind {
        template: "/policy-packs/publish-request",
        make: |_| {
            let body = json!({"draft": policy(), "requested_by": "ann", "approver_group": "IAM", "repository": "r", "backtest": false});
            ("/policy-packs/publish-request".to_owned(), body)
        },
    },
    Kind {
        template: "/policy-packs/publish",
        make: |server| {
            let body = json!({"draft": policy(), "approval_id": approved(server, &policy()), "actor": "ann", "signer": "desk"});
            ("/policy-packs/publish".to_owned(), body)
        },
    },
    Kind {
        template: "/api/sandbox/run",
        make: |_| ("/api/sandbox/run".to_owned(), json!({"persona": "Developer", "policy_mode": "enforce"})),
    },
    Kind {
        template: "/evidence/{session_id}/promotion-request",
        make: |_| {
            let body = json!({"requested_by": "ann", "signer": "me", "target_ring": "broad", "approver_group": "IAM"});
            ("/evidence/none/promotion-request".to_owned(), body)
        },
    },
    Kind {
        template: "/evidence/{session_id}/promotion-execution",
        make: |_| {
            let body = json!({"request": {"rollout_id": "none", "note": "n"}, "approval_id": "a", "executed_by": "ann", "notes": "n"});
            ("/evidence/none/promotion-execution".to_owned(), body)
        },
    },
    Kind {
        template: "/promotion-executions/{execution_id}/rollback-execution",
        make: |_| {
            let body = json!({"approval_id": "a", "executed_by": "ann", "notes": "n", "rollback_reason": "r"});
            ("/promotion-executions/none/rollback-execution".to_owned(), body)
        },
    },
];

/// Texts of the requests of one kind.
type Body = fn() -> Value;

fn notification() -> Value {
    json!({"generated_by": "ann", "provider": "slack", "notes": "n", "external_ref": "CHG-1", "plan_id": "p", "reviewed_by": "r",
        "acknowledged_by": "a", "acknowledgement_state": "acknowledged", "review_state": "accepted", "owner": "o",
        "routing_policy": {"rules": [{"name": "n", "owners": ["o"]}]}, "items": [{"provider": "slack", "notes": "n"}]})
}

fn delivery() -> Value {
    json!({"provider": "splunk", "event": {"event_type": "t", "title": "t", "deep": ["d"]}, "generated_by": "g"})
}

fn inventory() -> Value {
    let endpoint =
        json!({"endpoint_id": "e", "deployment_target": "t", "hostname": "h", "installed_version": "1", "os": "o"});
    json!({"provider": "linux", "channel": "c", "source": "s", "inventory": {"endpoints": [endpoint], "channel": "c"}})
}

fn reconciliation() -> Value {
    json!({"requested_by": "ann", "strategy": "mixed", "approver_group": "g", "target_scope": "t", "package_dir": "p",
        "manifest": {"schema_version": "cavra.go-runtime.endpoint-deployment.v1", "version": "1", "commit": "c",
            "targets": [{"id": "t", "binary": "b"}]},
        "inventory": {"schema_version": "cavra.endpoint-observations.v1", "endpoints": [{"endpoint_id": "e", "hostname": "h"}]}})
}

fn remediation() -> Value {
    json!({"requested_by": "ann", "executed_by": "bob", "recorded_by": "eve", "strategy": "mixed", "approver_group": "g",
        "approval_id": "a", "execution_environment": "e", "notes": "n", "provider": "jira", "delivery_mode": "d", "status": "queued",
        "external_ref": "r", "external_url": "https://a.example/b", "request_note": "n"})
}

fn integration() -> Value {
    json!({"integration_id": "i", "name": "n", "provider": "webhook", "category": "c", "owner": "o", "environment": "e",
        "endpoint_ref": "r", "auth_mode": "a", "capabilities": ["c"], "event_types": ["t"], "repositories": ["r"],
        "evidence_refs": ["e"]})
}

/// Requests about something that need not be there, and what they may hold.
static REPORTS: &[(&str, Body)] = &[
    ("/standing-alert-reminders/{recurrence_plan_id}/deliver", notification),
    ("/standing-alerts/deliver", notification),
    ("/standing-alerts/escalation-plan", notification),
    ("/standing-alerts/reminder-plan", notification),
    ("/standing-alerts/{health_id}/acknowledgements", notification),
    ("/approval-escalations/plan", notification),
    ("/approval-reminders/plan", notification),
    ("/approval-reminders/{recurrence_plan_id}/deliver", notification),
    ("/endpoint-deployment/reconcile", reconciliation),
    ("/endpoint-inventory-ingestions/{inventory_id}/reconcile", reconciliation),
    ("/endpoint-inventory/freshness-report", remediation),
    ("/endpoint-inventory/ingest", inventory),
    ("/endpoint-management-exports/{export_id}/publish", remediation),
    ("/endpoint-reconciliations/{reconciliation_id}/remediation-request", remediation),
    ("/endpoint-remediation-handoffs/{handoff_id}/status", remediation),
    ("/endpoint-remediation-sla-escalation-recurrence-automation-health-alerts/deliver", notification),
    (
        "/endpoint-remediation-sla-escalation-recurrence-automation-health-alerts/{health_id}/acknowledgements",
        notification,
    ),
    ("/endpoint-remediation-sla-escalation-recurrences/automation-run", notification),
    ("/endpoint-remediation-sla-escalation-recurrences/retry-plan", notification),
    ("/endpoint-remediation-sla-escalation-recurrences/{recurrence_plan_id}/deliver", notification),
    ("/endpoint-remediation-sla-escalation-recurrences/{recurrence_plan_id}/owner-digest", notification),
    ("/endpoint-remediation-sla-escalations/recurrence-plan", notification),
    ("/endpoint-remediation-sla-escalations/{plan_id}/deliver", notification),
    ("/endpoint-remediation-sla-escalations/{plan_id}/reviews", notification),
    ("/endpoint-remediation-sla-notifications/escalation-plan", notification),
    ("/endpoint-remediation-sla-reports/{report_id}/acknowledgements", notification),
    ("/endpoint-remediation-sla-reports/{report_id}/deliver", notification),
    ("/endpoint-remediation-sla/report", notification),
    ("/endpoint-remediations/{request_id}/execute", remediation),
    ("/endpoint-remediations/{request_id}/handoff", remediation),
    ("/integration-deliveries/{delivery_id}/drop", delivery),
    ("/integration-deliveries/{delivery_id}/retry", delivery),
    ("/integrations", integration),
    ("/integrations/{integration_id}/deliver", delivery),
    ("/promotion-executions/{execution_id}/audit-export/deliver", delivery),
    ("/rollback-executions/{rollback_id}/deliver", delivery),
    ("/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery", notification),
    ("/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/retry-plan", notification),
    (
        "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/retry-plans/{retry_plan_id}/acknowledgements",
        notification,
    ),
    (
        "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/worker-health-alerts/deliver",
        notification,
    ),
    (
        "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/worker-health-alerts/{health_id}/acknowledgements",
        notification,
    ),
    ("/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/worker-run", notification),
    ("/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-package", notification),
    ("/runtime/go-pilot/rollback-drill-notifications/acknowledgements/bulk", notification),
    ("/runtime/go-pilot/rollback-drill-notifications/deliver", notification),
    ("/runtime/go-pilot/rollback-drill-notifications/escalation-plan", notification),
    ("/runtime/go-pilot/rollback-drill-notifications/{schedule_id}/acknowledgements", notification),
];

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// What all planted tokens have in common: texts are searched for it once, not for each of them.
const COMMON: &str = "q7Rw2mXk9TzB4vLs8NfYc3HdJp6GeU";

/// A token that nothing else holds. Put together here: what looks like one in a source file stops many a scanner.
fn secret() -> String {
    let count = COUNT.with(|count| count.replace(count.get() + 1));
    ["ghp_", COMMON, &format!("{count:06}")].concat()
}

/// Pointers to all texts of a body.
fn texts(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(path.to_owned()),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| texts(item, &format!("{path}/{at}"), found))
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| texts(member, &format!("{path}/{name}"), found));
        }
        _ => {}
    }
}

/// The body with a secret in each of its texts in turn, alone and in a sentence, and in members that nobody asked for.
fn planted(body: &Value) -> Vec<(String, Value, String)> {
    let mut pointers = Vec::new();
    texts(body, "", &mut pointers);
    let mut bodies = Vec::new();
    for pointer in pointers {
        for sentence in [false, true] {
            let secret = secret();
            let mut changed = body.clone();
            let text = if sentence { format!("it is {secret} now") } else { secret.clone() };
            *changed.pointer_mut(&pointer).unwrap() = json!(text);
            bodies.push((pointer.clone(), changed, secret));
        }
    }
    for (name, value) in [("remark", "text"), ("deep", "list"), ("other_id", "text"), ("", "name")] {
        let secret = secret();
        let mut changed = body.clone();
        let (name, value) = match value {
            "list" => (name.to_owned(), json!({"a": [{"b": secret}]})),
            "name" => (secret.clone(), json!(1)),
            _ => (name.to_owned(), json!(secret)),
        };
        changed[&name] = value;
        bodies.push((format!("/{name}"), changed, secret));
    }
    bodies
}

fn is_identifier(pointer: &str) -> bool {
    let member = pointer.rsplit('/').find(|segment| segment.parse::<usize>().is_err()).unwrap_or_default();
    member == "id" || member.ends_with("_id") || member.ends_with("_digest")
}

/// The requests whose secrets a text has.
fn found<'a>(text: &str, secrets: &'a [(String, String)]) -> Vec<&'a str> {
    secrets.iter().filter(|(_, secret)| text.contains(secret)).map(|(what, _)| what.as_str()).collect()
}

/// Everything that is in a home.
pub fn everywhere(home: &Home) -> Vec<u8> {
    let mut all = Vec::new();
    let mut waiting = vec![home.join("")];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                waiting.push(entry.path());
            } else {
                all.extend(std::fs::read(entry.path()).unwrap_or_default());
            }
        }
    }
    all
}

#[test]
fn a_secret_in_any_text_of_any_request_comes_to_rest_nowhere() {
    for backend in [Backend::Json, Backend::Sqlite] {
        let home = Home::new();
        let (name, packs) = home.packs();
        let server = serve(&home, backend, &[(name, &packs), ("CAVRA_LOG", "debug")]);
        let mut secrets = Vec::new();
        let served = served(&server);
        for (template, body) in REPORTS.iter().filter(|(template, _)| served.contains(*template)) {
            for (pointer, planted, secret) in planted(&body()) {
                let answer = server.post(&about_nothing(template), &planted);
                let what = format!("{template} {pointer}: {} {}", answer.status, answer.text());
                assert!(answer.status < 500 && !answer.text().contains(&secret), "{what}");
                secrets.push((what, secret));
            }
        }
        for kind in KINDS.iter().filter(|kind| served.contains(kind.template)) {
            let (_, body) = (kind.make)(&server);
            for (pointer, planted, secret) in planted(&body) {
                let (path, _) = (kind.make)(&server);
                // What has to be fresh each time is taken from a fresh body.
                let mut sent = planted;
                if let (Some(approval), "/policy-packs/publish") = (sent.get_mut("approval_id"), kind.template)
                    && pointer != "/approval_id"
                {
                    *approval = json!(approved(&server, &policy()));
                }
                let answer = server.post(&path, &sent);
                let what = format!("{} {pointer}: {} {}", kind.template, answer.status, answer.text());
                assert!(answer.status < 500, "{what}");
                assert!(!answer.text().contains(&secret), "{what}");
                if is_identifier(&pointer) {
                    assert_eq!(answer.status, 422, "{what}");
                }
                secrets.push((what, secret));
            }
        }
        for list in [
            "/decisions",
            "/sessions",
            "/approvals",
            "/evidence",
            "/repositories",
            "/policy-rollouts",
            "/policy-packs",
            "/agents",
            "/mcp/servers",
        ] {
            let text = server.get(list).text().to_owned();
            assert!(!text.contains(COMMON), "{list} shows {:?}", found(&text, &secrets));
        }
        let log = server.log();
        server.terminate();
        let stored = [everywhere(&home), log.into_bytes()].concat();
        let stored = String::from_utf8_lossy(&stored);
        assert!(!stored.contains(COMMON), "kept: {:?}", found(&stored, &secrets));
    }
}

/// The path with names that stand for nothing.
fn about_nothing(template: &str) -> String {
    let segments = template.split('/').map(|segment| if segment.starts_with('{') { "none" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

/// Paths that take a body.
fn served(server: &Server) -> BTreeSet<String> {
    let document = server.get("/openapi.json").ok();
    let paths = document["paths"].as_object().unwrap().iter();
    // What a chat signs is planted with secrets beside the other tests of chats.
    let is_served = |methods: &Value| {
        let post = &methods["post"];
        post["requestBody"].is_object() && post["x-cavra-access"] != "signed callback"
    };
    paths.filter(|(_, methods)| is_served(methods)).map(|(path, _)| path.clone()).collect()
}

/// The list above has every request that there is.
#[test]
fn no_request_is_left_out() {
    let mut left_out = served(&Home::new().serve(&[]));
    let templates = || KINDS.iter().map(|kind| kind.template).chain(REPORTS.iter().map(|(template, _)| *template));
    left_out.retain(|path| templates().all(|template| template != path));
    assert_eq!(left_out, BTreeSet::new());
}
